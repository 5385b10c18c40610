//! The session journal: what the frames of a session's journal hold, as JSON (docs/formats/journal.md).
//!
//! Domain types know nothing of this form; they are converted here, at the edge.

mod form;
mod judged;
mod note;
mod reached;
mod record;
mod system;
mod way;
mod words;

pub use form::{StateForm, bytes_from_text, text_from_bytes};
pub use judged::{DecidedForm, FactorForm, JudgedForm, ToldForm, WaitedForm};
pub use note::NoteForm;
pub use reached::{CheckForm, ReachedForm, TargetForm};
pub use record::{
    AfterForm, BeforeForm, ClientForm, CredentialEvent, CredentialForm, EnvironmentForm, ExitForm, MayForm,
    NodeEnded, NodeStarted, ObjectForm, OutcomeForm, OutputForm, Record, RedactedForm, Role, SessionEnded,
    SessionKind, SessionOpened,
};
pub use system::{EffectForm, ReceiptForm, SystemForm};
pub use way::{FoundForm, InputForm, KeptForm, RejudgedForm, WayForm};

use rescind_model::Surface;

/// The surface of that name. What a newer version calls otherwise is none that this one can act on.
pub(crate) fn surface_named(name: &str) -> Surface {
    [Surface::Memory, Surface::Shell]
        .into_iter()
        .find(|surface| surface.name() == name)
        .unwrap_or(Surface::Files)
}
