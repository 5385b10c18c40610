//! The files surface: files of any process tree, their states, and how they come back.

#[cfg(test)]
extern crate self as rescind_files;

mod cell;
mod driver;
pub mod gateway;
pub mod manifest;
mod object;
pub mod preview;
pub mod read;
pub mod stage;
pub mod state;
mod witness;

pub use cell::Cell;
pub use driver::{FilesDriver, Note, Notes};
pub use object::{Folder, Identity, Kind, ObjectRecord, ObjectTable, Place};
pub use witness::{Witness, WitnessError};
