//! Stamps that stand for the same bytes.
//!
//! A file's stamp holds its ctime, which changes with its attributes, its names and its place, not only with its
//! content. Where the journal says that nothing but those was touched, the stamps before and after mean the same bytes;
//! all are then written as the last one, which is what the file has now unless somebody else touched it.

use rescind_model::{Content, Digest, Effect, Locator, ObjectId, Stamp, State, Value};
use std::collections::HashMap;

/// What is known of a session's stamps, in the order of its journal.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    later: HashMap<Stamp, Stamp>,
    last: HashMap<ObjectId, (Stamp, i64)>,
}

impl Stamps {
    /// An effect left the content of the object as it was.
    pub fn untouched(&mut self, before: &State, after: &State) {
        if let (Some((one, old, _)), Some((other, new, _))) = (parts(before), parts(after))
            && one == other
            && body(&old) == body(&new)
        {
            self.join(old, new);
        }
    }

    /// A state was seen. The same inode with the same length and time of change holds the same bytes as when it was seen
    /// last, though it was moved or linked since: only then has its ctime changed alone.
    pub fn seen(&mut self, state: &State, _before: bool) {
        let Some((object, stamp, mtime)) = parts(state) else {
            return;
        };
        if let Some((known, then)) = self.last.insert(object, (stamp.clone(), mtime))
            && known != stamp
            && then == mtime
            && body(&known) == body(&stamp)
        {
            self.join(known, stamp);
        }
    }

    fn join(&mut self, old: Stamp, new: Stamp) {
        // A stamp seen again is newer than all that were joined to others since.
        self.later.remove(&new);
        if old != new {
            self.later.insert(old, new);
        }
    }

    /// Write a state's stamp as the last one that stands for the same bytes.
    pub fn rename(&self, state: &mut State) {
        let State::Present(fields) = state else { return };
        let Some(content) = fields.content("content").cloned() else {
            return;
        };
        let Some(mut stamp) = content.stamp.clone() else {
            return;
        };
        let mut steps = 0;
        while let Some(later) = self.later.get(&stamp)
            && steps < 10_000
        {
            stamp = later.clone();
            steps += 1;
        }
        fields.set(
            "content",
            Value::Content(Content {
                stamp: Some(stamp),
                ..content
            }),
        );
    }
}

/// A body that was kept under one name is kept under all: states of the same stamp share locator and digest.
pub fn share_kept(effects: &mut [Effect]) {
    let mut known: HashMap<Stamp, (Option<Locator>, Option<Digest>)> = HashMap::new();
    for state in effects.iter().flat_map(|effect| [&effect.before, &effect.after]) {
        let Some(content) = state.fields().and_then(|fields| fields.content("content")) else {
            continue;
        };
        let Some(stamp) = &content.stamp else { continue };
        let entry = known.entry(stamp.clone()).or_default();
        entry.0 = entry.0.take().or_else(|| content.kept.clone());
        entry.1 = entry.1.take().or(content.digest);
    }
    for state in effects
        .iter_mut()
        .flat_map(|effect| [&mut effect.before, &mut effect.after])
    {
        let State::Present(fields) = state else { continue };
        let Some(content) = fields.content("content").cloned() else {
            continue;
        };
        let Some((kept, digest)) = content.stamp.as_ref().and_then(|stamp| known.get(stamp)) else {
            continue;
        };
        if (content.kept.is_none() && kept.is_some()) || (content.digest.is_none() && digest.is_some()) {
            let kept = content.kept.clone().or_else(|| kept.clone());
            let digest = content.digest.or(*digest);
            fields.set(
                "content",
                Value::Content(Content {
                    kept,
                    digest,
                    ..content
                }),
            );
        }
    }
}

/// Object, stamp and time of change of a file's state.
fn parts(state: &State) -> Option<(ObjectId, Stamp, i64)> {
    let fields = state.fields()?;
    let stamp = fields.content("content")?.stamp.clone()?;
    Some((fields.object("object")?, stamp, fields.int("mtime")?))
}

/// A stamp without its ctime: device, inode, birth, size.
fn body(stamp: &Stamp) -> &str {
    stamp.0.rsplit_once(':').map_or("", |(body, _)| body)
}
