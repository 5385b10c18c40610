//! `rescind policy rules`, `forget`: what was learned from approvals.

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, bold, dim, green, yellow};
use crate::person::person;
use crate::text::{ago, clean, count};
use rescind_desk::{Configuration, Learned, LearnedError, LearnedRules, Uses};
use rescind_model::{chain, command_line};
use rescind_policy::Granting;
use rescind_supervisor::entry::EntryKind;
use rescind_supervisor::now;
use serde_json::{Value, json};

/// List them, with who gave each, until when, and how often it was used.
///
/// # Errors
/// They can't be read.
pub fn rules(context: &Context) -> Done {
    let home = context.home()?;
    let learned = LearnedRules::at(home.learned());
    let version = Configuration::of_user().rules()?.version().to_string();
    let all = learned.all().map_err(|error| failure(&error))?;
    let mut out = Out::new();
    for rule in &all {
        let uses = learned.uses(&rule.grant.id);
        let state = state(rule, &version);
        if context.json {
            out.json(&json(rule, &uses, state))?;
        } else {
            print(&mut out, rule, &uses, state)?;
        }
    }
    if all.is_empty() && !context.json {
        out.line("no rules were learned from approvals")?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// Whether it lets anything run now.
fn state(rule: &Learned, version: &str) -> &'static str {
    if rule.grant.until <= now() {
        "expired"
    } else if rule.policy == version {
        "in force"
    } else {
        "asleep"
    }
}

fn print(out: &mut Out, rule: &Learned, uses: &Uses, state: &str) -> Done<()> {
    let shown = || match rule.shown.as_slice() {
        [] => "what was approved instead of it".to_owned(),
        words => command_line(words),
    };
    let command = rule.pattern.clone().unwrap_or_else(shown);
    out.line(format!("{}  {}", bold(&rule.grant.id), clean(&command)))?;
    let persons: Vec<&str> = rule.grant.persons.iter().map(String::as_str).collect();
    let whose = match &rule.grant.granting {
        Granting::Session(session) => format!("session {session}"),
        Granting::Agent => match &rule.within {
            Some(client) => format!("session {client}"),
            None => format!("agent {}", rule.grant.agent),
        },
    };
    let whose = if rule.once {
        format!("{whose}, once")
    } else {
        whose
    };
    let domain = match rule.grant.domain.as_str() {
        "" => String::new(),
        domain => format!(" in {domain}"),
    };
    let text = format!(
        "    {whose}{domain}, in {}; by {} {}",
        rule.cwd,
        persons.join(" and "),
        ago(&rule.at.to_string(), now())
    );
    out.line(dim(&clean(&text)))?;
    let standing = match state {
        "in force" => green(&format!("until {}", rule.grant.until)),
        "expired" => yellow(&format!("expired {}", rule.grant.until)),
        _ => yellow("asleep: the policies that asked were changed since"),
    };
    let last = uses
        .last
        .as_ref()
        .map(|(action, at)| format!(", last {} by {action}", ago(at, now())));
    let more = if uses.more { "over " } else { "" };
    out.line(format!(
        "    {standing}, {}",
        dim(&format!(
            "used {more}{}{}",
            count(uses.count, "time", "times"),
            last.unwrap_or_default()
        ))
    ))
}

fn json(rule: &Learned, uses: &Uses, state: &str) -> Value {
    let session = match &rule.grant.granting {
        Granting::Session(session) => Some(session.to_string()),
        Granting::Agent => None,
    };
    json!({
        "rule": rule.grant.id,
        "agent": rule.grant.agent,
        "domain": rule.grant.domain,
        "session_only": session,
        "client_session": rule.within,
        "once": rule.once,
        "command": command_line(&rule.shown),
        "argv": rule.shown,
        "pattern": rule.pattern,
        "working_directory": rule.cwd,
        "persons": rule.grant.persons,
        "groups": rule.grant.groups,
        "learned_at": rule.at.to_string(),
        "until": rule.grant.until.to_string(),
        "state": state,
        "policy": rule.policy,
        "uses": uses.count,
        "last_use": uses.last.as_ref().map(|(action, at)| json!({"action_id": action, "at": at})),
    })
}

/// Take one back: by its name, or the end of it.
///
/// # Errors
/// There is no such rule, or it can't be removed or recorded.
pub fn forget(context: &Context, name: &str) -> Done {
    let store = context.store_outside()?;
    let learned = LearnedRules::at(store.home().learned());
    let mut all = learned.all().map_err(|error| failure(&error))?;
    if all.iter().any(|rule| rule.grant.id == name) {
        all.retain(|rule| rule.grant.id == name);
    }
    all.retain(|rule| rule.grant.id.ends_with(name));
    let rule = match all.as_slice() {
        [rule] => rule,
        several => {
            let message = match several.len() {
                0 => format!("no rule is called `{name}`"),
                number => format!("`{name}` could be {number} rules"),
            };
            return Err(Failure::new(Code::NoSuchRule, message).help("`rescind policy rules` lists them"));
        }
    };
    // On record first: a rule that is gone without anybody's word would be a riddle.
    let note = format!("the rule {} was forgotten by {}", rule.grant.id, person());
    store.note(EntryKind::RuleForgotten, &rule.session, note)?;
    learned.remove(&rule.grant.id).map_err(|error| failure(&error))?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"rule": rule.grant.id, "forgotten": true, "by": person()}))?;
    } else {
        out.line(format!(
            "forgotten: {} is asked about again",
            match rule.shown.as_slice() {
                [] => "what it let run once".to_owned(),
                words => clean(&command_line(words)),
            }
        ))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn failure(error: &LearnedError) -> Failure {
    Failure::new(Code::InputOutput, chain(error))
}
