//! One simple command: what its first word means, and what it is then.

use super::input::Input;
use super::scope::Scope;
use super::verbs::{SURE, asks_for_help, destroys, names_destruction};
use super::walk::{Judge, normal, shorten, words};
use super::{Doubt, Part, Place};
use crate::catalog::{Best, Match};
use crate::entry::{Effects, Entry, Find};
use crate::field::{Field, HOLE};
use crate::pattern::{Bindings, placeholder};
use crate::recovery::Recovery;
use rescind_model::{Class, Reversibility};
use std::sync::Arc;

/// The system's own folders of programs.
const FOLDERS: [&str; 10] = [
    "/bin",
    "/usr/bin",
    "/sbin",
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/snap/bin",
    "/opt/homebrew/bin",
    "/usr/local/go/bin",
    "/usr/games",
];

const WITH_STATE: Class = Class::Known(Reversibility::ReversibleWithState);

impl Judge<'_> {
    /// A simple command as a shell sees it.
    pub(super) fn dispatch(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) {
        let Some((first, arguments)) = fields.split_first() else {
            return;
        };
        let Some(name) = first.literal() else {
            self.doubt(
                &words(fields),
                Doubt::Word,
                "which program it is, is only known when it runs",
            );
            return;
        };
        if name.is_empty() {
            self.nothing(fields);
            return;
        }
        let name = name.to_owned();
        if !first.quoted
            && let Some(text) = scope.aliases.get(&name).cloned()
        {
            self.alias_used(&name, &text, arguments, scope, input);
        }
        if let Some(body) = scope.functions.get(&name).cloned() {
            let mut inner = scope.clone();
            inner.arguments = Some(Arc::new(arguments.to_vec()));
            self.deeper(|judge| {
                if judge.step() {
                    judge.command(&body, &mut inner, input);
                }
            });
            inner.arguments.clone_from(&scope.arguments);
            inner.join(scope);
            *scope = inner;
            return;
        }
        if self.builtin(&name, fields, scope, input) {
            return;
        }
        self.outside(fields, scope, input);
    }

    /// Some shells take aliases in scripts, some don't: both meanings count.
    fn alias_used(&mut self, name: &str, text: &str, arguments: &[Field], scope: &Scope, input: &Input) {
        let mut inner = scope.clone();
        Arc::make_mut(&mut inner.aliases).remove(name);
        let mut line = text.to_owned();
        for argument in arguments {
            line.push(' ');
            match argument.exact() {
                Some(word) => line.push_str(&rescind_model::quote(word)),
                None => line.push_str("\"$__unknown_argument\""),
            }
        }
        self.deeper(|judge| {
            if judge.step() {
                judge.text_with(&line, &mut inner, input);
            }
        });
    }

    /// A command that is a program, or one of the shell's that is called as one.
    pub(super) fn outside(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) {
        let Some((first, arguments)) = fields.split_first() else {
            return;
        };
        let Some(called) = first.literal() else {
            self.doubt(
                &words(fields),
                Doubt::Word,
                "which program it is, is only known when it runs",
            );
            return;
        };
        if !self.step() {
            return;
        }
        let (name, program) = match called.rsplit_once('/') {
            None => (called, None),
            Some((folder, name)) => {
                let known = self.is_trusted_folder(&normal(folder)) && !folder.is_empty();
                (name, (!known).then(|| called.to_owned()))
            }
        };
        let name = name.to_owned();
        let before = self.parts.len();
        if program.is_none() && self.builtin(&name, fields, scope, input) {
            return;
        }
        if !self.wrapped(&name, fields, scope, input) {
            self.known(&name, fields, arguments, input);
        }
        let tainted = scope.tainted.clone().filter(|_| !called.starts_with('/'));
        if let Some(program) = program {
            self.raise(
                before,
                Doubt::Program,
                &format!("`{program}` is a program of its own, which may be anything"),
            );
        } else if let Some(why) = tainted {
            self.raise(before, Doubt::Program, &why);
        }
    }

    /// What these parts are is not as sure as it looked.
    fn raise(&mut self, from: usize, doubt: Doubt, why: &str) {
        for part in self
            .parts
            .iter_mut()
            .skip(from)
            .filter(|part| part.class < Class::Unknown)
        {
            part.class = Class::Unknown;
            part.uncaptured = part.uncaptured.worst(Class::Unknown);
            part.doubt = Some(doubt);
            part.why = format!("{why}; otherwise {}", part.why);
        }
    }

    pub(super) fn is_trusted_folder(&self, folder: &str) -> bool {
        FOLDERS.contains(&folder) || self.context.trusted.iter().any(|known| known == folder)
    }

    /// A program with the catalog's word on it.
    pub(super) fn known(&mut self, name: &str, fields: &[Field], arguments: &[Field], input: &Input) {
        let catalog = self.catalog;
        let help = |field: &Field| matches!(field.exact(), Some("--help" | "--version"));
        let Some(found) = catalog.find(name, arguments) else {
            if matches!(arguments, [only] if help(only)) {
                let why = "by convention it only says what it is; the catalog does not know this program";
                self.doubt(&words(fields), Doubt::NoEntry, why);
                return;
            }
            let why = "the catalog has no entry for this program";
            match destroys(arguments, &SURE) {
                Some(verb) => self.destruction(fields, &verb, why),
                None => self.doubt(&words(fields), Doubt::NoEntry, why),
            }
            return;
        };
        // A known program that is only asked what it is.
        if matches!(arguments, [only] if help(only)) {
            self.plain(fields, Class::NoEffect, Effects::None, "it only says what it is");
            return;
        }
        for found in &found {
            if asks_for_help(found) {
                self.plain(
                    fields,
                    Class::NoEffect,
                    Effects::None,
                    "it only says how it is used",
                );
            } else {
                self.one(fields, found, input);
            }
        }
    }

    /// A program with one object of those that its command names.
    fn one(&mut self, fields: &[Field], found: &Match<'_>, input: &Input) {
        let judged = self.languages(found, fields, input);
        let Some(best) = &found.best else {
            let why = match &found.maybe {
                Some(entry) => format!(
                    "it depends on what is only known when it runs; it may be `{}`",
                    entry.command_pattern
                ),
                None => "the catalog knows the program, and has no entry for this use of it".to_owned(),
            };
            let doubt = if found.maybe.is_some() {
                Doubt::Word
            } else {
                Doubt::NoEntry
            };
            match names_destruction(found) {
                Some(verb) => self.destruction(fields, &verb, &why),
                None => self.doubt(&words(fields), doubt, &why),
            }
            return;
        };
        let part = self.part(fields, found, best, judged);
        let vague = best.entry.reversibility == Class::Unknown
            && part.class == Class::Unknown
            && best.entry.effects == Effects::Remote;
        match names_destruction(found).filter(|_| vague) {
            Some(verb) => self.destruction(fields, &verb, &part.why),
            None => self.parts.push(part),
        }
    }

    /// What is not known, except that it is called a deletion.
    fn destruction(&mut self, fields: &[Field], verb: &str, why: &str) {
        let why = format!("it says `{verb}`; {why}");
        let lost = Class::Known(Reversibility::Irreversible);
        self.plain(fields, lost, Effects::Remote, &why);
    }

    /// The part that an entry makes of a command.
    fn part(&self, fields: &[Field], found: &Match<'_>, best: &Best, judged: bool) -> Part {
        let entry = &best.entry;
        let mut part = Part {
            text: words(fields),
            class: entry.reversibility,
            uncaptured: entry.reversibility,
            place: self.place.clone(),
            effects: entry.effects,
            why: says(entry),
            doubt: None,
            entry: Some(entry.clone()),
            others: found.others,
            recoveries: Vec::new(),
            targets: best.targets.clone(),
            writes: Vec::new(),
        };
        if entry.reversibility == Class::NoEffect {
            part.effects = Effects::None;
        }
        if entry.effects == Effects::LocalFiles {
            self.files(&mut part, found);
        }
        if entry.reversibility == Class::Unknown {
            part.doubt = Some(if judged {
                Doubt::Input
            } else if entry.effects == Effects::ProjectCode {
                Doubt::ProjectCode
            } else {
                Doubt::Code
            });
        }
        self.in_language(entry, &mut part, found);
        doubts(&mut part, found);
        self.way_back(&mut part, found, best);
        part
    }

    /// How it is taken back, where anything here can do that.
    fn way_back(&self, part: &mut Part, found: &Match<'_>, best: &Best) {
        let entry = &best.entry;
        let back = entry.compensating_action.is_some() || entry.pre_capture.is_some();
        let prefix = match &self.place {
            Place::Elsewhere(_) => None,
            Place::Here | Place::Privileged if several_values(entry, found) => None,
            Place::Here | Place::Privileged => self.prefix.as_deref(),
        };
        let Some(prefix) = prefix.filter(|_| back) else {
            // The way back would have to be gone there, by commands that nothing here runs.
            let partly = Class::Known(Reversibility::PartiallyReversible);
            let uncaptured = entry.effects == Effects::LocalFiles && self.place != Place::Here;
            let lost = back || uncaptured || matches!(self.place, Place::Elsewhere(_));
            let elsewhere = !several_values(entry, found);
            if elsewhere && part.class == WITH_STATE && needs_what_was(entry) {
                part.class = Class::Known(Reversibility::Irreversible);
                part.uncaptured = part.class;
                let place = self.place.name();
                part.why = format!(
                    "{}; it runs {place}, where nobody keeps what was before",
                    part.why
                );
            } else if lost && part.class > Class::NoEffect && part.class < partly {
                part.class = partly;
                part.uncaptured = part.uncaptured.worst(partly);
                part.why = match &self.place {
                    Place::Here => format!("{}; what it was before is captured only in part", part.why),
                    place => format!(
                        "{}; it runs {}, where nothing takes it back",
                        part.why,
                        place.name()
                    ),
                };
            }
            if !back && (entry.spend.is_some() || entry.blast_radius.is_some()) {
                part.recoveries = recoveries(found, best, &[]);
            }
            return;
        };
        part.recoveries = recoveries(found, best, prefix);
    }

    /// Work on files: the kernel captures it here, and nobody elsewhere.
    fn files(&self, part: &mut Part, found: &Match<'_>) {
        if self.place == Place::Here {
            if part.class > Class::NoEffect && part.class > WITH_STATE && part.class != Class::Unknown {
                part.class = WITH_STATE;
                part.why = format!("{}; each file is captured before it changes", part.why);
            }
        } else if part.class > Class::NoEffect {
            part.effects = Effects::Remote;
            part.why = format!("{}; {}, where no file is captured", part.why, self.place.name());
        }
        let flags = found
            .line
            .flags
            .iter()
            .filter(|flag| &*flag.name != "if")
            .filter_map(|flag| flag.value.as_ref());
        if found.tool.spec.name == "tar" && found.line.flag("--force-local").is_none() {
            remote_archive(part, found);
        }
        for field in found.line.words.iter().chain(flags) {
            let path = normal(&field.text);
            if !["/dev/", "/proc/", "/sys/"]
                .iter()
                .any(|start| path.starts_with(start))
            {
                continue;
            }
            let (class, uncaptured, effects, why) = super::walk::written(&path, &self.place, false);
            if effects == Effects::LocalHost && class > part.class {
                part.class = class;
                part.uncaptured = part.uncaptured.worst(uncaptured);
                part.effects = effects;
                part.why = format!("`{path}`: {why}");
            }
        }
    }
}

/// GNU tar takes `HOST:PATH` for an archive on another machine.
fn remote_archive(part: &mut Part, found: &Match<'_>) {
    let old_style = found.line.words.first().filter(|mode| mode.text.contains('f'));
    let archive = match found.line.flag("--file") {
        Some(flag) => flag.value.as_ref(),
        None => old_style.and_then(|_| found.line.words.get(1)),
    };
    let host = archive.and_then(|archive| archive.exact()?.split('/').next());
    if host.is_some_and(|host| host.contains(':')) && part.class > Class::NoEffect {
        part.class = Class::Known(Reversibility::Irreversible);
        part.uncaptured = part.class;
        part.effects = Effects::Remote;
        part.why = "its archive is on another machine, where nothing is captured".to_owned();
    }
}

/// What could make it something worse than the entry.
fn doubts(part: &mut Part, found: &Match<'_>) {
    let mut why = found.doubt.clone().map(|why| (Doubt::Code, why));
    if let Some(maybe) = &found.maybe {
        let files = maybe.effects == Effects::LocalFiles && part.place == Place::Here;
        let worst = if files {
            maybe.reversibility.min(WITH_STATE)
        } else {
            maybe.reversibility
        };
        if worst > part.class && files {
            part.class = worst;
            part.uncaptured = part.uncaptured.worst(maybe.reversibility);
            part.effects = Effects::LocalFiles;
            part.why = format!(
                "depending on a word that is not known it may be `{}`",
                maybe.command_pattern
            );
        } else if worst > part.class {
            let text = format!(
                "a word of it is only known when it runs; it may be `{}`",
                maybe.command_pattern
            );
            why = Some((Doubt::Word, text));
        }
    }
    if let Some((doubt, why)) = why
        && part.class < Class::Unknown
    {
        part.class = Class::Unknown;
        part.uncaptured = part.uncaptured.worst(Class::Unknown);
        part.doubt = Some(doubt);
        part.why = why;
    }
}

/// Whether a flag that the way back repeats was given several times: it would take back one of them.
fn several_values(entry: &Entry, found: &Match<'_>) -> bool {
    let texts = [&entry.pre_capture, &entry.compensating_action];
    let used = |flag: &str| {
        let name = format!("{{{}}}", placeholder(flag));
        texts
            .iter()
            .any(|text| text.as_ref().is_some_and(|text| text.contains(&name)))
    };
    let flags = found.line.flags.iter().enumerate();
    flags.filter(|(_, flag)| flag.value.is_some()).any(|(at, flag)| {
        let before = found.line.flags.iter().take(at);
        before
            .filter(|other| other.name == flag.name)
            .any(|other| other.value != flag.value)
            && used(&flag.name)
    })
}

/// Whether the way back writes what was captured before, so that without it nothing brings that back.
fn needs_what_was(entry: &Entry) -> bool {
    let whole = entry.captures.values().any(|capture| capture.find == Find::Text);
    whole || entry.compensation_stdin.as_deref() == Some("pre_capture")
}

/// What an entry knows of each target.
fn recoveries(found: &Match<'_>, best: &Best, prefix: &[String]) -> Vec<Recovery> {
    let recovery =
        |target: &Bindings| Recovery::new(best.entry.clone(), found.tool, &found.line, target.clone());
    best.targets
        .iter()
        .map(|target| recovery(target).behind(prefix))
        .collect()
}

/// What an entry says, in a line.
fn says(entry: &Entry) -> String {
    let text = if entry.does.is_empty() {
        &entry.notes
    } else {
        &entry.does
    };
    if text.is_empty() {
        return format!("the catalog's entry `{}` says so", entry.command_pattern);
    }
    shorten(text.trim().trim_end_matches('.'))
}

/// A word that holds nothing but what is not known.
pub(super) fn is_hole(field: &Field) -> bool {
    field.text.chars().all(|sign| sign == HOLE) && !field.text.is_empty()
}
