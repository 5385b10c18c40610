//! `rescind export --check`: with the public key alone.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, green, red};
use crate::text::{clean, count};
use rescind_model::chain;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Check, and say what is wrong and where; exit code 4 where something is.
///
/// # Errors
/// A file can't be read, or the proof itself shows nothing.
pub fn run(context: &Context, export: &Path, proof: &Path, key: &str) -> Done {
    let open = |path: &Path| {
        File::open(path).map(BufReader::new).map_err(|error| {
            Failure::new(
                Code::InputOutput,
                format!("`{}` can't be read: {error}", path.display()),
            )
        })
    };
    let key = crate::commands::ledger::public_key(key)?;
    let checked = rescind_export::check(open(export)?, open(proof)?, &key).map_err(|error| {
        Failure::new(Code::ProofInvalid, chain(&error))
            .means("nothing is proved by it")
            .help("ask for the proof and the key again; the key must come from somebody you trust")
    })?;
    let complete = checked.findings.is_empty();
    let mut out = Out::new();
    if context.json {
        let faults: Vec<_> = checked
            .findings
            .iter()
            .map(|fault| json!({"line": fault.line, "seq": fault.seq, "what": fault.what}))
            .collect();
        out.json(&json!({
            "complete": complete, "origin": checked.origin, "format": checked.format, "session": checked.session,
            "from": checked.from, "to": checked.to, "lines": checked.lines, "signed": checked.size, "faults": faults,
        }))?;
    } else {
        for fault in &checked.findings {
            out.line(format!("{} {}", red("fault"), clean(&fault.to_string())))?;
        }
        let faults = checked.findings.len() as u64;
        let verdict = match complete {
            true => green("complete"),
            false => red(&format!(
                "not as it was exported, {}",
                count(faults, "fault", "faults")
            )),
        };
        let range = match checked.to.checked_sub(1) {
            Some(last) if checked.to > checked.from => format!("entries {} to {last}", checked.from),
            _ => "no entries".to_owned(),
        };
        out.line(format!(
            "{verdict}: {range} of the {} that {} signed, {}",
            checked.size,
            clean(&checked.origin),
            count(checked.lines, "line", "lines")
        ))?;
        if let Some(session) = &checked.session {
            out.line(format!(
                "only session {}: that none of its events is missing is the exporter's signed word",
                clean(session)
            ))?;
        }
    }
    out.end()?;
    Ok(if complete { Exit::Ok } else { Exit::NotVerified })
}
