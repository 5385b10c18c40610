//! Commands of the shell itself, which change what later ones mean.

use super::input::Input;
use super::scope::{HOME, Scope};
use super::walk::{Judge, words};
use super::{Doubt, Place};
use crate::entry::Effects;
use crate::field::{Field, HOLE};
use rescind_model::Class;
use std::sync::Arc;

/// Those that change nothing outside of the shell, whatever their arguments.
const HARMLESS: [&str; 39] = [
    ":", "true", "false", "echo", "test", "[", "pwd", "type", "wait", "jobs", "bg", "fg", "disown", "shift",
    "return", "exit", "break", "continue", "umask", "ulimit", "times", "history", "dirs", "pushd", "popd",
    "cd", "let", "help", "caller", "compgen", "complete", "compopt", "logout", "suspend", "fc", "bind",
    "chdir", "unalias", "shopt",
];

/// Variables whose value is a command that other programs run.
const COMMANDS: [&str; 20] = [
    "PAGER",
    "GIT_PAGER",
    "MANPAGER",
    "SYSTEMD_PAGER",
    "AWS_PAGER",
    "GH_PAGER",
    "EDITOR",
    "VISUAL",
    "GIT_EDITOR",
    "GIT_SEQUENCE_EDITOR",
    "KUBE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_EXTERNAL_DIFF",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "PROMPT_COMMAND",
    "BROWSER",
    "LESSOPEN",
];

/// Variables that put other code into programs.
const LOADERS: [&str; 20] = [
    "BASH_ENV",
    "ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "PYTHONHOME",
    "PERL5OPT",
    "PERL5LIB",
    "PERL5DB",
    "RUBYOPT",
    "RUBYLIB",
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "GIT_EXEC_PATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_COUNT",
];

impl Judge<'_> {
    /// Run one of the shell's own commands. `false`: it is none.
    pub(super) fn builtin(&mut self, name: &str, fields: &[Field], scope: &mut Scope, input: &Input) -> bool {
        let arguments = fields.get(1..).unwrap_or_default();
        if HARMLESS.contains(&name) {
            self.nothing(fields);
            return true;
        }
        match name {
            "printf" => {
                if let [flag, variable, ..] = arguments
                    && flag.text == "-v"
                {
                    self.forget(variable, scope);
                }
                self.nothing(fields);
            }
            "export" | "declare" | "typeset" | "readonly" | "local" => self.declare(fields, scope),
            "unset" => {
                for field in arguments.iter().filter(|field| !field.text.starts_with('-')) {
                    if field
                        .exact()
                        .is_some_and(|name| scope.functions.contains_key(name))
                    {
                        Arc::make_mut(&mut scope.functions).remove(&field.text);
                    }
                    scope.unset(&field.text);
                    if field.text == "PATH" || field.exact().is_none() {
                        scope.taint("the folders of programs are not known");
                    }
                }
                self.nothing(fields);
            }
            "read" | "mapfile" | "readarray" | "getopts" => {
                for field in arguments {
                    self.forget(field, scope);
                }
                self.nothing(fields);
            }
            "set" => {
                if arguments
                    .iter()
                    .any(|field| field.text == "--" || !field.text.starts_with(['-', '+']))
                {
                    let mut rest = arguments.iter();
                    let _flags = rest.by_ref().take_while(|field| field.text != "--").count();
                    scope.arguments = Some(Arc::new(rest.cloned().collect()));
                }
                self.nothing(fields);
            }
            "alias" => self.alias(arguments, fields, scope),
            "hash" | "enable" => {
                if arguments.iter().any(|field| field.text != "-r") {
                    scope.taint("`hash` or `enable` gives a name another meaning");
                }
                self.nothing(fields);
            }
            "eval" => self.eval(arguments, scope, input),
            "source" | "." => self.source(fields, scope, input),
            "trap" => match arguments {
                [text, _, ..] if !matches!(text.text.as_str(), "-" | "" | "-l" | "-p") => {
                    match text.exact() {
                        Some(text) => {
                            let text = text.to_owned();
                            self.deeper(|judge| judge.text(&text, &mut scope.clone()));
                        }
                        None => {
                            let text = text.text.clone();
                            self.deeper(|judge| judge.text(&text, &mut scope.clone()));
                            self.doubt(
                                &words(fields),
                                Doubt::Word,
                                "what the trap runs is only known then",
                            );
                        }
                    }
                }
                _ => self.nothing(fields),
            },
            "exec" => self.exec(arguments, fields, scope, input),
            "command" | "builtin" => self.command_word(arguments, fields, scope, input),
            _ => return false,
        }
        true
    }

    /// A part that changes nothing.
    pub(super) fn nothing(&mut self, fields: &[Field]) {
        self.plain(
            fields,
            Class::NoEffect,
            Effects::None,
            "it changes nothing outside of the shell",
        );
    }

    fn forget(&mut self, field: &Field, scope: &mut Scope) {
        match field.exact() {
            Some(name) => scope.forget(name),
            None => scope.taint("a variable is set whose name is not known"),
        }
    }

    fn declare(&mut self, fields: &[Field], scope: &mut Scope) {
        for field in fields.iter().skip(1) {
            if field.text.starts_with(['-', '+']) {
                // A reference to another variable, or a conversion: values are not what was assigned.
                if field.text.contains(['n', 'i', 'l', 'u', 'c']) && !field.text.contains(HOLE) {
                    scope.taint("a variable is declared so that its value is not what was assigned");
                }
                continue;
            }
            match field.text.split_once('=') {
                Some((name, value)) if !name.contains(HOLE) => {
                    let partial = name.ends_with('+');
                    let name = name.trim_end_matches('+');
                    self.variable_set(name, value, scope);
                    let value = if partial || field.many {
                        HOLE.to_string()
                    } else {
                        value.to_owned()
                    };
                    scope.set(name, value);
                }
                Some(_) => scope.taint("a variable is set whose name is not known"),
                None if field.many => scope.taint("a variable is set whose name is not known"),
                None => {}
            }
        }
        self.nothing(fields);
    }

    fn alias(&mut self, arguments: &[Field], fields: &[Field], scope: &mut Scope) {
        for field in arguments {
            match field.exact().and_then(|text| text.split_once('=')) {
                Some((name, text)) => {
                    Arc::make_mut(&mut scope.aliases).insert(name.to_owned(), text.to_owned());
                }
                None if field.exact().is_none() => scope.taint("an alias is defined that is not known"),
                None => {}
            }
        }
        self.nothing(fields);
    }

    fn eval(&mut self, arguments: &[Field], scope: &mut Scope, input: &Input) {
        let texts: Option<Vec<&str>> = arguments
            .iter()
            .filter(|field| field.text != "--")
            .map(Field::exact)
            .collect();
        match texts {
            Some(texts) => {
                let text = texts.join(" ");
                self.deeper(|judge| judge.text_with(&text, scope, input));
            }
            None => {
                self.doubt(
                    &format!("eval {}", words(arguments)),
                    Doubt::Word,
                    "what it evaluates is only known when it runs",
                );
                let texts: Vec<&str> = arguments.iter().map(|field| field.text.as_str()).collect();
                let text = texts.join(" ");
                self.no_better_than(|judge| judge.text_with(&text, &mut scope.clone(), input));
                scope.taint("an evaluated text may have defined anything");
            }
        }
    }

    fn source(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) {
        if let (Some(Field { text, .. }), Input::Text(script)) = (fields.get(1), input)
            && text == "/dev/stdin"
        {
            let script = script.clone();
            self.deeper(|judge| judge.text(&script, scope));
            return;
        }
        self.doubt(
            &words(fields),
            Doubt::Code,
            "the file that it reads commands from is not read here",
        );
        scope.taint("a file that is not read may have defined anything");
    }

    fn exec(&mut self, arguments: &[Field], fields: &[Field], scope: &mut Scope, input: &Input) {
        let mut rest = arguments;
        while let [flag, behind @ ..] = rest {
            match flag.text.as_str() {
                "-a" => rest = behind.get(1..).unwrap_or_default(),
                "-c" | "-l" | "-cl" | "--" => rest = behind,
                _ => break,
            }
        }
        if rest.is_empty() {
            self.nothing(fields);
        } else {
            self.deeper(|judge| judge.outside(rest, scope, input));
        }
    }

    fn command_word(&mut self, arguments: &[Field], fields: &[Field], scope: &mut Scope, input: &Input) {
        match arguments {
            [] => self.nothing(fields),
            [flag, ..] if matches!(flag.text.as_str(), "-v" | "-V" | "-pv" | "-pV") => self.nothing(fields),
            [flag, rest @ ..] if matches!(flag.text.as_str(), "-p" | "--") => {
                self.deeper(|judge| judge.outside(rest, scope, input));
            }
            rest => self.deeper(|judge| judge.outside(rest, scope, input)),
        }
    }

    /// A variable of the environment gets a value: some decide what programs run.
    pub(super) fn variable_set(&mut self, name: &str, value: &str, scope: &mut Scope) {
        if name == "PATH" {
            if !self.path_is_fine(value, scope) {
                scope.taint("`PATH` names folders whose programs may be anything");
            }
        } else if name.starts_with("LD_")
            || name.starts_with("DYLD_")
            || LOADERS.contains(&name)
            || name.starts_with("GIT_CONFIG_KEY")
        {
            if !value.is_empty() {
                scope.taint("a variable puts other code into programs");
            }
        } else if COMMANDS.contains(&name) && !value.is_empty() {
            let value = value.to_owned();
            if value.contains(HOLE) {
                scope.taint("a variable names a program to be run that is not known");
            } else {
                let harmless = [
                    "cat",
                    "less",
                    "more",
                    "true",
                    ":",
                    "false",
                    "echo",
                    "/bin/true",
                    "/bin/false",
                    "/bin/echo",
                    "less -R",
                    "less -FRX",
                ];
                if !harmless.contains(&value.as_str()) {
                    self.deeper(|judge| judge.text(&value, &mut scope.clone()));
                }
            }
        }
    }

    /// Folders where programs are what they are called, besides what is there already.
    fn path_is_fine(&self, value: &str, scope: &Scope) -> bool {
        let before = scope.variable("PATH", self.context).unwrap_or_default();
        let home = scope.variable("HOME", self.context).unwrap_or_default();
        let rest = value.replace(HOME, "");
        if rest.contains(HOLE) || (self.place != Place::Here && value.contains(HOLE)) {
            return false;
        }
        let rest = if before.is_empty() {
            value.to_owned()
        } else {
            value.replace(&before, "")
        };
        rest.split(':').filter(|folder| !folder.is_empty()).all(|folder| {
            let folder = folder.trim_end_matches('/');
            let at_home = folder
                .strip_prefix(home.as_str())
                .filter(|_| !home.is_empty())
                .or_else(|| folder.strip_prefix('~'))
                .map(|rest| rest.trim_start_matches('/'));
            let usual = [
                "bin",
                ".local/bin",
                ".cargo/bin",
                "go/bin",
                ".npm-global/bin",
                ".bun/bin",
                ".deno/bin",
                ".yarn/bin",
            ];
            at_home.is_some_and(|rest| usual.contains(&rest)) || self.is_trusted_folder(folder)
        })
    }
}
