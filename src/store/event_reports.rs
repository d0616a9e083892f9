//! `events` as reports show them.

use super::engine::{Row, query};
use super::error::Result;
use super::row::RowExt;
use super::sqlite::Store;
use crate::domain::{EventId, EventState, ListedEvent, MemberId};
use std::collections::BTreeMap;

impl Store {
    /// The next `limit` events after a sequence number, in the order of the facts. `state`: only those.
    pub async fn events(
        &self,
        state: Option<EventState>,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedEvent>> {
        let in_state = match state {
            None => "",
            Some(EventState::Delivered) => "state = $3 AND",
            // The condition of the index.
            Some(_) => "state <> 'delivered' AND state = $3 AND",
        };
        let rows = query(format!("{EVENTS} WHERE {in_state} sequence > $1 ORDER BY sequence LIMIT $2"))
            .bind(after.unwrap_or(i64::MIN))
            .bind(limit)
            .bind_if_some(state.map(|state| state.as_str().to_owned()))
            .fetch_all(&self.reader)
            .await?;
        listed(&rows)
    }

    /// The next `limit` events that failed, after a sequence number. `event_type`: only those.
    pub async fn failed_events(
        &self,
        event_type: Option<&str>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ListedEvent>> {
        let rows = query(format!(
            "{EVENTS} WHERE state <> 'delivered' AND state = 'failed' AND sequence > $1 AND ($3 IS NULL OR type = $3)
             ORDER BY sequence LIMIT $2"
        ))
        .bind(after)
        .bind(limit)
        .bind(event_type.map(str::to_owned))
        .fetch_all(&self.reader)
        .await?;
        listed(&rows)
    }

    /// The events that failed, by type.
    pub async fn count_failed_events(&self) -> Result<BTreeMap<String, u64>> {
        self.counts(
            "SELECT type, count(*) FROM events WHERE state <> 'delivered' AND state = 'failed' GROUP BY type",
        )
        .await
    }

    /// All events by state.
    pub async fn count_events(&self) -> Result<BTreeMap<String, u64>> {
        self.counts("SELECT state, count(*) FROM events GROUP BY state").await
    }

    /// Like [`Store::count_events`], without those that are delivered.
    pub async fn count_undelivered_events(&self) -> Result<BTreeMap<String, u64>> {
        self.counts("SELECT state, count(*) FROM events WHERE state <> 'delivered' GROUP BY state").await
    }
}

const EVENTS: &str =
    "SELECT event_id, sequence, type, member_id, state, attempts, created_at, delivered_at, next_at,
    last_error FROM events";

fn listed(rows: &[Row]) -> Result<Vec<ListedEvent>> {
    rows.iter()
        .map(|row| {
            let member = row.text_of("member_id")?;
            Ok(ListedEvent {
                id: EventId::new(row.text_of("event_id")?),
                sequence: row.try_get("sequence")?,
                event_type: row.text_of("type")?.to_owned(),
                member_id: (!member.is_empty()).then(|| MemberId::new(member)),
                state: row.parsed("state")?,
                attempts: row.count("attempts")?,
                created_at: row.time("created_at")?,
                delivered_at: row.optional_time("delivered_at")?,
                next_at: row.optional_time("next_at")?,
                last_error: row.optional_text_of("last_error")?.map(str::to_owned),
            })
        })
        .collect()
}
