//! Changes of lapses and their effects, written for many members at once.

use super::cancellations::{self, ClosedLapse};
use super::convert::millis;
use super::engine::{Tx, query};
use super::error::Result;
use super::json_rows::write_rows;
use super::recorded_changes;
use crate::base::random;
use crate::domain::{
    ConnectionId, DisconnectKind, LapseChange, LapseFields, LapseId, LapseState, MemberId, Outcome, Time,
};
use serde::Serialize;

/// Changes to write with [`LapseChanges::write`].
#[derive(Debug, Default)]
pub(super) struct LapseChanges {
    inserted: Vec<InsertedLapse>,
    updated: Vec<UpdatedLapse>,
    deleted: Vec<LapseId>,
    /// Open lapses that the planner has to evaluate again.
    replanned: Vec<LapseId>,
    closed: Vec<ClosedLapse>,
    recovered: Vec<LapseId>,
}

#[derive(Debug, Serialize)]
struct InsertedLapse {
    member: String,
    connection: String,
    #[serde(flatten)]
    lapse: UpdatedLapse,
}

#[derive(Debug, Serialize)]
struct UpdatedLapse {
    id: String,
    state: &'static str,
    outcome: Option<&'static str>,
    suspected_at: i64,
    consecutive_observations: u32,
    opened_at: Option<i64>,
    closed_at: Option<i64>,
    disconnect_intent: Option<&'static str>,
}

impl UpdatedLapse {
    fn new(id: &LapseId, fields: &LapseFields) -> Self {
        Self {
            id: id.as_str().to_owned(),
            state: fields.state.as_str(),
            outcome: fields.outcome.map(Outcome::as_str),
            suspected_at: millis(fields.suspected_at),
            consecutive_observations: fields.consecutive_observations,
            opened_at: fields.opened_at.map(millis),
            closed_at: fields.closed_at.map(millis),
            disconnect_intent: fields.disconnect_intent.map(DisconnectKind::as_str),
        }
    }
}

/// The columns of a lapse in the JSON value `j.value`.
const FIELDS: &str = "j.value ->> 'state' AS state, j.value ->> 'outcome' AS outcome,
    CAST(j.value ->> 'suspected_at' AS BIGINT) AS suspected_at,
    CAST(j.value ->> 'consecutive_observations' AS BIGINT) AS consecutive_observations,
    CAST(j.value ->> 'opened_at' AS BIGINT) AS opened_at, CAST(j.value ->> 'closed_at' AS BIGINT) AS closed_at,
    j.value ->> 'disconnect_intent' AS disconnect_intent";

impl LapseChanges {
    pub(super) fn add(
        &mut self,
        member: &MemberId,
        connection: &ConnectionId,
        change: &LapseChange,
        now: Time,
    ) {
        let (id, fields) = match change {
            LapseChange::Unchanged => return,
            LapseChange::Delete(id) => return self.deleted.push(id.clone()),
            LapseChange::Insert(fields) => {
                let id = LapseId::new(random::id(now));
                self.inserted.push(InsertedLapse {
                    member: member.as_str().to_owned(),
                    connection: connection.as_str().to_owned(),
                    lapse: UpdatedLapse::new(&id, fields),
                });
                (id, fields)
            }
            LapseChange::Update(id, fields) => {
                self.updated.push(UpdatedLapse::new(id, fields));
                (id.clone(), fields)
            }
        };
        if fields.outcome == Some(Outcome::Recovered) {
            self.recovered.push(id.clone());
        }
        if fields.state == LapseState::Closed {
            self.closed.push(ClosedLapse { id, outcome: fields.outcome });
        }
    }

    /// The lapses that the planner can have read, or can read from now on.
    fn recorded(&self) -> Vec<&str> {
        let inserted = self.inserted.iter().filter(|row| row.lapse.opened_at.is_some());
        let inserted = inserted.map(|row| row.lapse.id.as_str());
        let updated = self.updated.iter().map(|row| row.id.as_str());
        inserted.chain(updated).chain(self.replanned.iter().map(LapseId::as_str)).collect()
    }

    pub(super) fn replan(&mut self, lapse: &LapseId) {
        self.replanned.push(lapse.clone());
    }

    /// Writes the changes. The planner evaluates a lapse that opened, or one that recovered, because members may get an
    /// email about the recovery. A closed lapse cancels its queued notices. A snooze ends with the lapse, but a dismissal can
    /// be undone.
    pub(super) async fn write(&self, tx: &mut Tx, now: Time) -> Result<()> {
        let at = millis(now);
        write_rows(tx, &self.deleted, |ids| {
            query("DELETE FROM lapses WHERE lapse_id IN (SELECT value FROM json_each($1))").bind(ids)
        })
        .await?;
        write_rows(tx, &self.replanned, |ids| {
            query(
                "UPDATE lapses SET plan_at = $2
                 WHERE state = 'open' AND lapse_id IN (SELECT value FROM json_each($1))",
            )
            .bind(ids)
            .bind(at)
        })
        .await?;
        write_rows(tx, &self.updated, |rows| {
            query(format!(
                "UPDATE lapses SET state = c.state, outcome = c.outcome, suspected_at = c.suspected_at,
                    consecutive_observations = c.consecutive_observations, opened_at = c.opened_at,
                    closed_at = c.closed_at, disconnect_intent = c.disconnect_intent,
                    dismissed_by_member = lapses.dismissed_by_member AND c.disconnect_intent IS NULL,
                    snoozed_until = CASE WHEN c.state = 'open' OR c.outcome = 'dismissed' THEN lapses.snoozed_until END,
                    plan_at = CASE WHEN c.state = 'open' OR (lapses.state = 'open' AND c.outcome = 'recovered')
                        THEN $2 END,
                    last_opened_at = CASE WHEN c.state = 'open' AND lapses.state <> 'open' THEN $2
                        ELSE lapses.last_opened_at END
                 FROM (SELECT j.value ->> 'id' AS id, {FIELDS} FROM json_each($1) j) c
                 WHERE lapses.lapse_id = c.id"
            ))
            .bind(rows)
            .bind(at)
        })
        .await?;
        write_rows(tx, &self.inserted, |rows| {
            query(format!(
                "INSERT INTO lapses (lapse_id, member_id, connection_id, state, outcome, suspected_at,
                    consecutive_observations, opened_at, closed_at, disconnect_intent, plan_at, last_opened_at)
                 SELECT c.*, CASE WHEN c.state = 'open' THEN $2 END, c.opened_at
                 FROM (SELECT j.value ->> 'id' AS id, j.value ->> 'member' AS member,
                        j.value ->> 'connection' AS connection, {FIELDS} FROM json_each($1) j) c"
            ))
            .bind(rows)
            .bind(at)
        })
        .await?;
        cancellations::cancel_for_lapses(tx, &self.closed, now).await?;
        write_rows(tx, &self.recovered, |ids| {
            query(
                "UPDATE link_buttons SET superseded = TRUE
                 WHERE superseded = FALSE AND lapse_id IN (SELECT value FROM json_each($1))",
            )
            .bind(ids)
        })
        .await?;
        // A connection that works again was reachable after all. What an address has caused stays given up.
        write_rows(tx, &self.recovered, |ids| {
            query(
                "UPDATE notice_items SET counts_as_step = FALSE
                 WHERE counts_as_step = TRUE AND lapse_id IN (SELECT value FROM json_each($1)) AND EXISTS
                    (SELECT 1 FROM notices n WHERE n.notice_id = notice_items.notice_id AND n.state = 'abandoned'
                     AND n.reason IN ('oauth_url_refused', 'render_failed', 'never_confirmed'))",
            )
            .bind(ids)
        })
        .await?;
        recorded_changes::of_lapses(tx, &self.recorded(), now).await
    }
}
