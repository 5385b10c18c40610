//! How much one client may ask, and everybody together.

use crate::config::Limits;
use crate::problem::Problem;
use axum::http::StatusCode;
use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Keyed = RateLimiter<String, DashMapStateStore<String>, DefaultClock>;

/// The most keys that are kept; beyond it those that are not limited just now are forgotten.
const KEYS: usize = 10_000;

/// Who is counted.
pub struct Rates {
    requests: Keyed,
    sign_ins: Keyed,
    streams: Arc<Semaphore>,
}

impl Rates {
    /// With these limits.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let quota = |most: u32| Quota::per_minute(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN));
        Self {
            requests: RateLimiter::dashmap(quota(limits.requests_per_minute)),
            sign_ins: RateLimiter::dashmap(quota(limits.sign_ins_per_minute)),
            streams: Arc::new(Semaphore::new(limits.streams)),
        }
    }

    /// Count a request of whoever shows this credential, or comes from this address.
    ///
    /// # Errors
    /// Too many: when it may be tried again.
    pub fn request(&self, key: String) -> Result<(), Problem> {
        check(&self.requests, key)
    }

    /// Count an attempt to sign in.
    ///
    /// # Errors
    /// As [`Rates::request`].
    pub fn sign_in(&self, address: IpAddr) -> Result<(), Problem> {
        check(&self.sign_ins, address.to_string())
    }

    /// A place for an event stream, given back when it is dropped.
    ///
    /// # Errors
    /// All are taken.
    pub fn stream(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let taken = Arc::clone(&self.streams).try_acquire_owned();
        taken.map_err(|_| {
            let mut problem = Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "as many event streams are open as there may be",
            );
            problem.retry_after = Some(5);
            problem
        })
    }
}

fn check(limiter: &Keyed, key: String) -> Result<(), Problem> {
    if limiter.len() > KEYS {
        limiter.retain_recent();
    }
    limiter.check_key(&key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        let mut problem = Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "more requests than one client may send",
        )
        .help("wait, or ask for more at once: lists take a `limit`");
        problem.retry_after = Some(wait.as_secs().saturating_add(1));
        problem
    })
}

#[cfg(test)]
mod tests {
    use super::{Limits, Rates};

    #[test]
    fn who_asks_too_much_is_told_when_to_come_again_and_others_are_not_held_up() {
        let rates = Rates::new(&Limits {
            requests_per_minute: 2,
            streams: 1,
            ..Limits::default()
        });
        assert!(rates.request("one".to_owned()).is_ok() && rates.request("one".to_owned()).is_ok());
        let problem = rates.request("one".to_owned()).err();
        assert!(problem.is_some_and(|problem| problem.status == 429 && problem.retry_after >= Some(1)));
        assert!(rates.request("other".to_owned()).is_ok());
        let stream = rates.stream();
        assert!(stream.is_ok() && rates.stream().is_err());
        drop(stream);
        assert!(rates.stream().is_ok());
    }
}
