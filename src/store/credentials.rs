//! `credentials`, `access_tokens`, `renewals`, `credential_failures`.

use super::{InstanceLock, Result, Store, count, millis, time};
use crate::domain::{CredentialState, MemberId, Sealed, Time};
use sqlx::{Row, sqlite::SqliteRow};

/// An access token, sealed, and how long it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub sealed: Sealed,
    /// When to get another: a little before it expires.
    pub renew_at: Time,
}

/// Why no token can be had for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFailure {
    /// `Rejected` or `Missing`.
    pub state: CredentialState,
    /// In the operator's terms.
    pub reason: String,
    /// Since when.
    pub since: Time,
    /// How often it was tried.
    pub failures: u32,
    /// When it is tried again.
    pub retry_at: Time,
}

/// What a member's access token is got with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who they are to the identity provider.
    pub subject: String,
    /// The refresh token.
    pub refresh: Option<Sealed>,
    /// The access token that was got last.
    pub access: Option<StoredToken>,
    /// What went wrong last, if nothing went right since.
    pub failure: Option<CredentialFailure>,
}

pub(super) const GRANT_COLUMNS: &str = "m.subject, c.key_id AS refresh_key, c.sealed AS refresh_sealed,
    a.key_id AS access_key, a.sealed AS access_sealed, a.renew_at,
    f.state AS failure_state, f.reason AS failure_reason, f.since, f.failures, f.retry_at";
pub(super) const GRANT_JOINS: &str = "LEFT JOIN credentials c ON c.member_id = m.member_id
    LEFT JOIN access_tokens a ON a.member_id = m.member_id
    LEFT JOIN credential_failures f ON f.member_id = m.member_id";

impl Grant {
    pub(super) fn read(row: &SqliteRow) -> Result<Self> {
        let sealed = |key: &str, bytes: &str| -> Result<Option<Sealed>> {
            let key_id: Option<String> = row.try_get(key)?;
            let bytes: Option<Vec<u8>> = row.try_get(bytes)?;
            Ok(key_id.zip(bytes).map(|(key_id, bytes)| Sealed { key_id, bytes }))
        };
        let access =
            match (sealed("access_key", "access_sealed")?, row.try_get::<Option<i64>, _>("renew_at")?) {
                (Some(sealed), Some(renew_at)) => Some(StoredToken { sealed, renew_at: time(renew_at) }),
                _ => None,
            };
        let failure = match row.try_get::<Option<String>, _>("failure_state")? {
            None => None,
            Some(state) => Some(CredentialFailure {
                state: if state == "rejected" { CredentialState::Rejected } else { CredentialState::Missing },
                reason: row.try_get("failure_reason")?,
                since: time(row.try_get("since")?),
                failures: count(row.try_get("failures")?),
                retry_at: time(row.try_get("retry_at")?),
            }),
        };
        Ok(Self {
            subject: row.try_get("subject")?,
            refresh: sealed("refresh_key", "refresh_sealed")?,
            access,
            failure,
        })
    }
}

impl Store {
    /// What a member's token is got with; `None` when there is no such member.
    pub async fn grant(&self, id: &MemberId) -> Result<Option<Grant>> {
        let sql = format!(
            "SELECT {GRANT_COLUMNS} FROM members m {GRANT_JOINS} WHERE m.member_id = $1 AND m.removed_at IS NULL"
        );
        let row =
            sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(Grant::read).transpose()
    }

    /// Claims the right to renew a member's token until `until`. `None` when another holds it; else the grant as it
    /// stands now, which may hold a token that another has just got.
    pub async fn claim_renewal(&self, id: &MemberId, now: Time, until: Time) -> Result<Option<Grant>> {
        let mut tx = self.begin().await?;
        let claimed = sqlx::query(
            "INSERT INTO renewals (member_id, leased_until, by_instance)
             SELECT member_id, $2, $4 FROM members WHERE member_id = $1 AND removed_at IS NULL
             ON CONFLICT (member_id) DO UPDATE SET leased_until = excluded.leased_until,
                by_instance = excluded.by_instance
             WHERE renewals.leased_until <= $3",
        )
        .bind(id.as_str())
        .bind(millis(until))
        .bind(millis(now))
        .bind(self.is_instance())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if claimed == 0 {
            return Ok(None);
        }
        let sql = format!("SELECT {GRANT_COLUMNS} FROM members m {GRANT_JOINS} WHERE m.member_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.as_str()).fetch_one(&mut *tx).await?;
        let grant = Grant::read(&row)?;
        tx.commit().await?;
        Ok(Some(grant))
    }

    /// Keeps the right to renew until `until`.
    pub async fn extend_renewal(&self, id: &MemberId, until: Time) -> Result<()> {
        sqlx::query("UPDATE renewals SET leased_until = $2 WHERE member_id = $1")
            .bind(id.as_str())
            .bind(millis(until))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Frees the renewals of the instance that worked on this database before and did not end them.
    pub async fn free_renewals(&self, _lock: &InstanceLock) -> Result<u64> {
        let freed = sqlx::query("DELETE FROM renewals WHERE by_instance = 1").execute(&self.writer).await?;
        Ok(freed.rows_affected())
    }

    /// Gives the right to renew back without having renewed.
    pub async fn release_renewal(&self, id: &MemberId) -> Result<()> {
        sqlx::query("DELETE FROM renewals WHERE member_id = $1")
            .bind(id.as_str())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Keeps what a renewal gave, a rotated refresh token included, and gives the right to renew back. What was wrong
    /// with the member's credential is over.
    pub async fn renewed(
        &self,
        id: &MemberId,
        refresh: Option<&Sealed>,
        access: Option<&StoredToken>,
        now: Time,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        if let Some(refresh) = refresh {
            sqlx::query(
                "UPDATE credentials SET key_id = $2, sealed = $3, updated_at = $4 WHERE member_id = $1",
            )
            .bind(id.as_str())
            .bind(&refresh.key_id)
            .bind(&refresh.bytes)
            .bind(millis(now))
            .execute(&mut *tx)
            .await?;
        }
        if let Some(access) = access {
            sqlx::query(
                "INSERT INTO access_tokens (member_id, key_id, sealed, renew_at)
                 SELECT member_id, $2, $3, $4 FROM members WHERE member_id = $1 AND removed_at IS NULL
                 ON CONFLICT (member_id) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
                    renew_at = excluded.renew_at",
            )
            .bind(id.as_str())
            .bind(&access.sealed.key_id)
            .bind(&access.sealed.bytes)
            .bind(millis(access.renew_at))
            .execute(&mut *tx)
            .await?;
        }
        for statement in [
            "DELETE FROM credential_failures WHERE member_id = $1",
            "DELETE FROM renewals WHERE member_id = $1",
        ] {
            sqlx::query(statement).bind(id.as_str()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Drops an access token that the gateway no longer accepts, unless another has replaced it already.
    pub async fn drop_access_token(&self, id: &MemberId, token: &Sealed) -> Result<()> {
        sqlx::query("DELETE FROM access_tokens WHERE member_id = $1 AND sealed = $2")
            .bind(id.as_str())
            .bind(&token.bytes)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Records that no token can be had for a member.
    pub async fn credential_failed(&self, id: &MemberId, failure: &CredentialFailure) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO credential_failures (member_id, state, reason, since, failures, retry_at)
             SELECT member_id, $2, $3, $4, $5, $6 FROM members WHERE member_id = $1 AND removed_at IS NULL
             ON CONFLICT (member_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,
                failures = excluded.failures, retry_at = excluded.retry_at",
        )
        .bind(id.as_str())
        .bind(failure.state.as_str())
        .bind(&failure.reason)
        .bind(millis(failure.since))
        .bind(failure.failures)
        .bind(millis(failure.retry_at))
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM renewals WHERE member_id = $1").bind(id.as_str()).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
