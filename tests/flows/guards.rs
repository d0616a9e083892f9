//! What is late, outdated, or another's changes nothing.

use crate::handovers::{claim, prepare};
use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::{
    detect::decide,
    domain::{Cause, ConnectionState, Listing, MemberId, Time},
    notify::deliver::Delivered,
    sim::{FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage},
    store::{
        ApplyReport, AttemptOutcome, AttemptResult, Claim, HandoverDecision, InstanceCommand, PollResult,
        StoreError,
    },
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const QUARTER: TimeDelta = TimeDelta::minutes(15);

/// Takes in what alice's list says now, as the response to a request of `asked_at`.
async fn apply_response(h: &Harness, listing: &Listing, asked_at: Time) -> ApplyReport {
    let now = h.clock.now();
    let policy = decide::Policy {
        confirm_sweeps: 1,
        confirm_after: TimeDelta::zero(),
        flap_window: TimeDelta::days(7),
        recheck_after: TimeDelta::minutes(30),
    };
    let alice = MemberId::from("alice");
    let answer = PollResult {
        member_id: &alice,
        asked_at,
        cause: Cause::Sweep,
        seen: listing,
        digest: b"any",
        accept_empty: true,
    };
    let decide = |known: &[ConnectionState], seen: &Listing| decide::decide(known, seen, &policy, now);
    h.app.store.apply_responses(&[answer], now, decide).await.unwrap().remove(0)
}

async fn listing(h: &Harness) -> Listing {
    let alice = MemberId::from("alice");
    h.app.operator.connections(&alice).await.unwrap().into()
}

#[tokio::test]
async fn a_response_that_comes_after_a_later_one_changes_nothing() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.clock.advance(QUARTER);
    let (delayed, asked_at) = (listing(&h).await, h.clock.now());
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(QUARTER).await;
    let before = h.contents().await;
    let applied = apply_response(&h, &delayed, asked_at).await;
    assert!(applied.stale && applied.transitions.is_empty());
    assert_eq!(h.contents().await, before);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED", "CONNECTED"]);
}

#[tokio::test]
async fn a_response_of_the_same_moment_is_not_late() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    let seen = listing(&h).await;
    assert!(!apply_response(&h, &seen, h.clock.now()).await.stale);
}

#[tokio::test]
async fn a_response_that_was_stamped_in_the_future_makes_no_other_one_late() {
    let h = Harness::watching(&["alice"]).await;
    let year = h.clock.now() + TimeDelta::days(365);
    h.rows().await.set("members", "answered_at", year.timestamp_millis()).await.unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.pass_after(QUARTER).await;
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"]);
}

/// An attempt whose lease has run out, and the one that has taken its place.
async fn overtaken(h: &Harness) -> (Claim, Claim) {
    let first = claim(h, QUARTER).await;
    h.clock.advance(QUARTER);
    assert_eq!(h.app.store.rescue_expired_leases(h.clock.now(), &[]).await.unwrap(), 1);
    (first, claim(h, QUARTER).await)
}

fn result(outcome: AttemptOutcome) -> AttemptResult {
    let reason = reconnectd::domain::NoticeReason::Accepted;
    AttemptResult {
        outcome,
        reason,
        detail: None,
        retry_at: None,
        included: Vec::new(),
        left_out: Vec::new(),
    }
}

#[tokio::test]
async fn an_attempt_that_has_lost_its_lease_does_not_end_its_successors() {
    let h = Harness::queued(&["alice"]).await;
    let (first, second) = overtaken(&h).await;
    let now = h.clock.now();
    assert!(!h.app.store.end_attempt(&first, &result(AttemptOutcome::Sent), now).await.unwrap());
    assert_eq!(h.notice_states("alice").await, ["sending"]);
    assert!(h.app.store.end_attempt(&second, &result(AttemptOutcome::Abandoned), now).await.unwrap());
    assert_eq!(h.notice_states("alice").await, ["abandoned"]);
    assert_eq!(h.attempts("alice").await, ["interrupted", "abandoned"]);
}

#[tokio::test]
async fn an_attempt_that_has_lost_its_lease_keeps_no_link_and_no_way_to_unsubscribe() {
    let h = Harness::queued(&["alice"]).await;
    let (first, second) = overtaken(&h).await;
    let decisions = [prepare(&h, &first, 1).await, prepare(&h, &second, 2).await];
    let permitted = HandoverDecision::Permitted { items: second.notice.items.clone() };
    assert_eq!(decisions, [HandoverDecision::NotNeeded, permitted]);
    for table in ["links", "unsubscribe_tokens"] {
        assert_eq!(h.rows().await.count(table).await.unwrap(), 1, "{table}");
    }
    let cancelled = result(AttemptOutcome::Cancelled);
    h.app.store.end_attempt(&second, &cancelled, h.clock.now()).await.unwrap();
}

#[tokio::test]
async fn only_notices_with_an_expired_lease_are_rescued() {
    let h = Harness::queued(&["alice", "bob"]).await;
    let short = claim(&h, QUARTER).await;
    let long = claim(&h, QUARTER * 2).await;
    h.clock.advance(QUARTER);
    assert_eq!(h.app.store.rescue_expired_leases(h.clock.now(), &[]).await.unwrap(), 1);
    assert_eq!(h.notice_states(short.notice.member_id.as_str()).await, ["queued"]);
    assert_eq!(h.notice_states(long.notice.member_id.as_str()).await, ["sending"]);
    assert_eq!(h.attempts(long.notice.member_id.as_str()).await, [""], "it is under way");
    let now = h.clock.now();
    assert!(h.app.store.end_attempt(&long, &result(AttemptOutcome::Cancelled), now).await.unwrap());
}

#[tokio::test]
async fn an_open_lapse_that_the_member_cannot_repair_causes_no_email() {
    for status in ["ERROR", "ACCESS_ENDED", "PAUSED"] {
        let h = Harness::queued(&["alice"]).await;
        h.set("alice", "epic", status);
        assert_eq!(
            h.app.deliverer.deliver_one().await.unwrap(),
            Delivered::One(AttemptOutcome::Cancelled),
            "{status}"
        );
        assert!(h.mails().is_empty());
        assert_eq!(h.lapse_states("alice").await, ["epic open"], "{status}");
    }
}

#[tokio::test]
async fn an_email_that_a_member_requested_is_not_sent_once_they_can_no_longer_repair_the_connection() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(h.press(&format!("{link}/resend")).await.states(), ["resend_requested"]);
    h.set("alice", "epic", "ERROR");
    let delivered = h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(delivered, Delivered::One(AttemptOutcome::Cancelled));
    assert_eq!((h.mails().len(), h.lapse_states("alice").await), (1, vec!["epic open".to_owned()]));
}

#[tokio::test]
async fn a_recheck_that_was_due_before_a_press_does_not_delay_the_new_ones() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.press(&link).await;
    h.clock.advance(TimeDelta::minutes(1));
    let due = h.app.store.due_recheck(h.clock.now(), &[]).await.unwrap().expect("a recheck is due");
    assert_eq!(h.app.store.due_recheck(h.clock.now(), &["alice".into()]).await.unwrap(), None);
    for changed in ["due_at", "since"] {
        h.rows().await.add("rechecks", changed, 1).await.unwrap();
        for next in [Some(h.clock.now() + QUARTER), None] {
            assert!(!h.app.store.claim_recheck(&due, next).await.unwrap(), "{changed}");
        }
        h.rows().await.add("rechecks", changed, -1).await.unwrap();
        assert_eq!(h.app.store.due_recheck(h.clock.now(), &[]).await.unwrap().as_ref(), Some(&due));
    }
    assert!(h.app.store.claim_recheck(&due, None).await.unwrap());
    assert_eq!(h.app.store.due_recheck(h.clock.now(), &[]).await.unwrap(), None);
}

#[tokio::test]
async fn a_refresh_token_that_is_imported_during_a_refresh_stays() {
    let h = Harness::watching(&["alice"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    h.clock.advance(TimeDelta::hours(2));
    h.fault(Operation::Refresh, FaultKind::Delay { ms: 300 });
    h.sim.world().reset_requests();
    let alice = MemberId::from("alice");
    let import = async {
        until("the refresh", async || h.asked("alice", Operation::Refresh) == 1).await;
        h.import_token("alice", "rt-alice~anew").await;
        h.app.store.credentials(&alice).await.unwrap().unwrap().refresh
    };
    let (polled, imported) = tokio::join!(h.app.poller.poll(&alice, Cause::Sweep), import);
    polled.unwrap();
    let kept = h.app.store.credentials(&alice).await.unwrap().unwrap();
    assert!(imported.is_some() && kept.refresh == imported, "the gateway's rotated token replaced it");
    assert!(kept.access.is_none(), "a token of the earlier credential");
}

#[tokio::test]
async fn an_access_token_that_was_refused_does_not_cost_its_successor() {
    let h = Harness::watching(&["alice"]).await;
    let alice = MemberId::from("alice");
    let access = async || h.app.store.credentials(&alice).await.unwrap().unwrap().access;
    let refused = access().await.unwrap();
    h.pass_after(TimeDelta::hours(2)).await;
    let successor = access().await;
    h.app.store.drop_access_token(&alice, &refused.sealed).await.unwrap();
    assert!(successor.is_some() && access().await == successor);
    h.app.store.drop_access_token(&alice, &successor.unwrap().sealed).await.unwrap();
    assert_eq!(access().await, None);
}

#[tokio::test]
async fn an_imported_refresh_token_replaces_the_access_token_and_ends_the_failure() {
    let h = Harness::watching(&["alice"]).await;
    let alice = MemberId::from("alice");
    let stored = async || h.app.store.credentials(&alice).await.unwrap().unwrap();
    assert!(stored().await.access.is_some());
    h.import_token("alice", "rt-alice~anew").await;
    assert!(stored().await.access.is_none());
    h.sim.world().revoke("alice").unwrap();
    h.pass().await;
    assert_eq!(h.credential("alice").await, "rejected");
    h.import_token("alice", "rt-alice~once-more").await;
    assert!(stored().await.failure.is_none());
}

#[tokio::test]
async fn reminders_that_were_added_apply_to_open_lapses_after_a_start() {
    let (h, _) =
        Harness::mailed(Setup::default().set("NOTICES__EXPIRED__REMINDERS", ""), &[("epic", "EXPIRED")])
            .await;
    h.pass_after(TimeDelta::days(4)).await;
    assert_eq!(h.mails().len(), 1);
    let restarted = h.another_app(&[("NOTICES__EXPIRED__REMINDERS", "3d")]).await;
    drop(restarted.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    restarted.run_once(&CancellationToken::new()).await.unwrap();
    assert_eq!(h.mails().len(), 2);
}

#[tokio::test]
async fn a_start_under_the_same_policy_plans_nothing_anew() {
    let (h, _) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    drop(h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    while h.app.planner.plan_page().await.unwrap() {}
    let restarted = h.another_app(&[]).await;
    drop(restarted.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    assert!(!restarted.planner.plan_page().await.unwrap());
    let changed = h.another_app(&[("NOTICES__MIN_GAP", "48h")]).await;
    drop(changed.acquire_instance_lock(InstanceCommand::Run).await.unwrap());
    assert!(changed.planner.plan_page().await.unwrap());
}

#[tokio::test]
async fn a_recovery_is_planned_once_whether_it_is_announced_or_not() {
    for told in [true, false] {
        let setup = Setup::default().set("NOTICES__RECOVERED__ENABLED", told);
        let (h, _) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
        while h.app.planner.plan_page().await.unwrap() {}
        h.set("alice", "epic", "CONNECTED");
        h.clock.advance(QUARTER);
        h.app.sweeper.sweep(&CancellationToken::new()).await.unwrap();
        assert!(h.app.planner.plan_page().await.unwrap());
        assert!(!h.app.planner.plan_page().await.unwrap(), "told: {told}");
    }
}

#[tokio::test]
async fn a_lease_that_runs_out_during_the_second_look_sends_nothing_twice() {
    let h = Harness::queued(&["alice"]).await;
    h.sim.world().add_fault(
        reconnectd::sim::Fault::new(FaultKind::Delay { ms: 1_000 }).on(Operation::GetOauthUrl).times(1),
    );
    let slow = tokio::spawn({
        let deliverer = h.app.deliverer.clone();
        async move { deliverer.deliver_one().await.unwrap() }
    });
    while h.asked("alice", Operation::GetOauthUrl) == 0 {
        tokio::task::yield_now().await;
    }
    h.clock.advance(TimeDelta::hours(2));
    assert_eq!(h.app.store.rescue_expired_leases(h.clock.now(), &[]).await.unwrap(), 1);
    let quick = h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(quick, Delivered::One(AttemptOutcome::Sent));
    slow.await.unwrap();
    assert_eq!(h.mails().len(), 1);
    assert_eq!(h.attempts("alice").await, ["interrupted", "sent"]);
}

#[tokio::test]
async fn a_notice_whose_delivery_failed_in_the_store_is_rescued_when_its_lease_expires() {
    let h = Harness::queued(&["alice"]).await;
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 502, retry_after: None });
    h.rows().await.refuse_updates("attempts").await.unwrap();
    assert!(h.app.deliverer.deliver_one().await.is_err(), "the deferral cannot be stored");
    h.rows().await.accept_updates("attempts").await.unwrap();
    h.end_faults();
    assert_eq!(h.app.deliverer.rescue_expired_leases().await.unwrap(), 0);
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(h.app.deliverer.rescue_expired_leases().await.unwrap(), 1);
    assert_eq!(h.app.deliverer.deliver_one().await.unwrap(), Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn an_instance_queues_again_at_once_what_it_failed_to_deliver_and_nothing_that_it_still_delivers() {
    let h = Harness::queued(&["alice"]).await;
    let _lock = h.app.acquire_instance_lock(InstanceCommand::Run).await.unwrap();
    let delay = FaultKind::Delay { ms: 500 };
    h.sim.world().add_fault(reconnectd::sim::Fault::new(delay).on(Operation::GetOauthUrl).times(1));
    h.fault(Operation::GetOauthUrl, FaultKind::Http { status: 502, retry_after: None });
    h.rows().await.refuse_updates("attempts").await.unwrap();
    let deliverer = h.app.deliverer.clone();
    let failing = tokio::spawn(async move { deliverer.deliver_one().await });
    while h.asked("alice", Operation::GetOauthUrl) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(h.app.deliverer.rescue_abandoned().await.unwrap(), 0, "it is under way");
    assert!(failing.await.unwrap().is_err(), "the deferral cannot be stored");
    h.rows().await.accept_updates("attempts").await.unwrap();
    h.end_faults();
    assert_eq!(h.app.deliverer.rescue_abandoned().await.unwrap(), 1);
    assert_eq!(h.app.deliverer.deliver_one().await.unwrap(), Delivered::One(AttemptOutcome::Sent));
}

#[tokio::test]
async fn an_acceptance_that_cannot_be_recorded_is_recorded_later_even_if_the_delivery_is_aborted() {
    for (reply_is_lost, state) in [(false, "sent"), (true, "queued")] {
        let h = Harness::queued(&["alice"]).await;
        if reply_is_lost {
            h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::StoreAndDrop).times(1));
        }
        h.rows().await.refuse_updates("attempts").await.unwrap();
        let deliverer = h.app.deliverer.clone();
        let delivery = tokio::spawn(async move { deliverer.deliver_one().await.is_ok() });
        let is_failure =
            |line: &str| line.contains("\"attempt_not_recorded\"") && line.contains(" failures=1 ");
        let is_retried = async || h.log.text().lines().any(is_failure);
        until("the first try to fail", is_retried).await;
        delivery.abort();
        h.rows().await.accept_updates("attempts").await.unwrap();
        until("the record", async || h.notice_states("alice").await == [state]).await;
        assert_eq!(h.mails().len(), 1);
    }
}

#[tokio::test]
async fn an_acceptance_is_not_recorded_forever_in_a_file_that_was_replaced() {
    let h = Harness::queued(&["alice"]).await;
    let Some(database) = h.database_file() else { return };
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 300 }));
    let aside = h.folder.path().join("aside.db");
    let replace = async {
        let mut rows = h.rows().await;
        // Stored just before the message is handed over.
        let mut tokens = async || rows.texts("unsubscribe_tokens", "notice_id").await.unwrap();
        until("the message", async || tokens().await.len() == 1).await;
        std::fs::rename(&database, &aside).unwrap();
        std::fs::write(&database, "").unwrap();
    };
    let delivery = tokio::time::timeout(Duration::from_secs(20), h.app.deliverer.deliver_one());
    let (delivered, ()) = tokio::join!(delivery, replace);
    assert_eq!(delivered.expect("the delivery ends").unwrap(), Delivered::One(AttemptOutcome::Sent));
    std::fs::rename(&aside, &database).unwrap();
    assert_eq!(h.app.store.release_leases(h.clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn no_email_is_sent_while_another_file_is_in_the_place_of_the_database() {
    let h = Harness::queued(&["alice"]).await;
    let Some(database) = h.database_file() else { return };
    let aside = h.folder.path().join("aside.db");
    std::fs::rename(&database, &aside).unwrap();
    std::fs::copy(&aside, &database).unwrap();
    let refused = h.app.deliverer.deliver_one().await;
    assert!(matches!(refused, Err(StoreError::FileReplaced { .. })), "{refused:?}");
    assert!(h.mails().is_empty());
    std::fs::rename(&aside, &database).unwrap();
    assert!(matches!(h.app.deliverer.deliver_one().await.unwrap(), Delivered::One(_)));
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_sweep_that_is_due_finds_another_file_in_the_place_of_the_database_and_ends_the_daemon() {
    let h = Harness::watching(&["alice"]).await;
    let daemon = h.run_daemon(&[("SWEEP__SCHEDULE", "0 0 * * * *")]).await;
    let Some(database) = h.database_file() else { return };
    let aside = h.folder.path().join("aside.db");
    std::fs::rename(&database, &aside).unwrap();
    std::fs::copy(&aside, &database).unwrap();
    h.sim.world().reset_requests();
    h.clock.advance(TimeDelta::hours(1));
    let ended = tokio::time::timeout(Duration::from_secs(5), daemon.failure()).await;
    let error = ended.expect("the daemon ends");
    assert!(matches!(error.downcast_ref(), Some(StoreError::FileReplaced { .. })), "{error:?}");
    assert_eq!(h.asked("alice", Operation::GetMemberConnections), 0);
    std::fs::rename(&aside, &database).unwrap();
}
