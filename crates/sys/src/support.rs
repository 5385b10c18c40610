//! What the kernel must have, asked before anything is started.

use crate::landlock::landlock_abi;

/// Something this kernel lacks, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// A short name, for `--without NAME`.
    pub name: &'static str,
    /// What is missing, and what would not hold without it.
    pub what: String,
    /// Whether rescind can't run at all without it.
    pub fatal: bool,
}

const ACTION_NOTIFY: u32 = 0x7fc0_0000;
const GET_ACTION_AVAIL: libc::c_long = 2;

/// Everything that is missing, worst first; empty on a kernel that has all.
#[must_use]
pub fn probe() -> Vec<Lack> {
    let mut lacks = Vec::new();
    if !cfg!(target_arch = "x86_64") {
        let what = "the capture filter is written for x86-64 only so far".to_owned();
        lacks.push(Lack {
            name: "architecture",
            what,
            fatal: true,
        });
    }
    let action = ACTION_NOTIFY;
    // SAFETY: the pointer is to a live u32.
    let notify = unsafe { libc::syscall(libc::SYS_seccomp, GET_ACTION_AVAIL, 0, &raw const action) } == 0;
    if !notify {
        let what =
            "seccomp user notification (Linux 5.19): no call can be captured before it happens".to_owned();
        lacks.push(Lack {
            name: "seccomp-notify",
            what,
            fatal: true,
        });
    }
    let abi = landlock_abi();
    if abi < 6 {
        let what = format!(
            "landlock signal scoping (ABI 6, Linux 6.12; here {abi}): the agent could signal the supervisor"
        );
        lacks.push(Lack {
            name: "landlock-scope",
            what,
            fatal: false,
        });
    }
    lacks
}
