//! Undos: Remediation Activity (7001), Restore. The command is the undo's session.

use super::Class;
use crate::{Source, said};
use rescind_index::Event;
use rescind_supervisor::journal::{ReceiptForm, SystemForm};
use serde_json::{Map, Value, json};

pub(super) fn remediation(event: &Event, source: &Source) -> Map<String, Value> {
    let mut made = Class::REMEDIATION.begin(event, source, 3, "Restore");
    made.set("command_uid", event.session.as_str());
    match said::system(event) {
        Some(SystemForm::Receipt { receipt }) => {
            let (status, name) = outcome(&receipt);
            made.set("status_id", status);
            made.set("status", name);
            made.message(&format!(
                "{} restored, {} compensated, {} read back, {} in conflict, {} failed, {} in doubt",
                receipt.restored,
                receipt.compensated,
                receipt.read_back,
                receipt.conflicts.len(),
                receipt.failed.len(),
                receipt.in_doubt.len()
            ));
            if status != 1 {
                made.set("severity_id", 3);
            }
        }
        Some(other) => {
            let text = serde_json::to_string(&other).unwrap_or_default();
            made.keep("step", json!(said::short(&text)));
            made.set("status_id", 0);
        }
        None => made.set("status_id", 0),
    }
    made.end()
}

/// `status_id`: 1 success, 4 partial, 2 failure.
pub(crate) fn status(receipt: &ReceiptForm) -> u32 {
    outcome(receipt).0
}

fn outcome(receipt: &ReceiptForm) -> (u32, &'static str) {
    let open = receipt.conflicts.len()
        + receipt.lost.len()
        + receipt.failed.len()
        + receipt.in_doubt.len()
        + receipt.differs.len();
    let done = receipt.restored + receipt.already + receipt.compensated;
    match (open, done) {
        (0, _) => (1, "Success"),
        (_, 0) => (2, "Failure"),
        _ => (4, "Partial"),
    }
}
