//! Control: stopping what runs, whoever is alive to hear it.
//!
//! INVARIANT: nothing of a session starts but through its [`Gate`], and once a kill has returned a report that is whole, no gate
//! in its scope opens again. The board says what is stopped; it needs no server, no ledger and no room on the disk.

mod board;
mod charge;
mod gate;
mod kill;
mod record;
mod scope;
mod slots;
mod stops;

pub use charge::{Charge, ChargeStatus};
pub use gate::{Follow, Gate, Waited};
pub use kill::{How, InFlight, KillReport, Stopped, end_members, members};
pub use scope::{GatewayStatus, KillScope, MOST_NAME, Member, Mode, Order, Stop};

use crate::Home;
use board::Board;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long a gateway may let actions start without looking at the board: the hard bound of every kill.
pub const LEASE: Duration = Duration::from_secs(2);

/// The file in the state directory that stops everything as long as it is there.
pub const STOP_FILE: &str = "STOP";

/// Why control fails.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no board to be had.
    #[error("`{path}`, by which sessions are stopped, can't be used")]
    Board {
        /// Where it should be.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Too many stops are in force.
    #[error("{} stops are in force, and there is no room for one more but of everything", board::MOST_STOPS - 1)]
    Full,
    /// A scope without a name.
    #[error("a scope needs a name")]
    NoName,
    /// Nothing of the kind is in force.
    #[error("{scope} is not stopped")]
    NotStopped {
        /// What was to be lifted.
        scope: String,
    },
    /// Another process is in charge.
    #[error("process {process} is in charge already")]
    InCharge {
        /// Which.
        process: u32,
    },
}

/// The board of a state directory. Clones share it.
#[derive(Debug, Clone)]
pub struct Control {
    board: Arc<Board>,
    home: Home,
}

impl Control {
    /// Open it; it is made where there is none.
    ///
    /// # Errors
    /// [`ControlError::Board`].
    pub fn open(home: &Home) -> Result<Self, ControlError> {
        let board = Board::open(home).map_err(|source| ControlError::Board {
            path: home.control().join("board").display().to_string(),
            source,
        })?;
        Ok(Self {
            board: Arc::new(board),
            home: home.clone(),
        })
    }

    /// Stop all in scope, and wait until they have, at most for so long. A gateway that does not answer is ended with its lease.
    /// When this has returned a report that is whole, no action in scope starts any more, and none will until the stop is lifted.
    /// It waits for nothing but the gateways: the record is for [`Control::record_called`], credentials are for the caller.
    ///
    /// # Errors
    /// [`ControlError::NoName`], [`ControlError::Full`]: nothing was stopped.
    pub fn kill(
        &self,
        scope: &KillScope,
        mode: Mode,
        by: &str,
        why: &str,
        at_most: Duration,
    ) -> Result<KillReport, ControlError> {
        if *scope != KillScope::Everything && scope.name().is_empty() {
            return Err(ControlError::NoName);
        }
        kill::kill(&self.board, scope, mode, (by, why), at_most)
    }

    /// Lift what is in force for exactly this scope. That somebody may is on record before, by [`Control::record_lift`]. Returns
    /// what was lifted, and who has not gone on yet.
    ///
    /// # Errors
    /// [`ControlError::NotStopped`].
    pub fn lift(&self, scope: &KillScope) -> Result<(Vec<Stop>, Vec<Member>), ControlError> {
        let lifted: Vec<Stop> = self
            .stops_of(scope)
            .into_iter()
            .filter(|stop| self.board.withdraw(stop.id))
            .collect();
        if lifted.is_empty() {
            return Err(ControlError::NotStopped {
                scope: scope.to_string(),
            });
        }
        let waiting = kill::wait_to_go_on(&self.board, scope);
        Ok((lifted, waiting))
    }

    /// All stops in force, oldest first.
    #[must_use]
    pub fn stops(&self) -> Vec<Stop> {
        self.board.stops()
    }

    /// Those in force for exactly this scope.
    #[must_use]
    pub fn stops_of(&self, scope: &KillScope) -> Vec<Stop> {
        let mut stops = self.stops();
        stops.retain(|stop| {
            stop.scope.number() == scope.number() && stop.scope.name() == scope::cut(scope.name())
        });
        stops
    }

    /// What stops such a session, if anything does; a kill before a pause.
    #[must_use]
    pub fn stop_of(&self, member: &Member) -> Option<Stop> {
        self.board.stop_of(member)
    }

    /// Whether the file [`STOP_FILE`] stops everything.
    #[must_use]
    pub fn stop_file(&self) -> bool {
        self.home.root().join(STOP_FILE).symlink_metadata().is_ok()
    }

    /// The processes of all gateways, without a look at whether they live: quickly.
    #[must_use]
    pub fn supervisors(&self) -> Vec<u32> {
        self.board.supervisors()
    }

    /// All gateways that live.
    #[must_use]
    pub fn gateways(&self) -> Vec<GatewayStatus> {
        let slots = self.board.slots();
        slots.iter().map(|slot| self.board.status(slot)).collect()
    }
}

#[cfg(test)]
mod tests;
