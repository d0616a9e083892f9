//! A connection as the gateway sends it. A data source that the member is not connected to lacks the status.

use super::values;
use crate::domain::{
    Category, ConnectionId, IntegrationType, Source, SourceType, Status, SyncStatus, Time, sync_error_code,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::gateway) struct Connection {
    #[serde(deserialize_with = "values::id")]
    id: ConnectionId,
    name: String,
    category: Option<Category>,
    #[serde(rename = "type")]
    source_type: Option<SourceType>,
    integration_type: Option<IntegrationType>,
    /// Some gateways omit it. Then the connection is not direct.
    is_direct: Option<bool>,
    status: Option<Status>,
    sync_status: Option<SyncStatus>,
    sync_errors: Option<Vec<SyncError>>,
    #[serde(default, deserialize_with = "values::time")]
    last_synced: Option<Time>,
}

/// A FHIR CodeableConcept. Only its codes are kept.
#[derive(Deserialize)]
struct SyncError {
    coding: Option<OneOrMany<Coding>>,
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
}

/// FHIR defines a list; the gateway's own documentation shows one object.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl From<Connection> for crate::domain::Connection {
    fn from(wire: Connection) -> Self {
        let codings = wire.sync_errors.into_iter().flatten().filter_map(|error| error.coding);
        let sync_errors = codings
            .flat_map(|coding| match coding {
                OneOrMany::Many(codings) => codings,
                OneOrMany::One(coding) => vec![coding],
            })
            .filter_map(|coding| coding.code)
            .map(|code| sync_error_code(&code))
            .collect();
        Self {
            id: wire.id,
            source: Source {
                name: wire.name,
                category: wire.category,
                source_type: wire.source_type,
                integration_type: wire.integration_type,
                is_direct: wire.is_direct.unwrap_or(false),
            },
            status: wire.status,
            sync_status: wire.sync_status,
            sync_errors,
            last_synced: wire.last_synced,
        }
    }
}
