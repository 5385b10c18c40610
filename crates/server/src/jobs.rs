//! Undos that were begun here: how far each is, and what it came to. What is on record is on record without this.

use crate::operations::{Failed, Progress};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// How far a job is.
#[derive(Debug, Clone)]
pub enum Stage {
    /// It goes on.
    Running(Progress),
    /// It is over.
    Over(Result<Value, Failed>),
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// The session that is taken back.
    pub session: String,
    /// The session's domain.
    pub domain: String,
    /// Who began it.
    pub person: String,
    /// How far it is.
    pub stage: watch::Receiver<Stage>,
}

/// The most jobs that are remembered; the oldest that are over go first.
const KEPT: usize = 500;

/// All of them, by number.
#[derive(Debug, Default)]
pub struct Jobs {
    all: Mutex<(u64, BTreeMap<u64, Job>)>,
}

impl Jobs {
    /// A new one. What is sent is what others see of it.
    pub fn begin(&self, session: String, domain: String, person: String) -> (u64, watch::Sender<Stage>) {
        let nothing = Progress {
            done: 0,
            of: 0,
            name: String::new(),
        };
        let (sender, stage) = watch::channel(Stage::Running(nothing));
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, jobs) = &mut *all;
        *last += 1;
        jobs.insert(
            *last,
            Job {
                session,
                domain,
                person,
                stage,
            },
        );
        while jobs.len() > KEPT {
            let over = jobs
                .iter()
                .find(|(_, job)| matches!(*job.stage.borrow(), Stage::Over(_)));
            let Some(number) = over.map(|(number, _)| *number) else {
                break;
            };
            jobs.remove(&number);
        }
        (*last, sender)
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<Job> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.1.get(&number).cloned()
    }
}
