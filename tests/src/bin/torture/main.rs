//! Every kind of change a program can make to a tree, each by its own function in its own folder.
//!
//! `torture prepare DIR`, then `torture wreck DIR [NAME...]`. Ends with 1 if a change could not be made, since what was
//! not done proves nothing; a change that this file system or user can't make says so as `left out`.

mod changes;

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::ExitCode;

pub use changes::CHANGES;

/// A kind of change.
pub struct Change {
    /// Its name, also that of its folder.
    pub name: &'static str,
    /// Make it, in its folder.
    pub make: fn(&Path) -> io::Result<()>,
}

/// What every folder holds at first.
fn prepare(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("dir/deep"))?;
    fs::write(dir.join("text"), "one\ntwo\nthree\n".repeat(40))?;
    let binary: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    fs::write(dir.join("binary"), &binary)?;
    fs::write(dir.join("empty"), "")?;
    fs::write(dir.join("other"), "the other file\n")?;
    fs::write(dir.join("dir/inner"), "inner\n")?;
    fs::write(dir.join("dir/deep/deeper"), "deeper\n")?;
    fs::hard_link(dir.join("binary"), dir.join("second-name"))?;
    symlink("text", dir.join("symlink"))?;
    symlink("nowhere", dir.join("dangling"))?;
    fs::set_permissions(dir.join("other"), fs::Permissions::from_mode(0o640))?;
    // Users' attributes are not on every file system.
    let _ = rustix::fs::setxattr(
        dir.join("text"),
        "user.note",
        b"kept",
        rustix::fs::XattrFlags::empty(),
    );
    let sparse = fs::File::create(dir.join("sparse"))?;
    sparse.set_len(1 << 20)?;
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 512 << 10)?;
    // Times that no clock would give, so that a restored time can't be right by chance.
    for (n, name) in [
        "text",
        "binary",
        "empty",
        "other",
        "sparse",
        "dir/inner",
        "dir/deep",
        "dir",
        ".",
    ]
    .iter()
    .enumerate()
    {
        let times = rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 1_000_000_000,
                tv_nsec: 1,
            },
            last_modification: rustix::fs::Timespec {
                tv_sec: 1_500_000_000 + n as i64,
                tv_nsec: 123_456_789,
            },
        };
        rustix::fs::utimensat(
            rustix::fs::CWD,
            dir.join(name),
            &times,
            rustix::fs::AtFlags::empty(),
        )?;
    }
    Ok(())
}

/// Whether this says that it can't be done here at all.
fn impossible_here(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOTTY))
}

fn wreck(root: &Path, only: &[String]) -> u8 {
    let (mut made, mut failed) = (0, 0);
    for change in CHANGES
        .iter()
        .filter(|change| only.is_empty() || only.iter().any(|name| name == change.name))
    {
        match (change.make)(&root.join(change.name)) {
            Ok(()) => {
                made += 1;
                println!("made {}", change.name);
            }
            Err(error) if impossible_here(&error) => println!("left out {}: {error}", change.name),
            Err(error) => {
                failed += 1;
                println!("failed {}: {error}", change.name);
            }
        }
    }
    println!("{made} kinds of change made, {failed} failed");
    u8::from(failed > 0)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["prepare", root] => {
            for change in CHANGES {
                if let Err(error) = prepare(&Path::new(root).join(change.name)) {
                    eprintln!("{}: {error}", change.name);
                    return ExitCode::FAILURE;
                }
            }
            ExitCode::SUCCESS
        }
        ["wreck", root, ..] => ExitCode::from(wreck(Path::new(root), &arguments[2..])),
        ["manifest", root] => {
            let manifest = rescind_scenarios::Manifest::of(Path::new(root), &[]);
            manifest.lines().iter().for_each(|line| println!("saw {line}"));
            ExitCode::SUCCESS
        }
        ["list"] => {
            CHANGES.iter().for_each(|change| println!("{}", change.name));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: torture prepare DIR | wreck DIR [NAME...] | manifest DIR | list");
            ExitCode::from(2)
        }
    }
}
