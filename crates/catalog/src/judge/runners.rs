//! Programs that run others by rules of their own.

use super::Doubt;
use super::input::Input;
use super::scope::Scope;
use super::walk::{Judge, words};
use super::wrap::{behind_flags, with_holes};
use crate::entry::Effects;
use crate::field::{Field, HOLE};
use rescind_model::{Class, Reversibility};

impl Judge<'_> {
    pub(super) fn parallel(&mut self, fields: &[Field], scope: &Scope) {
        let arguments = fields.get(1..).unwrap_or_default();
        let rest = behind_flags(
            arguments,
            &[
                "-j",
                "--jobs",
                "-a",
                "--arg-file",
                "-I",
                "-N",
                "-n",
                "-d",
                "--delimiter",
                "--colsep",
                "-C",
                "--timeout",
                "--joblog",
                "--results",
                "--delay",
                "--retries",
                "--tagstring",
                "-S",
                "--sshlogin",
            ],
        );
        let command: Vec<Field> = rest
            .iter()
            .take_while(|field| !field.text.starts_with(":::"))
            .cloned()
            .collect();
        let remote = arguments
            .iter()
            .any(|field| matches!(field.text.as_str(), "-S" | "--sshlogin" | "--slf"));
        if command.is_empty()
            || remote
            || command
                .iter()
                .any(|field| field.text.contains([' ', ';', '|', '&', '$', '`']))
        {
            self.doubt(
                &words(fields),
                Doubt::Input,
                "what it runs is put together when it runs",
            );
            let texts: Vec<&str> = command.iter().map(|field| field.text.as_str()).collect();
            let text = texts.join(" ").replace("{}", "\u{ffff}");
            self.no_better_than(|judge| judge.text(&text, &mut scope.clone()));
            return;
        }
        let command = with_holes(&command, Some("{}"));
        self.deeper(|judge| judge.outside(&command, &mut scope.clone(), &Input::Text(String::new())));
    }

    pub(super) fn flock(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) {
        let arguments = fields.get(1..).unwrap_or_default();
        let rest = behind_flags(
            arguments,
            &["-w", "-E", "--timeout", "--wait", "--conflict-exit-code"],
        );
        let rest = rest.get(1..).unwrap_or_default();
        match rest {
            [flag, text] if matches!(flag.text.as_str(), "-c" | "--command") => {
                let text = text.text.clone();
                self.deeper(|judge| judge.text(&text, scope));
            }
            rest => self.inner(fields, rest, scope, input),
        }
    }

    /// Programs that run others in surroundings of their own.
    pub(super) fn aside(&mut self, name: &str, fields: &[Field], arguments: &[Field]) -> bool {
        let first = arguments
            .first()
            .map(|field| field.text.as_str())
            .unwrap_or_default();
        let reads = match name {
            "tmux" => matches!(
                first,
                "ls" | "list-sessions" | "list-windows" | "capture-pane" | "has-session"
            ),
            "screen" => matches!(first, "-ls" | "-list"),
            "lxc" | "incus" => matches!(first, "list" | "info"),
            "machinectl" => matches!(first, "" | "list" | "status" | "show"),
            "vagrant" => matches!(first, "status" | "global-status" | "version"),
            _ => false,
        };
        let destroys = matches!(name, "lxc" | "incus" | "vagrant")
            && arguments
                .iter()
                .take(3)
                .any(|word| matches!(word.text.as_str(), "delete" | "destroy"));
        if reads {
            self.nothing(fields);
        } else if destroys {
            let lost = Class::Known(Reversibility::Irreversible);
            let why = "it deletes a machine with what it holds";
            self.plain(fields, lost, Effects::LocalHost, why);
        } else {
            self.doubt(
                &words(fields),
                Doubt::Code,
                "it runs others in surroundings of its own, which are not read here",
            );
            self.hidden(fields);
        }
        true
    }

    /// `python -m pip ...` is pip.
    pub(super) fn python_module(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) -> bool {
        match fields {
            [_, flag, module, ..] if flag.text == "-m" && matches!(module.text.as_str(), "pip" | "twine") => {
                let rest = fields.get(2..).unwrap_or_default();
                self.deeper(|judge| judge.outside(rest, scope, input));
                true
            }
            _ => false,
        }
    }

    /// `npx PROGRAM ...`: a package, which nobody read; but it is not better than what the program is known for.
    pub(super) fn package(&mut self, fields: &[Field], scope: &Scope, input: &Input) {
        const KNOWN: [&str; 18] = [
            "prisma",
            "drizzle-kit",
            "sequelize",
            "knex",
            "typeorm",
            "supabase",
            "wrangler",
            "vercel",
            "netlify",
            "firebase",
            "serverless",
            "sls",
            "cdk",
            "lerna",
            "changeset",
            "twine",
            "alembic",
            "sequelize-cli",
        ];
        let at = fields.iter().take(6).position(|field| {
            let name = field.text.split('@').next().unwrap_or_default();
            KNOWN.contains(&name)
        });
        let Some(at) = at.filter(|at| *at > 0) else { return };
        let mut inner: Vec<Field> = fields.get(at..).unwrap_or_default().to_vec();
        if let Some(first) = inner.first_mut() {
            first.text = first
                .text
                .split('@')
                .next()
                .unwrap_or_default()
                .replace("-cli", "");
        }
        self.no_better_than(|judge| judge.outside(&inner, &mut scope.clone(), input));
    }

    /// A program each of whose words is a text for a shell.
    pub(super) fn each_text(&mut self, fields: &[Field], scope: &Scope) {
        let values = [
            "-w",
            "--warmup",
            "-r",
            "--runs",
            "-m",
            "--min-runs",
            "-M",
            "--max-runs",
            "-L",
            "-D",
            "--export-json",
            "--style",
            "--export-markdown",
            "-n",
            "--command-name",
            "-u",
            "-N",
            "--export-csv",
            "-S",
            "--shell",
            "--input",
            "--output",
        ];
        self.nothing(fields.get(..1).unwrap_or_default());
        let mut rest = fields.get(1..).unwrap_or_default().iter();
        while let Some(field) = rest.next() {
            let runs = [
                "-p",
                "--prepare",
                "-c",
                "--cleanup",
                "-s",
                "--setup",
                "-C",
                "--conclude",
            ];
            if values.contains(&field.text.as_str()) {
                rest.next();
            } else if runs.contains(&field.text.as_str()) || !field.text.starts_with('-') {
                let text = match field.text.starts_with('-') {
                    true => rest.next().map(|field| field.text.clone()).unwrap_or_default(),
                    false => field.text.clone(),
                };
                self.deeper(|judge| judge.text(&text, &mut scope.clone()));
            } else if field.text.contains('=') || field.text.contains(HOLE) {
                self.doubt(&words(fields), Doubt::Code, "a flag of it can run commands");
            }
        }
    }

    /// `ip netns exec NAME COMMAND`. `false`: something else.
    pub(super) fn namespace(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) -> bool {
        let rest = behind_flags(
            fields.get(1..).unwrap_or_default(),
            &["-n", "-netns", "-b", "-batch", "-f", "-family", "-rc", "-l"],
        );
        let batch = fields
            .iter()
            .any(|field| matches!(field.text.as_str(), "-b" | "-batch"));
        match rest {
            [object, verb, _, inner @ ..]
                if matches!(object.text.as_str(), "netns" | "net" | "netn" | "vrf")
                    && matches!(verb.text.as_str(), "exec" | "exe" | "ex" | "e") =>
            {
                self.inner(fields, inner, scope, input);
                true
            }
            _ if batch => {
                self.doubt(&words(fields), Doubt::Code, "a file of commands is not read here");
                true
            }
            _ => false,
        }
    }

    /// `cargo +nightly ...` is cargo. `false`: it says no toolchain.
    pub(super) fn toolchain(&mut self, fields: &[Field], scope: &mut Scope, input: &Input) -> bool {
        let [program, chain, rest @ ..] = fields else {
            return false;
        };
        if !chain.text.starts_with('+') || chain.exact().is_none() {
            return false;
        }
        let inner: Vec<Field> = [program].into_iter().chain(rest).cloned().collect();
        self.deeper(|judge| judge.outside(&inner, scope, input));
        true
    }

    /// Look for a command in the words of a program that runs one somewhere: it is not better than that.
    pub(super) fn hidden(&mut self, fields: &[Field]) {
        const MOST: usize = 16;
        const LONGEST: usize = 64;
        let fields = fields.get(..LONGEST).unwrap_or(fields);
        for at in 1..fields.len().min(MOST) {
            let rest = fields.get(at..).unwrap_or_default();
            let Some(word) = rest.first().and_then(Field::exact).map(str::to_owned) else {
                continue;
            };
            let name = word.rsplit('/').next().unwrap_or_default();
            if word.contains(' ') {
                self.no_better_than(|judge| judge.text(&word, &mut Scope::default()));
            } else if self.catalog.knows(name) || matches!(name, "sh" | "bash" | "sudo" | "env") {
                self.no_better_than(|judge| judge.outside(rest, &mut Scope::default(), &Input::Own));
            }
        }
    }

    /// JavaScript for MongoDB that is read from the input: not better than the deletions that stand in it.
    pub(super) fn mongo(&mut self, fields: &[Field], text: &str) {
        const DELETES: [&str; 9] = [
            "drop",
            "delete",
            "Delete",
            "remove",
            "update",
            "replaceOne",
            "findOneAnd",
            "bulkWrite",
            "shutdown",
        ];
        if let Some(word) = DELETES.iter().find(|word| text.contains(**word)) {
            let lost = Class::Known(Reversibility::Irreversible);
            let why = format!("what it reads says `{word}`");
            self.plain(fields, lost, Effects::Remote, &why);
        }
    }
}
