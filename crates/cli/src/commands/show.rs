//! `rescind show`: everything about one action.

use crate::changes::{self, Change, attributes};
use crate::content::Texts;
use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::history::effects;
use crate::out::{Out, bold, dim, red, yellow};
use crate::record::{self, Records};
use crate::text::{bytes, clean, clean_lines, count, duration, local_time};
use clap::Args;
use rescind_model::{ActionId, Effect, Locator, Outcome, command_line};
use rescind_supervisor::journal::StateForm;
use rescind_supervisor::{SessionView, Store, StoredBodies};
use serde_json::{Value, json};
use std::io::{self, Write as _};

/// Arguments of `rescind show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// SESSION.NUMBER, or the NUMBER alone for the last session
    pub action: String,
    /// Write the whole recorded output to stdout, byte for byte
    #[arg(long)]
    pub output: bool,
    /// Leave out the diffs
    #[arg(long)]
    pub no_diff: bool,
}

/// Show an action.
///
/// # Errors
/// It is not found, or can't be read.
pub fn run(context: &Context, args: &ShowArgs) -> Done {
    let store = context.store()?;
    let action = context::action(&store, &args.action, None)?;
    let view = context::load(&store, &action.session)?;
    if !known(&view, action.number) {
        let message = format!("session {} has no action {}", action.session, action.number);
        return Err(Failure::new(Code::NoSuchAction, message)
            .help(format!("`rescind log --tree {}` lists them", action.session)));
    }
    if args.output {
        return whole_output(&store, &view, action.number);
    }
    let all = effects(&view);
    let numbers = view.below(action.number);
    let own: Vec<Effect> = all
        .iter()
        .filter(|effect| numbers.contains(&effect.action.number))
        .cloned()
        .collect();
    let texts = Texts::new(StoredBodies::new(&store, None), &all);
    let changes: Vec<Change> = if record::is_undo(&view) {
        own.iter().map(changes::of).collect()
    } else {
        changes::net(&own)
    };
    let mut out = Out::new();
    if context.json {
        out.json(&as_json(&view, &action, &changes, &texts, !args.no_diff))?;
    } else {
        print(&mut out, &view, &action)?;
        print_changes(&mut out, &changes, &texts, !args.no_diff)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn known(view: &SessionView, number: u64) -> bool {
    view.nodes.contains_key(&number)
        || record::system_steps(view)
            .iter()
            .any(|step| step.number == number)
}

/// The recorded output, piece by piece from the vault.
fn whole_output(store: &Store, view: &SessionView, number: u64) -> Done {
    let output = view.end_of(number).map(|ended| &ended.output);
    let none = |why: String| {
        Failure::new(
            Code::NoOutput,
            format!("{} has no recorded output: {why}", view.id.action(number)),
        )
    };
    let Some(output) = output else {
        return Err(none("it has not ended".to_owned()));
    };
    let mut to = io::stdout().lock();
    if output.kept.is_empty() {
        if let Some(gap) = &output.gap {
            return Err(none(gap.clone()));
        }
        to.write_all(output.preview.as_bytes())?;
    }
    let reader = store.reader(&view.id)?;
    for piece in &output.kept {
        let mut piece = reader.get(&Locator(piece.clone()))?;
        io::copy(&mut piece, &mut to)?;
    }
    to.flush()?;
    if let Some(gap) = &output.gap {
        crate::out::say(format!("rescind: the output is not whole: {}", clean(gap)));
    }
    Ok(Exit::Ok)
}

fn print(out: &mut Out, view: &SessionView, action: &ActionId) -> Done<()> {
    let field = |name: &str, value: &str| format!("{} {value}", dim(&format!("{name:<14}")));
    out.line(bold(&format!("action {action}")))?;
    let Some(node) = view.nodes.get(&action.number) else {
        let step = record::system_steps(view)
            .into_iter()
            .find(|step| step.number == action.number);
        if let Some(step) = step {
            out.line(field("restores", &clean(&step.name)))?;
            out.line(field("end", step.end))?;
            out.line(field("why", &clean(step.why.as_deref().unwrap_or("-"))))?;
        }
        return Ok(());
    };
    let started = &node.started;
    let tally = Records::new(view).tally(action.number);
    out.line(field("command", &clean(&node.started.command())))?;
    out.line(field("role", started.role.name()))?;
    out.line(field("agent", &clean(&view.opened.agent)))?;
    out.line(field("folder", &clean(&started.cwd)))?;
    out.line(field("began", &local_time(&started.time)))?;
    if let Some(judged) = &started.judged {
        let verdict = match record::decision(node) {
            Some(decision) => format!("{}, {decision}", judged.verdict),
            None => judged.verdict.clone(),
        };
        out.line(field("verdict", &verdict))?;
        out.line(field(
            "class",
            &format!("{}, risk {} of 100", judged.class, judged.score),
        ))?;
        for (number, reason) in judged.reasons.iter().enumerate() {
            out.line(field(if number == 0 { "because" } else { "" }, &clean(reason)))?;
        }
        out.line(field("way back", &clean(&judged.recovery)))?;
        let ways = view.ways.iter().filter(|way| way.n == started.n);
        for (number, way) in ways.enumerate() {
            let name = if number == 0 { "undone by" } else { "" };
            out.line(field(name, &clean(&command_line(&way.back))))?;
        }
    }
    let ended = view.end_of(started.n);
    let exit = record::exit_word(ended.map(|ended| ended.exit), &view.id);
    let took = ended.and_then(|ended| duration(&started.time, &ended.time));
    out.line(field(
        "end",
        &format!(
            "{exit}{}",
            took.map_or_else(String::new, |took| format!(", after {took}"))
        ),
    ))?;
    for may in &view.may {
        let within = if may.within.is_empty() {
            String::new()
        } else {
            format!(", only in {}", may.within.join(", "))
        };
        out.line(field("session may", &clean(&format!("{}{within}", may.may))))?;
    }
    if let Some(client) = record::client(view, started.n) {
        out.line(field("called by", &clean(&client)))?;
    }
    if let Some(reasoning) = &started.reasoning {
        for (number, line) in reasoning.lines().enumerate() {
            out.line(field(if number == 0 { "reasoning" } else { "" }, &clean(line)))?;
        }
    }
    out.line(field("reversibility", tally.reversibility().name()))?;
    out.line(field("coverage", tally.coverage().name()))?;
    for (what, why) in tally.gaps.iter().chain(&tally.escapes) {
        out.line(field("", &yellow(&format!("{}: {}", clean(what), clean(why)))))?;
    }
    if let Some(output) = ended.map(|ended| &ended.output).filter(|output| output.bytes > 0) {
        out.line(field(
            "output",
            &format!(
                "{}; all of it: rescind show --output {action}",
                bytes(output.bytes)
            ),
        ))?;
        for line in output.preview.lines().take(20) {
            out.line(format!("  {} {}", dim("|"), clean_lines(line)))?;
        }
        if let Some(gap) = &output.gap {
            out.line(format!("  {}", yellow(&clean(gap))))?;
        }
    }
    Ok(())
}

/// Print changes one by one, with their diffs.
///
/// # Errors
/// stdout can't be written.
pub fn print_changes(out: &mut Out, changes: &[Change], texts: &Texts<'_>, diffs: bool) -> Done<()> {
    out.line(bold(&count(changes.len() as u64, "change", "changes")))?;
    for change in changes {
        out.line(line(change))?;
        let list = attributes(&change.before, &change.after);
        let timeless: Vec<&String> = list.iter().filter(|own| !own.starts_with("mtime")).collect();
        for own in timeless {
            out.line(format!("    {}", dim(&clean(own))))?;
        }
        if diffs {
            out.text(&coloured(&texts.diff(change)))?;
        }
    }
    Ok(())
}

/// A change in one line.
#[must_use]
pub fn line(change: &Change) -> String {
    let from = change
        .from
        .as_ref()
        .map_or_else(String::new, |from| format!("{} -> ", clean(from)));
    let doubt = match change.outcome {
        Outcome::Observed => String::new(),
        Outcome::InDoubt => yellow(" (its outcome was not seen)"),
        Outcome::NotCaptured => red(" (not captured)"),
    };
    format!("  {} {from}{}{doubt}", change.kind.name(), clean(&change.name))
}

/// A unified diff with its lines coloured.
#[must_use]
pub fn coloured(diff: &str) -> String {
    let mut text = String::with_capacity(diff.len());
    for line in diff.split_inclusive('\n') {
        let body = line.strip_suffix('\n').unwrap_or(line);
        text.push_str(&match body.as_bytes().first() {
            Some(b'+') => crate::out::green(body),
            Some(b'-') => red(body),
            Some(b'@' | b'#') => dim(body),
            _ => body.to_owned(),
        });
        text.push('\n');
    }
    text
}

/// A change as JSON.
#[must_use]
pub fn change_json(change: &Change, texts: Option<&Texts<'_>>) -> Value {
    let mut ids: Vec<String> = change.ids.iter().map(|id| id.action.to_string()).collect();
    ids.dedup();
    json!({
        "change": change.kind.name(),
        "path": change.name,
        "from": change.from,
        "outcome": match change.outcome {
            Outcome::Observed => "observed",
            Outcome::InDoubt => "in doubt",
            Outcome::NotCaptured => "not captured",
        },
        "actions": ids,
        "attributes": attributes(&change.before, &change.after),
        "before": StateForm::from(&change.before),
        "after": StateForm::from(&change.after),
        "diff": texts.map(|texts| texts.diff(change)),
    })
}

fn as_json(
    view: &SessionView,
    action: &ActionId,
    changes: &[Change],
    texts: &Texts<'_>,
    diffs: bool,
) -> Value {
    let step = record::system_steps(view)
        .into_iter()
        .find(|step| step.number == action.number);
    let mut value = match step {
        Some(step) => record::system_json(view, &step),
        None => Records::new(view).json(action.number).unwrap_or(Value::Null),
    };
    if let Some(fields) = value.as_object_mut() {
        let list = changes
            .iter()
            .map(|change| change_json(change, diffs.then_some(texts)));
        fields.insert("changes".to_owned(), list.collect());
    }
    value
}
