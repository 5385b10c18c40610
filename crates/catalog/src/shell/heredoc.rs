//! Here-documents: their text stands behind the line that names them.

use super::parse::{Parsed, Parser, Problem};
use super::tree::Word;

/// What is read over when the line at hand ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skip {
    /// Where the line ends.
    pub(super) newline: usize,
    /// Where reading goes on.
    pub(super) resume: usize,
    /// How many here-documents lie between.
    count: usize,
}

/// More here-documents than this on one line are not read, so that reading stays linear.
const MAX_ON_A_LINE: usize = 8;

impl Parser<'_> {
    /// The text of the here-document whose delimiter stands here.
    pub(super) fn here_document(&mut self, strip_tabs: bool) -> Parsed<Word> {
        self.blanks();
        let (delimiter, quoted) = self.delimiter()?;
        let before = match self.skip {
            Some(skip) if skip.newline >= self.at => skip,
            _ => self.end_of_line()?,
        };
        if before.count >= MAX_ON_A_LINE {
            return self.fail(Problem::TooLong);
        }
        let mut at = before.resume;
        let mut body = String::new();
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let (line, length) = match rest.split_once('\n') {
                Some((line, _)) => (line, line.len() + 1),
                None => (rest, rest.len()),
            };
            at += length;
            let line = if strip_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line == delimiter {
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        self.skip = Some(Skip {
            newline: before.newline,
            resume: at,
            count: before.count + 1,
        });
        if quoted {
            return Ok(Word::quoted(body));
        }
        let depth = self.depth;
        self.nested(|_| Ok(()))?;
        let mut inner = Parser {
            text: &body,
            at: 0,
            depth: depth + 1,
            skip: None,
        };
        inner.here_text().map_err(|error| self.error(error.problem))
    }

    /// The delimiter, and whether any of it is quoted: then the text is taken as it stands.
    fn delimiter(&mut self) -> Parsed<(String, bool)> {
        let mut delimiter = String::new();
        let mut quoted = false;
        loop {
            match self.peek() {
                Some(mark @ (b'\'' | b'"')) => {
                    quoted = true;
                    self.at += 1;
                    let Some(length) = self.rest().find(char::from(mark)) else {
                        return self.fail(Problem::Unended("a quotation"));
                    };
                    delimiter.push_str(self.rest().get(..length).unwrap_or_default());
                    self.at += length + 1;
                }
                Some(b'\\') => {
                    quoted = true;
                    self.at += 1;
                    delimiter.extend(self.next());
                }
                Some(b'$' | b'`') => return self.fail(Problem::NotRead("such a delimiter")),
                None
                | Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')') => {
                    break;
                }
                Some(_) => delimiter.extend(self.next()),
            }
        }
        if delimiter.is_empty() && !quoted {
            return self.fail(Problem::Missing("a here-document's delimiter"));
        }
        Ok((delimiter, quoted))
    }

    /// Where the line at hand ends. A line that goes on inside quotes or behind a backslash is not read.
    fn end_of_line(&self) -> Parsed<Skip> {
        let rest = self.rest();
        let length = rest.find('\n').unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let odd = |mark: char| line.chars().filter(|sign| *sign == mark).count() % 2 == 1;
        let open = |left: char, right: char| {
            line.chars().filter(|sign| *sign == left).count()
                > line.chars().filter(|sign| *sign == right).count()
        };
        if odd('\'') || odd('"') || odd('`') || open('(', ')') || open('{', '}') || line.ends_with('\\') {
            return self.fail(Problem::NotRead("a line that goes on behind a here-document"));
        }
        let newline = self.at + length;
        Ok(Skip {
            newline,
            resume: (newline + 1).min(self.text.len()),
            count: 0,
        })
    }
}
