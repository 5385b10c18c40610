//! Mail, to a real mail server with the faults that mail servers have.

use crate::peers::{Server, certificate, python};
use crate::place::{Place, deliver, finish, held, pace};
use crate::receiver::until;
use rescind_notify::{Delivery, Event, Message, Outbox, State};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;

fn channel(port: u16, to: &[&str], more: &str) -> String {
    format!(
        "[[notify]]\nkind = \"smtp\"\nname = \"mail\"\nserver = \"localhost\"\nport = {port}\n\
         from = \"Rescind <rescind@example.com>\"\nto = {to:?}\n{more}\n"
    )
}

const PLAIN: &str = "tls = \"none\"";

/// The parts that matter of a mail, read by Python's own parser.
fn parsed(mail: &Value) -> Value {
    let python = python("mail, parsed").unwrap();
    let program = "import sys, json, email, email.policy\n\
        mail = email.message_from_string(sys.argv[1], policy=email.policy.default)\n\
        print(json.dumps({'headers': [[k, str(v)] for k, v in mail.items()], 'defects': len(mail.defects),\n\
        'text': mail.get_body(('plain',)).get_content(), 'html': mail.get_body(('html',)).get_content()}))";
    let output = Command::new(python)
        .args(["-c", program, mail["mail"].as_str().unwrap()])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn header<'m>(mail: &'m Value, name: &str) -> Vec<&'m str> {
    let all = mail["headers"].as_array().unwrap();
    let own = all.iter().filter(|header| header[0] == name);
    own.map(|header| header[1].as_str().unwrap()).collect()
}

fn by_target(outbox: &Outbox, target: &str) -> Delivery {
    let all = outbox.deliveries(None, None, 99).unwrap();
    all.into_iter()
        .find(|delivery| delivery.target == target)
        .unwrap()
}

#[test]
fn a_mail_says_what_waits_and_threads_by_action() {
    let Some(python) = python("mail to a real server") else {
        return;
    };
    let server = Server::mail(&python, &json!({}));
    let place = Place::new();
    let outbox = place.outbox(&channel(
        server.port,
        &["ann@example.com", "Bob <bob@example.com>"],
        PLAIN,
    ));
    let ask = held("k");
    assert_eq!(outbox.put(&ask).unwrap(), 2, "one mail to each");
    finish(&outbox, deliver(&outbox));
    let mut decided = Message::new("d", Event::Decided, ask.at, ask.link.clone());
    (decided.action, decided.by, decided.outcome) =
        (ask.action.clone(), "ann".to_owned(), "approved".to_owned());
    outbox.put(&decided).unwrap();
    finish(&outbox, deliver(&outbox));
    let mails = server.wait(4);
    let to: Vec<&Value> = mails.iter().map(|mail| &mail["to"]).collect();
    assert!(to.contains(&&json!(["ann@example.com"])) && to.contains(&&json!(["bob@example.com"])));
    let first = parsed(&mails[0]);
    assert_eq!(first["defects"], 0);
    assert_eq!(
        header(&first, "Subject"),
        [
            "[rescind] payments/prod: deploy-bot waits for a decision: kubectl delete deployment ledger --namespace payments"
        ]
    );
    assert_eq!(header(&first, "Auto-Submitted"), ["auto-generated"]);
    let text = first["text"].as_str().unwrap();
    for fact in [
        ask.link.as_str(),
        "87 of 100",
        "irreversible",
        "needs a sign-in",
        "and 8 more",
        "The agent says:",
    ] {
        assert!(text.contains(fact), "{fact}: {text}");
    }
    let html = first["html"].as_str().unwrap();
    assert!(
        html.contains("&lt;https://evil.example|click&gt; &amp; costs money"),
        "{html}"
    );
    assert!(html.contains("<a href=\"https://rescind.example:8443/holds/0198c9f2.7?from=mail&amp;x=1\">"));
    let ids: Vec<String> = mails
        .iter()
        .map(|mail| header(&parsed(mail), "Message-ID")[0].to_owned())
        .collect();
    assert_eq!(ids[0], ids[1], "one event, one id");
    assert_ne!(ids[0], ids[2]);
    let threads: Vec<String> = mails
        .iter()
        .map(|mail| header(&parsed(mail), "References")[0].to_owned())
        .collect();
    assert!(threads.iter().all(|thread| *thread == threads[0]), "{threads:?}");
}

#[test]
fn no_text_of_an_agent_becomes_a_header() {
    let Some(python) = python("headers of mail") else {
        return;
    };
    let server = Server::mail(&python, &json!({}));
    let place = Place::new();
    let outbox = place.outbox(&channel(server.port, &["ann@example.com"], PLAIN));
    let mut message = held("k");
    message.agent = "bot\r\nBcc: eve@example.com\r\n\r\n<b>body</b>".to_owned();
    message.domain = format!("ü\nX-Evil: {}", "long ".repeat(1_000));
    message.what = "one\r\n.\r\nMAIL FROM:<eve@example.com>\r\n.\r\n".to_owned();
    outbox.put(&message).unwrap();
    finish(&outbox, deliver(&outbox));
    let mails = server.wait(1);
    assert_eq!(mails[0]["to"], json!(["ann@example.com"]));
    let mail = parsed(&mails[0]);
    assert_eq!(mail["defects"], 0);
    assert!(header(&mail, "Bcc").is_empty() && header(&mail, "X-Evil").is_empty());
    let subject = header(&mail, "Subject")[0];
    assert!(
        subject.chars().count() <= 130 && subject.contains('ü'),
        "{subject}"
    );
    assert!(
        mail["text"]
            .as_str()
            .unwrap()
            .contains("    MAIL FROM:<eve@example.com>")
    );
    assert_eq!(server.got().len(), 1, "a lone dot ends no mail");
}

#[test]
fn greylisted_mail_comes_later_and_a_refused_address_keeps_nobody_else_waiting() {
    let Some(python) = python("greylisting and refused addresses") else {
        return;
    };
    let server = Server::mail(&python, &json!({"greylist": 3, "refuse": ["gone@example.com"]}));
    let place = Place::new();
    let outbox = place.outbox(&channel(
        server.port,
        &["gone@example.com", "ann@example.com"],
        PLAIN,
    ));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    assert_eq!(server.wait(1).len(), 1);
    let (gone, ann) = (
        by_target(&outbox, "gone@example.com"),
        by_target(&outbox, "ann@example.com"),
    );
    assert_eq!((gone.state, ann.state), (State::GaveUp, State::Told));
    assert_eq!(gone.tries + ann.tries, 5, "three were greylisted");
    assert!(gone.error.unwrap().contains("no such mailbox"));
    assert_eq!(outbox.status().unwrap()[0].gave_up, 1);
}

#[test]
fn a_server_that_hangs_up_or_says_nothing_is_tried_again() {
    let Some(python) = python("mail servers that hang") else {
        return;
    };
    let server = Server::mail(&python, &json!({"hang_up": 2}));
    let place = Place::new();
    let outbox = place.outbox(&channel(server.port, &["ann@example.com"], PLAIN));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    let mails = server.wait(3);
    let ids: Vec<String> = mails
        .iter()
        .map(|mail| header(&parsed(mail), "Message-ID")[0].to_owned())
        .collect();
    assert!(
        ids.iter().all(|id| *id == ids[0]),
        "each try has the same Message-ID"
    );
    assert_eq!(by_target(&outbox, "ann@example.com").tries, 3);

    let silent = Server::mail(&python, &json!({"silent": true}));
    let place = Place::new();
    let outbox = place.outbox(&channel(silent.port, &["ann@example.com"], PLAIN));
    outbox.put(&held("k")).unwrap();
    let deliverer = outbox.deliver(pace()).unwrap();
    until("two tries", || by_target(&outbox, "ann@example.com").tries >= 2);
    assert!(deliverer.join(Duration::from_secs(30)));
    assert_eq!(by_target(&outbox, "ann@example.com").state, State::Waiting);
}

#[test]
fn starttls_and_a_sign_in_with_a_certificate_that_is_vouched_for() {
    let Some(python) = python("mail over TLS") else {
        return;
    };
    let place = Place::new();
    let (certificate, key) = certificate(&place);
    let password = place.secret("password", "correct horse");
    let wrong = place.secret("wrong", "incorrect horse");
    for (mode, implicit) in [("starttls", false), ("tls", true)] {
        let mut options = json!({"certificate": certificate, "key": key, "implicit": implicit});
        if !implicit {
            options["user"] = "rescind".into();
            options["password"] = "correct horse".into();
        }
        let server = Server::mail(&python, &options);
        let text = |file: &str, authority: &str| {
            let user = format!("user = \"rescind\"\npassword_file = \"{file}\"\n");
            let user = if implicit { "" } else { &user };
            channel(
                server.port,
                &["ann@example.com"],
                &format!("tls = \"{mode}\"\n{user}{authority}"),
            )
        };
        let vouched = format!("ca_file = \"{certificate}\"");

        let own = Place::new();
        let outbox = own.outbox(&text(&password, &vouched));
        outbox.put(&held("k")).unwrap();
        finish(&outbox, deliver(&outbox));
        let mails = server.wait(1);
        assert_eq!(mails[0]["tls"], true, "{mode}");
        assert_eq!(mails[0]["user"], if implicit { "" } else { "rescind" });

        let own = Place::new();
        let outbox = own.outbox(&text(&password, ""));
        outbox.put(&held("k")).unwrap();
        let deliverer = deliver(&outbox);
        until("a refused certificate", || {
            outbox.status().unwrap()[0].last_failure.is_some()
        });
        assert!(deliverer.join(Duration::from_secs(30)));
        let (_, why) = outbox.status().unwrap()[0].last_failure.clone().unwrap();
        assert!(why.to_lowercase().contains("certificate"), "{mode}: {why}");
        assert_eq!(
            server.got().len(),
            1,
            "nothing was sent to whom nobody vouches for"
        );

        if implicit {
            continue;
        }
        let own = Place::new();
        let outbox = own.outbox(&text(&wrong, &vouched));
        outbox.put(&held("k")).unwrap();
        let deliverer = deliver(&outbox);
        until("a refused password", || {
            outbox.status().unwrap()[0].last_failure.is_some()
        });
        assert!(deliverer.join(Duration::from_secs(30)));
        let (_, why) = outbox.status().unwrap()[0].last_failure.clone().unwrap();
        assert!(why.contains("535") && !why.contains("horse"), "{why}");
        assert_eq!(
            outbox.status().unwrap()[0].waiting,
            1,
            "its owner can mend that: it is tried again"
        );
    }
}

#[test]
fn a_server_without_starttls_gets_nothing() {
    let Some(python) = python("mail without STARTTLS") else {
        return;
    };
    let server = Server::mail(&python, &json!({}));
    let place = Place::new();
    let outbox = place.outbox(&channel(server.port, &["ann@example.com"], "tls = \"starttls\""));
    outbox.put(&held("k")).unwrap();
    let deliverer = deliver(&outbox);
    until("a refusal", || outbox.status().unwrap()[0].last_failure.is_some());
    assert!(deliverer.join(Duration::from_secs(30)));
    assert!(server.got().is_empty());
}
