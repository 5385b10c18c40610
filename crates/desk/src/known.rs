//! What kinds of action an agent was permitted before, in whichever session: a small index beside the record, which can be
//! made anew from it.
//!
//! `known/DIGEST` of the state directory, by the agent's name: a kind a line, appended when it is new. Whatever is lost or
//! left out of it makes an action look new, which is the safe side.

use rescind_model::Digest;
use rescind_supervisor::own;
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// So many kinds of one agent are kept.
const MOST: usize = 4_096;
/// A longer kind is none that a catalog or a program's name makes.
const LONGEST: usize = 200;

/// The index of one agent.
#[derive(Debug, Clone)]
pub struct KnownKinds {
    path: PathBuf,
    count: usize,
}

impl KnownKinds {
    /// That of an agent, in this directory, which need not be there yet; with what it knows. `None`: it was never made, or
    /// is gone.
    #[must_use]
    pub fn of(directory: PathBuf, agent: &str) -> (Self, Option<BTreeSet<String>>) {
        let name = Digest::of(agent.as_bytes()).hex();
        let mut own = Self {
            path: directory.join(name.get(..32).unwrap_or(&name)),
            count: 0,
        };
        let known = own.read();
        own.count = known.as_ref().map_or(0, BTreeSet::len);
        (own, known)
    }

    fn read(&self) -> Option<BTreeSet<String>> {
        let mut bytes = Vec::new();
        let most = (MOST * (LONGEST + 1)) as u64;
        File::open(&self.path)
            .ok()?
            .take(most)
            .read_to_end(&mut bytes)
            .ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(
            text.lines()
                .filter(|kind| fits(kind))
                .take(MOST)
                .map(str::to_owned)
                .collect(),
        )
    }

    /// A kind that was permitted for the first time. Where it can't be kept it looks new again in the next session.
    pub fn learn(&mut self, kind: &str) {
        if fits(kind) && self.count < MOST {
            self.count += 1;
            self.append(&format!("{kind}\n"));
        }
    }

    /// Make the index, of what the record tells.
    pub fn make(&mut self, kinds: &BTreeSet<String>) {
        if let Some(directory) = self.path.parent() {
            let _nothing_is_kept_then = own::folder(directory);
        }
        let kinds: Vec<&str> = kinds
            .iter()
            .map(String::as_str)
            .filter(|kind| fits(kind))
            .take(MOST)
            .collect();
        self.count = kinds.len();
        self.append(&kinds.iter().map(|kind| format!("{kind}\n")).collect::<String>());
    }

    fn append(&self, lines: &str) {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(&self.path);
        // Whole lines at once: sessions of the same agent append side by side.
        let _looks_new_again = file.and_then(|mut file| file.write_all(lines.as_bytes()));
    }
}

fn fits(kind: &str) -> bool {
    !kind.is_empty() && kind.len() <= LONGEST && !kind.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::{KnownKinds, MOST};
    use std::collections::BTreeSet;

    #[test]
    fn what_is_learned_is_known_to_the_next_and_to_no_other_agent() {
        let place = tempfile::tempdir().unwrap();
        let at = || place.path().join("known");
        let (mut own, known) = KnownKinds::of(at(), "a/../b");
        assert_eq!(known, None);
        own.make(&BTreeSet::from(["git.push".to_owned()]));
        own.learn("kubectl.get");
        own.learn("two\nlines");
        own.learn(&"x".repeat(300));
        let (_, known) = KnownKinds::of(at(), "a/../b");
        let expected: BTreeSet<String> = ["git.push", "kubectl.get"].map(str::to_owned).into();
        assert_eq!(known, Some(expected));
        assert_eq!(KnownKinds::of(at(), "c").1, None);
    }

    #[test]
    fn it_does_not_grow_beyond_its_bound() {
        let place = tempfile::tempdir().unwrap();
        let (mut own, _) = KnownKinds::of(place.path().to_owned(), "a");
        for number in 0..MOST + 100 {
            own.learn(&number.to_string());
        }
        let (_, known) = KnownKinds::of(place.path().to_owned(), "a");
        assert_eq!(known.unwrap().len(), MOST);
    }
}
