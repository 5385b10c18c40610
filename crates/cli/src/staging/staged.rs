//! A session on a stage, found; and whose turn it is to work on it.

use super::settle;
use crate::context;
use crate::error::{Code, Done, Failure};
use rescind_files::stage::{Bases, Changes, Stage, changes};
use rescind_model::SessionId;
use rescind_supervisor::{Life, SessionView, Store, opened};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A session that was staged, with its stage.
pub struct Staged {
    /// The session.
    pub view: SessionView,
    /// Where its changes are.
    pub stage: Stage,
}

/// The right to work on a stage, as long as the value, and every process that has inherited it, lives.
pub struct Turn {
    _lock: OwnedFd,
}

/// How long another promotion or discard may take until it is said to be in the way.
const PATIENCE: Duration = Duration::from_secs(20);

/// The sessions that have a stage, oldest first.
///
/// # Errors
/// The store can't be read.
pub fn waiting(store: &Store) -> Done<Vec<SessionId>> {
    if !store.home().stages().is_dir() {
        return Ok(Vec::new());
    }
    let has_stage = |id: &SessionId| matches!(Stage::read(&store.home().stage(id)), Ok(Some(_)));
    Ok(store.sessions()?.into_iter().filter(has_stage).collect())
}

/// The session that is meant, which is over, with the turn to do something with its stage; what was interrupted there is
/// taken back first.
///
/// # Errors
/// It is not found, has no stage, still runs, or somebody else is at it.
pub fn in_turn(store: &Store, asked: &str) -> Done<(Staged, Turn)> {
    let found = staged(store, Some(asked))?;
    found.is_over()?;
    let turn = found.own_turn()?;
    // It may have gone while we waited.
    let found = staged(store, Some(asked))?;
    settle(store, &found)?;
    Ok((found, turn))
}

/// The session that is meant: the one asked for, or the last one with a stage.
///
/// # Errors
/// It is not found, or has no stage.
pub fn staged(store: &Store, asked: Option<&str>) -> Done<Staged> {
    let id = match asked {
        Some(_) => context::session(store, asked)?,
        None => waiting(store)?.pop().ok_or_else(|| {
            Failure::new(Code::NoStage, "no session is on a stage")
                .help("`rescind run --stage -- COMMAND` makes one")
        })?,
    };
    if !opened(store, &id)?.staged {
        let message = format!("session {id} was not staged: what it changed is real");
        return Err(Failure::new(Code::NoStage, message).help(format!("`rescind undo {id}` takes it back")));
    }
    let gone = || {
        let message = format!(
            "the stage of session {id} is gone: nothing was changed on it, or it was promoted or discarded"
        );
        Failure::new(Code::NoStage, message).help("`rescind sessions` lists promotions, which can be undone")
    };
    let stage = Stage::read(&store.home().stage(&id))?.ok_or_else(gone)?;
    let view = context::load(store, &id)?;
    Ok(Staged { view, stage })
}

impl Staged {
    /// What the stage would change now.
    ///
    /// # Errors
    /// The stage or the real tree can't be read.
    pub fn changes(&self) -> Done<Changes> {
        Ok(changes(&self.stage, &Bases::of(&self.view.effects))?)
    }

    /// See that the session is over.
    ///
    /// # Errors
    /// It is not.
    pub fn is_over(&self) -> Done<()> {
        let id = &self.view.id;
        if self.view.life() == Life::Running {
            return Err(
                Failure::new(Code::SessionBusy, format!("session {id} is still running")).help(format!(
                    "wait until it has ended, or end it with `rescind kill {id}`"
                )),
            );
        }
        Ok(())
    }

    /// Take the turn; `None`: somebody else has it, and does not come to an end.
    ///
    /// # Errors
    /// The stage is gone.
    pub fn turn(&self, patient: bool) -> Done<Option<Turn>> {
        // It is inherited by a promotion's processes, so that nobody begins before the last of them has ended.
        let flags = OFlags::RDONLY | OFlags::CREATE;
        let path = self.stage.root.join("turn");
        let lock = open(&path, flags, Mode::from_raw_mode(0o600)).map_err(std::io::Error::from)?;
        let begun = Instant::now();
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            if !patient || begun.elapsed() > PATIENCE {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Some(Turn { _lock: lock }))
    }

    /// Take the turn, or say who has it.
    ///
    /// # Errors
    /// Somebody else has it.
    pub fn own_turn(&self) -> Done<Turn> {
        let id = &self.view.id;
        self.turn(true)?.ok_or_else(|| {
            let message =
                format!("the stage of session {id} is being promoted or discarded by another command");
            Failure::new(Code::SessionBusy, message).help("wait until it is done")
        })
    }
}
