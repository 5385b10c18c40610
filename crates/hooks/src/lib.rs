//! The hook protocols of coding agents: what a client tells before and after a tool call, and how it is answered.
//!
//! Reading order: `client` (which there are, and what each can do), `call` (one tool call, whoever tells of it),
//! `payload` (their JSON into calls), `answer` (what is said back, in each one's words), `install` (their settings).
//!
//! Absences that hold: no I/O, no clock, no verdicts. Nothing here decides whether a call may run.

mod answer;
mod call;
mod client;
mod document;
mod install;
mod patch;
mod payload;
mod shell;
mod transcript;

pub use answer::{Answer, Reply};
pub use call::{Act, Call, Phase};
pub use client::Client;
pub use document::DocumentError;
pub use install::{Place, Scope, installed, removed, script};
pub use patch::patched_files;
pub use payload::{LARGEST, PayloadError};
pub use shell::{followed_folder, quoted, under_exec};
pub use transcript::{Told, told};
