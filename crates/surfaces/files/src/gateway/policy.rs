//! What is decided before a change that can't be captured: refuse, or let pass and say so.

use super::touch::Refusal;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What to do with a change that can't be captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uncaptured {
    /// It fails with EPERM.
    Refuse,
    /// It goes on; its coverage says `not captured`.
    Allow,
}

/// The policy of the files surface, with what it has learnt of file systems.
#[derive(Debug)]
pub struct Policy {
    uncaptured: Uncaptured,
    file_systems: HashMap<u64, Option<String>>,
}

/// File systems whose files can be captured and brought back exactly (statfs(2) magic numbers).
const CAPTURED: [u64; 9] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0xca45_1a4e, // bcachefs
    0x8584_58f6, // ramfs
];
const PROC: u64 = 0x9fa0;
const DEVPTS: u64 = 0x1cd1;

impl Policy {
    /// The policy with this answer to what can't be captured.
    pub fn new(uncaptured: Uncaptured) -> Self {
        Self {
            uncaptured,
            file_systems: HashMap::new(),
        }
    }

    /// Whether a call that can't be captured may go on.
    pub fn lets_pass(&self) -> bool {
        self.uncaptured == Uncaptured::Allow
    }

    /// Whether a folder is on a file system that can be captured.
    ///
    /// # Errors
    /// [`Refusal::NotCaptured`] with the kind of file system; [`Refusal::Harmless`] for a process's own entries in
    /// `/proc` and for terminals.
    pub fn file_system(&mut self, folder: &OwnedFd, path: &[u8]) -> Result<(), Refusal> {
        let system = rustix::fs::fstatfs(folder)?;
        let magic = system.f_type as u64 & 0xffff_ffff;
        if CAPTURED.contains(&magic) {
            return Ok(());
        }
        if is_own_process(magic, path) {
            return Err(Refusal::Harmless);
        }
        let name = self
            .file_systems
            .entry(magic)
            .or_insert_with(|| Some(name_of(magic)));
        let name = name.clone().unwrap_or_default();
        Err(Refusal::NotCaptured(format!(
            "it is on {name}, which can't be captured"
        )))
    }

    /// Whether a folder is that of a process in `/proc`, or that of terminals: what is written there changes no file.
    pub fn is_of_processes(folder: &OwnedFd, path: &[u8]) -> bool {
        rustix::fs::fstatfs(folder)
            .is_ok_and(|system| is_own_process(system.f_type as u64 & 0xffff_ffff, path))
    }

    /// What to do with a folder that no mount of ours shows: a file system of the sandbox's own goes away with it, but an
    /// overlay writes through to folders elsewhere.
    pub fn private(folder: &OwnedFd) -> Refusal {
        const OVERLAY: u64 = 0x794c_7630;
        match rustix::fs::fstatfs(folder) {
            Ok(system) if system.f_type as u64 & 0xffff_ffff == OVERLAY => {
                Refusal::NotCaptured("it is on an overlay that the session mounted itself".to_owned())
            }
            _ => Refusal::Harmless,
        }
    }

    /// Whether a device may be written to without more ado: terminals and the devices that keep nothing.
    pub fn device_is_harmless(rdev: u64) -> bool {
        let (major, minor) = (rustix::fs::major(rdev), rustix::fs::minor(rdev));
        // null, zero, full, random, urandom, kmsg is not among them; tty, console, ptmx; ttys and pseudo-terminals.
        matches!(
            (major, minor),
            (1, 3 | 5 | 7 | 8 | 9) | (5, 0..=2) | (4, _) | (136..=143, _) | (10, 229)
        )
    }
}

fn is_own_process(magic: u64, path: &[u8]) -> bool {
    let process = path
        .strip_prefix(b"/proc/")
        .and_then(|rest| rest.first())
        .is_some_and(u8::is_ascii_digit);
    magic == DEVPTS || (magic == PROC && process)
}

/// Why a path is where nothing can be captured; `None`: it can, as far as its file system goes.
pub fn uncapturable(path: &Path) -> Option<String> {
    let there = path
        .ancestors()
        .find_map(|above| rustix::fs::statfs(above).ok())?;
    let magic = there.f_type as u64 & 0xffff_ffff;
    (!CAPTURED.contains(&magic)).then(|| format!("it is on {}, which can't be captured", name_of(magic)))
}

fn name_of(magic: u64) -> String {
    let known = match magic {
        PROC => "proc",
        0x6265_6572 => "sysfs",
        0x6573_5546 => "a FUSE file system",
        0x6969 => "NFS",
        0xff53_4d42 | 0xfe53_4d42 => "SMB",
        0x0102_1997 => "9p",
        0x0027_e0eb | 0x6367_7270 => "a cgroup file system",
        0x1980_0202 => "an mqueue file system",
        0x4d44 => "vfat",
        other => return format!("a file system of type {other:#x}"),
    };
    known.to_owned()
}
