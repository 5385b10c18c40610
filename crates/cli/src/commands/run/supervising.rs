//! The supervisor's side of `rescind run`: the store, who judges, and what the gateway has to know.

use super::agent_token::AgentToken;
use super::summary::last_lines;
use super::{Durability, FAILED, OnEscape, OnUncaptured, RunArgs};
use crate::commands::bounds::Bounds;
use crate::commands::{known, prune};
use crate::credentials::{self, NotIssued, WithCredentials};
use crate::error::{Code, Failure};
use crate::person::person;
use crate::staging;
use crate::triggers::WithTriggers;
use crate::undoing::LiveUndo;
use rescind_desk::{Acting, Configuration, ConfigurationError, LearnedRules, SessionDesk, Tally};
use rescind_files::gateway::{self, Obeying, Options, Seat, Uncaptured};
use rescind_files::stage::Entered;
use rescind_model::{Level, SessionId, chain};
use rescind_policy::Environment;
use rescind_shell::{CommandLooks, Trusted};
use rescind_supervisor::control::{Gate, Member};
use rescind_supervisor::holds::Holds;
use rescind_supervisor::journal::{ExitForm, Record, SessionEnded, SessionKind, SessionOpened};
use rescind_supervisor::{Desk, Home, Looks, Store, StoreError, Undo, UndoneStates, now, process_mark, salt};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Supervise the agent until it and all it started has ended. Returns the exit code where supervision never began.
pub fn supervise(
    args: &RunArgs,
    bounds: &Bounds,
    home: &Home,
    id: &SessionId,
    seat: &Seat,
    staged: Option<&Entered>,
) -> i32 {
    let member = member_of(args, id);
    let joined =
        Gate::join(home, member, seat.guardian_process).and_then(|gate| gateway::obey(seat, Arc::new(gate)));
    let obeying = match joined {
        Ok(obeying) => obeying,
        Err(error) => {
            staged.map(staging::drop_empty);
            eprintln!(
                "error[control-unusable]: it could not be stopped ({error}); the agent was not started, nothing was changed"
            );
            return FAILED;
        }
    };
    let ended = supervise_in_store(args, bounds, home, id, seat, staged, &obeying);
    let gate = obeying.gate();
    gate.leave();
    match ended {
        Ok(()) => 0,
        Err(_) if gate.is_killed() => {
            staged.map(staging::drop_empty);
            stopped(&gate.reason().0).report(false);
            FAILED
        }
        Err(error) if error.is::<NotIssued>() => {
            if let Ok(error) = error.downcast::<NotIssued>() {
                error.0.report(false);
            }
            FAILED
        }
        Err(error) => {
            staged.map(staging::drop_empty);
            eprintln!(
                "error[store-unreachable]: {}; the agent was not started, nothing was changed",
                chain(&*error)
            );
            FAILED
        }
    }
}

fn supervise_in_store(
    args: &RunArgs,
    bounds: &Bounds,
    home: &Home,
    id: &SessionId,
    seat: &Seat,
    staged: Option<&Entered>,
    obeying: &Obeying,
) -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(Store::open(home.clone())?);
    let own = own_paths(&store, staged)?;
    let level = match args.durability {
        Durability::Process => Level::Process,
        Durability::Power => Level::Power,
    };
    let opened = opened(args, &store, id);
    let tally = Tally::at(home.limits(), level);
    let desk = desk(args, bounds, &opened, &store, id, tally)?;
    let triggers = Configuration::of_user().triggers()?;
    let log = Arc::new(store.begin(id, opened.clone(), level)?);
    if let Some(client) = &args.client {
        log.write(&[Record::Client(client.clone())])?;
    }
    if let Some(form) = &bounds.form {
        log.write(&[Record::May(form.clone())])?;
    }
    let purse = match credentials::issue(&store, &log, &args.bounds.credential, bounds.lasts) {
        Ok(purse) => purse,
        Err(failure) => {
            log.close(&not_started())?;
            return Err(Box::new(NotIssued(failure)));
        }
    };
    let rules = Arc::new(purse.rules(&store.rules()).map_err(NotIssued)?);
    let desk = if args.bounds.credential.is_empty() {
        desk
    } else {
        Box::new(WithCredentials::new(desk, Arc::clone(&store), Arc::clone(&log)))
    };
    let desk = if triggers.is_empty() {
        desk
    } else {
        let member = obeying.gate().member().clone();
        Box::new(WithTriggers::new(desk, triggers, member, Arc::clone(&store)))
    };
    let one_action = args.client.is_some();
    let scopes = &bounds.confinement.scopes;
    let token = (!one_action)
        .then(|| AgentToken::issue(&store, id, &opened, scopes))
        .flatten();
    let mut environment = purse.environment;
    environment.extend(token.iter().flat_map(|token| token.environment.clone()));
    let background = store.ledger().start_background()?;
    let syncing = sync_soon(&log);
    let options = Options {
        own,
        environment,
        ..options(args, bounds, &store, &opened, staged)?
    };
    let (quiet, terse) = (args.quiet, args.client.is_some());
    let ledger = store.ledger().clone();
    let session = id.clone();
    let gate = obeying.gate();
    gateway::run(
        seat,
        Arc::clone(&log),
        rules,
        options,
        Some(desk),
        obeying,
        |finished| {
            let _signed_by_the_service_else = ledger.checkpoint();
            if gate.is_killed() {
                eprintln!("rescind: {}", gate.reason().0);
            }
            let nothing = finished.changed == 0 && finished.missing.is_empty() && finished.refused.is_empty();
            let silent = quiet || terse && nothing;
            if !silent {
                eprint!("{}", last_lines(&session, finished, staged.is_some()));
            }
            if nothing && finished.background == 0 {
                staged.map(staging::drop_empty);
            }
        },
    )?;
    drop(syncing);
    if let Some(token) = token {
        token.end();
    }
    match background.stop() {
        // What is recorded is recorded; it is signed by whoever finds room next.
        Err(error) if error.is_disk_full() => {}
        stopped => drop(stopped?),
    }
    if let Ok(Some(said)) = prune::enforce_cap(&store) {
        eprintln!("rescind: {said}");
    }
    Ok(())
}

/// What the gateway has to know, but for rescind's own places and what a credential brings with it.
fn options(
    args: &RunArgs,
    bounds: &Bounds,
    store: &Arc<Store>,
    opened: &SessionOpened,
    staged: Option<&Entered>,
) -> Result<Options, Box<dyn std::error::Error>> {
    let home = store.home();
    let minutes = |minutes: u64| std::time::Duration::from_secs(minutes.saturating_mul(60));
    // What is on a stage is not undone but left there.
    let undo = match staged {
        None => Some(Arc::new(LiveUndo::new(Arc::clone(store))) as Arc<dyn Undo>),
        Some(_) => None,
    };
    Ok(Options {
        agent: args.agent.clone(),
        one_action: args.client.is_some(),
        largest: args.capture_limit << 20,
        uncaptured: match args.uncaptured {
            OnUncaptured::Refuse => Uncaptured::Refuse,
            OnUncaptured::Allow => Uncaptured::Allow,
        },
        refuse_escapes: args.escapes == OnEscape::Refuse,
        record_output: !args.no_output,
        own: Vec::new(),
        holds: Holds::at(home.holds()).of_session(&opened.domain, &opened.environment),
        hold_for: args.hold_for.map(minutes),
        tiers: Configuration::of_user().tiers()?,
        agent_name: opened.agent.clone(),
        requester: opened.user.clone(),
        fail_fast: args.fail_fast,
        undo,
        home: home.clone(),
        undone: UndoneStates::read(home)?,
        looks: Some(looks(&opened.cwd)),
        confinement: bounds.confinement.clone(),
        environment: Vec::new(),
        staged: staged.map(|staged| staged.devices.clone()),
    })
}

/// Who reads what commands are about to change elsewhere: with programs from where whoever starts this looks for them, but
/// not from where the agent works.
fn looks(cwd: &str) -> Arc<dyn Looks> {
    let path = std::env::var("PATH").unwrap_or_default();
    let trusted = Trusted::new(&path, Some(std::path::Path::new(cwd)));
    Arc::new(CommandLooks::new(trusted))
}

/// What the guardian runs where the supervisor dies: credentials are to be revoked at once.
pub fn afterwards(args: &RunArgs) -> Vec<OsString> {
    let own = std::env::current_exe()
        .ok()
        .filter(|_| !args.bounds.credential.is_empty());
    let words = own.map(|own| vec![own.into_os_string(), "revoke".into(), "--left".into()]);
    words.unwrap_or_default()
}

/// The end of a session whose agent never ran.
fn not_started() -> SessionEnded {
    SessionEnded {
        time: now().to_string(),
        exit: ExitForm::NotStarted,
        how: "ended".to_owned(),
        effects: 0,
        missing: Vec::new(),
    }
}

/// Who judges: the catalog and the policies in force. Without them nothing is started.
fn desk(
    args: &RunArgs,
    bounds: &Bounds,
    opened: &SessionOpened,
    store: &Store,
    id: &SessionId,
    tally: Tally,
) -> Result<Box<dyn Desk>, ConfigurationError> {
    let home = store.home();
    let (index, kinds) = known::of(store, &opened.agent);
    let named = args.client.as_ref().filter(|client| !client.session.is_empty());
    let client = named.map(|client| format!("{}:{}", client.client, client.session));
    let acting = Acting {
        session: id.clone(),
        agent: opened.agent.clone(),
        owner: opened.user.clone(),
        domain: args.domain.clone(),
        environment: args.environment,
        path: std::env::var("PATH").unwrap_or_default(),
        cwd: opened.cwd.clone(),
    };
    let mut desk = SessionDesk::new(&Configuration::of_user(), acting, tally)?
        .with_learned(LearnedRules::at(home.learned()), client)
        .with_known(index, kinds)
        .within(bounds.confinement.scopes.clone());
    if args.fail_fast {
        desk = desk.fail_fast();
    }
    Ok(Box::new(if args.record_only {
        desk.record_only()
    } else {
        desk
    }))
}

/// Bring the journal to the disk within 50 ms of each write: level `process` with a power cut's loss bounded.
fn sync_soon(log: &Arc<rescind_supervisor::SessionLog>) -> std::sync::mpsc::Sender<()> {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let log = Arc::clone(log);
    let _without_it_only_a_power_cut_loses_more =
        std::thread::Builder::new()
            .name("sync".to_owned())
            .spawn(move || {
                let wait = std::time::Duration::from_millis(40);
                while stopped.recv_timeout(wait) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    if log.sync().is_err() {
                        return;
                    }
                }
            });
    stop
}

/// Who a session of these arguments is for.
pub fn member_of(args: &RunArgs, id: &SessionId) -> Member {
    let named = args.client.as_ref().map(|client| client.client.clone());
    let first = args.command.first();
    let agent = named
        .filter(|name| !name.is_empty())
        .or_else(|| args.agent.clone())
        .or_else(|| first.map(|first| base(&first.to_string_lossy()).to_owned()));
    Member {
        session: id.to_string(),
        agent: agent.unwrap_or_default(),
        domain: args.domain.clone(),
    }
}

/// What stops it from being started, for a person.
pub fn stopped(why: &str) -> Failure {
    Failure::new(Code::Stopped, format!("nothing may start here: {why}"))
        .means("nothing was started")
        .help("`rescind status` shows what is stopped; `rescind resume` with the same scope and --why lets it start again")
}

fn opened(args: &RunArgs, store: &Store, id: &SessionId) -> SessionOpened {
    let argv: Vec<String> = args
        .command
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    SessionOpened {
        id: id.to_string(),
        salt: salt(),
        kind: SessionKind::Run,
        time: now().to_string(),
        agent: member_of(args, id).agent,
        argv: store.rules().redact_argv(&argv),
        cwd: std::env::current_dir().unwrap_or_default().display().to_string(),
        user: person(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        supervisor: process_mark(std::process::id()),
        undoes: None,
        scope: None,
        spans: Vec::new(),
        staged: args.stage,
        promotes: args.promotes.as_ref().map(|promotes| promotes.staged.to_string()),
        domain: args.domain.clone(),
        environment: match args.environment {
            Environment::Unknown => String::new(),
            known => known.name().to_owned(),
        },
    }
}

/// The configuration's folder, made where it is not there yet.
pub fn configuration_folder() -> Option<PathBuf> {
    let configuration = Configuration::of_user();
    let root = configuration.root()?;
    // Where it can't be made by us, the agent can't make it either.
    let _not_ours = rescind_supervisor::own::folder(root);
    Some(root.to_path_buf())
}

/// What no supervised process may change: the state directory, the configuration, by which the next session is judged
/// and given credentials (made here where it is not there yet: what is not there can't be watched), and the folders for pins on other file systems, which
/// are made here for the file systems an agent is likely to work on. On a stage nothing is lost, so nothing is pinned.
fn own_paths(store: &Store, staged: Option<&Entered>) -> Result<Vec<PathBuf>, StoreError> {
    let mut own = vec![store.home().root().to_path_buf()];
    own.extend(configuration_folder());
    if let Some(staged) = staged {
        own.extend(staging::pin_folders(staged));
        return Ok(own);
    }
    let mut devices = vec![store.home().root().metadata().map_or(0, |found| found.dev())];
    let places = [
        std::env::current_dir().ok(),
        std::env::var_os("HOME").map(PathBuf::from),
        Some(std::env::temp_dir()),
        Some(PathBuf::from("/dev/shm")),
    ];
    for place in places.into_iter().flatten() {
        let Ok(device) = place.metadata().map(|found| found.dev()) else {
            continue;
        };
        if devices.contains(&device) {
            continue;
        }
        devices.push(device);
        let Some(root) = Home::pin_root(&place) else {
            continue;
        };
        store.vault().add_pin_root(&root)?;
        own.push(root);
    }
    Ok(own)
}

fn base(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}
