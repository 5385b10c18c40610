//! What follows from a decision besides that something runs: that it may run again, or that something else may instead.

use super::Gateway;
use super::hold::tell;
use super::tree::Node;
use rescind_model::command_line;
use rescind_supervisor::holds::{ClosedForm, Decision, DecisionForm, HoldForm, Instead, after};
use rescind_supervisor::{Judged, now};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long what was approved instead may still be run.
const STANDS: Duration = Duration::from_secs(30 * 60);

impl Gateway {
    /// People want the same to run again without asking: whoever judges keeps that, once the decision is on record.
    pub(super) fn learn(&mut self, form: &HoldForm, judged: &Judged, closed: &ClosedForm) {
        let (Some(lesson), Some(desk)) = (closed.lesson(form), &mut self.desk) else {
            return;
        };
        if let Err(why) = desk.learn(judged, &lesson) {
            eprintln!("rescind: {} runs this once only: {why}", form.action);
        }
    }

    /// People want another command instead of what was held: it may run once, and the agent reads which.
    pub(super) fn replace(
        &mut self,
        node: Node,
        process: i32,
        form: &HoldForm,
        judged: &Judged,
        closed: &ClosedForm,
    ) {
        let Some(argv) = closed.instead() else { return };
        let by = |said: &&DecisionForm| {
            said.decision == Decision::Approve
                && said.change.as_deref() == Some(argv)
                && said.digest == form.digest
        };
        let said: Vec<&DecisionForm> = closed.decisions.iter().filter(by).collect();
        let until = after(now(), STANDS);
        let exe = argv.first().and_then(|name| self.program_of(node, name));
        let shown = command_line(argv);
        let kept = match (exe, &mut self.desk) {
            (Some(exe), Some(desk)) => desk.replace(
                judged,
                &Instead {
                    action: form.action.clone(),
                    argv: argv.to_vec(),
                    exe: exe.display().to_string(),
                    persons: said.iter().map(|said| said.person.clone()).collect(),
                    groups: form.judged.groups.clone(),
                    until,
                },
            ),
            _ => Err("no such program is found".to_owned()),
        };
        let message = said.iter().rev().find_map(|said| said.message.as_deref());
        let message = message.map_or_else(String::new, |message| format!("; {message}"));
        let text = match kept {
            Ok(()) => format!(
                "approved with changes ({}): run `{shown}` instead: it may run once, here, until {until}{message}",
                form.action
            ),
            Err(why) => {
                self.settle_judged(judged, false);
                format!(
                    "denied ({}): `{shown}` was approved instead, but {why}{message}",
                    form.action
                )
            }
        };
        tell(process, &text);
        let command = self.rules.redact_argv(&form.argv).join(" ");
        let why = format!(
            "approved with changes: {}",
            command_line(&self.rules.redact_argv(argv))
        );
        *self.refusals.entry((command, why)).or_default() += 1;
    }

    /// The file that a shell in the place of this node would find for a name.
    fn program_of(&self, node: Node, name: &str) -> Option<PathBuf> {
        let info = self.nodes.get(&node)?;
        if name.contains('/') {
            return Some(PathBuf::from(name));
        }
        let path = info
            .environment
            .iter()
            .find_map(|pair| pair.strip_prefix(b"PATH="))?;
        let folders = path.split(|byte| *byte == b':');
        let places = folders.map(|folder| Path::new(std::ffi::OsStr::from_bytes(folder)).join(name));
        places.into_iter().find(|place| place.is_file())
    }

    /// Decisions as they are kept: what a person wrote can hold a secret.
    pub(super) fn as_recorded(&self, closed: &ClosedForm) -> ClosedForm {
        let mut kept = closed.clone();
        for said in &mut kept.decisions {
            said.change = said.change.as_ref().map(|words| self.rules.redact_argv(words));
        }
        kept
    }
}
