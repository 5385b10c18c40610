//! From the tree of a shell text to its simple commands.

use super::input::Input;
use super::scope::Scope;
use super::{Context, Doubt, Judgement, Part, Place};
use crate::catalog::Catalog;
use crate::entry::Effects;
use crate::field::{Field, HOLE, show};
use crate::shell::{self, AssignValue, Command, Compound, Item, List, Redirect, RedirectKind, Simple, Word};
use rescind_model::{Class, Reversibility, quote};

/// No more simple commands than this are looked at in one judgement.
const MAX_STEPS: usize = 4_000;
/// Functions, `eval` and `sh -c` are followed no deeper than this.
const MAX_CALLS: usize = 40;
/// No more bytes than this are read as shell text in one judgement, nested texts included.
const MAX_READ: usize = 1024 * 1024;

/// No more characters of a command than this are shown.
const MAX_SHOWN: usize = 400;
/// Stands in a shell text for a part that is not known.
const UNKNOWN: &str = "${__rescind_unknown}";

/// One judgement.
pub(super) struct Judge<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) context: &'a Context,
    pub(super) parts: Vec<Part>,
    pub(super) place: Place,
    /// The words that stand before what is judged and before its way back: `sudo -u postgres`. `None`: not known.
    pub(super) prefix: Option<Vec<String>>,
    steps: usize,
    calls: usize,
    bytes: usize,
}

impl<'a> Judge<'a> {
    pub(super) fn new(catalog: &'a Catalog, context: &'a Context) -> Self {
        Self {
            catalog,
            context,
            parts: Vec::new(),
            place: Place::Here,
            prefix: Some(Vec::new()),
            steps: 0,
            calls: 0,
            bytes: 0,
        }
    }

    pub(super) fn end(self) -> Judgement {
        Judgement::of(self.parts)
    }

    /// A command in words.
    pub(super) fn argv(&mut self, fields: &[Field], scope: &mut Scope) {
        self.dispatch(fields, scope, &Input::Own);
    }

    /// A shell text.
    pub(super) fn text(&mut self, text: &str, scope: &mut Scope) {
        self.text_with(text, scope, &Input::Own);
    }

    pub(super) fn text_with(&mut self, text: &str, scope: &mut Scope, input: &Input) {
        self.bytes += text.len();
        if self.bytes > MAX_READ {
            self.doubt("...", Doubt::Limit, "it is too long to be read");
            return;
        }
        if text.contains(HOLE) {
            self.doubt(
                &shorten(text),
                Doubt::Word,
                "a part of the shell text is only known when it runs",
            );
            // Whatever the part is, the rest is not better than what it says.
            let known = text.replace(HOLE, UNKNOWN);
            let mut inner = scope.clone();
            inner.forget(UNKNOWN.trim_matches(['$', '{', '}']));
            self.no_better_than(|judge| judge.text_with(&known, &mut inner, input));
            return;
        }
        let (list, error) = shell::parse(text);
        self.deeper(|judge| judge.list(&list, scope, input));
        if let Some(error) = error {
            self.doubt(&shorten(text), Doubt::Syntax, &error.to_string());
        }
    }

    /// Look at something of which a part is not known: only what is certainly lost counts.
    pub(super) fn no_better_than(&mut self, run: impl FnOnce(&mut Self)) {
        let before = self.parts.len();
        self.deeper(run);
        let lost = Class::Known(Reversibility::Irreversible);
        let after = self.parts.split_off(before);
        self.parts
            .extend(after.into_iter().filter(|part| part.class == lost));
    }

    /// One call deeper, unless that is too deep.
    pub(super) fn deeper(&mut self, run: impl FnOnce(&mut Self)) {
        if self.calls >= MAX_CALLS {
            self.doubt("...", Doubt::Limit, "it is nested too deep to be followed");
            return;
        }
        self.calls += 1;
        run(self);
        self.calls -= 1;
    }

    /// Whether there is room for another simple command.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        if self.steps == MAX_STEPS {
            self.doubt(
                "...",
                Doubt::Limit,
                "it has too many commands to be looked at one by one",
            );
        }
        self.steps < MAX_STEPS
    }

    /// A part of which nothing is known.
    pub(super) fn doubt(&mut self, text: &str, doubt: Doubt, why: &str) {
        self.parts.push(Part {
            text: show(text),
            class: Class::Unknown,
            uncaptured: Class::Unknown,
            place: self.place.clone(),
            effects: Effects::Remote,
            why: why.to_owned(),
            doubt: Some(doubt),
            entry: None,
            others: 0,
            recoveries: Vec::new(),
            targets: Vec::new(),
            writes: Vec::new(),
        });
    }

    /// A part of a class that needs no entry.
    pub(super) fn plain(&mut self, fields: &[Field], class: Class, effects: Effects, why: &str) {
        self.parts.push(Part {
            text: words(fields),
            class,
            uncaptured: class,
            place: self.place.clone(),
            effects,
            why: why.to_owned(),
            doubt: None,
            entry: None,
            others: 0,
            recoveries: Vec::new(),
            targets: Vec::new(),
            writes: Vec::new(),
        });
    }

    pub(super) fn list(&mut self, list: &List, scope: &mut Scope, input: &Input) {
        for item in &list.items {
            self.item(item, scope, input);
        }
    }

    fn item(&mut self, item: &Item, scope: &mut Scope, input: &Input) {
        let mut own = item.background.then(|| scope.clone());
        let scope = own.as_mut().unwrap_or(scope);
        let mut after_first = None;
        for pipeline in &item.pipelines {
            self.pipeline(&pipeline.stages, scope, input);
            after_first.get_or_insert_with(|| scope.clone());
        }
        // What only runs if something before it went well may not have run.
        if let Some(before) = after_first {
            scope.join(&before);
        }
    }

    fn pipeline(&mut self, stages: &[Command], scope: &mut Scope, input: &Input) {
        if let [only] = stages {
            self.command(only, scope, input);
            return;
        }
        let mut input = input.clone();
        for stage in stages {
            let mut inner = scope.clone();
            self.command(stage, &mut inner, &input);
            input = self.output_of(stage, scope);
        }
    }

    /// What a stage gives to the next one, where that is known.
    fn output_of(&mut self, stage: &Command, scope: &Scope) -> Input {
        let Command::Simple(simple) = stage else {
            return Input::Unknown;
        };
        let parts = self.parts.len();
        let fields = self.fields(&simple.words, &mut scope.clone());
        self.parts.truncate(parts);
        let Some((command, arguments)) = fields.split_first() else {
            return Input::Unknown;
        };
        let texts: Vec<&str> = arguments.iter().map(|field| field.text.as_str()).collect();
        match command.literal() {
            Some("echo" | "printf") => Input::About(texts.join(" ")),
            Some("cat") if texts.is_empty() => match simple.redirects.as_slice() {
                [
                    Redirect {
                        kind: RedirectKind::Here,
                        target,
                    },
                ] => Input::Text(self.single(target, &mut scope.clone()).text),
                _ => Input::Unknown,
            },
            _ => Input::Unknown,
        }
    }

    pub(super) fn command(&mut self, command: &Command, scope: &mut Scope, input: &Input) {
        match command {
            Command::Simple(simple) => self.simple(simple, scope, input),
            Command::Compound(compound, redirects) => {
                let input = self.redirects(redirects, scope, input, None);
                self.compound(compound, scope, &input);
            }
            Command::Function { name, body } => {
                std::sync::Arc::make_mut(&mut scope.functions).insert(name.clone(), body.clone());
            }
        }
    }

    fn compound(&mut self, compound: &Compound, scope: &mut Scope, input: &Input) {
        match compound {
            Compound::Group(list) => self.list(list, scope, input),
            Compound::Subshell(list) => self.list(list, &mut scope.clone(), input),
            Compound::If(branches, otherwise) => {
                let mut before = scope.clone();
                for (condition, body) in branches {
                    self.list(condition, scope, input);
                    before = scope.clone();
                    self.list(body, scope, input);
                    scope.join(&before);
                }
                if let Some(list) = otherwise {
                    self.list(list, scope, input);
                    scope.join(&before);
                }
            }
            Compound::Loop(condition, body) => self.repeated(scope, |judge, scope| {
                judge.list(condition, scope, input);
                judge.list(body, scope, input);
            }),
            Compound::For(name, words, body) => {
                let fields = words.as_ref().map(|words| self.fields(words, scope));
                for value in self.values(fields.as_deref()) {
                    self.repeated(scope, |judge, scope| {
                        scope.set(name, value.clone());
                        judge.list(body, scope, input);
                    });
                }
            }
            Compound::Counted(head, body) => {
                self.single(head, scope);
                self.repeated(scope, |judge, scope| judge.list(body, scope, input));
            }
            Compound::Case(subject, arms) => {
                self.single(subject, scope);
                let before = scope.clone();
                for (patterns, body) in arms {
                    for pattern in patterns {
                        self.single(pattern, scope);
                    }
                    self.list(body, scope, input);
                    scope.join(&before);
                }
            }
            Compound::Test(words) => {
                self.fields(words, scope);
            }
            Compound::Arithmetic(word) => {
                self.single(word, scope);
                // It may have set anything; what names it assigns is not read.
                for name in names_in(word) {
                    scope.forget(&name);
                }
            }
        }
    }

    /// What a loop's variable stands for, one after the other; one value that is not known for all, where there are too
    /// many or they are not known.
    fn values(&self, fields: Option<&[Field]>) -> Vec<String> {
        const MOST: usize = 8;
        let fields = fields.unwrap_or_default();
        let known = fields.iter().all(|field| field.literal().is_some());
        let few = (1..=MOST).contains(&fields.len()) && (fields.len() == 1 || self.calls < MAX_CALLS / 2);
        match known && few {
            true => fields.iter().map(|field| field.text.clone()).collect(),
            false => vec![HOLE.to_string()],
        }
    }

    /// A body that runs any number of times: what it sets is not known at its beginning either.
    fn repeated(&mut self, scope: &mut Scope, mut body: impl FnMut(&mut Self, &mut Scope)) {
        let before = scope.clone();
        let (parts, steps) = (self.parts.len(), self.steps);
        body(self, scope);
        if self.steps >= MAX_STEPS {
            return;
        }
        let mut again = scope.clone();
        again.join(&before);
        // The second run knows less: it is the one that counts. It costs as much as the first, and nesting would double
        // at each level: below some depth the first has to do, and is not trusted.
        if self.calls + 8 > MAX_CALLS {
            scope.join(&before);
            self.doubt("...", Doubt::Limit, "loops are nested too deep to be followed");
            return;
        }
        self.parts.truncate(parts);
        let used = self.steps - steps;
        self.calls += 8;
        body(self, &mut again);
        self.calls -= 8;
        self.steps = self.steps.max(steps + used);
        *scope = again;
        scope.join(&before);
    }

    fn simple(&mut self, simple: &Simple, scope: &mut Scope, input: &Input) {
        if !self.step() {
            return;
        }
        let mut assigned = Vec::new();
        for assign in &simple.assigns {
            let value = match &assign.value {
                AssignValue::Word(word) => self.single(word, scope).text,
                AssignValue::Array(elements) => {
                    self.fields(elements, scope);
                    HOLE.to_string()
                }
            };
            let value = if assign.partial { HOLE.to_string() } else { value };
            if simple.words.is_empty() {
                self.variable_set(&assign.name, &value, scope);
                scope.set(&assign.name, value);
            } else {
                assigned.push((assign.name.clone(), value));
            }
        }
        let fields = self.fields(&simple.words, scope);
        let first = self.parts.len();
        let mut writes = Vec::new();
        let input = self.redirects(&simple.redirects, scope, input, Some(&mut writes));
        let own_parts = self.parts.len() > first;
        if fields.is_empty() {
            return;
        }
        if assigned.is_empty() {
            self.dispatch(&fields, scope, &input);
        } else {
            let mut inner = scope.clone();
            let mut words = vec![Field::known("env")];
            for (name, value) in assigned {
                self.variable_set(&name, &value, &mut inner);
                words.push(Field::known(format!("{name}={value}")));
                inner.set(&name, value);
            }
            // The way back needs them, too: they may say which cluster or account it is.
            self.behind(&words, |judge| judge.dispatch(&fields, &mut inner, &input));
        }
        if !own_parts && let Some(part) = self.parts.get_mut(first) {
            part.writes = writes;
        }
    }

    /// Look at redirections; each that writes is a part. The input they make is the result.
    fn redirects(
        &mut self,
        redirects: &[Redirect],
        scope: &mut Scope,
        input: &Input,
        mut writes: Option<&mut Vec<String>>,
    ) -> Input {
        let mut input = input.clone();
        for redirect in redirects {
            let field = self.single(&redirect.target, scope);
            match redirect.kind {
                RedirectKind::Here => {
                    input = Input::Text(field.text.clone());
                }
                RedirectKind::Read => {
                    input = if field.text == "/dev/null" {
                        Input::Text(String::new())
                    } else {
                        Input::Unknown
                    };
                    if field.text.starts_with("/dev/tcp/") || field.text.starts_with("/dev/udp/") {
                        self.doubt(&field.text, Doubt::Input, "it reads from the network");
                    }
                }
                RedirectKind::Duplicate => {
                    let descriptor = field.text.trim_end_matches('-');
                    if !descriptor.bytes().all(|byte| byte.is_ascii_digit()) && !field.text.contains(HOLE) {
                        self.write(&field, ">&");
                    }
                }
                RedirectKind::Write | RedirectKind::Append => {
                    let sign = if redirect.kind == RedirectKind::Write {
                        ">"
                    } else {
                        ">>"
                    };
                    if let Some(writes) = &mut writes {
                        writes.push(field.shown());
                    }
                    self.write(&field, sign);
                }
            }
        }
        input
    }

    /// A redirection that writes a file.
    fn write(&mut self, field: &Field, sign: &str) {
        let (class, uncaptured, effects, why) = written(&field.text, &self.place, sign == ">>");
        if class == Class::NoEffect {
            return;
        }
        let text = format!("{sign} {}", shown_word(field));
        self.parts.push(Part {
            text,
            class,
            uncaptured,
            place: self.place.clone(),
            effects,
            why: why.to_owned(),
            doubt: (class == Class::Unknown).then_some(Doubt::Word),
            entry: None,
            others: 0,
            recoveries: Vec::new(),
            targets: Vec::new(),
            writes: vec![field.shown()],
        });
    }
}

/// What it means that something is written to a path: with capture, without, where, and why.
pub(super) fn written(path: &str, place: &Place, append: bool) -> (Class, Class, Effects, &'static str) {
    let state = Class::Known(Reversibility::ReversibleWithState);
    let lost = Class::Known(Reversibility::Irreversible);
    let partly = Class::Known(Reversibility::PartiallyReversible);
    let path = normal(path);
    let harmless = [
        "/dev/null",
        "/dev/stdout",
        "/dev/stderr",
        "/dev/stdin",
        "/dev/tty",
        "/dev/full",
        "/dev/zero",
    ];
    if harmless.contains(&path.as_str()) || path.starts_with("/dev/fd/") || path.starts_with("/dev/pts/") {
        return (
            Class::NoEffect,
            Class::NoEffect,
            Effects::None,
            "it keeps nothing",
        );
    }
    if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
        return (
            Class::Unknown,
            Class::Unknown,
            Effects::Remote,
            "it writes to the network",
        );
    }
    if path.starts_with("/dev/") && !path.starts_with("/dev/shm/") {
        return (
            lost,
            lost,
            Effects::LocalHost,
            "it writes to a device, of which nothing is captured",
        );
    }
    if path.starts_with("/proc/sysrq") {
        return (
            lost,
            lost,
            Effects::LocalHost,
            "it tells the kernel to act at once",
        );
    }
    if path.starts_with("/proc/") || path.starts_with("/sys/") {
        return (
            partly,
            partly,
            Effects::LocalHost,
            "it sets a value of the kernel, which is no file that can be captured",
        );
    }
    if path.starts_with(HOLE) && *place == Place::Here {
        return (
            Class::Unknown,
            Class::Unknown,
            Effects::Remote,
            "where it writes is only known when it runs",
        );
    }
    let bare = if append { state } else { lost };
    if *place == Place::Here {
        return (
            state,
            bare,
            Effects::LocalFiles,
            "it writes a file of this machine, which is captured before",
        );
    }
    let why = if append {
        "it adds to a file where nothing is captured"
    } else {
        "it overwrites a file where nothing is captured"
    };
    (bare, bare, Effects::Remote, why)
}

/// A path without `.`, `//` and, as far as it is known, `..`.
pub(super) fn normal(path: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    let end = if path.ends_with('/') && !names.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", names.join("/"))
}

/// Words as a person would type them.
pub(super) fn words(fields: &[Field]) -> String {
    let mut text = String::new();
    for field in fields {
        // More is not shown.
        if text.len() > 4 * MAX_SHOWN {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&shown_word(field));
    }
    shorten(&text)
}

fn shown_word(field: &Field) -> String {
    if field.text.contains(HOLE) || field.glob {
        return field.shown();
    }
    quote(&field.text)
}

/// A text that fits on a few lines.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The names in an expression.
fn names_in(word: &Word) -> Vec<String> {
    let texts = word.pieces.iter().filter_map(|piece| match piece {
        shell::Piece::Text(text) | shell::Piece::Quoted(text) => Some(text.as_str()),
        _ => None,
    });
    texts
        .flat_map(|text| text.split(|sign: char| !sign.is_alphanumeric() && sign != '_'))
        .filter(|name| name.starts_with(|sign: char| sign.is_alphabetic() || sign == '_'))
        .map(str::to_owned)
        .collect()
}
