//! Notices and attempts as reports show them.

use crate::cli::output::{optional_time, time};
use crate::store::{Attempt, ListedNotice};
use serde::Serialize;
use std::collections::BTreeSet;

#[derive(Serialize)]
pub(super) struct NoticeRow<'a> {
    pub(super) notice_id: &'a str,
    pub(super) member_id: &'a str,
    pub(super) kind: &'static str,
    pub(super) step: u32,
    pub(super) state: &'static str,
    pub(super) reason: &'a str,
    pub(super) attempts: u32,
    /// Without repeats: two members can have a connection with the same id.
    pub(super) connections: BTreeSet<&'a str>,
    /// All members, if several share the email; else none.
    pub(super) members: BTreeSet<&'a str>,
    pub(super) planned_at: String,
    pub(super) not_before: String,
    pub(super) sent_at: Option<String>,
    /// In `notices show` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history: Option<Vec<AttemptRow<'a>>>,
}

impl<'a> From<&'a ListedNotice> for NoticeRow<'a> {
    fn from(listed: &'a ListedNotice) -> Self {
        let notice = &listed.notice;
        let members: BTreeSet<&str> = notice.items.iter().map(|item| item.member_id.as_str()).collect();
        Self {
            notice_id: notice.id.as_str(),
            member_id: notice.member_id.as_str(),
            kind: notice.kind.as_str(),
            step: notice.step,
            state: notice.state.as_str(),
            reason: &listed.reason,
            attempts: notice.attempts,
            connections: notice.items.iter().map(|item| item.connection_id.as_str()).collect(),
            members: if members.len() > 1 { members } else { BTreeSet::new() },
            planned_at: time(listed.planned_at),
            not_before: time(listed.not_before),
            sent_at: optional_time(notice.sent_at),
            history: None,
        }
    }
}

#[derive(Serialize)]
pub(super) struct AttemptRow<'a> {
    pub(super) attempt: u32,
    /// Consecutive attempts with the same outcome, shown as one row.
    pub(super) count: u32,
    pub(super) started_at: String,
    pub(super) last_at: String,
    pub(super) finished_at: Option<String>,
    pub(super) outcome: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    pub(super) detail: Option<&'a str>,
}

impl<'a> From<&'a Attempt> for AttemptRow<'a> {
    fn from(attempt: &'a Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            count: attempt.count,
            started_at: time(attempt.started_at),
            last_at: time(attempt.last_at),
            finished_at: optional_time(attempt.finished_at),
            outcome: attempt.outcome.as_deref(),
            reason: attempt.reason.as_deref(),
            detail: attempt.detail.as_deref(),
        }
    }
}
