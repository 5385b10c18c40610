//! A path that is driven again to a state that an undo took back halts the session (law 8): its next action is held.

use super::touch::CellKey;
use super::tree::Node;
use super::{Gateway, Options};
use crate::object::Kind;
use crate::read;
use rescind_supervisor::PathState;
use rescind_supervisor::journal::text_from_bytes;
use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;

/// The longest file whose state is compared, in bytes.
const LONGEST: u64 = 1 << 20;

impl Gateway {
    /// Look at what a node that has ended left in places of which undos took states back.
    pub(super) fn look_for_flapping(&mut self, node: Node, cells: &[CellKey]) {
        if !cells.is_empty() {
            let Options { undone, home, .. } = &mut self.options;
            // What was known before still counts.
            let _known_later = undone.refresh(home);
        }
        for (folder, name) in cells {
            let driven = self.cells.get(&(*folder, name.clone()));
            if driven.is_none_or(|cell| cell.untouched || cell.passing) {
                continue;
            }
            let path = self.display(*folder, name);
            let shown = text_from_bytes(&path);
            if !self.options.undone.knows(&shown) || !self.is_again(&path, &shown) {
                continue;
            }
            let why = format!(
                "{} drove `{shown}` again to a state that was undone",
                self.log.id().action(node)
            );
            if let Some(desk) = &mut self.desk {
                desk.halt(&why);
            }
        }
    }

    /// Whether what is at a path is what was undone there.
    fn is_again(&mut self, path: &[u8], shown: &str) -> bool {
        let undone = &mut self.options.undone;
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return false;
        };
        let (above, name) = path.split_at(slash);
        let above = if above.is_empty() { b"/" } else { above };
        let name = OsStr::from_bytes(name.get(1..).unwrap_or_default());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(folder) = openat(CWD, OsStr::from_bytes(above), flags, Mode::empty()) else {
            return undone.take(shown, PathState::Absent);
        };
        match read::look(folder.as_fd(), name) {
            Ok(None) => undone.take(shown, PathState::Absent),
            Ok(Some(look)) if look.kind == Kind::Symlink => readlinkat(&folder, name, Vec::new())
                .is_ok_and(|target| undone.take(shown, PathState::Link(target.to_bytes()))),
            Ok(Some(look)) if look.kind == Kind::File && look.size <= LONGEST => {
                let mut bytes = Vec::new();
                let file = read::open_file(folder.as_fd(), name, &look);
                let whole = file.and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
                whole.is_ok() && undone.take(shown, PathState::File(&bytes))
            }
            _ => false,
        }
    }
}
