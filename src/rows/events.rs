use super::time::{optional_time, time};
use crate::domain::ListedEvent;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct EventRow<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) r#type: &'a str,
    pub(crate) member_id: Option<&'a str>,
    pub(crate) state: &'static str,
    pub(crate) attempts: u32,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) delivered_at: Option<String>,
    /// Null while an earlier event of the member comes first.
    #[schema(format = DateTime)]
    pub(crate) next_at: Option<String>,
    pub(crate) last_error: Option<&'a str>,
}

impl<'a> From<&'a ListedEvent> for EventRow<'a> {
    fn from(event: &'a ListedEvent) -> Self {
        Self {
            event_id: event.id.as_str(),
            r#type: &event.event_type,
            member_id: event.member_id.as_ref().map(|member| member.as_str()),
            state: event.state.as_str(),
            attempts: event.attempts,
            created_at: time(event.created_at),
            delivered_at: optional_time(event.delivered_at),
            next_at: optional_time(event.next_at),
            last_error: event.last_error.as_deref(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RetriedEventRow<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) queued: bool,
}

#[derive(Serialize)]
pub(crate) struct TestedEventRow<'a> {
    pub(crate) event_id: &'a str,
    pub(crate) delivered: bool,
    pub(crate) error: Option<String>,
}
