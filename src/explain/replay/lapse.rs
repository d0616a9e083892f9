//! A lapse in the simulation.

use super::handovers::ItemFate;
use crate::domain::{
    ConnectionId, LapseId, LapseInput, LastNotice, MemberId, NoticeFate, NoticeItem, NoticeKind,
    NoticeReason, Outcome, PastLapse, PastNotice, RecoveredInput, Status, Time,
};

#[derive(Clone, Debug)]
pub(super) struct SimulatedLapse {
    facts: PastLapse,
    last_notice: LastNotice,
    /// Whether its abandoned email is tried again when the connection recovers or the address changes.
    is_forgiven: bool,
    pub(super) is_held: bool,
    /// The sweep in which it opened ends then.
    pub(super) visible_from: Time,
    /// Since when the policy sends its next email.
    pub(super) due_since: Option<Time>,
    notified_at: Option<Time>,
    recovery_notified_at: Option<Time>,
    last_reason: Option<NoticeReason>,
}

impl SimulatedLapse {
    pub(super) fn new(facts: PastLapse, visible_from: Time) -> Self {
        Self {
            facts,
            last_notice: LastNotice::None,
            is_forgiven: false,
            is_held: false,
            visible_from,
            due_since: None,
            notified_at: None,
            recovery_notified_at: None,
            last_reason: None,
        }
    }

    /// Changes its facts. Returns whether it recovers.
    pub(super) fn change(&mut self, facts: PastLapse, visible_from: Time) -> bool {
        let was_open = std::mem::replace(&mut self.facts, facts).is_open;
        self.visible_from = visible_from;
        if self.facts.is_open {
            return false;
        }
        (self.is_held, self.due_since) = (false, None);
        let has_recovered = was_open && self.facts.outcome == Some(Outcome::Recovered);
        if has_recovered {
            self.forgive();
        }
        has_recovered
    }

    /// Lets an abandoned email be tried again, if the daemon did.
    pub(super) fn forgive(&mut self) {
        if self.is_forgiven && self.last_notice == LastNotice::Abandoned {
            self.last_notice = LastNotice::None;
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.facts.is_open
    }

    pub(super) fn is_visible(&self, now: Time) -> bool {
        self.facts.is_open && self.visible_from <= now
    }

    pub(super) fn id(&self) -> &LapseId {
        &self.facts.lapse_id
    }

    pub(super) fn member(&self) -> &MemberId {
        &self.facts.member_id
    }

    pub(super) fn connection(&self) -> &ConnectionId {
        &self.facts.connection_id
    }

    pub(super) fn last_opened_at(&self) -> Time {
        self.facts.last_opened_at
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.facts.status.as_ref()
    }

    pub(super) fn input(&self) -> LapseInput {
        let facts = &self.facts;
        LapseInput {
            lapse_id: facts.lapse_id.clone(),
            connection_id: facts.connection_id.clone(),
            status: facts.status.clone(),
            repair: facts.repair,
            opened_at: facts.opened_at,
            broken_since: facts.suspected_at,
            is_missing: facts.is_missing,
            is_held: self.is_held,
            snoozed_until: facts.snoozed_until,
            last_notice: self.last_notice,
        }
    }

    pub(super) fn recovered(&self) -> RecoveredInput {
        RecoveredInput {
            lapse_id: self.facts.lapse_id.clone(),
            connection_id: self.facts.connection_id.clone(),
            status: self.facts.status.clone().filter(|_| !self.facts.is_missing),
            is_person_mismatch: self.facts.is_person_mismatch,
            notified_at: self.notified_at,
            recovery_notified_at: self.recovery_notified_at,
        }
    }

    /// An email about it has been sent.
    pub(super) fn record_email(&mut self, kind: NoticeKind, step: u32, is_extra: bool, sent_at: Time) {
        match kind {
            NoticeKind::Recovered => self.recovery_notified_at = self.recovery_notified_at.max(Some(sent_at)),
            NoticeKind::Invited => {}
            NoticeKind::Reconnect => {
                self.notified_at = self.notified_at.max(Some(sent_at));
                let (first_sent_at, was_extra) = match self.last_notice {
                    LastNotice::Sent { first_sent_at, is_extra, .. } => (first_sent_at, is_extra),
                    _ => (sent_at, false),
                };
                self.last_notice = LastNotice::Sent {
                    step,
                    first_sent_at,
                    last_sent_at: sent_at,
                    is_extra: is_extra || was_extra,
                };
                (self.due_since, self.is_held) = (None, false);
            }
        }
    }

    pub(super) fn abandon(&mut self, fate: ItemFate) {
        if let ItemFate::Abandoned { is_forgiven } = fate {
            self.last_notice = LastNotice::Abandoned;
            (self.is_forgiven, self.due_since) = (is_forgiven, None);
        }
    }

    /// Takes over what had become of a notice before the simulation begins.
    pub(super) fn take_over(&mut self, notice: &PastNotice, from: Time) {
        let own = notice.items.iter().find(|part| part.item.lapse_id == self.facts.lapse_id);
        let Some(part) = own else { return };
        let NoticeItem { step, .. } = part.item;
        match notice.fate {
            NoticeFate::Sent(sent_at) if sent_at < from && part.is_in_email => {
                if notice.is_resend {
                    self.notified_at = self.notified_at.max(Some(sent_at));
                } else {
                    self.record_email(notice.kind, step, part.is_extra, sent_at);
                }
            }
            NoticeFate::Abandoned if notice.ended_at.is_some_and(|at| at < from) && part.counts_as_step => {
                self.abandon(ItemFate::Abandoned { is_forgiven: false });
            }
            _ => {}
        }
    }

    /// Remembers the reason of the latest decision. Returns it if it is new.
    pub(super) fn decide(&mut self, reason: NoticeReason) -> Option<(LapseId, NoticeReason)> {
        let is_new = self.last_reason.replace(reason) != Some(reason);
        is_new.then(|| (self.facts.lapse_id.clone(), reason))
    }
}
