//! `cargo xtask shots`: pictures of the console's pages, in both themes and both widths.

use crate::part::{self, cargo, command};
use crate::{Failure, machine, values};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The looks of every page.
const LOOKS: [(&str, u32); 4] = [("light", 1440), ("dark", 1440), ("light", 360), ("dark", 360)];

/// Pictures into a folder: of every page that the scenarios of the console and of signing in visit, or of the named pages of a server that
/// runs. What is wrong with a page is printed.
///
/// # Errors
/// There is no browser, a page can't be opened, or a scenario fails.
pub fn run(options: &[&str]) -> Result<(), Failure> {
    let Some((folder, options)) = options.split_first() else {
        return Err("say into which folder: cargo xtask shots DIR".into());
    };
    fs::create_dir_all(folder)?;
    let folder = fs::canonicalize(folder)?;
    machine::prepare()?;
    let browser = machine::browser().ok_or("there is no browser")?;
    match values(options, "--server").first() {
        Some(server) => of_server(&folder, &browser, server, options),
        None => of_scenarios(&folder, &browser),
    }
}

fn of_scenarios(folder: &Path, browser: &Path) -> Result<(), Failure> {
    let mut tests = cargo(&["nextest", "run", "--package", "rescind-scenarios"]);
    tests.args([
        "--config-file",
        "tests/nextest.toml",
        "--no-fail-fast",
        "console::",
        "signin::",
    ]);
    tests.env("RESCIND_SHOTS", folder).env("RESCIND_BROWSER", browser);
    part::run("the console's scenarios", &mut tests)
}

fn of_server(folder: &Path, browser: &Path, server: &str, options: &[&str]) -> Result<(), Failure> {
    let server = server.trim_end_matches('/');
    let mut commands = Vec::new();
    if let (Some(name), Some(password)) = (
        values(options, "--name").first(),
        values(options, "--password").first(),
    ) {
        commands.push(json!({"do": "open", "url": format!("{server}/signin")}));
        commands.push(json!({"do": "fill", "label": "Name", "value": name}));
        commands.push(json!({"do": "fill", "label": "Password", "value": password}));
        commands.push(json!({"do": "click", "role": "button", "name": "Sign in"}));
        commands.push(json!({"do": "wait", "text": "Sign out"}));
    }
    for page in values(options, "--page") {
        let name = match page.trim_matches('/') {
            "" => "now".to_owned(),
            other => other.replace(['/', '?', '&', '='], "-"),
        };
        for (theme, width) in LOOKS {
            let picture = folder.join(format!("{name}-{theme}-{width}.png"));
            commands.push(json!({"do": "look", "theme": theme, "width": width}));
            commands.push(json!({"do": "open", "url": format!("{server}{page}")}));
            commands.push(json!({"do": "judge", "page": page, "theme": theme, "width": width}));
            commands.push(json!({"do": "shot", "path": picture}));
        }
        commands.push(json!({"do": "faults", "page": page}));
    }
    drive(browser, &commands)
}

/// Obey the commands one after the other; print what is wrong.
fn drive(browser: &Path, commands: &[Value]) -> Result<(), Failure> {
    let mut file = tempfile::NamedTempFile::new()?;
    for command in commands {
        use std::io::Write as _;
        writeln!(file, "{command}")?;
    }
    let driver: PathBuf = part::repository().join("tests/browser/run.mjs");
    let mut node = command("node", &[]);
    node.arg(driver).arg(file.path()).env("RESCIND_BROWSER", browser);
    let output = node.stderr(Stdio::inherit()).output()?;
    let mut wrong = 0;
    for (line, command) in String::from_utf8_lossy(&output.stdout).lines().zip(commands) {
        let answer: Value = serde_json::from_str(line)?;
        if let Some(error) = answer.get("error") {
            println!("{command}: {error}");
            wrong += 1;
        }
        let faults = answer.get("ok").and_then(Value::as_array);
        for fault in faults.into_iter().flatten() {
            println!("{command}: {fault}");
            wrong += 1;
        }
    }
    match (output.status.success(), wrong) {
        (true, 0) => Ok(()),
        (_, wrong) => Err(format!("{wrong} things are wrong with these pages").into()),
    }
}
