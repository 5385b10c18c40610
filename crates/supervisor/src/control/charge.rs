//! Being in charge: a server that says so every now and then. As long as it is to, gateways go on only while it does.

use super::board::{
    Board, CHARGE_BOOT, CHARGE_PID, CHARGE_START, CHARGE_UNTIL, boot_now, is_alive, nanoseconds, own_process,
};
use super::{Control, ControlError};
use serde::Serialize;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Who is in charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ChargeStatus {
    /// The server's process.
    pub process: u32,
    /// For how much longer, in milliseconds, unless it says so again; 0: it is gone, and everything is held.
    pub left_ms: u64,
}

/// Being in charge, until it is released or this process dies: then everything is held at the end of `ttl`.
#[derive(Debug)]
pub struct Charge {
    board: Arc<Board>,
    renewing: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Control {
    /// Take charge: from here on gateways go on only as long as this process says so.
    ///
    /// # Errors
    /// [`ControlError::InCharge`]; no thread can be had.
    pub fn take_charge(&self, ttl: Duration) -> Result<Charge, ControlError> {
        if let Some(own) = self.charge().filter(|charge| charge.left_ms > 0) {
            let start = self.board.words().load(CHARGE_START);
            if is_alive(u64::from(own.process), start) && u64::from(own.process) != own_process().0 {
                return Err(ControlError::InCharge { process: own.process });
            }
        }
        let words = self.board.words();
        let (pid, start) = own_process();
        words.store(CHARGE_UNTIL, boot_now().saturating_add(nanoseconds(ttl)));
        words.store(CHARGE_BOOT, self.board.boot());
        words.store(CHARGE_PID, pid);
        words.store(CHARGE_START, start);
        self.board.change();
        let board = Arc::clone(&self.board);
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new().name("charge".to_owned());
        let renewing = thread.spawn(move || {
            while stopped.recv_timeout(ttl / 4) == Err(RecvTimeoutError::Timeout) {
                if (board.words().load(CHARGE_PID), board.words().load(CHARGE_START)) != (pid, start) {
                    // We were away for so long that somebody else took charge.
                    return;
                }
                board
                    .words()
                    .store(CHARGE_UNTIL, boot_now().saturating_add(nanoseconds(ttl)));
            }
        });
        let renewing = renewing.map_err(|source| ControlError::Board {
            path: self.board.path().display().to_string(),
            source,
        })?;
        Ok(Charge {
            board: Arc::clone(&self.board),
            renewing: Mutex::new(Some((stop, renewing))),
        })
    }

    /// Who is in charge, if anybody was and has not said that it is over.
    #[must_use]
    pub fn charge(&self) -> Option<ChargeStatus> {
        let words = self.board.words();
        let until = words.load(CHARGE_UNTIL);
        if until == 0 {
            return None;
        }
        let now = boot_now();
        let own = words.load(CHARGE_BOOT) == self.board.boot();
        Some(ChargeStatus {
            process: u32::try_from(words.load(CHARGE_PID)).unwrap_or(0),
            left_ms: if own {
                until.saturating_sub(now) / 1_000_000
            } else {
                0
            },
        })
    }

    /// Go on without a server: the board alone is in charge. Whether one was. One that was only away takes charge again when it is
    /// back.
    ///
    /// # Errors
    /// [`ControlError::InCharge`]: it lives, and says so.
    pub fn release(&self) -> Result<bool, ControlError> {
        let charge = self.charge();
        if let Some(own) = charge.filter(|charge| charge.left_ms > 0) {
            let start = self.board.words().load(CHARGE_START);
            if is_alive(u64::from(own.process), start) {
                return Err(ControlError::InCharge { process: own.process });
            }
        }
        release(&self.board);
        Ok(charge.is_some())
    }
}

fn release(board: &Board) {
    board.words().store(CHARGE_UNTIL, 0);
    board.change();
}

impl Charge {
    /// Hand control back to the board alone: the server stops as it should, and everything goes on.
    pub fn release(&self) {
        let renewing = self
            .renewing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((stop, thread)) = renewing {
            drop(stop);
            let _ended = thread.join();
            release(&self.board);
        }
    }
}
