//! The published state of each loop, for `/readyz`.

use crate::domain::Time;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepResult {
    Worked,
    /// There was nothing to do.
    Idle,
    /// The loop waits longer than usual before its next step.
    Paused,
    Failed,
}

impl StepResult {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Worked => "worked",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoopState {
    pub(crate) name: &'static str,
    pub(crate) started_at: Time,
    /// The end of the last step and its result; `None` before the first step has ended.
    pub(crate) last_step: Option<(Time, StepResult)>,
    /// The end of the last failed step and its reason code; `None` if no step has failed.
    pub(crate) last_failure: Option<(Time, &'static str)>,
    /// The end of the last step, or the start.
    progressed_at: Instant,
    /// A loop without progress for longer is stalled; `None`: it may take as long as it needs.
    max_step: Option<Duration>,
}

/// The states of all loops, in the order of their start. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopStates(Arc<Mutex<Vec<LoopState>>>);

/// The right to publish the state of one loop.
#[derive(Debug)]
pub(crate) struct LoopStateHandle {
    states: LoopStates,
    index: usize,
}

impl LoopStates {
    pub(crate) fn register(
        &self,
        name: &'static str,
        started_at: Time,
        max_step: Option<Duration>,
    ) -> LoopStateHandle {
        let index = self.with(|states| {
            let progressed_at = Instant::now();
            let (last_step, last_failure) = (None, None);
            states.push(LoopState { name, started_at, last_step, last_failure, progressed_at, max_step });
            states.len() - 1
        });
        LoopStateHandle { states: self.clone(), index }
    }

    pub(crate) fn all(&self) -> Vec<LoopState> {
        self.with(|states| states.clone())
    }

    /// The names of the loops that are stalled at `now`.
    pub(crate) fn stalled(&self, now: Instant) -> Vec<&'static str> {
        let is_stalled = |state: &&LoopState| {
            state.max_step.is_some_and(|max| now.saturating_duration_since(state.progressed_at) > max)
        };
        self.with(|states| states.iter().filter(is_stalled).map(|state| state.name).collect())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<LoopState>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LoopStateHandle {
    /// `failure` is the reason code of a failed step.
    pub(crate) fn publish(&self, at: Time, result: StepResult, failure: Option<&'static str>) {
        self.states.with(|states| {
            let state = &mut states[self.index];
            state.last_step = Some((at, result));
            state.last_failure = failure.map(|reason| (at, reason)).or(state.last_failure);
            state.progressed_at = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_stalled_when_its_step_takes_longer_than_it_may() {
        let states = LoopStates::default();
        let minutes = |count: u64| Duration::from_secs(60 * count);
        let plan = states.register("plan", Time::UNIX_EPOCH, Some(minutes(5)));
        states.register("deliver", Time::UNIX_EPOCH, None);
        let stalled_in = |duration| states.stalled(Instant::now() + duration);
        assert!(stalled_in(minutes(4)).is_empty());
        assert_eq!(stalled_in(minutes(6)), ["plan"]);
        states.with(|states| states[0].progressed_at -= minutes(6));
        assert_eq!(stalled_in(minutes(0)), ["plan"]);
        plan.publish(Time::UNIX_EPOCH, StepResult::Failed, Some("database_locked"));
        assert!(stalled_in(minutes(0)).is_empty(), "a failed step is progress, too");
    }
}
