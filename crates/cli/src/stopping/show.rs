//! The answer to a stop: who stopped, when and how, and what was under way.

use super::After;
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, red, yellow};
use crate::text::{clean, count};
use rescind_supervisor::control::{How, KillReport, KillScope, Mode, Stopped};
use serde_json::{Value, json};

/// Say what a stop came to.
///
/// # Errors
/// Something in its scope goes on, or a credential may still work.
pub fn answer(context: &Context, report: &KillReport, after: &After) -> Done {
    let mut out = Out::new();
    if context.json {
        out.json(&answer_json(report, after)?)?;
    } else {
        print(&mut out, report, after)?;
    }
    out.end()?;
    if let Some(left) = report
        .sessions
        .iter()
        .find(|stopped| stopped.how == How::NotStopped)
    {
        let message = format!("processes of session {} are still there", left.member.session);
        return Err(Failure::new(Code::NotStopped, message)
            .means("no new call of theirs is let through; what is open for writing may still be written to")
            .help("end them with `kill -9`, then give the command again"));
    }
    if let Some(unproved) = after.unproved() {
        let message = format!("it was stopped; not proved dead: {unproved}");
        return Err(Failure::new(Code::CredentialUnproved, message)
            .means("it may still work, until it ends by itself")
            .help("`rescind revoke` tries again"));
    }
    Ok(Exit::Ok)
}

fn answer_json(report: &KillReport, after: &After) -> Done<Value> {
    let mut answer =
        serde_json::to_value(report).map_err(|error| Failure::new(Code::InputOutput, error.to_string()))?;
    if let Some(fields) = answer.as_object_mut() {
        if let KillScope::Session(session) = &report.stop.scope {
            fields.insert("session_id".to_owned(), json!(session));
        }
        fields.insert("killed".to_owned(), json!(report.stop.mode == Mode::Kill));
        fields.insert("recorded".to_owned(), json!(after.unrecorded.is_none()));
        fields.insert("credentials".to_owned(), after.credentials_json());
    }
    Ok(answer)
}

fn print(out: &mut Out, report: &KillReport, after: &After) -> Done<()> {
    let took = format!("{:.0} ms", report.milliseconds);
    let stop = &report.stop;
    match (&stop.scope, stop.mode) {
        (KillScope::Session(id), Mode::Kill) => {
            out.line(format!(
                "session {id} was ended in {took}; `rescind undo {id}` takes it back"
            ))?;
        }
        (scope, mode) => {
            let stopped = count(report.sessions.len() as u64, "session", "sessions");
            out.line(format!(
                "{} is {}: {stopped} in {took}",
                clean(&scope.to_string()),
                mode.done()
            ))?;
            out.line(dim(&format!(
                "it stays so until `rescind resume {} --why ...`",
                clean(&words(scope))
            )))?;
        }
    }
    for stopped in &report.sessions {
        print_one(out, stopped)?;
    }
    for end in &after.credentials {
        out.line(format!("  {}", end.sentence()))?;
    }
    if let Some(why) = &after.unrecorded {
        out.line(yellow(&format!(
            "  not on record yet, but as soon as that can be: {}",
            clean(why)
        )))?;
    }
    Ok(())
}

fn print_one(out: &mut Out, stopped: &Stopped) -> Done<()> {
    let Stopped { member, how, .. } = stopped;
    let how = match how {
        How::Acknowledged => "acknowledged".to_owned(),
        How::LeaseEnded => yellow("did not answer: ended with its lease"),
        How::Ended => "had come to its end".to_owned(),
        How::NotStopped => red("not stopped"),
    };
    let domain = match member.domain.as_str() {
        "" => String::new(),
        domain => format!(" in {}", clean(domain)),
    };
    out.line(format!(
        "  {} {}{domain}: {how}; nothing started after {:.1} ms, nothing ran after {:.1} ms",
        member.session,
        clean(&member.agent),
        stopped.shut_ms,
        stopped.milliseconds
    ))?;
    for action in &stopped.in_flight {
        out.line(format!(
            "    {}: {}",
            action.action,
            action.state.replace('_', " ")
        ))?;
    }
    Ok(())
}

/// The options that mean a scope.
fn words(scope: &KillScope) -> String {
    match scope {
        KillScope::Session(id) => format!("--session {id}"),
        KillScope::Agent(name) => format!("--agent {name}"),
        KillScope::Domain(name) => format!("--domain {name}"),
        KillScope::Everything => "--everything".to_owned(),
    }
}
