use super::time::time;
use crate::domain::Transition;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct TransitionRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) connection_id: &'a str,
    /// Null for the first observation.
    pub(crate) from: Option<&'a str>,
    pub(crate) to: &'a str,
    #[schema(format = DateTime)]
    pub(crate) observed_at: String,
}

impl<'a> From<&'a Transition> for TransitionRow<'a> {
    fn from(transition: &'a Transition) -> Self {
        Self {
            member_id: transition.member_id.as_str(),
            connection_id: transition.connection_id.as_str(),
            from: transition.from.as_ref().map(|status| status.as_str()),
            to: transition.to.as_str(),
            observed_at: time(transition.observed_at),
        }
    }
}
