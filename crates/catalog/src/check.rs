//! Checks of a catalog: its examples as tests, and what a careful reader would ask of an entry.

use crate::catalog::Catalog;
use crate::entry::{Effects, Entry, Example};
use crate::judge::{Context, Part};
use crate::template::Template;
use rescind_model::{Class, Reversibility};
use std::collections::HashMap;
use std::sync::Arc;

/// Something about an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub origin: String,
    /// The entry's pattern.
    pub entry: String,
    /// How bad.
    pub severity: Severity,
    /// What.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It could be better.
    Note,
    /// It is wrong.
    Error,
}

fn finding(entry: &Entry, severity: Severity, message: impl Into<String>) -> Finding {
    Finding {
        origin: entry.origin.clone(),
        entry: entry.command_pattern.clone(),
        severity,
        message: message.into(),
    }
}

/// Run the examples of all entries: how many there were, and which fail.
#[must_use]
pub fn examples(catalog: &Catalog) -> (usize, Vec<Finding>) {
    let mut count = 0;
    let mut failed = Vec::new();
    for entry in catalog.entries() {
        for example in &entry.examples.matching {
            count += 1;
            if let Some(why) = should_match(catalog, entry, example) {
                failed.push(finding(entry, Severity::Error, why));
            }
        }
        for example in &entry.examples.no_match {
            count += 1;
            let parts = parts_of(catalog, entry, &example.command);
            if parts.iter().any(|part| is(part, entry)) {
                let why = format!("`{}` should be another entry, and is this one", example.command);
                failed.push(finding(entry, Severity::Error, why));
            }
        }
    }
    (count, failed)
}

fn is(part: &Part, entry: &Arc<Entry>) -> bool {
    part.entry.as_ref().is_some_and(|found| Arc::ptr_eq(found, entry))
}

/// The parts of an example. Entries of a pseudo-program are asked for themselves.
fn parts_of(catalog: &Catalog, entry: &Entry, command: &str) -> Vec<Part> {
    let text = match command.strip_prefix("sql ") {
        Some(sql) if entry.command_pattern.starts_with("sql ") => {
            format!("psql -c {}", rescind_model::quote(sql))
        }
        _ => command.to_owned(),
    };
    catalog.judge_text(&text, &Context::default()).parts
}

fn should_match(catalog: &Catalog, entry: &Arc<Entry>, example: &Example) -> Option<String> {
    let parts = parts_of(catalog, entry, &example.command);
    let Some(part) = parts.iter().find(|part| is(part, entry)) else {
        let found: Vec<String> = parts
            .iter()
            .map(|part| {
                part.entry
                    .as_ref()
                    .map_or_else(|| part.why.clone(), |entry| entry.command_pattern.clone())
            })
            .collect();
        return Some(format!(
            "`{}` should be this entry, and is: {}",
            example.command,
            found.join("; ")
        ));
    };
    if part.class > Class::Known(Reversibility::PartiallyReversible) && entry.reversibility < part.class {
        return Some(format!("`{}` is {}: {}", example.command, part.class, part.why));
    }
    let empty = HashMap::new();
    let bound: HashMap<&String, &String> = match part.recoveries.first() {
        Some(recovery) => recovery.bindings.iter().collect(),
        None => part
            .targets
            .first()
            .map_or(empty, |target| target.iter().collect()),
    };
    for (name, value) in &example.binds {
        if bound.get(name) != Some(&value) {
            let found = bound.get(name).map_or("nothing", |value| value.as_str());
            return Some(format!(
                "`{}`: {{{name}}} should be `{value}` and is `{found}`",
                example.command
            ));
        }
    }
    let wanted = example.compensation.as_ref()?;
    let filled = part
        .recoveries
        .first()
        .and_then(|recovery| recovery.compensation());
    let found = filled.map(|filled| filled.text()).unwrap_or_default();
    (found != *wanted).then(|| {
        format!(
            "`{}`: the compensation should be `{wanted}` and is `{found}`",
            example.command
        )
    })
}

/// What is wrong, or could be better, about the entries.
#[must_use]
pub fn lint(catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: HashMap<&str, &Arc<Entry>> = HashMap::new();
    for entry in catalog.entries() {
        for pattern in entry.patterns() {
            if let Some(other) = seen.insert(pattern, entry)
                && other.own == entry.own
            {
                let message = format!("the pattern `{pattern}` is in `{}`, too", other.origin);
                findings.push(finding(entry, Severity::Error, message));
            }
        }
        findings.extend(lint_entry(catalog, entry));
    }
    findings
}

fn lint_entry(catalog: &Catalog, entry: &Arc<Entry>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |text: &str| findings.push(finding(entry, Severity::Note, text));
    if entry.examples.matching.is_empty() {
        note("it has no example that matches: nothing shows that its pattern is right");
    }
    if entry.examples.no_match.is_empty() {
        note("it has no example that looks like it and is something else");
    }
    if entry.does.is_empty() && entry.notes.is_empty() {
        note("it does not say what such a command does");
    }
    let lost = matches!(entry.reversibility, Class::Known(Reversibility::Irreversible));
    if lost && entry.compensating_action.is_some() {
        note("it is irreversible and has a compensating_action; one of them is wrong");
    }
    let promises = matches!(
        entry.reversibility,
        Class::Known(Reversibility::TriviallyReversible | Reversibility::ReversibleWithState)
    );
    if promises && entry.compensating_action.is_none() && entry.effects != Effects::LocalFiles {
        note("it is said to be reversible, and no compensating_action says how");
    }
    let unknown = unknown_placeholders(catalog, entry);
    if !unknown.is_empty() {
        let message = format!("nothing says where {} comes from", unknown.join(", "));
        findings.push(finding(entry, Severity::Error, message));
    }
    findings
}

/// Placeholders of an entry's commands that no wildcard, flag or capture can fill.
fn unknown_placeholders(catalog: &Catalog, entry: &Entry) -> Vec<String> {
    if catalog.takes_any_flag(entry) {
        return Vec::new();
    }
    let known = catalog.placeholders(entry);
    let texts = [&entry.compensating_action, &entry.pre_capture, &entry.verify];
    let mut unknown = Vec::new();
    for template in texts
        .into_iter()
        .flatten()
        .filter_map(|text| Template::new(text).ok())
    {
        for name in template.placeholders() {
            let name = name.to_owned();
            if !known.contains(&name) && !unknown.contains(&name) {
                unknown.push(name);
            }
        }
    }
    unknown
}
