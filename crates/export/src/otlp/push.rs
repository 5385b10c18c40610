//! Pushing spans to a collector: OTLP over HTTP, JSON.

use super::{Span, trace_request};
use crate::{ExportError, Receiver, Source};
use serde_json::Value;

/// How many spans go into one request.
const BATCH: usize = 512;

/// A collector.
#[derive(Debug, Clone)]
pub struct Otlp {
    receiver: Receiver,
}

/// What a collector took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pushed {
    /// Spans that were sent and not rejected.
    pub spans: u64,
    /// Spans that the collector says it rejected. They are not sent again: it would reject them again.
    pub rejected: u64,
    /// Its words for that, or a warning.
    pub said: Vec<String>,
}

impl Otlp {
    /// A collector at the whole address of its traces, `http://localhost:4318/v1/traces`.
    #[must_use]
    pub fn new(receiver: Receiver) -> Self {
        Self { receiver }
    }

    /// Push spans, in batches, each tried again with back-off while the collector is busy or away.
    ///
    /// # Errors
    /// [`ExportError::Refused`]: it did not take them. What batches it took before, it may get again.
    pub fn push(&self, source: &Source, spans: &[Span]) -> Result<Pushed, ExportError> {
        let mut pushed = Pushed::default();
        for batch in spans.chunks(BATCH) {
            let sent = batch.len() as u64;
            let body = trace_request(source, batch).to_string();
            let answer = self.receiver.send("application/json", body.as_bytes())?;
            let rejected = partial(&answer, &mut pushed.said).min(sent);
            pushed.rejected = pushed.rejected.saturating_add(rejected);
            pushed.spans = pushed.spans.saturating_add(sent.saturating_sub(rejected));
        }
        Ok(pushed)
    }
}

/// How many spans the collector says it rejected (`ExportTraceServiceResponse.partialSuccess`). An answer that is none of
/// the protocol's is none, too.
fn partial(answer: &[u8], said: &mut Vec<String>) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or(Value::Null);
    let Some(partial) = answer.get("partialSuccess") else {
        return 0;
    };
    if let Some(text) = partial.get("errorMessage").and_then(Value::as_str)
        && !text.is_empty()
    {
        said.push(crate::said::short(text));
    }
    // 64-bit numbers are texts in the JSON of protobuf, and some senders write numbers.
    let rejected = partial.get("rejectedSpans");
    rejected
        .and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()))
        .unwrap_or(0)
}
