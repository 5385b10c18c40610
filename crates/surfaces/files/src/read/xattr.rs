//! Extended attributes of a directory entry. There is no call that takes a folder and a name before Linux 6.13, so the
//! folder's descriptor is named through `/proc/self/fd`: a link that leads to it whatever its path has become. Most
//! entries have none, which newer kernels tell faster.

use rustix::fs::{getxattr, lgetxattr, listxattr, llistxattr};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;

/// The kernel's limit on a value (`XATTR_SIZE_MAX`), bytes, and on a list of names (`XATTR_LIST_MAX`).
pub const MAX_VALUE: usize = 65_536;

const SMALL: usize = 1_024;

/// Call `each` with the name and value of every extended attribute of `name` in `folder` (an empty name: of the folder).
///
/// # Errors
/// An attribute is there and can't be read.
pub fn xattrs(folder: BorrowedFd<'_>, name: &OsStr, each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    if !name.is_empty() && rescind_sys::has_attributes(folder, &CString::new(name.as_bytes())?) == Some(false)
    {
        return Ok(());
    }
    all(&entry(folder, name)?, Follow::No, each)
}

/// As [`xattrs`], of what a descriptor is open on (`O_PATH` will do).
pub(crate) fn xattrs_of(opened: BorrowedFd<'_>, each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let path = CString::new(format!("/proc/self/fd/{}", opened.as_raw_fd()))?;
    all(&path, Follow::Yes, each)
}

/// Whether the path ends in the link of a descriptor, which is to be followed, or in a name, which is not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    Yes,
    No,
}

fn all(path: &CStr, follow: Follow, mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let list = |buffer: &mut [u8]| match follow {
        Follow::Yes => listxattr(path, buffer),
        Follow::No => llistxattr(path, buffer),
    };
    let mut small = [0_u8; SMALL];
    let large;
    let names = match list(&mut small[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Ok(length) => small.get(..length).unwrap_or_default(),
        Err(Errno::RANGE) => {
            let mut buffer = vec![0_u8; MAX_VALUE];
            let length = list(&mut buffer[..])?;
            buffer.truncate(length);
            large = buffer;
            large.as_slice()
        }
        Err(error) => return Err(error.into()),
    };
    for name in names.split_inclusive(|byte| *byte == 0) {
        if let Ok(name) = CStr::from_bytes_with_nul(name) {
            value(path, follow, name, |value| each(name.to_bytes(), value))?;
        }
    }
    Ok(())
}

fn value(path: &CStr, follow: Follow, name: &CStr, each: impl FnOnce(&[u8])) -> io::Result<()> {
    let get = |buffer: &mut [u8]| match follow {
        Follow::Yes => getxattr(path, name, buffer),
        Follow::No => lgetxattr(path, name, buffer),
    };
    let mut small = [0_u8; SMALL];
    match get(&mut small[..]) {
        Ok(length) => each(small.get(..length).unwrap_or_default()),
        Err(Errno::RANGE) => {
            let mut large = vec![0_u8; MAX_VALUE];
            let length = get(&mut large[..])?;
            each(large.get(..length).unwrap_or_default());
        }
        // Taken away since it was listed.
        Err(Errno::NODATA) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The path of a folder's entry through the folder's descriptor.
fn entry(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(if name.is_empty() { b"." } else { name.as_bytes() });
    Ok(CString::new(path)?)
}
