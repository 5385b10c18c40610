//! For monitoring: metrics. For pages: that something has changed.

use crate::app::{App, Shared, blocking};
use crate::problem::Problem;
use crate::sign::{May, Viewer};
use axum::extract::State;
use axum::http::header;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use rescind_export::{Gauges, METRICS_TYPE};
use rescind_index::DomainSet;
use rescind_supervisor::control::Order;
use std::convert::Infallible;
use std::time::Duration;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

/// Metrics in Prometheus' text format.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, content_type = "text/plain", body = String), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn metrics(State(app): State<Shared>, may: May<Viewer>) -> Result<Response, Problem> {
    may.must("*")?;
    let text = blocking(&app, |app| {
        app.metrics.set(&gauges(app)?);
        Ok(app.metrics.encode())
    });
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], text.await?).into_response())
}

fn gauges(app: &App) -> Result<Gauges, Problem> {
    let summary = app.index.summary(&DomainSet::Everything)?;
    let gateways = app.control.gateways();
    let serving = gateways
        .iter()
        .filter(|gateway| gateway.order == Order::Run)
        .count() as u64;
    let ledger = app.store.ledger();
    let fail = |_| Problem::inner("the ledger can't be read");
    let channels = app.outbox.status();
    let channels = channels.map_err(|error| Problem::inner(error.to_string()))?;
    let queued = channels.iter().map(|channel| channel.waiting).sum();
    Ok(Gauges {
        holds_waiting: app.open.count(&DomainSet::Everything),
        sessions_running: summary.running,
        gateways_serving: serving,
        gateways_held: gateways.len() as u64 - serving,
        notifications_queued: queued,
        ..Gauges::of_ledger(ledger).map_err(fail)?
    })
}

/// That something has changed, at most a few times a second: what, a page asks for itself.
pub async fn changes(
    State(app): State<Shared>,
    _may: May<Viewer>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = app.rates.stream()?;
    let mut ending = app.ending.subscribe();
    let number = WatchStream::new(app.changes.subscribe());
    let stream = number.throttle(Duration::from_millis(300)).map(move |number| {
        let _place = &permit;
        Ok(Event::default().event("changed").data(number.to_string()))
    });
    let until_end = async move {
        let _sender_is_gone = ending.wait_for(|ending| *ending).await;
    };
    let stream = until(stream, until_end);
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

/// A stream that ends when something is over.
fn until<T>(stream: impl Stream<Item = T>, over: impl Future<Output = ()>) -> impl Stream<Item = T> {
    Until {
        stream: Box::pin(stream),
        over: Box::pin(over),
    }
}

struct Until<S, F> {
    stream: std::pin::Pin<Box<S>>,
    over: std::pin::Pin<Box<F>>,
}

impl<S: Stream, F: Future<Output = ()>> Stream for Until<S, F> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        if self.over.as_mut().poll(context).is_ready() {
            return std::task::Poll::Ready(None);
        }
        self.stream.as_mut().poll_next(context)
    }
}
