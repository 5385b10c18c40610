//! `rescind run`: put an agent under supervision.

use super::bounds::{self, Bounds, BoundsArgs};
use crate::credentials::{self, NotIssued, WithCredentials};
use crate::error::Failure;
use crate::person::person;
use crate::staging;
use crate::undoing::LiveUndo;
use clap::{Args, ValueEnum};
use rescind_desk::{Acting, Configuration, ConfigurationError, LearnedRules, SessionDesk, Tally};
use rescind_files::gateway::{self, Finished, Launch, Options, REASON_VARIABLE, Seat, Uncaptured};
use rescind_files::stage::Entered;
use rescind_model::{Level, SessionId};
use rescind_policy::Environment;
use rescind_shell::{CommandLooks, Trusted};
use rescind_supervisor::holds::Holds;
use rescind_supervisor::journal::{ClientForm, ExitForm, Record, SessionEnded, SessionKind, SessionOpened};
use rescind_supervisor::{
    Desk, Home, Looks, Store, StoreError, UndoneStates, now, process_mark, salt, session_id,
};
use rescind_sys::ExitStatus;
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `rescind run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Which program is the agent, by name, where the first one that is no launcher is not it
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What a recorded step survives: the death of any process, or also a power cut (slower)
    #[arg(long, value_enum, default_value_t = Durability::Process)]
    pub durability: Durability,
    /// Changes that can't be captured (a device, a foreign file system, a file over the limit): refuse them, or let
    /// them pass and say so
    #[arg(long, value_enum, default_value_t = OnUncaptured::Refuse)]
    pub uncaptured: OnUncaptured,
    /// The largest file that is captured by copying, in MiB
    #[arg(long, value_name = "MIB", default_value_t = CAPTURE_LIMIT)]
    pub capture_limit: u64,
    /// Connections to daemons that could act for the agent outside (docker, tmux, D-Bus, ...): record or refuse them
    #[arg(long, value_enum, default_value_t = OnEscape::Record)]
    pub escapes: OnEscape,
    /// Work on a stage: the agent sees the real tree, and nothing it changes is real until `rescind promote`
    #[arg(long)]
    pub stage: bool,
    /// Halt the session for review when an action fails: by its exit code, or by a signal
    #[arg(long)]
    pub fail_fast: bool,
    /// Judge and record what would be held or denied, and let it run all the same
    #[arg(long)]
    pub record_only: bool,
    /// The domain the agent works in, such as `payments/prod`, for policies, limits and freezes
    #[arg(long, value_name = "DOMAIN", default_value = "")]
    pub domain: String,
    /// What kind of environment that is: development, test, staging, production or unknown
    #[arg(long, value_name = "KIND", default_value = "unknown")]
    pub environment: Environment,
    /// How long an action that waits for a person waits before it is denied, in minutes; without it 30, or as long as
    /// the tiers of approvals.toml are asked
    #[arg(long, value_name = "MINUTES")]
    pub hold_for: Option<u64>,
    /// Don't record what actions write
    #[arg(long)]
    pub no_output: bool,
    /// Start although this kernel lacks something that is not vital; see `rescind status` for the names
    #[arg(long, value_name = "NAME")]
    pub without: Vec<String>,
    /// Why this is done, for the record; the variable `RESCIND_REASON` says the same
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Say nothing at the end
    #[arg(long, short)]
    pub quiet: bool,
    /// What it may do.
    #[command(flatten)]
    pub bounds: BoundsArgs,
    /// What narrows that, from a file of the person's.
    #[arg(skip)]
    pub narrower: Vec<BoundsArgs>,
    /// On whose behalf, where a program's hook told.
    #[arg(skip)]
    pub client: Option<ClientForm>,
    /// The staged session that is promoted by this one, which has this id.
    #[arg(skip)]
    pub promotes: Option<Promotes>,
    /// The agent's command
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "CMD"
    )]
    pub command: Vec<OsString>,
}

impl RunArgs {
    /// This command, and what the command line gives where nothing is said.
    pub fn of(command: Vec<OsString>) -> Self {
        Self {
            agent: None,
            durability: Durability::Process,
            uncaptured: OnUncaptured::Refuse,
            capture_limit: CAPTURE_LIMIT,
            escapes: OnEscape::Record,
            stage: false,
            fail_fast: false,
            record_only: false,
            domain: String::new(),
            environment: Environment::Unknown,
            hold_for: None,
            no_output: false,
            without: Vec::new(),
            reason: None,
            quiet: false,
            bounds: BoundsArgs::default(),
            narrower: Vec::new(),
            promotes: None,
            client: None,
            command,
        }
    }

    /// All that says what it may do.
    fn layers(&self) -> Vec<BoundsArgs> {
        let own = std::iter::once(&self.bounds);
        own.chain(&self.narrower).cloned().collect()
    }
}

/// What a session that promotes another one has to know.
#[derive(Debug, Clone)]
pub struct Promotes {
    /// The session that is staged.
    pub staged: SessionId,
    /// The one that promotes it.
    pub id: SessionId,
}

/// `--durability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// The death of any process.
    Process,
    /// A power cut.
    Power,
}

/// `--uncaptured`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnUncaptured {
    /// They fail.
    Refuse,
    /// They pass, and are reported.
    Allow,
}

/// `--escapes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnEscape {
    /// They pass, and are reported.
    Record,
    /// They fail, and are reported.
    Refuse,
}

/// The variable that tells programs of a session which one it is.
pub const SESSION_VARIABLE: &str = "RESCIND_SESSION";
const FAILED: i32 = 125;
/// The largest file that is captured by copying, in MiB, where nothing is said.
const CAPTURE_LIMIT: u64 = 4096;

/// Run an agent. Never returns to the caller's thread in the supervisor process; returns the exit code in the front.
#[must_use]
pub fn run(args: &RunArgs) -> i32 {
    if inside_supervised_tree() {
        return join_outer(args);
    }
    let bounds = match Bounds::of(&args.layers(), &args.without) {
        Ok(bounds) => bounds,
        Err(failure) => return refused(&failure),
    };
    let lacks = rescind_sys::probe();
    if let Some(lack) = lacks
        .iter()
        .find(|lack| lack.fatal || !args.without.iter().any(|name| name == lack.name))
    {
        eprintln!("error[kernel-lacks]: this kernel lacks {}", lack.what);
        eprintln!("nothing was started");
        if !lack.fatal {
            eprintln!("help: `rescind run --without {}` starts without it", lack.name);
        }
        return FAILED;
    }
    let home = match Home::from_environment() {
        Ok(home) => home,
        Err(error) => {
            eprintln!("error[store-unreachable]: {error}; nothing was started");
            return FAILED;
        }
    };
    let id = args
        .promotes
        .as_ref()
        .map_or_else(session_id, |promotes| promotes.id.clone());
    let staged = match args.stage.then(|| staging::enter(&home, &id)).transpose() {
        Ok(staged) => staged,
        Err(failure) => {
            failure.report(false);
            return FAILED;
        }
    };
    let mut environment = vec![(SESSION_VARIABLE.into(), id.to_string().into())];
    if let Some(reason) = &args.reason {
        environment.push((REASON_VARIABLE.into(), reason.into()));
    }
    let launch = Launch {
        argv: args.command.clone(),
        without_signal_scope: args.without.iter().any(|name| name == "landlock-scope"),
        environment,
        floor: bounds.floor.clone(),
        afterwards: afterwards(args),
        journal: home.journal(&id),
    };
    match gateway::launch(&launch) {
        Ok(Err(status)) => end_like(status),
        Ok(Ok(seat)) => {
            let code = supervise(args, &bounds, &home, &id, &seat, staged.as_ref());
            // The front waits for its word; if supervision never began, this is it.
            seat.refuse(code);
            std::process::exit(code)
        }
        Err(error) => {
            staged.as_ref().map(staging::drop_empty);
            eprintln!(
                "error[kernel-lacks]: the agent's processes can't be made: {error}; nothing was started"
            );
            FAILED
        }
    }
}

/// In the front: end as the agent ended.
fn end_like(status: ExitStatus) -> i32 {
    match status {
        ExitStatus::Exited(code) => code,
        ExitStatus::Signaled(signal) => {
            rescind_sys::end_by_signal(signal);
            128 + signal
        }
        ExitStatus::Stopped(_) | ExitStatus::Continued => FAILED,
    }
}

fn supervise(
    args: &RunArgs,
    bounds: &Bounds,
    home: &Home,
    id: &SessionId,
    seat: &Seat,
    staged: Option<&Entered>,
) -> i32 {
    match supervise_in_store(args, bounds, home, id, seat, staged) {
        Ok(()) => 0,
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
) -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(Store::open(home.clone())?);
    let own = own_paths(&store, staged.is_some())?;
    let level = match args.durability {
        Durability::Process => Level::Process,
        Durability::Power => Level::Power,
    };
    let opened = opened(args, &store, id);
    let tally = Tally::at(home.limits(), level);
    let desk = desk(args, bounds, &opened, &store, id, tally)?;
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
    let background = store.ledger().start_background()?;
    let syncing = sync_soon(&log);
    let options = Options {
        agent: args.agent.clone(),
        one_action: args.client.is_some(),
        largest: args.capture_limit << 20,
        uncaptured: match args.uncaptured {
            OnUncaptured::Refuse => Uncaptured::Refuse,
            OnUncaptured::Allow => Uncaptured::Allow,
        },
        refuse_escapes: args.escapes == OnEscape::Refuse,
        record_output: !args.no_output,
        own,
        holds: Holds::at(home.holds()),
        hold_for: args
            .hold_for
            .map(|minutes| std::time::Duration::from_secs(minutes.saturating_mul(60))),
        tiers: Configuration::of_user().tiers()?,
        agent_name: opened.agent.clone(),
        requester: opened.user.clone(),
        fail_fast: args.fail_fast,
        // What is on a stage is not undone but left there.
        undo: match staged {
            None => Some(Arc::new(LiveUndo::new(Arc::clone(&store)))),
            Some(_) => None,
        },
        home: home.clone(),
        undone: UndoneStates::read(home)?,
        looks: Some(looks(&opened.cwd)),
        confinement: bounds.confinement.clone(),
        environment: purse.environment,
        staged: staged.map(|staged| staged.devices.clone()),
    };
    let (quiet, terse) = (args.quiet, args.client.is_some());
    let ledger = store.ledger().clone();
    let session = id.clone();
    gateway::run(seat, Arc::clone(&log), rules, options, Some(desk), |finished| {
        let _signed_by_the_service_else = ledger.checkpoint();
        let nothing = finished.changed == 0 && finished.missing.is_empty() && finished.refused.is_empty();
        let silent = quiet || terse && nothing;
        if !silent {
            eprint!("{}", last_lines(&session, finished, staged.is_some()));
        }
        if nothing && finished.background == 0 {
            staged.map(staging::drop_empty);
        }
    })?;
    drop(syncing);
    match background.stop() {
        // What is recorded is recorded; it is signed by whoever finds room next.
        Err(error) if error.is_disk_full() => {}
        stopped => drop(stopped?),
    }
    if let Ok(Some(said)) = super::prune::enforce_cap(&store) {
        eprintln!("rescind: {said}");
    }
    Ok(())
}

/// Who reads what commands are about to change elsewhere: with programs from where whoever starts this looks for them, but
/// not from where the agent works.
fn looks(cwd: &str) -> Arc<dyn Looks> {
    let path = std::env::var("PATH").unwrap_or_default();
    let trusted = Trusted::new(&path, Some(std::path::Path::new(cwd)));
    Arc::new(CommandLooks::new(trusted))
}

/// What the guardian runs where the supervisor dies: credentials are to be revoked at once.
fn afterwards(args: &RunArgs) -> Vec<OsString> {
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
    let (index, kinds) = super::known::of(store, &opened.agent);
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

fn opened(args: &RunArgs, store: &Store, id: &SessionId) -> SessionOpened {
    let argv: Vec<String> = args
        .command
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let named = args.client.as_ref().map(|client| client.client.clone());
    let agent = named
        .filter(|name| !name.is_empty())
        .or_else(|| args.agent.clone())
        .or_else(|| argv.first().map(|first| base(first).to_owned()));
    SessionOpened {
        id: id.to_string(),
        salt: salt(),
        kind: SessionKind::Run,
        time: now().to_string(),
        agent: agent.unwrap_or_default(),
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

/// What no supervised process may change: the state directory, the configuration, by which the next session is judged
/// and given credentials (made here where it is not there yet: what is not there can't be watched), and the folders for pins on other file systems, which
/// are made here for the file systems an agent is likely to work on. On a stage nothing is lost, so nothing is pinned.
fn own_paths(store: &Store, staged: bool) -> Result<Vec<PathBuf>, StoreError> {
    let mut own = vec![store.home().root().to_path_buf()];
    if let Some(root) = Configuration::of_user().root() {
        // Where it can't be made by us, the agent can't make it either.
        let _not_ours = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root);
        own.push(root.to_path_buf());
    }
    if staged {
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

/// What is said when the agent has ended: what changed, whether all of it can be undone, and the command for it.
fn last_lines(session: &SessionId, finished: &Finished, staged: bool) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let gaps: u64 = finished.missing.iter().map(|(_, _, count)| count).sum();
    let undo = match (finished.changed, gaps) {
        (changed, _) if staged && changed > 0 => format!(
            "{} changed on the stage, nothing of it is real yet: rescind review {session}\n  \
             then rescind promote {session}, or rescind discard {session}",
            paths(changed)
        ),
        (0, 0) => "nothing changed".to_owned(),
        (changed, 0) => format!(
            "{} changed, all of it can be undone: rescind undo {session}",
            paths(changed)
        ),
        (changed, gaps) => format!(
            "{} changed; {gaps} of its doings can't be undone (below), the rest can: rescind undo {session}",
            paths(changed)
        ),
    };
    let _infallible = writeln!(text, "rescind: {undo}");
    let mut list = |label: &str, entries: &[(String, String, u64)]| {
        for (what, why, count) in entries.iter().take(SHOWN) {
            let times = if *count > 1 {
                format!(" ({count} times)")
            } else {
                String::new()
            };
            let _infallible = writeln!(text, "  {label}: {}: {}{times}", printable(what), printable(why));
        }
        if entries.len() > SHOWN {
            let _infallible = writeln!(text, "  {label}: {} more, see rescind log", entries.len() - SHOWN);
        }
    };
    list("not captured", &finished.missing);
    list("refused", &finished.refused);
    list("outside", &finished.escapes);
    if finished.background > 0 {
        let _infallible = writeln!(
            text,
            "  {} in the background, still under supervision: rescind kill {session}",
            if finished.background == 1 {
                "1 process goes on".to_owned()
            } else {
                format!("{} processes go on", finished.background)
            }
        );
    }
    text
}

const SHOWN: usize = 8;

fn paths(count: u64) -> String {
    if count == 1 {
        "1 path".to_owned()
    } else {
        format!("{count} paths")
    }
}

/// A text from an agent without what would steer the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}

fn base(path: &str) -> &str {
    Path::new(path)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(path)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// Whether this process is already supervised: the kernel allows one listener, so a second one is refused.
#[must_use]
pub fn inside_supervised_tree() -> bool {
    rescind_sys::has_filter() && rescind_sys::listener_is_taken()
}

/// `rescind run` inside a session: the command joins it, and may do what the session may, or less.
fn join_outer(args: &RunArgs) -> i32 {
    let session = std::env::var(SESSION_VARIABLE).unwrap_or_else(|_| "around this one".to_owned());
    if args.client.is_none() {
        eprintln!("rescind: already supervised: `rescind run` joins the session {session}");
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return 2;
    };
    let mut joined = std::process::Command::new(program);
    if let Some(reason) = &args.reason {
        joined.env(REASON_VARIABLE, reason);
    }
    match bounds::narrow(&args.layers()) {
        Ok(variable) => joined.envs(variable),
        Err(failure) => return refused(&failure),
    };
    let error = joined.args(arguments).exec();
    eprintln!("rescind: `{}` can't be run: {error}", program.display());
    if error.kind() == std::io::ErrorKind::NotFound {
        127
    } else {
        126
    }
}

/// Say why nothing was started. Returns the exit code.
fn refused(failure: &Failure) -> i32 {
    failure.report(false);
    FAILED
}
