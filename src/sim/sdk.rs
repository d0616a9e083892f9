//! What b.well's own clients ask before and besides: their configuration, and sync errors by source.

use async_graphql::{Object, SimpleObject};

/// How a client of b.well's shall behave. Times are in milliseconds.
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
    /// For a simulator whose pages are at `base`.
    pub(super) fn of(base: &str) -> Self {
        let url = format!("{base}{}", super::gateway::PATH);
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

/// FHIR's CodeableConcept. Clients spread fragments on it and on Coding, so both go by FHIR's names.
pub(super) struct CodeableConcept {
    coding: Vec<Coding>,
}

impl CodeableConcept {
    pub(super) fn new(codes: &[String]) -> Self {
        Self { coding: codes.iter().map(|code| Coding { code: code.clone() }).collect() }
    }
}

#[Object]
impl CodeableConcept {
    async fn id(&self) -> Option<String> {
        None
    }
    async fn text(&self) -> Option<&str> {
        self.coding.first().map(|coding| coding.code.as_str())
    }
    async fn coding(&self) -> &[Coding] {
        &self.coding
    }
    async fn extension(&self) -> Option<Vec<Extension>> {
        None
    }
}

pub(super) struct Coding {
    code: String,
}

#[Object]
impl Coding {
    async fn id(&self) -> Option<String> {
        None
    }
    async fn system(&self) -> Option<String> {
        None
    }
    async fn version(&self) -> Option<String> {
        None
    }
    async fn code(&self) -> &str {
        &self.code
    }
    async fn display(&self) -> Option<&str> {
        Some(&self.code)
    }
    async fn user_selected(&self) -> Option<bool> {
        None
    }
    async fn extension(&self) -> Option<Vec<Extension>> {
        None
    }
}

/// FHIR's extension.
#[derive(SimpleObject)]
pub(super) struct Extension {
    pub(super) id: Option<String>,
    pub(super) url: String,
    pub(super) value_string: Option<String>,
}
