//! How pages show numbers, durations, and times. Pure.

use crate::domain::Time;
use chrono::{SecondsFormat, TimeDelta};
use chrono_tz::Tz;

/// With thousands separators.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Such as "1 email" and "1,204 emails".
pub(super) fn count(value: u64, noun: &str) -> String {
    if value == 1 { format!("1 {noun}") } else { format!("{} {}", number(value), plural(noun)) }
}

/// Good enough for the nouns of the dashboard.
fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    }
}

/// The two largest units, such as "9 h 12 min".
pub(super) fn duration(value: TimeDelta) -> String {
    let seconds = value.num_seconds().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: i64, unit: &str, small: i64, sub: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {sub}") }
    };
    match (days, hours, minutes) {
        (0, 0, 0) if value.num_milliseconds() < 10_000 && value.num_milliseconds() % 1_000 > 0 => {
            format!("{}.{} s", seconds, value.num_milliseconds().max(0) % 1_000 / 100)
        }
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        _ => two(days, if days == 1 { "day" } else { "days" }, hours, "h"),
    }
}

/// One unit in words, such as "4 minutes ago".
pub(super) fn ago(time: Time, now: Time) -> String {
    let seconds = (now - time).num_seconds();
    if seconds < -1 {
        return format!("in {}", words(-seconds));
    }
    if seconds < 2 { "just now".to_owned() } else { format!("{} ago", words(seconds)) }
}

/// One unit in words, such as "4 minutes".
pub(super) fn words(seconds: i64) -> String {
    let (value, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    count(value.unsigned_abs(), unit)
}

/// With one digit after the point where that matters.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// A time in UTC and, if it is another one, in the viewer's zone. HTML, of parts that need no escaping.
pub(super) fn moment(time: Time, zone: Tz) -> String {
    let utc = time.format("%Y-%m-%d %H:%M UTC");
    let machine = time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let local = match zone {
        Tz::UTC => String::new(),
        zone => {
            let there = time.with_timezone(&zone);
            let day = if there.date_naive() == time.date_naive() { "" } else { "%b %-d, " };
            let format = format!("{day}%H:%M %Z");
            format!(" <span class=\"local\">({})</span>", there.format(&format))
        }
    };
    format!("<time datetime=\"{machine}\">{utc}</time>{local}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thousands_separators() {
        for (value, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(value), text);
        }
        assert_eq!(
            [count(1, "email"), count(2_000, "email"), count(0, "reply"), count(3, "day")],
            ["1 email", "2,000 emails", "0 replies", "3 days"]
        );
    }

    #[test]
    fn durations_have_their_two_largest_units() {
        for (milliseconds, text) in [
            (0, "0 s"),
            (118, "0.1 s"),
            (5_100, "5.1 s"),
            (59_900, "59 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (33_120_000, "9 h 12 min"),
            (86_400_000, "1 day"),
            (1_000_000_000, "11 days 13 h"),
            (-5, "0 s"),
        ] {
            assert_eq!(duration(TimeDelta::milliseconds(milliseconds)), text);
        }
    }

    #[test]
    fn the_distance_to_now_is_told_in_one_unit() {
        let now = Time::UNIX_EPOCH + TimeDelta::days(100);
        for (seconds, text) in [
            (0, "just now"),
            (59, "59 seconds ago"),
            (240, "4 minutes ago"),
            (7_200, "2 hours ago"),
            (200_000, "2 days ago"),
            (-600, "in 10 minutes"),
        ] {
            assert_eq!(ago(now - TimeDelta::seconds(seconds), now), text);
        }
    }

    #[test]
    fn a_time_is_shown_in_utc_and_in_the_viewer_s_zone() {
        let time: Time = "2026-11-26T03:30:00Z".parse().unwrap();
        let utc = "<time datetime=\"2026-11-26T03:30:00Z\">2026-11-26 03:30 UTC</time>";
        assert_eq!(moment(time, Tz::UTC), utc);
        assert_eq!(
            moment(time, Tz::America__New_York),
            format!("{utc} <span class=\"local\">(Nov 25, 22:30 EST)</span>")
        );
        assert_eq!(
            moment(time, Tz::Europe__Madrid),
            format!("{utc} <span class=\"local\">(04:30 CET)</span>")
        );
    }

    #[test]
    fn a_share_is_shown_in_percent() {
        assert_eq!([0.0, 0.0312, 0.234, 1.5].map(percent), ["0 %", "3.1 %", "23 %", "150 %"]);
    }
}
