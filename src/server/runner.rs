//! Runs a loop: one step after another, until the shutdown, or until another configuration takes its place.

use super::succession::Succession;
use crate::base::clock::Clock;
use crate::base::telemetry::{LoopStates, Repeats, StepResult};
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
    /// Whether the loop of the same name that belongs to the former configuration ends first.
    const WAITS_FOR_FORMER: bool = true;

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

/// The running loops and listeners.
pub(super) type Tasks = JoinSet<Ended>;

/// A loop, or a listener, that has ended.
pub(super) struct Ended {
    pub(super) name: &'static str,
    /// Whether it was to end.
    pub(super) is_expected: bool,
    pub(super) result: anyhow::Result<()>,
}

/// Starts loops.
pub(super) struct Runner<'a> {
    pub(super) tasks: &'a mut Tasks,
    pub(super) states: &'a LoopStates,
    pub(super) clock: &'a Clock,
    /// Ends the loops.
    pub(super) shutdown: &'a CancellationToken,
    /// For the loops of one configuration.
    pub(super) succession: Option<&'a mut Succession>,
}

impl<'a> Runner<'a> {
    /// Starts loops that outlive a configuration.
    pub(super) fn new(
        tasks: &'a mut Tasks,
        states: &'a LoopStates,
        clock: &'a Clock,
        shutdown: &'a CancellationToken,
    ) -> Self {
        Self { tasks, states, clock, shutdown, succession: None }
    }

    pub(super) fn spawn<L: Loop>(&mut self, mut body: L) {
        let (clock, shutdown) = (self.clock.clone(), self.shutdown.clone());
        let state = self.states.register(L::NAME, clock.now(), L::MAX_STEP);
        let (former, own) = self.succession.as_mut().map(|succession| succession.place(L::NAME)).unzip();
        let former = former.flatten().filter(|_| L::WAITS_FOR_FORMER);
        let run = async move {
            // Also during a shutdown: a third loop must not start beside the first one.
            if let Some(former) = former {
                former.wait().await;
            }
            let repeats = Repeats::default();
            while !shutdown.is_cancelled() {
                let (result, wait, failure) = match body.step().await {
                    Ok(Progress::Worked) => (StepResult::Worked, None, None),
                    Ok(Progress::Idle) => (StepResult::Idle, Some(POLL_INTERVAL), None),
                    Ok(Progress::Pause(pause)) => (StepResult::Paused, Some(pause), None),
                    Err(error) => {
                        let reason = failure_code(&error);
                        if let Some(failures) = repeats.failed(reason) {
                            log_failure(L::NAME, &error, failures);
                        }
                        (StepResult::Failed, Some(ERROR_BACKOFF), Some(reason))
                    }
                };
                if failure.is_none()
                    && let Some(failures) = repeats.succeeded()
                {
                    tracing::info!(event = "loop_recovered", loop_name = L::NAME, failures, "works again");
                }
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
                log_failure(L::NAME, &error, 1);
            }
            Ended { name: L::NAME, is_expected: shutdown.is_cancelled(), result: Ok(()) }
        };
        match own {
            Some(own) => self.tasks.spawn(own.track_future(run)),
            None => self.tasks.spawn(run),
        };
    }
}

fn log_failure(loop_name: &'static str, error: &anyhow::Error, failures: u32) {
    let reason = failure_code(error);
    tracing::error!(event = "loop_failed", loop_name, reason, failures, "iteration failed: {error:#}");
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
        let mut runner = Runner::new(&mut tasks, &states, &clock, &shutdown);
        runner.spawn(Paused { steps: 0, wake: wake.clone(), shutdown: shutdown.clone() });
        while states.all()[0].last_step.is_none() {
            tokio::task::yield_now().await;
        }
        wake.notify_one();
        assert_eq!(tasks.join_next().await.unwrap().unwrap().name, "paused");
    }

    /// Notes its turn, and ends when it may.
    struct InTurn {
        turns: Arc<std::sync::Mutex<Vec<u8>>>,
        number: u8,
        may_end: Arc<Notify>,
    }

    impl Loop for InTurn {
        const NAME: &'static str = "in_turn";

        async fn step(&mut self) -> anyhow::Result<Progress> {
            self.turns.lock().unwrap().push(self.number);
            Ok(Progress::Pause(Duration::from_secs(3_600)))
        }

        async fn finish(&mut self) -> anyhow::Result<()> {
            self.may_end.notified().await;
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_loop_starts_when_the_one_of_the_former_configuration_has_ended_even_if_one_between_them_never_ran()
     {
        let (states, clock) = (LoopStates::default(), Clock::System);
        let (mut tasks, mut succession) = (Tasks::new(), Succession::default());
        let (turns, may_end) = (Arc::<std::sync::Mutex<Vec<u8>>>::default(), Arc::<Notify>::default());
        let mut start = |number| {
            succession.advance();
            let stop = CancellationToken::new();
            let succession = Some(&mut succession);
            let (tasks, states, clock, shutdown) = (&mut tasks, &states, &clock, &stop);
            let mut runner = Runner { tasks, states, clock, shutdown, succession };
            runner.spawn(InTurn { turns: turns.clone(), number, may_end: may_end.clone() });
            stop
        };
        let first = start(1);
        while turns.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        first.cancel();
        start(2).cancel();
        start(3);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*turns.lock().unwrap(), [1], "the first one still has something in hand");
        may_end.notify_one();
        assert!(tasks.join_next().await.unwrap().unwrap().is_expected);
        may_end.notify_one();
        assert!(tasks.join_next().await.unwrap().unwrap().is_expected);
        while turns.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*turns.lock().unwrap(), [1, 3]);
    }

    #[tokio::test]
    async fn a_loop_steps_while_there_is_work_and_publishes_the_last_result() {
        let (states, clock) = (LoopStates::default(), Clock::System);
        let (mut tasks, shutdown) = (Tasks::new(), CancellationToken::new());
        let mut runner = Runner::new(&mut tasks, &states, &clock, &shutdown);
        runner.spawn(Scripted { steps: 0, shutdown: shutdown.clone() });
        assert_eq!(states.all()[0].last_step, None);
        let ended = tasks.join_next().await.unwrap().unwrap();
        assert_eq!((ended.name, ended.is_expected, ended.result.is_ok()), ("scripted", true, true));
        let last = states.all()[0].last_step.map(|(_, result)| result);
        assert_eq!(last, Some(StepResult::Failed));
        assert_eq!(states.all()[0].last_failure.map(|(_, reason)| reason), Some("database_locked"));
    }
}
