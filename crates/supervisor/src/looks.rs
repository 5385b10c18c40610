//! The contract of looking at what a command is about to change elsewhere: what the gateway of commands asks before one runs,
//! and when it is over.

use crate::journal::WayForm;
use rescind_model::State;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What an action has around it, and what rescind runs for it has around it, too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Around {
    /// Its working directory.
    pub cwd: PathBuf,
    /// Its environment, `NAME=value`.
    pub environment: Vec<Vec<u8>>,
}

/// A state that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// All that the command said.
    pub output: Vec<u8>,
    /// Its values, as fields of text. Where it did not end with 0, or a value is not there, the one field `answer` says so:
    /// states that can be told apart, and are no value.
    pub state: State,
    /// Why it is not complete, where it is not: nothing can be taken back to it.
    pub lacks: Option<String>,
}

/// Who reads states for the gateway, by commands that change nothing. Used from several threads at a time.
pub trait Looks: std::fmt::Debug + Send + Sync {
    /// The files of all programs that a way names. `own` is the one that the action itself runs.
    ///
    /// # Errors
    /// Why one of them can't be trusted, in a sentence: it must not be run.
    fn programs(&self, way: &WayForm, own: &Path) -> Result<BTreeMap<String, String>, String>;

    /// Read the state that a way is about. Takes seconds at most.
    ///
    /// # Errors
    /// Why it can't be read at all, in a sentence.
    fn look(&self, way: &WayForm, around: &Around) -> Result<Seen, String>;
}
