//! Changes by other processes, threads and descriptors.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn done(status: std::process::ExitStatus) -> io::Result<()> {
    status
        .success()
        .then_some(())
        .ok_or_else(|| io::Error::other(status.to_string()))
}

/// Run `child` in a process of its own.
fn forked(child: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: this program has one thread here; the child ends by _exit and runs no destructor of the parent's.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => libc::_exit(i32::from(child().is_err())),
            pid => {
                let mut status = 0;
                if libc::waitpid(pid, &raw mut status, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
                if status == 0 {
                    Ok(())
                } else {
                    Err(io::Error::other("the child failed"))
                }
            }
        }
    }
}

/// Wait until `path` holds `content`.
fn appears(path: &Path, content: &str) -> io::Result<()> {
    let start = Instant::now();
    while fs::read_to_string(path).ok().is_none_or(|is| is != content) {
        if start.elapsed() > Duration::from_secs(20) {
            return Err(io::Error::other("never appeared"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

pub fn inherited_descriptor(dir: &Path) -> io::Result<()> {
    done(
        Command::new("cat")
            .arg(dir.join("other"))
            .stdout(Stdio::from(open(&dir.join("text"))?))
            .status()?,
    )
}

pub fn descriptor_over_fork(dir: &Path) -> io::Result<()> {
    let file = open(&dir.join("binary"))?;
    forked(|| file.write_all_at(b"BY THE CHILD", 9))?;
    forked(|| file.set_len(77))
}

pub fn descriptor_over_socket(dir: &Path) -> io::Result<()> {
    let file = open(&dir.join("text"))?;
    let (here, there) = UnixStream::pair()?;
    let mut space = [MaybeUninit::uninit(); 64];
    let mut message = SendAncillaryBuffer::new(&mut space);
    let passed = [file.as_fd()];
    message.push(SendAncillaryMessage::ScmRights(&passed));
    rustix::net::sendmsg(&here, &[IoSlice::new(b"x")], &mut message, SendFlags::empty())?;
    forked(|| {
        let mut space = [MaybeUninit::uninit(); 64];
        let mut message = RecvAncillaryBuffer::new(&mut space);
        rustix::net::recvmsg(
            &there,
            &mut [IoSliceMut::new(&mut [0])],
            &mut message,
            RecvFlags::empty(),
        )?;
        for part in message.drain() {
            if let RecvAncillaryMessage::ScmRights(mut descriptors) = part {
                let received = descriptors
                    .next()
                    .ok_or_else(|| io::Error::other("no descriptor"))?;
                return File::from(received).write_all(b"OVER A SOCKET");
            }
        }
        Err(io::Error::other("nothing was passed"))
    })
}

pub fn threads(dir: &Path) -> io::Result<()> {
    let shared = open(&dir.join("binary"))?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|n| {
                let shared = &shared;
                scope.spawn(move || {
                    for turn in 0..20_u64 {
                        fs::write(dir.join(format!("of-thread-{n}")), format!("{turn}"))?;
                        shared.write_all_at(&[n as u8; 100], n * 10_000 + turn * 100)?;
                        let mut log = OpenOptions::new().append(true).open(dir.join("text"))?;
                        writeln!(log, "{n} {turn}")?;
                    }
                    fs::remove_file(dir.join(format!("of-thread-{n}")))
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| io::Error::other("a thread ended badly"))?
        })
    })
}

pub fn daemon(dir: &Path) -> io::Result<()> {
    let file = open(&dir.join("other"))?;
    forked(|| {
        // SAFETY: as in `forked`; the grandchild loses its parent at once.
        unsafe {
            libc::setsid();
            match libc::fork() {
                0 => {
                    std::thread::sleep(Duration::from_millis(30));
                    let wrote = file.write_all_at(b"BY A DAEMON", 0);
                    let made = fs::write(dir.join("of-daemon"), "here");
                    libc::_exit(i32::from(wrote.is_err() || made.is_err()))
                }
                -1 => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        }
    })?;
    appears(&dir.join("of-daemon"), "here")
}

pub fn background_writer(dir: &Path) -> io::Result<()> {
    done(
        Command::new("sh")
            .args([
                "-c",
                "(sleep 0.05; echo late > empty; echo late >> text; echo ok > flag) >/dev/null 2>&1 &",
            ])
            .current_dir(dir)
            .status()?,
    )?;
    appears(&dir.join("flag"), "ok\n")
}

fn shell_script(dir: &Path, script: &str) -> io::Result<()> {
    done(
        Command::new("sh")
            .args(["-euc", script])
            .current_dir(dir)
            .stderr(Stdio::inherit())
            .status()?,
    )
}

pub fn shell(dir: &Path) -> io::Result<()> {
    shell_script(
        dir,
        "sed -i s/two/TWO/ text; echo more >> other; : > dir/inner; cp -p binary copy; touch -d 2001-01-01 empty; \
         for n in 1 2 3; do mkdir -p s/$n; echo $n > s/$n/f; done; rm -r s/2; dd if=/dev/zero of=binary bs=1000 count=3 \
         conv=notrunc 2>/dev/null; ln -sf other symlink; mv dir/deep elsewhere",
    )
}

pub fn find_exec(dir: &Path) -> io::Result<()> {
    shell_script(
        dir,
        "find . -type f -exec sh -c 'echo found >> \"$1\"' _ {} \\; ; find . -type l -delete",
    )
}

pub fn xargs_remove(dir: &Path) -> io::Result<()> {
    shell_script(dir, "find . -type f -print0 | xargs -0 -n 2 -P 4 rm -f --")
}

pub fn vfork_children(dir: &Path) -> io::Result<()> {
    // The standard library starts programs by vfork or its like where nothing has to happen in between.
    for name in ["text", "other"] {
        done(
            Command::new("cp")
                .arg(dir.join("dir/inner"))
                .arg(dir.join(name))
                .status()?,
        )?;
    }
    done(
        Command::new("mv")
            .arg(dir.join("empty"))
            .arg(dir.join("dir/inner"))
            .status()?,
    )
}

/// The kernel's submission ring would change files past every filter: under supervision it must not be had.
pub fn ring_is_refused(dir: &Path) -> io::Result<()> {
    let mut parameters = [0_u8; 120];
    // SAFETY: struct io_uring_params is 120 bytes.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()) };
    let refused = ring < 0;
    let unsupervised = std::env::var_os("TORTURE_BARE").is_some();
    if refused || unsupervised {
        return fs::write(dir.join("text"), "by ordinary calls, then");
    }
    Err(io::Error::other("io_uring_setup succeeded"))
}
