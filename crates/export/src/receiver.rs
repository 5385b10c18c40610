//! Sending to a receiver over HTTP or HTTPS, with back-off.

use crate::ExportError;
use rescind_ledger::trusted_roots;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use ureq::tls::TlsConfig;

/// How often something is tried before it is given up: the resume point stays where it is.
const TRIES: u32 = 8;

/// The first wait between tries; each is twice as long as the one before, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest wait, also where the receiver asks for a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long a receiver may take for one request.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest answer that is read.
const ANSWER: u64 = 64 << 10;

/// Something that takes what is posted to it. Clones share its connections.
#[derive(Clone)]
pub struct Receiver {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(String, String)>,
    tries: u32,
    wait: Arc<dyn Fn(Duration) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Receiver {
    /// Without the headers, which may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Receiver({})", self.url)
    }
}

/// How a try ended.
enum Tried {
    Taken(Vec<u8>),
    Again { why: String, after: Option<Duration> },
    Refused(String),
}

impl Receiver {
    /// A receiver at this `http://` or `https://` address, with headers for each request. Certificates are those that
    /// `SSL_CERT_FILE` names, else those of Mozilla's list.
    ///
    /// # Errors
    /// The address is no such one, or the certificates can't be read.
    pub fn new(url: &str, headers: Vec<(String, String)>) -> Result<Self, ExportError> {
        let refused = |why: String| ExportError::Refused {
            url: url.to_owned(),
            what: "anything".to_owned(),
            why,
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(refused("its address is neither http:// nor https://".to_owned()));
        }
        let tls = TlsConfig::builder()
            .root_certs(trusted_roots().map_err(refused)?)
            .build();
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .tls_config(tls)
            .build();
        Ok(Self {
            agent: agent.into(),
            url: url.to_owned(),
            headers,
            tries: TRIES,
            wait: Arc::new(|time| {
                std::thread::sleep(time);
                true
            }),
        })
    }

    /// Wait otherwise between tries. It says whether to go on.
    #[must_use]
    pub fn waiting(mut self, wait: impl Fn(Duration) -> bool + Send + Sync + 'static) -> Self {
        self.wait = Arc::new(wait);
        self
    }

    /// Never give up while it is away or busy: for whoever goes on until told otherwise.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.tries = u32::MAX;
        self
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Post this; its answer. While it is away, or says that it is busy (408, 429, 502 to 504), it is tried again, after
    /// the time it asks for (`Retry-After`) or with back-off.
    ///
    /// # Errors
    /// [`ExportError::Refused`]: it did not take it, or was away for too long.
    pub fn send(&self, content_type: &str, body: &[u8]) -> Result<Vec<u8>, ExportError> {
        let refused = |why: String| ExportError::Refused {
            url: self.url.clone(),
            what: format!("{} bytes", body.len()),
            why,
        };
        let mut wait = FIRST_WAIT;
        let mut last = String::new();
        for _ in 0..self.tries {
            match self.attempt(content_type, body) {
                Tried::Taken(answer) => return Ok(answer),
                Tried::Refused(why) => return Err(refused(why)),
                Tried::Again { why, after } => {
                    last = why;
                    if !(self.wait)(after.unwrap_or(wait).min(LONGEST_WAIT)) {
                        break;
                    }
                    wait = wait.saturating_mul(2);
                }
            }
        }
        Err(refused(last))
    }

    fn attempt(&self, content_type: &str, body: &[u8]) -> Tried {
        let mut request = self.agent.post(&self.url).header("Content-Type", content_type);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = match request.send(body) {
            Ok(response) => response,
            Err(error) => {
                return Tried::Again {
                    why: error.to_string(),
                    after: None,
                };
            }
        };
        let status = response.status().as_u16();
        let after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| pause(text, SystemTime::now()));
        let answer = response.body_mut().with_config().limit(ANSWER).read_to_vec();
        match status {
            200..=299 => Tried::Taken(answer.unwrap_or_default()),
            408 | 429 | 502..=504 => Tried::Again {
                why: format!("it answers {status}"),
                after,
            },
            _ => Tried::Refused(format!(
                "it answers {status} {}",
                shown(&answer.unwrap_or_default())
            )),
        }
    }
}

/// How long `Retry-After` asks to wait: seconds, or a date.
fn pause(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Some(SystemTime::from(at).duration_since(now).unwrap_or_default())
}

/// What can be shown of an answer.
fn shown(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
