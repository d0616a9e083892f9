//! Quiet hours, by the wall clock where the member is.

use super::{MemberId, Time};
use chrono::{DateTime, LocalResult, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What waited for the end of the quiet hours is spread over this time.
const SPREAD: TimeDelta = TimeDelta::hours(1);
const DAY: TimeDelta = TimeDelta::days(1);
/// No zone has ever skipped more wall-clock time than a day.
const LONGEST_GAP_MINUTES: i64 = 24 * 60;

/// Wall-clock times between which no email is sent. They span midnight when `from` is later than `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuietHours {
    pub(crate) from: NaiveTime,
    /// The first minute after the quiet hours.
    pub(crate) until: NaiveTime,
}

/// A member's fixed place in the time over which waiting emails are spread, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Spread(f64);

impl Spread {
    /// Depends on the id alone.
    pub(crate) fn of(member: &MemberId) -> Self {
        let mut hasher = DefaultHasher::new();
        member.as_str().hash(&mut hasher);
        Self((hasher.finish() >> 32) as f64 / f64::from(u32::MAX))
    }
}

impl QuietHours {
    /// When an email that is due at `due` can go out, from `now` on. If it waited for the end of the quiet hours, also the
    /// member's part of the hour after them has passed by then.
    pub(crate) fn earliest(&self, due: Time, now: Time, zone: Tz, spread: Spread) -> Time {
        let at = due.max(now);
        if self.contains(at, zone) {
            return self
                .ends(at, zone, [0, 1, 2])
                .filter(|end| *end > at)
                .min()
                .map_or(at + DAY, |end| self.after(end, zone, spread));
        }
        let last_end = self.ends(at, zone, [0, -1]).filter(|end| *end <= at).max();
        last_end.filter(|end| due < *end).map_or(at, |end| at.max(self.after(end, zone, spread)))
    }

    /// The member's part of the hour later.
    fn after(&self, end: Time, zone: Tz, spread: Spread) -> Time {
        let span = SPREAD.min(self.allowed_time());
        let spread = end + TimeDelta::milliseconds((span.num_milliseconds() as f64 * spread.0) as i64);
        // A clock change can shorten the time between two nights.
        if self.contains(spread, zone) { end } else { spread }
    }

    fn contains(&self, at: Time, zone: Tz) -> bool {
        let wall = at.with_timezone(&zone).time();
        if self.from < self.until {
            self.from <= wall && wall < self.until
        } else {
            self.from <= wall || wall < self.until
        }
    }

    /// The times at which the clock shows the end of the quiet hours, on the day of `at` and on others.
    fn ends<const N: usize>(&self, at: Time, zone: Tz, days: [i64; N]) -> impl Iterator<Item = Time> {
        let today = at.with_timezone(&zone).date_naive();
        days.into_iter()
            .filter_map(move |days| today.checked_add_signed(TimeDelta::days(days)))
            .flat_map(move |day| instants(day.and_time(self.until), zone))
            .filter(move |end| !self.contains(*end, zone))
    }

    /// Between the quiet hours of two days.
    fn allowed_time(&self) -> TimeDelta {
        let between = self.from - self.until;
        if between > TimeDelta::zero() { between } else { between + DAY }
    }
}

/// When the clock shows `wall`, perhaps twice, or the next time that it shows if it skips that.
fn instants(wall: NaiveDateTime, zone: Tz) -> Vec<Time> {
    let utc = |times: &[DateTime<Tz>]| times.iter().map(|time| time.with_timezone(&Utc)).collect();
    let shown = |minutes| match zone.from_local_datetime(&(wall + TimeDelta::minutes(minutes))) {
        LocalResult::Single(time) => Some(utc(&[time])),
        LocalResult::Ambiguous(first, second) => Some(utc(&[first, second])),
        LocalResult::None => None,
    };
    (0..=LONGEST_GAP_MINUTES).find_map(shown).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Timelike;
    use chrono_tz::{Africa, America, Asia, Australia, Europe};
    use proptest::prelude::*;

    fn hours(from: &str, until: &str) -> QuietHours {
        let wall = |text| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        QuietHours { from: wall(from), until: wall(until) }
    }

    fn nights() -> QuietHours {
        hours("21:00", "08:00")
    }

    fn at(text: &str) -> Time {
        text.parse().unwrap()
    }

    const FIRST: Spread = Spread(0.0);

    #[test]
    fn email_waits_for_the_morning_where_the_member_is() {
        for (zone, time, expected) in [
            (Europe::Berlin, "2026-06-01T18:59:59Z", "2026-06-01T18:59:59Z"),
            (Europe::Berlin, "2026-06-01T19:00:00Z", "2026-06-02T06:00:00Z"),
            (Europe::Berlin, "2026-06-02T05:59:59Z", "2026-06-02T06:00:00Z"),
            (Europe::Berlin, "2026-06-02T06:00:00Z", "2026-06-02T06:00:00Z"),
            (Asia::Kolkata, "2026-06-01T20:00:00Z", "2026-06-02T02:30:00Z"),
            (Asia::Kathmandu, "2026-06-01T20:00:00Z", "2026-06-02T02:15:00Z"),
            (America::St_Johns, "2026-06-01T03:00:00Z", "2026-06-01T10:30:00Z"),
        ] {
            assert_eq!(nights().earliest(at(time), at(time), zone, FIRST), at(expected), "{zone} {time}");
        }
    }

    #[test]
    fn quiet_hours_can_lie_within_a_day() {
        let noon = hours("12:00", "13:30");
        for (time, expected) in
            [("11:59", "11:59"), ("12:00", "13:30"), ("13:29", "13:30"), ("13:30", "13:30")]
        {
            let day = |time| at(&format!("2026-06-01T{time}:00Z"));
            assert_eq!(noon.earliest(day(time), day(time), Tz::UTC, FIRST), day(expected), "{time}");
        }
    }

    #[test]
    fn an_end_that_the_clock_skips_comes_with_the_next_time_that_it_shows() {
        // On 2026-03-29 the clock in Berlin goes from 02:00 to 03:00.
        let early = hours("21:00", "02:30");
        let time = at("2026-03-29T00:30:00Z");
        assert_eq!(early.earliest(time, time, Europe::Berlin, FIRST), at("2026-03-29T01:00:00Z"));
        let nearly_always = hours("02:45", "02:30");
        let earliest = nearly_always.earliest(time, time, Europe::Berlin, FIRST);
        assert_eq!(earliest, at("2026-03-30T00:30:00Z"), "the next time that it shows is quiet");
    }

    #[test]
    fn an_hour_that_the_clock_shows_twice_is_quiet_twice() {
        // On 2026-10-25 the clock in Berlin goes from 03:00 back to 02:00.
        let early = hours("21:00", "02:30");
        let earliest = |time| early.earliest(at(time), at(time), Europe::Berlin, FIRST);
        assert_eq!(earliest("2026-10-25T00:10:00Z"), at("2026-10-25T00:30:00Z"));
        assert_eq!(earliest("2026-10-25T00:40:00Z"), at("2026-10-25T00:40:00Z"));
        assert_eq!(earliest("2026-10-25T01:10:00Z"), at("2026-10-25T01:30:00Z"));
    }

    #[test]
    fn what_waited_is_spread_over_the_hour_after_the_quiet_hours() {
        let half = |due, now| nights().earliest(at(due), at(now), Tz::UTC, Spread(0.5));
        for (due, now, expected) in [
            ("2026-06-01T23:00:00Z", "2026-06-01T23:00:00Z", "2026-06-02T08:30:00Z"),
            ("2026-06-01T23:00:00Z", "2026-06-02T08:10:00Z", "2026-06-02T08:30:00Z"),
            ("2026-06-01T12:00:00Z", "2026-06-02T08:10:00Z", "2026-06-02T08:30:00Z"),
            ("2026-06-01T12:00:00Z", "2026-06-02T08:40:00Z", "2026-06-02T08:40:00Z"),
            ("2026-06-02T08:05:00Z", "2026-06-02T08:10:00Z", "2026-06-02T08:10:00Z"),
            ("2026-06-01T23:00:00Z", "2026-06-02T08:00:00Z", "2026-06-02T08:30:00Z"),
            ("2026-06-02T08:00:00Z", "2026-06-02T08:00:00Z", "2026-06-02T08:00:00Z"),
        ] {
            assert_eq!(half(due, now), at(expected), "due {due}, now {now}");
        }
        let evening = hours("22:00", "23:30");
        let night =
            evening.earliest(at("2026-06-01T22:30:00Z"), at("2026-06-02T00:10:00Z"), Tz::UTC, Spread(0.75));
        assert_eq!(night, at("2026-06-02T00:15:00Z"), "the hour after them goes on at midnight");
        let members: Vec<_> = (0..200).map(|n| Spread::of(&MemberId::new(format!("m{n}")))).collect();
        assert!(members.iter().all(|spread| (0.0..=1.0).contains(&spread.0)));
        let late = members.iter().filter(|spread| spread.0 > 0.5).count();
        assert!((60..140).contains(&late), "{late} of 200 in the second half");
    }

    #[test]
    fn a_short_time_between_quiet_hours_shortens_the_spread() {
        let nearly_always = hours("08:10", "08:00");
        let night = at("2026-06-01T23:00:00Z");
        let earliest = nearly_always.earliest(night, night, Tz::UTC, Spread(0.5));
        assert_eq!(earliest, at("2026-06-02T08:05:00Z"));
        let noon = at("2026-06-01T12:00:00Z");
        let earliest = hours("12:00", "13:30").earliest(noon, noon, Tz::UTC, Spread(0.5));
        assert_eq!(earliest, at("2026-06-01T14:00:00Z"));
    }

    /// Zones with odd offsets and odd clock changes, and the days around those changes in 2026 and 2027.
    fn around_clock_changes() -> impl Strategy<Value = (Tz, Time)> {
        let changes = vec![
            (Europe::Berlin, vec!["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"]),
            (America::St_Johns, vec!["2026-03-08", "2026-11-01", "2027-03-14", "2027-11-07"]),
            (Asia::Kolkata, vec!["2026-03-29"]),
            (Asia::Kathmandu, vec!["2026-03-29"]),
            (Australia::Lord_Howe, vec!["2026-04-05", "2026-10-04", "2027-04-04", "2027-10-03"]),
            (Africa::Casablanca, vec!["2026-02-15", "2026-03-22", "2027-02-07", "2027-03-14"]),
        ];
        let days: Vec<_> = changes
            .into_iter()
            .flat_map(|(zone, days)| days.into_iter().map(move |day| (zone, at(&format!("{day}T00:00:00Z")))))
            .collect();
        (prop::sample::select(days), -48 * 3600_i64..48 * 3600)
            .prop_map(|((zone, day), seconds)| (zone, day + TimeDelta::seconds(seconds)))
    }

    proptest! {
        #[test]
        fn no_email_goes_out_in_quiet_hours_and_each_does_within_the_hour_after_them(
            (zone, time) in around_clock_changes(), spread in 0.0..1.0_f64
        ) {
            let earliest = nights().earliest(time, time, zone, Spread(spread));
            let wall = earliest.with_timezone(&zone);
            prop_assert!(earliest >= time);
            prop_assert!((8..21).contains(&wall.hour()), "{wall}");
            let is_quiet = nights().contains(time, zone);
            prop_assert_eq!(is_quiet, earliest != time);
            if is_quiet {
                prop_assert_eq!(wall.hour(), 8);
                prop_assert!(earliest - time <= TimeDelta::hours(13));
            }
            // It stays due at that time, however often it is asked.
            prop_assert_eq!(nights().earliest(time, earliest, zone, Spread(spread)), earliest);
        }
    }
}
