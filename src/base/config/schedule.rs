//! The schedule of sweeps: a cron expression in UTC, asked when it was due last. Pure.
//!
//! The last due instant follows from the present time alone, so that a clock that was wrong for a while, or a process
//! that was not there, delays no sweep by more than one period.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use croner::{
    Cron,
    errors::CronError,
    parser::{CronParser, Seconds},
};

/// A schedule that fires.
#[derive(Clone, Debug)]
pub(crate) struct Schedule(Cron);

impl Schedule {
    /// Reads the expression as the scheduler does.
    ///
    /// # Errors
    /// What is wrong with the expression.
    pub(crate) fn parse(expression: &str) -> Result<Self, String> {
        let fields = expression.split_whitespace().count();
        if fields != 6 && !expression.trim_start().starts_with('@') {
            return Err(format!("has {fields} fields, not six"));
        }
        let parser = CronParser::builder().seconds(Seconds::Required).dom_and_dow(true).build();
        let cron = parser.parse(expression).map_err(|error| match error {
            CronError::EmptyPattern => "is empty".to_owned(),
            CronError::InvalidPattern(what)
            | CronError::IllegalCharacters(what)
            | CronError::ComponentError(what) => what.trim_end_matches('.').to_owned(),
            other => other.to_string().trim_end_matches('.').to_owned(),
        })?;
        // Any instant does: a schedule that fires at all does so within a few years.
        let since = DateTime::<Utc>::UNIX_EPOCH;
        if cron.find_next_occurrence(&since, false).is_err() {
            return Err("never fires: there is no such day".to_owned());
        }
        Ok(Self(cron))
    }

    /// The last instant up to `now` at which a sweep was due.
    pub(crate) fn last_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Whole seconds are what it knows.
        self.0.find_previous_occurrence(&now.trunc_subsecs(0), true).ok()
    }

    /// The next instant after `now` at which a sweep is due.
    pub(crate) fn next_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.0.find_next_occurrence(&now.trunc_subsecs(0), false).ok()
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
    fn the_last_and_the_next_due_instant_follow_from_the_present_alone() {
        let cases = [
            ("0 */15 * * * *", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("0 */15 * * * *", "2026-03-02T09:14:59.999Z", "2026-03-02T09:00:00Z", "2026-03-02T09:15:00Z"),
            ("* * * * * *", "2026-03-02T09:00:00.500Z", "2026-03-02T09:00:00Z", "2026-03-02T09:00:01Z"),
            ("0 30 2 * * *", "2026-03-02T02:29:59Z", "2026-03-01T02:30:00Z", "2026-03-02T02:30:00Z"),
            ("0 0 0 29 2 *", "2026-03-02T00:00:00Z", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("@hourly", "2026-03-02T09:30:00Z", "2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z"),
        ];
        for (expression, now, last, next) in cases {
            let schedule = Schedule::parse(expression).unwrap();
            assert_eq!(schedule.last_due(at(now)), Some(at(last)), "{expression} at {now}");
            assert_eq!(schedule.next_due(at(now)), Some(at(next)), "{expression} at {now}");
            assert_eq!(schedule.period(at(now)), Some(at(next) - at(last)), "{expression} at {now}");
        }
    }

    #[test]
    fn an_expression_that_never_fires_or_is_no_schedule_is_refused() {
        for never in ["0 0 0 31 2 *", "0 0 0 30 2 *", "0 0 0 31 4,6,9,11 *"] {
            assert!(Schedule::parse(never).unwrap_err().contains("never fires"), "{never}");
        }
        for wrong in ["", "* * * * *", "0 0 0 1 1 * 2030", "61 * * * * *", "soon", "@sometimes"] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Schedule::parse("0 0 0 29 2 *").is_ok(), "a leap day comes");
    }
}
