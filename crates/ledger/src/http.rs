//! Mirrors over HTTP: a client for pushing, also over TLS, and a receiver for plain HTTP/1.1 that keeps the same rules on its
//! side. Everything is bounded in bytes and time.

mod message;
mod receiver;

pub use receiver::serve_mirror;

use crate::Checkpoint;
use crate::mirror::{MirrorError, Store};
use message::Request;
use std::io::{self, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(10);

/// A mirror behind an `http://` or `https://` URL.
pub(crate) struct HttpStore {
    url: String,
    agent: ureq::Agent,
}

/// The certificates that are trusted: those in the file that `SSL_CERT_FILE` names, else Mozilla's list.
///
/// # Errors
/// The file can't be read; a sentence that says so.
pub fn trusted_roots() -> Result<RootCerts, String> {
    let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) else {
        return Ok(RootCerts::WebPki);
    };
    let text = std::fs::read(&file)
        .map_err(|error| format!("the certificates in `{}` can't be read: {error}", file.display()))?;
    let found = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    Ok(RootCerts::Specific(Arc::new(found.collect())))
}

impl HttpStore {
    /// Take a URL apart. Nothing is sent.
    pub fn open(url: &str) -> Result<Self, MirrorError> {
        let error = |what| MirrorError::Place {
            place: url.to_owned(),
            what,
        };
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"))
            .ok_or_else(|| error("only http:// and https:// URLs and directories can"))?;
        let authority = rest.split('/').next().unwrap_or_default();
        let strange =
            |text: &str| text.bytes().any(|byte| !byte.is_ascii_graphic()) || text.contains(['@', '?', '#']);
        if authority.is_empty() || strange(rest) {
            return Err(error(
                "it has no host, or characters that a mirror's URL can't have",
            ));
        }
        let roots =
            trusted_roots().map_err(|_| error("the certificates that SSL_CERT_FILE names can't be read"))?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(ANSWER))
            .timeout_recv_body(Some(ANSWER))
            .timeout_send_body(Some(ANSWER))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            agent: agent.into(),
        })
    }

    /// Send a request; status and body of the answer, at most `limit` bytes.
    fn ask(
        &self,
        put: Option<&[u8]>,
        path: &str,
        once: bool,
        limit: u64,
    ) -> Result<(u16, Vec<u8>), MirrorError> {
        let address = format!("{}/{path}", self.url);
        let kind = match path {
            "checkpoint" => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        };
        let exchange = || -> Result<(u16, Vec<u8>), ureq::Error> {
            let mut response = match put {
                None => self.agent.get(&address).call()?,
                Some(body) => {
                    let mut request = self.agent.put(&address).header("Content-Type", kind);
                    if once {
                        request = request.header("If-None-Match", "*");
                    }
                    request.send(body)?
                }
            };
            let status = response.status().as_u16();
            // One more than may be, so that what is too long is seen to be.
            let body = response
                .body_mut()
                .with_config()
                .limit(limit.saturating_add(1))
                .read_to_vec()?;
            Ok((status, body))
        };
        exchange().map_err(|error| MirrorError::Io {
            doing: if put.is_none() { "fetch" } else { "send" },
            path: address.clone(),
            source: Arc::new(error.into_io()),
        })
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

impl Store for HttpStore {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        match self.ask(None, path, false, limit)? {
            (200, body) => Ok(Some(body)),
            (404, _) => Ok(None),
            (status, body) => Err(self.refused(path, status, &body)),
        }
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        match self.ask(Some(bytes), path, true, message::MAX_TEXT)? {
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
        let text = checkpoint.text.as_bytes();
        match self.ask(Some(text), "checkpoint", false, message::MAX_TEXT)? {
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
