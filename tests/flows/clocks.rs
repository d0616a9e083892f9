//! A wall clock that is set while the daemon runs.

use crate::harness::{Harness, Setup};
use crate::running::until;
use chrono::TimeDelta;
use reconnectd::domain::Time;
use reconnectd::sim::Operation;

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
