//! Why a step stops before its end.

use rescind_supervisor::{DriverError, Restored};
use rustix::io::Errno;
use std::io;

/// Why a step stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The system refused.
    Io(io::Error),
    /// What was kept can't be had.
    BodyLost(String),
    /// The intent or a note could not be written.
    NotRecorded(io::Error),
    /// Not an error: this is how the step ends.
    Ended(Box<Restored>),
}

impl Stop {
    pub(crate) fn into_error(self, name: &str) -> DriverError {
        let name = name.to_owned();
        match self {
            Self::Io(source) => DriverError::Unreachable { name, source },
            Self::BodyLost(why) => DriverError::BodyLost { name, why },
            Self::NotRecorded(source) => DriverError::NotRecorded { name, source },
            Self::Ended(_) => DriverError::Unreachable {
                name,
                source: io::Error::other("it is in the middle of a step"),
            },
        }
    }

    pub(crate) fn into_end(self, name: &str) -> Result<Restored, DriverError> {
        match self {
            Self::Ended(restored) => Ok(*restored),
            other => Err(other.into_error(name)),
        }
    }

    pub(crate) fn ended(restored: Restored) -> Self {
        Self::Ended(Box::new(restored))
    }

    pub(crate) fn is(&self, kind: io::ErrorKind) -> bool {
        matches!(self, Self::Io(error) if error.kind() == kind)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Stop {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}
