//! The event stream: every entry of the ledger in order, each with its sequence number, so that whoever was away goes on where
//! they were and misses nothing. There is no buffer to overflow: what is streamed is the record itself.

use crate::app::Shared;
use crate::extract::Query;
use crate::problem::Problem;
use crate::sign::{May, Viewer};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use rescind_index::{DomainSet, Events};
use rescind_model::chain;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

/// Where to go on.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct EventQuery {
    /// The first sequence number that is sent; without it, and without `Last-Event-ID`, what happens from now on.
    pub from: Option<u64>,
    /// Only those of this session.
    pub session: Option<String>,
}

/// How long the stream waits for the next entry before it looks whether its reader is still there.
const LOOK: Duration = Duration::from_millis(500);
/// After so many entries that are not for this reader they are told the position, so that they need not be read again.
const POSITION: u64 = 1_000;

/// Everything that is recorded, as it happens. `id` is the sequence number; a reader that comes again with `Last-Event-ID`
/// goes on behind it. `event` is the kind (`action.started`), `data` an event. Events named `position` only say how far it is.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(EventQuery),
    responses((status = 200, content_type = "text/event-stream", body = rescind_index::Event), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn stream(
    State(app): State<Shared>,
    may: May<Viewer>,
    headers: HeaderMap,
    Query(query): Query<EventQuery>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = app.rates.stream()?;
    let domains = may.domains();
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let from = match last {
        Some(text) => Some(
            text.parse::<u64>()
                .map_err(|_| Problem::bad("`Last-Event-ID` is no sequence number"))?
                .saturating_add(1),
        ),
        None => query.from,
    };
    let from = match from {
        Some(from) => from,
        None => app
            .store
            .ledger()
            .len()
            .map_err(|_| Problem::inner("the ledger can't be read"))?,
    };
    let (sender, receiver) = mpsc::channel(256);
    let shared = Arc::clone(&app);
    let reader = Reader {
        domains,
        session: query.session,
        sender,
    };
    tokio::task::spawn_blocking(move || {
        // Held as long as the stream is open.
        let _place = permit;
        if let Err(error) = reader.send_from(&shared, from) {
            tracing::warn!(error = chain(&error), "an event stream ended");
        }
    });
    Ok(
        Sse::new(ReceiverStream::new(receiver))
            .keep_alive(KeepAlive::new().interval(Duration::from_secs(15))),
    )
}

struct Reader {
    domains: DomainSet,
    session: Option<String>,
    sender: mpsc::Sender<Result<Event, Infallible>>,
}

impl Reader {
    /// Send until the reader is gone or the server ends.
    fn send_from(&self, app: &Shared, from: u64) -> Result<(), rescind_index::Error> {
        let mut events = Events::from(&app.store, from)?;
        let mut silent = 0;
        // The head goes out at once.
        if self.send(position(from)).is_err() {
            return Ok(());
        }
        while !app.is_ending() && !self.sender.is_closed() {
            let Some(event) = events.next()? else {
                events.wait(LOOK)?;
                continue;
            };
            let seq = event.seq;
            if !self.is_for(&event) {
                silent += 1;
                if silent % POSITION == 0 && self.send(position(seq)).is_err() {
                    return Ok(());
                }
                continue;
            }
            let text = serde_json::to_string(&event)?;
            let sent = Event::default().id(seq.to_string()).event(event.kind).data(text);
            if self.send(sent).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn send(&self, event: Event) -> Result<(), ()> {
        self.sender.blocking_send(Ok(event)).map_err(drop)
    }

    fn is_for(&self, event: &rescind_index::Event) -> bool {
        self.session
            .as_ref()
            .is_none_or(|session| *session == event.session)
            && self.domains.covers(&event.domain)
    }
}

/// How far the stream is. Its id is the entry before the next one.
fn position(seq: u64) -> Event {
    let event = Event::default().event("position").data(seq.to_string());
    match seq.checked_sub(1) {
        Some(before) => event.id(before.to_string()),
        None => event,
    }
}
