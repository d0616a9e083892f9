//! The shapes on the wire, and how they become ours. What the schema promises must be there and of its type;
//! what may be null may also be absent; what may grow is kept as text; what is more is ignored.

use super::{DataSource, StatusChange, listing};
use crate::domain::{
    Category, ConnectionId, IntegrationType, Listing, SourceType, Status, SyncStatus, Time, sync_error_code,
};
use chrono::{DateTime, NaiveDateTime};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny},
};
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct MemberConnections {
    #[serde(rename = "getMemberConnections", deserialize_with = "listing::read")]
    pub(super) listing: Listing,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    #[serde(deserialize_with = "id")]
    id: ConnectionId,
    name: String,
    category: Option<Category>,
    #[serde(rename = "type")]
    source_type: Option<SourceType>,
    integration_type: Option<IntegrationType>,
    /// Not every gateway says it: then it is not.
    is_direct: Option<bool>,
    status: Option<Status>,
    sync_status: Option<SyncStatus>,
    sync_errors: Option<Vec<SyncError>>,
    #[serde(default, deserialize_with = "time")]
    last_synced: Option<Time>,
}

/// A FHIR CodeableConcept, of which the codes are kept.
#[derive(Deserialize)]
struct SyncError {
    coding: Option<OneOrMany<Coding>>,
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
}

/// FHIR has a list where the gateway's own documentation shows one object.
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
            name: wire.name,
            category: wire.category,
            source_type: wire.source_type,
            integration_type: wire.integration_type,
            is_direct: wire.is_direct.unwrap_or(false),
            status: wire.status,
            sync_status: wire.sync_status,
            sync_errors,
            last_synced: wire.last_synced,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct CreateConnection {
    #[serde(rename = "createConnection")]
    pub(super) connection: Connection,
}

#[derive(Deserialize)]
pub(super) struct GetOauthUrl {
    #[serde(rename = "getOauthUrl")]
    pub(super) oauth_url: OauthUrl,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OauthUrl {
    pub(super) redirect_url: String,
}

#[derive(Deserialize)]
pub(super) struct GetDataSource {
    #[serde(rename = "getDataSource")]
    pub(super) source: WireDataSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireDataSource {
    #[serde(deserialize_with = "id")]
    id: ConnectionId,
    name: String,
    category: Option<Category>,
    #[serde(rename = "type")]
    source_type: Option<SourceType>,
    is_direct: Option<bool>,
    integration_type: Option<IntegrationType>,
}

impl From<WireDataSource> for DataSource {
    fn from(wire: WireDataSource) -> Self {
        Self {
            id: wire.id,
            name: wire.name,
            category: wire.category,
            source_type: wire.source_type,
            is_direct: wire.is_direct.unwrap_or(false),
            integration_type: wire.integration_type,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ChangeStatus {
    #[serde(alias = "disconnectConnection", alias = "deleteConnection", alias = "activateDirectConnection")]
    pub(super) change: WireStatusChange,
}

#[derive(Deserialize)]
pub(super) struct WireStatusChange {
    status: Option<Status>,
}

impl From<WireStatusChange> for StatusChange {
    fn from(wire: WireStatusChange) -> Self {
        Self { status: wire.status }
    }
}

#[derive(Deserialize)]
pub(super) struct RefreshTokens {
    pub(super) refresh: Tokens,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tokens {
    pub(super) access_token: String,
    pub(super) refresh_token: Option<String>,
}

/// An answer of the token endpoint (RFC 6749, sections 5.1 and 5.2) or of the broker, as far as it decides which.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) access_token: Option<String>,
    pub(super) error: Option<String>,
    pub(super) error_description: Option<String>,
}

/// The rest of an answer that grants a token.
#[derive(Deserialize)]
pub(super) struct Granted {
    /// Seconds.
    #[serde(default, deserialize_with = "lifetime")]
    pub(super) expires_in: Option<i64>,
    pub(super) refresh_token: Option<String>,
}

/// A lifetime as number, float or text. One that nobody can read, or that is over already, is not known.
fn lifetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    /// No token lives longer than this: an odd value must not overflow a time.
    const LONGEST: f64 = 30.0 * 24.0 * 60.0 * 60.0;
    let seconds = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    // As integers, floats are cut.
    Ok(seconds.filter(|seconds| *seconds >= 1.0).map(|seconds| seconds.min(LONGEST) as i64))
}

/// Ids may hold any characters, but not none.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ConnectionId, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(D::Error::custom("a blank id")) } else { Ok(ConnectionId::new(text)) }
}

/// A time nobody can read is no time, and no reason to drop the rest.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stamp {
        Text(String),
        Other(IgnoredAny),
    }
    Ok(match Stamp::deserialize(deserializer)? {
        Stamp::Text(text) => parse_time(text.trim()),
        Stamp::Other(_) => None,
    })
}

/// An ISO 8601 time to the millisecond. The gateway writes `2025-08-20T20:51:12.513000`; without a zone it is
/// taken for UTC, which is an assumption.
fn parse_time(text: &str) -> Option<Time> {
    const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.f";
    let time =
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%#z").map(|time| time.to_utc()).or_else(|_| {
            NaiveDateTime::parse_from_str(text.trim_end_matches('Z'), FORMAT).map(|time| time.and_utc())
        });
    time.ok().and_then(|time| Time::from_timestamp_millis(time.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_or_without_a_zone_and_cut_to_milliseconds() {
        for (text, expected) in [
            ("2025-08-20T20:51:12.513000", Some("2025-08-20T20:51:12.513Z")),
            ("2025-08-20T20:51:12.513999", Some("2025-08-20T20:51:12.513Z")),
            ("2025-08-20T20:51:12", Some("2025-08-20T20:51:12Z")),
            ("2025-08-20T20:51:12Z", Some("2025-08-20T20:51:12Z")),
            ("2025-08-20T20:51:12.5+02:00", Some("2025-08-20T18:51:12.500Z")),
            ("2025-08-20T20:51:12-0430", Some("2025-08-21T01:21:12Z")),
            ("9999-12-31T23:59:59.999999", Some("9999-12-31T23:59:59.999Z")),
            ("2025-02-30T00:00:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
