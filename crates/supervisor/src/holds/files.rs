//! The files of holds by their names, and reading what they hold.

use super::{DecisionForm, Hold, HoldForm, read_form};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

/// Which files of a hold there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Files {
    pub hold: bool,
    pub closed: bool,
    /// Who has decided.
    pub persons: BTreeSet<String>,
}

/// What a file of a hold is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Hold,
    Closed,
    By(String),
}

impl Files {
    /// Whether it waits, as far as its files say.
    pub fn is_open(&self) -> bool {
        self.hold && !self.closed
    }

    /// A file is there now, or is not.
    pub fn set(&mut self, what: What, there: bool) {
        match what {
            What::Hold => self.hold = there,
            What::Closed => self.closed = there,
            What::By(person) if there => drop(self.persons.insert(person)),
            What::By(person) => drop(self.persons.remove(&person)),
        }
    }

    pub fn is_empty(&self) -> bool {
        !self.hold && !self.closed && self.persons.is_empty()
    }
}

/// The action and the kind of a file; `None` for what is no hold's, such as a draft. A person's name may hold anything.
pub(super) fn parse(name: &str) -> Option<(&str, What)> {
    if name.starts_with('.') {
        return None;
    }
    if let Some((action, person)) = name.split_once(".by-") {
        return Some((action, What::By(person.to_owned())));
    }
    let hold = name.strip_suffix(".hold").map(|action| (action, What::Hold));
    hold.or_else(|| name.strip_suffix(".closed").map(|action| (action, What::Closed)))
}

/// All that is there, by action, with one look at the directory.
pub(super) fn scan(directory: &Path) -> io::Result<BTreeMap<String, Files>> {
    let mut all: BTreeMap<String, Files> = BTreeMap::new();
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        if let Some((action, what)) = name.to_str().and_then(parse) {
            all.entry(action.to_owned()).or_default().set(what, true);
        }
    }
    Ok(all)
}

/// A hold with what was said of it, by the names of its files.
pub(super) fn read(directory: &Path, action: &str, files: &Files) -> io::Result<Option<Hold>> {
    let Some(form) = read_form::<HoldForm>(&directory.join(format!("{action}.hold")))? else {
        return Ok(None);
    };
    let mut decisions: Vec<DecisionForm> = Vec::with_capacity(files.persons.len());
    for person in &files.persons {
        decisions.extend(read_form(&directory.join(format!("{action}.by-{person}")))?);
    }
    decisions.sort_by(|one: &DecisionForm, other| one.at.cmp(&other.at));
    Ok(Some(Hold { form, decisions }))
}
