//! One POST: verified, bounded in time and length, no redirects.

use crate::channels::Secret;
use crate::sending::Sent;
use crate::words;
use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

/// Longest part of an answer that is read.
const MOST_READ: u64 = 2_048;
/// Longest part of an answer that is shown.
const MOST_SHOWN: usize = 160;
/// Longest head of an answer.
const MOST_HEAD: usize = 32 * 1024;
/// The longest that a receiver is left alone on its own word.
const LONGEST_AFTER: Duration = Duration::from_secs(3_600);

/// Where to post to. The path can be a secret, so only scheme, host and port are ever shown.
#[derive(Debug)]
pub(crate) struct Address {
    url: Secret,
    shown: String,
    agent: Shown,
}

/// An agent, whose `Debug` text would tell of proxies and their passwords.
struct Shown(Agent);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Agent")
    }
}

/// Whether a host is this machine itself, by its name or number.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Address {
    /// An address, with the certificates (PEM) that vouch for it where they are not the public ones.
    ///
    /// # Errors
    /// A sentence, without the address itself.
    pub(crate) fn parse(url: Secret, insecure: bool, roots: Option<&[u8]>) -> Result<Self, String> {
        let uri: Uri = url
            .reveal()
            .parse()
            .map_err(|_| "this is no address: https://host/path".to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err("this is no address: https://host/path".to_owned());
        };
        if authority.as_str().contains('@') {
            return Err("a password has no place in an address: messages are signed instead".to_owned());
        }
        let local = is_loopback(authority.host());
        match scheme {
            "https" => {}
            "http" if local || insecure => {}
            "http" => {
                return Err(
                    "without TLS only to this machine itself; `insecure = true` says that you know"
                        .to_owned(),
                );
            }
            _ => return Err("an address begins with https://".to_owned()),
        }
        let tls = match roots {
            None => TlsConfig::default(),
            Some(pem) => TlsConfig::builder().root_certs(certificates(pem)?).build(),
        };
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(MOST_HEAD)
            .max_idle_connections(0)
            .user_agent(concat!("rescind/", env!("CARGO_PKG_VERSION")));
        let config = if local { config.proxy(None) } else { config };
        Ok(Self {
            shown: format!("{scheme}://{authority}"),
            agent: Shown(config.build().new_agent()),
            url,
        })
    }

    pub(crate) fn shown(&self) -> String {
        self.shown.clone()
    }

    /// Post a body. Any 2xx is an answer that it was taken.
    pub(crate) fn post(&self, headers: &[(&str, &str)], body: &[u8], time_out: Duration) -> Sent {
        let mut request = self
            .agent
            .0
            .post(self.url.reveal())
            .config()
            .timeout_global(Some(time_out))
            .build();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => return self.unanswered(&error),
        };
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Sent::Told;
        }
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, SystemTime::now()));
        let mut text = Vec::new();
        // What it says is only shown; an answer that breaks off says less.
        let _partial = response
            .body_mut()
            .as_reader()
            .take(MOST_READ)
            .read_to_end(&mut text);
        let said = words::line(&String::from_utf8_lossy(&text), MOST_SHOWN);
        let why = match (300..400).contains(&status) {
            true => format!("{} answered {status}: redirects are not followed", self.shown),
            false if said.is_empty() => format!("{} answered {status}", self.shown),
            false => format!("{} answered {status}: {said}", self.shown),
        };
        let why = self.without_address(why);
        if is_final(status) {
            Sent::Refused { why }
        } else {
            Sent::Later { why, after }
        }
    }

    fn unanswered(&self, error: &ureq::Error) -> Sent {
        let why = match error {
            ureq::Error::Timeout(_) => "gave no answer in time".to_owned(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::BadUri(_) => "the address can't be used".to_owned(),
            other => other.to_string(),
        };
        let why = format!("{}: {}", self.shown, words::line(&why, MOST_SHOWN));
        Sent::later(self.without_address(why))
    }

    /// A receiver may say the address back, which is a secret.
    fn without_address(&self, why: String) -> String {
        let path = self.url.reveal().strip_prefix(&self.shown).unwrap_or_default();
        if path.len() > 1 && why.contains(path) {
            return why.replace(path, "/…");
        }
        why
    }
}

fn certificates(pem: &[u8]) -> Result<RootCerts, String> {
    let wrong = || "`ca_file` has no certificates in PEM form".to_owned();
    let mut found = Vec::new();
    for item in ureq::tls::parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| wrong())? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(wrong());
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

/// What trying again does not mend: the message itself is refused, or the receiver is gone for good. Everything else may
/// pass: 401, 403 and 404 are also what a receiver says that is just being set up.
fn is_final(status: u16) -> bool {
    matches!(status, 400 | 405 | 406 | 410 | 411 | 413 | 414 | 415 | 422 | 431)
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds or a date. At most an hour.
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let after = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok()?,
    };
    Some(after.min(LONGEST_AFTER))
}

#[cfg(test)]
mod tests {
    use super::{Address, is_loopback, retry_after};
    use crate::channels::Secret;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_receiver_is_left_alone_as_it_asks_but_not_for_ever() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767);
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(
            retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now),
            Some(Duration::from_secs(10))
        );
        assert_eq!(retry_after("86400", now), Some(Duration::from_secs(3_600)));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-5", now), None);
    }

    #[test]
    fn only_this_machine_itself_is_told_without_tls() {
        assert!(is_loopback("127.8.9.1") && is_loopback("[::1]") && is_loopback("LocalHost"));
        assert!(
            !is_loopback("127.0.0.1.example.com")
                && !is_loopback("10.0.0.1")
                && !is_loopback("localhost.evil")
        );
        let parse = |url: &str, insecure| Address::parse(Secret::new(url), insecure, None);
        assert!(parse("http://127.0.0.1:9/x", false).is_ok());
        assert!(parse("http://hooks.example.com/x", false).is_err());
        assert!(parse("http://hooks.example.com/x", true).is_ok());
        assert!(parse("https://hooks.example.com/x", false).is_ok());
        for wrong in ["ftp://h/x", "/x", "https://user:pw@h/x", "https://", "h"] {
            let error = parse(wrong, false).unwrap_err();
            assert!(!error.contains("pw"), "{error}");
        }
    }
}
