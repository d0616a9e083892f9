//! `decisions`: why something was sent or not sent. The planner, the gates at the handover, and whatever cancels an unsent
//! notice record their reasons here, and so do members who choose something about a lapse.

use super::attempt_results::AttemptResult;
use super::convert::{json_list, millis};
use super::engine::{Row, Tx, query, query_as};
use super::error::Result;
use super::json_rows::write_rows;
use super::row::RowExt;
use crate::base::random;
use crate::domain::{
    ConnectionId, DecisionSubject, LapseId, MemberId, Notice, NoticeId, NoticeItem, NoticeReason, Time,
};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

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

/// What a notice is about.
struct NoticePart {
    notice: NoticeId,
    member: MemberId,
    connection: Option<ConnectionId>,
    /// `None`: the notice is about none.
    lapse: Option<LapseId>,
}

impl NoticePart {
    fn read(row: &Row) -> Result<Self> {
        let (notice, member) = (row.text("notice_id")?, row.text("member_id")?);
        let (connection, lapse) = (row.optional_text("connection_id")?, row.optional_text("lapse_id")?);
        Ok(Self { notice, member, connection, lapse })
    }

    fn decision(&self, reason: NoticeReason) -> NewDecision<'_> {
        NewDecision {
            member: &self.member,
            connection: self.connection.as_ref(),
            lapse: self.lapse.as_ref(),
            notice: Some(&self.notice),
            subject: DecisionSubject::Notice,
            reason,
            not_before: None,
        }
    }
}

/// Records why notices lose lapses, which are pairs of their ids.
pub(super) async fn record_items(
    tx: &mut Tx,
    items: &[(String, String)],
    reason_of: impl Fn(&str) -> NoticeReason,
    now: Time,
) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    let lapses: Vec<&str> = items.iter().map(|(_, lapse)| lapse.as_str()).collect();
    let rows: Vec<(String, String, String)> = query_as(
        "SELECT lapse_id, member_id, connection_id FROM lapses
         WHERE lapse_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&lapses)?)
    .fetch_all(&mut *tx)
    .await?;
    let owners: BTreeMap<&str, (&str, &str)> = rows
        .iter()
        .map(|(lapse, member, connection)| (lapse.as_str(), (member.as_str(), connection.as_str())))
        .collect();
    let part = |(notice, lapse): &(String, String)| {
        let (member, connection) = owners.get(lapse.as_str())?;
        Some(NoticePart {
            notice: NoticeId::new(notice.as_str()),
            member: MemberId::new(*member),
            connection: Some(ConnectionId::new(*connection)),
            lapse: Some(LapseId::new(lapse.as_str())),
        })
    };
    let parts: Vec<NoticePart> = items.iter().filter_map(part).collect();
    let reason = |part: &NoticePart| reason_of(part.lapse.as_ref().map_or("", LapseId::as_str));
    let decisions: Vec<_> = parts.iter().map(|part| part.decision(reason(part))).collect();
    record(tx, &decisions, now).await
}

/// Records why an email that was sent is not about everything that it was planned for. What a gate took out is planned again,
/// and has its decision then.
pub(super) async fn record_left_out(
    tx: &mut Tx,
    notice: &Notice,
    result: &AttemptResult,
    now: Time,
) -> Result<()> {
    let is_left_out = |item: &&NoticeItem| !result.included.contains(item);
    let left_out: Vec<&NoticeItem> = notice.items.iter().filter(is_left_out).collect();
    if left_out.is_empty() {
        return Ok(());
    }
    let closed: Vec<(String, Option<String>)> = query_as(
        "SELECT lapse_id, outcome FROM lapses
         WHERE state = 'closed' AND lapse_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(&left_out.iter().map(|item| &item.lapse_id).collect::<Vec<_>>())?)
    .fetch_all(&mut *tx)
    .await?;
    let mut decisions = Vec::new();
    for item in left_out {
        let outcome = closed.iter().find(|(lapse, _)| lapse == item.lapse_id.as_str());
        let outcome = outcome.map(|(_, code)| code.as_ref().and_then(|code| code.parse().ok()));
        let unready = result.left_out.iter().find(|(member, _)| *member == item.member_id);
        let reason = outcome.map(NoticeReason::for_closed_lapse).or(unready.map(|(_, reason)| *reason));
        decisions.extend(reason.map(|reason| NewDecision {
            member: &item.member_id,
            connection: Some(&item.connection_id),
            lapse: Some(&item.lapse_id),
            notice: Some(&notice.id),
            subject: DecisionSubject::Notice,
            reason,
            not_before: None,
        }));
    }
    record(tx, &decisions, now).await
}

/// Records why whole notices are cancelled or held, for each of their lapses.
pub(super) async fn record_notices(
    tx: &mut Tx,
    notices: &[String],
    reason: NoticeReason,
    now: Time,
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let rows = query(
        "SELECT n.notice_id, coalesce(l.member_id, n.member_id) AS member_id, l.lapse_id,
            coalesce(l.connection_id, v.connection_id) AS connection_id
         FROM notices n
         LEFT JOIN notice_items i ON i.notice_id = n.notice_id AND i.in_email IS DISTINCT FROM FALSE
         LEFT JOIN lapses l ON l.lapse_id = i.lapse_id
         LEFT JOIN invitations v ON v.notice_id = n.notice_id
         WHERE n.notice_id IN (SELECT value FROM json_each($1)) ORDER BY n.notice_id, l.lapse_id",
    )
    .bind(json_list(notices)?)
    .fetch_all(&mut *tx)
    .await?;
    let parts = rows.iter().map(NoticePart::read).collect::<Result<Vec<_>>>()?;
    let decisions: Vec<_> = parts.iter().map(|part| part.decision(reason)).collect();
    record(tx, &decisions, now).await
}
