//! The recorded past, judged by the policies in force or by others.

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::judging::desk_of;
use crate::out::{Out, bold, dim};
use crate::record;
use crate::text::{clean, count};
use crate::undoing::window;
use rescind_desk::{Configuration, SessionDesk};
use rescind_model::command_line;
use rescind_supervisor::journal::{ExitForm, SessionKind};
use rescind_supervisor::{Asked, Desk as _, Judged, Node, SessionView};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Why an action was let run, held or denied; and what would be said of it now.
///
/// # Errors
/// It is not found, or was never judged, or the policies can't be used.
pub fn explain(context: &Context, asked: &str) -> Done {
    let store = context.store()?;
    let action = context::action(&store, asked, None)?;
    let view = context::load(&store, &action.session)?;
    let node = view.nodes.get(&action.number);
    let Some((node, judged)) = node.and_then(|node| Some((node, node.started.judged.as_ref()?))) else {
        return Err(
            Failure::new(Code::NoSuchAction, format!("{action} was not judged"))
                .help("only actions are, and what they start; `rescind log --tree` lists them"),
        );
    };
    let mut desk = desk_of(&Configuration::of_user(), &view)?;
    let again = again(&mut desk, &view, action.number, node);
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "action_id": action.to_string(),
            "command": command_line(&node.started.argv),
            "judged": judged,
            "decision": record::decision(node),
            "now": again.form,
        }))?;
    } else {
        out.line(bold(&clean(&command_line(&node.started.argv))))?;
        print(&mut out, "it was", judged)?;
        if let Some(decision) = record::decision(node) {
            out.line(format!(
                "  {} {}",
                dim(&format!("{:<10}", "people")),
                clean(&decision)
            ))?;
        }
        if again.form.policy == judged.policy {
            out.line(dim("the policies are the same now"))?;
        } else {
            print(&mut out, "now it would be", &again.form)?;
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn print(out: &mut Out, head: &str, judged: &rescind_supervisor::journal::JudgedForm) -> Done<()> {
    out.line(format!(
        "{head} {}: class {}, risk {} of 100",
        bold(past(&judged.verdict)),
        judged.class,
        judged.score
    ))?;
    let mut line =
        |name: &str, text: &str| out.line(format!("  {} {}", dim(&format!("{name:<10}")), clean(text)));
    for reason in &judged.reasons {
        line("because", reason)?;
    }
    for gap in &judged.uncovered {
        line("uncaptured", gap)?;
    }
    for factor in &judged.factors {
        line(
            "risk",
            &format!("{:>3} {}: {}", factor.points, factor.name, factor.why),
        )?;
    }
    line("way back", &judged.recovery)?;
    line("policies", &judged.policy)
}

fn past(verdict: &str) -> &str {
    match verdict {
        "allow" => "let run",
        "hold" => "held",
        _ => "denied",
    }
}

/// Judge what was recorded by other policies.
///
/// # Errors
/// A session can't be read, or the policies can't be used.
pub fn replay(context: &Context, since: Option<&str>, policies: &[PathBuf]) -> Done {
    let store = context.store()?;
    let since = since.map(window::time).transpose()?;
    let mut configuration = Configuration::of_user();
    if !policies.is_empty() {
        configuration = configuration.with_policies(policies.to_vec());
    }
    let (mut out, mut differences) = (Out::new(), Differences::default());
    for id in store.sessions()? {
        let Ok(view) = SessionView::load(&store, &id) else {
            differences.unreadable += 1;
            continue;
        };
        let began = view.opened.time.parse::<rescind_model::Timestamp>().ok();
        if view.opened.kind != SessionKind::Run
            || since.is_some_and(|since| began.is_none_or(|began| began < since))
        {
            continue;
        }
        session(context, &mut out, &configuration, &view, &mut differences)?;
    }
    if context.json {
        out.json(&differences.json())?;
    } else {
        out.line(differences.text())?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

#[derive(Default)]
struct Differences {
    judged: u64,
    held: u64,
    denied: u64,
    let_go: u64,
    unreadable: u64,
}

impl Differences {
    fn text(&self) -> String {
        let unreadable = match self.unreadable {
            0 => String::new(),
            number => format!(
                "; {} erased or damaged and left out",
                count(number, "session is", "sessions are")
            ),
        };
        format!(
            "{} judged again: {} more would be held, {} denied, {} let run{unreadable}",
            count(self.judged, "action", "actions"),
            self.held,
            self.denied,
            self.let_go
        )
    }

    fn json(&self) -> Value {
        json!({"judged": self.judged, "held": self.held, "denied": self.denied, "let_run": self.let_go, "unreadable": self.unreadable})
    }
}

fn session(
    context: &Context,
    out: &mut Out,
    configuration: &Configuration,
    view: &SessionView,
    differences: &mut Differences,
) -> Done<()> {
    let mut desk = desk_of(configuration, view)?;
    for (number, node) in &view.nodes {
        // A connection has no program of its own that could be judged by its words.
        let is_connection = node.started.argv.first().is_some_and(|first| first == "connect")
            && node.started.argv.len() == 2
            && node
                .started
                .judged
                .as_ref()
                .is_some_and(|judged| judged.entry.is_none());
        let Some(judged) = node.started.judged.as_ref().filter(|_| !is_connection) else {
            continue;
        };
        let now = again(&mut desk, view, *number, node);
        differences.judged += 1;
        let ran = node
            .ended
            .as_ref()
            .is_none_or(|ended| ended.exit != ExitForm::NotStarted);
        desk.settled(&now, ran);
        // What people let run for good by a rule is asked about by the policies as before; that is no difference.
        let by_rule = judged.rule.is_some() && now.form.verdict == "hold";
        if now.form.verdict == judged.verdict || by_rule {
            continue;
        }
        match now.form.verdict.as_str() {
            "hold" => differences.held += 1,
            "deny" => differences.denied += 1,
            _ => differences.let_go += 1,
        }
        let (id, command) = (
            view.id.action(*number).to_string(),
            command_line(&node.started.argv),
        );
        if context.json {
            out.json(&json!({
                "action_id": id,
                "command": command,
                "was": judged.verdict,
                "would_be": now.form.verdict,
                "reasons": now.form.reasons,
            }))?;
        } else {
            out.line(format!(
                "{id}  {} {}",
                clean(&command),
                dim(&format!(
                    "was {}, would be {}: {}",
                    past(&judged.verdict),
                    past(&now.form.verdict),
                    clean(now.form.reasons.first().map_or("", String::as_str))
                ))
            ))?;
        }
    }
    Ok(())
}

/// Judge a node by what is on record of it: what was redacted is not known any more.
fn again(desk: &mut SessionDesk, view: &SessionView, number: u64, node: &Node) -> Judged {
    let environment: Vec<Vec<u8>> = view
        .environment(number)
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect();
    desk.judge(&Asked {
        node: number,
        parent: node.started.parent,
        exe: &node.started.exe,
        file: "",
        argv: &node.started.argv,
        cwd: &node.started.cwd,
        environment: &environment,
        cleared: None,
        scopes: None,
    })
}
