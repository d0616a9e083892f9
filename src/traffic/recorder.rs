//! Actor: counts who visits links, machines and persons apart.
//!
//! A visit is judged by what came around it, so each is held in memory for a few seconds before it is counted. What a
//! crash loses is statistics.

use crate::base::telemetry::metrics;
use crate::domain::{Act, By, Time, TokenHash, Visit};
use crate::store::{Opening, Store, StoreError, Tally};
use crate::traffic::bot_detection::{self, Link, PAIRING};
use crate::traffic::visits::Seen;
use chrono::{DurationRound, TimeDelta};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Visits held in memory; further ones wait in the queue, and when that is full they are dropped.
const MOST: usize = 8192;

/// Counts visits. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    store: Store,
    held: Arc<Mutex<Held>>,
}

struct Held {
    seen: Seen,
    links: HashMap<TokenHash, Vec<Holding>>,
}

/// One that is counted stays for a while: it speaks for or against the next.
struct Holding {
    visit: Visit,
    counted: bool,
}

impl Held {
    fn take_up(&mut self) {
        let mut held: usize = self.links.values().map(Vec::len).sum();
        while held < MOST
            && let Ok((link, visit)) = self.seen.try_recv()
        {
            self.links.entry(link).or_default().push(Holding { visit, counted: false });
            held += 1;
        }
    }

    /// A visit that a clock recorded while it was ahead would be held, and its memory with it, until that time comes.
    fn pull_back(&mut self, now: Time) {
        for holding in self.links.values_mut().flatten() {
            holding.visit.at = holding.visit.at.min(now);
        }
    }

    fn mark_counted(&mut self, until: Time) {
        for holding in self.links.values_mut().flatten() {
            holding.counted |= holding.visit.at <= until;
        }
    }

    fn forget(&mut self, until: Time) {
        self.links.retain(|_, visits| {
            visits.retain(|holding| !holding.counted || holding.visit.at > until);
            !visits.is_empty()
        });
    }
}

impl Recorder {
    /// Counts what `seen` brings.
    pub fn new(store: Store, seen: Seen) -> Self {
        Self { store, held: Arc::new(Mutex::new(Held { seen, links: HashMap::new() })) }
    }

    /// Counts the visits that can be judged at `now`. Gives how many links they were to.
    ///
    /// # Errors
    /// The store's; then they are counted the next time.
    pub async fn record_due(&self, now: Time) -> Result<usize, StoreError> {
        self.held.lock().await.pull_back(now);
        self.record(now - PAIRING).await
    }

    /// Counts all visits, as far as they can be judged.
    ///
    /// # Errors
    /// The store's.
    pub async fn flush(&self) -> Result<usize, StoreError> {
        self.record(Time::MAX_UTC).await
    }

    async fn record(&self, until: Time) -> Result<usize, StoreError> {
        let mut held = self.held.lock().await;
        held.take_up();
        let mut counts = Counts::default();
        for (link, visits) in &held.links {
            if visits.iter().any(|holding| !holding.counted && holding.visit.at <= until) {
                self.judge(*link, visits, until, &mut counts).await?;
            }
        }
        let tallies = counts.tallies();
        if !tallies.is_empty() {
            self.store.count_visits(&tallies, &counts.openings).await?;
        }
        for tally in &tallies {
            metrics::visits(tally.act, tally.by, tally.visits);
        }
        held.mark_counted(until);
        held.forget(until.checked_sub_signed(PAIRING).unwrap_or(until));
        Ok(counts.openings.len())
    }

    /// Visits to a link that there is not, or no longer, or whose member is gone, come to nothing.
    async fn judge(
        &self,
        link: TokenHash,
        visits: &[Holding],
        until: Time,
        counts: &mut Counts,
    ) -> Result<(), StoreError> {
        let Some(known) = self.store.visited_link(link).await? else { return Ok(()) };
        let Some(domain) = known.domain else { return Ok(()) };
        let around: Vec<Visit> = visits.iter().map(|holding| holding.visit).collect();
        let evidence = Link { mailing: known.mailing, looked_at: known.looked_at, around: &around };
        let mut opening = Opening { link, looked_at: known.looked_at, opened_at: None };
        for Holding { visit, .. } in visits.iter().filter(|held| !held.counted && held.visit.at <= until) {
            let by = bot_detection::who(visit, &evidence);
            *counts.by_kind.entry((day(visit.at), domain.clone(), visit.act, by)).or_default() += 1;
            if visit.act == Act::Look {
                opening.looked_at = opening.looked_at.max(Some(visit.at));
            }
            // Who presses has opened the page, even if that was not clear from the look.
            if by == By::Person {
                opening.opened_at = opening.opened_at.or(Some(visit.at));
            }
        }
        counts.openings.push(opening);
        Ok(())
    }
}

#[derive(Default)]
struct Counts {
    by_kind: BTreeMap<(Time, String, Act, By), u32>,
    openings: Vec<Opening>,
}

impl Counts {
    fn tallies(&mut self) -> Vec<Tally> {
        let tally = |((day, domain, act, by), visits)| Tally { day, domain, act, by, visits };
        std::mem::take(&mut self.by_kind).into_iter().map(tally).collect()
    }
}

fn day(at: Time) -> Time {
    at.duration_trunc(TimeDelta::days(1)).unwrap_or(at)
}
