//! `[notices]` and `[storm]`: when members receive email, and what it discloses.

use super::values;
use crate::domain::{Locale, QuietHours};
use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, de::Error};
use std::{path::PathBuf, time::Duration};
use url::Url;

/// How much an email may disclose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Disclosure {
    /// The operator only.
    Generic,
    /// Also the kind of source.
    Kind,
    /// Also the name of the source.
    Name,
}

impl Disclosure {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Kind => "kind",
            Self::Name => "name",
        }
    }
}

/// How members get notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    Email,
    /// The operator's own systems tell the member: a notice is an event to `webhook.url`.
    Webhook,
    /// By email, and each email is also an event.
    Both,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// An email includes every lapse that is due within this time.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) digest_window: Duration,
    /// The shortest time between two emails to one address.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) min_gap: Duration,
    /// The most emails to one address in any 30 days.
    #[serde(deserialize_with = "values::integer::<_, _, 1, 1000>")]
    pub(crate) max_per_month: u32,
    pub(crate) channel: Channel,
    /// In the member's time zone.
    #[serde(deserialize_with = "quiet_hours")]
    pub(crate) quiet_hours: Option<QuietHours>,
    /// For members without one.
    #[serde(deserialize_with = "time_zone")]
    pub(crate) time_zone: Tz,
    /// For members without one.
    #[serde(deserialize_with = "values::parsed")]
    pub(crate) locale: Locale,
    pub(crate) disclosure: Disclosure,
    /// The page where members repair connections that OAuth cannot repair.
    #[serde(deserialize_with = "values::optional_secure_url")]
    pub(crate) app_url: Option<Url>,
    /// A readable directory of templates that override the built-in ones.
    #[serde(deserialize_with = "templates")]
    pub(crate) templates: Option<PathBuf>,
    pub(crate) expired: Expired,
    pub(crate) disconnected: Disconnected,
    pub(crate) recovered: Recovered,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expired {
    /// From the first observation to the first email.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) first_after: Duration,
    pub(crate) enabled: bool,
    /// Ascending, counted from the first email.
    #[serde(deserialize_with = "values::ascending_durations")]
    pub(crate) reminders: Vec<Duration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnected {
    /// From the first observation to the first email.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) first_after: Duration,
    pub(crate) enabled: bool,
    /// Also for direct connections, which one press reactivates.
    pub(crate) direct: bool,
    /// Ascending, counted from the first email.
    #[serde(deserialize_with = "values::ascending_durations")]
    pub(crate) reminders: Vec<Duration>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recovered {
    pub(crate) enabled: bool,
}

fn quiet_hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<QuietHours>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let wall_time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    text.split_once('-')
        .and_then(|(from, until)| Some(QuietHours { from: wall_time(from)?, until: wall_time(until)? }))
        .filter(|hours| hours.from != hours.until)
        .map(Some)
        .ok_or_else(|| D::Error::custom("must be \"HH:MM-HH:MM\", such as \"21:00-08:00\", or \"\" for none"))
}

fn time_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    String::deserialize(deserializer)?
        .parse()
        .map_err(|_| D::Error::custom("unknown time zone; write an IANA name, such as \"Europe/Madrid\""))
}

fn templates<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.as_os_str().is_empty() {
        Ok(None)
    } else if path.is_dir() {
        Ok(Some(path))
    } else {
        Err(D::Error::custom(
            "not a readable directory; create it, or write \"\" to use the built-in templates",
        ))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storm {
    /// 0: no brake.
    #[serde(deserialize_with = "values::integer::<_, _, 0, { u32::MAX as i64 }>")]
    pub(crate) min_members: u32,
    #[serde(deserialize_with = "values::share")]
    pub(crate) share: f64,
    #[serde(deserialize_with = "values::share")]
    pub(crate) fleet_share: f64,
    #[serde(deserialize_with = "values::positive_duration")]
    pub(crate) window: Duration,
    /// What goes out of a hold that has ended.
    #[serde(deserialize_with = "values::integer::<_, _, 1, { u32::MAX as i64 }>")]
    pub(crate) drip_per_minute: u32,
}
