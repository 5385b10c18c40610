//! What a command reads from its standard input.

/// The standard input of a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Input {
    /// That of the one who asks: a terminal, or nothing.
    #[default]
    Own,
    /// A pipe or a file, of which nothing is known.
    Unknown,
    /// This text, from a here-document: exactly.
    Text(String),
    /// This text, more or less: what `echo` and its like make of it differs between shells.
    About(String),
}
