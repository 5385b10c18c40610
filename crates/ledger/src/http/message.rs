//! Heads and bodies of HTTP/1.1 messages, as much of them as mirrors need.

use std::io::{self, BufRead, Read};

/// The longest head, in bytes.
const MAX_HEAD: u64 = 16_384;

/// The longest text that answers a PUT.
pub(super) const MAX_TEXT: u64 = 65_536;

/// The first line and the headers, names in lower case.
pub(crate) struct Head {
    pub first: String,
    headers: Vec<(String, String)>,
}

/// A request without its body.
pub(crate) struct Request {
    pub method: String,
    /// Without the leading slash.
    pub path: String,
    pub head: Head,
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn length(&self) -> io::Result<Option<u64>> {
        let Some(text) = self.header("content-length") else {
            return Ok(None);
        };
        crate::note::decimal(text)
            .map(Some)
            .ok_or_else(|| invalid("the length is no number"))
    }
}

impl Request {
    pub fn parse(head: Head) -> io::Result<Self> {
        let mut parts = head.first.split(' ');
        let (Some(method), Some(target), Some(version)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid("the first line is no request"));
        };
        let path = target
            .strip_prefix('/')
            .ok_or_else(|| invalid("the target is no path"))?;
        if !version.starts_with("HTTP/1.") {
            return Err(invalid("the version is not 1.0 or 1.1"));
        }
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            head,
        })
    }
}

pub(crate) fn read_head(reader: &mut impl BufRead) -> io::Result<Head> {
    let mut reader = reader.take(MAX_HEAD);
    let mut line = || -> io::Result<String> {
        let mut bytes = Vec::new();
        reader.read_until(b'\n', &mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| invalid("the head is not UTF-8"))?;
        let text = text
            .strip_suffix('\n')
            .ok_or_else(|| invalid("the head is cut short or too long"))?;
        Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        let text = line()?;
        if text.is_empty() {
            return Ok(Head { first, headers });
        }
        let (name, value) = text
            .split_once(':')
            .ok_or_else(|| invalid("a header has no colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The body, at most `limit` bytes: as long as the head says, else up to the end of the connection.
pub(crate) fn read_body(reader: &mut impl Read, head: &Head, limit: u64) -> io::Result<Vec<u8>> {
    if head.header("transfer-encoding").is_some() {
        return Err(invalid(
            "the body has a transfer encoding, which is not understood here",
        ));
    }
    let length = head.length()?;
    if length.is_some_and(|length| length > limit) {
        return Err(invalid("the body is longer than it may be"));
    }
    let mut body = Vec::new();
    reader
        .take(length.unwrap_or(limit.saturating_add(1)))
        .read_to_end(&mut body)?;
    let read = body.len() as u64;
    if read > limit || length.is_some_and(|length| length != read) {
        return Err(invalid("the body is cut short, or longer than it may be"));
    }
    Ok(body)
}
