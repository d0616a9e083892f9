//! Sends the spans to the collector, from a thread of its own.

use super::error::TracesError;
use super::http_client::CollectorClient;
use super::outage::Outage;
use crate::base::config::Telemetry;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData, SpanExporter};
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// How long the end of the process waits for the collector.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// For a batch of spans with its repetitions. Then they are lost.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

const SERVICE_NAME: &str = "service.name";

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// `None`: no collector is configured.
pub(super) fn tracer() -> Option<&'static SdkTracer> {
    TRACER.get()
}

/// The exporter of this process.
pub(crate) struct Traces(Option<Running>);

struct Running {
    provider: SdkTracerProvider,
    outage: Outage,
}

impl Traces {
    /// Sends spans from now on, if `telemetry.otlp_endpoint` is set. The runtime must outlive the exporter.
    ///
    /// # Errors
    /// When a standard variable asks for what this build cannot do.
    pub(crate) fn start(settings: &Telemetry) -> Result<Self, TracesError> {
        let Some(endpoint) = settings.otlp_endpoint.url() else { return Ok(Self(None)) };
        let outage = Outage::default();
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(CollectorClient::new(outage.clone())?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url(endpoint))
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .map_err(|error| TracesError(error.to_string()))?;
        let exporter = Reporting { exporter, outage: outage.clone() };
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build();
        // A process starts once.
        TRACER.get_or_init(|| provider.tracer(env!("CARGO_PKG_NAME")));
        Ok(Self(Some(Running { provider, outage })))
    }

    /// Sends what has ended, for at most [`FLUSH_TIMEOUT`].
    pub(crate) async fn flush(self) {
        let Some(Running { provider, outage }) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT)).await;
        if !matches!(ended, Ok(Ok(()))) {
            outage.report();
        }
    }
}

/// The endpoint's path for traces.
fn traces_url(endpoint: &Url) -> String {
    format!("{}/v1/traces", endpoint.as_str().trim_end_matches('/'))
}

/// What the standard variables say about this process, and its name and version.
fn resource() -> Resource {
    let given = Resource::builder().build().get(&Key::new(SERVICE_NAME));
    let is_named = given.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let builder = Resource::builder().with_attribute(version);
    if is_named { builder.build() } else { builder.with_service_name(env!("CARGO_PKG_NAME")).build() }
}

/// Reports when the collector stops taking spans.
#[derive(Debug)]
struct Reporting {
    exporter: opentelemetry_otlp::SpanExporter,
    outage: Outage,
}

impl SpanExporter for Reporting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        match &result {
            Ok(()) => self.outage.end(),
            Err(_) => self.outage.report(),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_for_traces_comes_after_the_path_of_the_endpoint() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example.org/otlp/", "https://otlp.example.org/otlp/v1/traces"),
        ] {
            assert_eq!(traces_url(&endpoint.parse().unwrap()), expected);
        }
    }
}
