//! `events`: the outbox. Each event is written in the unit of work of what it tells.

use super::convert::millis;
use super::engine::{Tx, query};
use super::error::{Result, StoreError};
use super::json_rows::write_rows;
use super::row_locks::{lock_events_without_member, lock_members};
use super::sqlite::Store;
use crate::base::random;
use crate::domain::{EventId, EventType, EventTypes, MemberId, Time};
use chrono::{SecondsFormat, TimeDelta};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How long an event is retried.
pub(super) const RETRY_FOR: TimeDelta = TimeDelta::days(3);

/// An event to record. Its data never has an address, a token, or an OAuth URL.
#[derive(Clone, Debug)]
pub(super) struct NewEvent {
    pub(super) event_type: EventType,
    pub(super) member: Option<MemberId>,
    pub(super) data: Map<String, Value>,
}

/// The events that one unit of work records, in their order.
#[derive(Clone, Debug)]
pub(super) struct NewEvents {
    types: EventTypes,
    events: Vec<NewEvent>,
}

#[derive(Serialize)]
struct EventRow<'a> {
    place: usize,
    id: String,
    event_type: &'static str,
    member: &'a str,
    data: String,
    is_first: bool,
}

impl NewEvent {
    pub(super) fn about(member: &MemberId, event_type: EventType) -> Self {
        let data = Map::from_iter([("member_id".to_owned(), member.as_str().into())]);
        Self { event_type, member: Some(member.clone()), data }
    }

    pub(super) fn without_member(event_type: EventType) -> Self {
        Self { event_type, member: None, data: Map::new() }
    }

    pub(super) fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.data.insert(field.to_owned(), value.into());
        self
    }

    pub(super) fn with_time(self, field: &str, at: Option<Time>) -> Self {
        self.with(field, at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)))
    }
}

impl Store {
    /// A handle whose units of work also record events of these types.
    #[must_use]
    pub(crate) fn recording(&self, types: EventTypes) -> Self {
        Self { events: types, ..self.clone() }
    }

    /// A handle that plans notices for each member alone, also for members who share an address.
    #[must_use]
    pub(crate) fn notifying_each_member(&self, notifies_each_member: bool) -> Self {
        Self { notifies_each_member, ..self.clone() }
    }
}

impl NewEvents {
    /// None yet, in this unit of work.
    pub(super) fn new(tx: &Tx) -> Self {
        Self { types: tx.recorded_events, events: Vec::new() }
    }

    /// Whether no event is recorded, whatever its type.
    pub(super) fn is_off(&self) -> bool {
        self.types.is_empty()
    }

    pub(super) fn wants(&self, event_type: EventType) -> bool {
        self.types.contains(event_type)
    }

    /// Drops an event that the operator's systems do not get.
    pub(super) fn add(&mut self, event: NewEvent) {
        if self.wants(event.event_type) {
            self.events.push(event);
        }
    }

    /// Writes the events. Each member's are in the order of the units of work: this locks the members.
    pub(super) async fn write(&self, tx: &mut Tx, now: Time) -> Result<()> {
        if self.events.is_empty() {
            return Ok(());
        }
        let members: BTreeSet<&str> = self.events.iter().map(NewEvent::member_text).collect();
        lock(tx, &members).await?;
        let mut seen = BTreeSet::new();
        let rows: Vec<EventRow<'_>> = self
            .events
            .iter()
            .enumerate()
            .map(|(place, event)| EventRow {
                place,
                id: random::id(now),
                event_type: event.event_type.as_str(),
                member: event.member_text(),
                data: Value::Object(event.data.clone()).to_string(),
                is_first: seen.insert(event.member_text()),
            })
            .collect();
        write_rows(tx, &rows, |rows| {
            query(
                "INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until, next_at)
                 SELECT j.value ->> 'id', j.value ->> 'event_type', j.value ->> 'member', j.value ->> 'data', 'queued',
                    $2, $3, CASE WHEN CAST(j.value ->> 'is_first' AS BOOLEAN) AND NOT EXISTS
                        (SELECT 1 FROM events e WHERE e.member_id = j.value ->> 'member' AND e.next_at IS NOT NULL)
                      THEN $2 END
                 FROM json_each($1) j WHERE TRUE ORDER BY CAST(j.value ->> 'place' AS BIGINT)",
            )
            .bind(rows)
            .bind(millis(now))
            .bind(millis(now + RETRY_FOR))
        })
        .await
    }
}

impl NewEvent {
    fn member_text(&self) -> &str {
        self.member.as_ref().map_or("", MemberId::as_str)
    }
}

/// Locks the order of the events of members; the empty one stands for the events about no member.
pub(super) async fn lock(tx: &mut Tx, members: &BTreeSet<&str>) -> Result<()> {
    lock_members(tx, &members.iter().collect::<Vec<_>>()).await?;
    if members.contains("") {
        lock_events_without_member(tx).await?;
    }
    Ok(())
}

/// A claimed event, until its lease expires.
#[derive(Clone, Debug)]
pub struct EventClaim {
    pub id: EventId,
    pub(super) member: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    pub(crate) event_type: String,
    pub(crate) retry_until: Time,
    pub(super) created_at: Time,
    pub(super) data: Map<String, Value>,
}

impl EventClaim {
    /// A field of the data.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.data.get(field)?.as_str()
    }

    /// What is sent, with more fields of data: the exact bytes that the signature covers.
    pub fn body(&self, more: Vec<(&str, Value)>) -> Result<String> {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: &'a str,
            timestamp: String,
            data: Map<String, Value>,
        }
        let mut data = self.data.clone();
        data.extend(more.into_iter().map(|(field, value)| (field.to_owned(), value)));
        let timestamp = self.created_at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let body = Body { r#type: &self.event_type, timestamp, data };
        let unreadable = |_| StoreError::Row { table: "events", row: self.id.to_string(), what: "its data" };
        serde_json::to_string(&body).map_err(unreadable)
    }
}
