//! The floor by itself: what the kernel refuses where no gateway looks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption ends a test loudly"
)]

use rescind_files::gateway::Floor;
use std::path::Path;
use std::process::{Command, Output};

/// Run a script with the floor and nothing else, in this folder.
fn run(floor: &Floor, folder: &Path, script: &str) -> Output {
    let (floor, folder, script) = (floor.clone(), folder.to_owned(), script.to_owned());
    // What is put into force holds for a thread and what it starts.
    let thread = std::thread::spawn(move || {
        rescind_sys::forbid_new_privileges().expect("no new privileges");
        floor.put_into_force().expect("Landlock");
        Command::new("sh")
            .args(["-c", &script])
            .current_dir(folder)
            .output()
            .expect("a shell")
    });
    thread.join().expect("a thread")
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let script = "mkdir mine other; echo m > mine/file; echo o > other/file; ln -s ../other mine/link; \
                  ln -s ../other/file mine/leaf";
    let made = Command::new("sh")
        .args(["-ec", script])
        .current_dir(place.path())
        .status();
    assert!(made.expect("a shell").success());
    place
}

/// Names and contents of all below a folder.
fn listing(place: &Path) -> String {
    let script = "find . | sort; find . -type f | sort | xargs cat";
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(place)
        .output()
        .expect("a shell");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn nothing_is_written_outside_of_the_folders_by_any_route() {
    let place = place();
    let floor = Floor::Within(vec![place.path().join("mine").canonicalize().expect("a path")]);
    let before = listing(place.path());
    for script in [
        "echo x > other/file",
        "echo x > other/new",
        "echo x > mine/leaf",
        "echo x > mine/link/new",
        "mv mine/file other/",
        "mv other/file mine/",
        "ln other/file mine/hard",
        "ln mine/file other/hard",
        "rm other/file",
        "mkdir other/folder",
        "mkfifo other/pipe",
        "ln -s x other/symlink",
        "truncate -s 0 other/file",
        "echo x > /proc/self/root$PWD/other/file",
        "echo x > /proc/self/cwd/other/file",
        "exec 3<other/file; echo x > /proc/self/fd/3",
        "python3 -c \"import os; os.truncate('other/file', 0)\"",
        "python3 -c \"import os; os.open('other', os.O_TMPFILE | os.O_RDWR)\"",
        "python3 -c \"import os; os.rename('mine', 'taken')\"",
        "python3 -c \"import os, socket; os.chdir('other'); socket.socket(socket.AF_UNIX).bind('socket')\"",
    ] {
        let output = run(&floor, place.path(), script);
        assert!(!output.status.success(), "`{script}` was not refused");
        assert_eq!(listing(place.path()), before, "{script}");
    }
    let inside = "echo y > mine/new; mkdir mine/deep; mv mine/new mine/deep; ln mine/file mine/hard; : > /dev/null; \
                  : >> /proc/self/comm; cat other/file; python3 -c 'import pty; pty.openpty()'";
    let output = run(&floor, place.path(), &format!("set -e; {inside}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.stdout, b"o\n");
}

#[test]
fn what_is_mounted_stays_where_paths_decide() {
    let place = place();
    let script = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x10000000 | 0x20000) == 0
print(libc.mount(b'other', b'mine', None, 4096, None))
";
    let script = format!("python3 -c \"{script}\"");
    let free = run(&Floor::None, place.path(), &script);
    let kept = run(&Floor::Mounts, place.path(), &script);
    if free.stdout == b"0\n" {
        assert_eq!(kept.stdout, b"-1\n");
    } else {
        // No namespaces for this user: nothing can be mounted anyway.
        assert_ne!(kept.stdout, b"0\n");
    }
    assert!(
        run(&Floor::Mounts, place.path(), "echo x > other/file")
            .status
            .success()
    );
}
