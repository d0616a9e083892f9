//! How many connections of a source break, how many recover, and how long both take.

use crate::harness::{Harness, Setup};
use chrono::TimeDelta;
use reconnectd::domain::DisconnectKind;
use reconnectd::sim::Change;
use reconnectd::store::SourceStats;

const DAY: TimeDelta = TimeDelta::days(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
const MEMBERS: [&str; 4] = ["m1", "m2", "m3", "m4"];

impl Harness {
    async fn source(&self, source: &str) -> Option<SourceStats> {
        let all = self.app.store.source_stats(self.clock.now()).await.unwrap();
        all.into_iter().find(|stats| stats.source.as_str() == source)
    }

    /// Of epic: the connections, the open lapses, those that opened, and those that recovered.
    async fn counts(&self) -> [u64; 4] {
        let stats = self.source("epic").await.unwrap();
        [stats.connections, stats.open_lapses, stats.lapsed, stats.recovered]
    }

    async fn recovery_median(&self) -> Option<TimeDelta> {
        self.source("epic").await.unwrap().recovery_median
    }

    async fn connected_median(&self, source: &str) -> Option<TimeDelta> {
        self.source(source).await.unwrap().connected_median
    }

    async fn becomes(&self, member: &str, connection: &str, status: &str, after: TimeDelta) {
        self.set(member, connection, status);
        assert!(self.sweep_after(after).await.complete());
    }
}

/// Epic is CONNECTED for all members, since before they were first observed.
async fn watching(members: &[&str]) -> Harness {
    watching_with(Setup::default(), members).await
}

async fn watching_with(setup: Setup, members: &[&str]) -> Harness {
    Harness::watching_with(setup.members(4), members).await
}

#[tokio::test]
async fn rates_and_the_time_to_recovery_come_from_the_lapses_of_30_days() {
    let h = watching(&MEMBERS).await;
    assert_eq!((h.counts().await, h.recovery_median().await), ([4, 0, 0, 0], None));
    MEMBERS.iter().for_each(|member| h.set(member, "epic", "EXPIRED"));
    h.sweep_after(DAY).await;
    assert_eq!((h.counts().await, h.recovery_median().await), ([4, 4, 4, 0], None));
    h.becomes("m1", "epic", "CONNECTED", HOUR).await;
    h.becomes("m2", "epic", "CONNECTED", HOUR).await;
    h.becomes("m3", "epic", "CONNECTED", HOUR * 2).await;
    let three = h.source("epic").await.unwrap();
    assert_eq!(three.recovery_median, Some(HOUR * 2), "of 1, 2, and 4 hours");
    assert_eq!((three.lapse_rate(), three.recovery_rate()), (Some(1.0), Some(0.75)));
    h.becomes("m4", "epic", "CONNECTED", HOUR * 6).await;
    assert_eq!(h.recovery_median().await, Some(HOUR * 3), "of 1, 2, 4, and 10 hours");
    assert_eq!(h.counts().await, [4, 0, 4, 4]);
    h.clock.advance(DAY * 30 - HOUR * 8);
    assert_eq!(h.counts().await, [4, 0, 0, 3], "the first hour has passed out of the window");
    assert_eq!(h.source("epic").await.unwrap().recovery_rate(), None);
    h.clock.advance(DAY);
    assert_eq!((h.counts().await, h.recovery_median().await), ([4, 0, 0, 0], None));
}

#[tokio::test]
async fn the_time_to_the_break_counts_from_an_observed_change_to_connected() {
    let members = ["m1", "m2", "m3"];
    let h = watching(&members).await;
    members.iter().for_each(|member| h.set(member, "epic", "EXPIRED"));
    h.sweep_after(DAY).await;
    assert_eq!(h.connected_median("epic").await, None, "nobody knows since when it was CONNECTED");
    members.iter().for_each(|member| h.set(member, "epic", "CONNECTED"));
    h.sweep_after(DAY).await;
    h.becomes("m3", "epic", "ERROR", DAY * 3).await;
    h.becomes("m3", "epic", "CONNECTED", DAY).await;
    h.becomes("m1", "epic", "EXPIRED", DAY * 6).await;
    assert_eq!(h.connected_median("epic").await, Some(DAY * 10));
    h.becomes("m1", "epic", "DISCONNECTED", DAY).await;
    assert_eq!(h.connected_median("epic").await, Some(DAY * 10), "it was broken before");
    h.becomes("m2", "epic", "DISCONNECTED", DAY * 9).await;
    assert_eq!(h.connected_median("epic").await, Some(DAY * 15), "of 10 and 20 days");
    h.becomes("m3", "epic", "EXPIRED", DAY * 10).await;
    assert_eq!(
        h.connected_median("epic").await,
        Some(DAY * 20),
        "of 10, 20, and 30 days, whatever the error"
    );
    h.clock.advance(DAY * 11);
    assert_eq!(h.connected_median("epic").await, Some(DAY * 25), "the first break is more than 30 days ago");
}

#[tokio::test]
async fn a_connection_that_is_new_for_a_watched_member_is_connected_from_then_on() {
    let h = watching(&["m1"]).await;
    h.becomes("m1", "kaiser", "CONNECTED", DAY).await;
    h.becomes("m1", "kaiser", "EXPIRED", DAY * 3).await;
    assert_eq!(h.connected_median("kaiser").await, Some(DAY * 3));
    h.becomes("m1", "cigna", "EXPIRED", DAY).await;
    let broken_when_first_seen = h.source("cigna").await.unwrap();
    assert_eq!((broken_when_first_seen.lapsed, broken_when_first_seen.connected_median), (1, None));
}

#[tokio::test]
async fn a_lapse_that_resumes_is_one_lapse_and_one_recovery() {
    let h = watching(&["m1"]).await;
    h.becomes("m1", "epic", "EXPIRED", DAY).await;
    h.becomes("m1", "epic", "CONNECTED", DAY).await;
    assert_eq!(h.counts().await, [1, 0, 1, 1]);
    h.becomes("m1", "epic", "EXPIRED", HOUR * 6).await;
    assert_eq!((h.counts().await, h.recovery_median().await), ([1, 1, 1, 0], None));
    assert_eq!(h.connected_median("epic").await, Some(HOUR * 6), "it worked for six hours");
    h.becomes("m1", "epic", "CONNECTED", HOUR * 6).await;
    assert_eq!(h.counts().await, [1, 0, 1, 1]);
    assert_eq!(h.recovery_median().await, Some(HOUR * 36), "to the last recovery");
}

#[tokio::test]
async fn a_break_counts_once_it_is_confirmed_and_then_from_its_first_observation() {
    let h = watching_with(Setup::default().set("SWEEP__CONFIRM_SWEEPS", 2), &["m1"]).await;
    h.becomes("m1", "epic", "EXPIRED", DAY).await;
    assert_eq!(h.counts().await, [1, 0, 0, 0]);
    h.sweep_after(HOUR).await;
    h.becomes("m1", "epic", "CONNECTED", DAY).await;
    let connected = h.clock.now();
    for status in ["EXPIRED", "CONNECTED"] {
        h.becomes("m1", "epic", status, DAY).await;
        assert_eq!((h.counts().await, h.connected_median("epic").await), ([1, 0, 1, 1], None), "{status}");
    }
    h.becomes("m1", "epic", "EXPIRED", DAY * 7).await;
    let broken = h.clock.now();
    assert_eq!(h.connected_median("epic").await, None);
    h.sweep_after(HOUR).await;
    assert_eq!(h.connected_median("epic").await, Some(broken - connected));
}

#[tokio::test]
async fn what_is_broken_on_purpose_is_no_lapse() {
    let h = watching(&["m1"]).await;
    h.becomes("m1", "kaiser", "CONNECTED", DAY).await;
    let intent = DisconnectKind::Disconnect;
    let (m1, kaiser) = ("m1".into(), "kaiser".into());
    h.app.store.record_disconnect_intent(&m1, &kaiser, intent, h.clock.now()).await.unwrap();
    h.becomes("m1", "kaiser", "DISCONNECTED", DAY).await;
    h.becomes("m1", "kaiser", "CONNECTED", DAY).await;
    let stats = h.source("kaiser").await.unwrap();
    assert_eq!((stats.lapsed, stats.recovered, stats.connected_median), (0, 0, None));
    h.becomes("m1", "kaiser", "EXPIRED", DAY * 9).await;
    assert_eq!(h.connected_median("kaiser").await, Some(DAY * 9));
}

#[tokio::test]
async fn what_happened_to_a_removed_member_counts_until_the_member_is_erased() {
    let h = watching(&["m1", "m2"]).await;
    for member in ["m1", "m2"] {
        h.becomes(member, "epic", "EXPIRED", DAY).await;
    }
    h.becomes("m1", "epic", "CONNECTED", DAY).await;
    h.becomes("m1", "epic", "EXPIRED", DAY * 8).await;
    h.becomes("m1", "epic", "CONNECTED", HOUR).await;
    assert_eq!(h.counts().await, [2, 1, 3, 2]);
    let (m1, m2) = ("m1".into(), "m2".into());
    assert!(h.app.store.remove_member(&m1, h.clock.now()).await.unwrap());
    assert_eq!(h.counts().await, [1, 1, 3, 2]);
    assert_eq!(h.connected_median("epic").await, Some(DAY * 8));
    assert!(h.app.store.remove_member(&m2, h.clock.now()).await.unwrap());
    let nobody = h.source("epic").await.unwrap();
    assert_eq!((h.counts().await, nobody.lapse_rate()), ([0, 0, 3, 2], None));
    assert_eq!(nobody.name, "Epic MyChart");
    assert!(h.app.store.erase_member(&m1, &"erased:1".into(), h.app.clock.now()).await.unwrap());
    assert_eq!((h.counts().await, h.connected_median("epic").await), ([0, 0, 1, 0], None));
    assert!(h.app.store.erase_member(&m2, &"erased:1".into(), h.app.clock.now()).await.unwrap());
    assert_eq!(h.source("epic").await, None);
}

#[tokio::test]
async fn a_source_that_nobody_has_and_that_did_nothing_is_not_listed() {
    let h = watching(&["m1"]).await;
    h.becomes("m1", "kaiser", "CONNECTED", DAY).await;
    assert_eq!(h.source("kaiser").await.unwrap().connections, 1);
    h.becomes("m1", "kaiser", "DELETED", DAY).await;
    assert_eq!(h.source("kaiser").await, None);
}

#[tokio::test]
async fn spellings_of_a_source_count_together_under_the_name_that_most_connections_have() {
    let h = Setup::default().members(4).start().await;
    let names =
        [("m1", "kaiser", "Kaiser"), ("m2", "Kaiser", "Kaiser North"), ("m3", "KAISER", "Kaiser North")];
    for (member, spelling, name) in names {
        let change = Change { name: Some(name.into()), ..Change::status("EXPIRED") };
        h.sim.world().change(member, spelling, change).unwrap();
    }
    h.set("m4", "anthem", "EXPIRED");
    h.enrol(&MEMBERS).await;
    h.sweep().await;
    let all = h.app.store.source_stats(h.clock.now()).await.unwrap();
    let shown: Vec<_> = all
        .iter()
        .map(|stats| (stats.source.as_str(), stats.name.as_str(), stats.connections, stats.open_lapses))
        .filter(|(source, ..)| ["kaiser", "anthem", "epic"].contains(source))
        .collect();
    let kaiser = ("kaiser", "Kaiser North", 3, 3);
    assert_eq!(shown, [kaiser, ("anthem", "Anthem", 1, 1), ("epic", "Epic MyChart", 4, 0)]);
    assert_eq!((all[0].lapsed, all[0].connected_median), (3, None), "broken when first observed");
    let change = Change { name: Some("Kaiser".into()), ..Change::default() };
    h.sim.world().change("m2", "Kaiser", change).unwrap();
    h.sweep_after(DAY).await;
    assert_eq!(h.source("kaiser").await.unwrap().name, "Kaiser");
}
