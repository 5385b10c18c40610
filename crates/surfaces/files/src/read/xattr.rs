//! Extended attributes of a directory entry. There is no call that takes a folder and a name before Linux 6.13, so the
//! folder's descriptor is named through `/proc/self/fd`: a link that leads to it whatever its path has become.

use rustix::fs::{lgetxattr, llistxattr};
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
pub fn xattrs(folder: BorrowedFd<'_>, name: &OsStr, mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    let path = path(folder, name)?;
    let mut small = [0_u8; SMALL];
    let large;
    let names = match llistxattr(path.as_c_str(), &mut small[..]) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(()),
        Ok(length) => small.get(..length).unwrap_or_default(),
        Err(Errno::RANGE) => {
            let mut buffer = vec![0_u8; MAX_VALUE];
            let length = llistxattr(path.as_c_str(), &mut buffer[..])?;
            buffer.truncate(length);
            large = buffer;
            large.as_slice()
        }
        Err(error) => return Err(error.into()),
    };
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        value(&path, name, |value| each(name.to_bytes(), value))?;
    }
    Ok(())
}

fn value(path: &CStr, name: &CStr, each: impl FnOnce(&[u8])) -> io::Result<()> {
    let mut small = [0_u8; SMALL];
    match lgetxattr(path, name, &mut small[..]) {
        Ok(length) => each(small.get(..length).unwrap_or_default()),
        Err(Errno::RANGE) => {
            let mut large = vec![0_u8; MAX_VALUE];
            let length = lgetxattr(path, name, &mut large[..])?;
            each(large.get(..length).unwrap_or_default());
        }
        // Taken away since it was listed.
        Err(Errno::NODATA) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The path of a folder's entry through the folder's descriptor.
pub(crate) fn path(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<CString> {
    let mut path = format!("/proc/self/fd/{}", folder.as_raw_fd()).into_bytes();
    path.push(b'/');
    if name.is_empty() {
        path.push(b'.');
    }
    path.extend_from_slice(name.as_bytes());
    Ok(CString::new(path)?)
}
