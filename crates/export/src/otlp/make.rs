//! Spans of events.

use super::id;
use super::span::Span;
use crate::said;
use rescind_index::Event;
use rescind_supervisor::journal::{NodeEnded, Role};
use serde_json::{Value, json};

/// A span without anything but the event's place, time and session.
fn bare(event: &Event, trace: String, id: String, parent: Option<String>, name: String) -> Span {
    let at = said::nanos(&event.time);
    let mut span = Span {
        trace,
        id,
        parent,
        name,
        start: at,
        end: at,
        attributes: Vec::new(),
        events: Vec::new(),
        dropped_events: 0,
        error: None,
    };
    span.set("rescind.seq", event.seq);
    span.set_some("gen_ai.conversation.id", &event.session);
    span.set_some("gen_ai.agent.name", &event.agent);
    span.set_some("enduser.id", &event.owner);
    span.set_some("rescind.session", &event.session);
    span.set_some("rescind.domain", &event.domain);
    span.set_some("deployment.environment.name", &event.environment);
    if let Some(missing) = &event.missing {
        span.set_some("rescind.missing", missing);
    }
    span
}

/// The root: the session, which is one invocation of an agent, or an undo.
pub(super) fn session(event: &Event) -> Span {
    let opened = said::opened(event);
    let undo = opened.as_ref().and_then(|opened| opened.undoes.clone());
    let name = match (&undo, event.agent.as_str()) {
        (Some(_), _) => "undo".to_owned(),
        (None, "") => "invoke_agent".to_owned(),
        (None, agent) => format!("invoke_agent {}", said::short(agent)),
    };
    let mut span = bare(
        event,
        id::trace(&event.session),
        id::span(&event.session),
        None,
        name,
    );
    match &undo {
        Some(undone) => span.set("rescind.undoes", undone.as_str()),
        None => span.set("gen_ai.operation.name", "invoke_agent"),
    }
    if let Some(opened) = opened {
        span.set(
            "process.command_args",
            json!(said::shorts(opened.argv.iter().map(String::as_str))),
        );
        span.set_some("process.working_directory", &opened.cwd);
        span.set_some("host.name", &opened.host);
        if let Some(promotes) = &opened.promotes {
            span.set_some("rescind.promotes", promotes);
        }
        if opened.staged {
            span.set("rescind.staged", true);
        }
    }
    span
}

/// An action that begins.
pub(super) fn action(event: &Event, action: &str) -> Span {
    let node = said::started(event);
    let program = node.as_ref().map(said::program).unwrap_or_default();
    let tool = node.as_ref().is_none_or(|node| node.role == Role::Action);
    let name = match (tool, program.as_str()) {
        (true, "") => "execute_tool".to_owned(),
        (true, program) => format!("execute_tool {program}"),
        (false, program) => format!("process {program}"),
    };
    let parent = match node.as_ref().map_or(0, |node| node.parent) {
        0 => event.session.clone(),
        parent => format!("{}.{parent}", event.session),
    };
    let mut span = bare(
        event,
        id::trace(&event.session),
        id::span(action),
        Some(id::span(&parent)),
        name,
    );
    span.set("rescind.action", action);
    if tool {
        span.set("gen_ai.operation.name", "execute_tool");
        span.set("gen_ai.tool.call.id", action);
        span.set_some("gen_ai.tool.name", &program);
        span.set("gen_ai.tool.type", "extension");
    }
    let Some(node) = node else { return span };
    span.set("rescind.role", node.role.name());
    span.set("process.pid", node.pid);
    span.set_some("process.executable.path", &node.exe);
    span.set_some("process.executable.name", &program);
    span.set(
        "process.command_args",
        json!(said::shorts(node.argv.iter().map(String::as_str))),
    );
    span.set_some("process.working_directory", &node.cwd);
    if let Some(reasoning) = &node.reasoning {
        span.set_some("rescind.reasoning", reasoning);
    }
    if let Some(judged) = said::verdict(&node) {
        span.set("rescind.class", judged.class.as_str());
        span.set("rescind.score", judged.score);
        span.set("rescind.verdict", judged.verdict.as_str());
        span.set("rescind.policy", judged.policy.as_str());
        span.set(
            "rescind.reasons",
            json!(said::shorts(judged.reasons.iter().map(String::as_str))),
        );
        span.set_some("rescind.kind", &judged.kind);
        if !judged.uncovered.is_empty() {
            let uncovered = said::shorts(judged.uncovered.iter().map(String::as_str));
            span.set("rescind.uncovered", json!(uncovered));
        }
    }
    span
}

/// What its end says of an action.
pub(super) fn end(span: &mut Span, event: &Event) {
    span.end = said::nanos(&event.time);
    span.set("rescind.seq_end", event.seq);
    let Some(ended) = said::ended(event) else {
        if let Some(missing) = &event.missing {
            span.set_some("rescind.missing", missing);
        }
        return;
    };
    let (how, well) = said::exit(ended.exit);
    if !well {
        span.error = Some(how.clone());
    }
    span.set("rescind.exit", how);
    if let rescind_supervisor::journal::ExitForm::Code(code) = ended.exit {
        span.set("process.exit.code", code);
    }
    span.set("rescind.effects", ended.effects);
    span.set("rescind.output.bytes", ended.output.bytes);
    coverage(span, &ended);
}

/// Law 7: what was not captured is said.
fn coverage(span: &mut Span, ended: &NodeEnded) {
    if ended.missing.is_empty() {
        span.set("rescind.coverage", "captured");
        return;
    }
    span.set("rescind.coverage", "partial");
    let missing: Vec<String> = ended
        .missing
        .iter()
        .map(|(what, why)| format!("{what}: {why}"))
        .collect();
    span.set(
        "rescind.not_captured",
        json!(said::shorts(missing.iter().map(String::as_str))),
    );
}

/// What happened at an instant: in the trace of its session, of its kill, or in one of its own.
pub(super) fn instant(event: &Event, origin: &str) -> Span {
    let own = format!("{origin} {}", event.seq);
    let (trace, parent) = if event.session.is_empty() {
        let kill = said::stop(event).map(|stop| format!("{origin} kill {stop}"));
        (id::trace(&kill.unwrap_or_else(|| own.clone())), None)
    } else {
        let parent = event.action.as_deref().unwrap_or(&event.session);
        (id::trace(&event.session), Some(id::span(parent)))
    };
    let mut span = bare(event, trace, id::span(&own), parent, event.kind.clone());
    for (name, value) in details(event) {
        span.set(&name, value);
    }
    span
}

/// What an event that is a part of a longer span says.
pub(super) fn details(event: &Event) -> Vec<(String, Value)> {
    let mut of: Vec<(String, Value)> = vec![("rescind.seq".to_owned(), json!(event.seq))];
    let mut set = |name: &str, value: Value| of.push((name.to_owned(), value));
    if let Some(waited) = said::waited(event) {
        set("rescind.hold.what", json!(said::short(&waited.what)));
        if let Some(tier) = &waited.tier {
            set("rescind.hold.tier", json!(said::short(tier)));
        }
    } else if let Some(decided) = said::decided(event) {
        let how = serde_json::to_value(decided.closed.how).unwrap_or(Value::Null);
        set("rescind.hold.ended", how);
        let people: Vec<&str> = decided
            .closed
            .decisions
            .iter()
            .map(|one| one.person.as_str())
            .collect();
        set("rescind.hold.persons", json!(said::shorts(people)));
    } else if let Some(credential) = said::credential(event) {
        set("rescind.credential", json!(said::short(&credential.credential)));
        set(
            "rescind.credential.issuer",
            json!(said::short(&credential.issuer)),
        );
        set("rescind.credential.said", json!(said::short(&credential.said)));
    } else if said::system(event).is_some() {
        set(
            "rescind.undo",
            json!(said::short(
                &event.body.as_ref().map(Value::to_string).unwrap_or_default()
            )),
        );
    } else if let Some(text) = said::sentence(event) {
        set("rescind.note", json!(text));
    }
    if let Some(action) = &event.action {
        set("rescind.action", json!(action));
    }
    if let Some(missing) = &event.missing {
        set("rescind.missing", json!(said::short(missing)));
    }
    of
}
