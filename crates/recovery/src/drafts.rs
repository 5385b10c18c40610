//! Merged bodies of a plan, held in memory until the plan is applied: planning writes nothing.

use rescind_model::{Content, Digest, Fields, Locator, State, Value};
use rescind_supervisor::Bodies;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

/// Bodies by the locators that a plan's states name them with.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Drafts(BTreeMap<Locator, Arc<[u8]>>);

/// Bytes of drafts that one plan may hold.
const LIMIT: usize = 1 << 29;

const PREFIX: &str = "draft:";

/// The vault's bodies with the drafts of a plan in front: what is kept here goes to the drafts.
pub(crate) struct Drafting<'a> {
    vault: &'a dyn Bodies,
    drafts: RefCell<Drafts>,
}

impl Drafts {
    /// The length of all of them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.values().map(|body| body.len()).sum()
    }

    /// Put the drafts that `state` names into the vault and name them by their place there.
    ///
    /// # Errors
    /// The vault can't be written.
    pub(crate) fn settle(&self, state: &State, vault: &dyn Bodies) -> io::Result<State> {
        let State::Present(fields) = state else {
            return Ok(state.clone());
        };
        let mut settled = Fields::new();
        for (name, value) in fields.iter() {
            let draft = match value {
                Value::Content(content) => content.kept.as_ref().and_then(|kept| self.0.get(kept)),
                _ => None,
            };
            let value = match draft {
                Some(bytes) => Value::Content(vault.keep(bytes)?),
                None => value.clone(),
            };
            settled.set(name.to_owned(), value);
        }
        Ok(State::Present(settled))
    }
}

impl<'a> Drafting<'a> {
    pub(crate) fn new(vault: &'a dyn Bodies) -> Self {
        Self {
            vault,
            drafts: RefCell::default(),
        }
    }

    /// The drafts that `states` name; the others are forgotten.
    pub(crate) fn into_drafts<'s>(self, states: impl Iterator<Item = &'s State>) -> Drafts {
        let mut all = self.drafts.into_inner();
        let mut named = Drafts::default();
        for state in states {
            for (_, value) in state.fields().into_iter().flat_map(Fields::iter) {
                let Value::Content(Content { kept: Some(kept), .. }) = value else {
                    continue;
                };
                if let Some(entry) = all.0.remove_entry(kept) {
                    named.0.extend([entry]);
                }
            }
        }
        named
    }

    fn draft(&self, kept: &Locator) -> Option<Arc<[u8]>> {
        self.drafts.borrow().0.get(kept).cloned()
    }
}

impl Bodies for Drafting<'_> {
    fn holds(&self, kept: &Locator) -> bool {
        self.draft(kept).is_some() || self.vault.holds(kept)
    }

    fn read(&self, kept: &Locator, limit: u64) -> io::Result<Vec<u8>> {
        match self.draft(kept) {
            Some(bytes) if bytes.len() as u64 <= limit => Ok(bytes.to_vec()),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the body is longer than the limit",
            )),
            None => self.vault.read(kept, limit),
        }
    }

    fn copy_to(&self, kept: &Locator, mut file: &File) -> io::Result<()> {
        match self.draft(kept) {
            Some(bytes) => file.write_all(&bytes),
            None => self.vault.copy_to(kept, file),
        }
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<Content> {
        let mut drafts = self.drafts.borrow_mut();
        if drafts.bytes() + bytes.len() > LIMIT {
            let why = "the plan would hold more than 512 MiB of merged texts; undo a part of it first";
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, why));
        }
        let digest = Digest::of(bytes);
        let kept = Locator(format!("{PREFIX}{}", digest.hex()));
        drafts.0.entry(kept.clone()).or_insert_with(|| Arc::from(bytes));
        Ok(Content {
            length: bytes.len() as u64,
            digest: Some(digest),
            stamp: None,
            kept: Some(kept),
        })
    }
}

impl fmt::Debug for Drafts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drafts({} bodies, {} bytes)", self.0.len(), self.bytes())
    }
}
