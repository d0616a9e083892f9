//! Members who were removed before the horizon. The audit still names them.

use crate::domain::{MemberId, Time};
use crate::store::engine::{query, query_scalar};
use crate::store::row_locks::lock_member;
use crate::store::{Result, Store, erasure, millis};

/// Members whom a step erases. Each has at most a few rows left.
const MEMBERS: u32 = 20;

/// Returns how many were erased, and the last one, unless there are no more.
pub(super) async fn purge(
    store: &Store,
    after: Option<&MemberId>,
    horizon: Time,
) -> Result<(u64, Option<MemberId>)> {
    let ids: Vec<String> = query_scalar(
        "SELECT member_id FROM members WHERE removed_at IS NOT NULL AND member_id > $1 AND removed_at < $2
         ORDER BY member_id LIMIT $3",
    )
    .bind(after.map_or("", MemberId::as_str))
    .bind(millis(horizon))
    .bind(MEMBERS)
    .fetch_all(&store.reader)
    .await?;
    let mut erased = 0;
    for id in ids.iter().map(|id| MemberId::from(id.as_str())) {
        erased += u64::from(purge_member(store, &id, horizon).await?);
    }
    let is_last = ids.len() < MEMBERS as usize;
    Ok((erased, ids.into_iter().next_back().filter(|_| !is_last).map(MemberId::new)))
}

/// Unless they are enrolled again.
async fn purge_member(store: &Store, id: &MemberId, horizon: Time) -> Result<bool> {
    store
        .write(async |mut tx| {
            lock_member(&mut tx, id).await?;
            let removed = query("SELECT 1 FROM members WHERE member_id = $1 AND removed_at < $2");
            let removed = removed.bind(id.as_str()).bind(millis(horizon)).fetch_optional(&mut tx).await?;
            if removed.is_none() {
                return Ok(false);
            }
            erasure::delete_rows(&mut tx, id).await
        })
        .await
}
