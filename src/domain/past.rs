//! The recorded past, on which `replay` simulates a policy.

use super::{
    ActiveHold, AddressHash, ConnectionId, LapseId, MemberId, NoticeId, NoticeItem, NoticeKind, Outcome,
    PastEmail, Repair, Status, Time,
};
use chrono_tz::Tz;

/// What a lapse and its connection were from a time on.
#[derive(Clone, Debug)]
pub(crate) struct PastLapse {
    pub(crate) at: Time,
    pub(crate) lapse_id: LapseId,
    pub(crate) member_id: MemberId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) is_open: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) status: Option<Status>,
    /// As it is today.
    pub(crate) repair: Repair,
    pub(crate) is_missing: bool,
    pub(crate) is_person_mismatch: bool,
    pub(crate) suspected_at: Time,
    pub(crate) opened_at: Time,
    pub(crate) last_opened_at: Time,
    pub(crate) snoozed_until: Option<Time>,
}

/// What a member was from a time on.
#[derive(Clone, Debug)]
pub(crate) struct PastMember {
    pub(crate) at: Time,
    pub(crate) member_id: MemberId,
    pub(crate) address: Option<AddressHash>,
    pub(crate) time_zone: Option<Tz>,
    pub(crate) is_paused: bool,
    pub(crate) is_suppressed: bool,
}

/// What became of a notice that the planner decided to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoticeFate {
    Sent(Time),
    Abandoned,
    Cancelled,
    /// It is not decided yet.
    Waits,
}

#[derive(Clone, Debug)]
pub(crate) struct PastNotice {
    pub(crate) id: NoticeId,
    pub(crate) kind: NoticeKind,
    /// Its member requested it again.
    pub(crate) is_resend: bool,
    pub(crate) fate: NoticeFate,
    /// Since when the planner could have decided to send it.
    pub(crate) due_at: Time,
    /// When its last attempt began, or it was cancelled. `None`: not yet.
    pub(crate) ended_at: Option<Time>,
    pub(crate) items: Vec<PastItem>,
}

#[derive(Clone, Debug)]
pub(crate) struct PastItem {
    pub(crate) item: NoticeItem,
    pub(crate) is_extra: bool,
    pub(crate) is_in_email: bool,
    pub(crate) counts_as_step: bool,
}

/// A hold while it did not change.
#[derive(Clone, Debug)]
pub(crate) struct PastHold {
    pub(crate) hold: ActiveHold,
    pub(crate) from: Time,
    /// `None`: it has not ended.
    pub(crate) end: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PastSweep {
    pub(crate) started_at: Time,
    pub(crate) finished_at: Time,
}

/// How many lapses of a source opened or resumed within a second.
#[derive(Clone, Debug)]
pub(crate) struct PastOpenings {
    pub(crate) at: Time,
    /// In lower case.
    pub(crate) source: String,
    pub(crate) count: u64,
}

/// A time in which a storm held an email about a lapse.
#[derive(Clone, Debug)]
pub(crate) struct PastHeld {
    pub(crate) lapse_id: LapseId,
    pub(crate) from: Time,
    /// `None`: it has not ended.
    pub(crate) until: Option<Time>,
}

/// The past of members who shared addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedPast {
    /// Oldest first.
    pub(crate) members: Vec<PastMember>,
    /// Oldest first.
    pub(crate) lapses: Vec<PastLapse>,
    pub(crate) notices: Vec<PastNotice>,
    /// Oldest first.
    pub(crate) held: Vec<PastHeld>,
    /// The emails that no policy decides about, and those from before the simulation.
    pub(crate) emails: Vec<(AddressHash, PastEmail)>,
}

impl PastHold {
    /// When it begins and ends.
    pub(crate) fn times(&self) -> impl Iterator<Item = Time> + use<> {
        [Some(self.from), self.end, self.hold.until].into_iter().flatten()
    }

    pub(crate) fn is_active(&self, at: Time) -> bool {
        self.from <= at && self.end.is_none_or(|end| at < end)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HoldKind, HoldScope};
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_past_hold_is_active_from_its_beginning_until_before_its_end() {
        let at = |hours| Time::UNIX_EPOCH + TimeDelta::hours(hours);
        let scope = HoldScope::default();
        let hold = ActiveHold { kind: HoldKind::Operator, is_dripping: false, scope, until: None };
        let ended = PastHold { hold, from: at(1), end: Some(at(3)) };
        assert_eq!([0, 1, 2, 3, 4].map(|hour| ended.is_active(at(hour))), [false, true, true, false, false]);
        let endless = PastHold { end: None, ..ended };
        assert_eq!([0, 1, 4].map(|hour| endless.is_active(at(hour))), [false, true, true]);
    }
}
