//! The schedule of sweeps: a cron expression in UTC. Pure.
//!
//! The last due instant depends on the current time only. A clock that was wrong, or a daemon that was not running,
//! therefore delays no sweep by more than one period.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds},
};
use std::str::FromStr;

const REMEDY: &str = "write six fields (second minute hour day month weekday), \
                      such as \"0 */15 * * * *\" for every 15 minutes";

/// A cron expression that has a next occurrence.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    expression: String,
    cron: Cron,
}

impl FromStr for Schedule {
    type Err = String;

    /// Reads the expression as the scheduler does.
    fn from_str(expression: &str) -> Result<Self, String> {
        let invalid = |reason: &str| format!("invalid cron expression ({reason}); {REMEDY}");
        let fields = expression.split_whitespace().count();
        if fields != 6 && !expression.trim_start().starts_with('@') {
            return Err(invalid(&format!("{fields} fields")));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
        let cron = parser.parse(expression).map_err(|error| match error {
            CronError::InvalidPattern(reason)
            | CronError::IllegalCharacters(reason)
            | CronError::ComponentError(reason) => invalid(reason.trim_end_matches('.')),
            other => invalid(other.to_string().trim_end_matches('.')),
        })?;
        // Every schedule that has an occurrence has one within a few years of any instant.
        if cron.find_next_occurrence(&DateTime::UNIX_EPOCH, false).is_err() {
            return Err(invalid("no such date"));
        }
        Ok(Self { expression: expression.to_owned(), cron })
    }
}

impl Schedule {
    pub(crate) fn as_str(&self) -> &str {
        &self.expression
    }

    /// The last instant up to `now` at which a sweep was due.
    pub(crate) fn last_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // croner compares whole seconds.
        self.cron.find_previous_occurrence(&now.trunc_subsecs(0), true).ok()
    }

    /// The next instant after `now` at which a sweep is due.
    pub(crate) fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&now.trunc_subsecs(0), false).ok()
    }

    /// The next two instants after `now`, for people: RFC 3339 in UTC.
    pub(crate) fn describe_next(&self, now: DateTime<Utc>) -> String {
        let first = self.next_due(now);
        let second = first.and_then(|first| self.next_due(first));
        let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        first.into_iter().chain(second).map(text).collect::<Vec<_>>().join(" and ")
    }

    /// The time between the last and the next due instant.
    pub(crate) fn period(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        Some(self.next_due(now)? - self.last_due(now)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_and_the_next_due_instant_depend_on_the_current_time_only() {
        let cases = [
            ("0 */15 * * * *", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("0 */15 * * * *", "2026-03-02T09:14:59.999Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("* * * * * *", "2026-03-02T09:00:00.500Z", "2026-03-02T09:00:00Z", "2026-03-02T09:00:01Z"),
            ("0 30 2 * * *", "2026-03-02T02:29:59Z", "2026-03-01T02:30:00Z", "2026-03-02T02:30:00Z"),
            ("0 0 0 29 2 *", "2026-03-02T00:00:00Z", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("@hourly", "2026-03-02T09:30:00Z", "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"),
        ];
        for (expression, now, last, next) in cases {
            let schedule = expression.parse::<Schedule>().unwrap();
            assert_eq!(schedule.last_due(at(now)), Some(at(last)), "{expression} at {now}");
            assert_eq!(schedule.next_due(at(now)), Some(at(next)), "{expression} at {now}");
            assert_eq!(schedule.period(at(now)), Some(at(next) - at(last)), "{expression} at {now}");
        }
    }

    #[test]
    fn an_invalid_expression_and_one_that_never_fires_are_rejected() {
        let never = ["0 0 0 31 2 *", "0 0 0 30 2 *", "0 0 0 31 4,6,9,11 *"];
        let invalid = ["", "* * * * *", "0 0 0 1 1 * 2030", "61 * * * * *", "soon", "@sometimes"];
        for expression in never.into_iter().chain(invalid) {
            assert!(expression.parse::<Schedule>().is_err(), "{expression}");
        }
        assert!("0 0 0 29 2 *".parse::<Schedule>().is_ok(), "leap days exist");
    }

    #[test]
    fn the_next_two_instants_are_named() {
        let schedule = "0 */15 * * * *".parse::<Schedule>().unwrap();
        let next = schedule.describe_next(at("2026-03-02T09:44:59.5Z"));
        assert_eq!(next, "2026-03-02T09:45:00Z and 2026-03-02T10:00:00Z");
    }
}
