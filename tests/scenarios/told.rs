//! People are told of holds by whatever way, and the link they get leads to exactly that hold, behind a sign-in.

use crate::holds::{Running, configure, done, hold, name, place};
use rescind_scenarios::{Browser, Served, proved};
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

#[test]
fn a_hold_is_told_by_webhook_until_it_is_taken_and_its_link_leads_to_it_behind_a_sign_in() {
    let scenario = place();
    let (port, told) = receiver(2);
    let key = scenario.scratch().join("webhook.key");
    std::fs::write(&key, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=\n").expect("a key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    configure(
        &scenario,
        "server.toml",
        &format!(
            "[[notify]]\nkind = \"webhook\"\nname = \"pager\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"{}\"\n",
            key.display()
        ),
    );
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
