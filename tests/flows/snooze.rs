//! A member puts off the next reminder, and changes their mind.

use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::{TimeDelta, Timelike};
use reconnectd::domain::DisconnectKind;

const EPIC: &[(&str, &str)] = &[("epic", "EXPIRED")];
const DAY: TimeDelta = TimeDelta::days(1);

fn reminders(times: &str) -> Setup {
    Setup::default().set("NOTICES__EXPIRED__REMINDERS", times).set("NOTICES__DISCONNECTED__REMINDERS", times)
}

/// The state, the step, and the reason of each notice.
async fn notices(h: &Harness) -> Vec<String> {
    let notices = h.notices("alice").await.into_iter();
    notices
        .map(|listed| {
            format!("{} {} {}", listed.notice.state.as_str(), listed.notice.step, listed.reason.as_str())
        })
        .collect()
}

/// Passes once a day.
async fn pass_days(h: &Harness, days: usize) {
    for _ in 0..days {
        h.pass_after(DAY).await;
    }
}

#[tokio::test]
async fn a_snooze_defers_the_next_reminder_for_a_week_and_the_page_names_its_day() {
    let (h, link) = Harness::mailed(reminders("3d,10d"), EPIC).await;
    let browser = h.browser();
    let page = browser.arrive(&link).await;
    assert_eq!(page.forms(), ["redeem epic", "snooze epic"]);
    let snoozed = browser.press(&format!("{link}/snooze"), &[]).await;
    for page in [snoozed, browser.arrive(&link).await] {
        assert_eq!((page.status, page.states()), (200, vec!["snoozed", "available"]));
        assert_eq!(page.forms(), ["redeem epic", "undo epic"]);
        assert!(page.html.contains("March 9<"), "{}", page.html);
    }
    pass_days(&h, 6).await;
    assert_eq!(h.mails().len(), 1);
    pass_days(&h, 1).await;
    assert_eq!(notices(&h).await, ["sent 0 accepted", "sent 1 accepted"]);
    pass_days(&h, 3).await;
    assert_eq!(h.mails().len(), 3, "the next reminder keeps its own day");
}

#[tokio::test]
async fn a_reminder_that_is_due_after_the_snooze_keeps_its_day() {
    let (h, link) = Harness::mailed(reminders("10d"), EPIC).await;
    let page = h.press(&format!("{link}/snooze")).await;
    assert!(page.html.contains("March 12<"), "{}", page.html);
    pass_days(&h, 9).await;
    assert_eq!(h.mails().len(), 1);
    pass_days(&h, 1).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn the_day_is_the_member_s_and_in_their_language() {
    let setup = reminders("3d").set("NOTICES__LOCALE", "es").set("NOTICES__TIME_ZONE", "Pacific/Pago_Pago");
    let (h, link) = Harness::mailed(setup, EPIC).await;
    let page = h.press(&format!("{link}/snooze")).await;
    assert!(page.html.contains("8 de marzo<"), "{}", page.html);
}

#[tokio::test]
async fn a_reminder_that_the_night_moves_to_the_next_day_is_announced_for_that_day() {
    let setup = reminders("3d").set("NOTICES__QUIET_HOURS", "21:00-08:00");
    let (h, link) = Harness::mailed(setup, EPIC).await;
    h.clock.advance(TimeDelta::hours(14));
    assert_eq!(h.clock.now().hour(), 23);
    let page = h.press(&format!("{link}/snooze")).await;
    assert!(page.html.contains("March 10<"), "{}", page.html);
}

#[tokio::test]
async fn a_second_press_does_not_extend_a_snooze() {
    let (h, link) = Harness::mailed(reminders("3d"), EPIC).await;
    for _ in 0..2 {
        let page = h.press(&format!("{link}/snooze")).await;
        assert!(page.html.contains("March 9<"), "{}", page.html);
        h.clock.advance(DAY);
    }
}

#[tokio::test]
async fn a_snooze_is_offered_only_if_a_reminder_will_come() {
    for (setup, status) in [(reminders(""), "EXPIRED"), (Setup::default(), "DISCONNECTED")] {
        let (h, link) = Harness::mailed(setup, &[("epic", status)]).await;
        let page = h.press(&format!("{link}/snooze")).await;
        assert_eq!((page.status, page.location.is_some()), (303, true), "back to the page");
        let page = h.look(&link).await;
        assert_eq!(page.states(), ["ready", "available"]);
        assert!(!page.forms().contains(&"snooze epic".to_owned()), "{status}");
    }

    let (h, link) = Harness::mailed(reminders("3d"), EPIC).await;
    let stop = unsubscribe_link_in(&h.mails()[0]);
    h.press(&format!("{link}/snooze")).await;
    h.browser().press(&stop, &[]).await;
    let page = h.look(&link).await;
    assert_eq!(page.states(), ["ready", "available"], "an unsubscribed member gets no reminder");
    assert_eq!(page.forms(), ["redeem epic"]);
}

#[tokio::test]
async fn undoing_a_snooze_brings_the_reminder_on_its_own_day() {
    let (h, link) = Harness::mailed(reminders("3d"), EPIC).await;
    h.press(&format!("{link}/snooze")).await;
    assert_eq!(h.press(&format!("{link}/undo")).await.status, 303);
    assert_eq!(h.look(&link).await.forms(), ["redeem epic", "snooze epic"]);
    pass_days(&h, 3).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_queued_reminder_waits_at_the_handover_until_the_snooze_ends_or_is_undone() {
    for is_undone in [false, true] {
        let (h, link) = Harness::mailed(reminders("3d").set("LINKS__TTL", "30d"), EPIC).await;
        h.sweep_after(TimeDelta::days(3)).await;
        assert!(h.app.planner.plan_page().await.unwrap());
        assert_eq!(notices(&h).await, ["sent 0 accepted", "queued 1 reminder"]);
        let page = h.press(&format!("{link}/snooze")).await;
        assert!(page.html.contains("March 12<"), "{}", page.html);
        pass_days(&h, 1).await;
        assert_eq!(notices(&h).await, ["sent 0 accepted", "queued 1 snoozed"]);
        if is_undone {
            h.press(&format!("{link}/undo")).await;
            assert_eq!(notices(&h).await[1], "queued 1 reminder", "it is due at once");
            assert!(h.notices("alice").await[1].not_before <= h.clock.now());
            h.pass().await;
        } else {
            pass_days(&h, 5).await;
            assert_eq!(h.mails().len(), 1);
            h.clock.advance(DAY);
            assert_eq!(h.look(&link).await.forms(), ["redeem epic", "snooze epic"], "it has ended");
            h.pass().await;
        }
        assert_eq!(notices(&h).await, ["sent 0 accepted", "sent 1 accepted"], "undone: {is_undone}");
    }
}

#[tokio::test]
async fn a_snooze_ends_with_the_lapse() {
    let (h, link) = Harness::mailed(reminders("3d,10d"), EPIC).await;
    h.press(&format!("{link}/snooze")).await;
    for status in ["CONNECTED", "EXPIRED"] {
        h.set("alice", "epic", status);
        h.pass_after(TimeDelta::minutes(15)).await;
    }
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "resumed");
    pass_days(&h, 3).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_link_that_the_member_requests_comes_during_a_snooze() {
    let (h, link) = Harness::mailed(reminders("3d"), EPIC).await;
    h.press(&format!("{link}/snooze")).await;
    h.clock.advance(DAY);
    assert_eq!(h.press(&format!("{link}/resend")).await.states(), ["resend_requested"]);
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    assert_eq!(h.look(&h.link()).await.states(), ["snoozed", "available"]);
}

#[tokio::test]
async fn a_snooze_is_about_one_connection() {
    let (h, link) =
        Harness::mailed(reminders("3d"), &[("epic", "EXPIRED"), ("kaiser-north", "EXPIRED")]).await;
    let browser = h.browser();
    let pressed = browser.press(&format!("{link}/snooze"), &[("connection", "epic")]).await;
    assert_eq!(pressed.status, 303, "back to the page");
    let page = browser.arrive(&link).await;
    assert_eq!(page.states(), ["ready", "available", "available"]);
    assert_eq!(page.forms(), ["redeem epic", "undo epic", "redeem kaiser-north", "snooze kaiser-north"]);
    assert!(page.html.contains("March 9."), "{}", page.html);
    pass_days(&h, 3).await;
    assert_eq!(
        h.look(&h.link()).await.forms(),
        ["redeem kaiser-north"],
        "the reminder is about the other one"
    );
    pass_days(&h, 5).await;
    assert_eq!(h.mails().len(), 3);
    assert_eq!(h.look(&h.link()).await.forms(), ["redeem epic"]);
}

#[tokio::test]
async fn a_snoozed_part_of_a_queued_reminder_comes_after_the_snooze() {
    let setup = reminders("3d").set("LINKS__TTL", "30d");
    let (h, link) = Harness::mailed(setup, &[("epic", "EXPIRED"), ("kaiser-north", "EXPIRED")]).await;
    h.sweep_after(TimeDelta::days(3)).await;
    assert!(h.app.planner.plan_page().await.unwrap());
    h.browser().press(&format!("{link}/snooze"), &[("connection", "epic")]).await;
    h.pass().await;
    assert_eq!(h.mails().len(), 2);
    assert_eq!(h.look(&h.link()).await.forms(), ["redeem kaiser-north"]);
    assert!(h.look(&link).await.html.contains("March 12."));
    pass_days(&h, 8).await;
    assert_eq!(h.mails().len(), 3);
    assert_eq!(h.look(&h.link()).await.forms(), ["redeem epic"]);
}

#[tokio::test]
async fn undoing_a_dismissal_continues_the_cadence_without_repeating_a_step() {
    let (h, link) = Harness::mailed(reminders("3d"), &[("epic", "DISCONNECTED")]).await;
    let browser = h.browser();
    let dismissed = browser.press(&format!("{link}/dismiss"), &[]).await;
    assert_eq!(dismissed.forms(), ["redeem epic", "undo epic"]);
    pass_days(&h, 1).await;
    assert_eq!(browser.press(&format!("{link}/undo"), &[("connection", "epic")]).await.status, 303);
    let page = browser.arrive(&link).await;
    assert_eq!(
        (page.states(), h.lapse_states("alice").await),
        (vec!["ready", "available"], vec!["epic open".into()])
    );
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    pass_days(&h, 2).await;
    assert_eq!(notices(&h).await, ["sent 0 accepted", "sent 1 accepted"]);
}

#[tokio::test]
async fn undoing_a_dismissal_restores_the_snooze_before_it() {
    let (h, link) = Harness::mailed(reminders("3d"), &[("epic", "DISCONNECTED")]).await;
    for action in ["snooze", "dismiss", "undo"] {
        h.press(&format!("{link}/{action}")).await;
    }
    assert_eq!(h.look(&link).await.states(), ["snoozed", "available"]);
}

#[tokio::test]
async fn a_member_cannot_undo_what_the_operator_disconnected() {
    let (h, link) = Harness::mailed(reminders("3d"), &[("epic", "DISCONNECTED")]).await;
    let (alice, epic) = ("alice".into(), "epic".into());
    let intent = DisconnectKind::Disconnect;
    h.app.store.record_disconnect_intent(&alice, &epic, intent, h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.look(&link).await.forms(), ["redeem epic"]);
    h.press(&format!("{link}/undo")).await;
    assert_eq!(h.lapse_states("alice").await, ["epic closed dismissed"]);
    pass_days(&h, 4).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_link_that_ended_snoozes_and_undoes_nothing() {
    let (h, link) = Harness::mailed(reminders("10d"), EPIC).await;
    let before = h.rows().await.texts("lapses", "state").await.unwrap();
    h.clock.advance(TimeDelta::days(7));
    for action in ["snooze", "undo"] {
        assert_eq!(h.press(&format!("{link}/{action}")).await.states(), ["expired"]);
    }
    assert_eq!(h.rows().await.texts("lapses", "state").await.unwrap(), before);
    assert_eq!(h.rows().await.numbers("lapses", "snoozed_until").await.unwrap(), [0_i64; 0]);
}
