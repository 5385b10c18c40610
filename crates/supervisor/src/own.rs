//! Small files for their owner alone, there whole or not at all: written beside their place under a name with a dot, which nobody
//! reads, and then put there. Who dies in between leaves that draft, and what was there before.

use crate::salt;
use rescind_model::Level;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Make a folder (0700) with those above it, where it is not there yet.
///
/// # Errors
/// It can't be made.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Put a file (0600) at `path`, in the place of what is there. It survives what the level says.
///
/// # Errors
/// It can't be written: what was there is there still, unless it is only the fsync of the folder that failed.
pub fn put(path: &Path, bytes: &[u8], level: Level) -> io::Result<()> {
    let draft = draft(path, bytes, level)?;
    let placed = fs::rename(&draft, path);
    if placed.is_err() {
        let _only_a_draft = fs::remove_file(&draft);
    }
    placed?;
    match (level, path.parent()) {
        (Level::Power, Some(folder)) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// The same where nothing is there yet: of many who try at once one does. It survives the death of any process.
///
/// # Errors
/// It can't be written; [`io::ErrorKind::AlreadyExists`]: something is there.
pub fn put_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft(path, bytes, Level::Process)?;
    let placed = fs::hard_link(&draft, path);
    let _only_a_draft = fs::remove_file(&draft);
    placed
}

fn draft(path: &Path, bytes: &[u8], level: Level) -> io::Result<PathBuf> {
    let draft = path.with_file_name(format!(".{}", salt()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(bytes).and_then(|()| match level {
        Level::Process => Ok(()),
        Level::Power => file.sync_all(),
    });
    match written {
        Ok(()) => Ok(draft),
        Err(error) => {
            let _only_a_draft = fs::remove_file(&draft);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{folder, put, put_new};
    use rescind_model::Level;
    use std::fs;
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_put_whole_for_its_owner_alone_and_leaves_no_draft() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("a/b");
        folder(&deep).unwrap();
        folder(&deep).unwrap();
        let path = deep.join("x");
        for (level, text) in [(Level::Process, "one"), (Level::Power, "two")] {
            put(&path, text.as_bytes(), level).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&deep), mode(&path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_is_not_taken_for_new_and_what_can_not_be_put_leaves_all_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        put_new(&path, b"mine").unwrap();
        let refused = put_new(&path, b"theirs").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        let occupied = place.path().join("folder");
        folder(&occupied.join("in")).unwrap();
        assert!(put(&occupied, b"x", Level::Process).is_err());
        assert!(put(&place.path().join("nowhere/x"), b"x", Level::Power).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    }
}
