//! The planner's decisions about the lapses of an address, and the emails that follow from them.

use crate::domain::{ConnectionId, LapseId, MemberId, NoticeItem, NoticeReason, Time};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of the members and their lapses.
    pub(crate) decisions: Vec<LapseDecision>,
    /// The emails that go out now or wait.
    pub(crate) emails: Vec<PlannedEmail>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LapseDecision {
    pub(crate) member_id: MemberId,
    pub(crate) lapse_id: LapseId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) action: Action,
    /// Whether it is about the one notice beyond the cadence.
    pub(crate) is_extra: bool,
}

/// The action for one lapse. `step` is 0 for the first notice, then the number of the reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Send {
        step: u32,
        reason: NoticeReason,
    },
    Defer {
        until: Time,
        step: u32,
        reason: NoticeReason,
    },
    /// Send it when the hold ends, and not before this time.
    Hold {
        until: Time,
        step: u32,
        reason: NoticeReason,
    },
    /// Send nothing unless a fact changes.
    Skip {
        reason: NoticeReason,
    },
}

/// What becomes of an email.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EmailState {
    /// It goes out now.
    Due,
    /// It is decided again at its time.
    Waits,
    /// It waits for the end of a hold.
    Held,
}

/// One email to the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedEmail {
    pub(crate) state: EmailState,
    pub(crate) not_before: Time,
    pub(crate) reason: NoticeReason,
    /// The places of its decisions, in ascending order.
    pub(crate) decisions: Vec<usize>,
}

impl Plan {
    pub(crate) fn items_of(&self, email: &PlannedEmail) -> Vec<NoticeItem> {
        let decisions = email.decisions.iter().filter_map(|place| self.decisions.get(*place));
        decisions.filter_map(LapseDecision::item).collect()
    }

    /// The lapses of an email that get their one notice beyond the cadence.
    pub(crate) fn extra_of(&self, email: &PlannedEmail) -> Vec<LapseId> {
        let decisions = email.decisions.iter().filter_map(|place| self.decisions.get(*place));
        let extra = decisions.filter(|decision| decision.is_extra);
        extra.map(|decision| decision.lapse_id.clone()).collect()
    }
}

impl LapseDecision {
    /// `None`: there is no next notice.
    fn item(&self) -> Option<NoticeItem> {
        Some(NoticeItem {
            member_id: self.member_id.clone(),
            lapse_id: self.lapse_id.clone(),
            connection_id: self.connection_id.clone(),
            step: self.action.step()?,
        })
    }
}

impl Action {
    fn step(self) -> Option<u32> {
        match self {
            Self::Send { step, .. } | Self::Defer { step, .. } | Self::Hold { step, .. } => Some(step),
            Self::Skip { .. } => None,
        }
    }

    /// When time alone changes the decision.
    pub(crate) fn next_evaluation(self) -> Option<Time> {
        match self {
            Self::Defer { until, .. } => Some(until),
            Self::Send { .. } | Self::Hold { .. } | Self::Skip { .. } => None,
        }
    }

    pub(crate) fn reason(self) -> NoticeReason {
        match self {
            Self::Send { reason, .. }
            | Self::Defer { reason, .. }
            | Self::Hold { reason, .. }
            | Self::Skip { reason } => reason,
        }
    }
}
