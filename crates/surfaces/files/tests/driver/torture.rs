//! A tree with some of everything, and a session that does some of everything to it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use super::Bench;
use rustix::fs::{AtFlags, CWD, FileType, Mode, RenameFlags, Timespec, Timestamps, UTIME_OMIT, XattrFlags};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;

pub fn set_mtime(path: &Path, seconds: i64) {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: 123_456_789,
        },
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub fn exchange(one: &Path, other: &Path) {
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

pub fn mknod(path: &Path, kind: FileType, dev: u64) {
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o640), dev).unwrap();
}

pub fn xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A tree with some of everything, all times in the past.
pub fn tree() -> Bench {
    grow(Bench::new())
}

/// The same, in memory.
pub fn tree_in_memory() -> Bench {
    grow(Bench::in_memory())
}

fn grow(bench: Bench) -> Bench {
    bench.write("a", "one\ntwo\nthree\n");
    bench.write("b", "bee\n");
    bench.write("c", "sea\n");
    bench.write("empty", "");
    bench.write("d/x", "ex\n");
    bench.write("d/y", vec![7_u8; 100_000]);
    bench.write("d/e/z", "zed\n");
    bench.write("d/e/f/deep", "deep\n");
    bench.write("keep/me", "stay\n");
    fs::create_dir(bench.path("hollow")).unwrap();
    fs::hard_link(bench.path("c"), bench.path("d/c2")).unwrap();
    symlink("../nowhere", bench.path("d/dangling")).unwrap();
    mknod(&bench.path("fifo"), FileType::Fifo, 0);
    mknod(&bench.path("d/socket"), FileType::Socket, 0);
    let sparse = File::create(bench.path("sparse")).unwrap();
    sparse.set_len(3 << 20).unwrap();
    sparse.write_all_at(b"data in the middle", 1 << 20).unwrap();
    xattr(&bench.path("a"), "user.colour", b"blue");
    chmod(&bench.path("b"), 0o4711);
    for path in [
        "a",
        "b",
        "c",
        "empty",
        "d/x",
        "d/y",
        "d/dangling",
        "fifo",
        "sparse",
        "d/e/f/deep",
    ] {
        set_mtime(&bench.path(path), 1_000_000_000);
    }
    for path in ["d/e/f", "d/e", "d", "keep", "hollow", ""] {
        set_mtime(&bench.path(path), 900_000_000);
    }
    bench
}

pub fn everything(root: &Path) {
    fs::write(root.join("a"), "other\n").unwrap();
    fs::rename(root.join("d/e"), root.join("moved")).unwrap();
    fs::rename(root.join("moved/f"), root.join("d/f")).unwrap();
    fs::write(root.join("d/f/deep"), "deeper\n").unwrap();
    fs::write(root.join("moved/z"), "changed where it went\n").unwrap();
    exchange(&root.join("b"), &root.join("keep"));
    fs::remove_file(root.join("c")).unwrap();
    fs::write(root.join("d/c2"), "through the other link\n").unwrap();
    fs::hard_link(root.join("d/c2"), root.join("c3")).unwrap();
    fs::rename(root.join("d/y"), root.join("sparse")).unwrap();
    fs::remove_dir(root.join("hollow")).unwrap();
    fs::create_dir(root.join("hollow")).unwrap();
    fs::write(root.join("hollow/not"), "x").unwrap();
    chmod(&root.join("d"), 0o711);
    fs::remove_file(root.join("fifo")).unwrap();
    symlink("a", root.join("fifo")).unwrap();
    xattr(&root.join("a"), "user.more", b"yes");
}
