//! What people look at: sessions, actions, holds and events, as a projection of the ledger in SQLite. Rebuilt at any time.
//!
//! Reading order: `rows` (what is shown), `filter` and `page` (what can be asked), `query` (how it is answered), then
//! `follow`, `walk` and `tale` (how the record becomes rows), `write` and `schema` (how they are kept). `events` reads the
//! ledger itself, entry by entry.
//!
//! Absences that hold: nothing is written but the projection's own file; nothing in that file is not in the record.

mod body;
mod error;
mod event;
mod events;
mod filter;
mod follow;
mod index;
mod names;
mod page;
mod query;
mod rows;
mod schema;
mod tale;
mod walk;
mod write;

pub use error::{Error, Result};
pub use event::Event;
pub use events::Events;
pub use filter::{ActionFilter, SessionFilter};
pub use follow::Progress;
pub use index::Index;
pub use page::{LARGEST_PAGE, Order, Page, Paged};
pub use rows::{
    ActionDetail, ActionRow, ChangeRow, ControlRow, DecidedRow, Gap, Mark, ReceiptRow, SessionRow, Summary,
    Timeline, UndoRow,
};

pub use rescind_supervisor::DomainSet;

/// The most paths that are kept of what an action changed; how many there were is always said.
pub const MOST_CHANGES: usize = 50;
/// The most gaps in coverage that are kept of an action; how many there were is always said.
pub const MOST_GAPS: usize = 20;
