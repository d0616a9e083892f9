//! The result of one poll for its member, and as evidence about the gateway.

use super::codes::THROTTLED_MEMBER;
use super::health::Sample;
use crate::credentials::{CallError, Refresh, Refusal};
use crate::detect::poll::{DuePoll, DueResponse};
use crate::domain::{CredentialState, Time};
use crate::gateway::{GatewayError, Verdict};
use crate::store::{ApplyReport, StoreError};
use chrono::TimeDelta;

/// One member's part of a sweep.
#[derive(Debug)]
pub(super) enum PollOutcome {
    /// Left out. The reason code is recorded, unless it is already.
    Skipped(&'static str),
    /// A usable response.
    Clear { applied: ApplyReport, refresh: Refresh },
    /// A usable response, in which all of the member's connections are gone.
    TurnedEmpty { asked_at: Time, refresh: Refresh },
    /// No usable response.
    Unclear { reason: &'static str, wait: Option<TimeDelta>, failed: bool, refusal: Option<Box<Refusal>> },
    /// The database takes nothing that this poll, or another one, brings.
    NotStored(StoreError),
    /// The gateway asked everyone to wait.
    HeldBack {
        /// Whether the request was sent and counts against a quota.
        sent: bool,
    },
}

impl PollOutcome {
    pub(super) fn of(poll: DuePoll) -> Self {
        let refresh = poll.refresh;
        match poll.result {
            Ok(DueResponse::Applied(applied)) => Self::Clear { applied, refresh },
            Ok(DueResponse::TurnedEmpty { asked_at }) => Self::TurnedEmpty { asked_at, refresh },
            Err(error) => unclear(error),
        }
    }

    /// The evidence; `None`: the member was not polled.
    pub(super) fn sample(&self) -> Option<Sample> {
        let refused = |refresh: &Refresh| (*refresh == Refresh::Granted).then_some(false);
        Some(match self {
            Self::Skipped(_) | Self::NotStored(_) | Self::HeldBack { .. } => return None,
            Self::Clear { refresh, .. } => Sample { refused: refused(refresh), ..Sample::default() },
            Self::TurnedEmpty { refresh, .. } => {
                Sample { emptied: true, refused: refused(refresh), ..Sample::default() }
            }
            Self::Unclear { failed, refusal, .. } => {
                Sample { failed: *failed, emptied: false, refused: refusal.is_some().then_some(true) }
            }
        })
    }
}

fn unclear(error: CallError) -> PollOutcome {
    let own = |reason| PollOutcome::Unclear { reason, wait: None, failed: false, refusal: None };
    let failure = |reason| PollOutcome::Unclear { reason, wait: None, failed: true, refusal: None };
    match error {
        CallError::NoToken { refusal: Some(refusal), .. } => {
            let refusal = Some(refusal);
            PollOutcome::Unclear { reason: "credential_refused", wait: None, failed: false, refusal }
        }
        CallError::NoToken { state: CredentialState::Locked, .. } => own("credential_locked"),
        CallError::NoToken { .. } => own("credential_missing"),
        CallError::OtherSubject => own("other_subject"),
        CallError::Gateway(error) if error.is_shared_wait() => {
            PollOutcome::HeldBack { sent: error.is_throttled() }
        }
        CallError::Gateway(error) => by_gateway(&error),
        CallError::Store(error) if error.concerns_other_writes() => PollOutcome::NotStored(error),
        CallError::LeaseHeld => failure("refresh_busy"),
        CallError::Store(_) | CallError::Keyring(_) | CallError::TaskAborted(_) => failure("internal_error"),
    }
}

fn by_gateway(error: &GatewayError) -> PollOutcome {
    let (reason, failed, after) = match error.verdict() {
        // The gateway's own word about this member.
        Verdict::Forbidden => ("forbidden", false, None),
        Verdict::Retry { after } if error.is_throttled() => (THROTTLED_MEMBER, true, after),
        _ => ("gateway_error", true, None),
    };
    let wait = after.and_then(|after| TimeDelta::from_std(after).ok());
    PollOutcome::Unclear { reason, wait, failed, refusal: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(result: Result<DueResponse, CallError>, refresh: Refresh) -> PollOutcome {
        PollOutcome::of(DuePoll { result, refresh })
    }

    #[test]
    fn a_list_that_turns_empty_shows_whether_the_credential_was_renewed_for_it() {
        for (refresh, refused) in [(Refresh::Granted, Some(false)), (Refresh::NotNeeded, None)] {
            let asked_at = Time::UNIX_EPOCH;
            let emptied = outcome(Ok(DueResponse::TurnedEmpty { asked_at }), refresh).sample();
            assert_eq!(emptied, Some(Sample { failed: false, emptied: true, refused }));
            let clear = outcome(Ok(DueResponse::Applied(ApplyReport::default())), refresh).sample();
            assert_eq!(clear, Some(Sample { failed: false, emptied: false, refused }));
        }
    }

    #[test]
    fn a_database_that_takes_no_writes_is_no_members_fault_and_a_row_that_fails_is_one_failure() {
        let failed = |error: StoreError| outcome(Err(error.into()), Refresh::NotNeeded);
        let damaged = failed(StoreError::Damaged("a page".into()));
        assert!(matches!(damaged, PollOutcome::NotStored(_)), "{damaged:?}");
        assert_eq!(damaged.sample(), None, "it says nothing about the gateway");
        let of_a_row = failed(StoreError::Row { table: "connections", row: "epic".into(), what: "status" });
        assert!(
            matches!(of_a_row, PollOutcome::Unclear { reason: "internal_error", failed: true, .. }),
            "{of_a_row:?}"
        );
    }
}
