//! What people look at: sessions, actions, holds and events, as a projection of the ledger in SQLite. Rebuilt at any time.

mod event;

pub use event::Event;
