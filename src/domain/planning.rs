//! The planner's input about one address, and its output.

use super::{
    ActiveHold, ConnectionId, LapseId, MemberId, NoticeId, NoticeItem, NoticeKind, NoticeReason, NoticeState,
    Repair, Spread, Status, Time,
};
use chrono_tz::Tz;

/// The facts about the members who share an address, for one evaluation.
#[derive(Clone, Debug, Default)]
pub struct AddressInput {
    /// In the order of their ids.
    pub(crate) members: Vec<PlanningInput>,
    /// The unsent notices about their lapses that no delivery has begun with, in the order of their ids.
    pub(crate) waiting: Vec<WaitingNotice>,
}

/// A notice that the planner can still change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WaitingNotice {
    pub(crate) id: NoticeId,
    pub(crate) member_id: MemberId,
    pub(crate) state: NoticeState,
    pub(crate) reason: NoticeReason,
    pub(crate) not_before: Time,
    pub(crate) is_tentative: bool,
    /// Those of all members, also of members who have another address by now.
    pub(crate) items: Vec<NoticeItem>,
    /// The lapses among the items that get their one notice beyond the cadence.
    pub(crate) extra: Vec<LapseId>,
}

/// The facts about one member.
#[derive(Clone, Debug)]
pub struct PlanningInput {
    pub(crate) member_id: MemberId,
    pub(crate) recipient: Recipient,
    /// All open lapses of the member.
    pub(crate) open: Vec<LapseInput>,
    /// The lapses that recovered since the last evaluation.
    pub(crate) recovered: Vec<RecoveredInput>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Recipient {
    pub(crate) is_paused: bool,
    /// Whether the member's address must not receive email.
    pub(crate) is_suppressed: bool,
    /// `None`: the policy's.
    pub(crate) time_zone: Option<Tz>,
    pub(crate) spread: Spread,
    /// The emails to the address so far, for any of its members, in any order. An email that is being handed over counts. One
    /// that a member requested does not.
    pub(crate) emails: Vec<PastEmail>,
    /// The holds that can cover the member's connections.
    pub(crate) holds: Vec<ActiveHold>,
}

/// An email to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PastEmail {
    pub(crate) sent_at: Time,
    /// `min_gap` counts from it. It does not count from an email about a recovery.
    pub(crate) counts_for_gap: bool,
}

/// An open lapse.
#[derive(Clone, Debug)]
pub(crate) struct LapseInput {
    pub(crate) lapse_id: LapseId,
    pub(crate) connection_id: ConnectionId,
    /// The connection's current status.
    pub(crate) status: Option<Status>,
    pub(crate) repair: Repair,
    /// The first confirmation; resuming the lapse does not change it.
    pub(crate) opened_at: Time,
    /// The first observation of the latest break.
    pub(crate) broken_since: Time,
    /// Whether the last response left out the connection's row.
    pub(crate) is_missing: bool,
    /// Whether its next notice waits for the end of a hold.
    pub(crate) is_held: bool,
    /// The member wants no reminder before then.
    pub(crate) snoozed_until: Option<Time>,
    pub(crate) last_notice: LastNotice,
}

/// The notices about a lapse so far, including those before it resumed. A notice that the planner can still change does not
/// count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastNotice {
    None,
    /// A delivery has begun, and the notice is not sent yet.
    Pending,
    Sent {
        /// The step of the last notice.
        step: u32,
        first_sent_at: Time,
        last_sent_at: Time,
        /// Whether the lapse already had its one notice beyond the cadence.
        is_extra: bool,
    },
    Abandoned,
}

/// A lapse that ended in recovery.
#[derive(Clone, Debug)]
pub(crate) struct RecoveredInput {
    pub(crate) lapse_id: LapseId,
    pub(crate) connection_id: ConnectionId,
    /// The connection's current status; `None` also when its row is missing.
    pub(crate) status: Option<Status>,
    /// Whether the connection probably works with another person's records.
    pub(crate) is_person_mismatch: bool,
    /// When a notice about the lapse was last sent.
    pub(crate) notified_at: Option<Time>,
    /// When its recovery was last announced; an unsent notice counts from its planning.
    pub(crate) recovery_notified_at: Option<Time>,
}

/// The result of one evaluation.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanningOutput {
    /// All notices about the lapses that have to exist from now on, apart from those that a delivery has begun with.
    pub(crate) notices: Vec<PlannedNotice>,
    /// The waiting notices that none of them continues.
    pub(crate) withdrawn: Vec<(NoticeId, NoticeReason)>,
    /// One for each lapse.
    pub(crate) decisions: Vec<PlannedDecision>,
}

/// A notice that goes out at its time, or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedNotice {
    pub(crate) kind: NoticeKind,
    pub(crate) reason: NoticeReason,
    /// Queued or held.
    pub(crate) state: NoticeState,
    pub(crate) not_before: Time,
    /// Whether the planner decides again at `not_before`.
    pub(crate) is_tentative: bool,
    /// At least one, in the order of the members.
    pub(crate) items: Vec<NoticeItem>,
    /// The lapses among the items that get their one notice beyond the cadence.
    pub(crate) extra: Vec<LapseId>,
    /// The waiting notice that becomes this one.
    pub(crate) continues: Option<NoticeId>,
}

/// What was decided about a lapse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedDecision {
    pub(crate) member_id: MemberId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) lapse_id: LapseId,
    pub(crate) reason: NoticeReason,
    /// The place among the planned notices; `None`: there is none.
    pub(crate) notice: Option<usize>,
    /// When to evaluate the lapse again; `None`: when a fact changes.
    pub(crate) not_before: Option<Time>,
}

/// The lapses that an email covers. One about none has no lapses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passing {
    pub(crate) lapses: Vec<LapseId>,
    /// Those that get their one email beyond the cadence.
    pub(crate) extra: Vec<LapseId>,
}

/// Whether a notice may be sent now, by the same gates as when it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateVerdict {
    Pass(Passing),
    Defer {
        until: Time,
        reason: NoticeReason,
    },
    /// Until the hold ends.
    Hold(NoticeReason),
    Reject(NoticeReason),
}

impl GateVerdict {
    /// None of the lapses is beyond its cadence.
    pub fn pass(lapses: Vec<LapseId>) -> Self {
        Self::Pass(Passing { lapses, extra: Vec::new() })
    }
}
