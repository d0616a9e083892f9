//! The events that the end of a notice causes: one for each member, also of a shared email.

use super::attempt_results::{AttemptOutcome, AttemptResult};
use super::claims::Claim;
use super::engine::Tx;
use super::error::Result;
use super::events::{NewEvent, NewEvents};
use crate::domain::{EventType, MemberId, NoticeItem, Time};
use std::collections::BTreeMap;

/// To be called when the result of an attempt has been stored.
pub(super) async fn record(tx: &mut Tx, claim: &Claim, result: &AttemptResult, now: Time) -> Result<()> {
    let notice = &claim.notice;
    let (event_type, items) = match result.outcome {
        AttemptOutcome::Sent => (EventType::NoticeSent, &result.included),
        AttemptOutcome::Abandoned => (EventType::NoticeAbandoned, &notice.items),
        _ => return Ok(()),
    };
    let mut members: BTreeMap<&MemberId, Vec<&NoticeItem>> = BTreeMap::new();
    for item in items {
        members.entry(&item.member_id).or_default().push(item);
    }
    if members.is_empty() {
        members.insert(&notice.member_id, Vec::new());
    }
    let mut events = NewEvents::new(tx);
    for (member, items) in members {
        let is_sent = event_type == EventType::NoticeSent;
        let connections: Vec<_> = items.iter().map(|item| item.connection_id.as_str()).collect();
        let event = |event_type| {
            NewEvent::about(member, event_type)
                .with("notice_id", notice.id.as_str())
                .with("kind", notice.kind.as_str())
                .with("step", items.iter().map(|item| item.step).min().unwrap_or(notice.step))
                .with("connections", connections.clone())
        };
        if is_sent {
            // The operator tells the member by other means, too.
            events.add(event(EventType::NoticeDue));
            events.add(event(EventType::NoticeSent).with_time("sent_at", Some(now)));
        } else {
            let abandoned = event(EventType::NoticeAbandoned).with("reason", result.reason.as_str());
            events.add(abandoned.with_time("abandoned_at", Some(now)));
        }
    }
    events.write(tx, now).await
}
