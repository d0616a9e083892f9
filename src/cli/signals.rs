//! Signals that ask the process to stop, or to load its configuration again.

use std::sync::Arc;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Cancelled on SIGTERM, SIGINT, or SIGQUIT. The next of these signals ends the process at once, with the exit code that
/// shells use: 128 and the number of the signal.
///
/// # Errors
/// The operating system accepts no handler.
#[cfg(unix)]
pub(super) fn stop_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::quit()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if stop.is_cancelled() {
                    tracing::warn!(event = "stopped_at_once", signal = kind.as_raw_value());
                    #[expect(
                        clippy::exit,
                        reason = "the operator does not want to wait for what is in hand"
                    )]
                    std::process::exit(128 + kind.as_raw_value());
                }
                stop.cancel();
            }
        });
    }
    Ok(stop)
}

/// Cancelled on Ctrl-C.
#[cfg(not(unix))]
pub(super) fn stop_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let cancelled = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            cancelled.cancel();
        }
    });
    Ok(stop)
}

/// Notified on SIGHUP, which would end the process otherwise.
///
/// # Errors
/// The operating system accepts no handler.
#[cfg(unix)]
pub(super) fn hangups() -> std::io::Result<Arc<Notify>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    let notify = Arc::<Notify>::default();
    let notified = notify.clone();
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            notified.notify_one();
        }
    });
    Ok(notify)
}

#[cfg(not(unix))]
pub(super) fn hangups() -> std::io::Result<Arc<Notify>> {
    Ok(Arc::default())
}
