//! Which file is run for a name, and what else has to be executable for it to run at all.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The folders in which whoever started the session, or takes it back, looks for programs.
#[derive(Debug, Clone, Default)]
pub struct Trusted {
    folders: Vec<PathBuf>,
    path: String,
}

/// How many interpreters stand behind one another, at most.
const MOST_INTERPRETERS: usize = 4;
/// Where git has its parts.
const GIT_FOLDERS: [&str; 3] = [
    "/usr/lib/git-core",
    "/usr/libexec/git-core",
    "/usr/local/libexec/git-core",
];

impl Trusted {
    /// Those of a `PATH`, without what lies below `here`, where the agent works.
    #[must_use]
    pub fn new(path: &str, here: Option<&Path>) -> Self {
        let folders = path.split(':').map(PathBuf::from);
        let trusted =
            |folder: &PathBuf| folder.is_absolute() && here.is_none_or(|here| !folder.starts_with(here));
        let folders: Vec<PathBuf> = folders.filter(trusted).collect();
        let names: Vec<String> = folders
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        Self {
            path: names.join(":"),
            folders,
        }
    }

    /// The same as a `PATH`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file of a program by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        if name.is_empty() || name.contains('/') {
            return None;
        }
        let files = self.folders.iter().map(|folder| folder.join(name));
        let mut runs = files.filter(|file| is_program(file));
        runs.next()
    }

    /// Everything that has to be executable for a program to run: it, its interpreters, their loader. Of git also its
    /// own parts and ssh.
    #[must_use]
    pub fn executable(&self, program: &Path) -> Vec<PathBuf> {
        let mut all = Vec::new();
        self.add(program, 0, &mut all);
        if program.file_name().is_some_and(|name| name == "git") {
            all.extend(
                GIT_FOLDERS
                    .iter()
                    .map(PathBuf::from)
                    .filter(|folder| folder.is_dir()),
            );
            if let Some(ssh) = self.find("ssh") {
                self.add(&ssh, 0, &mut all);
            }
        }
        all
    }

    fn add(&self, program: &Path, depth: usize, all: &mut Vec<PathBuf>) {
        if depth > MOST_INTERPRETERS || all.iter().any(|own| own == program) {
            return;
        }
        all.push(program.to_owned());
        let mut head = Vec::new();
        let read = File::open(program).map(|file| file.take(64 << 10).read_to_end(&mut head));
        if !matches!(read, Ok(Ok(_))) {
            return;
        }
        if let Some(line) = head.strip_prefix(b"#!") {
            let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
            let line = String::from_utf8_lossy(line.get(..end).unwrap_or_default()).into_owned();
            let mut words = line.split_whitespace();
            let Some(interpreter) = words.next() else { return };
            self.add(Path::new(interpreter), depth + 1, all);
            if interpreter.ends_with("/env")
                && let Some(named) = words
                    .find(|word| !word.starts_with('-'))
                    .and_then(|word| self.find(word))
            {
                self.add(&named, depth + 1, all);
            }
        } else if let Some(loader) = loader(&head) {
            self.add(Path::new(&loader), depth + 1, all);
        }
    }
}

pub(crate) fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The loader that an ELF file (64 bits, little-endian) names in its segment `PT_INTERP` (elf(5)).
fn loader(head: &[u8]) -> Option<String> {
    const INTERPRETER: u32 = 3;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let number = |at: usize, length: usize| -> Option<usize> {
        let bytes = head.get(at..at.checked_add(length)?)?;
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        usize::try_from(value).ok()
    };
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for segment in 0..count {
        let at = table.checked_add(segment.checked_mul(size)?)?;
        if number(at, 4)? == INTERPRETER as usize {
            let (offset, length) = (number(at.checked_add(8)?, 8)?, number(at.checked_add(32)?, 8)?);
            let name = head.get(offset..offset.checked_add(length)?)?;
            let name = name.strip_suffix(b"\0").unwrap_or(name);
            return String::from_utf8(name.to_vec()).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Trusted, loader};
    use std::path::Path;

    #[test]
    fn the_loader_of_a_real_program_is_found_and_nothing_in_what_is_cut_short() {
        let own = std::fs::read("/proc/self/exe").expect("this test");
        let found = loader(&own);
        // A static test has none.
        assert!(
            found.as_deref().is_none_or(|name| Path::new(name).is_file()),
            "{found:?}"
        );
        for length in 0..200 {
            assert_eq!(
                loader(own.get(..length).expect("a longer file")),
                None,
                "{length}"
            );
        }
        let bad: Vec<u8> = b"\x7fELF\x02\x01"
            .iter()
            .copied()
            .chain(std::iter::repeat_n(0xff, 200))
            .collect();
        assert_eq!(loader(&bad), None);
    }

    #[test]
    fn programs_below_where_the_agent_works_and_names_with_a_path_are_not_found() {
        let trusted = Trusted::new("/work/bin:relative:/usr/bin:/bin", Some(Path::new("/work")));
        assert_eq!(trusted.path(), "/usr/bin:/bin");
        assert!(trusted.find("sh").is_some());
        assert_eq!(trusted.find("../bin/sh"), None);
        assert_eq!(trusted.find(""), None);
    }
}
