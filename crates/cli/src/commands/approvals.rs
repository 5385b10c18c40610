//! `rescind approvals`, `approve`, `reject`: what waits for a person, and what they say.

mod asking;
mod changing;
mod lasting;
mod view;

pub use changing::check as check_change;
pub use lasting::always as lasting_of;

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, can_ask, green, red, yellow};
use crate::person::person;
use crate::text::{clean, count};
use clap::Args;
use rescind_model::{chain, command_line};
use rescind_supervisor::holds::{Closed, Decision, DecisionForm, Hold, HoldError, Holds};
use rescind_supervisor::now;
use serde_json::json;
use std::time::{Duration, Instant};

/// How long a command waits to see what came of a decision.
const SOON: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Arguments of `rescind approvals`.
#[derive(Debug, Clone, Args)]
pub struct ApprovalsArgs {
    /// Show this one in full, by its action or the end of it; without it all are listed
    pub hold: Option<String>,
    /// Only list, ask nothing
    #[arg(long, short)]
    pub list: bool,
}

/// Arguments of `rescind approve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ApproveArgs {
    /// Which, by its action or the end of it; the only one that waits if none is given
    pub hold: Option<String>,
    /// The very same command may run again in this session without asking
    #[arg(long)]
    pub for_session: bool,
    /// The very same command of this agent may run again without asking, here and in later sessions: a rule is learned
    #[arg(long)]
    pub always: bool,
    /// Until when such a rule stands: a time such as 2026-11-21T18:00:00Z, or how long, such as 2h or 7d; without it 8 hours
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// The command as it is shown, with a `*` for each word, or part of one, that may be another
    #[arg(long, value_name = "COMMAND")]
    pub pattern: Option<String>,
    /// It does not run; the command after `--` may instead, once, in this session
    #[arg(long, requires = "command", conflicts_with_all = ["always", "for_session"])]
    pub change: bool,
    /// What is to be kept with the approval; with --change the agent reads it
    #[arg(long, short, value_name = "TEXT")]
    pub message: Option<String>,
    /// The digest of what was shown, as `approvals --json` has it: another state of the hold is refused
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// The command that may run instead, with --change
    #[arg(last = true, requires = "change", value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Arguments of `rescind reject`.
#[derive(Debug, Clone, Args)]
pub struct RejectArgs {
    /// Which, by its action or the end of it; the only one that waits if none is given
    pub hold: Option<String>,
    /// What the agent reads
    #[arg(long, short, value_name = "TEXT")]
    pub message: Option<String>,
}

/// Show what waits. On a terminal each is asked about.
///
/// # Errors
/// The holds can't be read, or the one that is named is not there.
pub fn run(context: &Context, args: &ApprovalsArgs) -> Done {
    let store = context.store()?;
    let holds = Holds::at(store.home().holds());
    let waiting = match &args.hold {
        Some(name) => vec![find(&holds, Some(name))?],
        None => holds.waiting().map_err(failure)?,
    };
    let mut out = Out::new();
    if context.json {
        for hold in &waiting {
            out.json(&view::json(hold))?;
        }
        out.end()?;
        return Ok(Exit::Ok);
    }
    if waiting.is_empty() {
        out.line("nothing waits for a person")?;
        out.end()?;
        return Ok(Exit::Ok);
    }
    if args.list || !can_ask() {
        for hold in &waiting {
            if args.hold.is_some() {
                view::show(&mut out, hold, stale(hold))?;
            } else {
                view::brief(&mut out, hold, None)?;
            }
        }
        out.end()?;
        return Ok(Exit::Ok);
    }
    drop(out);
    let store = context.store_outside()?;
    asking::ask_all(&store, &holds, args.hold.as_ref().and(waiting.first()))
}

/// Approve.
///
/// # Errors
/// [`HoldError`], each with its own code; nothing was decided then.
pub fn approve(context: &Context, args: &ApproveArgs) -> Done {
    let store = context.store_outside()?;
    let holds = Holds::at(store.home().holds());
    let hold = find(&holds, args.hold.as_deref())?;
    if (args.until.is_some() || args.pattern.is_some()) && !args.always && !args.for_session {
        return Err(Failure::new(
            Code::BadArgument,
            "--until and --pattern say how far --always or --for-session goes: one of these is needed",
        ));
    }
    let always = lasting::always(args, &hold)?;
    let change = args.change.then(|| args.command.clone());
    if let Some(words) = &change {
        changing::check(&store, &hold, words)?;
    }
    let said = DecisionForm {
        decision: Decision::Approve,
        person: person(),
        at: now().to_string(),
        digest: args.digest.clone().unwrap_or_else(|| hold.form.digest.clone()),
        message: args.message.clone(),
        always,
        change,
    };
    decide(context, &holds, &hold, &said)
}

/// Reject.
///
/// # Errors
/// As [`approve`].
pub fn reject(context: &Context, args: &RejectArgs) -> Done {
    let store = context.store_outside()?;
    let holds = Holds::at(store.home().holds());
    let hold = find(&holds, args.hold.as_deref())?;
    let said = rejection(&hold, args.message.clone());
    decide(context, &holds, &hold, &said)
}

fn rejection(hold: &Hold, message: Option<String>) -> DecisionForm {
    DecisionForm {
        decision: Decision::Reject,
        person: person(),
        at: now().to_string(),
        digest: hold.form.digest.clone(),
        message,
        always: None,
        change: None,
    }
}

fn decide(context: &Context, holds: &Holds, hold: &Hold, said: &DecisionForm) -> Done {
    let missing = place(holds, hold, said)?;
    let how = settled(holds, hold, said, missing)?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "action_id": hold.form.action,
            "decision": said.decision,
            "person": said.person,
            "at": said.at,
            "approvals_missing": missing,
            "outcome": how.map(Closed::name),
            "always": said.always,
            "change": said.change,
        }))?;
    } else {
        out.line(outcome(hold, said, missing, how))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// Put a decision down; how many more approvals are needed then.
fn place(holds: &Holds, hold: &Hold, said: &DecisionForm) -> Done<usize> {
    let before = holds.decide(&hold.form.action, said).map_err(failure)?;
    if said.decision == Decision::Reject {
        return Ok(0);
    }
    let approved = |other: &&DecisionForm| other.decision == Decision::Approve && other.change == said.change;
    let given = before.decisions.iter().filter(approved).count() + 1;
    Ok(usize::from(hold.form.judged.persons.max(1)).saturating_sub(given))
}

/// What came of a decision that is the last one needed, if that can be told soon: whoever waits looks several times a
/// second, and compares what is there with what was shown.
///
/// # Errors
/// What it names has changed since: it is shown anew, and waits for a decision on that.
fn settled(holds: &Holds, hold: &Hold, said: &DecisionForm, missing: usize) -> Done<Option<Closed>> {
    let action = &hold.form.action;
    if said.decision == Decision::Reject || missing > 0 {
        return Ok(None);
    }
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        if let Some(closed) = holds.closed(action) {
            return Ok(Some(closed.how));
        }
        if holds
            .read(action)?
            .is_some_and(|now| now.form.digest != hold.form.digest)
        {
            return Err(failure(HoldError::Changed {
                action: action.clone(),
            })
            .help(format!("`rescind approvals {action}` shows what is there now")));
        }
        std::thread::sleep(LOOK);
    }
    Ok(None)
}

/// Whether what a hold names is not what was shown any more.
fn stale(hold: &Hold) -> bool {
    hold.form.preview.as_ref().is_some_and(|shown| {
        let paths: Vec<String> = shown.paths.iter().map(|path| path.path.clone()).collect();
        shown.left_out == 0 && rescind_files::preview::preview(&paths, u64::MAX).state != shown.state
    })
}

fn outcome(hold: &Hold, said: &DecisionForm, missing: usize, how: Option<Closed>) -> String {
    let action = &hold.form.action;
    if how == Some(Closed::Void) {
        return format!(
            "{} {action}: the approval counts for nothing, and nothing ran",
            yellow("void")
        );
    }
    if said.decision == Decision::Approve && missing == 0 && how.is_none() {
        let text = "its session has not answered yet, and nothing of it has run so far";
        return format!("{} {action}: {text}", yellow("approved"));
    }
    match (said.decision, missing) {
        (Decision::Reject, _) => format!("{} {action}: it does not run", red("rejected")),
        (Decision::Approve, 0) if said.change.is_some() => {
            let words = said.change.clone().unwrap_or_default();
            let instead = clean(&command_line(&words));
            format!(
                "{} {action}: `{instead}` may run once instead",
                green("approved with changes")
            )
        }
        (Decision::Approve, 0) => format!("{} {action}: it runs{}", green("approved"), again(said, action)),
        (Decision::Approve, missing) => format!(
            "{} {action}: {} to approve it",
            yellow("noted"),
            count(missing as u64, "more person has", "more persons have")
        ),
    }
}

/// What is said of a rule that is learned.
fn again(said: &DecisionForm, action: &str) -> String {
    let Some(always) = &said.always else {
        return String::new();
    };
    let how_long = if always.session {
        "for this session".to_owned()
    } else {
        format!("until {}", always.until)
    };
    let what = match &always.pattern {
        Some(pattern) => format!("`{}`", clean(pattern)),
        None => "the very same".to_owned(),
    };
    format!(", and {what} runs unasked {how_long} (`rescind policy forget {action}` takes that back)")
}

/// The hold that is meant.
fn find(holds: &Holds, asked: Option<&str>) -> Done<Hold> {
    let unknown = |name: &str| {
        Failure::new(Code::NoSuchHold, format!("nothing waits as `{name}`"))
            .help("`rescind approvals` lists what waits")
    };
    let Some(name) = asked else {
        let waiting = holds.waiting().map_err(failure)?;
        return one(waiting, || {
            Failure::new(Code::NoSuchHold, "nothing waits for a person")
        });
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    if !name.chars().all(plain) {
        return Err(unknown(name));
    }
    // What is over has its own error: the whole name finds it.
    let read = holds.read(name).map_err(|error| {
        Failure::new(
            Code::InputOutput,
            format!("the hold `{name}` can't be read: {error}"),
        )
    })?;
    if let Some(hold) = read {
        return Ok(hold);
    }
    let mut waiting = holds.waiting().map_err(failure)?;
    waiting.retain(|hold| hold.form.action.ends_with(name));
    one(waiting, || unknown(name))
}

fn one(mut waiting: Vec<Hold>, none: impl Fn() -> Failure) -> Done<Hold> {
    match waiting.len() {
        0 | 1 => waiting.pop().ok_or_else(none),
        several => Err(Failure::new(
            Code::AmbiguousHold,
            format!("{several} actions wait that it could be"),
        )
        .help("give one by its whole name, as `rescind approvals` shows it")),
    }
}

fn failure(error: HoldError) -> Failure {
    let code = match &error {
        HoldError::Unknown { .. } => Code::NoSuchHold,
        HoldError::Over { .. } => Code::HoldOver,
        HoldError::Expired { .. } => Code::HoldExpired,
        HoldError::Void { .. } => Code::HoldVoid,
        HoldError::Changed { .. } => Code::HoldChanged,
        HoldError::Requester { .. } => Code::HoldRequester,
        HoldError::Tier { .. } => Code::HoldTier,
        HoldError::Again { .. } => Code::HoldDecided,
        HoldError::Directory { .. } => Code::InputOutput,
    };
    Failure::new(code, chain(&error)).means("nothing was decided, and nothing ran")
}
