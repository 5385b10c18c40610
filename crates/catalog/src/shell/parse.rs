//! Commands: lists, pipelines, constructs, simple commands, redirections.

use super::heredoc::Skip;
use super::tree::{
    Assign, AssignValue, Command, Compound, Item, List, Pipeline, Redirect, RedirectKind, Simple, Word,
};
use super::{MAX_DEPTH, MAX_TEXT};
use std::sync::Arc;

/// Why a text is not understood from some place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shell text is not understood at byte {at}: {problem}")]
pub struct ParseError {
    /// The byte at which it stopped making sense.
    pub at: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It ends inside something.
    #[error("{0} is not ended")]
    Unended(&'static str),
    /// Something is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// Something is where nothing like it can be.
    #[error("a sign or word that can't be here")]
    Unexpected,
    /// It is understood by some shells, and not here.
    #[error("{0} is not read")]
    NotRead(&'static str),
    /// It is nested too deep.
    #[error("it is nested too deep")]
    TooDeep,
    /// It is too long.
    #[error("it is too long")]
    TooLong,
}

/// What parsing gives.
pub(super) type Parsed<T> = Result<T, ParseError>;

/// The words that end a list.
const ENDS: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

/// The reader of one text.
#[derive(Debug)]
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// Here-documents whose text follows the current line, which is read over when the line ends.
    pub(super) skip: Option<Skip>,
}

/// Read a text: what was understood, up to the end or the first error.
#[must_use]
pub fn parse(text: &str) -> (List, Option<ParseError>) {
    parse_nested(text, 0)
}

/// Read a text that stands inside another one, `depth` levels down.
pub(super) fn parse_nested(text: &str, depth: usize) -> (List, Option<ParseError>) {
    let mut parser = Parser {
        text,
        at: 0,
        depth,
        skip: None,
    };
    let mut list = List::default();
    if text.len() > MAX_TEXT {
        return (list, Some(parser.error(Problem::TooLong)));
    }
    let error = match parser.list_into(&mut list) {
        Ok(()) if parser.at_end() => None,
        Ok(()) => Some(parser.error(Problem::Unexpected)),
        Err(error) => Some(error),
    };
    (list, error)
}

impl<'a> Parser<'a> {
    pub(super) fn error(&self, problem: Problem) -> ParseError {
        ParseError { at: self.at, problem }
    }

    pub(super) fn fail<T>(&self, problem: Problem) -> Parsed<T> {
        Err(self.error(problem))
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// One character further; behind a line's end over the here-documents that belong to it.
    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        if next == '\n'
            && let Some(skip) = self.skip.take_if(|skip| skip.newline == self.at)
        {
            self.at = skip.resume;
            return Some(next);
        }
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    pub(super) fn want(&mut self, sign: &'static str) -> Parsed<()> {
        if self.eat(sign) {
            return Ok(());
        }
        self.fail(Problem::Missing(sign))
    }

    /// One level deeper.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return self.fail(Problem::TooDeep);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Over blanks, continued lines and a comment.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                Some(b'#') => {
                    let length = self.rest().find('\n').unwrap_or(self.rest().len());
                    self.at += length;
                }
                _ => return,
            }
        }
    }

    /// Over blanks and ends of lines.
    fn lines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return;
            }
            self.next();
        }
    }

    /// The word at hand, if it is made of letters and signs that keywords are made of and ends here.
    fn keyword(&self) -> Option<&'a str> {
        let rest = self.rest();
        let length = rest
            .bytes()
            .take(10)
            .take_while(|byte| byte.is_ascii_lowercase() || b"{}![]".contains(byte))
            .count();
        let ends = match rest.as_bytes().get(length) {
            None => true,
            Some(byte) => b" \t\r\n;&|<>()".contains(byte),
        };
        rest.get(..length).filter(|word| ends && !word.is_empty())
    }

    fn eat_keyword(&mut self, word: &str) -> bool {
        self.keyword() == Some(word) && self.eat(word)
    }

    fn want_keyword(&mut self, word: &'static str) -> Parsed<()> {
        self.lines();
        if self.eat_keyword(word) {
            return Ok(());
        }
        self.fail(Problem::Missing(word))
    }

    /// Commands up to what ends them, which is left for the caller.
    pub(super) fn list(&mut self) -> Parsed<List> {
        let mut list = List::default();
        self.nested(|parser| parser.list_into(&mut list))?;
        Ok(list)
    }

    fn list_into(&mut self, list: &mut List) -> Parsed<()> {
        loop {
            self.lines();
            let ends = self.keyword().is_some_and(|word| ENDS.contains(&word));
            if self.at_end() || ends || self.peek() == Some(b')') || self.rest().starts_with(";;") {
                return Ok(());
            }
            let mut item = Item {
                pipelines: vec![self.pipeline()?],
                background: false,
            };
            loop {
                self.blanks();
                if !(self.eat("&&") || self.eat("||")) {
                    break;
                }
                self.lines();
                match self.pipeline() {
                    Ok(pipeline) => item.pipelines.push(pipeline),
                    Err(error) => {
                        list.items.push(item);
                        return Err(error);
                    }
                }
            }
            let next = self.peek();
            item.background = next == Some(b'&');
            list.items.push(item);
            match next {
                Some(b'&') => self.at += 1,
                Some(b';') if self.peek_at(1) != Some(b';') && self.peek_at(1) != Some(b'&') => self.at += 1,
                Some(b'\n' | b')' | b';') | None => {}
                Some(_) => return self.fail(Problem::Unexpected),
            }
        }
    }

    fn pipeline(&mut self) -> Parsed<Pipeline> {
        let mut stages = Vec::new();
        loop {
            self.blanks();
            if self.eat_keyword("!") {
                continue;
            }
            if self.eat_keyword("time") {
                self.blanks();
                if self.rest().starts_with("-p ") {
                    self.at += 2;
                }
                continue;
            }
            break;
        }
        loop {
            stages.push(self.nested(Self::command)?);
            self.blanks();
            let pipe = self.peek() == Some(b'|') && self.peek_at(1) != Some(b'|');
            if !pipe {
                return Ok(Pipeline { stages });
            }
            self.at += 1;
            self.eat("&");
            self.lines();
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        self.blanks();
        if let Some(compound) = self.compound()? {
            let mut redirects = Vec::new();
            loop {
                self.blanks();
                match self.redirect()? {
                    Some(redirect) => redirects.push(redirect),
                    None => return Ok(Command::Compound(Box::new(compound), redirects)),
                }
            }
        }
        if let Some(name) = self.function_name()? {
            self.lines();
            let body = Arc::new(self.nested(Self::command)?);
            return Ok(Command::Function { name, body });
        }
        let simple = self.simple()?;
        if simple == Simple::default() {
            return self.fail(Problem::Unexpected);
        }
        Ok(Command::Simple(simple))
    }

    fn compound(&mut self) -> Parsed<Option<Compound>> {
        if self.eat("((") {
            return Ok(Some(Compound::Arithmetic(self.arithmetic()?)));
        }
        if self.eat("(") {
            let list = self.list()?;
            self.want(")")?;
            return Ok(Some(Compound::Subshell(list)));
        }
        let Some(word) = self.keyword() else {
            return Ok(None);
        };
        let known = ["{", "if", "while", "until", "for", "select", "case", "[["];
        if word == "coproc" {
            return self.fail(Problem::NotRead("a coprocess"));
        }
        if !known.contains(&word) {
            return Ok(None);
        }
        self.at += word.len();
        let compound = match word {
            "{" => {
                let list = self.list()?;
                self.want_keyword("}")?;
                Compound::Group(list)
            }
            "if" => self.if_branches()?,
            "while" | "until" => {
                let condition = self.list()?;
                Compound::Loop(condition, self.do_done()?)
            }
            "case" => self.case()?,
            "[[" => Compound::Test(self.test_words()?),
            _ => self.for_loop()?,
        };
        Ok(Some(compound))
    }

    fn if_branches(&mut self) -> Parsed<Compound> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.list()?;
            self.want_keyword("then")?;
            branches.push((condition, self.list()?));
            if self.eat_keyword("elif") {
                continue;
            }
            if self.eat_keyword("else") {
                otherwise = Some(self.list()?);
            }
            self.want_keyword("fi")?;
            return Ok(Compound::If(branches, otherwise));
        }
    }

    fn do_done(&mut self) -> Parsed<List> {
        self.lines();
        let braces = self.eat_keyword("{");
        if !braces {
            self.want_keyword("do")?;
        }
        let body = self.list()?;
        self.want_keyword(if braces { "}" } else { "done" })?;
        Ok(body)
    }

    fn for_loop(&mut self) -> Parsed<Compound> {
        self.blanks();
        if self.eat("((") {
            let head = self.arithmetic()?;
            self.blanks();
            self.eat(";");
            return Ok(Compound::Counted(head, self.do_done()?));
        }
        let name = self.word()?;
        let Some(name) = name.bare().map(str::to_owned) else {
            return self.fail(Problem::Unexpected);
        };
        self.lines();
        let mut words = None;
        if self.eat_keyword("in") {
            words = Some(self.words()?);
        }
        self.blanks();
        self.eat(";");
        Ok(Compound::For(name, words, self.do_done()?))
    }

    fn case(&mut self) -> Parsed<Compound> {
        self.blanks();
        let subject = self.word()?;
        self.want_keyword("in")?;
        let mut arms = Vec::new();
        loop {
            self.lines();
            if self.eat_keyword("esac") {
                return Ok(Compound::Case(subject, arms));
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                let pattern = self.word()?;
                if pattern.pieces.is_empty() {
                    return self.fail(Problem::Unexpected);
                }
                patterns.push(pattern);
                self.blanks();
                if !self.eat("|") {
                    break;
                }
            }
            self.want(")")?;
            arms.push((patterns, self.list()?));
            self.lines();
            let _last_may_lack_it = self.eat(";;&") || self.eat(";;") || self.eat(";&");
        }
    }

    fn test_words(&mut self) -> Parsed<Vec<Word>> {
        let mut words = Vec::new();
        loop {
            self.lines();
            match self.peek() {
                None => return self.fail(Problem::Unended("`[[`")),
                Some(b'&' | b'|' | b'(' | b')' | b'<' | b'>' | b';') => self.at += 1,
                Some(_) => {
                    let word = self.word()?;
                    if word.bare() == Some("]]") {
                        return Ok(words);
                    }
                    if word.pieces.is_empty() {
                        return self.fail(Problem::Unexpected);
                    }
                    words.push(word);
                }
            }
        }
    }

    fn words(&mut self) -> Parsed<Vec<Word>> {
        let mut words = Vec::new();
        loop {
            self.blanks();
            let word = self.word()?;
            if word.pieces.is_empty() {
                return Ok(words);
            }
            words.push(word);
        }
    }

    /// `function NAME`, `function NAME ()` or `NAME ()`.
    fn function_name(&mut self) -> Parsed<Option<String>> {
        let name_length = |text: &str| {
            text.bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.:+@/,".contains(byte))
                .count()
        };
        let with_word = self.eat_keyword("function");
        self.blanks();
        let rest = self.rest();
        let length = name_length(rest);
        let name = rest.get(..length).unwrap_or_default();
        let behind = rest.get(length..).unwrap_or_default();
        let open = behind.trim_start_matches([' ', '\t']);
        let parens = open
            .strip_prefix('(')
            .and_then(|inside| inside.trim_start_matches([' ', '\t']).strip_prefix(')'));
        match parens {
            Some(after) if !name.is_empty() => {
                self.at += rest.len() - after.len();
                Ok(Some(name.to_owned()))
            }
            None if with_word && !name.is_empty() => {
                self.at += length;
                Ok(Some(name.to_owned()))
            }
            _ if with_word => self.fail(Problem::Unexpected),
            _ => Ok(None),
        }
    }

    fn simple(&mut self) -> Parsed<Simple> {
        let mut simple = Simple::default();
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            if simple.words.is_empty()
                && let Some(assign) = self.assign()?
            {
                simple.assigns.push(assign);
                continue;
            }
            let word = self.word()?;
            if word.pieces.is_empty() {
                return Ok(simple);
            }
            simple.words.push(word);
        }
    }

    /// `NAME=`, `NAME+=` or `NAME[...]=`.
    fn assign(&mut self) -> Parsed<Option<Assign>> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        if !bytes
            .first()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        {
            return Ok(None);
        }
        let length = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let name = rest.get(..length).unwrap_or_default().to_owned();
        let behind = rest.get(length..).unwrap_or_default();
        let (skip, partial) = if behind.starts_with('=') {
            (1, false)
        } else if behind.starts_with("+=") {
            (2, true)
        } else if behind.starts_with('[') {
            // The index of an element can hold anything: only plain ones are read.
            let inside = behind
                .bytes()
                .skip(1)
                .take_while(|byte| byte.is_ascii_alphanumeric() || b"_$@*-".contains(byte))
                .count();
            match behind.get(inside + 1..) {
                Some(tail) if tail.starts_with("]=") => (inside + 3, true),
                Some(tail) if tail.starts_with("]+=") => (inside + 4, true),
                _ => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        self.at += length + skip;
        let value = if self.eat("(") {
            let mut elements = Vec::new();
            loop {
                self.lines();
                if self.eat(")") {
                    break AssignValue::Array(elements);
                }
                let word = self.word()?;
                if word.pieces.is_empty() {
                    return self.fail(Problem::Unended("an array"));
                }
                elements.push(word);
            }
        } else {
            AssignValue::Word(self.word()?)
        };
        Ok(Some(Assign { name, partial, value }))
    }

    /// A redirection, if one begins here.
    fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let rest = self.rest();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let mut prefix = digits;
        if rest.starts_with('{')
            && let Some(end) = rest.bytes().take(40).position(|byte| byte == b'}')
            && rest.get(1..end).is_some_and(|name| {
                !name.is_empty()
                    && name
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            })
        {
            prefix = end + 1;
        }
        let behind = rest.get(prefix..).unwrap_or_default();
        let forms = [
            ("&>>", RedirectKind::Append),
            ("&>", RedirectKind::Write),
            ("<<<", RedirectKind::Here),
            ("<<-", RedirectKind::Here),
            ("<<", RedirectKind::Here),
            ("<&", RedirectKind::Duplicate),
            ("<>", RedirectKind::Write),
            ("<", RedirectKind::Read),
            (">>", RedirectKind::Append),
            (">&", RedirectKind::Duplicate),
            (">|", RedirectKind::Write),
            (">", RedirectKind::Write),
        ];
        let Some((sign, kind)) = forms.into_iter().find(|(sign, _)| behind.starts_with(sign)) else {
            return Ok(None);
        };
        if prefix > 0 && sign.starts_with('&') {
            return Ok(None);
        }
        // `<(...)` is a word.
        if behind.starts_with("<(") || behind.starts_with(">(") {
            return Ok(None);
        }
        self.at += prefix + sign.len();
        if sign == "<<" || sign == "<<-" {
            let target = self.here_document(sign == "<<-")?;
            return Ok(Some(Redirect { kind, target }));
        }
        self.blanks();
        let target = self.word()?;
        if target.pieces.is_empty() {
            return self.fail(Problem::Missing("a redirection's target"));
        }
        Ok(Some(Redirect { kind, target }))
    }
}
