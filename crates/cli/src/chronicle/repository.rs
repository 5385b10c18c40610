//! A git repository that has one commit for each action that changed what is marked as configuration.
//!
//! Commits are made by `git fast-import` from objects: no file of the repository's folder is written but by git itself, and
//! no hook runs. The paths in it are absolute ones without their first `/`.

use super::{Change, Contents};
use crate::error::{Code, Done, Failure};
use crate::text::clean;
use rescind_model::{State, Timestamp, Value};
use rescind_supervisor::journal::bytes_from_text;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The trailer that says which action a commit is of.
const TRAILER: &str = "Rescind-Action";
/// The trailer of a commit for what was changed outside of sessions: the action that found it so.
const FOUND: &str = "Rescind-Found";
const BRANCH: &str = "refs/heads/history";
/// The longest first line of a message, in characters.
const SUBJECT: usize = 72;

/// The repository.
pub struct Repository {
    folder: PathBuf,
    /// What the newest commit has: mode and object for each path.
    files: BTreeMap<Vec<u8>, (String, String)>,
    /// Actions that have a commit.
    known: BTreeSet<String>,
    head: Option<String>,
    stream: Vec<u8>,
    added: usize,
}

/// What a path is to become.
enum Becomes {
    File {
        mode: String,
        object: String,
    },
    Gone,
    /// Its content is not kept.
    Unknown,
    /// Git has no such thing: a folder, a socket.
    Nothing,
}

fn failed(why: impl Into<String>) -> Failure {
    Failure::new(Code::GitFailed, why).means("no commit was added")
}

impl Repository {
    /// Open the repository in a folder, making it where there is none.
    ///
    /// # Errors
    /// The folder holds something else, or git can't be run.
    pub fn open(folder: &Path) -> Done<Self> {
        let mut own = Self {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            known: BTreeSet::new(),
            head: None,
            stream: Vec::new(),
            added: 0,
        };
        let entries = std::fs::read_dir(folder).map(|mut entries| entries.next().is_none());
        if entries.unwrap_or(true) {
            std::fs::create_dir_all(folder)?;
            own.git(&["init", "--quiet", "--initial-branch=history"], None)?;
            own.git(&["config", "rescind.history", "true"], None)?;
            return Ok(own);
        }
        let marked = folder.join(".git").is_dir()
            && own
                .git(&["config", "--local", "rescind.history"], None)
                .is_ok_and(|said| said == b"true\n");
        if !marked {
            let message = format!("`{}` is not empty, and no history of rescind", folder.display());
            return Err(Failure::new(Code::BadArgument, message).help("name a folder that is not there yet"));
        }
        own.load()?;
        Ok(own)
    }

    fn load(&mut self) -> Done<()> {
        let Ok(head) = self.git(&["rev-parse", "--verify", "--quiet", BRANCH], None) else {
            return Ok(());
        };
        self.head = Some(String::from_utf8_lossy(&head).trim().to_owned());
        let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
        let said = self.git(&["log", &format, BRANCH], None)?;
        let lines = String::from_utf8_lossy(&said).into_owned();
        let lines = lines.lines().map(str::trim);
        self.known = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let tree = self.git(&["ls-tree", "-r", "-z", BRANCH], None)?;
        for entry in tree.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let tab = entry
                .iter()
                .position(|byte| *byte == b'\t')
                .unwrap_or(entry.len());
            let (what, path) = entry.split_at(tab);
            let what = String::from_utf8_lossy(what).into_owned();
            let mut words = what.split(' ');
            if let (Some(mode), Some(object)) = (words.next(), words.nth(1)) {
                let path = path.get(1..).unwrap_or_default().to_vec();
                self.files.insert(path, (mode.to_owned(), object.to_owned()));
            }
        }
        Ok(())
    }

    /// Whether an action has a commit.
    #[must_use]
    pub fn has(&self, action: &str) -> bool {
        self.known.contains(action)
    }

    /// Add a commit for an action with all its changes, in order; before it one for what others made of its paths
    /// meanwhile, where that is known.
    ///
    /// # Errors
    /// Git can't be run.
    pub fn add(&mut self, action: &str, changes: &[Change<'_>], contents: &Contents<'_>) -> Done<()> {
        let Some(first) = changes.first() else {
            return Ok(());
        };
        let mut ends: BTreeMap<&str, (&State, &State)> = BTreeMap::new();
        for change in changes {
            let effect = change.effect;
            let end = ends
                .entry(&effect.name)
                .or_insert((&effect.before, &effect.after));
            end.1 = &effect.after;
        }
        let mut found = Vec::new();
        let mut left = Vec::new();
        let mut unkept = Vec::new();
        for (name, (before, after)) in ends {
            let Some(path) = path(name) else {
                unkept.push(format!("{}: git takes no such path", clean(name)));
                continue;
            };
            let before = self.becomes(name, before, contents)?;
            self.edit(&mut found, &path, &before);
            let after = self.becomes(name, after, contents)?;
            if matches!(after, Becomes::Unknown) {
                unkept.push(format!("{}: its content is not kept", clean(name)));
            }
            left.push((path, after));
        }
        let host = clean(&first.view.opened.host);
        let time = first.time();
        if !found.is_empty() {
            let message = format!(
                "Changed outside of supervised sessions\n\nAs action {action} found it.\n\n{FOUND}: {action}\n"
            );
            self.commit(("nobody known", "unknown"), &host, time, &message, &found);
        }
        let mut lines = Vec::new();
        for (path, after) in &left {
            self.edit(&mut lines, path, after);
        }
        let agent = clean(&first.view.opened.agent);
        let message = message(action, first, &unkept);
        self.commit((&agent, &agent), &host, time, &message, &lines);
        self.known.insert(action.to_owned());
        self.added += 1;
        Ok(())
    }

    /// Give everything to git. How many actions were added.
    ///
    /// # Errors
    /// Git does not take it: nothing was added.
    pub fn finish(self) -> Done<usize> {
        if self.added == 0 {
            return Ok(0);
        }
        self.git(
            &["fast-import", "--quiet", "--date-format=raw"],
            Some(&self.stream),
        )?;
        // The folder shows the newest state, for those who would rather look than ask git.
        self.git(&["reset", "--quiet", "--hard", BRANCH], None)?;
        Ok(self.added)
    }

    fn becomes(&self, name: &str, state: &State, contents: &Contents<'_>) -> Done<Becomes> {
        let Some(fields) = state.fields() else {
            return Ok(Becomes::Gone);
        };
        let (mode, bytes) = match (fields.text("kind"), fields.get("target")) {
            (Some("symlink"), Some(Value::Bytes(target))) => ("120000", target.clone()),
            (Some("file"), _) => {
                let runs = fields.int("mode").is_some_and(|mode| mode & 0o100 != 0);
                let Some(bytes) = contents.bytes(name, state) else {
                    return Ok(Becomes::Unknown);
                };
                (if runs { "100755" } else { "100644" }, bytes)
            }
            _ => return Ok(Becomes::Nothing),
        };
        let object = self.git(&["hash-object", "-w", "--no-filters", "--stdin"], Some(&bytes))?;
        Ok(Becomes::File {
            mode: mode.to_owned(),
            object: String::from_utf8_lossy(&object).trim().to_owned(),
        })
    }

    /// The line that makes a path so, if it is not so yet.
    fn edit(&mut self, lines: &mut Vec<u8>, path: &[u8], becomes: &Becomes) {
        let now = self.files.get(path);
        match becomes {
            Becomes::File { mode, object } => {
                let new = (mode.clone(), object.clone());
                if now == Some(&new) {
                    return;
                }
                lines.extend_from_slice(format!("M {mode} {object} ").as_bytes());
                self.files.insert(path.to_owned(), new);
            }
            Becomes::Gone | Becomes::Nothing => {
                if self.files.remove(path).is_none() {
                    return;
                }
                lines.extend_from_slice(b"D ");
            }
            Becomes::Unknown => return,
        }
        lines.extend_from_slice(&quoted(path));
        lines.push(b'\n');
    }

    fn commit(&mut self, (name, account): (&str, &str), host: &str, time: &str, message: &str, lines: &[u8]) {
        let time: Timestamp = time.parse().unwrap_or_default();
        let seconds = time.milliseconds().div_euclid(1_000);
        let plain = |text: &str| -> String { text.chars().filter(|own| !"<>\n\0".contains(*own)).collect() };
        let (name, account, host) = (plain(name), plain(account), plain(host));
        self.stream.extend_from_slice(
            format!(
                "commit {BRANCH}\nauthor {name} <{account}@{host}> {seconds} +0000\n\
                 committer rescind <rescind@{host}> {seconds} +0000\ndata {}\n{message}\n",
                message.len()
            )
            .as_bytes(),
        );
        if let Some(head) = self.head.take() {
            self.stream.extend_from_slice(format!("from {head}\n").as_bytes());
        }
        self.stream.extend_from_slice(lines);
        self.stream.push(b'\n');
    }

    /// Run git in the repository, with nothing of the caller's own settings for git.
    fn git(&self, words: &[&str], input: Option<&[u8]>) -> Done<Vec<u8>> {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["-c", "core.autocrlf=false", "-c", "core.quotePath=true"]);
        command.arg("-C").arg(&self.folder).args(words);
        command.stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = words.first().copied().unwrap_or_default();
        let mut child = command
            .spawn()
            .map_err(|error| failed(format!("git can't be run: {error}")).help("install git"))?;
        let fed = match (input, child.stdin.take()) {
            (Some(bytes), Some(mut stdin)) => stdin.write_all(bytes),
            _ => Ok(()),
        };
        let output = child.wait_with_output()?;
        if !output.status.success() || fed.is_err() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = said.lines().last().unwrap_or_default();
            return Err(failed(format!("`git {shown}` failed: {last}")));
        }
        Ok(output.stdout)
    }
}

/// A path as git has it; `None`: git takes none such.
fn path(name: &str) -> Option<Vec<u8>> {
    let bytes = bytes_from_text(name);
    let path = bytes.strip_prefix(b"/")?.to_vec();
    let fine = |part: &[u8]| !part.is_empty() && !part.eq_ignore_ascii_case(b".git");
    path.split(|byte| *byte == b'/').all(fine).then_some(path)
}

/// A path as `git fast-import` reads it, whatever bytes it has.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut text = vec![b'"'];
    for byte in path {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            0x20..=0x7e => text.push(*byte),
            other => text.extend_from_slice(format!("\\{other:03o}").as_bytes()),
        }
    }
    text.push(b'"');
    text
}

fn message(action: &str, change: &Change<'_>, unkept: &[String]) -> String {
    let command = clean(&change.command());
    let mut subject: String = command.chars().take(SUBJECT).collect();
    if subject.trim().is_empty() {
        "(no command)".clone_into(&mut subject);
    }
    let mut text = format!("{subject}\n\n");
    if command.chars().count() > SUBJECT {
        text.push_str(&format!("{command}\n\n"));
    }
    if let Some(reasoning) = change.reasoning() {
        text.push_str(&format!("Because: {}\n\n", clean(reasoning)));
    }
    for line in unkept {
        text.push_str(&format!("Not in this commit: {line}\n"));
    }
    if !unkept.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!(
        "Rescind-Session: {}\n{TRAILER}: {action}\n",
        change.view.id
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::{path, quoted};

    #[test]
    fn paths_keep_their_bytes_and_none_leads_into_gits_own() {
        assert_eq!(path("/etc/a b"), Some(b"etc/a b".to_vec()));
        assert_eq!(path("/etc/%FF"), Some(b"etc/\xff".to_vec()));
        assert_eq!(path("/x/.git/config"), None);
        assert_eq!(path("/x/.GIT/config"), None);
        assert_eq!(path("relative"), None);
        assert_eq!(quoted(b"a \"b\"\\\xff\n"), b"\"a \\\"b\\\"\\\\\\377\\012\"");
    }
}
