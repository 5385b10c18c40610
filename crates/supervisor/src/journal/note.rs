//! Forms of what a driver of files notes down during an undo, besides its intents.

use super::form::StateForm;
use super::record::ObjectForm;
use serde::{Deserialize, Serialize};

/// A note on disk. The order of notes in the journal is the order of noting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "w", rename_all = "snake_case")]
pub enum NoteForm {
    /// An object is bound to another inode, or about to be moved.
    Object(ObjectForm),
    /// Two objects are about to change places.
    Exchanged {
        /// The session whose numbers these are.
        session: String,
        /// The one.
        one: u64,
        /// The other.
        other: u64,
    },
    /// A cell is about to hold something in passing.
    Parked {
        /// The cell's key, as [`super::text_from_bytes`].
        k: String,
        /// The object it holds; absent: nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        o: Option<u64>,
        /// What was found in it when the plan was made.
        b: StateForm,
    },
    /// What a cell holds is there to stay now.
    Arrived {
        /// The cell's key, as [`super::text_from_bytes`].
        k: String,
    },
    /// A file with several links is about to be written in place.
    Writing {
        /// The session whose number it is.
        session: String,
        /// The file.
        o: u64,
        /// Its state before.
        b: StateForm,
    },
    /// It was written.
    Written {
        /// The session whose number it is.
        session: String,
        /// The file.
        o: u64,
    },
}

impl NoteForm {
    /// Whether it is of no use any more once the undo is over.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Parked { .. } | Self::Arrived { .. } | Self::Writing { .. } | Self::Written { .. }
        )
    }
}
