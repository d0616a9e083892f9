//! `[retention]`: how long history is kept.

use super::{diagnostic::Findings, values};
use crate::domain::Retention as Kept;
use chrono::TimeDelta;
use serde::Deserialize;
use std::time::Duration;

/// Reports and the limits of an address look back 30 days.
const SHORTEST: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Zero: without end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    #[serde(deserialize_with = "values::duration")]
    transitions: Duration,
    #[serde(deserialize_with = "values::duration")]
    notices: Duration,
    #[serde(deserialize_with = "values::duration")]
    decisions: Duration,
    #[serde(deserialize_with = "values::duration")]
    audit: Duration,
}

impl Retention {
    /// `needs`: how far others look back at notices.
    pub(super) fn validate(&self, findings: &mut Findings, needs: &[(&'static str, Duration)]) {
        for (key, kept) in [
            ("retention.transitions", self.transitions),
            ("retention.notices", self.notices),
            ("retention.decisions", self.decisions),
            ("retention.audit", self.audit),
        ] {
            if !kept.is_zero() && kept < SHORTEST {
                findings.error(key, "must be at least \"60d\", or \"0s\" to keep everything");
            }
        }
        if self.notices.is_zero() {
            return;
        }
        for (key, time) in needs {
            if self.notices < *time {
                findings.error_because_of(
                    "retention.notices",
                    key,
                    format!("is shorter than {key}; make it longer, or that shorter"),
                );
            }
        }
    }

    pub(crate) fn kept(&self) -> Kept {
        let kept = |duration: Duration| {
            let kept = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
            Some(kept).filter(|_| !duration.is_zero())
        };
        Kept {
            transitions: kept(self.transitions),
            notices: kept(self.notices),
            decisions: kept(self.decisions),
            audit: kept(self.audit),
        }
    }
}
