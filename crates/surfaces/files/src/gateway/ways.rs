//! What a command is about to change elsewhere is read before it runs, and again when it is over.
//!
//! The program is stopped as for a hold, and threads of their own run what reads: nothing of it holds up anybody else.
//! What was read is on record before the program goes on; what could not be read has it judged again.

use super::Gateway;
use super::hold::{Bound, tell};
use super::tree::{Node, stack_start};
use rescind_model::{Digest, State, Verdict};
use rescind_supervisor::holds::Closed;
use rescind_supervisor::journal::{
    AfterForm, BeforeForm, ExitForm, InputForm, KeptForm, NodeStarted, OutcomeForm, Record, RejudgedForm,
    StateForm, WayForm,
};
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
}

/// An exec that has not happened after so many sweeps has failed: two seconds.
const MOST_SWEEPS: u32 = 80;

/// What was read before a command ran.
#[derive(Debug, Clone)]
pub struct Read {
    way: WayForm,
    name: String,
    before: State,
    around: Around,
}

/// What is to be read when a command is over.
pub(super) struct Again {
    node: Node,
    looks: Arc<dyn Looks>,
    reads: Vec<Read>,
}

impl Looking {
    /// Whether this process is stopped until something is read.
    pub(super) fn stops(&self, process: i32) -> bool {
        self.waiting.values().any(|waits| waits.process == process)
    }

    pub(super) fn stops_any(&self) -> bool {
        !self.waiting.is_empty()
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

impl Again {
    /// Read the states, one after the other.
    pub(super) fn read(&self) -> Readings {
        let look = |read: &Read| self.looks.look(&read.way, &read.around);
        self.reads.iter().map(look).collect()
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
        let ways = judged.ways.iter().zip(&programs).map(|(way, programs)| {
            let programs = programs.clone()?;
            Ok(WayForm {
                programs,
                ..way.clone()
            })
        });
        let ways = ways.collect();
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
                } else if let Some(waits) = self.waiting.looking.waiting.remove(&node) {
                    self.was_read(waits, readings);
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
        let said = readings
            .iter()
            .map(|reading| self.complete(reading))
            .collect::<Vec<_>>();
        let judged = self.desk.as_mut().and_then(|desk| desk.captured(node, &said));
        let judged = match judged {
            Some(judged) => judged,
            None => waits.judged.clone(),
        };
        let mut judged = self.redacted(judged);
        let ways = std::mem::take(&mut judged.ways);
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
                let _gone = pidfd_signal(waits.pidfd.as_fd(), libc::SIGCONT);
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

    /// What a reading said, if it can be used: whole, and without a secret that the record must not have.
    fn complete(&self, reading: &Result<Seen, String>) -> Result<String, String> {
        let seen = reading.as_ref().map_err(Clone::clone)?;
        if let Some(why) = &seen.lacks {
            return Err(why.clone());
        }
        let texts = seen
            .state
            .fields()
            .into_iter()
            .flat_map(rescind_model::Fields::iter);
        for (name, value) in texts {
            if let rescind_model::Value::Text(text) = value
                && self.rules.redact(text).text != text.as_str()
            {
                return Err(format!("its {name} holds a secret, which no record may have"));
            }
        }
        String::from_utf8(seen.output.clone()).map_err(|_| "what it said is no text".to_owned())
    }

    /// Put what was read on record, each with its way back, and what the judgement came to by it.
    fn record_ways(
        &mut self,
        waits: &Waits,
        ways: Vec<WayForm>,
        readings: &Readings,
        said: &[Result<String, String>],
        judged: &Judged,
    ) -> std::io::Result<()> {
        let node = waits.started.n;
        // Those that lead nowhere were left out: the others stand in the order of the readings that can be used.
        let used = readings
            .iter()
            .zip(said)
            .zip(&waits.programs)
            .zip(&waits.judged.ways);
        let mut used = used.filter_map(|(((reading, said), programs), open)| {
            let usable = said.is_ok();
            usable.then_some((reading.as_ref().ok()?, programs.as_ref().ok()?, open))
        });
        let mut reads = Vec::new();
        for way in ways {
            let own = used.by_ref().find(|(_, _, open)| open.read == way.read);
            let Some((seen, programs, _)) = own else { continue };
            let form = WayForm {
                n: node,
                programs: programs.clone(),
                ..way
            };
            match self.without_secrets(&form) {
                Ok(()) => reads.push(self.record_way(form, seen, waits)?),
                Err(why) => self.miss(node, form.read.join(" "), why),
            }
        }
        self.waiting.looking.taken += reads.len() as u64;
        if let Some(info) = self.nodes.get_mut(&node) {
            info.ways_taken = reads.len() as u64;
            info.ways = reads;
        }
        if Some(&judged.form) != waits.started.judged.as_deref() {
            let again = RejudgedForm {
                n: node,
                judged: judged.form.clone(),
            };
            self.write(Record::Rejudged(Box::new(again)))?;
        }
        self.flush()
    }

    fn without_secrets(&self, way: &WayForm) -> Result<(), String> {
        let text = match &way.input {
            Some(InputForm::Text(text)) => Some(text),
            _ => None,
        };
        let commands = [&way.read, &way.back, &way.verify, &way.check];
        let kept = commands.iter().all(|argv| self.rules.redact_argv(argv) == **argv);
        let kept = kept && text.is_none_or(|text| self.rules.redact(text).text == text.as_str());
        if kept {
            Ok(())
        } else {
            Err("what would take it back holds a secret, which no record may have".to_owned())
        }
    }

    fn record_way(&mut self, mut way: WayForm, seen: &Seen, waits: &Waits) -> std::io::Result<Read> {
        let (digest, kept) = self.log.put(&seen.output, false)?;
        self.seq += 1;
        way.s = self.seq;
        way.output = Some(KeptForm {
            bytes: seen.output.len() as u64,
            digest: digest.to_string(),
            kept: kept.0,
        });
        let name = name(&way);
        let before = BeforeForm {
            s: self.seq,
            n: waits.started.n,
            f: rescind_model::Surface::Shell.name().to_owned(),
            k: key(&way, &waits.around),
            p: name.clone(),
            b: StateForm::from(&seen.state),
            i: None,
            w: OutcomeForm::Intended,
        };
        self.write(Record::Before(before))?;
        self.write(Record::Way(Box::new(way.clone())))?;
        Ok(Read {
            way,
            name,
            before: seen.state.clone(),
            around: waits.around.clone(),
        })
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

    /// What a person let go is read once more: if it has moved since it was shown, their word counts for nothing. `None`:
    /// not read yet.
    pub(super) fn after_another_look(&mut self, node: Node, how: Closed) -> Option<Closed> {
        let reads = self.nodes.get(&node).map_or(&[][..], |info| info.ways.as_slice());
        if how != Closed::Approved || reads.is_empty() {
            return Some(how);
        }
        match self.waiting.looking.approved.get(&node) {
            Some(None) => return None,
            Some(Some(true)) => return Some(how),
            Some(Some(false)) => {
                let process = self.nodes.get(&node).map_or(0, |info| info.process);
                tell(
                    process,
                    "what it is about to change has moved since it was shown: the approval counts for nothing",
                );
                return Some(Closed::Void);
            }
            None => {}
        }
        let looks = self.options.looks.clone()?;
        let ways = reads.iter().map(|read| Ok(read.way.clone())).collect();
        let around = reads.first().map(|read| read.around.clone()).unwrap_or_default();
        let begun = self.waiting.looking.read(node, &looks, ways, around, false);
        self.waiting
            .looking
            .approved
            .insert(node, begun.is_err().then_some(false));
        None
    }

    /// Whether a command has changed something elsewhere that is to be read again.
    pub(super) fn is_to_be_read_again(&self, node: Node) -> bool {
        self.nodes.get(&node).is_some_and(|info| !info.ways.is_empty())
    }

    /// What is to be read before the exit of this thread's process goes on.
    pub(super) fn to_read_again(&mut self, thread: i32) -> Option<Again> {
        let process = self.tree.process_of(thread);
        let node = self.tree.get(process)?.node;
        let info = self.nodes.get_mut(&node)?;
        if info.process != process || info.ways.is_empty() {
            return None;
        }
        Some(Again {
            node,
            looks: self.options.looks.clone()?,
            reads: std::mem::take(&mut info.ways),
        })
    }

    /// What a command left is on record before anybody hears that it is over.
    pub(super) fn was_read_again(&mut self, again: &Again, readings: Readings) {
        let done = self.nodes.get(&again.node).and_then(|info| info.exit) == Some(ExitForm::Code(0));
        for (read, reading) in again.reads.iter().zip(readings) {
            let seen = match reading {
                Ok(seen) => seen,
                Err(why) => {
                    self.miss(
                        again.node,
                        read.name.clone(),
                        format!("what it left was not read: {why}"),
                    );
                    continue;
                }
            };
            let digest = read.way.output.as_ref().map(|output| output.digest.clone());
            if done && seen.state.same(&read.before) && digest != Some(Digest::of(&seen.output).to_string()) {
                let why = "it changed something that does not show in what takes it back";
                self.miss(again.node, read.name.clone(), why.to_owned());
            }
            let after = AfterForm {
                s: read.way.s,
                a: StateForm::from(&seen.state),
                c: false,
                g: false,
            };
            let _in_doubt_if_it_fails = self.write(Record::After(after));
        }
        let _in_doubt_if_it_fails = self.flush();
    }
}

/// What people call what a way is about: the words that read it.
fn name(way: &WayForm) -> String {
    way.read.join(" ")
}

/// What is read by the same words in the same place is the same.
fn key(way: &WayForm, around: &Around) -> String {
    let mut place: Vec<String> = around
        .environment
        .iter()
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .filter(|pair| says_where(pair))
        .map(str::to_owned)
        .collect();
    place.sort();
    if way.read.first().is_some_and(|program| program == "git") {
        place.push(around.cwd.display().to_string());
    }
    let exact = format!("{:?}\0{:?}\0{place:?}", way.programs, way.read);
    format!("{} {}", way.read.join(" "), Digest::of(exact.as_bytes()))
}

/// Variables that say which account, cluster or host a command is about.
fn says_where(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    let beginnings = [
        "KUBE",
        "AWS_",
        "AZURE_",
        "ARM_",
        "CLOUDSDK_",
        "GOOGLE_",
        "DOCKER_",
        "HELM_",
        "PG",
        "VAULT_",
    ];
    beginnings.iter().any(|beginning| name.starts_with(beginning))
        && !name.contains("SECRET")
        && !name.contains("TOKEN")
}
