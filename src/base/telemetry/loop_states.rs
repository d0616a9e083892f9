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
    /// The failed steps since the last one that succeeded.
    pub(crate) failures: u32,
    /// The end of the last step, or the start.
    progressed_at: Instant,
    has_ended: bool,
    number: u64,
    /// A loop without progress for longer is stalled; `None`: it may take as long as it needs.
    max_step: Option<Duration>,
}

/// The states of all loops, in the order of their start. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopStates(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    states: Vec<LoopState>,
    /// How many loops were registered.
    count: u64,
}

/// The right to publish the state of one loop. The loop has ended when it is dropped.
#[derive(Debug)]
pub(crate) struct LoopStateHandle {
    states: LoopStates,
    number: u64,
}

impl LoopStates {
    pub(crate) fn register(
        &self,
        name: &'static str,
        started_at: Time,
        max_step: Option<Duration>,
    ) -> LoopStateHandle {
        let number = self.with(|Inner { states, count }| {
            *count += 1;
            states.push(LoopState {
                name,
                started_at,
                last_step: None,
                last_failure: None,
                failures: 0,
                progressed_at: Instant::now(),
                has_ended: false,
                number: *count,
                max_step,
            });
            *count
        });
        LoopStateHandle { states: self.clone(), number }
    }

    pub(crate) fn all(&self) -> Vec<LoopState> {
        self.with(|inner| inner.states.clone())
    }

    pub(crate) fn forget_ended(&self) {
        self.with(|inner| inner.states.retain(|state| !state.has_ended));
    }

    /// One of these loops whose last steps, at least `count`, have all failed, with the reason of the last one.
    pub(crate) fn failing(&self, names: &[&str], count: u32) -> Option<(&'static str, &'static str)> {
        let is_failing =
            |state: &&LoopState| !state.has_ended && state.failures >= count && names.contains(&state.name);
        self.with(|inner| {
            let state = inner.states.iter().find(is_failing)?;
            Some((state.name, state.last_failure?.1))
        })
    }

    /// The names of the loops that are stalled at `now`.
    pub(crate) fn stalled(&self, now: Instant) -> Vec<&'static str> {
        let is_stalled = |state: &&LoopState| {
            !state.has_ended
                && state.max_step.is_some_and(|max| now.saturating_duration_since(state.progressed_at) > max)
        };
        self.with(|inner| inner.states.iter().filter(is_stalled).map(|state| state.name).collect())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LoopStateHandle {
    /// `failure` is the reason code of a failed step.
    pub(crate) fn publish(&self, at: Time, result: StepResult, failure: Option<&'static str>) {
        self.update(|state| {
            state.last_step = Some((at, result));
            state.last_failure = failure.map(|reason| (at, reason)).or(state.last_failure);
            state.failures = if failure.is_some() { state.failures.saturating_add(1) } else { 0 };
            state.progressed_at = Instant::now();
        });
    }

    fn update(&self, change: impl FnOnce(&mut LoopState)) {
        self.states
            .with(|inner| inner.states.iter_mut().find(|state| state.number == self.number).map(change));
    }
}

impl Drop for LoopStateHandle {
    fn drop(&mut self) {
        self.update(|state| state.has_ended = true);
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
        let _deliver = states.register("deliver", Time::UNIX_EPOCH, None);
        let stalled_in = |duration| states.stalled(Instant::now() + duration);
        assert!(stalled_in(minutes(4)).is_empty());
        assert_eq!(stalled_in(minutes(6)), ["plan"]);
        states.with(|inner| inner.states[0].progressed_at -= minutes(6));
        assert_eq!(stalled_in(minutes(0)), ["plan"]);
        plan.publish(Time::UNIX_EPOCH, StepResult::Failed, Some("database_locked"));
        assert!(stalled_in(minutes(0)).is_empty(), "a failed step is progress, too");
        drop(plan);
        assert!(stalled_in(minutes(6)).is_empty(), "it has ended");
    }

    #[test]
    fn a_loop_is_failing_while_its_last_steps_have_all_failed() {
        let states = LoopStates::default();
        let plan = states.register("plan", Time::UNIX_EPOCH, None);
        let publish = |failure: Option<&'static str>| {
            let result = if failure.is_some() { StepResult::Failed } else { StepResult::Idle };
            plan.publish(Time::UNIX_EPOCH, result, failure);
            states.failing(&["plan", "sweep"], 2)
        };
        assert_eq!(publish(Some("database_io")), None);
        assert_eq!(publish(Some("database_full")), Some(("plan", "database_full")));
        assert_eq!(publish(None), None);
        assert_eq!(publish(Some("database_full")), None, "counted from the last success");
    }

    #[test]
    fn loops_that_have_ended_are_forgotten_and_the_others_stay() {
        let states = LoopStates::default();
        let names = || states.all().iter().map(|state| state.name).collect::<Vec<_>>();
        let former = states.register("plan", Time::UNIX_EPOCH, None);
        let events = states.register("events", Time::UNIX_EPOCH, None);
        let _plan = states.register("plan", Time::UNIX_EPOCH, None);
        drop(events);
        states.forget_ended();
        assert_eq!(names(), ["plan", "plan"], "the first one finishes what is in hand");
        former.publish(Time::UNIX_EPOCH, StepResult::Idle, None);
        drop(former);
        states.forget_ended();
        assert_eq!(states.all().iter().map(|state| state.last_step).collect::<Vec<_>>(), [None]);
    }
}
