//! Shell text as a tree, read for judging: POSIX sh and the bash that people and agents write.
//!
//! Sources: POSIX.1-2024 XCU chapter 2, and the Bash reference manual. One pass, no backtracking, a bounded depth: the
//! time is linear in the length of the text. What is not understood is an error, never skipped.

mod heredoc;
mod parse;
mod tree;
mod word;

pub use parse::{ParseError, Problem, parse};
pub use tree::{
    Assign, AssignValue, Command, Compound, Item, List, ParamOp, Piece, Pipeline, Redirect, RedirectKind,
    Simple, Word,
};

/// No text longer than this is read; it is unknown.
pub const MAX_TEXT: usize = 256 * 1024;
/// No construct is nested deeper than this; what is deeper is unknown.
pub const MAX_DEPTH: usize = 48;
