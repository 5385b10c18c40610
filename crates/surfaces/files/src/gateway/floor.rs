//! What the kernel refuses by itself, below the gateway: Landlock, inherited by all of the tree.

use rescind_sys::{WriteRules, Writes};
use rustix::fs::FileType;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

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
