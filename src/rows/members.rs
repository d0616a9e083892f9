use super::time::optional_time;
use crate::store::{ListedMember, NO_RESPONSE};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
pub(crate) struct MemberRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) credential: &'static str,
    pub(crate) paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub(crate) credential_since: Option<String>,
    #[schema(format = DateTime)]
    pub(crate) last_answer_at: Option<String>,
    pub(crate) unclear_reason: Option<&'a str>,
    pub(crate) suppressed: bool,
    /// Why the member gets no more email about an open lapse.
    pub(crate) unreachable_reason: Option<&'a str>,
    #[schema(format = DateTime)]
    pub(crate) unreachable_since: Option<String>,
    pub(crate) label: Option<&'a str>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) time_zone: Option<&'a str>,
}

impl<'a> MemberRow<'a> {
    /// For the list of members who cannot be reached.
    pub(crate) fn of_unreachable(listed: &'a ListedMember) -> Self {
        let row = Self::from(listed);
        Self { unreachable_reason: row.unreachable_reason.or(Some(NO_RESPONSE)), ..row }
    }
}

impl<'a> From<&'a ListedMember> for MemberRow<'a> {
    fn from(listed: &'a ListedMember) -> Self {
        let member = &listed.member;
        Self {
            member_id: member.id.as_str(),
            credential: listed.credential.as_str(),
            paused: member.paused,
            credential_reason: listed.trouble.as_ref().map(|(reason, _)| reason.as_str()),
            credential_since: optional_time(listed.trouble.as_ref().map(|(_, since)| *since)),
            last_answer_at: optional_time(listed.last_answer_at),
            unclear_reason: listed.unclear_reason.as_deref(),
            suppressed: listed.suppressed,
            unreachable_reason: listed.unreachable.as_ref().map(|(reason, _)| reason.as_str()),
            unreachable_since: optional_time(listed.unreachable.as_ref().map(|(_, since)| *since)),
            label: member.label.as_deref(),
            locale: member.locale.as_deref(),
            time_zone: member.time_zone.map(|zone| zone.name()),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PauseRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) paused: bool,
    pub(crate) changed: bool,
}

/// What a poll of a member that waited for it changed.
#[derive(Serialize)]
pub(crate) struct RetriedMemberRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) credential: &'static str,
    pub(crate) last_answer_at: Option<String>,
    pub(crate) unclear_reason: Option<&'a str>,
}

/// A member who was enrolled, or changed.
#[derive(Serialize, ToSchema)]
pub(crate) struct AddedMemberRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) added: bool,
    /// Refresh tokens that had been imported before, which changed nothing.
    pub(crate) known_tokens: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RemovedMemberRow<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) erased: bool,
    /// Traces of the member remain in the write-ahead log for up to an hour, because another process was reading.
    pub(crate) traces_remain: bool,
}
