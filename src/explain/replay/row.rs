//! What a member would have received, next to what they did.

use super::email::{ReplayedEmail, real};
use super::simulation::Simulated;
use crate::domain::{
    ConnectionId, LapseId, MemberId, NoticeItem, NoticeKind, NoticeReason, PastMember, SharedPast, Time,
};
use chrono::{TimeDelta, Timelike};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet};

/// A smaller difference is none.
const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// An email to a member, or their part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRow {
    pub member_id: MemberId,
    pub connections: Vec<ConnectionId>,
    /// The lowest among the connections; 0 is the first notice.
    pub step: u32,
    /// `None`: there would be no such email.
    pub would_send_at: Option<Time>,
    /// `None`: there was none.
    pub sent_at: Option<Time>,
    /// Why it would be sent, or else why not.
    pub reason: NoticeReason,
    pub(super) would_count: Counted,
    pub(super) did_count: Counted,
}

/// How an email counts in a summary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Of an email that several members share, one row counts.
    pub(super) is_email: bool,
    pub(super) is_at_night: bool,
}

impl ReplayRow {
    /// Whether the policy makes a difference.
    pub fn differs(&self) -> bool {
        match (self.would_send_at, self.sent_at) {
            (Some(would), Some(did)) => (would - did).abs() >= TOLERANCE,
            _ => true,
        }
    }

    fn at(&self) -> Option<Time> {
        self.would_send_at.or(self.sent_at)
    }
}

/// A member's part of an email.
struct Part {
    at: Time,
    kind: NoticeKind,
    reason: Option<NoticeReason>,
    steps: BTreeSet<(LapseId, u32)>,
    connections: Vec<ConnectionId>,
    step: u32,
    counted: Counted,
}

/// The rows of all members, in the order of their ids and of time.
pub(super) fn rows(
    past: &SharedPast,
    simulated: &Simulated,
    (from, until): (Time, Time),
    default_zone: Tz,
) -> Vec<ReplayRow> {
    let is_in_time = |email: &ReplayedEmail| from <= email.sent_at && email.sent_at <= until;
    let happened: Vec<_> = past.notices.iter().filter_map(real).filter(is_in_time).collect();
    let mut did = parts(past, &happened, default_zone);
    let mut would = parts(past, &simulated.emails, default_zone);
    let members: BTreeSet<MemberId> = did.keys().chain(would.keys()).cloned().collect();
    let mut rows = Vec::new();
    for member in members {
        let (did, would) = (did.remove(&member), would.remove(&member));
        let start = rows.len();
        for (would, did) in pairs(would.unwrap_or_default(), did.unwrap_or_default()) {
            rows.extend(row(&member, would, did, simulated));
        }
        if let Some(own) = rows.get_mut(start..) {
            own.sort_by_key(ReplayRow::at);
        }
    }
    rows
}

fn row(
    member: &MemberId,
    would: Option<Part>,
    did: Option<Part>,
    simulated: &Simulated,
) -> Option<ReplayRow> {
    let shown = would.as_ref().or(did.as_ref())?;
    let why_not = |did: &Part| {
        let (lapse, _) = did.steps.first()?;
        simulated.reason(did.kind, lapse, did.at)
    };
    Some(ReplayRow {
        member_id: member.clone(),
        connections: shown.connections.clone(),
        step: shown.step,
        would_send_at: would.as_ref().map(|part| part.at),
        sent_at: did.as_ref().map(|part| part.at),
        reason: would
            .as_ref()
            .and_then(|part| part.reason)
            .or_else(|| did.as_ref().and_then(why_not))
            .unwrap_or(NoticeReason::LapseClosed),
        would_count: would.as_ref().map(|part| part.counted).unwrap_or_default(),
        did_count: did.as_ref().map(|part| part.counted).unwrap_or_default(),
    })
}

/// Joins the emails about the same steps, then those that have steps in common.
fn pairs(would: Vec<Part>, mut did: Vec<Part>) -> Vec<(Option<Part>, Option<Part>)> {
    let mut pairs = Vec::new();
    let mut take = |would: Part, is_same: fn(&Part, &Part) -> bool, did: &mut Vec<Part>| {
        let found = did.iter().position(|did| did.kind == would.kind && is_same(&would, did));
        match found {
            Some(place) => {
                pairs.push((Some(would), Some(did.remove(place))));
                None
            }
            None => Some(would),
        }
    };
    let same = |would: &Part, did: &Part| would.steps == did.steps;
    let similar = |would: &Part, did: &Part| !would.steps.is_disjoint(&did.steps);
    let rest: Vec<_> = would.into_iter().filter_map(|part| take(part, same, &mut did)).collect();
    let rest: Vec<_> = rest.into_iter().filter_map(|part| take(part, similar, &mut did)).collect();
    pairs.extend(rest.into_iter().map(|part| (Some(part), None)));
    pairs.extend(did.into_iter().map(|part| (None, Some(part))));
    pairs
}

fn parts(past: &SharedPast, emails: &[ReplayedEmail], default_zone: Tz) -> BTreeMap<MemberId, Vec<Part>> {
    let mut parts: BTreeMap<MemberId, Vec<Part>> = BTreeMap::new();
    for email in emails {
        let mut by_member: BTreeMap<&MemberId, Vec<&NoticeItem>> = BTreeMap::new();
        for item in &email.items {
            by_member.entry(&item.member_id).or_default().push(item);
        }
        for (place, (member, items)) in by_member.into_iter().enumerate() {
            let zone = zone_of(&past.members, member, email.sent_at).unwrap_or(default_zone);
            let mut connections: Vec<_> = items.iter().map(|item| item.connection_id.clone()).collect();
            connections.sort();
            parts.entry(member.clone()).or_default().push(Part {
                at: email.sent_at,
                kind: email.kind,
                reason: email.reason,
                steps: items.iter().map(|item| (item.lapse_id.clone(), item.step)).collect(),
                connections,
                step: items.iter().map(|item| item.step).min().unwrap_or_default(),
                counted: Counted {
                    is_email: place == 0,
                    is_at_night: place == 0 && is_night(email.sent_at, zone),
                },
            });
        }
    }
    parts
}

fn zone_of(members: &[PastMember], id: &MemberId, at: Time) -> Option<Tz> {
    let mut own = members.iter().filter(|member| member.member_id == *id && member.at <= at);
    own.next_back()?.time_zone
}

/// Between 21:00 and 08:00 by the wall clock, whatever the quiet hours.
fn is_night(at: Time, zone: Tz) -> bool {
    !(8..21).contains(&at.with_timezone(&zone).hour())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(hour: i64, steps: &[(&str, u32)]) -> Part {
        Part {
            at: Time::UNIX_EPOCH + TimeDelta::hours(hour),
            kind: NoticeKind::Reconnect,
            reason: Some(NoticeReason::FirstNotice),
            steps: steps.iter().map(|(lapse, step)| ((*lapse).into(), *step)).collect(),
            connections: Vec::new(),
            step: 0,
            counted: Counted::default(),
        }
    }

    #[test]
    fn emails_about_the_same_steps_are_one_row_and_others_stay_alone() {
        let would = vec![part(1, &[("a", 0), ("b", 0)]), part(2, &[("a", 1)]), part(3, &[("c", 0)])];
        let did = vec![part(4, &[("a", 1)]), part(5, &[("b", 0)]), part(6, &[("d", 0)])];
        let hour = |part: Option<Part>| part.map(|part| (part.at - Time::UNIX_EPOCH).num_hours());
        let pairs: Vec<_> =
            pairs(would, did).into_iter().map(|(would, did)| (hour(would), hour(did))).collect();
        assert_eq!(pairs, [(Some(2), Some(4)), (Some(1), Some(5)), (Some(3), None), (None, Some(6))]);
    }

    #[test]
    fn the_night_is_where_the_member_is() {
        let night = |text: &str, zone| is_night(text.parse().unwrap(), zone);
        assert!(night("2026-06-01T18:59:00Z", Tz::Asia__Kathmandu));
        assert!(!night("2026-06-01T18:59:00Z", Tz::UTC));
        assert!(night("2026-06-01T07:59:00Z", Tz::UTC) && !night("2026-06-01T08:00:00Z", Tz::UTC));
    }
}
