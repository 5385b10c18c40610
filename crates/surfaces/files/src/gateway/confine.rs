//! What a session, or a part of it, may do to files: by its scopes, and within which folders.
//!
//! Two layers. Here each change is looked at before it happens, so that the refusal can say why. Below, where the kernel
//! has it, Landlock refuses by itself what lies outside ([`Floor`]), should a change ever pass here unseen; it knows
//! nothing of attributes (modes, owners, times, extended attributes), which are refused here alone.
//!
//! A part of the session gets less by the variable [`MAY_VARIABLE`] in the environment of a program that starts. Whoever
//! sets it, it only narrows: what was asked for is cut with what the program above has, and goes on to all that it starts.

use super::Gateway;
use super::hold::tell;
use super::look::Look;
use super::policy::Policy;
use super::resolve::{Place, path_of};
use super::touch::{How, Refusal};
use super::tree::Node;
use rescind_model::{Operation, Scopes, Surface, Timestamp};
use rescind_supervisor::journal::Record;
use rescind_supervisor::now;
use rescind_sys::{Answer, WriteRules, Writes};
use rustix::fs::FileType;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The variable that narrows what a program may do: lines as of [`Scopes::from_lines`], and `within:DIR` lines.
pub const MAY_VARIABLE: &str = "RESCIND_MAY";

/// What a session may do.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// By operation, surface and target.
    pub scopes: Scopes,
    /// The only folders in which it may change files, as real paths; `None`: wherever its scopes let it.
    pub within: Option<Vec<PathBuf>>,
}

/// What the kernel refuses by itself, for all of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Floor {
    /// Nothing.
    None,
    /// Changes of what is mounted, which would give files other paths.
    Mounts,
    /// That, and changes of files outside of these folders.
    Within(Vec<PathBuf>),
}

/// Devices that keep nothing, and terminals.
const DEVICES: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/pts",
];
/// How many refusals are told to the agent; all of them are counted.
const MOST_TOLD: usize = 20;
/// How many different ones are on record.
const MOST_RECORDED: usize = 1_000;

impl Confinement {
    /// Everything.
    #[must_use]
    pub fn none() -> Self {
        Self {
            scopes: Scopes::all(),
            within: None,
        }
    }

    /// The same as the value of [`MAY_VARIABLE`]; `None` where it has no text.
    #[must_use]
    pub fn to_variable(&self) -> Option<std::ffi::OsString> {
        let mut text = self.scopes.to_lines()?.into_bytes();
        if let Some(folders) = &self.within {
            // No folder at all is a line, too.
            text.extend_from_slice(b"\nwithin:");
            for folder in folders {
                text.extend_from_slice(b"\nwithin:");
                text.extend_from_slice(folder.as_os_str().as_bytes());
            }
        }
        Some(std::ffi::OsString::from_vec(text))
    }

    /// What both permit.
    #[must_use]
    pub fn narrow(&self, other: &Self) -> Self {
        let within = match (&self.within, &other.within) {
            (Some(one), Some(two)) => {
                let inner = |own: &[PathBuf], around: &[PathBuf]| -> Vec<PathBuf> {
                    let lies = |path: &&PathBuf| around.iter().any(|folder| path.starts_with(folder));
                    own.iter().filter(lies).cloned().collect()
                };
                let mut both = inner(one, two);
                both.extend(inner(two, one));
                both.sort();
                both.dedup();
                Some(both)
            }
            (one, two) => one.clone().or_else(|| two.clone()),
        };
        Self {
            scopes: self.scopes.narrow(&other.scopes),
            within,
        }
    }

    /// Whether a file may be changed, by its real path.
    ///
    /// # Errors
    /// Why not, in a sentence.
    pub fn permits(&self, operation: Operation, path: &Path) -> Result<(), String> {
        let bounds = Bounds {
            scopes: self.scopes.clone(),
            within: self.within.iter().cloned().collect(),
            asked: Vec::new(),
        };
        let permitted = bounds.permits(operation, path.as_os_str().as_bytes(), now());
        permitted.map_err(|beyond| beyond.why)
    }

    /// What the kernel can refuse of all that this does not permit.
    #[must_use]
    pub fn floor(&self) -> Floor {
        let writes = [Operation::Write, Operation::Delete]
            .iter()
            .any(|operation| self.scopes.grant_any(*operation, Surface::Files));
        match &self.within {
            _ if !writes => Floor::Within(Vec::new()),
            Some(folders) => Floor::Within(folders.clone()),
            None if self.scopes.grant_all() => Floor::None,
            None => Floor::Mounts,
        }
    }

    fn parse(text: &[u8]) -> Self {
        let nothing = Self {
            scopes: Scopes::new(Vec::new()),
            within: Some(Vec::new()),
        };
        let (mut lines, mut within) = (String::new(), None::<Vec<PathBuf>>);
        for line in text.split(|byte| *byte == b'\n') {
            if let Some(folder) = line.strip_prefix(b"within:") {
                let folders = within.get_or_insert_default();
                folders
                    .extend((!folder.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(folder))));
            } else if let Ok(line) = std::str::from_utf8(line) {
                lines.push_str(line);
                lines.push('\n');
            } else {
                return nothing;
            }
        }
        // What can't be read grants nothing.
        Scopes::from_lines(&lines).map_or(nothing, |scopes| Self { scopes, within })
    }
}

impl Floor {
    /// Put it into force for the calling thread and all it will start. Needs no-new-privileges.
    ///
    /// # Errors
    /// The kernel lacks Landlock, or a folder can't be opened: nothing is in force then.
    pub fn put_into_force(&self) -> io::Result<()> {
        if *self == Self::None {
            return Ok(());
        }
        let rules = WriteRules::new()?;
        match self {
            Self::Within(folders) => {
                for folder in folders {
                    rules.allow(folder, Writes::All)?;
                }
                for device in DEVICES {
                    let _not_on_this_machine = rules.allow(Path::new(device), Writes::InPlace);
                }
                // Its own process is there, under numbers that nobody knows yet; what else is there is refused above.
                let _not_mounted = rules.allow(Path::new("/proc"), Writes::Content);
                allow_streams(&rules);
            }
            Self::None | Self::Mounts => rules.allow(Path::new("/"), Writes::All)?,
        }
        rules.restrict_self()
    }
}

/// What the standard streams are open on may be opened by its name again: `echo x > /dev/stderr`.
fn allow_streams(rules: &WriteRules) {
    let (output, error) = (rustix::stdio::stdout(), rustix::stdio::stderr());
    for stream in [output.as_fd(), error.as_fd()] {
        let kind = rustix::fs::fstat(stream).map(|found| FileType::from_raw_mode(found.st_mode));
        if matches!(kind, Ok(FileType::RegularFile | FileType::CharacterDevice)) {
            let _closed_meanwhile = rules.allow_open(stream, Writes::InPlace);
        }
    }
}

/// What a part of the session may do.
#[derive(Debug)]
pub(super) struct Bounds {
    scopes: Scopes,
    /// A path has to lie in one folder of each.
    within: Vec<Vec<PathBuf>>,
    /// What was asked for last, as the variable had it.
    asked: Vec<u8>,
}

/// What may be done by whom, and what of it was refused.
#[derive(Debug)]
pub(super) struct Confined {
    session: Arc<Bounds>,
    /// Of nodes that may do less than the session.
    narrowed: HashMap<Node, Arc<Bounds>>,
    /// Device and inode of what the agent's standard streams are.
    streams: Vec<(u64, u64)>,
    told: usize,
    recorded: HashSet<(Node, Operation, Vec<u8>)>,
}

/// A change beyond what may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    operation: Operation,
    path: Vec<u8>,
    why: String,
    widen: String,
    errno: i32,
}

impl Bounds {
    fn are_none(&self) -> bool {
        self.within.is_empty() && self.scopes.are_all()
    }

    /// What both permit.
    fn narrow(&self, asked: Confinement, text: Vec<u8>) -> Self {
        let mut within = self.within.clone();
        within.extend(asked.within.filter(|folders| !within.contains(folders)));
        Self {
            scopes: self.scopes.narrow(&asked.scopes),
            within,
            asked: text,
        }
    }

    fn permits(&self, operation: Operation, path: &[u8], now: Timestamp) -> Result<(), Beyond> {
        let text = String::from_utf8_lossy(path);
        let beyond = |why: String, widen: String, errno| Beyond {
            operation,
            path: path.to_vec(),
            why,
            widen,
            errno,
        };
        let may = format!("rescind run --may {}:files:{text}", operation.name());
        self.scopes.lives(now, 0).map_err(|error| {
            beyond(
                error.to_string(),
                "rescind run --for DURATION".to_owned(),
                libc::EACCES,
            )
        })?;
        let writes = [Operation::Write, Operation::Delete]
            .iter()
            .any(|operation| self.scopes.grant_any(*operation, Surface::Files));
        if !writes {
            let why = format!(
                "this session is read-only: it may not {} `{text}`",
                operation.name()
            );
            return Err(beyond(why, may, libc::EROFS));
        }
        self.scopes
            .permits(operation, Surface::Files, &text)
            .map_err(|error| beyond(error.to_string(), may, libc::EACCES))?;
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        for folders in &self.within {
            if !folders.iter().any(|folder| path.starts_with(folder)) {
                let list: Vec<String> = folders
                    .iter()
                    .map(|folder| format!("`{}`", folder.display()))
                    .collect();
                let why = format!(
                    "this session may change files only within {}: `{text}` is outside",
                    list.join(", ")
                );
                return Err(beyond(why, "rescind run --write DIR".to_owned(), libc::EACCES));
            }
        }
        Ok(())
    }
}

impl Confined {
    /// Of a session that may do this. `agent`: its first process, whose standard streams are told apart.
    pub(super) fn new(confinement: Confinement, agent: i32) -> Self {
        let stream = |number: i32| super::look::behind(agent, number).ok();
        let streams = [1, 2].into_iter().filter_map(stream);
        Self {
            session: Arc::new(Bounds {
                scopes: confinement.scopes,
                within: confinement.within.into_iter().collect(),
                asked: Vec::new(),
            }),
            narrowed: HashMap::new(),
            streams: streams.map(|found| (found.dev, found.ino)).collect(),
            told: 0,
            recorded: HashSet::new(),
        }
    }

    fn of(&self, node: Node) -> &Arc<Bounds> {
        self.narrowed.get(&node).unwrap_or(&self.session)
    }

    /// What a node may do that is less than the session may.
    pub(super) fn narrower(&self, node: Node) -> Option<&Scopes> {
        self.narrowed.get(&node).map(|bounds| &bounds.scopes)
    }

    /// A program is about to start, with this environment, below `above`.
    pub(super) fn starts(&mut self, above: Node, node: Node, environment: &[Vec<u8>]) {
        let name = [MAY_VARIABLE.as_bytes(), b"="].concat();
        let asked = environment
            .iter()
            .find_map(|pair| pair.strip_prefix(name.as_slice()));
        let bounds = match asked {
            Some(asked) if asked != self.of(above).asked.as_slice() => {
                let own = self.of(above).narrow(Confinement::parse(asked), asked.to_vec());
                Some(Arc::new(own))
            }
            _ => self.narrowed.get(&above).cloned(),
        };
        if let Some(bounds) = bounds {
            self.narrowed.insert(node, bounds);
        }
    }
}

impl Gateway {
    /// Whether a change may be made at a place.
    ///
    /// # Errors
    /// [`Refusal::Beyond`]; or what the kernel says.
    pub(super) fn confine(&self, node: Node, place: &Place, how: How) -> Result<(), Refusal> {
        // The agent's stretches of own writes are no program of their own.
        let node = self.agent.filter(|_| Some(node) == self.direct).unwrap_or(node);
        let bounds = self.confined.of(node);
        if bounds.are_none() {
            return Ok(());
        }
        let found = place.look()?;
        let folder = path_of(&place.directory)?;
        if self.changes_nothing(place, &folder, &found, how) {
            return Ok(());
        }
        let path = match place.name.as_slice() {
            b"." => folder,
            name if folder == b"/" => [b"/", name].concat(),
            name => [folder.as_slice(), b"/", name].concat(),
        };
        let operation = if how == How::Remove {
            Operation::Delete
        } else {
            Operation::Write
        };
        bounds.permits(operation, &path, now()).map_err(Refusal::Beyond)
    }

    /// What fails by itself, and what is written to streams and to a process's own entries in `/proc`.
    fn changes_nothing(&self, place: &Place, folder: &[u8], found: &Look, how: How) -> bool {
        let fails = (how == How::Make) == found.exists && place.name != b".";
        let stream = found.exists
            && matches!(how, How::Write | How::Attributes)
            && self.confined.streams.contains(&(found.dev, found.ino));
        let process = || {
            let own = folder.strip_prefix(b"/proc/").map(|rest| {
                let number = rest.split(|byte| *byte == b'/').next().unwrap_or_default();
                std::str::from_utf8(number)
                    .ok()
                    .and_then(|number| number.parse().ok())
            });
            // Terminals are not in `/proc`.
            own.is_none_or(|number: Option<i32>| number.is_some_and(|number| self.tree.contains(number)))
        };
        fails || stream || Policy::is_of_processes(&place.directory, folder) && process()
    }

    /// A change beyond what may be done: told, recorded, and refused.
    pub(super) fn refuse_beyond(&mut self, node: Node, beyond: Beyond) -> Answer {
        let Beyond {
            operation,
            path,
            why,
            widen,
            errno,
        } = beyond;
        let name = self
            .rules
            .redact(&String::from_utf8_lossy(&path))
            .text
            .into_owned();
        let why = self.rules.redact(&why).text.into_owned();
        let full = self.confined.recorded.len() >= MOST_RECORDED;
        if !full && self.confined.recorded.insert((node, operation, path)) {
            let text = format!("refused: {why}");
            if self.confined.told < MOST_TOLD {
                self.confined.told += 1;
                let action = self.log.id().action(node);
                let last = if self.confined.told == MOST_TOLD {
                    "\nrescind: more may be refused; `rescind log` lists them"
                } else {
                    ""
                };
                let process = self.tree.process_of(self.thread);
                let widen = self.rules.redact(&widen).text.into_owned();
                tell(
                    process,
                    &format!(
                        "refused ({action}): {why}; a person gives a session more when they start it: `{widen}`{last}"
                    ),
                );
            }
            let what = name.clone();
            let _counted_all_the_same = self
                .write(Record::Missing {
                    n: node,
                    what,
                    why: text,
                })
                .and_then(|()| self.flush());
        }
        let key = if full {
            (String::new(), "refused: more".to_owned())
        } else {
            (name, why)
        };
        *self.refusals.entry(key).or_default() += 1;
        Answer::Errno(errno)
    }
}
