//! Health checks: commands and HTTP probes of a domain, by `$XDG_CONFIG_HOME/rescind/health.toml`.
//!
//! They run after every undo of a session of the domain, and before a session is resumed. They run as the person who gave
//! the command, outside of every session.

mod probe;

use crate::out::{Out, green, red};
use crate::text::{clean, parse_duration};
use probe::Target;
use rescind_desk::Configuration;
use rescind_model::command_line;
use rescind_model::domain::covers;
use rescind_supervisor::journal::CheckForm;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How long a check may take where the file says nothing else.
const USUAL: Duration = Duration::from_secs(30);
/// The longest that a check may be given.
const LONGEST: Duration = Duration::from_secs(600);
/// The largest file that is read.
const LARGEST: u64 = 1 << 20;

/// The checks that are set.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checks {
    checks: Vec<Check>,
    /// Why the file can't be used: then no check has passed.
    fault: Option<(PathBuf, String)>,
}

#[derive(Debug, PartialEq, Eq)]
struct Check {
    name: String,
    /// The domain it is for, with those below it; `None`: every session.
    domain: Option<String>,
    what: What,
    within: Duration,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Command(Vec<String>),
    Http { target: Target, status: u16 },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    check: Vec<CheckTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckTable {
    name: Option<String>,
    domain: Option<String>,
    command: Option<Vec<String>>,
    http: Option<String>,
    status: Option<u16>,
    timeout: Option<String>,
}

impl Checks {
    /// Those of the user. Without a file there are none; one that can't be used is a check that fails.
    #[must_use]
    pub fn of_user() -> Self {
        let Some(path) = Configuration::of_user()
            .root()
            .map(|root| root.join("health.toml"))
        else {
            return Self::default();
        };
        let read = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Self::default(),
            Ok(found) if found.len() > LARGEST => Err(format!("it is larger than {LARGEST} bytes")),
            _ => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
        };
        match read.and_then(|text| Self::parse(&text)) {
            Ok(checks) => Self { checks, fault: None },
            Err(why) => Self {
                checks: Vec::new(),
                fault: Some((path, why)),
            },
        }
    }

    fn parse(text: &str) -> Result<Vec<Check>, String> {
        let file: FileForm = toml::from_str(text).map_err(|error| error.to_string())?;
        file.check.into_iter().map(Check::from_table).collect()
    }

    /// Run those of these domains, in the order of the file. A session without a domain has the empty one.
    #[must_use]
    pub fn run<'d>(&self, domains: impl IntoIterator<Item = &'d str>) -> Vec<CheckForm> {
        let domains: Vec<&str> = domains.into_iter().collect();
        self.run_those(|check| domains.iter().any(|domain| check.is_for(domain)))
    }

    /// The same, and those of the domains below these.
    #[must_use]
    pub fn run_around(&self, domains: &[String]) -> Vec<CheckForm> {
        self.run_those(|check| {
            let below = |domain: &String| check.domain.as_ref().is_some_and(|own| covers(domain, own));
            domains.iter().any(|domain| check.is_for(domain) || below(domain))
        })
    }

    /// All of them.
    #[must_use]
    pub fn run_all(&self) -> Vec<CheckForm> {
        self.run_those(|_| true)
    }

    fn run_those(&self, is_asked: impl Fn(&Check) -> bool) -> Vec<CheckForm> {
        let asked = self.checks.iter().filter(|check| is_asked(check));
        let mut ran: Vec<CheckForm> = asked.map(Check::run).collect();
        ran.extend(self.fault.as_ref().map(|(path, why)| CheckForm {
            name: path.display().to_string(),
            domain: None,
            passed: false,
            said: format!("the file can't be used: {why}"),
        }));
        ran
    }
}

impl Check {
    fn from_table(table: CheckTable) -> Result<Self, String> {
        let CheckTable {
            name,
            domain,
            command,
            http,
            status,
            timeout,
        } = table;
        let (shown, what) = match (command, http) {
            (Some(command), None) if status.is_none() && !command.is_empty() => {
                (command_line(&command), What::Command(command))
            }
            (Some(_), None) => {
                return Err("a check's `command` is a list of words, and has no `status`".to_owned());
            }
            (None, Some(url)) => {
                let target = Target::parse(&url)?;
                let status = status.unwrap_or(200);
                (url, What::Http { target, status })
            }
            _ => return Err("a check has either a `command` or an `http`".to_owned()),
        };
        let within = match timeout {
            None => USUAL,
            Some(text) => Duration::from_secs(parse_duration(&text)?).clamp(Duration::from_secs(1), LONGEST),
        };
        Ok(Self {
            name: name.unwrap_or(shown),
            domain: domain.filter(|domain| !domain.is_empty()),
            what,
            within,
        })
    }

    fn is_for(&self, domain: &str) -> bool {
        self.domain.as_ref().is_none_or(|own| covers(own, domain))
    }

    fn run(&self) -> CheckForm {
        let result = match &self.what {
            What::Command(command) => probe::command(command, self.within),
            What::Http { target, status } => target.get(*status, self.within),
        };
        let (passed, said) = match result {
            Ok(said) => (true, said),
            Err(why) => (false, why),
        };
        CheckForm {
            name: self.name.clone(),
            domain: self.domain.clone(),
            passed,
            said,
        }
    }
}

/// Whether all of them passed.
#[must_use]
pub fn all_passed(checks: &[CheckForm]) -> bool {
    checks.iter().all(|check| check.passed)
}

/// Print how they went.
///
/// # Errors
/// stdout can't be written.
pub fn print(out: &mut Out, checks: &[CheckForm]) -> crate::error::Done<()> {
    for check in checks {
        let verdict = if check.passed {
            green("passed")
        } else {
            red("failed")
        };
        out.line(format!(
            "health: {verdict}: {} ({})",
            clean(&check.name),
            clean(&check.said)
        ))?;
    }
    Ok(())
}

/// The same as JSON.
#[must_use]
pub fn json(checks: &[CheckForm]) -> Value {
    let list = checks.iter().map(|check| {
        json!({"name": check.name, "domain": check.domain, "passed": check.passed, "said": check.said})
    });
    json!({"passed": all_passed(checks), "checks": list.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests;
