//! A plan for a person, and as JSON.

use super::prepare::Prepared;
use crate::changes::{Change, Kind, attributes, net, summary, value};
use crate::error::Done;
use crate::out::{Out, bold, dim, red, yellow};
use crate::text::{bytes, clean, clean_lines, count, seconds};
use rescind_files::Cell;
use rescind_model::{Effect, FieldConflict, ObjectId, Outcome, command_line};
use rescind_recovery::{Clash, Compensation, Conflict, Plan, PlannedStep};
use rescind_supervisor::Step;
use rescind_supervisor::journal::StateForm;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Lines of one group before the rest is only counted.
const LINES: usize = 40;

/// What an undo does to a path.
const GROUPS: [(Kind, &str, &str); 5] = [
    (Kind::Created, "bring back", "restore"),
    (Kind::Changed, "restore", "restore"),
    (Kind::Moved, "move back", "move"),
    (Kind::Deleted, "remove", "remove"),
    (Kind::Attributes, "set attributes", "attributes"),
];

/// The steps as changes of what is there now, moves recognised.
fn changes(plan: &Plan) -> Vec<Change> {
    let places = Places::of(plan);
    let as_effect = |(at, planned): (usize, &PlannedStep)| {
        let took = planned.lane.took.last()?;
        Some(Effect {
            action: took.action.clone(),
            seq: rescind_model::Seq(at as u64),
            resource: planned.step.resource.clone(),
            name: places.name(&planned.step),
            before: planned.step.expected.clone(),
            after: planned.step.target.clone(),
            outcome: Outcome::InDoubt,
        })
    };
    let steps: Vec<Effect> = plan.steps.iter().enumerate().filter_map(as_effect).collect();
    net(&steps)
}

/// Where the folders of a plan will be: a step is named after the path its resource had last, which is not where it goes
/// if a folder above it goes elsewhere.
struct Places<'p>(HashMap<ObjectId, &'p Step>);

impl<'p> Places<'p> {
    fn of(plan: &'p Plan) -> Self {
        let folder = |step: &'p Step| {
            let fields = step.target.fields()?;
            let is_folder = fields.text("kind") == Some("dir");
            fields
                .object("object")
                .filter(|_| is_folder)
                .map(|object| (object, step))
        };
        Self(
            plan.steps
                .iter()
                .filter_map(|planned| folder(&planned.step))
                .collect(),
        )
    }

    /// The path at which a step brings something back; of one that removes, the path it has.
    fn name(&self, step: &Step) -> String {
        if !step.target.exists() {
            return step.name.clone();
        }
        let mut parts: Vec<&str> = Vec::new();
        let mut at = step;
        // No path is deeper than this many steps.
        for _ in 0..=self.0.len() {
            let cell = Cell::parse(&at.resource).filter(|cell| !cell.is_folder_itself());
            let above = cell
                .and_then(|cell| self.0.get(&cell.folder))
                .filter(|above| **above != at);
            let (Some(above), Some((_, own))) = (above, at.name.rsplit_once('/')) else {
                break;
            };
            parts.push(own);
            at = above;
        }
        parts
            .iter()
            .rev()
            .fold(at.name.clone(), |path, part| format!("{path}/{part}"))
    }
}

/// What a command elsewhere takes with its readings, in seconds.
const CALL: f64 = 1.0;

/// An estimate of how long applying takes, in seconds: 0.3 ms for each step and its proof, 300 MB/s for bodies.
#[must_use]
fn estimate(plan: &Plan) -> f64 {
    let steps = plan.steps.len() + plan.disturbed.len();
    steps as f64 * 0.000_3 + plan.totals.bytes as f64 / 300e6 + plan.compensations.len() as f64 * CALL
}

/// Print a plan.
///
/// # Errors
/// stdout can't be written.
pub fn print_plan(out: &mut Out, prepared: &Prepared<'_>, head: &str, plan: &Plan) -> Done<()> {
    out.line(format!(
        "{} {}",
        bold(&format!("undo of {}", clean(&plan.scope))),
        dim(&clean(head))
    ))?;
    out.line(format!("target: {}", clean(&plan.target)))?;
    let (times, changes): (Vec<Change>, Vec<Change>) = changes(plan).into_iter().partition(is_folder_time);
    for (kind, verb, _) in GROUPS {
        let group: Vec<&Change> = changes.iter().filter(|change| change.kind == kind).collect();
        if group.is_empty() {
            continue;
        }
        out.line(format!(
            "\n{} {}",
            bold(verb),
            count(group.len() as u64, "path", "paths")
        ))?;
        limited(out, &group, |change| match &change.from {
            Some(from) => format!("  {} -> {}", clean(from), clean(&change.name)),
            None if kind == Kind::Attributes => {
                let list = attributes(&change.before, &change.after).join(", ");
                format!("  {}  {}", clean(&change.name), dim(&clean(&list)))
            }
            None => format!("  {}", clean(&change.name)),
        })?;
    }
    if !times.is_empty() {
        let folders = count(times.len() as u64, "folder", "folders");
        out.line(format!("\n{} {folders}", bold("set back the time of change of")))?;
    }
    print_calls(out, plan)?;
    print_conflicts(out, plan)?;
    print_rest(out, plan)?;
    if plan.is_empty() {
        let rest = plan.conflicts.is_empty() && plan.lost.is_empty() && plan.held.is_empty();
        let why = if rest {
            ": everything is as it should be"
        } else {
            " about the rest"
        };
        return out.line(format!("\nnothing to do{why}"));
    }
    let steps = (plan.steps.len() + plan.compensations.len()) as u64;
    out.line(format!(
        "\n{} on {}, {} to write, about {}; {} already as they should be",
        count(steps, "step", "steps"),
        count(plan.totals.resources, "path", "paths") + &commands(plan),
        bytes(plan.totals.bytes),
        seconds(estimate(plan)),
        plan.totals.settled,
    ))?;
    let command = command_line(&prepared.args.argv(&prepared.session));
    out.line(dim(&format!("`{}` applies it", clean(&command))))
}

/// The commands that take back what commands did elsewhere, in the order in which they are run.
fn print_calls(out: &mut Out, plan: &Plan) -> Done<()> {
    if plan.compensations.is_empty() {
        return Ok(());
    }
    let number = plan.compensations.len() as u64;
    out.line(format!(
        "\n{} {}",
        bold("run"),
        count(number, "command", "commands")
    ))?;
    limited(out, &plan.compensations, |call| {
        let words = call.wording.as_deref().unwrap_or(&call.effect.name);
        let known = if call.started {
            " (begun before: it is looked at first)"
        } else {
            ""
        };
        format!("  {}{}", clean(words), dim(known))
    })
}

fn commands(plan: &Plan) -> String {
    match plan.compensations.len() as u64 {
        0 => String::new(),
        number => format!(" and by {}", count(number, "command", "commands")),
    }
}

/// Whether nothing but a folder's time of change is brought back, which follows from the rest.
fn is_folder_time(change: &Change) -> bool {
    let is_folder = change.after.fields().and_then(|fields| fields.text("kind")) == Some("dir");
    let list = attributes(&change.before, &change.after);
    change.kind == Kind::Attributes && is_folder && list.iter().all(|own| own.starts_with("mtime:"))
}

fn limited<T>(out: &mut Out, list: &[T], line: impl Fn(&T) -> String) -> Done<()> {
    for item in list.iter().take(LINES) {
        out.line(line(item))?;
    }
    if list.len() > LINES {
        out.line(dim(&format!(
            "  and {} more (--json lists all)",
            list.len() - LINES
        )))?;
    }
    Ok(())
}

fn print_conflicts(out: &mut Out, plan: &Plan) -> Done<()> {
    if plan.conflicts.is_empty() {
        return Ok(());
    }
    let number = plan.conflicts.len() as u64;
    out.line(format!("\n{}", red(&count(number, "conflict", "conflicts"))))?;
    out.line("the session and somebody else changed the same")?;
    plan.conflicts
        .iter()
        .try_for_each(|conflict| print_conflict(out, conflict))
}

/// One conflict with both sides.
///
/// # Errors
/// stdout can't be written.
pub fn print_conflict(out: &mut Out, conflict: &Conflict) -> Done<()> {
    out.line(format!("  {}", yellow(&clean(&conflict.name))))?;
    for clash in &conflict.clashes {
        if clash.fields.iter().all(|field| field.field.is_none()) {
            out.text(&whole_text(clash))?;
        }
        for field in clash.fields.iter().filter(|field| field.field.is_some()) {
            out.text(&field_text(field))?;
        }
    }
    for action in &conflict.dependents {
        out.line(format!("    changed since by action {action}"))?;
    }
    Ok(())
}

/// A conflict over the whole of a path.
fn whole_text(clash: &Clash) -> String {
    let left = clash
        .after
        .as_ref()
        .map_or_else(|| "not known".to_owned(), summary);
    let side = |name: &str, text: &str| format!("    {}: {}\n", dim(name), clean(text));
    [
        side("before the session", &summary(&clash.before)),
        side("as the session left it", &left),
        side("now", &summary(&clash.now)),
    ]
    .concat()
}

fn field_text(field: &FieldConflict) -> String {
    let mut text = String::new();
    let name = field.field.as_deref().unwrap_or("whole");
    if field.hunks.is_empty() {
        let show = |side: &str, of: Option<&rescind_model::Value>| {
            format!("    {name} {side}: {}\n", clean(&value(name, of)))
        };
        text.push_str(&show("before the session", field.before.as_ref()));
        text.push_str(&show("as the session left it", field.after.as_ref()));
        text.push_str(&show("now", field.now.as_ref()));
        return text;
    }
    for hunk in &field.hunks {
        let sides = [
            ("before the session", hunk.before_line, &hunk.before),
            ("as the session left it", hunk.after_line, &hunk.after),
            ("now", hunk.now_line, &hunk.now),
        ];
        for (side, line, lines) in sides {
            text.push_str(&format!("    {} line {line}:\n", dim(side)));
            for line in lines.lines() {
                text.push_str(&format!("      {}\n", clean_lines(line)));
            }
            if lines.is_empty() {
                text.push_str(&format!("      {}\n", dim("(no lines)")));
            }
        }
    }
    text
}

fn print_rest(out: &mut Out, plan: &Plan) -> Done<()> {
    if !plan.lost.is_empty() {
        let number = plan.lost.len() as u64;
        out.line(format!(
            "\n{}",
            red(&format!("can't come back: {}", count(number, "path", "paths")))
        ))?;
        let remarks: Vec<_> = plan.lost.iter().map(rescind_recovery::Lost::remark).collect();
        limited(out, &remarks, |lost| {
            format!("  {}: {}", clean(&lost.name), clean(&lost.why))
        })?;
    }
    if !plan.held.is_empty() {
        out.line(format!("\n{}", yellow("stays as it is")))?;
        limited(out, &plan.held, |held| {
            let by: Vec<String> = held.dependents.iter().map(ToString::to_string).collect();
            let by = if by.is_empty() {
                String::new()
            } else {
                format!(" (action {})", by.join(", "))
            };
            format!("  {}: {}{by}", clean(&held.held.step.name), clean(&held.held.why))
        })?;
    }
    for flapping in &plan.flapping {
        out.line(format!(
            "\n{}: restored {} times and it came back each time; find what sets it",
            clean(&flapping.name),
            flapping.times
        ))?;
    }
    if !plan.dependents.is_empty() {
        out.line(format!(
            "\n{}",
            yellow("later actions that changed the same and may have built on it")
        ))?;
        let dependents: Vec<_> = plan.dependents.iter().collect();
        limited(out, &dependents, |action| format!("  {action}"))?;
    }
    Ok(())
}

/// A plan as JSON.
#[must_use]
pub fn plan_json(prepared: &Prepared<'_>, plan: &Plan) -> Value {
    let sessions: Vec<String> = prepared.views().iter().map(|view| view.id.to_string()).collect();
    let steps: Vec<Value> = changes(plan).iter().map(change_json).collect();
    let conflicts: Vec<Value> = plan.conflicts.iter().map(conflict_json).collect();
    let remark = |name: &str, why: &str| json!({"path": name, "why": why});
    let lost: Vec<Value> = plan
        .lost
        .iter()
        .map(|lost| remark(&lost.name, &lost.remark().why))
        .collect();
    let held = plan.held.iter().map(|held| {
        json!({
            "path": held.held.step.name,
            "why": held.held.why,
            "tears": held.tears(),
            "dependents": held.dependents.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let flapping = plan
        .flapping
        .iter()
        .map(|own| json!({"path": own.name, "times": own.times}));
    json!({
        "session_id": prepared.session.to_string(),
        "sessions": sessions,
        "scope": plan.scope,
        "target": plan.target,
        "digest": plan.digest().to_string(),
        "steps": steps,
        "compensations": plan.compensations.iter().map(call_json).collect::<Vec<_>>(),
        "conflicts": conflicts,
        "lost": lost,
        "held": held.collect::<Vec<_>>(),
        "flapping": flapping.collect::<Vec<_>>(),
        "dependents": plan.dependents.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "undecided": plan.undecided(),
        "empty": plan.is_empty(),
        "totals": {
            "effects": plan.totals.effects,
            "paths": plan.totals.resources,
            "settled": plan.totals.settled,
            "bytes": plan.totals.bytes,
        },
        "estimated_seconds": estimate(plan),
    })
}

fn call_json(call: &Compensation) -> Value {
    json!({
        "action": call.effect.action.to_string(),
        "what": call.effect.name,
        "command": call.wording,
        "key": call.key,
        "begun_before": call.started,
        "found": call.expected.as_ref().map(StateForm::from),
        "target": StateForm::from(&call.effect.before),
    })
}

fn change_json(change: &Change) -> Value {
    let what = GROUPS
        .iter()
        .find(|(kind, _, _)| *kind == change.kind)
        .map(|(_, _, what)| *what);
    json!({
        "what": what,
        "path": change.name,
        "from": change.from,
        "attributes": attributes(&change.before, &change.after),
        "found": StateForm::from(&change.before),
        "target": StateForm::from(&change.after),
    })
}

fn conflict_json(conflict: &Conflict) -> Value {
    let clashes = conflict.clashes.iter().map(|clash| {
        json!({
            "before": StateForm::from(&clash.before),
            "after": clash.after.as_ref().map(StateForm::from),
            "now": StateForm::from(&clash.now),
        })
    });
    let fields = conflict
        .clashes
        .iter()
        .flat_map(|clash| &clash.fields)
        .map(|field| {
            let name = field.field.as_deref().unwrap_or_default();
            let side = |of: Option<&rescind_model::Value>| of.map(|of| value(name, Some(of)));
            let hunks = field.hunks.iter().map(|hunk| {
                json!({
                    "before": hunk.before, "after": hunk.after, "now": hunk.now,
                    "before_line": hunk.before_line, "after_line": hunk.after_line, "now_line": hunk.now_line,
                })
            });
            json!({
                "field": field.field,
                "before": side(field.before.as_ref()),
                "after": side(field.after.as_ref()),
                "now": side(field.now.as_ref()),
                "hunks": hunks.collect::<Vec<_>>(),
            })
        });
    json!({
        "path": conflict.name,
        "states": clashes.collect::<Vec<_>>(),
        "fields": fields.collect::<Vec<_>>(),
        "dependents": conflict.dependents.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
