use super::time::{optional_time, time};
use crate::store::{Attempt, ListedNotice};
use serde::Serialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct NoticeRow<'a> {
    pub(crate) notice_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) step: u32,
    pub(crate) state: &'static str,
    pub(crate) reason: &'a str,
    pub(crate) attempts: u32,
    /// Without repeats: two members can have a connection with the same id.
    pub(crate) connections: BTreeSet<&'a str>,
    /// All members, if several share the email; else none.
    pub(crate) members: BTreeSet<&'a str>,
    #[schema(format = DateTime)]
    pub(crate) planned_at: String,
    #[schema(format = DateTime)]
    pub(crate) not_before: String,
    #[schema(format = DateTime)]
    pub(crate) sent_at: Option<String>,
    /// The attempts, where a single notice is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) history: Option<Vec<AttemptRow<'a>>>,
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

#[derive(Serialize, ToSchema)]
pub(crate) struct AttemptRow<'a> {
    pub(crate) attempt: u32,
    /// Consecutive attempts with the same outcome, shown as one row.
    pub(crate) count: u32,
    #[schema(format = DateTime)]
    pub(crate) started_at: String,
    #[schema(format = DateTime)]
    pub(crate) last_at: String,
    #[schema(format = DateTime)]
    pub(crate) finished_at: Option<String>,
    pub(crate) outcome: Option<&'a str>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) detail: Option<&'a str>,
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

#[derive(Serialize, ToSchema)]
pub(crate) struct RetriedNoticeRow<'a> {
    pub(crate) notice_id: &'a str,
    pub(crate) queued: bool,
}
