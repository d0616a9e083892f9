//! An operator's cutting of a connection: what follows from it is on purpose, and nothing to write to the member about.

use super::{Result, Store, invitations, lapses, observations};
use crate::domain::{ConnectionId, Lapse, LapseChange, LapseId, MemberId, Standing, Time};
use sqlx::{Sqlite, Transaction};

/// What a connection's lapse was before its cutting was announced.
#[derive(Clone, Debug)]
pub struct Announced {
    lapse: LapseId,
    before: Option<Lapse>,
}

impl Store {
    /// Says that a connection is about to be cut or removed on purpose. Until the gateway calls it CONNECTED again, it
    /// is treated as one whose member said so: its lapse is closed, dismissed, and no other begins; what was queued about
    /// it is cancelled, and links to it that an operator had made die.
    ///
    /// Said before the gateway is asked, so that it holds however the asking ends. The member's next answer is looked
    /// at whatever it says.
    pub async fn announce_parting(
        &self,
        member: &MemberId,
        connection: &ConnectionId,
        now: Time,
    ) -> Result<Announced> {
        let mut tx = self.begin().await?;
        let before = newest(&mut tx, member, connection).await?;
        let standing = Standing::dismissed(before.as_ref(), now);
        let change = match &before {
            Some(lapse) => LapseChange::Update(lapse.id.clone(), standing),
            None => LapseChange::Begin(standing),
        };
        observations::apply_to_lapse(&mut tx, member, connection, &change, now).await?;
        let lapse = match &before {
            Some(lapse) => lapse.id.clone(),
            None => newest(&mut tx, member, connection).await?.ok_or(sqlx::Error::RowNotFound)?.id,
        };
        invitations::withdraw(&mut tx, member, connection.as_str()).await?;
        forget_digest(&mut tx, member).await?;
        tx.commit().await?;
        Ok(Announced { lapse, before })
    }

    /// Takes an announcement back: the connection was not cut. A lapse that was open is planned anew.
    pub async fn parting_refused(&self, member: &MemberId, announced: &Announced, now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        let (lapse, change) = match &announced.before {
            Some(lapse) => (lapse, LapseChange::Update(lapse.id.clone(), Standing::of(lapse))),
            None => {
                sqlx::query("DELETE FROM lapses WHERE lapse_id = $1")
                    .bind(announced.lapse.as_str())
                    .execute(&mut *tx)
                    .await?;
                return Ok(tx.commit().await?);
            }
        };
        observations::apply_to_lapse(&mut tx, member, &lapse.connection_id, &change, now).await?;
        forget_digest(&mut tx, member).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn newest(
    tx: &mut Transaction<'_, Sqlite>,
    member: &MemberId,
    connection: &ConnectionId,
) -> Result<Option<Lapse>> {
    let sql = format!(
        "SELECT {} FROM lapses l WHERE l.member_id = $1 AND l.connection_id = $2 
         ORDER BY l.state = 'closed', l.lapse_id DESC LIMIT 1",
        lapses::COLUMNS
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(member.as_str())
        .bind(connection.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(lapses::read).transpose()
}

async fn forget_digest(tx: &mut Transaction<'_, Sqlite>, member: &MemberId) -> Result<()> {
    sqlx::query("UPDATE members SET answer_digest = NULL WHERE member_id = $1")
        .bind(member.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
