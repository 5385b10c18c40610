//! Making inodes: a file directly at its place, anything under a temporary name.

use super::attributes::{Inode, allowed, id, mode, mtime_only};
use super::folders::Opened;
use super::{Stop, Undoing, crash, half};
use crate::cell::Cell;
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use rescind_model::{Content, Digest, Fields, State, Value};
use rescind_supervisor::Bodies;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, openat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// What all temporary names begin with.
pub(crate) const PREFIX: &[u8] = b".rescind-";

/// Temporary names for one cell, next to it. They tell what they are for, so that whoever finds one after a crash knows
/// what to do with it:
///
/// - `.rescind-<cell>.new`: being made, ours, of no worth.
/// - `.rescind-<cell>-<made>-<found>.swap`: complete and about to change places with what was found in the cell, or
///   that, after they did. What it is, its mark tells.
/// - `.rescind-<cell>-<found>.aside`: what was found in the cell and lives on: the driver's notes tell where it goes.
/// - `.rescind-<cell>-<found>.out`: what was found in the cell, on its way out.
pub(crate) struct Temporary(String);

/// A mark of an inode in the state in which it was looked at.
fn mark(look: &Look) -> String {
    let (identity, size, mtime) = (look.identity, look.size, look.mtime);
    let size = if look.kind == Kind::Dir { 0 } else { size };
    let text = format!("{}:{}:{size}:{mtime}", identity.ino, identity.btime);
    short(text.as_bytes())
}

fn short(bytes: &[u8]) -> String {
    let mut hex = Digest::of(bytes).hex();
    hex.truncate(16);
    hex
}

impl Temporary {
    pub(crate) fn of(cell: &Cell) -> Self {
        Self(short(&cell.resource().key))
    }

    pub(crate) fn new_name(&self) -> OsString {
        self.name(".new")
    }

    pub(crate) fn swap_name(&self, made: &Look, found: &Look) -> OsString {
        self.name(&format!("-{}-{}.swap", mark(made), mark(found)))
    }

    pub(crate) fn out_name(&self, found: &Look) -> OsString {
        self.name(&format!("-{}.out", mark(found)))
    }

    pub(crate) fn aside_name(&self, found: &Look) -> OsString {
        self.name(&format!("-{}.aside", mark(found)))
    }

    /// Whether a temporary name is for this cell.
    pub(crate) fn is_of(&self, name: &[u8]) -> bool {
        name.strip_prefix(PREFIX)
            .is_some_and(|rest| rest.starts_with(self.0.as_bytes()))
    }

    /// Whether `cell`, from a temporary name, stands for this cell.
    pub(crate) fn is(&self, cell: &str) -> bool {
        self.0 == cell
    }

    fn name(&self, rest: &str) -> OsString {
        let name = [PREFIX, self.0.as_bytes(), rest.as_bytes()].concat();
        OsString::from_vec(name)
    }
}

/// What a temporary name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Of no worth.
    New,
    /// One of the two that were to change places; `true`: the one that was made, or that was found: both ours to remove.
    Swap(bool),
    /// What was found in the cell; `true`: as it was found.
    Out(bool),
}

/// Read a temporary name back, given what is there; with the part of it that stands for the cell.
pub(crate) fn leftover<'a>(name: &'a [u8], look: &Look) -> Option<(Leftover, &'a str)> {
    let rest = std::str::from_utf8(name.strip_prefix(PREFIX)?).ok()?;
    let (cell, rest) = rest.split_at_checked(16)?;
    if rest == ".new" {
        return Some((Leftover::New, cell));
    }
    // What has another link is not lost with this one, whatever was written through that.
    let linked = look.kind != Kind::Dir && look.nlink > 1;
    let own = mark(look);
    if let Some(marks) = rest.strip_suffix(".swap") {
        return Some((
            Leftover::Swap(linked || marks.split('-').any(|mark| mark == own)),
            cell,
        ));
    }
    let found = rest.strip_suffix(".out")?;
    Some((
        Leftover::Out(linked || found.trim_start_matches('-') == own),
        cell,
    ))
}

impl Undoing {
    /// Whether a file can be made directly at its place: nothing has to be set for which its mode must be known before.
    pub(crate) fn is_plain(folder: &Opened, target: &Fields) -> bool {
        let plain = |(name, _): (&str, &Value)| !name.starts_with(state::XATTR) && name != state::FLAGS;
        !folder.inherits && target.iter().all(plain)
    }

    /// Make a regular file at `name`, where there is nothing, from bytes that the vault has. See [`half`] for what is
    /// there until it is complete.
    pub(crate) fn make_file(
        &self,
        folder: &Opened,
        name: &OsStr,
        target: &Fields,
        bodies: &dyn Bodies,
    ) -> Result<Look, Stop> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder.fd(), name, flags, Mode::from_raw_mode(half::MODE))?);
        crash::point();
        let made = write_body(&file, target, bodies)
            .and_then(|()| Ok(self.complete(folder, &file, target)?))
            .and_then(|look| whole(look, target));
        match made {
            Ok(look) => Ok(look),
            Err(stop) => {
                // What was announced is not done; half a file is no use to anybody.
                rustix::fs::unlinkat(folder.fd(), name, AtFlags::empty())?;
                Err(stop)
            }
        }
    }

    /// Owner, time, and mode last: by it others see the file.
    fn complete(&self, folder: &Opened, file: &File, target: &Fields) -> io::Result<Look> {
        let setgid = folder.look.mode & 0o2000 != 0;
        let born_gid = if setgid { folder.look.gid } else { self.egid };
        let uid = id(target, state::UID).filter(|uid| *uid != self.euid);
        let gid = id(target, state::GID).filter(|gid| *gid != born_gid);
        if uid.is_some() || gid.is_some() {
            let gid = gid.map(Gid::from_raw);
            let both = rustix::fs::fchown(file, uid.map(Uid::from_raw), gid);
            if both == Err(Errno::PERM) {
                allowed(rustix::fs::fchown(file, None, gid))?;
            } else {
                allowed(both)?;
            }
        }
        crash::point();
        if let Some(mtime) = target.int(state::MTIME) {
            rustix::fs::futimens(file, &mtime_only(mtime))?;
        }
        crash::point();
        let mode = mode(target).unwrap_or(0o600);
        rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
        crash::point();
        read::look_at(file.as_fd())
    }

    /// Make what `target` says under a temporary name, complete with all its properties; a folder, with the owner's
    /// permissions to fill it.
    pub(crate) fn build(
        &self,
        folder: &Opened,
        name: &OsStr,
        target: &Fields,
        bodies: &dyn Bodies,
    ) -> Result<Look, Stop> {
        let made = match self.build_bare(folder, name, target, bodies) {
            // Left by an attempt that a crash ended.
            Err(Stop::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                discard(folder, name)?;
                self.build_bare(folder, name, target, bodies)
            }
            other => other,
        };
        made?;
        finish_build(folder, name, target)
    }

    fn build_bare(
        &self,
        folder: &Opened,
        name: &OsStr,
        target: &Fields,
        bodies: &dyn Bodies,
    ) -> Result<(), Stop> {
        let lost = |what: &str| Stop::BodyLost(format!("its {what} was not saved"));
        let kind = state::kind_of(target).ok_or_else(|| lost("kind"))?;
        let private = Mode::from_raw_mode(0o600);
        let node = |kind: FileType, dev: u64| rustix::fs::mknodat(folder.fd(), name, kind, private, dev);
        match kind {
            Kind::File => return self.build_file(folder, name, target, bodies),
            Kind::Dir => rustix::fs::mkdirat(folder.fd(), name, Mode::from_raw_mode(0o700))?,
            Kind::Symlink => {
                let Some(Value::Bytes(path)) = target.get(state::TARGET) else {
                    return Err(lost("target"));
                };
                rustix::fs::symlinkat(OsStr::from_bytes(path), folder.fd(), name)?;
            }
            Kind::Fifo => node(FileType::Fifo, 0)?,
            Kind::Socket => node(FileType::Socket, 0)?,
            Kind::Char => node(
                FileType::CharacterDevice,
                device(target).ok_or_else(|| lost("number"))?,
            )?,
            Kind::Block => node(
                FileType::BlockDevice,
                device(target).ok_or_else(|| lost("number"))?,
            )?,
        }
        Ok(())
    }

    fn build_file(
        &self,
        folder: &Opened,
        name: &OsStr,
        target: &Fields,
        bodies: &dyn Bodies,
    ) -> Result<(), Stop> {
        if Self::link_pin(folder, name, target, bodies)? {
            return Ok(());
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(folder.fd(), name, flags, Mode::from_raw_mode(0o600))?);
        let written = write_body(&file, target, bodies);
        if written.is_err() {
            discard(folder, name)?;
        }
        written
    }

    /// If the body was kept as the very file, put it under `name`.
    pub(crate) fn link_pin(
        folder: &Opened,
        name: &OsStr,
        target: &Fields,
        bodies: &dyn Bodies,
    ) -> Result<bool, Stop> {
        let body = target.content(state::CONTENT);
        let Some((body, kept)) = body.and_then(|body| body.kept.as_ref().map(|kept| (body, kept))) else {
            return Ok(false);
        };
        let linked = match bodies.link(kept, folder.fd(), name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                discard(folder, name)?;
                bodies.link(kept, folder.fd(), name)
            }
            other => other,
        };
        match linked {
            Ok(true) => check_length(folder, name, body).map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => Err(Stop::BodyLost(error.to_string())),
        }
    }
}

/// Give what was built its properties; a folder, with the owner's permissions to fill it.
pub(crate) fn finish_build(folder: &Opened, name: &OsStr, target: &Fields) -> Result<Look, Stop> {
    crash::point();
    let finish = || {
        let mut inode = Inode::hold(folder.fd(), name)?;
        inode.bring(&fillable(target, inode.look.kind))?;
        whole(inode.look, target)
    };
    let finished: Result<Look, Stop> = finish();
    if finished.is_err() {
        discard(folder, name)?;
    }
    finished
}

/// Take away what is under a temporary name of ours.
pub(crate) fn discard(folder: &Opened, name: &OsStr) -> Result<(), Stop> {
    let gone = match rustix::fs::unlinkat(folder.fd(), name, AtFlags::empty()) {
        Err(Errno::ISDIR) => rustix::fs::unlinkat(folder.fd(), name, AtFlags::REMOVEDIR),
        other => other,
    };
    crash::point();
    match gone {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Write the body that `target` asks for into an empty file.
pub(crate) fn write_body(file: &File, target: &Fields, bodies: &dyn Bodies) -> Result<(), Stop> {
    let Some(body) = target.content(state::CONTENT).filter(|body| body.length > 0) else {
        return Ok(());
    };
    let Some(kept) = &body.kept else {
        return Err(Stop::BodyLost("its content was not saved".to_owned()));
    };
    bodies.copy_to(kept, file).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Stop::Io(error)
        }
        _ => Stop::BodyLost(error.to_string()),
    })?;
    crash::point();
    Ok(())
}

/// What was made, if it is as long as it should be.
pub(crate) fn whole(look: Look, target: &Fields) -> Result<Look, Stop> {
    let length = target.content(state::CONTENT).map(|body| body.length);
    match length {
        Some(length) if length != look.size => {
            let why = format!("{} bytes were saved of {length}", look.size);
            Err(Stop::BodyLost(why))
        }
        _ => Ok(look),
    }
}

fn check_length(folder: &Opened, name: &OsStr, body: &Content) -> Result<(), Stop> {
    let length = read::look(folder.fd(), name)?.map(|look| look.size);
    if length == Some(body.length) {
        return Ok(());
    }
    discard(folder, name)?;
    Err(Stop::BodyLost(
        "it was written to after it had been saved".to_owned(),
    ))
}

/// A folder's properties with the permissions that filling it needs; [`super::finish`] sets those it should have.
pub(crate) fn fillable(target: &Fields, kind: Kind) -> Fields {
    match (kind, target.int(state::MODE)) {
        (Kind::Dir, Some(mode)) => target.clone().with(state::MODE, Value::Int(mode | 0o700)),
        _ => target.clone(),
    }
}

fn device(target: &Fields) -> Option<u64> {
    let number = target.int(state::RDEV)?.cast_unsigned();
    let (major, minor) = (
        u32::try_from(number >> 32).ok()?,
        u32::try_from(number & 0xffff_ffff).ok()?,
    );
    Some(rustix::fs::makedev(major, minor))
}

/// The target as a state, with the stamp that its body has now.
pub(crate) fn as_left(target: &State, look: &Look) -> State {
    match state::content(target) {
        Some(body) => {
            let stamp = Some(state::stamp(look));
            state::with_content(
                target,
                Content {
                    stamp,
                    ..body.clone()
                },
            )
        }
        None => target.clone(),
    }
}
