//! Entering a stage: own mounts, an overlay over each unit, and rescind's own folder as it really is.

use super::error::StageError;
use super::layout::{LeftOut, Stage, Unit};
use super::mounts::{self, Plan};
use super::same;
use crate::read;
use rescind_sys::Overlay;
use rustix::fs::{Access, AtFlags, Mode, OFlags, accessat, openat};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A stage that this process is on.
#[derive(Debug, Clone)]
pub struct Entered {
    /// Its description, which is on disk, too.
    pub stage: Stage,
    /// The devices of its overlays, major in the upper half.
    pub devices: HashSet<u64>,
}

/// Put this process, and all it will start, on a new stage in the folder `root`, which lies below `own`: the folder that
/// is seen as it really is. Must be called before any thread is started.
///
/// # Errors
/// [`StageError`]. The process may be in a mount namespace of its own then, and should end; nothing real was changed.
pub fn enter(root: &Path, own: &Path) -> Result<Entered, StageError> {
    let no_mounts = |source| StageError::NoMounts { source };
    let here = std::env::current_dir().map_err(StageError::path("."))?;
    std::fs::create_dir_all(root).map_err(StageError::path(root))?;
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o700)).map_err(StageError::path(root))?;
    let own = own.canonicalize().map_err(StageError::path(own))?;
    let root = root.canonicalize().map_err(StageError::path(root))?;
    let mut privileged = rustix::process::geteuid().is_root();
    match rescind_sys::enter_own_mounts(privileged) {
        // Root in a container, without the right to mount.
        Err(error) if privileged && error.kind() == io::ErrorKind::PermissionDenied => {
            privileged = false;
            rescind_sys::enter_own_mounts(false).map_err(no_mounts)?;
        }
        entered => entered.map_err(no_mounts)?,
    }
    let plan = mounts::plan(&mounts::mounted(), privileged);
    let own_folder = open_folder(&own).map_err(StageError::path(&own))?;
    let mut entered = Entered {
        stage: Stage {
            root,
            units: Vec::new(),
            trusted: privileged,
            left_out: plan.left_out.clone(),
        },
        devices: HashSet::new(),
    };
    entered.mount_all(&plan, privileged)?;
    // What could not be written to anyway is not missed.
    entered
        .stage
        .left_out
        .retain(|left| accessat(rustix::fs::CWD, &left.at, Access::WRITE_OK, AtFlags::EACCESS).is_ok());
    rescind_sys::bind(own_folder.as_fd(), &own).map_err(StageError::path(&own))?;
    std::env::set_current_dir(&here).map_err(StageError::path(&here))?;
    entered.stage.write()?;
    Ok(entered)
}

impl Entered {
    fn mount_all(&mut self, plan: &Plan, privileged: bool) -> Result<(), StageError> {
        // What lies below is opened before what lies above covers it, the stage's own folders included.
        let layers: Vec<io::Result<Layers>> = plan
            .units
            .iter()
            .enumerate()
            .map(|(number, at)| self.layers(number, at, privileged))
            .collect();
        let through: Vec<io::Result<OwnedFd>> = plan.through.iter().map(|at| open(at)).collect();
        let mut first: Option<StageError> = None;
        for (at, layers) in plan.units.iter().zip(layers) {
            let mounted = layers.and_then(|layers| self.mount(at, &layers, privileged));
            if let Err(source) = mounted {
                self.stage.left_out.push(LeftOut {
                    at: at.clone(),
                    why: format!("no overlay can be mounted over it ({source})"),
                });
                let at = at.clone();
                first.get_or_insert(StageError::NoOverlay { at, source });
            }
        }
        for (at, source) in plan.through.iter().zip(through) {
            let _nothing_is_seen_there_then = source.and_then(|source| rescind_sys::bind(source.as_fd(), at));
        }
        match first {
            Some(error) if self.stage.units.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    fn layers(&self, number: usize, at: &Path, privileged: bool) -> io::Result<Layers> {
        let unit = Unit {
            number,
            at: at.to_owned(),
        };
        let (upper, work) = (self.stage.upper(&unit), self.stage.work(&unit));
        std::fs::create_dir_all(&upper)?;
        std::fs::create_dir_all(&work)?;
        let layers = Layers {
            unit,
            lower: open_folder(at)?,
            upper: open_folder(&upper)?,
            work: open_folder(&work)?,
        };
        dress(&layers.lower, &layers.upper, privileged)?;
        Ok(layers)
    }

    fn mount(&mut self, at: &Path, layers: &Layers, privileged: bool) -> io::Result<()> {
        let overlay = Overlay {
            lower: layers.lower.as_fd(),
            upper: layers.upper.as_fd(),
            work: layers.work.as_fd(),
        };
        rescind_sys::mount_overlay(overlay, at, privileged)?;
        self.devices
            .insert(read::look_at(open_folder(at)?.as_fd())?.identity.dev);
        self.stage.units.push(layers.unit.clone());
        Ok(())
    }
}

/// What an overlay is made of.
struct Layers {
    unit: Unit,
    lower: OwnedFd,
    upper: OwnedFd,
    work: OwnedFd,
}

/// Give the top of an overlay what the folder below has: it is the one that is seen.
fn dress(lower: &OwnedFd, upper: &OwnedFd, privileged: bool) -> io::Result<()> {
    let look = read::look_at(lower.as_fd())?;
    let path = format!("/proc/self/fd/{}", upper.as_raw_fd());
    let mut mode = look.mode;
    if privileged {
        std::os::unix::fs::chown(&path, Some(look.uid), Some(look.gid))?;
    } else if accessat(lower, c".", Access::WRITE_OK, AtFlags::EACCESS).is_err() {
        // It becomes ours: what could not be written to before can't be on the stage.
        mode &= !0o222;
    }
    for (name, value) in same::attributes_of(lower.as_fd(), OsStr::new(""))? {
        let _kept_by_the_kernel_for_itself = rustix::fs::setxattr(
            &path,
            OsStr::from_bytes(&name),
            &value,
            rustix::fs::XattrFlags::empty(),
        );
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    same::set_mtime(rustix::fs::CWD, OsStr::new(&path), look.mtime, true)
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    Ok(openat(rustix::fs::CWD, path, flags, Mode::empty())?)
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(rustix::fs::CWD, path, flags, Mode::empty())?)
}
