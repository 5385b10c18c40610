//! What a reviewer is shown besides the command: what it names, and why the agent does it. If that has moved when an
//! approval comes, it is shown again.

use super::Gateway;
use super::hold::{Held, tell};
use super::nodes::REASON_VARIABLE;
use super::tree::Node;
use crate::preview::preview;
use rescind_model::Digest;
use rescind_supervisor::holds::{HoldForm, PreviewForm};
use rescind_supervisor::journal::{NodeStarted, WaitedForm};
use rescind_supervisor::{Judged, now, salt};

impl Gateway {
    /// Look at what a command names.
    pub(super) fn preview(&self, judged: &Judged) -> PreviewForm {
        let mut found = preview(&judged.paths, self.options.largest);
        for path in &mut found.paths {
            path.path = self.rules.redact(&path.path).text.into_owned();
        }
        found
    }

    /// A hold that shows what was found, and is bound to it and to what is exact of the action.
    pub(super) fn shown_form(&self, started: &NodeStarted, judged: &Judged, exact: &Digest) -> HoldForm {
        let found = self.preview(judged);
        let mut form = self.hold_form(started, judged, found.bind(exact));
        form.preview = Some(found);
        form
    }

    /// Why the agent does it, as it said itself or somebody said for it.
    pub(super) fn reasoning_of(&self, started: &NodeStarted) -> Option<String> {
        let above = || {
            let info = self.nodes.get(&started.parent)?;
            let name = [REASON_VARIABLE.as_bytes(), b"="].concat();
            let said = info
                .environment
                .iter()
                .find_map(|pair| pair.strip_prefix(&*name))?;
            let said = String::from_utf8_lossy(said);
            let short: String = said.chars().take(MOST_REASON).collect();
            Some(self.rules.redact(&short).text.into_owned()).filter(|said| !said.is_empty())
        };
        started.reasoning.clone().or_else(above)
    }

    /// An approval has come: whether what it is for is as it was shown. If not, the hold goes on with what is there now.
    pub(super) fn has_moved(&mut self, node: Node) -> bool {
        let Some(held) = self.waiting.held.get(&node) else {
            return false;
        };
        let Some((exact, shown)) = held.exact.as_ref().zip(held.form.preview.as_ref()) else {
            return false;
        };
        let found = self.preview(&held.judged);
        if found.state == shown.state {
            return false;
        }
        let mut form = held.form.clone();
        form.digest = found.bind(exact).to_string();
        form.preview = Some(found);
        form.moved += 1;
        let process = held.process();
        let waited = WaitedForm {
            n: node,
            salt: salt(),
            at: now().to_string(),
            tier: None,
            what: "what it names has changed since it was shown: it is shown again, and nobody has approved that".to_owned(),
        };
        let _not_on_record = self.flush().and_then(|()| self.log.waited(&waited));
        // If it can't be shown, the old hold stands: its approvals are not for what is there, and it expires.
        let _still_waits = self.options.holds.open(&form);
        tell(process, &format!("held ({}): {}", form.action, waited.what));
        self.tell_moved(node, &form);
        self.waiting.looking.shown_anew(node);
        if let Some(held) = self.waiting.held.get_mut(&node) {
            held.form = form;
        }
        true
    }
}

impl Held {
    /// The same, with the digest of all that is exact of it but what it names.
    pub(super) fn bound_to(mut self, exact: Digest) -> Self {
        self.exact = Some(exact);
        self
    }
}

/// A reason is cut after so many characters where it is shown.
const MOST_REASON: usize = 4_000;
