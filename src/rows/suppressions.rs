use super::time::time;
use crate::domain::MemberId;
use crate::store::ListedSuppression;
use serde::Serialize;
use utoipa::ToSchema;

/// The store has only hashes of addresses, so reports name members instead.
#[derive(Serialize, ToSchema)]
pub(crate) struct SuppressionRow<'a> {
    pub(crate) member_ids: Vec<&'a str>,
    pub(crate) reason: &'static str,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
}

impl<'a> From<&'a ListedSuppression> for SuppressionRow<'a> {
    fn from(listed: &'a ListedSuppression) -> Self {
        Self {
            member_ids: listed.members.iter().map(MemberId::as_str).collect(),
            reason: listed.reason.as_str(),
            created_at: time(listed.created_at),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RemovedSuppressionRow<'a> {
    pub(crate) member_ids: Vec<&'a str>,
    pub(crate) removed: bool,
}
