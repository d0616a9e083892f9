//! The events that storms cause.

use super::engine::{Tx, query};
use super::error::Result;
use super::events::{NewEvent, NewEvents};
use super::row::RowExt;
use crate::domain::{EventType, HoldId, Time};

/// Why a storm holds nothing back anymore.
#[derive(Clone, Copy)]
pub(super) enum StormEnd {
    Calmed,
    Released,
    TakenOver,
}

impl StormEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Calmed => "calmed",
            Self::Released => "released",
            Self::TakenOver => "taken_over",
        }
    }
}

/// The storm's hold has begun, or holds again.
pub(super) async fn record_start(tx: &mut Tx, hold: &str, now: Time) -> Result<()> {
    let event = NewEvent::without_member(EventType::StormStarted).with_time("started_at", Some(now));
    record(tx, hold, event, now).await
}

/// Records nothing about an operator's hold.
pub(super) async fn record_end(tx: &mut Tx, hold: &HoldId, end: StormEnd, now: Time) -> Result<()> {
    let event = NewEvent::without_member(EventType::StormEnded)
        .with("because", end.as_str())
        .with_time("ended_at", Some(now));
    record(tx, hold.as_str(), event, now).await
}

async fn record(tx: &mut Tx, hold: &str, event: NewEvent, now: Time) -> Result<()> {
    let mut events = NewEvents::new(tx);
    if !events.wants(event.event_type) {
        return Ok(());
    }
    let row = query("SELECT source, lapsed, connections FROM holds WHERE hold_id = $1 AND kind = 'storm'")
        .bind(hold)
        .fetch_optional(&mut *tx)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let event = event
        .with("hold_id", hold)
        .with("source", row.optional_text_of("source")?)
        .with("lapsed", row.total("lapsed")?)
        .with("connections", row.total("connections")?);
    events.add(event);
    events.write(tx, now).await
}
