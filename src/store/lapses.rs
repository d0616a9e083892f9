//! `lapses`.

use super::engine::{Row, query, query_scalar};
use super::row::RowExt;
use super::{Result, Store, millis};
use crate::domain::{Lapse, LapseId, LapseState, MemberId, Time};

pub(super) const COLUMNS: &str =
    "l.lapse_id, l.member_id, l.connection_id, l.state, l.outcome, l.suspected_at,
     l.consecutive_observations, l.opened_at, l.closed_at, l.disconnect_intent";

pub(super) fn read(row: &Row) -> Result<Lapse> {
    Ok(Lapse {
        id: row.text("lapse_id")?,
        member_id: row.text("member_id")?,
        connection_id: row.text("connection_id")?,
        state: row.parsed("state")?,
        outcome: row.optional_parsed("outcome")?,
        suspected_at: row.time("suspected_at")?,
        consecutive_observations: row.count("consecutive_observations")?,
        opened_at: row.optional_time("opened_at")?,
        closed_at: row.optional_time("closed_at")?,
        disconnect_intent: row.optional_parsed("disconnect_intent")?,
    })
}

impl Store {
    /// The next `limit` lapses after `after`, oldest first, of one member or of all.
    pub async fn lapses(
        &self,
        only: Option<&MemberId>,
        after: Option<&LapseId>,
        limit: u32,
    ) -> Result<Vec<Lapse>> {
        self.lapses_in(None, only, after, limit).await
    }

    /// Like [`Self::lapses`], in one state or in any.
    pub(crate) async fn lapses_in(
        &self,
        state: Option<LapseState>,
        only: Option<&MemberId>,
        after: Option<&LapseId>,
        limit: u32,
    ) -> Result<Vec<Lapse>> {
        let in_state = match state {
            None => "",
            Some(LapseState::Closed) => "l.state = 'closed' AND",
            // The condition of the index.
            Some(LapseState::Open) => "l.state <> 'closed' AND l.state = 'open' AND",
            Some(LapseState::Suspected) => "l.state <> 'closed' AND l.state = 'suspected' AND",
        };
        let of_member = only.map_or("", |_| "l.member_id = $3 AND");
        let sql = format!(
            "SELECT {COLUMNS} FROM lapses l WHERE {of_member} {in_state} l.lapse_id > $1 ORDER BY l.lapse_id LIMIT $2"
        );
        let rows = query(sql)
            .bind(after.map_or("", LapseId::as_str))
            .bind(limit)
            .bind_if_some(only.map(MemberId::as_str))
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(read).collect()
    }

    /// Makes the planner evaluate each open lapse now, unless they were last planned under this policy. Returns whether it
    /// does. `former`: the policy that this process planned by until now, perhaps after another instance had named this one.
    ///
    /// # Errors
    /// Only errors of the store.
    pub(crate) async fn plan_under(&self, policy: &str, former: Option<&str>, now: Time) -> Result<bool> {
        self.write(async |mut tx| {
            let known: Option<String> =
                query_scalar("SELECT policy FROM planning_policy").fetch_optional(&mut tx).await?;
            if known.as_deref() == Some(policy) && former.is_none_or(|former| former == policy) {
                return Ok(false);
            }
            query(
                "UPDATE lapses SET plan_at = $1 WHERE state = 'open' AND (plan_at IS NULL OR plan_at > $1)",
            )
            .bind(millis(now))
            .execute(&mut tx)
            .await?;
            query(
                "INSERT INTO planning_policy (id, policy) VALUES (1, $1)
                 ON CONFLICT (id) DO UPDATE SET policy = excluded.policy",
            )
            .bind(policy)
            .execute(&mut tx)
            .await?;
            Ok(true)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::new_store;

    #[tokio::test]
    async fn lapses_are_planned_again_only_under_another_policy_than_the_one_of_this_process() {
        let (store, _folder) = new_store().await;
        for (policy, former, expected) in [
            ("a", None, true),
            ("a", None, false),
            ("a", Some("a"), false),
            ("a", Some("b"), true),
            ("b", Some("a"), true),
            ("b", None, false),
        ] {
            let is_planned = store.plan_under(policy, former, Time::UNIX_EPOCH).await.unwrap();
            assert_eq!(is_planned, expected, "{former:?} and then {policy}");
        }
    }
}
