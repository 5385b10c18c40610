//! Words that processes share through a mapped file (mmap(2), futex(2)).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The beginning of a file, mapped shared and writable, as 64-bit words in this machine's order. Every access is sequentially
/// consistent, between threads and processes alike. A place beyond the end reads as 0 and takes no write.
///
/// Whoever makes the file shorter while it is mapped ends every process that looks at what is gone (SIGBUS): it must be one that
/// nobody else has reason to write.
#[derive(Debug)]
pub struct SharedWords {
    base: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping is only ever used through atomic words, and lives until the value is dropped.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Map the first `count` words of a file, which must be at least that long.
    ///
    /// # Errors
    /// It is shorter, or the kernel refuses.
    pub fn map(file: &File, count: usize) -> io::Result<Self> {
        let bytes = count.saturating_mul(size_of::<AtomicU64>());
        if bytes == 0 || file.metadata()?.len() < bytes as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file is too short",
            ));
        }
        // SAFETY: a new mapping at a place that the kernel chooses; the length is not 0.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { base, count })
    }

    /// How many words there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn word(&self, place: usize) -> Option<&AtomicU64> {
        // SAFETY: the mapping has `count` words, is aligned to a page, and lives as long as `self`; any bits are a valid word,
        // and others change them by atomic operations only.
        let words = unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.count) };
        words.get(place)
    }

    /// The word there.
    #[must_use]
    pub fn load(&self, place: usize) -> u64 {
        self.word(place).map_or(0, |word| word.load(Ordering::SeqCst))
    }

    /// Set the word there.
    pub fn store(&self, place: usize, value: u64) {
        if let Some(word) = self.word(place) {
            word.store(value, Ordering::SeqCst);
        }
    }

    /// Add one to the word there. Returns the new value.
    pub fn increment(&self, place: usize) -> u64 {
        let before = |word: &AtomicU64| word.fetch_add(1, Ordering::SeqCst);
        self.word(place).map_or(0, before).wrapping_add(1)
    }

    /// Set the word there if it is `current`. Whether it was.
    #[must_use]
    pub fn exchange(&self, place: usize, current: u64, new: u64) -> bool {
        let exchange =
            |word: &AtomicU64| word.compare_exchange(current, new, Ordering::SeqCst, Ordering::SeqCst);
        self.word(place).is_some_and(|word| exchange(word).is_ok())
    }

    /// Wait until somebody wakes those who wait for the word there, or the time is over; not at all where its lower half is no
    /// more that of `seen`. May return without a reason.
    pub fn wait(&self, place: usize, seen: u64, at_most: Duration) {
        let Some(word) = self.word(place) else { return };
        let time = libc::timespec {
            tv_sec: libc::time_t::try_from(at_most.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: at_most.subsec_nanos().into(),
        };
        let nobody: *const u32 = std::ptr::null();
        // SAFETY: the lower half of a word comes first on this architecture, and is aligned; the time outlives the call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr().cast::<u32>(),
                libc::FUTEX_WAIT,
                seen as u32,
                &raw const time,
                nobody,
                0,
            );
        }
    }

    /// Wake all who wait for the word there, in every process.
    pub fn wake(&self, place: usize) {
        let Some(word) = self.word(place) else { return };
        let (none, nobody): (*const libc::timespec, *const u32) = (std::ptr::null(), std::ptr::null());
        // SAFETY: as in `wait`; nothing is written.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr().cast::<u32>(),
                libc::FUTEX_WAKE,
                i32::MAX,
                none,
                nobody,
                0,
            );
        }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nobody has a reference into it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.count * size_of::<AtomicU64>()) };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests end loudly")]

    use super::SharedWords;
    use std::sync::Arc;
    use std::time::Duration;

    fn file(bytes: u64) -> std::fs::File {
        let path = std::env::temp_dir().join(format!("rescind-words-{}-{bytes}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(bytes).unwrap();
        file
    }

    #[test]
    fn two_mappings_of_a_file_see_each_others_words_and_wake_each_other() {
        let file = file(64);
        let (one, other) = (
            SharedWords::map(&file, 8).unwrap(),
            Arc::new(SharedWords::map(&file, 8).unwrap()),
        );
        let waiting = Arc::clone(&other);
        let thread = std::thread::spawn(move || {
            while waiting.load(3) == 0 {
                waiting.wait(3, 0, Duration::from_secs(60));
            }
            waiting.load(3)
        });
        one.store(3, 7);
        one.wake(3);
        assert_eq!(thread.join().unwrap(), 7);
        assert!(other.exchange(3, 7, 8) && !other.exchange(3, 7, 9));
        assert_eq!((one.increment(3), one.load(3)), (9, 9));
    }

    #[test]
    fn what_lies_beyond_a_file_is_never_touched() {
        assert!(SharedWords::map(&file(63), 8).is_err());
        let words = SharedWords::map(&file(64), 8).unwrap();
        words.store(8, 1);
        assert_eq!((words.load(8), words.increment(8)), (0, 1));
        assert!(!words.exchange(8, 0, 1));
    }
}
