//! Programs that run another one which stands behind their own flags.

use super::input::Input;
use super::prefixes::{ENVIRONMENTS, PREFIXES};
use super::scope::Scope;
use super::verbs::{VERBS, destroys};
use super::walk::{Judge, words};
use super::{Doubt, Place};
use crate::field::{Field, HOLE};
use rescind_model::{Class, Reversibility};

impl Judge<'_> {
    /// Judge what a wrapper runs. `false`: it is no wrapper.
    pub(super) fn wrapped(&mut self, name: &str, fields: &[Field], scope: &mut Scope, input: &Input) -> bool {
        let arguments = fields.get(1..).unwrap_or_default();
        if let Some(prefix) = PREFIXES.iter().find(|prefix| {
            prefix.name == name
                && (prefix.sub.is_empty() || arguments.first().is_some_and(|word| word.text == prefix.sub))
        }) {
            let arguments = if prefix.sub.is_empty() {
                arguments
            } else {
                arguments.get(1..).unwrap_or_default()
            };
            let rest = behind_flags(arguments, prefix.values);
            if rest.iter().take(prefix.own).any(|field| field.many) {
                self.doubt(
                    &words(fields),
                    Doubt::Word,
                    "which program it runs is only known then",
                );
                return true;
            }
            let rest = rest.get(prefix.own..).unwrap_or_default();
            let rest = rest.strip_prefix(&[Field::known("--")]).unwrap_or(rest);
            self.inner(fields, rest, scope, input);
            return true;
        }
        if let Some((_, _, own)) = ENVIRONMENTS
            .iter()
            .find(|(known, sub, _)| *known == name && arguments.first().is_some_and(|word| word.text == *sub))
        {
            let rest = behind_flags(arguments.get(1..).unwrap_or_default(), &[]);
            let rest = rest.get(*own..).unwrap_or_default();
            let behind = rest.iter().position(|field| field.text == "--");
            let rest = rest.get(behind.map_or(0, |at| at + 1)..).unwrap_or_default();
            let prefix = fields.get(..fields.len() - rest.len()).unwrap_or_default();
            self.behind(prefix, |judge| judge.inner(fields, rest, scope, input));
            return true;
        }
        match name {
            "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "mksh" | "rbash" => {
                self.shell(fields, scope, input)
            }
            "fish" | "csh" | "tcsh" | "pwsh" | "powershell" | "nu" | "xonsh" | "elvish" | "rc" => {
                self.doubt(
                    &words(fields),
                    Doubt::Code,
                    "it runs commands in a language that is not read here",
                );
            }
            "env" => self.env(fields, scope, input),
            "sudo" | "doas" | "run0" | "pkexec" => self.sudo(fields, scope, input),
            "su" | "runuser" => self.su(fields, scope, input),
            "xargs" => self.xargs(fields, scope),
            "parallel" => self.parallel(fields, scope),
            "watch" => self.watch(fields, scope),
            "find" | "gfind" | "fd" | "fdfind" => return self.find(name, fields, scope),
            "flock" => self.flock(fields, scope, input),
            "ssh" => self.ssh(fields, input),
            "mosh" | "autossh" | "pdsh" | "pssh" | "parallel-ssh" | "clush" | "dsh" => {
                self.doubt(
                    &words(fields),
                    Doubt::Code,
                    "it runs commands on other machines, which is not read here",
                );
                self.at(Place::Elsewhere("other machines".to_owned()), |judge| {
                    judge.hidden(fields)
                });
            }
            "mongosh" | "mongo" => {
                if let Input::Text(text) | Input::About(text) = input {
                    self.mongo(fields, text);
                }
                return false;
            }
            "at" | "batch" => {
                if let Input::Text(text) | Input::About(text) = input {
                    let text = text.clone();
                    self.no_better_than(|judge| judge.text(&text, &mut scope.clone()));
                }
                return false;
            }
            "docker" | "podman" | "nerdctl" | "docker-compose" => return self.container(fields, input),
            "kubectl" | "oc" => return self.pod(fields, input),
            "chroot" | "nsenter" | "unshare" | "systemd-run" | "machinectl" | "firejail" | "bwrap"
            | "proot" | "fakeroot" | "lxc" | "lxc-attach" | "incus" | "vagrant" | "wsl" | "script"
            | "tmux" | "screen" | "expect" | "socat" => {
                return self.aside(name, fields, arguments);
            }
            "bq" => return self.bigquery(fields),
            "sqlite3" | "sqlite" => return self.sqlite(fields, input),
            "hyperfine" => self.each_text(fields, scope),
            "ip" => return self.namespace(fields, scope, input),
            "cargo" | "rustc" | "rustfmt" | "rustdoc" => return self.toolchain(fields, scope, input),
            "gcloud" => return self.gcloud(fields, input),
            "python" | "python3" => return self.python_module(fields, scope, input),
            "git" => return self.git(fields, scope),
            "npx" | "bunx" | "pnpx" | "uvx" | "npm" | "pnpm" | "yarn" | "bun" | "pipx" => {
                self.package(fields, scope, input);
                return false;
            }
            _ => return false,
        }
        true
    }

    /// The program that a wrapper runs; without one the wrapper only says something.
    pub(super) fn inner(&mut self, fields: &[Field], rest: &[Field], scope: &mut Scope, input: &Input) {
        if rest.is_empty() {
            self.nothing(fields);
            return;
        }
        self.deeper(|judge| judge.outside(rest, scope, input));
    }

    fn env(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        let mut inner = scope.clone();
        let mut rest = fields.get(1..).unwrap_or_default();
        while let Some((field, behind)) = rest.split_first() {
            let text = field.text.as_str();
            if matches!(
                text,
                "-u" | "--unset" | "-C" | "--chdir" | "-a" | "--argv0" | "-P"
            ) {
                rest = behind.get(1..).unwrap_or_default();
            } else if text.starts_with("-S")
                || text.starts_with("--split-string")
                || (text.starts_with("-") && !text.starts_with("--") && text.contains('S'))
            {
                self.doubt(
                    &words(fields),
                    Doubt::Code,
                    "`env -S` splits a text in a way that is not read here",
                );
                return;
            } else if text == "-" || text == "--" || (text.starts_with('-') && !field.many) {
                rest = behind;
            } else if let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.contains(HOLE))
            {
                self.variable_set(name, value, &mut inner);
                inner.set(name, value.to_owned());
                rest = behind;
            } else {
                break;
            }
        }
        let prefix = fields.get(..fields.len() - rest.len()).unwrap_or_default();
        self.behind(prefix, |judge| judge.inner(fields, rest, &mut inner, input));
    }

    fn sudo(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        let values = [
            "-u",
            "-g",
            "-h",
            "-p",
            "-C",
            "-r",
            "-t",
            "-T",
            "-U",
            "-D",
            "-R",
            "--user",
            "--group",
            "--host",
            "--prompt",
            "--chdir",
            "--chroot",
            "--role",
            "--type",
            "--other-user",
            "--close-from",
            "--command-timeout",
        ];
        let arguments = fields.get(1..).unwrap_or_default();
        let mut inner = scope.clone();
        let mut rest = behind_flags(arguments, &values);
        let flags = arguments.get(..arguments.len() - rest.len()).unwrap_or_default();
        let has = |names: &[&str]| flags.iter().any(|field| names.contains(&field.text.as_str()));
        if has(&["-e", "--edit"]) {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "what an editor does is not read here",
            );
            return;
        }
        if has(&[
            "-l",
            "--list",
            "-v",
            "--validate",
            "-k",
            "-K",
            "-V",
            "--version",
            "--help",
        ]) && rest.is_empty()
        {
            self.nothing(fields);
            return;
        }
        if has(&["-s", "--shell", "-i", "--login"]) && rest.is_empty() {
            self.shell_reads(fields, scope, input);
            return;
        }
        while let Some((field, behind)) = rest.split_first() {
            let Some((name, value)) = field
                .text
                .split_once('=')
                .filter(|(name, _)| !name.contains(['/', HOLE]))
            else {
                break;
            };
            self.variable_set(name, value, &mut inner);
            inner.set(name, value.to_owned());
            rest = behind;
        }
        let prefix = fields.get(..fields.len() - rest.len()).unwrap_or_default();
        // The root user of a session's own machine is beyond what the session's capture can promise.
        self.behind(prefix, |judge| {
            judge.at(Place::Privileged, |judge| {
                judge.inner(fields, rest, &mut inner, input)
            });
        });
    }

    /// Judge something that only runs behind these words, and whose way back does, too.
    pub(super) fn behind(&mut self, words: &[Field], run: impl FnOnce(&mut Self)) {
        let known: Option<Vec<String>> = words.iter().map(|word| word.exact().map(str::to_owned)).collect();
        let longer = match (self.prefix.clone(), known) {
            (Some(before), Some(known)) => Some([before, known].concat()),
            _ => None,
        };
        let before = std::mem::replace(&mut self.prefix, longer);
        run(self);
        self.prefix = before;
    }

    /// Judge something whose surroundings can't be put in front of another command.
    fn alone(&mut self, run: impl FnOnce(&mut Self)) {
        let before = self.prefix.take();
        run(self);
        self.prefix = before;
    }

    fn su(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        let arguments = fields.get(1..).unwrap_or_default();
        let text = arguments.windows(2).find_map(|pair| match pair {
            [flag, text] if matches!(flag.text.as_str(), "-c" | "--command" | "-lc") => Some(text),
            _ => None,
        });
        match text {
            Some(text) => {
                let text = text.text.clone();
                self.alone(|judge| {
                    judge.at(Place::Privileged, |judge| {
                        judge.deeper(|judge| judge.text(&text, &mut scope.clone()));
                    });
                });
            }
            None => {
                let behind: Vec<&Field> = arguments
                    .iter()
                    .skip_while(|field| field.text != "--")
                    .skip(1)
                    .collect();
                if behind.is_empty() {
                    self.at(Place::Privileged, |judge| judge.shell_reads(fields, scope, input));
                } else {
                    let rest: Vec<Field> = behind.into_iter().cloned().collect();
                    self.alone(|judge| {
                        judge.at(Place::Privileged, |judge| {
                            judge.inner(fields, &rest, &mut scope.clone(), input)
                        });
                    });
                }
            }
        }
    }

    /// Judge something where it runs.
    pub(super) fn at(&mut self, place: Place, run: impl FnOnce(&mut Self)) {
        let place = if matches!(self.place, Place::Elsewhere(_)) && place == Place::Privileged {
            self.place.clone()
        } else {
            place
        };
        let before = std::mem::replace(&mut self.place, place);
        run(self);
        self.place = before;
    }

    fn xargs(&mut self, fields: &[Field], scope: &Scope) {
        let values = [
            "-a",
            "-d",
            "-E",
            "-I",
            "-L",
            "-n",
            "-P",
            "-s",
            "-J",
            "-R",
            "--arg-file",
            "--delimiter",
            "--max-lines",
            "--max-args",
            "--max-procs",
            "--max-chars",
            "--process-slot-var",
        ];
        let arguments = fields.get(1..).unwrap_or_default();
        let rest = behind_flags(arguments, &values);
        if rest.is_empty() {
            self.nothing(fields);
            return;
        }
        let flags = arguments.get(..arguments.len() - rest.len()).unwrap_or_default();
        let mut replaced = flags.iter().enumerate().find_map(|(index, field)| {
            if field.text == "-I" || field.text == "-J" || field.text == "--replace" {
                return flags.get(index + 1).map(|field| field.text.clone());
            }
            let inline = field
                .text
                .strip_prefix("-I")
                .or_else(|| field.text.strip_prefix("--replace="));
            inline.map(str::to_owned)
        });
        if flags
            .iter()
            .any(|field| matches!(field.text.as_str(), "-i" | "--replace"))
        {
            replaced = Some("{}".to_owned());
        }
        let command = with_holes(rest, replaced.as_deref());
        let before = self.parts.len();
        self.deeper(|judge| judge.outside(&command, &mut scope.clone(), &Input::Text(String::new())));
        // Whatever it is that comes: it is deleted, and nobody knows what to capture.
        if destroys(rest, &VERBS).is_some() {
            let parts = self.parts.iter_mut().skip(before);
            for part in parts.filter(|part| part.doubt == Some(Doubt::Word) && part.entry.is_some()) {
                part.class = Class::Known(Reversibility::Irreversible);
                part.uncaptured = part.class;
            }
        }
    }

    fn watch(&mut self, fields: &[Field], scope: &Scope) {
        let arguments = fields.get(1..).unwrap_or_default();
        let rest = behind_flags(arguments, &["-n", "--interval", "-q", "--equexit"]);
        self.joined(fields, rest, &mut scope.clone());
    }

    /// Words that are put together into one text for a shell.
    pub(super) fn joined(&mut self, fields: &[Field], rest: &[Field], scope: &mut Scope) {
        let texts: Option<Vec<&str>> = rest.iter().map(Field::exact).collect();
        match texts {
            Some(texts) if texts.is_empty() => self.nothing(fields),
            Some(texts) => {
                let text = texts.join(" ");
                self.deeper(|judge| judge.text(&text, scope));
            }
            None => {
                let texts: Vec<&str> = rest.iter().map(|field| field.text.as_str()).collect();
                let text = texts.join(" ");
                self.deeper(|judge| judge.text(&text, scope));
                self.doubt(
                    &words(fields),
                    Doubt::Word,
                    "a part of the text for a shell is only known when it runs",
                );
            }
        }
    }
}

/// What stands behind flags, of which some take a value.
pub(super) fn behind_flags<'f>(arguments: &'f [Field], values: &[&str]) -> &'f [Field] {
    let mut rest = arguments;
    while let Some((field, behind)) = rest.split_first() {
        if field.text == "--" {
            return behind;
        }
        if !field.text.starts_with('-') || field.text.len() < 2 {
            break;
        }
        rest = if values.contains(&field.text.as_str()) {
            behind.get(1..).unwrap_or_default()
        } else {
            behind
        };
    }
    rest
}

/// A command with words that come when it runs: in the place of `replaced`, or at the end.
pub(super) fn with_holes(command: &[Field], replaced: Option<&str>) -> Vec<Field> {
    let mut fields: Vec<Field> = command.to_vec();
    match replaced.filter(|sign| !sign.is_empty()) {
        Some(sign) => {
            let mut found = false;
            for field in &mut fields {
                found |= field.text.contains(sign);
                field.text = field.text.replace(sign, "\u{ffff}");
            }
            if !found && sign == "{}" {
                fields.push(Field::hole(true));
            }
        }
        None => fields.push(Field::hole(true)),
    }
    fields
}
