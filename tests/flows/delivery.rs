//! Between the plan and the mail: the second look, and the proof that the way to the source is open.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    base::instances::Heartbeat,
    notify::deliver::{Delivered, Pipeline},
    sim::{Fault, FaultKind, Operation},
    store::{AttemptOutcome, ClaimLimits},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Alice's epic has expired, and a notice about it is queued.
async fn queued() -> Harness {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    assert!(h.app.planner.plan_page().await.unwrap());
    assert_eq!(h.notice_states("alice").await, ["queued"]);
    h
}

async fn deliver(h: &Harness) -> Delivered {
    h.app.deliverer.deliver_one().await.unwrap()
}

#[tokio::test]
async fn a_connection_that_recovers_before_the_hand_over_causes_no_email() {
    let h = queued().await;
    h.set("alice", "epic", "CONNECTED");
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Cancelled));
    assert_eq!(h.notice_states("alice").await, ["cancelled"]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed recovered"]);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED", "CONNECTED"]);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_lapse_cancelled_at_the_last_moment_causes_an_email_when_it_returns() {
    let h = queued().await;
    h.set("alice", "epic", "CONNECTED");
    deliver(&h).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::minutes(15)).await;
    assert_eq!(h.notice_states("alice").await, ["cancelled", "sent"]);
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_connection_that_recovers_in_time_is_left_out_of_the_email() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
    while h.app.planner.plan_page().await.unwrap() {}
    h.set("alice", "epic", "CONNECTED");
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let page = h.look(&h.link()).await;
    assert!(page.html.contains("Kaiser North") && !page.html.contains("Epic"), "{}", page.html);
}

#[tokio::test]
async fn a_source_whose_reconnect_url_is_refused_is_left_out_of_the_email() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("alice", "kaiser-north", "EXPIRED");
    let refusal = FaultKind::GraphqlError { code: "not-found".into() };
    h.sim.world().add_fault(Fault::new(refusal).on(Operation::GetOauthUrl).times(1));
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.look(&h.link()).await.forms(), ["redeem kaiser-north", "snooze kaiser-north"]);
}

#[tokio::test]
async fn while_the_gateway_is_down_the_notice_waits_and_is_sent_afterwards() {
    for operation in [Operation::GetMemberConnections, Operation::GetOauthUrl] {
        let h = queued().await;
        h.fault(operation, FaultKind::Http { status: 502, retry_after: None });
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        assert_eq!(h.notice_states("alice").await, ["queued"]);
        assert_eq!(deliver(&h).await, Delivered::Nothing, "not at once again");
        h.end_faults();
        h.clock.advance(TimeDelta::minutes(2));
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
        assert_eq!(h.attempts("alice").await, ["deferred", "sent"]);
        assert_eq!(h.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_gateway_that_gives_no_oauth_url_for_days_is_waited_for() {
    let h = queued().await;
    h.fault(Operation::GetOauthUrl, FaultKind::GraphqlError { code: "transient".into() });
    for _ in 0..20 {
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        h.clock.advance(TimeDelta::hours(6));
    }
    h.end_faults();
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn a_reconnect_url_that_leads_elsewhere_than_allowed_is_no_way() {
    let setup = Setup::default().set("GATEWAY__OAUTH_HOSTS", "login.example.org");
    let h = Harness::watching_with(setup, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    assert!(h.mails().is_empty());
    assert_eq!(h.attempts("alice").await, ["retry"]);
}

#[tokio::test]
async fn an_interrupted_delivery_is_retried() {
    let h = queued().await;
    let now = h.clock.now();
    let (lease, limits) = (now + TimeDelta::minutes(15), ClaimLimits::slots(1));
    assert_eq!(h.app.store.claim_notices(now, lease, &limits).await.unwrap().len(), 1);
    assert_eq!(deliver(&h).await, Delivered::Nothing, "it is in another's hands");
    h.clock.advance(TimeDelta::minutes(15));
    assert_eq!(h.app.store.rescue_expired_leases(h.clock.now(), &[]).await.unwrap(), 1);
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    assert_eq!(h.attempts("alice").await, ["interrupted", "sent"]);
}

#[tokio::test]
async fn after_the_stop_no_delivery_begins() {
    let h = queued().await;
    let (stop, mut pipeline) = (CancellationToken::new(), Pipeline::new(&h.app.deliverer));
    stop.cancel();
    assert!(pipeline.deliver_all(&stop).await.unwrap());
    assert_eq!((h.mails().len(), h.notice_states("alice").await), (0, vec!["queued"]));
    assert!(pipeline.deliver_all(&CancellationToken::new()).await.unwrap());
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn attempts_that_end_before_their_handover_cost_a_notice_nothing_however_many_they_are() {
    let h = queued().await;
    for _ in 0..6 {
        let (now, limits) = (h.clock.now(), ClaimLimits::slots(1));
        assert_eq!(h.app.store.claim_notices(now, now, &limits).await.unwrap().len(), 1);
        assert_eq!(h.app.store.rescue_expired_leases(now, &[]).await.unwrap(), 1);
    }
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn an_instance_that_may_be_replaced_or_has_another_time_than_the_database_sends_nothing() {
    let h = queued().await;
    let heartbeat = Heartbeat {
        sent_at: Duration::ZERO,
        live: 2,
        clock_difference: Some(TimeDelta::zero()),
        is_replaceable: true,
        was_presumed_dead: false,
    };
    let minutes = |minutes| Heartbeat { clock_difference: Some(TimeDelta::minutes(minutes)), ..heartbeat };
    for unfit in [minutes(3), minutes(-3)] {
        h.app.instances.note(unfit);
        assert!(matches!(deliver(&h).await, Delivered::QueuePaused(_)));
        assert_eq!((h.mails().len(), h.notice_states("alice").await), (0, vec!["queued"]));
    }
    h.app.instances.note(heartbeat);
    h.clock.advance(TimeDelta::seconds(12));
    assert!(matches!(deliver(&h).await, Delivered::QueuePaused(_)), "not seen for long");
    h.app.instances.note(Heartbeat { sent_at: Duration::from_secs(3), ..heartbeat });
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn with_one_connection_and_one_email_a_minute_email_is_sent() {
    let setup = Setup::default().set("EMAIL__CONNECTIONS", 1).set("EMAIL__PER_MINUTE", 1);
    let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    assert_eq!(h.notice_states("alice").await, ["sent"]);
}

#[tokio::test]
async fn deliveries_keep_to_the_rate_that_the_operator_permits() {
    let slow = Setup::default().set("EMAIL__PER_MINUTE", 1);
    let h = Harness::watching_with(slow, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let second = tokio::time::timeout(Duration::from_secs(1), h.app.deliverer.deliver_one()).await;
    assert!(second.is_err(), "it waits for a minute");
    assert_eq!(h.app.store.release_leases(h.clock.now()).await.unwrap(), 1);
}
