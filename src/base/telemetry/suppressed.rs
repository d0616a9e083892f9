//! Tells operators about addresses that evidence suppressed.

use super::metrics;
use crate::domain::{MemberId, Suppression};

/// Logs and counts the members whose address gets no more email.
pub(crate) fn report_suppressed(members: &[MemberId], reason: Suppression) {
    for member in members {
        let reason = reason.as_str();
        tracing::warn!(
            event = "address_suppressed", member_id = %member, reason,
            "the member's address gets no more email"
        );
    }
    metrics::count_bounced_members(reason, members.len() as u64);
}
