//! Two small programs in one, by the name they are called by: a `kubectl` and a `systemctl` whose state is kept by somebody
//! else, a server on loopback that outlives them. They speak as much of the real ones' words as the catalog uses.
//!
//! The address of the server is in the file that `KUBECONFIG` names (as a real kubectl has it), or in
//! `DBUS_SYSTEM_BUS_ADDRESS` (as a real systemctl has it). A request is one line, `KEY<TAB>VERB<TAB>NAME<TAB>VALUE`, where KEY
//! is what `RESCIND_IDEMPOTENCY_KEY` holds or `-`; an answer is one line, `ok VALUE` or `no REASON`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::exit;

fn ask(address: &str, verb: &str, name: &str, value: &str) -> Result<String, String> {
    let key = std::env::var("RESCIND_IDEMPOTENCY_KEY").unwrap_or_else(|_| "-".to_owned());
    let lost = |error: std::io::Error| format!("Unable to connect to the server: {error}");
    let mut stream = TcpStream::connect(address).map_err(lost)?;
    writeln!(stream, "{key}\t{verb}\t{name}\t{value}").map_err(lost)?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).map_err(lost)?;
    match line.trim_end().split_once(' ') {
        Some(("ok", value)) => Ok(value.to_owned()),
        Some(("no", why)) => Err(why.to_owned()),
        _ => Err("the connection was closed without an answer".to_owned()),
    }
}

fn or_end(answer: Result<String, String>, code: i32) -> String {
    answer.unwrap_or_else(|why| {
        eprintln!("{why}");
        exit(code)
    })
}

fn kubectl(words: &[String]) {
    let config = std::env::var("KUBECONFIG").unwrap_or_default();
    let address = std::fs::read_to_string(&config).unwrap_or_else(|error| {
        eprintln!("error: {config}: {error}");
        exit(1)
    });
    let address = address.trim();
    let after = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1).cloned()
    };
    let count = words.iter().find_map(|word| word.strip_prefix("--replicas="));
    let namespace = after("-n").unwrap_or_else(|| "default".to_owned());
    let named = words
        .iter()
        .skip(1)
        .find(|word| word.contains('/'))
        .cloned()
        .unwrap_or_default();
    let name = format!("{namespace}/{named}");
    match (words.first().map(String::as_str), count) {
        (Some("scale"), Some(count)) => {
            or_end(ask(address, "set", &name, count), 1);
            println!("{named} scaled");
        }
        (Some("get"), None) => {
            let found = or_end(ask(address, "get", &name, ""), 1);
            let (count, version) = found.split_once(' ').unwrap_or((&found, "0"));
            println!(
                "{{\"kind\": \"Deployment\", \"metadata\": {{\"name\": \"{named}\", \"resourceVersion\": \"{version}\"}}, \
                 \"spec\": {{\"replicas\": {count}}}}}"
            );
        }
        (Some("rollout"), None) => {
            or_end(ask(address, "rolled", &name, ""), 1);
            println!("deployment successfully rolled out");
        }
        _ => {
            eprintln!("error: unknown command {words:?}");
            exit(1)
        }
    }
}

fn systemctl(words: &[String]) {
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    let names: Vec<&String> = words
        .iter()
        .skip(1)
        .filter(|word| !word.starts_with('-') && *word != "ActiveState")
        .collect();
    for name in names {
        match words.first().map(String::as_str) {
            Some("show") => {
                let found = or_end(ask(&address, "get", name, ""), 1);
                println!("ActiveState={}", found.split(' ').next().unwrap_or_default());
            }
            Some("is-active") => {
                let found = or_end(ask(&address, "get", name, ""), 4);
                let state = found.split(' ').next().unwrap_or_default();
                println!("{state}");
                exit(if state == "active" { 0 } else { 3 })
            }
            Some("stop") => drop(or_end(ask(&address, "set", name, "inactive"), 5)),
            Some("start") => drop(or_end(ask(&address, "set", name, "active"), 5)),
            _ => {
                eprintln!("Unknown command verb {words:?}");
                exit(1)
            }
        }
    }
}

fn main() {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.filter(|word| !word.starts_with("--token=")).collect();
    match called.rsplit('/').next() {
        Some("kubectl") => kubectl(&words),
        Some("systemctl") => systemctl(&words),
        other => {
            eprintln!("it has to be called kubectl or systemctl, and is called {other:?}");
            exit(2)
        }
    }
}
