//! A signed POST: a CloudEvent 1.0 in structured mode, signed as Standard Webhooks 1.0 has it.

use crate::form::Form;
use crate::http::Address;
use crate::message::Event;
use crate::sending::Sent;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A signed POST to one address.
#[derive(Debug)]
pub(crate) struct Webhook {
    address: Address,
    keys: Keys,
}

/// Keys that sign, each on its own: while a key is exchanged there are two.
pub(crate) struct Keys(Vec<Vec<u8>>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} keys)", self.0.len())
    }
}

impl Keys {
    /// One key a line, base64 of 24 to 64 bytes, with or without `whsec_` in front; at most three.
    ///
    /// # Errors
    /// A sentence, without the keys.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a key is base64 of 24 to 64 bytes, as `openssl rand -base64 32` makes it; up to three, one a line".to_owned()
        };
        let mut keys = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let line = line.strip_prefix("whsec_").unwrap_or(line);
            let key = STANDARD.decode(line).map_err(|_| wrong())?;
            if !(24..=64).contains(&key.len()) {
                return Err(wrong());
            }
            keys.push(key);
        }
        if (1..=3).contains(&keys.len()) {
            return Ok(Self(keys));
        }
        Err(wrong())
    }

    /// The value of `webhook-signature`: `v1,BASE64` for each key, a space between.
    pub(crate) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let signatures: Vec<String> = self
            .0
            .iter()
            .filter_map(|key| {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
                mac.update(format!("{id}.{timestamp}.").as_bytes());
                mac.update(body);
                Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
            })
            .collect();
        signatures.join(" ")
    }
}

impl Webhook {
    pub(crate) fn new(address: Address, keys: Keys) -> Self {
        Self { address, keys }
    }

    pub(crate) fn shown(&self) -> String {
        self.address.shown()
    }

    pub(crate) fn send(&self, id: &str, form: &Form, time_out: Duration) -> Sent {
        let body = match serde_json::to_vec(&event(id, form)) {
            Ok(body) => body,
            Err(error) => {
                return Sent::Refused {
                    why: format!("the message has no JSON form: {error}"),
                };
            }
        };
        // A time before 1970 signs as 1970: the receiver refuses it, and says so.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp = now.as_secs();
        let signature = self.keys.sign(id, timestamp, &body);
        let headers = [
            ("content-type", "application/cloudevents+json; charset=utf-8"),
            ("webhook-id", id),
            ("webhook-timestamp", &timestamp.to_string()),
            ("webhook-signature", &signature),
        ];
        self.address.post(&headers, &body, time_out)
    }
}

/// The CloudEvent of a message.
pub(crate) fn event(id: &str, form: &Form) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": source(&form.link),
        "type": kind(form.event()),
        "time": form.time,
        "datacontenttype": "application/json",
        "data": form,
    });
    let subject = form.action.as_deref().unwrap_or(&form.session);
    if let (false, Some(event)) = (subject.is_empty(), event.as_object_mut()) {
        event.insert("subject".to_owned(), subject.into());
    }
    event
}

fn kind(event: Event) -> &'static str {
    match event {
        Event::Held => "dev.rescind.action.held",
        Event::Moved => "dev.rescind.action.moved",
        Event::Decided => "dev.rescind.action.decided",
        Event::Escalated => "dev.rescind.action.escalated",
        Event::Kill => "dev.rescind.kill.called",
        Event::Undo => "dev.rescind.undo.ended",
        Event::Test => "dev.rescind.notification.test",
    }
}

/// Scheme, host and port of a link: which server tells.
fn source(link: &str) -> &str {
    let after = link.find("://").map_or(0, |at| at + 3);
    let host = link.get(after..).unwrap_or_default();
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    link.get(..after + end).unwrap_or(link)
}

#[cfg(test)]
mod tests {
    use super::{Keys, source};

    #[test]
    fn the_signature_is_the_one_of_the_specification() {
        let keys = Keys::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn weak_keys_are_refused_and_none_is_shown() {
        for text in ["", "\n", "password", "c2hvcnQ=", "a\nb\nc\nd"] {
            let wrong = Keys::parse(text).unwrap_err();
            assert!(text.trim().is_empty() || !wrong.contains(text));
        }
        let keys = Keys::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{keys:?}"), "(1 keys)");
    }

    #[test]
    fn the_source_is_the_server() {
        assert_eq!(
            source("https://r.example:8443/holds/1?x"),
            "https://r.example:8443"
        );
        assert_eq!(source("https://r.example?x"), "https://r.example");
        assert_eq!(source("http://[::1]:80"), "http://[::1]:80");
    }
}
