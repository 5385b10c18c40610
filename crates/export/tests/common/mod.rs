//! Events of every kind that the ledger has, with the records that the supervisor's own types write.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

use rescind_export::{Event, Source};
use rescind_supervisor::holds::{Closed, ClosedForm, Decision, DecisionForm};
use rescind_supervisor::journal::{
    CredentialEvent, CredentialForm, DecidedForm, EnvironmentForm, ExitForm, JudgedForm, NodeEnded,
    NodeStarted, OutputForm, ReceiptForm, Record, Role, SessionEnded, SessionKind, SessionOpened, SystemForm,
    WaitedForm,
};
use serde_json::{Value, json};

pub const SESSION: &str = "1m806c17pd7z8";

pub fn source() -> Source {
    Source {
        origin: "rescind.local/1f0c22ab".into(),
        host: "web-1".into(),
        version: "0.1.0".into(),
    }
}

pub fn time(seq: u64) -> String {
    format!("2026-11-21T23:16:{:02}.{:09}Z", seq % 60, 100 + seq)
}

/// An event as the ledger would have it.
pub fn event(seq: u64, kind: &str, action: Option<u64>, body: Option<Value>) -> Event {
    let free = ["kill.", "access."].iter().any(|head| kind.starts_with(head));
    let text = |text: &str| if free { String::new() } else { text.to_owned() };
    Event {
        seq,
        time: time(seq),
        kind: kind.to_owned(),
        session: text(SESSION),
        action: action.map(|number| format!("{SESSION}.{number}")),
        agent: text("deployer"),
        owner: text("ada"),
        domain: text("payments/prod"),
        environment: text("prod"),
        digest: body.is_some().then(|| format!("sha256:{}", "ab".repeat(32))),
        body,
        missing: None,
    }
}

/// The entry that such an event stands for.
pub fn entry(event: &Event) -> Vec<u8> {
    let mut entry = json!({"v": 1, "kind": event.kind, "time": event.time, "session": event.session});
    let fields = entry.as_object_mut().unwrap();
    if let Some(action) = &event.action {
        fields.insert("action".into(), json!(action));
    }
    if let Some(digest) = &event.digest {
        fields.insert("body".into(), json!(digest));
    }
    serde_json::to_vec(&entry).unwrap()
}

pub fn record(record: Record) -> Option<Value> {
    Some(serde_json::to_value(record).unwrap())
}

pub fn session_opened() -> SessionOpened {
    SessionOpened {
        id: SESSION.into(),
        salt: "00".into(),
        kind: SessionKind::Run,
        time: time(0),
        agent: "deployer".into(),
        argv: vec!["sh".into(), "-c".into(), "make deploy".into()],
        cwd: "/srv/app".into(),
        user: "ada".into(),
        host: "web-1".into(),
        supervisor: "1:2:3".into(),
        undoes: None,
        scope: None,
        spans: Vec::new(),
        domain: "payments/prod".into(),
        environment: "prod".into(),
        staged: false,
        promotes: None,
    }
}

pub fn judged(verdict: &str, score: u8) -> JudgedForm {
    serde_json::from_value(json!({
        "class": "irreversible", "kind": "kubectl.delete", "score": score, "factors": [],
        "verdict": verdict, "reasons": ["production", "no way back"], "recovery": "none",
        "policy": "sha256:00", "uncovered": ["the cluster's state: no reading"],
    }))
    .unwrap()
}

pub fn node(n: u64, parent: u64, role: Role, argv: &[&str], verdict: Option<(&str, u8)>) -> NodeStarted {
    NodeStarted {
        n,
        parent,
        role,
        time: time(n),
        salt: "00".into(),
        pid: 4000 + i32::try_from(n).unwrap(),
        exe: format!("/usr/bin/{}", argv[0]),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/srv/app".into(),
        env: EnvironmentForm::default(),
        reasoning: Some("it has to be deployed".into()),
        judged: verdict.map(|(verdict, score)| Box::new(judged(verdict, score))),
    }
}

pub fn node_end(n: u64, exit: ExitForm) -> NodeEnded {
    NodeEnded {
        n,
        time: time(n),
        exit,
        output: OutputForm {
            bytes: 12,
            preview: "hello\n".into(),
            ..OutputForm::default()
        },
        effects: 3,
        missing: Vec::new(),
    }
}

fn decided(n: u64, how: Closed) -> DecidedForm {
    DecidedForm {
        n,
        salt: "00".into(),
        closed: ClosedForm {
            how,
            at: time(n),
            decisions: vec![DecisionForm {
                decision: Decision::Approve,
                person: "grace".into(),
                at: time(n),
                digest: "sha256:00".into(),
                message: Some("go on".into()),
                always: None,
                change: None,
            }],
        },
    }
}

fn credential(what: CredentialEvent) -> Option<Value> {
    record(Record::Credential(CredentialForm {
        time: time(1),
        credential: "db".into(),
        issuer: "postgres".into(),
        name: "rescind_1m806".into(),
        until: time(50),
        what,
        said: "a role was made".into(),
    }))
}

fn session_ended(how: &str, exit: ExitForm) -> Option<Value> {
    record(Record::SessionEnd(SessionEnded {
        time: time(30),
        exit,
        how: how.into(),
        effects: 3,
        missing: vec![("/dev/sdb".into(), "a device".into())],
    }))
}

/// A session with everything that can happen in it, and what happens outside of sessions.
pub fn every_kind() -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut add = |kind: &str, action: Option<u64>, body: Option<Value>| {
        events.push(event(events.len() as u64, kind, action, body));
    };
    add("session.started", None, record(Record::Session(session_opened())));
    let agent = node(1, 0, Role::Agent, &["sh", "-c", "make deploy"], None);
    add("action.started", Some(1), record(Record::Node(agent)));
    let action = node(2, 1, Role::Action, &["make", "deploy"], Some(("allow", 10)));
    // A frame may hold several records.
    let several = json!([Record::Node(action), Record::Agent { n: 1 }]);
    add("action.started", Some(2), Some(several));
    let held = node(
        3,
        2,
        Role::Process,
        &["kubectl", "delete", "pod", "a b"],
        Some(("hold", 80)),
    );
    add("action.started", Some(3), record(Record::Node(held)));
    let waited = WaitedForm {
        n: 3,
        salt: "00".into(),
        at: time(3),
        tier: Some("sre".into()),
        what: "nobody answered in time".into(),
    };
    add("action.held", Some(3), record(Record::Waited(waited)));
    for how in [
        Closed::Approved,
        Closed::Changed,
        Closed::Rejected,
        Closed::Expired,
        Closed::Void,
    ] {
        add(
            "action.decided",
            Some(3),
            record(Record::Decided(decided(3, how))),
        );
    }
    add(
        "action.ended",
        Some(3),
        record(Record::NodeEnd(node_end(3, ExitForm::Code(0)))),
    );
    let denied = node(4, 2, Role::Process, &["rm", "-rf", "/"], Some(("deny", 99)));
    add("action.started", Some(4), record(Record::Node(denied)));
    add(
        "action.ended",
        Some(4),
        record(Record::NodeEnd(node_end(4, ExitForm::NotStarted))),
    );
    let mut partial = node_end(2, ExitForm::Code(1));
    partial.missing = vec![("/proc/1".into(), "no file".into())];
    add("action.ended", Some(2), record(Record::NodeEnd(partial)));
    for what in [
        CredentialEvent::Issuing,
        CredentialEvent::Issued,
        CredentialEvent::Revoked,
        CredentialEvent::Unproved,
    ] {
        let kind = serde_json::to_value(what).unwrap();
        add(
            &format!("credential.{}", kind.as_str().unwrap()),
            None,
            credential(what),
        );
    }
    add(
        "action.ended",
        Some(1),
        record(Record::NodeEnd(node_end(1, ExitForm::Signal(9)))),
    );
    add("session.ended", None, session_ended("ended", ExitForm::Code(0)));
    add(
        "session.recovered",
        None,
        session_ended("recovered", ExitForm::Unknown),
    );
    let opened = SystemForm::Opened {
        session: SESSION.into(),
        scope: "all".into(),
        plan: "sha256:00".into(),
        behind: Vec::new(),
    };
    add("undo.step", None, record(Record::System(opened)));
    let whole = ReceiptForm {
        restored: 3,
        read_back: 3,
        ..ReceiptForm::default()
    };
    let some = ReceiptForm {
        failed: vec![("/a".into(), "why".into())],
        ..whole.clone()
    };
    let none = ReceiptForm {
        lost: vec![("/a".into(), "why".into())],
        ..ReceiptForm::default()
    };
    for receipt in [whole, some, none] {
        let system = SystemForm::Receipt { receipt };
        add("undo.receipt", None, record(Record::System(system)));
    }
    add("stage.discarded", None, Some(json!("the stage was given up")));
    add("rule.forgotten", None, Some(json!("the rule was taken back")));
    add("vault.pruned", None, Some(json!("12 MiB")));
    add("vault.erased", None, Some(json!("by request")));
    let scope = json!({"kind": "domain", "name": "payments/prod"});
    let called =
        json!({"stop": 7, "scope": scope, "mode": "kill", "by": "ada", "why": "it is odd", "at": time(40)});
    add("kill.called", None, Some(called));
    add(
        "kill.called",
        None,
        Some(json!({"stop": 8, "scope": scope, "mode": "pause", "by": "ada", "why": "", "at": ""})),
    );
    add(
        "kill.called",
        None,
        Some(json!({"unrecorded": 3, "why": "no room"})),
    );
    for how in [
        ["acknowledged", "lease_ended"],
        ["acknowledged", "not_stopped"],
        ["not_stopped", "not_stopped"],
    ] {
        let sessions =
            how.map(|how| json!({"session": SESSION, "how": how, "milliseconds": 3.2, "in_flight": []}));
        let answer =
            json!({"stop": 7, "scope": scope, "mode": "kill", "milliseconds": 12.5, "sessions": sessions});
        add("kill.answered", None, Some(answer));
    }
    add(
        "kill.answered",
        None,
        Some(json!({"stop": 7, "scope": scope, "mode": "kill", "unknown": "it died"})),
    );
    add(
        "kill.lifted",
        None,
        Some(json!({"scope": scope, "by": "ada", "why": "over", "stops": [7, 8]})),
    );
    for what in [
        "person.added",
        "person.granted",
        "person.grant-revoked",
        "person.disabled",
        "person.enabled",
        "person.password-changed",
        "person.unheard",
        "token.made",
        "token.revoked",
        "agent.issued",
        "not-made",
        "",
    ] {
        let change = json!({"change": "c1", "what": what, "who": "grace", "by": "ada", "role": "viewer"});
        add("access.changed", None, Some(change));
    }
    add("access.changed", None, Some(json!("a sentence")));
    add(
        "something.new",
        None,
        Some(json!({"t": "unheard", "of": [1, 2, {"x": null}]})),
    );
    events
}

/// The same events with their bodies erased.
pub fn erased() -> Vec<Event> {
    let mut events = every_kind();
    for event in &mut events {
        event.body = None;
        event.missing = Some("the session's content was erased".into());
    }
    events
}

/// Bytes that somebody chose to hurt whoever reads them.
pub fn hostile() -> Vec<Event> {
    let long = "x".repeat(300_000);
    let words = [
        "a\u{0}b\u{1}\u{1b}[2J\r\n\t\u{7f}",
        "\u{2028}\u{2029}\u{202e}\u{feff}",
        "\"}],{\"traceId\":\"",
        "%ff%fe",
        "\u{10ffff}\u{d7ff}",
        "</script><!--",
        "'; DROP TABLE x; --",
        "",
        long.as_str(),
    ];
    let argv: Vec<&str> = words
        .iter()
        .copied()
        .chain(std::iter::repeat_n("y", 5000))
        .collect();
    let mut node = node(1, 0, Role::Action, &argv, Some(("hold", 255)));
    node.exe = words.join("/");
    node.cwd.clone_from(&node.exe);
    node.reasoning = Some(words.join(" "));
    let mut end = node_end(1, ExitForm::Code(i32::MIN));
    end.missing = words
        .iter()
        .map(|word| ((*word).to_owned(), (*word).to_owned()))
        .collect();
    end.effects = u64::MAX;
    let mut events = vec![
        event(0, "action.started", Some(1), record(Record::Node(node))),
        event(1, "action.ended", Some(1), record(Record::NodeEnd(end))),
        event(
            2,
            "kill.called",
            None,
            Some(
                json!({"stop": words.join(""), "scope": {"kind": words[0], "name": 7}, "mode": words[1], "by": words[2]}),
            ),
        ),
        event(3, "stage.discarded", None, Some(json!(words.join("\n")))),
    ];
    for (number, word) in words.iter().enumerate() {
        let mut strange = event(4 + number as u64, word, None, Some(json!([[[word]]])));
        strange.agent = (*word).to_owned();
        strange.owner = (*word).to_owned();
        strange.time = (*word).to_owned();
        events.push(strange);
    }
    events
}
