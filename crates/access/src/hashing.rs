//! Hashing passwords with argon2id, a bounded number at a time.

use crate::error::AccessError;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// OWASP's first choice for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How long a sign-in waits for its turn.
const TURN: Duration = Duration::from_secs(5);

/// So many at once, so many waiting.
pub(crate) struct Hashing {
    state: Mutex<State>,
    turn: Condvar,
    most: usize,
    waiting: usize,
    /// Of a password that nobody knows: what an unknown name is compared with, so that it takes as long as a known one.
    nobody: String,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
}

/// A turn; given back when dropped.
struct Turn<'a>(&'a Hashing);

impl Hashing {
    pub fn new(most: usize, waiting: usize) -> Result<Self, AccessError> {
        let mut own = Self {
            state: Mutex::default(),
            turn: Condvar::new(),
            most: most.max(1),
            waiting,
            nobody: String::new(),
        };
        let mut unknown = String::new();
        crate::secret::letters(&mut unknown, 32)?;
        own.nobody = own.hash(&unknown)?;
        Ok(own)
    }

    /// A password's hash, in the PHC string format with its own salt and parameters.
    pub fn hash(&self, password: &str) -> Result<String, AccessError> {
        let mut salt = [0_u8; 16];
        getrandom::fill(&mut salt).map_err(|_| AccessError::NoRandomness)?;
        let salt = SaltString::encode_b64(&salt).map_err(|error| wrong(&error))?;
        let _turn = self.turn()?;
        let hash = argon()?.hash_password(password.as_bytes(), &salt);
        Ok(hash.map_err(|error| wrong(&error))?.to_string())
    }

    /// Whether it is the password of `kept`. Without one the same work is done, and the answer is no.
    pub fn fits(&self, password: &str, kept: Option<&str>) -> Result<bool, AccessError> {
        let hash = PasswordHash::new(kept.unwrap_or(&self.nobody)).map_err(|error| wrong(&error))?;
        let _turn = self.turn()?;
        let fits = argon()?.verify_password(password.as_bytes(), &hash).is_ok();
        Ok(fits && kept.is_some())
    }

    fn turn(&self) -> Result<Turn<'_>, AccessError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running >= self.most && state.waiting >= self.waiting {
            return Err(AccessError::Busy);
        }
        let end = Instant::now() + TURN;
        state.waiting += 1;
        while state.running >= self.most {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                state.waiting -= 1;
                return Err(AccessError::Busy);
            }
            let woken = self.turn.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
        state.running += 1;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = state.running.saturating_sub(1);
        drop(state);
        self.0.turn.notify_one();
    }
}

fn argon() -> Result<Argon2<'static>, AccessError> {
    let params = Params::new(MEMORY, PASSES, LANES, None).map_err(|error| wrong(&error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn wrong(error: &dyn std::fmt::Display) -> AccessError {
    AccessError::Hashing {
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Hashing;
    use crate::error::AccessError;

    #[test]
    fn a_password_fits_its_own_hash_and_no_other() {
        let hashing = Hashing::new(1, 1).unwrap();
        let (one, two) = (
            hashing.hash("one and only").unwrap(),
            hashing.hash("one and only").unwrap(),
        );
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != two);
        assert!(hashing.fits("one and only", Some(&one)).unwrap());
        assert!(!hashing.fits("one and only ", Some(&one)).unwrap());
        assert!(!hashing.fits("one and only", None).unwrap());
        assert!(matches!(
            hashing.fits("x", Some("no hash")),
            Err(AccessError::Hashing { .. })
        ));
    }

    #[test]
    fn an_unknown_name_waits_for_its_turn_like_a_known_one_and_nobody_waits_beyond_the_limit() {
        let hashing = Hashing::new(1, 0).unwrap();
        let hash = hashing.hash("one and only").unwrap();
        let turn = hashing.turn().unwrap();
        for kept in [Some(hash.as_str()), None] {
            assert!(matches!(
                hashing.fits("one and only", kept),
                Err(AccessError::Busy)
            ));
        }
        drop(turn);
        assert!(hashing.fits("one and only", Some(&hash)).unwrap());
    }

    #[test]
    fn no_more_are_hashed_at_once_than_may_be() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let hashing = Hashing::new(2, 100).unwrap();
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let turn = hashing.turn().unwrap();
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
