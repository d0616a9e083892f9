//! Members who leave.

use crate::harness::Harness;
use chrono::TimeDelta;
use reconnectd::{
    domain::Cause,
    sim::{Operation, SmtpFault, SmtpStage},
    store::ClaimLimits,
};

/// Alice has a mail with a link, and another notice that waits for the mail server.
async fn with_a_history() -> (Harness, String) {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    let mails = h.mails();
    let to_alice = mails.iter().find(|mail| mail.to == ["alice@example.org"]).unwrap();
    let link = crate::harness::link_in(to_alice);
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").to("alice@example.org"));
    h.set("alice", "kaiser-north", "EXPIRED");
    h.pass_after(TimeDelta::minutes(15)).await;
    h.end_faults();
    assert_eq!(h.notice_states("alice").await, ["sent", "queued"]);
    assert_eq!(h.press(&link).await.status, 303, "and a recheck is due");
    (h, link)
}

#[tokio::test]
async fn a_removed_member_is_no_longer_polled_or_emailed() {
    let (h, link) = with_a_history().await;
    assert!(h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap());
    let asked = h.asked("alice", Operation::GetMemberConnections);
    assert_eq!(h.look(&link).await.status, 404);
    let pressed = h.press(&link).await;
    assert_eq!((pressed.status, pressed.location), (404, None));
    h.person().press(&format!("{link}/resend"), &[]).await.unwrap();
    assert_eq!(h.notice_states("alice").await, ["sent", "cancelled"]);
    assert_eq!(h.lapse_states("alice").await, ["epic closed removed", "kaiser-north closed removed"]);
    for _ in 0..5 {
        h.pass_after(TimeDelta::days(3)).await;
    }
    assert_eq!(h.asked("alice", Operation::GetMemberConnections), asked);
    assert_eq!(h.mails().iter().filter(|mail| mail.to == ["alice@example.org"]).count(), 1);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED", "EXPIRED"], "the history stays");
    let kept = h.contents().await;
    assert!(!kept.iter().any(|row| row.contains("alice@example.org")), "the address does not");
    assert!(!h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap());
}

#[tokio::test]
async fn a_member_removed_during_the_delivery_gets_no_email() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.mail_fault(SmtpFault::reply(SmtpStage::Rcpt, 451, "4.7.1 Greylisted").times(1));
    h.pass().await;
    h.clock.advance(TimeDelta::minutes(2));
    let now = h.clock.now();
    let (lease, limits) = (now + TimeDelta::minutes(15), ClaimLimits::slots(1));
    let claim = h.app.store.claim_notices(now, lease, &limits).await.unwrap().remove(0);
    h.app.store.remove_member(&"alice".into(), now).await.unwrap();
    assert!(h.app.store.items_still_open(&claim.notice.id).await.unwrap().is_empty());
    h.app.store.release_leases(now).await.unwrap();
    h.pass().await;
    assert_eq!(h.notice_states("alice").await, ["cancelled"]);
    assert!(h.mails().is_empty());
}

#[tokio::test]
async fn a_member_who_returns_is_watched_as_before() {
    let (h, link) = with_a_history().await;
    h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap();
    h.clock.advance(TimeDelta::days(30));
    h.enrol(&["alice"]).await;
    let before = h.mails().len();
    assert!(h.pass().await.complete());
    let states = h.lapse_states("alice").await;
    assert_eq!(states[2..], ["epic open", "kaiser-north open"], "{states:?}");
    assert_eq!(h.look(&link).await.status, 404, "an old link stays dead");
    // Bob is reminded in the same pass.
    let mails = h.mails().split_off(before);
    let to_alice = mails.iter().find(|mail| mail.to == ["alice@example.org"]).expect("an email to alice");
    assert_eq!(h.look(&crate::harness::link_in(to_alice)).await.status, 200);
}

#[tokio::test]
async fn an_erased_member_leaves_nothing() {
    let (h, link) = with_a_history().await;
    assert!(h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap());
    let left: Vec<_> = h.contents().await.into_iter().filter(|row| row.contains("alice")).collect();
    assert_eq!(left, [] as [&str; 0]);
    assert_eq!(h.look(&link).await.status, 404);
    assert_eq!(h.path("bob", "epic").await, ["CONNECTED", "EXPIRED"], "nobody else is touched");
    assert!(h.pass_after(TimeDelta::days(1)).await.complete());
    assert!(!h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap());
}

#[tokio::test]
async fn a_member_who_was_removed_can_be_erased() {
    let (h, _) = with_a_history().await;
    h.app.store.remove_member(&"alice".into(), h.clock.now()).await.unwrap();
    assert!(h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap());
    let left: Vec<_> = h.contents().await.into_iter().filter(|row| row.contains("alice")).collect();
    assert_eq!(left, [] as [&str; 0]);
}

#[tokio::test]
async fn a_response_about_a_removed_member_is_dropped() {
    let h = Harness::watching(&["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.fault(Operation::GetMemberConnections, reconnectd::sim::FaultKind::Delay { ms: 300 });
    let alice = "alice".into();
    let removing = async {
        while h.asked("alice", Operation::GetMemberConnections) < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        h.app.store.remove_member(&alice, h.clock.now()).await.unwrap()
    };
    let (answer, removed) = tokio::join!(h.app.poller.poll(&alice, Cause::Sweep), removing);
    assert!(removed && answer.unwrap().1.stale);
    assert_eq!(h.path("alice", "epic").await, ["CONNECTED"]);
    assert_eq!(h.lapse_states("alice").await, [] as [&str; 0]);
}
