//! Presses while everything else is slow.

use crate::harness::{Harness, Setup, link_in};
use chrono::TimeDelta;
use reconnectd::sim::{FaultKind, Operation};
use std::time::Duration;

const SLOTS: u32 = 2;

/// Alice and bob have an email about epic. Returns their links.
async fn two_emailed() -> (Harness, [String; 2]) {
    let setup = Setup::default()
        .members(3)
        .set("GATEWAY__MAX_IN_FLIGHT", SLOTS)
        // The sweep's slots stay occupied for the whole test.
        .set("GATEWAY__TIMEOUT", "1h");
    let h = Harness::watching_with(setup, &["alice", "bob", "m1", "m2", "m3"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.set("bob", "epic", "EXPIRED");
    h.pass().await;
    let link_of = |recipient: &str| {
        let emails = h.mails();
        link_in(emails.iter().find(|email| email.to[0] == recipient).expect("an email"))
    };
    let links = [link_of("alice@example.org"), link_of("bob@example.org")];
    (h, links)
}

/// Runs `presses` while a sweep occupies all slots of the gateway that are not reserved. Fails when a poll ends first.
async fn during_full_sweep(h: &Harness, presses: impl Future<Output = ()>) {
    h.fault(Operation::GetMemberConnections, FaultKind::Delay { ms: 3_600_000 });
    h.sim.world().reset_requests();
    let polls = || h.sim.world().request_count(Operation::GetMemberConnections);
    let presses = async {
        while polls() < SLOTS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        presses.await;
    };
    tokio::select! {
        () = presses => assert_eq!(polls(), SLOTS, "no slot of the sweep became free"),
        report = h.retry(&["m1", "m2", "m3"]) => panic!("the sweep ended first: {report:?}"),
    }
}

#[tokio::test]
async fn a_press_and_its_token_refresh_need_no_slot_of_a_sweep() {
    let (h, [alice, _]) = two_emailed().await;
    h.clock.advance(TimeDelta::hours(2));
    during_full_sweep(&h, async {
        assert_eq!(h.press(&alice).await.status, 303);
        assert_eq!(h.asked("alice", Operation::Refresh), 1);
    })
    .await;
}

#[tokio::test]
async fn a_press_hurries_the_refresh_that_a_sweep_has_queued_for_its_member() {
    let (h, [alice, _]) = two_emailed().await;
    h.clock.advance(TimeDelta::hours(2));
    during_full_sweep(&h, async {
        let press = async {
            while h.rows().await.count("token_refresh_leases").await.unwrap() == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!(h.asked("alice", Operation::Refresh), 0, "the refresh waits for a slot");
            assert_eq!(h.press(&alice).await.status, 303);
            assert_eq!(h.asked("alice", Operation::Refresh), 1);
        };
        tokio::select! {
            () = press => {}
            report = h.retry(&["alice"]) => panic!("the poll got a slot: {report:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn presses_during_a_full_sweep_share_the_reserved_slot() {
    let (h, [alice, bob]) = two_emailed().await;
    h.fault(Operation::GetOauthUrl, FaultKind::Delay { ms: 200 });
    during_full_sweep(&h, async {
        let (alice, bob) = tokio::join!(h.press(&alice), h.press(&bob));
        assert_eq!((alice.status, bob.status), (303, 303));
        assert_eq!(h.sim.world().peak_in_flight(), SLOTS + 1);
    })
    .await;
}
