//! What of an action's row is only shown, as it is stored: short names, and nothing for what is not there.

use crate::rows::{ActionRow, DecidedRow, Gap};
use serde::{Deserialize, Serialize};

/// The part of an action's row that is neither compared nor searched.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    #[serde(skip_serializing_if = "is_zero")]
    p: u64,
    t: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    c: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    x: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    w: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    k: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    r: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    g: Vec<Gap>,
    #[serde(skip_serializing_if = "is_zero")]
    gt: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ec: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sg: Option<i32>,
    #[serde(skip_serializing_if = "is_zero")]
    o: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<DecidedRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ru: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Body {
    pub fn of(row: &ActionRow) -> Self {
        let row = row.clone();
        Self {
            p: row.parent,
            t: row.time,
            e: row.ended,
            c: row.command,
            x: row.program,
            w: row.cwd,
            k: row.kind,
            r: row.reasons,
            g: row.gaps,
            gt: row.gaps_total,
            ex: row.exit,
            ec: row.exit_code,
            sg: row.signal,
            o: row.output,
            d: row.decided,
            ru: row.rule,
            y: row.why,
        }
    }

    /// Put it into a row that has the rest.
    pub fn fill(self, row: &mut ActionRow) {
        row.parent = self.p;
        row.time = self.t;
        row.ended = self.e;
        row.command = self.c;
        row.program = self.x;
        row.cwd = self.w;
        row.kind = self.k;
        row.reasons = self.r;
        row.gaps = self.g;
        row.gaps_total = self.gt;
        row.exit = self.ex;
        row.exit_code = self.ec;
        row.signal = self.sg;
        row.output = self.o;
        row.decided = self.d;
        row.rule = self.ru;
        row.why = self.y;
    }
}
