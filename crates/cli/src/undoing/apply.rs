//! Applying a plan: in a session of its own, recorded first, proved last.

use super::prepare::Prepared;
use super::progress::Line;
use crate::error::{Code, Done, Failure};
use crate::health::Checks;
use crate::out::{Out, bold, dim, green, red, yellow};
use crate::text::{clean, count};
use rescind_model::{Digest, Level, SessionId, chain};
use rescind_recovery::{ApplyError, Compensation, MERGE_LIMIT, Plan};
use rescind_supervisor::journal::{
    ExitForm, ReachedForm, Record, SessionEnded, SessionKind, SessionOpened, bytes_from_text, text_from_bytes,
};
use rescind_supervisor::{
    Announced, Opening, PathState, Receipt, Remark, SessionLog, StoreError, StoredBodies, SystemError,
    SystemSession, UndoneStates, now, process_mark, salt, session_id,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

/// How many notes go into one frame of the journal.
const ADDITIONS: usize = 256;

/// Why something is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A person said so: whoever drives anything there again is stopped.
    Person,
    /// It failed, and is to be tried again.
    Failure,
}

/// What an undo came to.
pub struct Applied {
    /// Its session.
    pub undo: SessionId,
    /// What was read back.
    pub receipt: Receipt,
    /// The state it led to, and how the health checks went.
    pub reached: ReachedForm,
}

/// Apply a plan, then run the health checks of the session's domain.
///
/// # Errors
/// It could not be recorded and stopped: given again, the command goes on.
pub fn apply(prepared: &Prepared<'_>, plan: &Plan, cause: Cause) -> Done<Applied> {
    prepared.store.vault().make_way().map_err(StoreError::from)?;
    let (id, log, position) = match &prepared.resume {
        Some((id, position)) => (id.clone(), prepared.store.resume(id, Level::Process)?, *position),
        None => {
            let id = session_id();
            let log = prepared.store.begin(&id, opened(prepared, &id), Level::Process)?;
            (id, log, rescind_supervisor::Position::default())
        }
    };
    // Supervised actions on these wait from here on. Where nobody can be told, what they do is found as drift.
    let changes = plan.steps.iter().map(|planned| planned.step.name.as_str());
    let elsewhere: Vec<String> = plan.compensations.iter().map(key).collect();
    let changes = changes.chain(elsewhere.iter().map(String::as_str));
    let _until_it_is_over = Announced::new(prepared.store.home(), &id, changes);
    log.recovering();
    for additions in prepared.additions().chunks(ADDITIONS) {
        log.write(additions)?;
    }
    if cause == Cause::Person {
        // Without it only flapping is noticed later.
        let _noticed_later = remember(prepared, plan, &id);
    }
    let log = Arc::new(log);
    prepared.notes.write_to(Arc::clone(&log));
    let background = prepared.store.ledger().start_background()?;
    let opening = Opening {
        scope: plan.scope.clone(),
        plan: plan.digest(),
        resume: position,
        behind: prepared.behind(),
    };
    let (receipt, reached) =
        in_session(prepared, plan, &log, opening).map_err(|error| not_recorded(&id, prepared, &error))?;
    let not_closed = |error| {
        not_recorded(
            &id,
            prepared,
            &ApplyError::Record(SystemError {
                what: "its end",
                source: error,
            }),
        )
    };
    log.close(&ended(&receipt)).map_err(not_closed)?;
    match background.stop() {
        // What is recorded is recorded; it is signed by whoever finds room next.
        Err(error) if error.is_disk_full() => {}
        stopped => drop(stopped?),
    }
    Ok(Applied {
        undo: id,
        receipt,
        reached,
    })
}

/// Remember the states that are about to be taken back. What takes back an undo wants them again instead.
fn remember(prepared: &Prepared<'_>, plan: &Plan, undo: &SessionId) -> std::io::Result<()> {
    let home = prepared.store.home();
    let views = prepared.views();
    let mut undos = views
        .iter()
        .filter(|view| view.opened.kind == SessionKind::Undo)
        .peekable();
    if undos.peek().is_some() {
        return undos.try_for_each(|view| UndoneStates::void(home, &view.id));
    }
    let changed = plan.steps.iter().map(|planned| &planned.step);
    let changed = changed.filter(|step| !step.expected.same(&step.target));
    let mut states: Vec<(String, Digest)> = changed
        .filter_map(|step| Some((step.name.clone(), state_now(&step.name)?)))
        .collect();
    states.extend(plan.compensations.iter().filter_map(|call| {
        let state = PathState::Read(call.expected.as_ref()?).digest();
        Some((key(call), state))
    }));
    UndoneStates::add(home, undo, &states)
}

/// What is elsewhere goes by its key, which no path can be.
fn key(call: &Compensation) -> String {
    text_from_bytes(&call.effect.resource.key)
}

/// What a path is, for telling whether it is so again; `None`: it is nothing that is compared.
fn state_now(name: &str) -> Option<Digest> {
    let bytes = bytes_from_text(name);
    let path = Path::new(OsStr::from_bytes(&bytes));
    let found = match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Some(PathState::Absent.digest());
        }
        found => found.ok()?,
    };
    if found.is_symlink() {
        let target = std::fs::read_link(path).ok()?;
        return Some(PathState::Link(target.as_os_str().as_bytes()).digest());
    }
    if !found.is_file() || found.len() > MERGE_LIMIT {
        return None;
    }
    Some(PathState::File(&std::fs::read(path).ok()?).digest())
}

fn in_session(
    prepared: &Prepared<'_>,
    plan: &Plan,
    log: &Arc<SessionLog>,
    opening: Opening,
) -> Result<(Receipt, ReachedForm), ApplyError> {
    let met_others = !plan.conflicts.is_empty() || !plan.lost.is_empty() || !plan.held.is_empty();
    let bodies = StoredBodies::new(prepared.store, Some(log)).dispensable(!met_others);
    let recorder: &SessionLog = log;
    let mut session = SystemSession::open(log.id().clone(), recorder, opening)?;
    let mut line = Line::new(prepared.lines);
    let surfaces = prepared.surfaces();
    let receipt = rescind_recovery::apply(plan, &mut session, &surfaces, &bodies, &mut |progress| {
        line.tell(progress)
    });
    line.clear();
    let receipt = receipt?;
    if receipt.proved() {
        let split = &prepared.scoped.split;
        let taken = split
            .effects
            .iter()
            .zip(&split.inside)
            .filter(|(_, inside)| **inside);
        let contents = taken.filter_map(|(effect, _)| effect.before.fields()?.content("content"));
        bodies.let_go_of_pins(contents.filter_map(|content| content.kept.as_ref()));
    }
    let reached = reached(prepared, &receipt);
    if reached != ReachedForm::default() {
        let record = Record::Reached(reached.clone());
        log.write(&[record]).map_err(|source| SystemError {
            what: "the state that was reached",
            source,
        })?;
    }
    session.close()?;
    Ok((receipt, reached))
}

fn reached(prepared: &Prepared<'_>, receipt: &Receipt) -> ReachedForm {
    let views = prepared.views();
    let domains: BTreeSet<&str> = views.iter().map(|view| view.opened.domain.as_str()).collect();
    let target = prepared.scoped.target.as_ref();
    ReachedForm {
        target: target.map(|target| target.form(&prepared.session, receipt.complete())),
        checks: Checks::of_user().run(domains),
    }
}

fn opened(prepared: &Prepared<'_>, id: &SessionId) -> SessionOpened {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = crate::person::person();
    SessionOpened {
        id: id.to_string(),
        salt: salt(),
        kind: SessionKind::Undo,
        time: now().to_string(),
        agent: "rescind".to_owned(),
        argv: prepared.args.argv(&prepared.session),
        cwd: std::env::current_dir().unwrap_or_default().display().to_string(),
        user,
        host,
        supervisor: process_mark(std::process::id()),
        undoes: Some(prepared.session.to_string()),
        scope: Some(prepared.scoped.text.clone()),
        spans: match prepared.views().as_slice() {
            [_] => Vec::new(),
            several => several.iter().map(|view| view.id.to_string()).collect(),
        },
        // An undo of this undo is one in the same domain.
        domain: shared(prepared, |opened| &opened.domain),
        environment: shared(prepared, |opened| &opened.environment),
        staged: false,
        promotes: None,
    }
}

/// What all sessions that are taken back have in common.
fn shared(prepared: &Prepared<'_>, of: impl Fn(&SessionOpened) -> &String) -> String {
    let views = prepared.views();
    let all: BTreeSet<&String> = views.iter().map(|view| of(&view.opened)).collect();
    match all.first() {
        Some(one) if all.len() == 1 => (*one).clone(),
        _ => String::new(),
    }
}

fn ended(receipt: &Receipt) -> SessionEnded {
    let missing = receipt
        .lost
        .iter()
        .map(|lost| (lost.name.clone(), lost.why.clone()));
    SessionEnded {
        time: now().to_string(),
        exit: ExitForm::Code(if receipt.complete() { 0 } else { 5 }),
        how: "ended".to_owned(),
        effects: receipt.restored,
        missing: missing.collect(),
    }
}

fn not_recorded(undo: &SessionId, prepared: &Prepared<'_>, error: &ApplyError) -> Failure {
    if let ApplyError::Undecided { count } = error {
        return super::decide::undecided(*count);
    }
    Failure::new(Code::UndoNotRecorded, chain(error))
        .means(format!(
            "undo {undo} stopped half-way; what it did is recorded, and nothing was lost"
        ))
        .help(format!(
            "make room or mend what is named above, then `rescind undo {}` goes on",
            prepared.session
        ))
}

/// Print what an undo came to.
///
/// # Errors
/// stdout can't be written.
pub fn print_receipt(out: &mut Out, undo: &SessionId, receipt: &Receipt) -> Done<()> {
    let verdict = if receipt.complete() {
        green("undone")
    } else {
        yellow("undone in part")
    };
    out.line(format!(
        "{}: {} restored, {} already so, {} read back and compared",
        bold(&verdict),
        count(receipt.restored, "path", "paths"),
        receipt.already,
        receipt.read_back,
    ))?;
    let differs: Vec<Remark> = receipt
        .differs
        .iter()
        .map(|own| {
            let why = match &own.now {
                Ok(_) => "it is not as it should be; somebody writes to it".to_owned(),
                Err(why) => why.clone(),
            };
            Remark {
                name: own.name.clone(),
                why,
            }
        })
        .collect();
    let groups = [
        ("kept, because they hold what others made", &receipt.kept),
        ("conflicts", &receipt.conflicts),
        ("can't come back", &receipt.lost),
        ("failed", &receipt.failed),
        ("in doubt", &receipt.in_doubt),
        ("differ from the plan when read back", &differs),
    ];
    for (head, remarks) in groups {
        if remarks.is_empty() {
            continue;
        }
        out.line(red(&format!("{head}: {}", remarks.len())))?;
        for remark in remarks {
            out.line(format!("  {}: {}", clean(&remark.name), clean(&remark.why)))?;
        }
    }
    out.line(dim(&format!("to take this back: rescind undo {undo}")))
}
