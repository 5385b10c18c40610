//! The contract of judging: what a gateway asks before a command runs.

use crate::holds::{Instead, Lesson};
use crate::journal::{JudgedForm, WayForm};
use rescind_model::{ActionId, Digest, Scopes, Verdict};

/// A command that is about to run.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The number of the action that it will be.
    pub node: u64,
    /// That of the action around it; 0 for none.
    pub parent: u64,
    /// The program's path as it is called.
    pub exe: &'a str,
    /// The file that runs, all links followed; empty where nobody looked.
    pub file: &'a str,
    /// The command line, not redacted: nothing of it may be kept.
    pub argv: &'a [String],
    /// The working directory.
    pub cwd: &'a str,
    /// The environment, `NAME=value`.
    pub environment: &'a [Vec<u8>],
    /// How bad what a person approved for the action above it was, if one did: a part of that needs no second word.
    pub cleared: Option<u8>,
    /// What a part of the session may do, where that is less than the session.
    pub scopes: Option<&'a Scopes>,
}

/// A connection to another machine that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Connecting<'a> {
    /// The number of the action that it will be.
    pub node: u64,
    /// That of the action that makes it.
    pub parent: u64,
    /// The address and port.
    pub to: &'a str,
    /// The command that makes it, as a person would type it.
    pub by: &'a str,
    /// The digest of that exact command.
    pub key: Option<Digest>,
    /// As in [`Asked`].
    pub cleared: Option<u8>,
    /// As in [`Asked`].
    pub scopes: Option<&'a Scopes>,
}

/// What was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// For the record.
    pub form: JudgedForm,
    /// What is to be done.
    pub verdict: Verdict,
    /// How bad its class is, 0 (trivially reversible) to 4 (irreversible, or unknown and not captured).
    pub severity: u8,
    /// How far it is known what it does.
    pub understood: Understood,
    /// The digest of the exact action.
    pub digest: Digest,
    /// Its number, as it was asked with.
    pub node: u64,
    /// Whether a limit is hit, which no earlier approval answers.
    pub limited: bool,
    /// Whether it is held by policies alone, so that a rule could be learned from its approval.
    pub learnable: bool,
    /// Files of this machine that it names, from the root: what a reviewer is shown as it is now.
    pub paths: Vec<String>,
    /// How it could be taken back, for each of its targets, if what each of them reads is read before it runs. The verdict
    /// rests on that. Empty where the action has nothing of the kind, or only in parts that are judged by themselves.
    pub ways: Vec<WayForm>,
}

impl Judged {
    /// How bad what a person approved of it by a rule was: its parts that are no worse need no second word.
    #[must_use]
    pub fn clears(&self) -> Option<u8> {
        self.form.rule.as_ref().map(|_| self.severity)
    }
}

/// Who takes back what failed, for those below it: implemented over `recovery`.
pub trait Undo: Send + Sync {
    /// Take back one action of a session that goes on, for this reason. Returns what it came to, for people and agents.
    ///
    /// # Errors
    /// What stands in the way, and what that means for the data.
    fn undo(&self, action: &ActionId, why: &str) -> Result<String, String>;
}

impl std::fmt::Debug for dyn Undo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Undo")
    }
}

/// How far it is known what a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Understood {
    /// Not at all.
    #[default]
    Not,
    /// What it does itself, and not what it starts: `make`, `npm test`.
    Itself,
    /// With everything it starts.
    Wholly,
}

/// Who judges. One per session, asked from one thread at a time.
pub trait Desk: Send {
    /// Judge a command.
    fn judge(&mut self, asked: &Asked<'_>) -> Judged;

    /// Judge a connection by a program of which nobody can say what it does.
    fn judge_connection(&mut self, connecting: &Connecting<'_>) -> Judged;

    /// What the ways of an action read, in their order, or why that can't be had: the same judgement with the ways
    /// filled, those left out that lead nowhere; or a stricter one. `None`: it was not judged, or has no ways.
    fn captured(&mut self, node: u64, read: &[Result<String, String>]) -> Option<Judged> {
        let _nothing_is_asked_for = (node, read);
        None
    }

    /// Whether connections to servers of this very machine are judged, too: they may lead to production.
    fn asks_about_local(&self) -> bool;

    /// A person lets a command run that was held, or let it before: what it needs of the limits is reserved.
    ///
    /// # Errors
    /// Why it must not run all the same: a limit was reached that they were not shown.
    fn approved(&mut self, judged: &Judged) -> Result<(), String>;

    /// What became of what was judged: it ran, or was denied. Later judgements depend on it.
    fn settled(&mut self, judged: &Judged, ran: bool);

    /// People approved what was held, and want the same to run again without asking. Called before it is settled.
    ///
    /// # Errors
    /// Why no rule was learned. What was approved runs all the same.
    fn learn(&mut self, judged: &Judged, lesson: &Lesson) -> Result<(), String>;

    /// People want another command instead of what was held, which is over by that and was not denied: the other may run
    /// once in this session, as far as nothing but their word is missing.
    ///
    /// # Errors
    /// Why it may not.
    fn replace(&mut self, judged: &Judged, instead: &Instead) -> Result<(), String>;

    /// Something was noticed after a command ran that halts the session: whatever comes next waits for a person, until one
    /// has let something run. A desk that holds nothing has nothing to halt.
    fn halt(&mut self, why: &str) {
        let _nothing_to_halt = why;
    }

    /// An action failed. Where the session is to be halted by that, everything waits from now on, until a person has let
    /// something run.
    /// `choices`: what a person can do about it then.
    fn failed(&mut self, why: &str, choices: &str) {
        let _goes_on = (why, choices);
    }

    /// An action is over, and has changed so many files; `None` where it never ran. Also called for actions that were
    /// not judged.
    fn ended(&mut self, node: u64, files: Option<u64>);

    /// The session is over. The code that its run is to end with instead of the agent's own, where something has to be
    /// told that matters more.
    fn closed(&mut self) -> Option<i32>;
}
