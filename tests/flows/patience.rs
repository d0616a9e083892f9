//! What a notice or a recheck waits for, how long, and what ends a notice for good.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::Time,
    notify::deliver::Delivered,
    sim::{Fault, FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage},
    store::{Attempt, AttemptOutcome, InstanceCommand},
};

async fn deliver(h: &Harness) -> Delivered {
    h.app.deliverer.deliver_one().await.unwrap()
}

async fn deliver_all(h: &Harness) {
    while deliver(h).await != Delivered::Nothing {}
}

/// How long a member's newest notice waits from now on.
async fn waits(h: &Harness, member: &str) -> TimeDelta {
    h.notices(member).await.last().unwrap().not_before - h.clock.now()
}

async fn attempts(h: &Harness, member: &str) -> Vec<Attempt> {
    let notice = h.notices(member).await.pop().unwrap().notice.id;
    h.app.store.attempts(&notice).await.unwrap()
}

fn no_way(h: &Harness, member: &str) {
    let trouble = FaultKind::GraphqlError { code: "not-found".into() };
    h.sim.world().add_fault(Fault::new(trouble).on(Operation::GetOauthUrl).member(member));
}

#[tokio::test]
async fn a_source_that_works_for_nobody_abandons_no_notice() {
    let h = Harness::queued(&["alice", "bob"]).await;
    no_way(&h, "alice");
    no_way(&h, "bob");
    for _ in 0..20 {
        deliver_all(&h).await;
        h.clock.advance(TimeDelta::hours(14));
    }
    assert!(h.mails().is_empty(), "nobody is led into a wall");
    for member in ["alice", "bob"] {
        let notice = h.notices(member).await.remove(0);
        assert_eq!((notice.notice.state.as_str(), notice.reason.as_str()), ("queued", "oauth_url_refused"));
    }
    h.end_faults();
    deliver_all(&h).await;
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_source_that_works_for_others_abandons_the_notice() {
    let h = Harness::queued(&["alice", "bob"]).await;
    no_way(&h, "alice");
    for _ in 0..20 {
        deliver_all(&h).await;
        h.clock.advance(TimeDelta::hours(14));
    }
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.attempts("alice").await.len(), 8, "about a day of them");
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "the operator sees it still");
    h.end_faults();
}

#[tokio::test]
async fn a_source_that_worked_for_others_before_the_failure_proves_nothing() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    assert_eq!(h.mails().len(), 1);
    h.clock.advance(TimeDelta::hours(1));
    h.set("alice", "epic", "EXPIRED");
    no_way(&h, "alice");
    for _ in 0..20 {
        h.pass_after(TimeDelta::hours(14)).await;
        h.set("bob", "epic", "CONNECTED");
    }
    assert_eq!(h.notice_states("alice").await, ["queued"]);
    h.end_faults();
}

#[tokio::test]
async fn a_start_replans_notices_that_a_misconfiguration_may_have_abandoned() {
    let h = Harness::queued(&["alice", "bob", "carol"]).await;
    no_way(&h, "alice");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 550, "5.1.1 No such user").to("carol@example.org"));
    for _ in 0..20 {
        deliver_all(&h).await;
        h.clock.advance(TimeDelta::hours(14));
    }
    for member in ["alice", "carol"] {
        assert_eq!(h.notice_states(member).await, ["abandoned"], "{member}");
    }
    h.end_faults();
    drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    while h.app.planner.plan_page().await.unwrap() {}
    deliver_all(&h).await;
    assert_eq!(h.notice_states("alice").await, ["abandoned", "sent"]);
    assert_eq!(h.notice_states("carol").await, ["abandoned"], "an address that was refused is no better now");
}

#[tokio::test]
async fn a_recovery_ends_what_kept_a_notice_from_being_sent() {
    let h = Harness::queued(&["alice", "bob"]).await;
    no_way(&h, "alice");
    for _ in 0..20 {
        deliver_all(&h).await;
        h.clock.advance(TimeDelta::hours(14));
    }
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    h.end_faults();
    h.set("alice", "epic", "CONNECTED");
    h.pass().await;
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "the same lapse");
    assert_eq!(h.notice_states("alice").await, ["abandoned", "sent"]);
}

#[tokio::test]
async fn attempts_that_wait_are_one_row_with_a_count() {
    let h = Harness::queued(&["alice"]).await;
    let begun = h.clock.now();
    h.fault(Operation::GetMemberConnections, FaultKind::Http { status: 502, retry_after: None });
    let mut last = Time::UNIX_EPOCH;
    for _ in 0..5 {
        last = h.clock.now();
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        h.clock.advance(TimeDelta::hours(1));
    }
    h.end_faults();
    h.fault(Operation::GetOauthUrl, FaultKind::GraphqlError { code: "transient".into() });
    deliver(&h).await;
    let [row] = &attempts(&h, "alice").await[..] else { panic!("more than one row") };
    assert_eq!((row.attempt, row.count, row.started_at), (1, 6, begun));
    assert_eq!(row.last_at, last + TimeDelta::hours(1));
    assert_eq!(
        (row.outcome.as_deref(), row.reason.as_deref()),
        (Some("deferred"), Some("oauth_url_unavailable"))
    );
    let wait = waits(&h, "alice").await;
    assert!(wait >= TimeDelta::minutes(30), "the count lengthens the wait: {wait}");
    h.end_faults();
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
    let rows = attempts(&h, "alice").await;
    assert_eq!(rows.iter().map(|row| (row.attempt, row.count)).collect::<Vec<_>>(), [(1, 6), (7, 1)]);
    assert_eq!(h.notices("alice").await[0].notice.attempts, 7);
}

#[tokio::test]
async fn attempts_that_an_operator_requested_begin_a_new_row() {
    let h = Harness::queued(&["alice"]).await;
    h.fault(Operation::GetMemberConnections, FaultKind::NullData);
    deliver(&h).await;
    let notice = h.notices("alice").await.remove(0).notice.id;
    assert!(h.app.store.retry_notice(&notice, h.clock.now()).await.unwrap());
    deliver(&h).await;
    assert_eq!(h.attempts("alice").await, ["deferred", "deferred"]);
    h.end_faults();
}

#[tokio::test]
async fn a_member_with_a_refused_credential_is_not_polled_before_the_next_try() {
    let h = Harness::queued(&["alice"]).await;
    h.clock.advance(TimeDelta::hours(2));
    h.sim.world().revoke("alice").unwrap();
    assert_eq!(h.sweep().await.progress.unclear, 1);
    let asked = h.asked("alice", Operation::Refresh);
    let retry_at = h.rows().await.numbers("credential_failures", "retry_at").await.unwrap();
    for _ in 0..4 {
        h.clock.advance(TimeDelta::minutes(3));
        deliver(&h).await;
        h.app.rechecker.recheck_one().await.unwrap();
    }
    assert_eq!(h.asked("alice", Operation::Refresh), asked, "neither at a second look");
    let notice = h.notices("alice").await.remove(0);
    assert_eq!(notice.reason, "token_unavailable");
    assert_eq!([notice.not_before.timestamp_millis()], *retry_at);
    h.rows()
        .await
        .add("credential_failures", "retry_at", TimeDelta::days(1).num_milliseconds())
        .await
        .unwrap();
    h.clock.advance(TimeDelta::minutes(30));
    deliver(&h).await;
    assert_eq!(waits(&h, "alice").await, TimeDelta::hours(1), "however late the next try is");
    assert_eq!(h.asked("alice", Operation::Refresh), asked);
}

#[tokio::test]
async fn a_recheck_of_a_member_with_a_refused_credential_waits_for_the_next_try() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::hours(2));
    h.sim.world().revoke("alice").unwrap();
    assert_eq!(h.sweep().await.progress.unclear, 1);
    let asked = h.asked("alice", Operation::Refresh);
    h.rows()
        .await
        .add("credential_failures", "retry_at", TimeDelta::days(1).num_milliseconds())
        .await
        .unwrap();
    for _ in 0..4 {
        h.clock.advance(TimeDelta::minutes(31));
        while h.app.rechecker.recheck_one().await.unwrap() {}
    }
    assert_eq!(h.asked("alice", Operation::Refresh), asked);
}

#[tokio::test]
async fn a_delivery_obeys_retry_after_for_an_hour_at_most() {
    for (asked, least, most) in [("600", 10, 11), ("3000", 50, 51), ("86400", 60, 60)] {
        let h = Harness::queued(&["alice"]).await;
        let trouble = FaultKind::Http { status: 503, retry_after: Some(asked.into()) };
        h.fault(Operation::GetOauthUrl, trouble);
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        let wait = waits(&h, "alice").await;
        let bounds = TimeDelta::minutes(least)..=TimeDelta::minutes(most);
        assert!(bounds.contains(&wait), "{asked}: {wait}");
        h.end_faults();
    }
}

#[tokio::test]
async fn a_delivery_waits_for_the_next_try_of_a_refused_credential_but_for_at_most_an_hour() {
    for (retry_after, waits_for) in [(40, 40), (600, 60)] {
        let h = Harness::queued(&["alice"]).await;
        h.sim.world().revoke("alice").unwrap();
        h.sweep_after(TimeDelta::hours(2)).await;
        assert_eq!(h.credential("alice").await, "rejected");
        let retry_at = h.clock.now() + TimeDelta::minutes(retry_after);
        h.rows().await.set("credential_failures", "retry_at", retry_at.timestamp_millis()).await.unwrap();
        let asked = h.asked("alice", Operation::Refresh);
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        assert_eq!(waits(&h, "alice").await, TimeDelta::minutes(waits_for), "{retry_after}");
        assert_eq!(h.asked("alice", Operation::Refresh), asked);
        h.clock.advance(TimeDelta::minutes(retry_after));
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Deferred));
        assert_eq!(h.asked("alice", Operation::Refresh), asked + 1, "it is time for the next try");
    }
}

#[tokio::test]
async fn a_recheck_that_is_asked_to_wait_is_made_when_the_wait_is_over() {
    for (retry_after, minutes) in [("2400", 40), ("86400", 60)] {
        let setup = Setup::default().set("SWEEP__CONFIRM_SWEEPS", 3).set("SWEEP__RECHECK", "1m,5m");
        let h = Harness::watching_with(setup, &["alice"]).await;
        h.set("alice", "epic", "EXPIRED");
        h.pass().await;
        h.clock.advance(TimeDelta::hours(1));
        let trouble = FaultKind::Http { status: 429, retry_after: Some(retry_after.into()) };
        h.fault(Operation::GetMemberConnections, trouble);
        assert!(h.app.rechecker.recheck_one().await.unwrap());
        h.end_faults();
        h.clock.advance(TimeDelta::minutes(minutes) - TimeDelta::seconds(1));
        assert!(!h.app.rechecker.recheck_one().await.unwrap(), "{retry_after}");
        h.clock.advance(TimeDelta::seconds(1));
        assert!(h.app.rechecker.recheck_one().await.unwrap(), "{retry_after}");
    }
}

#[tokio::test]
async fn attempts_with_an_unknown_outcome_back_off() {
    let h = Harness::queued(&["alice"]).await;
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop));
    for least in [1, 5, 15] {
        assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Unknown));
        let wait = waits(&h, "alice").await;
        assert!(wait >= TimeDelta::minutes(least), "{least}: {wait}");
        h.clock.advance(wait);
    }
    h.end_faults();
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn the_waits_begin_anew_with_an_operators_retry() {
    let h = Harness::queued(&["alice"]).await;
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop));
    for _ in 0..3 {
        deliver(&h).await;
        h.clock.advance(waits(&h, "alice").await);
    }
    let notice = h.notices("alice").await.remove(0).notice.id;
    assert!(h.app.store.retry_notice(&notice, h.clock.now()).await.unwrap());
    assert_eq!(deliver(&h).await, Delivered::One(AttemptOutcome::Unknown));
    let wait = waits(&h, "alice").await;
    assert!(wait < TimeDelta::minutes(5), "{wait}");
    h.end_faults();
}

#[tokio::test]
async fn a_notice_to_a_refused_member_waits_even_when_others_are_served() {
    let h = Harness::queued(&["alice", "bob"]).await;
    let trouble = FaultKind::GraphqlError { code: "forbidden".into() };
    h.sim.world().add_fault(Fault::new(trouble).on(Operation::GetOauthUrl).member("alice"));
    for _ in 0..20 {
        deliver_all(&h).await;
        h.clock.advance(TimeDelta::hours(14));
    }
    let notice = h.notices("alice").await.remove(0);
    assert_eq!((notice.notice.state.as_str(), notice.reason.as_str()), ("queued", "oauth_url_unavailable"));
    assert_eq!(h.attempts("alice").await, ["deferred"], "in one row");
    h.end_faults();
    deliver_all(&h).await;
    assert_eq!(h.mails().len(), 2);
}
