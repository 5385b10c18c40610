//! Changes of what a file is besides its content.

use rustix::fs::{AtFlags, CWD, Gid, IFlags, Timespec, Timestamps, Uid, XattrFlags};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

pub fn mode(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir.join("text"), Permissions::from_mode(0o4755))?;
    // Through the link: chmod follows it.
    fs::set_permissions(dir.join("symlink"), Permissions::from_mode(0o711))
}

pub fn mode_zero(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir.join("other"), Permissions::from_mode(0o0))
}

pub fn folder_mode(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("dir/inner"), "changed first")?;
    fs::set_permissions(dir.join("dir"), Permissions::from_mode(0o1500))
}

pub fn mode_by_descriptor(dir: &Path) -> io::Result<()> {
    File::open(dir.join("text"))?.set_permissions(Permissions::from_mode(0o600))
}

pub fn set_group_bit(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir.join("dir"), Permissions::from_mode(0o2775))?;
    fs::create_dir(dir.join("dir/inherits"))
}

fn only_root() -> io::Result<()> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "only root gives files away",
        )),
    }
}

pub fn owner(dir: &Path) -> io::Result<()> {
    only_root()?;
    std::os::unix::fs::chown(dir.join("text"), Some(4321), Some(1234))?;
    std::os::unix::fs::fchown(File::open(dir.join("dir"))?, Some(4321), None)
}

pub fn owner_of_symlink(dir: &Path) -> io::Result<()> {
    only_root()?;
    let (user, group) = (Some(Uid::from_raw(99)), Some(Gid::from_raw(98)));
    Ok(rustix::fs::chownat(
        CWD,
        dir.join("symlink"),
        user,
        group,
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

fn times() -> Timestamps {
    let time = Timespec {
        tv_sec: 86_400,
        tv_nsec: 987_654_321,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

pub fn times_by_path(dir: &Path) -> io::Result<()> {
    rustix::fs::utimensat(CWD, dir.join("text"), &times(), AtFlags::empty())?;
    Ok(rustix::fs::utimensat(
        CWD,
        dir.join("dir"),
        &times(),
        AtFlags::empty(),
    )?)
}

pub fn times_by_descriptor(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::futimens(File::open(dir.join("binary"))?, &times())?)
}

pub fn times_of_symlink(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::utimensat(
        CWD,
        dir.join("dangling"),
        &times(),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

pub fn extended_attribute(dir: &Path) -> io::Result<()> {
    rustix::fs::setxattr(dir.join("text"), "user.note", b"changed", XattrFlags::empty())?;
    rustix::fs::setxattr(dir.join("dir"), "user.binary", &[0, 1, 255], XattrFlags::CREATE)?;
    rustix::fs::setxattr(dir.join("other"), "user.passing", b"x", XattrFlags::empty())?;
    Ok(rustix::fs::removexattr(dir.join("other"), "user.passing")?)
}

pub fn extended_attribute_by_descriptor(dir: &Path) -> io::Result<()> {
    let file = File::open(dir.join("text"))?;
    rustix::fs::fsetxattr(&file, "user.second", &[b'v'; 1000], XattrFlags::empty())?;
    Ok(rustix::fs::fremovexattr(&file, "user.note")?)
}

/// An access list as the kernel takes it (linux/posix_acl_xattr.h): version 2, then tag, permissions and id of each entry.
fn list(user: u32) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    let none = u32::MAX;
    for (tag, permissions, id) in [
        (1, 6, none),
        (2, 7, user),
        (4, 4, none),
        (0x10, 7, none),
        (0x20, 0, none),
    ] {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(permissions));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

pub fn access_list(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::setxattr(
        dir.join("text"),
        "system.posix_acl_access",
        &list(4242),
        XattrFlags::empty(),
    )?)
}

pub fn default_access_list(dir: &Path) -> io::Result<()> {
    rustix::fs::setxattr(
        dir.join("dir"),
        "system.posix_acl_default",
        &list(4242),
        XattrFlags::empty(),
    )?;
    fs::write(dir.join("dir/inherits"), "takes the list over")
}

pub fn inode_flags(dir: &Path) -> io::Result<()> {
    let file = File::open(dir.join("text"))?;
    let flags = rustix::fs::ioctl_getflags(&file)?;
    rustix::fs::ioctl_setflags(&file, flags | IFlags::NODUMP | IFlags::NOATIME)?;
    match rustix::fs::ioctl_getflags(&file)?.contains(IFlags::NODUMP) {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the flag did not stay",
        )),
    }
}
