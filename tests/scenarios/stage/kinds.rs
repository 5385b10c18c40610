//! Every kind of change is promoted as it was seen.

use super::{TORTURE, assert_as_seen, is_unprivileged, promotions, stage};
use rescind_scenarios::{Outcome, Place, Scenario, Who, proved};
use std::path::Path;

/// Kinds of change that the real tree does not get as they were on the stage, or that a stage does not allow.
const NOT_ON_A_STAGE: [&str; 1] = ["inode_flags"];

fn every_kind_is_promoted(place: Place, who: Who) {
    let scenario = Scenario::at(place, who);
    let torture = scenario.lend(Path::new(TORTURE));
    Outcome::of(scenario.command(&torture).args(["prepare", "."])).success();
    let torture = torture.to_str().expect("a path in text");
    let names = Outcome::of(scenario.command(torture).arg("list")).success().out();
    let names: Vec<&str> = names
        .lines()
        .filter(|name| !NOT_ON_A_STAGE.contains(name))
        .collect();
    let before = scenario.manifest();
    let script = format!(
        "{torture} wreck . {}; sleep 0.1; {torture} manifest .",
        names.join(" ")
    );
    let (seen, session) = stage(&scenario, &script);
    before.assert_same(&scenario.manifest(), "kinds of change on a stage");
    let failed: Vec<String> = seen
        .out()
        .lines()
        .filter(|line| line.starts_with("failed"))
        .map(str::to_owned)
        .collect();
    // Folders of the real tree are not renamed on a stage, and in a user namespace nobody else can be named in a list of
    // access: the kernel says so to the program.
    let is_known = |line: &&String| {
        line.contains("os error 18") || is_unprivileged(who) && line.contains("access_list: Invalid argument")
    };
    let unexpected: Vec<&String> = failed.iter().filter(|line| !is_known(line)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}\n{}", seen.err());
    scenario.tell(&["promote", &session]).success();
    assert_as_seen(&seen, &scenario, who, &format!("promoted ({place:?}, {who:?})"));
    let promotion = promotions(&scenario).pop().expect("a promotion");
    scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
    before.assert_same(&scenario.manifest(), "the undo of a promotion");
    scenario.verify();
    let made = seen.out().lines().filter(|line| line.starts_with("made")).count();
    assert!(made >= 45, "only {made} kinds of change were made");
    proved(
        "6 stage",
        format!("{made} kinds of change promoted as seen, and undone ({place:?}, {who:?}): identical"),
    );
}

#[test]
fn every_kind_of_change_is_promoted_as_it_was_seen_on_disk() {
    every_kind_is_promoted(Place::Disk, Who::Me);
}

#[test]
fn every_kind_of_change_is_promoted_as_it_was_seen_on_tmpfs() {
    every_kind_is_promoted(Place::Tmpfs, Who::Me);
}

#[test]
fn every_kind_of_change_of_an_unprivileged_user_is_promoted_as_it_was_seen() {
    if Scenario::is_root() {
        every_kind_is_promoted(Place::Disk, Who::Nobody);
    }
}
