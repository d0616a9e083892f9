//! `[sweep]`: when members are polled, and when a lapse is confirmed.

use super::{schedule::Schedule, values};
use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    #[serde(deserialize_with = "values::parsed")]
    pub(crate) schedule: Schedule,
    /// Consecutive responses that must show a connection broken.
    #[serde(deserialize_with = "values::integer::<_, _, 1, 100>")]
    pub(crate) confirm_sweeps: u32,
    /// The shortest time for which they must show it.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) confirm_after: Duration,
    /// A connection that breaks again this soon after its recovery resumes its old lapse.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) flap_window: Duration,
    pub(crate) recheck: RecheckDelays,
}

/// The delays of the rechecks after a redemption: ascending, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecheckDelays(Vec<Duration>);

impl RecheckDelays {
    pub(crate) fn first(&self) -> Duration {
        self.0[0]
    }

    pub(crate) fn last(&self) -> Duration {
        self.0[self.0.len() - 1]
    }

    pub(crate) fn as_slice(&self) -> &[Duration] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RecheckDelays {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let delays = values::ascending_durations(deserializer)?;
        if delays.is_empty() {
            return Err(D::Error::custom("must have at least one entry, such as [\"2m\"]"));
        }
        Ok(Self(delays))
    }
}
