//! Words as they are when the command runs, as far as that is known.

use super::scope::{MAX_VALUE, Scope};
use super::walk::Judge;
use crate::field::{Field, HOLE};
use crate::shell::{ParamOp, Piece, Word};

/// Braces make no more words than this here; what would be more is not known.
const MAX_BRACES: usize = 64;

/// Fields while they are made.
#[derive(Debug, Default)]
struct Fields {
    done: Vec<Field>,
    current: Field,
    begun: bool,
}

impl Fields {
    fn push(&mut self, text: &str) {
        if self.current.text.len() + text.len() > MAX_VALUE {
            self.current = Field::hole(true);
        } else {
            self.current.text.push_str(text);
        }
        self.begun = true;
    }

    fn end(&mut self) {
        if self.begun {
            self.done.push(std::mem::take(&mut self.current));
        }
        self.begun = false;
    }

    /// A value without quotes: it is split at blanks.
    fn split(&mut self, value: &str) {
        let blank = |sign: char| matches!(sign, ' ' | '\t' | '\n');
        if value.starts_with(blank) {
            self.end();
        }
        let mut first = true;
        for piece in value.split(blank).filter(|piece| !piece.is_empty()) {
            if !first {
                self.end();
            }
            first = false;
            self.push(piece);
            self.current.glob |= is_pattern(piece);
            self.current.many |= piece.contains(HOLE);
        }
        if value.ends_with(blank) && !first {
            self.end();
        }
    }
}

impl Judge<'_> {
    /// Words, split and with braces.
    pub(super) fn fields(&mut self, words: &[Word], scope: &mut Scope) -> Vec<Field> {
        let mut fields = Vec::with_capacity(words.len());
        for word in words {
            // Nearly all words are one text.
            if let [Piece::Text(text)] = word.pieces.as_slice()
                && !text.contains(['{', '~', '*', '?', '['])
            {
                fields.push(Field::known(text.as_str()));
                continue;
            }
            match braces(word) {
                None => self.expand(word, scope, true, &mut fields),
                Some(words) if words.len() > MAX_BRACES => fields.push(Field::hole(true)),
                Some(words) => {
                    for word in &words {
                        self.expand(word, scope, true, &mut fields);
                    }
                }
            }
        }
        fields
    }

    /// A word that stays one: of an assignment, a redirection, a here-document.
    pub(super) fn single(&mut self, word: &Word, scope: &mut Scope) -> Field {
        let mut fields = Vec::new();
        self.expand(word, scope, false, &mut fields);
        fields.pop().unwrap_or_default()
    }

    fn expand(&mut self, word: &Word, scope: &mut Scope, split: bool, into: &mut Vec<Field>) {
        let mut fields = Fields::default();
        for (index, piece) in word.pieces.iter().enumerate() {
            match piece {
                Piece::Text(text) => {
                    let text = match text.strip_prefix('~') {
                        Some(rest) if index == 0 => self.tilde(rest, scope),
                        _ => text.clone(),
                    };
                    fields.current.glob |= is_pattern(&text);
                    fields.push(&text);
                }
                Piece::Quoted(text) => {
                    fields.current.quoted = true;
                    fields.push(text);
                }
                Piece::Param { name, op, quoted } => {
                    let value = self.parameter(name, op, scope, &mut fields, *quoted || !split);
                    if let Some(value) = value {
                        if *quoted || !split {
                            fields.current.quoted |= *quoted;
                            fields.push(&value);
                        } else if value.contains(HOLE) && value.len() == HOLE.len_utf8()
                            || !scope.splits_at_blanks()
                        {
                            fields.push(if scope.splits_at_blanks() {
                                &value
                            } else {
                                "\u{ffff}"
                            });
                            fields.current.many = true;
                        } else {
                            fields.split(&value);
                        }
                    }
                }
                Piece::Command { list, quoted } => {
                    self.deeper(|judge| judge.list(list, &mut scope.clone(), &super::input::Input::Own));
                    fields.push("\u{ffff}");
                    fields.current.many |= !*quoted && split;
                }
                Piece::Process(list) => {
                    self.deeper(|judge| judge.list(list, &mut scope.clone(), &super::input::Input::Unknown));
                    fields.push("/dev/fd/63");
                }
                Piece::Arithmetic(inside) => {
                    self.single(inside, scope);
                    // A number, which is no flag.
                    fields.push("0\u{ffff}");
                }
            }
        }
        fields.end();
        into.extend(fields.done);
    }

    /// Behind `~`.
    fn tilde(&self, rest: &str, scope: &Scope) -> String {
        if !rest.is_empty() && !rest.starts_with('/') {
            return format!("~{rest}");
        }
        match scope.variable("HOME", self.context) {
            Some(home) if !home.contains(HOLE) && !home.is_empty() => format!("{home}{rest}"),
            _ => format!("~{rest}"),
        }
    }

    /// A parameter's value; `None` where it is nothing, or was put into `fields` already.
    fn parameter(
        &mut self,
        name: &str,
        op: &ParamOp,
        scope: &mut Scope,
        fields: &mut Fields,
        one_word: bool,
    ) -> Option<String> {
        let unknown = || Some(HOLE.to_string());
        if matches!(name, "@" | "*") && *op == ParamOp::Plain {
            let Some(arguments) = scope.arguments.clone() else {
                fields.current.many = true;
                return unknown();
            };
            let mut first = true;
            for argument in arguments.iter() {
                if !first && (!one_word || name == "@") {
                    fields.end();
                } else if !first {
                    fields.push(" ");
                }
                first = false;
                fields.push(&argument.text);
                fields.current.many |= argument.many;
                fields.current.glob |= argument.glob;
            }
            return None;
        }
        let value = self.plain_parameter(name, scope);
        match op {
            ParamOp::Plain => value,
            ParamOp::Default { word, colon, assign } => match value {
                Some(value) if value.contains(HOLE) => {
                    self.single(word, scope);
                    unknown()
                }
                Some(value) if !(*colon && value.is_empty()) => Some(value),
                _ => {
                    let other = self.single(word, scope).text;
                    if *assign {
                        scope.set(name, other.clone());
                    }
                    Some(other)
                }
            },
            ParamOp::Alternate { word, colon } => {
                let other = self.single(word, scope).text;
                match value {
                    Some(value) if value.contains(HOLE) => unknown(),
                    Some(value) if !(*colon && value.is_empty()) => Some(other),
                    _ => None,
                }
            }
            ParamOp::Other(word) => {
                self.single(word, scope);
                unknown()
            }
        }
    }

    fn plain_parameter(&self, name: &str, scope: &Scope) -> Option<String> {
        let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        if digits && name != "0" {
            let Some(arguments) = &scope.arguments else {
                return Some(HOLE.to_string());
            };
            let index: usize = name.parse().ok()?;
            let index = index.checked_sub(1)?;
            if arguments.iter().take(index + 1).any(|field| field.many) {
                return Some(HOLE.to_string());
            }
            let field = arguments.get(index)?;
            return Some(field.text.clone());
        }
        match name {
            // Numbers, which are no flags.
            "?" | "$" | "!" | "#" => Some("0\u{ffff}".to_owned()),
            "0" => scope
                .variable("0", self.context)
                .or_else(|| Some(HOLE.to_string())),
            "" | "-" | "@" | "*" => Some(HOLE.to_string()),
            name => scope.variable(name, self.context),
        }
    }
}

/// Whether file names may take a text's place.
fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?']) || text.contains('[') && text.contains(']')
}

/// A sign of a word, or a piece that is none.
#[derive(Debug, Clone)]
enum Atom<'a> {
    Sign(char),
    Piece(&'a Piece),
}

/// The words that braces make of one; `None` where it has none.
fn braces(word: &Word) -> Option<Vec<Word>> {
    let has = |sign: char| {
        word.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Text(text) if text.contains(sign)))
    };
    if !has('{') || !has('}') {
        return None;
    }
    let mut atoms = Vec::new();
    for piece in &word.pieces {
        match piece {
            Piece::Text(text) => atoms.extend(text.chars().map(Atom::Sign)),
            other => atoms.push(Atom::Piece(other)),
        }
    }
    let mut budget = MAX_BRACES + 1;
    let made = alternatives(&atoms, &mut budget, 0);
    Some(made.iter().map(|atoms| assemble(atoms)).collect())
}

/// The closing brace that belongs to the opening one at `open`, and the commas between at its level.
fn group(atoms: &[Atom<'_>], open: usize) -> Option<(usize, Vec<usize>)> {
    let mut depth = 0usize;
    let mut commas = Vec::new();
    for (index, atom) in atoms.iter().enumerate().skip(open) {
        match atom {
            Atom::Sign('{') => depth += 1,
            Atom::Sign('}') => {
                depth -= 1;
                if depth == 0 {
                    return Some((index, commas));
                }
            }
            Atom::Sign(',') if depth == 1 => commas.push(index),
            _ => {}
        }
    }
    None
}

fn alternatives<'a>(atoms: &[Atom<'a>], budget: &mut usize, depth: usize) -> Vec<Vec<Atom<'a>>> {
    // Long words and deep nesting are not worked out: too many words are not known.
    if depth > 8 || atoms.len() > 2_000 {
        *budget = 0;
        return vec![atoms.to_vec(); MAX_BRACES + 1];
    }
    let opening = atoms
        .iter()
        .enumerate()
        .filter(|(_, atom)| matches!(atom, Atom::Sign('{')));
    for (open, _) in opening.take(64) {
        let Some((close, commas)) = group(atoms, open) else {
            continue;
        };
        let inside = atoms.get(open + 1..close).unwrap_or_default();
        let sequence = inside
            .windows(2)
            .any(|pair| matches!(pair, [Atom::Sign('.'), Atom::Sign('.')]));
        if commas.is_empty() && !sequence {
            continue;
        }
        let before = atoms.get(..open).unwrap_or_default();
        let behind = alternatives(atoms.get(close + 1..).unwrap_or_default(), budget, depth + 1);
        let mut choices: Vec<Vec<Atom<'a>>> = Vec::new();
        if commas.is_empty() {
            choices.push(vec![Atom::Sign(HOLE)]);
        } else {
            let mut from = open + 1;
            for end in commas.into_iter().chain([close]) {
                choices.extend(alternatives(
                    atoms.get(from..end).unwrap_or_default(),
                    budget,
                    depth + 1,
                ));
                from = end + 1;
            }
        }
        let mut made = Vec::new();
        for choice in &choices {
            for rest in &behind {
                if *budget == 0 {
                    return vec![Vec::new(); MAX_BRACES + 1];
                }
                *budget -= 1;
                made.push([before, choice, rest].concat());
            }
        }
        return made;
    }
    vec![atoms.to_vec()]
}

fn assemble(atoms: &[Atom<'_>]) -> Word {
    let mut word = Word::default();
    for atom in atoms {
        match atom {
            Atom::Sign(sign) => {
                if let Some(Piece::Text(text)) = word.pieces.last_mut() {
                    text.push(*sign);
                } else {
                    word.pieces.push(Piece::Text(sign.to_string()));
                }
            }
            Atom::Piece(piece) => word.pieces.push((*piece).clone()),
        }
    }
    word
}
