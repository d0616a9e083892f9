//! Queues the notices that the planner decided on, with one statement per table.

use super::engine::{Tx, query};
use super::{Result, json_list, millis};
use crate::base::random;
use crate::domain::{MemberId, NoticeId, NoticeKind, NoticeState, PlannedNotice, Time};
use serde::Serialize;

/// A row of `notices`.
#[derive(Serialize)]
struct NoticeRow<'a> {
    notice: String,
    member: &'a str,
    kind: &'a str,
    state: &'static str,
    step: u32,
    reason: &'a str,
}

/// A row of `notice_items`.
#[derive(Serialize)]
struct ItemRow<'a> {
    notice: &'a str,
    lapse: &'a str,
    connection: &'a str,
    step: u32,
    counts: bool,
    extra: bool,
}

pub(super) async fn queue(
    tx: &mut Tx,
    planned: &[(MemberId, PlannedNotice)],
    now: Time,
) -> Result<Vec<(MemberId, NoticeId)>> {
    if planned.is_empty() {
        return Ok(Vec::new());
    }
    let notices: Vec<NoticeRow<'_>> = planned
        .iter()
        .map(|(member, planned)| NoticeRow {
            notice: random::id(now),
            member: member.as_str(),
            kind: planned.kind.as_str(),
            state: if planned.is_held { NoticeState::Held } else { NoticeState::Queued }.as_str(),
            step: planned.items.iter().map(|item| item.step).min().unwrap_or_default(),
            reason: planned.reason.as_str(),
        })
        .collect();
    query(
        "INSERT INTO notices (notice_id, member_id, kind, step, state, reason, planned_at, not_before, domain)
         SELECT e.value ->> 'notice', m.member_id, e.value ->> 'kind', CAST(e.value ->> 'step' AS BIGINT),
            e.value ->> 'state', e.value ->> 'reason', $2, $2, m.domain
         FROM json_each($1) AS e JOIN members m ON m.member_id = e.value ->> 'member'",
    )
    .bind(json_list(&notices)?)
    .bind(millis(now))
    .execute(&mut *tx)
    .await?;
    let items: Vec<ItemRow<'_>> =
        notices.iter().zip(planned).flat_map(|(row, (_, planned))| items(&row.notice, planned)).collect();
    query(
        "INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra)
         SELECT value ->> 'notice', value ->> 'lapse', value ->> 'connection', CAST(value ->> 'step' AS BIGINT),
            CAST(value ->> 'counts' AS BOOLEAN), CAST(value ->> 'extra' AS BOOLEAN) FROM json_each($1)",
    )
    .bind(json_list(&items)?)
    .execute(&mut *tx)
    .await?;
    let queued = planned.iter().zip(&notices);
    Ok(queued.map(|((member, _), row)| (member.clone(), NoticeId::new(row.notice.clone()))).collect())
}

fn items<'a>(notice: &'a str, planned: &'a PlannedNotice) -> impl Iterator<Item = ItemRow<'a>> {
    planned.items.iter().map(move |item| ItemRow {
        notice,
        lapse: item.lapse_id.as_str(),
        connection: item.connection_id.as_str(),
        step: item.step,
        counts: planned.kind == NoticeKind::Reconnect,
        extra: planned.extra.contains(&item.lapse_id),
    })
}
