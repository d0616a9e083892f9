//! The loops: each does one unit at a time and says whether there was work.

use super::clock_steps::ClockWatch;
use super::readiness::Readiness;
use super::sweeps::sweep_loop;
use crate::base::telemetry::{Activity, metrics};
use crate::notify::deliver::Delivered;
use crate::server::components::App;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long an idle loop rests before it looks for work by itself.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a loop rests after the database has failed it.
pub(super) const ERROR_BACKOFF: Duration = Duration::from_secs(5);
/// How often leases that ran out are looked for.
const LEASES_EVERY: Duration = Duration::from_secs(30);
/// How often the clocks are compared.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// Counting waits this long, so that requests are counted in batches.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);
/// Notices under way at once.
const DELIVERY_WORKERS: usize = 8;

/// Wake-ups between loops.
#[derive(Clone, Debug, Default)]
pub(super) struct WakeSignals {
    pub(super) tick: Arc<Notify>,
    pub(super) sweeping: Arc<AtomicBool>,
    /// The last sign of life of the loop that sweeps.
    pub(super) activity: Activity,
    pub(super) plan: Arc<Notify>,
    pub(super) deliver: Arc<Notify>,
    pub(super) recheck: Arc<Notify>,
}

/// Whether a loop's body found work.
pub(super) enum Progress {
    None,
    Some,
    Rest(Duration),
}

impl From<bool> for Progress {
    fn from(worked: bool) -> Self {
        if worked { Self::Some } else { Self::None }
    }
}

pub(super) type Loops = JoinSet<(&'static str, anyhow::Result<()>)>;

/// Runs `body` over and over. A failure is logged and rested from, and does not end the loop; a panic does.
pub(super) fn spawn_loop<F, Fut>(
    loops: &mut Loops,
    name: &'static str,
    stop: &CancellationToken,
    wake: Option<Arc<Notify>>,
    mut body: F,
) where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<Progress>> + Send + 'static,
{
    let stop = stop.clone();
    loops.spawn(async move {
        while !stop.is_cancelled() {
            let rest = match body().await {
                Ok(Progress::Some) => continue,
                Ok(Progress::None) => POLL_INTERVAL,
                Ok(Progress::Rest(rest)) => rest,
                Err(error) => {
                    tracing::error!(loop_name = name, error = format!("{error:#}"), "a unit of work failed");
                    ERROR_BACKOFF
                }
            };
            let woken = async {
                match &wake {
                    Some(wake) if rest == POLL_INTERVAL => wake.notified().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = woken => {}
                () = stop.cancelled() => {}
            }
        }
        (name, Ok(()))
    });
}

/// Starts every loop but the listeners.
pub(super) fn start(
    loops: &mut Loops,
    app: &App,
    wakes: &WakeSignals,
    readiness: Readiness,
    stop: &CancellationToken,
) {
    let (sweep, tick, sweep_stop) = (app.clone(), wakes.clone(), stop.clone());
    loops.spawn(async move { ("sweep", sweep_loop(&sweep, &tick, &sweep_stop).await) });

    let (rechecker, wake) = (app.rechecker.clone(), wakes.plan.clone());
    spawn_loop(loops, "recheck", stop, Some(wakes.recheck.clone()), move || {
        let (rechecker, wake) = (rechecker.clone(), wake.clone());
        async move {
            let worked = rechecker.recheck_one().await?;
            if worked {
                wake.notify_one();
            }
            Ok(Progress::from(worked))
        }
    });

    let (planner, wake) = (app.planner.clone(), wakes.deliver.clone());
    spawn_loop(loops, "plan", stop, Some(wakes.plan.clone()), move || {
        let (planner, wake) = (planner.clone(), wake.clone());
        async move {
            let worked = planner.plan_one().await?;
            if worked {
                wake.notify_one();
            }
            Ok(Progress::from(worked))
        }
    });

    for _ in 0..DELIVERY_WORKERS {
        let (deliverer, wake) = (app.deliverer.clone(), wakes.plan.clone());
        spawn_loop(loops, "deliver", stop, Some(wakes.deliver.clone()), move || {
            let (deliverer, wake) = (deliverer.clone(), wake.clone());
            async move {
                Ok(match deliverer.deliver_one().await? {
                    Delivered::Nothing => Progress::None,
                    Delivered::One(_) => {
                        wake.notify_one();
                        Progress::Some
                    }
                    Delivered::QueuePaused(wait) => Progress::Rest(wait),
                })
            }
        });
    }

    let (store, clock) = (app.store.clone(), app.clock.clone());
    spawn_loop(loops, "leases", stop, None, move || {
        let (store, now) = (store.clone(), clock.now());
        async move {
            let freed = store.rescue_expired_leases(now, false).await?;
            if freed > 0 {
                tracing::warn!(notices = freed, "deliveries outlived their leases");
            }
            Ok(Progress::Rest(LEASES_EVERY))
        }
    });
    watch_clock(loops, app, readiness, stop);
    count_link_requests(loops, app, stop);
}

/// Looks whether the wall clock was set, and whether sweeps are overdue.
fn watch_clock(loops: &mut Loops, app: &App, readiness: Readiness, stop: &CancellationToken) {
    let app = app.clone();
    let mut watch = ClockWatch::new(app.clock.now(), app.clock.monotonic());
    spawn_loop(loops, "clock", stop, None, move || {
        metrics::set_sweeps_overdue(readiness.sweeps_overdue());
        let app = app.clone();
        let step = watch.step(app.clock.now(), app.clock.monotonic());
        async move {
            if let Some(step) = step {
                tracing::warn!(seconds = step.num_seconds(), "the wall clock was set");
                app.pull_back_from_future().await?;
            }
            Ok(Progress::Rest(CLOCK_EVERY))
        }
    });
}

/// The requests of the last interval are counted after the listeners have stopped.
fn count_link_requests(loops: &mut Loops, app: &App, stop: &CancellationToken) {
    let counter = app.request_counter.clone();
    spawn_loop(loops, "link_requests", stop, None, move || {
        let counter = counter.clone();
        async move {
            counter.drain_queue().await?;
            Ok(Progress::Rest(COUNT_INTERVAL))
        }
    });
}
