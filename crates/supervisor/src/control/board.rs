//! The board: one mapped file that says what is stopped, who runs, and who is in charge (docs/formats/control.md).
//!
//! It is made whole and never grows, so that a full disk stops no kill. Whoever announces something writes it first and
//! then looks at what others wrote: of a killer and a gateway that meet, one always sees the other.

use crate::home::Home;
use rescind_sys::SharedWords;
use rustix::fs::FallocateFlags;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `RSCDCTL` and the form's version, 1.
const MAGIC: u64 = u64::from_le_bytes(*b"RSCDCTL\x01");

pub(super) const EPOCH: usize = 1;
pub(super) const ANSWERS: usize = 2;
pub(super) const STOP_IDS: usize = 3;
pub(super) const BORN: usize = 4;
pub(super) const BORN_BOOT: usize = 5;
pub(super) const CHARGE_UNTIL: usize = 6;
pub(super) const CHARGE_PID: usize = 7;
pub(super) const CHARGE_START: usize = 8;
pub(super) const CHARGE_BOOT: usize = 9;
pub(super) const LOST: usize = 10;
pub(super) const RESTORED: usize = 11;

const HEAD: usize = 512;
/// Words of a record of either table.
pub(super) const RECORD: usize = 128;
/// How many stops can be in force.
pub const MOST_STOPS: usize = 128;
/// How many gateways one machine's state directory can have at a time.
pub const MOST_GATEWAYS: usize = 2_048;
const WORDS: usize = HEAD + (MOST_STOPS + MOST_GATEWAYS) * RECORD;

/// The mapped file.
#[derive(Debug)]
pub struct Board {
    words: SharedWords,
    file: File,
    path: PathBuf,
    identity: (u64, u64),
    boot: u64,
}

impl Board {
    /// That of this state directory, made where there is none.
    ///
    /// # Errors
    /// It can't be made or mapped, or is none.
    pub fn open(home: &Home) -> io::Result<Self> {
        let path = home.control().join("board");
        for _ in 0..8 {
            match Self::map(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => make(home, &path)?,
                board => return board,
            }
        }
        Err(io::Error::other("it is taken away again and again"))
    }

    /// That of this path, if it is there.
    pub(super) fn map(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let flags = (rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NOFOLLOW).bits();
        let file = options
            .read(true)
            .write(true)
            .custom_flags(flags.cast_signed())
            .open(path)?;
        let found = file.metadata()?;
        let words = SharedWords::map(&file, WORDS)?;
        if words.load(0) != MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is no board of this version",
            ));
        }
        Ok(Self {
            words,
            file,
            path: path.to_owned(),
            identity: (found.dev(), found.ino()),
            boot: boot(),
        })
    }

    /// Whether it is still the one that others find.
    pub(super) fn is_in_place(&self) -> bool {
        let found = std::fs::symlink_metadata(&self.path);
        found.is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn words(&self) -> &SharedWords {
        &self.words
    }

    /// What tells this boot from others.
    pub(super) fn boot(&self) -> u64 {
        self.boot
    }

    /// The number of the last change of what is stopped.
    pub(super) fn epoch(&self) -> u64 {
        self.words.load(EPOCH)
    }

    /// What is stopped has changed. Returns the new number.
    pub(super) fn change(&self) -> u64 {
        let epoch = self.words.increment(EPOCH);
        self.words.wake(EPOCH);
        epoch
    }

    /// Wait for a change after `seen`.
    pub(super) fn wait_for_change(&self, seen: u64, at_most: Duration) {
        self.words.wait(EPOCH, seen, at_most);
    }

    /// A gateway has something to tell.
    pub(super) fn tell(&self) {
        self.words.increment(ANSWERS);
        self.words.wake(ANSWERS);
    }

    /// Bring it to the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Where a stop's record begins.
    pub(super) fn stop(number: usize) -> usize {
        HEAD + number * RECORD
    }

    /// Where a gateway's record begins.
    pub(super) fn slot(number: usize) -> usize {
        HEAD + (MOST_STOPS + number) * RECORD
    }

    /// Write a text of at most so many words with its length before it.
    pub(super) fn put_text(&self, place: usize, words: usize, text: &str) {
        let room = words.saturating_sub(1) * 8;
        let mut end = text.len().min(room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let bytes = text.as_bytes().get(..end).unwrap_or_default();
        self.words.store(place, bytes.len() as u64);
        for (number, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0_u8; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.words.store(place + 1 + number, u64::from_le_bytes(word));
        }
    }

    /// Read a text of at most so many words.
    pub(super) fn text(&self, place: usize, words: usize) -> String {
        let room = words.saturating_sub(1) * 8;
        let length = usize::try_from(self.words.load(place)).unwrap_or(0).min(room);
        let mut bytes = Vec::with_capacity(length + 8);
        for number in 0..length.div_ceil(8) {
            bytes.extend_from_slice(&self.words.load(place + 1 + number).to_le_bytes());
        }
        bytes.truncate(length);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Make a board in one step: nobody ever finds half of one.
fn make(home: &Home, path: &Path) -> io::Result<()> {
    // Where there is a ledger and no board, one was lost, and gateways may still look at it.
    let lost = home.ledger().exists();
    home.make()?;
    let mut folder = DirBuilder::new();
    folder.recursive(true).mode(0o700).create(home.control())?;
    let draft = home.control().join(format!(".{}", crate::clock::salt()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    let born = if lost { [boot_now(), boot()] } else { [0, 0] };
    let made = fill(&mut file, born).and_then(|()| std::fs::hard_link(&draft, path));
    let _only_a_draft = std::fs::remove_file(&draft);
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn fill(file: &mut File, born: [u64; 2]) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    let bytes = WORDS as u64 * 8;
    match rustix::fs::fallocate(&*file, FallocateFlags::empty(), 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0_u8; WORDS * 8];
            file.write_all(&zeros)?;
        }
        done => done?,
    }
    file.write_all_at(&MAGIC.to_le_bytes(), 0)?;
    for (place, word) in [BORN, BORN_BOOT].into_iter().zip(born) {
        file.write_all_at(&word.to_le_bytes(), place as u64 * 8)?;
    }
    Ok(())
}

/// Nanoseconds since boot, sleep included: no change of the wall clock touches it.
#[must_use]
pub(super) fn boot_now() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(now.tv_nsec).unwrap_or(0))
}

/// The boot's id as a number, never 0.
fn boot() -> u64 {
    static BOOT: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *BOOT.get_or_init(|| {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        u64::from_str_radix(&digits, 16).unwrap_or(1).max(1)
    })
}

/// Nanoseconds of a duration.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// This process: its number and its start.
pub(super) fn own_process() -> (u64, u64) {
    let pid = std::process::id();
    (u64::from(pid), start_of(pid.cast_signed()))
}

/// The start of a process in ticks since boot; 0 where it is gone.
pub(super) fn start_of(pid: i32) -> u64 {
    rescind_sys::process_stat(pid).map_or(0, |(_, _, start)| start)
}

/// Whether a process of this number and start lives.
pub(super) fn is_alive(pid: u64, start: u64) -> bool {
    i32::try_from(pid).is_ok_and(|pid| pid > 0 && rescind_sys::process_lives(pid, start))
}
