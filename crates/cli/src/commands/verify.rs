//! `rescind verify`: the ledger and everything that is kept, against it.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, green, red, say};
use crate::text::{clean, count};
use crate::triggers::tampered;
use clap::Args;
use rescind_supervisor::verify::{Report, verify};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Arguments of `rescind verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// A checkpoint that was saved earlier: the ledger must still hold everything it covers
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
}

/// Verify; exit code 4 where something is wrong.
///
/// # Errors
/// The state directory is not known, or `--since` can't be read.
pub fn run(context: &Context, args: &VerifyArgs) -> Done {
    let home = context.home()?;
    // A store that can't be opened is verified all the same: that is what the command is for.
    if home.root().exists()
        && let Err(error) = context.store()
    {
        say(format!(
            "rescind: {}",
            error.render().lines().next().unwrap_or_default()
        ));
    }
    let since = match &args.since {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            Failure::new(
                Code::InputOutput,
                format!("`{}` can't be read: {error}", path.display()),
            )
        })?),
        None => None,
    };
    let report = verify(&home, since.as_deref());
    if !report.is_sound() && !crate::context::inside_by_environment() {
        let faults = report.ledger.faults.iter().map(ToString::to_string);
        let first = faults.chain(report.faults.iter().map(ToString::to_string)).next();
        tampered(
            &home,
            &format!("verification found: {}", first.unwrap_or_default()),
        );
    }
    let mut out = Out::new();
    if context.json {
        out.json(&as_json(&report))?;
    } else {
        print(&mut out, &report)?;
    }
    out.end()?;
    Ok(if report.is_sound() {
        Exit::Ok
    } else {
        Exit::NotVerified
    })
}

fn print(out: &mut Out, report: &Report) -> Done<()> {
    let ledger = &report.ledger;
    for fault in &ledger.faults {
        out.line(format!("{} ledger/{}", red("fault"), clean(&fault.to_string())))?;
    }
    for fault in &report.faults {
        out.line(format!("{} {}", red("fault"), clean(&fault.to_string())))?;
    }
    for note in &ledger.notes {
        out.line(dim(&format!("note ledger/{}", clean(&note.to_string()))))?;
    }
    for note in &report.notes {
        out.line(dim(&format!("note {}", clean(&note.to_string()))))?;
    }
    let faults = (ledger.faults.len() + report.faults.len()) as u64;
    let verdict = if report.is_sound() {
        green("verified")
    } else {
        red(&format!("not verified, {}", count(faults, "fault", "faults")))
    };
    out.line(format!(
        "{verdict}: {}, {} of them signed; {} of {}, {} of them erased",
        count(ledger.entries, "entry", "entries"),
        ledger.signed,
        count(report.bodies, "body", "bodies"),
        count(report.sessions, "session", "sessions"),
        report.erased,
    ))
}

fn as_json(report: &Report) -> Value {
    let ledger = &report.ledger;
    let in_ledger = |fault: &rescind_ledger::Fault| {
        json!({"session_id": null, "file": format!("ledger/{}", fault.file), "offset": fault.offset,
            "entry": fault.entry, "what": fault.what})
    };
    let in_store = |fault: &rescind_supervisor::verify::Fault| {
        json!({"session_id": fault.session.as_ref().map(ToString::to_string), "file": fault.file,
            "offset": fault.offset, "entry": fault.entry, "what": fault.what})
    };
    let faults: Vec<Value> = ledger
        .faults
        .iter()
        .map(in_ledger)
        .chain(report.faults.iter().map(in_store))
        .collect();
    let notes: Vec<Value> = ledger
        .notes
        .iter()
        .map(in_ledger)
        .chain(report.notes.iter().map(in_store))
        .collect();
    json!({
        "sound": report.is_sound(),
        "origin": ledger.origin,
        "entries": ledger.entries,
        "signed": ledger.signed,
        "sessions": report.sessions,
        "erased": report.erased,
        "bodies": report.bodies,
        "faults": faults,
        "notes": notes,
    })
}
