//! The file that says what stops by itself: `triggers.toml`.

use crate::reading::Reading;
use rescind_policy::Problems;
use rescind_supervisor::control::{Control, ControlError, KillReport, KillScope, Member, Mode};
use rescind_supervisor::{Home, Store};
use serde::Deserialize;
use std::time::Duration;
use toml::Spanned;

/// How long a stop by a trigger is waited for.
const AT_MOST: Duration = Duration::from_secs(30);

/// What is wrong with such a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the triggers can't be used: {problems}")]
pub struct TriggersError {
    /// Where and what.
    pub problems: Problems,
}

/// What sets off a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// Denials in a row.
    Denials,
    /// A limit is hit.
    Limit,
    /// A state keeps coming back that was undone, or what a command reached was not what was read before.
    Flapping,
    /// A verification finds faults.
    Tamper,
}

/// What is stopped, seen from the session in which it is set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// That session.
    Session,
    /// Its agent.
    Agent,
    /// Its domain; without one, the session.
    Domain,
    /// Everything.
    Everything,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What sets it off.
    pub on: Occasion,
    /// How often.
    pub count: u32,
    /// How hard it stops.
    pub mode: Mode,
    /// How much.
    pub reach: Reach,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    trigger: Vec<Spanned<TriggerForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TriggerForm {
    on: Occasion,
    count: Option<u32>,
    #[serde(rename = "do")]
    act: Mode,
    scope: Reach,
}

impl Occasion {
    /// Its name in the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Denials => "denials",
            Self::Limit => "limit",
            Self::Flapping => "flapping",
            Self::Tamper => "tamper",
        }
    }
}

impl Trigger {
    /// What it stops, where it is set off in this session.
    #[must_use]
    pub fn scope(&self, member: &Member) -> KillScope {
        match self.reach {
            Reach::Agent if !member.agent.is_empty() => KillScope::Agent(member.agent.clone()),
            Reach::Domain if !member.domain.is_empty() => KillScope::Domain(member.domain.clone()),
            Reach::Everything => KillScope::Everything,
            Reach::Session | Reach::Agent | Reach::Domain => KillScope::Session(member.session.clone()),
        }
    }

    /// Set it off in this session: stop, wait for that, and record it where that can be done now; else it is on the board until it
    /// can.
    ///
    /// # Errors
    /// Nothing could be stopped.
    pub fn set_off(
        &self,
        member: &Member,
        home: &Home,
        store: Option<&Store>,
        why: &str,
    ) -> Result<KillReport, ControlError> {
        let control = Control::open(home)?;
        let report = control.kill(&self.scope(member), self.mode, &self.by(), why, AT_MOST)?;
        if let Some(store) = store {
            let nothing = serde_json::Value::Array(Vec::new());
            let _later = control
                .record_called(store, &report)
                .and_then(|()| control.record_answer(store, &report, &nothing));
        }
        Ok(report)
    }

    /// Who stops it, for the record.
    #[must_use]
    pub fn by(&self) -> String {
        format!("trigger `{}`", self.on.name())
    }
}

/// A verification found this: set off what is to be set off then, of these triggers. What each came to.
#[must_use]
pub fn tampered(triggers: &[Trigger], home: &Home, what: &str) -> Vec<Result<KillReport, ControlError>> {
    let own = triggers.iter().filter(|trigger| trigger.on == Occasion::Tamper);
    let store = Store::open(home.clone()).ok();
    own.map(|trigger| trigger.set_off(&Member::default(), home, store.as_ref(), what))
        .collect()
}

/// Read such a file.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Vec<Trigger>, TriggersError> {
    let (mut reading, form): (_, FileForm) = Reading::of(file, text);
    let mut triggers = Vec::new();
    for trigger in &form.trigger {
        match trigger_of(trigger.get_ref()) {
            Ok(own) => triggers.push(own),
            Err(message) => reading.wrong(trigger.span().start, message),
        }
    }
    reading
        .end(triggers)
        .map_err(|problems| TriggersError { problems })
}

fn trigger_of(form: &TriggerForm) -> Result<Trigger, String> {
    let count = form.count.unwrap_or(1);
    if count == 0 {
        return Err("`count` is at least 1".to_owned());
    }
    if form.on == Occasion::Tamper && form.scope != Reach::Everything {
        return Err("what is tampered with is nobody's session: `scope` is \"everything\"".to_owned());
    }
    if form.on == Occasion::Tamper && count > 1 {
        return Err("`tamper` has no `count`: one fault is enough".to_owned());
    }
    Ok(Trigger {
        on: form.on,
        count,
        mode: form.act,
        reach: form.scope,
    })
}

#[cfg(test)]
mod tests {
    use super::{Occasion, Reach, parse};
    use rescind_supervisor::control::{KillScope, Member, Mode};

    #[test]
    fn triggers_are_read_and_reach_what_they_say() {
        let text = "[[trigger]]\non = \"denials\"\ncount = 5\ndo = \"pause\"\nscope = \"domain\"\n\n[[trigger]]\non = \
                    \"tamper\"\ndo = \"kill\"\nscope = \"everything\"\n";
        let triggers = parse("triggers.toml", text).unwrap();
        assert_eq!(
            (
                triggers[0].on,
                triggers[0].count,
                triggers[0].mode,
                triggers[0].reach
            ),
            (Occasion::Denials, 5, Mode::Pause, Reach::Domain)
        );
        let mut member = Member {
            session: "s".to_owned(),
            agent: "a".to_owned(),
            domain: "d".to_owned(),
        };
        assert_eq!(triggers[0].scope(&member), KillScope::Domain("d".to_owned()));
        assert_eq!(triggers[1].scope(&member), KillScope::Everything);
        member.domain.clear();
        assert_eq!(triggers[0].scope(&member), KillScope::Session("s".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (text, said) in [
            (
                "[[trigger]]\non = \"noise\"\ndo = \"kill\"\nscope = \"session\"\n",
                "noise",
            ),
            (
                "[[trigger]]\non = \"tamper\"\ndo = \"kill\"\nscope = \"session\"\n",
                "everything",
            ),
            (
                "[[trigger]]\non = \"limit\"\ncount = 0\ndo = \"kill\"\nscope = \"session\"\n",
                "at least 1",
            ),
            ("[[trigger]]\non = \"limit\"\nscope = \"session\"\n", "do"),
        ] {
            let error = parse("triggers.toml", text).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("triggers.toml"), "{error}");
        }
    }
}
