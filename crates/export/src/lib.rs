//! The record for other systems: JSON Lines, CloudEvents, OCSF and OpenTelemetry, with a resume point and a proof of
//! completeness; and the names of the metrics (docs/formats/export.md, docs/guide/observability.md).
//!
//! Absences that hold: the forms are pure functions of an [`Event`]; nothing here writes to the ledger but a checkpoint,
//! before something is proved; what a form can't say is left out of it, and no event of the ledger is ever left out.

mod cloudevents;
mod error;
mod exporter;
mod form;
mod jsonl;
mod metrics;
mod ocsf;
mod otlp;
mod point;
mod proof;
mod receiver;
mod said;
mod source;

pub use cloudevents::cloudevents;
pub use error::ExportError;
pub use exporter::{Exported, Exporter};
pub use form::{Form, Format};
pub use jsonl::jsonl;
pub use metrics::{Gauges, METRICS_TYPE, Metrics};
pub use ocsf::{OCSF_VERSION, ocsf};
pub use otlp::{Attributes, Otlp, Pushed, Span, Spans, trace_request};
pub use point::Point;
pub use proof::{Checked, Finding, check};
pub use receiver::Receiver;
pub use source::Source;

pub use rescind_index::Event;
