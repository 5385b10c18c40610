//! Credentials of a session: they work while it lasts, and are proved dead afterwards, whatever ended it.

use rescind_scenarios::{
    Postgres, Random, Scenario, Seed, count, descendants, kill, process_named, proved, until,
};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

fn configure(scenario: &mut Scenario, text: &str) {
    let config = scenario.scratch().join("config");
    fs::create_dir_all(config.join("rescind")).expect("a folder");
    fs::write(config.join("rescind/credentials.toml"), text).expect("a file");
    scenario
        .environment
        .push(("XDG_CONFIG_HOME".to_owned(), config.display().to_string()));
}

/// A place whose sessions can be given a role of a real server.
fn with_database(server: &Postgres) -> Scenario {
    let mut scenario = Scenario::new();
    let text = format!(
        "[credential.db]\nissuer = \"postgres\"\nduration = \"10m\"\nwith = {{ server = \"{}\", admin = \"admin\", member_of = \
         \"app\" }}\nenv = {{ DATABASE_URL = \"postgres://{{name}}:{{password}}@db/app\", SERVER = \"{{server}}\" }}\n",
        server.server()
    );
    configure(&mut scenario, &text);
    scenario.options = ["--credential", "db", "--record-only"]
        .map(str::to_owned)
        .to_vec();
    scenario
}

/// A place with a stand-in for a program of a cluster or a cloud.
fn with_stand_in(name: &str, credentials: &str) -> Scenario {
    let mut scenario = Scenario::new();
    let bin = scenario.scratch().join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("clients/{name}_stand_in.py"));
    fs::copy(source, bin.join(name)).expect("a program");
    fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    scenario.environment.push(("PATH".to_owned(), path));
    let state = scenario.scratch().display().to_string();
    scenario.environment.push(("STAND_IN".to_owned(), state));
    configure(&mut scenario, credentials);
    scenario.options = ["--credential", "own", "--record-only"]
        .map(str::to_owned)
        .to_vec();
    scenario
}

fn running(scenario: &Scenario, script: &str) -> Child {
    let mut command = scenario.supervised(["sh", "-c", script]);
    let front = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let front = front.expect("a run");
    until("the agent's word", SOON, || {
        scenario.path("ready").exists().then_some(())
    });
    front
}

fn roles(server: &Postgres) -> String {
    server.sql("SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname LIKE 'rescind%'")
}

fn entries(scenario: &Scenario) -> Vec<String> {
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    let kinds = entries
        .iter()
        .map(|entry| entry["entry"]["kind"].as_str().unwrap_or_default().to_owned());
    kinds.filter(|kind| kind.starts_with("credential.")).collect()
}

/// That a text is nowhere below a folder.
fn assert_nowhere(folder: &Path, secret: &str) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_nowhere(&path, secret);
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "the secret is in {}", path.display());
        }
    }
}

#[test]
fn a_role_of_the_database_is_the_sessions_alone_and_dead_after_it() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let over = AtomicBool::new(false);
    let script = "\
        printenv PGPASSWORD; psql -X -q -A -t -d \"$SERVER\" -c 'SELECT current_user'; \
        psql -X -q -d \"$SERVER\" -c 'CREATE TABLE left_behind (n int); INSERT INTO kept VALUES (1)'; \
        echo url $DATABASE_URL; sh -c \"true $PGPASSWORD\"; echo pass $(printf %s $PGPASSWORD | base64 -w0) >&2";
    let (outcome, seen) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen: BTreeSet<(String, Vec<u8>)> = BTreeSet::new();
            while !over.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("/proc").flatten() {
                    let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    seen.insert((name, line));
                }
            }
            seen
        });
        let outcome = scenario.run(script);
        over.store(true, Ordering::Relaxed);
        (outcome, watching.join().expect("a thread"))
    });
    let outcome = outcome.success();
    let out = outcome.out();
    let mut lines = out.lines();
    let (password, user) = (lines.next().expect("a password"), lines.next().expect("a role"));
    assert!(
        password.len() == 40 && user.starts_with("rescind_") && user.ends_with("_db"),
        "{out}"
    );
    // Dead: the role is gone, what it left is somebody's, and its password is refused.
    assert_eq!(roles(&server), "");
    assert_eq!(server.sql("SELECT count(*) FROM left_behind, kept"), "0");
    assert!(!server.psql(user, Some(password), "SELECT 1").status.success());
    assert_eq!(
        entries(&scenario),
        ["credential.issuing", "credential.issued", "credential.revoked"]
    );
    // Nobody ever saw the secret but the agent.
    for (name, line) in &seen {
        let found = line
            .windows(password.len())
            .any(|window| window == password.as_bytes());
        assert!(
            !found || name.trim() == "sh" || name.trim() == "rescind",
            "{name}: {}",
            String::from_utf8_lossy(line)
        );
    }
    assert_nowhere(&scenario.home(), password);
    let session = scenario.runs().pop().expect("a session");
    let mut told = scenario
        .tell(&["log", "--tree", "--json", &session])
        .success()
        .out();
    for node in scenario.log(&[&session, "--tree"]) {
        let action = node["action_id"].as_str().expect("an id").to_owned();
        told += &scenario.tell(&["show", "--json", &action]).said();
        told += &scenario.tell(&["show", "--output", &action]).said();
    }
    assert!(told.contains("[redacted:session-credential]"), "{told}");
    let encoded = scenario.bare(&format!("printf %s {password} | base64 -w0")).out();
    for secret in [password, encoded.trim_end_matches('=')] {
        assert!(!told.contains(secret), "the record tells {secret}: {told}");
    }
    assert!(!scenario.home().join("credentials").join(&session).exists());
    scenario.verify();
    proved(
        "judgement",
        "a session's PostgreSQL role: issued, used, revoked, proved dead, its password on no record",
    );
}

#[test]
fn a_killed_supervisor_leaves_no_credential_and_needs_no_command() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let mut front = running(
        &scenario,
        "psql -X -d \"$SERVER\" -c 'SELECT pg_sleep(600)' & touch ready; sleep 600",
    );
    until("a session of the role", SOON, || {
        let count = server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'rescind%'");
        (count == "1").then_some(())
    });
    let supervisor = process_named(front.id() as i32, "rescind-super").expect("a supervisor");
    kill(supervisor.pid, libc::SIGKILL);
    front.wait().expect("the front ends");
    until("the guardian's revocation", SOON, || {
        roles(&server).is_empty().then_some(())
    });
    until("its record", SOON, || {
        let kept = scenario.home().join("credentials");
        fs::read_dir(kept)
            .is_ok_and(|mut kept| kept.next().is_none())
            .then_some(())
    });
    assert_eq!(
        server.sql("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'rescind%'"),
        "0"
    );
    assert_eq!(
        entries(&scenario).last().map(String::as_str),
        Some("credential.revoked")
    );
    scenario.verify();
}

#[test]
fn with_the_guardian_killed_too_the_next_command_revokes() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let mut front = running(&scenario, "touch ready; sleep 600");
    let tree = descendants(front.id() as i32);
    assert!(tree.iter().any(|process| process.name == "guardian"), "{tree:?}");
    for process in &tree {
        kill(process.pid, libc::SIGKILL);
    }
    kill(front.id() as i32, libc::SIGKILL);
    front.wait().expect("the front ends");
    assert!(
        roles(&server).starts_with("rescind_"),
        "nobody is left who could have revoked it"
    );
    let outcome = scenario.tell(&["status"]).success();
    assert!(
        outcome.err().contains("is revoked, and proved dead"),
        "{}",
        outcome.said()
    );
    assert_eq!(roles(&server), "");
    assert_eq!(
        entries(&scenario).last().map(String::as_str),
        Some("credential.revoked")
    );
    scenario.verify();
}

#[test]
fn a_kill_ends_the_credential_and_a_person_can_end_it_alone() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let mut front = running(&scenario, "touch ready; sleep 600");
    scenario.tell(&["kill"]).success();
    front.wait().expect("the front ends");
    assert_eq!(roles(&server), "");
    fs::remove_file(scenario.path("ready")).expect("a file");
    let mut front = running(
        &scenario,
        "touch ready; until [ -e go ]; do sleep 0.1; done; psql -X -w -d \"$SERVER\" -c 'SELECT 1' && touch worked; true",
    );
    let outcome = scenario.tell(&["revoke", "db"]).success();
    assert!(outcome.out().contains("proved dead"), "{}", outcome.said());
    assert_eq!(roles(&server), "");
    fs::write(scenario.path("go"), "").expect("a file");
    // The session goes on, and ends well: there is nothing left to revoke.
    assert!(front.wait().expect("the front ends").success());
    assert!(!scenario.path("worked").exists(), "the revoked credential worked");
    scenario.tell(&["revoke", "db"]).exits(1);
    assert_eq!(
        entries(&scenario)
            .iter()
            .filter(|kind| *kind == "credential.revoked")
            .count(),
        2
    );
    scenario.verify();
}

#[test]
fn a_revocation_that_nobody_can_prove_is_told_until_it_is_proved() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let down = format!("touch {}", scenario.scratch().join("asked").display());
    let mut front = scenario.supervised([
        "sh",
        "-c",
        &format!("{down}; until [ -e go ]; do sleep 0.1; done"),
    ]);
    let front = front
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a run");
    until("the agent", SOON, || {
        scenario.scratch().join("asked").exists().then_some(())
    });
    let role = roles(&server);
    server.down();
    fs::write(scenario.path("go"), "").expect("a file");
    let output = front.wait_with_output().expect("the front ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert!(
        said.contains("NOT PROVED DEAD") && said.contains("could not be revoked"),
        "{said}"
    );
    assert_eq!(
        entries(&scenario).last().map(String::as_str),
        Some("credential.unproved")
    );
    let status = scenario.tell(&["status"]).success();
    assert!(
        status.out().contains("not proved dead") && status.out().contains("db"),
        "{}",
        status.said()
    );
    let outcome = scenario.tell(&["revoke", "db"]).exits(7);
    assert!(
        outcome.err().contains("error[credential-unproved]"),
        "{}",
        outcome.said()
    );
    server.up();
    assert_eq!(roles(&server), role);
    scenario.tell(&["revoke"]).success();
    assert_eq!(roles(&server), "");
    assert_eq!(
        entries(&scenario).last().map(String::as_str),
        Some("credential.revoked")
    );
    let status = scenario.tell(&["status"]).success();
    assert!(!status.out().contains("not proved dead"), "{}", status.out());
    scenario.verify();
    proved(
        "judgement",
        "an unproved revocation: exit code, ledger, status, until it is proved",
    );
}

#[test]
fn no_process_of_a_session_can_revoke_or_ask_for_a_credential() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let rescind = rescind_scenarios::rescind_binary();
    let script = format!(
        "{0} revoke db; {0} run --credential db -- touch second; rm -rf {1}/credentials; psql -X -q -A -t -d \"$SERVER\" -c 'SELECT 1'",
        rescind.display(),
        scenario.home().display()
    );
    let outcome = scenario.run(&script).success();
    assert_eq!(outcome.out(), "1\n", "{}", outcome.err());
    assert!(
        outcome.err().contains("inside-supervised-tree"),
        "{}",
        outcome.err()
    );
    assert!(!scenario.path("second").exists());
    assert_eq!(roles(&server), "");
}

#[test]
fn what_can_not_be_issued_starts_nothing_and_leaves_nothing() {
    let Some(server) = Postgres::start() else { return };
    let mut scenario = with_database(&server);
    server.sql("DROP OWNED BY app; DROP ROLE app");
    let outcome = scenario.run("touch made").exits(125);
    assert!(
        outcome.err().contains("error[credential-not-issued]") && outcome.err().contains("app"),
        "{}",
        outcome.err()
    );
    assert!(!scenario.path("made").exists());
    assert_eq!(roles(&server), "");
    assert_eq!(entries(&scenario), ["credential.issuing", "credential.revoked"]);
    scenario.options = ["--credential", "other"].map(str::to_owned).to_vec();
    let outcome = scenario.run("touch made").exits(125);
    assert!(
        outcome.err().contains("error[credential-invalid]") && outcome.err().contains("`db`"),
        "{}",
        outcome.err()
    );
    scenario.verify();
}

/// A stand-in: no cluster was there.
#[test]
fn a_kubernetes_token_dies_with_the_secret_that_it_is_bound_to() {
    let credentials = "[credential.own]\nissuer = \"kubernetes\"\nwith = { account = \"deployer\", namespace = \"web\", context = \
                       \"prod\", server = \"https://10.0.0.1\" }\n";
    let scenario = with_stand_in("kubectl", credentials);
    let script = "cat \"$KUBECONFIG\"; stat -c '%a %n' \"$KUBECONFIG\"; echo x 2>/dev/null >>\"$KUBECONFIG\" || echo refused";
    let outcome = scenario.run(script).success();
    let token = outcome
        .out()
        .split("token: \"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .map(str::to_owned);
    let token = token.unwrap_or_else(|| panic!("{}", outcome.said()));
    let file = outcome
        .out()
        .lines()
        .find_map(|line| line.strip_prefix("600 "))
        .map(str::to_owned);
    assert!(!Path::new(&file.unwrap_or_else(|| panic!("{}", outcome.said()))).exists());
    assert!(outcome.out().contains("refused"), "{}", outcome.out());
    assert_eq!(
        entries(&scenario),
        ["credential.issuing", "credential.issued", "credential.revoked"]
    );
    let state = fs::read_to_string(scenario.scratch().join("kubectl.json")).expect("state");
    assert!(state.contains("\"secrets\": {}"), "{state}");
    assert_nowhere(&scenario.home(), &token);
    let session = scenario.runs().pop().expect("a session");
    for node in scenario.log(&[&session, "--tree"]) {
        let action = node["action_id"].as_str().expect("an id").to_owned();
        let told = scenario.tell(&["show", "--output", &action]).said() + &node.to_string();
        assert!(!told.contains(&token[..60]), "{told}");
    }
    assert_eq!(
        scenario.tell(&["diff", &session]).success().out(),
        "",
        "a file of the session's own is no change"
    );
}

/// A stand-in: no cluster was there.
#[test]
fn killed_while_it_is_issued_a_credential_is_revoked_all_the_same() {
    let credentials = "[credential.own]\nissuer = \"kubernetes\"\nwith = { account = \"deployer\", namespace = \"web\", context = \
                       \"prod\", server = \"https://10.0.0.1\" }\n";
    let scenario = with_stand_in("kubectl", credentials);
    fs::write(scenario.scratch().join("hang"), "").expect("a file");
    let mut command = scenario.supervised(["touch", "made"]);
    let mut front = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    let state = || fs::read_to_string(scenario.scratch().join("kubectl.json")).unwrap_or_default();
    until("a token", SOON, || state().contains("eyJ").then_some(()));
    let tree = descendants(front.id() as i32);
    for process in tree {
        kill(process.pid, libc::SIGKILL);
    }
    front.wait().expect("the front ends");
    fs::remove_file(scenario.scratch().join("hang")).expect("a file");
    let status = scenario.tell(&["status"]).success();
    assert!(state().contains("\"secrets\": {}"), "{}", state());
    // Nobody knows the token, so nobody can ask whether it is dead: that is said.
    assert!(
        status.err().contains("whether it was issued is not known"),
        "{}",
        status.said()
    );
    assert_eq!(entries(&scenario), ["credential.issuing", "credential.unproved"]);
    scenario.tell(&["revoke", "own", "--give-up"]).success();
    assert!(
        !scenario
            .tell(&["status"])
            .success()
            .out()
            .contains("not proved dead")
    );
    assert!(!scenario.path("made").exists());
    scenario.verify();
}

/// A stand-in: no cloud was there.
#[test]
fn keys_of_sts_are_denied_everything_and_that_is_what_is_checked() {
    let credentials = "[credential.own]\nissuer = \"aws-sts\"\nwith = { role_arn = \"arn:aws:iam::1:role/r\", role_name = \"r\", policy = \
                       '{\"Version\":\"2012-10-17\",\"Statement\":[]}', probe = \"s3api head-bucket --bucket logs\" }\n";
    let scenario = with_stand_in("aws", credentials);
    let outcome = scenario
        .run("printenv AWS_SECRET_ACCESS_KEY; aws s3api head-bucket --bucket logs && echo works")
        .success();
    assert!(outcome.out().contains("works"), "{}", outcome.said());
    let secret = outcome.out().lines().next().unwrap_or_default().to_owned();
    assert_eq!(
        entries(&scenario),
        ["credential.issuing", "credential.issued", "credential.revoked"]
    );
    assert_nowhere(&scenario.home(), &secret);
    let state = fs::read_to_string(scenario.scratch().join("aws.json")).expect("state");
    assert!(state.contains("*:rescind-"), "{state}");
}

#[test]
fn an_issuer_of_ones_own_is_held_to_the_same() {
    let own = |check: &str| {
        format!(
            "[issuer.files]\nneeds = [\"place\"]\nsecret = {{ token = {{}} }}\nsettles = 1\n{check}\nenv = {{ TOKEN = \"{{token}}\" }}\n\
             [[issuer.files.issue]]\nrun = \"sh -c 'mkdir -p \\\"$1\\\"; echo secret-$RANDOM-$$-tok | tee \\\"$1/$2\\\"' - {{place}} {{name}}\"\n\
             [[issuer.files.revoke]]\nrun = \"rm -f {{place}}/{{name}}\"\n\
             [credential.own]\nissuer = \"files\"\nwith = {{ place = \"PLACE\" }}\n"
        )
    };
    for (check, end) in [
        ("unproved = \"nobody can ask\"", 7),
        (
            "check = [{ run = \"sh -c 'ls $1 2>&1' - {place}/{name}\", dead = \"No such file\", live = \"rescind: ended with 0\" }]",
            0,
        ),
        // One that is never wrong about a dead one, and never says that it lives, proves nothing.
        (
            "check = [{ run = \"echo gone\", dead = \"gone\", live = \"here\" }]",
            125,
        ),
        (
            "check = [{ run = \"echo {token}\", dead = \"gone\", live = \"here\" }]",
            125,
        ),
    ] {
        let mut scenario = Scenario::new();
        let place = scenario.scratch().join("tokens");
        configure(
            &mut scenario,
            &own(check).replace("PLACE", &place.display().to_string()),
        );
        scenario.options = ["--credential", "own"].map(str::to_owned).to_vec();
        let outcome = scenario
            .run("test -n \"$TOKEN\"; test $(ls $HOME/tokens | wc -l) = 1")
            .exits(end);
        assert_eq!(
            fs::read_dir(&place).map_or(0, |found| found.count()),
            0,
            "{check}: {}",
            outcome.said()
        );
        if end == 7 {
            assert!(outcome.err().contains("nobody can ask"), "{}", outcome.err());
        }
    }
}

/// Whoever dies, and whenever: in the end no credential is left, and all of them are on record as dead.
#[test]
fn killed_anywhere_and_again_while_it_is_made_good_no_credential_is_left() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let rounds = count("RESCIND_CREDENTIAL_KILLS", 6);
    for round in 0..rounds {
        let mut command = scenario.supervised(["sleep", "0.2"]);
        let mut front = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a run");
        std::thread::sleep(Duration::from_micros(random.below(900_000)));
        let tree = descendants(front.id() as i32);
        let all = random.below(3) == 0;
        for process in tree
            .iter()
            .filter(|process| all || process.name == "rescind-super")
        {
            kill(process.pid, libc::SIGKILL);
        }
        front.wait().expect("the front ends");
        for _ in 0..random.below(3) {
            let mut command = scenario.rescind(&["revoke"]);
            let mut revoke = command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("a command");
            std::thread::sleep(Duration::from_micros(random.below(400_000)));
            kill(revoke.id() as i32, libc::SIGKILL);
            revoke.wait().expect("it ends");
        }
        until("the last of them", SOON, || {
            scenario.tell(&["status"]).success();
            let kept = fs::read_dir(scenario.home().join("credentials"));
            kept.map_or(true, |mut kept| kept.next().is_none()).then_some(())
        });
        assert_eq!(roles(&server), "", "round {round}");
    }
    let entries = entries(&scenario);
    let of = |kind: &str| entries.iter().filter(|own| *own == kind).count();
    assert!(
        of("credential.revoked") >= of("credential.issuing"),
        "{entries:?}"
    );
    assert_eq!(of("credential.unproved"), 0, "{entries:?}");
    scenario.verify();
    proved(
        "judgement",
        format!("credentials: {rounds} sessions killed at random, none left"),
    );
}

#[test]
fn two_sessions_have_credentials_of_their_own() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let work = |name: &str| {
        format!(
            "touch {name}; until [ -e end-{name} ]; do sleep 0.05; done; psql -X -q -A -t -w -d \"$SERVER\" -c 'SELECT 1'"
        )
    };
    let start = |name: &str| {
        let mut command = scenario.supervised(["sh", "-c", &work(name)]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a run")
    };
    let (one, two) = (start("one"), start("two"));
    until("both agents", SOON, || {
        ["one", "two"]
            .iter()
            .all(|name| scenario.path(name).exists())
            .then_some(())
    });
    assert_eq!(roles(&server).split(',').count(), 2);
    fs::write(scenario.path("end-one"), "").expect("a file");
    assert_eq!(one.wait_with_output().expect("it ends").stdout, b"1\n");
    // The end of the one is not that of the other; nor is what any other command finds to revoke.
    scenario.tell(&["revoke"]).success();
    assert_eq!(roles(&server).split(',').count(), 1);
    fs::write(scenario.path("end-two"), "").expect("a file");
    assert_eq!(two.wait_with_output().expect("it ends").stdout, b"1\n");
    assert_eq!(roles(&server), "");
    scenario.verify();
}

#[test]
fn a_credential_lasts_as_long_as_anything_of_its_session_runs() {
    let Some(server) = Postgres::start() else { return };
    let scenario = with_database(&server);
    let script = "(until [ -e end ]; do sleep 0.05; done; psql -X -q -w -d \"$SERVER\" -c 'SELECT 1' > worked) >/dev/null 2>&1 & true";
    scenario.run(script).success();
    assert!(
        roles(&server).starts_with("rescind_"),
        "a process of the session goes on"
    );
    fs::write(scenario.path("end"), "").expect("a file");
    until("its end", SOON, || roles(&server).is_empty().then_some(()));
    assert!(scenario.read("worked").contains('1'));
    until("its record", SOON, || {
        (entries(&scenario).last().map(String::as_str) == Some("credential.revoked")).then_some(())
    });
}

/// The command that issues outlives everybody who asked for it.
#[test]
fn what_is_issued_after_everybody_is_dead_is_revoked_too() {
    let mut scenario = Scenario::new();
    let place = scenario.scratch().join("place");
    fs::create_dir(&place).expect("a folder");
    let issuer = "[issuer.late]\nneeds = [\"place\"]\nsecret = { token = {} }\nsettles = 1\n\
        [[issuer.late.issue]]\nrun = \"sh -c 'touch $1/asked; until [ -e $1/go ]; do sleep 0.05; done; touch $1/$2; echo tok-123456' - {place} {name}\"\n\
        [[issuer.late.revoke]]\nrun = \"rm -f {place}/{name}\"\n\
        [[issuer.late.check]]\nrun = \"ls {place}/{name}\"\ndead = \"No such file\"\nlive = \"rescind: ended with 0\"\n\
        [credential.own]\nissuer = \"late\"\nwith = { place = \"PLACE\" }\n";
    configure(
        &mut scenario,
        &issuer.replace("PLACE", &place.display().to_string()),
    );
    scenario.options = ["--credential", "own"].map(str::to_owned).to_vec();
    let mut command = scenario.supervised(["touch", "made"]);
    let mut front = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    until("the command that issues", SOON, || {
        place.join("asked").exists().then_some(())
    });
    let tree = descendants(front.id() as i32);
    for process in tree
        .iter()
        .filter(|process| process.name.starts_with("rescind") || process.name == "guardian")
    {
        kill(process.pid, libc::SIGKILL);
    }
    kill(front.id() as i32, libc::SIGKILL);
    front.wait().expect("the front ends");
    // It is not there yet, and nobody takes that for dead.
    let outcome = scenario.tell(&["revoke", "own"]).exits(7);
    assert!(
        outcome
            .said()
            .contains("the command that issues it may still run"),
        "{}",
        outcome.said()
    );
    fs::write(place.join("go"), "").expect("a file");
    let issued = || {
        fs::read_dir(&place)
            .expect("a folder")
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("rescind_"))
    };
    until("what is issued too late", SOON, || issued().then_some(()));
    until("its end", SOON, || {
        (scenario.tell(&["revoke", "own"]).code() == 0).then_some(())
    });
    assert!(!issued());
    assert_eq!(
        entries(&scenario).last().map(String::as_str),
        Some("credential.revoked")
    );
    assert!(!scenario.path("made").exists());
    scenario.verify();
}
