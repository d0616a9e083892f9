//! Finds the sources and the email domains whose emails people no longer press.

use super::press_band::{Presses, is_below_band};
use crate::base::cached::Cached;
use crate::base::clock::Clock;
use crate::store::{PressedEmails, Store, StoreError};
use chrono::TimeDelta;
use std::sync::Arc;

/// An email counts when it had a day to be pressed.
const PRESS_TIME: TimeDelta = TimeDelta::days(1);
/// The emails that are compared, and those that show what is usual.
const RECENT: TimeDelta = TimeDelta::days(2);
const USUAL: TimeDelta = TimeDelta::days(28);

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathKind {
    Source,
    Domain,
}

impl PathKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Domain => "domain",
        }
    }
}

/// People press far fewer links of a source, or at an email domain, than usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathAlarm {
    pub kind: PathKind,
    /// The source's id in lower case, or the domain. The usual number of emails shows that it has many addresses.
    pub name: String,
    /// In the four weeks before.
    pub usual: Presses,
    /// In two days, the last of which ended a day ago.
    pub recent: Presses,
}

/// Cheap to clone. Clones share the last result.
#[derive(Clone)]
pub struct PathWatch {
    store: Store,
    clock: Clock,
    alarms: Cached<Vec<PathAlarm>>,
}

impl PathWatch {
    pub(crate) fn new(store: Store, clock: Clock) -> Self {
        Self { alarms: Cached::new(&clock), store, clock }
    }

    /// The sources first, then the domains, each by name.
    ///
    /// # Errors
    /// Only errors of the store.
    pub async fn alarms(&self) -> Result<Arc<Vec<PathAlarm>>, StoreError> {
        let this = self.clone();
        self.alarms.get(async move { this.evaluate().await }).await
    }

    async fn evaluate(&self) -> Result<Vec<PathAlarm>, StoreError> {
        let until = self.clock.now() - PRESS_TIME;
        let recent_since = until - RECENT;
        let since = recent_since - USUAL;
        let sources = self.store.pressed_by_source(since, recent_since, until, PRESS_TIME).await?;
        let domains = self.store.pressed_by_domain(since, recent_since, until, PRESS_TIME).await?;
        let of = |kind: PathKind, rows: Vec<PressedEmails>| {
            rows.into_iter().filter_map(move |row| alarm(kind, row))
        };
        Ok(of(PathKind::Source, sources).chain(of(PathKind::Domain, domains)).collect())
    }
}

fn alarm(kind: PathKind, row: PressedEmails) -> Option<PathAlarm> {
    let usual = Presses { emails: row.usual_emails, pressed: row.usual_pressed };
    let recent = Presses { emails: row.recent_emails, pressed: row.recent_pressed };
    is_below_band(usual, recent).then_some(PathAlarm { kind, name: row.name, usual, recent })
}
