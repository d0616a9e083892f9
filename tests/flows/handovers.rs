//! What the store verifies itself in the unit of work before an email is handed over.

use crate::harness::Harness;
use chrono::TimeDelta;
use reconnectd::{
    domain::{DisconnectKind, EmailAddress, GateVerdict, MemberId, Suppression, TokenHash},
    store::{Claim, ClaimLimits, Handover, HandoverContents, HandoverDecision, HandoverRecipient},
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

/// Prepares the handover of an email to alice, for which all gates are open. Its tokens consist of `byte`.
pub(crate) async fn prepare(h: &Harness, claim: &Claim, byte: u8) -> HandoverDecision {
    let (now, items) = (h.clock.now(), claim.notice.items.clone());
    let (link, member, verified) = (TokenHash([byte; 32]), claim.notice.member_id.clone(), Vec::new());
    let recipients = [HandoverRecipient { member, link, items: items.clone(), verified }];
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
    let gates = |_: &[_]| GateVerdict::Pass(items.iter().map(|item| item.lapse_id.clone()).collect());
    h.app.store.prepare_handover(&handover, gates).await.unwrap()
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
