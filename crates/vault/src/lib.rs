//! The vault: where snapshots, outputs and session journals are kept. Content-addressed within a session,
//! compressed, encrypted with a key per session, so that destroying one key erases a session and keeps every proof.
//!
//! The format is in docs/formats/vault.md. [`Vault`] opens it, [`SessionWriter`] appends and puts, [`SessionReader`]
//! reads, also while somebody writes; [`Mark`]s are what the ledger commits to.
//!
//! Absences that hold: no clock (but for waiting on a lock), no knowledge of what a journal says, no user-space buffer
//! that outlives a call, no cutting of files.

mod blob;
mod content;
mod dir;
mod erase;
mod error;
mod frame;
mod framed;
mod key;
mod locator;
mod mark;
mod packs;
mod pin;
mod prune;
mod put;
mod reader;
mod reserve;
mod usage;
mod vault;
mod verify;
mod walk;
mod writer;

pub use erase::{Erased, Remains};
pub use error::{Error, Result};
pub use locator::{Keeping, PinIdentity};
pub use mark::Mark;
pub use pin::{PinSlot, PinStat};
pub use prune::{Cap, Policy, PruneStep, PruneWhat, PruneWhy, Pruned};
pub use put::FileBlob;
pub use reader::{Frames, SessionReader};
pub use usage::Usage;
pub use vault::{Options, Vault};
pub use verify::{Expect, Fault, FaultKind, Verified};
pub use writer::{MAX_APPEND, SessionWriter, Urgency};
