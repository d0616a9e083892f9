//! `[notices]` and `[storm]`: what is said to a member, when, and when better nothing.

use super::{Span, diagnostic::Report, values};
use chrono::NaiveTime;
use chrono_tz::Tz;
use serde::Deserialize;
use std::{path::Path, time::Duration};

/// What a mail may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Disclosure {
    /// The operator only.
    Generic,
    /// What kind of source it is, too.
    Kind,
    /// The source's name, too.
    Name,
}

impl Disclosure {
    /// As it is written in the configuration.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Kind => "kind",
            Self::Name => "name",
        }
    }
}

/// `[notices]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notices {
    /// What falls due within this time of a mail goes into it.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) digest_window: Duration,
    /// Between two mails to one member.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) min_gap: Duration,
    /// Mails to one member in 30 days.
    pub(crate) max_per_month: u32,
    /// `HH:MM-HH:MM`, or empty. [`Notices::quiet_hours`] reads it.
    pub(crate) quiet_hours: String,
    /// For members without one.
    #[serde(deserialize_with = "values::time_zone")]
    #[expect(dead_code, reason = "reserved for quiet hours")]
    pub(crate) time_zone: Tz,
    /// For members without one.
    pub(crate) locale: String,
    /// What a mail may tell.
    pub(crate) disclosure: Disclosure,
    /// Where what OAuth cannot repair is repaired; may be empty.
    pub(crate) app_url: String,
    /// A directory over the built-in templates; may be empty.
    pub(crate) templates: String,
    /// `[notices.expired]`
    pub(crate) expired: PerStatus,
    /// `[notices.disconnected]`
    pub(crate) disconnected: PerStatus,
    /// `[notices.recovered]`
    pub(crate) recovered: Recovered,
}

/// `[notices.expired]`, `[notices.disconnected]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerStatus {
    /// Whether to mail at all.
    pub(crate) enabled: bool,
    /// Counted from the first mail. Ascending.
    pub(crate) reminders: Vec<Span>,
}

/// `[notices.recovered]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recovered {
    /// Whether to tell members that a connection works again, where they were written about it.
    pub(crate) enabled: bool,
}

/// Wall-clock hours in which no mail goes out; over midnight when `from` is the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuietHours {
    /// The first quiet minute.
    pub(crate) from: NaiveTime,
    /// The first minute that is not quiet any more.
    pub(crate) until: NaiveTime,
}

impl Notices {
    /// The quiet hours, if there are any. A loaded configuration has no others than these.
    pub(crate) fn quiet_hours(&self) -> Option<QuietHours> {
        let (from, until) = self.quiet_hours.split_once('-')?;
        let (from, until) = (wall_time(from)?, wall_time(until)?);
        (from != until).then_some(QuietHours { from, until })
    }

    pub(super) fn validate(&self, report: &mut Report) {
        if self.max_per_month == 0 {
            report.error("notices.max_per_month", "is 0; write at least 1");
        }
        if !self.quiet_hours.is_empty() && self.quiet_hours().is_none() {
            report.error(
                "notices.quiet_hours",
                "is not a span of the day; write \"HH:MM-HH:MM\" as in \"21:00-08:00\", or \"\" for none",
            );
        }
        if !values::is_locale(&self.locale) {
            report.error("notices.locale", "is not a language tag; write one such as \"en\" or \"es-MX\"");
        }
        if !self.app_url.is_empty() {
            report.check("notices.app_url", values::secure_url_text(&self.app_url));
        }
        if !self.templates.is_empty() && !Path::new(&self.templates).is_dir() {
            report.error(
                "notices.templates",
                "is no directory that can be read; create it, or write \"\" for the built-in templates",
            );
        }
        report.check("notices.expired.reminders", values::ascending(&self.expired.reminders));
        report.check("notices.disconnected.reminders", values::ascending(&self.disconnected.reminders));
    }
}

fn wall_time(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text.trim(), "%H:%M").ok()
}

/// `[storm]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storm {
    /// Fewer lapses of one source are no storm.
    pub(crate) min_members: u32,
    /// Of the source's members, 0 to 1.
    pub(crate) share: f64,
    /// In which they lapse.
    #[serde(deserialize_with = "values::duration")]
    pub(crate) window: Duration,
}

impl Storm {
    pub(super) fn validate(&self, report: &mut Report) {
        if self.min_members == 0 {
            report.error("storm.min_members", "is 0, and every lapse would be a storm; write at least 1");
        }
        if !(0.0..=1.0).contains(&self.share) {
            report.error("storm.share", "is out of range; write a share from 0 to 1, as in 0.2");
        }
        if self.window.is_zero() {
            report.error("storm.window", "is zero; write a duration such as \"1h\"");
        }
    }
}
