//! Spans, and their way to a collector that is not always well.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

mod common;

use common::{SESSION, erased, every_kind, hostile, source};
use rescind_export::{Event, ExportError, Otlp, Receiver, Span, Spans, trace_request};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn spans(events: &[Event]) -> Vec<Span> {
    let mut spans = Spans::new(source());
    events.iter().flat_map(|event| spans.see(event)).collect()
}

fn attribute<'a>(span: &'a Span, name: &str) -> &'a Value {
    let found = span.attributes.iter().find(|(own, _)| own == name);
    found.map_or(&Value::Null, |(_, value)| value)
}

#[test]
fn a_session_is_a_tree_of_spans() {
    let made = spans(&every_kind());
    let by_action: BTreeMap<&str, &Span> = made
        .iter()
        .filter_map(|span| Some((attribute(span, "rescind.action").as_str()?, span)))
        .filter(|(_, span)| span.end > span.start)
        .collect();
    let of = |number: u64| by_action[format!("{SESSION}.{number}").as_str()];
    let root = made
        .iter()
        .find(|span| span.name == "invoke_agent deployer")
        .unwrap();
    assert_eq!(root.parent, None);
    assert_eq!(attribute(root, "gen_ai.operation.name"), "invoke_agent");
    assert_eq!(attribute(root, "gen_ai.conversation.id"), SESSION);
    assert_eq!(
        of(1).parent.as_ref(),
        Some(&root.id),
        "the agent's process is the session's"
    );
    assert_eq!(of(2).parent.as_ref(), Some(&of(1).id));
    assert_eq!(of(3).parent.as_ref(), Some(&of(2).id));
    assert_eq!(
        (of(1).name.as_str(), of(2).name.as_str()),
        ("process sh", "execute_tool make")
    );
    assert_eq!(attribute(of(2), "gen_ai.tool.name"), "make");
    assert_eq!(attribute(of(2), "gen_ai.operation.name"), "execute_tool");
    assert_eq!(attribute(of(2), "rescind.coverage"), "partial");
    assert_eq!(attribute(of(3), "rescind.verdict"), "hold");
    assert_eq!(of(2).error.as_deref(), Some("exit code 1"));
    assert_eq!(
        (of(1).error.as_deref(), of(3).error.as_deref()),
        (Some("ended by signal 9"), None)
    );
    let held: Vec<&str> = of(3).events.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(
        held,
        [
            "action.held",
            "action.decided",
            "action.decided",
            "action.decided",
            "action.decided",
            "action.decided"
        ]
    );
    let own = made
        .iter()
        .filter(|span| attribute(span, "rescind.session") == SESSION);
    assert!(own.clone().count() > 8 && own.clone().all(|span| span.trace == root.trace));
    let kills: Vec<&Span> = made
        .iter()
        .filter(|span| span.name.starts_with("kill."))
        .collect();
    let of_one = kills.iter().filter(|span| span.trace == kills[0].trace).count();
    assert_eq!(
        (kills.len(), of_one),
        (8, 6),
        "a kill is one trace: called, answered (here four times), lifted"
    );
    let ids: std::collections::HashSet<&str> = made.iter().map(|span| span.id.as_str()).collect();
    assert_eq!(ids.len(), made.len(), "no two spans have the same id");
}

#[test]
fn every_event_is_in_a_span() {
    for events in [every_kind(), erased(), hostile()] {
        let mut spans = Spans::new(source());
        let sent: Vec<Span> = events.iter().flat_map(|event| spans.see(event)).collect();
        let mut seen: Vec<u64> = spans.open();
        for span in &sent {
            for name in ["rescind.seq", "rescind.seq_end"] {
                seen.extend(attribute(span, name).as_u64());
            }
            let within = span.events.iter().flat_map(|(_, _, attributes)| attributes);
            seen.extend(
                within
                    .filter(|(name, _)| name == "rescind.seq")
                    .filter_map(|(_, value)| value.as_u64()),
            );
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..events.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn spans_are_the_same_whatever_was_recalled() {
    let events = every_kind();
    let at_once = spans(&events);
    for cut in 0..events.len() {
        let mut first = Spans::new(source());
        let mut sent: Vec<Span> = events[..cut].iter().flat_map(|event| first.see(event)).collect();
        let mut second = Spans::new(source());
        for seq in first.open() {
            let again = second.see(&events[usize::try_from(seq).unwrap()]);
            assert_eq!(again, [], "what is open was not sent");
        }
        sent.extend(events[cut..].iter().flat_map(|event| second.see(event)));
        assert_eq!(sent, at_once, "cut at {cut}");
    }
}

#[test]
fn the_encoding_is_that_of_otlp() {
    let request = trace_request(&source(), &spans(&every_kind()));
    let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    assert!(spans.len() > 10);
    let hex = |value: &Value, length: usize| {
        let text = value.as_str().unwrap();
        assert!(
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{text}"
        );
    };
    for span in spans {
        hex(&span["traceId"], 32);
        hex(&span["spanId"], 16);
        if let Some(parent) = span.get("parentSpanId") {
            hex(parent, 16);
        }
        let nanos = |name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
        assert!(nanos("startTimeUnixNano") > 1_700_000_000_000_000_000);
        assert!(nanos("endTimeUnixNano") >= nanos("startTimeUnixNano"));
        for attribute in span["attributes"].as_array().unwrap() {
            let value = attribute["value"].as_object().unwrap();
            assert_eq!(value.len(), 1, "{attribute}");
            if let Some(whole) = value.get("intValue") {
                whole
                    .as_str()
                    .unwrap()
                    .parse::<i64>()
                    .expect("64-bit numbers are texts");
            }
        }
    }
}

/// A collector on loopback that gives these answers, one a request, and keeps what it got.
struct Collector {
    url: String,
    got: Arc<Mutex<Vec<Value>>>,
}

impl Collector {
    fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else {
                    return;
                };
                let mut reader = BufReader::new(stream);
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).unwrap() > 2 {
                    let lower = line.to_ascii_lowercase();
                    if let Some(number) = lower.strip_prefix("content-length:") {
                        length = number.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                kept.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                let _gone = reader.get_mut().write_all(answer.as_bytes());
            }
        });
        Self { url, got }
    }

    fn otlp(&self, waited: &Arc<Mutex<Vec<Duration>>>) -> Otlp {
        let waited = Arc::clone(waited);
        let receiver = Receiver::new(&self.url, vec![("X-Token".into(), "t".into())]).unwrap();
        Otlp::new(receiver.waiting(move |time| {
            waited.lock().unwrap().push(time);
            true
        }))
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn a_busy_collector_is_asked_again_after_the_time_it_asks_for() {
    let collector = Collector::start(vec![
        answer("429 Too Many Requests", "Retry-After: 7\r\n", ""),
        answer("503 Service Unavailable", "", ""),
        answer("200 OK", "", "{}"),
    ]);
    let waited = Arc::default();
    let made = spans(&every_kind());
    let pushed = collector.otlp(&waited).push(&source(), &made).unwrap();
    assert_eq!((pushed.spans, pushed.rejected), (made.len() as u64, 0));
    assert_eq!(
        *waited.lock().unwrap(),
        [Duration::from_secs(7), Duration::from_millis(500)]
    );
    let got = collector.got.lock().unwrap();
    assert_eq!(got.len(), 3);
    assert!(
        got.iter().all(|request| *request == got[0]),
        "it is sent the same again"
    );
}

#[test]
fn what_a_collector_rejects_is_told_and_not_sent_again() {
    let partial = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    let collector = Collector::start(vec![answer("200 OK", "", partial)]);
    let made = spans(&every_kind());
    let pushed = collector.otlp(&Arc::default()).push(&source(), &made).unwrap();
    assert_eq!((pushed.spans, pushed.rejected), (made.len() as u64 - 2, 2));
    assert_eq!(pushed.said, ["too old"]);
}

#[test]
fn a_refusal_is_told_at_once_and_an_absence_after_some_tries() {
    let waited: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let collector = Collector::start(vec![answer("400 Bad Request", "", "no such field")]);
    let failed = collector
        .otlp(&waited)
        .push(&source(), &spans(&every_kind()))
        .unwrap_err();
    assert!(
        matches!(&failed, ExportError::Refused { why, .. } if why.contains("400") && why.contains("no such field"))
    );
    assert!(waited.lock().unwrap().is_empty());
    // Nobody listens there.
    let gone = Collector {
        url: "http://127.0.0.1:9/v1/traces".into(),
        got: Arc::default(),
    };
    let failed = gone
        .otlp(&waited)
        .push(&source(), &spans(&every_kind()))
        .unwrap_err();
    assert!(matches!(failed, ExportError::Refused { .. }));
    let waited = waited.lock().unwrap();
    assert!(waited.len() >= 5 && waited.is_sorted(), "{waited:?}");
    assert!(Receiver::new("ftp://x", Vec::new()).is_err());
    // Whoever follows is patient, until told otherwise.
    let times = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&times);
    let receiver = Receiver::new(&gone.url, Vec::new())
        .unwrap()
        .patient()
        .waiting(move |_| {
            *seen.lock().unwrap() += 1;
            *seen.lock().unwrap() < 40
        });
    assert!(receiver.send("text/plain", b"x").is_err());
    assert_eq!(*times.lock().unwrap(), 40);
}

#[test]
fn many_spans_go_in_several_requests() {
    let mut events = Vec::new();
    for _ in 0..60 {
        for mut event in every_kind() {
            event.seq = events.len() as u64;
            events.push(event);
        }
    }
    let made = spans(&events);
    let requests = made.len().div_ceil(512);
    assert!(requests > 1);
    let collector = Collector::start(vec![answer("200 OK", "", "{}"); requests]);
    let pushed = collector.otlp(&Arc::default()).push(&source(), &made).unwrap();
    assert_eq!(pushed.spans, made.len() as u64);
    assert_eq!(collector.got.lock().unwrap().len(), requests);
}
