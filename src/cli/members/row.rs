//! A member as reports show it.

use crate::cli::output::optional_time;
use crate::domain::MemberId;
use crate::store::ListedMember;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct MemberRow<'a> {
    pub(super) member_id: &'a str,
    pub(super) credential: &'static str,
    pub(super) paused: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential_since: Option<String>,
    pub(super) last_answer_at: Option<String>,
    pub(super) unclear_reason: Option<&'a str>,
    pub(super) suppressed: bool,
    /// Why the member gets no more email about an open lapse.
    pub(super) unreachable_reason: Option<&'a str>,
    pub(super) unreachable_since: Option<String>,
    pub(super) label: Option<&'a str>,
    pub(super) locale: Option<&'a str>,
    pub(super) time_zone: Option<&'a str>,
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

impl MemberRow<'_> {
    /// Whether the address receives email, for people.
    pub(super) fn email_state(&self) -> &'static str {
        if self.suppressed { "suppressed" } else { "yes" }
    }
}

pub(in crate::cli) fn no_such_member(id: &MemberId) -> anyhow::Error {
    anyhow::anyhow!("there is no member {id}; `reconnectd members list` lists them")
}

pub(super) fn no_such_members(ids: &[MemberId]) -> anyhow::Error {
    let ids: Vec<_> = ids.iter().map(MemberId::as_str).collect();
    anyhow::anyhow!(
        "there is no member {}; nothing was changed; `reconnectd members list` lists the members",
        ids.join(", ")
    )
}
