//! Which members of a shared email are ready for it. The others drop out, and nobody waits for them.

use super::outcome::{Abort, Step};
use crate::store::{AttemptOutcome, AttemptResult};

pub(super) struct Ready<T> {
    ready: Vec<T>,
    obstacle: Option<Abort>,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Self { ready: Vec::new(), obstacle: None }
    }
}

impl<T> Ready<T> {
    /// # Errors
    /// An error of the store concerns all members.
    pub(super) fn add(&mut self, member: Step<T>) -> Step<()> {
        match member {
            Ok(member) => self.ready.push(member),
            Err(Abort::Store(error)) => return Err(Abort::Store(error)),
            Err(abort) if self.obstacle.as_ref().is_none_or(is_final) => self.obstacle = Some(abort),
            Err(_) => {}
        }
        Ok(())
    }

    /// # Errors
    /// Nobody is ready. If one of them may be later, the notice waits.
    pub(super) fn members(self) -> Step<Vec<T>> {
        match self.obstacle {
            Some(obstacle) if self.ready.is_empty() => Err(obstacle),
            _ => Ok(self.ready),
        }
    }
}

fn is_final(abort: &Abort) -> bool {
    matches!(abort, Abort::With(result) if matches!(**result, AttemptResult { outcome: AttemptOutcome::Cancelled, .. }))
}
