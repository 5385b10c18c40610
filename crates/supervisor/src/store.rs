//! The one store that runs, commands and readers share: home, ledger, vault, redaction rules.

use crate::clock;
use crate::entry::{Entry, EntryKind, MarkForm};
use crate::home::Home;
use crate::index::Index;
use crate::journal::{Record, SessionKind, SessionOpened};
use crate::log::SessionLog;
use rescind_ledger::Ledger;
use rescind_model::{Level, SessionId};
use rescind_redact::Rules;
use rescind_vault::{SessionReader, Vault};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory.
    #[error("the state directory `{path}` can't be used; nothing was changed")]
    Home {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The ledger.
    #[error("the ledger can't be used")]
    Ledger(#[from] rescind_ledger::Error),
    /// The vault.
    #[error("the vault can't be used")]
    Vault(#[from] rescind_vault::Error),
    /// The user's redaction rules.
    #[error("the redaction rules in `{path}` can't be used: {why}")]
    Rules {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
    /// No session matches what was asked for.
    #[error("no session is called `{asked}`")]
    NoSession {
        /// What was asked for.
        asked: String,
    },
    /// More than one does.
    #[error("`{asked}` could be {first} or {second}, among others")]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// One.
        first: String,
        /// Another.
        second: String,
    },
    /// A session's journal can't be read.
    #[error("the journal of session {session} can't be read: {why}")]
    Journal {
        /// Which.
        session: String,
        /// Why.
        why: String,
    },
}

/// The open store.
#[derive(Clone)]
pub struct Store {
    home: Home,
    ledger: Ledger,
    vault: Vault,
    rules: Arc<Rules>,
    index: Arc<Mutex<Index>>,
}

impl Store {
    /// Open the store, making it where it is not there yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(home: Home) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Home {
            path: home.root().display().to_string(),
            source,
        };
        home.make().map_err(fail)?;
        // Before the ledger: where there is one and no board, a board was lost. Whoever needs it says what is wrong with it.
        if !home.control().join("board").exists() {
            let _not_needed_here = crate::control::Control::open(&home);
        }
        let ledger = Ledger::open(&home.ledger(), &rescind_ledger::Options::default())?;
        let vault = Vault::open(&home.vault(), rescind_vault::Options::default())?;
        let rules = match std::fs::read_to_string(home.rules()) {
            Ok(text) => Rules::extended(&text).map_err(|error| StoreError::Rules {
                path: home.rules().display().to_string(),
                why: error.to_string(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Rules::standard(),
            Err(source) => {
                return Err(StoreError::Home {
                    path: home.rules().display().to_string(),
                    source,
                });
            }
        };
        Ok(Self {
            home,
            ledger,
            vault,
            rules: Arc::new(rules),
            index: Arc::default(),
        })
    }

    /// Its directory.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The vault.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// The redaction rules.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules)
    }

    /// Begin a session: its journal, and `session.started` in the ledger.
    ///
    /// # Errors
    /// It can't be recorded: then there is no session.
    pub fn begin(
        &self,
        id: &SessionId,
        opened: SessionOpened,
        level: Level,
    ) -> Result<SessionLog, StoreError> {
        let writer = match opened.kind {
            SessionKind::Run => self.vault.create_session(id),
            SessionKind::Undo => self.vault.create_recovery_session(id),
        }?;
        let log = SessionLog::new(id.clone(), writer, self.ledger.clone(), level);
        log.opened(&opened).map_err(|source| StoreError::Home {
            path: "the journal".to_owned(),
            source,
        })?;
        Ok(log)
    }

    /// Go on with a session's log: its supervisor is gone and its books are to be finished, or its undo goes on.
    ///
    /// # Errors
    /// The session is gone or its journal can't be written.
    pub fn resume(&self, id: &SessionId, level: Level) -> Result<SessionLog, StoreError> {
        let writer = self.vault.resume_session(id)?;
        Ok(SessionLog::new(id.clone(), writer, self.ledger.clone(), level))
    }

    /// The same, if nobody else writes it at this moment: for a reader, who waits for no one. `None`: somebody does.
    ///
    /// # Errors
    /// As [`Store::resume`].
    pub fn try_resume(&self, id: &SessionId, level: Level) -> Result<Option<SessionLog>, StoreError> {
        let writer = match self.vault.try_resume_session(id) {
            Err(rescind_vault::Error::Busy { .. }) => return Ok(None),
            writer => writer?,
        };
        Ok(Some(SessionLog::new(
            id.clone(),
            writer,
            self.ledger.clone(),
            level,
        )))
    }

    /// What the ledger says of the sessions, up to now. One command reads each entry once.
    pub(crate) fn index<T>(&self, ask: impl FnOnce(&Index) -> T) -> Result<T, StoreError> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.follow(&self.ledger)?;
        Ok(ask(&index))
    }

    /// How a session began; read once.
    pub(crate) fn opened(&self, id: &SessionId) -> Result<SessionOpened, StoreError> {
        let known = || self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = known().opening(id) {
            return Ok(opened.clone());
        }
        let opened = first_record(self, id)?;
        known().remember(id, opened.clone());
        Ok(opened)
    }

    /// Read a session.
    ///
    /// # Errors
    /// There is none, or it was erased.
    pub fn reader(&self, id: &SessionId) -> Result<SessionReader, StoreError> {
        Ok(self.vault.open_session(id)?)
    }

    /// Put an entry without a session's journal behind it into the ledger, also on a full disk: what it announces makes room.
    ///
    /// # Errors
    /// It can't be written.
    pub fn note(&self, kind: EntryKind, session: &SessionId, note: String) -> Result<(), StoreError> {
        self.enter(kind, session.to_string(), note)
    }

    /// The same for what belongs to no session: `note` is a JSON object (docs/formats/journal.md).
    ///
    /// # Errors
    /// It can't be written.
    pub fn note_control(&self, kind: EntryKind, note: String) -> Result<(), StoreError> {
        self.enter(kind, String::new(), note)
    }

    fn enter(&self, kind: EntryKind, session: String, note: String) -> Result<(), StoreError> {
        let entry = Entry {
            v: 1,
            kind,
            time: clock::now().to_string(),
            session: session.clone(),
            action: None,
            body: None,
            marks: Vec::<MarkForm>::new(),
            note: Some(note),
        };
        let bytes = serde_json::to_vec(&entry).map_err(|error| StoreError::Journal {
            session,
            why: error.to_string(),
        })?;
        self.ledger.append_from_reserve(&bytes, Level::Process)?;
        Ok(())
    }
}

/// What a session's journal begins with.
fn first_record(store: &Store, id: &SessionId) -> Result<SessionOpened, StoreError> {
    let fail = |why: String| StoreError::Journal {
        session: id.to_string(),
        why,
    };
    let first = store.reader(id)?.frames(0)?.next();
    let (_, bytes) = first.ok_or_else(|| fail("it is empty".to_owned()))??;
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(Record::Session(opened)) => Ok(opened),
        Ok(_) => Err(fail("it does not begin with the session".to_owned())),
        Err(error) => Err(fail(error.to_string())),
    }
}
