//! Reports the daemon's state to its service manager, if there is one (sd_notify(3)).

use sd_notify::NotifyState;
use std::time::Duration;

pub(crate) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// The configuration is read again; [`notify_ready`] tells the end.
pub(crate) fn notify_reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => {
            tracing::warn!(event = "sd_notify_failed", %error, "the monotonic clock cannot be read")
        }
    }
}

/// Asks the service manager to wait at least `deadline` for the end.
pub(crate) fn notify_stopping(deadline: Duration) {
    let microseconds = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    let mut states = vec![NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(microseconds(deadline))];
    // The loops end, and nothing feeds the watchdog any longer.
    if let Some(timeout) = watchdog_timeout() {
        states.push(NotifyState::WatchdogUsec(microseconds(timeout.max(deadline))));
    }
    notify(&states);
}

/// A line for `systemctl status`.
pub(crate) fn notify_status(status: &str) {
    notify(&[NotifyState::Status(status)]);
}

/// The daemon works. Without this for the time that [`watchdog_timeout`] returns, it is restarted.
pub(crate) fn notify_watchdog() {
    notify(&[NotifyState::Watchdog]);
}

pub(crate) fn has_service_manager() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// `None`: there is no watchdog.
pub(crate) fn watchdog_timeout() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(event = "sd_notify_failed", %error, ?states, "sd_notify failed");
    }
}
