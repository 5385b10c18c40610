//! Signed statements that are no checkpoints: what a command says of the ledger, in the ledger's own name.

use crate::ledger::Ledger;
use crate::note::{NoteError, Verifier};

impl Ledger {
    /// `text`, lines each ended, as a note signed by the ledger's key. Its first line is the origin, a space and `kind`, so
    /// that it can be taken for no checkpoint and for no other kind of statement.
    #[must_use]
    pub fn state(&self, kind: &str, text: &str) -> String {
        let signer = &self.inner.signer;
        signer.sign(&format!("{} {kind}\n{text}", signer.verifier().name()))
    }
}

/// The lines behind the first one of a statement of this kind, if this key signed it.
///
/// # Errors
/// It is no such statement, or not signed by the key.
pub fn open_statement(note: &[u8], key: &Verifier, kind: &str) -> Result<String, NoteError> {
    let form = |what| NoteError::Form { what };
    let note = key.open(note)?;
    let (first, rest) = note
        .text
        .split_once('\n')
        .ok_or(form("its first line is not ended"))?;
    if first
        .strip_prefix(key.name())
        .and_then(|first| first.strip_prefix(' '))
        != Some(kind)
    {
        return Err(form("its first line is another one"));
    }
    Ok(rest.to_owned())
}
