//! The exit codes, in one place.

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: it failed; the message says what that means for the data.
    Failed,
    /// 2: the command line is not understood, or it needs `--yes`. Nothing was changed.
    Usage,
    /// 3: there are conflicts to decide. Nothing was changed.
    Conflicts,
    /// 4: a verification found faults.
    NotVerified,
    /// 5: an undo was applied and is not proved complete: something can't come back, conflicts were kept, steps failed, or
    /// something differs.
    Incomplete,
    /// 6: a health check failed. An undo that says so was applied and is proved.
    Unhealthy,
    /// 7: a credential of a session was to be revoked and is not proved dead; of `run`, whatever the agent's status was.
    Unrevoked,
    /// `run` only: 125 rescind itself failed, 126 the agent could not be started, 127 it was not found; else the
    /// agent's own status, 128 + n where signal n ended it.
    Agent(u8),
}

/// What `--help` says of them.
pub const HELP: &str = "Exit codes:
  0        done
  1        failed; the message says what that means for the data
  2        the command line is not understood, or it needs --yes; nothing was changed
  3        there are conflicts to decide; nothing was changed
  4        a verification found faults
  5        an undo was applied and is not proved complete
  6        a health check failed; what an undo was to do is done
  7        a credential of a session is not proved dead, whatever else the command or the agent came to
  125-127  run: rescind failed, the agent could not be started, it was not found
           run otherwise ends with the agent's own status";

impl Exit {
    /// The number for the system.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Conflicts => 3,
            Self::NotVerified => 4,
            Self::Incomplete => 5,
            Self::Unhealthy => 6,
            Self::Unrevoked => 7,
            Self::Agent(status) => status,
        }
    }
}
