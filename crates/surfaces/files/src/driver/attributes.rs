//! Bringing the properties of an inode to those of a state: owner, permissions, extended attributes, flags, time.

use super::crash;
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use rescind_model::{Fields, Value};
use rustix::fs::{
    AtFlags, Gid, IFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, openat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

/// An inode, held open so that nothing else can come under our hands, and what it is now.
#[derive(Debug)]
pub(crate) struct Inode {
    opened: OwnedFd,
    path: CString,
    pub(crate) look: Look,
}

impl Inode {
    /// Hold the inode behind a name, not followed if it is a link.
    pub(crate) fn hold(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = if name.is_empty() { OsStr::new(".") } else { name };
        let opened = openat(folder, name, flags, Mode::empty())?;
        let look = read::look_at(opened.as_fd())?;
        let path = CString::new(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
        Ok(Self { opened, path, look })
    }

    /// Bring it from what it is to what `target` says, the time of change last. What the system refuses to give back to
    /// us (an owner, an attribute that only root may set) stays as it is: reading it back shows it.
    pub(crate) fn bring(&mut self, target: &Fields) -> io::Result<()> {
        self.unlock(target)?;
        self.owner(target)?;
        crash::point();
        if matches!(self.look.kind, Kind::File | Kind::Dir) {
            self.xattrs(target)?;
            crash::point();
        }
        if self.look.kind != Kind::Symlink
            && let Some(mode) = mode(target)
        {
            // Always where an ACL or an owner was set: both change the mode.
            if mode != read::look_at(self.opened.as_fd())?.mode {
                allowed(rustix::fs::chmod(self.path.as_c_str(), Mode::from_raw_mode(mode)))?;
            }
        }
        crash::point();
        if let Some(mtime) = target.int(state::MTIME)
            && mtime != read::look_at(self.opened.as_fd())?.mtime
        {
            self.set_mtime(mtime)?;
        }
        self.flags(target)?;
        self.look = read::look_at(self.opened.as_fd())?;
        Ok(())
    }

    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::chmod(
            self.path.as_c_str(),
            Mode::from_raw_mode(mode),
        )?)
    }

    pub(crate) fn set_mtime(&self, mtime: i64) -> io::Result<()> {
        let times = mtime_only(mtime);
        let folder = rustix::fs::CWD;
        allowed(rustix::fs::utimensat(
            folder,
            self.path.as_c_str(),
            &times,
            AtFlags::empty(),
        ))
    }

    fn owner(&self, target: &Fields) -> io::Result<()> {
        let wanted = |field, now: u32| id(target, field).filter(|id| *id != now);
        let (uid, gid) = (
            wanted(state::UID, self.look.uid),
            wanted(state::GID, self.look.gid),
        );
        if uid.is_none() && gid.is_none() {
            return Ok(());
        }
        let flags = AtFlags::EMPTY_PATH;
        let both = rustix::fs::chownat(
            &self.opened,
            c"",
            uid.map(Uid::from_raw),
            gid.map(Gid::from_raw),
            flags,
        );
        if both == Err(Errno::PERM) && uid.is_some() && gid.is_some() {
            // The group may be ours to give even where the owner is not.
            return allowed(rustix::fs::chownat(
                &self.opened,
                c"",
                None,
                gid.map(Gid::from_raw),
                flags,
            ));
        }
        allowed(both)
    }

    fn xattrs(&self, target: &Fields) -> io::Result<()> {
        let mut now = BTreeMap::new();
        read::xattrs_of(self.opened.as_fd(), |name, value| {
            now.insert(name.to_vec(), value.to_vec());
        })?;
        for (field, value) in target.iter() {
            let (Some(name), Value::Bytes(value)) = (state::xattr_name(field), value) else {
                continue;
            };
            if now.remove(&name).as_ref() != Some(value) {
                let name = CString::new(name)?;
                let set = rustix::fs::setxattr(self.path.as_c_str(), &name, value, XattrFlags::empty());
                allowed(set)?;
            }
        }
        for name in now.into_keys() {
            let name = CString::new(name)?;
            match rustix::fs::removexattr(self.path.as_c_str(), &name) {
                Err(Errno::NODATA) => {}
                other => allowed(other)?,
            }
        }
        Ok(())
    }

    /// Take away the flags that forbid changes (immutable, append only) where the target has other flags.
    fn unlock(&self, target: &Fields) -> io::Result<()> {
        if target.int(state::FLAGS).is_none() {
            return Ok(());
        }
        let locks = IFlags::IMMUTABLE | IFlags::APPEND;
        self.with_flags(|now| now.difference(locks))
    }

    fn flags(&self, target: &Fields) -> io::Result<()> {
        let Some(flags) = target
            .int(state::FLAGS)
            .and_then(|flags| u32::try_from(flags).ok())
        else {
            return Ok(());
        };
        self.with_flags(|_| IFlags::from_bits_retain(flags))
    }

    fn with_flags(&self, change: impl Fn(IFlags) -> IFlags) -> io::Result<()> {
        if !matches!(self.look.kind, Kind::File | Kind::Dir) {
            return Ok(());
        }
        let how = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = rustix::fs::open(self.path.as_c_str(), how, Mode::empty())?;
        let now = rustix::fs::ioctl_getflags(&opened)?;
        let new = change(now);
        if new == now {
            return Ok(());
        }
        allowed(rustix::fs::ioctl_setflags(&opened, new))
    }
}

/// The permissions a state asks for.
pub(crate) fn mode(target: &Fields) -> Option<u32> {
    u32::try_from(target.int(state::MODE)?).ok()
}

/// An owner or group.
pub(crate) fn id(target: &Fields, field: &str) -> Option<u32> {
    u32::try_from(target.int(field)?).ok()
}

/// A time of change for `utimensat`, the time of access left as it is.
pub(crate) fn mtime_only(mtime: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.div_euclid(1_000_000_000),
            tv_nsec: mtime.rem_euclid(1_000_000_000),
        },
    }
}

/// What the system keeps to itself (an owner for root to give, an attribute it does not let us set) is no failure of
/// the step: the rest is brought back, and reading back shows what was not.
pub(crate) fn allowed(result: Result<(), Errno>) -> io::Result<()> {
    match result {
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}
