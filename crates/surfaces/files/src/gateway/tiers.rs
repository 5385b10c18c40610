//! A hold's way through its tiers, and who is told of what.

use super::Gateway;
use super::tree::Node;
use rescind_supervisor::holds::HoldForm;
use rescind_supervisor::journal::{JudgedForm, WaitedForm};
use rescind_supervisor::{now, salt};
use serde_json::{Value, json};

/// A command is cut after so many characters where somebody is told of it: they look at the hold itself then.
const MOST_TOLD: usize = 2_000;

impl Gateway {
    /// A hold was opened: its first tier is told, and whom policies name.
    pub(super) fn tell_of_hold(&self, node: Node, form: &HoldForm) {
        let body = notice(&form.action, &form.agent, &form.argv, &form.judged, Some(form));
        if let Some(tier) = form.tiers.first() {
            self.notifier.tell(node, &tier.name, "held", &body);
        }
    }

    /// What was shown has moved: the tier that is asked now is told.
    pub(super) fn tell_moved(&self, node: Node, form: &HoldForm) {
        let body = notice(&form.action, &form.agent, &form.argv, &form.judged, Some(form));
        if let Some(tier) = form.tier_at(now()).and_then(|tier| form.tiers.get(tier)) {
            self.notifier.tell(node, &tier.name, "moved", &body);
        }
    }

    /// Policies name somebody who is told of an action, whatever becomes of it.
    pub(super) fn tell_named(&self, node: Node, argv: &[String], judged: &JudgedForm) {
        if judged.notify.is_empty() {
            return;
        }
        let event = match judged.verdict.as_str() {
            "hold" => "held",
            "deny" => "denied",
            _ => "runs",
        };
        let action = self.log.id().action(node).to_string();
        let body = notice(&action, &self.options.agent_name, argv, judged, None);
        for whom in &judged.notify {
            self.notifier.tell(node, whom, event, &body);
        }
    }

    /// The time of a tier may be up: the next one is asked, which is on record.
    pub(super) fn escalate(&mut self, node: Node) {
        let Some(held) = self.waiting.held.get_mut(&node) else {
            return;
        };
        let tier = held.form.tier_at(now()).unwrap_or(0);
        if tier <= held.tier {
            return;
        }
        let name = |tier: usize| {
            held.form
                .tiers
                .get(tier)
                .map_or("", |tier| tier.name.as_str())
                .to_owned()
        };
        let (from, to) = (name(held.tier), name(tier));
        held.tier = tier;
        let form = held.form.clone();
        let waited = WaitedForm {
            n: node,
            salt: salt(),
            at: now().to_string(),
            tier: Some(to.clone()),
            what: format!("{from} did not decide in time: {to} is asked"),
        };
        // It is asked all the same: what can't be recorded is not run in the end.
        let _not_on_record = self.flush().and_then(|()| self.log.waited(&waited));
        let body = notice(&form.action, &form.agent, &form.argv, &form.judged, Some(&form));
        self.notifier.tell(node, &to, "escalated", &body);
    }
}

fn notice(action: &str, agent: &str, argv: &[String], judged: &JudgedForm, hold: Option<&HoldForm>) -> Value {
    let cut = |text: &str| text.chars().take(MOST_TOLD).collect::<String>();
    let reasons = judged.reasons.iter().take(8).map(|reason| cut(reason));
    json!({
        "action_id": action,
        "agent": agent,
        "command": cut(&argv.join(" ")),
        "class": judged.class,
        "score": judged.score,
        "reasons": reasons.collect::<Vec<_>>(),
        "way_back": judged.recovery,
        "requester": hold.map(|form| &form.requester),
        "since": hold.map(|form| &form.since),
        "expires": hold.map(|form| &form.expires),
        "decide": hold.map(|form| format!("rescind approvals {}", form.action)),
    })
}
