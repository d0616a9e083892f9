//! The days of the charts, and what happened on each of them.

use crate::store::DayCount;
use chrono::{Days, NaiveDate};

/// The range of a chart by day.
pub(super) struct DayRange {
    first: NaiveDate,
    days: usize,
}

impl DayRange {
    /// Both days included.
    pub(super) fn new(first: NaiveDate, last: NaiveDate) -> Self {
        Self { first, days: usize::try_from((last - first).num_days() + 1).unwrap_or(1) }
    }

    pub(super) fn labels(&self) -> Vec<String> {
        (0..self.days).map(|place| self.day(place).format("%b %-d").to_string()).collect()
    }

    fn day(&self, place: usize) -> NaiveDate {
        self.first.checked_add_days(Days::new(place as u64)).unwrap_or(self.first)
    }

    /// The count of each day. `source`: only of this one, in lower case.
    pub(super) fn values(&self, counts: &[DayCount], source: Option<&str>) -> Vec<u64> {
        let mut values = vec![0; self.days];
        for count in counts {
            let is_meant =
                source.is_none_or(|source| count.source.as_ref().is_some_and(|of| of.as_str() == source));
            let place = usize::try_from((count.day - self.first).num_days()).ok();
            if let Some(value) = place.and_then(|place| values.get_mut(place)).filter(|_| is_meant) {
                *value += count.count;
            }
        }
        values
    }

    /// Such as "2026-10-28 to 2026-11-26, days in UTC".
    pub(super) fn describe(&self) -> String {
        format!("{} to {}, days in UTC", self.first, self.day(self.days.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_of_the_range_has_a_value() {
        let day = |n| NaiveDate::from_ymd_opt(2026, 2, n).unwrap();
        let range = DayRange::new(day(26), NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
        assert_eq!(range.labels(), ["Feb 26", "Feb 27", "Feb 28", "Mar 1"]);
        let count = |day, source: &str, count| DayCount { day, source: Some(source.into()), count };
        let counts = [count(day(25), "epic", 9), count(day(27), "epic", 2), count(day(27), "kaiser", 1)];
        assert_eq!(range.values(&counts, None), [0, 3, 0, 0]);
        assert_eq!(range.values(&counts, Some("epic")), [0, 2, 0, 0]);
        assert_eq!(range.describe(), "2026-02-26 to 2026-03-01, days in UTC");
    }
}
