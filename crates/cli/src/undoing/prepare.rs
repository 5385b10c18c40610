//! Everything a plan needs, put together: the scope's effects, what earlier undos did, a driver that knows the objects.

use super::across::{Across, interrupted};
use super::notes::{self, JournalNotes};
use super::scope::{Decide, ScopeArgs, Scoped};
use super::stop::wait_for_books;
use super::window::Window;
use super::{later, objects, remedies};
use crate::cli::{Cli, Command};
use crate::context;
use crate::error::{Code, Done, Failure};
use crate::history::{History, effects};
use crate::out::say;
use clap::Parser as _;
use rescind_files::{FilesDriver, ObjectTable};
use rescind_model::{EffectId, SessionId};
use rescind_recovery::{Earlier, OnConflict, Plan, Request, Surfaces, plan};
use rescind_shell::ShellCaller;
use rescind_supervisor::journal::{Record, SessionKind};
use rescind_supervisor::{Life, Position, SessionView, Store, StoredBodies, opened};
use std::collections::BTreeSet;

/// An undo that is ready to be planned.
pub struct Prepared<'s> {
    /// The store.
    pub store: &'s Store,
    subject: Subject,
    /// The session that is taken back; of several the oldest, in whose numbers the plan counts.
    pub session: SessionId,
    /// What of it, as given, or as the interrupted undo had it.
    pub args: ScopeArgs,
    /// The undo to go on with.
    pub resume: Option<(SessionId, Position)>,
    /// Whether progress is told as JSON lines: to another program.
    pub lines: bool,
    /// Whether what it has to be told of objects is on record.
    noted: bool,
    /// What the driver notes down.
    pub notes: JournalNotes,
    pub(super) scoped: Scoped,
    earlier: Earlier,
    pub(super) driver: FilesDriver,
    commands: ShellCaller,
}

/// What an undo is about.
enum Subject {
    /// One session, and its kin.
    One(History),
    /// All sessions that fit.
    Several(Box<Across>),
}

impl<'s> Prepared<'s> {
    /// Put together what a plan for `args` needs. With `go_on` an interrupted undo of the session is gone on with, in
    /// its own scope.
    ///
    /// # Errors
    /// The session, or what is asked of it, is not found or can't be read.
    pub fn new(store: &'s Store, args: &ScopeArgs, go_on: bool) -> Done<Self> {
        if let Some(window) = Window::of(args)? {
            return Self::of_several(store, args, window, go_on);
        }
        let session = meant(store, args)?;
        wait_for_books(store, &session)?;
        let history = History::load(store, &session)?;
        if history.session(&session)?.opened.staged {
            return Err(crate::staging::not_real(store, &session));
        }
        let mut args = args.clone();
        if let Some(undo) = history.unfinished(&session).filter(|_| go_on)
            && let Some(recorded) = recorded(undo)
            && let Some(window) = Window::of(&recorded)?
        {
            return Self::resumed(store, recorded, window, &undo.id);
        }
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
        let commands = remedies::caller(store, [view]);
        let notes = JournalNotes::default();
        let driver = driver(&history, history.root().map(objects::table), &notes);
        Ok(Self {
            lines: false,
            store,
            session,
            args,
            noted: resume.is_some(),
            resume,
            notes,
            scoped,
            earlier,
            driver,
            commands,
            subject: Subject::One(history),
        })
    }

    /// For every session that fits.
    fn of_several(store: &'s Store, args: &ScopeArgs, window: Window, go_on: bool) -> Done<Self> {
        let mut args = args.clone();
        window.write_to(&mut args);
        let across = Across::new(store, window, None)?;
        if let Some(undo) = across.unfinished() {
            let recorded = recorded(undo).filter(|_| go_on);
            let Some(args) = recorded else {
                return Err(interrupted(undo));
            };
            let Some(window) = Window::of(&args)? else {
                return Err(interrupted(undo));
            };
            return Self::resumed(store, args, window, &undo.id);
        }
        Self::put_together(store, args, across, None)
    }

    /// Go on with an undo that spans sessions, in its own scope.
    fn resumed(store: &'s Store, args: ScopeArgs, window: Window, undo: &SessionId) -> Done<Self> {
        say(format!(
            "rescind: going on with undo {undo}, which was interrupted"
        ));
        let across = Across::new(store, window, Some(undo))?;
        Self::put_together(store, args, across, Some(undo))
    }

    fn put_together(
        store: &'s Store,
        args: ScopeArgs,
        across: Across,
        undo: Option<&SessionId>,
    ) -> Done<Self> {
        let session = across.runs().next().map(|run| run.id.clone());
        let session =
            session.ok_or_else(|| Failure::new(Code::NoSuchSession, "there are no sessions to take back"))?;
        let mut earlier = across.earlier()?;
        let known = earlier.unfinished.take().filter(|(id, _)| Some(id) == undo);
        // One that was killed before it recorded anything is gone on with from its start.
        let noted = known.is_some();
        let resume = known.or_else(|| Some((undo?.clone(), Position::default())));
        let scoped = across.scoped(store, &args)?;
        let notes = JournalNotes::default();
        let commands = remedies::caller(store, across.runs());
        let subject = Subject::Several(Box::new(across));
        Ok(Self {
            lines: false,
            commands,
            driver: subject.driver(&notes),
            store,
            subject,
            session,
            args,
            noted,
            resume,
            notes,
            scoped,
            earlier,
        })
    }

    /// With what was decided: the scope is divided anew, for a driver that knows nothing of an earlier plan.
    ///
    /// # Errors
    /// As [`Prepared::new`].
    pub fn decided(&mut self, on_conflict: Decide, leave: Vec<String>) -> Done<()> {
        self.args.on_conflict = on_conflict;
        self.args.leave.extend(leave);
        self.scoped = match &self.subject {
            Subject::One(history) => scoped(self.store, history.session(&self.session)?, &self.args)?,
            Subject::Several(across) => across.scoped(self.store, &self.args)?,
        };
        self.driver = self.subject.driver(&self.notes);
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

    /// The sessions that are taken back, or parts of them, oldest first.
    #[must_use]
    pub fn views(&self) -> Vec<&SessionView> {
        match &self.subject {
            Subject::One(history) => history.session(&self.session).into_iter().collect(),
            Subject::Several(across) => across.runs().collect(),
        }
    }

    /// Those of them that are still running.
    #[must_use]
    pub fn running(&self) -> Vec<SessionId> {
        let views = self.views().into_iter();
        let running = views.filter(|view| view.life() == Life::Running);
        running.map(|view| view.id.clone()).collect()
    }

    /// Of each session that goes on, the last effect that is known.
    pub(super) fn behind(&self) -> Vec<EffectId> {
        let views = self.views().into_iter();
        let running = views.filter(|view| view.life() == Life::Running);
        running
            .filter_map(|view| Some(view.effects.last()?.id()))
            .collect()
    }

    /// What several sessions have to be told of their objects before anything is changed.
    pub(super) fn additions(&self) -> Vec<Record> {
        match &self.subject {
            Subject::Several(across) if !self.noted => {
                let notes = across.joined.additions();
                notes.map(|note| Record::Note(notes::form(&note))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The surfaces this build can restore.
    #[must_use]
    pub fn surfaces(&self) -> Surfaces<'_> {
        Surfaces {
            drivers: vec![&self.driver],
            callers: vec![&self.commands],
        }
    }
}

/// The effects that are known, divided: the session's own, and those of others on the same paths.
fn scoped(store: &Store, view: &SessionView, args: &ScopeArgs) -> Done<Scoped> {
    let mut scoped = args.split(store, view, effects(view))?;
    let others = later::of_others(store, &view.id, &BTreeSet::new(), &scoped.split)?;
    let known = scoped.split.inside.len() + others.len();
    scoped.split.inside.resize(known, false);
    scoped.split.effects.extend(others);
    Ok(scoped)
}

impl Subject {
    fn driver(&self, notes: &JournalNotes) -> FilesDriver {
        match self {
            Self::One(history) => driver(history, history.root().map(objects::table), notes),
            // The first one's history has the undo that is gone on with, in the numbers of the table.
            Self::Several(across) => match across.histories.first() {
                Some(first) => driver(first, Some(across.joined.table.clone()), notes),
                None => FilesDriver::new(None, None, Box::new(notes.clone())),
            },
        }
    }
}

/// A driver that knows where everything of the run is, after all undos so far.
fn driver(history: &History, table: Option<ObjectTable>, notes: &JournalNotes) -> FilesDriver {
    let broken = |view: &SessionView| view.life() == Life::Broken;
    let earlier = history.sessions.iter().flat_map(|view| {
        let kept = view
            .notes
            .iter()
            .filter(move |note| broken(view) || !note.is_passing());
        kept.filter_map(notes::note)
    });
    let driver = FilesDriver::new(table, earlier, Box::new(notes.clone()));
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
