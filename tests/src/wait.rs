//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// Poll until `found` gives something.
///
/// # Panics
/// It has not after `limit`.
pub fn until<T>(what: &str, limit: Duration, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(it) = found() {
            return it;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What `action` gave, and how long it took.
///
/// # Panics
/// It took longer than `limit`.
pub fn within<T>(what: &str, limit: Duration, action: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = action();
    let took = start.elapsed();
    assert!(took <= limit, "{what} took {took:?}, more than {limit:?}");
    (result, took)
}
