//! The workloads: what is there before, and the shell script that is measured.

use super::fixture;
use crate::Failure;
use std::path::Path;

/// One workload.
pub struct Workload {
    /// Its short name.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Make what must be there before.
    pub prepare: fn(&Path) -> Result<(), Failure>,
    /// What is measured, in a copy of that.
    pub script: &'static str,
}

/// All of them.
pub const WORKLOADS: [Workload; 4] = [
    Workload {
        name: "W1",
        what: "untar 5,000 files",
        prepare: fixture::archive,
        script: "tar -xf files.tar",
    },
    Workload {
        name: "W2",
        what: "git clone, checkout, gc",
        prepare: fixture::repository,
        script: "git clone -q --no-hardlinks repo copy 2>/dev/null; cd copy; git checkout -q HEAD~30; git checkout -q main; \
            git gc -q --prune=now",
    },
    Workload {
        name: "W3",
        what: "a shell loop of 2,000 rm, mv and sed",
        prepare: fixture::small_files,
        script: "n=0; while [ $n -lt 2000 ]; do case $((n % 3)) in 0) rm f$n;; 1) mv f$n g$n;; 2) sed -i s/a/b/ f$n;; esac; \
            n=$((n + 1)); done",
    },
    Workload {
        name: "W4",
        what: "a small cargo build",
        prepare: fixture::cargo_workspace,
        script: "cargo build --offline --quiet",
    },
];
