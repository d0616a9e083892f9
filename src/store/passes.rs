//! `passes`: which browser may press a spent button again, and until when.

use super::links::Press;
use super::{Result, Store, millis, rechecks};
use crate::domain::{ConnectionId, PassHash, Time, TokenHash};
use sqlx::{Sqlite, Transaction};

/// Whether any of these is kept and good at `now`.
pub(super) async fn any_is_kept(
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
pub(super) async fn keep(
    tx: &mut Transaction<'_, Sqlite>,
    press: &Press<'_>,
    passes: &[PassHash],
    until: Time,
) -> Result<()> {
    sqlx::query("DELETE FROM passes WHERE until <= $1").bind(millis(press.at)).execute(&mut **tx).await?;
    for pass in passes {
        sqlx::query(
            "INSERT INTO passes (pass_hash, token_hash, connection_id, member_id, until)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&pass.0[..])
        .bind(&press.link.0[..])
        .bind(press.connection.as_str())
        .bind(press.member.as_str())
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

    /// Sets the member's early polls anew after a press with a pass, which spends nothing.
    pub(crate) async fn pressed_again(&self, press: &Press<'_>) -> Result<()> {
        let mut tx = self.begin().await?;
        rechecks::set(&mut tx, press).await?;
        tx.commit().await?;
        Ok(())
    }
}
