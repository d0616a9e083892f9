//! `[sweep]`: when members are asked about, and when a break is believed.

use super::{Schedule, Span, diagnostic::Report, values};
use serde::Deserialize;
use std::time::Duration;

/// `[sweep]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sweep {
    /// Six-field cron expression, UTC.
    pub(crate) schedule: String,
    /// Answers in a row that must show a connection broken.
    pub(crate) confirm_sweeps: u32,
    /// And for at least this long.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) confirm_after: Duration,
    /// How soon after recovery a new break resumes the old lapse.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) flap_window: Duration,
    /// Early polls, counted from the redemption. Ascending, never empty.
    pub(crate) recheck: Vec<Span>,
}

impl Sweep {
    pub(super) fn validate(&self, report: &mut Report) {
        if let Err(what) = Schedule::parse(&self.schedule) {
            report.error(
                "sweep.schedule",
                format!(
                    "{what}; write six fields, second minute hour day month weekday, as in \
                     \"0 */15 * * * *\" for every quarter of an hour"
                ),
            );
        }
        if !(1..=100).contains(&self.confirm_sweeps) {
            report.error("sweep.confirm_sweeps", "is out of range; write a number from 1 to 100");
        }
        if self.recheck.is_empty() {
            report.error(
                "sweep.recheck",
                "is empty, and nobody would look whether a reconnection worked; \
                 write at least one entry, as in [\"2m\"]",
            );
        }
        report.check("sweep.recheck", values::ascending(&self.recheck));
    }
}
