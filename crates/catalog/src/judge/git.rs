//! git, as far as its command line and its settings hold commands.

use super::Doubt;
use super::input::Input;
use super::scope::Scope;
use super::walk::{Judge, words};
use super::wrap::behind_flags;
use crate::field::{Field, HOLE};

/// git's own flags with a value.
const VALUES: [&str; 7] = [
    "-C",
    "-c",
    "--git-dir",
    "--work-tree",
    "--namespace",
    "--exec-path",
    "--config-env",
];
/// Settings whose value is a command or names files with commands, in small letters: how they begin and end.
const COMMANDS: [(&str, &str); 34] = [
    ("alias.", ""),
    ("core.", "hookspath"),
    ("core.", "fsmonitor"),
    ("core.", "sshcommand"),
    ("core.", "editor"),
    ("core.", "pager"),
    ("core.", "askpass"),
    ("core.", "gitproxy"),
    ("core.", "alternaterefscommand"),
    ("core.", "attributesfile"),
    ("core.", "worktree"),
    ("sequence.", "editor"),
    ("pager.", ""),
    ("credential.", "helper"),
    ("diff.", "external"),
    ("diff.", ".command"),
    ("diff.", ".textconv"),
    ("difftool.", ""),
    ("mergetool.", ""),
    ("merge.", ".driver"),
    ("filter.", ""),
    ("gpg.", "program"),
    ("gpg.", "command"),
    ("include.", "path"),
    ("includeif.", "path"),
    ("init.", "templatedir"),
    ("interactive.", "difffilter"),
    ("protocol.", "allow"),
    ("remote.", "pack"),
    ("remote.", "vcs"),
    ("submodule.", ".update"),
    ("trailer.", ""),
    ("uploadpack.", ""),
    ("url.", ""),
];
/// Flags of `filter-branch` whose value is a text for a shell.
const FILTERS: [&str; 8] = [
    "--setup",
    "--env-filter",
    "--tree-filter",
    "--index-filter",
    "--parent-filter",
    "--msg-filter",
    "--commit-filter",
    "--tag-name-filter",
];

impl Judge<'_> {
    /// git runs commands that stand on its command line. `true`: all is judged.
    pub(super) fn git(&mut self, fields: &[Field], scope: &mut Scope) -> bool {
        let position = |word: &str| fields.iter().position(|field| field.text == word);
        let [command, arguments @ ..] = behind_flags(fields.get(1..).unwrap_or_default(), &VALUES) else {
            return false;
        };
        // `ext::sh -c x` and its like: a transport is a program of git's, and this one runs what it is given.
        if arguments.iter().any(|field| is_transport(&field.text)) {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "the transport in an address runs a program",
            );
            return true;
        }
        match command.text.as_str() {
            "submodule" => {
                let Some(at) = position("foreach") else {
                    return false;
                };
                let rest = behind_flags(fields.get(at + 1..).unwrap_or_default(), &[]);
                self.joined(fields, rest, scope);
                true
            }
            "bisect" => {
                let Some(at) = position("run") else { return false };
                let rest = fields.get(at + 1..).unwrap_or_default();
                self.inner(fields, rest, scope, &Input::Own);
                false
            }
            "rebase" => {
                for (index, field) in fields.iter().enumerate() {
                    let text = match field.text.as_str() {
                        "-x" | "--exec" => fields.get(index + 1).map(|field| field.text.clone()),
                        text => text.strip_prefix("--exec=").map(str::to_owned),
                    };
                    if let Some(text) = text {
                        self.deeper(|judge| judge.text(&text, &mut scope.clone()));
                    }
                }
                false
            }
            "filter-branch" => {
                for flag in FILTERS {
                    self.texts_of(arguments, flag);
                }
                false
            }
            "config" => self.git_config(fields, arguments),
            _ => false,
        }
    }

    /// Judge the value of each flag of that name as a text for a shell.
    fn texts_of(&mut self, arguments: &[Field], flag: &str) {
        for (index, field) in arguments.iter().enumerate() {
            let text = match field.text.strip_prefix(flag) {
                Some("") => arguments.get(index + 1).map(|field| field.text.clone()),
                Some(rest) => rest.strip_prefix('=').map(str::to_owned),
                None => None,
            };
            if let Some(text) = text {
                self.deeper(|judge| judge.text(&text, &mut Scope::default()));
            }
        }
    }

    /// A setting is read, or set to what git runs later. `false`: the catalog's word holds.
    fn git_config(&mut self, fields: &[Field], arguments: &[Field]) -> bool {
        let takes = [
            "-f",
            "--file",
            "--blob",
            "--type",
            "--default",
            "--comment",
            "--value",
        ];
        let mut named: Vec<&Field> = Vec::new();
        let mut flags: Vec<&str> = Vec::new();
        let mut rest = arguments.iter();
        while let Some(field) = rest.next() {
            if !field.text.starts_with('-') {
                named.push(field);
                continue;
            }
            flags.push(&field.text);
            if takes.contains(&field.text.as_str()) {
                rest.next();
            }
        }
        let verbs = [
            "set",
            "unset",
            "get",
            "list",
            "edit",
            "rename-section",
            "remove-section",
        ];
        let verb = named
            .first()
            .map(|field| field.text.as_str())
            .filter(|word| verbs.contains(word));
        let named = named.get(usize::from(verb.is_some())..).unwrap_or_default();
        if verb == Some("edit") || flags.iter().any(|flag| matches!(*flag, "-e" | "--edit")) {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "what an editor does is not read here",
            );
            return true;
        }
        let other = ["--unset", "--remove", "--rename", "--get", "--list", "-l"];
        let other = flags
            .iter()
            .any(|flag| other.iter().any(|start| flag.starts_with(start)));
        if other || matches!(verb, Some("unset" | "get" | "list")) {
            return false;
        }
        match named {
            [key] if verb.is_none() && !key.many => {
                self.nothing(fields);
                true
            }
            [key, ..] if runs(&key.text) => {
                self.doubt(
                    &words(fields),
                    Doubt::Code,
                    "git runs what this setting names, later",
                );
                true
            }
            _ => false,
        }
    }
}

/// Whether a setting's value is something that git runs. One that is not known may be.
fn runs(key: &str) -> bool {
    let key = key.to_lowercase();
    key.contains(HOLE)
        || COMMANDS
            .iter()
            .any(|(start, end)| key.starts_with(start) && key.ends_with(end))
}

/// `NAME::ADDRESS`, where `NAME` is a transport.
fn is_transport(text: &str) -> bool {
    let text = text
        .split_once('=')
        .filter(|_| text.starts_with('-'))
        .map_or(text, |(_, value)| value);
    text.split_once("::").is_some_and(|(name, _)| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'+')
    })
}
