//! The proof that an export is complete (docs/formats/export.md, section 3).
//!
//! The ledger's tree before the export, the hashes of the exported entries, and a consistency proof lead to a signed
//! checkpoint: these entries, and no others, stand between the two numbers. A signed statement says which lines were made of
//! them.

mod check;

pub use check::{Checked, Finding, check};

use crate::ExportError;
use crate::point::{Nodes, hash, nodes, text};
use rescind_ledger::Ledger;
use rescind_ledger::merkle::{Compact, Hash, verify_consistency};
use serde::{Deserialize, Serialize};

/// The kind of the signed statement.
const KIND: &str = "export";

/// What the exporter states, signed by the ledger's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub format: String,
    pub session: Option<String>,
    pub from: u64,
    /// The first entry that is not exported.
    pub to: u64,
    /// The root over the exported entries alone.
    pub root: Hash,
    pub lines: u64,
    /// The root over the lines.
    pub lines_root: Hash,
    pub version: String,
}

impl Statement {
    fn text(&self) -> String {
        format!(
            "format {}\nsession {}\nentries {} {}\nroot {}\nlines {}\nlines-root {}\nversion {}\n",
            self.format,
            self.session.as_deref().unwrap_or("-"),
            self.from,
            self.to,
            text(&self.root),
            self.lines,
            text(&self.lines_root),
            self.version,
        )
    }

    fn parse(from: &str) -> Option<Self> {
        let mut lines = from.lines();
        let mut next = |name: &str| {
            lines
                .next()?
                .strip_prefix(name)?
                .strip_prefix(' ')
                .map(str::to_owned)
        };
        let format = next("format")?;
        let session = Some(next("session")?).filter(|session| session != "-");
        let entries = next("entries")?;
        let (from, to) = entries.split_once(' ')?;
        let statement = Self {
            format,
            session,
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            root: hash(&next("root")?)?,
            lines: next("lines")?.parse().ok()?,
            lines_root: hash(&next("lines-root")?)?,
            version: next("version")?,
        };
        (statement.from <= statement.to).then_some(statement)
    }
}

/// What stands in the line `H` of a proof's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The checkpoint, a signed note.
    pub checkpoint: String,
    /// The statement, a signed note.
    pub statement: String,
    /// The tree before the first entry.
    pub before: Nodes,
    /// That the tree up to the last entry is the beginning of the checkpoint's.
    pub consistency: Vec<String>,
}

impl Head {
    pub fn make(
        ledger: &Ledger,
        statement: &Statement,
        before: &Compact,
        tree: &Compact,
    ) -> Result<Self, ExportError> {
        let not_the_same = || ExportError::NotTheSame { to: tree.size() };
        ledger.checkpoint()?.ok_or(ExportError::Short {
            length: 0,
            wanted: tree.size().max(1),
        })?;
        let (mut path, mut checkpoint) = (Vec::new(), ledger.last_checkpoint()?.ok_or_else(not_the_same)?);
        if checkpoint.size != tree.size() {
            (path, checkpoint) = ledger.prove_consistency(tree.size())?;
        }
        if !continues(tree, &path, checkpoint.size, &checkpoint.root) {
            return Err(not_the_same());
        }
        Ok(Self {
            checkpoint: checkpoint.text,
            statement: ledger.state(KIND, &statement.text()),
            before: nodes(before),
            consistency: path.iter().map(text).collect(),
        })
    }

    pub fn line(&self) -> Result<String, ExportError> {
        let form = serde_json::to_string(self).map_err(|error| ExportError::Proof {
            what: error.to_string(),
        })?;
        Ok(format!("H {form}\n"))
    }
}

/// Whether this tree is the beginning of the one that was signed.
fn continues(tree: &Compact, path: &[Hash], size: u64, root: &Hash) -> bool {
    verify_consistency(tree.size(), size, path, &tree.root(), root)
}
