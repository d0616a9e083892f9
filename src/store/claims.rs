//! Claims of the delivery queue: a batch of notices at a time, each with a lease and the start of an attempt.

use super::attempt_results::AttemptOutcome;
use super::crowded::{Crowded, Pass, Passed};
use super::engine::{Row, Tx, per_engine, query, query_scalar};
use super::notices::{COLUMNS, item, read};
use super::{Result, Store, count, json_list, millis};
use crate::domain::{Notice, NoticeItem, Time};
use chrono::TimeDelta;
use std::collections::{BTreeSet, HashMap};

/// How long a claim is valid, and from the handover on again. An attempt whose claim has expired stores no link and
/// therefore sends nothing. After the handover, the slowest permitted mail server needs half of it.
pub const DELIVERY_LEASE: TimeDelta = TimeDelta::hours(1);

/// A claimed notice, until its lease expires.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The notice as it was claimed.
    pub notice: Notice,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Earlier attempts with a transient failure.
    pub(crate) failures: u32,
    /// Earlier attempts that the mail server may have accepted: the connection broke, or the process ended after the
    /// attempt stored its unsubscribe token, which is the last step before the message is handed over.
    pub(crate) unknown_outcomes: u32,
    /// Consecutive deferred attempts, up to now.
    pub(crate) deferrals: u32,
    /// Whether the member asked for it on a link's page.
    pub(crate) is_resend: bool,
    /// The recipient's domain.
    pub domain: String,
}

/// How many notices a claim may take.
#[derive(Clone, Debug)]
pub struct ClaimLimits {
    pub slots: usize,
    /// The deliveries under way, by recipient domain.
    pub under_way: HashMap<String, usize>,
    /// A domain with so many deliveries comes after all others.
    pub last_at: usize,
    /// A domain with so many deliveries gets no more.
    pub full_at: usize,
    /// What earlier claims found. All claims with the same deliveries share it.
    pub crowded: Crowded,
}

impl ClaimLimits {
    /// Whatever the domains.
    pub fn slots(slots: usize) -> Self {
        let (under_way, crowded) = (HashMap::new(), Crowded::default());
        Self { slots, under_way, last_at: slots, full_at: slots, crowded }
    }

    fn domains_at(&self, limit: usize) -> BTreeSet<&str> {
        let full = self.under_way.iter().filter(|(_, count)| **count >= limit);
        full.map(|(domain, _)| domain.as_str()).collect()
    }
}

/// What earlier attempts of a notice tell.
#[derive(Clone, Copy, Debug, Default)]
struct Earlier {
    failures: u32,
    unknown_outcomes: u32,
    deferrals: u32,
    has_other_than_deferred: bool,
}

impl Store {
    /// Claims the notices that are due first, until `leased_until`, and records the start of their attempts. Returns them
    /// in the order in which they were due.
    pub async fn claim_notices(
        &self,
        now: Time,
        leased_until: Time,
        limits: &ClaimLimits,
    ) -> Result<Vec<Claim>> {
        // Usually none is due. A read is enough to know that.
        let full = limits.domains_at(limits.full_at);
        let any: bool = query_scalar(
            "SELECT EXISTS (SELECT 1 FROM notices WHERE state = 'queued' AND is_tentative = FALSE AND not_before <= $1
               AND not_before >= $3 AND domain NOT IN (SELECT value FROM json_each($2)))",
        )
        .bind(millis(now))
        .bind(json_list(&Vec::from_iter(&full))?)
        .bind(limits.crowded.passed(Pass::Full, &full, now))
        .fetch_one(&self.reader)
        .await?;
        if !any {
            return Ok(Vec::new());
        }
        let (claims, crowded) = self
            .write(async |mut tx| {
                if !self.holder.may_lease(&mut tx).await? {
                    return Ok((Vec::new(), Vec::new()));
                }
                let (chosen, crowded) = choose(&mut tx, now, limits.clone()).await?;
                let claims = self.claim(&mut tx, &chosen, now, leased_until).await?;
                Ok((claims, crowded))
            })
            .await?;
        limits.crowded.note(crowded);
        Ok(claims)
    }

    async fn claim(
        &self,
        tx: &mut Tx,
        chosen: &[String],
        now: Time,
        leased_until: Time,
    ) -> Result<Vec<Claim>> {
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let ids = json_list(chosen)?;
        let rows = query(format!(
            "UPDATE notices AS n SET state = 'sending', attempts = attempts + 1, leased_until = $2, holder = $3,
                address_hash = NULL
             WHERE notice_id IN (SELECT value FROM json_each($1)) AND state = 'queued'
             RETURNING {}, domain, resend_of IS NOT NULL AS is_resend",
            COLUMNS.replace("n.", "")
        ))
        .bind(&ids)
        .bind(millis(leased_until))
        .bind(self.holder.id().map(|id| id.as_str().to_owned()))
        .fetch_all(&mut *tx)
        .await?;
        let mut earlier = earlier_attempts(tx, &ids).await?;
        let mut items = items(tx, &ids).await?;
        query(
            "INSERT INTO attempts (notice_id, attempt, started_at) SELECT notice_id, attempts, $2 FROM notices
             WHERE notice_id IN (SELECT value FROM json_each($1)) AND state = 'sending'",
        )
        .bind(&ids)
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        let mut claims = HashMap::new();
        for row in &rows {
            let mut notice = read(row)?.notice;
            let id = notice.id.as_str().to_owned();
            notice.items = items.remove(&id).unwrap_or_default();
            let Earlier { failures, unknown_outcomes, deferrals, .. } =
                earlier.remove(&id).unwrap_or_default();
            let claim = Claim {
                attempt: notice.attempts,
                failures,
                unknown_outcomes,
                deferrals,
                is_resend: row.try_get("is_resend")?,
                domain: row.try_get("domain")?,
                notice,
            };
            claims.insert(id, claim);
        }
        Ok(chosen.iter().filter_map(|id| claims.remove(id)).collect())
    }
}

/// The notices that are due first, as far as the domains have room. First those of domains that do not come last. Also
/// returns what the next claims need not read again.
async fn choose(tx: &mut Tx, now: Time, mut limits: ClaimLimits) -> Result<(Vec<String>, Vec<Passed>)> {
    let (mut chosen, mut crowded) = (Vec::new(), Vec::new());
    for (pass, limit) in [(Pass::Last, limits.last_at), (Pass::Full, limits.full_at)] {
        let (mut from, mut is_last) = (i64::MIN, false);
        while !is_last && chosen.len() < limits.slots {
            let room = limits.slots - chosen.len();
            let full = limits.domains_at(limit);
            from = from.max(limits.crowded.passed(pass, &full, now));
            let due = due(tx, now, from, &full, &chosen, room).await?;
            is_last = due.len() < room;
            for row in &due {
                let under_way = limits.under_way.entry(row.try_get("domain")?).or_default();
                // A domain can reach its limit among these.
                if *under_way < limit {
                    *under_way += 1;
                    chosen.push(row.try_get("notice_id")?);
                }
            }
            from = match due.last() {
                Some(last) if !is_last => last.try_get("not_before")?,
                _ => millis(now),
            };
            let domains = limits.domains_at(limit).into_iter().map(str::to_owned).collect();
            crowded.push(Passed { pass, domains, until: from, found_at: now });
        }
    }
    Ok((chosen, crowded))
}

/// The notices that are due from a time on and neither chosen yet nor for one of the domains, those first that are due first.
async fn due(
    tx: &mut Tx,
    now: Time,
    from: i64,
    without: &BTreeSet<&str>,
    chosen: &[String],
    limit: usize,
) -> Result<Vec<Row>> {
    let sql = |skip_locked: &str| {
        format!(
            "SELECT notice_id, domain, not_before FROM notices
             WHERE state = 'queued' AND is_tentative = FALSE AND not_before <= $1 AND not_before >= $5
               AND domain NOT IN (SELECT value FROM json_each($2))
               AND notice_id NOT IN (SELECT value FROM json_each($3))
             ORDER BY not_before LIMIT $4 {skip_locked}"
        )
    };
    per_engine(sql(""), sql("FOR UPDATE SKIP LOCKED"))
        .bind(millis(now))
        .bind(json_list(&Vec::from_iter(without))?)
        .bind(json_list(chosen)?)
        .bind(u32::try_from(limit).unwrap_or(u32::MAX))
        .bind(from)
        .fetch_all(tx)
        .await
}

/// `notices`: a JSON array.
async fn earlier_attempts(tx: &mut Tx, notices: &str) -> Result<HashMap<String, Earlier>> {
    let rows = query(
        "SELECT a.notice_id, coalesce(a.outcome, 'interrupted') AS outcome, a.count,
            EXISTS (SELECT 1 FROM unsubscribe_tokens u
                    WHERE u.notice_id = a.notice_id AND u.attempt = a.attempt) AS is_handed_over
         FROM attempts a JOIN notices n ON n.notice_id = a.notice_id
         WHERE a.notice_id IN (SELECT value FROM json_each($1)) AND a.attempt > n.attempts_before_retry
         ORDER BY a.notice_id, a.attempt DESC",
    )
    .bind(notices)
    .fetch_all(&mut *tx)
    .await?;
    let mut earlier: HashMap<String, Earlier> = HashMap::new();
    for row in &rows {
        let known = earlier.entry(row.try_get("notice_id")?).or_default();
        let outcome = row.text_of("outcome")?;
        let is = |expected: AttemptOutcome| outcome == expected.as_str();
        let is_handed_over: bool = row.try_get("is_handed_over")?;
        known.failures += u32::from(is(AttemptOutcome::Retry));
        known.unknown_outcomes +=
            u32::from(is(AttemptOutcome::Unknown) || (is(AttemptOutcome::Interrupted) && is_handed_over));
        known.has_other_than_deferred |= !is(AttemptOutcome::Deferred);
        if !known.has_other_than_deferred {
            known.deferrals = known.deferrals.saturating_add(count(row.try_get("count")?));
        }
    }
    Ok(earlier)
}

/// `notices`: a JSON array.
async fn items(tx: &mut Tx, notices: &str) -> Result<HashMap<String, Vec<NoticeItem>>> {
    let rows = query(
        "SELECT i.notice_id, l.member_id, i.lapse_id, i.connection_id, i.step FROM notice_items i
         JOIN notices n ON n.notice_id = i.notice_id JOIN lapses l ON l.lapse_id = i.lapse_id
         WHERE i.notice_id IN (SELECT value FROM json_each($1))
           AND (i.counts_as_step = TRUE OR n.resend_of IS NOT NULL OR n.kind = 'recovered')
         ORDER BY l.member_id, i.connection_id",
    )
    .bind(notices)
    .fetch_all(&mut *tx)
    .await?;
    let mut items: HashMap<String, Vec<NoticeItem>> = HashMap::new();
    for row in &rows {
        items.entry(row.try_get("notice_id")?).or_default().push(item(row)?);
    }
    Ok(items)
}
