//! Verdicts one by one.

use super::*;

pub(super) fn day(days: i64) -> Time {
    Time::UNIX_EPOCH + TimeDelta::days(days)
}

/// The rules that the default configuration has.
pub(super) fn policy() -> Policy {
    let reminders = vec![TimeDelta::days(3), TimeDelta::days(10)];
    Policy {
        expired: PerStatus { enabled: true, reminders },
        disconnected: PerStatus { enabled: true, reminders: Vec::new() },
        min_gap: TimeDelta::days(1),
        digest_window: TimeDelta::minutes(10),
        recovered: false,
        app_url: false,
    }
}

pub(super) fn nobody_special() -> Recipient {
    Recipient { paused: false, suppressed: false, last_notice_at: None }
}

/// An expired connection, opened on day 0, of which nothing was said.
pub(super) fn expired() -> Open {
    Open {
        lapse_id: "lapse".into(),
        connection_id: "epic".into(),
        status: Some(Status::Expired),
        repair: Repair::Oauth,
        opened_at: day(0),
        broken_since: day(0),
        is_missing: false,
        said: Said::Nothing,
    }
}

/// The first notice was sent on day 0.
fn sent(step: u32) -> Said {
    Said::Sent { step, last_sent_at: day(0), first_sent_at: day(0), extra: false }
}

fn verdict(open: Open, recipient: Recipient, policy: &Policy, now: Time) -> Verdict {
    plan(&[open], &recipient, policy, now).verdicts[0].verdict
}

fn show(verdict: Verdict) -> String {
    let reason = verdict.reason().as_str();
    match verdict {
        Verdict::Now { step, .. } => format!("now step {step} {reason}"),
        Verdict::NotBefore { at, step, .. } => {
            format!("day {} step {step} {reason}", (at - day(0)).num_days())
        }
        Verdict::Never { .. } => format!("never {reason}"),
    }
}

#[test]
fn each_verdict_on_a_single_lapse_has_its_reason() {
    let disconnected = || Open { status: Some(Status::Disconnected), ..expired() };
    let with_status = |status| Open { status, ..expired() };
    let with_repair = |repair| Open { repair, ..expired() };
    let having_said = |said| Open { said, ..expired() };
    let quiet = |lapse: Open| Open { said: sent(0), ..lapse };
    #[rustfmt::skip]
    let cases = [
        ("a lapse of which nothing was said is due at once", expired(), 0, "now step 0 first_notice"),
        ("and stays due", expired(), 50, "now step 0 first_notice"),
        ("a disconnected one gets its one notice too", disconnected(), 0, "now step 0 first_notice"),
        ("and no reminder", quiet(disconnected()), 50, "never cadence_ended"),
        ("the first reminder waits for its day", having_said(sent(0)), 1, "day 3 step 1 reminder"),
        ("and comes on it", having_said(sent(0)), 3, "now step 1 reminder"),
        ("a late one is still the first one", having_said(sent(0)), 50, "now step 1 reminder"),
        ("the second is counted from the first notice, too",
            having_said(sent(1)), 4, "day 10 step 2 reminder"),
        ("and comes on its day", having_said(sent(1)), 10, "now step 2 reminder"),
        ("then the reminders end", having_said(sent(2)), 50, "never cadence_ended"),
        ("a step beyond a list that was shortened ends them as well",
            having_said(sent(7)), 50, "never cadence_ended"),
        ("a notice under way is not planned twice", having_said(Said::Pending), 50, "never already_queued"),
        ("one that could not be delivered is not followed by another",
            having_said(Said::GaveUp), 50, "never given_up"),
        ("an error needs no member", with_status(Some(Status::Error)), 0, "never status_not_actionable"),
        ("nor does an end of access",
            with_status(Some(Status::AccessEnded)), 0, "never status_not_actionable"),
        ("nor a status that we do not know",
            with_status(Some("PAUSED".into())), 0, "never status_not_actionable"),
        ("nor one that the gateway does not give", with_status(None), 0, "never status_not_actionable"),
        ("a direct connection is repaired from the page",
            with_repair(Repair::Direct), 0, "now step 0 first_notice"),
        ("what needs an app is not written about without one",
            with_repair(Repair::App), 0, "never no_way_to_repair"),
    ];
    for (sentence, lapse, today, expected) in cases {
        assert_eq!(show(verdict(lapse, nobody_special(), &policy(), day(today))), expected, "{sentence}");
    }
}

#[test]
fn the_operator_can_switch_members_and_statuses_off_and_name_an_app() {
    let off = |status: &PerStatus| PerStatus { enabled: false, ..status.clone() };
    let no_expired = Policy { expired: off(&policy().expired), ..policy() };
    let no_disconnected = Policy { disconnected: off(&policy().disconnected), ..policy() };
    let app = Policy { app_url: true, ..policy() };
    let paused = Recipient { paused: true, ..nobody_special() };
    let suppressed = Recipient { suppressed: true, ..nobody_special() };
    let in_app = Open { repair: Repair::App, ..expired() };
    let queued = Open { said: Said::Pending, ..expired() };
    #[rustfmt::skip]
    let cases = [
        ("a paused member is left alone", expired(), paused, policy(), "never member_paused"),
        ("whatever else would be said", queued, paused, no_expired.clone(), "never member_paused"),
        ("one whose address is suppressed too", expired(), suppressed, policy(), "never suppressed"),
        ("and when both, the pause is what is said of it",
            expired(), Recipient { paused: true, ..suppressed }, policy(), "never member_paused"),
        ("a status that is off", expired(), nobody_special(), no_expired, "never status_disabled"),
        ("another status that is off",
            expired(), nobody_special(), no_disconnected, "now step 0 first_notice"),
        ("an app to send people to", in_app, nobody_special(), app, "now step 0 first_notice"),
    ];
    for (sentence, lapse, recipient, policy, expected) in cases {
        assert_eq!(show(verdict(lapse, recipient, &policy, day(0))), expected, "{sentence}");
    }
}

#[test]
fn two_notices_to_a_member_keep_their_distance() {
    let reminded = |step| Open { said: sent(step), ..expired() };
    #[rustfmt::skip]
    let cases = [
        ("a new lapse waits until the gap is over", expired(), 5, 5, "day 6 step 0 min_gap"),
        ("and no longer", expired(), 5, 6, "now step 0 first_notice"),
        ("so does a reminder whose day has come", reminded(0), 3, 3, "day 4 step 1 min_gap"),
        ("one whose day is in the gap waits for the end of the gap",
            reminded(1), 10, 9, "day 11 step 2 min_gap"),
        ("one whose day is later waits for its day", reminded(1), 5, 5, "day 10 step 2 reminder"),
    ];
    for (sentence, lapse, last, today, expected) in cases {
        let recipient = Recipient { last_notice_at: Some(day(last)), ..nobody_special() };
        assert_eq!(show(verdict(lapse, recipient, &policy(), day(today))), expected, "{sentence}");
    }
}

#[test]
fn one_notice_takes_along_what_falls_due_soon_and_leaves_the_rest() {
    let named = |name: &str, said| Open { lapse_id: name.into(), said, ..expired() };
    let first_sent = |ago: TimeDelta| {
        let first_sent_at = day(5) - ago;
        Said::Sent { step: 0, last_sent_at: first_sent_at, first_sent_at, extra: false }
    };
    let minutes = TimeDelta::minutes;
    let open = [
        named("soon", first_sent(TimeDelta::days(3) - minutes(10))),
        named("later", first_sent(TimeDelta::days(3) - minutes(11))),
        named("queued", Said::Pending),
        named("new", Said::Nothing),
    ];
    let plan = |open: &[Open]| plan(open, &nobody_special(), &policy(), day(5));

    let both = plan(&open);
    let items = both.items().into_iter().map(|item| (item.lapse_id.to_string(), item.step));
    assert_eq!(items.collect::<Vec<_>>(), [("soon".to_owned(), 1), ("new".to_owned(), 0)]);
    assert_eq!(both.step(), Some(0), "a mail that tells of anything new is a first mail");
    assert_eq!(both.look_again_at(), Some(day(5) + minutes(11)));
    assert_eq!(both.verdicts[0].verdict, Verdict::Now { step: 1, reason: Reason::Digest });

    let none = plan(&open[..3]);
    assert_eq!((none.items(), none.step()), (Vec::new(), None), "what is due soon makes no notice by itself");
    assert_eq!(none.look_again_at(), Some(day(5) + minutes(10)));
}

#[test]
fn a_member_without_open_lapses_has_an_empty_plan() {
    let plan = plan(&[], &nobody_special(), &policy(), day(0));
    assert_eq!((plan.items(), plan.step(), plan.look_again_at()), (Vec::new(), None, None));
}

#[test]
fn a_reminder_beyond_the_end_of_time_is_only_very_late() {
    let expired_rules = PerStatus { enabled: true, reminders: vec![TimeDelta::MAX] };
    let policy = Policy { expired: expired_rules, ..policy() };
    let verdict = verdict(Open { said: sent(0), ..expired() }, nobody_special(), &policy, day(1));
    assert_eq!(verdict, Verdict::NotBefore { at: Time::MAX_UTC, step: 1, reason: Reason::Reminder });
}

#[test]
fn a_lapse_that_resumes_after_its_cadence_has_ended_gets_one_more_notice() {
    let on = |broken_day, step, sent_day, extra| Open {
        broken_since: day(broken_day),
        said: Said::Sent { step, last_sent_at: day(sent_day), first_sent_at: day(0), extra },
        ..expired()
    };
    let disconnected = |lapse| Open { status: Some(Status::Disconnected), ..lapse };
    #[rustfmt::skip]
    let cases = [
        ("it broke again after the last reminder", on(12, 2, 10, false), None, 12, "now step 3 resumed"),
        ("a single notice without reminders is a cadence, too",
            disconnected(on(3, 0, 0, false)), None, 3, "now step 1 resumed"),
        ("it gets no second one", on(20, 3, 13, true), None, 20, "never cadence_ended"),
        ("nor any when it has not broken again", on(0, 2, 10, false), None, 12, "never cadence_ended"),
        ("a cadence that goes on has its next reminder at its time",
            on(5, 1, 3, false), None, 5, "day 10 step 2 reminder"),
        ("even when reminders were added later", on(5, 0, 0, true), None, 5, "now step 1 reminder"),
        ("the gap to the last email is kept", on(12, 2, 10, false), Some(12), 12, "day 13 step 3 min_gap"),
        ("nothing is said of a connection that is missing",
            Open { is_missing: true, ..on(12, 2, 10, false) }, None, 12, "never connection_missing"),
    ];
    for (sentence, lapse, last, today, expected) in cases {
        let recipient = Recipient { last_notice_at: last.map(day), ..nobody_special() };
        assert_eq!(show(verdict(lapse, recipient, &policy(), day(today))), expected, "{sentence}");
    }
    let resumed = plan(&[on(12, 2, 10, false), expired()], &nobody_special(), &policy(), day(12));
    assert_eq!(resumed.extra(), ["lapse".into()], "only the one that resumed is beyond its cadence");
    assert_eq!(resumed.items().len(), 2);
}
