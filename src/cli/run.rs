//! `run` and `once`.

use super::completion::Completion;
use super::context::Context;
use super::output::outln;
use crate::base::telemetry;
use crate::server::Daemon;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `run`: the daemon, until it is asked to end.
pub(super) async fn run(context: &Context) -> anyhow::Result<Completion> {
    telemetry::init(&context.config.telemetry)?;
    let stop = stop_signal()?;
    let metrics = telemetry::metrics::install()?;
    let daemon = Daemon::start(context.app().await?, Some(metrics)).await?;
    telemetry::notify_ready();
    daemon.run(stop).await?;
    Ok(Completion::Complete)
}

/// `once`: one pass, then what is due is planned and delivered.
pub(super) async fn once(context: &Context) -> anyhow::Result<Completion> {
    telemetry::init(&context.config.telemetry)?;
    let stop = stop_signal()?;
    let app = context.app().await?;
    let _lock = app.acquire_instance_lock().await?;
    let progress = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let mut counted = app.sweeper.progress();
    let showing = {
        let progress = progress.clone();
        tokio::spawn(async move {
            while counted.changed().await.is_ok() {
                let so_far = *counted.borrow_and_update();
                progress.set_message(format!(
                    "{} members polled, {} unclear, {} skipped, {} transitions",
                    so_far.members, so_far.unclear, so_far.skipped, so_far.transitions
                ));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
    };
    let pass = app.run_once(&stop).await;
    showing.abort();
    progress.finish_and_clear();
    let pass = pass?;
    let report = &pass.sweep;
    if context.json {
        outln!(
            "{}",
            serde_json::json!({
                "members": report.progress.members,
                "unclear": report.progress.unclear,
                "skipped": report.progress.skipped,
                "transitions": report.progress.transitions,
                "complete": report.complete(),
                "ended_early_because": report.ended_early_because,
                "mail_pending": pass.mail_pending,
            })
        );
    } else {
        outln!(
            "{} members polled, {} unclear, {} skipped, {} transitions{}{}",
            report.progress.members,
            report.progress.unclear,
            report.progress.skipped,
            report.progress.transitions,
            report.ended_early_because.map(|why| format!("; stopped early: {why}")).unwrap_or_default(),
            if pass.mail_pending { "; mails wait for the mail server" } else { "" }
        );
    }
    Ok(if pass.complete() { Completion::Complete } else { Completion::Incomplete })
}

/// Called on SIGTERM or SIGINT.
pub(super) fn stop_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let called = stop.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            called.cancel();
        });
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            called.cancel();
        }
    });
    Ok(stop)
}
