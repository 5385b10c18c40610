//! Numbers for inodes, paths for people.

use super::look::{self, Look};
use super::policy::Policy;
use super::resolve::{Place, path_of};
use super::touch::{CellKey, Refusal};
use super::{Gateway, views};
use crate::{Folder, Identity, Kind, Place as ObjectPlace};
use rescind_model::ObjectId;
use rescind_supervisor::journal::{ObjectForm, Record, text_from_bytes};
use rustix::fs::{Mode, OFlags, openat};
use std::os::fd::{AsFd, OwnedFd};

fn kind(found: &Look) -> Kind {
    Kind::of_name(found.kind()).unwrap_or(Kind::File)
}

fn identity(found: &Look) -> Identity {
    Identity {
        dev: found.dev,
        ino: found.ino,
        btime: found.btime,
    }
}

impl Gateway {
    /// The number of a place's folder; on first sight it is recorded with its path.
    pub(super) fn folder(&mut self, place: &Place) -> Result<ObjectId, Refusal> {
        let found = look::folder(place.directory.as_fd())?;
        if let Some(object) = self.objects.find(&identity(&found)) {
            return Ok(object);
        }
        let path = path_of(&place.directory)?;
        self.policy.file_system(&place.directory, &path)?;
        let path = match self.caller {
            None => path,
            Some(caller) => match views::own_path(&place.directory, caller) {
                Some(path) => path,
                None => return Err(Policy::private(&place.directory)),
            },
        };
        if self.protection.path_is_own(&path) {
            return Err(Refusal::Protected);
        }
        let (object, _) = self
            .objects
            .number(identity(&found), Kind::Dir, ObjectPlace::Path(path.clone()));
        self.record_object(object, &found, &path)?;
        Ok(object)
    }

    /// The cell that a folder is in its own folder; `None` for the root.
    pub(super) fn entry_of(&mut self, place: &Place, folder: ObjectId) -> Result<Option<CellKey>, Refusal> {
        if let Some(key) = self.entries.get(&folder) {
            return Ok(Some(key.clone()));
        }
        let path = self.path_now(place, folder)?;
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return Ok(None);
        };
        let (above, name) = (
            path.get(..slash.max(1)).unwrap_or_default(),
            path.get(slash + 1..).unwrap_or_default(),
        );
        if name.is_empty() {
            return Ok(None);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(rustix::fs::CWD, above, flags, Mode::empty())?;
        let here = look::folder(place.directory.as_fd())?;
        let found = look::at(directory.as_fd(), name)?;
        if identity(&found) != identity(&here) {
            // It was moved by somebody else since it was last seen: its own times are not ours to bring back.
            return Ok(None);
        }
        let caller = self.caller.take();
        let parent = self.folder(&Place {
            directory,
            name: name.to_vec(),
            found: None,
        });
        self.caller = caller;
        let parent = parent?;
        if self.objects.path(parent).is_some_and(|known| known != above) {
            self.relocate(parent, above)?;
        }
        let key = (parent, name.to_vec());
        self.entries.insert(folder, key.clone());
        Ok(Some(key))
    }

    /// Where a folder that is held open is now, as we know it; the table learns of a move.
    fn path_now(&mut self, place: &Place, folder: ObjectId) -> Result<Vec<u8>, Refusal> {
        let known = self.objects.path(folder).unwrap_or_default();
        if self.caller.is_some() {
            // Seen through another mount namespace, its path there is not its path here.
            return Ok(known);
        }
        let path = path_of(&place.directory)?;
        if path != known {
            self.relocate(folder, &path)?;
        }
        Ok(path)
    }

    /// A folder, with all that is below it, is at another path than was known.
    fn relocate(&mut self, folder: ObjectId, path: &[u8]) -> Result<(), Refusal> {
        self.objects.moved(folder, ObjectPlace::Path(path.to_vec()));
        self.entries.clear();
        let Ok(directory) = openat(
            rustix::fs::CWD,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        ) else {
            return Ok(());
        };
        let found = look::folder(directory.as_fd())?;
        self.record_object(folder, &found, path)
    }

    /// The number of what was found at a cell.
    pub(super) fn object(&mut self, found: &Look, key: &CellKey) -> Result<ObjectId, Refusal> {
        let place = ObjectPlace::In(key.0, key.1.clone());
        let (object, new) = self.objects.number(identity(found), kind(found), place.clone());
        let path = self.display(key.0, &key.1);
        if new {
            self.record_object(object, found, &path)?;
        } else if self.objects.path(object).is_some_and(|known| known != path) {
            // Seen elsewhere than last time: it was moved, or this is another of its names.
            self.objects.moved(object, place);
            if found.is_folder() {
                self.record_object(object, found, &path)?;
            }
        }
        Ok(object)
    }

    /// Record which of the folders that the session was about to remove are gone.
    pub(super) fn record_gone(&mut self) -> Result<(), Refusal> {
        let removed: Vec<ObjectId> = self
            .removed
            .iter()
            .copied()
            .filter(|object| !self.objects.is_gone(*object))
            .collect();
        for object in removed {
            if self.open_folder_anew(object).is_some() {
                continue;
            }
            let Some(record) = self.objects.record(object) else {
                continue;
            };
            self.objects.remove(object);
            self.entries.remove(&object);
            self.write(Record::Object(ObjectForm {
                session: self.log.id().to_string(),
                o: object.0,
                dev: record.identity.dev,
                ino: record.identity.ino,
                btime: record.identity.btime,
                kind: record.kind.name().to_owned(),
                gone: true,
                path: text_from_bytes(&record.path),
            }))?;
        }
        Ok(())
    }

    fn record_object(&mut self, object: ObjectId, found: &Look, path: &[u8]) -> Result<(), Refusal> {
        self.write(Record::Object(ObjectForm {
            session: self.log.id().to_string(),
            o: object.0,
            dev: found.dev,
            ino: found.ino,
            btime: found.btime,
            kind: found.kind().to_owned(),
            gone: false,
            path: text_from_bytes(path),
        }))?;
        Ok(())
    }

    /// The path of a cell as last known.
    pub(super) fn display(&self, folder: ObjectId, name: &[u8]) -> Vec<u8> {
        let mut path = self.objects.path(folder).unwrap_or_default();
        if !name.is_empty() {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        path
    }

    /// The path of a place, for telling what kind of file it is.
    pub(super) fn display_of(&self, place: &Place) -> Vec<u8> {
        let known = look::folder(place.directory.as_fd())
            .ok()
            .and_then(|found| self.objects.find(&identity(&found)));
        match known {
            Some(folder) => self.display(folder, if place.name == b"." { b"" } else { &place.name }),
            None => place.name.clone(),
        }
    }

    /// A cell's key as text in the journal.
    pub(super) fn key_text(&self, key: &CellKey) -> String {
        format!("{}:{}/{}", self.log.id(), key.0.0, text_from_bytes(&key.1))
    }

    /// The folder with this number, if it is still where it was last seen.
    pub(super) fn open_folder(&mut self, folder: ObjectId) -> Option<OwnedFd> {
        if let Some((last, directory)) = &self.last_folder
            && *last == folder
        {
            return directory.try_clone().ok();
        }
        let directory = self.open_folder_anew(folder)?;
        self.last_folder = Some((folder, directory.try_clone().ok()?));
        Some(directory)
    }

    pub(super) fn open_folder_anew(&mut self, folder: ObjectId) -> Option<OwnedFd> {
        // The table knows where it was before the last moves, too: a rename that was let go on may have failed.
        match self.objects.folder(folder) {
            Ok(Folder::Here(directory)) => Some(directory),
            Ok(Folder::Other(..) | Folder::Nowhere) | Err(_) => None,
        }
    }

    /// A folder is about to go to another cell: what is below it goes along.
    pub(super) fn folder_moves(&mut self, found: &Look, to: &Place) -> Result<(), Refusal> {
        let Some(object) = self.objects.find(&identity(found)) else {
            return Ok(());
        };
        let folder = self.folder(to)?;
        self.objects
            .moved(object, ObjectPlace::In(folder, to.name.clone()));
        self.entries.clear();
        let path = self.display(folder, &to.name);
        self.record_object(object, found, &path)
    }

    /// Device and inode of what is at a cell now.
    pub(super) fn identity_at(&mut self, key: &CellKey) -> Option<(u64, u64)> {
        let directory = self.open_folder(key.0)?;
        let found = look::at(directory.as_fd(), &key.1).ok()?;
        found.is_file().then_some((found.dev, found.ino))
    }
}
