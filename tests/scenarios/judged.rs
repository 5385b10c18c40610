//! Incidents that happened where nothing here can capture: each is held or denied before anything happens.

use rescind_scenarios::{Outcome, Scenario, proved};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Programs that act on what is elsewhere. Here each only writes down that it was run.
const PROGRAMS: [&str; 16] = [
    "psql",
    "dropdb",
    "createdb",
    "prisma",
    "drizzle-kit",
    "terraform",
    "kubectl",
    "docker",
    "gh",
    "aws",
    "curl",
    "apt-get",
    "redis-cli",
    "mysql",
    "helm",
    "ssh",
];

/// Incident, and what its agent ran.
const INCIDENTS: [(&str, &str); 28] = [
    ("I-01 Replit: a schema push during a freeze", "npm run db:push"),
    (
        "I-01 the drop behind it",
        "psql \"$DATABASE_URL\" -c 'DROP TABLE executives; DROP TABLE companies'",
    ),
    (
        "I-02 drizzle-kit push --force",
        "npx --no-install drizzle-kit push --force",
    ),
    (
        "I-02 the same by its path",
        "./node_modules/.bin/drizzle-kit push --force",
    ),
    ("I-03 prisma db push that resets", "prisma db push --force-reset"),
    (
        "I-04 prisma db push --accept-data-loss",
        "prisma db push --accept-data-loss",
    ),
    (
        "I-04 prisma migrate reset",
        "sh -c 'prisma migrate reset --force'",
    ),
    (
        "I-06 DROP TABLE while merging",
        "echo 'INSERT INTO a SELECT * FROM b; DROP TABLE b;' | psql prod",
    ),
    ("I-07 dropdb to mend a connection", "dropdb prod && createdb prod"),
    (
        "I-08 DROP DATABASE before a rename",
        "psql -c 'drop database gis'",
    ),
    (
        "I-09 DELETE FROM every table",
        "for t in a b c; do psql prod -c \"DELETE FROM $t\"; done",
    ),
    (
        "I-11 clean slate by the API",
        "for a in 1 2 3; do curl -s -X DELETE http://prod.example/api/agents/$a; done",
    ),
    ("I-25 docker volume rm", "docker volume rm gitea-data"),
    ("I-26 compose down -v", "docker compose down -v"),
    ("I-27 apt purge of a database", "apt-get purge -y postgresql-16"),
    ("I-37 terraform destroy", "terraform destroy -auto-approve"),
    (
        "I-37 the same through a variable",
        "act=destroy; terraform $act -auto-approve",
    ),
    (
        "I-38 Railway volumeDelete",
        "curl -X POST https://backboard.example/graphql -d '{\"query\":\"mutation { volumeDelete(volumeId: \\\"3d2c\\\") }\"}'",
    ),
    (
        "I-39 delete and recreate an environment",
        "aws cloudformation delete-stack --stack-name prod",
    ),
    (
        "I-39 its database",
        "aws rds delete-db-instance --db-instance-identifier prod --skip-final-snapshot",
    ),
    ("I-40 kubectl delete ns", "kubectl delete ns drone"),
    (
        "I-40 by a script in base64",
        "echo a3ViZWN0bCBkZWxldGUgbnMgZHJvbmU= | base64 -d | sh",
    ),
    ("I-40 by eval", "c='kubectl delete'; eval \"$c ns drone\""),
    ("I-40 by xargs", "echo drone | xargs kubectl delete ns"),
    ("a bucket emptied", "aws s3 rm s3://prod-backups --recursive"),
    ("a repository deleted", "gh repo delete acme/prod --yes"),
    ("a cache flushed", "redis-cli -h prod FLUSHALL"),
    ("a host's files removed", "ssh prod 'rm -rf /var/www'"),
];

fn place() -> Scenario {
    let mut scenario = Scenario::new();
    let bin = scenario.scratch().join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let done = scenario.scratch().join("done");
    for name in PROGRAMS {
        let path = bin.join(name);
        fs::write(
            &path,
            format!("#!/bin/sh\necho {name} \"$@\" >> {}\n", done.display()),
        )
        .expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    let own = scenario.path("node_modules/.bin");
    fs::create_dir_all(&own).expect("a folder");
    fs::copy(bin.join("drizzle-kit"), own.join("drizzle-kit")).expect("a program");
    scenario.write(
        "package.json",
        "{\"name\": \"app\", \"version\": \"1.0.0\", \"scripts\": {\"db:push\": \"drizzle-kit push --force\"}}\n",
    );
    let path = std::env::var("PATH").unwrap_or_default();
    scenario
        .environment
        .push(("PATH".to_owned(), format!("{}:{path}", bin.display())));
    scenario
        .environment
        .push(("DATABASE_URL".to_owned(), "postgres://prod".to_owned()));
    scenario.options.extend(["--hold-for".to_owned(), "0".to_owned()]);
    scenario
}

#[test]
fn every_incident_that_cant_be_captured_is_held_before_anything_happens() {
    let has_npm = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("npm").is_file()));
    let (mut held, mut lost) = (0, Vec::new());
    for (name, script) in INCIDENTS {
        if script.starts_with("np") && !has_npm {
            proved("1 incidents", format!("{name}: NOT SHOWN, npm is not here"));
            continue;
        }
        let scenario = place();
        let outcome = Outcome::of(&mut scenario.supervised(["sh", "-c", &format!("{script}; true")]));
        let done = fs::read_to_string(scenario.scratch().join("done")).unwrap_or_default();
        if done.is_empty() && outcome.err().contains("nobody decided in time") {
            held += 1;
        } else {
            lost.push(format!("{name}: `{script}` did: {done}{}", outcome.err()));
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    proved("1 incidents", format!("{held} held before anything ran, 0 lost"));
}

/// I-10: no word of the command says what the program does; its connection to a database of production does.
#[test]
fn an_incident_within_a_program_is_held_at_its_connection() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    server.set_nonblocking(true).expect("a socket");
    let port = server.local_addr().expect("an address").port();
    let mut scenario = place();
    scenario
        .options
        .extend(["--environment".to_owned(), "production".to_owned()]);
    scenario.write(
        "apply.py",
        format!("import socket\nsocket.create_connection((\"127.0.0.1\", {port})).sendall(b\"DROP\")\n"),
    );
    let outcome = scenario.run("python3 apply.py; true").success();
    assert!(
        outcome.err().contains("nobody decided in time"),
        "{}",
        outcome.err()
    );
    assert!(server.accept().is_err(), "it was connected");
    proved(
        "1 incidents",
        "I-10: held at the connection to the database, nothing sent",
    );
}
