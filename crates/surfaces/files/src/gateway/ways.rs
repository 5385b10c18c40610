//! What a command is about to change elsewhere is read before it runs, and again when it is over.
//!
//! The program is stopped as for a hold, and threads of their own run what reads: nothing of it holds up anybody else.
//! What was read is on record before the program goes on; what could not be read has it judged again.

mod again;
mod record;

use super::Gateway;
use super::hold::{Bound, tell};
use super::tree::{Node, stack_start};
use rescind_model::{State, Verdict};
use rescind_supervisor::journal::{NodeStarted, WayForm};
use rescind_supervisor::{Around, Judged, Looks, Seen};
use rescind_sys::{kill_process, pidfd_open, pidfd_signal};
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of the readings of one action, in the order of its ways.
type Readings = Vec<Result<Seen, String>>;

/// Programs that wait until it is read what they are about to change.
#[derive(Debug, Default)]
pub(super) struct Looking {
    waiting: HashMap<Node, Waits>,
    /// What people let go is read once more before it runs.
    approved: HashMap<Node, Option<bool>>,
    /// Readings that have ended, and whether they were the first ones.
    ended: Arc<Mutex<Vec<(Node, Readings, bool)>>>,
    taken: u64,
}

/// A program that waits.
#[derive(Debug)]
struct Waits {
    started: NodeStarted,
    process: i32,
    pidfd: OwnedFd,
    judged: Judged,
    bound: Bound,
    around: Around,
    /// The files of the programs of each way, as far as they can be trusted.
    programs: Vec<Result<BTreeMap<String, String>, String>>,
    /// How often it was asked whether it has started.
    looked_at: u32,
    /// What it is about, as undos announce it.
    keys: Vec<String>,
    /// Whether an undo came between: what was read counts for nothing then.
    late: bool,
}

/// An exec that has not happened after so many sweeps has failed: two seconds.
const MOST_SWEEPS: u32 = 80;

/// What was read before a command ran.
#[derive(Debug, Clone)]
pub struct Read {
    way: WayForm,
    name: String,
    key: String,
    before: State,
    around: Around,
}

/// What is done with what was read.
enum Turn {
    /// It decides.
    Go(Readings),
    /// It waits for an undo.
    Waits(Readings),
    /// It is read again.
    Again,
}

/// The ways of an action with the programs they need, or why these can't be had.
fn ways(
    judged: &Judged,
    programs: &[Result<BTreeMap<String, String>, String>],
) -> Vec<Result<WayForm, String>> {
    let ways = judged.ways.iter().zip(programs).map(|(way, programs)| {
        let programs = programs.clone()?;
        Ok(WayForm {
            programs,
            ..way.clone()
        })
    });
    ways.collect()
}

impl Looking {
    /// Whether this process is stopped until something is read.
    pub(super) fn stops(&self, process: i32) -> bool {
        self.waiting.values().any(|waits| waits.process == process)
    }

    pub(super) fn stops_any(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// What was approved is shown anew: the next approval has it read once more.
    pub(super) fn shown_anew(&mut self, node: Node) {
        self.approved.remove(&node);
    }

    /// How many states were read that commands were about to change.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    fn ended(&self) -> MutexGuard<'_, Vec<(Node, Readings, bool)>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read these in a thread of their own.
    fn read(
        &self,
        node: Node,
        looks: &Arc<dyn Looks>,
        ways: Vec<Result<WayForm, String>>,
        around: Around,
        first: bool,
    ) -> std::io::Result<()> {
        let (ended, looks) = (Arc::clone(&self.ended), Arc::clone(looks));
        let thread = std::thread::Builder::new().name("look".to_owned());
        thread.spawn(move || {
            let read = |way: Result<WayForm, String>| way.and_then(|way| looks.look(&way, &around));
            let readings: Readings = ways.into_iter().map(read).collect();
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.push((node, readings, first));
        })?;
        Ok(())
    }
}

impl Gateway {
    /// Whether something is to be read before this runs.
    pub(super) fn is_to_be_read(&self, judged: &Judged) -> bool {
        !judged.ways.is_empty() && !matches!(judged.verdict, Verdict::Deny(_)) && self.options.looks.is_some()
    }

    /// Stop a program that is about to start until it is read what it is about to change.
    ///
    /// # Errors
    /// It can't be stopped, or nothing can be read: it must not run.
    pub(super) fn look_first(
        &mut self,
        started: &NodeStarted,
        process: i32,
        judged: Judged,
        bound: Bound,
        environment: &[Vec<u8>],
    ) -> std::io::Result<()> {
        let Some(looks) = self.options.looks.clone() else {
            return Err(std::io::ErrorKind::Unsupported.into());
        };
        let around = Around {
            cwd: PathBuf::from(&started.cwd),
            environment: environment.to_vec(),
        };
        let own = bound.path().to_owned();
        let programs: Vec<Result<BTreeMap<String, String>, String>> = judged
            .ways
            .iter()
            .map(|way| self.programs(&*looks, way, &own))
            .collect();
        let ways = ways(&judged, &programs);
        let known = ways.iter().filter_map(|way| way.as_ref().ok());
        let keys = known.map(|way| record::key(way, &around)).collect();
        let pidfd = pidfd_open(process)?;
        kill_process(process, libc::SIGSTOP)?;
        self.waiting
            .looking
            .read(started.n, &looks, ways, around.clone(), true)?;
        let waits = Waits {
            started: started.clone(),
            process,
            pidfd,
            judged,
            bound,
            around,
            programs,
            looked_at: 0,
            keys,
            late: false,
        };
        self.waiting.looking.waiting.insert(started.n, waits);
        Ok(())
    }

    /// The programs of a way: none that was written since the session began.
    fn programs(
        &self,
        looks: &dyn Looks,
        way: &WayForm,
        own: &Path,
    ) -> Result<BTreeMap<String, String>, String> {
        let programs = looks.programs(way, own)?;
        for file in programs.values() {
            let found = std::fs::metadata(file).map_err(|error| format!("`{file}`: {error}"))?;
            let changed = found
                .ctime()
                .saturating_mul(1_000_000_000)
                .saturating_add(found.ctime_nsec());
            if changed >= self.began {
                return Err(format!("`{file}` was changed since the session began"));
            }
        }
        Ok(programs)
    }

    /// Go on with programs for which all is read.
    pub(super) fn take_readings(&mut self) {
        let ended = std::mem::take(&mut *self.waiting.looking.ended());
        for (node, readings, first) in ended {
            if first {
                if self.is_still_starting(node) {
                    self.waiting.looking.ended().push((node, readings, first));
                    continue;
                }
                match self.turn(node, readings) {
                    Turn::Go(readings) => {
                        if let Some(waits) = self.waiting.looking.waiting.remove(&node) {
                            self.was_read(waits, readings);
                        }
                    }
                    Turn::Waits(readings) => self.waiting.looking.ended().push((node, readings, first)),
                    Turn::Again => {}
                }
            } else if let Some(place) = self.waiting.looking.approved.get_mut(&node) {
                let reads = self.nodes.get(&node).map_or(&[][..], |info| info.ways.as_slice());
                let unmoved = reads.len() == readings.len()
                    && reads
                        .iter()
                        .zip(&readings)
                        .all(|(read, seen)| seen.as_ref().is_ok_and(|seen| seen.state.same(&read.before)));
                *place = Some(unmoved);
            }
        }
    }

    /// Where an undo is about to change what a program is about to change, the program waits until it is over (law 8), and what
    /// it changes is read then.
    fn turn(&mut self, node: Node, readings: Readings) -> Turn {
        let Some(waits) = self.waiting.looking.waiting.get_mut(&node) else {
            return Turn::Go(readings);
        };
        if self.undoing.any() && waits.keys.iter().any(|key| self.undoing.takes(key)) {
            waits.late = true;
            return Turn::Waits(readings);
        }
        if !std::mem::take(&mut waits.late) {
            return Turn::Go(readings);
        }
        let (ways, around) = (ways(&waits.judged, &waits.programs), waits.around.clone());
        let looks = self.options.looks.clone();
        match looks.map(|looks| self.waiting.looking.read(node, &looks, ways, around, true)) {
            Some(Ok(())) => Turn::Again,
            _ => Turn::Go(Vec::new()),
        }
    }

    /// Whether the exec of a program that is stopped was let go on and has not happened yet. One that fails leaves another
    /// program stopped in its place: it is not waited for long.
    fn is_still_starting(&mut self, node: Node) -> bool {
        let Some(waits) = self.waiting.looking.waiting.get_mut(&node) else {
            return false;
        };
        waits.looked_at += 1;
        let pending = self
            .tree
            .get(waits.process)
            .and_then(|entry| entry.pending.as_ref());
        let starting = pending.is_some_and(|pending| pending.stack == stack_start(waits.process));
        starting && waits.looked_at < MOST_SWEEPS
    }

    /// What a program is about to change was read, or not: that decides.
    fn was_read(&mut self, waits: Waits, readings: Readings) {
        let node = waits.started.n;
        let mut said: Vec<Result<String, String>> =
            readings.iter().map(|reading| self.complete(reading)).collect();
        let mut judged = self.desk.as_mut().and_then(|desk| desk.captured(node, &said));
        if let Some(filled) = &judged
            && self.find_secrets(&waits, &filled.ways, &mut said)
        {
            judged = self.desk.as_mut().and_then(|desk| desk.captured(node, &said));
        }
        let Some(mut judged) = judged.map(|judged| self.redacted(judged)) else {
            return self.refuse(&waits, &waits.judged, "nobody judges it any more".to_owned());
        };
        let ways = std::mem::take(&mut judged.ways);
        if ways.len() == waits.judged.ways.len() {
            // All that was expected is read: the first word stands, a person's for the session included.
            let compensation = judged.form.compensation.take();
            judged.verdict.clone_from(&waits.judged.verdict);
            judged.form.clone_from(&waits.judged.form);
            judged.form.compensation = compensation;
        }
        let recorded = self.record_ways(&waits, ways, &readings, &said, &judged);
        if recorded.is_err() {
            return self.refuse(
                &waits,
                &judged,
                "what it is about to change can't be recorded".to_owned(),
            );
        }
        match judged.verdict.clone() {
            Verdict::Allow if waits.bound.is_still_so(waits.process) => {
                self.settle_judged(&judged, true);
                if let Some(info) = self.nodes.get_mut(&node) {
                    info.cleared = info.cleared.max(judged.clears());
                }
                self.gate.pass_or_later(move || {
                    let _gone = pidfd_signal(waits.pidfd.as_fd(), libc::SIGCONT);
                });
            }
            Verdict::Allow => {
                let why = "the program or its arguments were exchanged while it was read what they are about to change";
                self.refuse(&waits, &judged, why.to_owned());
            }
            Verdict::Hold(_) => {
                let Waits {
                    started,
                    process,
                    bound,
                    ..
                } = &waits;
                if self
                    .hold(started, *process, judged.clone(), bound.clone())
                    .is_err()
                {
                    self.refuse(&waits, &judged, "it can't be held".to_owned());
                }
            }
            Verdict::Deny(reasons) => self.refuse(&waits, &judged, reasons.join("; ")),
        }
    }

    fn refuse(&mut self, waits: &Waits, judged: &Judged, why: String) {
        tell(
            waits.process,
            &format!("denied ({}): {why}", self.log.id().action(waits.started.n)),
        );
        self.did_not_run(waits.started.n, judged, why);
        let _gone = pidfd_signal(waits.pidfd.as_fd(), libc::SIGKILL);
    }

    /// A program ended before all was read.
    pub(super) fn stop_looking(&mut self, node: Node) {
        self.waiting.looking.approved.remove(&node);
        if let Some(waits) = self.waiting.looking.waiting.remove(&node) {
            self.did_not_run(
                node,
                &waits.judged,
                "it was ended while it was read what it is about to change".to_owned(),
            );
        }
    }
}
