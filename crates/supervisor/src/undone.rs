//! The states of paths that undos took back, so that whoever drives a path there again is noticed (law 8).
//!
//! One file beside the ledger, `undone`, a JSON object a line. It is a projection of what undos recorded, kept so that a
//! run need not read all of them when it begins; without it flapping is noticed later, and nothing else is lost.

use crate::Home;
use rescind_model::{Digest, Fields, SessionId, State, Value};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// How much of the file counts: its end. What is older is forgotten.
const COUNTS: u64 = 4 << 20;

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum Line {
    /// An undo took this state of a path back.
    Took {
        undo: String,
        path: String,
        state: String,
    },
    /// An undo was itself taken back: what it took counts no more.
    Void { undo: String },
}

/// The states that undos in force took back, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoneStates {
    /// For each path its states, each with the undo that took it back last.
    states: HashMap<String, HashMap<Digest, String>>,
    /// Undos that were told of.
    told: HashSet<String>,
    /// How long the file was that this was read from.
    length: u64,
}

/// What a path can be, as far as it is told whether it is so again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathState<'a> {
    /// Nothing is there.
    Absent,
    /// A file with these bytes.
    File(&'a [u8]),
    /// A symbolic link that points there.
    Link(&'a [u8]),
    /// What a command reads elsewhere: its values.
    Read(&'a State),
}

impl PathState<'_> {
    /// The digest that stands for it.
    #[must_use]
    pub fn digest(self) -> Digest {
        if let Self::Read(state) = self {
            let mut text = String::from("read\0");
            for (name, value) in state.fields().into_iter().flat_map(Fields::iter) {
                if let Value::Text(value) = value {
                    text.push_str(&format!("{name}\0{value}\0"));
                }
            }
            return Digest::of(text.as_bytes());
        }
        let (kind, bytes): (&[u8], &[u8]) = match self {
            Self::Absent | Self::Read(_) => (b"absent\0", b""),
            Self::File(bytes) => (b"file\0", bytes),
            Self::Link(target) => (b"link\0", target),
        };
        Digest::of(&[kind, bytes].concat())
    }
}

fn place(home: &Home) -> PathBuf {
    home.root().join("undone")
}

impl UndoneStates {
    /// Those of a home. A line that can't be read is left out.
    ///
    /// # Errors
    /// The file is there and can't be read.
    pub fn read(home: &Home) -> io::Result<Self> {
        let mut file = match File::open(place(home)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(COUNTS)))?;
        let mut bytes = Vec::new();
        file.take(COUNTS).read_to_end(&mut bytes)?;
        let mut took: HashMap<String, Vec<(String, Digest)>> = HashMap::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(Line::Took { undo, path, state }) => {
                    if let Ok(state) = state.parse() {
                        took.entry(undo).or_default().push((path, state));
                    }
                }
                Ok(Line::Void { undo }) => drop(took.remove(&undo)),
                Err(_) => {}
            }
        }
        let mut own = Self {
            length,
            ..Self::default()
        };
        for (undo, states) in took {
            for (path, state) in states {
                let latest = own.states.entry(path).or_default().entry(state).or_default();
                *latest = std::cmp::max(std::mem::take(latest), undo.clone());
            }
        }
        Ok(own)
    }

    /// Read again what undos took back since, of those in this home. What was told of stays told.
    ///
    /// # Errors
    /// As for [`UndoneStates::read`].
    pub fn refresh(&mut self, home: &Home) -> io::Result<()> {
        let length = match std::fs::metadata(place(home)) {
            Ok(found) => found.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if length != self.length {
            let told = std::mem::take(&mut self.told);
            *self = Self {
                told,
                ..Self::read(home)?
            };
        }
        Ok(())
    }

    /// Whether any state of this path was taken back.
    #[must_use]
    pub fn knows(&self, path: &str) -> bool {
        self.states.contains_key(path)
    }

    /// Whether this very state of the path was taken back. Each undo is told of once: whoever then lets the session go on
    /// has seen that it does again what was undone.
    pub fn take(&mut self, path: &str, state: PathState<'_>) -> bool {
        let undo = self
            .states
            .get(path)
            .and_then(|states| states.get(&state.digest()));
        undo.is_some_and(|undo| self.told.insert(undo.clone()))
    }

    /// Add what an undo takes back: paths as records have them, and the digests of their states.
    ///
    /// # Errors
    /// It can't be written.
    pub fn add(home: &Home, undo: &SessionId, states: &[(String, Digest)]) -> io::Result<()> {
        let lines = states.iter().map(|(path, state)| Line::Took {
            undo: undo.to_string(),
            path: path.clone(),
            state: state.to_string(),
        });
        append(home, lines)
    }

    /// An undo is itself taken back.
    ///
    /// # Errors
    /// It can't be written.
    pub fn void(home: &Home, undo: &SessionId) -> io::Result<()> {
        let undo = undo.to_string();
        append(home, std::iter::once(Line::Void { undo }))
    }
}

/// One write: lines of two undos at once don't mix.
fn append(home: &Home, lines: impl Iterator<Item = Line>) -> io::Result<()> {
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, &line)?;
        bytes.push(b'\n');
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let mut file = options.create(true).append(true).mode(0o600).open(place(home))?;
    file.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::{PathState, UndoneStates};
    use crate::{Home, clock};

    #[test]
    fn a_state_counts_once_for_its_path_and_until_its_undo_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        assert_eq!(UndoneStates::read(&home).unwrap(), UndoneStates::default());
        let (one, two) = (clock::session_id(), clock::session_id());
        let bad = PathState::File(b"bad");
        let states = ["/a", "/d"].map(|path| (path.to_owned(), bad.digest()));
        UndoneStates::add(&home, &one, &states).unwrap();
        UndoneStates::add(&home, &two, &[("/b".to_owned(), PathState::Absent.digest())]).unwrap();
        std::fs::write(folder.path().join("junk"), "").unwrap();
        let mut read = UndoneStates::read(&home).unwrap();
        assert!(read.knows("/a") && !read.knows("/c"));
        assert!(!read.take("/a", PathState::File(b"good")) && !read.take("/a", PathState::Link(b"bad")));
        assert!(read.take("/a", bad) && !read.take("/a", bad) && !read.take("/d", bad));
        assert!(read.take("/b", PathState::Absent));
        UndoneStates::void(&home, &one).unwrap();
        let mut read = UndoneStates::read(&home).unwrap();
        assert!(!read.take("/a", bad) && read.take("/b", PathState::Absent));
    }
}
