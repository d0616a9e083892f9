//! `links`, `link_buttons`: creates and reads links.

use super::audit;
use super::connections::{self, StoredConnection};
use super::convert::millis;
use super::engine::{Row, query, query_scalar};
use super::error::Result;
use super::invitations;
use super::link_rows::CURRENT;
use super::row::RowExt;
use super::row_locks::lock_member;
use super::sqlite::Store;
use super::suppressed::UNSUBSCRIBED;
use crate::domain::{
    AuditAction, AuditEntry, Button, FormKeyHash, LinkRecord, MemberId, Outlook, Time, TokenHash,
};
use std::sync::LazyLock;

/// A link with its member and its buttons, a row for each. A link without buttons has one row.
static LINK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT k.member_id, k.expires_at, m.locale, {UNSUBSCRIBED} AS unsubscribed, {CURRENT} AS is_current,
            b.redemptions, b.redeemed_at, b.last_form_key, b.superseded, l.state, l.outcome,
            l.dismissed_by_member,
            i.invitation_id IS NOT NULL AS is_invitation, coalesce(i.connection_id, c.connection_id) AS connection_id,
            coalesce(i.name, c.name) AS name, c.category,
            CASE WHEN i.invitation_id IS NULL THEN c.source_type ELSE i.source_type END AS source_type,
            c.integration_type, c.is_direct, c.status, c.sync_status, c.sync_errors, c.last_synced_at,
            coalesce(c.gateway_id, c.connection_id, i.connection_id) AS gateway_id,
            c.missing_since IS NOT NULL AS is_missing
         FROM links k JOIN members m ON m.member_id = k.member_id
         LEFT JOIN link_buttons b ON b.token_hash = k.token_hash
         LEFT JOIN lapses l ON l.lapse_id = b.lapse_id
         LEFT JOIN invitations i ON i.invitation_id = b.invitation_id
         LEFT JOIN connections c ON c.member_id = k.member_id AND c.connection_id = coalesce(l.connection_id,
            (SELECT s.connection_id FROM connections s
             WHERE s.member_id = i.member_id AND lower(s.connection_id) = lower(i.connection_id)
             ORDER BY coalesce(s.status, '') = 'DELETED', s.connection_id LIMIT 1))
         WHERE k.token_hash = $1 ORDER BY b.connection_id"
    )
});

/// The numbers of links that an operator revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct RevokedLinks {
    pub(crate) links: u64,
    pub(crate) unsubscribe_links: u64,
}

impl Store {
    /// `None` when there is no such link.
    pub(crate) async fn link(&self, hash: TokenHash) -> Result<Option<LinkRecord>> {
        let rows = query(LINK.as_str()).bind(&hash.0[..]).fetch_all(&self.reader).await?;
        let Some(link) = rows.first() else { return Ok(None) };
        let buttons = rows.iter().filter_map(|row| button(row).transpose());
        Ok(Some(LinkRecord {
            member_id: link.text("member_id")?,
            locale: link.try_get("locale")?,
            unsubscribed: link.try_get("unsubscribed")?,
            is_replaced: !link.try_get::<bool>("is_current")?,
            expires_at: link.time("expires_at")?,
            buttons: buttons.collect::<Result<_>>()?,
        }))
    }

    /// Revokes all links and unsubscribe links of a member. Returns their numbers; `None` when there is no such member.
    pub(crate) async fn revoke_links(&self, member: &MemberId, now: Time) -> Result<Option<RevokedLinks>> {
        self.write(async |mut tx| {
            lock_member(&mut tx, member).await?;
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
            let entry = AuditEntry::new(AuditAction::LinksRevoke).about(member).affected(links);
            audit::record(&mut tx, entry, now).await?;
            Ok(Some(RevokedLinks { links, unsubscribe_links }))
        })
        .await
    }
}

/// The button in a row of [`LINK`]. `None`: the link has no button.
fn button(row: &Row) -> Result<Option<Button>> {
    let (stored, state, outcome) = if let Some(state) = row.optional_parsed("state")? {
        // An outcome of a newer version counts as none.
        let outcome = row.optional_text_of("outcome")?.and_then(|text| text.parse().ok());
        (connections::read(row)?, state, outcome)
    } else if row.try_get("is_invitation")? {
        let invited = invitations::read(row)?;
        let (state, outcome) = invitations::state(&invited.connection);
        (invited, state, outcome)
    } else {
        return Ok(None);
    };
    let StoredConnection { connection, gateway_id, is_missing, .. } = stored;
    let form_key: Option<Vec<u8>> = row.try_get("last_form_key")?;
    Ok(Some(Button {
        connection,
        gateway_id,
        is_missing,
        state,
        outcome,
        redemptions: row.count("redemptions")?,
        redeemed_at: row.optional_time("redeemed_at")?,
        last_form_key: form_key.and_then(|hash| hash.try_into().ok()).map(FormKeyHash),
        superseded: row.try_get("superseded")?,
        dismissed_by_member: row.try_get::<Option<bool>>("dismissed_by_member")?.unwrap_or(false),
        outlook: Outlook::default(),
    }))
}
