//! Data sources, and members' connections to them.

use crate::domain::Time;
use chrono::TimeDelta;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// Text that is usually a constant.
pub(super) type Text = Cow<'static, str>;

/// How long the gateway takes to fetch the records of a new connection, and to delete those of a deleted one.
pub(super) const SETTLE_DELAY: TimeDelta = TimeDelta::seconds(10);

/// A data source.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: Text,
    pub(super) name: Text,
    pub(super) category: Text,
    pub(super) source_type: Text,
    pub(super) integration_type: Option<Text>,
    pub(super) is_direct: bool,
}

impl Source {
    /// The source with this slug. Three are built in; every other slug is an OAuth source.
    pub(super) fn named(id: &str) -> Self {
        let known =
            |id, name, category, source_type, integration_type: Option<&'static str>, is_direct| Self {
                id: Cow::Borrowed(id),
                name: Cow::Borrowed(name),
                category: Cow::Borrowed(category),
                source_type: Cow::Borrowed(source_type),
                integration_type: integration_type.map(Cow::Borrowed),
                is_direct,
            };
        match id {
            "epic" => known("epic", "Epic MyChart", "OAUTH", "CLINICAL", Some("PROA"), false),
            "basicins" => known("basicins", "Basic Insurance", "BASIC", "INSURANCE", None, false),
            "labcorp" => known("labcorp", "Labcorp", "IDENTITY", "LAB", Some("DIRECT"), true),
            other => Self {
                id: Cow::Owned(other.to_owned()),
                name: Cow::Owned(title(other)),
                ..known("", "", "OAUTH", "CLINICAL", Some("PROA"), false)
            },
        }
    }
}

/// `kaiser-north` becomes `Kaiser North`.
fn title(slug: &str) -> String {
    let words = slug.split(['-', '_']).filter(|word| !word.is_empty()).map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One member's connection to one data source.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) source: Source,
    pub(super) status: Option<Text>,
    pub(super) sync_status: Option<Text>,
    pub(super) sync_errors: Vec<String>,
    pub(super) status_updated: Time,
    pub(super) last_synced: Option<Time>,
    pub(super) created: Time,
    /// A scheduled change of the sync status.
    pub(super) settles: Option<(Time, &'static str)>,
}

impl Row {
    /// A connection that was established long ago and works.
    pub(super) fn established(source: Source, start: Time) -> Self {
        let created = start - TimeDelta::days(30);
        Self {
            source,
            status: Some(Cow::Borrowed("CONNECTED")),
            sync_status: Some(Cow::Borrowed("RETRIEVED")),
            sync_errors: Vec::new(),
            status_updated: created,
            last_synced: Some(start),
            created,
            settles: None,
        }
    }

    /// The data source's slug.
    pub fn id(&self) -> &str {
        &self.source.id
    }

    /// The status, as the gateway spells it.
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// The sync status, as the gateway spells it.
    pub fn sync_status(&self) -> Option<&str> {
        self.sync_status.as_deref()
    }

    pub(super) fn set_status(&mut self, status: &'static str, now: Time) {
        self.status = Some(Cow::Borrowed(status));
        self.status_updated = now;
    }

    /// The member has just signed in: the connection works, and the gateway fetches its records.
    pub(super) fn connect(&mut self, now: Time) {
        self.set_status("CONNECTED", now);
        self.sync_status = Some(Cow::Borrowed("PENDING"));
        self.sync_errors.clear();
        self.created = now;
        self.settles = Some((now + SETTLE_DELAY, "RETRIEVED"));
    }

    /// Starts the deletion of the records. Afterwards the row leaves the list.
    pub(super) fn delete(&mut self, now: Time) {
        self.set_status("DELETED", now);
        self.sync_status = Some(Cow::Borrowed("DELETING"));
        self.settles = Some((now + SETTLE_DELAY, "DATA_DELETED"));
    }

    /// Applies the sync status that was scheduled for `now` or earlier.
    pub(super) fn settle(&mut self, now: Time) {
        if let Some((at, sync_status)) = self.settles.take_if(|(at, _)| *at <= now) {
            self.sync_status = Some(Cow::Borrowed(sync_status));
            if sync_status == "RETRIEVED" {
                self.last_synced = Some(at);
            }
        }
    }

    pub(super) fn apply(&mut self, change: Change, now: Time) {
        self.settles = None;
        if let Some(status) = change.status {
            self.status = status.map(Cow::Owned);
            self.status_updated = now;
        }
        if let Some(sync_status) = change.sync_status {
            self.sync_status = sync_status.map(Cow::Owned);
        }
        if let Some(integration_type) = change.integration_type {
            self.source.integration_type = integration_type.map(Cow::Owned);
        }
        let texts = [
            (&mut self.source.name, change.name),
            (&mut self.source.category, change.category),
            (&mut self.source.source_type, change.source_type),
        ];
        for (field, text) in texts {
            if let Some(text) = text {
                *field = Cow::Owned(text);
            }
        }
        self.source.is_direct = change.is_direct.unwrap_or(self.source.is_direct);
        self.sync_errors = change.sync_errors.unwrap_or_else(|| std::mem::take(&mut self.sync_errors));
    }
}

/// The member's connection to this source. A missing one is created as if it had long been established.
pub(super) fn find_or_create<'a>(rows: &'a mut Vec<Row>, connection: &str, now: Time) -> &'a mut Row {
    let at = rows.iter().position(|row| row.id() == connection).unwrap_or_else(|| {
        rows.push(Row {
            created: now,
            status_updated: now,
            ..Row::established(Source::named(connection), now)
        });
        rows.len() - 1
    });
    &mut rows[at]
}

/// A change of a connection. `None` leaves a field as it is. For a nullable field, `Some(None)` (in JSON: `null`) makes it
/// null. Any text is accepted, so that a client can be tested with unknown values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Change {
    /// The status.
    #[serde(deserialize_with = "present")]
    pub status: Option<Option<String>>,
    /// The sync status.
    #[serde(deserialize_with = "present")]
    pub sync_status: Option<Option<String>>,
    /// The codes of sync errors.
    pub sync_errors: Option<Vec<String>>,
    /// The data source's name.
    pub name: Option<String>,
    /// The data source's category.
    pub category: Option<String>,
    /// The data source's type.
    #[serde(rename = "type")]
    pub source_type: Option<String>,
    /// The data source's integration type.
    #[serde(deserialize_with = "present")]
    pub integration_type: Option<Option<String>>,
    /// Whether it needs no credentials.
    pub is_direct: Option<bool>,
    /// Removes the row from the list; the other fields are ignored.
    pub absent: bool,
}

impl Change {
    /// The new status.
    pub fn status(status: &str) -> Self {
        Self { status: Some(Some(status.to_owned())), ..Self::default() }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
