//! An in-memory surface of records with fields. **It exists to prove the contracts of surfaces and of recovery**, and
//! is of no use to an agent: nothing in it outlives the process.
//!
//! A [`World`] holds tables and records in them, a shelf of bodies, a journal, and a remote payment service that can be
//! slow, fail, or do what it is asked and not answer. Agents and other people write to it ([`Edit`], [`Agent`]); the
//! halves that recovery knows are [`Records`] (a driver), [`Payments`] (a caller), [`Shelf`] (bodies) and [`Journal`]
//! (a recorder). At every instant at which a real process could die, it can: see [`Faults`].
//!
//! What it has in common with files, on purpose: things inside of things, a field that follows from others (`touched`,
//! as the time of change of a folder), bodies that merge by line, bodies without a digest that are kept as they are
//! (pins), identities that change when a thing is made again, changes that take two announcements.

mod agent;
mod arrange;
mod driver;
mod edit;
mod faults;
mod item;
mod journal;
mod service;
mod shelf;
mod world;

pub use agent::{Agent, Mishap};
pub use driver::Records;
pub use edit::{Edit, LineEdit};
pub use faults::Faults;
pub use item::{Item, Record, Slot};
pub use journal::Journal;
pub use service::{Answer, Payments, Service, charge_key};
pub use shelf::Shelf;
pub use world::{Change, World, Writer};
