//! Mail servers with limits, slow recipients, and facts that change while an email waits for its turn.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::{
    domain::{EmailAddress, Suppression},
    notify::deliver::{Delivered, Pipeline},
    sim::{FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage},
    store::AttemptOutcome,
};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Members of the simulated world whose epic has expired, each with a queued notice.
async fn queued(setup: Setup, count: u32) -> (Harness, Vec<String>) {
    let ids: Vec<String> = (1..=count).map(|n| format!("m{n}")).collect();
    let members: Vec<&str> = ids.iter().map(String::as_str).collect();
    let h = Harness::watching_with(setup.members(count), &members).await;
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    (h, ids)
}

/// Each notice was sent, and no recipient got two emails.
async fn assert_each_sent_once(h: &Harness, ids: &[String]) {
    for id in ids {
        assert_eq!(h.notice_states(id).await, ["sent"], "{id}");
    }
    let all = h.recipients();
    let different: BTreeSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (ids.len(), ids.len()));
}

async fn outcomes(h: &Harness, ids: &[String]) -> Vec<String> {
    let mut all = Vec::new();
    for id in ids {
        all.extend(h.attempts(id).await);
    }
    all
}

#[tokio::test]
async fn a_relay_that_rejects_every_recipient_for_a_day_gets_every_email_afterwards() {
    for (stage, code) in
        [(SmtpStage::Rcpt, 450), (SmtpStage::Rcpt, 451), (SmtpStage::End, 452), (SmtpStage::Data, 454)]
    {
        let (h, ids) = queued(Setup::default(), 16).await;
        h.mail_fault(SmtpFault::reply(stage, code, "4.3.0 Later"));
        for _ in 0..24 {
            h.pass_after(TimeDelta::hours(1)).await;
        }
        let counted = outcomes(&h, &ids).await.iter().filter(|outcome| *outcome == "retry").count();
        assert!(counted <= 3, "{counted} attempts counted against a notice");
        h.end_faults();
        for _ in 0..3 {
            h.pass_after(TimeDelta::hours(1)).await;
        }
        assert_each_sent_once(&h, &ids).await;
    }
}

#[tokio::test]
async fn a_closed_queue_is_probed_by_one_notice_at_a_time() {
    for connections in [1, 8] {
        let (h, ids) = queued(Setup::default().set("EMAIL__CONNECTIONS", connections), 16).await;
        let tried = async || h.rows().await.numbers("attempts", "count").await.unwrap().iter().sum::<i64>();
        h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.3.0 Later"));
        h.pass().await;
        let before = tried().await;
        assert!(connections > 1 || before == 4, "the fourth rejection in a row closes the queue");
        h.pass_after(TimeDelta::minutes(15)).await;
        assert_eq!(tried().await, before + 1);
        h.end_faults();
        h.pass_after(TimeDelta::minutes(16)).await;
        h.pass_after(TimeDelta::minutes(16)).await;
        assert_each_sent_once(&h, &ids).await;
    }
}

#[tokio::test]
async fn recipients_who_are_always_rejected_for_the_moment_hold_up_nobody_else() {
    let (h, ids) = queued(Setup::default(), 16).await;
    for id in &ids[..6] {
        h.enrol_at(id, &format!("{id}@full.example")).await;
    }
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 452, "4.2.2 Mailbox full").to("@full.example"));
    for _ in 0..8 {
        h.pass_after(TimeDelta::minutes(16)).await;
    }
    assert_eq!(h.recipients().len(), 10, "the others have theirs");
    let mut abandoned = BTreeSet::new();
    let begun = h.clock.now();
    while ids[..6].iter().any(|id| !abandoned.contains(id)) {
        h.pass_after(TimeDelta::hours(6)).await;
        for id in &ids[..6] {
            if h.notice_states(id).await == ["abandoned"] {
                abandoned.insert(id);
            }
        }
        assert!(h.clock.now() - begun < TimeDelta::days(9), "{abandoned:?}");
    }
    assert!(h.clock.now() - begun > TimeDelta::days(5));
    h.end_faults();
}

#[tokio::test]
async fn a_limit_of_emails_per_session_delays_no_email() {
    for (stage, code) in [(SmtpStage::Mail, 421), (SmtpStage::Rcpt, 452), (SmtpStage::Data, 450)] {
        let (h, ids) = queued(Setup::default().set("EMAIL__CONNECTIONS", 1), 25).await;
        h.mail_fault(SmtpFault::reply(stage, code, "4.7.0 Too many messages in this session").after(10));
        h.pass().await;
        assert_each_sent_once(&h, &ids).await;
        assert!(outcomes(&h, &ids).await.iter().all(|outcome| outcome == "sent"));
    }
}

#[tokio::test]
async fn a_slow_domain_does_not_hold_up_the_others() {
    let (h, ids) = queued(Setup::default(), 30).await;
    for id in &ids[..20] {
        h.enrol_at(id, &format!("{id}@slow.example")).await;
    }
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 600_000 }).to("@slow.example"));
    let mut pipeline = Pipeline::new(&h.app.deliverer);
    let deliveries = tokio::spawn(async move { pipeline.deliver_all(&CancellationToken::new()).await });
    let fast = tokio::time::timeout(Duration::from_secs(60), h.sim.mailbox().wait_for(10)).await;
    assert_eq!(fast.expect("the fast domain waits for the slow one").len(), 10);
    deliveries.abort();
    let _ = deliveries.await;
    h.app.store.release_leases(h.clock.now()).await.unwrap();
}

#[tokio::test]
async fn once_delivers_several_emails_at_the_same_time() {
    let (h, ids) = queued(Setup::default(), 6).await;
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 2_000 }).to("m1@example.org"));
    h.pass().await;
    assert_each_sent_once(&h, &ids).await;
    assert_eq!(h.recipients().last().unwrap(), "m1@example.org", "the others do not wait for it");
}

#[tokio::test]
async fn an_address_that_changes_during_the_second_look_gets_the_email_and_the_old_one_does_not() {
    let h = Harness::queued(&["alice"]).await;
    h.fault(Operation::GetMemberConnections, FaultKind::Delay { ms: 1_000 });
    let asked = h.asked("alice", Operation::GetMemberConnections);
    let deliverer = h.app.deliverer.clone();
    let delivery = tokio::spawn(async move { deliverer.deliver_one().await.unwrap() });
    while h.asked("alice", Operation::GetMemberConnections) == asked {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let old: EmailAddress = "alice@example.org".parse().unwrap();
    h.enrol_at("alice", "alice@new.example").await;
    h.app.store.suppress(old.address_hash(), Suppression::Operator, h.clock.now()).await.unwrap();
    assert_eq!(delivery.await.unwrap(), Delivered::One(AttemptOutcome::Sent));
    assert_eq!(h.recipients(), ["alice@new.example"]);
    h.end_faults();
}

#[tokio::test]
async fn the_configuration_in_force_applies_to_queued_notices() {
    for (status, key) in
        [("EXPIRED", "NOTICES__EXPIRED__ENABLED"), ("DISCONNECTED", "NOTICES__DISCONNECTED__ENABLED")]
    {
        let h = Harness::watching(&["alice"]).await;
        h.set("alice", "epic", status);
        h.sweep().await;
        while h.app.planner.plan_page().await.unwrap() {}
        let restarted = h.another_app(&[(key, "false")]).await;
        let delivered = restarted.deliverer.deliver_one().await.unwrap();
        assert_eq!(delivered, Delivered::One(AttemptOutcome::Cancelled), "{status}");
        assert_eq!(h.notices("alice").await[0].reason, "status_disabled");
        assert!(h.mails().is_empty());
        assert_eq!(h.lapse_states("alice").await, ["epic open"], "{status}");
    }
}

#[tokio::test]
async fn a_recovery_email_is_not_sent_after_the_operator_turned_them_off() {
    let setup = Setup::default().set("NOTICES__RECOVERED__ENABLED", true);
    let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.set("alice", "epic", "CONNECTED");
    h.sweep_after(TimeDelta::minutes(15)).await;
    while h.app.planner.plan_page().await.unwrap() {}
    assert_eq!(h.notice_states("alice").await, ["sent", "queued"]);
    let restarted = h.another_app(&[("NOTICES__RECOVERED__ENABLED", "false")]).await;
    let delivered = restarted.deliverer.deliver_one().await.unwrap();
    assert_eq!(delivered, Delivered::One(AttemptOutcome::Cancelled));
    assert_eq!(h.notices("alice").await[1].reason, "recoveries_disabled");
    assert_eq!(h.mails().len(), 1);
}
