//! A mount namespace of our own (mount_namespaces(7), user_namespaces(7)), and overlays in it.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Enter a mount namespace of our own, from which nothing gets out and into which nothing comes. Without privileges a
/// user namespace is entered with it, in which this user and this group are themselves and nobody else has a name.
///
/// # Errors
/// There are other threads, or the kernel or its administrator allows no user namespaces.
pub fn enter_own_mounts(privileged: bool) -> io::Result<()> {
    let flags = if privileged {
        libc::CLONE_NEWNS
    } else {
        libc::CLONE_NEWUSER | libc::CLONE_NEWNS
    };
    enter(flags)?;
    mount(None, Path::new("/"), None, libc::MS_REC | libc::MS_PRIVATE, None)
}

/// Enter a user namespace in which this user and this group are themselves: what is theirs can be read and written
/// there whatever its permissions.
///
/// # Errors
/// As [`enter_own_mounts`].
pub fn enter_own_user() -> io::Result<()> {
    enter(libc::CLONE_NEWUSER)
}

fn enter(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: plain numbers.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: plain numbers.
    check(unsafe { libc::unshare(flags) })?;
    if flags & libc::CLONE_NEWUSER != 0 {
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    Ok(())
}

/// The folders of one overlay (overlayfs in the kernel's documentation). All are given by descriptor, so that no path of
/// theirs has to be quoted.
#[derive(Debug, Clone, Copy)]
pub struct Overlay<'f> {
    /// What is seen below.
    pub lower: BorrowedFd<'f>,
    /// Where changes go.
    pub upper: BorrowedFd<'f>,
    /// An empty folder on the upper one's file system.
    pub work: BorrowedFd<'f>,
}

/// Mount an overlay at `target`. With privileges its marks are attributes in the `trusted` name space and hard links
/// stay together; without, they are in the `user` name space.
///
/// # Errors
/// The file system of the upper folder can't be one, or the kernel refuses.
pub fn mount_overlay(overlay: Overlay<'_>, target: &Path, privileged: bool) -> io::Result<()> {
    let Overlay { lower, upper, work } = overlay;
    let marks = if privileged {
        "index=on,redirect_dir=off,metacopy=off"
    } else {
        "userxattr"
    };
    let options = format!(
        "lowerdir=/proc/self/fd/{},upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{},{marks},xino=on",
        lower.as_raw_fd(),
        upper.as_raw_fd(),
        work.as_raw_fd()
    );
    let source = Path::new("rescind-stage");
    mount(Some(source), target, Some("overlay"), 0, Some(&options))
}

/// Let what a descriptor is open on be seen at `target`, without what is mounted below it.
///
/// # Errors
/// The kernel refuses.
pub fn bind(source: BorrowedFd<'_>, target: &Path) -> io::Result<()> {
    let source = format!("/proc/self/fd/{}", source.as_raw_fd());
    mount(Some(Path::new(&source)), target, None, libc::MS_BIND, None)
}

fn mount(
    source: Option<&Path>,
    target: &Path,
    kind: Option<&str>,
    flags: libc::c_ulong,
    options: Option<&str>,
) -> io::Result<()> {
    let text = |bytes: &[u8]| CString::new(bytes).map_err(io::Error::other);
    let source = source
        .map(|source| text(source.as_os_str().as_bytes()))
        .transpose()?;
    let target = text(target.as_os_str().as_bytes())?;
    let kind = kind.map(|kind| text(kind.as_bytes())).transpose()?;
    let options = options.map(|options| text(options.as_bytes())).transpose()?;
    let pointer = |text: &Option<CString>| text.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
    // SAFETY: every pointer is null or to a NUL-terminated string that outlives the call.
    check(unsafe {
        libc::mount(
            pointer(&source),
            target.as_ptr(),
            pointer(&kind),
            flags,
            pointer(&options).cast(),
        )
    })
}
