//! Which members of a shared email are ready for it. The others drop out, and nobody waits for them.

use super::outcome::{Abort, Step};
use crate::domain::{MemberId, NoticeReason};
use crate::store::{AttemptOutcome, AttemptResult};

/// Those who drop out, and why.
pub(super) type LeftOut = Vec<(MemberId, NoticeReason)>;

pub(super) struct Ready<T> {
    ready: Vec<T>,
    left_out: LeftOut,
    obstacle: Option<Abort>,
}

impl<T> Default for Ready<T> {
    fn default() -> Self {
        Self { ready: Vec::new(), left_out: Vec::new(), obstacle: None }
    }
}

impl<T> Ready<T> {
    /// # Errors
    /// An error of the store concerns all members.
    pub(super) fn add(&mut self, id: &MemberId, member: Step<T>) -> Step<()> {
        let abort = match member {
            Ok(member) => {
                self.ready.push(member);
                return Ok(());
            }
            Err(Abort::Store(error)) => return Err(Abort::Store(error)),
            Err(abort) => abort,
        };
        if let Some(reason) = abort.reason() {
            self.left_out.push((id.clone(), reason));
        }
        if self.obstacle.as_ref().is_none_or(is_final) {
            self.obstacle = Some(abort);
        }
        Ok(())
    }

    /// Adds those who drop out to `left_out`.
    ///
    /// # Errors
    /// Nobody is ready. If one of them may be later, the notice waits.
    pub(super) fn members(self, left_out: &mut LeftOut) -> Step<Vec<T>> {
        match self.obstacle {
            Some(obstacle) if self.ready.is_empty() => Err(obstacle),
            _ => {
                left_out.extend(self.left_out);
                Ok(self.ready)
            }
        }
    }
}

fn is_final(abort: &Abort) -> bool {
    matches!(abort, Abort::With(result) if matches!(**result, AttemptResult { outcome: AttemptOutcome::Cancelled, .. }))
}

#[cfg(test)]
mod tests {
    use super::super::outcome::abort_with;
    use super::*;

    #[test]
    fn an_email_for_which_nobody_is_ready_waits_if_somebody_may_be_ready_later() {
        let removed = || abort_with(AttemptOutcome::Cancelled, NoticeReason::MemberRemoved);
        let paused = || abort_with(AttemptOutcome::Cancelled, NoticeReason::Paused);
        let unclear = || abort_with(AttemptOutcome::Deferred, NoticeReason::SecondLookUnclear);
        let obstacle = |aborts: [Abort; 2]| {
            let mut ready = Ready::<()>::default();
            for abort in aborts {
                assert!(ready.add(&"ada".into(), Err(abort)).is_ok());
            }
            ready.members(&mut LeftOut::new()).err().and_then(|abort| abort.reason())
        };
        let waits = Some(NoticeReason::SecondLookUnclear);
        assert_eq!([obstacle([removed(), unclear()]), obstacle([unclear(), removed()])], [waits, waits]);
        assert_eq!(obstacle([removed(), paused()]), Some(NoticeReason::Paused));
    }
}
