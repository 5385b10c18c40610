//! Ledger entries: JSON lines of a few hundred bytes that carry digests of bodies, never bodies (docs/formats/journal.md).

use crate::journal::CredentialEvent;
use rescind_model::Digest;
use rescind_vault::Mark;
use serde::{Deserialize, Serialize};

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The form's version: 1.
    pub v: u32,
    /// What happened.
    pub kind: EntryKind,
    /// RFC 3339, UTC.
    pub time: String,
    /// The session; empty where an entry belongs to none (`kill.*`, `access.changed`).
    pub session: String,
    /// The action, `SESSION.NUMBER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// SHA-256 of the body: the frame of the session's journal that this entry stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// What the session's files held by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkForm>,
    /// A sentence, where the entry has no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What an entry says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EntryKind {
    /// A session began.
    #[serde(rename = "session.started")]
    SessionStarted,
    /// The intent of an action.
    #[serde(rename = "action.started")]
    ActionStarted,
    /// What became of a hold while it waited: it went on to the next tier, or what was shown had moved.
    #[serde(rename = "action.held")]
    ActionHeld,
    /// How a hold of an action ended.
    #[serde(rename = "action.decided")]
    ActionDecided,
    /// The outcome of an action.
    #[serde(rename = "action.ended")]
    ActionEnded,
    /// A credential is about to be issued to a session.
    #[serde(rename = "credential.issuing")]
    CredentialIssuing,
    /// It was issued.
    #[serde(rename = "credential.issued")]
    CredentialIssued,
    /// It was revoked, which is proved.
    #[serde(rename = "credential.revoked")]
    CredentialRevoked,
    /// It was to be revoked, which is not proved.
    #[serde(rename = "credential.unproved")]
    CredentialUnproved,
    /// A step of an undo: intent or outcome.
    #[serde(rename = "undo.step")]
    UndoStep,
    /// An undo's receipt.
    #[serde(rename = "undo.receipt")]
    UndoReceipt,
    /// A session ended.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A later command finished the books of a session whose supervisor died.
    #[serde(rename = "session.recovered")]
    SessionRecovered,
    /// A stage was given up: what was on it and not promoted is gone.
    #[serde(rename = "stage.discarded")]
    StageDiscarded,
    /// A rule that was learned in a session was taken back.
    #[serde(rename = "rule.forgotten")]
    RuleForgotten,
    /// Everything in a scope was told to stop, or to hold in place. Has no session, but says its scope.
    #[serde(rename = "kill.called")]
    KillCalled,
    /// What came of it: who stopped, when and how, and what was in flight.
    #[serde(rename = "kill.answered")]
    KillAnswered,
    /// A person let things start again in a scope.
    #[serde(rename = "kill.lifted")]
    KillLifted,
    /// Who may do what was changed: a person, a role, a token.
    #[serde(rename = "access.changed")]
    AccessChanged,
    /// A session's content was erased from the vault.
    #[serde(rename = "vault.erased")]
    VaultErased,
    /// Recreatable content of a session was erased from the vault.
    #[serde(rename = "vault.pruned")]
    VaultPruned,
}

impl Entry {
    /// Whether it belongs to no session, as its kind wants it.
    #[must_use]
    pub fn is_control(&self) -> bool {
        let kind = matches!(
            self.kind,
            EntryKind::KillCalled
                | EntryKind::KillAnswered
                | EntryKind::KillLifted
                | EntryKind::AccessChanged
        );
        kind && self.session.is_empty() && self.body.is_none() && self.marks.is_empty()
    }
}

impl From<CredentialEvent> for EntryKind {
    fn from(event: CredentialEvent) -> Self {
        match event {
            CredentialEvent::Issuing => Self::CredentialIssuing,
            CredentialEvent::Issued => Self::CredentialIssued,
            CredentialEvent::Revoked => Self::CredentialRevoked,
            CredentialEvent::Unproved => Self::CredentialUnproved,
        }
    }
}

/// A mark on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkForm {
    /// The file's name.
    pub f: String,
    /// Bytes.
    pub l: u64,
    /// SHA-256 of them.
    pub d: String,
}

impl From<&Mark> for MarkForm {
    fn from(mark: &Mark) -> Self {
        Self {
            f: mark.file.clone(),
            l: mark.length,
            d: mark.digest.to_string(),
        }
    }
}

impl MarkForm {
    /// The mark; `None` where the digest is none.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        Some(Mark {
            file: self.f.clone(),
            length: self.l,
            digest: self.d.parse::<Digest>().ok()?,
        })
    }
}
