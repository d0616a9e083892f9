//! What to say to one member about their open lapses: lapses + policy + member + now → [`Plan`]. Pure.
//!
//! Each lapse passes through a row of gates (`gates.rs`), each of which may put its notice off or turn it
//! away, and leaves with a [`Verdict`]. Then the lapses are gathered: once one of them is due, all that fall
//! due soon join the same mail.
//!
//! A verdict holds while the facts do. Whatever changes them (an answer, a delivery, an operator's command)
//! is a reason to plan again; time alone is one only at `Plan::look_again_at`.

use crate::domain::{ConnectionId, LapseId, NoticeItem, Repair, Status, Time};
use chrono::TimeDelta;

mod gates;
mod recovery;

pub(crate) use recovery::{Recovered, plan_recovered};

/// When members are written to.
#[derive(Clone, Debug)]
pub struct Policy {
    /// About an EXPIRED connection.
    pub(crate) expired: PerStatus,
    /// About a DISCONNECTED one.
    pub(crate) disconnected: PerStatus,
    /// Between two notices to one member.
    pub(crate) min_gap: TimeDelta,
    /// What falls due within this time of a notice goes into it.
    pub(crate) digest_window: TimeDelta,
    /// Whether to tell members that connections work again.
    pub(crate) recovered: bool,
    /// Whether there is an app to send members to for what only it can repair.
    pub(crate) app_url: bool,
}

/// How a broken connection of one status is written about.
#[derive(Clone, Debug)]
pub(crate) struct PerStatus {
    /// Whether it is at all.
    pub(crate) enabled: bool,
    /// When to remind, counted from the first notice.
    pub(crate) reminders: Vec<TimeDelta>,
}

/// An open lapse and what was said of it.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Which lapse.
    pub(crate) lapse_id: LapseId,
    /// Of which connection.
    pub(crate) connection_id: ConnectionId,
    /// The connection's present status.
    pub(crate) status: Option<Status>,
    /// How it is repaired.
    pub(crate) repair: Repair,
    /// When the lapse was confirmed, for the first time if it was resumed.
    pub(crate) opened_at: Time,
    /// When the present break was first observed.
    pub(crate) broken_since: Time,
    /// Whether the last response left the connection's row out.
    pub(crate) is_missing: bool,
    /// What was said of it so far, before it was resumed included.
    pub(crate) said: Said,
}

/// What was said of a lapse so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing.
    Nothing,
    /// A notice is queued, being sent or held.
    Pending,
    /// Notices were sent.
    Sent {
        /// The last one's step.
        step: u32,
        /// When the last one was sent.
        last_sent_at: Time,
        /// When the first one was sent.
        first_sent_at: Time,
        /// Whether one of them was beyond the cadence, because the lapse had resumed.
        extra: bool,
    },
    /// The last notice was abandoned.
    GaveUp,
}

/// What the plan needs to know of the member.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipient {
    /// Whether the operator asked to leave them alone for now.
    pub(crate) paused: bool,
    /// Whether mails to their address are suppressed: they, or the operator, want none.
    pub(crate) suppressed: bool,
    /// When they last got a notice, about anything but a recovery. One that is queued or being sent counts from its
    /// planning, so that two notices planned in a row keep their distance.
    pub(crate) last_notice_at: Option<Time>,
}

/// A verdict on each lapse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order in which the lapses were given.
    pub(crate) verdicts: Vec<Judged>,
}

/// A lapse and the verdict on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Which lapse.
    pub(crate) lapse_id: LapseId,
    /// Of which connection.
    pub(crate) connection_id: ConnectionId,
    /// What is to be said of it.
    pub(crate) verdict: Verdict,
}

/// What is to be said of a lapse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes into the notice to be made now.
    Now {
        /// 0 for the first notice, then the number of the reminder.
        step: u32,
        /// Why.
        reason: Reason,
    },
    /// Its notice has to wait.
    NotBefore {
        /// Until when.
        at: Time,
        /// See [`Verdict::Now`].
        step: u32,
        /// What it waits for.
        reason: Reason,
    },
    /// Nothing, as things stand.
    Never {
        /// Why not.
        reason: Reason,
    },
}

/// Why something is said, later or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// Nothing was said of the lapse yet.
    FirstNotice,
    /// A reminder's time has come, or is waited for.
    Reminder,
    /// It would be due soon, and a notice goes out now.
    Digest,
    /// The operator asked to leave the member alone.
    MemberPaused,
    /// Mails to the member's address are suppressed.
    Suppressed,
    /// The connection is neither EXPIRED nor DISCONNECTED now, so the member could do nothing.
    StatusNotActionable,
    /// The operator does not write about connections of this status.
    StatusDisabled,
    /// It is repaired in an app, and none is configured.
    NoWayToRepair,
    /// A notice about it is under way.
    AlreadyQueued,
    /// The last notice about it could not be delivered.
    GivenUp,
    /// The last reminder was sent.
    CadenceEnded,
    /// The lapse has resumed after its last reminder, whose link is dead: one more notice, once per lapse.
    Resumed,
    /// The last response left the connection out; nobody knows yet whether it is gone.
    ConnectionMissing,
    /// The member got a notice a short while ago.
    MinGap,
    /// A connection that the member was written about works again.
    Recovered,
    /// The operator does not want members told of recoveries.
    RecoveriesDisabled,
    /// It does not work now.
    NotConnected,
    /// It works, but for somebody else.
    PersonMismatch,
    /// No notice about the lapse was sent.
    NothingWasSaid,
    /// No notice about it was sent since its recovery was last told of.
    ToldAlready,
}

/// Plans what to say to one member, of whose open lapses none may be left out of `open`.
pub(crate) fn plan(open: &[Open], recipient: &Recipient, policy: &Policy, now: Time) -> Plan {
    let judged = |lapse: &Open| Judged {
        lapse_id: lapse.lapse_id.clone(),
        connection_id: lapse.connection_id.clone(),
        verdict: gates::pass(lapse, recipient, policy, now),
    };
    let mut plan = Plan { verdicts: open.iter().map(judged).collect() };
    if plan.step().is_some() {
        plan.gather(later(now, policy.digest_window));
    }
    plan
}

/// `time` + `wait`, or the end of time for a wait that is longer than that.
fn later(time: Time, wait: TimeDelta) -> Time {
    time.checked_add_signed(wait).unwrap_or(Time::MAX_UTC)
}

impl Plan {
    /// What the notice to be made now is about; empty when there is none to make.
    pub(crate) fn items(&self) -> Vec<NoticeItem> {
        let item = |judged: &Judged| match judged.verdict {
            Verdict::Now { step, .. } => Some(NoticeItem {
                lapse_id: judged.lapse_id.clone(),
                connection_id: judged.connection_id.clone(),
                step,
            }),
            Verdict::NotBefore { .. } | Verdict::Never { .. } => None,
        };
        self.verdicts.iter().filter_map(item).collect()
    }

    /// The lapses that the notice to be made now is about beyond their cadence.
    pub(crate) fn extra(&self) -> Vec<LapseId> {
        let is_extra =
            |judged: &&Judged| matches!(judged.verdict, Verdict::Now { reason: Reason::Resumed, .. });
        self.verdicts.iter().filter(is_extra).map(|judged| judged.lapse_id.clone()).collect()
    }

    /// The step of the notice to be made now: the lowest among its items.
    pub(crate) fn step(&self) -> Option<u32> {
        self.items().iter().map(|item| item.step).min()
    }

    /// When time alone changes the plan next.
    #[cfg(test)]
    pub(crate) fn look_again_at(&self) -> Option<Time> {
        let waits = |judged: &Judged| match judged.verdict {
            Verdict::NotBefore { at, .. } => Some(at),
            Verdict::Now { .. } | Verdict::Never { .. } => None,
        };
        self.verdicts.iter().filter_map(waits).min()
    }

    /// Takes what falls due until `end` into the notice to be made now. What puts off the member puts off
    /// every lapse, so once one is due the others can only be waiting for their own reminder's time.
    fn gather(&mut self, end: Time) {
        for judged in &mut self.verdicts {
            if let Verdict::NotBefore { at, step, .. } = judged.verdict
                && at <= end
            {
                judged.verdict = Verdict::Now { step, reason: Reason::Digest };
            }
        }
    }
}

impl Verdict {
    /// Why.
    #[cfg(test)]
    pub(crate) fn reason(self) -> Reason {
        match self {
            Self::Now { reason, .. } | Self::NotBefore { reason, .. } | Self::Never { reason } => reason,
        }
    }
}

impl Reason {
    /// The stable code, for reports and the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FirstNotice => "first_notice",
            Self::Reminder => "reminder",
            Self::Digest => "digest",
            Self::MemberPaused => "member_paused",
            Self::Suppressed => "suppressed",
            Self::StatusNotActionable => "status_not_actionable",
            Self::StatusDisabled => "status_disabled",
            Self::NoWayToRepair => "no_way_to_repair",
            Self::AlreadyQueued => "already_queued",
            Self::GivenUp => "given_up",
            Self::CadenceEnded => "cadence_ended",
            Self::Resumed => "resumed",
            Self::ConnectionMissing => "connection_missing",
            Self::MinGap => "min_gap",
            Self::Recovered => "recovered",
            Self::RecoveriesDisabled => "recoveries_disabled",
            Self::NotConnected => "not_connected",
            Self::PersonMismatch => "person_mismatch",
            Self::NothingWasSaid => "nothing_was_said",
            Self::ToldAlready => "told_already",
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
