//! `run` and `once`.

use super::completion::Completion;
use super::context::Context;
use super::output::{outln, print_json};
use super::signals::{hangups, stop_signal};
use crate::base::telemetry::{self, traces::Traces};
use crate::server::{Daemon, Reloads};
use crate::store::{InstanceCommand, SweepProgress};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Runs the daemon until a signal stops it.
pub(super) async fn run(context: &Context) -> anyhow::Result<Completion> {
    let log = telemetry::init(&context.config.telemetry)?;
    let stop = stop_signal()?;
    let reloads = Reloads::new(context.source.clone(), &context.loaded, hangups()?).with_log(log);
    let metrics = telemetry::MetricsPage::install()?;
    let traces = Traces::start(&context.config.telemetry)?;
    let ended = serve(context, stop, metrics, reloads).await;
    traces.flush().await;
    ended.map(|()| Completion::Complete)
}

async fn serve(
    context: &Context,
    stop: CancellationToken,
    metrics: telemetry::MetricsPage,
    reloads: Reloads,
) -> anyhow::Result<()> {
    let daemon = Daemon::start(context.app_or_create().await?, Some(metrics)).await?;
    telemetry::notify_ready();
    daemon.reloading(reloads).run(stop).await
}

/// Sweeps, plans, and delivers what is due.
pub(super) async fn once(context: &Context) -> anyhow::Result<Completion> {
    telemetry::init(&context.config.telemetry)?;
    let stop = stop_signal()?;
    let traces = Traces::start(&context.config.telemetry)?;
    let ended = run_once(context, stop).await;
    traces.flush().await;
    ended
}

async fn run_once(context: &Context, stop: CancellationToken) -> anyhow::Result<Completion> {
    let app = context.app_or_create().await?;
    let _lock = app.acquire_instance_lock(InstanceCommand::Once).await?;
    let ended = CancellationToken::new();
    let heartbeats = tokio::spawn(app.clone().send_heartbeats(ended.clone()));
    let spinner = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    let updates = show_progress(spinner.clone(), app.sweeper.progress());
    // On a worker thread, like the polls: this one would have to be woken for each batch of responses.
    let cycle = tokio::spawn({
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            let report = app.run_once(&stop).await?;
            app.purge(&stop).await?;
            anyhow::Ok(report)
        }
    });
    let result = cycle.await;
    ended.cancel();
    heartbeats.await?;
    app.store.unregister().await?;
    updates.abort();
    spinner.finish_and_clear();
    let result = result??;
    let report = &result.sweep;
    let progress = report.progress;
    if context.json {
        print_json(&serde_json::json!({
            "members": progress.members,
            "unclear": progress.unclear,
            "skipped": progress.skipped,
            "transitions": progress.transitions,
            "complete": report.complete(),
            "ended_early_because": report.ended_early_because,
            "mail_pending": result.mail_pending,
        }))?;
    } else {
        let stopped =
            report.ended_early_because.map(|reason| format!("; stopped early: {reason}")).unwrap_or_default();
        let pending = if result.mail_pending { "; email is waiting for the mail server" } else { "" };
        outln!("{}{stopped}{pending}", counts(progress));
    }
    Ok(if result.complete() { Completion::Complete } else { Completion::Incomplete })
}

fn show_progress(spinner: ProgressBar, mut progress: watch::Receiver<SweepProgress>) -> JoinHandle<()> {
    tokio::spawn(async move {
        while progress.changed().await.is_ok() {
            let latest = *progress.borrow_and_update();
            spinner.set_message(counts(latest));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

fn counts(progress: SweepProgress) -> String {
    let SweepProgress { members, unclear, skipped, transitions, .. } = progress;
    format!("{members} members polled, {unclear} unclear, {skipped} skipped, {transitions} transitions")
}
