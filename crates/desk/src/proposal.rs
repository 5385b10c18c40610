//! What the catalog knows of a command, as the judge wants it.

use crate::ways::{lacks_its_state, leads_back};
use rescind_catalog::{Catalog, Doubt, Effects, Judgement, Part, Place};
use rescind_model::{Class, Coverage, Digest, Missing, Operation, Reversibility, Surface};
use rescind_policy::{Blast, Currency, Money, Proposal, Spend};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// More targets than this are not listed; what a policy asks of targets then holds the action.
const MOST_TARGETS: usize = rescind_policy::MAX_TARGETS + 1;

/// The proposal to run a command that the catalog judged. `text` is the command as a person would type it, `digest`
/// that of the exact action, `cwd` the folder that relative names start from.
///
/// What local programs do to files is captured as it happens, and what they start is judged when it starts: a command
/// that is not understood is covered as long as it runs here. What happens elsewhere is not, whatever is known of it.
#[must_use]
pub fn proposal(catalog: &Catalog, judged: &Judgement, text: String, digest: Digest, cwd: &str) -> Proposal {
    let worst = judged.parts.iter().max_by_key(|part| part.class);
    Proposal {
        operation: judged
            .parts
            .iter()
            .map(operation)
            .max()
            .unwrap_or(Operation::Read),
        surface: worst.map_or(Surface::Shell, surface),
        kind: worst.map_or_else(|| "shell".to_owned(), kind),
        text,
        digest,
        targets: targets(judged, Path::new(cwd)),
        class: if judged.parts.iter().any(lacks_its_state) {
            class(judged.class).map(|class| class.max(Reversibility::ReversibleWithState))
        } else {
            class(judged.class)
        },
        coverage: coverage(catalog, judged),
        blast: blast(judged),
        force: force(judged),
        drives: Vec::new(),
    }
}

fn class(class: Class) -> Option<Reversibility> {
    match class {
        Class::NoEffect => Some(Reversibility::TriviallyReversible),
        Class::Known(known) => Some(known),
        Class::Unknown => None,
    }
}

/// What of it would be captured: files of this machine are, as they change.
fn coverage(catalog: &Catalog, judged: &Judgement) -> Coverage {
    let (mut some, mut missing) = (false, Vec::new());
    // What changes nothing, or whose inverse needs no saved state, needs no capture.
    let trivial = Class::Known(Reversibility::TriviallyReversible);
    for part in judged
        .parts
        .iter()
        .filter(|part| part.class > trivial || lacks_its_state(part))
    {
        match uncovered(catalog, part) {
            None => some = true,
            Some(why) => missing.push(Missing {
                what: part.text.clone(),
                why,
            }),
        }
    }
    match missing.first() {
        None => Coverage::Captured,
        Some(_) if some => Coverage::Partial(missing),
        Some(first) => Coverage::NotCaptured(first.to_string()),
    }
}

/// Why nothing of a part is captured, where nothing is.
fn uncovered(catalog: &Catalog, part: &Part) -> Option<String> {
    if leads_back(part) {
        return None;
    }
    if part.place != Place::Here {
        return Some(format!("it runs {}", part.place.name()));
    }
    match (part.effects, part.class) {
        (Effects::None | Effects::LocalFiles | Effects::ProjectCode, _) => None,
        // Nothing is known of what it does but that it runs here: its files and what it starts are seen.
        (_, Class::Unknown) if part.entry.is_none() && !catalog.acts_elsewhere(&words(&part.text, 1)) => None,
        (Effects::LocalHost, _) => Some("it changes this machine, and not only its files".to_owned()),
        (Effects::Remote, _) => Some("what it changes is not on this machine".to_owned()),
    }
}

/// The words of a pattern before its first placeholder: `kubectl delete {type}/{name}` is about `kubectl.delete`. Without
/// an entry, or where that is about many programs, the program's name.
fn kind(part: &Part) -> String {
    let pattern = part.entry.as_ref().map(|entry| words(&entry.command_pattern, 3));
    pattern
        .filter(|kind| !kind.is_empty())
        .or_else(|| Some(words(&part.text, 1)).filter(|kind| !kind.is_empty()))
        .unwrap_or_else(|| "shell".to_owned())
}

fn words(text: &str, most: usize) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./+".contains(letter);
    let is_word = |word: &&str| {
        !word.starts_with('-') && word.contains(char::is_alphanumeric) && word.chars().all(is_plain)
    };
    let words = text.split_whitespace().take_while(is_word).take(most);
    let names = words.map(|word| {
        word.rsplit('/')
            .next()
            .unwrap_or(word)
            .to_lowercase()
            .replace('.', "-")
    });
    names.collect::<Vec<_>>().join(".")
}

/// Programs that run a project's code as programs of its own, and do nothing else elsewhere than fetch.
const RUNNERS: [&str; 26] = [
    "npm", "npx", "yarn", "pnpm", "bun", "bunx", "make", "gmake", "ninja", "cmake", "meson", "cargo", "go",
    "mvn", "gradle", "bazel", "just", "task", "tox", "nox", "poetry", "uv", "pipenv", "pip", "bundle",
    "watch",
];

/// Whether a part only starts code that is judged by itself when it starts.
pub(crate) fn is_runner(part: &Part) -> bool {
    let starts = part.doubt == Some(Doubt::ProjectCode);
    starts && RUNNERS.contains(&kind(part).split('.').next().unwrap_or_default())
}

fn surface(part: &Part) -> Surface {
    let kind = kind(part);
    match kind.split('.').next().unwrap_or_default() {
        "kubectl" | "helm" | "oc" | "kustomize" => Surface::Kubernetes,
        "psql" | "pg_restore" | "dropdb" | "createdb" | "dropuser" | "createuser" => Surface::Postgres,
        "curl" | "wget" | "http" | "https" | "xh" => Surface::Http,
        _ if part.effects == Effects::LocalFiles => Surface::Files,
        _ => Surface::Shell,
    }
}

const TAKES_AWAY: [&str; 24] = [
    "delete",
    "del",
    "rm",
    "rmi",
    "rmdir",
    "unlink",
    "destroy",
    "drop",
    "dropdb",
    "dropuser",
    "prune",
    "purge",
    "remove",
    "uninstall",
    "terminate",
    "truncate",
    "shred",
    "kill",
    "pkill",
    "killall",
    "clean",
    "rb",
    "flushall",
    "flushdb",
];
const ADMINISTERS: [&str; 22] = [
    "chown",
    "chgrp",
    "chmod",
    "setfacl",
    "passwd",
    "useradd",
    "usermod",
    "userdel",
    "groupadd",
    "visudo",
    "iptables",
    "nft",
    "ufw",
    "iam",
    "auth",
    "grant",
    "revoke",
    "role",
    "secrets",
    "certificate",
    "login",
    "sysctl",
];

fn operation(part: &Part) -> Operation {
    if part.class == Class::NoEffect {
        return Operation::Read;
    }
    let kind = kind(part);
    let is = |words: &[&str]| kind.split(['.', '-']).any(|word| words.contains(&word));
    if is(&ADMINISTERS) {
        Operation::Admin
    } else if is(&TAKES_AWAY) {
        Operation::Delete
    } else {
        Operation::Write
    }
}

/// Flags in one spelling, whatever the tool.
const FORCE: [(&str, &[&str]); 6] = [
    (
        "force",
        &["-f", "--force", "-rf", "-fr", "-Rf", "--now", "--grace-period=0"],
    ),
    ("force-with-lease", &["--force-with-lease", "--force-if-includes"]),
    ("accept-loss", &["--accept-data-loss", "--force-reset"]),
    ("recursive", &["-r", "-R", "--recursive", "-rf", "-fr", "-Rf"]),
    (
        "no-verify",
        &[
            "--no-verify",
            "--skip-verification",
            "--no-preserve-root",
            "--no-checks",
        ],
    ),
    (
        "unasked",
        &[
            "-y",
            "--yes",
            "--auto-approve",
            "-auto-approve",
            "--assume-yes",
            "--no-input",
        ],
    ),
];

fn force(judged: &Judgement) -> BTreeSet<String> {
    let words = judged.parts.iter().flat_map(|part| part.text.split_whitespace());
    let words: BTreeSet<&str> = words.filter(|word| word.starts_with('-')).collect();
    let strong = FORCE
        .iter()
        .filter(|(_, spellings)| spellings.iter().any(|flag| words.contains(flag)));
    strong.map(|(name, _)| (*name).to_owned()).collect()
}

fn targets(judged: &Judgement, cwd: &Path) -> Vec<String> {
    let mut all = BTreeSet::new();
    for part in judged.parts.iter().filter(|part| part.class > Class::NoEffect) {
        all.extend(part.writes.iter().map(|path| plain(cwd, path)));
        let bound = part.targets.iter().filter(|names| !names.is_empty());
        all.extend(bound.map(|names| {
            let values: Vec<&str> = names.values().map(String::as_str).collect();
            values.join("/")
        }));
        let skipped = kind(part).split('.').count();
        let words = part.text.split_whitespace().filter(|word| !word.starts_with('-'));
        let mut names = words.skip(skipped).map(|word| word.trim_matches(['\'', '"']));
        if part.effects == Effects::LocalFiles {
            all.extend(names.map(|word| plain(cwd, word)));
        } else if part.targets.iter().all(std::collections::BTreeMap::is_empty) {
            // Nothing names what it is about but all of its words together: `origin/main`.
            let first = names.next().map(str::to_owned);
            all.extend(first.map(|first| names.fold(first, |all, word| format!("{all}/{word}"))));
        }
        if all.len() > MOST_TARGETS {
            break;
        }
    }
    all.into_iter().take(MOST_TARGETS).collect()
}

/// The files of this machine that a command names, from the root: what its redirections write, and the words of programs
/// that work on files. What a shell would still have to fill in is left out.
pub(crate) fn paths(judged: &Judgement, cwd: &str) -> Vec<String> {
    let cwd = Path::new(cwd);
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    let parts = judged.parts.iter().filter(|part| part.place == Place::Here);
    for part in parts {
        let plain_name = |name: &&str| !name.is_empty() && !name.contains(['*', '?', '[', '$', '`', '{']);
        let mut note = |name: &str| {
            let path = plain(cwd, name);
            if seen.insert(path.clone()) && all.len() <= MOST_TARGETS {
                all.push(path);
            }
        };
        part.writes
            .iter()
            .map(String::as_str)
            .filter(plain_name)
            .for_each(&mut note);
        if !matches!(part.effects, Effects::LocalFiles | Effects::LocalHost) && part.class != Class::Unknown {
            continue;
        }
        let words = part
            .text
            .split_whitespace()
            .skip(1)
            .filter(|word| !word.starts_with('-'));
        for word in words
            .map(|word| word.trim_matches(['\'', '"']))
            .filter(plain_name)
        {
            // `dd of=FILE`
            let name = word.strip_prefix("of=").unwrap_or(word);
            let is_name = name.contains('/') || cwd.join(name).symlink_metadata().is_ok();
            if is_name && !name.contains("://") {
                note(name);
            }
        }
    }
    all
}

/// A path without `.` and `..`, from the root.
fn plain(cwd: &Path, name: &str) -> String {
    let mut path = PathBuf::from("/");
    for component in cwd.join(name).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path.display().to_string()
}

fn blast(judged: &Judgement) -> Blast {
    let (mut blast, mut money, mut unknown) = (Blast::default(), Vec::new(), false);
    for part in &judged.parts {
        let targets = part.recoveries.len().max(1);
        for recovery in &part.recoveries {
            if recovery.entry.spend.is_some() {
                match recovery
                    .spend(targets)
                    .and_then(|(amount, unit)| price(&amount.to_string(), &unit))
                {
                    Some(price) => money.push(price),
                    None => unknown = true,
                }
            }
        }
        let Some((amount, unit)) = part
            .recoveries
            .first()
            .and_then(|first| first.blast_radius(targets))
        else {
            continue;
        };
        let Ok(count) = amount.to_string().parse::<u64>() else {
            continue;
        };
        let counted = match unit.as_str() {
            "rows" => &mut blast.rows,
            "files" => &mut blast.files,
            _ => &mut blast.objects,
        };
        *counted = Some(counted.unwrap_or(0).saturating_add(count));
    }
    blast.spend = if unknown { Spend::Unknown } else { Spend::of(money) };
    blast
}

/// `12.5` and `USD/hour` as money: what is paid for by time is counted once.
fn price(amount: &str, unit: &str) -> Option<Money> {
    let currency: Currency = unit.split('/').next()?.parse().ok()?;
    Some(Money {
        amount: amount.parse().ok()?,
        currency,
    })
}

#[cfg(test)]
mod tests;
