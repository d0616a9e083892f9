//! Runs a loop: one step after another, until the shutdown.

use crate::base::clock::Clock;
use crate::base::telemetry::{LoopStates, StepResult};
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long an idle loop waits for a wake-up before it looks for work itself.
const POLL_INTERVAL: Duration = Duration::from_millis(500);
/// How long a loop waits after a failed step.
const ERROR_BACKOFF: Duration = Duration::from_secs(5);

/// A loop of the daemon.
pub(super) trait Loop: Send + 'static {
    const NAME: &'static str;
    /// A loop whose step takes longer is stalled. `None`: a step may take as long as it needs.
    const MAX_STEP: Option<Duration> = Some(Duration::from_secs(15 * 60));

    /// Ends the wait of an idle loop and a pause. The wait after a failure is not cut short.
    fn wake(&self) -> Option<Arc<Notify>> {
        None
    }

    /// Does one unit of work. An error is logged and retried; a panic ends the daemon.
    fn step(&mut self) -> impl Future<Output = anyhow::Result<Progress>> + Send;

    /// Finishes the work that the last step left in progress. An error is logged.
    fn finish(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send {
        async { Ok(()) }
    }
}

/// The progress of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Idle,
    Worked,
    Pause(Duration),
}

impl From<bool> for Progress {
    fn from(has_worked: bool) -> Self {
        if has_worked { Self::Worked } else { Self::Idle }
    }
}

/// The running loops and listeners, by name.
pub(super) type Tasks = JoinSet<(&'static str, anyhow::Result<()>)>;

/// Starts loops.
pub(super) struct Runner<'a> {
    pub(super) tasks: &'a mut Tasks,
    pub(super) states: &'a LoopStates,
    pub(super) clock: &'a Clock,
    pub(super) shutdown: &'a CancellationToken,
}

impl Runner<'_> {
    pub(super) fn spawn<L: Loop>(&mut self, mut body: L) {
        let (clock, shutdown) = (self.clock.clone(), self.shutdown.clone());
        let state = self.states.register(L::NAME, clock.now(), L::MAX_STEP);
        self.tasks.spawn(async move {
            while !shutdown.is_cancelled() {
                let (result, wait, failure) = match body.step().await {
                    Ok(Progress::Worked) => (StepResult::Worked, None, None),
                    Ok(Progress::Idle) => (StepResult::Idle, Some(POLL_INTERVAL), None),
                    Ok(Progress::Pause(pause)) => (StepResult::Paused, Some(pause), None),
                    Err(error) => {
                        let reason = log_failure(L::NAME, &error);
                        (StepResult::Failed, Some(ERROR_BACKOFF), Some(reason))
                    }
                };
                state.publish(clock.now(), result, failure);
                let Some(wait) = wait else {
                    // A loop that always finds work must not keep the others from running.
                    tokio::task::yield_now().await;
                    continue;
                };
                let wake = body.wake().filter(|_| result != StepResult::Failed);
                let woken = async {
                    match wake {
                        Some(wake) => wake.notified().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = woken => {}
                    () = shutdown.cancelled() => {}
                }
            }
            if let Err(error) = body.finish().await {
                log_failure(L::NAME, &error);
            }
            (L::NAME, Ok(()))
        });
    }
}

/// Returns the reason code.
fn log_failure(loop_name: &'static str, error: &anyhow::Error) -> &'static str {
    let reason = failure_code(error);
    tracing::error!(event = "loop_failed", loop_name, reason, "iteration failed: {error:#}");
    reason
}

fn failure_code(error: &anyhow::Error) -> &'static str {
    error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()).map_or("failed", StoreError::code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works twice, then fails while the daemon shuts down.
    struct Scripted {
        steps: u32,
        shutdown: CancellationToken,
    }

    impl Loop for Scripted {
        const NAME: &'static str = "scripted";

        async fn step(&mut self) -> anyhow::Result<Progress> {
            self.steps += 1;
            if self.steps < 3 {
                return Ok(Progress::Worked);
            }
            self.shutdown.cancel();
            Err(StoreError::Busy.into())
        }
    }

    /// Pauses for an hour, and ends the daemon with the second step.
    struct Paused {
        steps: u32,
        wake: Arc<Notify>,
        shutdown: CancellationToken,
    }

    impl Loop for Paused {
        const NAME: &'static str = "paused";

        fn wake(&self) -> Option<Arc<Notify>> {
            Some(self.wake.clone())
        }

        async fn step(&mut self) -> anyhow::Result<Progress> {
            self.steps += 1;
            if self.steps == 2 {
                self.shutdown.cancel();
            }
            Ok(Progress::Pause(Duration::from_secs(3_600)))
        }
    }

    #[tokio::test]
    async fn a_wake_up_ends_a_pause() {
        let (states, clock) = (LoopStates::default(), Clock::System);
        let (mut tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        let wake = Arc::new(Notify::new());
        let mut runner = Runner { tasks: &mut tasks, states: &states, clock: &clock, shutdown: &shutdown };
        runner.spawn(Paused { steps: 0, wake: wake.clone(), shutdown: shutdown.clone() });
        while states.all()[0].last_step.is_none() {
            tokio::task::yield_now().await;
        }
        wake.notify_one();
        assert_eq!(tasks.join_next().await.unwrap().unwrap().0, "paused");
    }

    #[tokio::test]
    async fn a_loop_steps_while_there_is_work_and_publishes_the_last_result() {
        let (states, clock) = (LoopStates::default(), Clock::System);
        let (mut tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        let mut runner = Runner { tasks: &mut tasks, states: &states, clock: &clock, shutdown: &shutdown };
        runner.spawn(Scripted { steps: 0, shutdown: shutdown.clone() });
        assert_eq!(states.all()[0].last_step, None);
        let (name, ended) = tasks.join_next().await.unwrap().unwrap();
        assert_eq!((name, ended.is_ok()), ("scripted", true));
        let last = states.all()[0].last_step.map(|(_, result)| result);
        assert_eq!(last, Some(StepResult::Failed));
        assert_eq!(states.all()[0].last_failure.map(|(_, reason)| reason), Some("database_locked"));
    }
}
