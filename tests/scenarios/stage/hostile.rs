//! What a session may try: to promote itself, to get round its stage, to forge what is on it.

use super::{everybody, promotions, stage};
use rescind_scenarios::{Place, Scenario};
use std::path::Path;

#[test]
fn an_agent_can_neither_promote_nor_discard() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let (outcome, session) = stage(&scenario, "echo mine >> a");
    outcome.success();
    let rescind = scenario.rescind(&[]).get_program().to_owned();
    let rescind = rescind.to_str().expect("a path in text");
    for command in ["promote", "discard"] {
        for clean in ["", "env -u RESCIND_SESSION "] {
            let told = scenario.run_again(&format!("{clean}{rescind} {command} {session}"));
            assert_eq!(told.code(), 1, "{}", told.said());
            assert!(
                told.err().contains("inside-supervised-tree"),
                "{command}: {}",
                told.err()
            );
        }
    }
    assert_eq!(scenario.read("a"), "base\n");
    scenario.tell(&["discard", &session]).success();
    assert_eq!(scenario.read("a"), "base\n");
    let gone = scenario.tell(&["promote", &session]).exits(1);
    assert!(gone.err().contains("error[no-stage]"), "{}", gone.err());
    assert!(!scenario.home().join("stages").join(&session).exists());
    scenario.verify();
}

#[test]
fn what_is_on_no_overlay_can_not_be_changed_from_a_stage() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let before = scenario.manifest();
    let tree = scenario.tree();
    let tree = tree.display();
    let session_home = scenario.home();
    let ways = [
        format!(
            "echo x > {}/stages/$RESCIND_SESSION/stage.json; rm -rf {0}/stages",
            session_home.display()
        ),
        format!("echo through > /proc/{}/root{tree}/a", std::process::id()),
        format!(
            "unshare -m sh -c 'umount -l /tmp; echo unmounted > {tree}/a; umount -l $(df --output=target {tree} | tail -1); echo x > {tree}/a'"
        ),
        "echo x > /rescind-on-no-overlay".to_owned(),
    ];
    for way in &ways {
        let (outcome, session) = stage(&scenario, &format!("{way}; true"));
        outcome.success();
        before.assert_same(&scenario.manifest(), way);
        assert!(!Path::new("/rescind-on-no-overlay").exists(), "{way}");
        let _only_if_there_is_one = scenario.tell(&["discard", &session]);
    }
    scenario.verify();
}

#[test]
fn a_hostile_session_can_not_forge_what_is_on_its_stage() {
    for who in everybody() {
        let scenario = Scenario::at(Place::Disk, who);
        scenario.bare("mkdir d; echo x > d/x; echo y > y; echo z > z");
        let before = scenario.manifest();
        let python = "\
import os\n\
for name in (b'user.overlay.opaque', b'user.overlay.redirect', b'user.overlay.whiteout', b'trusted.overlay.opaque', b'user.overlay.overlay.opaque'):\n\
  for path in ('d', 'y'):\n\
    try: os.setxattr(path, name, b'y')\n\
    except OSError: pass\n\
try: os.mknod('whiteout', 0o020644, 0)\n\
except OSError: pass\n";
        let script = format!(
            "python3 -c \"{python}\"; echo t > .rescind-promote-1-1; echo w > .wh.z; echo $'a\\nb' > 'odd\nname'; mkdir .wh..wh..opq"
        );
        let (outcome, session) = stage(&scenario, &script);
        outcome.success();
        before.assert_same(&scenario.manifest(), "a session on a stage");
        scenario.tell(&["promote", &session]).success();
        assert_eq!(scenario.read("d/x"), "x\n", "nothing below was hidden");
        assert_eq!(scenario.read("z"), "z\n");
        assert_eq!(scenario.read(".wh.z"), "w\n");
        assert_eq!(scenario.read(".rescind-promote-1-1"), "t\n");
        assert!(!scenario.path("whiteout").exists());
        let promotion = promotions(&scenario).pop().expect("a promotion");
        scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
        before.assert_same(&scenario.manifest(), "the undo of a promotion");
    }
}

#[test]
fn a_session_that_goes_on_can_be_reviewed_and_not_promoted() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let (outcome, session) = stage(
        &scenario,
        "echo mine >> a; (while [ ! -e stop ]; do sleep 0.05; done) >/dev/null 2>&1 & exit 0",
    );
    outcome.success();
    let review = scenario.tell(&["review", &session]).success().out();
    assert!(review.contains("+mine"), "{review}");
    for command in ["promote", "discard"] {
        let busy = scenario.tell(&[command, &session]).exits(1);
        assert!(
            busy.err().contains("error[session-busy]"),
            "{command}: {}",
            busy.err()
        );
    }
    scenario.tell(&["kill", &session]).success();
    scenario.tell(&["promote", &session]).success();
    assert_eq!(scenario.read("a"), "base\nmine\n");
    scenario.verify();
}
