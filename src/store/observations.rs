//! Applies a response of the gateway: the known state, the decision, and its effects, in one transaction.

use super::engine::{Tx, query, query_scalar};
use super::{Result, Store, clamp, connections, count, json_list, lapses, millis, queue, time};
use crate::base::random;
use crate::domain::{
    Cause, Change, Connection, ConnectionId, ConnectionState, Decision, DisconnectKind, LapseChange,
    LapseFields, LapseId, LapseState, Listing, MemberId, Missing, Outcome, Status, Time, stored_ids,
    turned_empty,
};
use std::collections::BTreeMap;

/// A usable response of the gateway about one member.
#[derive(Clone, Debug)]
pub struct PollResult<'a> {
    pub member_id: &'a MemberId,
    /// The time of the request. A response to an older request than the last one applied is dropped.
    pub asked_at: Time,
    pub cause: Cause,
    pub seen: &'a Listing,
    pub digest: &'a [u8],
    /// Whether to apply a list that became empty.
    pub accept_empty: bool,
}

/// The result of applying a response.
#[derive(Clone, Debug, Default)]
pub struct ApplyReport {
    pub transitions: Vec<(Option<Status>, Status)>,
    /// The connections whose records belong to another person, if the previous response did not say so.
    pub(crate) mismatched: Vec<ConnectionId>,
    /// Whether the response was dropped: it came too late, or the member was removed.
    pub stale: bool,
    /// Whether the list became empty; see [`PollResult::accept_empty`].
    pub turned_empty: bool,
}

impl Store {
    /// Applies a response. Writes it together with the decision that `decide` derives from the known state.
    pub async fn apply_response(
        &self,
        answer: &PollResult<'_>,
        now: Time,
        decide: impl Fn(&[ConnectionState]) -> Decision,
    ) -> Result<ApplyReport> {
        self.write(async |mut tx| {
            let member: Option<Option<i64>> =
                query_scalar("SELECT answered_at FROM members WHERE member_id = $1 AND removed_at IS NULL")
                    .bind(answer.member_id.as_str())
                    .fetch_optional(&mut tx)
                    .await?;
            // A time in the future proves nothing: a clock was ahead.
            let late = |answered_at: Option<i64>| {
                answered_at.is_some_and(|at| millis(answer.asked_at) < at && at <= millis(now))
            };
            if member.is_none_or(late) {
                return Ok(ApplyReport { stale: true, ..ApplyReport::default() });
            }
            clamp::clamp(&mut tx, &[answer.member_id], now).await?;
            let known = known(&mut tx, answer.member_id).await?;
            let turned_empty = turned_empty(&known, answer.seen);
            if turned_empty && !answer.accept_empty {
                return Ok(ApplyReport { turned_empty, ..ApplyReport::default() });
            }
            let decision = decide(&known);
            let mismatched = connections::mismatched(&mut tx, answer.member_id).await?;
            keep_connections(&mut tx, answer, &known, now).await?;
            let mut applied = ApplyReport { turned_empty, ..ApplyReport::default() };
            for change in decision.changes {
                if let Some((from, to)) = &change.transition {
                    record_transition(&mut tx, answer, &change, from.as_ref(), to, now).await?;
                    applied.transitions.push((from.clone(), to.clone()));
                }
                apply_to_lapse(&mut tx, answer.member_id, &change.connection_id, &change.lapse, now).await?;
            }
            for (connection, missing) in &decision.missing {
                keep_missing(&mut tx, answer.member_id, connection, *missing, now).await?;
            }
            query("UPDATE members SET response_digest = $2, answered_at = $3 WHERE member_id = $1")
                .bind(answer.member_id.as_str())
                .bind(answer.digest)
                .bind(millis(answer.asked_at))
                .execute(&mut tx)
                .await?;
            applied.mismatched = connections::mismatched(&mut tx, answer.member_id).await?;
            applied.mismatched.retain(|connection| !mismatched.contains(connection));
            settle_rechecks(&mut tx, answer.member_id, now, decision.recheck_at).await?;
            Ok(applied)
        })
        .await
    }
}

async fn known(tx: &mut Tx, member: &MemberId) -> Result<Vec<ConnectionState>> {
    let rows = query(
        "SELECT connection_id, status, coalesce(sync_status, '') IN ('DELETING', 'DATA_DELETED') AS is_being_deleted,
            missing_since, missing_observations FROM connections WHERE member_id = $1
         ORDER BY connection_id",
    )
        .bind(member.as_str())
        .fetch_all(&mut *tx)
        .await?;
    let sql = format!(
        "SELECT {} FROM lapses l WHERE l.member_id = $1 AND l.lapse_id =
            (SELECT lapse_id FROM lapses x WHERE x.member_id = l.member_id AND x.connection_id = l.connection_id
             ORDER BY x.state = 'closed', x.lapse_id DESC LIMIT 1)",
        lapses::COLUMNS
    );
    let newest = query(sql).bind(member.as_str()).fetch_all(&mut *tx).await?;
    let mut newest: std::collections::HashMap<_, _> = newest
        .iter()
        .map(|row| Ok((row.try_get::<String>("connection_id")?, lapses::read(row)?)))
        .collect::<Result<_>>()?;
    rows.iter()
        .map(|row| {
            let id: String = row.try_get("connection_id")?;
            Ok(ConnectionState {
                status: row.try_get::<Option<String>>("status")?.as_deref().map(Status::from),
                is_being_deleted: row.try_get("is_being_deleted")?,
                lapse: newest.remove(&id),
                missing: match row.try_get::<Option<i64>>("missing_since")? {
                    None => None,
                    Some(since) => Some(Missing {
                        since: time(since),
                        observations: count(row.try_get("missing_observations")?),
                    }),
                },
                connection_id: id.as_str().into(),
            })
        })
        .collect()
}

/// Stores the rows of a list. Of several rows that name one connection, the first one is stored, without a status that
/// another one contradicts.
async fn keep_connections(
    tx: &mut Tx,
    answer: &PollResult<'_>,
    known: &[ConnectionState],
    now: Time,
) -> Result<()> {
    let rows = &answer.seen.rows;
    let mut first: BTreeMap<&ConnectionId, (&Connection, Option<&Status>)> = BTreeMap::new();
    for (id, row) in stored_ids(known, rows).into_iter().zip(rows) {
        let entry = first.entry(id).or_insert((row, row.status.as_ref()));
        if entry.1 != row.status.as_ref() {
            entry.1 = None;
        }
    }
    for (id, (row, status)) in first {
        keep_connection(tx, answer.member_id, id, row, status, now).await?;
    }
    Ok(())
}

async fn keep_missing(
    tx: &mut Tx,
    member: &MemberId,
    connection: &ConnectionId,
    missing: Option<Missing>,
    now: Time,
) -> Result<()> {
    query(
        "UPDATE connections SET missing_since = $3, missing_observations = $4
         WHERE member_id = $1 AND connection_id = $2",
    )
    .bind(member.as_str())
    .bind(connection.as_str())
    .bind(missing.map(|missing| millis(missing.since)))
    .bind(missing.map_or(0, |missing| missing.observations))
    .execute(&mut *tx)
    .await?;
    // The planner says nothing of a missing row, and looks again when it is back.
    query("UPDATE lapses SET plan_at = $3 WHERE member_id = $1 AND connection_id = $2 AND state = 'open'")
        .bind(member.as_str())
        .bind(connection.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn keep_connection(
    tx: &mut Tx,
    member: &MemberId,
    id: &ConnectionId,
    connection: &Connection,
    status: Option<&Status>,
    now: Time,
) -> Result<()> {
    // A missing status says nothing, so what was known of it stays.
    query(
        "INSERT INTO connections (member_id, connection_id, name, category, source_type, integration_type, is_direct,
            status, sync_status, sync_errors, first_seen_at, changed_at, gateway_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)
         ON CONFLICT (member_id, connection_id) DO UPDATE SET name = excluded.name, category = excluded.category,
            source_type = excluded.source_type, integration_type = excluded.integration_type,
            is_direct = excluded.is_direct, status = coalesce(excluded.status, connections.status),
            sync_status = excluded.sync_status, sync_errors = excluded.sync_errors, changed_at = excluded.changed_at,
            gateway_id = excluded.gateway_id",
    )
    .bind(member.as_str())
    .bind(id.as_str())
    .bind(&connection.source.name)
    .bind(connection.source.category.as_ref().map(|value| value.as_str()))
    .bind(connection.source.source_type.as_ref().map(|value| value.as_str()))
    .bind(connection.source.integration_type.as_ref().map(|value| value.as_str()))
    .bind(connection.source.is_direct)
    .bind(status.map(Status::as_str))
    .bind(connection.sync_status.as_ref().map(|value| value.as_str()))
    .bind(json_list(&connection.sync_errors)?)
    .bind(millis(now))
    .bind(Some(connection.id.as_str()).filter(|spelling| *spelling != id.as_str()))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn record_transition(
    tx: &mut Tx,
    answer: &PollResult<'_>,
    change: &Change,
    from: Option<&Status>,
    to: &Status,
    now: Time,
) -> Result<()> {
    query("UPDATE connections SET status = $3, changed_at = $4 WHERE member_id = $1 AND connection_id = $2")
        .bind(answer.member_id.as_str())
        .bind(change.connection_id.as_str())
        .bind(to.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
    // An open lapse is planned by its connection's present status.
    query("UPDATE lapses SET plan_at = $3 WHERE member_id = $1 AND connection_id = $2 AND state = 'open'")
        .bind(answer.member_id.as_str())
        .bind(change.connection_id.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
    query(
        "INSERT INTO transitions (transition_id, member_id, connection_id, from_status, to_status, observed_at, cause,
            reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(random::id(now))
    .bind(answer.member_id.as_str())
    .bind(change.connection_id.as_str())
    .bind(from.map(Status::as_str))
    .bind(to.as_str())
    .bind(millis(now))
    .bind(answer.cause.as_str())
    .bind(change.reason.as_str())
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn apply_to_lapse(
    tx: &mut Tx,
    member: &MemberId,
    connection: &ConnectionId,
    change: &LapseChange,
    now: Time,
) -> Result<()> {
    match change {
        LapseChange::Unchanged => Ok(()),
        LapseChange::Insert(fields) => {
            let id = LapseId::new(random::id(now));
            query(
                "INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations)
                 VALUES ($1, $2, $3, 'suspected', $4, 0)",
            )
            .bind(id.as_str())
            .bind(member.as_str())
            .bind(connection.as_str())
            .bind(millis(fields.suspected_at))
            .execute(&mut *tx)
            .await?;
            write_lapse(tx, &id, fields, now).await
        }
        LapseChange::Update(id, fields) => write_lapse(tx, id, fields, now).await,
        LapseChange::Delete(id) => {
            query("DELETE FROM lapses WHERE lapse_id = $1").bind(id.as_str()).execute(&mut *tx).await?;
            Ok(())
        }
    }
}

/// Writes the state of a lapse. The planner evaluates a lapse that opened, or one that recovered, because members may get an
/// email about the recovery. A closed lapse cancels its queued notices.
async fn write_lapse(tx: &mut Tx, id: &LapseId, fields: &LapseFields, now: Time) -> Result<()> {
    query(
        "UPDATE lapses SET state = $2, outcome = $3, suspected_at = $4, consecutive_observations = $5, opened_at = $6,
            closed_at = $7, disconnect_intent = $9,
            plan_at = CASE WHEN $2 = 'open' OR (state = 'open' AND $3 = 'recovered') THEN $8 END
         WHERE lapse_id = $1",
    )
    .bind(id.as_str())
    .bind(fields.state.as_str())
    .bind(fields.outcome.map(Outcome::as_str))
    .bind(millis(fields.suspected_at))
    .bind(fields.consecutive_observations)
    .bind(fields.opened_at.map(millis))
    .bind(fields.closed_at.map(millis))
    .bind(millis(now))
    .bind(fields.disconnect_intent.map(DisconnectKind::as_str))
    .execute(&mut *tx)
    .await?;
    if fields.state == LapseState::Closed {
        queue::cancel_for_lapse(tx, id, fields.outcome).await?;
    }
    if fields.outcome == Some(Outcome::Recovered) {
        query("UPDATE link_buttons SET superseded = 1 WHERE lapse_id = $1 AND superseded = 0")
            .bind(id.as_str())
            .execute(&mut *tx)
            .await?;
        // A connection that works again was reachable after all. What an address has caused stays given up.
        query(
            "UPDATE notice_items SET counts_as_step = 0 WHERE lapse_id = $1 AND counts_as_step = 1 AND EXISTS
                (SELECT 1 FROM notices n WHERE n.notice_id = notice_items.notice_id AND n.state = 'abandoned'
                 AND n.reason IN ('oauth_url_refused', 'render_failed', 'never_confirmed'))",
        )
        .bind(id.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Early polls are for members who have something open, or have followed an invitation that is not fulfilled yet.
async fn settle_rechecks(tx: &mut Tx, member: &MemberId, now: Time, recheck_at: Option<Time>) -> Result<()> {
    query(
        "DELETE FROM rechecks WHERE member_id = $1 AND NOT EXISTS
            (SELECT 1 FROM lapses l WHERE l.member_id = $1
             AND (l.state = 'suspected' OR (l.state = 'open' AND rechecks.purpose = 'redemption')))
           AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.member_id = $1 AND c.missing_since IS NOT NULL)
           AND NOT (purpose = 'redemption' AND EXISTS
            (SELECT 1 FROM invitations i JOIN link_buttons b ON b.invitation_id = i.invitation_id
             LEFT JOIN connections c ON c.member_id = i.member_id AND c.connection_id = i.connection_id COLLATE NOCASE
             WHERE i.member_id = $1 AND b.redeemed_at >= rechecks.since AND c.status IS NOT 'CONNECTED'))",
    )
    .bind(member.as_str())
    .execute(&mut *tx)
    .await?;
    let Some(recheck_at) = recheck_at else { return Ok(()) };
    query(
        "INSERT INTO rechecks (member_id, purpose, due_at, since) VALUES ($1, 'suspicion', $3, $2)
         ON CONFLICT (member_id, purpose) DO UPDATE SET due_at = excluded.due_at",
    )
    .bind(member.as_str())
    .bind(millis(now))
    .bind(millis(recheck_at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}
