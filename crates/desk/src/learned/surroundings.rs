//! What a command is given in, and what a rule is bound to of it: all that could lead the same words elsewhere.

use rescind_model::Digest;
use rescind_supervisor::Asked;
use rescind_supervisor::holds::OpenWord;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Files up to this size are known by their content, larger ones by their inode.
const MOST_BYTES: u64 = 4 << 20;
/// So many of a command's words are looked at as names of files.
const MOST_WORDS: usize = 128;

const SHELLS: [&str; 4] = ["sh", "bash", "dash", "zsh"];

/// Variables that differ from one shell to the next and lead no command elsewhere. A name with `*` stands for all that
/// begin with it.
const HARMLESS: [&str; 43] = [
    "_",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "TERM",
    "TERM_*",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "LANG",
    "LC_*",
    "LANGUAGE",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "WINDOWID",
    "XDG_SESSION_*",
    "XDG_VTNR",
    "SSH_TTY",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "TMUX",
    "TMUX_PANE",
    "STY",
    "VTE_VERSION",
    "HIST*",
    "PS1",
    "LS_COLORS",
    "PAGER",
    "MAIL",
    "SUDO_*",
    "RESCIND_*",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "GPG_TTY",
    // What coding agents tell the programs they start of themselves.
    "CLAUDECODE",
    "CLAUDE_CODE_*",
    "CODEX_THREAD_ID",
    "CODEX_SANDBOX*",
    "GEMINI_CLI",
    "CURSOR_TRACE_ID",
    "CURSOR_AGENT",
    "CLINE_*",
    "OPENCODE",
];

/// A command with what is around it, as it is about to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// The program as it is called.
    pub exe: String,
    /// Its words, not redacted: nothing of them is kept.
    pub argv: Vec<String>,
    /// The folder.
    pub cwd: String,
    environment: BTreeMap<String, Vec<u8>>,
    /// The program's file and those that words name, by word and path.
    files: BTreeMap<(usize, String), String>,
}

/// What a rule is bound to. Digests are of a salt and the thing, so that nobody reads a secret out of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bound {
    salt: String,
    program: String,
    folder: String,
    /// A digest for each word; none for those that may be others.
    words: Vec<Option<String>>,
    open: Vec<OpenWord>,
    /// Variables, but those that lead nowhere.
    environment: BTreeMap<String, String>,
    /// Files that the command names, by `WORD:PATH`: their content.
    files: BTreeMap<String, String>,
}

impl Surroundings {
    /// Those of a command that is about to run.
    #[must_use]
    pub fn of(asked: &Asked<'_>) -> Self {
        let pairs = asked.environment.iter().filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = pair.split_at(at);
            let name = String::from_utf8_lossy(name).into_owned();
            (!is_harmless(&name)).then(|| (name, value.to_vec()))
        });
        Self {
            exe: asked.exe.to_owned(),
            argv: asked.argv.to_vec(),
            cwd: asked.cwd.to_owned(),
            environment: pairs.collect(),
            files: files(asked),
        }
    }
}

impl Surroundings {
    /// The variables, `NAME=value`, but those that lead nowhere.
    #[must_use]
    pub fn environment(&self) -> Vec<Vec<u8>> {
        let pairs = self.environment.iter();
        pairs
            .map(|(name, value)| [name.as_bytes(), value].concat())
            .collect()
    }
}

fn is_harmless(name: &str) -> bool {
    HARMLESS.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    })
}

/// The regular files that a command names, each with what it is known by.
fn files(asked: &Asked<'_>) -> BTreeMap<(usize, String), String> {
    let cwd = Path::new(asked.cwd);
    let mut files = BTreeMap::new();
    let mut note = |at: usize, name: &str| {
        let path = cwd.join(name.strip_prefix("file://").unwrap_or(name));
        if let Some(known) = known_by(&path) {
            files.insert((at, path.to_string_lossy().into_owned()), known);
        }
    };
    note(0, asked.exe);
    for (at, word) in asked.argv.iter().enumerate().skip(1).take(MOST_WORDS) {
        let value = word.split_once('=').map(|(_, value)| value);
        for name in [Some(word.as_str()), value].into_iter().flatten() {
            for name in [Some(name), name.strip_prefix('@')].into_iter().flatten() {
                if !name.is_empty() {
                    note(at, name);
                }
            }
        }
    }
    files
}

/// What tells whether a file is still what it was: its content, or where that is large its inode and times.
fn known_by(path: &Path) -> Option<String> {
    // A device could be harmed by being opened.
    path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    // Not blocking: it could be a pipe by now.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = openat(CWD, path, flags, Mode::empty()).ok()?;
    let found = fstat(&file).ok()?;
    if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
        return None;
    }
    let size = u64::try_from(found.st_size).unwrap_or(u64::MAX);
    if size <= MOST_BYTES {
        let mut bytes = Vec::new();
        if File::from(file)
            .take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .is_ok()
            && bytes.len() as u64 <= MOST_BYTES
        {
            return Some(Digest::of(&bytes).to_string());
        }
    }
    Some(format!(
        "inode {}:{} {size} {}.{}",
        found.st_dev, found.st_ino, found.st_ctime, found.st_ctime_nsec
    ))
}

impl Bound {
    pub(super) fn to(around: &Surroundings, open: Vec<OpenWord>, salt: String) -> Self {
        let digest = |thing: &[u8]| salted(&salt, thing);
        let is_open = |at: usize| open.iter().any(|word| word.at == at);
        let words = around.argv.iter().enumerate();
        let environment = around.environment.iter();
        let files = around.files.iter().filter(|((at, _), _)| !is_open(*at));
        Self {
            program: digest(around.exe.as_bytes()),
            folder: digest(around.cwd.as_bytes()),
            words: words
                .map(|(at, word)| (!is_open(at)).then(|| digest(word.as_bytes())))
                .collect(),
            environment: environment
                .map(|(name, value)| (name.clone(), digest(value)))
                .collect(),
            files: files
                .map(|((at, path), known)| (format!("{at}:{path}"), known.clone()))
                .collect(),
            salt,
            open,
        }
    }

    /// Whether a command is this one, in every respect that could lead it elsewhere.
    pub(super) fn holds(&self, around: &Surroundings) -> bool {
        let may_be = |at: usize| {
            let word = around.argv.get(at);
            let open = self.open.iter().find(|open| open.at == at);
            open.zip(word).is_some_and(|(open, word)| open.matches(word))
        };
        around.argv.len() == self.words.len()
            && (0..self.words.len()).all(|at| self.words.get(at).is_none_or(Option::is_some) || may_be(at))
            && Self::to(around, self.open.clone(), self.salt.clone()) == *self
    }
}

impl Bound {
    /// Whether a command is a shell with these words as its text, and nothing in them that a shell would change.
    pub(super) fn holds_as_script(&self, around: &Surroundings) -> bool {
        let [shell, option, script] = around.argv.as_slice() else {
            return false;
        };
        let name = shell.rsplit('/').next().unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+:,./-".contains(&byte) || byte == b'=';
        let words: Vec<&str> = script
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        let same = |(word, own): (&&str, &Option<String>)| {
            own.as_ref() == Some(&salted(&self.salt, word.as_bytes())) && word.bytes().all(plain)
        };
        // `A=b` in front is no word of the command but a variable.
        let first = words.first().is_some_and(|word| !word.contains('='));
        let bare = Self::to(around, self.open.clone(), self.salt.clone());
        SHELLS.contains(&name)
            && option == "-c"
            && first
            && words.len() == self.words.len()
            && words.iter().zip(&self.words).all(same)
            && (bare.folder, bare.environment) == (self.folder.clone(), self.environment.clone())
    }
}

fn salted(salt: &str, thing: &[u8]) -> String {
    let mut bytes = salt.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(thing);
    Digest::of(&bytes).to_string()
}
