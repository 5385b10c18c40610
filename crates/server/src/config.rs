//! What the server is told: one file, then the environment, validated whole before a port opens.
//!
//! Every fault is named at once, so that nobody mends them one start at a time.

use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The port that is taken where none is said.
pub const PORT: u16 = 7340;
/// The largest file that is read, in bytes.
const LARGEST: u64 = 256 << 10;

/// How the server listens, and what it allows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// The address and port; loopback unless it is said otherwise. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What people type to get here, where that is not the address: `https://rescind.example.com`. Links in messages and the
    /// redirects of a sign-in begin with it.
    pub public_url: Option<String>,
    /// Certificate and key, PEM. Needed beyond loopback.
    pub tls: Option<Tls>,
    /// Whether passwords may cross a network unencrypted: only behind a proxy that ends TLS on the same machine or in the
    /// same pod.
    pub plaintext_beyond_loopback: bool,
    /// What one client may ask.
    pub limits: Limits,
    /// What is written to stderr.
    pub log: Log,
    /// How long gateways act on without a word of this server, in milliseconds. The bound of a kill.
    pub lease_ms: u64,
    /// A provider of identities.
    pub oidc: Option<toml::Table>,
    /// Who is told of holds.
    pub notify: Vec<toml::Table>,
    /// The file as it was read: what reads `notify` says at which line something is wrong.
    #[serde(skip)]
    pub text: String,
    /// Where actions are sent as spans.
    pub otlp: Option<Otlp>,
    /// How many minutes lie between two verifications of the whole store; 0: none.
    pub verify_minutes: u64,
    /// How long open requests may take when the server stops, in seconds.
    pub drain_seconds: u64,
}

/// A certificate with its key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain, PEM, the server's own first.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// What one client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute for each person or token; without one, for each address.
    pub requests_per_minute: u32,
    /// Attempts to sign in a minute for each address.
    pub sign_ins_per_minute: u32,
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Event streams open at once, of all together.
    pub streams: usize,
    /// Requests served at once, of all together.
    pub requests_at_once: usize,
    /// Seconds after which a request that is no stream is given up.
    pub request_seconds: u64,
}

/// What is written to stderr.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`, one object a line.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Where spans are sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Otlp {
    /// The collector's address for traces: `http://127.0.0.1:4318/v1/traces`.
    pub url: String,
    /// A file with headers, `Name: value` each, such as an authorization.
    #[serde(default)]
    pub headers_file: Option<PathBuf>,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
            public_url: None,
            tls: None,
            plaintext_beyond_loopback: false,
            limits: Limits::default(),
            log: Log::default(),
            lease_ms: 2_000,
            oidc: None,
            notify: Vec::new(),
            text: String::new(),
            otlp: None,
            verify_minutes: 60,
            drain_seconds: 10,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: 1_200,
            sign_ins_per_minute: 20,
            body_bytes: 256 << 10,
            streams: 256,
            requests_at_once: 512,
            request_seconds: 30,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".to_owned(),
        }
    }
}

/// Why the server does not start. No port was opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the configuration can't be used, and no port was opened: {}", faults.join("; "))]
pub struct ConfigurationError {
    /// Everything that is wrong, each a sentence that names the key.
    pub faults: Vec<String>,
}

impl ConfigurationError {
    fn one(fault: String) -> Self {
        Self { faults: vec![fault] }
    }
}

impl Configuration {
    /// Read the file, if there is one, then the environment (`RESCIND_SERVE_LISTEN`, `_PUBLIC_URL`, `_TLS_CERTIFICATE`,
    /// `_TLS_KEY`, `_LOG`), and check all of it.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn read(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigurationError> {
        let mut own = match file {
            Some(path) => Self::of_text(&text_of(path)?)
                .map_err(|fault| ConfigurationError::one(format!("`{}`: {fault}", path.display())))?,
            None => Self::default(),
        };
        let mut faults = own.take_environment(variable);
        faults.extend(own.faults());
        if faults.is_empty() {
            Ok(own)
        } else {
            Err(ConfigurationError { faults })
        }
    }

    fn of_text(text: &str) -> Result<Self, String> {
        let own = toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        Ok(Self {
            text: text.to_owned(),
            ..own
        })
    }

    fn take_environment(&mut self, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut faults = Vec::new();
        let named = |name: &str| variable(&format!("RESCIND_SERVE_{name}")).filter(|value| !value.is_empty());
        if let Some(listen) = named("LISTEN") {
            match listen.parse() {
                Ok(listen) => self.listen = listen,
                Err(_) => faults.push(format!(
                    "RESCIND_SERVE_LISTEN: `{listen}` is no address with a port, such as 127.0.0.1:{PORT}"
                )),
            }
        }
        self.public_url = named("PUBLIC_URL").or_else(|| self.public_url.take());
        match (named("TLS_CERTIFICATE"), named("TLS_KEY")) {
            (Some(certificate), Some(key)) => {
                self.tls = Some(Tls {
                    certificate: certificate.into(),
                    key: key.into(),
                });
            }
            (None, None) => {}
            _ => faults.push(
                "RESCIND_SERVE_TLS_CERTIFICATE and RESCIND_SERVE_TLS_KEY are given together".to_owned(),
            ),
        }
        match named("LOG").as_deref() {
            None => {}
            Some("json") => self.log.format = LogFormat::Json,
            Some("text") => self.log.format = LogFormat::Text,
            Some(other) => faults.push(format!("RESCIND_SERVE_LOG: `{other}` is neither text nor json")),
        }
        faults
    }

    /// Everything that is wrong with it.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, fault: String| {
            if !holds {
                faults.push(fault);
            }
        };
        let loopback = self.listen.ip().is_loopback();
        must(
            loopback || self.tls.is_some() || self.plaintext_beyond_loopback,
            format!(
                "listen: {} is not this machine alone, so it needs `tls` (or `plaintext_beyond_loopback = true` behind a proxy \
                 that ends TLS)",
                self.listen
            ),
        );
        if let Some(tls) = &self.tls {
            for (name, path) in [("tls.certificate", &tls.certificate), ("tls.key", &tls.key)] {
                let read = std::fs::File::open(path).map(drop);
                must(
                    read.is_ok(),
                    format!(
                        "{name}: `{}` can't be read: {}",
                        path.display(),
                        read.err().map(|error| error.to_string()).unwrap_or_default()
                    ),
                );
            }
        }
        if let Some(url) = &self.public_url {
            must(
                is_origin(url),
                format!("public_url: `{url}` is no https:// (or http://) address without a path"),
            );
        }
        if let Some(otlp) = &self.otlp {
            must(
                otlp.url.starts_with("http://") || otlp.url.starts_with("https://"),
                format!("otlp.url: `{}` is no http:// or https:// address", otlp.url),
            );
        }
        let limits = &self.limits;
        let counts = [
            ("limits.requests_per_minute", limits.requests_per_minute as usize),
            ("limits.sign_ins_per_minute", limits.sign_ins_per_minute as usize),
            ("limits.body_bytes", limits.body_bytes),
            ("limits.streams", limits.streams),
            ("limits.requests_at_once", limits.requests_at_once),
        ];
        for (name, count) in counts {
            must(count > 0, format!("{name}: 0 would let nobody in"));
        }
        must(
            (1..=600).contains(&limits.request_seconds),
            "limits.request_seconds: it is from 1 to 600".to_owned(),
        );
        must(
            (200..=60_000).contains(&self.lease_ms),
            format!("lease_ms: {} is not from 200 to 60000", self.lease_ms),
        );
        must(
            ["error", "warn", "info", "debug", "trace"].contains(&self.log.level.as_str()),
            format!(
                "log.level: `{}` is none of error, warn, info, debug, trace",
                self.log.level
            ),
        );
        faults
    }

    /// What links begin with, where it listens on `address`.
    #[must_use]
    pub fn base_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.as_ref().map_or_else(
            || format!("{scheme}://{address}"),
            |url| url.trim_end_matches('/').to_owned(),
        )
    }

    /// Whether browsers come by TLS, here or at a proxy: then cookies are for TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        let public = self.public_url.as_ref();
        self.tls.is_some() || public.is_some_and(|url| url.starts_with("https://"))
    }

    /// How long a gateway acts on without a word.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

fn text_of(path: &Path) -> Result<String, ConfigurationError> {
    let fail = |why: String| ConfigurationError::one(format!("`{}` {why}", path.display()));
    let length = std::fs::metadata(path)
        .map_err(|error| fail(format!("can't be read: {error}")))?
        .len();
    if length > LARGEST {
        return Err(fail(format!("has {length} bytes; {LARGEST} are read at most")));
    }
    std::fs::read_to_string(path).map_err(|error| fail(format!("can't be read: {error}")))
}

/// A scheme and a host, and nothing after it.
fn is_origin(url: &str) -> bool {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.trim_end_matches('/');
        !host.is_empty()
            && host
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-._:[]".contains(letter))
    })
}

#[cfg(test)]
mod tests;
