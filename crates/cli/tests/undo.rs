//! Undo, proofs, verification and pruning over sessions that were written by hand.

#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod common;

use common::{Place, session_cut_short, session_cut_short_after_another_went_on, session_that_made};
use std::fs;
use std::time::{Duration, SystemTime};

#[test]
fn an_undo_shows_asks_applies_proves_and_can_be_taken_back() {
    let place = Place::new();
    let work = place.work();
    let id = session_that_made(&place.store(), &work, "made", "by an agent\n");
    let file = work.join("made");

    let plan = place.rescind(&["plan", "--json"]).ends(0).json();
    assert_eq!(plan[0]["steps"][0]["what"], "remove");
    assert_eq!(plan[0]["steps"][0]["path"], file.to_str().unwrap());
    let changes = place.rescind(&["diff", "--json"]).ends(0).json();
    assert_eq!(changes[0]["change"], "created");
    assert!(
        changes[0]["diff"].as_str().unwrap().contains("+by an agent\n"),
        "{changes:?}"
    );
    let why = place.rescind(&["why", "made", "--json"]).ends(0).json();
    assert_eq!(why[0]["action_id"], format!("{id}.2"));
    assert_eq!(why[0]["command"], "sh -c 'make it'");

    let refused = place.rescind(&["undo"]).ends(2);
    assert!(
        refused.err.starts_with("error[needs-yes]") && refused.out.contains("remove 1 path"),
        "{refused:?}"
    );
    place.rescind(&["undo", "--dry-run"]).ends(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "by an agent\n");

    let done = place.rescind(&["undo", "--yes", "--json"]).ends(0).json();
    assert_eq!(done[0]["receipt"]["proved"], true, "{done:?}");
    assert!(!file.exists());
    let undo = done[0]["undo"].as_str().unwrap();

    let again = place.rescind(&["undo", "--yes", id.as_str()]).ends(0);
    assert!(again.out.contains("nothing to do"), "{again:?}");
    let listed = place.rescind(&["sessions", "--json"]).ends(0).json();
    assert_eq!(listed.len(), 2, "undoing what is undone makes no session");
    assert_eq!(listed[1]["undone_by"][0], undo);

    place.rescind(&["undo", "--yes", undo]).ends(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "by an agent\n");
    place.rescind(&["verify"]).ends(0);
}

#[test]
fn what_somebody_else_wrote_is_a_conflict_and_is_not_touched() {
    let place = Place::new();
    let work = place.work();
    session_that_made(&place.store(), &work, "made", "by an agent\n");
    fs::write(work.join("made"), "by a person\n").unwrap();
    let plan = place.rescind(&["plan"]).ends(3);
    assert!(plan.out.contains("1 conflict"), "{plan:?}");
    let answer = place.rescind(&["undo", "--yes"]).ends(3);
    assert!(answer.err.starts_with("error[conflicts]"), "{answer:?}");
    assert_eq!(fs::read_to_string(work.join("made")).unwrap(), "by a person\n");
    place.rescind(&["undo", "--yes", "--on-conflict", "keep"]).ends(5);
    assert_eq!(fs::read_to_string(work.join("made")).unwrap(), "by a person\n");
    place
        .rescind(&["undo", "--yes", "--on-conflict", "restore"])
        .ends(0);
    assert!(!work.join("made").exists());
}

#[test]
fn a_scope_narrows_what_is_undone_and_its_mistakes_are_named() {
    let place = Place::new();
    let work = place.work();
    let id = session_that_made(&place.store(), &work, "made", "x");
    let plan = |words: &[&str]| {
        place
            .rescind(&[&["plan", "--json"], words].concat())
            .ends(0)
            .json()
    };
    assert_eq!(
        plan(&["--path", "other*"])[0]["steps"].as_array().unwrap().len(),
        0
    );
    assert_eq!(
        plan(&["--path", "other*", "--path", "ma*"])[0]["steps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(plan(&["--only", "1"])[0]["steps"].as_array().unwrap().len(), 0);
    assert_eq!(plan(&["--only", "2"])[0]["steps"].as_array().unwrap().len(), 1);
    assert_eq!(
        plan(&["--from", &format!("{id}.1")])[0]["steps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        place
            .rescind(&["plan", "--only", "77"])
            .ends(1)
            .err
            .starts_with("error[no-such-action]")
    );
    assert!(
        place
            .rescind(&["plan", "--path", "[x"])
            .ends(2)
            .err
            .starts_with("error[bad-argument]")
    );
}

#[test]
fn a_proof_is_checked_with_the_key_alone() {
    let place = Place::new();
    session_that_made(&place.store(), &place.work(), "made", "x");
    let key = place.rescind(&["ledger", "key"]).ends(0).out;
    place.rescind(&["ledger", "prove", "2", "--out", "proof"]).ends(0);
    let check = |key: &str| {
        let mut command = place.command(&["ledger", "check", "proof", "--key", key]);
        command
            .env_remove("RESCIND_HOME")
            .env_remove("HOME")
            .env_remove("XDG_STATE_HOME");
        common::Answer::of(command.output().unwrap())
    };
    assert!(check(key.trim()).ends(0).out.starts_with("proved: entry "));
    fs::write(place.work().join("key"), &key).unwrap();
    check("key").ends(0);
    let proof = fs::read_to_string(place.work().join("proof")).unwrap();
    let line = proof.lines().nth(1).unwrap();
    fs::write(
        place.work().join("proof"),
        proof.replace(line, &line.replacen('e', "f", 1)),
    )
    .unwrap();
    assert!(check(key.trim()).ends(4).err.starts_with("error[proof-invalid]"));
    assert!(check("no key").ends(4).err.starts_with("error[proof-invalid]"));
}

#[test]
fn verify_finds_what_was_bent_and_against_a_saved_checkpoint_what_was_rolled_back() {
    let place = Place::new();
    let id = session_that_made(&place.store(), &place.work(), "made", "x");
    let saved = place.rescind(&["ledger", "checkpoint"]).ends(0).out;
    let checkpoint = place.work().join("checkpoint");
    fs::write(&checkpoint, saved).unwrap();
    place.rescind(&["verify", "--since", "checkpoint"]).ends(0);

    let journal = place
        .home()
        .join("vault/sessions")
        .join(id.as_str())
        .join("journal");
    let sound = fs::read(&journal).unwrap();
    let mut bent = sound.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    fs::write(&journal, &bent).unwrap();
    let answer = place.rescind(&["verify", "--json"]).ends(4).json();
    let faults = answer[0]["faults"].as_array().unwrap();
    assert!(
        faults
            .iter()
            .any(|fault| fault["session_id"] == id.to_string() && fault["file"] == "journal")
    );
    fs::write(&journal, &sound).unwrap();
    place.rescind(&["verify"]).ends(0);

    fs::remove_dir_all(place.home()).unwrap();
    session_that_made(&place.store(), &place.work(), "other", "x");
    place.rescind(&["verify"]).ends(0);
    place.rescind(&["verify", "--since", "checkpoint"]).ends(4);
}

#[test]
fn what_is_pruned_is_announced_gone_and_no_fault() {
    let place = Place::new();
    let id = session_that_made(&place.store(), &place.work(), "made", "x");
    let dry = place
        .rescind(&["prune", "--older-than", "0s", "--dry-run", "--json"])
        .ends(0)
        .json();
    assert_eq!(dry[0]["session_id"], id.to_string());
    assert!(
        place
            .rescind(&["prune", "--older-than", "0s"])
            .ends(2)
            .err
            .starts_with("error[needs-yes]")
    );
    place.rescind(&["log"]).ends(0);
    place.rescind(&["prune", "--older-than", "0s", "--yes"]).ends(0);
    place.rescind(&["verify"]).ends(0);
    assert!(
        place
            .rescind(&["log", id.as_str()])
            .ends(1)
            .err
            .starts_with("error[session-erased]")
    );
    assert_eq!(
        place.rescind(&["sessions", "--json"]).ends(0).json()[0]["state"],
        "erased"
    );
    let entries = place.rescind(&["ledger", "entries", "--json"]).ends(0).json();
    assert!(
        entries
            .iter()
            .any(|entry| entry["entry"]["kind"] == "vault.erased")
    );
    assert!(
        place.work().join("made").exists(),
        "pruning touches no file of the user"
    );
}

#[test]
fn mirrors_and_exports_hold_the_whole_ledger() {
    let place = Place::new();
    session_that_made(&place.store(), &place.work(), "made", "x");
    let mirror = place.work().join("mirror");
    let mirror = mirror.to_str().unwrap();
    place.rescind(&["ledger", "mirror", mirror]).ends(0);
    assert_eq!(
        place.rescind(&["ledger", "mirror", "--list"]).ends(0).out,
        format!("{mirror}\n")
    );
    assert!(place.work().join("mirror/checkpoint").is_file());
    let status = place.rescind(&["status", "--json"]).ends(0).json();
    assert_eq!(status[0]["mirrors"][0]["trouble"], serde_json::Value::Null);
    place.rescind(&["verify"]).ends(0);
    place.rescind(&["ledger", "mirror", mirror, "--remove"]).ends(0);
    assert_eq!(place.rescind(&["ledger", "mirror", "--list"]).ends(0).out, "");
    let export = place
        .rescind(&["ledger", "export", "out", "--json"])
        .ends(0)
        .json();
    let entries = place.rescind(&["ledger", "entries", "--json"]).ends(0).json();
    assert_eq!(export[0]["entries"], entries.len());
}

#[test]
fn what_was_in_flight_when_the_supervisor_died_is_the_sessions_only_if_nobody_can_have_written_since() {
    let place = Place::new();
    session_cut_short(&place.store(), &place.work(), "made", "by an agent\n");
    place.rescind(&["undo", "--yes"]).ends(0);
    assert!(!place.work().join("made").exists());

    let place = Place::new();
    let id = session_cut_short(&place.store(), &place.work(), "made", "by whom?\n");
    died_an_hour_ago(&place, id.as_str());
    place.rescind(&["undo", "--yes"]).ends(3);
    assert_eq!(
        fs::read_to_string(place.work().join("made")).unwrap(),
        "by whom?\n"
    );
}

#[test]
fn what_a_program_did_after_another_went_on_is_the_sessions_when_the_supervisor_died() {
    let place = Place::new();
    session_cut_short_after_another_went_on(&place.store(), &place.work(), "made");
    place.rescind(&["undo", "--yes"]).ends(0);
    assert!(!place.work().join("made").exists());

    let place = Place::new();
    let id = session_cut_short_after_another_went_on(&place.store(), &place.work(), "made");
    died_an_hour_ago(&place, id.as_str());
    place.rescind(&["undo", "--yes"]).ends(3);
    assert_eq!(
        fs::read_to_string(place.work().join("made")).unwrap(),
        "one and two\n"
    );
}

fn died_an_hour_ago(place: &Place, session: &str) {
    let journal = place.home().join("vault/sessions").join(session).join("journal");
    let died = SystemTime::now() - Duration::from_secs(3_600);
    let journal = fs::File::options().append(true).open(journal).unwrap();
    journal.set_modified(died).unwrap();
}
