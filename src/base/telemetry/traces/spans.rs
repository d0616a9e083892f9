//! Spans around work, in the context of the current task.

use super::attribute::Attribute;
use super::exporter::tracer;
use opentelemetry::context::{FutureExt, WithContext};
use opentelemetry::trace::{Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

/// The work in a span, which ends with it. The parent is the span of the current task, if there is one.
pub(crate) fn in_span<F: Future>(
    name: &'static str,
    attributes: &[Attribute<'_>],
    work: F,
) -> WithContext<F> {
    let parent = Context::current();
    let Some(tracer) = tracer() else { return work.with_context(parent) };
    let attributes = attributes.iter().map(|(name, value)| KeyValue::new(*name, value.to_string()));
    let builder = tracer.span_builder(name).with_attributes(attributes);
    let span = tracer.build_with_context(builder, &parent);
    work.with_context(parent.with_span(span))
}

/// Like [`in_span`], but only where a span is current.
pub(crate) fn in_child_span<F: Future>(
    name: &'static str,
    attributes: &[Attribute<'_>],
    work: F,
) -> WithContext<F> {
    let current = Context::current();
    if current.has_active_span() { in_span(name, attributes, work) } else { work.with_context(current) }
}

/// The work in the current span, for another task.
pub(crate) fn carried<F: Future>(work: F) -> WithContext<F> {
    work.with_current_context()
}

/// Adds an attribute to the current span.
pub(crate) fn record(name: &'static str, value: &str) {
    Context::map_current(|current| current.span().set_attribute(KeyValue::new(name, value.to_owned())));
}

pub(crate) fn record_count(name: &'static str, count: u64) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Context::map_current(|current| current.span().set_attribute(KeyValue::new(name, count)));
}

/// The current span failed. `code` is one of a fixed set.
pub(crate) fn record_failure(code: &str) {
    Context::map_current(|current| {
        current.span().set_attribute(KeyValue::new("error.type", code.to_owned()));
        current.span().set_status(Status::error(""));
    });
}

/// Adds a point in time to the current span.
pub(crate) fn record_moment(name: &'static str) {
    Context::map_current(|current| current.span().add_event(name, Vec::new()));
}
