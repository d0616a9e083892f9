//! `link_requests`: counts of link views and button presses. They name no member.

use super::engine::{Tx, query, query_as};
use super::{Result, Store, millis, time};
use crate::domain::{Client, EmailStatus, LinkAction, MemberId, Time, TokenHash};
use chrono::TimeDelta;

/// The facts that classify a request for a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkContext {
    /// The domain of the member's email address, in lower case.
    pub(crate) domain: String,
    pub(crate) email: EmailStatus,
    pub(crate) last_viewed_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DailyCount {
    /// The first instant of the day, UTC.
    pub(crate) day: Time,
    pub(crate) domain: String,
    pub(crate) action: LinkAction,
    pub(crate) client: Client,
    pub(crate) requests: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkActivity {
    pub(crate) link: TokenHash,
    /// The latest view, by a bot or a person.
    pub(crate) last_viewed_at: Option<Time>,
    /// The first view or press by a person.
    pub(crate) first_opened_at: Option<Time>,
}

/// The requests for the links of one domain's members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainStats {
    /// `other` for domains with few members.
    pub domain: String,
    pub bot_views: u64,
    pub human_views: u64,
    pub bot_presses: u64,
    pub human_presses: u64,
}

impl Store {
    /// `None` when the link is unknown, or when its member has been removed.
    pub(crate) async fn link_context(&self, hash: TokenHash) -> Result<Option<LinkContext>> {
        let row = query(
            "SELECT m.domain, k.notice_id IS NOT NULL AS emailed, a.finished_at, k.last_viewed_at FROM links k
             JOIN members m ON m.member_id = k.member_id
             LEFT JOIN attempts a ON a.notice_id = k.notice_id AND a.attempt = k.attempt WHERE k.token_hash = $1",
        )
        .bind(&hash.0[..])
        .fetch_optional(&self.reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let domain: String = row.try_get("domain")?;
        let accepted_at = row.try_get::<Option<i64>>("finished_at")?.map(time);
        let context = LinkContext {
            domain,
            email: match row.try_get::<bool>("emailed")? {
                false => EmailStatus::NotEmailed,
                true => accepted_at.map_or(EmailStatus::InTransit, EmailStatus::AcceptedAt),
            },
            last_viewed_at: row.try_get::<Option<i64>>("last_viewed_at")?.map(time),
        };
        // A removed member has no address.
        Ok(Some(context).filter(|context| !context.domain.is_empty()))
    }

    /// Adds to the daily counts, and updates the links.
    pub(crate) async fn add_counts(&self, counts: &[DailyCount], activities: &[LinkActivity]) -> Result<()> {
        self.write(async |mut tx| {
            for count in counts {
                query(
                "INSERT INTO link_requests (day, domain, action, client, requests) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (day, domain, action, client)
                 DO UPDATE SET requests = link_requests.requests + excluded.requests",
            )
            .bind(millis(count.day))
            .bind(&count.domain)
            .bind(count.action.as_str())
            .bind(count.client.as_str())
            .bind(count.requests)
            .execute(&mut tx)
            .await?;
            }
            for activity in activities {
                query(
                    "UPDATE links SET last_viewed_at = coalesce($2, last_viewed_at),
                        first_opened_at = coalesce(first_opened_at, $3)
                     WHERE token_hash = $1",
                )
                .bind(&activity.link.0[..])
                .bind(activity.last_viewed_at.map(millis))
                .bind(activity.first_opened_at.map(millis))
                .execute(&mut tx)
                .await?;
            }
            Ok(())
        })
        .await
    }

    /// The requests since the day of `since`, most presses by bots first. Domains with fewer than `min_members`
    /// enrolled members are counted together as `other`: a personal domain would name its member.
    pub async fn link_activity(&self, since: Time, min_members: u32) -> Result<Vec<DomainStats>> {
        let sum = |action: LinkAction, client: Client| {
            let (action, client) = (action.as_str(), client.as_str());
            format!(
                "coalesce(CAST(sum(requests) FILTER (WHERE action = '{action}' AND client = '{client}') AS BIGINT), 0)"
            )
        };
        let sql = format!(
            "WITH counted AS MATERIALIZED (SELECT domain, {} AS bot_views, {} AS human_views,
                    {} AS bot_presses, {} AS human_presses FROM link_requests WHERE day > $1 GROUP BY domain),
                named AS MATERIALIZED (SELECT domain FROM members WHERE removed_at IS NULL
                    GROUP BY domain HAVING count(*) >= $2)
             SELECT coalesce(n.domain, 'other') AS domain_or_other, CAST(sum(bot_views) AS BIGINT) AS bot_views,
                CAST(sum(human_views) AS BIGINT) AS human_views, CAST(sum(bot_presses) AS BIGINT) AS bot_presses,
                CAST(sum(human_presses) AS BIGINT) AS human_presses
             FROM counted c LEFT JOIN named n ON n.domain = c.domain
             GROUP BY 1 ORDER BY 4 DESC, 2 DESC, 1",
            sum(LinkAction::View, Client::Bot),
            sum(LinkAction::View, Client::Human),
            sum(LinkAction::Press, Client::Bot),
            sum(LinkAction::Press, Client::Human),
        );
        let rows = query(sql)
            .bind(millis(since - TimeDelta::days(1)))
            .bind(min_members)
            .fetch_all(&self.reader)
            .await?;
        rows.iter()
            .map(|row| {
                let number = |column: &str| row.try_get::<i64>(column).map(i64::unsigned_abs);
                Ok(DomainStats {
                    domain: row.try_get("domain_or_other")?,
                    bot_views: number("bot_views")?,
                    human_views: number("human_views")?,
                    bot_presses: number("bot_presses")?,
                    human_presses: number("human_presses")?,
                })
            })
            .collect()
    }
}

/// Deletes the counts of the member's email domain if no other member has an address there. Call it before the
/// member's address is erased.
pub(super) async fn delete_orphan_domain(tx: &mut Tx, member: &MemberId) -> Result<()> {
    let known: Option<(String, String)> = query_as("SELECT domain, email FROM members WHERE member_id = $1")
        .bind(member.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let Some((domain, email)) = known else { return Ok(()) };
    // Earlier versions counted an international domain as it was written.
    let written = email.split_once('@').map(|(_, written)| written.to_ascii_lowercase());
    for domain in [Some(domain), written].into_iter().flatten() {
        query(
            "DELETE FROM link_requests WHERE domain = $1
               AND NOT EXISTS (SELECT 1 FROM members WHERE member_id <> $2 AND domain = $1)",
        )
        .bind(domain)
        .bind(member.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
