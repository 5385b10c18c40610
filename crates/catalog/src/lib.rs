//! What commands do, how far they can be taken back, and by which command.
//!
//! Reading order: `shell` (a text as a tree), `judge` (the tree into simple commands with a class each), `catalog`
//! (which entry a simple command is), `entry`, `pattern` and `tool` (what an entry is and when it fits), `recovery`
//! (the commands that capture, compensate and verify, filled in).
//!
//! Absences that hold: no files are read here and no command is run; texts come in, judgements go out. What is not
//! understood is unknown, never safe.

mod catalog;
mod check;
mod embedded;
mod entry;
mod expression;
mod field;
mod judge;
mod line;
mod load;
mod pattern;
mod recovery;
pub mod shell;
mod template;
mod tool;

pub use catalog::{Best, Builder, Catalog, Match};
pub use check::{Finding, Severity, examples, lint};
pub use entry::{
    Capture, CaptureFrom, Effects, Entry, Example, Examples, Find, Language, RollbackSafe, usual_time,
};
pub use expression::{Condition, Decimal, ExpressionError, Measure};
pub use field::{Field, HOLE};
pub use judge::{Context, Doubt, Judgement, Part, Place};
pub use line::{Flag, Line};
pub use load::LoadError;
pub use pattern::{Bindings, PatternError};
pub use recovery::{Recovery, Safe};
pub use template::{CaptureError, Filled, Template, TemplateError, fill_text, take};
pub use tool::{FlagInfo, Tool, ToolSpec};
