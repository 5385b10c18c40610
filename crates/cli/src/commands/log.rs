//! `rescind log`: the actions of a session.

use crate::context::{self, Context};
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, bold, dim, green, red, yellow};
use crate::record::{self, Records, SystemStep};
use crate::text::{bytes, clean, count, duration, local_time};
use clap::Args;
use rescind_model::{Coverage, command_line};
use rescind_supervisor::journal::{ExitForm, NodeEnded, Role};
use rescind_supervisor::{Node, SessionView};
use std::collections::BTreeMap;

/// Arguments of `rescind log`.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// The session, by its id or a part of it; the last run if none is given
    pub session: Option<String>,
    /// Every process, as a tree
    #[arg(long)]
    pub tree: bool,
}

/// Print the actions.
///
/// # Errors
/// The session is not found or can't be read.
pub fn run(context: &Context, args: &LogArgs) -> Done {
    let store = context.store()?;
    let id = context::session(&store, args.session.as_deref())?;
    let view = context::load(&store, &id)?;
    let mut out = Out::new();
    if record::is_undo(&view) {
        undo(context, &mut out, &view)?;
    } else if context.json {
        let records = Records::new(&view);
        let all = || view.nodes.keys().copied().collect();
        for number in if args.tree { all() } else { records.actions() } {
            if let Some(json) = records.json(number) {
                out.json(&json)?;
            }
        }
    } else {
        head(&mut out, &view)?;
        let records = Records::new(&view);
        if args.tree {
            tree(&mut out, &view, &records)?;
        } else {
            for number in records.actions() {
                line(&mut out, &view, &records, number, 0)?;
            }
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// What is said of a session before its actions.
///
/// # Errors
/// stdout can't be written.
pub fn head(out: &mut Out, view: &SessionView) -> Done<()> {
    let opened = &view.opened;
    let state = match &view.ended {
        Some(ended) if ended.how == "ended" => record::exit_word(Some(ended.exit), &view.id),
        Some(ended) => ended.how.clone(),
        None => super::sessions::life(view.life()).to_owned(),
    };
    out.line(format!(
        "{} {} {}",
        bold(&format!("session {}", view.id)),
        clean(&command_line(&opened.argv)),
        dim(&format!(
            "({}, {}, {state})",
            clean(&opened.agent),
            local_time(&opened.time)
        )),
    ))
}

fn line(out: &mut Out, view: &SessionView, records: &Records<'_>, number: u64, depth: usize) -> Done<()> {
    let Some(node) = view.nodes.get(&number) else {
        return Ok(());
    };
    let tally = records.tally(number);
    let mut notes = Vec::new();
    if tally.effects() > 0 {
        notes.push(count(tally.effects() as u64, "change", "changes"));
    }
    let ended = view.end_of(number);
    if let Some(ended) = ended {
        notes.extend((ended.output.bytes > 0).then(|| format!("{} output", bytes(ended.output.bytes))));
        notes.extend(duration(&node.started.time, &ended.time));
    }
    notes.extend(record::decision(node));
    let coverage = tally.coverage();
    let gap = match &coverage {
        Coverage::Captured => String::new(),
        _ => yellow(&format!(" [{}]", coverage.name())),
    };
    let role = match node.started.role {
        Role::Action | Role::Process => String::new(),
        other => dim(&format!("{} ", other.name())),
    };
    out.line(format!(
        "{:>5} {}{} {role}{}{gap} {}",
        number,
        "  ".repeat(depth),
        sign(node, ended),
        clean(&node.started.command()),
        dim(&notes.join(", ")),
    ))?;
    for (what, why) in tally.gaps.iter().take(3) {
        out.line(format!(
            "        {}{}",
            "  ".repeat(depth),
            yellow(&format!("{}: {}", clean(what), clean(why)))
        ))?;
    }
    Ok(())
}

/// How a node ended, in the fewest letters.
fn sign(node: &Node, ended: Option<&NodeEnded>) -> String {
    if node.started.role == Role::Direct {
        return dim("writes");
    }
    match ended.map(|ended| ended.exit) {
        None => yellow("running"),
        Some(ExitForm::Code(0)) => green("ok"),
        Some(ExitForm::Code(code)) => red(&format!("exit {code}")),
        Some(ExitForm::Signal(signal)) => red(&format!("signal {signal}")),
        Some(ExitForm::Exec(_)) => dim("exec"),
        Some(ExitForm::NotStarted) => red("not started"),
        Some(ExitForm::Unknown) => yellow("unknown"),
    }
}

fn tree(out: &mut Out, view: &SessionView, records: &Records<'_>) -> Done<()> {
    let mut children: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (number, node) in &view.nodes {
        // A parent that is not on record does not hide its children.
        let parent = Some(node.started.parent).filter(|parent| view.nodes.contains_key(parent));
        children.entry(parent.unwrap_or(0)).or_default().push(*number);
    }
    let below = |parent: u64, depth: usize| -> Vec<(u64, usize)> {
        children
            .get(&parent)
            .into_iter()
            .flatten()
            .rev()
            .map(|child| (*child, depth))
            .collect()
    };
    let mut open = below(0, 0);
    while let Some((number, depth)) = open.pop() {
        line(out, view, records, number, depth.min(40))?;
        open.extend(
            below(number, depth + 1)
                .into_iter()
                .filter(|(child, _)| *child != number),
        );
    }
    Ok(())
}

fn undo(context: &Context, out: &mut Out, view: &SessionView) -> Done<()> {
    let steps = record::system_steps(view);
    if context.json {
        return steps
            .iter()
            .try_for_each(|step| out.json(&record::system_json(view, step)));
    }
    head(out, view)?;
    let text = |step: &SystemStep| {
        let why = step
            .why
            .as_ref()
            .map_or_else(String::new, |why| format!(": {}", clean(why)));
        format!("{:>5} {} {}{why}", step.number, step.end, clean(&step.name))
    };
    steps.iter().try_for_each(|step| out.line(text(step)))?;
    if let Some(receipt) = crate::history::receipt(view) {
        crate::undoing::print_receipt(out, &view.id, receipt)?;
    }
    Ok(())
}
