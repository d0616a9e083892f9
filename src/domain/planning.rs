//! The planner's input about one member, and its output.

use super::{
    ActiveHold, ConnectionId, LapseId, MemberId, NoticeItem, NoticeKind, NoticeReason, Repair, Spread,
    Status, Time,
};
use chrono_tz::Tz;

/// The facts about one member for one evaluation.
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
    pub(crate) last_notice: LastNotice,
}

/// The notices about a lapse so far, including those before it resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastNotice {
    None,
    /// A notice is queued, held, or being sent.
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
#[derive(Clone, Debug)]
pub(crate) struct PlanningOutput {
    pub(crate) notices: Vec<PlannedNotice>,
    /// When to evaluate each lapse again; `None` when only a new fact can change the decision.
    pub(crate) next_evaluation: Vec<(LapseId, Option<Time>)>,
}

/// A notice to queue now.
#[derive(Clone, Debug)]
pub(crate) struct PlannedNotice {
    pub(crate) kind: NoticeKind,
    pub(crate) reason: NoticeReason,
    /// Whether it waits for the end of a hold.
    pub(crate) is_held: bool,
    /// At least one.
    pub(crate) items: Vec<NoticeItem>,
    /// The lapses among the items that get their one notice beyond the cadence.
    pub(crate) extra: Vec<LapseId>,
}

/// Whether a notice may be sent now, by the same gates as when it was planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateVerdict {
    /// About these lapses; a notice about none has no lapses.
    Pass(Vec<LapseId>),
    Defer {
        until: Time,
        reason: NoticeReason,
    },
    /// Until the hold ends.
    Hold(NoticeReason),
    Reject(NoticeReason),
}
