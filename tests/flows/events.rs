//! Events for the operator's own systems.

use crate::harness::{Harness, Setup};
use crate::receiver::{OTHER_SECRET, Receiver, SECRET};
use chrono::TimeDelta;
use reconnectd::domain::{Actor, ConnectionId, EmailAddress, EventState, ListedEvent, MemberId, Suppression};
use reconnectd::sim::{FaultKind, Operation, SmtpFault, SmtpStage};
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

fn setup(receiver: &Receiver) -> Setup {
    Setup::default().set("WEBHOOK__URL", receiver.url()).set("WEBHOOK__SECRET", SECRET)
}

async fn watching(members: &[&str]) -> (Harness, Receiver) {
    let receiver = Receiver::start().await;
    let h = Harness::watching_with(setup(&receiver), members).await;
    (h, receiver)
}

async fn events(h: &Harness) -> Vec<ListedEvent> {
    h.app.store.events(None, None, 1_000).await.unwrap()
}

async fn in_state(h: &Harness, state: EventState) -> usize {
    h.app.store.events(Some(state), None, 1_000).await.unwrap().len()
}

async fn deliver(h: &Harness) {
    let mut courier = h.app.event_courier().expect("a receiver");
    courier.maintain().await.unwrap();
    courier.deliver_all(&CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn each_fact_about_a_member_is_told_once_in_its_order() {
    let (h, receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;

    h.reconnect(&h.link()).await;
    h.clock.advance(TimeDelta::hours(1));
    h.pass().await;
    h.pass().await;
    let types = ["connection.lapsed", "notice.sent", "link.redeemed", "connection.recovered"];
    assert_eq!(receiver.confirmed_of("alice"), types);
    assert_eq!(receiver.posts().len(), types.len(), "each once");
    let listed = events(&h).await;
    for (posted, listed) in receiver.posts().iter().zip(&listed) {
        assert!(posted.is_signed_with(SECRET), "{posted:?}");
        assert!(!posted.is_signed_with(OTHER_SECRET));
        assert_eq!((posted.id.as_str(), listed.state), (listed.id.as_str(), EventState::Delivered));
        assert!(listed.delivered_at.is_some() && listed.attempts == 1);
    }

    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(receiver.confirmed_of("alice")[types.len()], "connection.lapsed", "it resumes");
}

#[tokio::test]
async fn no_event_has_an_address_a_token_or_an_oauth_url_and_no_log_the_receivers_key() {
    let (h, receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let link = h.link();
    h.reconnect(&link).await;
    receiver.answer(500);
    h.pass().await;
    let token = link.rsplit('/').next().unwrap();
    for posted in receiver.posts() {
        for secret in ["@", token, "http", "redirect", "secret"] {
            assert!(!posted.body.contains(secret), "{secret} is in {}", posted.body);
        }
    }
    let log = h.log.text();
    for secret in ["hidden", SECRET, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_gap_has_its_times_and_the_syncs_around_it() {
    let (h, receiver) = watching(&["alice"]).await;
    let synced_before = h.clock.now();
    h.clock.advance(TimeDelta::hours(2));
    let lapsed_at = h.clock.now();
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::hours(3));
    h.reconnect(&h.link()).await;
    h.clock.advance(TimeDelta::hours(1));
    h.pass().await;
    let of_type = |wanted: &str| {
        let posts = receiver.confirmed();
        posts.iter().find(|posted| posted.event_type() == wanted).expect("the event").json()["data"].clone()
    };
    let text = |at: reconnectd::domain::Time| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let (lapsed, recovered) = (of_type("connection.lapsed"), of_type("connection.recovered"));
    for data in [&lapsed, &recovered] {
        assert_eq!(data["connection_id"], "epic");
        assert_eq!(data["lapsed_at"], text(lapsed_at));
        assert_eq!(data["last_sync_before"], text(synced_before));
    }
    assert_eq!((&lapsed["status"], &recovered["status"]), (&"EXPIRED".into(), &"CONNECTED".into()));
    assert!(lapsed["recovered_at"].is_null() && lapsed["last_sync_after"].is_null());
    assert_eq!(recovered["recovered_at"], text(h.clock.now()));
    let after = recovered["last_sync_after"].as_str().expect("the sync after it").to_owned();
    assert!(after > text(lapsed_at), "{after}");
}

#[tokio::test]
async fn a_connection_that_works_again_has_no_sync_after_the_gap_before_the_gateway_has_fetched_records() {
    let (h, receiver) = watching(&["alice"]).await;
    for status in ["EXPIRED", "CONNECTED"] {
        h.set("alice", "epic", status);
        h.pass_after(TimeDelta::hours(2)).await;
    }
    let posts = receiver.confirmed();
    let recovered = posts.iter().find(|posted| posted.event_type() == "connection.recovered").unwrap().json();
    assert!(recovered["data"]["last_sync_before"].is_string());
    assert!(recovered["data"]["last_sync_after"].is_null(), "{recovered}");
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_day_delays_no_email_and_gets_every_event_in_order() {
    let members = ["alice", "bob", "carol"];
    let (h, receiver) = watching(&members).await;
    receiver.answer(503);
    for hour in 0..24 {
        if hour % 8 == 0 {
            let member = members[hour / 8];
            h.set(member, "epic", "EXPIRED");
            let sent = h.mails().len();
            h.pass().await;
            assert_eq!(h.mails().len(), sent + 1, "the email is on time");
            h.reconnect(&h.link()).await;
        }
        h.clock.advance(TimeDelta::hours(1));
        h.pass().await;
    }
    let waiting = events(&h).await;
    assert!(waiting.iter().all(|event| event.state == EventState::Queued), "{waiting:?}");
    assert!(
        waiting.iter().any(|event| event.attempts > 3 && event.last_error.as_deref() == Some("http_503"))
    );
    assert_eq!(waiting.len(), 12);
    receiver.answer(204);
    for _ in 0..4 {
        h.clock.advance(TimeDelta::hours(1));
        deliver(&h).await;
    }
    assert_eq!(in_state(&h, EventState::Delivered).await, 12);
    let types = ["connection.lapsed", "notice.sent", "link.redeemed", "connection.recovered"];
    for member in members {
        assert_eq!(receiver.confirmed_of(member), types, "{member}");
    }
    let ids: BTreeSet<String> = receiver.confirmed().into_iter().map(|posted| posted.id).collect();
    assert_eq!(ids.len(), receiver.confirmed().len(), "none is doubled");
}

#[tokio::test]
async fn an_event_fails_after_three_days_and_the_operator_can_retry_it() {
    let (h, receiver) = watching(&["alice"]).await;
    receiver.answer(410);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    for _ in 0..71 {
        h.clock.advance(TimeDelta::hours(1));
        deliver(&h).await;
    }
    assert_eq!(in_state(&h, EventState::Queued).await, 2, "not yet");
    for _ in 0..3 {
        h.clock.advance(TimeDelta::hours(1));
        deliver(&h).await;
    }
    assert_eq!(in_state(&h, EventState::Failed).await, 2);
    assert!(h.log.text().contains("event_failed"));
    let operator = h.app.store.acting_as(Actor::Command("ann".into()));
    let retried = operator.retry_failed_events(h.clock.now()).await.unwrap();
    assert_eq!(retried.len(), 2);
    let audited = h.rows().await.rows("audit", ["action", "affected"]).await.unwrap();
    assert_eq!(audited, [["event_retry", "2"]]);
    deliver(&h).await;
    assert_eq!(in_state(&h, EventState::Queued).await, 2, "for three days again");
    receiver.answer(204);
    h.clock.advance(TimeDelta::hours(3));
    deliver(&h).await;
    assert_eq!(receiver.confirmed_of("alice"), ["connection.lapsed", "notice.sent"]);
    let delivered = &events(&h).await[0].id;
    let retry = async |id| h.app.store.retry_event(id, h.clock.now()).await.unwrap();
    assert_eq!(retry(delivered).await, Some(false));
    assert_eq!(retry(&reconnectd::domain::EventId::from("none")).await, None);
}

#[tokio::test]
async fn an_operators_retry_hurries_an_event_that_waits() {
    let (h, receiver) = watching(&["alice"]).await;
    receiver.answer(500);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    receiver.answer(204);
    deliver(&h).await;
    assert_eq!(receiver.confirmed().len(), 0, "it waits for its next attempt");
    let first = events(&h).await[0].id.clone();
    assert_eq!(h.app.store.retry_event(&first, h.clock.now()).await.unwrap(), Some(true));
    deliver(&h).await;
    assert_eq!(receiver.confirmed_of("alice"), ["connection.lapsed", "notice.sent"]);
}

#[tokio::test]
async fn one_event_that_the_receiver_refuses_stops_no_other_member() {
    let (h, receiver) = watching(&["alice", "bob"]).await;
    receiver.answer(400);
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    receiver.answer(204);
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(receiver.confirmed_of("bob"), ["connection.lapsed", "notice.sent"]);
    assert_eq!(receiver.confirmed_of("alice").len(), 0);
}

#[tokio::test]
async fn a_receiver_gets_the_wait_that_it_asks_for() {
    let (h, receiver) = watching(&["alice"]).await;
    receiver.answer(429);
    receiver.ask_to_wait("1200");
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(19));
    deliver(&h).await;
    assert_eq!(receiver.posts().len(), 1);
    h.clock.advance(TimeDelta::minutes(4));
    deliver(&h).await;
    assert_eq!(receiver.posts().len(), 2);
}

#[tokio::test]
async fn a_crash_before_the_confirmation_is_stored_sends_the_event_again_with_the_same_id() {
    let (h, receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.sweep().await;
    receiver.be_silent(true);
    let mut courier = h.app.event_courier().unwrap();
    courier.start_due().await.unwrap();
    receiver.arrival().await;
    drop(courier);
    receiver.be_silent(false);
    deliver(&h).await;
    assert_eq!(receiver.posts().len(), 1, "its lease holds");
    h.clock.advance(TimeDelta::minutes(2));
    deliver(&h).await;
    let ids: Vec<_> = receiver.posts().into_iter().map(|posted| posted.id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(in_state(&h, EventState::Delivered).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deliverers_send_each_event_once_and_keep_the_order_of_each_member() {
    let members: Vec<String> = (1..=30).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = members.iter().map(String::as_str).collect();
    let receiver = Receiver::start().await;
    let h = Harness::watching_with(setup(&receiver).members(30), &ids).await;
    receiver.answer(500);
    for member in &ids {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    receiver.answer(204);
    h.clock.advance(TimeDelta::hours(2));
    let (mut one, mut other) = (h.app.event_courier().unwrap(), h.app.event_courier().unwrap());
    let stop = CancellationToken::new();
    let (first, second) = tokio::join!(one.deliver_all(&stop), other.deliver_all(&stop));
    first.and(second).unwrap();
    deliver(&h).await;
    for member in &ids {
        assert_eq!(receiver.confirmed_of(member), ["connection.lapsed", "notice.sent"], "{member}");
    }
}

#[tokio::test]
async fn both_secrets_sign_during_a_rotation() {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver).set("WEBHOOK__PREVIOUS_SECRET", OTHER_SECRET);
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    for posted in receiver.posts() {
        assert!(posted.is_signed_with(SECRET) && posted.is_signed_with(OTHER_SECRET));
    }
    assert_eq!(receiver.posts().len(), 2);
}

#[tokio::test]
async fn only_the_chosen_types_are_recorded_and_none_without_a_receiver() {
    let receiver = Receiver::start().await;
    let setup = setup(&receiver).set("WEBHOOK__EVENTS", "notice.sent");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let types: Vec<_> = events(&h).await.into_iter().map(|event| event.event_type).collect();
    assert_eq!(types, ["notice.sent"]);
    let h = Harness::queued(&["alice"]).await;
    assert!(events(&h).await.is_empty() && h.app.event_courier().is_none());
}

#[tokio::test]
async fn an_operators_disconnect_is_told_when_the_list_shows_it() {
    let (h, receiver) = watching(&["alice"]).await;
    let (alice, epic) = (MemberId::from("alice"), ConnectionId::from("epic"));
    let connection = h.app.operator.connection(&alice, &epic).await.unwrap();
    h.app.operator.disconnect(&alice, connection).await.unwrap();
    deliver(&h).await;
    assert_eq!(receiver.confirmed_of("alice"), ["connection.disconnected"]);
    let data = receiver.posts()[0].json()["data"].clone();
    assert_eq!((&data["command"], &data["status"]), (&"disconnect".into(), &"DISCONNECTED".into()));
}

#[tokio::test]
async fn a_refused_disconnect_is_not_told() {
    let (h, receiver) = watching(&["alice"]).await;
    let (alice, epic) = (MemberId::from("alice"), ConnectionId::from("epic"));
    let connection = h.app.operator.connection(&alice, &epic).await.unwrap();
    h.fault(Operation::DisconnectConnection, FaultKind::GraphqlError { code: "forbidden".into() });
    h.app.operator.disconnect(&alice, connection).await.unwrap_err();
    deliver(&h).await;
    assert!(receiver.posts().is_empty());
}

#[tokio::test]
async fn a_rejected_credential_and_a_suppressed_address_are_told_once() {
    let (h, receiver) = watching(&["alice", "bob"]).await;
    h.sim.world().revoke("bob").unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    assert_eq!(receiver.confirmed_of("bob"), ["credential.rejected"]);
    h.pass_after(TimeDelta::days(2)).await;
    let address: EmailAddress = "alice@example.org".parse().unwrap();
    let suppress = async || {
        let now = h.clock.now();
        h.app.store.suppress(address.address_hash(), Suppression::Operator, now).await.unwrap()
    };
    assert!(suppress().await && !suppress().await);
    deliver(&h).await;
    assert_eq!(receiver.confirmed_of("bob"), ["credential.rejected"]);
    assert_eq!(receiver.confirmed_of("alice"), ["address.suppressed"]);
}

#[tokio::test]
async fn a_storm_is_told_when_it_begins_and_when_its_hold_ends() {
    let members: Vec<String> = (1..=10).map(|n| format!("m{n}")).collect();
    let ids: Vec<&str> = members.iter().map(String::as_str).collect();
    let receiver = Receiver::start().await;
    let setup = setup(&receiver)
        .members(10)
        .set("STORM__MIN_MEMBERS", 5)
        .set("WEBHOOK__EVENTS", "storm.started,storm.ended");
    let h = Harness::watching_with(setup, &ids).await;
    for member in &ids {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    // The source's, and that of all sources.
    for hold in h.app.store.active_holds().await.unwrap() {
        h.app.store.release_hold(&hold.id, h.clock.now()).await.unwrap();
    }
    deliver(&h).await;
    let types: Vec<_> = receiver.confirmed().iter().map(|posted| posted.event_type()).collect();
    assert_eq!(types, ["storm.started", "storm.started", "storm.ended", "storm.ended"]);
    let data = |place: usize| receiver.posts()[place].json()["data"].clone();
    let (started, ended) = (data(0), data(3));
    assert_eq!((&started["source"], &started["lapsed"]), (&"epic".into(), &10.into()));
    assert!(started["member_id"].is_null());
    assert_eq!(ended["because"], "released");
}

#[tokio::test]
async fn an_abandoned_notice_is_told() {
    let (h, receiver) = watching(&["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 No such user").to("alice@example.org"));
    h.pass().await;
    h.pass_after(TimeDelta::hours(1)).await;
    deliver(&h).await;
    let told = receiver.confirmed_of("alice");
    assert_eq!(told[..2], ["connection.lapsed", "notice.abandoned"]);
    let posts = receiver.confirmed();
    let abandoned = posts.iter().find(|posted| posted.event_type() == "notice.abandoned").unwrap().json();
    assert_eq!(abandoned["data"]["reason"], "permanent_failure");
    assert_eq!(abandoned["data"]["connections"], serde_json::json!(["epic"]));
}

#[tokio::test]
async fn an_old_delivered_event_is_deleted_and_a_failed_one_stays() {
    let (h, _receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(in_state(&h, EventState::Delivered).await, 2);
    let failed = "UPDATE events SET state = 'failed', failed_at = delivered_at WHERE type = 'notice.sent'";
    h.rows().await.run(failed).await.unwrap();
    h.clock.advance(TimeDelta::days(29));
    h.set("alice", "epic", "CONNECTED");
    h.pass().await;
    assert_eq!(events(&h).await.len(), 3);
    h.clock.advance(TimeDelta::days(2));
    deliver(&h).await;
    let left = h.rows().await.texts("events", "type").await.unwrap();
    assert_eq!(left, ["connection.recovered", "notice.sent"]);
}

#[tokio::test]
async fn an_erased_member_leaves_no_event() {
    let (h, _receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap();
    assert!(events(&h).await.is_empty());
}

#[tokio::test]
async fn a_member_whom_no_email_will_reach_is_told_once() {
    let (h, receiver) = watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let address: EmailAddress = "alice@example.org".parse().unwrap();
    h.app.store.suppress(address.address_hash(), Suppression::Unsubscribed, h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::days(1)).await;
    let last = receiver.confirmed().pop().unwrap().json();
    assert_eq!(last["data"]["reason"], "suppressed");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass_after(TimeDelta::days(1)).await;
    let types =
        ["connection.lapsed", "notice.sent", "address.suppressed", "member.unreachable", "connection.lapsed"];
    assert_eq!(receiver.confirmed_of("alice"), types);
}
