//! `passes`: which browser may press a spent button again, and until when.

use super::links::Redemption;
use super::{Result, Store, millis, rechecks};
use crate::domain::{ConnectionId, PassHash, Time, TokenHash};
use sqlx::{Sqlite, Transaction};

/// Whether any of these is kept and good at `now`.
pub(super) async fn any_exists(
    tx: &mut Transaction<'_, Sqlite>,
    passes: &[PassHash],
    now: Time,
) -> Result<bool> {
    for pass in passes {
        let kept =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM passes WHERE pass_hash = $1 AND until > $2)")
                .bind(&pass.0[..])
                .bind(millis(now))
                .fetch_one(&mut **tx)
                .await?;
        if kept {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps passes, and strikes out those that have ended.
pub(super) async fn insert(
    tx: &mut Transaction<'_, Sqlite>,
    redemption: &Redemption<'_>,
    passes: &[PassHash],
    until: Time,
) -> Result<()> {
    sqlx::query("DELETE FROM passes WHERE until <= $1")
        .bind(millis(redemption.at))
        .execute(&mut **tx)
        .await?;
    for pass in passes {
        sqlx::query(
            "INSERT INTO passes (pass_hash, token_hash, connection_id, member_id, until)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&pass.0[..])
        .bind(&redemption.link.0[..])
        .bind(redemption.connection.as_str())
        .bind(redemption.member.as_str())
        .bind(millis(until))
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

impl Store {
    /// The passes of a link that are good at `now`, each with the connection that it is for.
    pub(crate) async fn passes(&self, link: TokenHash, now: Time) -> Result<Vec<(ConnectionId, PassHash)>> {
        let rows: Vec<(String, Vec<u8>)> = sqlx::query_as(
            "SELECT connection_id, pass_hash FROM passes WHERE token_hash = $1 AND until > $2",
        )
        .bind(&link.0[..])
        .bind(millis(now))
        .fetch_all(&self.reader)
        .await?;
        let whole =
            |(id, hash): (String, Vec<u8>)| Some((ConnectionId::new(id), PassHash(hash.try_into().ok()?)));
        Ok(rows.into_iter().filter_map(whole).collect())
    }

    pub(crate) async fn reschedule_recheck(&self, redemption: &Redemption<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        rechecks::set(&mut tx, redemption).await?;
        tx.commit().await?;
        Ok(())
    }
}
