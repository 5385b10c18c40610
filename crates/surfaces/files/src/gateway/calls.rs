//! Which calls are trapped, and what each of them is about to do: system call numbers in, `Call` out.

use rescind_sys::{Action, Notification, Rule};

/// A path as a call names it: relative to a directory descriptor, in the caller's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathArgument {
    /// The directory descriptor; `AT_FDCWD` for the working directory.
    pub directory: i32,
    /// Address of the NUL-terminated path.
    pub address: u64,
}

/// The arguments of connect(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectCall {
    /// The socket.
    pub descriptor: i32,
    /// Address of the `sockaddr`.
    pub address: u64,
    /// Its length.
    pub length: u64,
}

/// What a resource is touched by: by a path, or by a descriptor the caller holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A path; `follow` says whether a symlink at its end is followed.
    Path {
        /// The path.
        path: PathArgument,
        /// Whether the last component is followed.
        follow: bool,
    },
    /// An open descriptor.
    Descriptor(i32),
}

/// What a trapped call is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Open for writing, creating or truncating.
    Open {
        /// What.
        path: PathArgument,
        /// open(2) flags.
        flags: u64,
    },
    /// openat2(2): the flags are in memory.
    Open2 {
        /// What.
        path: PathArgument,
        /// Address of `struct open_how`.
        how: u64,
    },
    /// Truncate by path.
    Truncate(PathArgument),
    /// unlink(2), rmdir(2).
    Remove {
        /// What.
        path: PathArgument,
        /// Whether a directory is meant.
        directory: bool,
    },
    /// rename(2) and its kin.
    Rename {
        /// From.
        from: PathArgument,
        /// To.
        to: PathArgument,
        /// renameat2(2) flags.
        flags: u32,
    },
    /// link(2): a new name.
    Link {
        /// The old name.
        from: PathArgument,
        /// The new name.
        to: PathArgument,
    },
    /// mkdir(2), symlink(2), mknod(2): a new name for a new inode.
    Make(PathArgument),
    /// chmod, chown, utime, xattr, inode flags. `mode` where it is a chmod.
    Attributes {
        /// What.
        target: Target,
        /// The new mode, for chmod.
        mode: Option<u32>,
        /// Whether inode flags (chattr) change.
        flags: bool,
    },
    /// bind(2): of a path in the file system where the address is a unix one.
    Bind {
        /// Address of the `sockaddr`.
        address: u64,
        /// Its length.
        length: u64,
    },
    /// connect(2).
    Connect(ConnectCall),
    /// execve(2), execveat(2).
    Exec {
        /// The program.
        path: PathArgument,
        /// Address of argv.
        argv: u64,
        /// Address of envp.
        envp: u64,
        /// execveat(2) flags.
        flags: u32,
    },
    /// exit_group(2).
    Exit(i32),
    /// A change of the process's own view of the file system (unshare, setns, chroot, pivot_root).
    View,
    /// mount(2) and its kin.
    Mount,
    /// SIGCONT.
    Wake {
        /// The target's process number, or a group's; `None` where the call does not say it in numbers.
        target: Option<i32>,
    },
    /// prlimit, priorities, scheduling: of this process.
    Tune {
        /// The target's process number (0: the caller).
        pid: i32,
    },
}

const WRITES: u32 = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u32;
const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_FILE_SETATTR: i64 = 469;
const FS_IOC_SETFLAGS: u32 = 0x4008_6602;
const FS_IOC32_SETFLAGS: u32 = 0x4004_6602;
const FS_IOC_FSSETXATTR: u32 = 0x401c_5820;

/// Pastes the selection of a console into its terminal, among others.
const TIOCLINUX: u32 = 0x541C;

/// The rules of the capture filter. Whoever is not named here is allowed: a call that changes a file through a
/// descriptor needs no trap, since the descriptor was captured when it was opened for writing.
#[must_use]
pub fn rules() -> Vec<Rule> {
    use Action::{Errno, Notify};
    let mut rules = vec![
        Rule::AnyBit(libc::SYS_openat, 2, WRITES, Notify),
        Rule::AnyBit(libc::SYS_open, 1, WRITES, Notify),
        Rule::Equals(libc::SYS_ioctl, 1, FS_IOC_SETFLAGS, Notify),
        Rule::Equals(libc::SYS_ioctl, 1, FS_IOC32_SETFLAGS, Notify),
        Rule::Equals(libc::SYS_ioctl, 1, FS_IOC_FSSETXATTR, Notify),
        // Characters pushed into a terminal are read by the shell outside, as if a person had typed them.
        Rule::Equals(
            libc::SYS_ioctl,
            1,
            libc::TIOCSTI as u32,
            Errno(libc::EPERM as u16),
        ),
        Rule::Equals(libc::SYS_ioctl, 1, TIOCLINUX, Errno(libc::EPERM as u16)),
        // TIOCSTI: typing into the terminal for somebody else.
        Rule::Equals(
            libc::SYS_ioctl,
            1,
            libc::TIOCSTI as u32,
            Errno(libc::EPERM as u16),
        ),
        // A process that makes itself unreadable could not be captured any more: it is told that it worked.
        Rule::BothEqual(
            libc::SYS_prctl,
            (0, libc::PR_SET_DUMPABLE as u32),
            (1, 0),
            Errno(0),
        ),
    ];
    rules.extend(trapped().map(|number| Rule::Always(number, Notify)));
    // A program that is held must not be woken by its own tree.
    let continued = libc::SIGCONT as u32;
    rules.extend(
        [
            (libc::SYS_kill, 1),
            (libc::SYS_tkill, 1),
            (libc::SYS_tgkill, 2),
            (libc::SYS_rt_sigqueueinfo, 1),
            (libc::SYS_rt_tgsigqueueinfo, 2),
            (libc::SYS_pidfd_send_signal, 1),
        ]
        .map(|(number, argument)| Rule::Equals(number, argument, continued, Notify)),
    );
    let tuned = [
        (libc::SYS_prlimit64, 0),
        (libc::SYS_setpriority, 1),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setattr, 0),
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_ioprio_set, 1),
        (libc::SYS_migrate_pages, 0),
        (libc::SYS_move_pages, 0),
    ];
    rules.extend(tuned.map(|(number, argument)| Rule::Differs(number, argument, 0, Notify)));
    // Ways round the listed calls: closed, with the error a kernel without them gives.
    rules.extend(
        [
            libc::SYS_io_uring_setup,
            libc::SYS_open_by_handle_at,
            libc::SYS_io_uring_enter,
            libc::SYS_io_uring_register,
        ]
        .map(|number| Rule::Always(number, Errno(libc::ENOSYS as u16))),
    );
    rules
}

/// The calls that are always trapped.
#[must_use]
pub fn trapped() -> [i64; 50] {
    [
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_exit_group,
        libc::SYS_openat2,
        libc::SYS_creat,
        libc::SYS_truncate,
        libc::SYS_unlink,
        libc::SYS_unlinkat,
        libc::SYS_rmdir,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_link,
        libc::SYS_linkat,
        libc::SYS_symlink,
        libc::SYS_symlinkat,
        libc::SYS_mkdir,
        libc::SYS_mkdirat,
        libc::SYS_mknod,
        libc::SYS_mknodat,
        libc::SYS_chmod,
        libc::SYS_fchmod,
        libc::SYS_fchmodat,
        SYS_FCHMODAT2,
        libc::SYS_chown,
        libc::SYS_lchown,
        libc::SYS_fchown,
        libc::SYS_fchownat,
        libc::SYS_utime,
        libc::SYS_utimes,
        libc::SYS_futimesat,
        libc::SYS_utimensat,
        libc::SYS_setxattr,
        libc::SYS_lsetxattr,
        libc::SYS_fsetxattr,
        libc::SYS_removexattr,
        libc::SYS_lremovexattr,
        libc::SYS_fremovexattr,
        SYS_SETXATTRAT,
        SYS_REMOVEXATTRAT,
        SYS_FILE_SETATTR,
        libc::SYS_bind,
        libc::SYS_connect,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_chroot,
        libc::SYS_pivot_root,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_move_mount,
    ]
}

fn at(directory: u64, address: u64) -> PathArgument {
    PathArgument {
        directory: directory as i32,
        address,
    }
}

fn here(address: u64) -> PathArgument {
    PathArgument {
        directory: libc::AT_FDCWD,
        address,
    }
}

fn path_target(path: PathArgument, follow: bool) -> Target {
    Target::Path { path, follow }
}

/// A path argument with `AT_EMPTY_PATH` semantics where `address` is 0 or the flag is set is the descriptor itself;
/// whether the string is empty is only known once it has been read, by the resolver.
fn attributes(target: Target) -> Call {
    Call::Attributes {
        target,
        mode: None,
        flags: false,
    }
}

/// What the call is about to do; `None` for one that no rule traps.
#[must_use]
pub fn decode(call: &Notification) -> Option<Call> {
    let [a, b, c, d, e, _] = call.arguments;
    let nofollow = |flags: u64| flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0;
    Some(match call.number {
        libc::SYS_open => Call::Open {
            path: here(a),
            flags: b,
        },
        libc::SYS_openat => Call::Open {
            path: at(a, b),
            flags: c,
        },
        libc::SYS_creat => Call::Open {
            path: here(a),
            flags: (libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC) as u64,
        },
        libc::SYS_openat2 => Call::Open2 {
            path: at(a, b),
            how: c,
        },
        libc::SYS_truncate => Call::Truncate(here(a)),
        libc::SYS_unlink => Call::Remove {
            path: here(a),
            directory: false,
        },
        libc::SYS_rmdir => Call::Remove {
            path: here(a),
            directory: true,
        },
        libc::SYS_unlinkat => Call::Remove {
            path: at(a, b),
            directory: c & libc::AT_REMOVEDIR as u64 != 0,
        },
        libc::SYS_rename => Call::Rename {
            from: here(a),
            to: here(b),
            flags: 0,
        },
        libc::SYS_renameat => Call::Rename {
            from: at(a, b),
            to: at(c, d),
            flags: 0,
        },
        libc::SYS_renameat2 => Call::Rename {
            from: at(a, b),
            to: at(c, d),
            flags: e as u32,
        },
        libc::SYS_link => Call::Link {
            from: here(a),
            to: here(b),
        },
        libc::SYS_linkat => Call::Link {
            from: at(a, b),
            to: at(c, d),
        },
        libc::SYS_symlink => Call::Make(here(b)),
        libc::SYS_symlinkat => Call::Make(at(b, c)),
        libc::SYS_mkdir | libc::SYS_mknod => Call::Make(here(a)),
        libc::SYS_mkdirat | libc::SYS_mknodat => Call::Make(at(a, b)),
        libc::SYS_execve => Call::Exec {
            path: here(a),
            argv: b,
            envp: c,
            flags: 0,
        },
        libc::SYS_execveat => Call::Exec {
            path: at(a, b),
            argv: c,
            envp: d,
            flags: e as u32,
        },
        libc::SYS_exit_group => Call::Exit(a as i32),
        libc::SYS_bind => Call::Bind {
            address: b,
            length: c,
        },
        libc::SYS_connect => Call::Connect(ConnectCall {
            descriptor: a as i32,
            address: b,
            length: c,
        }),
        libc::SYS_kill
        | libc::SYS_tkill
        | libc::SYS_tgkill
        | libc::SYS_rt_sigqueueinfo
        | libc::SYS_rt_tgsigqueueinfo => Call::Wake {
            target: Some(a as i32),
        },
        libc::SYS_pidfd_send_signal => Call::Wake { target: None },
        libc::SYS_unshare | libc::SYS_setns | libc::SYS_chroot | libc::SYS_pivot_root => Call::View,
        libc::SYS_mount | libc::SYS_umount2 | libc::SYS_move_mount => Call::Mount,
        libc::SYS_setpriority | libc::SYS_ioprio_set => Call::Tune { pid: b as i32 },
        libc::SYS_prlimit64
        | libc::SYS_sched_setscheduler
        | libc::SYS_sched_setparam
        | libc::SYS_sched_setattr
        | libc::SYS_sched_setaffinity
        | libc::SYS_migrate_pages
        | libc::SYS_move_pages => Call::Tune { pid: a as i32 },
        libc::SYS_chmod => chmod(path_target(here(a), true), b),
        libc::SYS_fchmod => chmod(Target::Descriptor(a as i32), b),
        libc::SYS_fchmodat => chmod(path_target(at(a, b), true), c),
        SYS_FCHMODAT2 => chmod(path_target(at(a, b), !nofollow(d)), c),
        libc::SYS_ioctl => Call::Attributes {
            target: Target::Descriptor(a as i32),
            mode: None,
            flags: true,
        },
        number => attributes(attribute_target(number, [a, b, c, d, e], nofollow)?),
    })
}

fn chmod(target: Target, mode: u64) -> Call {
    Call::Attributes {
        target,
        mode: Some(mode as u32),
        flags: false,
    }
}

fn attribute_target(number: i64, arguments: [u64; 5], nofollow: impl Fn(u64) -> bool) -> Option<Target> {
    let [a, b, c, d, e] = arguments;
    Some(match number {
        libc::SYS_chown | libc::SYS_utime | libc::SYS_utimes | libc::SYS_setxattr | libc::SYS_removexattr => {
            path_target(here(a), true)
        }
        libc::SYS_lchown | libc::SYS_lsetxattr | libc::SYS_lremovexattr => path_target(here(a), false),
        libc::SYS_fchown | libc::SYS_fsetxattr | libc::SYS_fremovexattr => Target::Descriptor(a as i32),
        libc::SYS_fchownat => path_target(at(a, b), !nofollow(e)),
        libc::SYS_futimesat | libc::SYS_utimensat if b == 0 => Target::Descriptor(a as i32),
        libc::SYS_futimesat => path_target(at(a, b), true),
        libc::SYS_utimensat => path_target(at(a, b), !nofollow(d)),
        SYS_SETXATTRAT | SYS_REMOVEXATTRAT => path_target(at(a, b), !nofollow(c)),
        SYS_FILE_SETATTR => path_target(at(a, b), !nofollow(e)),
        _ => return None,
    })
}
