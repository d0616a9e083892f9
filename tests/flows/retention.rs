//! Old history goes, and what the daemon still needs stays.

use crate::harness::{Harness, Setup, on_postgres};
use crate::receiver::{Receiver, SECRET};
use chrono::TimeDelta;
use reconnectd::domain::{Actor, HoldScope};
use reconnectd::sim::Change;
use reconnectd::store::NewHold;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

const DAY: TimeDelta = TimeDelta::days(1);

/// Everything is kept for the shortest time.
fn short() -> Setup {
    let keys = ["TRANSITIONS", "NOTICES", "DECISIONS", "AUDIT"];
    keys.iter().fold(Setup::default(), |setup, key| setup.set(&format!("RETENTION__{key}"), "60d"))
}

impl Harness {
    async fn purge(&self) {
        self.app.purge(&CancellationToken::new()).await.unwrap();
    }

    /// Much later, the daemon trusts its clock after a day.
    async fn purge_after(&self, days: i64) {
        self.clock.advance(TimeDelta::days(days) - DAY);
        self.purge().await;
        self.clock.advance(DAY);
        self.purge().await;
    }

    async fn row_counts(&self) -> BTreeMap<String, i64> {
        let mut rows = self.rows().await;
        let mut counts = BTreeMap::new();
        for table in rows.tables().await.unwrap() {
            let count = rows.count(&table).await.unwrap();
            counts.insert(table, count);
        }
        counts
    }

    /// The tables from which rows were purged, according to the log.
    fn purged(&self) -> BTreeMap<String, u64> {
        let mut purged = BTreeMap::new();
        for line in self.log.text().lines().filter(|line| line.contains("rows_purged")) {
            for word in line.split(|c: char| c.is_whitespace() || c == '"') {
                if let Some((table, rows)) = word.split_once('=')
                    && let Ok(rows) = rows.parse::<u64>()
                {
                    *purged.entry(table.to_owned()).or_default() += rows;
                }
            }
        }
        purged
    }

    /// What happens in a month. It ends as it began.
    async fn live_a_month(&self, month: u32, receiver: &Receiver) {
        let operator = self.app.store.acting_as(Actor::Token("ops".to_owned()));
        let newcomer = format!("newcomer-{month}");
        for step in 0..10 {
            self.clock.advance(TimeDelta::days(3));
            let now = self.clock.now();
            match step {
                0 => {
                    self.set("m1", "epic", "EXPIRED");
                    self.set("m5", "epic", "EXPIRED");
                    let change = format!(
                        "INSERT INTO policy_changes (change, at, policy)
                            SELECT coalesce(max(change), 0) + 1, {at}, 'p{month}' FROM policy_changes;
                         INSERT INTO planner_pauses (since, until) VALUES ({at} - 5, {at})",
                        at = now.timestamp_millis()
                    );
                    self.rows().await.run(&change).await.unwrap();
                }
                1 => {
                    self.look(&self.link()).await;
                    self.app.request_counter.drain_queue().await.unwrap();
                }
                2 => self.set("m1", "epic", "CONNECTED"),
                3 => self.set("m2", "epic", "DISCONNECTED"),
                4 => {
                    self.person()
                        .press(&format!("{}/dismiss", self.link()), &[("connection", "epic")])
                        .await
                        .unwrap();
                    self.set("m5", "epic", "DISCONNECTED");
                }
                5 => {
                    self.set("m2", "epic", "CONNECTED");
                    let hold = NewHold { scope: HoldScope::default(), until: None, reason: "a test".into() };
                    let hold = operator.add_hold(&hold, now).await.unwrap().unwrap();
                    operator.release_hold(&hold.id, now).await.unwrap();
                }
                6 => {
                    operator.pause_members(&["m3".into(), "m5".into()], now).await.unwrap();
                    self.invitation("m4", "somewhere").await;
                }
                7 => {
                    operator.resume_members(&["m3".into(), "m5".into()], now).await.unwrap();
                    receiver.answer(500);
                    self.set("m4", "epic", "EXPIRED");
                    self.enrol_without_credential(&newcomer).await;
                }
                8 => self.set("m4", "epic", "CONNECTED"),
                _ => {
                    receiver.answer(204);
                    self.app.store.remove_member(&newcomer.as_str().into(), now).await.unwrap();
                }
            }
            self.pass().await;
            self.purge().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_year_no_table_and_no_file_grows_beyond_what_is_kept() {
    let receiver = Receiver::start().await;
    let setup = short().members(5).set("SWEEP__FLAP_WINDOW", "1d").set("NOTICES__RECOVERED__ENABLED", true);
    let setup = setup.set("WEBHOOK__URL", receiver.url()).set("WEBHOOK__SECRET", SECRET);
    let h = Harness::watching_with(setup, &["m1", "m2", "m3", "m4", "m5"]).await;
    let gone = Change { absent: true, ..Change::default() };
    h.sim.world().change("m3", "epic", gone).unwrap();
    let mut seen = Vec::new();
    for month in 1..=12 {
        h.live_a_month(month, &receiver).await;
        if month % 3 == 0 {
            h.app.store.truncate_log().await.unwrap();
            let size = std::fs::metadata(h.folder.path().join("flows.db")).map_or(0, |file| file.len());
            seen.push((h.row_counts().await, size));
        }
    }
    let [_, _, (ninth, size), (twelfth, last_size)] = &seen[..] else { panic!("four quarters") };
    // Their number is limited, to months of the usual schedule.
    let by_number = ["sweeps"];
    for (table, rows) in twelfth {
        assert!(
            by_number.contains(&table.as_str()) || rows <= &ninth[table],
            "{table}: {ninth:?} {twelfth:?}"
        );
    }
    assert!(on_postgres() || (*size > 0 && *last_size <= size + size / 20), "{size} {last_size}");
    // So the year has something to purge in each table.
    let purged = h.purged();
    for table in [
        "audit",
        "connections",
        "decisions",
        "events",
        "holds",
        "invitations",
        "lapse_changes",
        "lapses",
        "link_requests",
        "links",
        "member_changes",
        "members",
        "notices",
        "planner_pauses",
        "policy_changes",
        "transitions",
    ] {
        assert!(purged.contains_key(table), "{table}: {purged:?}");
    }
}

#[tokio::test]
async fn what_the_daemon_still_needs_stays_however_old_it_is() {
    let setup = short().members(1).set("NOTICES__EXPIRED__REMINDERS", "3d");
    let h = Harness::watching_with(setup, &["alice", "bob", "carol", "m1"]).await;
    for (member, status) in [("alice", "EXPIRED"), ("bob", "DISCONNECTED"), ("m1", "EXPIRED")] {
        h.set(member, "epic", status);
    }
    h.pass().await;
    let mail_to = |address: &str| h.mails().into_iter().find(|mail| mail.to == [address]).unwrap();
    let dismissal = format!("{}/dismiss", crate::harness::link_in(&mail_to("bob@example.org")));
    h.person().press(&dismissal, &[]).await.unwrap();
    let unsubscribe = crate::harness::unsubscribe_link_in(&mail_to("m1@example.org"));
    h.person().press(&unsubscribe, &[]).await.unwrap();
    h.pass_after(TimeDelta::days(3)).await;
    let sent = h.recipients();
    assert_eq!(sent.iter().filter(|to| *to == "alice@example.org").count(), 2, "the cadence is over");

    h.purge_after(3 * 365).await;
    assert_eq!(h.recipients().len(), sent.len());
    for _ in 0..2 {
        h.pass_after(DAY).await;
    }
    assert_eq!(h.recipients(), sent, "nobody hears of it again");
    assert_eq!(h.notice_states("alice").await, ["sent", "sent"]);
    assert_eq!(h.lapse_states("bob").await, ["epic closed dismissed"]);
    assert_eq!(h.path("carol", "epic").await, ["CONNECTED"]);
    let kept =
        h.contents().await.into_iter().filter(|row| row.starts_with("transitions") && row.contains("alice"));
    let kept: Vec<_> = kept.filter(|row| row.contains("epic")).collect();
    assert!(kept.len() == 1 && kept[0].contains("EXPIRED"), "the one that tells the status: {kept:?}");
    assert_eq!(h.suppressions().await.len(), 1);

    for status in ["CONNECTED", "EXPIRED"] {
        for member in ["alice", "bob", "m1"] {
            h.set(member, "epic", status);
        }
        // Longer than the flap window.
        h.pass_after(TimeDelta::days(8)).await;
    }
    let mut new = h.recipients().split_off(sent.len());
    new.sort();
    assert_eq!(new, ["alice@example.org", "bob@example.org"], "a new lapse is told");
    h.purge_after(100).await;
    assert_eq!(h.lapse_states("alice").await, ["epic open"], "the old one has gone");
    assert_eq!(h.notice_states("alice").await, ["sent"]);
}

#[tokio::test]
async fn a_removed_member_goes_in_the_end_but_not_from_the_audit() {
    let h = Harness::watching_with(short().set("RETENTION__AUDIT", "0s"), &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    let operator = h.app.store.acting_as(Actor::Token("ops".to_owned()));
    operator.remove_member(&"alice".into(), h.clock.now()).await.unwrap();
    let rows_about_alice = || async {
        let contents = h.contents().await.into_iter();
        contents.filter(|row| row.contains("alice") && !row.starts_with("audit")).count()
    };
    h.purge_after(59).await;
    assert!(rows_about_alice().await > 0);
    h.purge_after(2).await;
    assert_eq!(rows_about_alice().await, 0);
    let audit =
        h.contents().await.into_iter().filter(|row| row.starts_with("audit") && row.contains("alice"));
    assert_eq!(audit.count(), 1);
    h.enrol(&["alice"]).await;
    assert!(h.pass().await.complete());
}

#[tokio::test]
async fn zero_keeps_everything() {
    let keys = ["TRANSITIONS", "NOTICES", "DECISIONS", "AUDIT"];
    let setup =
        keys.iter().fold(Setup::default(), |setup, key| setup.set(&format!("RETENTION__{key}"), "0s"));
    let h = Harness::watching_with(setup, &["alice", "bob"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(DAY).await;
    h.app.store.remove_member(&"bob".into(), h.clock.now()).await.unwrap();
    let before = h.row_counts().await;
    h.purge_after(9 * 365).await;
    let mut after = h.row_counts().await;
    after.insert("purge".to_owned(), 0);
    assert_eq!(after, before);
    assert!(h.log.text().contains("rows_purged"));
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_nothing_within_a_day() {
    let h = Harness::watching_with(short(), &["alice"]).await;
    h.set("alice", "epic", "EXPIRED");
    h.pass().await;
    h.set("alice", "epic", "CONNECTED");
    h.pass_after(DAY).await;
    h.purge().await;
    let (before, right) = (h.contents().await, h.clock.now());
    h.clock.advance(TimeDelta::days(4000));
    h.purge().await;
    h.clock.advance(TimeDelta::hours(23));
    h.purge().await;
    h.clock.advance(right - h.clock.now());
    h.purge().await;
    let after = h.contents().await;
    let of_history =
        |rows: &[String]| rows.iter().filter(|row| !row.starts_with("purge")).cloned().collect::<Vec<_>>();
    assert_eq!(of_history(&after), of_history(&before));
}

#[tokio::test]
async fn nothing_goes_while_the_clock_differs_from_the_gateways() {
    let h = Harness::watching_with(short(), &["alice"]).await;
    h.purge().await;
    for status in ["EXPIRED", "CONNECTED"] {
        h.set("alice", "epic", status);
        h.pass_after(TimeDelta::hours(1)).await;
    }
    let transitions = async || h.rows().await.count("transitions").await.unwrap();
    let before = transitions().await;

    let wrong = 400;
    h.sim.world().configure(|settings| settings.date_ahead = -wrong * 86_400);
    h.clock.advance(TimeDelta::days(wrong));
    h.pass().await;
    h.purge_after(1).await;
    assert_eq!(transitions().await, before, "the clock is wrong");
    assert!(h.log.text().contains("purge_put_off"));

    h.sim.world().configure(|settings| settings.date_ahead = 0);
    h.pass().await;
    h.purge_after(2).await;
    assert!(transitions().await < before, "that much time has passed");
}
