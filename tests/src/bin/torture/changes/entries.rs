//! Changes of what a folder holds.

use rustix::fs::{CWD, FileType, Mode, RenameFlags, makedev, mknodat, renameat_with};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

pub fn rename(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join("text"), dir.join("dir/moved"))
}

pub fn rename_over_victim(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join("text"), dir.join("other"))
}

pub fn exchange_files(dir: &Path) -> io::Result<()> {
    Ok(renameat_with(
        CWD,
        dir.join("text"),
        CWD,
        dir.join("dir/inner"),
        RenameFlags::EXCHANGE,
    )?)
}

pub fn exchange_folders(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("new"))?;
    fs::write(dir.join("new/file"), "in the new one")?;
    Ok(renameat_with(
        CWD,
        dir.join("dir"),
        CWD,
        dir.join("new"),
        RenameFlags::EXCHANGE,
    )?)
}

pub fn rename_without_replacing(dir: &Path) -> io::Result<()> {
    let refused = renameat_with(
        CWD,
        dir.join("text"),
        CWD,
        dir.join("other"),
        RenameFlags::NOREPLACE,
    );
    if refused != Err(rustix::io::Errno::EXIST) {
        return Err(io::Error::other("NOREPLACE replaced"));
    }
    Ok(renameat_with(
        CWD,
        dir.join("text"),
        CWD,
        dir.join("free"),
        RenameFlags::NOREPLACE,
    )?)
}

pub fn rename_folder(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join("dir"), dir.join("renamed"))?;
    fs::write(dir.join("renamed/inner"), "changed after the move")?;
    fs::write(dir.join("renamed/deep/new"), "made after the move")
}

pub fn rename_in_a_circle(dir: &Path) -> io::Result<()> {
    for (from, to) in [
        ("text", "spare"),
        ("other", "text"),
        ("empty", "other"),
        ("spare", "empty"),
    ] {
        fs::rename(dir.join(from), dir.join(to))?;
    }
    Ok(())
}

pub fn rename_over_second_name(dir: &Path) -> io::Result<()> {
    fs::rename(dir.join("text"), dir.join("second-name"))
}

pub fn rename_over_empty_folder(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("hollow"))?;
    fs::rename(dir.join("dir"), dir.join("hollow"))
}

pub fn hard_link(dir: &Path) -> io::Result<()> {
    fs::hard_link(dir.join("text"), dir.join("dir/third-name"))
}

pub fn link_then_unlink_first(dir: &Path) -> io::Result<()> {
    fs::hard_link(dir.join("text"), dir.join("kept"))?;
    fs::remove_file(dir.join("text"))
}

pub fn unlink_hard_linked(dir: &Path) -> io::Result<()> {
    fs::remove_file(dir.join("binary"))
}

pub fn make_symlink(dir: &Path) -> io::Result<()> {
    symlink("../elsewhere", dir.join("new-link"))
}

pub fn replace_symlink(dir: &Path) -> io::Result<()> {
    fs::remove_file(dir.join("symlink"))?;
    symlink("other", dir.join("symlink"))?;
    symlink("empty", dir.join(".new"))?;
    fs::rename(dir.join(".new"), dir.join("dangling"))
}

pub fn file_becomes_symlink(dir: &Path) -> io::Result<()> {
    fs::remove_file(dir.join("text"))?;
    symlink("other", dir.join("text"))
}

pub fn remove_file(dir: &Path) -> io::Result<()> {
    ["text", "empty", "sparse", "dangling"]
        .iter()
        .try_for_each(|name| fs::remove_file(dir.join(name)))
}

pub fn remove_tree(dir: &Path) -> io::Result<()> {
    fs::remove_dir_all(dir)
}

pub fn make_folders(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("a/b/c/d"))?;
    fs::write(dir.join("a/b/c/d/file"), "deep")
}

pub fn make_folder_again(dir: &Path) -> io::Result<()> {
    fs::remove_dir_all(dir.join("dir"))?;
    fs::create_dir(dir.join("dir"))?;
    fs::write(dir.join("dir/inner"), "not the same")
}

pub fn swap_file_and_folder(dir: &Path) -> io::Result<()> {
    fs::remove_dir_all(dir.join("dir"))?;
    fs::rename(dir.join("text"), dir.join("dir"))?;
    fs::create_dir(dir.join("text"))?;
    fs::write(dir.join("text/file"), "a folder now")
}

pub fn move_into_child_then_remove(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("dir/log"))?;
    fs::rename(dir.join("text"), dir.join("dir/log/text"))?;
    fs::rename(dir.join("binary"), dir.join("dir/log/binary"))?;
    fs::remove_dir_all(dir.join("dir"))
}

pub fn create_then_remove(dir: &Path) -> io::Result<()> {
    fs::create_dir(dir.join("passing"))?;
    fs::rename(dir.join("text"), dir.join("passing/text"))?;
    fs::rename(dir.join("passing/text"), dir.join("back"))?;
    fs::remove_dir(dir.join("passing"))
}

pub fn fifo(dir: &Path) -> io::Result<()> {
    mknodat(
        CWD,
        dir.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )?;
    mknodat(
        CWD,
        dir.join("dir/fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )?;
    fs::remove_file(dir.join("dir/fifo"))
}

pub fn socket(dir: &Path) -> io::Result<()> {
    // By a relative name: a socket's path has room for 108 bytes only. Restored whatever happens.
    let before = std::env::current_dir()?;
    std::env::set_current_dir(dir)?;
    let bound = UnixListener::bind("socket").map(drop);
    std::env::set_current_dir(before)?;
    bound
}

pub fn device(dir: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "only root makes devices",
        ));
    }
    Ok(mknodat(
        CWD,
        dir.join("null"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o600),
        makedev(1, 3),
    )?)
}

pub fn awkward_names(dir: &Path) -> io::Result<()> {
    for name in [
        &b"with space"[..],
        b"with\nnewline",
        b"\xff\xfe not text",
        b"-rf",
        b"quote'\"`$(x)",
        b"\t",
        b"*",
    ] {
        let folder = dir.join(OsStr::from_bytes(name));
        fs::create_dir(&folder)?;
        fs::write(folder.join(OsStr::from_bytes(name)), name)?;
        fs::rename(dir.join("text"), folder.join("text"))?;
        fs::rename(folder.join("text"), dir.join("text"))?;
    }
    fs::rename(dir.join("other"), dir.join(OsStr::from_bytes(b"\xc3\x28\nother")))
}

pub fn long_names(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("n".repeat(255)), "a name of 255 bytes")?;
    fs::rename(dir.join("text"), dir.join("m".repeat(255)))
}

pub fn very_deep(dir: &Path) -> io::Result<()> {
    let mut path = dir.join("dir");
    for n in 0..40 {
        path.push(format!("level-{n}-{}", "x".repeat(40)));
        fs::create_dir(&path)?;
    }
    fs::write(path.join("file"), "far below")?;
    fs::rename(dir.join("dir"), dir.join("moved"))
}

pub fn many_small_files(dir: &Path) -> io::Result<()> {
    for n in 0..300 {
        fs::write(dir.join(format!("small-{n}")), format!("{n}"))?;
    }
    (0..300)
        .step_by(2)
        .try_for_each(|n| fs::remove_file(dir.join(format!("small-{n}"))))
}
