//! Chat: Slack's form and its bounds.

use crate::place::{Place, deliver, finish, held};
use crate::receiver::{Answer, Receiver};
use rescind_notify::State;
use serde_json::Value;

fn told(message: &rescind_notify::Message) -> Value {
    let place = Place::new();
    let receiver = Receiver::start(|number, _| match number {
        0 => Answer::Status(429, "retry-after: 0\r\n", "rate_limited"),
        _ => Answer::Status(200, "", "ok"),
    });
    let url = place.secret(
        "url",
        &format!("http://127.0.0.1:{}/services/T0/B0/x\n", receiver.port),
    );
    let outbox = place.outbox(&format!(
        "[[notify]]\nkind = \"slack\"\nname = \"chat\"\nurl_file = \"{url}\"\n"
    ));
    outbox.put(message).unwrap();
    finish(&outbox, deliver(&outbox));
    let got = receiver.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1].path, "/services/T0/B0/x");
    assert!(got[1].headers["content-type"].starts_with("application/json"));
    got[1].json()
}

#[test]
fn a_message_says_what_waits_and_its_button_is_only_a_link() {
    let message = held("k");
    let body = told(&message);
    let text = body["text"].as_str().unwrap();
    assert!(
        text.contains("payments/prod: deploy-bot waits for a decision"),
        "{text}"
    );
    assert!(text.contains("needs a sign-in"), "{text}");
    let whole = body.to_string();
    assert!(
        whole.contains("&lt;https://evil.example|click&gt; &amp; costs money"),
        "{whole}"
    );
    assert!(!whole.contains("<https://evil.example"));
    let blocks = body["blocks"].as_array().unwrap();
    let button = &blocks.iter().find(|block| block["type"] == "actions").unwrap()["elements"][0];
    assert_eq!(button["url"], message.link);
    assert!(button.get("value").is_none());
    assert_eq!(whole.matches("\"type\":\"button\"").count(), 1);
    for fact in [
        "irreversible",
        "87 of 100",
        "ledger-12",
        "and 8 more",
        "reviewer",
        "0198c9f2.7",
        "*Why it is held*",
    ] {
        assert!(whole.contains(fact), "{fact}: {whole}");
    }
}

#[test]
fn the_longest_and_worst_texts_stay_within_slacks_bounds() {
    let mut message = held("k");
    let worst = "<!channel> ``` *&<>` `````` \u{202e}".repeat(2_000);
    for text in [
        &mut message.what,
        &mut message.why,
        &mut message.agent,
        &mut message.domain,
        &mut message.owner,
        &mut message.by,
        &mut message.outcome,
        &mut message.environment,
    ] {
        text.clone_from(&worst);
    }
    message.reasons = vec![worst.clone(); 100];
    message.changes = vec![worst.clone(); 10_000];
    message.groups = vec![worst; 100];
    let body = told(&message);
    assert!(body["text"].as_str().unwrap().chars().count() <= 4_000);
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50);
    for block in blocks {
        let text = &block["text"];
        let most = if text["type"] == "plain_text" { 150 } else { 3_000 };
        let own = text["text"].as_str().unwrap_or_default();
        assert!(own.chars().count() <= most, "{}", own.chars().count());
        assert!(!own.contains("<!channel>") || text["type"] == "plain_text");
        if let Some(inside) = own
            .strip_prefix("```\n")
            .and_then(|rest| rest.strip_suffix("\n```"))
        {
            assert!(!inside.contains("``"), "a block of code is ended from inside");
        }
        let fields = block["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.len() <= 10);
        for field in fields {
            assert!(field["text"].as_str().unwrap().chars().count() <= 2_000);
        }
    }
    assert!(!body.to_string().contains('\u{202e}'));
}

#[test]
fn an_archived_channel_is_given_up() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| Answer::Status(410, "", "channel_is_archived"));
    let url = place.secret("url", &format!("http://127.0.0.1:{}/x", receiver.port));
    let outbox = place.outbox(&format!(
        "[[notify]]\nkind = \"slack\"\nname = \"chat\"\nurl_file = \"{url}\"\n"
    ));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    let failed = outbox.deliveries(None, Some(State::GaveUp), 9).unwrap();
    assert!(failed[0].error.as_ref().unwrap().contains("channel_is_archived"));
}
