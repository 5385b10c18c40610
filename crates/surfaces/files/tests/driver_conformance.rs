//! The driver of the files surface passes the suite that every driver passes.

#![allow(clippy::unwrap_used, reason = "a test")]

mod driver;

use driver::{Noted, Shelf};
use rescind_conformance::{CASES, Fixture};
use rescind_files::{Cell, FilesDriver, Kind, Note, ObjectTable, Place, read};
use rescind_model::{ObjectId, ResourceId, SessionId};
use rescind_supervisor::{Bodies, Driver};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

struct Files {
    _dir: tempfile::TempDir,
    root: PathBuf,
    shelf: Shelf,
    driver: FilesDriver,
    table: Mutex<ObjectTable>,
    folders: Mutex<BTreeMap<PathBuf, ObjectId>>,
}

impl Files {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        let table = ObjectTable::new(SessionId::new(1, 1));
        let driver = FilesDriver::new([table.clone()], [], Box::new(Noted::default()));
        let files = Self {
            shelf: Shelf::new(&dir.path().join("pins")),
            _dir: dir,
            root,
            driver,
            table: Mutex::new(table),
            folders: Mutex::default(),
        };
        files.number(&files.root);
        files
    }

    fn number(&self, path: &Path) {
        let opened = File::open(path).unwrap();
        let look = read::look_at(opened.as_fd()).unwrap();
        let mut table = self.table.lock().unwrap();
        let place = Place::Path(path.as_os_str().as_bytes().to_vec());
        let (object, _) = table.number(look.identity, Kind::Dir, place);
        self.driver.learn(&Note::Object(table.record(object).unwrap()));
        self.folders.lock().unwrap().insert(path.to_owned(), object);
    }
}

impl Fixture for Files {
    fn driver(&self) -> &dyn Driver {
        &self.driver
    }

    fn bodies(&self) -> &dyn Bodies {
        &self.shelf
    }

    fn place(&self, path: &str) -> (ResourceId, String) {
        let path = self.root.join(path);
        let folder = *self.folders.lock().unwrap().get(path.parent().unwrap()).unwrap();
        let cell = Cell::new(
            &SessionId::new(1, 1),
            folder,
            path.file_name().unwrap().as_bytes(),
        );
        (cell.resource(), path.display().to_string())
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn folder(&self, path: &str) {
        let path = self.root.join(path);
        fs::create_dir(&path).unwrap();
        self.number(&path);
    }

    fn remove(&self, path: &str) {
        let path = self.root.join(path);
        if !path.is_dir() {
            return fs::remove_file(&path).unwrap();
        }
        fs::remove_dir(&path).unwrap();
        let object = *self.folders.lock().unwrap().get(&path).unwrap();
        let mut table = self.table.lock().unwrap();
        table.remove(object);
        self.driver.learn(&Note::Object(table.record(object).unwrap()));
    }

    fn change_other(&self, path: &str) {
        fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(0o640)).unwrap();
    }
}

#[test]
fn it_passes_every_case() {
    for case in CASES {
        println!("{}", case.name);
        (case.run)(&Files::new());
    }
}
