//! `token_refresh_leases`: the right to refresh a member's tokens, and the result. Those that arrive together are written
//! together.

use super::convert::{hex, json_list, millis};
use super::credentials::{
    CREDENTIAL_COLUMNS, CREDENTIAL_JOINS, StoredCredentials, StoredToken, end_failures,
};
use super::engine::{Flush, Tx, Urgency, query, query_as};
use super::error::{Result, StoreError};
use super::former_keys::verify_in_use;
use super::json_rows::write_rows;
use super::resealing::digest_of;
use super::row_locks::lock_members;
use super::sqlite::Store;
use crate::base::batches::{Batches, Item};
use crate::base::random;
use crate::domain::{Fingerprint, InstanceId, MemberId, Sealed, Time, UsedCredential};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How far the clocks of two instances may differ, in milliseconds. The lease of a dead instance is released sooner.
const CLOCK_MARGIN: i64 = 60_000;
/// Refreshes in one unit of work.
const BATCH: usize = 128;
/// How long a lease waits for others in a first sweep.
const GATHERING: Duration = Duration::from_millis(10);

/// The right to refresh one member's tokens, until it expires.
#[derive(Clone, Debug)]
pub struct RefreshLease {
    owner: String,
    /// The credential as it was when the lease was taken.
    pub(crate) credentials: StoredCredentials,
}

/// The result of a token refresh.
#[derive(Clone, Debug)]
pub struct RefreshedTokens {
    /// The credential of the request.
    pub used: UsedCredential,
    /// The new refresh token, if the gateway rotates them. The old one no longer works.
    pub rotated: Option<Sealed>,
    pub access: Option<StoredToken>,
    /// Stored when it is the member's first subject.
    pub subject: Option<Fingerprint>,
}

/// Writes the refreshes that arrive together in one unit of work. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RefreshBatches {
    leases: Batches<LeaseRequest, Option<RefreshLease>, StoreError>,
    tokens: Batches<Refreshed, (), StoreError>,
}

impl Default for RefreshBatches {
    fn default() -> Self {
        // Many wait for a lease before their renewals may begin. New tokens do not wait: they exist nowhere else.
        Self { leases: Batches::new(BATCH, 1).gathering(GATHERING), tokens: Batches::new(BATCH, 1) }
    }
}

impl RefreshBatches {
    /// [`Store::lease_refresh`].
    pub(crate) async fn lease_refresh(
        &self,
        store: &Store,
        id: &MemberId,
        now: Time,
        until: Time,
    ) -> Result<Option<RefreshLease>> {
        let store = store.clone();
        let run = move |requests: Vec<Arc<LeaseRequest>>| {
            let store = store.clone();
            async move { store.lease_refreshes(&requests).await }
        };
        self.leases.submit(LeaseRequest::new(id, now, until), run).await
    }

    /// [`Store::store_tokens`].
    pub(crate) async fn store_tokens(
        &self,
        store: &Store,
        id: &MemberId,
        lease: &RefreshLease,
        tokens: &Arc<RefreshedTokens>,
        now: Time,
    ) -> Result<()> {
        let store = store.clone();
        let run = move |refreshed: Vec<Arc<Refreshed>>| {
            let store = store.clone();
            async move { store.store_refreshed(&refreshed).await }
        };
        self.tokens.submit(Refreshed::new(id, lease, tokens, now), run).await
    }
}

#[derive(Debug, Serialize)]
struct LeaseRequest {
    member: MemberId,
    owner: String,
    until: i64,
    #[serde(skip)]
    now: Time,
}

impl LeaseRequest {
    fn new(id: &MemberId, now: Time, until: Time) -> Self {
        Self { member: id.clone(), owner: random::id(now), until: millis(until), now }
    }
}

impl Item for LeaseRequest {
    fn key(&self) -> &str {
        self.member.as_str()
    }
}

#[derive(Debug)]
struct Refreshed {
    member: MemberId,
    owner: String,
    tokens: Arc<RefreshedTokens>,
    now: Time,
}

impl Refreshed {
    fn new(id: &MemberId, lease: &RefreshLease, tokens: &Arc<RefreshedTokens>, now: Time) -> Self {
        let tokens = Arc::clone(tokens);
        Self { member: id.clone(), owner: lease.owner.clone(), tokens, now }
    }
}

impl Item for Refreshed {
    fn key(&self) -> &str {
        self.member.as_str()
    }
}

#[derive(Serialize)]
struct OwnerRow<'a> {
    member: &'a MemberId,
    owner: &'a str,
}

#[derive(Serialize)]
struct SealedRow<'a> {
    member: &'a MemberId,
    key_id: &'a str,
    /// In hexadecimal.
    sealed: String,
    /// Of an access token.
    refresh_at: Option<i64>,
}

impl<'a> SealedRow<'a> {
    fn new(member: &'a MemberId, key_id: &'a str, bytes: &[u8], refresh_at: Option<Time>) -> Self {
        Self { member, key_id, sealed: hex(bytes), refresh_at: refresh_at.map(millis) }
    }
}

impl Store {
    /// Leases the right to refresh a member's tokens until `until`; `None` while another holds it. The lease comes with
    /// the credential as it is now, which may hold a token that another has just got.
    pub async fn lease_refresh(&self, id: &MemberId, now: Time, until: Time) -> Result<Option<RefreshLease>> {
        let request = LeaseRequest::new(id, now, until);
        Ok(self.lease_refreshes(&[Arc::new(request)]).await?.pop().flatten())
    }

    async fn lease_refreshes(&self, requests: &[Arc<LeaseRequest>]) -> Result<Vec<Option<RefreshLease>>> {
        let rows = json_list(&requests.iter().map(AsRef::as_ref).collect::<Vec<_>>())?;
        let now = requests.iter().map(|request| request.now).min().unwrap_or_default();
        let holder = self.holder.id();
        let unit = async |mut tx: Tx| {
            if !self.holder.may_lease(&mut tx).await? {
                return Ok(vec![None; requests.len()]);
            }
            let leased: Vec<(String, String)> = query_as(
                "INSERT INTO token_refresh_leases (member_id, leased_until, holder, owner)
                 SELECT m.member_id, CAST(j.value ->> 'until' AS BIGINT), $3, j.value ->> 'owner'
                 FROM json_each($1) j JOIN members m ON m.member_id = j.value ->> 'member'
                 WHERE m.removed_at IS NULL ORDER BY m.member_id
                 ON CONFLICT (member_id) DO UPDATE SET leased_until = excluded.leased_until,
                    holder = excluded.holder, owner = excluded.owner
                 WHERE token_refresh_leases.leased_until <= CASE
                    WHEN coalesce(token_refresh_leases.holder = $3, TRUE) THEN $2 ELSE $2 - $4 END
                 RETURNING member_id, owner",
            )
            .bind(&rows)
            .bind(millis(now))
            .bind(holder.as_ref().map(InstanceId::as_str))
            .bind(if self.is_shared() { CLOCK_MARGIN } else { 0 })
            .fetch_all(&mut tx)
            .await?;
            let members = leased.iter().map(|(member, _)| member.as_str()).collect::<Vec<_>>();
            let credentials = query(format!(
                "SELECT m.member_id, {CREDENTIAL_COLUMNS} FROM members m {CREDENTIAL_JOINS}
                 WHERE m.member_id IN (SELECT value FROM json_each($1))"
            ))
            .bind(json_list(&members)?)
            .fetch_all(&mut tx)
            .await?;
            let mut credentials = credentials
                .iter()
                .map(|row| Ok((row.try_get::<String>("member_id")?, StoredCredentials::read(row)?)))
                .collect::<Result<HashMap<_, _>>>()?;
            let lease = |request: &Arc<LeaseRequest>| {
                let credentials = credentials.remove(request.member.as_str())?;
                Some(RefreshLease { owner: request.owner.clone(), credentials })
            };
            Ok(requests.iter().map(lease).collect())
        };
        // A crash ends the refresh, too.
        self.write_with(Urgency::Renewal, Flush::Later, unit).await
    }

    /// Extends a lease, unless another holder has taken it over.
    pub async fn extend_refresh_lease(&self, id: &MemberId, lease: &RefreshLease, until: Time) -> Result<()> {
        let update =
            query("UPDATE token_refresh_leases SET leased_until = $2 WHERE member_id = $1 AND owner = $3")
                .bind(id.as_str())
                .bind(millis(until))
                .bind(&lease.owner);
        self.execute(update).await?;
        Ok(())
    }

    /// Releases a lease without new tokens.
    pub async fn release_refresh_lease(&self, id: &MemberId, lease: &RefreshLease) -> Result<()> {
        let unit = async |mut tx: Tx| release(&mut tx, &[OwnerRow { member: id, owner: &lease.owner }]).await;
        self.write_with(Urgency::Background, Flush::Later, unit).await
    }

    /// Stores what a refresh brought and releases the lease. A credential that was imported meanwhile stays, and tokens
    /// requested with the one before it are dropped. With an access token the member's failure is over; then other
    /// members whose failures began about the same time are retried soon, for they may have had the same cause.
    pub async fn store_tokens(
        &self,
        id: &MemberId,
        lease: &RefreshLease,
        tokens: &Arc<RefreshedTokens>,
        now: Time,
    ) -> Result<()> {
        self.store_refreshed(&[Arc::new(Refreshed::new(id, lease, tokens, now))]).await?;
        Ok(())
    }

    async fn store_refreshed(&self, refreshed: &[Arc<Refreshed>]) -> Result<Vec<()>> {
        let now = refreshed.iter().map(|refreshed| refreshed.now).max().unwrap_or_default();
        let unit = async |mut tx: Tx| {
            let members = refreshed.iter().map(|refreshed| &refreshed.member).collect::<Vec<_>>();
            lock_members(&mut tx, &members).await?;
            let current = current(&mut tx, &members, refreshed).await?;
            write_tokens(&mut tx, &current, now).await?;
            verify_in_use(&mut tx, &keys_of(&current)).await?;
            let owners: Vec<_> = refreshed
                .iter()
                .map(|refreshed| OwnerRow { member: &refreshed.member, owner: &refreshed.owner })
                .collect();
            release(&mut tx, &owners).await
        };
        self.write_with(Urgency::Renewal, Flush::Wait, unit).await?;
        Ok(vec![(); refreshed.len()])
    }
}

/// Those whose members are enrolled and still have the credential that was used.
async fn current<'a>(
    tx: &mut Tx,
    members: &[&MemberId],
    refreshed: &'a [Arc<Refreshed>],
) -> Result<Vec<&'a Refreshed>> {
    type Stored = (String, String, Option<Vec<u8>>, Option<Vec<u8>>);
    let rows: Vec<Stored> = query_as(
        "SELECT m.member_id, m.subject, c.sealed, c.resealed_from FROM members m LEFT JOIN credentials c ON c.member_id = m.member_id
         WHERE m.removed_at IS NULL AND m.member_id IN (SELECT value FROM json_each($1))",
    )
    .bind(json_list(members)?)
    .fetch_all(tx)
    .await?;
    let stored: HashMap<_, _> = rows.iter().map(|row| (row.0.as_str(), row)).collect();
    let is_current = |refreshed: &&Refreshed| {
        let Some((_, subject, sealed, resealed_from)) = stored.get(refreshed.member.as_str()) else {
            return false;
        };
        match &refreshed.tokens.used {
            UsedCredential::RefreshToken(used) => {
                // The same token, if a rotation of the keys has sealed it again meanwhile.
                sealed.as_ref() == Some(&used.bytes)
                    || resealed_from.as_ref().is_some_and(|digest| *digest == digest_of(&used.bytes))
            }
            UsedCredential::Subject(used) => subject == used,
        }
    };
    Ok(refreshed.iter().map(AsRef::as_ref).filter(is_current).collect())
}

/// The keys that sealed the tokens.
fn keys_of<'a>(refreshed: &[&'a Refreshed]) -> Vec<&'a str> {
    let sealed = refreshed.iter().flat_map(|refreshed| {
        let tokens = &refreshed.tokens;
        tokens.rotated.iter().chain(tokens.access.as_ref().map(|access| &access.sealed))
    });
    let keys: BTreeSet<&str> = sealed.map(|sealed| sealed.key_id.as_str()).collect();
    keys.into_iter().collect()
}

async fn write_tokens(tx: &mut Tx, refreshed: &[&Refreshed], now: Time) -> Result<()> {
    let rotated: Vec<_> = refreshed
        .iter()
        .filter_map(|refreshed| refreshed.tokens.rotated.as_ref().map(|sealed| (&refreshed.member, sealed)))
        .map(|(member, sealed)| SealedRow::new(member, &sealed.key_id, &sealed.bytes, None))
        .collect();
    write_rows(tx, &rotated, |rows| {
        query(
            "UPDATE credentials SET key_id = j.value ->> 'key_id', sealed = unhex(j.value ->> 'sealed'),
                resealed_from = NULL, updated_at = $2
             FROM json_each($1) j WHERE member_id = j.value ->> 'member'",
        )
        .bind(rows)
        .bind(millis(now))
    })
    .await?;
    let access: Vec<_> = refreshed
        .iter()
        .filter_map(|refreshed| refreshed.tokens.access.as_ref().map(|access| (&refreshed.member, access)))
        .map(|(member, access)| {
            SealedRow::new(member, &access.sealed.key_id, &access.sealed.bytes, Some(access.refresh_at))
        })
        .collect();
    write_rows(tx, &access, |rows| {
        query(
            "INSERT INTO access_tokens (member_id, key_id, sealed, refresh_at)
             SELECT j.value ->> 'member', j.value ->> 'key_id', unhex(j.value ->> 'sealed'),
                CAST(j.value ->> 'refresh_at' AS BIGINT)
             FROM json_each($1) j WHERE TRUE
             ON CONFLICT (member_id) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed,
                refresh_at = excluded.refresh_at",
        )
        .bind(rows)
    })
    .await?;
    end_failures(tx, &access.iter().map(|row| row.member).collect::<Vec<_>>(), now).await?;
    let subjects: Vec<_> = refreshed
        .iter()
        .filter_map(|refreshed| refreshed.tokens.subject.as_ref().map(|print| (&refreshed.member, print)))
        .map(|(member, print)| SealedRow::new(member, &print.key_id, &print.hash, None))
        .collect();
    write_rows(tx, &subjects, |rows| {
        query(
            "INSERT INTO token_subjects (member_id, key_id, hash)
             SELECT j.value ->> 'member', j.value ->> 'key_id', unhex(j.value ->> 'sealed')
             FROM json_each($1) j WHERE TRUE ON CONFLICT (member_id) DO NOTHING",
        )
        .bind(rows)
    })
    .await
}

/// Only their owners can release leases.
async fn release(tx: &mut Tx, owners: &[OwnerRow<'_>]) -> Result<()> {
    write_rows(tx, owners, |rows| {
        query(
            "DELETE FROM token_refresh_leases WHERE (member_id, owner) IN
                (SELECT j.value ->> 'member', j.value ->> 'owner' FROM json_each($1) j)",
        )
        .bind(rows)
    })
    .await
}
