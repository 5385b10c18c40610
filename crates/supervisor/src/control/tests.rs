//! The board among threads and processes.

use super::board::{Board, MOST_STOPS, boot_now};
use super::{Control, ControlError, Follow, Gate, How, KillScope, Member, Mode, Waited};
use crate::entry::EntryKind;
use crate::{Home, Store};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    (folder, home)
}

fn member(session: &str) -> Member {
    Member {
        session: session.to_owned(),
        agent: "coder".to_owned(),
        domain: "payments/prod".to_owned(),
    }
}

fn domain(name: &str) -> KillScope {
    KillScope::Domain(name.to_owned())
}

fn count(number: &AtomicU64) {
    number.fetch_add(1, Ordering::SeqCst);
}

/// A process that can stand for a guardian.
struct Guardian(Child);

impl Guardian {
    fn new() -> Self {
        Self(Command::new("sleep").arg("1000").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// A thread that follows the board for a gate, and has nothing to end.
fn follower(gate: &Arc<Gate>) -> std::thread::JoinHandle<()> {
    let gate = Arc::clone(gate);
    std::thread::spawn(move || {
        while !gate.is_over() {
            match gate.follow() {
                Follow::Nothing => {}
                Follow::Kill(epoch) | Follow::Pause(epoch) => gate.done(epoch),
                Follow::GoOn(epoch) => gate.went_on(epoch),
            }
            gate.sleep();
        }
    })
}

#[test]
fn a_killer_ends_the_tree_itself_and_a_gateway_that_had_no_turn_is_told_of_all_the_same() {
    let (_folder, home) = home();
    let mut guardian = Command::new("sh")
        .args(["-c", "sleep 1000 & wait"])
        .spawn()
        .unwrap();
    let pid = guardian.id().cast_signed();
    let below = || rescind_sys::descendants(pid);
    while below().is_empty() {
        std::thread::yield_now();
    }
    let gate = Gate::join(&home, member("s"), pid).unwrap();
    gate.note_action(7, true);
    let (control, scope) = (Control::open(&home).unwrap(), domain("payments"));
    let kill = std::thread::spawn(move || control.kill(&scope, Mode::Kill, "me", "", LONG).unwrap());
    // Nobody follows the board for this gate: it is the killer who ends what is below the guardian.
    assert!(guardian.wait().unwrap().success());
    gate.note_action(7, false);
    assert!(gate.is_killed());
    assert!(gate.reason().0.contains("me"), "{}", gate.reason().0);
    assert!(!gate.pass(|| unreachable!("it is shut")));
    gate.leave();
    let report = kill.join().unwrap();
    assert_eq!(report.sessions[0].how, How::Acknowledged);
    assert_eq!(report.sessions[0].in_flight[0].action, "s.7");
}

#[test]
fn nothing_passes_once_a_kill_has_returned() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    let started = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    for round in 0..20 {
        let gate = Arc::new(Gate::join(&home, member(&format!("s{round}")), guardian.pid()).unwrap());
        let follows = follower(&gate);
        let starts: Vec<_> = (0..2)
            .map(|_| {
                let (gate, started, stop) = (Arc::clone(&gate), Arc::clone(&started), Arc::clone(&stop));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::SeqCst) && !gate.is_killed() {
                        gate.pass(|| count(&started));
                    }
                    // It goes on trying for a while after.
                    for _ in 0..1_000 {
                        gate.pass(|| count(&started));
                    }
                })
            })
            .collect();
        let before = started.load(Ordering::SeqCst);
        while started.load(Ordering::SeqCst) < before + 10 {
            std::thread::yield_now();
        }
        let control = Control::open(&home).unwrap();
        let scope = KillScope::Session(format!("s{round}"));
        let report = control.kill(&scope, Mode::Kill, "me", "", LONG).unwrap();
        let after = started.load(Ordering::SeqCst);
        assert_eq!(report.sessions.len(), 1);
        assert_eq!(report.sessions[0].how, How::Acknowledged);
        for thread in starts {
            thread.join().unwrap();
        }
        assert_eq!(started.load(Ordering::SeqCst), after, "round {round}");
        assert_eq!(gate.wait(|_| {}), Waited::Killed);
        gate.leave();
        follows.join().unwrap();
        assert!(control.stops().is_empty(), "a session does not come twice");
    }
}

#[test]
fn of_a_gateway_and_a_kill_that_meet_one_sees_the_other() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    for round in 0..40 {
        let control = Control::open(&home).unwrap();
        let scope = domain("payments");
        let killer = {
            let (control, scope) = (control.clone(), scope.clone());
            std::thread::spawn(move || control.kill(&scope, Mode::Kill, "me", "", LONG).unwrap())
        };
        let gate = Arc::new(Gate::join(&home, member(&format!("s{round}")), guardian.pid()).unwrap());
        let follows = follower(&gate);
        let report = killer.join().unwrap();
        assert!(report.is_whole());
        assert!(!gate.pass(|| {}), "it started after the kill had returned");
        gate.leave();
        follows.join().unwrap();
        control.lift(&scope).unwrap();
    }
}

#[test]
fn a_pause_goes_on_and_what_waited_is_done_then() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    let gate = Arc::new(Gate::join(&home, member("s"), guardian.pid()).unwrap());
    let follows = follower(&gate);
    let control = Control::open(&home).unwrap();
    let report = control
        .kill(&domain("payments"), Mode::Pause, "ann", "a look", LONG)
        .unwrap();
    assert_eq!(report.sessions[0].how, How::Acknowledged);
    assert!(gate.is_paused() && !gate.is_open());
    let later = Arc::new(AtomicU64::new(0));
    let own = Arc::clone(&later);
    gate.pass_or_later(move || count(&own));
    assert_eq!(later.load(Ordering::SeqCst), 0);
    let (tell, told) = std::sync::mpsc::channel();
    let waits = {
        let gate = Arc::clone(&gate);
        std::thread::spawn(move || gate.wait(|why| tell.send(why.to_owned()).unwrap()))
    };
    // It waits before anything is lifted.
    let said = told.recv().unwrap();
    // A pause of everything is another one: lifting this leaves that in force.
    let _other = control
        .kill(&KillScope::Everything, Mode::Pause, "bob", "", LONG)
        .unwrap();
    assert!(matches!(
        control.lift(&domain("payments/prod")),
        Err(ControlError::NotStopped { .. })
    ));
    control.lift(&domain("payments")).unwrap();
    assert!(!gate.pass(|| {}));
    let (lifted, waiting) = control.lift(&KillScope::Everything).unwrap();
    assert_eq!((lifted.len(), waiting.len()), (1, 0));
    assert_eq!(waits.join().unwrap(), Waited::Open);
    assert!(said.contains("paused by"), "{said}");
    while later.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    assert!(gate.pass(|| {}));
    gate.leave();
    follows.join().unwrap();
}

#[test]
fn a_gateway_that_does_not_follow_ends_with_its_lease() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    // Nobody follows the board for it: its lease ends, and it starts nothing from then on.
    let gate = Gate::join(&home, member("s"), guardian.pid()).unwrap();
    assert_eq!(gate.follow(), Follow::Nothing);
    assert!(gate.pass(|| {}));
    let board = Board::open(&home).unwrap();
    let slot = board.slots().pop().unwrap();
    board.set_slot(slot.number, super::slots::LEASE, boot_now());
    assert!(!gate.pass(|| {}));
    // It looks again, and goes on.
    assert_eq!(gate.follow(), Follow::Nothing);
    assert!(gate.pass(|| {}));
}

#[test]
fn while_a_server_is_in_charge_its_word_counts_and_no_wall_clock() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    let gate = Gate::join(&home, member("s"), guardian.pid()).unwrap();
    let control = Control::open(&home).unwrap();
    let charge = control.take_charge(LONG).unwrap();
    gate.follow();
    assert!(gate.pass(|| {}) && control.charge().unwrap().left_ms > 0);
    assert!(matches!(control.release(), Err(ControlError::InCharge { .. })));
    // Its word has run out by the clock that runs since boot; the wall clock is in nobody's hands here.
    let board = Board::open(&home).unwrap();
    board.words().store(super::board::CHARGE_UNTIL, boot_now());
    assert!(
        !gate.pass(|| {}),
        "held at once, also before the board is followed"
    );
    gate.follow();
    assert_eq!(control.gateways()[0].order, super::Order::Held);
    assert!(control.release().unwrap());
    gate.follow();
    assert!(gate.pass(|| {}));
    drop(charge);
    assert!(control.charge().is_none());
}

#[test]
fn a_lost_board_holds_and_the_next_one_has_the_gateway_on_it() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    let gate = Gate::join(&home, member("s"), guardian.pid()).unwrap();
    gate.follow();
    assert!(gate.pass(|| {}));
    std::fs::remove_file(home.control().join("board")).unwrap();
    gate.follow();
    assert!(!gate.pass(|| {}));
    let control = Control::open(&home).unwrap();
    assert!(control.gateways().is_empty());
    gate.follow();
    assert!(gate.pass(|| {}));
    assert_eq!(control.gateways()[0].member.session, "s");
}

#[test]
fn a_full_table_has_room_for_a_kill_of_everything_and_one_that_is_dead_makes_room() {
    let (_folder, home) = home();
    let control = Control::open(&home).unwrap();
    for number in 0..MOST_STOPS - 1 {
        let scope = domain(&format!("d{number}"));
        control.kill(&scope, Mode::Kill, "me", "", LONG).unwrap();
    }
    let more = control.kill(&domain("more"), Mode::Kill, "me", "", LONG);
    assert!(matches!(more, Err(ControlError::Full)));
    // The same once more takes no room.
    control.kill(&domain("d5"), Mode::Kill, "me", "", LONG).unwrap();
    control
        .kill(&KillScope::Everything, Mode::Kill, "me", "", LONG)
        .unwrap();
    assert_eq!(control.stops().len(), MOST_STOPS);
    // One that is over and could not be recorded makes room, and that it was lost is counted.
    control.lift(&domain("d5")).unwrap();
    control.kill(&domain("more"), Mode::Kill, "me", "", LONG).unwrap();
    assert_eq!(Board::open(&home).unwrap().take_lost(), 1);
    // A writer that died in the middle left a place that is nobody's.
    let (_folder, home) = self::home();
    let board = Board::open(&home).unwrap();
    board.words().store(Board::stop(0), (4_000_000 << 8) | 1);
    assert!(board.stops().is_empty());
    let control = Control::open(&home).unwrap();
    control.kill(&domain("d"), Mode::Kill, "me", "", LONG).unwrap();
    assert_eq!(board.stops().len(), 1);
    assert_eq!(board.words().load(Board::stop(0)), 2);
}

#[test]
fn what_could_not_be_recorded_is_by_whoever_comes_next_and_once() {
    let (_folder, home) = home();
    let control = Control::open(&home).unwrap();
    let scope = domain("payments");
    let report = control.kill(&scope, Mode::Kill, "ann", "odd", LONG).unwrap();
    assert!(!control.stops()[0].recorded);
    let store = Store::open(home.clone()).unwrap();
    let called = |store: &Store| {
        let all = store.ledger().read(0..store.ledger().len().unwrap()).unwrap();
        let text = all
            .into_iter()
            .map(|bytes| serde_json::from_slice::<crate::entry::Entry>(&bytes).unwrap());
        text.filter(|entry| entry.kind == EntryKind::KillCalled).count()
    };
    assert_eq!(control.record_owed(&store).unwrap(), 1);
    assert_eq!(control.record_owed(&store).unwrap(), 0);
    control.record_called(&store, &report).unwrap();
    assert_eq!(called(&store), 1);
    assert!(control.stops()[0].recorded);
    control
        .record_answer(&store, &report, &serde_json::json!([]))
        .unwrap();
    control.record_lift(&store, &scope, "ann", "mended").unwrap();
    control.lift(&scope).unwrap();
    assert!(control.stops().is_empty());
}

#[test]
fn a_stop_survives_a_board_of_another_boot_and_gateways_do_not() {
    let (_folder, home) = home();
    let guardian = Guardian::new();
    let gate = Gate::join(&home, member("s"), guardian.pid()).unwrap();
    let control = Control::open(&home).unwrap();
    assert_eq!(control.gateways().len(), 1);
    let board = Board::open(&home).unwrap();
    let slot = board.slots().pop().unwrap();
    board.set_slot(slot.number, super::slots::BOOT, 1);
    control.kill(&domain("d"), Mode::Kill, "me", "", LONG).unwrap();
    assert!(control.gateways().is_empty());
    assert_eq!(control.stops().len(), 1);
    drop(gate);
}
