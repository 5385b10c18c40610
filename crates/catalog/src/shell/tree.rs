//! The tree of a shell text.

use std::sync::Arc;

/// Commands one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Them.
    pub items: Vec<Item>,
}

/// Pipelines joined by `&&` and `||`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The pipelines; which of those after the first run depends on the ones before.
    pub pipelines: Vec<Pipeline>,
    /// Ended by `&`.
    pub background: bool,
}

/// Commands whose output goes into the next one's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Them, at least one.
    pub stages: Vec<Command>,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Words.
    Simple(Simple),
    /// A construct of the language, with what is redirected around it.
    Compound(Box<Compound>, Vec<Redirect>),
    /// A definition.
    Function {
        /// Its name.
        name: String,
        /// What runs when it is called.
        body: Arc<Self>,
    },
}

/// A construct of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compound {
    /// `{ ...; }`
    Group(List),
    /// `( ... )`
    Subshell(List),
    /// `if`, with the conditions and bodies in order, and `else`.
    If(Vec<(List, List)>, Option<List>),
    /// `while` and `until`.
    Loop(List, List),
    /// `for NAME in WORDS` and `select`; without words, the arguments.
    For(String, Option<Vec<Word>>, List),
    /// `for ((...))`.
    Counted(Word, List),
    /// `case`.
    Case(Word, Vec<(Vec<Word>, List)>),
    /// `[[ ... ]]`, its words.
    Test(Vec<Word>),
    /// `(( ... ))`.
    Arithmetic(Word),
}

/// Assignments, words, redirections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Simple {
    /// `NAME=value` before the first word.
    pub assigns: Vec<Assign>,
    /// The command and its arguments.
    pub words: Vec<Word>,
    /// Where its descriptors go.
    pub redirects: Vec<Redirect>,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assign {
    /// The variable.
    pub name: String,
    /// `+=`, or an element of an array: the value is not all there is.
    pub partial: bool,
    /// The value.
    pub value: AssignValue,
}

/// What is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignValue {
    /// A word.
    Word(Word),
    /// The elements of an array.
    Array(Vec<Word>),
}

/// A redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Which.
    pub kind: RedirectKind,
    /// The file, the descriptor, or the text of a here-document.
    pub target: Word,
}

/// The kinds of redirection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectKind {
    /// `<`
    Read,
    /// `>`, `>|`, `&>`, `<>`: what was there is lost, or may be.
    Write,
    /// `>>`, `&>>`
    Append,
    /// `>&`, `<&` with a descriptor or `-`; bash takes a file, too.
    Duplicate,
    /// `<<`, `<<-`, `<<<`: the target is the text.
    Here,
}

/// A word, in pieces as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// Its pieces.
    pub pieces: Vec<Piece>,
}

/// A piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands, without quotes: patterns and braces in it mean something.
    Text(String),
    /// From quotes or behind a backslash: exactly this.
    Quoted(String),
    /// A parameter's value.
    Param {
        /// Its name; a digit or a sign for the special ones.
        name: String,
        /// What is done to it.
        op: ParamOp,
        /// In double quotes: one word.
        quoted: bool,
    },
    /// The output of commands.
    Command {
        /// Them.
        list: List,
        /// In double quotes: one word.
        quoted: bool,
    },
    /// `<(...)` and `>(...)`: the name of a pipe.
    Process(List),
    /// `$((...))`: a number; what is inside may run commands.
    Arithmetic(Word),
}

/// What is done to a parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamOp {
    /// Nothing.
    Plain,
    /// `${x-w}`, `${x:-w}`, `${x=w}`, `${x:=w}`.
    Default {
        /// Instead of it.
        word: Word,
        /// Also where it is empty.
        colon: bool,
        /// Keep it.
        assign: bool,
    },
    /// `${x+w}`, `${x:+w}`.
    Alternate {
        /// Instead of it.
        word: Word,
        /// Not where it is empty.
        colon: bool,
    },
    /// Anything else (`#`, `%`, `/`, `:0:1`, `!x`, `@Q`): the result is not worked out; the word may run commands.
    Other(Word),
}

impl Word {
    /// The text, where the word is nothing but text without quotes: keywords, names, numbers.
    #[must_use]
    pub fn bare(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// A word that is exactly this text.
    #[must_use]
    pub fn quoted(text: impl Into<String>) -> Self {
        Self {
            pieces: vec![Piece::Quoted(text.into())],
        }
    }
}
