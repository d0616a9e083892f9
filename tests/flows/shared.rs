//! Members who share an address share an email, and nothing else.

use crate::harness::{Harness, Setup, unsubscribe_link_in};
use chrono::TimeDelta;
use reconnectd::domain::{HoldScope, NoticeState};
use reconnectd::sim::{Fault, FaultKind, Operation, ReceivedEmail};
use reconnectd::store::NewHold;
use std::collections::BTreeSet;

const CHILDREN: [&str; 3] = ["alice", "bob", "carol"];

/// Three members at one address.
async fn family(setup: Setup) -> Harness {
    let h = Harness::watching_with(setup, &CHILDREN).await;
    for child in CHILDREN {
        h.enrol_at(child, "parent@example.org").await;
    }
    h
}

fn expire(h: &Harness, members: &[&str]) {
    for member in members {
        h.set(member, "epic", "EXPIRED");
    }
}

/// The links of the sections. The text and the HTML have the same.
fn links(mail: &ReceivedEmail) -> BTreeSet<String> {
    mail.links().into_iter().filter(|link| link.contains("/r/")).collect()
}

/// The member, the state, and the members of each notice that a member has a part in.
async fn notices(h: &Harness, member: &str) -> Vec<(String, NoticeState, Vec<String>)> {
    let notices = h.notices(member).await.into_iter();
    notices
        .map(|listed| {
            let members: BTreeSet<_> =
                listed.notice.items.iter().map(|item| item.member_id.to_string()).collect();
            (listed.notice.member_id.to_string(), listed.notice.state, members.into_iter().collect())
        })
        .collect()
}

#[tokio::test]
async fn three_members_get_one_email_with_a_link_for_each() {
    let h = family(Setup::default()).await;
    expire(&h, &CHILDREN);
    h.pass().await;
    assert_eq!(h.recipients(), ["parent@example.org"]);
    let links = links(&h.mails()[0]);
    assert_eq!(links.len(), 3);
    let all = CHILDREN.map(str::to_owned).to_vec();
    for child in CHILDREN {
        assert_eq!(
            notices(&h, child).await,
            [("alice".to_owned(), NoticeState::Sent, all.clone())],
            "{child}"
        );
    }
    // Each link repairs the connection of its own member.
    for (count, link) in (1..).zip(&links) {
        h.reconnect(link).await;
        h.pass_after(TimeDelta::minutes(5)).await;
        let mut recovered = 0;
        for child in CHILDREN {
            recovered += usize::from(h.lapse_states(child).await == ["epic closed recovered"]);
        }
        assert_eq!(recovered, count);
    }
    h.pass_after(TimeDelta::days(3)).await;
    assert_eq!(h.mails().len(), 1, "nothing is left to remind of");
}

#[tokio::test]
async fn of_three_one_is_paused_and_one_recovers_just_before_sending() {
    let h = family(Setup::default()).await;
    expire(&h, &CHILDREN);
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    h.app.store.pause_members(&["alice".into()], h.clock.now()).await.unwrap();
    let rest = ["bob", "carol"].map(str::to_owned).to_vec();
    assert_eq!(notices(&h, "bob").await, [("bob".to_owned(), NoticeState::Queued, rest)]);
    h.set("bob", "epic", "CONNECTED");
    h.app.deliverer.deliver_one().await.unwrap();
    let mails = h.mails();
    assert_eq!((mails.len(), links(&mails[0]).len()), (1, 1));
    assert_eq!(
        notices(&h, "carol").await,
        [("carol".to_owned(), NoticeState::Sent, vec!["carol".to_owned()])]
    );
    assert_eq!(h.lapse_states("bob").await, ["epic closed recovered"]);

    h.app.store.resume_members(&["alice".into()], h.clock.now()).await.unwrap();
    h.pass_after(TimeDelta::hours(1)).await;
    let mails = h.mails();
    assert_eq!(
        (mails.len(), links(&mails[1]).len()),
        (2, 1),
        "the step of the paused member was not used up"
    );
}

#[tokio::test]
async fn a_member_whose_response_is_unclear_keeps_the_others_waiting_for_nothing() {
    let h = family(Setup::default()).await;
    expire(&h, &CHILDREN);
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    let fault = Fault::new(FaultKind::NullData).on(Operation::GetMemberConnections).member("bob");
    h.sim.world().add_fault(fault);
    h.app.deliverer.deliver_one().await.unwrap();
    assert_eq!(links(&h.mails()[0]).len(), 2);
    h.end_faults();
    h.pass_after(TimeDelta::hours(1)).await;
    assert_eq!(links(&h.mails()[1]).len(), 1);
}

#[tokio::test]
async fn reminders_of_members_who_share_an_address_go_out_together() {
    let h = family(Setup::default().set("NOTICES__MIN_GAP", "24h")).await;
    expire(&h, &CHILDREN);
    h.pass().await;
    for (day, count) in [(2, 1), (1, 2), (7, 3), (30, 3)] {
        h.pass_after(TimeDelta::days(day)).await;
        assert_eq!(h.mails().len(), count);
        assert_eq!(links(&h.mails()[count - 1]).len(), 3);
    }
}

#[tokio::test]
async fn an_unsubscribe_link_is_the_address_s() {
    let h = family(Setup::default()).await;
    expire(&h, &["alice", "bob"]);
    h.pass().await;
    let stop = unsubscribe_link_in(&h.mails()[0]);
    h.browser().post(&stop, &[]).await;
    expire(&h, &["carol"]);
    h.pass_after(TimeDelta::days(4)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_member_who_moves_to_another_address_leaves_the_email() {
    let setup = Setup::default().set("NOTICES__EXPIRED__FIRST_AFTER", "6h");
    let h = family(setup).await;
    expire(&h, &CHILDREN);
    h.pass().await;
    assert_eq!(notices(&h, "bob").await[0].2, CHILDREN);
    h.enrol_at("alice", "alice@example.org").await;
    while h.app.planner.plan_page().await.unwrap() {}
    while h.app.planner.plan_page().await.unwrap() {}
    assert_eq!(notices(&h, "alice").await.last().unwrap().2, ["alice"]);
    assert_eq!(
        notices(&h, "bob").await,
        [("bob".to_owned(), NoticeState::Queued, vec!["bob".to_owned(), "carol".to_owned()])]
    );
    h.pass_after(TimeDelta::hours(6)).await;
    let mut sent: Vec<_> = h.mails().iter().map(|mail| links(mail).len()).collect();
    sent.sort_unstable();
    assert_eq!(sent, [1, 2]);
}

#[tokio::test]
async fn erasing_one_member_leaves_the_others_their_notice_and_their_way_to_unsubscribe() {
    let h = family(Setup::default()).await;
    expire(&h, &["alice", "bob"]);
    h.pass().await;
    let stop = unsubscribe_link_in(&h.mails()[0]);
    assert!(h.app.store.erase_member(&"alice".into(), &"erased:1".into(), h.app.clock.now()).await.unwrap());
    assert_eq!(notices(&h, "bob").await, [("bob".to_owned(), NoticeState::Sent, vec!["bob".to_owned()])]);
    assert_eq!(h.browser().post(&stop, &[]).await.status, 200);
    h.pass_after(TimeDelta::days(4)).await;
    assert_eq!(h.mails().len(), 1);
}

#[tokio::test]
async fn a_link_that_one_of_them_requests_is_only_about_that_member() {
    let h = family(Setup::default()).await;
    expire(&h, &CHILDREN);
    h.pass().await;
    let link = links(&h.mails()[0]).pop_last().unwrap();
    h.clock.advance(TimeDelta::hours(1));
    h.press(&format!("{link}/resend")).await;
    h.pass_after(TimeDelta::minutes(5)).await;
    assert_eq!(links(&h.mails()[1]).len(), 1);
}

#[tokio::test]
async fn a_hold_on_one_of_them_holds_only_that_member() {
    let h = family(Setup::default()).await;
    expire(&h, &CHILDREN);
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    let scope = HoldScope { member_id: Some("bob".into()), ..HoldScope::default() };
    let hold = NewHold { scope, until: None, reason: "test".to_owned() };
    let id = h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap().id;
    h.pass().await;
    assert_eq!(links(&h.mails()[0]).len(), 2);
    assert_eq!(notices(&h, "bob").await, [("bob".to_owned(), NoticeState::Held, vec!["bob".to_owned()])]);
    let held: Vec<u64> = h.app.store.holds().await.unwrap().iter().map(|hold| hold.notices).collect();
    assert_eq!(held, [1]);
    h.app.store.release_hold(&id, h.clock.now()).await.unwrap();
    h.pass().await;
    assert_eq!((h.mails().len(), links(&h.mails()[1]).len()), (2, 1));
}

#[tokio::test]
async fn a_hold_on_a_source_covers_the_later_members_of_an_email_too() {
    let h = family(Setup::default()).await;
    h.set("alice", "kaiser-north", "EXPIRED");
    expire(&h, &["bob", "carol"]);
    let scope = HoldScope { source: Some("epic".into()), ..HoldScope::default() };
    let hold = NewHold { scope, until: None, reason: "test".to_owned() };
    h.app.store.add_hold(&hold, h.clock.now()).await.unwrap().unwrap();
    h.pass().await;
    assert_eq!(links(&h.mails()[0]).len(), 1);
    let rest = ["bob", "carol"].map(str::to_owned).to_vec();
    assert_eq!(notices(&h, "carol").await, [("bob".to_owned(), NoticeState::Held, rest)]);
    assert_eq!(h.app.store.holds().await.unwrap()[0].notices, 1);
}
