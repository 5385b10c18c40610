//! Points at which tests let the driver die.
//!
//! Between two changes of the disk lies a point. A test counts them down and has the driver stop there by a panic, after
//! which nothing more is done, as after a `kill -9`. Outside tests this is nothing.

/// Between two changes of the disk.
#[cfg(not(test))]
#[inline]
pub(crate) fn point() {}

#[cfg(test)]
pub(crate) use counted::{Died, die_after, point};

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// What a test catches.
    #[derive(Debug)]
    pub(crate) struct Died;

    /// Die at the point after so many more; `None`: live. Gives what was left.
    pub(crate) fn die_after(points: Option<u32>) -> Option<u32> {
        LEFT.replace(points)
    }

    pub(crate) fn point() {
        match LEFT.get() {
            None => {}
            Some(0) => {
                LEFT.set(None);
                std::panic::panic_any(Died);
            }
            Some(left) => LEFT.set(Some(left - 1)),
        }
    }
}
