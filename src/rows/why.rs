use super::time::time;
use crate::domain::{ConnectionId, NoticeId};
use crate::explain::Explained;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct WhyRow<'a> {
    #[schema(format = DateTime)]
    pub(crate) at: String,
    #[schema(format = DateTime)]
    pub(crate) last_at: String,
    pub(crate) count: u64,
    pub(crate) member_id: &'a str,
    pub(crate) connection_id: Option<&'a str>,
    pub(crate) notice_id: Option<&'a str>,
    pub(crate) what: &'static str,
    pub(crate) reason: &'a str,
    pub(crate) text: &'a str,
}

impl<'a> From<&'a Explained> for WhyRow<'a> {
    fn from(entry: &'a Explained) -> Self {
        Self {
            at: time(entry.at),
            last_at: time(entry.last_at),
            count: entry.count,
            member_id: entry.member_id.as_str(),
            connection_id: entry.connection_id.as_ref().map(ConnectionId::as_str),
            notice_id: entry.notice_id.as_ref().map(NoticeId::as_str),
            what: entry.what,
            reason: &entry.reason,
            text: &entry.text,
        }
    }
}
