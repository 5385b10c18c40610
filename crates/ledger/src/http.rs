//! Mirrors over plain HTTP/1.1: a client for pushing, and a receiver that keeps the same rules on its side.
//! One request a connection; everything is bounded in bytes and time.

mod message;
mod receiver;

pub use receiver::serve_mirror;

use crate::Checkpoint;
use crate::mirror::{MirrorError, Store};
use message::{Head, Request};
use std::io::{self, BufReader, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(10);

/// A mirror behind an `http://` URL.
pub(crate) struct HttpStore {
    url: String,
    authority: String,
    prefix: String,
}

impl HttpStore {
    /// Take a URL apart. Nothing is sent.
    pub fn open(url: &str) -> Result<Self, MirrorError> {
        let error = |what| MirrorError::Place {
            place: url.to_owned(),
            what,
        };
        if url.starts_with("https://") {
            return Err(error(
                "https is not spoken here; use http:// to a proxy that does, or a directory",
            ));
        }
        let rest = url
            .strip_prefix("http://")
            .ok_or_else(|| error("only http:// URLs and directories can"))?;
        let (authority, prefix) = rest
            .split_once('/')
            .map_or((rest, String::new()), |(authority, path)| {
                (authority, format!("/{}", path.trim_end_matches('/')))
            });
        let strange =
            |text: &str| text.bytes().any(|byte| !byte.is_ascii_graphic()) || text.contains(['@', '?', '#']);
        if authority.is_empty() || strange(rest) {
            return Err(error(
                "it has no host, or characters that a mirror's URL can't have",
            ));
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let prefix = if prefix == "/" { String::new() } else { prefix };
        Ok(Self {
            url: url.to_owned(),
            authority,
            prefix,
        })
    }

    /// Send a request; status and body of the answer, at most `limit` bytes.
    fn ask(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        once: bool,
        limit: u64,
    ) -> Result<(u16, Vec<u8>), MirrorError> {
        let failed = |source: io::Error| MirrorError::Io {
            doing: if method == "GET" { "fetch" } else { "send" },
            path: format!("{}/{path}", self.url),
            source: Arc::new(source),
        };
        let target = format!("{}/{path}", self.prefix);
        let condition = if once { "If-None-Match: *\r\n" } else { "" };
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{condition}Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            self.authority,
            if path == "checkpoint" {
                "text/plain; charset=utf-8"
            } else {
                "application/octet-stream"
            },
            body.len()
        );
        let exchange = || -> io::Result<(u16, Vec<u8>)> {
            let mut stream = self.connect()?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            stream.write_all(head.as_bytes())?;
            // A receiver may refuse before it has read everything; its answer counts, not the broken pipe.
            let sent = stream.write_all(body);
            let mut reader = BufReader::new(stream);
            let answer = message::read_head(&mut reader).and_then(|head| {
                let status = status(&head)?;
                Ok((status, message::read_body(&mut reader, &head, limit)?))
            });
            answer.or_else(|error| sent.and(Err(error)))
        };
        exchange().map_err(failed)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn refused(&self, path: &str, status: u16, body: &[u8]) -> MirrorError {
        let text: String = String::from_utf8_lossy(body)
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        MirrorError::Damaged {
            mirror: self.url.clone(),
            path: path.to_owned(),
            what: format!("the receiver refused it with status {status}: {text}"),
        }
    }
}

fn status(head: &Head) -> io::Result<u16> {
    let code = head.first.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.filter(|_| head.first.starts_with("HTTP/1."))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

impl Store for HttpStore {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        match self.ask("GET", path, &[], false, limit)? {
            (200, body) => Ok(Some(body)),
            (404, _) => Ok(None),
            (status, body) => Err(self.refused(path, status, &body)),
        }
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        match self.ask("PUT", path, bytes, true, message::MAX_TEXT)? {
            (200 | 201 | 204, _) => Ok(()),
            (412, _) if self.get(path, bytes.len() as u64)?.as_deref() == Some(bytes) => Ok(()),
            (412, _) => {
                let what = "it has other bytes than the ledger's".to_owned();
                Err(MirrorError::Damaged {
                    mirror: self.url.clone(),
                    path: path.to_owned(),
                    what,
                })
            }
            (status, body) => Err(self.refused(path, status, &body)),
        }
    }

    fn publish(&self, checkpoint: &Checkpoint) -> Result<(), MirrorError> {
        match self.ask(
            "PUT",
            "checkpoint",
            checkpoint.text.as_bytes(),
            false,
            message::MAX_TEXT,
        )? {
            (200 | 201 | 204, _) => Ok(()),
            (status, body) => Err(self.refused("checkpoint", status, &body)),
        }
    }

    /// The receiver does that.
    fn prune(&self, _old: u64, _new: u64) -> Result<(), MirrorError> {
        Ok(())
    }
}

pub(crate) fn answer(stream: &mut TcpStream, status: &str, body: &[u8], whole: bool) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if whole { stream.write_all(body) } else { Ok(()) }
}

pub(crate) fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Request> {
    Request::parse(message::read_head(reader)?)
}

#[cfg(test)]
mod tests;
