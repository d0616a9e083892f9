//! How events are posted: as many as fit, one to a receiver that was down, and none after the stop.

use crate::harness::{Harness, Setup};
use crate::receiver::{Receiver, SECRET};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::notify::events::EventsStarted;
use reconnectd::store::FailingWrite;
use std::collections::BTreeSet;
use tokio_util::sync::CancellationToken;

/// One event about each of so many members waits.
async fn waiting(members: u32) -> (Harness, Receiver) {
    let receiver = Receiver::start().await;
    let setup = Setup::default()
        .members(members)
        .set("WEBHOOK__URL", receiver.url())
        .set("WEBHOOK__SECRET", SECRET)
        .set("WEBHOOK__EVENTS", "connection.lapsed");
    let ids: Vec<String> = (1..=members).map(|n| format!("m{n}")).collect();
    let h = Harness::watching_with(setup, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for id in &ids {
        h.set(id, "epic", "EXPIRED");
    }
    h.sweep().await;
    (h, receiver)
}

#[tokio::test]
async fn after_the_stop_no_event_is_posted() {
    let (h, receiver) = waiting(1).await;
    let (stop, mut courier) = (CancellationToken::new(), h.app.event_courier().unwrap());
    stop.cancel();
    courier.deliver_all(&stop).await.unwrap();
    assert!(receiver.posts().is_empty());
    courier.deliver_all(&CancellationToken::new()).await.unwrap();
    assert_eq!(receiver.confirmed().len(), 1);
    assert!(!h.log.text().contains("event=\"event_lease_expired\""));
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_one_event_until_it_confirms() {
    let (h, receiver) = waiting(4).await;
    let mut courier = h.app.event_courier().unwrap();
    receiver.answer(500);
    courier.deliver_all(&CancellationToken::new()).await.unwrap();
    h.clock.advance(TimeDelta::hours(2));
    receiver.be_silent(true);
    let started = [courier.start_due().await.unwrap(), courier.start_due().await.unwrap()];
    assert_eq!(started, [EventsStarted::Posts(1), EventsStarted::Posts(0)]);
}

#[tokio::test]
async fn an_event_whose_confirmation_cannot_be_stored_is_an_error_and_is_posted_again_with_its_id() {
    let (h, receiver) = waiting(1).await;
    let (stop, mut courier) = (CancellationToken::new(), h.app.event_courier().unwrap());
    let mut rows = h.rows().await;
    rows.watch_writes().await.unwrap();
    // The first row is its claim.
    rows.fail_writes(FailingWrite::Statement, 2).await.unwrap();
    assert!(courier.deliver_all(&stop).await.is_err());
    rows.end_failing_writes().await.unwrap();
    h.clock.advance(TimeDelta::minutes(2));
    courier.maintain().await.unwrap();
    courier.deliver_all(&stop).await.unwrap();
    let ids: Vec<_> = receiver.confirmed().into_iter().map(|posted| posted.id).collect();
    assert!(ids.len() == 2 && ids[0] == ids[1], "{ids:?}");
}

#[tokio::test]
async fn a_running_daemon_posts_more_events_than_go_out_at_the_same_time() {
    let (h, receiver) = waiting(40).await;
    let daemon = h.run_daemon(&[]).await;
    let members =
        || receiver.confirmed().iter().filter_map(|posted| posted.member()).collect::<BTreeSet<_>>();
    until("an event about each member", async || members().len() == 40).await;
    daemon.stop().await;
}
