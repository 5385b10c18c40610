//! People are told of holds by whatever way, and the link they get leads to exactly that hold, behind a sign-in.

use crate::approvals::supervisor;
use crate::holds::{Running, configure, done, hold, name, place, waiting};
use rescind_scenarios::{Browser, Scenario, Served, kill, proved, until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A receiver of webhooks that fails the first times: what came, as (id, body).
fn receiver(failures: usize) -> (u16, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (into, out) = channel();
    std::thread::spawn(move || {
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let (mut id, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if !reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    break;
                }
                match line.trim_end().split_once(": ") {
                    Some(("webhook-id", value)) => value.clone_into(&mut id),
                    Some(("content-length", value)) => length = value.parse().expect("a length"),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let status = if number < failures { 500 } else { 204 };
            let _gone = write!(
                stream,
                "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            if into
                .send((id, serde_json::from_slice(&body).expect("JSON")))
                .is_err()
            {
                break;
            }
        }
    });
    (port, out)
}

/// Configure the server to tell this receiver.
fn tell_by_webhook(scenario: &Scenario, port: u16) {
    let key = scenario.scratch().join("webhook.key");
    std::fs::write(&key, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n").expect("a key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    configure(
        scenario,
        "server.toml",
        &format!(
            "[[notify]]\nkind = \"webhook\"\nname = \"pager\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"{}\"\n",
            key.display()
        ),
    );
}

#[test]
fn a_hold_is_told_by_webhook_until_it_is_taken_and_its_link_leads_to_it_behind_a_sign_in() {
    let scenario = place();
    let (port, told) = receiver(2);
    tell_by_webhook(&scenario, port);
    let wrong = scenario.path("wrong.toml");
    std::fs::write(
        &wrong,
        "lease_ms = 2000\n\n[[notify]]\nkind = \"webhook\"\nname = \"p\"\nurl = \"ftp://x\"\n",
    )
    .expect("a file");
    let path = wrong.to_str().expect("text");
    let refused = scenario.tell(&["serve", "--check", "--config", path]);
    assert!(
        refused.code() != 0 && refused.err().contains("line 6, `notify.p.url`"),
        "{}",
        refused.err()
    );
    let served = Served::start(&scenario, &[]);
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    let held = name(&hold(&scenario));
    let all: Vec<(String, Value)> = (0..3)
        .map(|_| told.recv_timeout(SOON).expect("a message"))
        .collect();
    assert!(
        all.iter().all(|(id, body)| *id == all[0].0 && *body == all[0].1),
        "{all:?}"
    );
    let event = &all[0].1;
    assert_eq!(event["type"], "dev.rescind.action.held");
    assert_eq!(event["subject"], held.as_str());
    assert_eq!(event["data"]["what"], "kubectl delete ns drone");
    assert_eq!(event["data"]["needs_sign_in"], true);
    let link = event["data"]["link"].as_str().expect("a link").to_owned();
    assert!(link.starts_with(&served.url) && link.ends_with(&held), "{link}");
    if let Some(browser) = Browser::start("the link of a message") {
        let ann = browser.person("ann");
        ann.open(&served.page("/signin"));
        ann.fill("The token", &served.token);
        ann.fill("Your name", "ann");
        ann.fill("A password", "correct horse battery");
        ann.click("button", "Begin");
        ann.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
        let bob = browser.person("somebody else");
        bob.open(&link);
        bob.does(json!({"do": "wait", "url": "/signin"}));
        assert_eq!(done(&scenario), "", "a link decides nothing");
        bob.fill("Name", "ann");
        bob.fill("Password", "correct horse battery");
        bob.click("button", "Sign in");
        bob.sees("May this run?");
        bob.sees("kubectl delete ns drone");
        bob.click("button", "Approve once");
        bob.sees("This is decided");
        bob.has_no_faults();
    } else {
        scenario.tell(&["approve", &held]).success();
    }
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    let (id, event) = told.recv_timeout(SOON).expect("a message");
    assert_eq!(
        (&event["type"], &event["subject"]),
        (&json!("dev.rescind.action.decided"), &json!(held))
    );
    assert_ne!(id, all[0].0);
    assert!(
        event["data"]["outcome"]
            .as_str()
            .is_some_and(|text| text.starts_with("approved")),
        "{event}"
    );
    proved(
        "7 told",
        "a webhook that failed twice was told of a hold once, and its link led to it behind a sign-in",
    );
}

/// A session that asks for this, and its hold.
fn asks(scenario: &Scenario, what: &str) -> (Running, String) {
    let command = format!("kubectl delete ns {what}");
    let running = Running::new(scenario, &command);
    let held = until("a hold", SOON, || {
        let mut all = waiting(scenario).into_iter();
        all.find(|hold| hold["command"] == command.as_str())
    });
    (running, name(&held))
}

/// What was told, each as `event what outcome`, and its id.
struct Heard {
    told: Receiver<(String, Value)>,
    all: Vec<(String, String)>,
}

impl Heard {
    /// Take what comes until all of these have come.
    #[track_caller]
    fn until(&mut self, wanted: &[String]) {
        while let Some(missing) = wanted
            .iter()
            .find(|wanted| !self.all.iter().any(|(_, line)| line == *wanted))
        {
            let (id, event) = self
                .told
                .recv_timeout(SOON)
                .unwrap_or_else(|_| panic!("`{missing}` never came, but {:#?}", self.all));
            let kind = event["type"].as_str().unwrap_or_default();
            let word = |name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
            let line = format!(
                "{} {} {}",
                kind.rsplit('.').next().unwrap_or_default(),
                word("what"),
                word("outcome")
            );
            self.all.push((id, line.trim_end().to_owned()));
        }
    }
}

#[test]
fn what_happened_while_no_server_ran_is_told_once_when_it_is_back_and_nobody_is_asked_for_what_is_over() {
    let scenario = place();
    let (port, told) = receiver(0);
    tell_by_webhook(&scenario, port);
    let mut heard = Heard {
        told,
        all: Vec::new(),
    };
    let line = |event: &str, what: &str, outcome: &str| {
        format!("{event} kubectl delete ns {what} {outcome}")
            .trim_end()
            .to_owned()
    };
    // Before any server: nobody is told of it, ever.
    let (long_ago, held) = asks(&scenario, "long-ago");
    scenario.tell(&["reject", &held]).success();
    long_ago.end();
    let served = Served::start(&scenario, &[]);
    let (approved, first) = asks(&scenario, "approved");
    let (orphan, lost) = asks(&scenario, "orphan");
    heard.until(&[line("held", "approved", ""), line("held", "orphan", "")]);
    served.kill();
    // What is held by the loss of control goes on.
    scenario.tell(&["release"]).success();
    scenario.tell(&["approve", &first]).success();
    assert_eq!(approved.end().0, 0);
    let (rejected, held) = asks(&scenario, "rejected");
    scenario
        .tell(&["reject", &held, "--message", "not today"])
        .success();
    rejected.end();
    let (swept, held) = asks(&scenario, "swept");
    scenario.tell(&["approve", &held]).success();
    assert_eq!(swept.end().0, 0);
    for entry in std::fs::read_dir(scenario.home().join("holds"))
        .expect("holds")
        .flatten()
    {
        if entry.file_name().to_string_lossy().starts_with(&held) {
            std::fs::remove_file(entry.path()).expect("swept away");
        }
    }
    // Nobody is left who could say that it is over.
    assert!(kill(supervisor(&scenario, &lost), libc::SIGKILL));
    orphan.end();
    scenario.write("f", "before\n");
    let endless = Running::new(&scenario, "echo after > f; while :; do sleep 0.05; done");
    let session = until("a session", SOON, || {
        let text = scenario.read("f");
        (text == "after\n").then(|| scenario.runs().pop()).flatten()
    });
    scenario
        .tell(&["kill", &session, "--why", "it never ends"])
        .success();
    endless.end();
    scenario.tell(&["undo", &session, "--yes"]).success();
    let (open, still) = asks(&scenario, "open");
    // Back, killed again in the middle of telling, and back.
    Served::start(&scenario, &[]).kill();
    let served = Served::start(&scenario, &[]);
    let all = [
        line("decided", "approved", "approved"),
        line("decided", "rejected", "rejected: not today"),
        line("decided", "swept", "approved"),
        line(
            "decided",
            "orphan",
            "void: whoever waited for it is gone, and nothing ran",
        ),
        format!("called session {session} killed: 1 session"),
        format!("ended session {session} proved"),
        line("held", "open", ""),
    ];
    heard.until(&all);
    // Once more, with nothing to tell but the last.
    assert!(served.stop());
    let served = Served::start(&scenario, &[]);
    scenario.tell(&["approve", &still]).success();
    assert_eq!(open.end().0, 0);
    heard.until(&[line("decided", "open", "approved")]);
    drop(served);
    let mut once = std::collections::BTreeMap::new();
    for (id, line) in &heard.all {
        assert_eq!(
            once.insert(line, id).unwrap_or(id),
            id,
            "told under two ids: {line}"
        );
    }
    let mut wanted: Vec<String> = all.into();
    wanted.extend([
        line("held", "approved", ""),
        line("held", "orphan", ""),
        line("decided", "open", "approved"),
    ]);
    wanted.sort();
    let told: Vec<String> = once.keys().map(|line| (*line).clone()).collect();
    assert_eq!(told, wanted, "these, and nothing else");
    proved(
        "7 told",
        "six things that happened while no server ran: each told under one id when it was back, and nobody asked for what was over",
    );
}

#[test]
fn a_channel_that_nobody_hears_is_said_in_the_servers_log_with_the_reason() {
    let scenario = place();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    tell_by_webhook(&scenario, port);
    let served = Served::start(&scenario, &[]);
    let (running, held) = asks(&scenario, "drone");
    let log = || std::fs::read_to_string(scenario.scratch().join("serve.log")).unwrap_or_default();
    let said = until("a word in the log", SOON, || {
        let log = log();
        let mut lines = log.lines().map(str::to_owned);
        lines.find(|line| line.contains("the channel can't be told just now"))
    });
    assert!(
        said.contains("pager") && said.contains("Connection refused"),
        "{said}"
    );
    scenario.tell(&["reject", &held]).success();
    running.end();
    drop(served);
}
