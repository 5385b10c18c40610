//! A gateway whose processes have their numbers elsewhere: in a container that shares the state directory.

use super::{SOON, json, word};
use rescind_scenarios::{Scenario, until};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn a_session_in_another_process_namespace_is_listed_and_has_stopped() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root makes a process namespace here");
        return;
    }
    let scenario = Scenario::new();
    let file = scenario.path("elsewhere");
    let mut run = scenario.rescind(&["run", "--quiet", "--domain", "elsewhere", "--", "sh", "-c"]);
    run.arg("while :; do echo x >> \"$0\"; /bin/true; done")
        .arg(&file);
    let mut inside = Command::new("unshare");
    inside
        .args(["--pid", "--fork", "--mount-proc", "--"])
        .arg(run.get_program())
        .args(run.get_args());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    if let Some(folder) = run.get_current_dir() {
        inside.current_dir(folder);
    }
    let quiet = inside
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut front = quiet.spawn().expect("unshare");
    let size = || fs::metadata(&file).map_or(0, |found| found.len());
    until("it to be at work", SOON, || (size() > 10).then_some(()));
    let report = json(
        &scenario
            .tell(&["kill", "--domain", "elsewhere", "--json"])
            .success(),
    );
    let written = size();
    let sessions = report["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 1, "{report}");
    assert_eq!(word(&sessions[0], "how"), "acknowledged");
    until("the front to end", SOON, || front.try_wait().expect("a child"));
    assert_eq!(size(), written, "written after the kill had returned");
    scenario.verify();
}
