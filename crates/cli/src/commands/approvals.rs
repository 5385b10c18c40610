//! `rescind approvals`, `approve`, `reject`: what waits for a person, and what they say.

mod changing;
mod lasting;

use crate::context::Context;
use crate::error::{Code, Done, Failure, chain};
use crate::exit::Exit;
use crate::out::{Out, ask, ask_text, bold, can_ask, dim, green, red, say, yellow};
use crate::person::person;
use crate::text::{ago, clean, command_line, count, seconds};
use clap::Args;
use rescind_supervisor::Store;
use rescind_supervisor::holds::{Decision, DecisionForm, Hold, HoldError, Holds, TierForm};
use rescind_supervisor::now;
use serde_json::{Value, json};

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
            out.json(&json(hold))?;
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
                show(&mut out, hold)?;
            } else {
                brief(&mut out, hold)?;
            }
        }
        out.end()?;
        return Ok(Exit::Ok);
    }
    drop(out);
    let store = context.store_outside()?;
    each(&store, &holds, waiting)
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
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "action_id": hold.form.action,
            "decision": said.decision,
            "person": said.person,
            "at": said.at,
            "approvals_missing": missing,
            "always": said.always,
            "change": said.change,
        }))?;
    } else {
        out.line(outcome(hold, said, missing))?;
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

fn outcome(hold: &Hold, said: &DecisionForm, missing: usize) -> String {
    let action = &hold.form.action;
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

/// Ask about each.
fn each(_outside: &Store, holds: &Holds, waiting: Vec<Hold>) -> Done {
    let total = waiting.len();
    for (number, hold) in waiting.into_iter().enumerate() {
        let mut out = Out::new();
        if total > 1 {
            out.line(dim(&format!("{} of {total}", number + 1)))?;
        }
        show(&mut out, &hold)?;
        out.end()?;
        match question(&hold)? {
            Some(said) => match place(holds, &hold, &said) {
                Ok(missing) => say(outcome(&hold, &said, missing)),
                // Somebody else decided meanwhile, or it is over: the others still wait.
                Err(failure) => failure.report(false),
            },
            None => say(dim("left waiting")),
        }
    }
    Ok(Exit::Ok)
}

fn question(hold: &Hold) -> Done<Option<DecisionForm>> {
    let approval = |for_session| -> Done<DecisionForm> {
        let args = ApproveArgs {
            for_session,
            ..ApproveArgs::default()
        };
        Ok(DecisionForm {
            decision: Decision::Approve,
            always: lasting::always(&args, hold)?,
            ..rejection(hold, None)
        })
    };
    loop {
        let answer = ask("[a]pprove once, approve for the [s]ession, [r]eject, [l]ater?")?;
        match answer.as_deref() {
            Some("a" | "approve") => return approval(false).map(Some),
            Some("s" | "session") => return approval(true).map(Some),
            Some("r" | "reject") => {
                let message = ask_text("what should the agent read? (empty: nothing)")?;
                return Ok(Some(rejection(hold, message.filter(|text| !text.is_empty()))));
            }
            Some("l" | "later" | "q" | "") | None => return Ok(None),
            Some(_) => {}
        }
    }
}

fn brief(out: &mut Out, hold: &Hold) -> Done<()> {
    let form = &hold.form;
    out.line(format!(
        "{}  {}",
        bold(&form.action),
        clean(&command_line(&form.argv))
    ))?;
    let why = form.judged.reasons.first().map_or("", String::as_str);
    out.line(format!(
        "    {} {}",
        dim(&format!(
            "{}, {}, risk {},",
            clean(&form.agent),
            form.judged.class,
            form.judged.score
        )),
        clean(why)
    ))?;
    out.line(dim(&format!("    {}", waits(hold))))
}

fn waits(hold: &Hold) -> String {
    let form = &hold.form;
    let left = left_until(&form.expires);
    let needed = form.judged.persons.max(1);
    let given = hold
        .decisions
        .iter()
        .map(|said| said.person.as_str())
        .collect::<Vec<_>>();
    let by = if given.is_empty() {
        String::new()
    } else {
        format!(" ({} by {})", given.len(), clean(&given.join(", ")))
    };
    let tier = match tier(hold) {
        Some((asked, None)) => format!(" of {asked}"),
        Some((asked, Some((next, until)))) => {
            format!(" of {asked}, goes on to {next} in {}", seconds(left_until(until)))
        }
        None => String::new(),
    };
    format!(
        "waits since {}, is denied in {}, needs {}{by}{}",
        ago(&form.since, now()),
        seconds(left),
        count(u64::from(needed), "person", "persons"),
        clean(&tier),
    )
}

/// The tier that is asked now, and the next one with when it is.
fn tier(hold: &Hold) -> Option<(&TierForm, Option<(&TierForm, &str)>)> {
    let tiers = &hold.form.tiers;
    let at = hold.form.tier_at(now())?;
    let asked = tiers.get(at)?;
    Some((asked, tiers.get(at + 1).map(|next| (next, asked.until.as_str()))))
}

/// Seconds from now until a time.
fn left_until(time: &str) -> f64 {
    let left = time.parse::<rescind_model::Timestamp>().map_or(0, |time| {
        time.milliseconds().saturating_sub(now().milliseconds()).max(0)
    });
    std::time::Duration::from_millis(left.unsigned_abs()).as_secs_f64()
}

fn show(out: &mut Out, hold: &Hold) -> Done<()> {
    let form = &hold.form;
    let judged = &form.judged;
    brief_head(out, hold)?;
    let mut line = |name: &str, text: &str| -> Done<()> {
        if text.is_empty() {
            return Ok(());
        }
        out.line(format!("  {} {}", dim(&format!("{name:<12}")), clean(text)))
    };
    line("agent", &format!("{}, started by {}", form.agent, form.requester))?;
    line("in", &form.cwd)?;
    for (number, reason) in judged.reasons.iter().enumerate() {
        line(if number == 0 { "why" } else { "" }, reason)?;
    }
    line("class", &judged.class)?;
    for (number, gap) in judged.uncovered.iter().enumerate() {
        line(if number == 0 { "not captured" } else { "" }, gap)?;
    }
    line("risk", &format!("{} of 100", judged.score))?;
    for factor in judged.factors.iter().filter(|factor| factor.points > 0) {
        line(
            "",
            &format!("{:>3} {}: {}", factor.points, factor.name, factor.why),
        )?;
    }
    line("way back", &judged.recovery)?;
    line("undone by", judged.compensation.as_deref().unwrap_or_default())?;
    line("instead", judged.advice.as_deref().unwrap_or_default())?;
    line("groups", &judged.groups.join(", "))?;
    line("waits", &waits(hold))?;
    line("bound to", &form.digest)
}

fn brief_head(out: &mut Out, hold: &Hold) -> Done<()> {
    let form = &hold.form;
    out.line(format!("{}  {}", yellow("held"), bold(&form.action)))?;
    out.line(format!("  {}", bold(&clean(&command_line(&form.argv)))))
}

fn json(hold: &Hold) -> Value {
    let form = &hold.form;
    json!({
        "action_id": form.action,
        "agent": form.agent,
        "requester": form.requester,
        "command": command_line(&form.argv),
        "argv": form.argv,
        "working_directory": form.cwd,
        "since": form.since,
        "expires": form.expires,
        "judged": form.judged,
        "digest": form.digest,
        "learnable": form.learnable,
        "tiers": form.tiers,
        "tier": tier(hold).map(|(asked, _)| &asked.name),
        "escalates": tier(hold).and_then(|(_, next)| next.map(|(next, at)| json!({"to": next.name, "at": at}))),
        "decisions": hold.decisions,
    })
}
