//! What people are told, before it is put into the words of a channel.

use rescind_model::{Class, Timestamp};

/// Longest key, bytes.
const LONGEST_KEY: usize = 512;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Event {
    /// An action waits for a person.
    Held,
    /// What an approved action was to change has changed since: it waits again.
    Moved,
    /// A hold was approved, changed, rejected, or it expired.
    Decided,
    /// Nobody answered in time, and the next tier is asked.
    Escalated,
    /// Something was killed, paused or resumed.
    Kill,
    /// An undo has ended.
    Undo,
    /// Somebody tries out a channel. Can't be chosen in a configuration: it goes to the one that is tried.
    Test,
}

/// One thing to tell. All texts are as people may read them: secrets are redacted by whoever makes a message.
///
/// Control characters, and those that turn the direction of a line, are taken out, and what is too long is cut, for every
/// channel alike; so a text may be given as it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What makes this event one: `held:SESSION.12:1`. Putting the same key a second time tells nobody anything.
    /// 1 to 512 bytes; give what the ledger calls it, not what is random.
    pub key: String,
    /// What happened.
    pub event: Event,
    /// When it happened.
    pub at: Timestamp,
    /// The domain; empty for none.
    pub domain: String,
    /// The environment; empty where it is not known.
    pub environment: String,
    /// The agent's name.
    pub agent: String,
    /// Who started it.
    pub owner: String,
    /// The session; empty for none.
    pub session: String,
    /// The action, `SESSION.NUMBER`.
    pub action: Option<String>,
    /// What waits, was decided, killed or undone: a command line, a call, a scope.
    pub what: String,
    /// Why, in the agent's own words, and shown as such. Empty where it gave none.
    pub why: String,
    /// Why it is held, or was killed: the policy's sentences.
    pub reasons: Vec<String>,
    /// Its class.
    pub class: Option<Class>,
    /// Its risk score, 0 to 100.
    pub score: Option<u8>,
    /// What it would change (or what was changed, of an undo), a line each. Only the first of them are shown.
    pub changes: Vec<String>,
    /// Until when it waits. What is not told by then is no longer sent.
    pub until: Option<Timestamp>,
    /// The groups that are asked now; empty for everybody.
    pub groups: Vec<String>,
    /// Who decided, killed or undid; empty where nobody did yet.
    pub by: String,
    /// What came of it: `approved`, `rejected: not on a Friday`, `12 sessions stopped`. Empty where nothing did yet.
    pub outcome: String,
    /// The page about exactly this, absolute: `https://rescind.example/holds/...`.
    pub link: String,
}

/// A message that can't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// No key, or a very long one.
    #[error("an event's key has 1 to {LONGEST_KEY} bytes, not {bytes}")]
    Key {
        /// Its length.
        bytes: usize,
    },
    /// A link that leads nowhere.
    #[error("`{link}` is no address of a page: http:// or https:// and a host")]
    Link {
        /// The link.
        link: String,
    },
}

impl Event {
    /// All that a channel can be told of.
    pub const ALL: [Self; 6] = [
        Self::Held,
        Self::Moved,
        Self::Decided,
        Self::Escalated,
        Self::Kill,
        Self::Undo,
    ];

    /// Its name in configurations and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Moved => "moved",
            Self::Decided => "decided",
            Self::Escalated => "escalated",
            Self::Kill => "kill",
            Self::Undo => "undo",
            Self::Test => "test",
        }
    }

    /// The event of that name, `test` included.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = Self::ALL.into_iter().chain([Self::Test]);
        all.into_iter().find(|event| event.name() == name)
    }

    /// Whether somebody has to do something: such a message is of no use once its time is over, or it is decided.
    pub(crate) fn asks(self) -> bool {
        matches!(self, Self::Held | Self::Moved | Self::Escalated)
    }
}

impl Message {
    /// A message of which nothing more is known than this; the rest is empty, to be filled in.
    #[must_use]
    pub fn new(key: impl Into<String>, event: Event, at: Timestamp, link: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            event,
            at,
            link: link.into(),
            domain: String::new(),
            environment: String::new(),
            agent: String::new(),
            owner: String::new(),
            session: String::new(),
            action: None,
            what: String::new(),
            why: String::new(),
            reasons: Vec::new(),
            class: None,
            score: None,
            changes: Vec::new(),
            until: None,
            groups: Vec::new(),
            by: String::new(),
            outcome: String::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), MessageError> {
        let bytes = self.key.len();
        if !(1..=LONGEST_KEY).contains(&bytes) {
            return Err(MessageError::Key { bytes });
        }
        let plain = !self
            .link
            .chars()
            .any(|own| own.is_whitespace() || own.is_control());
        let web = self
            .link
            .strip_prefix("https://")
            .or_else(|| self.link.strip_prefix("http://"));
        match web {
            Some(rest) if plain && self.link.len() <= 2_000 && !rest.is_empty() && !rest.starts_with('/') => {
                Ok(())
            }
            Some(_) | None => Err(MessageError::Link {
                link: crate::words::line(&self.link, 200),
            }),
        }
    }
}
