//! Shells, `find`, and programs that run commands in other places.

use super::dispatch::is_hole;
use super::input::Input;
use super::scope::Scope;
use super::walk::{Judge, words};
use super::wrap::behind_flags;
use super::{Doubt, Place};
use crate::entry::Effects;
use crate::field::{Field, HOLE};
use rescind_model::Class;
use std::sync::Arc;

/// The values of `docker exec` and `docker compose exec`.
const EXEC_VALUES: [&str; 10] = [
    "-e",
    "--env",
    "--env-file",
    "-w",
    "--workdir",
    "-u",
    "--user",
    "--detach-keys",
    "--index",
    "-H",
];
/// docker's own flags with a value.
const DOCKER_VALUES: [&str; 14] = [
    "-c",
    "--context",
    "-H",
    "--host",
    "--config",
    "-l",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "-f",
    "--file",
    "-p",
    "--project-name",
];
/// ssh's flags with a value.
const SSH_VALUES: [&str; 21] = [
    "-B", "-b", "-c", "-D", "-E", "-e", "-F", "-I", "-i", "-J", "-L", "-l", "-m", "-O", "-o", "-P", "-p",
    "-Q", "-R", "-S", "-W",
];
/// kubectl's flags with a value that can stand before `exec`'s own words.
const KUBECTL_VALUES: [&str; 13] = [
    "-n",
    "--namespace",
    "--context",
    "--kubeconfig",
    "--cluster",
    "--user",
    "-s",
    "--server",
    "--token",
    "-c",
    "--container",
    "-f",
    "--filename",
];

impl Judge<'_> {
    /// `sh -c TEXT`, `sh SCRIPT`, `sh` that reads commands.
    pub(super) fn shell(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        let mut rest = fields.get(1..).unwrap_or_default();
        let mut text_follows = false;
        let mut reads = false;
        let mut no_run = false;
        while let Some((field, behind)) = rest.split_first() {
            let flag = field.text.as_str();
            if field.many || is_hole(field) {
                self.doubt(
                    &words(fields),
                    Doubt::Word,
                    "what the shell runs is only known then",
                );
                return;
            }
            if flag == "-" {
                rest = behind;
                break;
            }
            if !flag.starts_with(['-', '+']) || flag.len() < 2 {
                break;
            }
            rest = behind;
            match flag {
                "--" => break,
                "--version" | "--help" => {
                    self.nothing(fields);
                    return;
                }
                "--rcfile" | "--init-file" => {
                    self.doubt(
                        &words(fields),
                        Doubt::Code,
                        "a file that it reads commands from is not read here",
                    );
                    return;
                }
                "-o" | "+o" | "-O" | "+O" => rest = rest.get(1..).unwrap_or_default(),
                flag if flag.starts_with("--") => {}
                flag => {
                    text_follows |= flag.contains('c') && flag.starts_with('-');
                    reads |= flag.contains('s');
                    no_run |= flag.contains('n') && flag.starts_with('-');
                    if flag.ends_with('o') {
                        rest = rest.get(1..).unwrap_or_default();
                    }
                }
            }
        }
        if no_run {
            self.nothing(fields);
            return;
        }
        if text_follows {
            let Some((text, arguments)) = rest.split_first() else {
                self.doubt(&words(fields), Doubt::Syntax, "the shell's text is missing");
                return;
            };
            let mut inner = self.fresh(scope);
            inner.arguments = Some(Arc::new(arguments.get(1..).unwrap_or_default().to_vec()));
            match arguments.first() {
                Some(name) if !name.many => inner.set("0", name.text.clone()),
                _ => inner.forget("0"),
            }
            match text.exact() {
                Some(text) => {
                    let text = text.to_owned();
                    self.deeper(|judge| judge.text_with(&text, &mut inner, input));
                }
                None => {
                    self.doubt(
                        &words(fields),
                        Doubt::Word,
                        "a part of the shell's text is only known when it runs",
                    );
                    let text = text.text.clone();
                    self.no_better_than(|judge| judge.text_with(&text, &mut inner, input));
                }
            }
            return;
        }
        if rest.is_empty() || reads {
            self.shell_reads(fields, scope, input);
            return;
        }
        let own = rest.first().is_some_and(|script| script.text == "/dev/stdin");
        if own {
            self.shell_reads(fields, scope, input);
        } else {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "the script that it runs is not read here",
            );
        }
    }

    /// A shell of its own: it knows the environment and no functions.
    fn fresh(&self, scope: &Scope) -> Scope {
        let mut inner = scope.clone();
        inner.functions = Arc::default();
        inner.aliases = Arc::default();
        inner
    }

    /// A shell that reads its commands from its input.
    pub(super) fn shell_reads(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        let mut inner = self.fresh(scope);
        match input {
            Input::Text(text) => {
                let text = text.clone();
                self.deeper(|judge| judge.text(&text, &mut inner));
            }
            Input::About(text) => {
                let text = text.clone();
                self.doubt(
                    &words(fields),
                    Doubt::Input,
                    "it runs what another command prints",
                );
                self.deeper(|judge| judge.text(&text, &mut inner));
            }
            Input::Own | Input::Unknown => {
                self.doubt(
                    &words(fields),
                    Doubt::Input,
                    "it runs commands that are only known when it reads them",
                );
            }
        }
    }

    /// `find ... -exec CMD ;` runs commands; the rest is the catalog's. `true`: all is judged.
    pub(super) fn find(&mut self, name: &str, fields: &[Field], scope: &Scope) -> bool {
        let fd = name.starts_with("fd");
        let starts: &[&str] = if fd {
            &["-x", "--exec", "-X", "--exec-batch"]
        } else {
            &["-exec", "-execdir", "-ok", "-okdir"]
        };
        if fields.iter().skip(1).any(|field| field.many) {
            self.doubt(
                &words(fields),
                Doubt::Word,
                "a word that is only known when it runs may tell it to run or delete",
            );
            return true;
        }
        let mut left = Vec::new();
        let mut rest = fields.iter();
        let mut found = false;
        while let Some(field) = rest.next() {
            if !starts.contains(&field.text.as_str()) {
                left.push(field.clone());
                continue;
            }
            found = true;
            let mut taken: Vec<&Field> = Vec::new();
            let mut all_at_once = fd && field.text.ends_with(['X', 'h']);
            for field in rest.by_ref() {
                if field.text == ";" || (!fd && field.text == "+") {
                    all_at_once |= field.text == "+";
                    break;
                }
                taken.push(field);
            }
            let command: Vec<Field> = taken
                .into_iter()
                .map(|field| Field {
                    text: field.text.replace("{}", "\u{ffff}").replace("{/}", "\u{ffff}"),
                    many: field.many || all_at_once && field.text == "{}",
                    ..field.clone()
                })
                .collect();
            if command.is_empty() {
                self.doubt(
                    &words(fields),
                    Doubt::Syntax,
                    "the command that it runs is missing",
                );
            }
            let command: Vec<Field> = match fd && !command.iter().any(|field| field.text.contains(HOLE)) {
                true => command.into_iter().chain([Field::hole(false)]).collect(),
                false => command,
            };
            self.deeper(|judge| judge.outside(&command, &mut scope.clone(), &Input::Own));
        }
        if !found {
            return false;
        }
        let left_arguments = left.get(1..).unwrap_or_default();
        self.found_rest(name, &left, left_arguments);
        true
    }

    /// What `find` does besides running commands.
    fn found_rest(&mut self, name: &str, fields: &[Field], arguments: &[Field]) {
        let deletes = arguments.iter().any(|field| {
            matches!(field.text.as_str(), "-delete")
                || field.text.starts_with("-fprint")
                || field.text == "-fls"
                || is_hole(field)
        });
        if !deletes {
            self.plain(fields, Class::NoEffect, Effects::None, "it looks for files");
            return;
        }
        let catalog = self.catalog;
        if catalog.find(name, arguments).is_some() {
            self.only_catalog(name, fields);
        } else {
            self.doubt(
                &words(fields),
                Doubt::NoEntry,
                "the catalog has no entry for this program",
            );
        }
    }

    /// `ssh HOST CMD`.
    pub(super) fn ssh(&mut self, fields: &[Field], input: &Input) {
        let arguments = fields.get(1..).unwrap_or_default();
        let rest = behind_flags(arguments, &SSH_VALUES);
        let flags = arguments.get(..arguments.len() - rest.len()).unwrap_or_default();
        if flags
            .iter()
            .any(|field| matches!(field.text.as_str(), "-V" | "-Q" | "-G"))
        {
            self.nothing(fields);
            return;
        }
        let option = |field: &Field| {
            let text = field.text.to_ascii_lowercase();
            [
                "proxycommand",
                "localcommand",
                "knownhostscommand",
                "match",
                "include",
            ]
            .iter()
            .any(|word| text.contains(word))
                || text.contains(HOLE)
        };
        if flags.iter().any(option) || rest.first().is_some_and(|host| host.many) {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "an option of ssh can run commands here",
            );
            // Whatever that may be, the command is not better than what it says.
            if !rest.first().is_some_and(|host| host.many) {
                return;
            }
        }
        let Some((host, command)) = rest.split_first() else {
            self.doubt(&words(fields), Doubt::Syntax, "the host is missing");
            return;
        };
        // Flags may stand behind the host, too.
        let command = behind_flags(command, &SSH_VALUES);
        let place = Place::Elsewhere(host.shown());
        if command.is_empty() {
            if flags
                .iter()
                .any(|field| field.text.starts_with('-') && field.text.contains('N'))
            {
                self.nothing(fields);
                return;
            }
            self.at(place, |judge| {
                judge.shell_reads(fields, &Scope::elsewhere(), input)
            });
            return;
        }
        self.at(place, |judge| {
            let texts: Option<Vec<&str>> = command.iter().map(Field::exact).collect();
            match texts {
                Some(texts) => {
                    let text = texts.join(" ");
                    judge.deeper(|judge| judge.text_with(&text, &mut Scope::elsewhere(), input));
                }
                None => {
                    judge.doubt(
                        &words(fields),
                        Doubt::Word,
                        "a part of the remote command is only known when it runs",
                    );
                    let texts: Vec<&str> = command.iter().map(|field| field.text.as_str()).collect();
                    let text = texts.join(" ");
                    judge.no_better_than(|judge| {
                        judge.text_with(&text, &mut Scope::elsewhere(), input);
                    });
                }
            }
        });
    }

    /// `gcloud compute ssh HOST --command TEXT`. `false`: something else.
    pub(super) fn gcloud(&mut self, fields: &[Field], input: &Input) -> bool {
        let words: Vec<&str> = fields.iter().map(|field| field.text.as_str()).collect();
        let Some(at) = words
            .windows(2)
            .position(|pair| matches!(pair, ["compute", "ssh"] | ["tpu-vm", "ssh"]))
        else {
            return false;
        };
        let text = fields.iter().enumerate().find_map(|(index, field)| {
            if field.text == "--command" {
                return fields.get(index + 1).cloned();
            }
            let text = field.text.strip_prefix("--command=")?;
            Some(Field {
                text: text.to_owned(),
                ..field.clone()
            })
        });
        let host = fields
            .iter()
            .skip(at + 2)
            .find(|field| !field.text.starts_with('-'));
        let place = Place::Elsewhere(host.map_or_else(|| "a machine".to_owned(), Field::shown));
        self.at(place, |judge| match text.as_ref().map(Field::exact) {
            Some(Some(text)) => {
                judge.deeper(|judge| judge.text_with(text, &mut Scope::elsewhere(), input));
            }
            Some(None) => {
                let text = text.as_ref().map(|field| field.text.clone()).unwrap_or_default();
                judge.deeper(|judge| judge.text_with(&text, &mut Scope::elsewhere(), input));
            }
            None => judge.shell_reads(fields, &Scope::elsewhere(), input),
        });
        true
    }

    /// `docker exec C CMD` and `docker compose exec S CMD`. `false`: something else.
    pub(super) fn container(&mut self, fields: &[Field], input: &Input) -> bool {
        let mut rest = behind_flags(fields.get(1..).unwrap_or_default(), &DOCKER_VALUES);
        let composed = fields
            .first()
            .is_some_and(|field| field.text.ends_with("compose"));
        match rest {
            [word, behind @ ..] if word.text == "compose" => rest = behind_flags(behind, &DOCKER_VALUES),
            [word, behind @ ..] if word.text == "container" => rest = behind,
            _ if composed => {}
            _ => {}
        }
        let [word, behind @ ..] = rest else { return false };
        if word.text != "exec" {
            return false;
        }
        let behind = behind_flags(behind, &EXEC_VALUES);
        let [container, command @ ..] = behind else {
            return false;
        };
        if container.many {
            self.doubt(
                &words(fields),
                Doubt::Word,
                "where and what it runs is only known then",
            );
            return true;
        }
        self.remote(fields, format!("container {}", container.shown()), command, input);
        true
    }

    /// `kubectl exec POD -- CMD`. `false`: something else.
    pub(super) fn pod(&mut self, fields: &[Field], input: &Input) -> bool {
        let rest = behind_flags(fields.get(1..).unwrap_or_default(), &KUBECTL_VALUES);
        let [word, behind @ ..] = rest else { return false };
        if word.text != "exec" {
            return false;
        }
        let Some(at) = behind.iter().position(|field| field.text == "--") else {
            self.doubt(
                &words(fields),
                Doubt::Syntax,
                "the command for the pod does not follow `--`",
            );
            return true;
        };
        let pod = behind_flags(behind.get(..at).unwrap_or_default(), &KUBECTL_VALUES);
        let name = pod
            .first()
            .map_or_else(|| "a pod".to_owned(), |pod| format!("pod {}", pod.shown()));
        self.remote(fields, name, behind.get(at + 1..).unwrap_or_default(), input);
        true
    }

    fn remote(&mut self, fields: &[Field], place: String, command: &[Field], input: &Input) {
        if command.is_empty() {
            self.doubt(&words(fields), Doubt::Syntax, "the command is missing");
            return;
        }
        self.at(Place::Elsewhere(place), |judge| {
            judge.deeper(|judge| judge.outside(command, &mut Scope::elsewhere(), input));
        });
    }
}
