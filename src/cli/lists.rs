//! `transitions`, `lapses list`, `notices list|show`: what was seen, what is open, what was said.

use super::completion::Completion;
use super::context::Context;
use super::output::{Rows, maybe_time, outln, time};
use crate::domain::{Lapse, LapseState, MemberId, NoticeId, Outcome, Transition};
use crate::store::{Attempt, ListedNotice};
use anyhow::bail;
use serde::Serialize;

/// Rows read at a time.
const PAGE: u32 = 500;

#[derive(Serialize)]
struct TransitionRow<'a> {
    member_id: &'a str,
    connection_id: &'a str,
    from: Option<&'a str>,
    to: &'a str,
    observed_at: String,
}

/// `transitions`: every change of a status, oldest first.
pub(super) async fn transitions(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[("OBSERVED", 24), ("MEMBER", 20), ("CONNECTION", 24), ("FROM", 14), ("TO", 0)],
    );
    let mut after = None;
    loop {
        let page = store.transitions(member, after.as_ref(), PAGE).await?;
        for Transition { member_id, connection_id, from, to, observed_at, .. } in &page {
            let row = TransitionRow {
                member_id: member_id.as_str(),
                connection_id: connection_id.as_str(),
                from: from.as_ref().map(|status| status.as_str()),
                to: to.as_str(),
                observed_at: time(*observed_at),
            };
            let from = row.from.unwrap_or_default();
            rows.row(&row, &[&row.observed_at, row.member_id, row.connection_id, from, row.to])?;
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}

#[derive(Serialize)]
struct LapseRow<'a> {
    lapse_id: &'a str,
    member_id: &'a str,
    connection_id: &'a str,
    state: &'static str,
    outcome: Option<&'static str>,
    suspected_at: String,
    opened_at: Option<String>,
    closed_at: Option<String>,
}

/// `lapses list`: the spans in which connections needed their members, oldest first.
pub(super) async fn lapses(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[("OPENED", 24), ("MEMBER", 20), ("CONNECTION", 24), ("STATE", 10), ("OUTCOME", 10), ("CLOSED", 0)],
    );
    let mut after = None;
    loop {
        let page = store.lapses(member, after.as_ref(), PAGE).await?;
        for lapse in &page {
            let row = lapse_row(lapse);
            rows.row(
                &row,
                &[
                    row.opened_at.as_deref().unwrap_or_default(),
                    row.member_id,
                    row.connection_id,
                    row.state,
                    row.outcome.unwrap_or_default(),
                    row.closed_at.as_deref().unwrap_or_default(),
                ],
            )?;
        }
        match page.last() {
            Some(last) => after = Some(last.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}

/// A lapse that goes on after an end keeps that end to itself until it is confirmed.
fn lapse_row(lapse: &Lapse) -> LapseRow<'_> {
    let closed = lapse.state == LapseState::Closed;
    LapseRow {
        lapse_id: lapse.id.as_str(),
        member_id: lapse.member_id.as_str(),
        connection_id: lapse.connection_id.as_str(),
        state: lapse.state.as_str(),
        outcome: lapse.outcome.filter(|_| closed).map(Outcome::as_str),
        suspected_at: time(lapse.suspected_at),
        opened_at: maybe_time(lapse.opened_at),
        closed_at: maybe_time(lapse.closed_at.filter(|_| closed)),
    }
}

#[derive(Serialize)]
struct NoticeRow<'a> {
    notice_id: &'a str,
    member_id: &'a str,
    kind: &'static str,
    step: u32,
    state: &'static str,
    reason: &'a str,
    attempts: u32,
    connections: Vec<&'a str>,
    planned_at: String,
    not_before: String,
    sent_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<AttemptRow<'a>>>,
}

#[derive(Serialize)]
struct AttemptRow<'a> {
    attempt: u32,
    count: u32,
    started_at: String,
    last_at: String,
    finished_at: Option<String>,
    outcome: Option<&'a str>,
    reason: Option<&'a str>,
    detail: Option<&'a str>,
}

fn notice_row(listed: &ListedNotice) -> NoticeRow<'_> {
    let notice = &listed.notice;
    NoticeRow {
        notice_id: notice.id.as_str(),
        member_id: notice.member_id.as_str(),
        kind: notice.kind.as_str(),
        step: notice.step,
        state: notice.state.as_str(),
        reason: &listed.reason,
        attempts: notice.attempts,
        connections: notice.items.iter().map(|item| item.connection_id.as_str()).collect(),
        planned_at: time(listed.planned_at),
        not_before: time(listed.not_before),
        sent_at: maybe_time(notice.sent_at),
        history: None,
    }
}

/// `notices list`: every mail, planned, under way or done, oldest first.
pub(super) async fn notices(context: &Context, member: Option<&MemberId>) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let mut rows = Rows::new(
        context.json,
        &[
            ("NOTICE", 36),
            ("MEMBER", 20),
            ("KIND", 9),
            ("STEP", 4),
            ("STATE", 10),
            ("ATTEMPTS", 8),
            ("REASON", 24),
            ("SENT", 0),
        ],
    );
    let mut after = None;
    loop {
        let page = store.notices(member, None, after.as_ref(), PAGE).await?;
        for listed in &page {
            let row = notice_row(listed);
            let (step, attempts) = (row.step.to_string(), row.attempts.to_string());
            let sent = row.sent_at.as_deref().unwrap_or_default();
            rows.row(
                &row,
                &[row.notice_id, row.member_id, row.kind, &step, row.state, &attempts, row.reason, sent],
            )?;
        }
        match page.last() {
            Some(last) => after = Some(last.notice.id.clone()),
            None => return Ok(Completion::Complete),
        }
    }
}

/// `notices show`: one mail, with every attempt at it.
pub(super) async fn notice(context: &Context, id: &NoticeId) -> anyhow::Result<Completion> {
    let store = context.store().await?;
    let listed = store.notices(None, Some(id), None, 1).await?;
    let Some(listed) = listed.first() else {
        bail!("there is no notice {id}; `reconnectd notices list` shows them");
    };
    let attempts = store.attempts(id).await?;
    let mut row = notice_row(listed);
    let history: Vec<_> = attempts.iter().map(attempt_row).collect();
    if context.json {
        row.history = Some(history);
        return Rows::new(true, &[]).row(&row, &[]).map(|()| Completion::Complete).map_err(Into::into);
    }
    outln!("notice       {}", row.notice_id);
    outln!("member       {}", row.member_id);
    outln!("kind         {}", row.kind);
    outln!("step         {}", row.step);
    outln!("state        {} ({})", row.state, row.reason);
    outln!("connections  {}", row.connections.join(", "));
    outln!("planned      {}", row.planned_at);
    outln!("sent         {}", row.sent_at.as_deref().unwrap_or("-"));
    for AttemptRow { attempt, count, started_at, last_at, outcome, detail, .. } in history {
        let (outcome, detail) = (outcome.unwrap_or("under way"), detail.unwrap_or_default());
        let times = if count > 1 { format!(" {count} times, last {last_at}") } else { String::new() };
        outln!("attempt {attempt:<4} {started_at}  {outcome}{times}  {detail}");
    }
    Ok(Completion::Complete)
}

fn attempt_row(attempt: &Attempt) -> AttemptRow<'_> {
    AttemptRow {
        attempt: attempt.attempt,
        count: attempt.count,
        started_at: time(attempt.started_at),
        last_at: time(attempt.last_at),
        finished_at: maybe_time(attempt.finished_at),
        outcome: attempt.outcome.as_deref(),
        reason: attempt.reason.as_deref(),
        detail: attempt.detail.as_deref(),
    }
}
