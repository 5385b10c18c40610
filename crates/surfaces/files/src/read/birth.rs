//! Times of birth that don't last.
//!
//! On an overlay a file or folder is copied when it is changed for the first time: it keeps its number there and is born
//! anew. Its number alone says who it is.

use rustix::fs::{Mode, OFlags, StatFs, fstatfs, openat, statfs};
use std::collections::HashMap;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{LazyLock, PoisonError, RwLock};

const OVERLAY: u64 = 0x794c_7630;

/// Whether the inodes of a device keep their time of birth. `folder` and `name` (empty: the folder itself) lead to one of
/// them, which is asked the first time.
pub fn lasts(device: u64, folder: BorrowedFd<'_>, name: &[u8]) -> bool {
    lasts_by(device, || {
        if name.is_empty() {
            return fstatfs(folder).ok();
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(folder, name, flags, Mode::empty()).ok()?;
        fstatfs(opened.as_fd()).ok()
    })
}

/// The same for what a path leads to.
pub fn lasts_behind(device: u64, path: &str) -> bool {
    lasts_by(device, || statfs(path).ok())
}

fn lasts_by(device: u64, ask: impl FnOnce() -> Option<StatFs>) -> bool {
    static KNOWN: LazyLock<RwLock<HashMap<u64, bool>>> = LazyLock::new(RwLock::default);
    let known = KNOWN
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&device)
        .copied();
    known.unwrap_or_else(|| {
        let lasts = ask().is_none_or(|system| system.f_type as u64 & 0xffff_ffff != OVERLAY);
        KNOWN
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(device, lasts);
        lasts
    })
}
