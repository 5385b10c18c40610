//! The forms an export can have.

use crate::otlp::Spans;
use crate::{Source, Span, cloudevents, jsonl, ocsf, trace_request};
use rescind_index::Event;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// A form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// The event itself, with the ledger's entry.
    #[default]
    Jsonl,
    /// CloudEvents 1.0.
    CloudEvents,
    /// OCSF.
    Ocsf,
    /// OpenTelemetry spans.
    Otlp,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Jsonl, Self::CloudEvents, Self::Ocsf, Self::Otlp];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::CloudEvents => "cloudevents",
            Self::Ocsf => "ocsf",
            Self::Otlp => "otlp",
        }
    }

    /// Whether each entry becomes exactly one line.
    #[must_use]
    pub fn is_line_by_line(self) -> bool {
        self != Self::Otlp
    }

    /// What a receiver is told that a batch of it is.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl | Self::Ocsf => "application/x-ndjson",
            Self::CloudEvents => "application/cloudevents-batch+json",
            Self::Otlp => "application/json",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| format!("`{text}` is none of jsonl, cloudevents, ocsf and otlp"))
    }
}

/// A form at work: what makes lines of events. Spans begin with one event and end with another, so it remembers.
#[derive(Debug)]
pub struct Form {
    format: Format,
    source: Source,
    spans: Spans,
}

impl Form {
    /// Begin.
    #[must_use]
    pub fn new(format: Format, source: Source) -> Self {
        Self {
            format,
            spans: Spans::new(source.clone()),
            source,
        }
    }

    /// Which.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whose.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The line of an event, without its end, and its spans, where it ends some: then the line is a request with them.
    /// `None`: it ends no span.
    ///
    /// # Errors
    /// As [`jsonl()`].
    pub fn line(&mut self, event: &Event, entry: &[u8]) -> serde_json::Result<Option<(String, Vec<Span>)>> {
        let value = |value: &Value| serde_json::to_string(value).map(|line| Some((line, Vec::new())));
        match self.format {
            Format::Jsonl => Ok(Some((jsonl(event, entry)?, Vec::new()))),
            Format::CloudEvents => value(&cloudevents(event, &self.source)),
            Format::Ocsf => value(&ocsf(event, &self.source)),
            Format::Otlp => {
                let spans = self.spans.see(event);
                if spans.is_empty() {
                    return Ok(None);
                }
                let line = serde_json::to_string(&trace_request(&self.source, &spans))?;
                Ok(Some((line, spans)))
            }
        }
    }

    /// The events of spans that are still open: to be seen again before an export is gone on with.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        self.spans.open()
    }

    /// See an event again that began a span before the export's resume point.
    pub fn recall(&mut self, event: &Event) {
        if self.format == Format::Otlp {
            let _sent_already = self.spans.see(event);
        }
    }
}
