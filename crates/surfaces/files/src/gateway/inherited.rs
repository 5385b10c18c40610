//! Descriptors that the agent inherits open for writing: what lies behind them is captured before it starts.

use super::Gateway;
use super::resolve::of_open;
use super::touch::{How, Refusal};
use super::tree::Node;
use std::os::fd::{AsFd, OwnedFd};

impl Gateway {
    /// Capture every regular file that `process` holds open for writing, as the work of `node`. Standard output and
    /// error are not the agent's to take back: whoever redirected them keeps what was written there.
    pub fn capture_inherited(&mut self, process: i32, node: Node) {
        let Ok(pidfd) = rescind_sys::pidfd_open(process) else {
            return;
        };
        let Ok(entries) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
            return;
        };
        for entry in entries.flatten() {
            let Some(number) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            if number <= 2 || !is_writable(process, number) {
                continue;
            }
            let Ok(open) = rescind_sys::pidfd_get(pidfd.as_fd(), number) else {
                continue;
            };
            self.capture_open(open, node);
        }
    }

    fn capture_open(&mut self, open: OwnedFd, node: Node) {
        let is_file =
            rustix::fs::fstat(&open).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFREG);
        if !is_file {
            return;
        }
        let Ok(place) = of_open(open) else { return };
        let name = String::from_utf8_lossy(&self.display_of(&place)).into_owned();
        match self.touch(node, &place, How::Write) {
            Ok(_) | Err(Refusal::Harmless) => {}
            Err(Refusal::NotCaptured(why) | Refusal::NotRecorded(why)) => self.miss(node, name, why),
            Err(Refusal::Beyond(_)) => self.miss(node, name, "it is open already".to_owned()),
            Err(Refusal::NotStaged) => self.miss(
                node,
                name,
                "it was open before, and is written at once".to_owned(),
            ),
            Err(Refusal::Protected) => self.miss(node, name, "it is rescind's own".to_owned()),
            Err(Refusal::BeingUndone) => {
                self.miss(
                    node,
                    name,
                    "an undo was changing it as the session began".to_owned(),
                );
            }
        }
    }
}

fn is_writable(process: i32, number: i32) -> bool {
    let Ok(info) = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{number}")) else {
        return false;
    };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags
        .and_then(|text| i32::from_str_radix(text.trim(), 8).ok())
        .unwrap_or(0);
    flags & libc::O_ACCMODE != libc::O_RDONLY && flags & libc::O_PATH == 0
}
