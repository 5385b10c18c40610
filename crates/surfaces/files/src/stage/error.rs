//! Why there is no stage, and why a change can't be made real.

use std::io;
use std::path::PathBuf;

/// Why a session can't be staged, or its stage can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The kernel gives this process no mounts of its own.
    #[error("this user may have no mounts of its own here (user namespaces are off, or restricted)")]
    NoMounts {
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// No overlay can be mounted.
    #[error("no overlay can be mounted at `{}`: the state directory must be on ext4, xfs, btrfs or tmpfs", at.display())]
    NoOverlay {
        /// Where the first one was to be.
        at: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A file or folder of the stage, or of the real tree, can't be used.
    #[error("`{}` can't be used", path.display())]
    Path {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What describes the stage is damaged.
    #[error("the description of the stage at `{}` can't be read", path.display())]
    Layout {
        /// Where it is.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl StageError {
    /// A path that could not be used.
    pub(super) fn path(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Path { path, source }
    }
}

/// Why a promotion stopped.
#[derive(Debug, thiserror::Error)]
pub enum PromoteError {
    /// Somebody changed a path since it was compared.
    #[error("`{}` was changed in the real tree meanwhile", path.display())]
    Drifted {
        /// Which.
        path: PathBuf,
    },
    /// A change can't be made.
    #[error("`{}` can't be made as it is on the stage", path.display())]
    Failed {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
