//! Capture by name: for a change that somebody else is about to make to files it has named, without a gateway between.
//!
//! It sees what it is told to look at and nothing else: a tool that also writes where it did not say is not noticed. Where
//! processes can be supervised, [`crate::gateway`] is the better way.

use crate::object::{Kind, ObjectTable, Place};
use crate::read::{self, Look};
use crate::state;
use rescind_model::{Content, ObjectId, SessionId, State, Value};
use rescind_supervisor::SessionLog;
use rescind_supervisor::journal::{
    AfterForm, BeforeForm, ObjectForm, OutcomeForm, Record, StateForm, text_from_bytes,
};
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// After-images of text up to this size, in bytes, are kept for merging.
const MERGED_SIZE: u64 = 1 << 20;
const MOST_LINKS: usize = 16;
const TRIES: usize = 5;

/// Why a file can't be captured. What was to happen must not.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It can't be looked at or read.
    #[error("`{path}` can't be captured ({source})")]
    Unreadable {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is larger than what is captured.
    #[error("`{path}` has {size} bytes, more than the {largest} that are captured of one file")]
    TooLarge {
        /// Which.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The largest that is captured.
        largest: u64,
    },
    /// The journal can't be written.
    #[error("the state of `{path}` can't be recorded ({source})")]
    NotRecorded {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// One node's witness. [`Witness::before`] for each file, then the change, then [`Witness::after`].
#[derive(Debug)]
pub struct Witness<'l> {
    log: &'l SessionLog,
    node: u64,
    largest: u64,
    table: ObjectTable,
    seq: u64,
    seen: Vec<Seen>,
}

/// A cell that was captured.
#[derive(Debug)]
struct Seen {
    seq: u64,
    folder: ObjectId,
    /// The folder's path.
    above: PathBuf,
    name: OsString,
    before: State,
    /// What is to come below it, where it is a folder that is not there yet.
    below: VecDeque<OsString>,
    /// Whether it is only the folder around a file: its time of change follows.
    passing: bool,
}

/// Which of a file's bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// None: its stamp tells whether it is the same.
    Nothing,
    /// All, or it is not captured.
    All,
    /// Those of a file that is small enough to be merged.
    ForMerging,
}

/// Where a path leads: the nearest folder that is there, the name in it, and what is below that.
struct Way {
    folder: PathBuf,
    name: OsString,
    below: VecDeque<OsString>,
}

impl<'l> Witness<'l> {
    /// A witness for a node of a session. Files over `largest` bytes are not captured.
    #[must_use]
    pub fn new(log: &'l SessionLog, session: &SessionId, node: u64, largest: u64) -> Self {
        Self {
            log,
            node,
            largest,
            table: ObjectTable::new(session.clone()),
            seq: 0,
            seen: Vec::new(),
        }
    }

    /// Capture what is at an absolute path, whether or not anything is. When this has returned, it may change. A symbolic
    /// link is captured, and what it leads to.
    ///
    /// # Errors
    /// [`WitnessError`]: it must not change then.
    pub fn before(&mut self, path: &Path) -> Result<(), WitnessError> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let unreadable = |source| WitnessError::Unreadable {
                path: path.display().to_string(),
                source,
            };
            let way = Way::to(&path).map_err(unreadable)?;
            let Some(way) = way else { return Ok(()) };
            let whole = way.folder.join(&way.name);
            self.around(&way.folder)?;
            self.capture(&way)?;
            match std::fs::read_link(&whole) {
                Ok(target) => path = way.folder.join(target),
                Err(_) => return Ok(()),
            }
        }
        Err(WitnessError::Unreadable {
            path: path.display().to_string(),
            source: io::Error::other("it is behind too many symbolic links"),
        })
    }

    /// Record what is there now. Returns how many of the captured files are different.
    ///
    /// # Errors
    /// The journal can't be written: the outcome stays in doubt.
    pub fn after(&mut self) -> Result<u64, WitnessError> {
        let (folders, files): (Vec<Seen>, Vec<Seen>) = std::mem::take(&mut self.seen)
            .into_iter()
            .partition(|seen| seen.passing);
        let (mut files, mut changed) = (VecDeque::from(files), 0);
        while let Some(mut seen) = files.pop_front() {
            let state = self.now(&seen)?;
            changed += u64::from(!state.same(&seen.before));
            let made = state::kind(&state) == Some(Kind::Dir) && !seen.before.exists();
            let next = seen.below.pop_front().filter(|_| made);
            if let (Some(name), Some(folder)) = (next, state::object(&state)) {
                let way = Way {
                    folder: seen.above.join(&seen.name),
                    name,
                    below: seen.below,
                };
                // It was not there, for its folder was not.
                files.push_back(self.begin(&way, folder, State::Absent, false)?);
            }
        }
        for folder in folders {
            self.now(&folder)?;
        }
        Ok(changed)
    }

    /// Capture the folder around a file: its time of change follows from what is done in it.
    fn around(&mut self, folder: &Path) -> Result<(), WitnessError> {
        let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Ok(());
        };
        if self
            .seen
            .iter()
            .any(|seen| seen.above == above && seen.name == name)
        {
            return Ok(());
        }
        let way = Way {
            folder: above.to_owned(),
            name: name.to_owned(),
            below: VecDeque::new(),
        };
        let (object, directory) = self.folder(&way)?;
        let state = self.state(&way, object, directory.as_fd(), Keep::Nothing)?;
        let seen = self.begin(&way, object, state, true)?;
        self.seen.push(seen);
        Ok(())
    }

    fn capture(&mut self, way: &Way) -> Result<(), WitnessError> {
        let known = |seen: &Seen| seen.above == way.folder && seen.name == way.name;
        if let Some(seen) = self.seen.iter_mut().find(|seen| known(seen)) {
            seen.passing = false;
            return Ok(());
        }
        let (object, directory) = self.folder(way)?;
        let state = self.state(way, object, directory.as_fd(), Keep::All)?;
        let seen = self.begin(way, object, state, false)?;
        self.seen.push(seen);
        Ok(())
    }

    /// Record the state before.
    fn begin(
        &mut self,
        way: &Way,
        folder: ObjectId,
        before: State,
        passing: bool,
    ) -> Result<Seen, WitnessError> {
        self.seq += 1;
        let key = text_from_bytes(way.name.as_bytes());
        self.write(
            &way.path(),
            Record::Before(BeforeForm {
                s: self.seq,
                n: self.node,
                f: "files".to_owned(),
                k: format!("{}:{}/{key}", self.table.session(), folder.0),
                p: text_from_bytes(way.path().as_os_str().as_bytes()),
                b: StateForm::from(&before),
                i: None,
                w: OutcomeForm::Intended,
            }),
        )?;
        Ok(Seen {
            seq: self.seq,
            folder,
            above: way.folder.clone(),
            name: way.name.clone(),
            before,
            below: way.below.clone(),
            passing,
        })
    }

    /// Record the state now.
    fn now(&mut self, seen: &Seen) -> Result<State, WitnessError> {
        let way = Way {
            folder: seen.above.clone(),
            name: seen.name.clone(),
            below: VecDeque::new(),
        };
        let keep = match state::kind(&seen.before) {
            Some(Kind::File) => Keep::ForMerging,
            _ => Keep::Nothing,
        };
        let state = match self.folder(&way) {
            Ok((folder, directory)) if folder == seen.folder => {
                self.state(&way, folder, directory.as_fd(), keep)
            }
            Ok(_) => return Ok(seen.before.clone()),
            Err(error) => Err(error),
        };
        let state = match state {
            // Another folder is where it was, or none, or it can't be read now: what became of it is in doubt.
            Err(WitnessError::Unreadable { .. }) => return Ok(seen.before.clone()),
            state => state?,
        };
        let form = AfterForm {
            s: seen.seq,
            a: StateForm::from(&state),
            c: false,
            g: false,
        };
        self.write(&way.path(), Record::After(form))?;
        Ok(state)
    }

    /// Open a folder, and number it.
    fn folder(&mut self, way: &Way) -> Result<(ObjectId, OwnedFd), WitnessError> {
        let unreadable = |source: io::Error| WitnessError::Unreadable {
            path: way.folder.display().to_string(),
            source,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(CWD, &way.folder, flags, Mode::empty());
        let directory = directory.map_err(|error| unreadable(error.into()))?;
        let look = read::look_at(directory.as_fd()).map_err(unreadable)?;
        let path = way.folder.as_os_str().as_bytes().to_vec();
        let object = self.number(&look, Place::Path(path.clone()), &path)?;
        Ok((object, directory))
    }

    fn number(&mut self, look: &Look, place: Place, path: &[u8]) -> Result<ObjectId, WitnessError> {
        let (object, new) = self.table.number(look.identity, look.kind, place);
        if new {
            let form = ObjectForm {
                session: self.table.session().to_string(),
                o: object.0,
                dev: look.identity.dev,
                ino: look.identity.ino,
                btime: look.identity.btime,
                kind: look.kind.name().to_owned(),
                gone: false,
                path: text_from_bytes(path),
            };
            self.write(Path::new(OsStr::from_bytes(path)), Record::Object(form))?;
        }
        Ok(object)
    }

    /// What is in a cell.
    fn state(
        &mut self,
        way: &Way,
        above: ObjectId,
        folder: BorrowedFd<'_>,
        keep: Keep,
    ) -> Result<State, WitnessError> {
        let unreadable = |source| WitnessError::Unreadable {
            path: way.path().display().to_string(),
            source,
        };
        for _ in 0..TRIES {
            let Some(look) = read::look(folder, &way.name).map_err(unreadable)? else {
                return Ok(State::Absent);
            };
            let path = way.path().into_os_string();
            let place = Place::In(above, way.name.as_bytes().to_vec());
            let object = self.number(&look, place, path.as_bytes())?;
            let mut fields = read::fields(folder, &way.name, &look, Some(object)).map_err(unreadable)?;
            if look.kind == Kind::File && keep != Keep::Nothing {
                match self.keep(way, folder, &look, keep)? {
                    Some(content) => fields.set(state::CONTENT, Value::Content(content)),
                    // Replaced while it was read: look again.
                    None => continue,
                }
            }
            return Ok(State::Present(fields));
        }
        Err(unreadable(io::Error::other("it is being replaced all the time")))
    }

    /// Keep a file's bytes; `None` where it is not the same file any more.
    fn keep(
        &self,
        way: &Way,
        folder: BorrowedFd<'_>,
        look: &Look,
        keep: Keep,
    ) -> Result<Option<Content>, WitnessError> {
        let unreadable = |source| WitnessError::Unreadable {
            path: way.path().display().to_string(),
            source,
        };
        let body = read::body_of(look);
        if look.size == 0 || keep == Keep::ForMerging && look.size > MERGED_SIZE {
            return Ok(Some(body));
        }
        if look.size > self.largest {
            return Err(WitnessError::TooLarge {
                path: way.path().display().to_string(),
                size: look.size,
                largest: self.largest,
            });
        }
        let file = match read::open_file(folder, &way.name, look) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(unreadable)?,
        };
        let kept = self.log.put_file(&file, look.size, false);
        let kept = kept.map_err(|source| WitnessError::NotRecorded {
            path: way.path().display().to_string(),
            source,
        })?;
        let after = read::look_at(file.as_fd()).map_err(unreadable)?;
        let same = after.unchanged_since(look) && after.ctime == look.ctime;
        Ok(same.then_some(Content {
            digest: kept.digest,
            kept: Some(kept.locator),
            ..body
        }))
    }

    fn write(&self, path: &Path, record: Record) -> Result<(), WitnessError> {
        self.log
            .write(&[record])
            .map_err(|source| WitnessError::NotRecorded {
                path: path.display().to_string(),
                source,
            })
    }
}

impl Way {
    /// The way to an absolute path, without following its last part; `None`: it is the root.
    fn to(path: &Path) -> io::Result<Option<Self>> {
        let Some(folder) = path.parent() else {
            return Ok(None);
        };
        let Some(name) = path.file_name() else {
            // It ends with `..`.
            return Self::to(&path.canonicalize()?);
        };
        let (mut there, mut below) = (PathBuf::from("/"), VecDeque::from([name.to_owned()]));
        let mut missing: Vec<OsString> = Vec::new();
        for component in folder.components() {
            match component {
                Component::Normal(part) if !missing.is_empty() => missing.push(part.to_owned()),
                Component::Normal(part) => match there.join(part).canonicalize() {
                    Ok(next) => there = next,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(part.to_owned()),
                    Err(error) => return Err(error),
                },
                Component::ParentDir if missing.pop().is_none() => {
                    there.pop();
                }
                _ => {}
            }
        }
        for part in missing.into_iter().rev() {
            below.push_front(part);
        }
        Ok(below.pop_front().map(|name| Self {
            folder: there,
            name,
            below,
        }))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }
}

#[cfg(test)]
mod tests;
