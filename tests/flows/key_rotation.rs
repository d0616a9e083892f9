//! Rotations of the keys beside the daemon, and keys that are lost.

use crate::harness::{Harness, Setup, link_in, member, on_postgres};
use chrono::TimeDelta;
use reconnectd::{
    credentials::keyring::Keyring,
    credentials::rotation::{Pending, Rotation, RotationReport},
    domain::{Actor, MemberId, RefreshToken, Sealed, UsedCredential},
    explain::Explanation,
    server::components::App,
    sim::Operation,
    store::{ImportRow, InstanceCommand, RefreshedTokens, StoreError},
};
use std::{fs, path::PathBuf, sync::Arc, time::Duration};

const HOUR: TimeDelta = TimeDelta::hours(1);

impl Harness {
    fn ring(&self) -> PathBuf {
        self.folder.path().join("flows.keys")
    }

    /// Runs the command once, without patience, on this file.
    async fn rotate(&self, ring: PathBuf, to: Option<PathBuf>) -> RotationReport {
        let keyring = Keyring::open(&ring).unwrap();
        let store = self.app.store.acting_as(Actor::Command("ann".into()));
        let clock = &self.app.clock;
        let rotation = Rotation { store: &store, keyring: &keyring, clock, to, patience: Duration::ZERO };
        rotation.run(|_| {}).await.unwrap()
    }

    /// Rotates to the end beside the app, which follows. Returns the new key.
    async fn rotated(&self) -> String {
        for _ in 0..3 {
            let report = self.rotate(self.ring(), None).await;
            self.app.follow_key_ring().await.unwrap();
            if report.pending.is_none() {
                assert_eq!(self.app.keyring.key_ids(), [report.key_id.as_str()]);
                return report.key_id;
            }
        }
        panic!("the rotation does not end");
    }

    async fn keys_in(&self, table: &str) -> Vec<String> {
        let mut keys = self.rows().await.texts(table, "key_id").await.unwrap();
        keys.sort();
        keys.dedup();
        keys
    }

    async fn refresh_token(&self, id: &str) -> Sealed {
        self.app.store.credentials(&id.into()).await.unwrap().unwrap().refresh.unwrap()
    }
}

async fn as_instance(app: &App) -> reconnectd::store::InstanceLock {
    app.acquire_instance_lock(InstanceCommand::Run).await.unwrap()
}

#[tokio::test]
async fn a_rotation_goes_on_where_it_stopped_and_leaves_only_the_new_key() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let _lock = as_instance(&h.app).await;
    let (old, before) = (h.app.keyring.newest_key_id(), h.app.keyring.pseudonym(&"zoe".into()));
    let begun = h.rotate(h.ring(), None).await;
    assert!(begun.is_new && matches!(begun.pending, Some(Pending::WithoutKey(_))), "{begun:?}");
    // Nobody encrypts with the new key while an instance lacks it.
    h.enrol(&["carol"]).await;
    assert_eq!(h.keys_in("credentials").await, [old.as_str()]);
    let again = h.rotate(h.ring(), None).await;
    assert_eq!((again.is_new, &again.key_id, again.resealed), (false, &begun.key_id, 0));

    h.app.follow_key_ring().await.unwrap();
    assert_eq!(h.app.keyring.key_ids(), [begun.key_id.clone(), old.clone()]);
    let done = h.rotate(h.ring(), None).await;
    let removed = vec![old.clone()];
    assert_eq!((done.pending, done.is_new, done.resealed, done.removed), (None, false, 5, removed));
    h.app.follow_key_ring().await.unwrap();
    assert_eq!(h.app.keyring.key_ids(), [begun.key_id.as_str()]);
    assert_eq!(Keyring::open(&h.ring()).unwrap().key_ids(), [begun.key_id.as_str()]);
    for table in ["credentials", "access_tokens", "key_canaries"] {
        assert_eq!(h.keys_in(table).await, [begun.key_id.as_str()], "{table}");
    }
    let asked = h.asked("alice", Operation::Refresh);
    assert!(h.pass().await.complete());
    assert_eq!(h.asked("alice", Operation::Refresh), asked, "the access token goes on");

    // What the old key recognized is still recognized, also by a process that starts now.
    let fresh = h.another_app(&[]).await;
    for app in [&h.app, &fresh] {
        assert_eq!(app.keyring.pseudonym(&"zoe".into()), before);
        let token = RefreshToken::new(h.sim.world().refresh_token("alice").unwrap());
        let credential = Some(app.keyring.new_credential(&"alice".into(), &token).unwrap());
        let edit = member("alice").into();
        let counts = app.store.import_all(&[ImportRow { line: 1, edit, credential }], h.clock.now()).await;
        assert_eq!(counts.unwrap().known_tokens, 1);
    }
    let mut actions = h.rows().await.texts("audit", "action").await.unwrap();
    actions.sort();
    assert_eq!(actions, ["key_retire", "key_rotate", "key_rotate", "key_rotate"]);

    let next = h.rotated().await;
    assert!(next != begun.key_id && h.keys_in("credentials").await == [next]);
    assert_eq!(h.another_app(&[]).await.keyring.pseudonym(&"zoe".into()), before, "after two rotations");
    assert!(h.pass_after(HOUR).await.complete());
}

#[tokio::test]
async fn a_page_from_before_a_rotation_works_after_it() {
    let (h, link) = Harness::mailed(Setup::default(), &[("epic", "EXPIRED")]).await;
    let browser = h.person();
    browser.open(&link).await.unwrap();
    h.rotated().await;
    h.clock.advance(TimeDelta::minutes(1));
    h.reconnect(&link).await;
    h.pass_after(HOUR).await;
    assert_eq!(h.rows().await.texts("lapses", "state").await.unwrap(), ["closed"]);
}

#[tokio::test]
async fn a_token_that_the_gateway_issues_during_a_rotation_is_kept() {
    let h = Harness::watching(&["alice"]).await;
    let (alice, now) = (MemberId::from("alice"), h.clock.now());
    let used = UsedCredential::RefreshToken(h.refresh_token("alice").await);
    let lease = h.app.store.lease_refresh(&alice, now, now + HOUR).await.unwrap().unwrap();
    h.rotated().await;
    let sealed =
        |token: &str| h.app.keyring.new_credential(&alice, &RefreshToken::new(token)).unwrap().sealed;
    let (first, late) = (sealed("first"), sealed("late"));
    for rotated in [&first, &late] {
        let tokens = RefreshedTokens {
            used: used.clone(),
            rotated: Some(rotated.clone()),
            access: None,
            subject: None,
        };
        h.app.store.store_tokens(&alice, &lease, &Arc::new(tokens), now).await.unwrap();
    }
    assert_eq!(
        h.refresh_token("alice").await,
        first,
        "the second one was got with a token that was replaced"
    );
}

#[tokio::test]
async fn a_process_that_missed_a_rotation_stores_nothing_under_the_old_key() {
    let h = Harness::watching(&["alice", "bob"]).await;
    h.sim.world().configure(|settings| settings.rotate = true);
    let stale = h.another_app(&[]).await;
    let token = RefreshToken::new("rt-new");
    let credential = Some(stale.keyring.new_credential(&"bob".into(), &token).unwrap());
    let new = h.rotated().await;
    let edit = member("bob").into();
    let imported = stale.store.import_all(&[ImportRow { line: 1, edit, credential }], h.clock.now()).await;
    assert!(matches!(imported, Err(StoreError::KeyRetired { .. })));

    h.clock.advance(TimeDelta::days(1));
    let credentials = stale.tokens.credentials(&"alice".into()).await.unwrap();
    stale.tokens.call_as(&"alice".into(), &credentials, |_| async { Ok(()) }).await.unwrap();
    assert_eq!(h.refresh_token("alice").await.key_id, new);
    assert_eq!(h.keys_in("access_tokens").await, [new]);
    assert!(h.pass().await.complete());
}

#[tokio::test]
async fn a_ring_that_cannot_be_changed_is_rotated_through_other_files() {
    let h = Harness::watching(&["alice"]).await;
    let (old, next, last) = (h.app.keyring.newest_key_id(), "next.keys", "last.keys");
    let [next, last] = [next, last].map(|name| h.folder.path().join(name));
    let begun = h.rotate(h.ring(), Some(next.clone())).await;
    assert_eq!(begun.pending, Some(Pending::PutInPlace(next.clone())));
    assert_eq!(h.keys_in("credentials").await, [old.as_str()]);
    fs::copy(&next, h.ring()).unwrap();
    h.app.follow_key_ring().await.unwrap();
    let done = h.rotate(h.ring(), Some(last.clone())).await;
    assert_eq!((done.pending, done.key_id, done.removed), (None, begun.key_id.clone(), vec![old]));
    assert_eq!(Keyring::open(&h.ring()).unwrap().key_ids().len(), 2, "it is left as it is");
    assert_eq!(Keyring::open(&last).unwrap().key_ids(), [begun.key_id.as_str()]);
    // The old key is in the ring, but encrypts nothing anymore.
    assert!(h.pass_after(HOUR).await.complete());
    assert_eq!(h.keys_in("access_tokens").await, [begun.key_id]);
}

#[tokio::test]
async fn a_credential_that_does_not_open_keeps_its_key_in_the_ring() {
    let h = Harness::watching(&["alice", "bob"]).await;
    let old = h.app.keyring.newest_key_id();
    h.rows().await.set_where("credentials", ("member_id", "bob"), "sealed", &b"damaged"[..]).await.unwrap();
    let report = h.rotate(h.ring(), None).await;
    assert_eq!(report.pending, Some(Pending::Unreadable(vec!["bob".into()])));
    assert_eq!(report.removed, [""; 0]);
    h.app.follow_key_ring().await.unwrap();
    assert_eq!(*h.app.fleet.under_old_keys().await.unwrap(), 1);
    h.import_token("bob", "fresh").await;
    let report = h.rotate(h.ring(), None).await;
    assert_eq!((report.pending, report.removed), (None, vec![old]));
    assert_eq!(*h.app.fleet.under_old_keys().await.unwrap(), 0);
}

#[tokio::test]
async fn an_instance_with_a_ring_of_its_own_is_waited_for() {
    let Some(setup) = Setup::shared().await else { return };
    let h = Harness::watching_with(setup, &["alice"]).await;
    let own = h.folder.path().join("second.keys");
    fs::copy(h.ring(), &own).unwrap();
    let second = h.another_app(&[("KEYS__FILE", own.to_str().unwrap())]).await;
    let _locks = [as_instance(&h.app).await, as_instance(&second).await];
    let old = h.app.keyring.newest_key_id();
    h.rotate(h.ring(), None).await;
    h.app.follow_key_ring().await.unwrap();
    second.follow_key_ring().await.unwrap();
    let report = h.rotate(h.ring(), None).await;
    assert!(matches!(&report.pending, Some(Pending::WithoutKey(ids)) if ids.len() == 1), "{report:?}");
    h.enrol(&["bob"]).await;
    assert_eq!(h.keys_in("credentials").await, [old.as_str()], "the first instance waits, too");

    fs::copy(h.ring(), &own).unwrap();
    second.follow_key_ring().await.unwrap();
    let report = h.rotate(h.ring(), None).await;
    assert!(matches!(&report.pending, Some(Pending::SealingWithOld(ids)) if ids.len() == 1), "{report:?}");
    h.app.follow_key_ring().await.unwrap();
    let report = h.rotate(h.ring(), None).await;
    assert_eq!((report.pending, report.removed), (None, vec![old]));
    assert!(second.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap().complete());
}

#[tokio::test]
async fn a_daemon_that_was_killed_holds_up_neither_a_rotation_of_a_file_s_keys_nor_the_next_daemon() {
    if on_postgres() {
        // A server cannot tell so soon.
        return;
    }
    let h = Harness::watching(&["alice"]).await;
    drop(as_instance(&h.app).await);
    assert_eq!(h.rows().await.count("instances").await.unwrap(), 1, "it did not say that it ended");
    let report = h.rotate(h.ring(), None).await;
    assert_eq!((report.pending, report.removed), (None, h.app.keyring.key_ids()));
    let restarted = h.another_app(&[]).await;
    let _lock = as_instance(&restarted).await;
    assert!(restarted.run_once(&tokio_util::sync::CancellationToken::new()).await.unwrap().complete());
}

#[tokio::test]
async fn a_rotation_waits_for_the_daemon_in_another_process() {
    let h = Harness::watching(&["alice"]).await;
    let daemon = h.another_app(&[]).await;
    let _lock = as_instance(&daemon).await;
    let report = h.rotate(h.ring(), None).await;
    assert!(matches!(report.pending, Some(Pending::WithoutKey(_))), "{report:?}");
    daemon.follow_key_ring().await.unwrap();
    assert_eq!(h.rotate(h.ring(), None).await.pending, None);
}

#[tokio::test]
async fn a_lost_key_locks_its_own_members_everywhere_and_nobody_else() {
    let h = Harness::watching(&["alice", "bob"]).await;
    for member in ["alice", "bob"] {
        h.set(member, "epic", "EXPIRED");
    }
    h.pass_after(HOUR).await;
    let links: Vec<_> = h.mails().iter().map(|mail| (mail.to[0].clone(), link_in(mail))).collect();
    assert_eq!(links.len(), 2);
    h.rows().await.set_where("credentials", ("member_id", "bob"), "key_id", "lost").await.unwrap();
    h.rows().await.delete_where("access_tokens", ("member_id", "bob")).await.unwrap();

    h.clock.advance(TimeDelta::days(4));
    let sweep = h.sweep().await;
    assert_eq!((sweep.progress.members, sweep.progress.skipped), (1, 1));
    assert!(h.credential("alice").await == "ok" && h.credential("bob").await == "locked");
    // Delivery: alice's reminder goes out, and bob's waits.
    while h.app.planner.plan_page().await.unwrap() {}
    h.pass_after(TimeDelta::minutes(1)).await;
    assert_eq!(h.recipients()[2..], ["alice@example.org"]);
    // Redemption: bob's page says that only the operator can help.
    for (address, link) in &links {
        let pressed = h.press(link).await;
        let is_alice = address.starts_with("alice");
        assert_eq!(pressed.status == 303, is_alice, "{address}: {}", pressed.status);
    }
    for member in ["alice", "bob"] {
        let why = h.app.explainer().why(&member.into(), None, 1_000).await.unwrap();
        assert!(matches!(why, Explanation::Found { .. }));
    }
    let stats = h.app.fleet.stats().await.unwrap();
    assert_eq!(stats.credentials["locked"], 1);
    // A rotation does not touch what it cannot read.
    let report = h.rotate(h.ring(), None).await;
    assert_eq!((report.pending, report.locked), (None, 1));
    assert_eq!(h.credential("bob").await, "locked");
}
