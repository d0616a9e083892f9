//! Composes a replay from another configuration.

use super::policies::{planning_policy, storm_policy};
use super::recorded_policy::{has_same_storm_brake, recorded_policy};
use crate::base::config::Config;
use crate::domain::Time;
use crate::explain::Replay;
use crate::store::{Store, StoreError};
use chrono::TimeDelta;

/// How exact a replay is.
#[derive(Clone, Debug)]
pub struct Exactness {
    /// Since when everything is recorded. `None`: nothing is.
    pub recorded_since: Option<Time>,
    /// Whether the storms are simulated, because the storm brake differs from the one that was in force.
    pub has_other_storms: bool,
    /// When another policy came into force last.
    pub policy_changed_at: Option<Time>,
}

/// A replay of the past until `until` under another configuration. `above`: members with more emails within 30 days are
/// counted.
///
/// # Errors
/// The store's.
pub async fn prepare_replay(
    store: &Store,
    other: &Config,
    since: TimeDelta,
    until: Time,
    above: usize,
) -> Result<(Replay, Exactness), StoreError> {
    let from = until - since;
    let (policy, storm) = (planning_policy(other), storm_policy(&other.storm));
    let policies = store.recorded_policies(from).await?;
    let recorded = recorded_policy(&policy, &storm);
    let has_same_brake = |known: &str| {
        // What another version has recorded can differ in any way.
        let known = serde_json::from_str(known).unwrap_or_default();
        has_same_storm_brake(&known, &recorded)
    };
    let has_real_storms = policies.iter().all(|known| has_same_brake(&known.policy));
    let mut changes = policies.iter().skip(1).map(|known| known.at).filter(|at| *at > from);
    let exactness = Exactness {
        recorded_since: store.recorded_since().await?,
        has_other_storms: !has_real_storms,
        policy_changed_at: changes.next_back(),
    };
    Ok((Replay { policy, storm, has_real_storms, from, until, above }, exactness))
}
