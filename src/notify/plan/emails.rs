//! Puts the notices that are due together into one email to the address.

use super::decision::{EmailState, PlannedEmail};
use super::gates::{Candidate, after_quiet_hours};
use super::policy::Policy;
use crate::domain::{NoticeReason, PlanningInput, Time};

/// The most members in one email. The others get the next one.
const MAX_MEMBERS: usize = 20;

/// A notice that has passed the gates, or waits for its time.
#[derive(Clone, Copy, Debug)]
pub(super) struct DueNotice {
    /// The place of its decision.
    pub(super) place: usize,
    /// The place of its member.
    pub(super) member: usize,
    pub(super) candidate: Candidate,
}

/// The emails to the address, the earliest first. The first notice that is due begins an email, which includes all that are
/// due within `digest_window` of it. A notice before its cadence is due only joins an email that goes out now.
pub(super) fn compose(
    members: &[PlanningInput],
    notices: &[DueNotice],
    policy: &Policy,
    now: Time,
) -> Vec<PlannedEmail> {
    let mut notices = notices.to_vec();
    notices.sort_by_key(|notice| (notice.candidate.due_at, notice.place));
    let mut emails = Vec::new();
    while let Some(first) = notices.iter().find(|notice| notice.candidate.listed_at <= now).copied() {
        let (at, together) = together(members, &notices, first, policy, now);
        let waits_for_morning = at > first.candidate.due_at.max(now);
        notices.retain(|notice| together.binary_search(&notice.place).is_err());
        emails.push(PlannedEmail {
            state: if at > now { EmailState::Waits } else { EmailState::Due },
            not_before: at,
            reason: if waits_for_morning { NoticeReason::QuietHours } else { first.candidate.reason },
            decisions: together,
        });
    }
    emails
}

/// The time of the email that `first` begins, and the places of its decisions. Its quiet hours are those of its first member,
/// and each notice that joins can bring another first member.
fn together(
    members: &[PlanningInput],
    notices: &[DueNotice],
    first: DueNotice,
    policy: &Policy,
    now: Time,
) -> (Time, Vec<usize>) {
    let (mut member, mut at) = (first.member, first.candidate.due_at);
    loop {
        at = members.get(member).map_or(at, |member| after_quiet_hours(&member.recipient, policy, at, now));
        let joined = joined(notices, first, at, policy, now);
        match joined.iter().map(|notice| notice.member).min() {
            Some(earlier) if earlier < member => member = earlier,
            _ => {
                let mut places: Vec<_> = joined.iter().map(|notice| notice.place).collect();
                places.sort_unstable();
                return (at, places);
            }
        }
    }
}

/// The notices in an email that goes out at `at`.
fn joined(notices: &[DueNotice], first: DueNotice, at: Time, policy: &Policy, now: Time) -> Vec<DueNotice> {
    let end = at.checked_add_signed(policy.digest_window).unwrap_or(Time::MAX_UTC);
    let mut included = vec![first.member];
    let joins = |notice: &&DueNotice| {
        let Candidate { due_at, listed_at, is_covered, .. } = notice.candidate;
        let is_due = due_at <= end && (listed_at <= now || (at <= now && !is_covered));
        let has_place = included.contains(&notice.member) || included.len() < MAX_MEMBERS;
        if is_due && has_place && !included.contains(&notice.member) {
            included.push(notice.member);
        }
        is_due && has_place
    };
    notices.iter().filter(joins).copied().collect()
}
