//! What is to be taken back, as it is given on the command line.

use super::last_good::LastGood;
use crate::context;
use crate::error::{Code, Done, Failure};
use clap::{Args, ValueEnum};
use rescind_model::{Effect, ResourceId, SessionId};
use rescind_recovery::{Filter, OnConflict, Pattern, Scope, Split};
use rescind_supervisor::journal::text_from_bytes;
use rescind_supervisor::{SessionView, Store};
use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What to do where the session and somebody else changed the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Decide {
    /// What is there now stays.
    Keep,
    /// The state before the session comes back; what is there now is kept in the vault.
    Restore,
    /// Ask; without a terminal stop before anything is touched.
    #[default]
    Ask,
}

/// A state to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// That after the last action before the first one that failed.
    LastGood,
}

/// The scope of an undo.
#[derive(Debug, Clone, Default, Args)]
pub struct ScopeArgs {
    /// The session, by its id or a part of it; the last run if none is given
    pub session: Option<String>,
    /// Only this action and what it started; can be given several times
    #[arg(long, value_name = "ACTION")]
    pub only: Vec<String>,
    /// This action and everything after it
    #[arg(long, value_name = "ACTION")]
    pub from: Option<String>,
    /// Everything after this state: last-good, that after the last action before the first one that failed
    #[arg(long, value_enum, value_name = "STATE", conflicts_with_all = ["only", "from"])]
    pub to: Option<To>,
    /// Only paths that match; `**` is any number of folders; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub path: Vec<String>,
    /// Every session, from this time on: RFC 3339, or a duration back from now, such as 120m
    #[arg(long, value_name = "TIME", conflicts_with_all = ["session", "only", "from", "to"])]
    pub since: Option<String>,
    /// Every session, up to this time
    #[arg(long, value_name = "TIME", conflicts_with_all = ["session", "only", "from", "to"])]
    pub until: Option<String>,
    /// Every session of this agent
    #[arg(long, value_name = "NAME", conflicts_with_all = ["session", "only", "from", "to"])]
    pub agent: Option<String>,
    /// Every session in this domain, or in one below it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["session", "only", "from", "to"])]
    pub domain: Option<String>,
    /// Where the session and others changed the same
    #[arg(long, value_enum, default_value_t = Decide::Ask)]
    pub on_conflict: Decide,
    /// Leave this path wholly as it is now (recorded by an undo that asked, for going on after a crash)
    #[arg(long, hide = true, value_name = "PATH")]
    pub leave: Vec<String>,
}

/// A scope, and what is known, divided by it.
pub struct Scoped {
    /// In words.
    pub text: String,
    /// The part of it that narrows a session.
    pub narrowed: String,
    /// The state it goes back to, where it was asked for.
    pub target: Option<LastGood>,
    /// The effects, with whether they are to be taken back.
    pub split: Split,
}

impl From<Decide> for OnConflict {
    fn from(decide: Decide) -> Self {
        match decide {
            Decide::Keep => Self::Keep,
            Decide::Restore => Self::Restore,
            Decide::Ask => Self::Ask,
        }
    }
}

impl ScopeArgs {
    /// The same as words of a command line, so that an interrupted undo can be gone on with.
    #[must_use]
    pub fn argv(&self, session: &SessionId) -> Vec<String> {
        let mut argv = vec!["rescind".to_owned(), "undo".to_owned()];
        if !self.is_wide() {
            argv.push(session.to_string());
        }
        let mut push = |name: &str, value: &str| argv.push(format!("{name}={value}"));
        self.only.iter().for_each(|action| push("--only", action));
        self.from.iter().for_each(|action| push("--from", action));
        self.to.iter().for_each(|To::LastGood| push("--to", "last-good"));
        self.path.iter().for_each(|path| push("--path", path));
        self.since.iter().for_each(|time| push("--since", time));
        self.until.iter().for_each(|time| push("--until", time));
        self.agent.iter().for_each(|name| push("--agent", name));
        self.domain.iter().for_each(|name| push("--domain", name));
        self.leave.iter().for_each(|path| push("--leave", path));
        match self.on_conflict {
            Decide::Keep => push("--on-conflict", "keep"),
            Decide::Restore => push("--on-conflict", "restore"),
            Decide::Ask => {}
        }
        argv
    }

    /// Whether it is about every session that fits, and not about one.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        [&self.since, &self.until, &self.agent, &self.domain]
            .iter()
            .any(|asked| asked.is_some())
    }

    /// Divide the effects of a session.
    ///
    /// # Errors
    /// An action is none of the session, or a pattern is none.
    pub fn split(&self, store: &Store, view: &SessionView, effects: Vec<Effect>) -> Done<Scoped> {
        let mut scope = Scope::session(view.id.clone());
        if !self.only.is_empty() {
            let mut actions = BTreeSet::new();
            for asked in &self.only {
                let number = self.number(store, view, asked)?;
                actions.extend(
                    view.below(number)
                        .into_iter()
                        .map(|number| view.id.action(number)),
                );
            }
            scope = scope.and(Filter::Only(actions));
        }
        if let Some(asked) = &self.from {
            scope = scope.and(Filter::From(view.id.action(self.number(store, view, asked)?)));
        }
        let mut text = scope.to_string();
        let target = self.to.map(|To::LastGood| LastGood::of(view)).transpose()?;
        if let Some(target) = &target {
            scope = scope.and(Filter::From(view.id.action(target.failed)));
            text.push_str(&target.text(view));
        }
        let mut narrowed = String::new();
        if self.path.is_empty() {
            let split = self.without_left(scope.split(effects), &mut narrowed);
            return Ok(Scoped {
                text: text + &narrowed,
                narrowed,
                target,
                split,
            });
        }
        // Filters narrow one another; several patterns are to widen: what any of them matches is in the scope.
        let mut split = Split {
            inside: vec![false; effects.len()],
            effects,
        };
        for glob in &self.path {
            let pattern = pattern(glob)?;
            narrowed.push_str(&format!(", path {}", pattern.as_str()));
            let one = scope
                .clone()
                .and(Filter::Path(pattern))
                .split(std::mem::take(&mut split.effects));
            split.effects = one.effects;
            split
                .inside
                .iter_mut()
                .zip(one.inside)
                .for_each(|(all, one)| *all |= one);
        }
        let split = self.without_left(split, &mut narrowed);
        Ok(Scoped {
            text: text + &narrowed,
            narrowed,
            target,
            split,
        })
    }

    /// Take the paths that are to be left as they are out of the scope. They must not be dropped from a plan later: a
    /// driver would count on them.
    fn without_left(&self, mut split: Split, text: &mut String) -> Split {
        if self.leave.is_empty() {
            return split;
        }
        let named = split
            .effects
            .iter()
            .filter(|effect| self.leave.contains(&effect.name));
        let left: BTreeSet<ResourceId> = named.map(|effect| effect.resource.clone()).collect();
        for (inside, effect) in split.inside.iter_mut().zip(&split.effects) {
            *inside &= !left.contains(&effect.resource);
        }
        text.push_str(&format!(", without {}", self.leave.join(" ")));
        split
    }

    fn number(&self, store: &Store, view: &SessionView, asked: &str) -> Done<u64> {
        let action = context::action(store, asked, Some(&view.id))?;
        let known = view.nodes.contains_key(&action.number) || !view.system.is_empty();
        if action.session != view.id || !known {
            let message = format!("`{asked}` is no action of session {}", view.id);
            return Err(Failure::new(Code::NoSuchAction, message)
                .help(format!("`rescind log {}` lists its actions", view.id)));
        }
        Ok(action.number)
    }
}

/// A glob as it is typed, made absolute and written as paths are in records.
///
/// # Errors
/// It is no pattern.
pub fn pattern(glob: &str) -> Done<Pattern> {
    let here = std::env::current_dir().unwrap_or_default();
    let wrong = |error: &dyn std::error::Error| Failure::new(Code::BadArgument, error.to_string());
    Pattern::new(&absolute(glob, &here)).map_err(|error| wrong(&error))
}

fn absolute(glob: &str, here: &Path) -> String {
    let own = text_from_bytes(glob.as_bytes());
    if own.starts_with('/') || own.starts_with("**") || own.is_empty() {
        return own;
    }
    let mut parts: Vec<String> = text_from_bytes(here.as_os_str().as_bytes())
        .trim_end_matches('/')
        .split('/')
        .map(|part| {
            part.chars()
                .flat_map(|character| escaped(character).chain([character]))
                .collect()
        })
        .collect();
    for part in own.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => drop(parts.pop()),
            ".." => {}
            part => parts.push(part.to_owned()),
        }
    }
    parts.join("/")
}

/// What goes before a character of a folder's name, so that it stands for itself in a pattern.
fn escaped(character: char) -> impl Iterator<Item = char> {
    matches!(character, '*' | '?' | '[' | '\\')
        .then_some('\\')
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::{Decide, ScopeArgs, absolute, pattern};
    use clap::Parser as _;
    use rescind_model::SessionId;
    use std::path::Path;

    #[test]
    fn patterns_are_taken_from_where_the_user_stands() {
        let here = Path::new("/home/a[b]");
        assert_eq!(absolute("src/*.rs", here), "/home/a\\[b]/src/*.rs");
        assert_eq!(absolute("./x/../y", here), "/home/a\\[b]/y");
        assert_eq!(absolute("../c", here), "/home/c");
        assert_eq!(absolute("../../../../etc", here), "/etc");
        assert_eq!(absolute("/etc/*", here), "/etc/*");
        assert_eq!(absolute("**/x", here), "**/x");
        assert_eq!(absolute("100%", Path::new("/")), "/100%25");
        assert!(pattern("[a").is_err());
    }

    #[test]
    fn a_scope_survives_as_a_command_line() {
        let session = SessionId::new(1_795_255_200_000, 7);
        let scope = ScopeArgs {
            session: None,
            only: vec![format!("{session}.3"), "4".to_owned()],
            from: Some("2".to_owned()),
            path: vec!["--odd name*".to_owned()],
            on_conflict: Decide::Keep,
            leave: vec!["/a b".to_owned()],
            ..ScopeArgs::default()
        };
        let cli = crate::cli::Cli::try_parse_from(scope.argv(&session)).unwrap();
        let crate::cli::Command::Undo(back) = cli.command else {
            panic!("no undo")
        };
        assert_eq!(back.scope.argv(&session), scope.argv(&session));
        assert_eq!(back.scope.session, Some(session.to_string()));
    }
}
