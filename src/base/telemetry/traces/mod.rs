//! Traces for an OpenTelemetry collector, with the feature `otlp`. Without it, a span is nothing but the work in it.
//!
//! Spans go around the log: no log line becomes part of a trace, and no span shows in a log line.

mod attribute;
#[cfg(not(feature = "otlp"))]
mod disabled;
#[cfg(feature = "otlp")]
mod error;
#[cfg(feature = "otlp")]
mod exporter;
#[cfg(feature = "otlp")]
mod http_client;
#[cfg(feature = "otlp")]
mod outage;
#[cfg(feature = "otlp")]
mod spans;

pub(crate) use attribute::Attribute;
#[cfg(not(feature = "otlp"))]
pub(crate) use disabled::{
    FLUSH_TIMEOUT, Traces, carried, in_child_span, in_span, record, record_count, record_failure,
    record_moment,
};
#[cfg(feature = "otlp")]
pub(crate) use exporter::{FLUSH_TIMEOUT, Traces};
#[cfg(feature = "otlp")]
pub(crate) use spans::{
    carried, in_child_span, in_span, record, record_count, record_failure, record_moment,
};
