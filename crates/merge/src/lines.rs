//! Texts as lines, and lines as numbers.

use std::collections::HashMap;

/// The lines of `text` with their ends; the last one may have none. Joined they are `text` again, to the byte.
pub(crate) fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A text, or `None` where the bytes are none: not UTF-8, or with a NUL in it.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!bytes.contains(&0)).then_some(text)
}

/// Numbers for lines: equal lines have equal numbers, so that they are compared in one step.
#[derive(Debug, Default)]
pub(crate) struct Numbers<'a>(HashMap<&'a str, u32>);

impl<'a> Numbers<'a> {
    /// The numbers of `lines`.
    pub(crate) fn of(&mut self, lines: &[&'a str]) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(lines.len());
        for line in lines {
            let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
            numbers.push(*self.0.entry(line).or_insert(next));
        }
        numbers
    }
}
