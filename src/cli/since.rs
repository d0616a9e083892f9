//! `--since`: how long ago a report starts.

use chrono::TimeDelta;

/// No report needs more, and the calendar ends.
const MAX_SINCE: TimeDelta = TimeDelta::days(3650);

/// Reads a duration such as `30d`, of at most ten years.
pub(super) fn since(text: &str) -> Result<TimeDelta, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    TimeDelta::from_std(duration)
        .ok()
        .filter(|duration| *duration <= MAX_SINCE)
        .ok_or("must be at most ten years".into())
}
