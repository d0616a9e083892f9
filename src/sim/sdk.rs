//! Operations of b.well's own clients: their configuration, and sync errors by source.

use super::{
    fhir::{CodeableConcept, Extension},
    paths::GRAPHQL,
};
use async_graphql::SimpleObject;

/// The configuration of b.well's own clients. Times are in milliseconds.
#[derive(SimpleObject)]
pub(super) struct SdkConfig {
    http_client: HttpClient,
    #[graphql(name = "graphQLClient")]
    graphql_client: GraphqlClient,
    log_level: &'static str,
    telemetry: Telemetry,
}

#[derive(SimpleObject)]
struct HttpClient {
    request_timeout: u32,
    retry: Retry,
}

#[derive(SimpleObject)]
struct Retry {
    interval: u32,
    attempts: u32,
}

#[derive(SimpleObject)]
struct GraphqlClient {
    url: String,
    auth_url: String,
    api_url: String,
    fetch_policy: &'static str,
    cache: Cache,
}

#[derive(SimpleObject)]
struct Cache {
    max_size_bytes: u32,
}

#[derive(SimpleObject)]
struct Telemetry {
    enabled: bool,
    /// Neither path nor trailing slash.
    collector_url: String,
}

impl SdkConfig {
    pub(super) fn of(base: &str) -> Self {
        let url = format!("{base}{}", GRAPHQL);
        let retry = Retry { interval: 1000, attempts: 3 };
        let cache = Cache { max_size_bytes: 10 * 1024 * 1024 };
        Self {
            http_client: HttpClient { request_timeout: 30_000, retry },
            graphql_client: GraphqlClient {
                auth_url: url.clone(),
                api_url: url.clone(),
                url,
                fetch_policy: "no-cache",
                cache,
            },
            log_level: "error",
            telemetry: Telemetry { enabled: false, collector_url: base.to_owned() },
        }
    }
}

/// Sync errors by source.
#[derive(SimpleObject)]
pub(super) struct SubscriptionBundle {
    pub(super) entry: Vec<SubscriptionEntry>,
}

#[derive(SimpleObject)]
pub(super) struct SubscriptionEntry {
    resource: Subscription,
}

impl SubscriptionEntry {
    pub(super) fn new(service_slug: &str, errors: &[String]) -> Self {
        let subscription_status =
            SubscriptionStatus { error: vec![CodeableConcept::new(errors)], extension: None };
        let subscription_status = vec![subscription_status];
        Self { resource: Subscription { service_slug: service_slug.to_owned(), subscription_status } }
    }
}

#[derive(SimpleObject)]
struct Subscription {
    #[graphql(name = "service_slug")]
    service_slug: String,
    subscription_status: Vec<SubscriptionStatus>,
}

#[derive(SimpleObject)]
struct SubscriptionStatus {
    error: Vec<CodeableConcept>,
    extension: Option<Vec<Extension>>,
}
