//! `holds`: orders not to send email, and the notices that wait for their end.

use super::audit;
use super::decisions;
use super::engine::{Query, Row, Tx, query, query_scalar};
use super::row::RowExt;
use super::waiting_notices::{IS_WAITING, plan_again};
use super::{Result, Store, millis};
use crate::base::random;
use crate::domain::{
    ActiveHold, AuditAction, AuditEntry, ConnectionId, HoldId, HoldKind, HoldScope, HoldState, MemberId, Time,
};

/// SQL condition: the scope of a hold covers the item `i`, about the connection `k`.
fn is_in_scope(hold: &str) -> String {
    format!(
        "({hold}.source IS NULL OR {hold}.source = lower(i.connection_id))
         AND ({hold}.member_id IS NULL OR {hold}.member_id = k.member_id)
         AND ({hold}.status IS NULL OR {hold}.status = k.status)"
    )
}

/// SQL: the connection `k` that the item `i` is about. Its member need not be the notice's.
const CONNECTION: &str =
    "lapses l JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id";

/// SQL condition: the item `i` is part of the email of the notice `n`.
const IS_IN_NOTICE: &str =
    "i.notice_id = n.notice_id AND (i.counts_as_step = TRUE OR n.resend_of IS NOT NULL)";

/// SQL condition: a hold in one of these states covers the item `i` of the notice `n` at `$1`.
pub(super) fn covers_item(states: &[HoldState]) -> String {
    let states: Vec<_> = states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    is_covered_by(&format!("h.state IN ({})", states.join(", ")))
}

/// SQL condition: a hold `h` that meets a condition covers the item `i` of the notice `n` at `$1`.
pub(super) fn is_covered_by(condition: &str) -> String {
    let in_scope = is_in_scope("h");
    format!(
        "EXISTS (SELECT 1 FROM {CONNECTION} JOIN holds h ON {in_scope}
            WHERE l.lapse_id = i.lapse_id AND {condition} AND (h.until IS NULL OR h.until > $1))"
    )
}

/// SQL condition: the hold is an operator's and has no conditions. It covers each email, whatever it is about.
fn is_on_all_email(hold: &str) -> String {
    format!(
        "({hold}.kind = 'operator' AND {hold}.source IS NULL AND {hold}.member_id IS NULL AND {hold}.status IS NULL)"
    )
}

/// SQL condition: a hold on all email is in force at `$1`.
pub(super) fn all_email_is_held() -> String {
    let on_all = is_on_all_email("h");
    format!(
        "EXISTS (SELECT 1 FROM holds h WHERE {on_all} AND h.state = 'holding' AND (h.until IS NULL OR h.until > $1))"
    )
}

/// SQL condition: some part of the notice `n` is not covered by a hold in one of these states at `$1`.
pub(super) fn is_partly_free(states: &[HoldState]) -> String {
    let free_item = has_item(&format!("NOT {}", covers_item(states)));
    format!("CASE WHEN n.kind = 'reconnect' THEN {free_item} ELSE NOT {} END", all_email_is_held())
}

/// SQL condition: an item `i` of the notice `n` meets the condition. PostgreSQL would join `EXISTS` with the whole table.
pub(super) fn has_item(condition: &str) -> String {
    format!("(SELECT count(*) FROM notice_items i WHERE {IS_IN_NOTICE} AND {condition}) > 0")
}

/// A hold, as reports show it.
#[derive(Clone, Debug)]
pub struct HoldRecord {
    pub id: HoldId,
    pub kind: HoldKind,
    pub state: HoldState,
    pub scope: HoldScope,
    pub since: Time,
    pub until: Option<Time>,
    pub ended_at: Option<Time>,
    pub reason: String,
    /// Of a storm: the lapses that triggered it, and the connections among which they were.
    pub lapsed: u64,
    pub connections: u64,
    /// The notices that it holds now.
    pub notices: u64,
    /// Those among them of which no other hold covers every part: its release sends them.
    pub would_email: u64,
}

/// A hold by the operator.
#[derive(Clone, Debug)]
pub struct NewHold {
    pub scope: HoldScope,
    pub until: Option<Time>,
    pub reason: String,
}

impl Store {
    /// Adds an operator's hold. It covers what is queued, too. `None`: its member is not enrolled.
    pub async fn add_hold(&self, new: &NewHold, now: Time) -> Result<Option<HoldRecord>> {
        let id = random::id(now);
        let unit = async |mut tx: Tx| {
            let member = new.scope.member_id.as_ref();
            if let Some(member) = member
                && !is_enrolled(&mut tx, member).await?
            {
                return Ok(false);
            }
            insert(&mut tx, &id, new, now).await?;
            let entry = AuditEntry::new(AuditAction::HoldAdd).about(member);
            audit::record(&mut tx, entry.target(id.as_str()), now).await?;
            Ok(true)
        };
        if !self.write(unit).await? {
            return Ok(None);
        }
        Ok(self.read_holds("h.hold_id = $1", Some(&id)).await?.pop())
    }

    /// Whether a hold meets a condition in SQL, in which `$1` is the time. Usually none does, and a read is enough to know that.
    pub(super) async fn has_due_hold(&self, is_due: &str, now: Time) -> Result<bool> {
        query_scalar(format!("SELECT EXISTS (SELECT 1 FROM holds WHERE {is_due})"))
            .bind(millis(now))
            .fetch_one(&self.reader)
            .await
    }

    /// All holds, the newest first.
    pub async fn holds(&self) -> Result<Vec<HoldRecord>> {
        self.read_holds("TRUE", None).await
    }

    /// The next `limit` holds that are older than the one that began at a time with an id, the newest first.
    pub(crate) async fn holds_before(
        &self,
        before: Option<(Time, &HoldId)>,
        limit: u32,
    ) -> Result<Vec<HoldRecord>> {
        let page = select_holds("(h.since, h.hold_id) < ($1, $2)", "LIMIT $3")
            .bind(before.map_or(i64::MAX, |(since, _)| millis(since)))
            .bind(before.map_or("", |(_, id)| id.as_str()))
            .bind(limit);
        page.fetch_all(&self.reader).await?.iter().map(record).collect()
    }

    /// The holds that have not ended, the newest first.
    pub async fn active_holds(&self) -> Result<Vec<HoldRecord>> {
        self.read_holds("h.state <> 'ended'", None).await
    }

    pub(super) async fn read_holds(&self, condition: &str, id: Option<&str>) -> Result<Vec<HoldRecord>> {
        let mut holds = select_holds(condition, "");
        if let Some(id) = id {
            holds = holds.bind(id);
        }
        holds.fetch_all(&self.reader).await?.iter().map(record).collect()
    }
}

/// The holds `h` that meet a condition, the newest first.
fn select_holds(condition: &str, limit: &str) -> Query {
    let (in_scope, in_other) = (is_in_scope("h"), is_in_scope("o"));
    let is_uncovered = format!(
        "NOT EXISTS (SELECT 1 FROM holds o WHERE o.hold_id <> h.hold_id AND o.state <> 'ended' AND {in_other})"
    );
    let (on_all, other_on_all) = (is_on_all_email("h"), is_on_all_email("o"));
    let is_only_on_all = format!(
        "NOT EXISTS (SELECT 1 FROM holds o WHERE o.hold_id <> h.hold_id AND o.state <> 'ended' AND {other_on_all})"
    );
    // `condition` is about an item of the notice; `about_none`, about a notice that is about no broken connection.
    let held = |condition: &str, about_none: &str| {
        format!(
            "CASE WHEN h.state = 'ended' THEN 0 ELSE (SELECT count(*) FROM notices n WHERE n.state = 'held' AND
                CASE WHEN n.kind = 'reconnect' THEN
                    (SELECT count(*) FROM notice_items i WHERE {IS_IN_NOTICE} AND
                        (SELECT count(*) FROM {CONNECTION}
                         WHERE l.lapse_id = i.lapse_id AND {in_scope} AND {condition}) > 0) > 0
                ELSE {on_all} AND {about_none} END) END"
        )
    };
    query(format!(
        "SELECT h.hold_id, h.kind, h.state, h.source, h.member_id, h.status, h.reason, h.since, h.until, h.ended_at,
            h.lapsed, h.connections, {} AS notices, {} AS would_email
         FROM holds h WHERE {condition} ORDER BY h.since DESC, h.hold_id DESC {limit}",
        held("TRUE", "TRUE"),
        held(&is_uncovered, &is_only_on_all)
    ))
}

/// The holds that have not ended and can cover connections of the members, a JSON list.
pub(super) fn select_active(members: &str) -> Query {
    query(
        "SELECT kind, state, source, member_id, status, until FROM holds WHERE state <> 'ended'
           AND (member_id IS NULL OR member_id IN (SELECT value FROM json_each($1)))
         ORDER BY kind DESC, since, hold_id",
    )
    .bind(members)
}

/// Reads a row of [`select_active`].
pub(super) fn active(row: &Row) -> Result<ActiveHold> {
    let (kind, until) = (row.parsed("kind")?, row.optional_time("until")?);
    let is_dripping = row.parsed::<HoldState>("state")? == HoldState::Dripping;
    Ok(ActiveHold { kind, is_dripping, scope: scope(row)?, until })
}

/// Adds an operator's hold, and holds what it covers.
pub(super) async fn insert(tx: &mut Tx, id: &str, new: &NewHold, now: Time) -> Result<()> {
    query(
        "INSERT INTO holds (hold_id, kind, state, source, member_id, status, reason, since, until)
         VALUES ($1, $2, 'holding', $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(HoldKind::Operator.as_str())
    .bind(new.scope.source.as_ref().map(ConnectionId::folded))
    .bind(new.scope.member_id.as_ref().map(|member| member.as_str().to_owned()))
    .bind(new.scope.status.as_ref().map(|status| status.as_str().to_owned()))
    .bind(&new.reason)
    .bind(millis(now))
    .bind(new.until.map(millis))
    .execute(&mut *tx)
    .await?;
    hold_queued(tx, HoldKind::Operator, now).await?;
    Ok(())
}

/// Holds the queued notices of which every part is covered. The planner divides the others.
pub(super) async fn hold_queued(tx: &mut Tx, kind: HoldKind, now: Time) -> Result<u64> {
    let covers = covers_item(&[HoldState::Holding]);
    let held: Vec<String> = query_scalar(format!(
        "UPDATE notices AS n SET state = 'held', reason = $2, is_tentative = FALSE,
            due_at = CASE WHEN attempts > 0 THEN due_at END
         WHERE state = 'queued' AND CASE WHEN kind = 'reconnect' THEN {} AND NOT {} ELSE $3 AND {} END
         RETURNING notice_id",
        has_item(&covers),
        has_item(&format!("NOT {covers}")),
        all_email_is_held()
    ))
    .bind(millis(now))
    .bind(kind.reason().as_str())
    .bind(kind == HoldKind::Operator)
    .fetch_all(&mut *tx)
    .await?;
    decisions::record_notices(tx, &held, kind.reason(), now).await?;
    query(format!(
        "UPDATE lapses SET plan_at = $1 WHERE state = 'open' AND lapse_id IN
            (SELECT i.lapse_id FROM notices n JOIN notice_items i ON {IS_IN_NOTICE}
             WHERE n.state = 'queued' AND n.kind = 'reconnect' AND {covers})"
    ))
    .bind(millis(now))
    .execute(tx)
    .await?;
    Ok(held.len() as u64)
}

/// Queues the held notices that meet a condition in SQL, in which `$1` is the time. Those that no delivery has begun with pass
/// the gates of the planner first. Returns their number.
pub(super) async fn queue_again(tx: &mut Tx, condition: &str, now: Time) -> Result<u64> {
    let queued: Vec<String> = query_scalar(format!(
        "UPDATE notices AS n SET state = 'queued', not_before = $1, is_tentative = {IS_WAITING},
            due_at = CASE WHEN attempts > 0 THEN due_at END,
            reason = CASE WHEN n.resend_of IS NOT NULL THEN 'resend' WHEN n.kind = 'recovered' THEN 'recovery_notice'
                WHEN n.kind = 'invited' THEN 'invitation' WHEN n.step = 0 THEN 'first_notice' ELSE 'reminder' END
         WHERE n.state = 'held' AND {condition} RETURNING notice_id"
    ))
    .bind(millis(now))
    .fetch_all(&mut *tx)
    .await?;
    plan_again(tx, &queued, now).await?;
    Ok(queued.len() as u64)
}

async fn is_enrolled(tx: &mut Tx, member: &MemberId) -> Result<bool> {
    query_scalar("SELECT EXISTS (SELECT 1 FROM members WHERE member_id = $1 AND removed_at IS NULL)")
        .bind(member.as_str())
        .fetch_one(tx)
        .await
}

pub(super) fn scope(row: &Row) -> Result<HoldScope> {
    Ok(HoldScope {
        source: row.optional_text("source")?,
        member_id: row.optional_text("member_id")?,
        status: row.optional_text("status")?,
    })
}

fn record(row: &Row) -> Result<HoldRecord> {
    Ok(HoldRecord {
        id: row.text("hold_id")?,
        kind: row.parsed("kind")?,
        state: row.parsed("state")?,
        scope: scope(row)?,
        since: row.time("since")?,
        until: row.optional_time("until")?,
        ended_at: row.optional_time("ended_at")?,
        reason: row.text_of("reason")?.to_owned(),
        lapsed: row.total("lapsed")?,
        connections: row.total("connections")?,
        notices: row.total("notices")?,
        would_email: row.total("would_email")?,
    })
}
