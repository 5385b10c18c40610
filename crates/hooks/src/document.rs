//! A JSON text that people edit, too: members and elements put in and taken out, and not a byte of the rest touched.
//!
//! Comments (`//`, `/* */`) and trailing commas are read as some clients have them.

use serde_json::Value;
use std::ops::Range;

/// Why a text can't be edited. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is no JSON.
    #[error("it is no JSON: {why} at byte {at}")]
    NotJson {
        /// What is wrong.
        why: &'static str,
        /// Where.
        at: usize,
    },
    /// Something in it is of another kind than the client documents.
    #[error("`{path}` in it is no {expected}")]
    Unexpected {
        /// Where.
        path: String,
        /// What it should be.
        expected: &'static str,
    },
}

type Done<T> = Result<T, DocumentError>;
const DEEPEST: usize = 100;

/// A text, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    text: String,
    root: Node,
}

#[derive(Debug, Clone)]
struct Node {
    span: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Object(Vec<(String, Part)>),
    Array(Vec<Part>),
    Other,
}

/// A member with its key, or an element.
#[derive(Debug, Clone)]
struct Part {
    /// From the key, or the value, to the value's end.
    span: Range<usize>,
    /// The comma after it.
    comma: Option<usize>,
    value: Node,
}

impl Document {
    /// Parse a text; an empty one is an empty object.
    pub fn parse(text: &str) -> Done<Self> {
        let text = if text.trim().is_empty() { "{}\n" } else { text };
        let mut reader = Reader { text, at: 0 };
        let root = reader.value(0)?;
        reader.blank()?;
        if reader.at < text.len() {
            return Err(reader.wrong("there is more after its end"));
        }
        Ok(Self {
            text: text.to_owned(),
            root,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at a path of keys.
    fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(&self.root, |node, key| match &node.kind {
            Kind::Object(members) => members
                .iter()
                .rev()
                .find(|(name, _)| name == key)
                .map(|(_, part)| &part.value),
            _ => None,
        })
    }

    /// The elements of the array at a path, as values; none where nothing is.
    pub fn elements(&self, path: &[&str]) -> Done<Vec<Value>> {
        let Some(node) = self.at(path) else {
            return Ok(Vec::new());
        };
        let Kind::Array(parts) = &node.kind else {
            return Err(unexpected(path, "list"));
        };
        Ok(parts.iter().map(|part| self.value(&part.value)).collect())
    }

    /// The names of the members of the object at a path; none where nothing is.
    pub fn names(&self, path: &[&str]) -> Vec<String> {
        match self.at(path).map(|node| &node.kind) {
            Some(Kind::Object(members)) => members.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether there is nothing in it but members of these names, and no comments.
    pub fn holds_only(&self, names: &[&str]) -> bool {
        let own = self.names(&[]).iter().all(|name| names.contains(&name.as_str()));
        own && serde_json::from_str::<Value>(&self.text).is_ok_and(|value| value.is_object())
    }

    fn value(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, part)| (name.clone(), self.value(&part.value)));
                Value::Object(members.collect())
            }
            Kind::Array(parts) => parts.iter().map(|part| self.value(&part.value)).collect(),
            Kind::Other => {
                let text = self.text.get(node.span.clone()).unwrap_or_default();
                serde_json::from_str(text).unwrap_or(Value::Null)
            }
        }
    }

    /// Set a member of the root where it is not there yet.
    pub fn with_default(self, name: &str, value: &Value) -> Done<Self> {
        if self.at(&[name]).is_some() {
            return Ok(self);
        }
        self.put(&[], Some(name), value)
    }

    /// Put an element at the end of the list at a path, making what is not there.
    pub fn appended(self, path: &[&str], value: &Value) -> Done<Self> {
        for (there, name) in path.iter().enumerate() {
            let (above, rest) = (
                path.get(..there).unwrap_or_default(),
                path.get(there + 1..).unwrap_or_default(),
            );
            if !matches!(self.at(above).map(|node| &node.kind), Some(Kind::Object(_))) {
                return Err(unexpected(above, "object"));
            }
            if self.at(path.get(..=there).unwrap_or_default()).is_none() {
                let list = Value::Array(vec![value.clone()]);
                let whole = rest.iter().rev().fold(list, |value, name| {
                    Value::Object(std::iter::once(((*name).to_owned(), value)).collect())
                });
                return self.put(above, Some(name), &whole);
            }
        }
        match self.at(path).map(|node| &node.kind) {
            Some(Kind::Array(_)) => self.put(path, None, value),
            _ => Err(unexpected(path, "list")),
        }
    }

    /// Put a member or an element at the end of what is at a path.
    fn put(self, path: &[&str], name: Option<&str>, value: &Value) -> Done<Self> {
        let Some(node) = self.at(path) else {
            return Err(unexpected(path, "object"));
        };
        let parts: Vec<&Part> = node.parts();
        let outer = self.indent(node.span.start);
        let step = if outer.contains('\t') || self.text.contains("\n\t") {
            "\t"
        } else {
            "  "
        };
        let own = parts.last().filter(|part| self.starts_line(part.span.start));
        let inner = own.map_or_else(|| format!("{outer}{step}"), |part| self.indent(part.span.start));
        let key = name
            .map(|name| format!("{}: ", Value::from(name)))
            .unwrap_or_default();
        let pretty = serde_json::to_string_pretty(value)
            .unwrap_or_default()
            .replace('\n', &format!("\n{inner}"));
        let entry = format!("{key}{pretty}");
        let mut text = self.text.clone();
        match parts.last() {
            None => {
                let inside = self
                    .text
                    .get(node.span.start + 1..node.span.end - 1)
                    .unwrap_or_default();
                // Comments stay where they are; blanks alone are ours to lay out.
                let kept = if inside.trim().is_empty() {
                    ""
                } else {
                    inside.trim_end()
                };
                text.replace_range(
                    node.span.start + 1..node.span.end - 1,
                    &format!("{kept}\n{inner}{entry}\n{outer}"),
                );
            }
            Some(last) => {
                // After the comma and what is said behind it on the same line.
                let from = last.comma.map_or(last.span.end, |comma| comma + 1);
                let at = self.line_end(from, node.span.end - 1);
                let comma = if last.comma.is_some() { "," } else { "" };
                text.insert_str(at, &format!("\n{inner}{entry}{comma}"));
                if last.comma.is_none() {
                    text.insert(last.span.end, ',');
                }
            }
        }
        Self::parse(&text)
    }

    /// Take the elements out of the list at a path for which `ours` says so, then what is left empty by it.
    pub fn without(mut self, path: &[&str], ours: impl Fn(&Value) -> bool) -> Done<Self> {
        let mut took = false;
        while let Some(place) = self.elements(path)?.iter().position(&ours) {
            self = self.take(path, place)?;
            took = true;
        }
        let mut path = path.to_vec();
        while took
            && self
                .at(&path)
                .is_some_and(|node| node.parts().is_empty() && self.is_blank(node))
        {
            let Some(name) = path.pop() else { break };
            let place = self.names(&path).iter().rposition(|own| own == name);
            let Some(place) = place else { break };
            self = self.take(&path, place)?;
        }
        Ok(self)
    }

    fn is_blank(&self, node: &Node) -> bool {
        let inside = self.text.get(node.span.start + 1..node.span.end - 1);
        inside.is_some_and(|inside| inside.trim().is_empty())
    }

    /// Take out the member or element of this place.
    fn take(self, path: &[&str], place: usize) -> Done<Self> {
        let Some(node) = self.at(path) else {
            return Ok(self);
        };
        let parts = node.parts();
        let Some(part) = parts.get(place) else {
            return Ok(self);
        };
        let before = self.text.get(..part.span.start).unwrap_or_default();
        let from = before.trim_end().len();
        let to = part.comma.map_or(part.span.end, |comma| comma + 1);
        let mut text = self.text.clone();
        text.replace_range(from..to, "");
        let above = place.checked_sub(1).and_then(|above| parts.get(above));
        if let (None, Some(comma)) = (part.comma, above.and_then(|above| above.comma)) {
            text.replace_range(comma..=comma, "");
        }
        let text = if parts.len() == 1 {
            collapsed(&text, node.span.start, from)
        } else {
            text
        };
        Self::parse(&text)
    }

    /// Where a line ends on which nothing but blanks and a comment comes after `from`; else `from`.
    fn line_end(&self, from: usize, most: usize) -> usize {
        let rest = self.text.get(from..most).unwrap_or_default();
        let line = rest.split('\n').next().unwrap_or_default();
        let is_last = line.len() < rest.len();
        let trimmed = line.trim();
        let comment = trimmed.starts_with("//") || trimmed.starts_with("/*") && trimmed.ends_with("*/");
        if is_last && comment {
            from + line.trim_end().len()
        } else {
            from
        }
    }

    fn starts_line(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        before.contains('\n') && line.trim().is_empty()
    }

    /// The blanks that the line of a place begins with.
    fn indent(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        line.chars()
            .take_while(|letter| matches!(letter, ' ' | '\t'))
            .collect()
    }
}

/// The text with the blanks taken out that fill what begins at `open`, where `inside` is in it.
fn collapsed(text: &str, open: usize, inside: usize) -> String {
    let (before, after) = (
        text.get(..inside).unwrap_or_default(),
        text.get(inside..).unwrap_or_default(),
    );
    let empty = before.len() == open + 1 && after.trim_start().starts_with(['}', ']']);
    if empty {
        format!("{before}{}", after.trim_start())
    } else {
        text.to_owned()
    }
}

impl Node {
    fn parts(&self) -> Vec<&Part> {
        match &self.kind {
            Kind::Object(members) => members.iter().map(|(_, part)| part).collect(),
            Kind::Array(parts) => parts.iter().collect(),
            Kind::Other => Vec::new(),
        }
    }
}

fn unexpected(path: &[&str], expected: &'static str) -> DocumentError {
    let path = if path.is_empty() {
        "the whole".to_owned()
    } else {
        path.join(".")
    };
    DocumentError::Unexpected { path, expected }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, why: &'static str) -> DocumentError {
        DocumentError::NotJson { why, at: self.at }
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Pass over blanks and comments.
    fn blank(&mut self) -> Done<()> {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                let end = comment
                    .find("*/")
                    .ok_or_else(|| self.wrong("a comment has no end"))?;
                self.at += end + 4;
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Done<Node> {
        if depth > DEEPEST {
            return Err(self.wrong("it is nested too deeply"));
        }
        self.blank()?;
        let start = self.at;
        let kind = match self.peek() {
            Some('{') => Kind::Object(self.object(depth)?),
            Some('[') => Kind::Array(self.array(depth)?),
            _ => {
                self.scalar()?;
                Kind::Other
            }
        };
        Ok(Node {
            span: start..self.at,
            kind,
        })
    }

    fn object(&mut self, depth: usize) -> Done<Vec<(String, Part)>> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some('}') {
                self.at += 1;
                return Ok(members);
            }
            let start = self.at;
            if self.peek() != Some('"') {
                return Err(self.wrong("a name is missing"));
            }
            self.scalar()?;
            let name = self.text.get(start..self.at).unwrap_or_default();
            let name = serde_json::from_str(name).map_err(|_| self.wrong("a name is no text"))?;
            self.blank()?;
            if self.peek() != Some(':') {
                return Err(self.wrong("a colon is missing"));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.push((name, self.part(start, value, '}')?));
        }
    }

    fn array(&mut self, depth: usize) -> Done<Vec<Part>> {
        self.at += 1;
        let mut parts = Vec::new();
        loop {
            self.blank()?;
            if self.peek() == Some(']') {
                self.at += 1;
                return Ok(parts);
            }
            let start = self.at;
            let value = self.value(depth + 1)?;
            parts.push(self.part(start, value, ']')?);
        }
    }

    /// A part, and the comma after it.
    fn part(&mut self, start: usize, value: Node, end: char) -> Done<Part> {
        let span = start..self.at;
        self.blank()?;
        let comma = match self.peek() {
            Some(',') => {
                self.at += 1;
                Some(self.at - 1)
            }
            Some(found) if found == end => None,
            _ => return Err(self.wrong("a comma is missing")),
        };
        Ok(Part { span, comma, value })
    }

    fn scalar(&mut self) -> Done<()> {
        let mut stream = serde_json::Deserializer::from_str(self.rest()).into_iter::<Value>();
        let wrong = self.wrong("a value is missing");
        match stream.next() {
            Some(Ok(_)) => {
                self.at += stream.byte_offset();
                Ok(())
            }
            _ => Err(wrong),
        }
    }
}

#[cfg(test)]
mod tests;
