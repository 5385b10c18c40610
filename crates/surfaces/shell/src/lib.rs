//! The resource half of the surface of commands: what a command changes elsewhere can't be captured by rescind, only be read
//! and compensated by the commands that the catalog names.
//!
//! Reading order: `command` (how rescind runs a program of its own: bounded, and able to change no file and start no other
//! program), `programs` and `environment` (which file, and what it has around it), `values` (an output as a state),
//! `looks` (for the gateway, before and after an action), `caller` (for an undo).
//!
//! Absences that hold: no shell is ever between rescind and a program; nothing runs that lies where whoever started the
//! session looks for no programs; a value is never a flag; what was not read is never taken for 'was not there'.

mod caller;
mod command;
mod environment;
mod looks;
mod programs;
mod values;

pub use caller::{KEY_VARIABLE, Remedy, ShellCaller};
pub use command::{Answer, CommandError, Own, run};
pub use environment::recorded;
pub use looks::CommandLooks;
pub use programs::Trusted;
