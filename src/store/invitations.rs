//! `invitations`: links that an operator asked for, to one OAuth connection, whether it has lapsed or never was.

use super::links::{RESENDS_A_DAY, RESENDS_A_LINK, ResendPolicy};
use super::suppressions::UNSUBSCRIBED;
use super::{Result, Store, StoredConnection, count, millis, time};
use crate::base::random;
use crate::domain::{
    Button, Category, Connection, LapseState, LinkRecord, MemberId, NoticeId, Outcome, Status, Time,
    TokenHash,
};
use chrono::TimeDelta;
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

/// The invitation behind the token whose hash is `$1`.
const BEHIND: &str = "coalesce((SELECT invitation_id FROM invitations WHERE token_hash = $1),
    (SELECT x.invitation_id FROM invitations x JOIN links y ON y.notice_id = x.notice_id WHERE y.token_hash = $1))";

const COLUMNS: &str = "i.member_id, i.connection_id, i.name, i.source_type, i.redemptions, c.status,
    coalesce(c.gateway_id, c.connection_id, i.connection_id) AS gateway_id";
const JOINS: &str = "LEFT JOIN connections c ON c.member_id = i.member_id AND c.connection_id = i.connection_id COLLATE NOCASE";

fn read(row: &SqliteRow) -> Result<StoredConnection> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    Ok(StoredConnection {
        member_id: MemberId::new(row.try_get::<String, _>("member_id")?),
        gateway_id: row.try_get::<String, _>("gateway_id")?.as_str().into(),
        // It can be connected whether or not it has a row.
        is_missing: false,
        connection: Connection {
            id: row.try_get::<String, _>("connection_id")?.as_str().into(),
            name: row.try_get("name")?,
            // There are invitations to sources of this kind alone.
            category: Some(Category::Oauth),
            source_type: text("source_type")?.as_deref().map(Into::into),
            integration_type: None,
            is_direct: false,
            status: text("status")?.as_deref().map(Into::into),
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: None,
        },
    })
}

impl Store {
    /// Keeps an invitation whose link the operator hands on, by the hash of its token.
    pub(crate) async fn invite_by_hand(
        &self,
        member: &MemberId,
        source: &Connection,
        hash: TokenHash,
        now: Time,
        expires_at: Time,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, token_hash,
                expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(random::id(now))
        .bind(member.as_str())
        .bind(source.id.as_str())
        .bind(&source.name)
        .bind(source.source_type.as_ref().map(|value| value.as_str()))
        .bind(&hash.0[..])
        .bind(millis(expires_at))
        .bind(millis(now))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Queues a mail that invites the member, to be delivered at once.
    pub(crate) async fn invite_by_mail(
        &self,
        member: &MemberId,
        source: &Connection,
        now: Time,
    ) -> Result<NoticeId> {
        let mut tx = self.begin().await?;
        let notice = queue(&mut tx, member.as_str(), "operator", now, now).await?;
        sqlx::query(
            "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, notice_id,
                created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(random::id(now))
        .bind(member.as_str())
        .bind(source.id.as_str())
        .bind(&source.name)
        .bind(source.source_type.as_ref().map(|value| value.as_str()))
        .bind(notice.as_str())
        .bind(millis(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(notice)
    }

    /// What a notice invites to, with the connection's present status, if it is a notice that invites.
    pub(crate) async fn invitation_of(&self, notice: &NoticeId) -> Result<Option<StoredConnection>> {
        let sql = format!("SELECT {COLUMNS} FROM invitations i {JOINS} WHERE i.notice_id = $1");
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(notice.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(read).transpose()
    }

    /// Keeps the link of a notice that invites. `false` when the invitation has been withdrawn.
    pub(crate) async fn add_invitation_link(
        &self,
        hash: TokenHash,
        (notice, attempt): (&NoticeId, u32),
        now: Time,
        expires_at: Time,
    ) -> Result<bool> {
        let added = sqlx::query(
            "INSERT INTO links (token_hash, notice_id, member_id, attempt, created_at, expires_at)
             SELECT $1, i.notice_id, i.member_id, $3, $4, $5 FROM invitations i
             JOIN notices n ON n.notice_id = i.notice_id
             WHERE i.notice_id = $2 AND n.state = 'sending' AND n.attempts = $3",
        )
        .bind(&hash.0[..])
        .bind(notice.as_str())
        .bind(attempt)
        .bind(millis(now))
        .bind(millis(expires_at))
        .execute(&self.writer)
        .await?
        .rows_affected();
        Ok(added > 0)
    }

    /// The invitation behind a token, as a link with one button, which is done with once the source is CONNECTED.
    pub(super) async fn invitation(&self, hash: TokenHash) -> Result<Option<LinkRecord>> {
        let sql = format!(
            "SELECT {COLUMNS}, m.locale, {UNSUBSCRIBED} AS unsubscribed, coalesce(k.expires_at, i.expires_at) AS expires_at FROM invitations i
             JOIN members m ON m.member_id = i.member_id LEFT JOIN links k ON k.token_hash = $1 {JOINS}
             WHERE i.invitation_id = {BEHIND}"
        );
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(&hash.0[..]).fetch_optional(&self.reader).await?;
        let Some(row) = row else { return Ok(None) };
        let StoredConnection { member_id, connection, gateway_id, is_missing } = read(&row)?;
        let connected = connection.status == Some(Status::Connected);
        Ok(Some(LinkRecord {
            member_id,
            locale: row.try_get("locale")?,
            unsubscribed: row.try_get("unsubscribed")?,
            expires_at: time(row.try_get("expires_at")?),
            buttons: vec![Button {
                connection,
                gateway_id,
                is_missing,
                state: if connected { LapseState::Closed } else { LapseState::Open },
                outcome: connected.then_some(Outcome::Recovered),
                redemptions: count(row.try_get("redemptions")?),
                superseded: false,
            }],
        }))
    }
}

async fn queue(
    tx: &mut Transaction<'_, Sqlite>,
    member: &str,
    reason: &str,
    now: Time,
    not_before: Time,
) -> Result<NoticeId> {
    let notice = NoticeId::new(random::id(now));
    sqlx::query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before)
         VALUES ($1, $2, 'invited', 0, 'queued', $3, $4, $5)",
    )
    .bind(notice.as_str())
    .bind(member)
    .bind(reason)
    .bind(millis(now))
    .bind(millis(not_before))
    .execute(&mut **tx)
    .await?;
    Ok(notice)
}

/// Spends an invitation, under the conditions of [`Store::redeem`].
pub(super) async fn redeem(
    tx: &mut Transaction<'_, Sqlite>,
    hash: TokenHash,
    max_redemptions: u32,
    now: Time,
) -> Result<bool> {
    let sql = format!(
        "UPDATE invitations SET redemptions = redemptions + 1, redeemed_at = $3
         WHERE invitation_id = {BEHIND} AND redemptions < $2
           AND coalesce((SELECT expires_at FROM links WHERE token_hash = $1), expires_at) > $3
           AND NOT EXISTS (SELECT 1 FROM connections c WHERE c.member_id = invitations.member_id
                AND c.connection_id = invitations.connection_id COLLATE NOCASE AND c.status = 'CONNECTED')"
    );
    let spent = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(&hash.0[..])
        .bind(max_redemptions)
        .bind(millis(now))
        .execute(&mut **tx)
        .await?
        .rows_affected();
    Ok(spent > 0)
}

/// Queues another mail for the invitation behind a token, under the conditions of [`Store::resend`].
pub(super) async fn resend(
    tx: &mut Transaction<'_, Sqlite>,
    hash: TokenHash,
    now: Time,
    policy: ResendPolicy,
) -> Result<Option<NoticeId>> {
    let sql = format!(
        "SELECT i.invitation_id, i.member_id, coalesce((SELECT max(n.sent_at) FROM notices n
            WHERE n.member_id = i.member_id AND n.kind <> 'recovered'), 0) FROM invitations i {JOINS}
         WHERE i.invitation_id = {BEHIND} AND c.status IS NOT 'CONNECTED' AND NOT EXISTS
            (SELECT 1 FROM notices n WHERE n.member_id = i.member_id AND n.kind <> 'recovered'
             AND (n.state IN ('queued', 'sending', 'held') OR n.sent_at > $2 OR n.planned_at > $2))
           AND $3 > (SELECT count(*) FROM invitations x
                     WHERE x.member_id = i.member_id AND x.notice_id IS NOT NULL AND x.created_at > $4)
           AND i.resends < $5"
    );
    let old: Option<(String, String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(&hash.0[..])
        .bind(millis(now - policy.min_age))
        .bind(RESENDS_A_DAY)
        .bind(millis(now - TimeDelta::days(1)))
        .bind(RESENDS_A_LINK)
        .fetch_optional(&mut **tx)
        .await?;
    let Some((old, member, last)) = old else { return Ok(None) };
    sqlx::query("UPDATE invitations SET resends = resends + 1 WHERE invitation_id = $1")
        .bind(&old)
        .execute(&mut **tx)
        .await?;
    let notice = queue(tx, &member, "asked_for", now, now.max(time(last) + policy.min_interval)).await?;
    sqlx::query(
        "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, notice_id, created_at)
         SELECT $2, member_id, connection_id, name, source_type, $3, $4 FROM invitations WHERE invitation_id = $1",
    )
    .bind(old)
    .bind(random::id(now))
    .bind(notice.as_str())
    .bind(millis(now))
    .execute(&mut **tx)
    .await?;
    Ok(Some(notice))
}

/// Withdraws all invitations to one connection: their links die, and mails that have not begun to be sent are cancelled.
pub(super) async fn withdraw(
    tx: &mut Transaction<'_, Sqlite>,
    member: &MemberId,
    connection: &str,
) -> Result<()> {
    for sql in [
        "UPDATE notices SET state = 'cancelled', reason = 'withdrawn' WHERE state IN ('queued', 'held')
           AND notice_id IN (SELECT notice_id FROM invitations WHERE member_id = $1 AND connection_id = $2 COLLATE NOCASE)",
        "DELETE FROM invitations WHERE member_id = $1 AND connection_id = $2 COLLATE NOCASE",
    ] {
        sqlx::query(sql).bind(member.as_str()).bind(connection).execute(&mut **tx).await?;
    }
    Ok(())
}
