//! Rechecks of several members at the same time.

use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::sim::{Fault, FaultKind, Operation};
use tokio_util::sync::CancellationToken;

const NEVER: (&str, &str) = ("SWEEP__SCHEDULE", "0 0 0 1 1 *");

#[tokio::test]
async fn members_whose_rechecks_hang_delay_nobody_elses() {
    let hanging: Vec<String> = (1..=10).map(|n| format!("m{n}")).collect();
    let members: Vec<&str> = hanging.iter().map(String::as_str).chain(["m11"]).collect();
    let setup = Setup::default().members(11).set("SWEEP__CONFIRM_SWEEPS", 2).set("GATEWAY__TIMEOUT", "2s");
    let h = Harness::watching_with(setup, &members).await;
    for member in &members {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass().await;
    for member in &hanging {
        let hang = Fault::new(FaultKind::Delay { ms: 60_000 }).on(Operation::GetMemberConnections);
        h.sim.world().add_fault(hang.member(member));
    }
    h.sim.world().reset_requests();
    h.clock.advance(TimeDelta::minutes(30));
    let daemon = h.run_daemon(&[NEVER]).await;
    until("m11's recheck", async || h.lapse_states("m11").await == ["epic open"]).await;
    assert!(!h.log.text().contains("recheck_unclear"), "a hanging recheck ended first");
    let asked = || hanging.iter().map(|member| h.asked(member, Operation::GetMemberConnections));
    until("the hanging rechecks", async || asked().all(|times| times > 0)).await;
    assert!(
        asked().all(|times| times <= 3),
        "one recheck of a member at a time: {:?}",
        Vec::from_iter(asked())
    );
    daemon.stop().await;
    h.end_faults();
}

#[tokio::test]
async fn rechecks_after_a_press_count_from_the_press_and_not_from_the_recheck_before() {
    let setup = Setup::default().set("SWEEP__RECHECK", "1m,5m");
    let (h, link) = Harness::mailed(setup, &[("epic", "EXPIRED")]).await;
    h.press(&link).await;
    let pressed_at = h.clock.now();
    for (after, is_due) in [(59, false), (120, true), (299, false), (300, true), (3_600, false)] {
        h.clock.advance(pressed_at + TimeDelta::seconds(after) - h.clock.now());
        assert_eq!(h.app.rechecker.recheck_one().await.unwrap(), is_due, "{after}");
    }
}

#[tokio::test]
async fn a_direct_reconnection_is_looked_at_after_the_first_delay() {
    let setup = Setup::default().set("SWEEP__RECHECK", "1m,5m");
    let (h, link) = Harness::mailed(setup, &[("labcorp", "EXPIRED")]).await;
    assert_eq!(h.press(&link).await.status, 200);
    for (seconds, is_due) in [(59, false), (1, true)] {
        h.clock.advance(TimeDelta::seconds(seconds));
        assert_eq!(h.app.rechecker.recheck_one().await.unwrap(), is_due, "{seconds}");
    }
    assert_eq!(h.lapse_states("alice").await, ["labcorp closed recovered"]);
    let mut causes = h.rows().await.texts("transitions", "cause").await.unwrap();
    causes.dedup();
    assert_eq!(causes, ["recheck", "sweep"]);
}

#[tokio::test]
async fn a_recheck_waits_for_the_next_try_of_a_refused_credential_but_for_at_most_an_hour() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    h.press(&link).await;
    // A suspicion of another connection has its own recheck.
    h.set("alice", "kaiser-north", "EXPIRED");
    let careful = h.another_app(&[("SWEEP__CONFIRM_SWEEPS", "2")]).await;
    assert!(careful.sweeper.sweep(&CancellationToken::new()).await.unwrap().complete());
    h.sim.world().revoke("alice").unwrap();
    h.sweep_after(TimeDelta::hours(2)).await;
    assert_eq!(h.credential("alice").await, "rejected");
    for (retry_after, waits) in [(40, 40), (600, 60)] {
        let now = h.clock.now();
        let minutes = |count| (now + TimeDelta::minutes(count)).timestamp_millis();
        let mut rows = h.rows().await;
        rows.set("rechecks", "due_at", minutes(120)).await.unwrap();
        let pressed = ("purpose", "redemption");
        rows.set_where("rechecks", pressed, "due_at", now.timestamp_millis()).await.unwrap();
        rows.set("credential_failures", "retry_at", minutes(retry_after)).await.unwrap();
        assert!(h.app.rechecker.recheck_one().await.unwrap());
        assert_eq!(
            rows.numbers("rechecks", "due_at").await.unwrap(),
            [minutes(waits), minutes(120)],
            "{retry_after}"
        );
    }
    let (now, polls) = (h.clock.now(), h.asked("alice", Operation::GetMemberConnections));
    let mut rows = h.rows().await;
    rows.set("credential_failures", "retry_at", now.timestamp_millis()).await.unwrap();
    rows.set_where("rechecks", ("purpose", "redemption"), "due_at", now.timestamp_millis()).await.unwrap();
    let refreshes = h.asked("alice", Operation::Refresh);
    assert!(h.app.rechecker.recheck_one().await.unwrap());
    assert_eq!(h.asked("alice", Operation::Refresh), refreshes + 1, "it is time for the next try");
    assert_eq!(h.asked("alice", Operation::GetMemberConnections), polls);
}

#[tokio::test]
async fn a_recheck_of_a_suspicion_that_fails_is_not_repeated_at_once() {
    let h = Harness::watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 3), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::hours(1));
    h.fault(Operation::GetMemberConnections, FaultKind::Http { status: 502, retry_after: None });
    assert!(h.app.rechecker.recheck_one().await.unwrap());
    assert!(!h.app.rechecker.recheck_one().await.unwrap());
}
