//! Rows in all tables, with values that an engine could change.

use crate::Fixture;

/// Longer than a page of either engine.
const LONG: usize = 100_000;

/// Rows that more than one page is needed for.
const MANY: usize = 5_000;

/// In the statements, `LONG` stands for a long text, and `ODD` for one with quotes, line breaks, and emoji.
const ROWS: &str = "
    INSERT INTO members (member_id, email, subject, paused_at, response_digest, added_at, updated_at, poll_key, label)
        VALUES ('Zoë', 'zoe@example.org', 'ODD', -1, unhex('00ff27'), -9223372036854775807, 9223372036854775807, -5, ''),
            ('zoe', '', 'LONG', NULL, unhex(''), 0, 1, 0, NULL), ('', 'b@example.org', 'b', NULL, NULL, 0, 0, NULL, ' ');
    INSERT INTO credentials (member_id, key_id, sealed, updated_at, resealed_from) VALUES ('Zoë', 'k1', unhex('00'), 1, unhex('01'));
    INSERT INTO access_tokens (member_id, key_id, sealed, refresh_at) VALUES ('zoe', 'k1', unhex('ff00'), 1);
    INSERT INTO token_refresh_leases (member_id, leased_until, held_by_daemon) VALUES ('zoe', 1, TRUE), ('', 1, FALSE);
    INSERT INTO token_subjects (member_id, key_id, hash) VALUES ('zoe', 'k1', unhex('27'));
    INSERT INTO credential_failures (member_id, state, reason, since, failures, retry_at)
        VALUES ('zoe', 'rejected', 'ODD', 1, 2, 3);
    INSERT INTO unclear_members (member_id, reason, since) VALUES ('', 'ODD', 1);
    INSERT INTO connections (member_id, connection_id, name, is_direct, status, sync_errors, first_seen_at, changed_at)
        VALUES ('Zoë', 'ODD', 'LONG', TRUE, NULL, '[\"ODD\"]', 1, 2), ('Zoë', '', '', FALSE, 'EXPIRED', '[]', 1, 2);
    INSERT INTO transitions (transition_id, member_id, connection_id, to_status, observed_at, cause, reason)
        VALUES ('t1', 'Zoë', 'ODD', 'CONNECTED', 1, 'sweep', 'first_seen'), ('T1', 'zoe', '', '', 1, '', '');
    INSERT INTO erasures (member_id) VALUES ('nobody');
    INSERT INTO lapses (lapse_id, member_id, connection_id, state, suspected_at, consecutive_observations, opened_at)
        VALUES ('l1', 'Zoë', 'ODD', 'open', 2, 1, 2), ('l2', 'Zoë', '', 'suspected', 2, 1, NULL);
    INSERT INTO notices (notice_id, member_id, step, state, reason, planned_at, not_before)
        VALUES ('n1', 'Zoë', 0, 'sent', 'ODD', 3, 3), ('n2', 'Zoë', 0, 'queued', 'resend', 3, 3), ('n3', 'zoe', 0, 'held', '', 3, 3);
    UPDATE notices SET resend_of = 'n2' WHERE notice_id = 'n1';
    UPDATE notices SET resend_of = 'n3' WHERE notice_id = 'n3';
    INSERT INTO notice_items (notice_id, lapse_id, connection_id, step, counts_as_step, extra, in_email)
        VALUES ('n1', 'l1', 'ODD', 0, TRUE, FALSE, NULL), ('n2', 'l1', 'ODD', 0, FALSE, TRUE, TRUE);
    INSERT INTO attempts (notice_id, attempt, started_at, detail) VALUES ('n1', 1, 3, 'ODD'), ('n1', -2, 3, NULL);
    INSERT INTO invitations (invitation_id, member_id, connection_id, name, created_at) VALUES ('i1', 'zoe', 'x', 'ODD', 1);
    INSERT INTO links (token_hash, kind, member_id, created_at, expires_at)
        VALUES (unhex('00'), 'invitation', 'zoe', 1, 2), (unhex('ff'), 'invitation', 'zoe', 1, 2), (unhex('7f'), 'invitation', '', 1, 2);
    INSERT INTO link_buttons (token_hash, connection_id, invitation_id, superseded) VALUES (unhex('00'), 'x', 'i1', TRUE);
    INSERT INTO link_requests (day, domain, action, client, requests) VALUES (-86400000, 'ä.example', 'view', 'bot', 7);
    INSERT INTO rechecks (member_id, purpose, due_at, since) VALUES ('zoe', 'suspicion', 1, 1);
    INSERT INTO sweeps (sweep_id, started_at, complete) VALUES ('s1', 1, TRUE), ('s2', 2, FALSE), ('s3', 3, TRUE);
    DELETE FROM sweeps WHERE sweep_id = 's3';
    INSERT INTO sweep_pages (sweep_id, page, after_key, until_key, wrapped, holder)
        VALUES ('s2', 1, NULL, -9223372036854775807, FALSE, NULL), ('s2', 2, -9223372036854775807, 5, TRUE, 'i1');
    INSERT INTO suppressions (address_hash, reason, created_at)
        VALUES (unhex('00'), 'operator', 1), (unhex('00'), 'hard_bounce', 2), (unhex('01'), 'complaint', 3);
    INSERT INTO unsubscribe_tokens (token_hash, notice_id, member_id, attempt, created_at) VALUES (unhex('0a'), 'n1', 'Zoë', 1, 1);
    INSERT INTO verified_sources (source, member_id, verified_at) VALUES ('ODD', 'zoe', 1);
    INSERT INTO imports (started_at) VALUES (1);
    INSERT INTO import_rows (import_id, line, member_id, poll_key) VALUES (1, 1, 'x', 1), (1, 10, 'y', 1), (1, 9, 'z', 1);
    INSERT INTO key_canaries (key_id, sealed) VALUES ('k1', unhex('0001'));
    INSERT INTO former_keys (key_id, position, retired_at, sealed_with, sealed)
        VALUES ('ODD', 1, -1, 'k1', unhex('00')), ('k0', 2, 0, '', unhex('ff00'));
    INSERT INTO planning_policy (id, policy) VALUES (1, 'ODD');
    INSERT INTO decisions (decision_id, member_id, connection_id, lapse_id, notice_id, what, reason, not_before, at, last_at)
        VALUES ('d1', 'Zoë', 'ODD', 'l1', 'n1', 'notice', 'ODD', NULL, 1, 2), ('D1', 'zoe', NULL, NULL, NULL, '', '', -1, 1, 2);
    INSERT INTO unreachable_members (member_id, reason, since) VALUES ('Zoë', 'ODD', 1);
    INSERT INTO holds (hold_id, kind, state, source, member_id, status, reason, since, until)
        VALUES ('h1', 'operator', 'ended', 'epic', 'Zoë', 'EXPIRED', 'ODD', 1, 2), ('h2', 'storm', 'holding', NULL, NULL, NULL, '', 1, NULL);
    INSERT INTO audit (audit_id, at, actor, action, member_id, target, affected)
        VALUES ('a1', 1, 'token:ODD', 'read', 'Zoë', 'LONG', 3), ('A1', -1, '', '', NULL, NULL, NULL);
    INSERT INTO events (event_id, type, member_id, data, state, created_at, retry_until, next_at)
        VALUES ('e1', 'notice.sent', 'Zoë', 'ODD', 'queued', 1, 2, 1), ('e2', 'storm.ended', '', 'LONG', 'delivered', -1, 2, NULL);
    INSERT INTO lapse_changes (lapse_id, change, member_id, at, is_open, outcome, status, is_missing, is_person_mismatch,
        suspected_at, opened_at, last_opened_at, snoozed_until)
        VALUES ('l1', 1, 'Zoë', 2, TRUE, NULL, 'ODD', FALSE, TRUE, 1, 2, 3, NULL), ('l1', 2, 'Zoë', 3, FALSE, 'ODD', NULL, TRUE, FALSE, 1, 2, 3, -1);
    INSERT INTO member_changes (member_id, change, at, address_hash, time_zone, is_paused, is_suppressed)
        VALUES ('Zoë', 1, 0, NULL, NULL, TRUE, FALSE), ('zoe', 1, -1, unhex('00ff'), 'ODD', FALSE, TRUE);
    INSERT INTO storm_changes (hold_id, change, at, state) VALUES ('h2', 1, 1, 'holding');
    INSERT INTO policy_changes (change, at, policy) VALUES (1, 2, 'ODD');
    INSERT INTO planner_pauses (until, since) VALUES (2, -1);
    INSERT INTO instance_starts (instance_id, started_at, version) VALUES ('ODD', -1, 'LONG');
    INSERT INTO purge (id, seen_at, replayable_since) VALUES (1, -1, 5);
    INSERT INTO write_probe (id, filler) VALUES (1, unhex('00'));
";

/// Tables without rows of the fleet.
const OWN: [&str; 2] = ["copy_mark", "instances"];

pub(crate) async fn fill(f: &Fixture) {
    let odd = "it''s \"quoted\" \\\\ {a,b}\n\t🩺 Zo\u{308} e\u{301} %_ NULL";
    let rows = ROWS.replace("\\\"ODD\\\"", "ODD").replace("LONG", &"ü".repeat(LONG)).replace("ODD", odd);
    f.run(&rows).await;
    let hosts: Vec<String> = (0..MANY).map(|number| format!("('h{number}', {number})")).collect();
    f.run(&format!("INSERT INTO sign_in_hosts (host, first_seen_at) VALUES {}", hosts.join(", "))).await;
    let mut rows = f.rows().await;
    for table in rows.tables().await.unwrap() {
        let is_filled = OWN.contains(&table.as_str()) || rows.count(&table).await.unwrap() > 0;
        assert!(is_filled, "give table {table} a row here");
    }
}
