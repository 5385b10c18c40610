//! Requests to the provider: bounded in time and size, never redirected, HTTPS but on this machine itself.

use crate::oidc::config::is_safe;
use openidconnect::http::{Response, StatusCode};
use openidconnect::url::Url;
use openidconnect::{HttpRequest, HttpResponse, SyncHttpClient};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

/// The client.
#[derive(Debug, Clone)]
pub(crate) struct Client(Agent);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address is not to be used.
    #[error("`{url}` is not https")]
    Unsafe {
        /// Which.
        url: String,
    },
    /// No answer, or one that is too large or too slow.
    #[error("the request failed")]
    Failed(#[source] Box<ureq::Error>),
    /// An answer that leads elsewhere.
    #[error("it answers with a redirection ({0}), which is not followed")]
    Redirected(StatusCode),
    /// An answer that can't be passed on.
    #[error("the answer can't be used")]
    Unusable(#[source] openidconnect::http::Error),
}

const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
const LARGEST: u64 = 1024 * 1024;

impl Client {
    /// One that trusts the certificates in a file, or without it those that browsers do.
    ///
    /// # Errors
    /// The file can't be read, or has none: the text says so.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = ca_file {
            tls = tls.root_certs(certificates(path)?);
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        Ok(Self(config.into()))
    }
}

fn certificates(path: &Path) -> Result<RootCerts, String> {
    let wrong = |why: String| format!("`ca_file` is `{}`: {why}", path.display());
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let none = || wrong("there are no certificates in PEM form in it".to_owned());
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| none())? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(none());
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

impl SyncHttpClient for Client {
    type Error = HttpError;

    fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = request.uri().to_string();
        if !Url::parse(&url).is_ok_and(|url| is_safe(&url)) {
            return Err(HttpError::Unsafe { url });
        }
        let failed = |error: ureq::Error| HttpError::Failed(Box::new(error));
        let answer = self.0.run(request).map_err(failed)?;
        if answer.status().is_redirection() {
            return Err(HttpError::Redirected(answer.status()));
        }
        let (parts, mut body) = answer.into_parts();
        let bytes = body.with_config().limit(LARGEST).read_to_vec().map_err(failed)?;
        let mut whole = Response::builder()
            .status(parts.status)
            .body(bytes)
            .map_err(HttpError::Unusable)?;
        *whole.headers_mut() = parts.headers;
        Ok(whole)
    }
}
