//! Objects: the inodes a session has seen, by number, with their identity and their last known place.

mod folder;
#[cfg(test)]
mod tests;

pub use folder::Folder;

use rescind_model::{ObjectId, SessionId};
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

/// What tells one inode from another: file system, inode number, and the time of birth, since numbers are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The device number, major in the upper half. It may change with a reboot.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// The time of birth in nanoseconds since the Unix epoch, 0 where the file system has none.
    pub btime: i64,
}

/// The kinds of inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A Unix socket.
    Socket,
    /// A character device.
    Char,
    /// A block device.
    Block,
}

/// Where an object is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At an absolute path.
    Path(Vec<u8>),
    /// Under a name in a folder that has a number.
    In(ObjectId, Vec<u8>),
}

/// What a journal keeps of an object. A later record of the same number moves it or binds it to another inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRecord {
    /// The session in whose numbers it is counted.
    pub session: SessionId,
    /// Its number.
    pub object: ObjectId,
    /// The inode it is bound to.
    pub identity: Identity,
    /// What it is.
    pub kind: Kind,
    /// Its absolute path at last sight.
    pub path: Vec<u8>,
    /// Whether it was removed by the session: nothing is bound to the number now.
    pub gone: bool,
}

/// The objects of one session.
///
/// INVARIANT: `by_identity` leads to every object that is not gone, and to no other; `folders` has each folder once, under the path
/// that its entry has.
#[derive(Debug, Clone)]
pub struct ObjectTable {
    session: SessionId,
    objects: HashMap<ObjectId, Object>,
    last: u64,
    by_identity: HashMap<Identity, ObjectId>,
    folders: BTreeSet<(Vec<u8>, ObjectId)>,
    devices: HashMap<u64, u64>,
    last_moves: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where folders were before. A move that was noted may have failed, with others after it.
    past: HashMap<ObjectId, Vec<Vec<u8>>>,
}

/// How many places of a folder are remembered.
const PAST: usize = 16;

#[derive(Debug, Clone)]
struct Object {
    identity: Identity,
    kind: Kind,
    place: Place,
    gone: bool,
}

impl Kind {
    /// The kind's name in states.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Dir => "dir",
            Self::Symlink => "symlink",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Char => "char",
            Self::Block => "block",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [
            Self::File,
            Self::Dir,
            Self::Symlink,
            Self::Fifo,
            Self::Socket,
            Self::Char,
            Self::Block,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

impl ObjectTable {
    /// A table without objects.
    #[must_use]
    pub fn new(session: SessionId) -> Self {
        Self {
            session,
            objects: HashMap::new(),
            last: 0,
            by_identity: HashMap::new(),
            folders: BTreeSet::new(),
            devices: HashMap::new(),
            last_moves: Vec::new(),
            past: HashMap::new(),
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// The number of an inode, if it has one.
    #[must_use]
    pub fn find(&self, identity: &Identity) -> Option<ObjectId> {
        if let Some(object) = self.by_identity.get(identity) {
            return Some(*object);
        }
        let dev = *self.devices.get(&identity.dev)?;
        self.by_identity.get(&Identity { dev, ..*identity }).copied()
    }

    /// The number of an inode, given one now if it has none; `true`: it is new, and its record is to be journaled
    /// before anything refers to it.
    pub fn number(&mut self, identity: Identity, kind: Kind, place: Place) -> (ObjectId, bool) {
        if let Some(object) = self.find(&identity) {
            return (object, false);
        }
        let object = ObjectId(self.last + 1);
        self.put(object, identity, kind, place, false);
        (object, true)
    }

    /// The object is somewhere else now. Of a folder, everything below goes with it.
    pub fn moved(&mut self, object: ObjectId, place: Place) {
        let Some(entry) = self.objects.get(&object) else {
            return;
        };
        if entry.kind != Kind::Dir {
            if let Some(entry) = self.objects.get_mut(&object) {
                entry.place = place;
            }
            return;
        }
        let (Some(from), Some(to)) = (self.path(object), self.path_of(&place)) else {
            return;
        };
        if from != to {
            self.rewrite(object, &from, &to);
            self.last_moves = vec![(from, to)];
        }
    }

    /// The two objects have changed places. Of folders, everything below goes with them.
    pub fn exchanged(&mut self, one: ObjectId, other: ObjectId) {
        let (Some(first), Some(second)) = (self.place(one).cloned(), self.place(other).cloned()) else {
            return;
        };
        let (Some(here), Some(there)) = (self.path_of(&first), self.path_of(&second)) else {
            return;
        };
        // Aside first, under a path that can't be, or what is below the one would go on with the other.
        self.moved(one, Place::Path([b"//aside", there.as_slice()].concat()));
        self.moved(other, self.place_of(&here));
        self.moved(one, self.place_of(&there));
        self.last_moves = vec![(here.clone(), there.clone()), (there, here)];
    }

    /// The object was removed: its inode's number may be used again by another. Its own number never is.
    pub fn remove(&mut self, object: ObjectId) {
        if let Some(entry) = self.objects.get_mut(&object) {
            entry.gone = true;
            let identity = entry.identity;
            if self.by_identity.get(&identity) == Some(&object) {
                self.by_identity.remove(&identity);
            }
        }
    }

    /// Bind the object to another inode at a place: it was made again.
    pub fn bind(&mut self, object: ObjectId, identity: Identity, kind: Kind, place: Place) {
        let from = self.objects.get(&object).and_then(|entry| match &entry.place {
            // What is below the place of one that is gone is another's.
            Place::Path(path) if entry.kind == Kind::Dir && !entry.gone => Some(path.clone()),
            _ => None,
        });
        let to = self.path_of(&place);
        if let (Some(from), Some(to), Kind::Dir) = (&from, &to, kind)
            && from != to
        {
            self.rewrite(object, from, to);
        }
        self.put(object, identity, kind, place, false);
    }

    /// What a journal should keep of the object.
    #[must_use]
    pub fn record(&self, object: ObjectId) -> Option<ObjectRecord> {
        let entry = self.objects.get(&object)?;
        Some(ObjectRecord {
            session: self.session.clone(),
            object,
            identity: entry.identity,
            kind: entry.kind,
            path: self.path(object)?,
            gone: entry.gone,
        })
    }

    /// Take in a record, in the order in which they were journaled.
    pub fn load(&mut self, record: &ObjectRecord) {
        let place = match record.kind {
            Kind::Dir => Place::Path(record.path.clone()),
            _ => self.place_of(&record.path),
        };
        match self.objects.get(&record.object) {
            Some(entry) if entry.identity == record.identity && !record.gone && !entry.gone => {
                self.moved(record.object, place);
            }
            Some(_) => self.bind(record.object, record.identity, record.kind, place),
            None => self.put(record.object, record.identity, record.kind, place, false),
        }
        if record.gone {
            self.remove(record.object);
        }
    }

    /// The absolute path at last sight.
    #[must_use]
    pub fn path(&self, object: ObjectId) -> Option<Vec<u8>> {
        self.path_of(&self.objects.get(&object)?.place)
    }

    /// The place at last sight.
    #[must_use]
    pub fn place(&self, object: ObjectId) -> Option<&Place> {
        self.objects.get(&object).map(|entry| &entry.place)
    }

    /// The inode the object is, or was, bound to.
    #[must_use]
    pub fn identity(&self, object: ObjectId) -> Option<Identity> {
        self.objects.get(&object).map(|entry| entry.identity)
    }

    /// Whether the object was removed, or was never there.
    #[must_use]
    pub fn is_gone(&self, object: ObjectId) -> bool {
        self.objects.get(&object).is_none_or(|entry| entry.gone)
    }

    /// The folder that was last seen at this path, the one that is there rather than one that is gone.
    #[must_use]
    pub fn folder_at(&self, path: &[u8]) -> Option<ObjectId> {
        let from = (path.to_vec(), ObjectId(0));
        let here = self.folders.range(from..).take_while(|(other, _)| other == path);
        let mut found = None;
        for (_, object) in here {
            if found.is_none() || !self.is_gone(*object) {
                found = Some(*object);
            }
        }
        found
    }

    /// The folders that are not gone, each with its path.
    pub fn living_folders(&self) -> impl Iterator<Item = &(Vec<u8>, ObjectId)> {
        self.folders.iter().filter(|(_, object)| !self.is_gone(*object))
    }

    /// The path of a place.
    fn path_of(&self, place: &Place) -> Option<Vec<u8>> {
        match place {
            Place::Path(path) => Some(path.clone()),
            Place::In(folder, name) => {
                let mut path = self.path(*folder)?;
                if path.last() != Some(&b'/') {
                    path.push(b'/');
                }
                path.extend_from_slice(name);
                Some(path)
            }
        }
    }

    /// The place that a path is, by its folder where that has a number.
    fn place_of(&self, path: &[u8]) -> Place {
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return Place::Path(path.to_vec());
        };
        let (folder, name) = path.split_at(slash);
        let folder = if folder.is_empty() { b"/" } else { folder };
        match (self.folder_at(folder), name.get(1..)) {
            (Some(folder), Some(name)) => Place::In(folder, name.to_vec()),
            _ => Place::Path(path.to_vec()),
        }
    }

    fn put(&mut self, object: ObjectId, identity: Identity, kind: Kind, place: Place, gone: bool) {
        let place = match (kind, place) {
            (Kind::Dir, place) => Place::Path(self.path_of(&place).unwrap_or_default()),
            (_, place) => place,
        };
        if let Some(old) = self.objects.get(&object) {
            if self.by_identity.get(&old.identity) == Some(&object) {
                self.by_identity.remove(&old.identity);
            }
            if let (Kind::Dir, Place::Path(path)) = (old.kind, &old.place) {
                self.folders.remove(&(path.clone(), object));
            }
        }
        if let (Kind::Dir, Place::Path(path)) = (kind, &place) {
            self.folders.insert((path.clone(), object));
        }
        // An inode is one object: what it was before is gone.
        if let Some(before) = self
            .by_identity
            .insert(identity, object)
            .filter(|before| *before != object)
            && let Some(before) = self.objects.get_mut(&before)
        {
            before.gone = true;
        }
        self.last = self.last.max(object.0);
        let entry = Object {
            identity,
            kind,
            place,
            gone,
        };
        self.objects.insert(object, entry);
    }

    /// Give the folder, and every folder below it, the path under which it is now. Where another was at the same path
    /// before, what is gone from below it is taken for the other's, and stays.
    fn rewrite(&mut self, object: ObjectId, from: &[u8], to: &[u8]) {
        let mut below = from.to_vec();
        below.push(b'/');
        let inside = |path: &Vec<u8>| path.starts_with(&below);
        let start = Bound::Included((below.clone(), ObjectId(0)));
        let here = (from.to_vec(), ObjectId(0));
        let alone = self
            .folders
            .range(here..)
            .take_while(|(path, _)| path == from)
            .count()
            < 2;
        let mut moving: Vec<(Vec<u8>, ObjectId)> = self
            .folders
            .range((start, Bound::Unbounded))
            .take_while(|(path, _)| inside(path))
            .filter(|(_, folder)| alone || !self.is_gone(*folder))
            .cloned()
            .collect();
        moving.push((from.to_vec(), object));
        for (path, folder) in moving {
            let mut new = to.to_vec();
            new.extend_from_slice(path.get(from.len()..).unwrap_or_default());
            self.folders.remove(&(path.clone(), folder));
            self.folders.insert((new.clone(), folder));
            let past = self.past.entry(folder).or_default();
            if !past.contains(&path) && past.len() < PAST {
                past.push(path);
            }
            if let Some(entry) = self.objects.get_mut(&folder) {
                entry.place = Place::Path(new);
            }
        }
    }
}
