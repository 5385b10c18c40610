//! What annotations say of a policy.

use super::Effect;
use cedar_policy::Policy;

/// What a policy's annotations say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Annotations {
    /// `@hold("oncall")`: who decides.
    pub hold: Option<String>,
    /// `@deny("...")`: why not, for the agent.
    pub deny: Option<String>,
    /// `@two_person`: two different persons decide.
    pub two_person: bool,
    /// `@notify("owner")`: who is told.
    pub notify: Option<String>,
    /// `@auto_undo`: what fails is undone at once.
    pub auto_undo: bool,
    /// `@because("...")`: why, for the reviewer.
    pub because: Option<String>,
}

/// Who decides where a policy names nobody.
pub(crate) const REVIEWER: &str = "reviewer";

const KNOWN: [&str; 7] = [
    "id",
    "hold",
    "deny",
    "two_person",
    "notify",
    "auto_undo",
    "because",
];

/// Read them, and tell what a match means.
pub(super) fn read(policy: &Policy, permits: bool) -> Result<(Annotations, Effect), String> {
    if let Some((unknown, _)) = policy.annotations().find(|(name, _)| !KNOWN.contains(name)) {
        let known: Vec<String> = KNOWN.iter().map(|name| format!("@{name}")).collect();
        return Err(format!(
            "`@{unknown}` is not an annotation: they are {}",
            known.join(", ")
        ));
    }
    let text = |name: &str| match policy.annotation(name) {
        Some(text) if text.trim().is_empty() => {
            Err(format!("`@{name}` says nothing: write @{name}(\"...\")"))
        }
        text => Ok(text.map(str::to_owned)),
    };
    let annotations = Annotations {
        hold: text("hold")?,
        deny: text("deny")?,
        two_person: policy.annotation("two_person").is_some(),
        notify: text("notify")?,
        auto_undo: policy.annotation("auto_undo").is_some(),
        because: text("because")?,
    };
    let holds = annotations.hold.is_some() || annotations.two_person;
    if permits && (holds || annotations.deny.is_some()) {
        return Err("a `permit` lets run: @hold, @two_person and @deny go with `forbid`".to_owned());
    }
    if !permits && annotations.auto_undo {
        return Err("@auto_undo goes with `permit`: what is stopped does not fail".to_owned());
    }
    if holds && annotations.deny.is_some() {
        return Err("@deny and @hold contradict each other: it is denied, or somebody decides".to_owned());
    }
    let effect = match (permits, holds) {
        (true, _) => Effect::Run,
        (false, true) => Effect::Hold,
        (false, false) => Effect::Deny,
    };
    Ok((annotations, effect))
}
