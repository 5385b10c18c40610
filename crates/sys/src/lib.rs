//! The one crate that talks to the kernel by raw calls: seccomp user notification, Landlock, process memory, pidfds,
//! guardianship. Everything it exports is safe; each `unsafe` block says why it is sound.
//!
//! Linux on x86-64 only: the filter below is written for that architecture's call numbers and says so elsewhere.

mod child;
mod descriptors;
mod filter;
mod landlock;
mod listener;
mod memory;
mod mounts;
mod priority;
mod process;
mod shared;
mod signals;
mod support;
mod tree;

pub use child::spawn_bound;
pub use descriptors::{receive_descriptor, send_descriptor};
pub use filter::{Action, Filter, Rule};
pub use landlock::{WRITES_ABI, WriteRules, Writes, landlock_abi, restrict_signals, restrict_to_programs};
pub use listener::{Answer, Listener, Notification};
pub use memory::{read_memory, read_string, read_strings};
pub use mounts::{Overlay, bind, enter_own_mounts, enter_own_user, mount_overlay};
pub use priority::ComesFirst;
pub use process::{
    ExitStatus, Fork, adopt_orphans, become_untraceable, die_with_parent, end_by_signal, exit_now,
    exit_status, forbid_new_privileges, fork, has_attributes, has_filter, install_filter, kill_process,
    listener_is_taken, pidfd_get, pidfd_open, pidfd_signal, reap, same_open_file, set_name, zombie_status,
};
pub use shared::SharedWords;
pub use signals::{SignalFd, ignore_signals};
pub use support::{Lack, probe};
pub use tree::{Below, descendants, end_below, process_lives, process_stat, signal_below};
