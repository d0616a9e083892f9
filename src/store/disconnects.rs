//! An operator's disconnecting or deleting of a connection: it is on purpose, so the member gets no email about it.

use super::engine::{Tx, query, query_scalar};
use super::lapse_changes::LapseChanges;
use super::row_locks::lock_member;
use super::{Result, Store, invitations, lapses};
use crate::domain::{ConnectionId, DisconnectKind, Lapse, LapseChange, LapseFields, LapseId, MemberId, Time};

/// The connection's lapse before the intent.
#[derive(Clone, Debug)]
pub struct DisconnectIntent {
    lapse: LapseId,
    before: Option<Lapse>,
}

impl Store {
    /// Records that an operator is about to disconnect or delete a connection. Its lapse is closed, dismissed, and no
    /// other begins until the gateway's list has shown the effect and then CONNECTED again. What was queued about the
    /// connection is cancelled, and invitations to it are withdrawn.
    ///
    /// Recorded before the request, so that it applies whatever the gateway responds. While the effect is not
    /// shown, each of the member's responses is evaluated, even one that has not changed.
    pub async fn record_disconnect_intent(
        &self,
        member: &MemberId,
        connection: &ConnectionId,
        disconnect_intent: DisconnectKind,
        now: Time,
    ) -> Result<DisconnectIntent> {
        self.write(async |mut tx| {
            lock_member(&mut tx, member).await?;
            let connection = &stored_id(&mut tx, member, connection).await?;
            let before = newest(&mut tx, member, connection).await?;
            let standing = LapseFields::dismissed(before.as_ref(), disconnect_intent, now);
            let change = match &before {
                Some(lapse) => LapseChange::Update(lapse.id.clone(), standing),
                None => LapseChange::Insert(standing),
            };
            change_lapse(&mut tx, member, connection, &change, now).await?;
            let lapse = match &before {
                Some(lapse) => lapse.id.clone(),
                None => newest(&mut tx, member, connection).await?.ok_or(sqlx::Error::RowNotFound)?.id,
            };
            invitations::withdraw(&mut tx, member, connection, now).await?;
            Ok(DisconnectIntent { lapse, before })
        })
        .await
    }

    /// Ends the wait for an act's effect: the operator has connected the source again. The next CONNECTED ends the
    /// dismissal.
    pub(crate) async fn clear_disconnect_intent(
        &self,
        member: &MemberId,
        connection: &ConnectionId,
    ) -> Result<()> {
        self.write(async |mut tx| {
            lock_member(&mut tx, member).await?;
            let undone = query(
                "UPDATE lapses SET disconnect_intent = NULL
                 WHERE member_id = $1 AND lower(connection_id) = $2 AND disconnect_intent IS NOT NULL",
            )
            .bind(member.as_str())
            .bind(connection.folded())
            .execute(&mut tx)
            .await?
            .rows_affected();
            if undone > 0 {
                clear_response_digest(&mut tx, member).await?;
            }
            Ok(())
        })
        .await
    }

    /// Reverts an intent whose request was refused. An open lapse is planned again.
    pub async fn revert_disconnect_intent(
        &self,
        member: &MemberId,
        announced: &DisconnectIntent,
        now: Time,
    ) -> Result<()> {
        self.write(async |mut tx| {
            lock_member(&mut tx, member).await?;
            let (lapse, change) = match &announced.before {
                Some(lapse) => (lapse, LapseChange::Update(lapse.id.clone(), LapseFields::from(lapse))),
                None => {
                    query("DELETE FROM lapses WHERE lapse_id = $1")
                        .bind(announced.lapse.as_str())
                        .execute(&mut tx)
                        .await?;
                    clear_response_digest(&mut tx, member).await?;
                    return Ok(());
                }
            };
            change_lapse(&mut tx, member, &lapse.connection_id, &change, now).await?;
            clear_response_digest(&mut tx, member).await?;
            Ok(())
        })
        .await
    }
}

async fn change_lapse(
    tx: &mut Tx,
    member: &MemberId,
    connection: &ConnectionId,
    change: &LapseChange,
    now: Time,
) -> Result<()> {
    let mut changes = LapseChanges::default();
    changes.add(member, connection, change, now);
    changes.write(tx, now).await
}

/// The spelling under which a connection is stored.
async fn stored_id(tx: &mut Tx, member: &MemberId, connection: &ConnectionId) -> Result<ConnectionId> {
    let stored: Option<String> = query_scalar(
        "SELECT connection_id FROM connections WHERE member_id = $1 AND lower(connection_id) = $2
         ORDER BY coalesce(status, '') = 'DELETED', connection_id LIMIT 1",
    )
    .bind(member.as_str())
    .bind(connection.folded())
    .fetch_optional(&mut *tx)
    .await?;
    Ok(stored.map_or_else(|| connection.clone(), ConnectionId::new))
}

async fn newest(tx: &mut Tx, member: &MemberId, connection: &ConnectionId) -> Result<Option<Lapse>> {
    let sql = format!(
        "SELECT {} FROM lapses l WHERE l.member_id = $1 AND l.connection_id = $2 
         ORDER BY l.state = 'closed', l.lapse_id DESC LIMIT 1",
        lapses::COLUMNS
    );
    let row = query(sql).bind(member.as_str()).bind(connection.as_str()).fetch_optional(&mut *tx).await?;
    row.as_ref().map(lapses::read).transpose()
}

async fn clear_response_digest(tx: &mut Tx, member: &MemberId) -> Result<()> {
    query("UPDATE members SET response_digest = NULL WHERE member_id = $1")
        .bind(member.as_str())
        .execute(&mut *tx)
        .await?;
    Ok(())
}
