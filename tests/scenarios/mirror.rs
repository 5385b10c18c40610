//! An anchor outside the machine: a mirror that gets every checkpoint, and outlives the machine it is of.

use rescind_scenarios::{Outcome, Scenario, proved, until};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// A process that serves until the value goes.
struct Serving {
    process: Child,
    /// What it said first.
    said: String,
}

impl Serving {
    fn start(command: &mut Command, on_stderr: bool) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut said = String::new();
        let read = match on_stderr {
            true => BufReader::new(process.stderr.take().expect("a pipe")).read_line(&mut said),
            false => BufReader::new(process.stdout.take().expect("a pipe")).read_line(&mut said),
        };
        read.expect("a line");
        let said = said.trim().to_owned();
        Self { process, said }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A second machine, with a state directory of its own, that receives into a folder.
struct Second {
    scenario: Scenario,
    folder: PathBuf,
    receiver: Serving,
}

impl Second {
    fn start() -> Self {
        let scenario = Scenario::new();
        let folder = scenario.scratch().join("mirror");
        let mut command = scenario.rescind(&["ledger", "receive", text(&folder), "--listen", "127.0.0.1:0"]);
        let receiver = Serving::start(&mut command, true);
        Self {
            scenario,
            folder,
            receiver,
        }
    }

    fn url(&self) -> String {
        self.receiver
            .said
            .rsplit(' ')
            .next()
            .expect("an address")
            .to_owned()
    }

    /// How many entries the mirror's checkpoint covers.
    fn size(&self) -> Option<u64> {
        let checkpoint = fs::read_to_string(self.folder.join("checkpoint")).ok()?;
        checkpoint.lines().nth(1)?.parse().ok()
    }

    fn verify(&self, place: &str, key: &str) -> Outcome {
        self.scenario
            .tell(&["ledger", "verify", "--json", "--mirror", place, "--key", key])
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

fn key(scenario: &Scenario) -> String {
    scenario
        .tell(&["ledger", "key"])
        .success()
        .out()
        .trim()
        .to_owned()
}

fn entries(scenario: &Scenario) -> Vec<Value> {
    scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines()
}

#[test]
fn the_record_is_verified_from_the_mirror_alone_once_the_machine_is_gone() {
    let first = Scenario::new();
    let second = Second::start();
    first.write("f", "x\n");
    first.run("rm f; echo one > g").success();
    let url = second.url();
    first.tell(&["ledger", "mirror", &url]).success();
    // From now on whatever runs brings its checkpoints over by itself.
    first.run("echo two > g; (rm g; false); true").success();
    first.undo(&[]);
    let (key, kept) = (key(&first), entries(&first));
    assert_eq!(
        second.size(),
        Some(kept.len() as u64),
        "all of it is over when the command has ended"
    );

    fs::remove_dir_all(first.home()).expect("the first machine's state goes");
    for place in [url.as_str(), text(&second.folder)] {
        let verified = second.verify(place, &key).success().json_lines().remove(0);
        assert_eq!(verified["entries"], kept.len() as u64, "{verified}");
        let listed = second
            .scenario
            .tell(&["ledger", "entries", "--json", "--mirror", place, "--key", &key]);
        assert_eq!(
            listed.success().json_lines(),
            kept,
            "every entry is there, byte for byte"
        );
    }
    // What can't be had from it is said: no content, and no key to go on with.
    let mirrored =
        String::from_utf8_lossy(&fs::read(second.folder.join(bundle(kept.len()))).expect("entries"))
            .into_owned();
    assert!(mirrored.contains("action.started") && !mirrored.contains("echo two"));
    first.run("true").success();
    let refused = first.tell(&["ledger", "mirror", &url]);
    assert_ne!(
        refused.code(),
        0,
        "a ledger with another key does not get into the mirror of the old one"
    );
    second.verify(&url, &key).success();

    // A mirror that somebody bent is found, and where.
    let bundle = second.folder.join(bundle(kept.len()));
    let mut bytes = fs::read(&bundle).expect("entries");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&bundle, bytes).expect("write");
    let found = second
        .verify(text(&second.folder), &key)
        .exits(4)
        .json_lines()
        .remove(0);
    assert!(
        found["faults"]
            .as_array()
            .is_some_and(|faults| !faults.is_empty()),
        "{found}"
    );
    let shown = second.scenario.tell(&[
        "ledger",
        "entries",
        "--mirror",
        text(&second.folder),
        "--key",
        &key,
    ]);
    assert!(
        !shown.exits(4).out().contains("action.started"),
        "nothing is shown that is not proved"
    );
    proved(
        "8 mirror",
        "verified and listed from the mirror alone after the state was wiped",
    );
}

/// Where a small mirror's entries are.
fn bundle(size: usize) -> String {
    assert!(size < 256, "a small one");
    format!("tile/entries/000.p/{size}")
}

#[test]
fn a_follower_brings_over_what_runs_elsewhere_and_catches_up() {
    let first = Scenario::new();
    first.run("true").success();
    let folder = first.scratch().join("mirror");
    first.tell(&["ledger", "mirror", text(&folder)]).success();
    let second = Second::start();
    let mut follower = first.rescind(&["ledger", "mirror", &second.url(), "--follow"]);
    let follower = Serving::start(&mut follower, false);
    // Nothing but the follower signs or sends what a command without a background service appends.
    let reaches = |wanted: u64| {
        until("the mirror to have it", LONG, || {
            (second.size() >= Some(wanted)).then_some(())
        })
    };
    reaches(entries(&first).len() as u64);
    first.tell(&["prune", "--older-than", "0s", "--yes"]).success();
    let now = entries(&first).len() as u64;
    reaches(now);
    first.run("echo more > g").success();
    reaches(entries(&first).len() as u64);
    // Stopped, and started again, on what was appended meanwhile.
    drop(follower);
    first
        .tell(&["ledger", "mirror", &second.url(), "--remove"])
        .success();
    first.run("echo more > h").success();
    let before = second.size();
    assert!(
        before < Some(entries(&first).len() as u64),
        "it is kept up to date no more"
    );
    let mut follower = first.rescind(&["ledger", "mirror", &second.url(), "--follow"]);
    let mut follower = Serving::start(&mut follower, false);
    reaches(entries(&first).len() as u64);
    rescind_scenarios::kill(i32::try_from(follower.process.id()).expect("a number"), 2);
    assert!(
        follower.process.wait().expect("it ends").success(),
        "Ctrl-C ends it cleanly"
    );
    second.verify(&second.url(), &key(&first)).success();
    second.verify(text(&second.folder), &key(&first)).success();
}

#[test]
fn a_mirror_behind_tls_is_pushed_to_and_read_where_its_certificate_is_trusted() {
    let mut first = Scenario::new();
    let second = Second::start();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/tls_proxy.py");
    first.bare(
        "cd \"$HOME\"; printf 'subjectAltName=IP:127.0.0.1\\n' > extensions; \
         ec='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'; \
         openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=ours -days 2 2> /dev/null; \
         openssl req $ec -keyout server.key -out server.csr -subj /CN=mirror 2> /dev/null; \
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out server.pem 2> /dev/null",
    );
    let file = |name: &str| first.scratch().join(name).to_str().expect("text").to_owned();
    let (certificate, private, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let mut command = first.command("python3");
    let target = second.url().trim_start_matches("http://").to_owned();
    command.args([text(&script), &certificate, &private, &target]);
    let proxy = Serving::start(&mut command, false);
    let url = format!("https://127.0.0.1:{}/", proxy.said);
    first.run("echo one > f").success();
    let refused = first.tell(&["ledger", "mirror", &url]).exits(1);
    assert!(
        refused.said().to_lowercase().contains("certificate"),
        "{}",
        refused.said()
    );
    assert_eq!(second.size(), None);
    first
        .environment
        .push(("SSL_CERT_FILE".to_owned(), authority.clone()));
    first.tell(&["ledger", "mirror", &url]).success();
    first.run("echo two > f").success();
    let size = entries(&first).len() as u64;
    assert_eq!(second.size(), Some(size));
    let key = key(&first);
    let verified = first
        .tell(&["ledger", "verify", "--mirror", &url, "--key", &key, "--json"])
        .success();
    assert_eq!(verified.json_lines()[0]["entries"], size);
    first.tell(&["verify"]).success();
}
