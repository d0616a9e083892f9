//! What responses change, collected for many members and written with one statement for each table.

use super::convert::{hex, json_list, millis};
use super::engine::{Tx, query};
use super::error::Result;
use super::events::NewEvents;
use super::json_rows::write_rows;
use super::known_states::KnownMember;
use super::lapse_changes::LapseChanges;
use super::lapse_events::Around;
use super::poll_result::PollResult;
use crate::base::random;
use crate::domain::{
    Connection, ConnectionId, Decision, LapseState, MemberId, Missing, Status, Time, stored_ids,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Effects to write with [`ResponseEffects::write`].
#[derive(Debug)]
pub(super) struct ResponseEffects<'a> {
    connections: Vec<ConnectionRow<'a>>,
    /// Statuses of connections that the list does not name.
    statuses: Vec<StatusRow>,
    missing: Vec<MissingRow>,
    transitions: Vec<TransitionRow>,
    lapses: LapseChanges,
    members: Vec<MemberRow<'a>>,
    rechecks: Vec<RecheckRow<'a>>,
    events: NewEvents,
}

#[derive(Debug, Serialize)]
struct ConnectionRow<'a> {
    member: &'a MemberId,
    connection: String,
    name: &'a str,
    category: Option<&'a str>,
    source_type: Option<&'a str>,
    integration_type: Option<&'a str>,
    is_direct: bool,
    status: Option<String>,
    sync_status: Option<&'a str>,
    /// A JSON list.
    sync_errors: String,
    last_synced_at: Option<i64>,
    gateway_id: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct StatusRow {
    member: String,
    connection: String,
    status: String,
}

#[derive(Debug, Serialize)]
struct MissingRow {
    member: String,
    connection: String,
    since: Option<i64>,
    observations: u32,
}

#[derive(Debug, Serialize)]
struct TransitionRow {
    id: String,
    member: String,
    connection: String,
    from: Option<String>,
    to: String,
    cause: &'static str,
    reason: &'static str,
}

#[derive(Debug, Serialize)]
struct MemberRow<'a> {
    member: &'a MemberId,
    /// In hexadecimal.
    digest: String,
    asked_at: i64,
}

#[derive(Debug, Serialize)]
struct RecheckRow<'a> {
    member: &'a MemberId,
    due_at: i64,
}

impl<'a> ResponseEffects<'a> {
    pub(super) fn new(events: NewEvents) -> Self {
        Self {
            connections: Vec::new(),
            statuses: Vec::new(),
            missing: Vec::new(),
            transitions: Vec::new(),
            lapses: LapseChanges::default(),
            members: Vec::new(),
            rechecks: Vec::new(),
            events,
        }
    }

    /// Adds one member's response and the decision about it. Returns the connections whose records belong to another
    /// person, if the previous response did not say so.
    pub(super) fn add(
        &mut self,
        answer: &PollResult<'a>,
        known: &KnownMember,
        decision: &Decision,
        now: Time,
    ) -> Vec<ConnectionId> {
        let member = answer.member_id;
        let lapses: HashMap<_, _> = known
            .connections
            .iter()
            .filter_map(|known| known.lapse.as_ref().map(|lapse| (&known.connection_id, lapse)))
            .collect();
        let listed = if self.events.is_off() { HashMap::new() } else { listed(answer, known) };
        let mut statuses = BTreeMap::new();
        for change in &decision.changes {
            let id = &change.connection_id;
            let last = known.connections.iter().find(|known| known.connection_id == *id);
            let around = Around {
                lapse: lapses.get(id).copied(),
                last_status: last.and_then(|last| last.status.as_ref()),
                last_sync: known.last_syncs.get(id).copied(),
                listed: listed.get(id).copied(),
            };
            self.events.add_change(member, change, around, now);
            if let Some((from, to)) = &change.transition {
                statuses.insert(&change.connection_id, to);
                self.transitions.push(TransitionRow {
                    id: random::id(now),
                    member: member.as_str().to_owned(),
                    connection: change.connection_id.as_str().to_owned(),
                    from: from.as_ref().map(|status| status.as_str().to_owned()),
                    to: to.as_str().to_owned(),
                    cause: answer.cause.as_str(),
                    reason: change.reason.as_str(),
                });
            }
            self.lapses.add(member, &change.connection_id, &change.lapse, now);
        }
        // An open lapse is planned by its connection's present status. The planner says nothing of a missing row, and looks
        // again when it is back.
        let missing = decision.missing.iter().map(|(connection, _)| connection);
        for connection in statuses.keys().copied().chain(missing) {
            if let Some(lapse) = lapses.get(connection)
                && lapse.state == LapseState::Open
            {
                self.lapses.replan(&lapse.id);
            }
        }
        self.missing.extend(decision.missing.iter().map(|(id, missing)| missing_row(member, id, *missing)));
        let mismatched = self.add_connections(answer, known, &mut statuses);
        self.statuses.extend(statuses.into_iter().map(|(connection, status)| StatusRow {
            member: member.as_str().to_owned(),
            connection: connection.as_str().to_owned(),
            status: status.as_str().to_owned(),
        }));
        let digest = hex(answer.digest);
        self.members.push(MemberRow { member, digest, asked_at: millis(answer.asked_at) });
        if let Some(due_at) = decision.recheck_at {
            self.rechecks.push(RecheckRow { member, due_at: millis(due_at) });
        }
        mismatched
    }

    /// Adds the rows of a list, and takes their new statuses out of `statuses`. Of several rows that name one connection,
    /// the first one is stored, without a status that another one contradicts.
    fn add_connections(
        &mut self,
        answer: &PollResult<'a>,
        known: &KnownMember,
        statuses: &mut BTreeMap<&ConnectionId, &Status>,
    ) -> Vec<ConnectionId> {
        let rows = &answer.seen.rows;
        let mut first: BTreeMap<&ConnectionId, (&'a Connection, Option<&Status>)> = BTreeMap::new();
        for (id, row) in stored_ids(&known.connections, rows).into_iter().zip(rows) {
            let entry = first.entry(id).or_insert((row, row.status.as_ref()));
            if entry.1 != row.status.as_ref() {
                entry.1 = None;
            }
        }
        let mut mismatched = Vec::new();
        for (id, (row, status)) in first {
            let status = statuses.remove(id).or(status);
            let last = known.connections.iter().find(|known| known.connection_id == *id);
            let present = status.or(last.and_then(|known| known.status.as_ref()));
            if row.is_person_mismatch_as(present) && !known.mismatched.contains(id) {
                mismatched.push(id.clone());
            }
            self.connections.push(ConnectionRow {
                member: answer.member_id,
                connection: id.as_str().to_owned(),
                name: &row.source.name,
                category: row.source.category.as_ref().map(|value| value.as_str()),
                source_type: row.source.source_type.as_ref().map(|value| value.as_str()),
                integration_type: row.source.integration_type.as_ref().map(|value| value.as_str()),
                is_direct: row.source.is_direct,
                status: status.map(|status| status.as_str().to_owned()),
                sync_status: row.sync_status.as_ref().map(|value| value.as_str()),
                sync_errors: serde_json::Value::from(row.sync_errors.as_slice()).to_string(),
                last_synced_at: row.last_synced.map(millis),
                gateway_id: Some(row.id.as_str()).filter(|spelling| *spelling != id.as_str()),
            });
        }
        mismatched
    }

    pub(super) async fn write(&self, tx: &mut Tx, now: Time) -> Result<()> {
        let at = millis(now);
        write_rows(tx, &self.connections, |rows| {
            // A missing status says nothing, so what was known of it stays.
            query(
                "INSERT INTO connections (member_id, connection_id, name, category, source_type, integration_type,
                    is_direct, status, sync_status, sync_errors, last_synced_at, first_seen_at, changed_at, gateway_id)
                 SELECT j.value ->> 'member', j.value ->> 'connection', j.value ->> 'name', j.value ->> 'category',
                    j.value ->> 'source_type', j.value ->> 'integration_type',
                    CAST(j.value ->> 'is_direct' AS BOOLEAN), j.value ->> 'status', j.value ->> 'sync_status',
                    j.value ->> 'sync_errors', CAST(j.value ->> 'last_synced_at' AS BIGINT), $2, $2, j.value ->> 'gateway_id'
                 FROM json_each($1) j WHERE TRUE
                 ON CONFLICT (member_id, connection_id) DO UPDATE SET name = excluded.name,
                    category = excluded.category, source_type = excluded.source_type,
                    integration_type = excluded.integration_type, is_direct = excluded.is_direct,
                    status = coalesce(excluded.status, connections.status), sync_status = excluded.sync_status,
                    sync_errors = excluded.sync_errors,
                    last_synced_at = coalesce(excluded.last_synced_at, connections.last_synced_at),
                    changed_at = excluded.changed_at,
                    gateway_id = excluded.gateway_id",
            )
            .bind(rows)
            .bind(at)
        })
        .await?;
        write_rows(tx, &self.statuses, |rows| {
            query(
                "UPDATE connections SET status = j.value ->> 'status', changed_at = $2 FROM json_each($1) j
                 WHERE member_id = j.value ->> 'member' AND connection_id = j.value ->> 'connection'",
            )
            .bind(rows)
            .bind(at)
        })
        .await?;
        write_rows(tx, &self.missing, |rows| {
            query(
                "UPDATE connections SET missing_since = CAST(j.value ->> 'since' AS BIGINT),
                    missing_observations = CAST(j.value ->> 'observations' AS BIGINT)
                 FROM json_each($1) j
                 WHERE member_id = j.value ->> 'member' AND connection_id = j.value ->> 'connection'",
            )
            .bind(rows)
        })
        .await?;
        write_rows(tx, &self.transitions, |rows| {
            query(
                "INSERT INTO transitions (transition_id, member_id, connection_id, from_status, to_status, observed_at,
                    cause, reason)
                 SELECT j.value ->> 'id', j.value ->> 'member', j.value ->> 'connection', j.value ->> 'from',
                    j.value ->> 'to', $2, j.value ->> 'cause', j.value ->> 'reason'
                 FROM json_each($1) j",
            )
            .bind(rows)
            .bind(at)
        })
        .await?;
        self.lapses.write(tx, now).await?;
        write_rows(tx, &self.members, |rows| {
            query(
                "UPDATE members SET response_digest = unhex(j.value ->> 'digest'),
                    answered_at = CAST(j.value ->> 'asked_at' AS BIGINT)
                 FROM json_each($1) j WHERE member_id = j.value ->> 'member'",
            )
            .bind(rows)
        })
        .await?;
        self.settle_rechecks(tx, now).await?;
        self.events.write(tx, now).await
    }

    /// Early polls are for members who have something open, or have followed an invitation that is not fulfilled yet.
    async fn settle_rechecks(&self, tx: &mut Tx, now: Time) -> Result<()> {
        if self.members.is_empty() {
            return Ok(());
        }
        let members = json_list(&self.members.iter().map(|row| row.member).collect::<Vec<_>>())?;
        query(
            "DELETE FROM rechecks WHERE member_id IN (SELECT value FROM json_each($1)) AND NOT EXISTS
                (SELECT 1 FROM lapses l WHERE l.member_id = rechecks.member_id
                 AND (l.state = 'suspected' OR (l.state = 'open' AND rechecks.purpose = 'redemption')))
               AND NOT EXISTS (SELECT 1 FROM connections c
                WHERE c.member_id = rechecks.member_id AND c.missing_since IS NOT NULL)
               AND NOT (purpose = 'redemption' AND EXISTS
                (SELECT 1 FROM invitations i JOIN link_buttons b ON b.invitation_id = i.invitation_id
                 LEFT JOIN connections c ON c.member_id = i.member_id
                   AND lower(c.connection_id) = lower(i.connection_id)
                 WHERE i.member_id = rechecks.member_id AND b.redeemed_at >= rechecks.since
                   AND c.status IS DISTINCT FROM 'CONNECTED'))",
        )
        .bind(members)
        .execute(&mut *tx)
        .await?;
        write_rows(tx, &self.rechecks, |rows| {
            query(
                "INSERT INTO rechecks (member_id, purpose, due_at, since)
                 SELECT j.value ->> 'member', 'suspicion', CAST(j.value ->> 'due_at' AS BIGINT), $2
                 FROM json_each($1) j WHERE TRUE
                 ON CONFLICT (member_id, purpose) DO UPDATE SET due_at = excluded.due_at",
            )
            .bind(rows)
            .bind(millis(now))
        })
        .await
    }
}

/// The rows of a response by stored id, the first of each.
fn listed<'a>(answer: &PollResult<'a>, known: &KnownMember) -> HashMap<ConnectionId, &'a Connection> {
    let rows = &answer.seen.rows;
    let ids = stored_ids(&known.connections, rows).into_iter().cloned();
    let mut listed = HashMap::new();
    for (id, row) in ids.zip(rows) {
        listed.entry(id).or_insert(row);
    }
    listed
}

fn missing_row(member: &MemberId, connection: &ConnectionId, missing: Option<Missing>) -> MissingRow {
    MissingRow {
        member: member.as_str().to_owned(),
        connection: connection.as_str().to_owned(),
        since: missing.map(|missing| millis(missing.since)),
        observations: missing.map_or(0, |missing| missing.observations),
    }
}
