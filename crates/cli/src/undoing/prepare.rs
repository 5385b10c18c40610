//! Everything a plan needs, put together: the scope's effects, what earlier undos did, a driver that knows the objects.

use super::notes::{self, JournalNotes};
use super::scope::{Decide, ScopeArgs, Scoped};
use super::stop::wait_for_books;
use super::{later, objects};
use crate::cli::{Cli, Command};
use crate::context;
use crate::error::{Code, Done, Failure};
use crate::history::{History, effects};
use crate::out::say;
use clap::Parser as _;
use rescind_files::FilesDriver;
use rescind_model::SessionId;
use rescind_recovery::{Earlier, OnConflict, Plan, Request, Surfaces, plan};
use rescind_supervisor::journal::SessionKind;
use rescind_supervisor::{Life, Position, SessionView, Store, StoredBodies, opened};

/// An undo that is ready to be planned.
pub struct Prepared<'s> {
    /// The store.
    pub store: &'s Store,
    /// The session that is taken back, and its kin.
    pub history: History,
    /// Which it is.
    pub session: SessionId,
    /// What of it, as given, or as the interrupted undo had it.
    pub args: ScopeArgs,
    /// The undo to go on with.
    pub resume: Option<(SessionId, Position)>,
    /// What the driver notes down.
    pub notes: JournalNotes,
    pub(super) scoped: Scoped,
    earlier: Earlier,
    pub(super) driver: FilesDriver,
}

impl<'s> Prepared<'s> {
    /// Put together what a plan for `args` needs. With `go_on` an interrupted undo of the session is gone on with, in
    /// its own scope.
    ///
    /// # Errors
    /// The session, or what is asked of it, is not found or can't be read.
    pub fn new(store: &'s Store, args: &ScopeArgs, go_on: bool) -> Done<Self> {
        let session = meant(store, args)?;
        wait_for_books(store, &session)?;
        let history = History::load(store, &session)?;
        let mut args = args.clone();
        let mut earlier = history.earlier(&session);
        // What an undo that nobody goes on with disturbed is settled by the next one all the same.
        let mut resume = earlier.unfinished.take();
        resume = resume.filter(|(id, _)| {
            let own = history.unfinished(&session).is_some_and(|undo| undo.id == *id);
            own && go_on
        });
        if let Some((id, _)) = &resume {
            args = recorded(history.session(id)?).unwrap_or(args);
            say(format!("rescind: going on with undo {id}, which was interrupted"));
        }
        let view = history.session(&session)?;
        if view.opened.kind == SessionKind::Undo && view.life() == Life::Running {
            let message = format!("undo {session} is still running");
            return Err(Failure::new(Code::SessionBusy, message).help("wait until it is done"));
        }
        let scoped = scoped(store, view, &args)?;
        let notes = JournalNotes::default();
        let driver = driver(&history, &notes);
        Ok(Self {
            store,
            session,
            args,
            resume,
            notes,
            scoped,
            earlier,
            driver,
            history,
        })
    }

    /// With what was decided: the scope is divided anew, for a driver that knows nothing of an earlier plan.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn decided(&mut self, on_conflict: Decide, leave: Vec<String>) -> Done<()> {
        self.args.on_conflict = on_conflict;
        self.args.leave.extend(leave);
        self.scoped = scoped(self.store, self.history.session(&self.session)?, &self.args)?;
        self.driver = driver(&self.history, &self.notes);
        Ok(())
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self, on_conflict: OnConflict) -> Plan {
        let request = Request {
            scope: &self.scoped.text,
            split: &self.scoped.split,
            earlier: &self.earlier,
            on_conflict,
        };
        plan(&request, &self.surfaces(), &StoredBodies::new(self.store, None))
    }

    /// The session that is taken back.
    ///
    /// # Errors
    /// Never: it was found before.
    pub fn view(&self) -> Done<&SessionView> {
        self.history.session(&self.session)
    }

    /// The surfaces this build can restore.
    #[must_use]
    pub fn surfaces(&self) -> Surfaces<'_> {
        Surfaces {
            drivers: vec![&self.driver],
            callers: Vec::new(),
        }
    }
}

/// The effects that are known, divided: the session's own, and those of others on the same paths.
fn scoped(store: &Store, view: &SessionView, args: &ScopeArgs) -> Done<Scoped> {
    let mut scoped = args.split(store, view, effects(view))?;
    let others = later::of_others(store, view, &scoped.split)?;
    let known = scoped.split.inside.len() + others.len();
    scoped.split.inside.resize(known, false);
    scoped.split.effects.extend(others);
    Ok(scoped)
}

/// A driver that knows where everything of the run is, after all undos so far.
fn driver(history: &History, notes: &JournalNotes) -> FilesDriver {
    let broken = |view: &SessionView| view.life() == Life::Broken;
    let earlier = history.sessions.iter().flat_map(|view| {
        let kept = view
            .notes
            .iter()
            .filter(move |note| broken(view) || !note.is_passing());
        kept.filter_map(notes::note)
    });
    let driver = FilesDriver::new(
        history.root().map(objects::table),
        earlier,
        Box::new(notes.clone()),
    );
    let interrupted = history
        .sessions
        .iter()
        .any(|view| view.opened.kind == SessionKind::Undo && broken(view));
    if interrupted { driver.resumed() } else { driver }
}

/// The session named, or the last run: also when it is undone already, so that an undo given twice does nothing the
/// second time, and never takes back a session that nobody named.
fn meant(store: &Store, args: &ScopeArgs) -> Done<SessionId> {
    if let Some(asked) = &args.session {
        return context::session(store, Some(asked));
    }
    let is_run = |id: &&SessionId| opened(store, id).is_ok_and(|begun| begun.kind == SessionKind::Run);
    match store.sessions()?.iter().rev().find(is_run) {
        Some(id) => Ok(id.clone()),
        None => context::session(store, None),
    }
}

/// The scope that an undo was given, from its record.
fn recorded(undo: &SessionView) -> Option<ScopeArgs> {
    match Cli::try_parse_from(&undo.opened.argv).ok()?.command {
        Command::Undo(args) => Some(args.scope),
        _ => None,
    }
}
