//! What an erasure leaves of a member: nothing, in any table.

use crate::Fixture;
use crate::now;
use reconnectd::domain::{EmailAddress, MemberId, Suppression};

const ID: &str = "leaver-4711";
/// What is known of the member, apart from the id.
const TRACES: [&str; 5] = ["leaver@rare.example", "subject-4711", "label-4711", "rare-clinic", "note-4711"];

/// A row in each table that names members. Nothing is changed or deleted: this connection would leave traces of that. `ID` stands for the member, and `other` shares an address and a notice.
const ROWS: &str = "
    INSERT INTO members (member_id, email, address_hash, domain, subject, label, added_at, updated_at, poll_key)
        VALUES ('ID', 'leaver@rare.example', HASH, 'rare.example', 'subject-4711', 'label-4711', 1, 1, 1),
            ('other', 'other@example.org', HASH, 'example.org', 'o', NULL, 1, 1, 2);
    INSERT INTO credentials (member_id, key_id, sealed, updated_at) VALUES ('ID', 'k1', unhex('00'), 1);
    INSERT INTO access_tokens (member_id, key_id, sealed, refresh_at) VALUES ('ID', 'k1', unhex('ff00'), 1);
    INSERT INTO token_refresh_leases (member_id, leased_until, held_by_daemon) VALUES ('ID', 1, TRUE);
    INSERT INTO token_subjects (member_id, key_id, hash) VALUES ('ID', 'k1', unhex('27'));
    INSERT INTO credential_failures (member_id, state, reason, since, failures, retry_at)
        VALUES ('ID', 'rejected', 'x', 1, 2, 3);
    INSERT INTO unclear_members (member_id, reason, since) VALUES ('ID', 'x', 1);
    INSERT INTO unreachable_members (member_id, reason, since) VALUES ('ID', 'x', 1);
    INSERT INTO rechecks (member_id, purpose, due_at, since) VALUES ('ID', 'suspicion', 1, 1);
    INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
        VALUES ('ID', 'rare-clinic', 'note-4711', FALSE, 'EXPIRED', '[]', 1, 2), ('other', 'epic', '', FALSE, NULL, '[]', 1, 2);
    INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
        VALUES ('t1', 'ID', 'rare-clinic', 'EXPIRED', 1, 'sweep', 'first_seen');
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
        VALUES ('l1', 'ID', 'rare-clinic', 'open', 2, 1, 2), ('l2', 'other', 'epic', 'open', 2, 1, 2);
    INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, is_missing, is_person_mismatch, suspected_at,
        opened_at, last_opened_at) VALUES ('l1', 1, 'ID', 2, TRUE, FALSE, TRUE, 1, 2, 3);
    INSERT INTO member_changes (member_id, change, at, address_hash, is_paused, is_suppressed)
        VALUES ('ID', 1, 0, HASH, TRUE, FALSE), ('other', 1, 0, HASH, TRUE, FALSE);
    INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before, address_hash)
        VALUES ('n1', 'ID', 0, 'sent', '', 3, 3, HASH), ('shared', 'ID', 0, 'sent', '', 3, 3, HASH);
    INSERT INTO notice_items (notice_id, lapse_id, connection_id, step) VALUES ('n1', 'l1', 'rare-clinic', 0),
        ('shared', 'l1', 'rare-clinic', 1), ('shared', 'l2', 'epic', 0);
    INSERT INTO attempts (notice_id, attempt, started_at, detail) VALUES ('n1', 1, 3, 'note-4711');
    INSERT INTO unsubscribe_tokens (token_hash, notice_id, member_id, attempt, created_at)
        VALUES (unhex('0a'), 'n1', 'ID', 1, 1), (unhex('0b'), 'shared', 'ID', 1, 1);
    INSERT INTO invitations (invitation_id, member_id, connection_id, name, created_at)
        VALUES ('i1', 'ID', 'rare-clinic', 'note-4711', 1);
    INSERT INTO links (token_hash, kind, member_id, created_at, expires_at, address_hash)
        VALUES (unhex('00'), 'invitation', 'ID', 1, 2, HASH);
    INSERT INTO link_buttons (token_hash, connection_id, invitation_id) VALUES (unhex('00'), 'rare-clinic', 'i1');
    INSERT INTO link_requests (day, domain, action, client, requests) VALUES (0, 'rare.example', 'view', 'bot', 7);
    INSERT INTO verified_sources (source, member_id, verified_at) VALUES ('rare-clinic', 'ID', 1);
    INSERT INTO decisions (decision_id, member_id, connection_id, lapse_id, notice_id, what, reason, at, last_at)
        VALUES ('d1', 'ID', 'rare-clinic', 'l1', 'n1', 'notice', 'x', 1, 2), ('d2', 'ID', NULL, NULL, NULL, '', '', 1, 2);
    INSERT INTO holds (hold_id, kind, state, source, member_id, reason, since)
        VALUES ('h1', 'operator', 'holding', NULL, 'ID', 'note-4711', 1);
    INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until)
        VALUES ('e1', 'notice.sent', 'ID', '{\"member_id\":\"ID\"}', 'failed', 1, 2);
    INSERT INTO audit (audit_id, at, actor, action, member_id) VALUES ('a1', 1, 'token:x', 'read', 'ID');
    INSERT INTO imports (started_at) VALUES (1);
    INSERT INTO import_rows (import_id, line, member_id, email, subject, label, address_hash, poll_key)
        VALUES (1, 1, 'ID', 'leaver@rare.example', 'subject-4711', 'label-4711', HASH, 1);
";

fn address() -> EmailAddress {
    "leaver@rare.example".parse().unwrap()
}

/// In hexadecimal digits.
fn hash() -> String {
    address().address_hash().0.iter().map(|byte| format!("{byte:02X}")).collect()
}

async fn fill(f: &Fixture) {
    f.run(&ROWS.replace("HASH", &format!("unhex('{}')", hash())).replace("ID", ID)).await;
    let mut rows = f.rows().await;
    for table in rows.tables().await.unwrap() {
        // The mark of an erasure.
        let Ok(members) = rows.texts(&table, "member_id").await else { continue };
        assert!(table == "erasures" || members.iter().any(|id| id == ID), "give table {table} a row here");
    }
}

async fn erase(f: &Fixture) {
    let pseudonym = MemberId::from("erased:1");
    assert!(f.store.erase_member(&ID.into(), &pseudonym, now()).await.unwrap());
}

pub(crate) async fn an_erased_member_is_in_no_table(f: &Fixture) {
    fill(f).await;
    f.store.suppress(address().address_hash(), Suppression::Unsubscribed, now()).await.unwrap();
    erase(f).await;
    // The one with whom the member shared the address and a notice.
    assert!(f.store.erase_member(&"other".into(), &"erased:2".into(), now()).await.unwrap());
    let left = f.rows().await.contents().await.unwrap();
    for trace in TRACES.into_iter().chain([ID, "rare.example"]) {
        assert!(!left.iter().any(|row| row.contains(trace)), "{trace}: {left:#?}");
    }
    if f.is_file() {
        let with_hash: Vec<_> = left.iter().filter(|row| row.contains(&hash())).collect();
        assert!(with_hash.len() == 1 && with_hash[0].starts_with("suppressions"), "{with_hash:#?}");
        assert!(f.store.truncate_log().await.unwrap());
        for trace in TRACES.into_iter().chain([ID]) {
            assert_eq!(crate::members::files_with(f, trace), Vec::<String>::new(), "{trace}");
        }
    }
}

pub(crate) async fn erasing_one_of_several_keeps_what_the_others_share(f: &Fixture) {
    fill(f).await;
    erase(f).await;
    let mut rows = f.rows().await;
    assert_eq!(rows.texts("notices", "member_id").await.unwrap(), ["other"]);
    assert_eq!(rows.texts("unsubscribe_tokens", "member_id").await.unwrap(), ["other"]);
    assert_eq!(rows.texts("notice_items", "lapse_id").await.unwrap(), ["l2"]);
    let left = rows.contents().await.unwrap();
    assert!(!left.iter().any(|row| row.contains(ID)), "{left:#?}");
}
