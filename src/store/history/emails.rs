//! Attempts at emails to a member, and the use of the links in them.

use super::scope::Scope;
use crate::domain::{Event, HistoryCode, HistoryEntry};
use crate::store::engine::{Row, query};
use crate::store::row::RowExt;
use crate::store::{Result, Store};

impl Store {
    /// Of an email that several members share, the part of this member counts.
    pub(super) async fn deliveries_to(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let rows = scope.bind(query(
            "SELECT p.notice_id, n.kind, n.step, n.resend_of IS NOT NULL AS is_resend, p.share, p.connection_id,
                a.started_at, a.outcome, a.reason, a.count, a.last_at
             FROM (SELECT notice_id, count(*) AS share, min(connection_id) AS connection_id FROM
                    (SELECT i.notice_id, l.connection_id FROM lapses l JOIN notice_items i ON i.lapse_id = l.lapse_id
                     WHERE l.member_id = $1 AND i.in_email IS DISTINCT FROM FALSE
                       AND ($2 = '' OR lower(l.connection_id) = $2)
                     UNION SELECT v.notice_id, v.connection_id FROM invitations v
                     WHERE v.member_id = $1 AND v.notice_id IS NOT NULL
                       AND ($2 = '' OR lower(v.connection_id) = $2)) AS parts
                   GROUP BY notice_id) AS p
             JOIN notices n ON n.notice_id = p.notice_id
             JOIN attempts a ON a.notice_id = p.notice_id
             ORDER BY a.started_at DESC, p.notice_id DESC, a.attempt DESC LIMIT $3",
        ))
                .fetch_all(&self.reader)
        .await?;
        rows.iter().rev().map(|row| delivery(&scope, row)).collect()
    }

    pub(super) async fn link_uses(&self, scope: Scope<'_>) -> Result<Vec<HistoryEntry>> {
        let links = scope
            .bind(query(
                "SELECT k.notice_id, k.first_opened_at, k.revoked_at, NULL AS connection_id FROM links k
             WHERE k.member_id = $1 AND (k.first_opened_at IS NOT NULL OR k.revoked_at IS NOT NULL)
               AND ($2 = '' OR EXISTS (SELECT 1 FROM link_buttons b
                    WHERE b.token_hash = k.token_hash AND lower(b.connection_id) = $2))
             ORDER BY k.created_at DESC, k.token_hash LIMIT $3",
            ))
            .fetch_all(&self.reader)
            .await?;
        let mut entries = Vec::new();
        for row in &links {
            for (column, code, event) in [
                ("first_opened_at", HistoryCode::Opened, Event::LinkOpened),
                ("revoked_at", HistoryCode::Revoked, Event::LinkRevoked),
            ] {
                if let Some(at) = row.optional_time(column)? {
                    entries.push(scope.entry_of(row, at, code.as_str(), event)?);
                }
            }
        }
        let buttons = scope
            .bind(query(
                "SELECT k.notice_id, b.connection_id, b.redeemed_at, b.redemptions FROM links k
             JOIN link_buttons b ON b.token_hash = k.token_hash
             WHERE k.member_id = $1 AND b.redeemed_at IS NOT NULL AND ($2 = '' OR lower(b.connection_id) = $2)
             ORDER BY b.redeemed_at DESC, b.token_hash LIMIT $3",
            ))
            .fetch_all(&self.reader)
            .await?;
        for row in &buttons {
            let at = row.time("redeemed_at")?;
            let entry = scope.entry_of(row, at, HistoryCode::Redeemed.as_str(), Event::Redeemed)?;
            entries.push(HistoryEntry { count: row.total("redemptions")?.max(1), ..entry });
        }
        Ok(entries)
    }
}

fn delivery(scope: &Scope<'_>, row: &Row) -> Result<HistoryEntry> {
    let connections = row.total("share")?;
    let outcome = row.optional_text_of("outcome")?.map(str::to_owned);
    let code = row.optional_text_of("reason")?.map(str::to_owned);
    let event = Event::Delivery {
        kind: row.parsed("kind")?,
        step: row.count("step")?,
        is_resend: row.try_get("is_resend")?,
        connections,
        reason: code.as_deref().and_then(|code| code.parse().ok()),
        outcome: outcome.clone(),
    };
    let at = row.time("started_at")?;
    let code = code.or(outcome).unwrap_or_else(|| HistoryCode::Sending.as_str().to_owned());
    let entry = scope.entry_of(row, at, code, event)?;
    Ok(HistoryEntry {
        last_at: row.optional_time("last_at")?.unwrap_or(at),
        count: row.total("count")?,
        connection_id: entry.connection_id.filter(|_| connections == 1),
        ..entry
    })
}
