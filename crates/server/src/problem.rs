//! Errors as the API tells them: problem details (RFC 9457) with the stable codes of `docs/errors`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type.
pub const PROBLEM: &str = "application/problem+json";

/// A problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The page that explains the code, on this server: `/errors/CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code, for programs.
    pub code: String,
    /// What went wrong, in a line.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What it means for the data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// Seconds after which it may be tried again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// One with the usual consequence: nothing was changed.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, title: impl Into<String>) -> Self {
        Self {
            kind: format!("/errors/{code}"),
            code: code.to_owned(),
            title: title.into(),
            status: status.as_u16(),
            detail: "nothing was changed".to_owned(),
            help: Vec::new(),
            retry_after: None,
        }
    }

    /// With what it means for the data.
    #[must_use]
    pub fn means(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// With what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Who asks is not known.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "nobody is signed in, or the token is not valid",
        )
        .help("send `Authorization: Bearer TOKEN`, or sign in")
    }

    /// Who asks may not.
    #[must_use]
    pub fn forbidden(title: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-allowed", title)
    }

    /// What is asked for is not there, or not for whoever asks to see.
    #[must_use]
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", what)
    }

    /// The request is not understood.
    #[must_use]
    pub fn bad(title: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-argument", title)
    }

    /// Something of the server itself failed.
    #[must_use]
    pub fn inner(title: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unreachable", title)
            .help("what is held stays held; try again, and look into the server's log")
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Pages make a page of it.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Every code that stands behind a status in the sources; what a `match` has there is none.
    fn codes_of(text: &str) -> impl Iterator<Item = &str> {
        text.split("StatusCode::").skip(1).filter_map(|rest| {
            let (status, rest) = rest.split_once(',')?;
            let is_status = status
                .chars()
                .all(|letter| letter.is_ascii_uppercase() || letter == '_');
            let (code, behind) = rest.trim_start().strip_prefix('"')?.split_once('"')?;
            let is_arm = behind.trim_start().starts_with(['=', '|']);
            (is_status && !is_arm).then_some(code)
        })
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .flat_map(|entry| match entry.path() {
                path if path.is_dir() => sources(&path),
                path => vec![path],
            })
            .filter(|path| path.extension().is_some_and(|end| end == "rs"))
            .collect()
    }

    #[test]
    fn every_code_of_the_server_has_a_page() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let texts: Vec<String> = sources(&root.join("src"))
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .collect();
        let codes: BTreeSet<&str> = texts.iter().flat_map(|text| codes_of(text)).collect();
        assert!(codes.len() > 15 && codes.contains("not-signed-in"), "{codes:?}");
        let pages = root.join("../../docs/errors");
        let missing: Vec<&&str> = codes
            .iter()
            .filter(|code| {
                let page = fs::read_to_string(pages.join(format!("{code}.md"))).unwrap_or_default();
                !page.starts_with(&format!("# {code}\n"))
            })
            .collect();
        assert!(missing.is_empty(), "docs/errors has no page of {missing:?}");
    }
}
