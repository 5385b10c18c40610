//! A message as it is kept in the outbox and sent as JSON: version 1 of `docs/formats/notifications.md`.

use crate::message::{Event, Message};
use crate::words;
use rescind_model::{Class, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The version of the form.
const VERSION: u32 = 1;
/// Longest name of a domain, an agent, a person.
const NAME: usize = 200;
/// Longest line.
const LINE: usize = 400;
/// Longest command and longest reasoning.
const TEXT: usize = 2_000;

/// The form. Texts are safe to show: see [`words`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) version: u32,
    pub(crate) event: String,
    pub(crate) time: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) domain: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) environment: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) agent: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) owner: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) session: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) what: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) why: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) score: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) more_changes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) by: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) outcome: String,
    pub(crate) link: String,
    /// Always true where somebody is asked: a link decides nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) needs_sign_in: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Form {
    pub(crate) fn of(message: &Message) -> Self {
        let name = |text: &str| words::line(text, NAME);
        let (changes, more_changes) = words::list(&message.changes, LINE);
        let (reasons, _) = words::list(&message.reasons, LINE);
        Self {
            version: VERSION,
            event: message.event.name().to_owned(),
            time: seconds(message.at),
            domain: name(&message.domain),
            environment: name(&message.environment),
            agent: name(&message.agent),
            owner: name(&message.owner),
            session: name(&message.session),
            action: message.action.as_deref().map(name),
            what: words::lines(&message.what, TEXT),
            why: words::lines(&message.why, TEXT),
            reasons,
            class: message.class.map(|class| class.name().to_owned()),
            score: message.score.map(|score| score.min(100)),
            changes,
            more_changes,
            until: message.until.map(seconds),
            groups: message
                .groups
                .iter()
                .take(words::MOST_LINES)
                .map(|own| name(own))
                .collect(),
            by: name(&message.by),
            outcome: words::line(&message.outcome, LINE),
            link: message.link.clone(),
            needs_sign_in: message.event.asks(),
        }
    }

    pub(crate) fn event(&self) -> Event {
        Event::from_name(&self.event).unwrap_or(Event::Test)
    }

    pub(crate) fn class(&self) -> Option<Class> {
        self.class.as_deref().and_then(Class::from_name)
    }
}

/// A time as people and other programs read it: whole seconds, rounded down.
pub(crate) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => text,
    }
}

/// The id by which receivers know an event again: the same for every try, every channel, and every process that tells
/// of it. Without dots, which Standard Webhooks forbids in ids.
pub(crate) fn id_of(key: &str) -> String {
    let digest = Sha256::new()
        .chain_update(b"rescind-notify/1\0")
        .chain_update(key)
        .finalize();
    let mut id = String::from("msg_");
    for byte in digest.iter().take(16) {
        id.push_str(&format!("{byte:02x}"));
    }
    id
}
