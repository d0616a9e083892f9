//! What holds in each state that a database can be in, whatever was interrupted before.

use reconnectd::store::testing::TestDatabase;
use std::collections::{BTreeMap, BTreeSet};

/// The invariants that the rows break, in words. They are read in one transaction.
pub(crate) async fn broken_invariants(rows: &mut TestDatabase) -> Vec<String> {
    let begin = match rows {
        TestDatabase::Sqlite(_) => "BEGIN",
        TestDatabase::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
    };
    rows.run(begin).await.expect("a transaction");
    let mut broken = Broken::default();
    check_attempts(rows, &mut broken).await;
    check_steps(rows, &mut broken).await;
    check_transitions(rows, &mut broken).await;
    check_lapses(rows, &mut broken).await;
    check_events(rows, &mut broken).await;
    check_buttons(rows, &mut broken).await;
    check_passing_marks(rows, &mut broken).await;
    rows.run("ROLLBACK").await.expect("the end of the transaction");
    broken.0
}

#[derive(Default)]
struct Broken(Vec<String>);

impl Broken {
    fn unless(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.0.push(what());
        }
    }
}

async fn read<const N: usize>(rows: &mut TestDatabase, table: &str, columns: [&str; N]) -> Vec<[String; N]> {
    rows.rows(table, columns).await.unwrap_or_else(|error| panic!("{table}: {error}"))
}

/// A notice is being sent exactly while it has a lease and an attempt without an end. What an email contains belongs to an
/// attempt.
async fn check_attempts(rows: &mut TestDatabase, broken: &mut Broken) {
    let mut open = BTreeSet::new();
    let mut sent: BTreeMap<String, usize> = BTreeMap::new();
    let mut attempts = BTreeSet::new();
    for [notice, attempt, outcome, finished] in
        read(rows, "attempts", ["notice_id", "attempt", "outcome", "finished_at"]).await
    {
        let is_open = outcome.is_empty();
        broken.unless(is_open == finished.is_empty(), || {
            format!("attempt {attempt} of {notice} has one of outcome and end")
        });
        if is_open {
            open.insert((notice.clone(), attempt.clone()));
        }
        *sent.entry(notice.clone()).or_default() += usize::from(outcome == "sent");
        attempts.insert((notice, attempt));
    }
    let notices = read(rows, "notices", ["notice_id", "state", "attempts", "leased_until", "sent_at"]).await;
    for [notice, state, number, lease, sent_at] in notices {
        let is_sending = state == "sending";
        broken.unless(is_sending != lease.is_empty(), || format!("{notice} is {state}, leased: {lease:?}"));
        broken.unless(open.remove(&(notice.clone(), number.clone())) == is_sending, || {
            format!("{notice} is {state}, and attempt {number} is open or missing")
        });
        broken.unless((state == "sent") != sent_at.is_empty(), || {
            format!("{notice} is {state}, sent at {sent_at:?}")
        });
        let successes = sent.get(&notice).copied().unwrap_or_default();
        broken.unless(successes == usize::from(state == "sent"), || {
            format!("{notice} is {state} with {successes} successful attempts")
        });
    }
    broken.unless(open.is_empty(), || format!("attempts without an end: {open:?}"));
    for table in ["links", "unsubscribe_tokens"] {
        for [notice, attempt] in read(rows, table, ["notice_id", "attempt"]).await {
            let has_attempt = notice.is_empty() || attempts.contains(&(notice.clone(), attempt.clone()));
            broken.unless(has_attempt, || format!("{table}: {notice} has no attempt {attempt}"));
        }
    }
}

/// Each step of a lapse is in at most one notice that counts, and in one that waits.
async fn check_steps(rows: &mut TestDatabase, broken: &mut Broken) {
    let mut waiting = BTreeSet::new();
    let mut without_items = BTreeSet::new();
    for [notice, state, kind] in read(rows, "notices", ["notice_id", "state", "kind"]).await {
        if ["queued", "sending", "held"].contains(&state.as_str()) {
            if kind == "reconnect" {
                without_items.insert(notice.clone());
            }
            waiting.insert(notice);
        }
    }
    let (mut counted, mut live) = (BTreeSet::new(), BTreeSet::new());
    let items = read(rows, "notice_items", ["notice_id", "lapse_id", "step", "counts_as_step"]).await;
    for [notice, lapse, step, counts] in items {
        without_items.remove(&notice);
        let key = (lapse, step);
        if counts == "1" {
            broken.unless(counted.insert(key.clone()), || format!("{key:?} counts twice"));
        }
        if waiting.contains(&notice) {
            broken.unless(live.insert(key.clone()), || format!("{key:?} is in two live notices"));
        }
    }
    broken.unless(without_items.is_empty(), || format!("live notices about nothing: {without_items:?}"));
}

/// The transitions of a connection form a chain, which ends with its status.
async fn check_transitions(rows: &mut TestDatabase, broken: &mut Broken) {
    let mut last: BTreeMap<(String, String), String> = BTreeMap::new();
    let columns = ["transition_id", "member_id", "connection_id", "from_status", "to_status"];
    for [id, member, connection, from, to] in read(rows, "transitions", columns).await {
        let before = last.insert((member, connection), to);
        // A purge can have deleted the first ones.
        if let Some(before) = before {
            broken.unless(before == from, || format!("transition {id} begins at {from} after {before}"));
        }
    }
    for [member, connection, status] in
        read(rows, "connections", ["member_id", "connection_id", "status"]).await
    {
        let end = last.get(&(member.clone(), connection.clone()));
        broken.unless(end.is_none_or(|end| *end == status), || {
            format!("{connection} of {member} is {status}, but its last transition says {end:?}")
        });
    }
}

/// The recorded changes of a lapse are numbered without a gap, and the last one says what holds. A purge can have deleted the
/// first ones.
async fn check_lapses(rows: &mut TestDatabase, broken: &mut Broken) {
    let mut changes: BTreeMap<String, BTreeMap<u32, String>> = BTreeMap::new();
    for [lapse, change, is_open] in read(rows, "lapse_changes", ["lapse_id", "change", "is_open"]).await {
        let number = change.parse().expect("a number");
        changes.entry(lapse).or_default().insert(number, is_open);
    }
    for [lapse, state, opened, plan_at] in
        read(rows, "lapses", ["lapse_id", "state", "opened_at", "plan_at"]).await
    {
        let of_lapse = changes.remove(&lapse).unwrap_or_default();
        let (numbers, count) = (of_lapse.keys().copied().collect::<Vec<_>>(), of_lapse.len());
        broken.unless(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), || {
            format!("the changes of {lapse} are {numbers:?}")
        });
        let is_recorded_as_open = of_lapse.values().next_back().is_some_and(|is_open| is_open == "1");
        broken.unless(is_recorded_as_open == (state == "open"), || {
            format!("{lapse} is {state}, recorded otherwise")
        });
        broken.unless(opened.is_empty() == of_lapse.is_empty(), || {
            format!("{lapse} opened at {opened:?} and has {count} changes")
        });
        broken.unless(state == "open" || state == "closed" || plan_at.is_empty(), || {
            format!("{lapse} is {state} and planned")
        });
    }
}

/// Of the events of a member that are not delivered, only the first is in turn.
async fn check_events(rows: &mut TestDatabase, broken: &mut Broken) {
    let columns = ["sequence", "member_id", "state", "next_at", "leased_until"];
    let mut events = read(rows, "events", columns).await;
    events.sort_by_key(|[sequence, ..]| sequence.parse::<i64>().expect("a number"));
    let mut waiting = BTreeSet::new();
    for [sequence, member, state, next_at, lease] in events {
        broken.unless((state == "sending") != lease.is_empty(), || {
            format!("event {sequence} is {state}, leased: {lease:?}")
        });
        let is_waiting = ["queued", "sending"].contains(&state.as_str());
        let is_first = is_waiting && waiting.insert(member.clone());
        broken.unless(is_first != next_at.is_empty(), || {
            format!("event {sequence} of {member} is {state}, first: {is_first}, next at {next_at:?}")
        });
    }
}

/// A button that was used has a time.
async fn check_buttons(rows: &mut TestDatabase, broken: &mut Broken) {
    let columns = ["connection_id", "redemptions", "redeemed_at"];
    for [connection, redemptions, at] in read(rows, "link_buttons", columns).await {
        broken.unless((redemptions == "0") == at.is_empty(), || {
            format!("a button for {connection} was used {redemptions} times, at {at:?}")
        });
    }
}

/// Marks that a unit sets and takes away itself.
async fn check_passing_marks(rows: &mut TestDatabase, broken: &mut Broken) {
    for [transitions, audit] in read(rows, "purge", ["transitions_before", "audit_before"]).await {
        broken.unless(transitions.is_empty() && audit.is_empty(), || "old rows can be deleted".to_owned());
    }
    for table in ["erasures", "copy_mark"] {
        let count = rows.count(table).await.expect("a count");
        broken.unless(count == 0, || format!("{table} has {count} rows"));
    }
}
