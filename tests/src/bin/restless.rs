//! Processes that don't want to end, by the first argument:
//!
//! - `runaway FILE`: a chain of processes, each of which leaves its parent's session (setsid), writes a line, forks the next one
//!   twice removed, and ends, so that none lives for long and each is an orphan;
//! - `deaf FILE`: ignores every signal that can be ignored, and writes a line now and then through a file that it has open;
//! - `threads FILE`: its first thread ends, another one goes on writing;
//! - `pace FILE HOW`: starts a hundred programs a second, each of which writes one line (`mark FILE`): `plain` as its children,
//!   `twice` as orphans in sessions of their own, `deaf` while it ignores every signal that can be ignored.
//!
//! Lines are `PID NANOSECONDS` by the wall clock.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

fn open(path: &str) -> File {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(true)
        .open(path)
        .expect("the file is writable")
}

fn line(file: &mut File) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let text = format!("{} {}\n", std::process::id(), now.as_nanos());
    let _full = file.write_all(text.as_bytes());
}

fn runaway(path: &str) -> ! {
    loop {
        // SAFETY: there is one thread; each side goes on with its own copy of everything.
        unsafe {
            if libc::fork() != 0 {
                libc::_exit(0);
            }
            libc::setsid();
            if libc::fork() != 0 {
                libc::_exit(0);
            }
        }
        line(&mut open(path));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ignore_all() {
    for signal in (1..32).filter(|signal| *signal != libc::SIGCHLD) {
        // SAFETY: a valid disposition; those that can't be ignored are left as they are.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Programs that are started and not waited for, at most.
const OUTSTANDING: usize = 4;

fn pace(path: &str, how: &str) -> ! {
    if how == "deaf" {
        ignore_all();
    }
    let own = std::env::current_exe().expect("a path");
    let words = [own.to_str().expect("text"), "mark", path].map(|word| CString::new(word).expect("no NUL"));
    let pointers: Vec<*const libc::c_char> = words
        .iter()
        .map(|word| word.as_ptr())
        .chain([std::ptr::null()])
        .collect();
    let mut outstanding = 0;
    loop {
        let begun = Instant::now();
        // SAFETY: there is one thread; between fork and exec only system calls are made; the words outlive the call.
        unsafe {
            match libc::fork() {
                0 => {
                    if how == "twice" {
                        libc::setsid();
                        if libc::fork() != 0 {
                            libc::_exit(0);
                        }
                    }
                    libc::execv(pointers[0], pointers.as_ptr());
                    libc::_exit(127);
                }
                _ => outstanding += 1,
            }
            let mut status = 0;
            let wait = |status: &mut i32, flags| libc::waitpid(-1, status, flags);
            while outstanding > 0
                && wait(
                    &mut status,
                    if outstanding > OUTSTANDING {
                        0
                    } else {
                        libc::WNOHANG
                    },
                ) > 0
            {
                outstanding -= 1;
            }
        }
        std::thread::sleep(Duration::from_millis(10).saturating_sub(begun.elapsed()));
    }
}

fn deaf(path: &str) -> ! {
    ignore_all();
    let mut file = open(path);
    loop {
        line(&mut file);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn threads(path: &str) -> ! {
    let path = path.to_owned();
    std::thread::spawn(move || {
        let mut file = open(&path);
        loop {
            line(&mut file);
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    // SAFETY: only this thread ends; nothing of it is used by the other one.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("the first thread has ended");
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match (words.get(1).map(String::as_str), words.get(2)) {
        (Some("runaway"), Some(path)) => runaway(path),
        (Some("deaf"), Some(path)) => deaf(path),
        (Some("threads"), Some(path)) => threads(path),
        (Some("mark"), Some(path)) => line(&mut open(path)),
        (Some("pace"), Some(path)) => pace(path, words.get(3).map_or("plain", String::as_str)),
        _ => std::process::exit(2),
    }
}
