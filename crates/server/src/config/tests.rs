#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::{Configuration, LogFormat};

fn nothing(_name: &str) -> Option<String> {
    None
}

fn of(text: &str) -> Result<Configuration, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.toml");
    std::fs::write(&path, text).unwrap();
    Configuration::read(Some(&path), nothing).map_err(|error| error.to_string())
}

#[test]
fn without_a_file_it_listens_on_this_machine_alone() {
    let own = Configuration::read(None, nothing).unwrap();
    assert!(own.listen.ip().is_loopback());
    assert_eq!(own.base_url(own.listen), "http://127.0.0.1:7340");
    assert!(!own.is_secure());
}

#[test]
fn beyond_loopback_it_wants_tls_unless_told() {
    let text = of("listen = '0.0.0.0:80'").unwrap_err();
    assert!(
        text.contains("needs `tls`") && text.contains("no port was opened"),
        "{text}"
    );
    assert!(of("listen = '0.0.0.0:80'\nplaintext_beyond_loopback = true").is_ok());
    assert!(of("listen = '[::1]:80'").is_ok());
}

#[test]
fn every_fault_is_named_at_once() {
    let text = of("listen = '10.0.0.1:80'\nlease_ms = 1\npublic_url = 'ftp://x/y'\n[limits]\nstreams = 0\n\
                   request_seconds = 0\n[log]\nlevel = 'loud'\n[tls]\ncertificate = '/nowhere'\nkey = '/nowhere'")
        .unwrap_err();
    for name in [
        "lease_ms",
        "public_url",
        "limits.streams",
        "request_seconds",
        "log.level",
        "tls.certificate",
        "tls.key",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
}

#[test]
fn an_unknown_key_is_a_fault() {
    assert!(of("lisen = '127.0.0.1:1'").unwrap_err().contains("lisen"));
}

#[test]
fn the_environment_goes_over_the_file() {
    let variable = |name: &str| match name {
        "RESCIND_SERVE_LISTEN" => Some("127.0.0.1:9".to_owned()),
        "RESCIND_SERVE_LOG" => Some("json".to_owned()),
        "RESCIND_SERVE_PUBLIC_URL" => Some("https://rescind.example.com/".to_owned()),
        _ => None,
    };
    let own = Configuration::read(None, variable).unwrap();
    assert_eq!(own.listen.port(), 9);
    assert_eq!(own.log.format, LogFormat::Json);
    assert_eq!(own.base_url(own.listen), "https://rescind.example.com");
    assert!(own.is_secure());
    let wrong = Configuration::read(None, |name| {
        (name == "RESCIND_SERVE_LISTEN").then(|| "here".to_owned())
    });
    assert!(wrong.unwrap_err().to_string().contains("RESCIND_SERVE_LISTEN"));
}
