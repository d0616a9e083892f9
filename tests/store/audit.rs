//! The audit: who did what. The database itself refuses to change it.

use crate::{Fixture, leases, now};
use chrono::TimeDelta;
use reconnectd::domain::{Actor, AuditAction, AuditEntry, AuditRecord, MemberId, Suppression};
use reconnectd::store::Store;

fn acting(f: &Fixture) -> Store {
    f.store.acting_as(Actor::Token("grafana".to_owned()))
}

async fn audit(f: &Fixture) -> Vec<AuditRecord> {
    f.store.audit(None, now() - TimeDelta::days(1), None, 100).await.unwrap()
}

fn told(records: &[AuditRecord]) -> Vec<(&str, Option<&str>, Option<u64>)> {
    records.iter().map(|row| (row.action.as_str(), row.member_id.as_deref(), row.affected)).collect()
}

pub(crate) async fn what_somebody_does_is_recorded_with_it_and_what_the_daemon_does_is_not(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let address = "alice@example.org".parse::<reconnectd::domain::EmailAddress>().unwrap().address_hash();
    f.store.pause_members(&["bob".into()], now()).await.unwrap();
    f.store.suppress(address, Suppression::HardBounce, now()).await.unwrap();
    assert_eq!(audit(f).await, [], "nobody did this");

    let store = acting(f);
    store.pause_members(&["alice".into(), "bob".into()], now()).await.unwrap();
    store.unsuppress(address, now()).await.unwrap();
    store.unsuppress(address, now()).await.unwrap();
    store.remove_member(&"alice".into(), now()).await.unwrap();
    store.remove_member(&"alice".into(), now()).await.unwrap();
    let records = audit(f).await;
    let expected = [
        ("member_remove", Some("alice"), None),
        ("suppress_remove", Some("alice"), None),
        ("member_pause", Some("alice"), None),
    ];
    assert_eq!(told(&records), expected, "only what changed something, the newest first");
    assert!(records.iter().all(|row| row.actor == "token:grafana" && row.at == now()));
}

pub(crate) async fn a_retry_is_recorded_with_the_number_of_notices_if_there_were_any(f: &Fixture) {
    leases::queue(f, 2).await;
    acting(f).retry_all_notices(now()).await.unwrap();
    assert_eq!(audit(f).await, [], "no attempt has failed");
    f.rows().await.set("notices", "attempts", 1).await.unwrap();
    assert_eq!(acting(f).retry_all_notices(now()).await.unwrap().len(), 2);
    assert_eq!(told(&audit(f).await), [("notice_retry", None, Some(2))]);
}

pub(crate) async fn the_audit_is_never_changed_or_deleted(f: &Fixture) {
    f.import(&["alice"]).await;
    acting(f).pause_members(&["alice".into()], now()).await.unwrap();
    let mut rows = f.rows().await;
    let before = f.rows().await.contents().await.unwrap();
    for statement in [
        "UPDATE audit SET actor = 'token:other'",
        "UPDATE audit SET member_id = 'erased:1'",
        "UPDATE audit SET at = at",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT audit_id, at, 'token:other', action, member_id, target, affected FROM audit",
        "INSERT INTO audit SELECT * FROM audit WHERE audit_id = audit_id
         ON CONFLICT (audit_id) DO UPDATE SET actor = 'token:other'",
        "TRUNCATE audit",
    ] {
        rows.run(statement).await.expect_err(statement);
    }
    assert_eq!(f.rows().await.contents().await.unwrap(), before);
}

pub(crate) async fn a_purge_deletes_old_rows_of_the_audit_and_no_others(f: &Fixture) {
    f.run(
        "INSERT INTO audit (audit_id, at, actor, action) VALUES ('a1', 1, 'token:x', 'read'), ('a2', 2, 'token:x', 'read');
         INSERT INTO purge (id, seen_at, transitions_before, audit_before) VALUES (1, 0, 5, NULL)",
    )
    .await;
    let mut rows = f.rows().await;
    rows.run("DELETE FROM audit WHERE audit_id = 'a1'").await.expect_err("no purge runs");
    f.run("UPDATE purge SET audit_before = 2").await;
    rows.run("DELETE FROM audit").await.expect_err("one is not old enough");
    rows.run("UPDATE audit SET actor = 'token:y' WHERE audit_id = 'a1'").await.expect_err("no change");
    f.run("DELETE FROM audit WHERE audit_id = 'a1'").await;
    assert_eq!(rows.texts("audit", "audit_id").await.unwrap(), ["a2"]);
}

pub(crate) async fn an_erased_member_has_a_pseudonym_in_the_audit(f: &Fixture) {
    f.import(&["alice", "bob"]).await;
    let (alice, pseudonym) = (MemberId::from("alice"), MemberId::from("erased:17"));
    let store = acting(f);
    store.pause_members(&["alice".into(), "bob".into()], now()).await.unwrap();
    let read = AuditEntry::new(AuditAction::Read).about(&alice).target("why").affected(3);
    store.record_audit(read, now()).await.unwrap();
    assert!(store.erase_member(&alice, &pseudonym, now()).await.unwrap());
    assert!(!store.erase_member(&alice, &pseudonym, now()).await.unwrap());
    let records = audit(f).await;
    let expected = [
        ("member_erase", Some("erased:17"), None),
        ("read", Some("erased:17"), Some(3)),
        ("member_pause", Some("bob"), None),
        ("member_pause", Some("erased:17"), None),
    ];
    assert_eq!(told(&records), expected);
    let of_member = f.store.audit(Some(&pseudonym), now(), None, 100).await.unwrap();
    assert_eq!(of_member.len(), 3);
    assert!(f.store.audit(Some(&alice), now(), None, 100).await.unwrap().is_empty());
}

pub(crate) async fn an_import_leaves_one_row_with_the_number_of_its_members(f: &Fixture) {
    let store = acting(f);
    let rows: Vec<_> = (1..=3).map(|line| crate::row(line, &format!("m{line}"))).collect();
    store.import_all(&rows, now()).await.unwrap();
    store.import_all(&[crate::row(1, "zoe")], now()).await.unwrap();
    let records = audit(f).await;
    assert_eq!(told(&records), [("member_add", Some("zoe"), None), ("member_import", None, Some(3))]);
}

pub(crate) async fn the_audit_is_read_page_by_page_from_a_time_on(f: &Fixture) {
    let store = acting(f);
    for day in 0..5 {
        let entry = AuditEntry::new(AuditAction::Read).target("members").affected(day);
        store.record_audit(entry, now() + TimeDelta::days(day.cast_signed())).await.unwrap();
    }
    let mut read = Vec::new();
    let mut before = None;
    loop {
        let since = now() + TimeDelta::days(1);
        let page = f.store.audit(None, since, before.as_deref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        read.extend(page.iter().filter_map(|row| row.affected));
    }
    assert_eq!(read, [4, 3, 2, 1]);
}
