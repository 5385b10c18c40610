//! The real provider as a process, and a browser that signs in at it by its forms.

use rescind_access::{Answer, Begun};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use ureq::Agent;
use ureq::http::Response;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

pub const REDIRECT: &str = "http://127.0.0.1:9/callback";
pub const SECRET: &str = "the secret of this client, long enough for HS256";

/// The provider; gone when dropped.
pub struct Provider {
    process: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    pub issuer: String,
}

/// Where `cargo xtask` put the provider: `RESCIND_OIDC`, else below the target directory.
pub fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_OIDC").map(PathBuf::from);
    let usual = || {
        let program = std::env::current_exe().ok()?;
        let target = program.ancestors().find(|dir| dir.ends_with("target"))?;
        Some(target.join("oidc"))
    };
    let folder = given.or_else(usual)?;
    folder
        .join("node_modules/oidc-provider")
        .exists()
        .then_some(folder)
}

impl Provider {
    pub fn start(folder: PathBuf) -> Self {
        Self::start_with(folder, None)
    }

    /// With TLS, by the key and the certificate in a file.
    pub fn start_with(folder: PathBuf, certificate: Option<&Path>) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oidc/provider.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(folder)
            .args(certificate)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let commands = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = said(&mut answers);
        Self {
            process,
            commands,
            answers,
            issuer,
        }
    }

    pub fn tell(&mut self, command: Value) {
        writeln!(self.commands.as_mut().unwrap(), "{command}").unwrap();
        assert_eq!(said(&mut self.answers), "done");
    }

    pub fn end(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A browser, as far as the provider's forms need one.
pub struct Browser {
    agent: Agent,
    cookies: BTreeMap<String, String>,
    /// How often the password was asked for.
    pub asked: usize,
}

impl Browser {
    pub fn new() -> Self {
        Self::trusting(None)
    }

    /// One that trusts a certificate.
    pub fn trusting(pem: Option<&[u8]>) -> Self {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = pem {
            let certificate = Certificate::from_pem(pem).unwrap();
            tls = tls.root_certs(RootCerts::new_with_certs(&[certificate]));
        }
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            cookies: BTreeMap::new(),
            asked: 0,
        }
    }

    /// Sign in at the provider, up to the moment it sends the browser back.
    pub fn sign_in(&mut self, begun: &Begun, login: &str) -> Answer {
        self.sign_in_at(&begun.url, begun, login)
    }

    /// The same at another address than was meant.
    pub fn sign_in_at(&mut self, url: &str, begun: &Begun, login: &str) -> Answer {
        let mut url = url.to_owned();
        let mut form: Option<String> = None;
        for _ in 0..20 {
            if let Some(query) = url.strip_prefix(REDIRECT) {
                return answer(query, begun);
            }
            let response = self.send(&url, form.take());
            if let Some(place) = response.headers().get("location") {
                url = place.to_str().unwrap().to_owned();
                if url.starts_with('/') {
                    url = format!("{}{url}", origin(&begun.url));
                }
                continue;
            }
            let page = response.into_body().read_to_string().unwrap();
            url = between(&page, "action=\"", "\"").unwrap_or_else(|| panic!("no form in {page}"));
            let prompt = between(&page, "name=\"prompt\" value=\"", "\"").unwrap();
            self.asked += usize::from(prompt == "login");
            form = Some(format!("prompt={prompt}&login={login}&password=whatever"));
        }
        panic!("the provider never sent the browser back");
    }

    fn send(&mut self, url: &str, form: Option<String>) -> Response<ureq::Body> {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let response = match form {
            Some(form) => self
                .agent
                .post(url)
                .header("cookie", cookies)
                .header("content-type", "application/x-www-form-urlencoded")
                .send(form),
            None => self.agent.get(url).header("cookie", cookies).call(),
        };
        let response = response.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

fn answer(query: &str, begun: &Begun) -> Answer {
    let value = |name: &str| {
        let mut pairs = query.trim_start_matches('?').split('&');
        let found = pairs.find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
        Some(found.replace("%3A", ":").replace("%2F", "/"))
    };
    Answer {
        state: value("state").unwrap_or_default(),
        code: value("code").unwrap_or_else(|| panic!("no code in {query}")),
        issuer: value("iss"),
        browser: begun.browser.expose().to_owned(),
    }
}

/// What the script says; the package prints notices of its own.
fn said(answers: &mut Lines<BufReader<ChildStdout>>) -> String {
    let said = answers.find_map(|line| line.unwrap().strip_prefix('@').map(str::to_owned));
    said.expect("the provider says something")
}

fn origin(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0.to_owned())
}
