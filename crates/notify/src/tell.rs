//! The sentences that chat and mail share.

use crate::form::Form;
use crate::message::Event;
use crate::words;

/// What asks says so: the link shows, and a signed-in person decides.
pub(crate) const SIGN_IN: &str =
    "Approving, changing or rejecting needs a sign-in; nothing is decided by opening this link.";

/// One line that says what it is about: `payments/prod: deploy-bot waits for a decision: kubectl delete ...`.
pub(crate) fn title(form: &Form, most: usize) -> String {
    let place = if form.domain.is_empty() {
        String::new()
    } else {
        format!("{}: ", form.domain)
    };
    let agent = if form.agent.is_empty() {
        "an agent"
    } else {
        &form.agent
    };
    let what = words::line(&form.what, 200);
    let colon = |head: String, rest: &str| {
        if rest.is_empty() {
            head
        } else {
            format!("{head}: {rest}")
        }
    };
    let sentence = match form.event() {
        Event::Held => colon(format!("{agent} waits for a decision"), &what),
        Event::Moved => colon(
            format!("{agent} waits again, as what it is about has changed"),
            &what,
        ),
        Event::Escalated => colon(
            format!("nobody answered yet, {agent} still waits for a decision"),
            &what,
        ),
        Event::Decided => colon(outcome(form, "decided"), &what),
        Event::Kill => colon(outcome(form, "stopped"), &what),
        Event::Undo => colon(outcome(form, "undo ended"), &what),
        Event::Test => "a test; nothing happened, and nothing waits".to_owned(),
    };
    words::line(&format!("{place}{sentence}"), most)
}

fn outcome(form: &Form, otherwise: &str) -> String {
    let what = if form.outcome.is_empty() {
        otherwise
    } else {
        &form.outcome
    };
    if form.by.is_empty() {
        what.to_owned()
    } else {
        format!("{what} (by {})", form.by)
    }
}

/// Facts about it, a name and a text each, in the order in which people need them.
pub(crate) fn facts(form: &Form) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let mut fact = |name, text: String| {
        if !text.is_empty() {
            facts.push((name, text));
        }
    };
    fact("Outcome", form.outcome.clone());
    fact("By", form.by.clone());
    fact("Agent", with(&form.agent, "started by", &form.owner));
    fact("Domain", with(&form.domain, "environment", &form.environment));
    fact("Class", form.class().map(class).unwrap_or_default());
    fact(
        "Risk",
        form.score
            .map(|score| format!("{score} of 100"))
            .unwrap_or_default(),
    );
    fact("Asked", form.groups.join(", "));
    fact("Waits until", form.until.clone().unwrap_or_default());
    fact(
        "Action",
        form.action.clone().unwrap_or_else(|| form.session.clone()),
    );
    facts
}

fn with(text: &str, word: &str, more: &str) -> String {
    match (text.is_empty(), more.is_empty()) {
        (_, true) => text.to_owned(),
        (true, false) => format!("{word} {more}"),
        (false, false) => format!("{text}, {word} {more}"),
    }
}

fn class(class: rescind_model::Class) -> String {
    use rescind_model::{Class, Reversibility};
    match class {
        Class::NoEffect => "no effect",
        Class::Known(Reversibility::TriviallyReversible) => "trivially reversible",
        Class::Known(Reversibility::ReversibleWithState) => "reversible with saved state",
        Class::Known(Reversibility::ReversibleWithBackup) => "reversible with a backup",
        Class::Known(Reversibility::PartiallyReversible) => "only partly reversible",
        Class::Known(Reversibility::Irreversible) => "irreversible",
        Class::Unknown => "unknown: nobody can tell what it does",
    }
    .to_owned()
}

/// The heading of the changes: an undo has made them, a hold would.
pub(crate) fn changes_heading(form: &Form) -> &'static str {
    if form.event().asks() {
        "It would change"
    } else {
        "Changes"
    }
}

/// The heading of the policy's sentences.
pub(crate) fn reasons_heading(form: &Form) -> &'static str {
    if form.event().asks() {
        "Why it is held"
    } else {
        "Why"
    }
}

/// The last line of changes that were cut.
pub(crate) fn more(form: &Form) -> Option<String> {
    (form.more_changes > 0).then(|| format!("and {} more", form.more_changes))
}

/// What the link is called.
pub(crate) fn link_label(form: &Form) -> &'static str {
    match form.event() {
        Event::Held | Event::Moved | Event::Escalated => "Look at it and decide",
        Event::Decided => "Look at the action",
        Event::Kill => "See what stopped",
        Event::Undo => "See the receipt",
        Event::Test => "Open rescind",
    }
}
