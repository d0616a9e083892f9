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
            graphql_client: GraphqlClient { auth_url: url.clone(), url, fetch_policy: "no-cache", cache },
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
        let coding = |code: &String| SubscriptionCoding { code: code.clone() };
        let error = SubscriptionError { coding: errors.iter().map(coding).collect() };
        let subscription_status = SubscriptionStatus { error: vec![error], extension: None };
        Self { resource: Subscription { service_slug: service_slug.to_owned(), subscription_status } }
    }
}

#[derive(SimpleObject)]
struct Subscription {
    #[graphql(name = "service_slug")]
    service_slug: String,
    subscription_status: SubscriptionStatus,
}

#[derive(SimpleObject)]
struct SubscriptionStatus {
    error: Vec<SubscriptionError>,
    extension: Option<Vec<Extension>>,
}

struct SubscriptionError {
    coding: Vec<SubscriptionCoding>,
}

#[Object]
impl SubscriptionError {
    async fn id(&self) -> Option<String> {
        None
    }
    async fn text(&self) -> Option<&str> {
        self.coding.first().map(|coding| coding.code.as_str())
    }
    async fn coding(&self) -> &[SubscriptionCoding] {
        &self.coding
    }
    async fn extension(&self) -> Option<Vec<Extension>> {
        None
    }
}

struct SubscriptionCoding {
    code: String,
}

#[Object]
impl SubscriptionCoding {
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

/// FHIR's extension; the simulator has none.
#[derive(SimpleObject)]
struct Extension {
    id: Option<String>,
    url: String,
    value_string: Option<String>,
}
