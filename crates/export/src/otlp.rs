//! OpenTelemetry: sessions as traces, actions as spans, in the JSON encoding of OTLP (opentelemetry-proto 1.x, `docs/specification.md`),
//! with the semantic conventions for GenAI agents and tools.

mod id;
mod make;
mod push;
mod span;
mod spans;
mod value;

pub use push::{Otlp, Pushed};
pub use span::{Attributes, Span};
pub use spans::Spans;

use crate::Source;
use serde_json::{Value, json};
use value::attributes;

/// An `ExportTraceServiceRequest` with these spans.
#[must_use]
pub fn trace_request(source: &Source, spans: &[Span]) -> Value {
    let resource = [
        ("service.name", json!("rescind")),
        ("service.namespace", json!(source.origin)),
        ("service.version", json!(source.version)),
        ("host.name", json!(source.host)),
    ];
    let resource = resource.map(|(name, value)| (name.to_owned(), value));
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&resource)},
        "scopeSpans": [{
            "scope": {"name": "rescind", "version": source.version},
            "spans": spans.iter().map(Span::form).collect::<Vec<_>>(),
        }],
    }]})
}
