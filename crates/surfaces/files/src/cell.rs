//! Cells: directory entries, the resources of this surface.

use rescind_model::{ObjectId, ResourceId, SessionId, Surface};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// A directory entry: a name in a folder that is numbered in a session. Its key as a resource is
/// `<session>:<folder's object number>/<name>`, the name as raw bytes without `/` and NUL.
///
/// An empty name stands for the folder itself, as the resource whose time of change is brought back in the end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The session in whose numbers the folder is counted.
    pub session: SessionId,
    /// The folder.
    pub folder: ObjectId,
    /// The name in it.
    pub name: Vec<u8>,
}

impl Cell {
    /// The entry `name` of the folder.
    #[must_use]
    pub fn new(session: &SessionId, folder: ObjectId, name: &[u8]) -> Self {
        Self {
            session: session.clone(),
            folder,
            name: name.to_vec(),
        }
    }

    /// Read the key of a resource; `None` if it is none of this surface.
    #[must_use]
    pub fn parse(resource: &ResourceId) -> Option<Self> {
        if resource.surface != Surface::Files {
            return None;
        }
        let key = resource.key.as_slice();
        let colon = key.iter().position(|byte| *byte == b':')?;
        let slash = key.iter().position(|byte| *byte == b'/')?;
        let session = std::str::from_utf8(key.get(..colon)?).ok()?;
        let folder = std::str::from_utf8(key.get(colon + 1..slash)?).ok()?;
        let name = key.get(slash + 1..)?;
        if name.contains(&b'/') || name.contains(&0) || name == b"." || name == b".." {
            return None;
        }
        Some(Self {
            session: session.parse().ok()?,
            folder: ObjectId(folder.parse().ok()?),
            name: name.to_vec(),
        })
    }

    /// The cell as a resource.
    #[must_use]
    pub fn resource(&self) -> ResourceId {
        let mut key = format!("{}:{}/", self.session, self.folder.0).into_bytes();
        key.extend_from_slice(&self.name);
        ResourceId {
            surface: Surface::Files,
            key,
        }
    }

    /// The name, for system calls.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        OsStr::from_bytes(&self.name)
    }

    /// Whether this is the folder itself and no entry of it.
    #[must_use]
    pub fn is_folder_itself(&self) -> bool {
        self.name.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Cell;
    use rescind_model::{ObjectId, ResourceId, SessionId, Surface};

    #[test]
    fn keys_read_back_whatever_bytes_the_name_has() {
        let session = SessionId::new(1_795_255_200_000, 7);
        for name in [&b"a"[..], b"a:b", b"\xff\xfe\n", b" ", b""] {
            let cell = Cell::new(&session, ObjectId(42), name);
            assert_eq!(Cell::parse(&cell.resource()), Some(cell));
        }
    }

    #[test]
    fn keys_that_lead_out_of_the_folder_are_refused() {
        let session = SessionId::new(1_795_255_200_000, 7);
        for name in ["..", ".", "a/b", "a\0b"] {
            let key = format!("{session}:1/{name}").into_bytes();
            let resource = ResourceId {
                surface: Surface::Files,
                key,
            };
            assert_eq!(Cell::parse(&resource), None, "{name:?}");
        }
    }
}
