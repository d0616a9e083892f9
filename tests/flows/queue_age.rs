//! The age of the oldest notice that was due and is not sent.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::HoldScope;
use reconnectd::sim::{SmtpFault, SmtpStage};
use reconnectd::store::NewHold;

impl Harness {
    async fn queue_age(&self) -> TimeDelta {
        self.app.fleet.stats().await.expect("the counts").queue_age(self.clock.now())
    }
}

fn refuses_recipients() -> SmtpFault {
    SmtpFault::reply(SmtpStage::Rcpt, 451, "4.3.0 Later")
}

#[tokio::test]
async fn it_counts_from_the_first_due_time_whatever_is_retried() {
    let h = Harness::watching(&["alice"]).await;
    assert_eq!(h.queue_age().await, TimeDelta::zero());
    h.mail_fault(refuses_recipients());
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let due_at = h.clock.now();
    for _ in 0..5 {
        h.pass_after(TimeDelta::minutes(20)).await;
    }
    assert!(h.notices("alice").await[0].notice.attempts > 1);
    assert_eq!(h.queue_age().await, h.clock.now() - due_at);
    h.end_faults();
    h.pass_after(TimeDelta::hours(4)).await;
    assert_eq!((h.mails().len(), h.queue_age().await), (1, TimeDelta::zero()));
}

#[tokio::test]
async fn what_a_gate_defers_or_a_hold_stops_is_not_due() {
    let quiet = Setup::default().set("NOTICES__QUIET_HOURS", "08:00-20:00");
    let h = Harness::watching_with(quiet, &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(h.notices("alice").await[0].notice.state.as_str(), "queued");
    assert_eq!(h.queue_age().await, TimeDelta::zero(), "it waits for the end of the quiet hours");
    h.mail_fault(refuses_recipients());
    h.pass_after(TimeDelta::hours(12)).await;
    let age = h.queue_age().await;
    assert!(TimeDelta::zero() < age && age <= TimeDelta::hours(2), "it was due from 20:00 on: {age}");
    h.end_faults();

    let h = Harness::watching(&["alice"]).await;
    let hold = NewHold { scope: HoldScope::default(), until: None, reason: "maintenance".into() };
    h.app.store.add_hold(&hold, h.clock.now()).await.unwrap();
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.clock.advance(TimeDelta::hours(1));
    assert_eq!(h.notices("alice").await[0].notice.state.as_str(), "held");
    assert_eq!(h.queue_age().await, TimeDelta::zero());
}
