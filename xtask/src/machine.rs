//! What the tests need on this machine, and how it gets there.

use crate::Failure;
use crate::part::{self, command, have};
use std::path::{Path, PathBuf};

/// A program and the Debian package that has it.
const PROGRAMS: [(&str, &str); 19] = [
    ("psql", "postgresql-client"),
    ("bwrap", "bubblewrap"),
    ("rsync", "rsync"),
    ("sqlite3", "sqlite3"),
    ("vim", "vim"),
    ("unzip", "unzip"),
    ("zip", "zip"),
    ("tmux", "tmux"),
    ("strace", "strace"),
    ("setfattr", "attr"),
    ("setfacl", "acl"),
    ("git", "git"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("python3", "python3"),
    ("chromium", "chromium"),
    ("openssl", "openssl"),
    ("setpriv", "util-linux"),
    ("script", "bsdutils"),
];

/// The release of the real coding agent that is driven. Fixed, so that a red test is about us.
const AGENT: &str = "@anthropic-ai/claude-code@2.1.328";

/// The release of the OpenID Connect provider that people sign in at. Fixed, for the same reason.
const PROVIDER: &str = "oidc-provider@9.13.3";

/// What notifications are tried against: a mail server, and libraries that verify webhooks and read their events.
const RECEIVERS: [&str; 3] = ["aiosmtpd==1.4.6", "standardwebhooks==1.1.0", "cloudevents==2.2.0"];

/// What judges OCSF events: the schema that schema.ocsf.io exports, and a validator of JSON Schema.
const OCSF: [&str; 2] = ["ocsf-json-schema==1.2.0", "jsonschema==4.25.1"];

/// What reads the API's own document and asks for whatever it allows, and what it does not.
const FUZZER: &str = "schemathesis==4.32.5";

/// What drives the browser, and what judges whether everybody can use what it shows.
const BROWSER: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];

/// Install what is missing, where we may; else say it.
///
/// # Errors
/// The package manager fails.
pub fn prepare() -> Result<(), Failure> {
    let mut missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !have(program))
        .map(|(_, package)| *package)
        .collect();
    if have("python3") && !venv_works() {
        missing.push("python3-venv");
    }
    if !postgres_server() {
        missing.push("postgresql");
    }
    if missing.is_empty() {
        println!("== machine: everything is there");
        return Ok(());
    }
    let may = rustix::process::geteuid().is_root() && have("apt-get");
    if !may {
        println!("== machine: MISSING {}", missing.join(", "));
        println!(
            "== machine: the tests that need these will fail; as root on Debian they would be installed"
        );
        return Ok(());
    }
    part::run(
        "apt-get update",
        command("apt-get", &["update", "-qq"]).env("DEBIAN_FRONTEND", "noninteractive"),
    )?;
    let mut install = command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
    part::run(
        "apt-get install",
        install.args(&missing).env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// The server's programs are in no folder of the path.
fn postgres_server() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.extend(["/usr/bin", "/usr/local/bin", "/usr/local/pgsql/bin"].map(PathBuf::from));
    folders.iter().any(|folder| folder.join("initdb").exists())
}

fn venv_works() -> bool {
    command("python3", &["-c", "import venv, ensurepip"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A variable of the tests' environment, and what it names.
pub type Counterpart = (&'static str, PathBuf);

/// Other people's programs that the tests meet, each by the variable of the environment that says where it is. What can't
/// be had is left out, and said.
pub fn counterparts() -> Vec<Counterpart> {
    [
        ("RESCIND_CLAUDE", coding_agent()),
        ("RESCIND_SMTPD", receivers()),
        ("RESCIND_SCHEMATHESIS", fuzzer()),
        ("RESCIND_BROWSER", browser()),
        ("RESCIND_OIDC", provider()),
        (
            "RESCIND_OCSF_PYTHON",
            python_with("ocsf", &OCSF, "OCSF events are not held against their schema"),
        ),
        ("RESCIND_PROMTOOL", promtool()),
    ]
    .into_iter()
    .filter_map(|(name, place)| Some((name, place?)))
    .collect()
}

/// The real coding agent, installed from npm below the target directory; `None`, said loudly, where it can't be had.
fn coding_agent() -> Option<PathBuf> {
    let prefix = part::target().join("agents");
    let claude = prefix.join("node_modules/.bin/claude");
    if claude.exists() {
        return Some(readable_by_all(claude));
    }
    let mut install = command(
        "npm",
        &["install", "--no-audit", "--no-fund", "--silent", "--prefix"],
    );
    match part::run(
        "npm install of a real coding agent",
        install.arg(&prefix).arg(AGENT),
    ) {
        Ok(()) if claude.exists() => Some(readable_by_all(claude)),
        Ok(()) | Err(_) => {
            println!(
                "!!!! LEFT OUT: {AGENT} could not be installed from npm; its scenario proves nothing in this run"
            );
            None
        }
    }
}

/// The folder with the real OpenID Connect provider, installed from npm below the target directory; `None`, said loudly,
/// where it can't be had.
fn provider() -> Option<PathBuf> {
    let prefix = part::target().join("oidc");
    let package = prefix.join("node_modules/oidc-provider/package.json");
    if package.exists() {
        return Some(prefix);
    }
    let mut install = command(
        "npm",
        &["install", "--no-audit", "--no-fund", "--silent", "--prefix"],
    );
    match part::run(
        "npm install of a real OpenID Connect provider",
        install.arg(&prefix).arg(PROVIDER),
    ) {
        Ok(()) if package.exists() => Some(prefix),
        Ok(()) | Err(_) => {
            println!(
                "!!!! LEFT OUT: {PROVIDER} could not be installed from npm; the tests that sign in at it prove nothing \
                 in this run"
            );
            None
        }
    }
}

/// Some umasks leave what npm installs to its owner alone; the scenario runs as somebody else.
fn readable_by_all(program: PathBuf) -> PathBuf {
    let open = |path: &Path| command("chmod", &["-R", "a+rX"]).arg(path).status();
    if let Some(Err(error)) = program.ancestors().nth(3).map(open) {
        println!("== machine: chmod: {error}");
    }
    program
}

/// A folder with a Python that has [`RECEIVERS`], below the target directory; `None`, said loudly, where it can't be had.
fn receivers() -> Option<PathBuf> {
    let folder = part::target().join("smtpd");
    let done = folder.join("done");
    let packages = RECEIVERS.join(" ");
    if std::fs::read_to_string(&done).is_ok_and(|text| text == packages) {
        return Some(folder);
    }
    let make = || -> Result<(), Failure> {
        part::run(
            "python3 -m venv for receivers of notifications",
            command("python3", &["-m", "venv"]).arg(&folder),
        )?;
        let mut install = std::process::Command::new(folder.join("bin/pip"));
        install
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(RECEIVERS);
        part::run("pip install of receivers of notifications", &mut install)?;
        part::run("chmod", command("chmod", &["-R", "a+rX"]).arg(&folder))?;
        Ok(std::fs::write(&done, &packages)?)
    };
    match make() {
        Ok(()) => Some(folder),
        Err(failure) => {
            println!(
                "!!!! LEFT OUT: {failure}: mail and webhooks are not tried against {packages} in this run"
            );
            None
        }
    }
}

/// A Python with these packages, below the target directory; `None`, said loudly, where it can't be had.
fn python_with(name: &str, packages: &[&str], without: &str) -> Option<PathBuf> {
    let folder = part::target().join(name);
    let python = folder.join("bin/python");
    let (done, wanted) = (folder.join("done"), packages.join(" "));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == wanted) {
        return Some(python);
    }
    let make = || -> Result<(), Failure> {
        part::run(
            &format!("python3 -m venv {name}"),
            command("python3", &["-m", "venv"]).arg(&folder),
        )?;
        let mut install = std::process::Command::new(folder.join("bin/pip"));
        install
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(packages);
        part::run(&format!("pip install {wanted}"), &mut install)?;
        part::run("chmod", command("chmod", &["-R", "a+rX"]).arg(&folder))?;
        Ok(std::fs::write(&done, &wanted)?)
    };
    match make() {
        Ok(()) => Some(python),
        Err(failure) => {
            println!("!!!! LEFT OUT: {failure}: {without} in this run");
            None
        }
    }
}

/// Prometheus' own linter of metrics. Debian's package would start a server: only the program is taken out of it.
fn promtool() -> Option<PathBuf> {
    if have("promtool") {
        return Some(PathBuf::from("promtool"));
    }
    let folder = part::target().join("prometheus");
    let program = folder.join("usr/bin/promtool");
    if program.exists() {
        return Some(program);
    }
    let make = || -> Result<(), Failure> {
        std::fs::create_dir_all(&folder)?;
        let download = || {
            let mut download = command("apt-get", &["download", "-qq", "prometheus"]);
            part::run("apt-get download of promtool", download.current_dir(&folder))
        };
        if download().is_err() {
            // A machine that is new knows no packages yet.
            part::run("apt-get update", &mut command("apt-get", &["update", "-qq"]))?;
            download()?;
        }
        let package = std::fs::read_dir(&folder)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "deb"))
            .ok_or("no package came")?;
        let mut extract = command("dpkg", &["-x"]);
        part::run("dpkg -x", extract.arg(&package).arg(&folder))?;
        part::run("chmod", command("chmod", &["-R", "a+rX"]).arg(&folder))
    };
    match make() {
        Ok(()) if program.exists() => Some(program),
        made => {
            let why = made.err().map_or_else(
                || "it is not in the package".to_owned(),
                |error| error.to_string(),
            );
            println!("!!!! LEFT OUT: {why}: metrics are not held against promtool in this run");
            None
        }
    }
}

/// The program that fuzzes the API, below the target directory; `None`, said loudly, where it can't be had.
fn fuzzer() -> Option<PathBuf> {
    let folder = part::target().join("fuzzer");
    let (done, program) = (folder.join("done"), folder.join("bin/schemathesis"));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == FUZZER) {
        return Some(program);
    }
    let make = || -> Result<(), Failure> {
        part::run(
            "python3 -m venv for what fuzzes the API",
            command("python3", &["-m", "venv"]).arg(&folder),
        )?;
        let mut install = std::process::Command::new(folder.join("bin/pip"));
        install.args(["install", "--quiet", "--disable-pip-version-check", FUZZER]);
        part::run("pip install of what fuzzes the API", &mut install)?;
        part::run("chmod", command("chmod", &["-R", "a+rX"]).arg(&folder))?;
        Ok(std::fs::write(&done, FUZZER)?)
    };
    match make() {
        Ok(()) => Some(program),
        Err(failure) => {
            println!("!!!! LEFT OUT: {failure}: the API is not fuzzed by {FUZZER} in this run");
            None
        }
    }
}

/// A folder with `node_modules` that drive a browser, below the target directory; `None`, said loudly, where it can't
/// be had, or there is no browser.
pub fn browser() -> Option<PathBuf> {
    let folder = part::target().join("browser");
    let done = folder.join("done");
    let packages = BROWSER.join(" ");
    let left_out = |why: &str| println!("!!!! LEFT OUT: {why}: no page is tried in a browser in this run");
    if !have("chromium") {
        left_out("there is no chromium");
        return None;
    }
    if std::fs::read_to_string(&done).is_ok_and(|text| text == packages) {
        return Some(folder);
    }
    let make = || -> Result<(), Failure> {
        let mut install = command(
            "npm",
            &[
                "install",
                "--no-audit",
                "--no-fund",
                "--silent",
                "--ignore-scripts",
            ],
        );
        part::run(
            "npm install of what drives a browser",
            install.arg("--prefix").arg(&folder).args(BROWSER),
        )?;
        part::run("chmod", command("chmod", &["-R", "a+rX"]).arg(&folder))?;
        Ok(std::fs::write(&done, &packages)?)
    };
    match make() {
        Ok(()) => Some(folder),
        Err(failure) => {
            left_out(&failure.to_string());
            None
        }
    }
}
