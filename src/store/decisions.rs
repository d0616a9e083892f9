//! `decisions`: why something was sent or not sent. The planner, the gates at the handover, and whatever cancels an unsent
//! notice record their reasons here, and so do members who choose something about a lapse.

use super::convert::{json_list, millis};
use super::engine::{Tx, query};
use super::error::Result;
use super::json_rows::write_rows;
use crate::base::random;
use crate::domain::{ConnectionId, DecisionSubject, LapseId, MemberId, NoticeId, NoticeReason, Time};
use serde::Serialize;
use std::collections::HashMap;

pub(super) struct NewDecision<'a> {
    pub(super) member: &'a MemberId,
    pub(super) connection: Option<&'a ConnectionId>,
    /// `None`: it is about a notice without lapses.
    pub(super) lapse: Option<&'a LapseId>,
    pub(super) notice: Option<&'a NoticeId>,
    pub(super) subject: DecisionSubject,
    pub(super) reason: NoticeReason,
    /// When it is decided again; `None`: when a fact changes.
    pub(super) not_before: Option<Time>,
}

#[derive(Serialize)]
struct Inserted<'a> {
    id: String,
    member: &'a MemberId,
    connection: Option<&'a ConnectionId>,
    lapse: Option<&'a LapseId>,
    notice: Option<&'a NoticeId>,
    what: &'static str,
    reason: &'static str,
    not_before: Option<i64>,
}

#[derive(Serialize)]
struct Repeated {
    id: String,
    not_before: Option<i64>,
}

/// The latest decision about a lapse, or about a notice without lapses.
struct Latest {
    id: String,
    what: String,
    reason: String,
    notice: Option<String>,
}

/// Stores decisions. One that is equal to the latest about its lapse, apart from the time, is counted there. So is one about
/// a notice without lapses.
pub(super) async fn record(tx: &mut Tx, decisions: &[NewDecision<'_>], now: Time) -> Result<()> {
    if decisions.is_empty() {
        return Ok(());
    }
    let latest = latest(tx, decisions).await?;
    let (mut inserted, mut repeated) = (Vec::new(), Vec::new());
    for decision in decisions {
        let not_before = decision.not_before.map(millis);
        let what = decision.subject.as_str();
        let about = decision.lapse.map(LapseId::as_str).or(decision.notice.map(NoticeId::as_str));
        let same = about.and_then(|about| latest.get(about)).filter(|latest| {
            (latest.what.as_str(), latest.reason.as_str()) == (what, decision.reason.as_str())
                && latest.notice.as_deref() == decision.notice.map(NoticeId::as_str)
        });
        match same {
            Some(latest) => repeated.push(Repeated { id: latest.id.clone(), not_before }),
            None => inserted.push(Inserted {
                id: random::id(now),
                member: decision.member,
                connection: decision.connection,
                lapse: decision.lapse,
                notice: decision.notice,
                what,
                reason: decision.reason.as_str(),
                not_before,
            }),
        }
    }
    write_rows(tx, &inserted, |rows| {
        query(
            "INSERT INTO decisions (decision_id, member_id, connection_id, lapse_id, notice_id, what, reason,
                not_before, at, last_at)
             SELECT value ->> 'id', value ->> 'member', value ->> 'connection', value ->> 'lapse',
                value ->> 'notice', value ->> 'what', value ->> 'reason', CAST(value ->> 'not_before' AS BIGINT),
                $2, $2 FROM json_each($1)",
        )
        .bind(rows)
        .bind(millis(now))
    })
    .await?;
    write_rows(tx, &repeated, |rows| {
        query(
            "UPDATE decisions SET last_at = $2, count = count + 1,
                not_before = CAST(j.value ->> 'not_before' AS BIGINT)
             FROM json_each($1) AS j WHERE decision_id = j.value ->> 'id'",
        )
        .bind(rows)
        .bind(millis(now))
    })
    .await
}

/// By the ids of the lapses, and of the notices without lapses.
async fn latest(tx: &mut Tx, decisions: &[NewDecision<'_>]) -> Result<HashMap<String, Latest>> {
    let lapses: Vec<_> = decisions.iter().filter_map(|decision| decision.lapse).collect();
    let without = decisions.iter().filter(|decision| decision.lapse.is_none());
    let notices: Vec<_> = without.filter_map(|decision| decision.notice).collect();
    let mut latest = HashMap::new();
    if !lapses.is_empty() {
        let of_lapses = "lapse_id IN (SELECT value FROM json_each($1)) GROUP BY lapse_id";
        latest.extend(latest_of(tx, "lapse_id", of_lapses, json_list(&lapses)?).await?);
    }
    if !notices.is_empty() {
        let of_notices =
            "notice_id IN (SELECT value FROM json_each($1)) AND lapse_id IS NULL GROUP BY notice_id";
        latest.extend(latest_of(tx, "notice_id", of_notices, json_list(&notices)?).await?);
    }
    Ok(latest)
}

async fn latest_of(
    tx: &mut Tx,
    key: &'static str,
    condition: &str,
    ids: String,
) -> Result<HashMap<String, Latest>> {
    let rows = query(format!(
        "SELECT d.lapse_id, d.decision_id, d.what, d.reason, d.notice_id FROM decisions d JOIN
            (SELECT max(decision_id) AS decision_id FROM decisions WHERE {condition}) AS latest
            ON latest.decision_id = d.decision_id"
    ))
    .bind(ids)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            let latest = Latest {
                id: row.try_get("decision_id")?,
                what: row.try_get("what")?,
                reason: row.try_get("reason")?,
                notice: row.optional_text_of("notice_id")?.map(str::to_owned),
            };
            Ok((row.try_get(key)?, latest))
        })
        .collect()
}
