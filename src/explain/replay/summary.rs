//! What a replay counts.

use super::row::{Counted, ReplayRow};
use crate::domain::{MemberId, Time};
use chrono::TimeDelta;

/// Of the limit that `above` is about.
const MONTH: TimeDelta = TimeDelta::days(30);

/// What the policy would have sent, and what was sent. Rows come member by member.
#[derive(Clone, Debug)]
pub struct Summary {
    pub would: Totals,
    pub did: Totals,
    /// The rows that differ.
    pub differing: u64,
    limit: usize,
    member: Option<MemberId>,
    times: [Vec<Time>; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those who get any email.
    pub members: u64,
    pub emails: u64,
    pub at_night: u64,
    /// The members with more emails than the limit within any 30 days.
    pub above: u64,
}

impl Summary {
    pub(super) fn new(limit: usize) -> Self {
        let (would, did, times) = Default::default();
        Self { would, did, differing: 0, limit, member: None, times }
    }

    pub(super) fn add(&mut self, row: &ReplayRow) {
        if self.member.as_ref() != Some(&row.member_id) {
            self.end_member();
            self.member = Some(row.member_id.clone());
        }
        self.differing += u64::from(row.differs());
        let [would, did] = &mut self.times;
        would.extend(row.would_send_at);
        did.extend(row.sent_at);
        self.would.count(row.would_count);
        self.did.count(row.did_count);
    }

    pub(super) fn end_member(&mut self) {
        let limit = self.limit;
        for (totals, times) in [&mut self.would, &mut self.did].into_iter().zip(&mut self.times) {
            times.sort_unstable();
            totals.members += u64::from(!times.is_empty());
            let is_above = |window: &[Time]| {
                window.first().zip(window.last()).is_some_and(|(first, last)| *last - *first < MONTH)
            };
            totals.above += u64::from(times.windows(limit.saturating_add(1)).any(is_above));
            times.clear();
        }
    }
}

impl Totals {
    fn count(&mut self, counted: Counted) {
        self.emails += u64::from(counted.is_email);
        self.at_night += u64::from(counted.is_at_night);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NoticeReason;

    #[test]
    fn members_above_the_limit_have_too_many_emails_within_30_days() {
        let day = |day| Time::UNIX_EPOCH + TimeDelta::days(day);
        let mut summary = Summary::new(2);
        for (member, would, did) in [("a", 1, 1), ("a", 2, 20), ("a", 30, 31), ("b", 1, 1)] {
            summary.add(&ReplayRow {
                member_id: member.into(),
                connections: Vec::new(),
                step: 0,
                would_send_at: Some(day(would)),
                sent_at: Some(day(did)),
                reason: NoticeReason::FirstNotice,
                would_count: Counted { is_email: true, is_at_night: false },
                did_count: Counted { is_email: true, is_at_night: true },
            });
        }
        summary.end_member();
        assert_eq!(summary.would, Totals { members: 2, emails: 4, at_night: 0, above: 1 });
        assert_eq!(summary.did, Totals { members: 2, emails: 4, at_night: 4, above: 0 });
        assert_eq!(summary.differing, 2);
    }
}
