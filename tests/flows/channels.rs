//! Notices to the operator's own systems: `notices.channel`.

use crate::handovers::change_during_attempt;
use crate::harness::{Harness, Setup};
use crate::receiver::{Posted, Receiver, SECRET};
use chrono::TimeDelta;
use reconnectd::base::instances::Heartbeat;
use reconnectd::domain::{EmailAddress, HoldScope, Suppression};
use reconnectd::store::{DisclosedTo, NewHold};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};

fn on(channel: &str, receiver: &Receiver) -> Setup {
    Setup::default()
        .set("WEBHOOK__URL", receiver.url())
        .set("WEBHOOK__SECRET", SECRET)
        .set("NOTICES__CHANNEL", channel)
}

async fn watching(channel: &str, members: &[&str]) -> (Harness, Receiver) {
    let receiver = Receiver::start().await;
    let h = Harness::watching_with(on(channel, &receiver), members).await;
    (h, receiver)
}

fn due(receiver: &Receiver) -> Vec<Posted> {
    receiver.confirmed().into_iter().filter(|posted| posted.event_type() == "notice.due").collect()
}

fn url(posted: &Posted) -> String {
    posted.json()["data"]["url"].as_str().expect("a URL").to_owned()
}

#[tokio::test]
async fn the_receivers_confirmation_counts_as_sent_and_the_cadence_goes_on_from_it() {
    let (h, receiver) = watching("webhook", &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let first = due(&receiver).remove(0);
    assert!(first.is_signed_with(SECRET));
    let notice = h.notices("alice").await.remove(0).notice.id;
    assert_eq!(first.id, notice.as_str());
    let data = &first.json()["data"];
    assert_eq!((&data["kind"], &data["step"]), (&json!("reconnect"), &json!(0)));
    assert_eq!((&data["member_id"], &data["connections"]), (&json!("alice"), &json!(["epic"])));
    let times = (&first.json()["timestamp"], &data["expires_at"]);
    assert_eq!(times, (&json!("2026-03-02T09:00:00.000Z"), &json!("2026-03-09T09:00:00.000Z")));
    assert_eq!(h.notice_states("alice").await, ["sent"]);
    let disclosures = h.app.store.disclosures(DisclosedTo::Member(&"alice".into())).await.unwrap();
    assert!(disclosures.emails[0].is_event && disclosures.emails[0].links.len() == 1);
    h.pass_after(TimeDelta::days(2)).await;
    assert_eq!(due(&receiver).len(), 1, "no reminder yet");
    h.pass_after(TimeDelta::days(2)).await;
    assert_eq!(due(&receiver)[1].json()["data"]["step"], 1);
    assert!(h.mails().is_empty());
    h.reconnect(&url(&due(&receiver)[1])).await;
    h.pass_after(TimeDelta::hours(1)).await;
    let told = ["connection.lapsed", "notice.sent", "notice.sent", "link.redeemed", "connection.recovered"];
    let others: Vec<_> =
        receiver.confirmed_of("alice").into_iter().filter(|kind| kind != "notice.due").collect();
    assert_eq!(others, told);
}

#[tokio::test]
async fn the_link_is_stored_and_logged_nowhere() {
    for channel in ["webhook", "both"] {
        let (h, receiver) = watching(channel, &["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.pass().await;
        let url = url(&due(&receiver)[0]);
        assert_eq!(h.look(&url).await.status, 200);
        let token = url.rsplit('/').next().unwrap();
        let rows = h.rows().await.contents().await.unwrap().join("\n");
        assert!(!rows.contains(token) && !h.log.text().contains(token), "{channel}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_delays_notices_and_loses_none() {
    let members = ["alice", "bob", "carol"];
    let (h, receiver) = watching("webhook", &members).await;
    for status in [503, 401, 302] {
        receiver.answer(status);
        for member in members {
            h.set(member, "epic", "EXPIRED");
        }
        for _ in 0..12 {
            h.pass_after(TimeDelta::hours(2)).await;
        }
        for member in members {
            assert_eq!(h.notice_states(member).await.last().copied(), Some("queued"), "{status}");
        }
        receiver.answer(204);
        let before = due(&receiver).len();
        for _ in 0..14 {
            h.pass_after(TimeDelta::hours(1)).await;
        }
        let sent: BTreeSet<_> = due(&receiver)[before..].iter().filter_map(Posted::member).collect();
        assert_eq!(sent.len(), 3, "{status}");
        for member in members {
            h.set(member, "epic", "CONNECTED");
        }
        h.pass_after(TimeDelta::days(30)).await;
    }
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_refused_signature_costs_no_notice_an_attempt_and_an_error_of_the_receiver_does() {
    for (status, ended) in [(401, "deferred"), (503, "retry")] {
        let (h, receiver) = watching("webhook", &["alice"]).await;
        receiver.answer(status);
        h.set("alice", "epic", "EXPIRED");
        h.pass().await;
        assert_eq!(h.attempts("alice").await, [ended], "{status}");
    }
}

#[tokio::test]
async fn a_notice_that_only_its_receiver_refuses_is_abandoned_and_leaves_no_link() {
    let (h, receiver) = watching("webhook", &["alice", "bob"]).await;
    receiver.answer(422);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(h.notice_states("alice").await, ["queued"], "the receiver may refuse everything");
    receiver.answer(204);
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    receiver.answer(422);
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    let links = h.rows().await.texts("links", "member_id").await.unwrap();
    assert_eq!(links, ["bob"]);
}

#[tokio::test]
async fn while_the_receiver_refuses_everything_a_notice_without_attempts_left_is_tried_twice_a_day() {
    let (h, receiver) = watching("webhook", &["alice"]).await;
    receiver.answer(422);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let exhaust = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
            INSERT INTO attempts (notice_id, attempt, started_at, finished_at, outcome)
            SELECT notice_id, i, 0, 0, 'retry' FROM notices, n;
        UPDATE notices SET attempts = 40";
    h.rows().await.run(exhaust).await.unwrap();
    h.pass_after(TimeDelta::days(1)).await;
    let waiting = h.notices("alice").await.remove(0);
    assert_eq!(h.notice_states("alice").await, ["queued"]);
    assert_eq!(waiting.not_before - h.clock.now(), TimeDelta::hours(12));
}

#[tokio::test]
async fn an_instance_that_must_not_send_anymore_posts_no_notice_and_tries_again_a_little_later() {
    let receiver = Receiver::start().await;
    let queued = async || {
        let h = Harness::watching_with(on("webhook", &receiver), &["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.sweep().await;
        assert!(h.app.planner.plan_page().await.unwrap());
        h
    };
    let note = |h: &Harness, minutes| {
        h.app.instances.note(Heartbeat {
            sent_at: Duration::ZERO,
            live: 1,
            clock_difference: Some(TimeDelta::minutes(minutes)),
            is_replaceable: false,
            was_presumed_dead: false,
        });
        due(&receiver).len()
    };
    let (h, before) = change_during_attempt(queued, async |h| note(h, 3)).await;
    assert_eq!((due(&receiver).len(), h.notice_states("alice").await), (before, vec!["queued"]));
    assert!(h.notices("alice").await[0].not_before > h.clock.now());
    note(&h, 0);
    h.pass_after(TimeDelta::seconds(1)).await;
    assert_eq!(due(&receiver).len(), before + 1);
}

#[tokio::test]
async fn members_who_share_an_address_get_an_event_each_whenever_their_own_time_comes() {
    let receiver = Receiver::start().await;
    let setup = on("webhook", &receiver).set("NOTICES__MIN_GAP", "24h");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.enrol_at("bob", "alice@example.org").await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("bob", "epic", "EXPIRED");
    h.set("alice", "labcorp", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    let members: Vec<_> = due(&receiver).iter().filter_map(Posted::member).collect();
    assert_eq!(members, ["alice", "bob"], "alice had hers an hour ago");
    assert_ne!(url(&due(&receiver)[0]), url(&due(&receiver)[1]));
    h.pass_after(TimeDelta::days(1)).await;
    assert_eq!(due(&receiver).len(), 3);
}

#[tokio::test]
async fn a_suppressed_member_gets_no_event_about_a_notice() {
    for channel in ["webhook", "both"] {
        let (h, receiver) = watching(channel, &["alice"]).await;
        let address: EmailAddress = "alice@example.org".parse().unwrap();
        let now = h.clock.now();
        h.app.store.suppress(address.address_hash(), Suppression::Operator, now).await.unwrap();
        h.set("alice", "epic", "EXPIRED");
        h.pass().await;
        assert!(due(&receiver).is_empty(), "{channel}");
    }
}

#[tokio::test]
async fn under_both_the_email_and_the_event_have_a_link_of_their_own() {
    let (h, receiver) = watching("both", &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let (emailed, posted) = (h.link(), url(&due(&receiver)[0]));
    assert_ne!(emailed, posted);
    h.reconnect(&posted).await;
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(
        receiver.confirmed_of("alice"),
        ["connection.lapsed", "notice.due", "notice.sent", "link.redeemed", "connection.recovered"]
    );
}

/// The receiver gets nothing but the events that ask for a notice.
async fn emailed_while_the_receiver_is_down() -> (Harness, Receiver) {
    let receiver = Receiver::start().await;
    let setup = on("both", &receiver).set("WEBHOOK__EVENTS", "notice.due");
    let h = Harness::watching_with(setup, &["alice"]).await;
    receiver.answer(500);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    (h, receiver)
}

#[tokio::test]
async fn under_both_a_receiver_that_is_down_delays_no_email_and_its_refused_links_are_deleted() {
    let (h, receiver) = emailed_while_the_receiver_is_down().await;
    assert_eq!(h.mails().len(), 1);
    for _ in 0..4 {
        h.pass_after(TimeDelta::hours(1)).await;
    }
    assert!(url(&receiver.posts()[0]).contains("/r/"), "it had a link");
    assert_eq!(h.rows().await.count("links").await.unwrap(), 1, "the email's");
    h.reconnect(&h.link()).await;
    h.pass_after(TimeDelta::hours(1)).await;
    receiver.answer(204);
    for _ in 0..3 {
        h.pass_after(TimeDelta::hours(2)).await;
    }
    let due = due(&receiver).remove(0).json();
    assert!(due["data"]["url"].is_null(), "the connection works again: {due}");
}

#[tokio::test]
async fn under_both_a_member_who_must_not_be_notified_anymore_gets_no_link() {
    for change in ["paused", "suppressed", "neither"] {
        let (h, receiver) = emailed_while_the_receiver_is_down().await;
        let now = h.clock.now();
        match change {
            "paused" => drop(h.app.store.pause_members(&["alice".into()], now).await.unwrap()),
            "suppressed" => {
                let address: EmailAddress = "alice@example.org".parse().unwrap();
                h.app.store.suppress(address.address_hash(), Suppression::Unsubscribed, now).await.unwrap();
            }
            _ => {}
        }
        receiver.answer(204);
        for _ in 0..3 {
            h.pass_after(TimeDelta::hours(2)).await;
        }
        let due = due(&receiver).remove(0).json();
        assert_eq!(due["data"]["url"].is_null(), change != "neither", "{change}: {due}");
    }
}

#[tokio::test]
async fn under_both_a_hold_on_everything_stops_the_event_that_asks_for_a_notice_and_no_other() {
    let (h, receiver) = watching("both", &["alice", "bob"]).await;
    receiver.answer(500);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let new = NewHold { scope: HoldScope::default(), until: None, reason: "restored".into() };
    let hold = h.app.store.add_hold(&new, h.clock.now()).await.unwrap().expect("a hold");
    receiver.answer(204);
    h.set("bob", "epic", "EXPIRED");
    for _ in 0..3 {
        h.pass_after(TimeDelta::hours(2)).await;
    }
    assert_eq!(receiver.confirmed_of("alice"), ["connection.lapsed"], "the next one waits for its turn");
    assert_eq!(receiver.confirmed_of("bob"), ["connection.lapsed"]);
    h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(receiver.confirmed_of("alice"), ["connection.lapsed", "notice.due", "notice.sent"]);
}

#[tokio::test]
async fn a_notice_whose_confirmation_was_lost_is_repeated_with_its_id_and_its_links_work() {
    let (h, receiver) = watching("webhook", &["alice"]).await;
    receiver.hang_up(true);
    h.set("alice", "epic", "EXPIRED");
    for _ in 0..6 {
        h.pass_after(TimeDelta::hours(13)).await;
    }
    assert_eq!(h.notice_states("alice").await, ["queued"], "it is never given up for that");
    receiver.hang_up(false);
    h.pass_after(TimeDelta::hours(13)).await;
    let posted = due(&receiver);
    let ids: BTreeSet<_> = posted.iter().map(|posted| posted.id.clone()).collect();
    assert!(posted.len() > 5 && ids.len() == 1, "{ids:?}");
    for posted in &posted[1..] {
        assert_eq!(h.look(&url(posted)).await.status, 200);
    }
}

#[tokio::test]
async fn notices_that_wait_are_divided_when_the_channel_changes() {
    let receiver = Receiver::start().await;
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "2h");
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.enrol_at("bob", "alice@example.org").await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    let changed =
        [("WEBHOOK__URL", receiver.url()), ("WEBHOOK__SECRET", SECRET), ("NOTICES__CHANNEL", "webhook")];
    h.clock.advance(TimeDelta::hours(3));
    let app = h.another_app(&changed).await;
    let _lock = app.acquire_instance_lock(reconnectd::store::InstanceCommand::Once).await.unwrap();
    app.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap();
    let mut members: Vec<_> = due(&receiver).iter().filter_map(Posted::member).collect();
    members.sort();
    assert_eq!(members, ["alice", "bob"]);
    assert!(h.mails().is_empty());
}
