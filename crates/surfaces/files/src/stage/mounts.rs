//! What is mounted where, and which folders get an overlay.
//!
//! A *unit* is a folder that gets one. As root that is every folder directly below `/`, and every file system mounted
//! below it. In a user namespace the kernel gives no overlay over a folder in which something is mounted: there the
//! units are the highest folders in which nothing is.

use super::layout::LeftOut;
use crate::gateway::unescape;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where it is to be seen.
    pub at: PathBuf,
    /// The kind of file system.
    pub kind: String,
    /// Whether nothing can be written to it.
    pub read_only: bool,
}

/// What becomes of the tree.
#[derive(Debug, Default)]
pub struct Plan {
    /// Folders that get an overlay, those above first.
    pub units: Vec<PathBuf>,
    /// Mounts below units that have to be seen through, in the order of units.
    pub through: Vec<PathBuf>,
    /// What can't be changed although it could have been.
    pub left_out: Vec<LeftOut>,
}

/// More overlays than this are not mounted.
const MOST_UNITS: usize = 256;

/// File systems of the kernel itself, which keep no files.
const KERNELS: [&str; 20] = [
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devtmpfs",
    "devpts",
    "mqueue",
    "debugfs",
    "tracefs",
    "securityfs",
    "bpf",
    "configfs",
    "pstore",
    "efivarfs",
    "hugetlbfs",
    "fusectl",
    "binfmt_misc",
    "nsfs",
    "autofs",
    "rpc_pipefs",
];

/// What this process sees mounted, what lies above first.
#[must_use]
pub fn mounted() -> Vec<Mount> {
    let text = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut mounts: Vec<Mount> = Vec::new();
    for mount in text.lines().filter_map(line) {
        // A later one hides an earlier one at the same place.
        mounts.retain(|earlier| earlier.at != mount.at);
        mounts.push(mount);
    }
    mounts.sort_by(|one, other| one.at.cmp(&other.at));
    mounts
}

/// A line of proc_pid_mountinfo(5).
fn line(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut fields = front.split(' ');
    let point = unescape(fields.nth(4)?);
    let options = fields.next()?;
    let mut back = back.split(' ');
    let kind = back.next()?.to_owned();
    let system = back.nth(1).unwrap_or_default();
    let is_read_only = |options: &str| options.split(',').any(|option| option == "ro");
    Some(Mount {
        at: PathBuf::from(OsStr::from_bytes(&point)),
        kind,
        read_only: is_read_only(options) || is_read_only(system),
    })
}

impl Mount {
    fn is_stageable(&self) -> bool {
        !KERNELS.contains(&self.kind.as_str()) && !self.read_only && self.at.is_dir()
    }
}

/// Which folders get an overlay.
#[must_use]
pub fn plan(mounts: &[Mount], privileged: bool) -> Plan {
    let mut planner = Planner {
        mounts,
        privileged,
        plan: Plan::default(),
    };
    let mut tops = folders_in(Path::new("/"));
    tops.sort();
    for top in tops {
        planner.take(&top);
    }
    let mut plan = planner.plan;
    for unit in plan.units.split_off(plan.units.len().min(MOST_UNITS)) {
        plan.left_out.push(LeftOut {
            at: unit,
            why: format!("more than {MOST_UNITS} overlays would be needed"),
        });
    }
    plan
}

struct Planner<'m> {
    mounts: &'m [Mount],
    privileged: bool,
    plan: Plan,
}

impl Planner<'_> {
    fn take(&mut self, folder: &Path) {
        let own = self.mounts.iter().find(|mount| mount.at == folder);
        let below: Vec<&Mount> = self
            .mounts
            .iter()
            .filter(|mount| mount.at != folder && mount.at.starts_with(folder))
            .collect();
        if folder == Path::new("/dev") {
            // Nothing of it is kept, but shared memory is files.
            for mount in self.direct(&below) {
                self.take(&mount);
            }
            return;
        }
        if own.is_some_and(|own| !own.is_stageable()) || ["/proc", "/sys"].map(Path::new).contains(&folder) {
            return;
        }
        if below.is_empty() {
            self.plan.units.push(folder.to_owned());
        } else if self.privileged {
            self.plan.units.push(folder.to_owned());
            for mount in below {
                if mount.is_stageable() {
                    self.plan.units.push(mount.at.clone());
                } else {
                    self.plan.through.push(mount.at.clone());
                }
            }
        } else {
            let mut inside = folders_in(folder);
            inside.sort();
            for folder in inside {
                self.take(&folder);
            }
            self.plan.left_out.push(LeftOut {
                at: folder.to_owned(),
                why: "something is mounted below it: only folders in it are staged, not its own entries"
                    .to_owned(),
            });
        }
    }

    /// Of these mounts those that lie below no other.
    fn direct(&self, below: &[&Mount]) -> Vec<PathBuf> {
        let covered = |mount: &&&Mount| {
            below
                .iter()
                .any(|other| other.at != mount.at && mount.at.starts_with(&other.at))
        };
        let direct = below.iter().filter(|mount| !covered(mount));
        direct.map(|mount| mount.at.clone()).collect()
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let folders = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::line;
    use std::path::Path;

    #[test]
    fn a_mount_is_read_with_its_place_its_kind_and_whether_it_can_be_written_to() {
        let found = line("28 27 0:25 / /mnt/a\\040b ro,nosuid master:1 - tmpfs none rw,size=4k").unwrap();
        assert_eq!(found.at, Path::new("/mnt/a b"));
        assert_eq!((found.kind.as_str(), found.read_only), ("tmpfs", true));
        let found = line("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard").unwrap();
        assert!(!found.read_only && found.is_stageable());
    }
}
