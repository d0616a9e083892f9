//! The events that a response causes: lapses that open or recover, and operators' disconnects that take effect.

use super::events::{NewEvent, NewEvents};
use crate::domain::{
    Change, ChangeReason, Connection, DisconnectKind, EventType, Lapse, LapseChange, LapseFields, LapseState,
    MemberId, Outcome, Status, Time,
};

/// What is known about a connection around a change.
#[derive(Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// The newest lapse before the change.
    pub(super) lapse: Option<&'a Lapse>,
    pub(super) last_status: Option<&'a Status>,
    pub(super) last_sync: Option<Time>,
    /// `None`: the response does not list it.
    pub(super) listed: Option<&'a Connection>,
}

impl NewEvents {
    pub(super) fn add_change(&mut self, member: &MemberId, change: &Change, around: Around<'_>, now: Time) {
        if change.reason == ChangeReason::DisconnectObserved {
            let kind = around.lapse.and_then(|lapse| lapse.disconnect_intent);
            let event = event(member, change, EventType::ConnectionDisconnected, around);
            self.add(event.with("command", kind.map(DisconnectKind::as_str)));
        }
        let (LapseChange::Insert(fields) | LapseChange::Update(_, fields)) = &change.lapse else { return };
        let was = |state| around.lapse.is_some_and(|lapse| lapse.state == state);
        let had = |outcome| around.lapse.is_some_and(|lapse| lapse.outcome == Some(outcome));
        let listed_sync = around.listed.and_then(|row| row.last_synced);
        if fields.state == LapseState::Open && !was(LapseState::Open) {
            let before = listed_sync.or(around.last_sync);
            self.add_gap(EventType::ConnectionLapsed, member, change, fields, around, (before, None), None);
        } else if fields.outcome == Some(Outcome::Recovered)
            && fields.state == LapseState::Closed
            && !had(Outcome::Recovered)
        {
            let before = around.last_sync;
            let after = listed_sync.filter(|sync| before.is_none_or(|before| *sync > before));
            self.add_gap(
                EventType::ConnectionRecovered,
                member,
                change,
                fields,
                around,
                (before, after),
                Some(now),
            );
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what both events tell")]
    fn add_gap(
        &mut self,
        event_type: EventType,
        member: &MemberId,
        change: &Change,
        fields: &LapseFields,
        around: Around<'_>,
        (before, after): (Option<Time>, Option<Time>),
        recovered_at: Option<Time>,
    ) {
        self.add(
            event(member, change, event_type, around)
                .with_time("lapsed_at", Some(fields.suspected_at))
                .with_time("recovered_at", recovered_at)
                .with_time("last_sync_before", before)
                .with_time("last_sync_after", after),
        );
    }
}

fn event(member: &MemberId, change: &Change, event_type: EventType, around: Around<'_>) -> NewEvent {
    let status = change.transition.as_ref().map(|(_, to)| to);
    let status = status.or(around.listed.and_then(|row| row.status.as_ref())).or(around.last_status);
    NewEvent::about(member, event_type)
        .with("connection_id", change.connection_id.as_str())
        .with("status", status.map(Status::as_str))
}
