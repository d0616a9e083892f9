//! The planner's decisions about one member.

use crate::domain::{ConnectionId, LapseId, NoticeItem, NoticeReason, Time};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In the order of the lapses given.
    pub(crate) decisions: Vec<LapseDecision>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LapseDecision {
    pub(crate) lapse_id: LapseId,
    pub(crate) connection_id: ConnectionId,
    pub(crate) action: Action,
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
    /// Send it when the hold ends.
    Hold {
        step: u32,
        reason: NoticeReason,
        /// Whether it is the one notice beyond the cadence.
        is_extra: bool,
    },
    /// Send nothing unless a fact changes.
    Skip {
        reason: NoticeReason,
    },
}

impl Plan {
    /// The items of the notice to send now; empty when there is none.
    pub(crate) fn items(&self) -> Vec<NoticeItem> {
        self.items_of(|action| match action {
            Action::Send { step, .. } => Some(step),
            _ => None,
        })
    }

    /// The items of the notice that waits for the end of a hold; empty when there is none.
    pub(crate) fn held_items(&self) -> Vec<NoticeItem> {
        self.items_of(|action| match action {
            Action::Hold { step, .. } => Some(step),
            _ => None,
        })
    }

    fn items_of(&self, step: impl Fn(Action) -> Option<u32>) -> Vec<NoticeItem> {
        let item = |decision: &LapseDecision| {
            Some(NoticeItem {
                lapse_id: decision.lapse_id.clone(),
                connection_id: decision.connection_id.clone(),
                step: step(decision.action)?,
            })
        };
        self.decisions.iter().filter_map(item).collect()
    }

    /// The lapses that get their one notice beyond the cadence now.
    pub(crate) fn extra(&self) -> Vec<LapseId> {
        self.lapses(|action| matches!(action, Action::Send { reason: NoticeReason::Resumed, .. }))
    }

    /// The lapses that get it when the hold ends.
    pub(crate) fn held_extra(&self) -> Vec<LapseId> {
        self.lapses(|action| matches!(action, Action::Hold { is_extra: true, .. }))
    }

    fn lapses(&self, is_meant: impl Fn(Action) -> bool) -> Vec<LapseId> {
        let meant = self.decisions.iter().filter(|decision| is_meant(decision.action));
        meant.map(|decision| decision.lapse_id.clone()).collect()
    }

    /// The step of the notice to send now: the lowest among its items.
    pub(crate) fn step(&self) -> Option<u32> {
        self.items().iter().map(|item| item.step).min()
    }

    /// Adds every lapse that is due before `end` to the notice to send now. A gate that defers the member defers
    /// every lapse, so once one lapse is due, the others only wait for their own reminder.
    pub(super) fn batch_due_before(&mut self, end: Time) {
        for decision in &mut self.decisions {
            if let Action::Defer { until, step, .. } = decision.action
                && until <= end
            {
                decision.action = Action::Send { step, reason: NoticeReason::Digest };
            }
        }
    }
}

impl Action {
    /// When time alone changes the decision.
    pub(crate) fn next_evaluation(self) -> Option<Time> {
        match self {
            Self::Defer { until, .. } => Some(until),
            Self::Send { .. } | Self::Hold { .. } | Self::Skip { .. } => None,
        }
    }

    #[cfg(test)]
    pub(crate) fn reason(self) -> NoticeReason {
        match self {
            Self::Send { reason, .. }
            | Self::Defer { reason, .. }
            | Self::Hold { reason, .. }
            | Self::Skip { reason } => reason,
        }
    }
}
