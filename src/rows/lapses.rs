use super::time::{optional_time, time};
use crate::domain::{Lapse, LapseState, Outcome};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct LapseRow<'a> {
    pub(crate) lapse_id: &'a str,
    pub(crate) member_id: &'a str,
    pub(crate) connection_id: &'a str,
    pub(crate) state: &'static str,
    pub(crate) outcome: Option<&'static str>,
    #[schema(format = DateTime)]
    pub(crate) suspected_at: String,
    #[schema(format = DateTime)]
    pub(crate) opened_at: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) closed_at: Option<String>,
}

impl<'a> From<&'a Lapse> for LapseRow<'a> {
    fn from(lapse: &'a Lapse) -> Self {
        // A lapse that resumed has the outcome of its earlier end until it is confirmed.
        let is_closed = lapse.state == LapseState::Closed;
        Self {
            lapse_id: lapse.id.as_str(),
            member_id: lapse.member_id.as_str(),
            connection_id: lapse.connection_id.as_str(),
            state: lapse.state.as_str(),
            outcome: lapse.outcome.filter(|_| is_closed).map(Outcome::as_str),
            suspected_at: time(lapse.suspected_at),
            opened_at: optional_time(lapse.opened_at),
            closed_at: optional_time(lapse.closed_at.filter(|_| is_closed)),
        }
    }
}
