//! Stores the notices that the planner decided on, with one statement per table.

use super::engine::{Tx, query};
use super::json_rows::write_rows;
use super::{Result, millis};
use crate::base::random;
use crate::domain::{
    AddressInput, LapseId, MemberId, NoticeId, NoticeItem, NoticeKind, NoticeState, PlannedNotice,
    PlanningOutput, Time, WaitingNotice,
};
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What changes in the tables.
#[derive(Default)]
struct Changes<'a> {
    inserted: Vec<NoticeRow<'a>>,
    updated: Vec<NoticeRow<'a>>,
    withdrawn: Vec<WithdrawnRow<'a>>,
    items: Vec<ItemRow<'a>>,
    freed: Vec<FreedRow<'a>>,
    /// Lapses of members at other addresses, whose notices have lost a part.
    left: Vec<&'a LapseId>,
}

/// A row of `notices`.
#[derive(Serialize)]
struct NoticeRow<'a> {
    notice: NoticeId,
    member: &'a MemberId,
    kind: &'a str,
    state: &'static str,
    step: u32,
    reason: &'a str,
    not_before: i64,
    is_tentative: bool,
    /// Since when the planner could have decided to send it; `None`: it waits.
    due_at: Option<i64>,
}

#[derive(Serialize)]
struct WithdrawnRow<'a> {
    notice: &'a NoticeId,
    reason: &'a str,
}

/// A row of `notice_items`.
#[derive(Serialize)]
struct ItemRow<'a> {
    notice: NoticeId,
    lapse: &'a LapseId,
    connection: &'a str,
    step: u32,
    counts: bool,
    extra: bool,
}

/// An item that no longer counts as a step of its lapse.
#[derive(Serialize)]
struct FreedRow<'a> {
    notice: &'a NoticeId,
    lapse: &'a LapseId,
    /// Whether the notice goes on without it.
    is_taken_out: bool,
}

/// Stores the notices of all addresses. `due`: since when each of the members waits for the planner. Returns the id of each, by address, in the order of the planned ones.
pub(super) async fn store(
    tx: &mut Tx,
    planned: &[(AddressInput, PlanningOutput)],
    due: &HashMap<MemberId, i64>,
    now: Time,
) -> Result<Vec<Vec<NoticeId>>> {
    let mut changes = Changes::default();
    let ids = planned.iter().map(|(input, output)| {
        let due_at = input.members.iter().filter_map(|member| due.get(&member.member_id)).min();
        changes.collect(input, output, due_at.copied(), now)
    });
    let ids = ids.collect();
    changes.write(tx, now).await?;
    Ok(ids)
}

impl<'a> Changes<'a> {
    fn collect(
        &mut self,
        input: &'a AddressInput,
        output: &'a PlanningOutput,
        due_at: Option<i64>,
        now: Time,
    ) -> Vec<NoticeId> {
        let add = |notice| self.add(input, notice, due_at, now);
        let ids: Vec<NoticeId> = output.notices.iter().map(add).collect();
        let withdrawn =
            output.withdrawn.iter().map(|(notice, reason)| WithdrawnRow { notice, reason: reason.as_str() });
        self.withdrawn.extend(withdrawn);
        let own: HashSet<&MemberId> = input.members.iter().map(|member| &member.member_id).collect();
        for waiting in &input.waiting {
            self.free(waiting, output, &own);
        }
        ids
    }

    fn add(
        &mut self,
        input: &'a AddressInput,
        notice: &'a PlannedNotice,
        due_at: Option<i64>,
        now: Time,
    ) -> NoticeId {
        let id = notice.continues.clone().unwrap_or_else(|| NoticeId::new(random::id(now)));
        let waiting = input.waiting.iter().find(|waiting| waiting.id == id);
        let Some(first) = notice.items.first() else { return id };
        let is_due = notice.state == NoticeState::Queued && !notice.is_tentative;
        let row = NoticeRow {
            notice: id.clone(),
            member: &first.member_id,
            kind: notice.kind.as_str(),
            state: notice.state.as_str(),
            step: notice.items.iter().map(|item| item.step).min().unwrap_or_default(),
            reason: notice.reason.as_str(),
            not_before: millis(notice.not_before),
            is_tentative: notice.is_tentative,
            due_at: due_at.or(Some(millis(now))).filter(|_| is_due),
        };
        match waiting {
            None => self.inserted.push(row),
            Some(waiting) if is_different(waiting, notice) => self.updated.push(row),
            Some(_) => {}
        }
        let is_new = |item: &&NoticeItem| waiting.is_none_or(|waiting| !waiting.items.contains(item));
        self.items.extend(notice.items.iter().filter(is_new).map(|item| ItemRow {
            notice: id.clone(),
            lapse: &item.lapse_id,
            connection: item.connection_id.as_str(),
            step: item.step,
            counts: notice.kind == NoticeKind::Reconnect,
            extra: notice.extra.contains(&item.lapse_id),
        }));
        id
    }

    /// Frees the steps of a waiting notice that it is no longer about.
    fn free(&mut self, waiting: &'a WaitingNotice, output: &'a PlanningOutput, own: &HashSet<&MemberId>) {
        let continued = output.notices.iter().find(|notice| notice.continues.as_ref() == Some(&waiting.id));
        let is_withdrawn = output.withdrawn.iter().any(|(notice, _)| *notice == waiting.id);
        for item in &waiting.items {
            let stays = continued.is_some_and(|notice| notice.items.contains(item));
            if !own.contains(&item.member_id) {
                self.left.push(&item.lapse_id);
            } else if !stays {
                let row =
                    FreedRow { notice: &waiting.id, lapse: &item.lapse_id, is_taken_out: !is_withdrawn };
                self.freed.push(row);
            }
        }
    }

    async fn write(&self, tx: &mut Tx, now: Time) -> Result<()> {
        write_rows(tx, &self.freed, |rows| {
            query(
                "UPDATE notice_items SET counts_as_step = FALSE,
                    in_email = CASE WHEN j.taken_out THEN FALSE ELSE in_email END
                 FROM (SELECT value ->> 'notice' AS notice, value ->> 'lapse' AS lapse,
                        CAST(value ->> 'is_taken_out' AS BOOLEAN) AS taken_out FROM json_each($1)) AS j
                 WHERE notice_items.notice_id = j.notice AND notice_items.lapse_id = j.lapse",
            )
            .bind(rows)
        })
        .await?;
        write_rows(tx, &self.withdrawn, |rows| {
            query(
                "UPDATE notices SET state = 'cancelled', reason = j.value ->> 'reason' FROM json_each($1) AS j
                 WHERE notice_id = j.value ->> 'notice'",
            )
            .bind(rows)
        })
        .await?;
        self.write_notices(tx, now).await?;
        write_rows(tx, &self.items, |rows| {
            query(
                "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra)
                 SELECT value ->> 'notice', value ->> 'lapse', value ->> 'connection',
                    CAST(value ->> 'step' AS BIGINT), CAST(value ->> 'counts' AS BOOLEAN),
                    CAST(value ->> 'extra' AS BOOLEAN) FROM json_each($1) WHERE TRUE
                 ON CONFLICT (notice_id, lapse_id) DO UPDATE SET step = excluded.step,
                    counts_as_step = excluded.counts_as_step, extra = excluded.extra, in_email = NULL",
            )
            .bind(rows)
        })
        .await?;
        write_rows(tx, &self.left, |lapses| {
            query(
                "UPDATE lapses SET plan_at = $2
                 WHERE state = 'open' AND lapse_id IN (SELECT value FROM json_each($1))",
            )
            .bind(lapses)
            .bind(millis(now))
        })
        .await
    }

    async fn write_notices(&self, tx: &mut Tx, now: Time) -> Result<()> {
        write_rows(tx, &self.inserted, |rows| {
            query(
                "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before,
                    is_tentative, due_at, domain)
                 SELECT e.value ->> 'notice', m.member_id, e.value ->> 'kind', CAST(e.value ->> 'step' AS BIGINT),
                    e.value ->> 'state', e.value ->> 'reason', $2, CAST(e.value ->> 'not_before' AS BIGINT),
                    CAST(e.value ->> 'is_tentative' AS BOOLEAN), CAST(e.value ->> 'due_at' AS BIGINT), m.domain
                 FROM json_each($1) AS e JOIN members m ON m.member_id = e.value ->> 'member'",
            )
            .bind(rows)
            .bind(millis(now))
        })
        .await?;
        write_rows(tx, &self.updated, |rows| {
            query(
                "UPDATE notices SET member_id = m.member_id, step = CAST(e.value ->> 'step' AS BIGINT),
                    state = e.value ->> 'state', reason = e.value ->> 'reason',
                    not_before = CAST(e.value ->> 'not_before' AS BIGINT),
                    is_tentative = CAST(e.value ->> 'is_tentative' AS BOOLEAN), domain = m.domain,
                    due_at = CASE WHEN e.value ->> 'due_at' IS NOT NULL
                        THEN coalesce(due_at, CAST(e.value ->> 'due_at' AS BIGINT)) END
                 FROM json_each($1) AS e JOIN members m ON m.member_id = e.value ->> 'member'
                 WHERE notices.notice_id = e.value ->> 'notice'",
            )
            .bind(rows)
        })
        .await
    }
}

fn is_different(waiting: &WaitingNotice, notice: &PlannedNotice) -> bool {
    let first = notice.items.first().map(|item| &item.member_id);
    (first, waiting.state, waiting.reason, waiting.not_before, waiting.is_tentative)
        != (Some(&waiting.member_id), notice.state, notice.reason, notice.not_before, notice.is_tentative)
        || waiting.items != notice.items
}
