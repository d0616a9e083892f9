//! One row per decision.

use super::decision::{EmailState, Plan};
use super::*;
use crate::domain::{
    ActiveHold, HoldKind, HoldScope, LapseId, LapseInput, LastNotice, NoticeItem, NoticeReason, PastEmail,
    PlanningInput, QuietHours, Recipient, Repair, Status, Time,
};
use chrono::TimeDelta;
use chrono_tz::Tz;

pub(super) fn day(days: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::days(days)
}

/// The policy of the default configuration, without patience and quiet hours.
pub(in crate::notify) fn policy() -> Policy {
    let reminders = vec![TimeDelta::days(3), TimeDelta::days(10)];
    Policy {
        expired: StatusPolicy { enabled: true, first_after: TimeDelta::zero(), reminders },
        disconnected: StatusPolicy { enabled: true, first_after: TimeDelta::zero(), reminders: Vec::new() },
        disconnected_direct: false,
        min_gap: TimeDelta::days(1),
        max_per_month: 6,
        quiet_hours: None,
        time_zone: Tz::UTC,
        digest_window: TimeDelta::minutes(10),
        announces_recoveries: false,
        has_app_url: false,
        drip_per_minute: 60,
    }
}

pub(super) fn ordinary() -> Recipient {
    Recipient::default()
}

/// Their address got a notice at each of these times.
pub(super) fn emailed(times: impl IntoIterator<Item = Time>) -> Recipient {
    let emails = times.into_iter().map(|sent_at| PastEmail { sent_at, counts_for_gap: true }).collect();
    Recipient { emails, ..ordinary() }
}

/// An EXPIRED connection whose lapse opened on day 0, without a notice.
pub(super) fn expired() -> LapseInput {
    LapseInput {
        lapse_id: "lapse".into(),
        connection_id: "epic".into(),
        status: Some(Status::Expired),
        repair: Repair::Oauth,
        opened_at: day(0),
        broken_since: day(0),
        is_missing: false,
        is_held: false,
        snoozed_until: None,
        last_notice: LastNotice::None,
    }
}

/// The first notice was sent on day 0.
fn sent(step: u32) -> LastNotice {
    LastNotice::Sent { step, last_sent_at: day(0), first_sent_at: day(0), is_extra: false }
}

/// A member with these open lapses.
pub(super) fn member(id: &str, open: &[LapseInput], recipient: &Recipient) -> PlanningInput {
    PlanningInput {
        member_id: id.into(),
        recipient: recipient.clone(),
        open: open.to_vec(),
        recovered: Vec::new(),
    }
}

/// The plan for an address with one member.
pub(super) fn plan_alone(open: &[LapseInput], recipient: &Recipient, policy: &Policy, now: Time) -> Plan {
    plan(&[member("ada", open, recipient)], policy, now)
}

/// What the emails in this state are about.
pub(super) fn items(plan: &Plan, state: EmailState) -> Vec<NoticeItem> {
    let emails = plan.emails.iter().filter(|email| email.state == state);
    emails.flat_map(|email| plan.items_of(email)).collect()
}

pub(super) fn due(plan: &Plan) -> Vec<NoticeItem> {
    items(plan, EmailState::Due)
}

fn extra(plan: &Plan, state: EmailState) -> Vec<LapseId> {
    let emails = plan.emails.iter().filter(|email| email.state == state);
    emails.flat_map(|email| plan.extra_of(email)).collect()
}

/// The step of the email to send now.
pub(super) fn step(plan: &Plan) -> Option<u32> {
    due(plan).iter().map(|item| item.step).min()
}

fn action(lapse: LapseInput, recipient: Recipient, policy: &Policy, now: Time) -> Action {
    plan_alone(&[lapse], &recipient, policy, now).decisions[0].action
}

/// When time alone changes the plan.
pub(super) fn next_evaluation(plan: &Plan) -> Option<Time> {
    plan.decisions.iter().filter_map(|decision| decision.action.next_evaluation()).min()
}

fn show(action: Action) -> String {
    let reason = action.reason().as_str();
    match action {
        Action::Send { step, .. } => format!("send step {step} {reason}"),
        Action::Defer { until, step, .. } => {
            format!("day {} step {step} {reason}", (until - day(0)).num_days())
        }
        Action::Hold { step, .. } => format!("hold step {step} {reason}"),
        Action::Skip { .. } => format!("skip {reason}"),
    }
}

#[test]
fn each_decision_about_a_single_lapse_has_its_reason() {
    let disconnected = || LapseInput { status: Some(Status::Disconnected), ..expired() };
    let with_status = |status| LapseInput { status, ..expired() };
    let with_repair = |repair| LapseInput { repair, ..expired() };
    let after = |last_notice| LapseInput { last_notice, ..expired() };
    let snoozed = |last_notice, until| LapseInput { snoozed_until: Some(day(until)), ..after(last_notice) };
    let notified = |lapse: LapseInput| LapseInput { last_notice: sent(0), ..lapse };
    #[rustfmt::skip]
    let cases = [
        ("a lapse without a notice is due immediately", expired(), 0, "send step 0 first_notice"),
        ("and stays due", expired(), 50, "send step 0 first_notice"),
        ("a DISCONNECTED connection gets one notice", disconnected(), 0, "send step 0 first_notice"),
        ("and no reminder", notified(disconnected()), 50, "skip cadence_ended"),
        ("the first reminder waits for its day", after(sent(0)), 1, "day 3 step 1 reminder"),
        ("and is sent on that day", after(sent(0)), 3, "send step 1 reminder"),
        ("a late first reminder is still the first", after(sent(0)), 50, "send step 1 reminder"),
        ("the second reminder counts from the first notice",
            after(sent(1)), 4, "day 10 step 2 reminder"),
        ("and is sent on that days day", after(sent(1)), 10, "send step 2 reminder"),
        ("then the reminders end", after(sent(2)), 50, "skip cadence_ended"),
        ("they also end if the list was shortened below the last step",
            after(sent(7)), 50, "skip cadence_ended"),
        ("an unsent notice is not planned twice", after(LastNotice::Pending), 50, "skip already_queued"),
        ("an abandoned notice is not followed by another",
            after(LastNotice::Abandoned), 50, "skip delivery_abandoned"),
        ("a snooze defers the next reminder", snoozed(sent(0), 8), 4, "day 8 step 1 snoozed"),
        ("and the first notice", snoozed(LastNotice::None, 8), 4, "day 8 step 0 snoozed"),
        ("a reminder that is due later gives its own reason", snoozed(sent(1), 8), 4, "day 10 step 2 reminder"),
        ("a snooze that is over has no effect", snoozed(sent(0), 8), 8, "send step 1 reminder"),
        ("nor has one after the last reminder", snoozed(sent(2), 8), 4, "skip cadence_ended"),
        ("ERROR does not need the member", with_status(Some(Status::Error)), 0, "skip status_not_actionable"),
        ("nor does ACCESS_ENDED",
            with_status(Some(Status::AccessEnded)), 0, "skip status_not_actionable"),
        ("nor an unknown status",
            with_status(Some("PAUSED".into())), 0, "skip status_not_actionable"),
        ("nor a missing status", with_status(None), 0, "skip status_not_actionable"),
        ("the page repairs a direct connection",
            with_repair(Repair::Direct), 0, "send step 0 first_notice"),
        ("a connection that needs an app is skipped without one",
            with_repair(Repair::App), 0, "skip not_repairable"),
    ];
    for (sentence, lapse, today, expected) in cases {
        assert_eq!(show(action(lapse, ordinary(), &policy(), day(today))), expected, "{sentence}");
    }
}

#[test]
fn patience_defers_the_first_notice_from_the_break_on_and_no_other() {
    let patient = StatusPolicy { first_after: TimeDelta::days(2), ..policy().expired };
    let policy = Policy { expired: patient, ..policy() };
    let resumed = || LapseInput { broken_since: day(5), ..expired() };
    let reminded = || LapseInput { last_notice: sent(0), ..resumed() };
    #[rustfmt::skip]
    let cases = [
        ("the first notice waits", expired(), 1, "day 2 step 0 first_after"),
        ("and not longer", expired(), 2, "send step 0 first_notice"),
        ("it waits from the latest break on", resumed(), 5, "day 7 step 0 first_after"),
        ("a reminder does not wait", reminded(), 5, "send step 1 reminder"),
    ];
    for (sentence, lapse, today, expected) in cases {
        assert_eq!(show(action(lapse, ordinary(), &policy, day(today))), expected, "{sentence}");
    }
}

#[test]
fn an_email_waits_for_the_reason_of_its_first_notice_unless_it_waits_for_the_morning() {
    let wall = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let quiet_hours = Some(QuietHours { from: wall(21), until: wall(8) });
    let nights = Policy { quiet_hours, ..policy() };
    let snoozed = || LapseInput { snoozed_until: Some(day(6)), ..expired() };
    let reasons = |open: &[LapseInput], recipient: &Recipient, policy: &Policy, now| {
        let plan = plan_alone(open, recipient, policy, now);
        let decisions: Vec<_> = plan.decisions.iter().map(|decision| decision.action.reason()).collect();
        (plan.emails[0].reason, decisions)
    };
    use NoticeReason::{FirstNotice, MinGap, Snoozed};
    let due = reasons(&[expired()], &ordinary(), &nights, day(0) + TimeDelta::hours(12));
    assert_eq!(due, (FirstNotice, vec![FirstNotice]));
    let at_night = reasons(&[expired()], &ordinary(), &nights, day(0) + TimeDelta::hours(22));
    assert_eq!(at_night, (NoticeReason::QuietHours, vec![NoticeReason::QuietHours]));
    let in_the_gap = reasons(&[expired(), snoozed()], &emailed([day(5)]), &policy(), day(5));
    assert_eq!(in_the_gap, (MinGap, vec![MinGap, Snoozed]), "each has its own");
}

#[test]
fn the_operator_can_pause_members_disable_statuses_and_configure_an_app() {
    let off = |status: &StatusPolicy| StatusPolicy { enabled: false, ..status.clone() };
    let no_expired = Policy { expired: off(&policy().expired), ..policy() };
    let no_disconnected = Policy { disconnected: off(&policy().disconnected), ..policy() };
    let app = Policy { has_app_url: true, ..policy() };
    let paused = || Recipient { is_paused: true, ..ordinary() };
    let suppressed = || Recipient { is_suppressed: true, ..ordinary() };
    let in_app = LapseInput { repair: Repair::App, ..expired() };
    let queued = LapseInput { last_notice: LastNotice::Pending, ..expired() };
    let off_direct =
        || LapseInput { status: Some(Status::Disconnected), repair: Repair::Direct, ..expired() };
    let reactivates = Policy { disconnected_direct: true, ..policy() };
    #[rustfmt::skip]
    let cases = [
        ("a paused member gets no notice", expired(), paused(), policy(), "skip paused"),
        ("and the pause is the first reason", queued, paused(), no_expired.clone(), "skip paused"),
        ("a suppressed address gets no notice", expired(), suppressed(), policy(), "skip suppressed"),
        ("the pause is reported before the suppression",
            expired(), Recipient { is_paused: true, ..suppressed() }, policy(), "skip paused"),
        ("a disabled status gets no notice", expired(), ordinary(), no_expired, "skip status_disabled"),
        ("another disabled status has no effect",
            expired(), ordinary(), no_disconnected, "send step 0 first_notice"),
        ("an app repairs it", in_app, ordinary(), app, "send step 0 first_notice"),
        ("a direct connection that was turned off is left alone",
            off_direct(), ordinary(), policy(), "skip status_disabled"),
        ("unless the operator wants it", off_direct(), ordinary(), reactivates, "send step 0 first_notice"),
    ];
    for (sentence, lapse, recipient, policy, expected) in cases {
        assert_eq!(show(action(lapse, recipient, &policy, day(0))), expected, "{sentence}");
    }
}

#[test]
fn two_notices_to_a_member_keep_the_minimum_gap() {
    let reminded = |step| LapseInput { last_notice: sent(step), ..expired() };
    #[rustfmt::skip]
    let cases = [
        ("a new lapse waits for the end of the gap", expired(), 5, 5, "day 6 step 0 min_gap"),
        ("and not longer", expired(), 5, 6, "send step 0 first_notice"),
        ("so does a reminder that is due", reminded(0), 3, 3, "day 4 step 1 min_gap"),
        ("a reminder due within the gap waits for its end",
            reminded(1), 10, 10, "day 11 step 2 min_gap"),
        ("but until its day it waits for its day", reminded(1), 10, 9, "day 10 step 2 reminder"),
        ("a reminder due after the gap waits for its day", reminded(1), 5, 5, "day 10 step 2 reminder"),
    ];
    for (sentence, lapse, last, today, expected) in cases {
        let recipient = emailed([day(last)]);
        assert_eq!(show(action(lapse, recipient, &policy(), day(today))), expected, "{sentence}");
    }
    let news = PastEmail { sent_at: day(5), counts_for_gap: false };
    let recovered = Recipient { emails: vec![news], ..ordinary() };
    assert_eq!(show(action(expired(), recovered, &policy(), day(5))), "send step 0 first_notice");
}

#[test]
fn one_notice_includes_all_lapses_due_within_the_digest_window() {
    let named = |name: &str, last_notice| LapseInput { lapse_id: name.into(), last_notice, ..expired() };
    let first_sent = |ago: TimeDelta| {
        let first_sent_at = day(5) - ago;
        LastNotice::Sent { step: 0, last_sent_at: first_sent_at, first_sent_at, is_extra: false }
    };
    let minutes = TimeDelta::minutes;
    let open = [
        named("soon", first_sent(TimeDelta::days(3) - minutes(10))),
        named("later", first_sent(TimeDelta::days(3) - minutes(11))),
        named("queued", LastNotice::Pending),
        named("new", LastNotice::None),
    ];
    let plan = |open: &[LapseInput]| plan_alone(open, &ordinary(), &policy(), day(5));

    let both = plan(&open);
    let items = due(&both).into_iter().map(|item| (item.lapse_id.to_string(), item.step));
    assert_eq!(items.collect::<Vec<_>>(), [("soon".to_owned(), 1), ("new".to_owned(), 0)]);
    assert_eq!(step(&both), Some(0), "the lowest step counts");
    assert_eq!(next_evaluation(&both), Some(day(5) + minutes(11)));
    assert_eq!(both.decisions[0].action, Action::Send { step: 1, reason: NoticeReason::Digest });

    let none = plan(&open[..3]);
    assert_eq!((due(&none), step(&none)), (Vec::new(), None), "a lapse that is due soon starts no notice");
    assert_eq!(next_evaluation(&none), Some(day(5) + minutes(10)));
}

#[test]
fn a_member_without_open_lapses_has_an_empty_plan() {
    let plan = plan_alone(&[], &ordinary(), &policy(), day(0));
    assert_eq!((due(&plan), step(&plan), next_evaluation(&plan)), (Vec::new(), None, None));
}

#[test]
fn a_reminder_beyond_the_end_of_time_is_deferred_to_it() {
    let endless = StatusPolicy { reminders: vec![TimeDelta::MAX], ..policy().expired };
    let policy = Policy { expired: endless, ..policy() };
    let action = action(LapseInput { last_notice: sent(0), ..expired() }, ordinary(), &policy, day(1));
    assert_eq!(action, Action::Defer { until: Time::MAX_UTC, step: 1, reason: NoticeReason::Reminder });
}

#[test]
fn a_hold_covers_a_reminder_from_its_day_on() {
    let hold =
        ActiveHold { kind: HoldKind::Operator, is_dripping: false, scope: HoldScope::default(), until: None };
    let held = || Recipient { holds: vec![hold.clone()], ..ordinary() };
    let reminded = || LapseInput { last_notice: sent(0), ..expired() };
    for (today, expected) in [(2, "day 3 step 1 reminder"), (3, "hold step 1 held_by_operator")] {
        assert_eq!(show(action(reminded(), held(), &policy(), day(today))), expected, "{today}");
    }
    let other = LapseInput { connection_id: "kaiser".into(), ..expired() };
    let scope = HoldScope { source: Some("epic".into()), ..HoldScope::default() };
    let of_epic = Recipient { holds: vec![ActiveHold { scope, ..hold.clone() }], ..ordinary() };
    let plan = plan_alone(&[reminded(), other], &of_epic, &policy(), day(3) - TimeDelta::minutes(5));
    assert_eq!(due(&plan).len(), 1, "it joins no email before its day");
}

#[test]
fn a_held_notice_beyond_the_cadence_stays_the_only_one() {
    let sent = LastNotice::Sent { step: 2, last_sent_at: day(10), first_sent_at: day(0), is_extra: false };
    let resumed = LapseInput { last_notice: sent, broken_since: day(12), ..expired() };
    let hold =
        ActiveHold { kind: HoldKind::Storm, is_dripping: false, scope: HoldScope::default(), until: None };
    let recipient = Recipient { holds: vec![hold], ..ordinary() };
    let held = plan_alone(&[resumed], &recipient, &policy(), day(12));
    assert_eq!(show(held.decisions[0].action), "hold step 3 held_by_storm");
    let counts =
        (due(&held).len(), extra(&held, EmailState::Held).len(), items(&held, EmailState::Held).len());
    assert_eq!(counts, (0, 1, 1));
}

#[test]
fn a_lapse_that_resumes_after_its_cadence_has_ended_gets_one_more_notice() {
    let on = |broken_day, step, sent_day, is_extra| LapseInput {
        broken_since: day(broken_day),
        last_notice: LastNotice::Sent { step, last_sent_at: day(sent_day), first_sent_at: day(0), is_extra },
        ..expired()
    };
    let disconnected = |lapse| LapseInput { status: Some(Status::Disconnected), ..lapse };
    #[rustfmt::skip]
    let cases = [
        ("the connection broke again after the last reminder", on(12, 2, 10, false), None, 12, "send step 3 resumed"),
        ("a cadence without reminders also ends",
            disconnected(on(3, 0, 0, false)), None, 3, "send step 1 resumed"),
        ("a second extra notice is not sent", on(20, 3, 13, true), None, 20, "skip cadence_ended"),
        ("no extra notice without a new break", on(0, 2, 10, false), None, 12, "skip cadence_ended"),
        ("an unfinished cadence continues",
            on(5, 1, 3, false), None, 5, "day 10 step 2 reminder"),
        ("also when reminders were added later", on(5, 0, 0, true), None, 5, "send step 1 reminder"),
        ("the extra notice keeps the gap", on(12, 2, 10, false), Some(12), 12, "day 13 step 3 min_gap"),
        ("a missing connection gets no notice",
            LapseInput { is_missing: true, ..on(12, 2, 10, false) }, None, 12, "skip connection_missing"),
    ];
    for (sentence, lapse, last, today, expected) in cases {
        let recipient = emailed(last.map(day));
        assert_eq!(show(action(lapse, recipient, &policy(), day(today))), expected, "{sentence}");
    }
    let resumed = plan_alone(&[on(12, 2, 10, false), expired()], &ordinary(), &policy(), day(12));
    assert_eq!(
        extra(&resumed, EmailState::Due),
        ["lapse".into()],
        "only the resumed lapse is beyond its cadence"
    );
    assert_eq!(due(&resumed).len(), 2);
}

#[test]
fn the_first_member_of_an_email_brings_the_quiet_hours() {
    let wall = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).unwrap();
    let quiet_hours = Some(QuietHours { from: wall(21), until: wall(8) });
    let policy = Policy { quiet_hours, ..policy() };
    let in_zone = |time_zone| Recipient { time_zone: Some(time_zone), ..ordinary() };
    let (tokyo, utc) = (in_zone(Tz::Asia__Tokyo), in_zone(Tz::UTC));
    // Noon in London is 21:00 in Tokyo.
    let noon = day(0) + TimeDelta::hours(12);
    let states = |members: &[PlanningInput]| -> Vec<(EmailState, usize)> {
        let plan = plan(members, &policy, noon);
        plan.emails.iter().map(|email| (email.state, email.decisions.len())).collect()
    };
    let shared = [member("ann", &[expired()], &tokyo), member("ben", &[expired()], &utc)];
    assert_eq!(states(&shared), [(EmailState::Waits, 2)], "ann sleeps, and the email is hers first");
    let shared = [member("ann", &[expired()], &utc), member("ben", &[expired()], &tokyo)];
    assert_eq!(states(&shared), [(EmailState::Due, 2)]);
    let recent = LapseInput { opened_at: noon - TimeDelta::minutes(5), ..expired() };
    let shared = [member("ann", &[recent], &tokyo), member("ben", &[expired()], &utc)];
    assert_eq!(states(&shared), [(EmailState::Waits, 2)], "ann joins what ben's notice begins");
    let paused = Recipient { is_paused: true, ..tokyo };
    let shared = [member("ann", &[expired()], &paused), member("ben", &[expired()], &utc)];
    assert_eq!(states(&shared), [(EmailState::Due, 1)], "a member who drops out brings none");
}

#[test]
fn an_email_has_a_bounded_number_of_members() {
    let open = [expired(), LapseInput { lapse_id: "other".into(), ..expired() }];
    let members: Vec<_> = (10..60).map(|id| member(&id.to_string(), &open, &ordinary())).collect();
    let plan = plan(&members, &policy(), day(0));
    let sizes: Vec<_> = plan.emails.iter().map(|email| email.decisions.len()).collect();
    assert_eq!(sizes, [40, 40, 20], "each gets both notices");
}
