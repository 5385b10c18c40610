//! What a shell knows while it runs: variables, functions, aliases, arguments.

use super::Context;
use crate::field::{Field, HOLE};
use crate::shell::Command;
use std::collections::HashMap;
use std::sync::Arc;

/// Values longer than this are not worked with.
pub(super) const MAX_VALUE: usize = 16 * 1024;

/// The state of one shell.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Variables that were set here; [`HOLE`] where they are not known. `None`: unset.
    variables: Arc<HashMap<String, Option<String>>>,
    pub(super) functions: Arc<HashMap<String, Arc<Command>>>,
    pub(super) aliases: Arc<HashMap<String, String>>,
    /// `$1` and so on, where they are known.
    pub(super) arguments: Option<Arc<Vec<Field>>>,
    /// Nothing of the environment of the one who asks is known here: another machine.
    pub(super) foreign: bool,
    /// Why a program may not be what its name says.
    pub(super) tainted: Option<Arc<str>>,
}

/// The folder of whoever asks, where that is not known: told from other values that are not known.
pub(super) const HOME: &str = "\u{ffff}\u{fffe}";
/// What is taken for the folders of programs where those are not known: nothing but the system's own.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that shells set by themselves.
const LIVE: [&str; 24] = [
    "RANDOM",
    "SECONDS",
    "LINENO",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "SRANDOM",
    "BASHPID",
    "PPID",
    "UID",
    "EUID",
    "OLDPWD",
    "PWD",
    "SHLVL",
    "BASH",
    "BASH_VERSION",
    "BASH_SOURCE",
    "FUNCNAME",
    "HOSTNAME",
    "OSTYPE",
    "PIPESTATUS",
    "REPLY",
    "OPTARG",
    "OPTIND",
    "_",
];

impl Scope {
    /// A variable's value, with [`HOLE`] for what is not known. `None`: it is not set.
    pub(super) fn variable(&self, name: &str, context: &Context) -> Option<String> {
        if let Some(value) = self.variables.get(name) {
            return value.clone();
        }
        let unknown = match name {
            "HOME" => Some(HOME.to_owned()),
            "PATH" if !self.foreign => Some(USUAL_PATH.to_owned()),
            _ => Some(HOLE.to_string()),
        };
        if name == "IFS" {
            return Some(" \t\n".to_owned());
        }
        if self.foreign {
            return unknown;
        }
        if let Some(value) = context.variables.get(name) {
            return Some(value.clone());
        }
        if context.complete && !LIVE.contains(&name) {
            return None;
        }
        unknown
    }

    pub(super) fn set(&mut self, name: &str, value: String) {
        let value = if value.len() > MAX_VALUE {
            HOLE.to_string()
        } else {
            value
        };
        Arc::make_mut(&mut self.variables).insert(name.to_owned(), Some(value));
    }

    pub(super) fn unset(&mut self, name: &str) {
        Arc::make_mut(&mut self.variables).insert(name.to_owned(), None);
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.set(name, HOLE.to_string());
    }

    /// Whether words are split as everybody expects.
    pub(super) fn splits_at_blanks(&self) -> bool {
        !self.variables.contains_key("IFS")
    }

    /// What holds whether or not something ran in between: what it changed is not known any more.
    pub(super) fn join(&mut self, before: &Self) {
        if Arc::ptr_eq(&self.variables, &before.variables)
            && Arc::ptr_eq(&self.functions, &before.functions)
            && Arc::ptr_eq(&self.aliases, &before.aliases)
        {
            return;
        }
        let names: Vec<String> = self
            .variables
            .iter()
            .filter(|(name, value)| before.variables.get(*name) != Some(value))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            self.forget(&name);
        }
        let changed = self
            .functions
            .iter()
            .any(|(name, body)| before.functions.get(name).is_some_and(|old| old != body))
            || self
                .aliases
                .iter()
                .any(|(name, text)| before.aliases.get(name).is_some_and(|old| old != text));
        if changed {
            self.taint("a function or an alias is defined twice");
        }
    }

    /// From here on a program may not be what its name says.
    pub(super) fn taint(&mut self, why: &str) {
        if self.tainted.is_none() {
            self.tainted = Some(Arc::from(why));
        }
    }

    /// The state of a shell on another machine.
    pub(super) fn elsewhere() -> Self {
        Self {
            foreign: true,
            ..Self::default()
        }
    }
}
