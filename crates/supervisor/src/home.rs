//! Where rescind keeps its state.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The state directory: `$RESCIND_HOME`, else `$XDG_STATE_HOME/rescind`, else `~/.local/state/rescind`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// The directory that the environment names.
    ///
    /// # Errors
    /// Neither `RESCIND_HOME`, `XDG_STATE_HOME` nor `HOME` is set.
    pub fn from_environment() -> io::Result<Self> {
        let named = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let root = named("RESCIND_HOME")
            .or_else(|| named("XDG_STATE_HOME").map(|state| state.join("rescind")))
            .or_else(|| named("HOME").map(|home| home.join(".local/state/rescind")))
            .ok_or_else(|| io::Error::other("RESCIND_HOME, XDG_STATE_HOME and HOME are all unset"))?;
        Ok(Self {
            root: std::path::absolute(root)?,
        })
    }

    /// This directory.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The ledger's directory.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// The vault's directory.
    #[must_use]
    pub fn vault(&self) -> PathBuf {
        self.root.join("vault")
    }

    /// The directory in which undos say what they are about to change.
    #[must_use]
    pub fn undoing(&self) -> PathBuf {
        self.root.join("undoing")
    }

    /// The directory of holds.
    #[must_use]
    pub fn holds(&self) -> PathBuf {
        self.root.join("holds")
    }

    /// The directory of what is used of the limits (docs/formats/limits.md).
    #[must_use]
    pub fn limits(&self) -> PathBuf {
        self.root.join("limits")
    }

    /// Where credentials of sessions are kept until they are proved dead (docs/formats/credentials.md).
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }

    /// The directory of stages (docs/formats/stage.md).
    #[must_use]
    pub fn stages(&self) -> PathBuf {
        self.root.join("stages")
    }

    /// The stage of a session.
    #[must_use]
    pub fn stage(&self, session: &rescind_model::SessionId) -> PathBuf {
        self.stages().join(session.as_str())
    }

    /// The directory of rules learned from approvals (docs/formats/learned.md).
    #[must_use]
    pub fn learned(&self) -> PathBuf {
        self.root.join("learned")
    }

    /// The directory of what agents were permitted before: an index, made anew from the record where it is gone.
    #[must_use]
    pub fn known(&self) -> PathBuf {
        self.root.join("known")
    }

    /// Where hooks leave word for each other.
    #[must_use]
    pub fn hooks(&self) -> PathBuf {
        self.root.join("hooks")
    }

    /// Where it is said what is stopped, and who runs (docs/formats/control.md).
    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.root.join("control")
    }

    /// The journal of a session (docs/formats/vault.md).
    #[must_use]
    pub fn journal(&self, session: &rescind_model::SessionId) -> PathBuf {
        self.vault()
            .join("sessions")
            .join(session.as_str())
            .join("journal")
    }

    /// The user's own redaction rules, if there are any.
    #[must_use]
    pub fn rules(&self) -> PathBuf {
        self.root.join("redaction.rules")
    }

    /// Make the directory, readable by its owner alone.
    ///
    /// # Errors
    /// It can't be made.
    pub fn make(&self) -> io::Result<()> {
        crate::own::folder(&self.root)
    }

    /// A directory for pins on the file system of `path`, where this home is on another one: `.rescind-<uid>` in the
    /// highest directory of that file system in which we may make one. `None` where there is none.
    #[must_use]
    pub fn pin_root(path: &Path) -> Option<PathBuf> {
        let device = path.metadata().ok()?.dev();
        let name = format!(".rescind-{}", rustix::process::geteuid().as_raw());
        let mut above: Vec<&Path> = path
            .ancestors()
            .take_while(|at| at.metadata().is_ok_and(|found| found.dev() == device))
            .collect();
        above.reverse();
        above.into_iter().map(|at| at.join(&name)).find(|root| {
            let made = std::fs::DirBuilder::new().mode(0o700).create(root);
            let own = |found: std::fs::Metadata| {
                found.is_dir() && found.uid() == rustix::process::geteuid().as_raw() && found.dev() == device
            };
            match made {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    root.symlink_metadata().is_ok_and(own)
                }
                Err(_) => false,
            }
        })
    }
}
