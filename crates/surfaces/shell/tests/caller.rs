//! Compensation by a real program whose state is a file: called once, only on the state that was left, and never believed.

#![allow(clippy::expect_used, reason = "a test")]

use rescind_model::{Digest, Effect, Fields, Outcome, ResourceId, Seq, SessionId, State, Surface, Value};
use rescind_shell::{Remedy, ShellCaller, Trusted};
use rescind_supervisor::journal::{FoundForm, WayForm};
use rescind_supervisor::{
    Around, Called, Caller as _, Opening, Position, Recorder, SystemRecord, SystemSession,
};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// What `tool` does: `get` shows the state, `set` changes it and notes down with which key, the rest are ways to go wrong.
const TOOL: &str = r#"#!/bin/sh
case "$1" in
get) read -r value < state || exit 1; echo "value=$value" ;;
set) echo "$RESCIND_IDEMPOTENCY_KEY" >> calls; echo "$2" > state ;;
nothing) echo "$RESCIND_IDEMPOTENCY_KEY" >> calls ;;
done-but-fails) echo "$RESCIND_IDEMPOTENCY_KEY" >> calls; echo "$2" > state; echo "lost the line" >&2; exit 7 ;;
proof) [ -e proven ] ;;
allowed) [ ! -e forbidden ] ;;
esac
"#;

const KEY: &str = "rescind-undo-x.1-1";

struct Place {
    folder: tempfile::TempDir,
    way: WayForm,
}

fn value(text: &str) -> State {
    State::Present(Fields::new().with("value", Value::Text(text.to_owned())))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[derive(Default)]
struct Forgets;

impl Recorder for Forgets {
    fn record(&mut self, _record: &SystemRecord) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    /// The session brought it from 3 to 5, and there it is.
    fn new(back: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tool = folder.path().join("tool");
        fs::write(&tool, TOOL).expect("a program");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("chmod");
        let found = FoundForm {
            regex: Some("value=(.*)".to_owned()),
            ..FoundForm::default()
        };
        let way = WayForm {
            s: 1,
            n: 1,
            programs: [("tool".to_owned(), tool.display().to_string())].into(),
            read: words("tool get"),
            values: [("value".to_owned(), found)].into(),
            back: words(back),
            ..WayForm::default()
        };
        let place = Self { folder, way };
        place.becomes("5");
        place
    }

    fn becomes(&self, value: &str) {
        fs::write(self.path("state"), format!("{value}\n")).expect("a state");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn now(&self) -> String {
        fs::read_to_string(self.path("state"))
            .expect("a state")
            .trim()
            .to_owned()
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn effect() -> Effect {
        let session: SessionId = "1m7z0000000a2".parse().expect("a session");
        Effect {
            action: session.action(1),
            seq: Seq(1),
            resource: ResourceId {
                surface: Surface::Shell,
                key: b"tool get".to_vec(),
            },
            name: "tool get".to_owned(),
            before: value("3"),
            after: value("5"),
            outcome: Outcome::Observed,
        }
    }

    fn remedy(&self) -> Remedy {
        Remedy {
            effect: Self::effect(),
            key: KEY.to_owned(),
            way: self.way.clone(),
            around: Ok(Around {
                cwd: self.folder.path().to_owned(),
                environment: vec![b"RESCIND_IDEMPOTENCY_KEY=of-the-agent".to_vec()],
            }),
            input: Ok(Vec::new()),
        }
    }

    fn caller(&self) -> ShellCaller {
        ShellCaller::new(Trusted::new("/usr/bin:/bin", None), vec![self.remedy()])
    }

    fn compensate(&self, expected: Option<&State>) -> Called {
        let opening = Opening {
            scope: "a test".to_owned(),
            plan: Digest::of(b""),
            resume: Position::default(),
            behind: Vec::new(),
        };
        let undo: SessionId = "1m7z0000000a3".parse().expect("a session");
        let mut session = SystemSession::open(undo, Forgets, opening).expect("a session");
        let (caller, effect) = (self.caller(), Self::effect());
        session
            .compensate(&effect, KEY, |permit| {
                caller.compensate(permit, &effect, KEY, expected)
            })
            .expect("it is recorded")
    }
}

fn failed(called: &Called, why: &str) {
    assert!(
        matches!(called, Called::Failed(said) if said.contains(why)),
        "{called:?}"
    );
}

#[test]
fn it_is_called_with_its_own_key_once_and_again_only_looked_at() {
    let place = Place::new("tool set 3");
    assert!(matches!(place.compensate(None), Called::Done(_)));
    assert!(matches!(place.compensate(None), Called::Done(_)));
    assert_eq!((place.now().as_str(), place.calls()), ("3", vec![KEY.to_owned()]));
}

#[test]
fn what_others_made_of_it_is_not_overwritten_unless_a_person_has_decided_on_that_very_state() {
    let place = Place::new("tool set 3");
    place.becomes("8");
    failed(&place.compensate(None), "others changed it");
    failed(&place.compensate(Some(&value("7"))), "others changed it");
    assert_eq!((place.now().as_str(), place.calls().len()), ("8", 0));
    assert!(matches!(place.compensate(Some(&value("8"))), Called::Done(_)));
    assert_eq!((place.now().as_str(), place.calls().len()), ("3", 1));
}

#[test]
fn the_state_counts_and_not_what_the_command_says_of_itself() {
    let place = Place::new("tool nothing");
    failed(
        &place.compensate(None),
        "ended with 0, and it reads value 5 instead of value 3",
    );
    assert_eq!(place.calls().len(), 1);
    let place = Place::new("tool done-but-fails 3");
    assert!(matches!(place.compensate(None), Called::Done(_)));
}

#[test]
fn what_is_back_stands_the_entrys_own_proof_and_is_not_called_again_for_it() {
    let mut place = Place::new("tool set 3");
    place.way.verify = words("tool proof");
    failed(&place.compensate(None), "`tool proof` ended with 1");
    failed(&place.caller().probe(KEY), "`tool proof` ended with 1");
    fs::write(place.path("proven"), "").expect("a file");
    assert_eq!(
        place.compensate(None),
        Called::Done("verified by `tool proof`".to_owned())
    );
    assert_eq!(place.calls().len(), 1);
}

#[test]
fn where_it_is_not_safe_now_it_is_not_called() {
    let mut place = Place::new("tool set 3");
    place.way.check = words("tool allowed");
    fs::write(place.path("forbidden"), "").expect("a file");
    failed(&place.compensate(None), "not safe now");
    assert_eq!((place.now().as_str(), place.calls().len()), ("5", 0));
}

#[test]
fn a_call_of_which_nothing_is_known_is_asked_for_by_looking() {
    let place = Place::new("tool set 3");
    let caller = place.caller();
    failed(&caller.probe(KEY), "not made");
    place.becomes("3");
    assert!(matches!(caller.probe(KEY), Called::Done(_)));
    place.becomes("9");
    assert_eq!(
        caller.probe(KEY),
        Called::InDoubt,
        "whose state this is nobody knows"
    );
    fs::remove_file(place.path("state")).expect("a state");
    assert_eq!(caller.probe(KEY), Called::InDoubt);
    assert!(
        caller
            .look(&Place::effect())
            .is_err_and(|why| why.contains("can't be read now"))
    );
    assert_eq!(caller.probe("another key"), Called::InDoubt);
    assert_eq!(place.calls().len(), 0);
}

#[test]
fn what_reads_can_not_write_and_what_takes_back_may() {
    let mut place = Place::new("tool set 3");
    place.way.read = words("tool set 9");
    assert!(place.caller().look(&Place::effect()).is_err());
    assert_eq!(place.now(), "5");
}

#[test]
fn what_can_not_be_called_says_so_with_the_words_for_a_person() {
    let place = Place::new("tool set 3");
    let effect = Place::effect();
    let obstacle = |remedy: Remedy| ShellCaller::new(Trusted::default(), vec![remedy]).obstacle(&effect);
    assert_eq!(obstacle(place.remedy()), None);
    let secret = Remedy {
        around: Err(vec!["TOKEN".to_owned()]),
        ..place.remedy()
    };
    let why = obstacle(secret).expect("an obstacle");
    assert!(
        why.contains("TOKEN") && why.ends_with("by hand: tool set 3"),
        "{why}"
    );
    fs::remove_file(place.path("tool")).expect("a program");
    let why = obstacle(place.remedy()).expect("an obstacle");
    assert!(why.contains("not there any more"), "{why}");
    let other = Effect {
        seq: Seq(2),
        ..Place::effect()
    };
    assert!(
        place.caller().obstacle(&other).is_some(),
        "its way back is not known"
    );
}
