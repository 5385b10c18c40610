//! Whole-system scenarios: the real binary, real programs, injected faults. Each has a state directory and a tree of its
//! own, so that they can run side by side.
//!
//! Tests marked `ignore` with "prove" in the reason need a terminal, the network or the machine's package manager, and
//! run in `cargo xtask prove spine`.

mod access;
mod agent;
mod approvals;
mod bounds;
mod browser;
mod changes;
mod compensation;
mod concurrency;
mod console;
mod crash;
mod credentials;
mod development;
mod drift;
mod escapes;
mod export;
mod failing;
mod fidelity;
mod fuzzed;
mod git;
mod history;
mod holds;
mod hooks;
mod incidents;
mod judged;
mod kill;
mod kill_load;
mod limits;
mod mirror;
mod novelty;
mod people;
mod programs;
mod projected;
mod redaction;
mod scopes;
mod server_kill;
mod serving;
mod shown;
mod signin;
mod stage;
mod tamper;
mod tiers;
mod told;
mod torture;
