//! `credentials`, `access_tokens`, `credential_failures`.

use super::engine::{Row, Tx, query, query_as, query_scalar};
use super::events::{NewEvent, NewEvents};
use super::resealing::digest_of;
use super::row_locks::lock_member;
use super::{Result, Store, count, json_list, millis, time, unreachable};
use crate::domain::{CredentialState, EventType, Fingerprint, MemberId, Sealed, Time, UsedCredential};

/// An access token, sealed, and how long it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// The token.
    pub sealed: Sealed,
    /// A little before the token expires.
    pub(crate) refresh_at: Time,
}

/// The rejection of a member's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFailure {
    /// The reason, in words for the operator.
    pub(crate) reason: String,
    /// The start of the failure.
    pub(crate) since: Time,
    pub(crate) failures: u32,
    pub retry_at: Time,
}

/// A member's stored credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCredentials {
    /// The member's identity at the identity provider.
    pub(crate) subject: String,
    pub refresh: Option<Sealed>,
    /// The newest access token.
    pub access: Option<StoredToken>,
    /// The last failure; `None` after a success.
    pub failure: Option<CredentialFailure>,
    /// Identifies the subject of the member's first access token.
    pub token_subject: Option<Fingerprint>,
}

/// When a credential recovers, the retries of others are spread over this time, in milliseconds.
const RETRY_SPREAD: i64 = 10 * 60 * 1000;
/// Failures that begin within this time of each other, in milliseconds, probably have one cause.
const SAME_CAUSE: i64 = 2 * 60 * 60 * 1000;

pub(super) const CREDENTIAL_COLUMNS: &str = "m.subject, c.key_id AS refresh_key, c.sealed AS refresh_sealed,
    a.key_id AS access_key, a.sealed AS access_sealed, a.refresh_at,
    f.reason AS failure_reason, f.since, f.failures, f.retry_at,
    t.key_id AS subject_key, t.hash AS subject_hash";
pub(super) const CREDENTIAL_JOINS: &str = "LEFT JOIN credentials c ON c.member_id = m.member_id
    LEFT JOIN access_tokens a ON a.member_id = m.member_id
    LEFT JOIN credential_failures f ON f.member_id = m.member_id
    LEFT JOIN token_subjects t ON t.member_id = m.member_id";

impl StoredCredentials {
    pub(super) fn read(row: &Row) -> Result<Self> {
        let sealed = |key: &str, bytes: &str| -> Result<Option<Sealed>> {
            let key_id: Option<String> = row.try_get(key)?;
            let bytes: Option<Vec<u8>> = row.try_get(bytes)?;
            Ok(key_id.zip(bytes).map(|(key_id, bytes)| Sealed { key_id, bytes }))
        };
        let access = match (sealed("access_key", "access_sealed")?, row.try_get::<Option<i64>>("refresh_at")?)
        {
            (Some(sealed), Some(refresh_at)) => Some(StoredToken { sealed, refresh_at: time(refresh_at) }),
            _ => None,
        };
        let failure = match row.try_get::<Option<i64>>("since")? {
            None => None,
            Some(since) => Some(CredentialFailure {
                reason: row.try_get("failure_reason")?,
                since: time(since),
                failures: count(row.try_get("failures")?),
                retry_at: time(row.try_get("retry_at")?),
            }),
        };
        Ok(Self {
            subject: row.try_get("subject")?,
            refresh: sealed("refresh_key", "refresh_sealed")?,
            access,
            failure,
            token_subject: sealed("subject_key", "subject_hash")?
                .map(|Sealed { key_id, bytes }| Fingerprint { key_id, hash: bytes }),
        })
    }
}

impl Store {
    /// `None` when the member does not exist.
    pub async fn credentials(&self, id: &MemberId) -> Result<Option<StoredCredentials>> {
        let sql = format!(
            "SELECT {CREDENTIAL_COLUMNS} FROM members m {CREDENTIAL_JOINS} WHERE m.member_id = $1 AND m.removed_at IS NULL"
        );
        let row = query(sql).bind(id.as_str()).fetch_optional(&self.reader).await?;
        row.as_ref().map(StoredCredentials::read).transpose()
    }

    /// Drops an access token that the gateway no longer accepts, unless another has replaced it already.
    pub async fn drop_access_token(&self, id: &MemberId, token: &Sealed) -> Result<()> {
        self.write(async |mut tx| {
            query("DELETE FROM access_tokens WHERE member_id = $1 AND sealed = $2")
                .bind(id.as_str())
                .bind(&token.bytes)
                .execute(&mut tx)
                .await?;
            Ok(())
        })
        .await
    }

    /// Records that a member's credential is rejected, unless another has replaced it since it was used. Returns whether
    /// it was recorded.
    pub(crate) async fn reject_credential(
        &self,
        id: &MemberId,
        used: &UsedCredential,
        failure: &CredentialFailure,
        now: Time,
    ) -> Result<bool> {
        self.write(async |mut tx| {
            lock_member(&mut tx, id).await?;
            if !is_current(&mut tx, id, used).await? {
                return Ok(false);
            }
            let was_rejected: bool = query_scalar(
                "SELECT EXISTS (SELECT 1 FROM credential_failures WHERE member_id = $1 AND state = 'rejected')",
            )
            .bind(id.as_str())
            .fetch_one(&mut tx)
            .await?;
            query(
                "INSERT INTO credential_failures (member_id, state, reason, since, failures, retry_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (member_id) DO UPDATE SET state = excluded.state, reason = excluded.reason,
                    failures = excluded.failures, retry_at = excluded.retry_at",
            )
            .bind(id.as_str())
            .bind(CredentialState::Rejected.as_str())
            .bind(&failure.reason)
            .bind(millis(failure.since))
            .bind(failure.failures)
            .bind(millis(failure.retry_at))
            .execute(&mut tx)
            .await?;
            unreachable::plan_again(&mut tx, &json_list(&[id])?, failure.since).await?;
            let mut events = NewEvents::new(&tx);
            if !was_rejected {
                let rejected = NewEvent::about(id, EventType::CredentialRejected);
                events.add(rejected.with_time("rejected_at", Some(failure.since)));
            }
            events.write(&mut tx, now).await?;
            Ok(true)
        })
        .await
    }
}

/// Whether the member is enrolled and still has the credential that was used.
async fn is_current(tx: &mut Tx, id: &MemberId, used: &UsedCredential) -> Result<bool> {
    let query = match used {
        UsedCredential::RefreshToken(sealed) => query_scalar(
            "SELECT EXISTS (SELECT 1 FROM members m JOIN credentials c ON c.member_id = m.member_id
                WHERE m.member_id = $1 AND m.removed_at IS NULL AND (c.sealed = $2 OR c.resealed_from = $3))",
        )
        .bind(id.as_str())
        .bind(&sealed.bytes)
        .bind(digest_of(&sealed.bytes)),
        UsedCredential::Subject(subject) => query_scalar(
            "SELECT EXISTS (SELECT 1 FROM members
                WHERE member_id = $1 AND removed_at IS NULL AND subject = $2)",
        )
        .bind(id.as_str())
        .bind(subject),
    };
    query.fetch_one(&mut *tx).await
}

/// Deletes the failures of members whose credential works again. Other members whose failures began about the same time are
/// retried soon.
pub(super) async fn end_failures(tx: &mut Tx, members: &[&MemberId], now: Time) -> Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let ended: Vec<(String, i64)> = query_as(
        "DELETE FROM credential_failures WHERE member_id IN (SELECT value FROM json_each($1))
         RETURNING member_id, since",
    )
    .bind(json_list(members)?)
    .fetch_all(&mut *tx)
    .await?;
    if ended.is_empty() {
        return Ok(());
    }
    let members: Vec<_> = ended.iter().map(|(member, _)| member).collect();
    unreachable::plan_again(tx, &json_list(&members)?, now).await?;
    for (_, since) in ended {
        // Those that are due within the spread were brought forward before.
        query(
            "UPDATE credential_failures SET retry_at = min(retry_at, $2 +
                (SELECT poll_key % $4 FROM members m WHERE m.member_id = credential_failures.member_id))
             WHERE retry_at > $2 + $4 AND since BETWEEN $1 - $3 AND $1 + $3",
        )
        .bind(since)
        .bind(millis(now))
        .bind(SAME_CAUSE)
        .bind(RETRY_SPREAD)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
