//! A word of a command as far as it is known before the command runs.

/// Stands in a text for what can't be known. A noncharacter: no text of meaning contains it, and one that does is only
/// taken for less known than it is.
pub const HOLE: char = '\u{ffff}';

/// A word of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    /// Its text; [`HOLE`] where something is not known.
    pub text: String,
    /// It may become several words, or none, when the command runs.
    pub many: bool,
    /// It has a pattern without quotes: file names may take its place.
    pub glob: bool,
    /// Some of it was quoted.
    pub quoted: bool,
}

impl Field {
    /// A word that is known.
    #[must_use]
    pub fn known(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            text,
            ..Self::default()
        }
    }

    /// A word of which nothing is known; `many`: it may be several.
    #[must_use]
    pub fn hole(many: bool) -> Self {
        Self {
            text: HOLE.to_string(),
            many,
            ..Self::default()
        }
    }

    /// The text, if all of it is known.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        (!self.many && !self.text.contains(HOLE)).then_some(self.text.as_str())
    }

    /// The text with all of it known, or with a pattern's signs, as the program's name can't have them.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        self.exact().filter(|_| !self.glob)
    }

    /// For people.
    #[must_use]
    pub fn shown(&self) -> String {
        show(&self.text)
    }
}

/// A text for people, unknown places marked.
#[must_use]
pub fn show(text: &str) -> String {
    text.replace("\u{ffff}\u{fffe}", "~").replace(HOLE, "<unknown>")
}
