//! How a server begins and ends, and what it refuses to begin with.

use super::{SOON, told};
use rescind_scenarios::{Ask, Outcome, Scenario, Served, kill, proved, until};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

/// `rescind serve` that must not come up.
#[track_caller]
fn refused(scenario: &Scenario, arguments: &[&str], code: &str) -> String {
    let mut command = scenario.rescind(&["serve"]);
    let outcome = Outcome::of(command.args(arguments)).exits(1);
    let text = outcome.err();
    assert!(text.contains(&format!("error[{code}]")), "{text}");
    text
}

#[test]
fn every_fault_of_the_configuration_is_named_at_once_and_no_port_is_opened() {
    let scenario = told(
        "listen = \"0.0.0.0:0\"\nlease_ms = 5\npublic_url = \"ftp://here\"\n[limits]\nstreams = 0\nrequest_seconds = 0\n[log]\nlevel = \"loud\"\n",
    );
    for arguments in [&["--check"][..], &[]] {
        let text = refused(&scenario, arguments, "server-configuration");
        for part in [
            "listen: 0.0.0.0:0",
            "lease_ms",
            "public_url",
            "limits.streams",
            "limits.request_seconds",
            "log.level",
        ] {
            assert!(text.contains(part), "{part} is not named: {text}");
        }
    }
    let unknown = told("lissten = \"127.0.0.1:0\"\n");
    assert!(refused(&unknown, &["--check"], "server-configuration").contains("lissten"));
    let good = told("lease_ms = 1000\n");
    good.tell(&["serve", "--check", "--json"]).success();
}

#[test]
fn a_port_that_is_taken_and_a_store_that_has_a_server_are_refused() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let scenario = Scenario::new();
    let text = refused(&scenario, &["--port", &port], "server-port");
    assert!(text.contains(&port), "{text}");
    let served = Served::start(&scenario, &[]);
    refused(&scenario, &["--port", "0"], "control-unusable");
    Ask::get("/healthz").of(served.port()).is(200);
    assert!(served.stop());
}

#[test]
fn beyond_this_machine_nothing_is_served_without_a_certificate_and_everything_with_one() {
    let scenario = told("listen = \"0.0.0.0:0\"\n");
    let text = refused(&scenario, &[], "server-configuration");
    assert!(text.contains("tls"), "{text}");
    let (certificate, key) = (
        scenario.scratch().join("tls.pem"),
        scenario.scratch().join("tls.key"),
    );
    let mut make = scenario.command("openssl");
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    make.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1",
    ]);
    Outcome::of(make.arg("-keyout").arg(&key).arg("-out").arg(&certificate)).success();
    let text = format!(
        "listen = \"0.0.0.0:0\"\n[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
        certificate.display(),
        key.display()
    );
    crate::holds::configure(&scenario, "server.toml", &text);
    let mut command = scenario.rescind(&["serve", "--json"]);
    let log = std::fs::File::create(scenario.scratch().join("serve.log")).expect("a log");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("rescind");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let listen = said["listen"].as_str().expect("an address");
    let port = listen.rsplit(':').next().expect("a port").to_owned();
    assert!(
        said["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://")),
        "{line}"
    );
    let mut client = scenario.command("openssl");
    client.args([
        "s_client",
        "-quiet",
        "-verify_return_error",
        "-servername",
        "localhost",
        "-connect",
    ]);
    client
        .arg(format!("127.0.0.1:{port}"))
        .arg("-CAfile")
        .arg(&certificate);
    let mut client = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl");
    let mut stdin = client.stdin.take().expect("a pipe");
    write!(
        stdin,
        "GET /signin HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .expect("a request");
    let mut answer = String::new();
    client
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut answer)
        .expect("an answer");
    drop(stdin);
    client.wait().expect("its end");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("strict-transport-security"), "{answer}");
    // Without TLS nobody is answered.
    let plain = Ask::get("/healthz").try_of(port.parse().expect("a port"));
    assert!(plain.is_err(), "{plain:?}");
    kill(i32::try_from(child.id()).expect("a pid"), libc::SIGTERM);
    let status = until("the server's end", SOON, || child.try_wait().expect("a child"));
    assert!(status.success());
    proved(
        "5 access",
        "plaintext beyond loopback is refused; with a certificate it is TLS alone",
    );
}

#[test]
fn a_server_that_is_told_to_end_finishes_what_is_open_and_ends_its_streams() {
    let scenario = Scenario::new();
    let served = Served::start(&scenario, &[]);
    let (port, token) = (served.port(), served.token.clone());
    let mut stream = Ask::get("/api/v1/events")
        .token(&token)
        .open(port)
        .expect("a stream");
    assert_eq!(stream.head.status, 200);
    let body = r#"{"name": "late", "password": "correct horse battery", "grants": []}"#;
    let mut open = TcpStream::connect(("127.0.0.1", port)).expect("the server");
    open.set_read_timeout(Some(SOON)).expect("a timeout");
    let (first, rest) = body.split_at(10);
    write!(
        open,
        "POST /api/v1/people HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    )
    .expect("a head");
    // The server has begun to serve it: it asks for the body.
    let mut start = [0; 25];
    open.read_exact(&mut start).expect("an answer");
    assert!(start.starts_with(b"HTTP/1.1 100"), "{start:?}");
    write!(open, "{first}").expect("a part");
    kill(i32::try_from(served.pid()).expect("a pid"), libc::SIGTERM);
    // The stream ends, which says that the server is ending; then the rest comes.
    while stream.line().is_ok_and(|line| line.is_some()) {}
    write!(open, "{rest}").expect("the rest");
    let mut answer = String::new();
    open.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(served.stop(), "it ends well");
    let people = scenario
        .tell(&["access", "user", "list", "--json"])
        .success()
        .out();
    assert!(people.contains("late"), "{people}");
    proved(
        "4 server",
        "told to end: an open request was finished, the streams ended, exit code 0",
    );
}
