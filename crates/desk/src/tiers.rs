//! The file that says who is asked, in which order, for how long, and how they are told: `approvals.toml`.

use crate::reading::Reading;
use rescind_model::read_span;
use rescind_policy::Problems;
use rescind_supervisor::holds::{Tier, Tiers};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;

/// More tiers than this are not asked one after the other.
const MOST: usize = 8;
/// The longest that one tier is asked.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// What is wrong with such a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tiers of approvals can't be used: {problems}")]
pub struct TiersError {
    /// Where and what.
    pub problems: Problems,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    tier: Vec<Spanned<TierForm>>,
    #[serde(default)]
    notify: Vec<Spanned<NotifyForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TierForm {
    name: String,
    #[serde(default)]
    who: Vec<String>,
    wait: String,
    notify: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotifyForm {
    name: String,
    run: Vec<String>,
}

/// Read such a file.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn parse(file: &str, text: &str) -> Result<Tiers, TiersError> {
    let (mut reading, form): (_, FileForm) = Reading::of(file, text);
    let mut tiers = Tiers::default();
    let mut names = BTreeSet::new();
    for tier in &form.tier {
        let at = tier.span().start;
        match tier_of(tier.get_ref()) {
            Ok(tier) if names.insert(tier.name.clone()) => tiers.tiers.push(tier),
            Ok(tier) => reading.wrong(at, format!("there are two tiers called `{}`", tier.name)),
            Err(message) => reading.wrong(at, message),
        }
    }
    if form.tier.len() > MOST {
        reading.wrong(0, format!("there are more than {MOST} tiers"));
    }
    for notify in &form.notify {
        let NotifyForm { name, run } = notify.get_ref();
        let own = name_of(name).and_then(|()| command(run));
        if let Err(message) = own {
            reading.wrong(notify.span().start, message);
        } else if tiers.notify.insert(name.clone(), run.clone()).is_some() {
            reading.wrong(notify.span().start, format!("`{name}` is told in two ways"));
        }
    }
    reading.end(tiers).map_err(|problems| TiersError { problems })
}

fn tier_of(form: &TierForm) -> Result<Tier, String> {
    name_of(&form.name)?;
    form.who.iter().try_for_each(|who| name_of(who))?;
    if let Some(notify) = &form.notify {
        command(notify)?;
    }
    Ok(Tier {
        name: form.name.clone(),
        who: form.who.iter().cloned().collect(),
        wait: wait(&form.wait)?,
        notify: form.notify.clone(),
    })
}

fn name_of(name: &str) -> Result<(), String> {
    let plain = |letter: char| letter.is_alphanumeric() || "._-".contains(letter);
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    Err(format!(
        "`{}` is no name: letters, digits, `.`, `_` and `-`",
        name.escape_debug()
    ))
}

/// A command by its whole path: what a search path would find depends on who started the session.
fn command(run: &[String]) -> Result<(), String> {
    let Some(program) = run.first() else {
        return Err("a command has a program and its words: [\"/usr/local/bin/page\", \"sre\"]".to_owned());
    };
    let path = Path::new(program);
    if !path.is_absolute() {
        return Err(format!("`{program}` is not a whole path"));
    }
    match path.metadata() {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(format!("`{program}` is no program")),
        Err(error) => Err(format!("`{program}` can't be run: {error}")),
    }
}

/// `90s`, `5m`, `2h` or `7d`.
fn wait(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `5m` or `2h`, of at most seven days");
    read_span(text)
        .filter(|wait| !wait.is_zero() && *wait <= LONGEST)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use rescind_model::Timestamp;
    use rescind_supervisor::holds::Tiers;
    use std::time::Duration;

    const FILE: &str = r#"
[[tier]]
name = "reviewer"
who = ["ann", "bob"]
wait = "10m"

[[tier]]
name = "oncall"
who = ["eve"]
wait = "20m"
notify = ["/bin/true", "oncall"]

[[notify]]
name = "owner"
run = ["/bin/true"]
"#;

    fn times(tiers: &Tiers, groups: &[&str], most: Option<u64>) -> Vec<(String, i64)> {
        let groups: Vec<String> = groups.iter().map(|group| (*group).to_owned()).collect();
        let forms = tiers.of_hold(&groups, Timestamp(0), most.map(Duration::from_secs));
        forms
            .iter()
            .map(|tier| {
                (
                    tier.name.clone(),
                    tier.until.parse::<Timestamp>().unwrap().0 / 1_000_000_000,
                )
            })
            .collect()
    }

    #[test]
    fn a_hold_begins_at_the_highest_tier_that_it_names_and_goes_up() {
        let tiers = parse("f", FILE).unwrap();
        let named = |name: &str, until: i64| (name.to_owned(), until);
        assert_eq!(
            times(&tiers, &["reviewer"], None),
            [named("reviewer", 600), named("oncall", 1_800)]
        );
        assert_eq!(
            times(&tiers, &["reviewer", "oncall"], None),
            [named("oncall", 1_200)]
        );
        assert_eq!(
            times(&tiers, &["finance"], None).len(),
            2,
            "nobody's tier begins below"
        );
        assert_eq!(
            times(&tiers, &[], Some(700)),
            [named("reviewer", 600), named("oncall", 700)]
        );
        assert_eq!(tiers.command("owner").unwrap(), ["/bin/true"]);
        assert_eq!(tiers.command("oncall").unwrap().len(), 2);
        assert_eq!(tiers.command("reviewer"), None);
        assert_eq!(parse("f", "").unwrap(), Tiers::default());
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let wrong = |text: &str| parse("f", text).unwrap_err().problems.0;
        for (text, told) in [
            ("[[tier]]\nname = \"a\"\nwait = \"0s\"", "is not a time"),
            ("[[tier]]\nname = \"a\"\nwait = \"ü\"", "is not a time"),
            ("[[tier]]\nname = \"a b\"\nwait = \"1m\"", "is no name"),
            (
                "[[tier]]\nname = \"a\"\nwait = \"1m\"\nwho = [\"../x\"]",
                "is no name",
            ),
            (
                "[[tier]]\nname = \"a\"\nwait = \"1m\"\nnotify = [\"page\"]",
                "not a whole path",
            ),
            (
                "[[tier]]\nname = \"a\"\nwait = \"1m\"\nnotify = [\"/nowhere/page\"]",
                "can't be run",
            ),
            ("[[notify]]\nname = \"a\"\nrun = []", "has a program"),
            (
                "[[tier]]\nname = \"a\"\nwait = \"1m\"\nwhom = []",
                "unknown field",
            ),
        ] {
            let found = wrong(text);
            assert!(found[0].message.contains(told), "{text}: {}", found[0].message);
        }
        let twice = wrong("[[tier]]\nname = \"a\"\nwait = \"1m\"\n[[tier]]\nname = \"a\"\nwait = \"1m\"");
        assert_eq!((twice.len(), twice[0].place.line), (1, 4));
    }
}
