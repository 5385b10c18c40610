use super::{Checks, all_passed, probe};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

fn run(text: &str, domain: &str) -> Vec<(String, bool, String)> {
    let checks = Checks {
        checks: Checks::parse(text).unwrap(),
        fault: None,
    };
    let ran = checks.run([domain]);
    assert_eq!(all_passed(&ran), ran.iter().all(|check| check.passed));
    ran.into_iter()
        .map(|check| (check.name, check.passed, check.said))
        .collect()
}

/// A server that answers one request with this.
fn serve(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0_u8; 1024];
        let count = stream.read(&mut request).unwrap();
        let request = String::from_utf8_lossy(&request[..count]).into_owned();
        stream.write_all(answer.as_bytes()).unwrap();
        request
    });
    port
}

#[test]
fn a_check_is_run_for_its_domain_and_those_below_it() {
    let text = "[[check]]\ndomain = \"payments\"\ncommand = [\"true\"]\n[[check]]\nname = \"all\"\ncommand = [\"false\"]\n";
    let own = ("true".to_owned(), true, "exit 0".to_owned());
    let all = ("all".to_owned(), false, "exit 1".to_owned());
    assert_eq!(run(text, "payments/prod"), [own.clone(), all.clone()]);
    assert_eq!(run(text, "payments"), [own, all.clone()]);
    assert_eq!(run(text, "payments-test"), std::slice::from_ref(&all));
    assert_eq!(run(text, ""), [all]);
}

#[test]
fn a_command_fails_by_its_end_or_by_taking_too_long_and_says_why() {
    let sh = |script: &str| ["sh", "-c", script].map(str::to_owned);
    let long = Duration::from_secs(60);
    assert_eq!(
        probe::command(&sh("echo broken >&2; exit 3"), long),
        Err("exit 3: broken".to_owned())
    );
    assert_eq!(
        probe::command(&sh("sleep 100"), Duration::from_secs(1)),
        Err("it did not end within 1 s".to_owned())
    );
    assert!(probe::command(&["/no/such".to_owned()], long).is_err());
}

#[test]
fn a_probe_passes_by_its_status_alone() {
    let port = serve("HTTP/1.1 204 No Content\r\n\r\n");
    let text = format!("[[check]]\nhttp = \"http://127.0.0.1:{port}/health\"\nstatus = 204\n");
    assert!(run(&text, "")[0].1);
    let port = serve("HTTP/1.0 503 No\r\n\r\n");
    let text = format!("[[check]]\nhttp = \"http://localhost:{port}\"\n");
    assert_eq!(run(&text, "")[0].2, "status 503, expected 200");
    let port = serve("SSH-2.0-x\r\n");
    let text = format!("[[check]]\nhttp = \"http://127.0.0.1:{port}\"\n");
    assert_eq!(run(&text, "")[0].2, "no answer: the answer is not HTTP");
}

#[test]
fn what_is_no_check_is_named() {
    for (text, part) in [
        ("[[check]]\nhttp = \"https://x/\"", "https is not supported"),
        ("[[check]]\nhttp = \"http://:80/\"", "is no address"),
        ("[[check]]\nhttp = \"http://a b/\"", "is no address"),
        ("[[check]]\ndomain = \"x\"", "either a `command` or an `http`"),
        ("[[check]]\ncommand = []", "a list of words"),
        ("[[check]]\ncommand = [\"true\"]\nstatus = 200", "no `status`"),
        (
            "[[check]]\ncommand = [\"true\"]\ntimeout = \"soon\"",
            "no duration",
        ),
        ("[[chek]]", "unknown field"),
    ] {
        let error = Checks::parse(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}
