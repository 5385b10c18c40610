//! A folder with an outbox, its secrets, and a message.

use rescind_model::{Class, Reversibility, Timestamp};
use rescind_notify::{Channels, Deliverer, Event, Message, Outbox, Pace, State};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// A folder of its own.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        place.secret("key", KEY);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn secret(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    /// A channel to a local webhook.
    pub fn webhook(&self, name: &str, port: u16, more: &str) -> String {
        format!(
            "[[notify]]\nkind = \"webhook\"\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/hook\"\n\
             secret_file = \"{}\"\n{more}\n",
            self.path("key").display()
        )
    }

    pub fn outbox(&self, text: &str) -> Outbox {
        Outbox::open(&self.path("outbox"), Channels::parse(text).unwrap()).unwrap()
    }
}

/// So fast that a test need not wait.
pub fn pace() -> Pace {
    Pace {
        time_out: Duration::from_millis(500),
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(40),
        ..Pace::default()
    }
}

pub fn deliver(outbox: &Outbox) -> Deliverer {
    outbox.deliver(pace()).unwrap()
}

/// Wait until nothing waits, and stop.
pub fn finish(outbox: &Outbox, deliverer: Deliverer) {
    super::receiver::until("an empty outbox", || {
        outbox
            .deliveries(None, Some(State::Waiting), 1)
            .unwrap()
            .is_empty()
    });
    assert!(deliverer.join(super::receiver::LIMIT));
}

pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since.as_nanos()).unwrap())
}

pub fn later(by: Duration) -> Timestamp {
    Timestamp(now().0 + i64::try_from(by.as_nanos()).unwrap())
}

/// A hold as it would be told.
pub fn held(key: &str) -> Message {
    let mut message = Message::new(
        key,
        Event::Held,
        now(),
        "https://rescind.example:8443/holds/0198c9f2.7?from=mail&x=1",
    );
    message.domain = "payments/prod".to_owned();
    message.environment = "production".to_owned();
    message.agent = "deploy-bot".to_owned();
    message.owner = "ann".to_owned();
    message.session = "0198c9f2".to_owned();
    message.action = Some("0198c9f2.7".to_owned());
    message.what = "kubectl delete deployment ledger --namespace payments".to_owned();
    message.why = "The old ledger is no longer used <https://evil.example|click> & costs money".to_owned();
    message.reasons = vec!["what is irreversible waits for a person".to_owned()];
    message.class = Some(Class::Known(Reversibility::Irreversible));
    message.score = Some(87);
    message.changes = (1..=20)
        .map(|number| format!("deleted: pod ledger-{number}"))
        .collect();
    message.until = Some(later(Duration::from_secs(3_600)));
    message.groups = vec!["reviewer".to_owned()];
    message
}
