//! Mirrors on both sides: kept up to date without a session, received, and verified by themselves.

use super::{entry_line, public_key};
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::out::{Out, dim, green, red, say};
use crate::text::{clean, count};
use rescind_ledger::MirrorReport;
use rescind_model::chain;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// How often the ledger is looked at: leaves time for signing and sending within the second.
const LOOK: Duration = Duration::from_millis(250);

/// Sign what others append, and bring the mirrors up to date, until Ctrl-C. A mirror that fails is tried again.
///
/// # Errors
/// The ledger can't be read.
pub fn follow(context: &Context) -> Done {
    let store = context.store_outside()?;
    let ledger = store.ledger();
    let interrupt = Interrupt::begin()?;
    let mut told: BTreeMap<String, String> = BTreeMap::new();
    let mut pushed = None;
    while !interrupt.came() {
        // Somebody else may have signed; a mirror wants that checkpoint, too.
        let last = ledger.last_checkpoint()?.map_or(0, |checkpoint| checkpoint.size);
        let size = ledger.len()?;
        if size > last {
            ledger.checkpoint()?;
        }
        if pushed != Some(size.max(last)) {
            let mut failed = false;
            for (place, result) in ledger.mirror_push()? {
                failed |= result.is_err();
                tell(&mut told, place, result.err().map(|error| chain(&error)));
            }
            pushed = (!failed).then_some(size.max(last));
        }
        std::thread::sleep(LOOK);
    }
    Ok(Exit::Ok)
}

/// Say what is new with a mirror, once.
fn tell(told: &mut BTreeMap<String, String>, place: String, error: Option<String>) {
    match error {
        Some(error) if told.get(&place) != Some(&error) => {
            say(format!("rescind: {}: {}", clean(&place), clean(&error)));
            told.insert(place, error);
        }
        None if told.remove(&place).is_some() => {
            say(format!("rescind: {}: up to date again", clean(&place)));
        }
        _ => {}
    }
}

/// Receive a mirror, until the process is ended.
///
/// # Errors
/// The address or the folder can't be used.
pub fn receive(folder: &Path, listen: &str) -> Done {
    let listener = TcpListener::bind(listen).map_err(|error| {
        Failure::new(
            Code::MirrorFailed,
            format!("`{listen}` can't be listened at: {error}"),
        )
    })?;
    say(format!(
        "rescind: receiving mirrors into {} at http://{}",
        clean(&folder.display().to_string()),
        listener.local_addr()?
    ));
    rescind_ledger::serve_mirror(&listener, folder)?;
    Ok(Exit::Ok)
}

/// Verify a mirror by itself; exit code 4 where something is wrong.
///
/// # Errors
/// The key is none, or the mirror can't be read.
pub fn verify(context: &Context, place: &str, key: &str) -> Done {
    let report = rescind_ledger::verify_mirror(place, &public_key(key)?)?;
    let mut out = Out::new();
    let size = report.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
    let origin = report
        .checkpoint
        .as_ref()
        .map(|checkpoint| checkpoint.origin.clone());
    if context.json {
        let shown = |faults: &[rescind_ledger::Fault]| -> Vec<_> {
            let one = |fault: &rescind_ledger::Fault| json!({"file": fault.file, "offset": fault.offset, "entry": fault.entry, "what": fault.what});
            faults.iter().map(one).collect()
        };
        out.json(&json!({
            "sound": report.faults.is_empty(), "origin": origin, "entries": size,
            "faults": shown(&report.faults), "notes": shown(&report.notes),
        }))?;
    } else {
        print(&mut out, &report)?;
        let verdict = match report.faults.len() as u64 {
            0 => green("verified"),
            faults => red(&format!("not verified, {}", count(faults, "fault", "faults"))),
        };
        let whose = origin.map_or_else(String::new, |origin| format!(", signed by {}", clean(&origin)));
        out.line(format!("{verdict}: {}{whose}", count(size, "entry", "entries")))?;
    }
    out.end()?;
    Ok(exit(&report))
}

/// The entries of a mirror, all of them under its checkpoint; exit code 4 where something is wrong.
///
/// # Errors
/// As [`verify`].
pub fn entries(context: &Context, place: &str, key: &str) -> Done {
    let key = public_key(key)?;
    // Once to verify, once to print: nothing is shown that is not proved.
    let report = rescind_ledger::verify_mirror(place, &key)?;
    let mut out = Out::new();
    if !report.faults.is_empty() {
        print(&mut out, &report)?;
        out.end()?;
        return Ok(exit(&report));
    }
    let mut printed = Ok(());
    let again = rescind_ledger::read_mirror(place, &key, &mut |index, bytes| {
        if printed.is_ok() {
            printed = entry_line(context, &mut out, index, bytes);
        }
    })?;
    printed?;
    print(&mut out, &again)?;
    out.end()?;
    Ok(exit(&again))
}

fn exit(report: &MirrorReport) -> Exit {
    if report.faults.is_empty() {
        Exit::Ok
    } else {
        Exit::NotVerified
    }
}

fn print(out: &mut Out, report: &MirrorReport) -> Done<()> {
    for fault in &report.faults {
        out.line(format!("{} {}", red("fault"), clean(&fault.to_string())))?;
    }
    for note in &report.notes {
        out.line(dim(&format!("note {}", clean(&note.to_string()))))?;
    }
    Ok(())
}
