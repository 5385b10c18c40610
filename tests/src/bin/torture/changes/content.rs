//! Changes of what a file holds.

use rustix::fs::{CWD, FallocateFlags, Mode, OFlags, ResolveFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

fn writable(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

pub fn create(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("new"), "new\n")
}

pub fn truncate_on_open(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("text"), "")
}

pub fn append(dir: &Path) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .open(dir.join("text"))?
        .write_all(b"appended\n")
}

pub fn write_in_the_middle(dir: &Path) -> io::Result<()> {
    writable(&dir.join("binary"))?.write_all_at(b"MIDDLE", 50_000)
}

pub fn write_through_shared_mapping(dir: &Path) -> io::Result<()> {
    let file = writable(&dir.join("binary"))?;
    let length = file.metadata()?.len() as usize;
    let protection = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice, of a file that nobody shortens; the slice ends before
    // the mapping does.
    unsafe {
        let start = rustix::mm::mmap(
            std::ptr::null_mut(),
            length,
            protection,
            rustix::mm::MapFlags::SHARED,
            &file,
            0,
        )?;
        drop(file);
        std::slice::from_raw_parts_mut(start.cast::<u8>(), length)[70_000..70_100].fill(b'M');
        rustix::mm::munmap(start, length)?;
    }
    Ok(())
}

pub fn shrink(dir: &Path) -> io::Result<()> {
    writable(&dir.join("binary"))?.set_len(10)
}

pub fn grow(dir: &Path) -> io::Result<()> {
    writable(&dir.join("text"))?.set_len(1 << 20)
}

pub fn shrink_by_path(dir: &Path) -> io::Result<()> {
    let path = std::ffi::CString::new(dir.join("binary").as_os_str().as_bytes())?;
    // SAFETY: a path that ends in a zero.
    match unsafe { libc::truncate(path.as_ptr(), 4) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub fn punch_hole(dir: &Path) -> io::Result<()> {
    let file = writable(&dir.join("binary"))?;
    Ok(rustix::fs::fallocate(
        &file,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        8192,
        40_960,
    )?)
}

pub fn write_into_hole(dir: &Path) -> io::Result<()> {
    writable(&dir.join("sparse"))?.write_all_at(&[7; 5000], 4096)
}

pub fn preallocate(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::fallocate(
        writable(&dir.join("empty"))?,
        FallocateFlags::empty(),
        0,
        65_536,
    )?)
}

pub fn collapse_range(dir: &Path) -> io::Result<()> {
    Ok(rustix::fs::fallocate(
        writable(&dir.join("binary"))?,
        FallocateFlags::COLLAPSE_RANGE,
        0,
        4096,
    )?)
}

pub fn copy_range_into(dir: &Path) -> io::Result<()> {
    let (from, to) = (File::open(dir.join("binary"))?, writable(&dir.join("text"))?);
    match rustix::fs::copy_file_range(&from, Some(&mut 100), &to, Some(&mut 0), 5000)? {
        0 => Err(io::Error::other("nothing was copied")),
        _ => Ok(()),
    }
}

pub fn sendfile_into(dir: &Path) -> io::Result<()> {
    let (from, to) = (File::open(dir.join("binary"))?, writable(&dir.join("other"))?);
    match rustix::fs::sendfile(&to, &from, None, 60_000)? {
        0 => Err(io::Error::other("nothing was sent")),
        _ => Ok(()),
    }
}

pub fn splice_into(dir: &Path) -> io::Result<()> {
    let (out, into) = rustix::pipe::pipe()?;
    rustix::io::write(&into, b"through a pipe")?;
    let to = writable(&dir.join("other"))?;
    rustix::pipe::splice(&out, None, &to, None, 14, rustix::pipe::SpliceFlags::empty())?;
    Ok(())
}

pub fn write_many_buffers(dir: &Path) -> io::Result<()> {
    let mut file = writable(&dir.join("text"))?;
    file.seek(SeekFrom::Start(3))?;
    file.write_vectored(&[IoSlice::new(b"first "), IoSlice::new(b"second")])
        .map(drop)
}

pub fn creat_call(dir: &Path) -> io::Result<()> {
    let path = std::ffi::CString::new(dir.join("other").as_os_str().as_bytes())?;
    // SAFETY: a path that ends in a zero; the descriptor is ours alone.
    let mut file = unsafe {
        let fd = libc::syscall(libc::SYS_creat, path.as_ptr(), 0o600);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from_raw_fd(fd as i32)
    };
    file.write_all(b"by creat")
}

pub fn open_by_openat2(dir: &Path) -> io::Result<()> {
    let folder = File::open(dir)?;
    let flags = OFlags::WRONLY | OFlags::TRUNC;
    let file = rustix::fs::openat2(&folder, "text", flags, Mode::empty(), ResolveFlags::BENEATH)?;
    File::from(file).write_all(b"by openat2")
}

pub fn open_through_proc(dir: &Path) -> io::Result<()> {
    let reading = File::open(dir.join("text"))?;
    writable(Path::new(&format!("/proc/self/fd/{}", reading.as_raw_fd())))?.write_all(b"THROUGH PROC")
}

pub fn write_through_symlink(dir: &Path) -> io::Result<()> {
    writable(&dir.join("symlink"))?.write_all(b"THROUGH LINK")
}

pub fn write_through_second_name(dir: &Path) -> io::Result<()> {
    writable(&dir.join("second-name"))?.write_all(b"SECOND NAME")
}

pub fn write_after_unlink(dir: &Path) -> io::Result<()> {
    let mut file = writable(&dir.join("text"))?;
    fs::remove_file(dir.join("text"))?;
    file.write_all(b"written after the name was gone")
}

pub fn temporary_file_linked_in(dir: &Path) -> io::Result<()> {
    let file = rustix::fs::open(dir, OFlags::TMPFILE | OFlags::WRONLY, Mode::from_raw_mode(0o644))?;
    rustix::io::write(&file, b"had no name at first")?;
    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(
        CWD,
        unnamed,
        CWD,
        dir.join("was-unnamed"),
        rustix::fs::AtFlags::SYMLINK_FOLLOW,
    )?)
}

pub fn temporary_renamed_over(dir: &Path) -> io::Result<()> {
    fs::write(dir.join(".text.tmp"), "as editors save\n")?;
    fs::rename(dir.join(".text.tmp"), dir.join("text"))
}

pub fn large_file_rewritten(dir: &Path) -> io::Result<()> {
    let mut file = writable(&dir.join("binary"))?;
    for _ in 0..40 {
        file.write_all(&[0xa5; 65_536])?;
    }
    Ok(())
}

pub fn empty_file_filled(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("empty"), [0, 255, 10, 13, 0])
}

pub fn create_dangling_target(dir: &Path) -> io::Result<()> {
    fs::write(dir.join("dangling"), "the target of a link to nowhere")
}

pub fn read_only_replaced(dir: &Path) -> io::Result<()> {
    let path = dir.join("other");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400))?;
    fs::remove_file(&path)?;
    fs::write(&path, "replaced")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444))
}
