//! The events that a response causes: lapses that open or recover, and operators' disconnects that take effect.

use super::events::{NewEvent, NewEvents};
use crate::domain::{
    Change, ChangeReason, Connection, DisconnectKind, EventType, Lapse, LapseChange, LapseState, MemberId,
    Outcome, Status, Time,
};

/// What is known about a connection around a change.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// The newest lapse before the change.
    pub(super) lapse: Option<&'a Lapse>,
    pub(super) last_status: Option<&'a Status>,
    /// When the gateway had fetched records, as of the response before.
    pub(super) last_sync: Option<Time>,
    /// `None`: the response does not list it.
    pub(super) listed: Option<&'a Connection>,
}

impl NewEvents {
    pub(super) fn add_change(&mut self, member: &MemberId, change: &Change, around: Around<'_>, now: Time) {
        if change.reason == ChangeReason::DisconnectObserved {
            let kind = around.lapse.and_then(|lapse| lapse.disconnect_intent);
            let event = event(EventType::ConnectionDisconnected, member, change, around);
            self.add(event.with("command", kind.map(DisconnectKind::as_str)));
        }
        let (LapseChange::Insert(fields) | LapseChange::Update(_, fields)) = &change.lapse else { return };
        let gap = |event_type, recovered_at, before, after| {
            event(event_type, member, change, around)
                .with_time("lapsed_at", Some(fields.suspected_at))
                .with_time("recovered_at", recovered_at)
                .with_time("last_sync_before", before)
                .with_time("last_sync_after", after)
        };
        let listed_sync = around.listed.and_then(|row| row.last_synced);
        let was_open = around.lapse.is_some_and(|lapse| lapse.state == LapseState::Open);
        let had_recovered = around.lapse.is_some_and(|lapse| lapse.outcome == Some(Outcome::Recovered));
        let has_recovered = fields.state == LapseState::Closed && fields.outcome == Some(Outcome::Recovered);
        if fields.state == LapseState::Open && !was_open {
            self.add(gap(EventType::ConnectionLapsed, None, listed_sync.or(around.last_sync), None));
        } else if has_recovered && !had_recovered {
            let before = around.last_sync;
            let after = listed_sync.filter(|sync| before.is_none_or(|before| *sync > before));
            self.add(gap(EventType::ConnectionRecovered, Some(now), before, after));
        }
    }
}

fn event(event_type: EventType, member: &MemberId, change: &Change, around: Around<'_>) -> NewEvent {
    let status = change.transition.as_ref().map(|(_, to)| to);
    let status = status.or(around.listed.and_then(|row| row.status.as_ref())).or(around.last_status);
    NewEvent::about(member, event_type)
        .with("connection_id", change.connection_id.as_str())
        .with("status", status.map(Status::as_str))
}
