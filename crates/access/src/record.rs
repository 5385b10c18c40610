//! What is recorded of each change, before it is made.

use serde_json::{Map, Value, json};
use std::error::Error;

/// A change, as the ledger has it: what, who, by whom, and what else belongs to it. Never a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    id: String,
    what: &'static str,
    who: String,
    by: String,
    details: Map<String, Value>,
}

/// Why a change could not be recorded.
pub type RecordError = Box<dyn Error + Send + Sync>;

/// Puts changes where nobody can quietly edit them. Called before a change takes effect: if it fails, nothing changes.
///
/// Called while the file is locked for writing: an implementation must not use the same [`Access`](crate::Access).
pub trait Recorder: Send + Sync {
    /// Record, and return once it is as durable as it has to be.
    ///
    /// # Errors
    /// It could not be recorded: the change is not made then.
    fn record(&self, change: &Change) -> Result<(), RecordError>;
}

impl<F> Recorder for F
where
    F: Fn(&Change) -> Result<(), RecordError> + Send + Sync,
{
    fn record(&self, change: &Change) -> Result<(), RecordError> {
        self(change)
    }
}

impl Change {
    pub(crate) fn new(id: String, what: &'static str, who: impl Into<String>, by: impl Into<String>) -> Self {
        Self {
            id,
            what,
            who: who.into(),
            by: by.into(),
            details: Map::new(),
        }
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// That a change which is recorded was not made after all.
    pub(crate) fn withdrawn(&self) -> Self {
        Self {
            what: "not-made",
            details: Map::from_iter([("of".to_owned(), json!(self.what))]),
            ..self.clone()
        }
    }

    /// Its id, which the file keeps too once the change is made.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was changed, as in `person.added`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        self.what
    }

    /// The object for an entry `access.changed`: `change`, `what`, `who`, `by`, and what else belongs to it.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut object = self.details.clone();
        object.insert("change".to_owned(), json!(self.id));
        object.insert("what".to_owned(), json!(self.what));
        object.insert("who".to_owned(), json!(self.who));
        object.insert("by".to_owned(), json!(self.by));
        Value::Object(object)
    }
}
