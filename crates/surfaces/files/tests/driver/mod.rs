//! A session on a real tree without a gateway: the tree is read before and after what the session does, and what differs
//! are its effects.

#![allow(dead_code, reason = "each test file uses a part of it")]

mod shelf;

pub use shelf::Shelf;

use rescind_conformance::Tape;
use rescind_files::manifest::Manifest;
use rescind_files::{Cell, FilesDriver, Kind, Note, Notes, ObjectTable, Place, read, state};
use rescind_model::{Effect, ObjectId, Outcome, Seq, SessionId, State};
use rescind_recovery::{ApplyError, Earlier, OnConflict, Plan, Request, Split, Surfaces, apply, plan};
use rescind_supervisor::{Bodies as _, Opening, Position, Receipt, SystemSession};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Notes in memory.
#[derive(Debug, Clone, Default)]
pub struct Noted(pub Arc<Mutex<Vec<Note>>>);

impl Notes for Noted {
    fn note(&mut self, note: &Note) -> std::io::Result<()> {
        self.0.lock().unwrap().push(note.clone());
        Ok(())
    }
}

/// A tree, the session that works on it, and what undos of it noted.
pub struct Bench {
    _dir: tempfile::TempDir,
    pub root: PathBuf,
    pub shelf: Shelf,
    pub table: ObjectTable,
    pub noted: Noted,
    seq: u64,
    /// Paths whose files are kept as pins before the session acts.
    pub pinned: BTreeSet<PathBuf>,
    undos: u32,
}

type Seen = BTreeMap<Cell, (String, State)>;

/// What an undo came to.
pub struct Undone {
    pub plan: Plan,
    pub tape: Tape,
    pub result: Result<Receipt, ApplyError>,
}

impl Bench {
    pub fn new() -> Self {
        Self::in_dir(tempfile::tempdir().unwrap())
    }

    /// In memory, where a test is about speed or makes many files.
    pub fn in_memory() -> Self {
        let dir = tempfile::Builder::new().tempdir_in("/dev/shm");
        Self::in_dir(dir.unwrap_or_else(|_| tempfile::tempdir().unwrap()))
    }

    fn in_dir(dir: tempfile::TempDir) -> Self {
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        let shelf = Shelf::new(&dir.path().join("pins"));
        let table = ObjectTable::new(SessionId::new(1_795_255_200_000, 7));
        Self {
            _dir: dir,
            root,
            shelf,
            table,
            noted: Noted::default(),
            seq: 0,
            pinned: BTreeSet::new(),
            undos: 0,
        }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn manifest(&self) -> Manifest {
        Manifest::of(&self.root).unwrap()
    }

    pub fn cell(&self, path: &str) -> Cell {
        let path = self.path(path);
        let folder = self
            .table
            .folder_at(path.parent().unwrap().as_os_str().as_bytes())
            .unwrap();
        Cell::new(self.table.session(), folder, path.file_name().unwrap().as_bytes())
    }

    /// What `act` does to the tree, as effects of one action.
    pub fn does(&mut self, act: impl FnOnce(&Path)) -> Vec<Effect> {
        let before = self.look(None);
        act(&self.root);
        let after = self.look(Some(&before));
        self.forget_gone(&after);
        self.set_paths(&before, &after);
        let (before, after) = (
            only_what_is_lost(&before, &after),
            only_what_is_lost(&after, &before),
        );
        let cells: BTreeSet<&Cell> = before.keys().chain(after.keys()).collect();
        let mut effects = Vec::new();
        for cell in cells {
            let absent = || (String::new(), State::Absent);
            let (old_name, was) = before.get(cell).cloned().unwrap_or_else(absent);
            let (new_name, is) = after.get(cell).cloned().unwrap_or_else(absent);
            let object = |state: &State| state.fields().and_then(|fields| fields.object(state::OBJECT));
            if was.same(&is) && object(&was) == object(&is) {
                continue;
            }
            self.seq += 1;
            effects.push(Effect {
                action: self.table.session().action(1),
                seq: Seq(self.seq),
                resource: cell.resource(),
                name: if new_name.is_empty() { old_name } else { new_name },
                before: was,
                after: is,
                outcome: Outcome::Observed,
            });
        }
        effects
    }

    /// The tree, its bodies kept if it is looked at before the session acts. After it, bodies that are the same are
    /// named as before, as a gateway does that knows which calls were made.
    fn look(&mut self, before: Option<&Seen>) -> Seen {
        let mut seen = Seen::new();
        let above = self.root.parent().unwrap().to_owned();
        let folder = self.number(&above, Kind::Dir);
        let name = self.root.file_name().unwrap().to_owned();
        self.entry(&above, folder, &name, before, &mut seen);
        seen
    }

    fn number(&mut self, path: &Path, kind: Kind) -> ObjectId {
        let folder = File::open(path.parent().unwrap()).unwrap();
        let look = read::look(folder.as_fd(), path.file_name().unwrap())
            .unwrap()
            .unwrap();
        let place = Place::Path(path.as_os_str().as_bytes().to_vec());
        self.table.number(look.identity, kind, place).0
    }

    fn entry(
        &mut self,
        above: &Path,
        folder: ObjectId,
        name: &OsStr,
        before: Option<&Seen>,
        seen: &mut Seen,
    ) {
        let path = above.join(name);
        let opened = File::open(above).unwrap();
        let look = read::look(opened.as_fd(), name).unwrap().unwrap();
        let cell = Cell::new(self.table.session(), folder, name.as_bytes());
        let place = Place::In(folder, name.as_bytes().to_vec());
        let (object, new) = self.table.number(look.identity, look.kind, place.clone());
        if !new {
            self.table.moved(object, place);
        }
        let mut found = read::state(opened.as_fd(), name, &look, Some(object)).unwrap();
        if look.kind == Kind::File {
            let body = self.body(&opened, name, &path, &look, object, before);
            found = state::with_content(&found, body);
        }
        seen.insert(cell, (path.display().to_string(), found));
        if look.kind == Kind::Dir {
            let mut names: Vec<_> = fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort();
            for name in names {
                self.entry(&path, object, &name, before, seen);
            }
        }
    }

    fn body(
        &self,
        opened: &File,
        name: &OsStr,
        path: &Path,
        look: &read::Look,
        object: ObjectId,
        before: Option<&Seen>,
    ) -> rescind_model::Content {
        let known = before.into_iter().flat_map(Seen::values).find_map(|(_, state)| {
            let fields = state.fields()?;
            let same =
                fields.object(state::OBJECT) == Some(object) && fields.int(state::MTIME) == Some(look.mtime);
            let body = fields.content(state::CONTENT)?;
            (same && body.length == look.size).then(|| body.clone())
        });
        if let Some(known) = known {
            return known;
        }
        let mut body = read::body_of(look);
        if before.is_none() && self.pinned.contains(path) {
            body.kept = self.shelf.pin(opened.as_fd(), name).unwrap();
            // The pin has changed its ctime.
            let look = read::look(opened.as_fd(), name).unwrap().unwrap();
            body.stamp = Some(state::stamp(&look));
            return body;
        }
        let file = read::open_file(opened.as_fd(), name, look).unwrap();
        let kept = self.shelf.keep_file(&file).unwrap();
        rescind_model::Content {
            stamp: body.stamp,
            ..kept
        }
    }

    /// A table that was told of each move when it was made has each object where it is, or was last.
    fn set_paths(&mut self, before: &Seen, after: &Seen) {
        let mut paths = BTreeMap::new();
        for (path, state) in before.values().chain(after.values()) {
            if let Some(object) = state.fields().and_then(|fields| fields.object(state::OBJECT)) {
                paths.insert(object, path.clone().into_bytes());
            }
        }
        let mut table = ObjectTable::new(self.table.session().clone());
        let numbers = (1..).map(ObjectId);
        let records = numbers.map_while(|object| self.table.record(object));
        for record in records {
            let path = paths.get(&record.object).cloned().unwrap_or(record.path.clone());
            table.load(&rescind_files::ObjectRecord { path, ..record });
        }
        self.table = table;
    }

    fn forget_gone(&mut self, after: &Seen) {
        let living: BTreeSet<ObjectId> = after
            .values()
            .filter_map(|(_, state)| state.fields()?.object(state::OBJECT))
            .collect();
        let root = self
            .table
            .folder_at(self.root.parent().unwrap().as_os_str().as_bytes());
        let mut object = ObjectId(1);
        while self.table.identity(object).is_some() {
            if !living.contains(&object) && Some(object) != root {
                self.table.remove(object);
            }
            object = ObjectId(object.0 + 1);
        }
    }

    /// A driver that knows what this session and the undos before it noted.
    pub fn driver(&self) -> FilesDriver {
        let earlier = self.noted.0.lock().unwrap().clone();
        FilesDriver::new([self.table.clone()], earlier, Box::new(self.noted.clone()))
    }

    pub fn undo(&mut self, effects: &[Effect]) -> Undone {
        self.undo_with(&self.driver(), effects, OnConflict::Ask, Tape::default())
    }

    pub fn plan(
        &self,
        driver: &FilesDriver,
        effects: &[Effect],
        earlier: &Earlier,
        on_conflict: OnConflict,
    ) -> Plan {
        let request = Request {
            scope: "the session",
            split: &Split::all(effects.to_vec()),
            earlier,
            on_conflict,
        };
        let surfaces = Surfaces {
            drivers: vec![driver],
            callers: Vec::new(),
        };
        plan(&request, &surfaces, &self.shelf)
    }

    /// Plan and apply with this driver, going on from `tape`.
    pub fn undo_with(
        &mut self,
        driver: &FilesDriver,
        effects: &[Effect],
        on_conflict: OnConflict,
        mut tape: Tape,
    ) -> Undone {
        self.undo_on(driver, effects, on_conflict, &mut tape)
    }

    /// As [`Bench::undo_with`]; the tape keeps what was recorded if the driver dies.
    pub fn undo_on(
        &mut self,
        driver: &FilesDriver,
        effects: &[Effect],
        on_conflict: OnConflict,
        tape: &mut Tape,
    ) -> Undone {
        let earlier = Earlier::read(&tape.records);
        let plan = self.plan(driver, effects, &earlier, on_conflict);
        self.undos += 1;
        let fresh = (SessionId::new(1_795_255_300_000, self.undos), Position::default());
        let (id, resume) = earlier.unfinished.unwrap_or(fresh);
        let opening = Opening {
            scope: plan.scope.clone(),
            plan: plan.digest(),
            resume,
            behind: Vec::new(),
        };
        let surfaces = Surfaces {
            drivers: vec![driver],
            callers: Vec::new(),
        };
        let result = SystemSession::open(id, &mut *tape, opening)
            .map_err(ApplyError::from)
            .and_then(|mut session| {
                let receipt = apply(&plan, &mut session, &surfaces, &self.shelf, &mut |_| {})?;
                session.close()?;
                Ok(receipt)
            });
        let tape = tape.clone();
        Undone { plan, tape, result }
    }

    /// Let the session act, take it back, and find the tree as it was.
    #[track_caller]
    pub fn there_and_back(&mut self, act: impl FnOnce(&Path)) -> Vec<Effect> {
        let before = self.manifest();
        let effects = self.does(act);
        assert!(!effects.is_empty(), "the session did nothing");
        let undone = self.undo(&effects);
        undone.proved();
        self.assert_is(&before);
        effects
    }

    #[track_caller]
    pub fn assert_is(&self, expect: &Manifest) {
        let differences = expect.diff(&self.manifest());
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// What was seen, without the bodies that the other look has, too: a gateway keeps no body that is only moved.
fn only_what_is_lost(seen: &Seen, other: &Seen) -> Seen {
    let bodies = |seen: &Seen| -> Vec<_> {
        let bodies = seen.values().filter_map(|(_, state)| state::content(state));
        bodies.map(|body| body.stamp.clone()).collect()
    };
    let others = bodies(other);
    let mut bare = seen.clone();
    for (_, own) in bare.values_mut() {
        if let Some(body) = state::content(own).filter(|body| others.contains(&body.stamp)) {
            let body = rescind_model::Content {
                kept: None,
                ..body.clone()
            };
            *own = state::with_content(own, body);
        }
    }
    bare
}

impl Undone {
    #[track_caller]
    pub fn proved(&self) -> &Receipt {
        let receipt = self.result.as_ref().unwrap();
        let whole = receipt.proved() && receipt.lost.is_empty() && receipt.kept.is_empty();
        assert!(whole, "{receipt:#?}");
        receipt
    }
}
