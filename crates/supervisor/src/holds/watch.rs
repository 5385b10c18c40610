//! Noticing what changes among the holds, at no cost where nothing does.
//!
//! The kernel tells of each name that comes, goes or is replaced (inotify). Where it does not, because a user has as many
//! watches as one may have, the directory's time of change is looked at. That time is only as fine as the kernel's tick: a
//! directory that was changed just before it was read may have been changed again in the same tick, so it counts as
//! changed until it has been left alone for a while.

use super::Hold;
use super::files::{self, Files, parse};
use crate::own;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How long a directory must have been left alone before its time of change is believed: many times a tick.
const SETTLED: Duration = Duration::from_millis(200);

/// What is there, kept up to date.
#[derive(Debug)]
pub(super) struct Watch {
    pub directory: PathBuf,
    pub files: BTreeMap<String, Files>,
    /// Whether the kernel is asked to tell; tests do without.
    told: bool,
    kernel: Option<OwnedFd>,
    /// When the directory had changed last as it was read; `None`: that could happen again unseen.
    seen: Option<SystemTime>,
    read: bool,
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// Perhaps everything.
    All,
    /// These actions' holds.
    These(BTreeSet<String>),
}

impl Watch {
    pub fn at(directory: PathBuf) -> Self {
        Self {
            directory,
            files: BTreeMap::new(),
            told: true,
            kernel: None,
            seen: None,
            read: false,
        }
    }

    /// The same, by the directory's time of change alone.
    #[cfg(test)]
    pub fn untold(directory: PathBuf) -> Self {
        Self {
            told: false,
            ..Self::at(directory)
        }
    }

    /// What changed since this was asked last.
    pub fn changed(&mut self) -> io::Result<Changed> {
        if self.kernel.is_none() && self.told && !self.read {
            self.ask_kernel()?;
        }
        if self.kernel.is_some() && self.read {
            let told = self.take_told()?;
            if let Some(actions) = told {
                return Ok(Changed::These(actions));
            }
        } else if self.read && self.seen.is_some() && self.seen == self.settled()? {
            return Ok(Changed::These(BTreeSet::new()));
        }
        // The time is read before the names: what comes in between is found again.
        self.seen = self.settled()?;
        self.files = files::scan(&self.directory)?;
        self.read = true;
        Ok(Changed::All)
    }

    /// Let the kernel tell from now on. That it does not is no error.
    fn ask_kernel(&mut self) -> io::Result<()> {
        own::folder(&self.directory)?;
        let Ok(kernel) = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) else {
            self.told = false;
            return Ok(());
        };
        let what = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&kernel, &self.directory, what) {
            Ok(_) => self.kernel = Some(kernel),
            Err(_) => self.told = false,
        }
        Ok(())
    }

    /// The holds of which the kernel told; `None`: it lost count, or the directory is another one.
    fn take_told(&mut self) -> io::Result<Option<BTreeSet<String>>> {
        let Some(kernel) = &self.kernel else {
            return Ok(None);
        };
        let mut actions = BTreeSet::new();
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(kernel, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(Some(actions)),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            if flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::IGNORED) {
                (self.kernel, self.read) = (None, false);
                self.ask_kernel()?;
                return Ok(None);
            }
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                return Ok(None);
            }
            let there = flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if let Some((action, what)) = name.and_then(parse) {
                let files = self.files.entry(action.to_owned()).or_default();
                files.set(what, there);
                if files.is_empty() {
                    self.files.remove(action);
                }
                actions.insert(action.to_owned());
            }
        }
    }

    /// When the directory was changed last, if it was left alone since for long enough.
    fn settled(&self) -> io::Result<Option<SystemTime>> {
        let modified = match fs::metadata(&self.directory) {
            Ok(found) => found.modified()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // A time in the future is none to go by.
        let age = SystemTime::now().duration_since(modified).unwrap_or_default();
        Ok((age > SETTLED).then_some(modified))
    }
}

/// Single holds, read again only where they changed.
#[derive(Debug)]
pub(super) struct Looked {
    watch: Watch,
    known: HashMap<String, Option<Hold>>,
}

impl Looked {
    pub fn at(directory: PathBuf) -> Self {
        Self {
            watch: Watch::at(directory),
            known: HashMap::new(),
        }
    }

    /// The hold of an action, as it is now.
    pub fn at_hold(&mut self, action: &str) -> io::Result<Option<Hold>> {
        match self.watch.changed()? {
            Changed::All => self.known.clear(),
            Changed::These(actions) => {
                for action in actions {
                    self.known.remove(&action);
                }
            }
        }
        if let Some(known) = self.known.get(action) {
            return Ok(known.clone());
        }
        let files = self.watch.files.get(action).cloned().unwrap_or_default();
        let hold = files::read(&self.watch.directory, action, &files)?;
        self.known.insert(action.to_owned(), hold.clone());
        Ok(hold)
    }
}
