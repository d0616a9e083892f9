//! What must be true at the end.

use super::{
    fleet::{Fleet, Place},
    is_even,
};
use reconnectd::store::testing::TestDatabase;
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

impl Fleet {
    /// `struck`: how long the faults took.
    pub(super) async fn verify(&self, struck: Duration) {
        // The last sweep may have been interrupted.
        self.instances[0].home.run(&["once"]).await.well();
        let mut rows = self.rows().await;
        for table in ["sweep_pages", "token_refresh_leases", "instances"] {
            assert_eq!(rows.count(table).await.unwrap(), 0, "{table}: nothing is left");
        }
        let repeated = self.verify_emails(&mut rows).await;
        self.verify_paths().await;
        let presumed_dead = self.logs.matches("event=\"instance_was_presumed_dead\"").count();
        let released = self.logs.matches("event=\"leases_released\"").count();
        #[expect(clippy::print_stdout, reason = "figures")]
        {
            println!(
                "{struck:.0?} of {:.0?}: {:?}; {} emails, {repeated} sent again; {presumed_dead} presumed dead, {released} times leases were released",
                self.started_at.elapsed(),
                self.blows,
                self.simulator.mailbox().received()
            );
        }
        if let Place::Server(_) = self.place {
            assert!(presumed_dead > 0 && released > 0, "no instance was stopped for long enough");
        }
    }

    /// Each notice arrived, and once, unless the response of the mail server was lost. Returns how many arrived again.
    async fn verify_emails(&self, rows: &mut TestDatabase) -> usize {
        let mut copies: BTreeMap<String, usize> = BTreeMap::new();
        for mail in self.simulator.mailbox().mails() {
            *copies.entry(mail.to.concat().replace("@example.org", "")).or_default() += 1;
        }
        let notices = rows.rows("notices", ["notice_id", "member_id"]).await.unwrap();
        let attempts = rows.rows("attempts", ["notice_id", "attempt", "outcome"]).await.unwrap();
        let tokens = rows.rows("unsubscribe_tokens", ["notice_id", "attempt"]).await.unwrap();
        let tokens: BTreeSet<_> = tokens.into_iter().collect();
        let mut repeated = 0;
        assert_eq!(notices.len(), self.members.len());
        for [notice, member] in notices {
            let is_lost = |[of, attempt, outcome]: &&[String; 3]| {
                *of == notice
                    && (outcome == "unknown"
                        || (outcome == "interrupted" && tokens.contains(&[of.clone(), attempt.clone()])))
            };
            let lost = attempts.iter().filter(is_lost).count();
            let copies = copies.get(&member).copied().unwrap_or_default();
            assert!((1..=1 + lost).contains(&copies), "{member}: {copies} emails, {lost} lost responses");
            repeated += copies - 1;
        }
        repeated
    }

    /// Each change was recorded, and once.
    async fn verify_paths(&self) {
        let transitions = self.instances[0].home.json(&["transitions"]).await;
        let mut paths: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
        for transition in transitions.iter().filter(|transition| transition["connection_id"] == "epic") {
            let member = transition["member_id"].as_str().unwrap().to_owned();
            paths.entry(member).or_default().push(transition["to"].clone());
        }
        for member in &self.members {
            let path = &paths[member];
            let expected = [json!("CONNECTED"), json!("EXPIRED"), json!("CONNECTED")];
            assert_eq!(path, &expected[..if is_even(member) { 3 } else { 2 }], "{member}");
        }
    }
}
