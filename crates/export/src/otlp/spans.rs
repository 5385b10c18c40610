//! Which spans are open.

use super::make;
use super::span::Span;
use crate::{Source, said};
use rescind_index::Event;
use std::collections::BTreeMap;

/// How many spans are open at most. Whatever is beyond that is sent as it is.
const MOST: usize = 20_000;

/// Makes spans of events in the order of the ledger.
#[derive(Debug)]
pub struct Spans {
    source: Source,
    /// By session (`SESSION`) or action (`SESSION.NUMBER`).
    open: BTreeMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    /// The events that it was made of so far.
    seqs: Vec<u64>,
    session: String,
    span: Span,
}

impl Spans {
    /// None yet.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            open: BTreeMap::new(),
        }
    }

    /// Take in an event; the spans that it ends, or is.
    pub fn see(&mut self, event: &Event) -> Vec<Span> {
        let action = event.action.as_deref().filter(|action| !action.is_empty());
        match (event.kind.as_str(), action) {
            ("session.started", _) => self.begin(&event.session, make::session(event), event),
            ("action.started", Some(action)) => self.begin(action, make::action(event, action), event),
            ("action.ended", Some(action)) => vec![self.end(action, event)],
            ("session.ended" | "session.recovered", _) => self.end_session(event),
            (_, Some(action)) if self.open.contains_key(action) => self.part(action, event),
            _ if self.open.contains_key(&event.session) => self.part(&event.session, event),
            _ => vec![make::instant(event, &self.source.origin)],
        }
    }

    /// The events that open spans were made of.
    #[must_use]
    pub fn open(&self) -> Vec<u64> {
        let mut seqs: Vec<u64> = self
            .open
            .values()
            .flat_map(|open| open.seqs.iter().copied())
            .collect();
        seqs.sort_unstable();
        seqs
    }

    fn begin(&mut self, key: &str, span: Span, event: &Event) -> Vec<Span> {
        let open = Open {
            seqs: vec![event.seq],
            session: event.session.clone(),
            span,
        };
        let mut sent: Vec<Span> = self
            .open
            .insert(key.to_owned(), open)
            .map(|again| unfinished(again.span))
            .into_iter()
            .collect();
        if self.open.len() > MOST {
            let oldest = self
                .open
                .iter()
                .min_by_key(|(_, open)| open.span.start)
                .map(|(key, _)| key.clone());
            let oldest = oldest.and_then(|key| self.open.remove(&key));
            sent.extend(oldest.map(|open| unfinished(open.span)));
        }
        sent
    }

    fn part(&mut self, key: &str, event: &Event) -> Vec<Span> {
        if let Some(open) = self.open.get_mut(key) {
            open.seqs.push(event.seq);
            open.span
                .happened(said::nanos(&event.time), &event.kind, make::details(event));
        }
        Vec::new()
    }

    fn end(&mut self, action: &str, event: &Event) -> Span {
        let mut span = match self.open.remove(action) {
            Some(open) => open.span,
            // Its beginning lies before the export.
            None => make::action(event, action),
        };
        make::end(&mut span, event);
        span
    }

    fn end_session(&mut self, event: &Event) -> Vec<Span> {
        let within: Vec<String> = self
            .open
            .iter()
            .filter(|(key, open)| open.session == event.session && **key != event.session)
            .map(|(key, _)| key.clone())
            .collect();
        let mut sent = Vec::new();
        for key in within {
            if let Some(open) = self.open.remove(&key) {
                let mut span = unfinished(open.span);
                span.end = said::nanos(&event.time);
                sent.push(span);
            }
        }
        let Some(Open { mut span, .. }) = self.open.remove(&event.session) else {
            sent.push(make::instant(event, &self.source.origin));
            return sent;
        };
        span.end = said::nanos(&event.time);
        span.set("rescind.seq_end", event.seq);
        if let Some(closed) = said::closed(event) {
            let (how, well) = said::exit(closed.exit);
            if !well {
                span.error = Some(how.clone());
            }
            span.set("rescind.exit", how);
            span.set_some("rescind.how", &closed.how);
            span.set("rescind.effects", closed.effects);
            let coverage = if closed.missing.is_empty() {
                "captured"
            } else {
                "partial"
            };
            span.set("rescind.coverage", coverage);
        } else if let Some(missing) = &event.missing {
            span.set_some("rescind.missing", missing);
        }
        if event.kind == "session.recovered" {
            span.error = Some("its supervisor died".to_owned());
        }
        sent.push(span);
        sent
    }
}

/// A span whose end is not on record.
fn unfinished(mut span: Span) -> Span {
    span.error = Some("its end is not on record".to_owned());
    span.set("rescind.unfinished", true);
    span
}
