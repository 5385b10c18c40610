//! All sessions of the store, and which one is meant.

use crate::journal::{ExitForm, SessionKind};
use crate::{SessionView, Store, StoreError, clock};
use rescind_model::{Effect, Fields, SessionId, State};

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Its supervisor lives.
    Running,
    /// It ended.
    Ended,
    /// Its supervisor died; its books are not finished.
    Broken,
    /// Its content was erased; only the ledger knows of it.
    Erased,
}

/// A session in a list.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// Which.
    pub id: SessionId,
    /// Whether it goes on.
    pub life: Life,
    /// When it began, RFC 3339.
    pub time: String,
    /// A run or an undo; `None` where it is erased.
    pub kind: Option<SessionKind>,
    /// The agent.
    pub agent: String,
    /// The domain it works in, where one was given.
    pub domain: String,
    /// Its command line.
    pub argv: Vec<String>,
    /// How it ended.
    pub exit: Option<ExitForm>,
    /// How many resources it changed.
    pub effects: u64,
    /// How many of its actions are on record.
    pub actions: u64,
    /// Whether its changes went to a stage.
    pub staged: bool,
    /// The staged session that it promotes.
    pub promotes: Option<String>,
}

impl Store {
    /// All sessions that the ledger knows, oldest first.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn sessions(&self) -> Result<Vec<SessionId>, StoreError> {
        self.index(|index| index.started().cloned().collect())
    }

    /// What a list says of a session.
    ///
    /// # Errors
    /// Its journal can't be read.
    pub fn summary(&self, id: &SessionId) -> Result<SessionSummary, StoreError> {
        match SessionView::load(self, id) {
            Ok(view) => Ok(SessionSummary {
                id: id.clone(),
                life: view.life(),
                time: view.opened.time.clone(),
                kind: Some(view.opened.kind),
                agent: view.opened.agent.clone(),
                domain: view.opened.domain.clone(),
                argv: view.opened.argv.clone(),
                exit: view.ended.as_ref().map(|ended| ended.exit),
                effects: view.changed() as u64,
                actions: view.nodes.len() as u64,
                staged: view.opened.staged,
                promotes: view.opened.promotes.clone(),
            }),
            Err(StoreError::Vault(
                rescind_vault::Error::Erased { .. } | rescind_vault::Error::NoSession { .. },
            )) => Ok(SessionSummary {
                id: id.clone(),
                life: Life::Erased,
                time: String::new(),
                kind: None,
                agent: String::new(),
                domain: String::new(),
                argv: Vec::new(),
                exit: None,
                effects: 0,
                actions: 0,
                staged: false,
                promotes: None,
            }),
            Err(error) => Err(error),
        }
    }

    /// The session that a person means: an id, the beginning of one, or `None` for the last.
    ///
    /// # Errors
    /// None or several match.
    pub fn find(&self, asked: Option<&str>) -> Result<SessionId, StoreError> {
        let sessions = self.sessions()?;
        let Some(asked) = asked else {
            return sessions.last().cloned().ok_or(StoreError::NoSession {
                asked: "last".to_owned(),
            });
        };
        let mut matching = sessions
            .iter()
            .filter(|id| id.as_str().starts_with(asked) || id.as_str().ends_with(asked));
        match (matching.next(), matching.next()) {
            (Some(one), None) => Ok(one.clone()),
            (None, _) => Err(StoreError::NoSession {
                asked: asked.to_owned(),
            }),
            (Some(first), Some(second)) => Err(StoreError::Ambiguous {
                asked: asked.to_owned(),
                first: first.to_string(),
                second: second.to_string(),
            }),
        }
    }
}

impl SessionView {
    /// Whether it goes on.
    #[must_use]
    pub fn life(&self) -> Life {
        if self.ended.is_some() {
            Life::Ended
        } else if clock::lives(&self.opened.supervisor) {
            Life::Running
        } else {
            Life::Broken
        }
    }

    /// How many different resources it changed, folders' own times aside.
    #[must_use]
    pub fn changed(&self) -> usize {
        let mut keys: Vec<&[u8]> = self
            .effects
            .iter()
            .filter(|effect| !in_passing(effect) && !effect.before.same(&effect.after))
            .map(|effect| effect.resource.key.as_slice())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    }
}

/// Whether the effect is only a folder's time of change, which follows from what was done in it.
#[must_use]
pub fn in_passing(effect: &Effect) -> bool {
    let (State::Present(before), State::Present(after)) = (&effect.before, &effect.after) else {
        return false;
    };
    let rest = |fields: &Fields| {
        let mut fields = fields.clone();
        fields.remove("mtime");
        State::Present(fields)
    };
    before.text("kind") == Some("dir") && rest(before).same(&rest(after))
}
