//! A session's desk whose end is also that of its credentials.

use super::issue::take_back;
use crate::exit::Exit;
use rescind_supervisor::holds::{Instead, Lesson};
use rescind_supervisor::{Asked, Connecting, Desk, Judged, SessionLog, Store};
use std::sync::Arc;

/// The desk of a session with credentials: they are revoked before its books are closed.
pub struct WithCredentials {
    desk: Box<dyn Desk>,
    store: Arc<Store>,
    log: Arc<SessionLog>,
}

impl WithCredentials {
    /// Around a desk.
    pub fn new(desk: Box<dyn Desk>, store: Arc<Store>, log: Arc<SessionLog>) -> Self {
        Self { desk, store, log }
    }
}

impl Desk for WithCredentials {
    fn judge(&mut self, asked: &Asked<'_>) -> Judged {
        self.desk.judge(asked)
    }

    fn judge_connection(&mut self, connecting: &Connecting<'_>) -> Judged {
        self.desk.judge_connection(connecting)
    }

    fn captured(&mut self, node: u64, read: &[Result<String, String>]) -> Option<Judged> {
        self.desk.captured(node, read)
    }

    fn learn(&mut self, judged: &Judged, lesson: &Lesson) -> Result<(), String> {
        self.desk.learn(judged, lesson)
    }

    fn replace(&mut self, judged: &Judged, instead: &Instead) -> Result<(), String> {
        self.desk.replace(judged, instead)
    }

    fn asks_about_local(&self) -> bool {
        self.desk.asks_about_local()
    }

    fn approved(&mut self, judged: &Judged) -> Result<(), String> {
        self.desk.approved(judged)
    }

    fn settled(&mut self, judged: &Judged, ran: bool) {
        self.desk.settled(judged, ran);
    }

    fn halt(&mut self, why: &str) {
        self.desk.halt(why);
    }

    fn failed(&mut self, why: &str, choices: &str) {
        self.desk.failed(why, choices);
    }

    fn ended(&mut self, node: u64, files: Option<u64>) {
        self.desk.ended(node, files);
    }

    fn closed(&mut self) -> Option<i32> {
        let own = self.desk.closed();
        let dead = take_back(&self.store, &self.log);
        if dead {
            own
        } else {
            Some(i32::from(Exit::Unrevoked.code()))
        }
    }
}
