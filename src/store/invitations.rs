//! `invitations`: an operator invites a member to connect one OAuth source, whether or not it has lapsed.

use super::connections::StoredConnection;
use super::convert::millis;
use super::decisions;
use super::engine::{Row, Tx, query, query_scalar};
use super::error::Result;
use super::link_rows::{self, LinkKind, NewLink};
use super::sqlite::Store;
use crate::base::random;
use crate::domain::{
    Category, Connection, ConnectionId, LapseState, MemberId, NoticeId, NoticeReason, Outcome, Source,
    Status, Time, TokenHash,
};

/// Columns of `invitations i` with [`JOINS`].
const COLUMNS: &str = "i.member_id, i.connection_id, i.name, i.source_type, c.status,
    coalesce(c.gateway_id, c.connection_id, i.connection_id) AS gateway_id";
pub(super) const JOINS: &str = "LEFT JOIN connections c ON c.member_id = i.member_id AND lower(c.connection_id) = lower(i.connection_id)";

pub(super) fn read(row: &Row) -> Result<StoredConnection> {
    let text = |column: &str| row.try_get::<Option<String>>(column);
    Ok(StoredConnection {
        member_id: MemberId::new(row.try_get::<String>("member_id")?),
        gateway_id: row.try_get::<String>("gateway_id")?.as_str().into(),
        // The source can be connected whether or not it is listed.
        is_missing: false,
        connection: Connection {
            id: row.try_get::<String>("connection_id")?.as_str().into(),
            source: Source {
                name: row.try_get("name")?,
                // Invitations are only for OAuth sources.
                category: Some(Category::Oauth),
                source_type: text("source_type")?.as_deref().map(Into::into),
                ..Source::default()
            },
            status: text("status")?.as_deref().map(Into::into),
            sync_status: None,
            sync_errors: Vec::new(),
            last_synced: None,
        },
    })
}

/// An invitation is open until its source is CONNECTED.
pub(super) fn state(connection: &Connection) -> (LapseState, Option<Outcome>) {
    match connection.status {
        Some(Status::Connected) => (LapseState::Closed, Some(Outcome::Recovered)),
        _ => (LapseState::Open, None),
    }
}

impl Store {
    /// Creates an invitation whose link the operator hands over.
    pub(crate) async fn create_invitation_link(
        &self,
        member: &MemberId,
        connection: &Connection,
        hash: TokenHash,
        now: Time,
        expires_at: Time,
    ) -> Result<()> {
        self.write(async |mut tx| {
            let invitation = insert(&mut tx, member, connection, None, now).await?;
            let link = NewLink { hash, kind: LinkKind::Invitation, notice: None, member, now, expires_at };
            link_rows::insert(&link).execute(&mut tx).await?;
            add_button(&mut tx, hash, &invitation).await?;
            Ok(())
        })
        .await
    }

    /// Queues an email that invites the member.
    pub(crate) async fn queue_invitation(
        &self,
        member: &MemberId,
        connection: &Connection,
        now: Time,
    ) -> Result<NoticeId> {
        self.write(async |mut tx| {
            let notice = queue(&mut tx, member.as_str(), NoticeReason::Invitation, now, now).await?;
            insert(&mut tx, member, connection, Some(&notice), now).await?;
            Ok(notice)
        })
        .await
    }

    /// The source that a notice invites to. `None` when the notice is no invitation.
    pub(crate) async fn invitation_of(&self, notice: &NoticeId) -> Result<Option<StoredConnection>> {
        let sql = format!("SELECT {COLUMNS} FROM invitations i {JOINS} WHERE i.notice_id = $1");
        let row = query(sql).bind(notice.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(read).transpose()
    }
}

/// Creates the link of a notice that invites. Returns `false` when the invitation was withdrawn.
pub(super) async fn add_link(tx: &mut Tx, link: &NewLink<'_>) -> Result<bool> {
    let Some((notice, _)) = link.notice else { return Ok(false) };
    let invitation: Option<String> =
        query_scalar("SELECT invitation_id FROM invitations WHERE notice_id = $1")
            .bind(notice.as_str())
            .fetch_optional(&mut *tx)
            .await?;
    let Some(invitation) = invitation else { return Ok(false) };
    link_rows::insert(link).execute(&mut *tx).await?;
    add_button(tx, link.hash, &invitation).await?;
    Ok(true)
}

async fn insert(
    tx: &mut Tx,
    member: &MemberId,
    connection: &Connection,
    notice: Option<&NoticeId>,
    now: Time,
) -> Result<String> {
    let id = random::id(now);
    query(
        "INSERT INTO invitations (invitation_id, member_id, connection_id, name, source_type, notice_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(member.as_str())
    .bind(connection.id.as_str())
    .bind(&connection.source.name)
    .bind(connection.source.source_type.as_ref().map(|value| value.as_str()))
    .bind(notice.map(NoticeId::as_str))
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    Ok(id)
}

async fn add_button(tx: &mut Tx, hash: TokenHash, invitation: &str) -> Result<()> {
    query(
        "INSERT INTO link_buttons (token_hash, connection_id, invitation_id)
         SELECT $1, connection_id, invitation_id FROM invitations WHERE invitation_id = $2",
    )
    .bind(&hash.0[..])
    .bind(invitation)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn queue(
    tx: &mut Tx,
    member: &str,
    reason: NoticeReason,
    now: Time,
    not_before: Time,
) -> Result<NoticeId> {
    let notice = NoticeId::new(random::id(now));
    query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before, domain)
         VALUES ($1, $2, 'invited', 0, 'queued', $3, $4, $5, (SELECT domain FROM members WHERE member_id = $2))",
    )
    .bind(notice.as_str())
    .bind(member)
    .bind(reason.as_str())
    .bind(millis(now))
    .bind(millis(not_before))
    .execute(&mut *tx)
    .await?;
    Ok(notice)
}

/// Withdraws all invitations to one connection: their links lose their button, and queued emails are cancelled.
pub(super) async fn withdraw(
    tx: &mut Tx,
    member: &MemberId,
    connection: &ConnectionId,
    now: Time,
) -> Result<()> {
    let cancelled: Vec<String> = query_scalar(
        "UPDATE notices SET state = 'cancelled', reason = $3 WHERE state IN ('queued', 'held') AND notice_id IN
            (SELECT notice_id FROM invitations WHERE member_id = $1 AND lower(connection_id) = $2)
         RETURNING notice_id",
    )
    .bind(member.as_str())
    .bind(connection.folded())
    .bind(NoticeReason::InvitationWithdrawn.as_str())
    .fetch_all(&mut *tx)
    .await?;
    decisions::record_notices(tx, &cancelled, NoticeReason::InvitationWithdrawn, now).await?;
    query("DELETE FROM invitations WHERE member_id = $1 AND lower(connection_id) = $2")
        .bind(member.as_str())
        .bind(connection.folded())
        .execute(&mut *tx)
        .await?;
    Ok(())
}
