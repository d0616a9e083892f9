//! What the store verifies itself in the unit of work before an email is handed over.

use crate::harness::Harness;
use chrono::TimeDelta;
use reconnectd::{
    domain::{
        DisconnectKind, EmailAddress, GateVerdict, MemberId, NoticeReason, PlanningInput, Suppression,
        TokenHash,
    },
    sim::{Fault, FaultKind, Operation},
    store::{Claim, ClaimLimits, Handover, HandoverContents, HandoverDecision, HandoverRecipient},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const QUARTER: TimeDelta = TimeDelta::minutes(15);

pub(crate) async fn claim(h: &Harness, lease: TimeDelta) -> Claim {
    let now = h.clock.now();
    let claims = h.app.store.claim_notices(now, now + lease, &ClaimLimits::slots(1)).await.unwrap();
    claims.into_iter().next().expect("a notice is due")
}

fn address() -> EmailAddress {
    "alice@example.org".parse().unwrap()
}

/// Prepares the handover of an email to the address of alice, for which all gates are open. Its tokens consist of `byte`; the links of other members
/// than the first consist of the next ones.
pub(crate) async fn prepare(h: &Harness, claim: &Claim, byte: u8) -> HandoverDecision {
    let items = &claim.notice.items;
    let open = |_: &[_]| GateVerdict::pass(items.iter().map(|item| item.lapse_id.clone()).collect());
    prepare_with(h, claim, byte, open).await
}

async fn prepare_with(
    h: &Harness,
    claim: &Claim,
    byte: u8,
    gates: impl Fn(&[PlanningInput]) -> GateVerdict,
) -> HandoverDecision {
    let (now, items) = (h.clock.now(), &claim.notice.items);
    let members: BTreeSet<_> = items.iter().map(|item| item.member_id.clone()).collect();
    let recipients: Vec<_> = (byte..)
        .zip(members)
        .map(|(byte, member)| HandoverRecipient {
            link: TokenHash([byte; 32]),
            items: items.iter().filter(|item| item.member_id == member).cloned().collect(),
            member,
            verified: Vec::new(),
        })
        .collect();
    let handover = Handover {
        notice: &claim.notice.id,
        attempt: claim.attempt,
        contents: HandoverContents::Reconnect,
        recipients: &recipients,
        address: address().address_hash(),
        unsubscribe: TokenHash([byte; 32]),
        disclosure: "generic",
        expires_at: now + QUARTER,
        now,
    };
    h.app.store.prepare_handover(&handover, gates).await.unwrap()
}

/// Delivers an email to alice, and makes a change after her reconnect URL was asked for and before it arrives. On a slow
/// machine, the URL takes longer.
pub(crate) async fn change_during_attempt<T>(
    prepared: impl AsyncFn() -> Harness,
    change: impl AsyncFn(&Harness) -> T,
) -> (Harness, T) {
    for ms in [400, 4_000, 20_000] {
        let h = prepared().await;
        let delay = Fault::new(FaultKind::Delay { ms }).on(Operation::GetOauthUrl).times(1);
        h.sim.world().add_fault(delay);
        let began = Instant::now();
        let changing = async {
            while h.asked("alice", Operation::GetOauthUrl) == 0 {
                tokio::task::yield_now().await;
            }
            let changed = change(&h).await;
            (changed, began.elapsed() < Duration::from_millis(ms))
        };
        let (delivered, (changed, is_in_time)) = tokio::join!(h.app.deliverer.deliver_one(), changing);
        delivered.unwrap();
        if is_in_time {
            return (h, changed);
        }
    }
    panic!("no change was in time");
}

#[tokio::test]
async fn what_changes_just_before_a_handover_stops_it_even_if_the_gates_are_open() {
    use HandoverDecision::{NotNeeded, RecipientsChanged};
    for (change, expected) in [
        ("the member is paused", RecipientsChanged),
        ("the member is removed", RecipientsChanged),
        ("the address is suppressed", RecipientsChanged),
        ("the address is another one", RecipientsChanged),
        ("the connection works", NotNeeded),
        ("an operator disconnects it", NotNeeded),
        ("the member cannot repair the connection", NotNeeded),
    ] {
        let h = Harness::queued(&["alice"]).await;
        let claim = claim(&h, QUARTER).await;
        let (store, now, alice) = (&h.app.store, h.clock.now(), MemberId::from("alice"));
        match change {
            "the member is paused" => drop(store.pause_members(&[alice], now).await.unwrap()),
            "the member is removed" => assert!(store.remove_member(&alice, now).await.unwrap()),
            "the address is suppressed" => {
                assert!(store.suppress(address().address_hash(), Suppression::Complaint, now).await.unwrap());
            }
            "the address is another one" => h.enrol_at("alice", "ada@example.org").await,
            "an operator disconnects it" => {
                let (epic, kind) = ("epic".into(), DisconnectKind::Disconnect);
                store.record_disconnect_intent(&alice, &epic, kind, now).await.unwrap();
            }
            "the connection works" => {
                h.set("alice", "epic", "CONNECTED");
                h.sweep().await;
            }
            _ => {
                h.set("alice", "epic", "ERROR");
                h.sweep().await;
            }
        }
        assert_eq!(prepare(&h, &claim, 1).await, expected, "{change}");
        for table in ["links", "unsubscribe_tokens"] {
            assert_eq!(h.rows().await.count(table).await.unwrap(), 0, "{change}: {table}");
        }
        assert_eq!(store.release_leases(now).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn an_email_that_a_gate_rejects_during_its_attempt_is_cancelled_for_the_reason_of_the_gate() {
    let queued = async || Harness::queued(&["alice"]).await;
    let fail = async |h: &Harness| {
        h.set("alice", "epic", "ERROR");
        h.sweep().await;
    };
    let (h, ()) = change_during_attempt(queued, fail).await;
    assert_eq!((h.mails().len(), h.notice_states("alice").await), (0, vec!["cancelled"]));
    assert_eq!(h.notices("alice").await[0].reason, "status_not_actionable");
}

#[tokio::test]
async fn who_drops_out_of_a_shared_email_just_before_its_handover_gets_neither_a_link_nor_a_decision() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.enrol_at("bob", "alice@example.org").await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.sweep().await;
    while h.app.planner.plan_page().await.unwrap() {}
    let claim = claim(&h, QUARTER).await;
    assert_eq!(claim.notice.items.len(), 2);
    h.app.store.pause_members(&["bob".into()], h.clock.now()).await.unwrap();
    let reject = |_: &[_]| GateVerdict::Reject(NoticeReason::PersonMismatch);
    let rejected = prepare_with(&h, &claim, 1, reject).await;
    assert_eq!(rejected, HandoverDecision::Rejected(NoticeReason::PersonMismatch));
    let mut decisions = h.rows().await.rows("decisions", ["member_id", "reason"]).await.unwrap();
    decisions.retain(|[_, reason]| reason == "person_mismatch");
    assert_eq!(decisions, [["alice", "person_mismatch"]]);
    let HandoverDecision::Permitted { items } = prepare(&h, &claim, 1).await else { panic!("not permitted") };
    assert_eq!(items.iter().map(|item| item.member_id.as_str()).collect::<Vec<_>>(), ["alice"]);
    assert_eq!(h.rows().await.texts("links", "member_id").await.unwrap(), ["alice"]);
    assert_eq!(h.app.store.release_leases(h.clock.now()).await.unwrap(), 1);
}
