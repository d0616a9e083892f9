//! A wall clock that is set while the daemon runs.

use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::domain::Time;
use reconnectd::notify::deliver::Delivered;
use reconnectd::sim::{FaultKind, Operation, SmtpAction, SmtpFault, SmtpStage};
use reconnectd::store::AttemptOutcome;
use std::time::Duration;

const YEAR: TimeDelta = TimeDelta::days(365);

async fn last_started(h: &Harness) -> Option<Time> {
    h.app.store.last_sweep().await.unwrap().map(|sweep| sweep.started_at)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_a_year_ahead_at_the_start_or_is_set_back_by_a_day_ends_no_watch() {
    let setup = Setup::default().set("SWEEP__SCHEDULE", "0 0 * * * *").set("SWEEP__CONFIRM_SWEEPS", 2);
    let h = setup.start().await;
    h.enrol(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.clock.advance(YEAR);
    let daemon = h.run_daemon(&[]).await;
    until("the first sweep", async || h.asked("alice", Operation::GetMemberConnections) == 1).await;
    until("its end", async || h.lapse_states("alice").await == ["epic suspected"]).await;
    let has_ended =
        async || h.app.store.last_sweep().await.unwrap().is_some_and(|sweep| sweep.finished_at.is_some());
    until("the sweep to be recorded", has_ended).await;
    // The loop takes note of the end just after that.
    tokio::time::sleep(Duration::from_millis(300)).await;

    h.clock.advance(-YEAR);
    let now = h.clock.now();
    until("a sweep by the right clock", async || last_started(&h).await == Some(now)).await;
    until("the suspicion to be confirmed", async || h.lapse_states("alice").await == ["epic open"]).await;
    until("the email", async || h.mails().len() == 1).await;

    h.clock.advance(TimeDelta::days(-1));
    let now = h.clock.now();
    until("a sweep a day earlier", async || last_started(&h).await == Some(now)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn work_scheduled_by_a_wrong_clock_is_rescheduled() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.clock.advance(YEAR);
    h.sim.world().revoke("bob").unwrap();
    h.set("alice", "epic", "EXPIRED");
    let down = reconnectd::sim::SmtpFault::reply(reconnectd::sim::SmtpStage::Rcpt, 451, "4.7.1 Greylisted");
    h.mail_fault(down);
    h.pass().await;
    assert_eq!((h.notice_states("alice").await, h.credential("bob").await), (vec!["queued"], "rejected"));
    h.end_faults();
    h.clock.advance(TimeDelta::hours(2) - YEAR);
    h.sim.world().restore("bob").unwrap();
    h.app.pull_back_from_future().await.unwrap();
    let report = h.pass().await;
    assert_eq!((report.progress.members, report.progress.skipped), (2, 0));
    assert_eq!((h.notice_states("alice").await, h.credential("bob").await), (vec!["sent"], "ok"));
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_during_a_delivery_sends_no_second_email() {
    let h = Harness::queued(&["alice"]).await;
    h.mail_fault(SmtpFault::new(SmtpStage::End, SmtpAction::Delay { ms: 500 }));
    let jump = async {
        let mut rows = h.rows().await;
        // Stored just before the message is handed over.
        let mut tokens = async || rows.texts("unsubscribe_tokens", "notice_id").await.unwrap();
        until("the message", async || tokens().await.len() == 1).await;
        h.clock.advance(TimeDelta::hours(2));
        assert_eq!(h.app.deliverer.rescue_expired_leases().await.unwrap(), 0);
        assert_eq!(h.app.deliverer.deliver_one().await.unwrap(), Delivered::Nothing);
    };
    let (delivered, ()) = tokio::join!(h.app.deliverer.deliver_one(), jump);
    assert_eq!(delivered.unwrap(), Delivered::One(AttemptOutcome::Sent));
    assert_eq!((h.mails().len(), h.attempts("alice").await), (1, vec!["sent".to_owned()]));
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_during_a_token_refresh_causes_no_second_refresh() {
    let h = Harness::watching(&["alice"]).await;
    h.clock.advance(TimeDelta::hours(2));
    h.fault(Operation::Refresh, FaultKind::Delay { ms: 300 });
    h.sim.world().reset_requests();
    let jump = async {
        until("the refresh", async || h.asked("alice", Operation::Refresh) == 1).await;
        h.clock.advance(TimeDelta::minutes(1));
        h.retry(&["alice"]).await
    };
    let (first, second) = tokio::join!(h.retry(&["alice"]), jump);
    assert_eq!((first.progress.unclear, second.progress.unclear), (0, 0));
    assert_eq!(h.asked("alice", Operation::Refresh), 1);
}
