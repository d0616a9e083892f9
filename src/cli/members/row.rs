//! A member, for people.

use crate::domain::MemberId;
use crate::rows::MemberRow;

/// Whether the address receives email.
pub(super) fn email_state(member: &MemberRow<'_>) -> &'static str {
    if member.suppressed { "suppressed" } else { "yes" }
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
