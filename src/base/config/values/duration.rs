use serde::{Deserialize, Deserializer, de::Error};
use std::time::Duration;

/// Ten years. A longer duration could overflow when it is added to a date.
const MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Reads `90s`, `15m`, `24h`, `7d`.
pub(in crate::base::config) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let duration = humantime::parse_duration(&text).map_err(|error| {
        D::Error::custom(format!("invalid duration ({error}); write one such as \"90s\", \"15m\", or \"7d\""))
    })?;
    if duration > MAX { Err(D::Error::custom("must be at most ten years")) } else { Ok(duration) }
}

pub(in crate::base::config) fn positive_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    match duration(deserializer)? {
        Duration::ZERO => Err(D::Error::custom("must be longer than \"0s\"")),
        duration => Ok(duration),
    }
}

/// An element of a list.
#[derive(Deserialize)]
#[serde(transparent)]
struct ConfigDuration(#[serde(deserialize_with = "positive_duration")] Duration);

pub(in crate::base::config) fn ascending_durations<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Duration>, D::Error> {
    let durations: Vec<_> =
        Vec::<ConfigDuration>::deserialize(deserializer)?.into_iter().map(|element| element.0).collect();
    if durations.is_sorted_by(|a, b| a < b) {
        Ok(durations)
    } else {
        Err(D::Error::custom("must be in ascending order, such as [\"3d\", \"10d\"]"))
    }
}
