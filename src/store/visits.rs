//! `visits`: who opens links and presses their buttons, in counts that name no member.

use super::sqlite::DOMAIN;
use super::{Result, Store, millis, time};
use crate::domain::{Act, By, Mailing, MemberId, Time, TokenHash};
use chrono::TimeDelta;
use sqlx::{Row, Sqlite, Transaction};

/// How long counts are kept, in days.
const KEPT: i64 = 400;

/// What the evidence of a visit is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitedLink {
    /// The domain of the member's address, in lower case; `None` when the member is no longer enrolled.
    pub(crate) domain: Option<String>,
    /// The mail that it came with.
    pub(crate) mailing: Mailing,
    /// When it was looked at last, as far as that is recorded.
    pub(crate) looked_at: Option<Time>,
}

/// Visits of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Their day's first instant, UTC.
    pub(crate) day: Time,
    /// Of the members' addresses.
    pub(crate) domain: String,
    /// What was done.
    pub(crate) act: Act,
    /// By whom.
    pub(crate) by: By,
    /// How often.
    pub(crate) visits: u32,
}

/// What a link remembers of its visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Which link.
    pub(crate) link: TokenHash,
    /// When anybody looked at it last.
    pub(crate) looked_at: Option<Time>,
    /// When a person first did.
    pub(crate) opened_at: Option<Time>,
}

/// All visits to the links of one domain's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainVisits {
    /// The domain, or `other`.
    pub domain: String,
    /// Looks by machines.
    pub looks_machine: u64,
    /// Looks by persons.
    pub looks_person: u64,
    /// Presses by machines.
    pub presses_machine: u64,
    /// Presses by persons.
    pub presses_person: u64,
}

impl Store {
    /// The link behind a token that was visited; `None` when there is none.
    pub(crate) async fn visited_link(&self, hash: TokenHash) -> Result<Option<VisitedLink>> {
        let sql = format!(
            "SELECT {DOMAIN} AS domain, 1 AS mailed, a.finished_at, k.looked_at FROM links k
             JOIN members m ON m.member_id = k.member_id
             LEFT JOIN attempts a ON a.notice_id = k.notice_id AND a.attempt = k.attempt WHERE k.token_hash = $1
             UNION ALL SELECT {DOMAIN}, 0, NULL, i.looked_at FROM invitations i
             JOIN members m ON m.member_id = i.member_id WHERE i.token_hash = $1"
        );
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&hash.0[..]).fetch_optional(&self.reader).await?;
        row.map(|row| {
            let accepted = row.try_get::<Option<i64>, _>("finished_at")?.map(time);
            Ok(VisitedLink {
                domain: Some(row.try_get("domain")?).filter(|domain: &String| !domain.is_empty()),
                mailing: match row.try_get::<bool, _>("mailed")? {
                    false => Mailing::ByHand,
                    true => accepted.map_or(Mailing::Underway, Mailing::Accepted),
                },
                looked_at: row.try_get::<Option<i64>, _>("looked_at")?.map(time),
            })
        })
        .transpose()
    }

    /// Adds to the counts, and notes on the links what they have seen. Counts that are older than a year go.
    pub(crate) async fn count_visits(&self, tallies: &[Tally], openings: &[Opening]) -> Result<()> {
        let mut tx = self.begin().await?;
        if let Some(newest) = tallies.iter().map(|tally| tally.day).max() {
            sqlx::query("DELETE FROM visits WHERE day < $1")
                .bind(millis(newest - TimeDelta::days(KEPT)))
                .execute(&mut *tx)
                .await?;
        }
        for tally in tallies {
            sqlx::query(
                "INSERT INTO visits (day, domain, act, who, visits) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (day, domain, act, who) DO UPDATE SET visits = visits.visits + excluded.visits",
            )
            .bind(millis(tally.day))
            .bind(&tally.domain)
            .bind(tally.act.as_str())
            .bind(tally.by.as_str())
            .bind(tally.visits)
            .execute(&mut *tx)
            .await?;
        }
        for opening in openings {
            let noted = sqlx::query(
                "UPDATE links SET looked_at = coalesce($2, looked_at), opened_at = coalesce(opened_at, $3)
                 WHERE token_hash = $1",
            )
            .bind(&opening.link.0[..])
            .bind(opening.looked_at.map(millis))
            .bind(opening.opened_at.map(millis))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if noted == 0 {
                sqlx::query(
                    "UPDATE invitations SET looked_at = coalesce($2, looked_at) WHERE token_hash = $1",
                )
                .bind(&opening.link.0[..])
                .bind(opening.looked_at.map(millis))
                .execute(&mut *tx)
                .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// The visits since the day of `since`, most presses by machines first. Domains with fewer than `fewest` enrolled
    /// members are one, `other`: a domain of one's own would name its member.
    pub async fn visits(&self, since: Time, fewest: u32) -> Result<Vec<DomainVisits>> {
        let sum = |act: Act, by: By| {
            let (act, by) = (act.as_str(), by.as_str());
            format!("coalesce(sum(visits) FILTER (WHERE act = '{act}' AND who = '{by}'), 0)")
        };
        let sql = format!(
            "WITH seen AS MATERIALIZED (SELECT domain, {} AS looks_machine, {} AS looks_person,
                    {} AS presses_machine, {} AS presses_person FROM visits WHERE day > $1 GROUP BY domain),
                known AS MATERIALIZED (SELECT {DOMAIN} AS domain FROM members WHERE removed_at IS NULL
                    GROUP BY 1 HAVING count(*) >= $2)
             SELECT coalesce(k.domain, 'other') AS named, sum(looks_machine) AS looks_machine,
                sum(looks_person) AS looks_person, sum(presses_machine) AS presses_machine,
                sum(presses_person) AS presses_person
             FROM seen s LEFT JOIN known k ON k.domain = s.domain
             GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1",
            sum(Act::Look, By::Machine),
            sum(Act::Look, By::Person),
            sum(Act::Press, By::Machine),
            sum(Act::Press, By::Person),
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(millis(since - TimeDelta::days(1)))
            .bind(fewest)
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let number =
                    |column: &str| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.unsigned_abs());
                Ok(DomainVisits {
                    domain: row.try_get("named")?,
                    looks_machine: number("looks_machine")?,
                    looks_person: number("looks_person")?,
                    presses_machine: number("presses_machine")?,
                    presses_person: number("presses_person")?,
                })
            })
            .collect()
    }
}

/// Forgets the counts of a domain at which nobody but this member has an address. Before their address goes.
pub(super) async fn forget_domain(tx: &mut Transaction<'_, Sqlite>, member: &MemberId) -> Result<()> {
    let sql = format!(
        "SELECT {DOMAIN} FROM members WHERE member_id = $1 AND EXISTS (SELECT 1 FROM visits WHERE domain = {DOMAIN})"
    );
    let visited: Option<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(member.as_str()).fetch_optional(&mut **tx).await?;
    let Some(domain) = visited else { return Ok(()) };
    let sql = format!(
        "DELETE FROM visits WHERE domain = $1
         AND NOT EXISTS (SELECT 1 FROM members WHERE member_id <> $2 AND {DOMAIN} = $1)"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql)).bind(domain).bind(member.as_str()).execute(&mut **tx).await?;
    Ok(())
}
