//! How the mail server and the gateway treated the emails of the past. An email that the policy sends while the same one was on
//! its way has the same fate at the same time.

use crate::domain::{LapseId, NoticeFate, NoticeId, NoticeItem, NoticeKind, PastNotice, Time};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// How much later than a fact the planner may have learned of it, such as of the end of a hold.
const SLACK: TimeDelta = TimeDelta::minutes(1);

/// A time in which an email about a step of a lapse was on its way.
#[derive(Clone, Debug)]
pub(super) struct Handover {
    pub(super) notice: NoticeId,
    from: Time,
    /// The time of its last attempt. `None`: it was not sent yet.
    end: Option<Time>,
    pub(super) fate: ItemFate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemFate {
    Sent(Time),
    /// `is_forgiven`: a recovery, or a new address, let the daemon try again.
    Abandoned {
        is_forgiven: bool,
    },
    /// The email went out without it, or was cancelled.
    LeftOut,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Handovers {
    steps: BTreeMap<(LapseId, u32), Vec<Handover>>,
    recoveries: BTreeMap<LapseId, Vec<Handover>>,
}

impl Handovers {
    pub(super) fn new(notices: &[PastNotice]) -> Self {
        let mut handovers = Self::default();
        for notice in notices.iter().filter(|notice| !notice.is_resend) {
            for part in &notice.items {
                let fate = match notice.fate {
                    NoticeFate::Sent(sent_at) if part.is_in_email => ItemFate::Sent(sent_at),
                    NoticeFate::Abandoned => ItemFate::Abandoned { is_forgiven: !part.counts_as_step },
                    NoticeFate::Sent(_) | NoticeFate::Cancelled | NoticeFate::Waits => ItemFate::LeftOut,
                };
                let (notice_id, from) = (notice.id.clone(), notice.due_at);
                let handover = Handover { notice: notice_id, from, end: notice.ended_at, fate };
                let lapse = part.item.lapse_id.clone();
                match notice.kind {
                    NoticeKind::Reconnect => {
                        handovers.steps.entry((lapse, part.item.step)).or_default().push(handover);
                    }
                    NoticeKind::Recovered => handovers.recoveries.entry(lapse).or_default().push(handover),
                    NoticeKind::Invited => {}
                }
            }
        }
        handovers
    }

    /// The handover of an item that the policy sends at `now`.
    pub(super) fn of_step(&self, item: &NoticeItem, now: Time) -> Option<&Handover> {
        under_way(self.steps.get(&(item.lapse_id.clone(), item.step))?, now)
    }

    /// Whether an email about a step of the lapse is on its way.
    pub(super) fn is_under_way(&self, lapse: &LapseId, now: Time) -> bool {
        let steps = (lapse.clone(), u32::MIN)..=(lapse.clone(), u32::MAX);
        let mut handovers = self.steps.range(steps).flat_map(|(_, handovers)| handovers);
        handovers.any(|handover| handover.has_begun(now) && handover.waits_until(now).is_some())
    }

    pub(super) fn of_recovery(&self, lapse: &LapseId, now: Time) -> Option<&Handover> {
        let mut handovers = self.recoveries.get(lapse)?.iter();
        let is_then =
            |handover: &&Handover| handover.has_begun(now) && handover.end.is_none_or(|end| now <= end);
        handovers.rfind(is_then)
    }
}

fn under_way(handovers: &[Handover], now: Time) -> Option<&Handover> {
    let is_sent = |handover: &Handover| matches!(handover.fate, ItemFate::Sent(_));
    let covers = |handover: &&Handover| {
        let is_over =
            handover.end.is_some_and(|end| end < now || (end == now && handover.fate == ItemFate::LeftOut));
        handover.has_begun(now) && !is_over
    };
    handovers.iter().filter(covers).max_by_key(|handover| (is_sent(handover), handover.from))
}

impl Handover {
    fn has_begun(&self, now: Time) -> bool {
        self.from - SLACK <= now
    }

    /// When it was left out of an email, or cancelled.
    pub(super) fn left_out_at(&self) -> Option<Time> {
        self.end.filter(|_| self.fate == ItemFate::LeftOut)
    }

    /// `None`: it has happened by now.
    pub(super) fn waits_until(&self, now: Time) -> Option<Time> {
        let end = self.end.unwrap_or(Time::MAX_UTC);
        (end > now).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PastItem;

    fn at(minute: i64) -> Time {
        Time::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn item() -> NoticeItem {
        let (member_id, lapse_id, connection_id) = ("ada".into(), "lapse".into(), "epic".into());
        NoticeItem { member_id, lapse_id, connection_id, step: 0 }
    }

    fn notice(fate: NoticeFate, is_in_email: bool) -> PastNotice {
        let part = PastItem { item: item(), is_extra: false, is_in_email, counts_as_step: true };
        PastNotice {
            id: "n".into(),
            kind: NoticeKind::Reconnect,
            is_resend: false,
            fate,
            due_at: at(10),
            ended_at: Some(at(30)).filter(|_| fate != NoticeFate::Waits),
            items: vec![part],
        }
    }

    #[test]
    fn an_email_that_was_on_its_way_has_the_fate_that_it_had() {
        let sent = NoticeFate::Sent(at(31));
        let left_out = Some(ItemFate::LeftOut);
        for (sentence, notice, minute, expected) in [
            ("an email that was due earlier is another one", notice(sent, true), 8, None),
            ("the planner may have been late", notice(sent, true), 9, Some(ItemFate::Sent(at(31)))),
            ("until it is handed over", notice(sent, true), 30, Some(ItemFate::Sent(at(31)))),
            ("a later one is another one", notice(sent, true), 32, None),
            ("one without the lapse is not sent", notice(sent, false), 20, left_out),
            ("but is decided again when it ends", notice(sent, false), 30, None),
            ("a cancelled one is not sent", notice(NoticeFate::Cancelled, true), 20, left_out),
            ("one that waits is not sent", notice(NoticeFate::Waits, true), 500, left_out),
        ] {
            let handovers = Handovers::new(&[notice]);
            let fate = handovers.of_step(&item(), at(minute)).map(|handover| handover.fate);
            assert_eq!(fate, expected, "{sentence}");
        }
    }
}
