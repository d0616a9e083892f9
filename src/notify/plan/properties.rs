//! Properties of every plan.

use super::decision::EmailState;
use super::tests::{day, due, expired, member, next_evaluation, ordinary, plan_alone, step};
use super::*;
use crate::domain::{
    ActiveHold, HoldKind, HoldScope, LapseId, LapseInput, LastNotice, MemberId, PastEmail, QuietHours,
    Recipient, Repair, Spread, Status, Time,
};
use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;
use proptest::prelude::*;

fn hours(upper: i64) -> impl Strategy<Value = TimeDelta> {
    (0..upper).prop_map(TimeDelta::hours)
}

fn per_status() -> impl Strategy<Value = StatusPolicy> {
    (any::<bool>(), hours(30), prop::collection::vec(hours(300), 0..4))
        .prop_map(|(enabled, first_after, reminders)| StatusPolicy { enabled, first_after, reminders })
}

fn quiet_hours() -> impl Strategy<Value = Option<QuietHours>> {
    let wall =
        || (0..24 * 60_u32).prop_map(|minute| NaiveTime::from_hms_opt(minute / 60, minute % 60, 0).unwrap());
    let hours = (wall(), wall()).prop_filter("an interval", |(from, until)| from != until);
    prop::option::of(hours.prop_map(|(from, until)| QuietHours { from, until }))
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kathmandu, Tz::America__St_Johns])
}

fn policies() -> impl Strategy<Value = Policy> {
    (per_status(), per_status(), hours(48), hours(24), any::<bool>(), 1..5_usize, quiet_hours(), zones())
        .prop_map(
            |(
                expired,
                disconnected,
                min_gap,
                digest_window,
                has_app_url,
                max_per_month,
                quiet_hours,
                time_zone,
            )| Policy {
                expired,
                disconnected,
                disconnected_direct: true,
                min_gap,
                max_per_month,
                quiet_hours,
                time_zone,
                digest_window,
                announces_recoveries: false,
                has_app_url,
                drip_per_minute: 60,
            },
        )
}

fn lapses() -> impl Strategy<Value = Vec<LapseInput>> {
    let status = prop::option::of(prop::sample::select(vec!["EXPIRED", "EXPIRED", "DISCONNECTED", "ERROR"]));
    let repair = prop::sample::select(vec![Repair::Oauth, Repair::Direct, Repair::App]);
    let last_notice = prop_oneof![
        3 => Just(LastNotice::None),
        1 => Just(LastNotice::Pending),
        1 => Just(LastNotice::Abandoned),
        4 => (0_u32..4, hours(300), hours(300), any::<bool>()).prop_map(|(step, first, more, is_extra)| {
            let first_sent_at = day(0) + first;
            LastNotice::Sent { step, last_sent_at: first_sent_at + more, first_sent_at, is_extra }
        }),
    ];
    let snooze = prop::option::weighted(0.2, hours(600));
    let lapse = (status, repair, hours(300), hours(600), prop::bool::weighted(0.1), snooze, last_notice)
        .prop_map(|(status, repair, opened, broken, is_missing, snooze, last_notice)| LapseInput {
            status: status.map(Status::from),
            repair,
            opened_at: day(0) + opened,
            broken_since: day(0) + broken,
            is_missing,
            snoozed_until: snooze.map(|until| day(0) + until),
            last_notice,
            ..expired()
        });
    prop::collection::vec(lapse, 0..5)
}

fn recipients() -> impl Strategy<Value = Recipient> {
    let rarely = || prop::bool::weighted(0.1);
    let email = (hours(600), any::<bool>())
        .prop_map(|(at, counts_for_gap)| PastEmail { sent_at: day(0) + at, counts_for_gap });
    (rarely(), rarely(), prop::collection::vec(email, 0..6), prop::option::of(zones()), any::<u16>())
        .prop_map(|(is_paused, is_suppressed, emails, time_zone, member)| Recipient {
            is_paused,
            is_suppressed,
            time_zone,
            spread: Spread::of(&MemberId::new(member.to_string())),
            emails,
            holds: Vec::new(),
        })
}

/// Quiet hours, computed in another way than in the gates.
fn is_quiet(recipient: &Recipient, policy: &Policy, at: Time) -> bool {
    let wall = at.with_timezone(&recipient.time_zone.unwrap_or(policy.time_zone)).time();
    policy.quiet_hours.is_some_and(|QuietHours { from, until }| {
        let since = |time: NaiveTime| (time - from).num_seconds().rem_euclid(24 * 3600);
        since(wall) < since(until)
    })
}

fn rules<'a>(policy: &'a Policy, lapse: &LapseInput) -> Option<&'a StatusPolicy> {
    match lapse.status.as_ref()?.as_str() {
        "EXPIRED" => Some(&policy.expired),
        "DISCONNECTED" => Some(&policy.disconnected),
        _ => None,
    }
}

/// The next notice by the cadence alone, computed in another way than in the gates.
fn cadence(policy: &Policy, lapse: &LapseInput) -> Option<(u32, Time)> {
    let reminders = &rules(policy, lapse)?.reminders;
    match lapse.last_notice {
        LastNotice::None => {
            Some((0, lapse.opened_at.max(lapse.broken_since + rules(policy, lapse)?.first_after)))
        }
        LastNotice::Sent { step, last_sent_at, first_sent_at, is_extra } => {
            let next = step + 1;
            let resumed =
                (!is_extra && lapse.broken_since > last_sent_at).then_some((next, lapse.broken_since));
            let reminder = reminders.get(step as usize).map(|wait| (next, first_sent_at + *wait));
            reminder.or(resumed)
        }
        LastNotice::Pending | LastNotice::Abandoned => None,
    }
}

proptest! {
    #[test]
    fn each_sent_step_is_the_next_step_of_its_cadence(
        open in lapses(), recipient in recipients(), policy in policies(), now in hours(600)
    ) {
        let now = day(0) + now;
        let plan = plan_alone(&open, &recipient, &policy, now);
        let mut first_due = Time::MAX_UTC;
        for (lapse, decision) in open.iter().zip(&plan.decisions) {
            if let Action::Send { step, .. } = decision.action {
                let (next, due) = cadence(&policy, lapse).expect("it has a next step");
                prop_assert_eq!(step, next);
                prop_assert!(due <= now + policy.digest_window);
                prop_assert!(rules(&policy, lapse).is_some_and(|rules| rules.enabled) && !recipient.is_paused);
                first_due = first_due.min(due);
            }
        }
        prop_assert!(due(&plan).is_empty() || first_due <= now);
    }

    #[test]
    fn no_notice_is_sent_within_the_gap_above_the_cap_or_in_quiet_hours(
        open in lapses(), recipient in recipients(), policy in policies(), now in hours(600)
    ) {
        let now = day(0) + now;
        let plan = plan_alone(&open, &recipient, &policy, now);
        if !due(&plan).is_empty() {
            let past = |email: &&PastEmail| email.sent_at <= now;
            let counts = |email: &&PastEmail| email.counts_for_gap && email.sent_at > now - policy.min_gap;
            prop_assert!(!recipient.emails.iter().filter(past).any(|email| counts(&email)));
            let of_month = recipient.emails.iter().filter(|email| email.sent_at > now - TimeDelta::days(30));
            prop_assert!(of_month.count() < policy.max_per_month);
            prop_assert!(!is_quiet(&recipient, &policy, now));
        }
    }

    #[test]
    fn nothing_is_sent_about_what_a_hold_covers_and_the_rest_is_as_without_it(
        open in lapses(), recipient in recipients(), policy in policies(), now in hours(600),
        covered in prop::option::of(prop::sample::select(vec!["EXPIRED", "DISCONNECTED"]))
    ) {
        let now = day(0) + now;
        let status = covered.map(Status::from);
        let hold = ActiveHold {
            kind: HoldKind::Operator,
            is_dripping: false,
            scope: HoldScope { status: status.clone(), ..HoldScope::default() },
            until: None,
        };
        let held = plan_alone(&open, &Recipient { holds: vec![hold], ..recipient.clone() }, &policy, now);
        let free = plan_alone(&open, &recipient, &policy, now);
        for ((lapse, held), free) in open.iter().zip(&held.decisions).zip(&free.decisions) {
            let is_covered = status.is_none() || lapse.status == status;
            if is_covered {
                let is_sent = |action| matches!(action, Action::Send { .. });
                let is_skipped = |action| matches!(action, Action::Skip { .. });
                prop_assert!(!is_sent(held.action));
                prop_assert!(!(is_skipped(held.action) && is_sent(free.action)));
            } else if let Action::Skip { .. } = free.action {
                prop_assert_eq!(held.action, free.action);
            }
        }
    }

    #[test]
    fn a_notice_includes_every_lapse_due_within_the_digest_window(
        open in lapses(), recipient in recipients(), policy in policies(), now in hours(600)
    ) {
        let now = day(0) + now;
        let plan = plan_alone(&open, &recipient, &policy, now);
        prop_assert_eq!(plan.decisions.len(), open.len());
        if !due(&plan).is_empty() {
            prop_assert!(next_evaluation(&plan).is_none_or(|again| again > now + policy.digest_window));
        }
        prop_assert_eq!(step(&plan), due(&plan).iter().map(|item| item.step).min());
    }

    #[test]
    fn a_deferred_lapse_is_due_when_its_evaluations_have_led_there_and_not_before(
        open in lapses(), recipient in recipients(), policy in policies(), now in hours(600)
    ) {
        let mut waiting = plan_alone(&open, &recipient, &policy, day(0) + now);
        let mut evaluations = 0;
        while due(&waiting).is_empty() {
            let Some(again) = next_evaluation(&waiting) else { break };
            let before = again - TimeDelta::milliseconds(1);
            prop_assert!(due(&plan_alone(&open, &recipient, &policy, before)).is_empty());
            waiting = plan_alone(&open, &recipient, &policy, again);
            evaluations += 1;
            // A reminder becomes a row on its day, and then waits for the gap, the cap, and the morning.
            prop_assert!(evaluations <= 2 * open.len());
        }
    }

    #[test]
    fn members_who_share_an_address_get_one_email_for_all_that_is_due(
        mut members in prop::collection::vec((lapses(), recipients()), 1..4), policy in policies(), now in hours(600)
    ) {
        let now = day(0) + now;
        let emails = members[0].1.emails.clone();
        for (_, recipient) in &mut members {
            recipient.emails.clone_from(&emails);
        }
        let inputs: Vec<_> = (0..).zip(&members).map(|(id, (open, recipient)): (i32, _)| {
            let name = |(n, lapse): (usize, &LapseInput)| LapseInput { lapse_id: LapseId::new(format!("{id}-{n}")), ..lapse.clone() };
            let open: Vec<_> = open.iter().enumerate().map(name).collect();
            member(&id.to_string(), &open, recipient)
        }).collect();
        let plan = plan(&inputs, &policy, now);
        prop_assert!(plan.emails.iter().filter(|email| email.state == EmailState::Due).count() <= 1);
        let mut listed: Vec<usize> = plan.emails.iter().flat_map(|email| email.decisions.clone()).collect();
        listed.sort_unstable();
        prop_assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "no lapse is in two emails");
        for (place, decision) in plan.decisions.iter().enumerate() {
            match decision.action {
                Action::Skip { .. } => prop_assert!(!listed.contains(&place)),
                Action::Send { .. } | Action::Hold { .. } => prop_assert!(listed.contains(&place)),
                Action::Defer { until, .. } => prop_assert!(until > now),
            }
        }
        for email in plan.emails.iter().filter(|email| email.state != EmailState::Held) {
            let items = plan.items_of(email);
            let first = inputs.iter().find(|input| input.member_id == items[0].member_id).unwrap();
            prop_assert!(!is_quiet(&first.recipient, &policy, email.not_before), "the night of the first member");
        }
    }

    #[test]
    fn each_step_is_sent_once_however_often_the_lapse_is_planned(
        opened in hours(48), policy in policies(), ticks in prop::collection::vec(hours(48), 0..80)
    ) {
        let mut lapse = LapseInput { opened_at: day(0) + opened, broken_since: day(0) + opened, ..expired() };
        let mut recipient = ordinary();
        let (mut now, mut steps) = (lapse.opened_at, Vec::new());
        for tick in ticks {
            now += tick;
            let planned = plan_alone(std::slice::from_ref(&lapse), &recipient, &policy, now);
            let Some(step) = step(&planned) else { continue };
            prop_assert!(recipient.emails.iter().all(|email| now - email.sent_at >= policy.min_gap));
            prop_assert!(!is_quiet(&recipient, &policy, now));
            let first_sent_at = match lapse.last_notice {
                LastNotice::Sent { first_sent_at, .. } => first_sent_at,
                _ => now,
            };
            lapse.last_notice = LastNotice::Sent { step, last_sent_at: now, first_sent_at, is_extra: false };
            recipient.emails.push(PastEmail { sent_at: now, counts_for_gap: true });
            steps.push(step);
        }
        prop_assert!(steps.len() <= 1 + policy.expired.reminders.len());
        prop_assert!(steps.iter().copied().eq(0..steps.len() as u32));
    }
}
