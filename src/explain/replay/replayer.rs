//! Reads the past page by page and simulates a policy on it.

use super::addresses::divide;
use super::holds::Holds;
use super::row::{ReplayRow, rows};
use super::simulation::{Conditions, simulate};
use super::storms::{self, Openings};
use super::summary::Summary;
use crate::domain::{ConnectionId, HoldKind, MemberId, PastHold, PastSweep, StormPolicy, Time};
use crate::notify::plan::Policy;
use crate::store::{Result, Store, StoreError};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// Members in memory at a time, without those who share addresses with them.
const PAGE_SIZE: u32 = 200;
/// Lapses and holds this much earlier can still matter to a storm.
const STORM_LEAD: TimeDelta = TimeDelta::days(2);

/// What to replay.
#[derive(Clone, Debug)]
pub struct Replay {
    pub(crate) policy: Policy,
    pub(crate) storm: StormPolicy,
    /// Whether this storm brake was in force all the time: then the storms are those that happened.
    pub(crate) has_real_storms: bool,
    pub(crate) from: Time,
    pub(crate) until: Time,
    /// Members with more emails within 30 days are counted.
    pub(crate) above: usize,
}

#[derive(Clone, Debug)]
pub struct Replayer {
    store: Store,
}

impl Replayer {
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Calls `show` with each row, in the order of the members' ids. It writes nothing.
    ///
    /// # Errors
    /// The store's, and those of `show`.
    pub async fn replay<E: From<StoreError>>(
        &self,
        replay: &Replay,
        mut show: impl FnMut(&ReplayRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<Summary, E> {
        let Replay { ref policy, from, until, .. } = *replay;
        let sweeps = self.store.past_sweeps(from - STORM_LEAD, until).await?;
        let holds = self.holds(replay, &sweeps).await?;
        let pauses = self.store.planner_pauses(from, until).await?;
        let conditions = Conditions { policy, holds: &holds, sweeps: &sweeps, pauses: &pauses, from, until };
        let mut summary = Summary::new(replay.above);
        let mut after: Option<MemberId> = None;
        loop {
            let page = self.store.members_with_past(after.as_ref(), PAGE_SIZE).await?;
            let Some(last) = page.last().cloned() else { break };
            let members = self.with_sharing(page).await?;
            for (first, past) in divide(self.store.past_of(&members, from, until).await?) {
                // The others belong to an earlier page, or to a later one.
                if after.as_ref().is_some_and(|after| first <= *after) || first > last {
                    continue;
                }
                let simulated = simulate(&past, &conditions);
                for row in rows(&past, &simulated, (from, until), policy.time_zone) {
                    summary.add(&row);
                    show(&row)?;
                }
            }
            after = Some(last);
        }
        summary.end_member();
        Ok(summary)
    }

    /// Also all who are connected with them by addresses.
    async fn with_sharing(&self, page: Vec<MemberId>) -> Result<Vec<MemberId>> {
        let mut members = page;
        loop {
            let known = members.len();
            members = self.store.members_sharing_past(&members).await?;
            if members.len() == known {
                return Ok(members);
            }
        }
    }

    async fn holds(&self, replay: &Replay, sweeps: &[PastSweep]) -> Result<Holds> {
        let Replay { ref policy, ref storm, from, until, has_real_storms: are_real, .. } = *replay;
        let mut holds = self.store.past_holds(from, until).await?;
        let is_storm = |hold: &PastHold| hold.hold.kind == HoldKind::Storm;
        let mut openings = Openings::default();
        if !are_real || holds.iter().any(is_storm) {
            openings = Openings::new(&self.store.past_openings(from - STORM_LEAD, until).await?);
        }
        if !are_real {
            holds.retain(|hold| !is_storm(hold));
            let connections: BTreeMap<ConnectionId, u64> = self.store.connections_by_source().await?;
            let storms = storms::simulate(&openings, &connections, sweeps, storm, policy.drip_per_minute);
            holds.splice(0..0, storms);
        }
        Ok(Holds { holds, openings, drip_per_minute: policy.drip_per_minute, window: storm.window, are_real })
    }
}
