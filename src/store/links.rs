//! `links`, `link_buttons`: creates and reads links.

use super::connections::{self, StoredConnection};
use super::convert::{count, json_list, millis, time};
use super::engine::{Row, query, query_scalar};
use super::error::{Result, StoreError};
use super::link_rows::{CURRENT, LinkKind, NewLink, insert, kind};
use super::sqlite::Store;
use super::suppressions::UNSUBSCRIBED;
use super::{invitations, queue};
use crate::domain::{
    Button, FormKeyHash, LapseState, LinkRecord, MemberId, NoticeId, NoticeItem, Outcome, Time, TokenHash,
};

/// The numbers of links that an operator revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct RevokedLinks {
    pub(crate) links: u64,
    pub(crate) unsubscribe_links: u64,
}

impl Store {
    /// Creates a notice's link with a button for each item whose lapse is still open, and returns those items. Creates
    /// nothing when no lapse is open, or when another attempt has taken over the notice.
    pub async fn add_link(
        &self,
        hash: TokenHash,
        (notice, attempt): (&NoticeId, u32),
        member: &MemberId,
        items: &[NoticeItem],
        now: Time,
        expires_at: Time,
    ) -> Result<Vec<NoticeItem>> {
        self.write(async |mut tx| {
            if !queue::is_claimed(&mut tx, notice, attempt).await? {
                return Ok(Vec::new());
            }
            let ids = json_list(&items.iter().map(|item| item.lapse_id.as_str()).collect::<Vec<_>>())?;
            let open: Vec<String> = query_scalar(
                "SELECT lapse_id FROM lapses
                 WHERE state = 'open' AND lapse_id IN (SELECT value FROM json_each($1))",
            )
            .bind(&ids)
            .fetch_all(&mut tx)
            .await?;
            if open.is_empty() {
                return Ok(Vec::new());
            }
            let notice = Some((notice, attempt));
            insert(&mut tx, &NewLink { hash, kind: LinkKind::Notice, notice, member, now, expires_at })
                .await?;
            query(
                "INSERT INTO link_buttons (token_hash, connection_id, lapse_id)
                 SELECT $1, connection_id, lapse_id FROM lapses
                 WHERE lapse_id IN (SELECT value FROM json_each($2))",
            )
            .bind(&hash.0[..])
            .bind(json_list(&open)?)
            .execute(&mut tx)
            .await?;
            let is_open = |item: &&NoticeItem| open.iter().any(|lapse| lapse == item.lapse_id.as_str());
            Ok(items.iter().filter(is_open).cloned().collect())
        })
        .await
    }

    /// `None` when there is no such link.
    pub(crate) async fn link(&self, hash: TokenHash) -> Result<Option<LinkRecord>> {
        let link = query(format!(
            "SELECT k.kind, k.member_id, k.expires_at, m.locale, {UNSUBSCRIBED} AS unsubscribed, {CURRENT} AS is_current
             FROM links k JOIN members m ON m.member_id = k.member_id WHERE k.token_hash = $1"
        ))
        .bind(&hash.0[..])
        .fetch_optional(&self.reader)
        .await?;
        let Some(link) = link else { return Ok(None) };
        let buttons = match kind(&link)? {
            LinkKind::Notice => self.lapse_buttons(hash).await?,
            LinkKind::Invitation => self.invitation_buttons(hash).await?,
        };
        Ok(Some(LinkRecord {
            member_id: MemberId::new(link.try_get::<String>("member_id")?),
            locale: link.try_get("locale")?,
            unsubscribed: link.try_get("unsubscribed")?,
            is_replaced: !link.try_get::<bool>("is_current")?,
            expires_at: time(link.try_get("expires_at")?),
            buttons,
        }))
    }

    /// Revokes all links and unsubscribe links of a member. Returns their numbers; `None` when there is no such member.
    pub(crate) async fn revoke_links(&self, member: &MemberId, now: Time) -> Result<Option<RevokedLinks>> {
        self.write(async |mut tx| {
            let is_known: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM members WHERE member_id = $1)")
                .bind(member.as_str())
                .fetch_one(&mut tx)
                .await?;
            if !is_known {
                return Ok(None);
            }
            let links = query("UPDATE links SET revoked_at = $2 WHERE member_id = $1 AND revoked_at IS NULL")
                .bind(member.as_str())
                .bind(millis(now))
                .execute(&mut tx)
                .await?
                .rows_affected();
            let unsubscribe_links = query("DELETE FROM unsubscribe_tokens WHERE member_id = $1")
                .bind(member.as_str())
                .execute(&mut tx)
                .await?
                .rows_affected();
            Ok(Some(RevokedLinks { links, unsubscribe_links }))
        })
        .await
    }

    async fn lapse_buttons(&self, hash: TokenHash) -> Result<Vec<Button>> {
        let sql = format!(
            "SELECT {}, b.redemptions, b.redeemed_at, b.last_form_key, b.superseded, l.lapse_id, l.state, l.outcome
             FROM link_buttons b JOIN lapses l ON l.lapse_id = b.lapse_id
             JOIN connections k ON k.member_id = l.member_id AND k.connection_id = l.connection_id
             WHERE b.token_hash = $1 ORDER BY b.connection_id",
            connections::COLUMNS
        );
        let rows = query(sql).bind(&hash.0[..]).fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                let state: String = row.try_get("state")?;
                let Ok(state) = state.parse::<LapseState>() else {
                    let lapse_id = row.try_get("lapse_id")?;
                    return Err(StoreError::Row { table: "lapses", row: lapse_id, what: "its state" });
                };
                let outcome: Option<String> = row.try_get("outcome")?;
                button(
                    row,
                    connections::read(row)?,
                    state,
                    outcome.and_then(|text| text.parse::<Outcome>().ok()),
                )
            })
            .collect()
    }

    async fn invitation_buttons(&self, hash: TokenHash) -> Result<Vec<Button>> {
        let sql = format!(
            "SELECT {}, b.redemptions, b.redeemed_at, b.last_form_key, b.superseded
             FROM link_buttons b JOIN invitations i ON i.invitation_id = b.invitation_id {} WHERE b.token_hash = $1",
            invitations::COLUMNS,
            invitations::JOINS
        );
        let rows = query(sql).bind(&hash.0[..]).fetch_all(&self.reader).await?;
        rows.iter()
            .map(|row| {
                let invited = invitations::read(row)?;
                let (state, outcome) = invitations::state(&invited.connection);
                button(row, invited, state, outcome)
            })
            .collect()
    }
}

fn button(
    row: &Row,
    connection: StoredConnection,
    state: LapseState,
    outcome: Option<Outcome>,
) -> Result<Button> {
    let StoredConnection { connection, gateway_id, is_missing, .. } = connection;
    let form_key: Option<Vec<u8>> = row.try_get("last_form_key")?;
    Ok(Button {
        connection,
        gateway_id,
        is_missing,
        state,
        outcome,
        redemptions: count(row.try_get("redemptions")?),
        redeemed_at: row.try_get::<Option<i64>>("redeemed_at")?.map(time),
        last_form_key: form_key.and_then(|hash| hash.try_into().ok()).map(FormKeyHash),
        superseded: row.try_get("superseded")?,
    })
}
