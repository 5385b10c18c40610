//! The last good state of a session: that after the last action before the first one that failed.

use crate::error::{Code, Done, Failure};
use rescind_model::SessionId;
use rescind_supervisor::SessionView;
use rescind_supervisor::journal::{ExitForm, Role, TargetForm};

/// Where the good part of a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGood {
    /// The last good action; `None`: the first one failed.
    pub after: Option<u64>,
    /// The first that failed: it and everything after it is to be taken back.
    pub failed: u64,
}

impl LastGood {
    /// Look for it.
    ///
    /// # Errors
    /// No action of the session failed.
    pub fn of(view: &SessionView) -> Done<Self> {
        let mut after = None;
        for (number, node) in &view.nodes {
            if node.started.role != Role::Action {
                continue;
            }
            match view.end_of(*number).map(|ended| ended.exit) {
                // What was tried under several paths until one was found, and what was denied, did nothing.
                Some(ExitForm::NotStarted) => {}
                Some(ExitForm::Code(0)) => after = Some(*number),
                _ => {
                    return Ok(Self {
                        after,
                        failed: *number,
                    });
                }
            }
        }
        Err(Failure::new(
            Code::NothingFailed,
            format!("no action of session {} failed", view.id),
        )
        .help(format!(
            "`rescind log {}` lists its actions; --from takes back from one on",
            view.id
        )))
    }

    /// In words, after the name of the session.
    #[must_use]
    pub fn text(&self, view: &SessionView) -> String {
        let command = |number: u64| {
            view.nodes
                .get(&number)
                .map(|node| node.started.command())
                .unwrap_or_default()
        };
        let failed = format!("{} `{}`", view.id.action(self.failed), command(self.failed));
        match self.after {
            Some(after) => format!(
                " after its last good action {} `{}`, for {failed} failed",
                view.id.action(after),
                command(after)
            ),
            None => format!(" from its first action on, for {failed} failed"),
        }
    }

    /// For the record.
    #[must_use]
    pub fn form(&self, session: &SessionId, reached: bool) -> TargetForm {
        TargetForm {
            after: self.after.map(|after| session.action(after).to_string()),
            failed: session.action(self.failed).to_string(),
            reached,
        }
    }
}
