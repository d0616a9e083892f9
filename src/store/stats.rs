//! The fleet at a glance: what `status` reports.

use super::connections::MISMATCHED;
use super::engine::{Row, query, query_as, query_scalar};
use super::members::CREDENTIAL_LOCKED;
use super::row::RowExt;
use super::{Result, Store, json_list, millis, time};
use crate::domain::{CredentialRules, CredentialState, Time};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// The condition of the index `notices_unsent`.
const UNSENT: &str = "state IN ('queued', 'sending') AND is_tentative = FALSE";

/// Counts of the whole fleet.
#[derive(Clone, Debug)]
pub struct Stats {
    pub(crate) members: u64,
    pub(crate) paused: u64,
    /// Enrolled members with a suppressed address.
    pub(crate) suppressed: u64,
    /// Members without a usable credential, by `rejected`, `missing`, and `locked`.
    pub credentials: BTreeMap<String, u64>,
    /// Members without a usable response, by reason code.
    pub unclear: BTreeMap<String, u64>,
    /// Enrolled, unpaused members who get no more email about an open lapse, by reason code. `no_response` are the others
    /// without a usable response since the given instant.
    pub unreachable: BTreeMap<String, u64>,
    /// The last usable response of any member.
    pub(crate) last_answer_at: Option<Time>,
    pub connections: BTreeMap<String, u64>,
    /// Connections whose records belong to another person.
    pub person_mismatches: u64,
    pub lapses_open: u64,
    pub(crate) notices: BTreeMap<String, u64>,
    /// Since when the oldest notice that was due is not sent.
    pub(crate) oldest_due_at: Option<Time>,
    /// The newest sweep.
    pub last_sweep: Option<SweepRecord>,
}

impl Stats {
    /// The members by the state of their credential, those with a usable one (`ok`) included.
    pub(crate) fn credentials_by_state(&self) -> BTreeMap<String, u64> {
        let unusable: u64 = self.credentials.values().sum();
        let mut credentials = self.credentials.clone();
        credentials.insert(CredentialState::Ok.as_str().to_owned(), self.members.saturating_sub(unusable));
        credentials
    }

    /// The age of the oldest notice that was due and is not sent; zero without one.
    pub fn queue_age(&self, now: Time) -> TimeDelta {
        self.oldest_due_at.map_or(TimeDelta::zero(), |due_at| (now - due_at).max(TimeDelta::zero()))
    }
}

/// The funnel of the lapses that opened in a period. The numbers are independent: a connection may recover by itself, and a
/// scanner may press a button on a page that no person opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funnel {
    pub lapsed: u64,
    pub noticed: u64,
    /// Lapses with a link that a person opened.
    pub opened: u64,
    /// Lapses with a redemption.
    pub redeemed: u64,
    /// Lapses that ended with CONNECTED.
    pub recovered: u64,
    /// Of these, the lapses about which no email was sent.
    pub recovered_unnoticed: u64,
}

/// A sweep, as reports show it.
#[derive(Clone, Debug)]
pub struct SweepRecord {
    pub started_at: Time,
    pub finished_at: Option<Time>,
    /// Polled members.
    pub(crate) members: u64,
    /// Members without a usable response.
    pub(crate) unclear: u64,
    /// Members left out.
    pub(crate) skipped: u64,
    /// Transitions seen.
    pub(crate) transitions: u64,
    /// Whether it ran to its end, every member polled gave a usable response, and few were skipped.
    pub complete: bool,
    pub ended_early_because: Option<String>,
}

impl Store {
    /// Counts everything. Members without a usable response since `answered_since` are unreachable, too.
    pub async fn stats(&self, rules: &CredentialRules, answered_since: Time) -> Result<Stats> {
        let members = query(
            "SELECT count(*) AS members, count(paused_at) AS paused,
                count(*) FILTER (WHERE f.state IS NULL AND c.member_id IS NULL) AS without,
                count(*) FILTER (WHERE f.state IS NULL AND c.member_id IS NOT NULL AND (u.reason = $1
                    OR c.key_id IN (SELECT value FROM json_each($2)))) AS locked
             FROM members m LEFT JOIN credentials c ON c.member_id = m.member_id
             LEFT JOIN credential_failures f ON f.member_id = m.member_id
             LEFT JOIN unclear_members u ON u.member_id = m.member_id WHERE m.removed_at IS NULL",
        )
        .bind(CREDENTIAL_LOCKED)
        .bind(json_list(&rules.locked_keys)?)
        .fetch_one(&self.reader)
        .await?;
        let mut credentials = self.count_failed_credentials().await?;
        if rules.needs_token {
            for (state, column) in [("missing", "without"), ("locked", "locked")] {
                let count: i64 = members.try_get(column)?;
                if count > 0 {
                    *credentials.entry(state.into()).or_default() += count.unsigned_abs();
                }
            }
        }
        let unclear = self
            .counts(
                "SELECT u.reason, count(*) FROM unclear_members u JOIN members m ON m.member_id = u.member_id
                 WHERE m.paused_at IS NULL GROUP BY 1",
            )
            .await?;
        Ok(Stats {
            unclear,
            unreachable: self.unreachable(answered_since).await?,
            last_answer_at: self.last_answer_at().await?,
            suppressed: self
                .count(
                    "SELECT count(*) FROM members WHERE removed_at IS NULL AND address_hash IN
                        (SELECT address_hash FROM suppressions)",
                )
                .await?,
            person_mismatches: self
                .count(&format!(
                    "SELECT count(*) FROM connections k JOIN members m ON m.member_id = k.member_id
                     WHERE m.removed_at IS NULL AND {MISMATCHED}"
                ))
                .await?,
            members: members.total("members")?,
            paused: members.total("paused")?,
            credentials,
            connections: self
                .counts(
                    "SELECT coalesce(status, 'UNKNOWN'), count(*) FROM connections k
                     JOIN members m ON m.member_id = k.member_id WHERE m.removed_at IS NULL GROUP BY 1",
                )
                .await?,
            lapses_open: self.count("SELECT count(*) FROM lapses WHERE state = 'open'").await?,
            notices: self.counts("SELECT state, count(*) FROM notices GROUP BY state").await?,
            oldest_due_at: self.oldest_due_at().await?,
            last_sweep: self.last_sweep().await?,
        })
    }

    /// Since when the oldest notice that was due is not sent. Retries do not change that; a notice under a hold, or one that
    /// a gate defers, is not due.
    pub(crate) async fn oldest_due_at(&self) -> Result<Option<Time>> {
        // What a person or an operator requested is due at once, and has no `due_at`.
        let row = query(format!(
            "SELECT (SELECT due_at FROM notices WHERE {UNSENT} AND due_at IS NOT NULL ORDER BY due_at LIMIT 1) AS planned,
                (SELECT planned_at FROM notices WHERE {UNSENT} AND due_at IS NULL ORDER BY planned_at LIMIT 1) AS requested"
        ))
        .fetch_one(&self.reader)
        .await?;
        Ok(row.optional_time("planned")?.into_iter().chain(row.optional_time("requested")?).min())
    }

    async fn count(&self, sql: &str) -> Result<u64> {
        let count: i64 = query_scalar(sql.to_owned()).fetch_one(&self.reader).await?;
        Ok(count.unsigned_abs())
    }

    /// The funnel of the lapses that opened since an instant.
    pub async fn funnel(&self, since: Time) -> Result<Funnel> {
        let row = query(
            "SELECT count(*) AS lapsed,
                count(*) FILTER (WHERE EXISTS (SELECT 1 FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
                    WHERE i.lapse_id = l.lapse_id AND i.counts_as_step = TRUE AND n.state = 'sent')) AS noticed,
                count(*) FILTER (WHERE EXISTS (SELECT 1 FROM link_buttons b JOIN links k ON k.token_hash = b.token_hash
                    WHERE b.lapse_id = l.lapse_id AND k.first_opened_at IS NOT NULL)) AS opened,
                count(*) FILTER (WHERE EXISTS (SELECT 1 FROM link_buttons b
                    WHERE b.lapse_id = l.lapse_id AND b.redemptions > 0)) AS redeemed,
                count(*) FILTER (WHERE l.state = 'closed' AND l.outcome = 'recovered') AS recovered,
                count(*) FILTER (WHERE l.state = 'closed' AND l.outcome = 'recovered' AND NOT EXISTS
                    (SELECT 1 FROM notice_items i JOIN notices n ON n.notice_id = i.notice_id
                     WHERE i.lapse_id = l.lapse_id AND n.kind = 'reconnect' AND n.state = 'sent'
                       AND i.in_email IS DISTINCT FROM FALSE)) AS recovered_unnoticed
             FROM lapses l WHERE l.opened_at >= $1",
        )
        .bind(millis(since))
        .fetch_one(&self.reader)
        .await?;
        Ok(Funnel {
            lapsed: row.total("lapsed")?,
            noticed: row.total("noticed")?,
            opened: row.total("opened")?,
            redeemed: row.total("redeemed")?,
            recovered: row.total("recovered")?,
            recovered_unnoticed: row.total("recovered_unnoticed")?,
        })
    }

    /// The end of the last sweep in which some member gave a usable response.
    async fn last_answer_at(&self) -> Result<Option<Time>> {
        let at: Option<i64> = query_scalar(
            "SELECT finished_at FROM sweeps WHERE finished_at IS NOT NULL AND members > unclear
             ORDER BY sequence DESC LIMIT 1",
        )
        .fetch_optional(&self.reader)
        .await?;
        Ok(at.map(time))
    }

    /// Of a statement that returns keys and their counts.
    pub(super) async fn counts(&self, sql: &'static str) -> Result<BTreeMap<String, u64>> {
        let rows: Vec<(String, i64)> = query_as(sql).fetch_all(&self.reader).await?;
        Ok(rows.into_iter().map(|(key, count)| (key, count.unsigned_abs())).collect())
    }

    /// The newest sweep.
    pub async fn last_sweep(&self) -> Result<Option<SweepRecord>> {
        Ok(self.last_sweeps(1).await?.pop())
    }

    /// The newest sweeps, the newest first.
    pub(crate) async fn last_sweeps(&self, limit: u32) -> Result<Vec<SweepRecord>> {
        let rows = query(
            "SELECT started_at, finished_at, members, unclear, skipped, transitions, complete, ended_early_because FROM sweeps
             ORDER BY sequence DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let sweep = |row: &Row| {
            Ok(SweepRecord {
                started_at: row.time("started_at")?,
                finished_at: row.optional_time("finished_at")?,
                members: row.total("members")?,
                unclear: row.total("unclear")?,
                skipped: row.total("skipped")?,
                transitions: row.total("transitions")?,
                complete: row.try_get("complete")?,
                ended_early_because: row.try_get("ended_early_because")?,
            })
        };
        rows.iter().map(sweep).collect()
    }
}
