//! The text of a file before and after a change: from the vault, or from the disk where it is provably still that.

use crate::changes::Change;
use crate::text::{bytes, clean, clean_lines};
use rescind_files::{read, state};
use rescind_model::{Content, Digest, Effect, ResourceId, State, Value};
use rescind_recovery::MERGE_LIMIT;
use rescind_supervisor::journal::bytes_from_text;
use rescind_supervisor::{Bodies as _, StoredBodies};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Where texts are looked up.
pub struct Texts<'s> {
    bodies: StoredBodies<'s>,
    /// The effects of the session by resource: the state before one is the state after another.
    effects: HashMap<&'s ResourceId, Vec<&'s Effect>>,
}

/// A body for showing, or why there is none.
enum Body {
    Text(Vec<u8>),
    Nothing,
    Not(String),
}

impl<'s> Texts<'s> {
    /// Look up in the vault, and in what other effects kept.
    #[must_use]
    pub fn new(bodies: StoredBodies<'s>, effects: &'s [Effect]) -> Self {
        let mut by_resource: HashMap<_, Vec<_>> = HashMap::new();
        for effect in effects {
            by_resource.entry(&effect.resource).or_default().push(effect);
        }
        Self {
            bodies,
            effects: by_resource,
        }
    }

    /// The unified diff of a change; a sentence where the texts can't be shown; empty where the content is the same.
    #[must_use]
    pub fn diff(&self, change: &Change) -> String {
        let old_name = change.from.as_deref().unwrap_or(&change.name);
        let (before, after) = (
            self.body(change, &change.before, false),
            self.body(change, &change.after, true),
        );
        let named = |exists: bool, side: &str, name: &str| {
            if exists {
                format!("{side}{name}")
            } else {
                "/dev/null".to_owned()
            }
        };
        let names = (
            named(change.before.exists(), "a", &clean(old_name)),
            named(change.after.exists(), "b", &clean(&change.name)),
        );
        let (old, new) = match (before, after) {
            (Body::Not(why), _) => return format!("# {}: before: {why}\n", clean(old_name)),
            (_, Body::Not(why)) => return format!("# {}: after: {why}\n", clean(&change.name)),
            (Body::Nothing, Body::Nothing) => return String::new(),
            (old, new) => (old.bytes(), new.bytes()),
        };
        clean_lines(&rescind_merge::unified_diff(&old, &new, (&names.0, &names.1)))
    }

    fn body(&self, change: &Change, state: &State, last: bool) -> Body {
        let Some(fields) = state.fields() else {
            return Body::Nothing;
        };
        if let Some(Value::Bytes(target)) = fields.get("target") {
            let mut text = b"symbolic link to ".to_vec();
            text.extend_from_slice(rescind_supervisor::journal::text_from_bytes(target).as_bytes());
            text.push(b'\n');
            return Body::Text(text);
        }
        let Some(content) = fields.content("content") else {
            return Body::Nothing;
        };
        if content.length == 0 {
            return Body::Text(Vec::new());
        }
        if content.length > MERGE_LIMIT {
            return Body::Not(format!("{} are too much to show", bytes(content.length)));
        }
        let kept = |content: &Content| {
            content
                .kept
                .as_ref()
                .and_then(|kept| self.bodies.read(kept, MERGE_LIMIT).ok())
        };
        if let Some(text) = kept(content) {
            return Body::Text(text);
        }
        let own = self.effects.get(&change.resource);
        let states = own
            .into_iter()
            .flatten()
            .flat_map(|effect| [&effect.before, &effect.after]);
        let others = states.filter_map(|state| state.fields()?.content("content"));
        if let Some(text) = others
            .filter(|other| other.same(content) == Some(true))
            .find_map(kept)
        {
            return Body::Text(text);
        }
        match on_disk(&change.name, content).filter(|_| last) {
            Some(text) => Body::Text(text),
            None => Body::Not(format!(
                "its {} are not kept, and the file has changed since",
                bytes(content.length)
            )),
        }
    }
}

impl Body {
    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text,
            Self::Nothing | Self::Not(_) => Vec::new(),
        }
    }
}

/// The file's bytes, if its stamp or its digest says that they are these.
#[must_use]
pub fn on_disk(name: &str, content: &Content) -> Option<Vec<u8>> {
    let path = bytes_from_text(name);
    let path = Path::new(OsStr::from_bytes(&path));
    let folder = std::fs::File::open(path.parent()?).ok()?;
    let look = read::look(folder.as_fd(), path.file_name()?).ok()??;
    let mut file = read::open_file(folder.as_fd(), path.file_name()?, &look).ok()?;
    let mut text = Vec::new();
    file.by_ref().take(MERGE_LIMIT + 1).read_to_end(&mut text).ok()?;
    let stamped = content.stamp.as_ref() == Some(&state::stamp(&look)) && text.len() as u64 == content.length;
    let digested = content.digest.is_some_and(|digest| digest == Digest::of(&text));
    (stamped || digested).then_some(text)
}
