//! `subscriptions`: the connections as FHIR resources, which is what version 2 of b.well's own clients lists.

use super::{
    fhir::{CodeableConcept, Extension},
    rows::Row,
    types::stamp,
};
use async_graphql::{InputObject, SimpleObject};

/// A search for an exact text.
#[derive(InputObject)]
pub(super) struct SearchString {
    value: Option<String>,
}

/// Connections, each as a FHIR resource.
#[derive(SimpleObject)]
pub(super) struct Subscriptions {
    entry: Vec<Entry>,
}

#[derive(SimpleObject)]
#[graphql(name = "SubscriptionsEntry")]
struct Entry {
    resource: Resource,
}

#[derive(SimpleObject)]
#[graphql(name = "SubscriptionsResource")]
struct Resource {
    id: String,
    meta: Meta,
    subscription_status: Vec<Status>,
}

#[derive(SimpleObject)]
struct Meta {
    source: Option<String>,
    last_updated: Option<String>,
}

#[derive(SimpleObject)]
#[graphql(name = "SubscriptionsStatus")]
struct Status {
    meta: Meta,
    error: Option<Vec<CodeableConcept>>,
    extension: Vec<Extension>,
    notification_event: Vec<NotificationEvent>,
}

#[derive(SimpleObject)]
struct NotificationEvent {
    id: &'static str,
    timestamp: String,
}

impl Subscriptions {
    /// All connections of the member. The searched source is ignored, because there is only one.
    pub(super) fn new(rows: &[Row], searched: Option<SearchString>) -> Self {
        let source = searched.and_then(|search| search.value);
        Self {
            entry: rows.iter().map(|row| Entry { resource: Resource::new(row, source.clone()) }).collect(),
        }
    }
}

impl Resource {
    fn new(row: &Row, source: Option<String>) -> Self {
        let extension = |id: &str, value: Option<&str>| Extension {
            id: Some(id.to_owned()),
            url: id.to_owned(),
            value_string: value.map(str::to_owned),
        };
        let kind = if row.source.category == "BASIC" { "hapi" } else { "oauth" };
        let mut events = vec![NotificationEvent { id: "created-date", timestamp: stamp(row.created) }];
        events.extend(
            row.last_synced.map(|at| NotificationEvent { id: "data-last-updated", timestamp: stamp(at) }),
        );
        let status = Status {
            meta: Meta { source: None, last_updated: Some(stamp(row.status_updated)) },
            error: (!row.sync_errors.is_empty()).then(|| vec![CodeableConcept::new(&row.sync_errors)]),
            extension: vec![
                extension("service_slug", Some(row.id())),
                extension("token-status", row.status()),
                extension("connection_name", Some(&row.source.name)),
                extension("connection_type", Some(kind)),
                extension("category", Some(&row.source.source_type)),
                extension("data-connection-status", row.sync_status()),
            ],
            notification_event: events,
        };
        let meta = Meta { source, last_updated: None };
        Self { id: row.id().to_owned(), meta, subscription_status: vec![status] }
    }
}
