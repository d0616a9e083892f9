//! The published state of each loop, for `/readyz`.

use crate::domain::Time;
use std::sync::{Arc, Mutex, PoisonError};

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
    pub(crate) fn register(&self, name: &'static str, started_at: Time) -> LoopStateHandle {
        let index = self.with(|states| {
            states.push(LoopState { name, started_at, last_step: None, last_failure: None });
            states.len() - 1
        });
        LoopStateHandle { states: self.clone(), index }
    }

    pub(crate) fn all(&self) -> Vec<LoopState> {
        self.with(|states| states.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Vec<LoopState>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl LoopStateHandle {
    pub(crate) fn publish(&self, at: Time, result: StepResult) {
        self.states.with(|states| states[self.index].last_step = Some((at, result)));
    }

    /// `reason` is a code.
    pub(crate) fn publish_failure(&self, at: Time, reason: &'static str) {
        self.states.with(|states| {
            states[self.index].last_step = Some((at, StepResult::Failed));
            states[self.index].last_failure = Some((at, reason));
        });
    }
}
