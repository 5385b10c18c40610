//! `rescind run`: put an agent under supervision.

mod agent_token;
mod summary;
mod supervising;

use super::bounds::{self, Bounds, BoundsArgs};
use crate::error::{Code, Failure};
use crate::staging;
use clap::{Args, ValueEnum};
use rescind_files::gateway::{self, Launch, REASON_VARIABLE};
use rescind_model::{SessionId, chain};
use rescind_policy::Environment;
use rescind_supervisor::control::{Control, Member, Mode, STOP_FILE};
use rescind_supervisor::journal::ClientForm;
use rescind_supervisor::{Home, Store, session_id};
use rescind_sys::ExitStatus;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use supervising::{afterwards, configuration_folder, member_of, stopped, supervise};

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
    if let Some(refusal) = stop_of(&home, &member_of(args, &id)) {
        return refused(&refusal);
    }
    // On the stage it would be made on the stage.
    configuration_folder();
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

/// What keeps such a session from being started: a kill, and no pause, in which it waits.
pub fn stop_of(home: &Home, member: &Member) -> Option<Failure> {
    let control = match Control::open(home) {
        Ok(control) => control,
        Err(error) => {
            return Some(Failure::new(Code::ControlUnusable, chain(&error)).means("nothing was started"));
        }
    };
    if control.lacks_stops()
        && let Err(error) = Store::open(home.clone()).and_then(|store| control.restore(&store))
    {
        let why = format!("what is stopped can't be told: {}", chain(&error));
        return Some(Failure::new(Code::ControlUnusable, why).means("nothing was started"));
    }
    if control.stop_file() {
        let why = format!(
            "everything is killed by the file `{}`",
            home.root().join(STOP_FILE).display()
        );
        return Some(stopped(&why).help("take that file away"));
    }
    let stop = control.stop_of(member)?;
    (stop.mode == Mode::Kill).then(|| stopped(&stop.sentence()))
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
