//! The contracts of a surface's resource half: read, compare, merge, restore, call.
//!
//! Drawn from two surfaces, files and the in-memory records, and proved on both by one conformance suite.

use crate::Permit;
use rescind_model::{
    Content, Effect, FieldConflict, FieldMerge, Locator, Merged, ResourceId, State, Surface, Value, three_way,
};
use std::ffi::OsStr;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::BorrowedFd;

/// Why a driver could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The resource can't be reached now (permission, a gone mount, a closed connection). Nothing was changed.
    #[error("{name} can't be reached ({source}); nothing was changed there")]
    Unreachable {
        /// What people call the resource.
        name: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What the vault kept for it is gone or damaged. Nothing was changed.
    #[error("what was saved of {name} can't be read: {why}; nothing was changed there")]
    BodyLost {
        /// What people call the resource.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The journal could not be written, so nothing was done.
    #[error("the change to {name} could not be recorded, so it was not made")]
    NotRecorded {
        /// What people call the resource.
        name: String,
        /// What the store said.
        #[source]
        source: io::Error,
    },
}

/// Bodies kept in the vault, for merging and restoring.
pub trait Bodies {
    /// Whether the body is still there, without reading it.
    fn holds(&self, kept: &Locator) -> bool;

    /// The whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// The body is gone, damaged, or longer than `limit`.
    fn read(&self, kept: &Locator, limit: u64) -> io::Result<Vec<u8>>;

    /// Write the body into `file` from its start, keeping holes.
    ///
    /// # Errors
    /// The body is gone or damaged, or the file can't be written.
    fn copy_to(&self, kept: &Locator, file: &std::fs::File) -> io::Result<()>;

    /// Keep `bytes`.
    ///
    /// # Errors
    /// The vault can't be written.
    fn keep(&self, bytes: &[u8]) -> io::Result<Content>;

    /// Keep the bytes of `file`, from its start to its end, with its holes.
    ///
    /// # Errors
    /// The file can't be read or the vault can't be written.
    fn keep_file(&self, file: &std::fs::File) -> io::Result<Content> {
        let mut bytes = Vec::new();
        let mut source = file;
        source.seek(io::SeekFrom::Start(0))?;
        source.read_to_end(&mut bytes)?;
        self.keep(&bytes)
    }

    /// Keep the very file behind `name` in `folder` as one more link to it. `None`: the vault can't do that there (no
    /// place on the same file system, the system refuses), and the bytes have to be kept instead.
    ///
    /// # Errors
    /// The vault can't be written.
    fn pin(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Locator>> {
        let _no_pins_here = (folder, name);
        Ok(None)
    }

    /// As [`Bodies::pin`], also where the file has other names, under which it may be written to: for where there is no
    /// room for its bytes.
    ///
    /// # Errors
    /// As [`Bodies::pin`].
    fn pin_among_others(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Locator>> {
        self.pin(folder, name)
    }

    /// Put the very file that was kept as `name` into `folder`, as one more link to it. `false`: it is bytes that were
    /// kept, and nothing was done.
    ///
    /// # Errors
    /// `name` exists already ([`io::ErrorKind::AlreadyExists`]), or the file is gone.
    fn link(&self, kept: &Locator, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
        let _no_pins_here = (kept, folder, name);
        Ok(false)
    }
}

/// One step of a plan: bring one resource from the state it has to the state it should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// The state it was found in when the plan was made; the write is conditional on it.
    pub expected: State,
    /// The state it should have.
    pub target: State,
}

/// The end of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// The resource was brought to the target.
    Done {
        /// The state it was left in, read back at once: the target, with the driver's stamps as they are now.
        left: State,
    },
    /// It was there already.
    Already,
    /// It is not in the expected state any more: somebody wrote meanwhile. Nothing was changed.
    Drifted {
        /// The state found.
        now: State,
    },
    /// The resource stays, although it should go, because it now holds what others made (a folder with their files).
    Kept {
        /// Why, in a sentence.
        why: String,
    },
}

/// The steps of one plan in the order in which a driver can carry them out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arranged {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Steps that can't be carried out because of what other resources are like now.
    pub held: Vec<Held>,
    /// Resources in which the steps disturb in passing what follows from others (the time of change of a folder),
    /// each with the state found as `expected` and the state it should have in the end as `target`. They need not
    /// have a step of their own. [`Driver::finish`] gets them; they are recorded before the first step.
    pub disturbed: Vec<Step>,
}

/// A step that can't be carried out because of what other resources are like now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The step, left out of the plan.
    pub step: Step,
    /// What stands in the way.
    pub cause: HeldCause,
    /// Why, in a sentence.
    pub why: String,
    /// The resources in the way, as far as they are known.
    pub by: Vec<ResourceId>,
}

/// What stands in the way of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeldCause {
    /// It should go, and holds what is not in the plan: it stays (a folder with other people's files).
    Stays,
    /// It should come back, and where it was is nothing to put it in (its folder is gone and not in the plan).
    NoPlace,
}

/// Where a driver says what it is about to do, before it does it. What is journaled here can be taken back by an
/// undo of the undo, and tells a resumed undo what a crash left half done.
pub trait Intents {
    /// Record that the resource is about to go from `before` to `after`. Durable (level `process`) when it returns.
    ///
    /// # Errors
    /// It could not be recorded: the change must not be made.
    fn intend(&mut self, resource: &ResourceId, name: &str, before: &State, after: &State) -> io::Result<()>;
}

/// The field that says what kind of thing a resource is.
pub const KIND: &str = "kind";

/// The resource half of a surface.
pub trait Driver {
    /// The surface.
    fn surface(&self) -> Surface;

    /// The effects of a scope in a form in which each resource can be taken alone: where several resources are ways to
    /// one object (hard links), what was written through one of them shows in the states of all. Order and number of
    /// the effects stay.
    fn canonical(&self, effects: Vec<Effect>) -> Vec<Effect> {
        effects
    }

    /// The state of a resource now. `hint` is a state it may still have: a driver need not read a body again whose
    /// stamp is still that of the hint, and returns the hint's digest and locator then. It also returns the hint's
    /// locator where it can tell otherwise that the body is the one kept there (a pin of the very same inode), so that
    /// a body without a digest is known again after it was put back.
    ///
    /// # Errors
    /// [`DriverError::Unreachable`]. A resource that is looked for and not there is `State::Absent`, not an error.
    fn read(&self, resource: &ResourceId, name: &str, hint: Option<&State>) -> Result<State, DriverError>;

    /// Save what is needed to bring `now` back, before it is overwritten: the same state with its bodies kept.
    ///
    /// # Errors
    /// The state can't be saved: it must then not be overwritten.
    fn capture(
        &self,
        resource: &ResourceId,
        name: &str,
        now: &State,
        bodies: &dyn Bodies,
    ) -> Result<State, DriverError>;

    /// Whether the body in `field` of `target` can be brought back: the vault holds it, or the driver knows where else it
    /// is (a file that was only moved).
    fn can_bring(&self, resource: &ResourceId, target: &State, field: &str, bodies: &dyn Bodies) -> bool {
        let _it_is_nowhere_else = resource;
        let body = target.fields().and_then(|fields| fields.content(field));
        body.and_then(|body| body.kept.as_ref())
            .is_some_and(|kept| bodies.holds(kept))
    }

    /// The bytes of the body in `field` as it is now, at most `limit`, for merging and showing.
    ///
    /// # Errors
    /// The body can't be read or is longer than `limit`.
    fn load(
        &self,
        resource: &ResourceId,
        name: &str,
        field: &str,
        limit: u64,
    ) -> Result<Vec<u8>, DriverError>;

    /// Merge a field that both sides changed at a finer grain, if it has one. Bodies of the three values that are
    /// small enough to merge can be read through `bodies`; a merged body is kept there.
    fn merge_field(
        &self,
        field: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        now: Option<&Value>,
        bodies: &dyn Bodies,
    ) -> FieldMerge;

    /// `now` with what the steps of an undo disturb in passing (the time of change of a folder) put back to what it is
    /// in `was`. Comparison with an expected state goes through this.
    fn undisturbed(&self, now: &State, was: &State) -> State {
        let _nothing_is_disturbed = was;
        now.clone()
    }

    /// Merge purely, given the bodies: take `before -> after` back out of `now`. Things of different kinds don't merge.
    fn merge(&self, before: &State, after: &State, now: &State, bodies: &dyn Bodies) -> Merged {
        if !before.exists() && self.undisturbed(now, after).same(after) {
            return Merged {
                state: State::Absent,
                conflicts: Vec::new(),
            };
        }
        let kind = |state: &State| state.fields().and_then(|fields| fields.get(KIND)).cloned();
        let one_kind = kind(before) == kind(after) && kind(after) == kind(now);
        let moved = !now.same(after) && !now.same(before) && !before.same(after);
        if moved && !one_kind {
            return Merged {
                state: now.clone(),
                conflicts: vec![FieldConflict::whole()],
            };
        }
        three_way(before, after, now, |field, a, b, c| {
            self.merge_field(field, a, b, c, bodies)
        })
    }

    /// Put the steps of one plan into an order in which each can be carried out (folders before what is in them, and
    /// after it where they go), whatever order they come in, and leave out what can't be carried out. Changes nothing.
    fn arrange(&self, steps: Vec<Step>) -> Arranged;

    /// Carry out one step, conditional on the expected state, announcing each change before it is made. Safe to be
    /// run again after a crash at any instant.
    ///
    /// # Errors
    /// The step could not be carried out; what was announced and not done is resolved by reading the state.
    fn restore(
        &self,
        permit: &Permit,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, DriverError>;

    /// After all steps of a plan: bring back in `disturbed` what steps disturbed in passing, and nothing else. Can be run
    /// any number of times.
    ///
    /// # Errors
    /// As for [`Driver::restore`].
    fn finish(&self, permit: &Permit, disturbed: &[Step]) -> Result<(), DriverError>;
}

/// The end of a call that can't be looked at from outside: the three ends of DESIGN section 4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// It took effect, with this answer.
    Done(String),
    /// It did not take effect, and this is why.
    Failed(String),
    /// It was sent and no answer came.
    InDoubt,
}

/// The half of a surface that makes calls which can only be compensated, not restored.
pub trait Caller {
    /// The surface.
    fn surface(&self) -> Surface;

    /// Whether `effect` is one of this surface that can only be compensated by a call.
    fn compensates(&self, effect: &Effect) -> bool;

    /// What became of the call that made `effect`, by asking the other side: asked where the effect is in doubt.
    fn happened(&self, effect: &Effect) -> Called;

    /// The state that `effect` is about, as it is now; `None`: it can't be looked at from outside.
    ///
    /// # Errors
    /// Why it can't be read now, in a sentence.
    fn look(&self, effect: &Effect) -> Result<Option<State>, String> {
        let _can_not_be_looked_at = effect;
        Ok(None)
    }

    /// The place of `effect` in the order in which the effects of this surface were completed, where that is known; else
    /// the order in which they began counts.
    fn completed(&self, effect: &Effect) -> Option<u64> {
        let _only_its_beginning_is_known = effect;
        None
    }

    /// What would be called, as a person would type it, where that can be said.
    fn wording(&self, effect: &Effect) -> Option<String> {
        let _no_words = effect;
        None
    }

    /// Why the call can't be made here at all, where it can't.
    fn obstacle(&self, effect: &Effect) -> Option<String> {
        let _none_is_known = effect;
        None
    }

    /// Make the compensating call for `effect` with an idempotency key that stays the same over all attempts. Where the
    /// state can be looked at, the call is made only while it is the `expected` one.
    fn compensate(&self, permit: &Permit, effect: &Effect, key: &str, expected: Option<&State>) -> Called;

    /// What became of the compensating call with this key, by asking the other side: `Done` or `Failed`, or `InDoubt` where it
    /// can't say.
    fn probe(&self, key: &str) -> Called;
}
