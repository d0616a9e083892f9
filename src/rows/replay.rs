use super::time::optional_time;
use crate::domain::ConnectionId;
use crate::explain::ReplayRow;
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct ReplayedRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) connections: Vec<&'a str>,
    pub(crate) step: u32,
    pub(crate) would_send_at: Option<String>,
    pub(crate) sent_at: Option<String>,
    pub(crate) reason: &'static str,
}

impl<'a> From<&'a ReplayRow> for ReplayedRow<'a> {
    fn from(row: &'a ReplayRow) -> Self {
        Self {
            member_id: row.member_id.as_str(),
            connections: row.connections.iter().map(ConnectionId::as_str).collect(),
            step: row.step,
            would_send_at: optional_time(row.would_send_at),
            sent_at: optional_time(row.sent_at),
            reason: row.reason.as_str(),
        }
    }
}
