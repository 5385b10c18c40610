//! Whose record it is.

use rescind_ledger::Ledger;

/// What every exported event says of where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The ledger's origin, the name of its key: `rescind.local/1f0c22ab`.
    pub origin: String,
    /// The machine's name.
    pub host: String,
    /// The version of rescind that exports.
    pub version: String,
}

impl Source {
    /// The source of this ledger, on this machine.
    #[must_use]
    pub fn of(ledger: &Ledger) -> Self {
        let key = ledger.verifier_key();
        let host = rustix::system::uname();
        Self {
            origin: key.split('+').next().unwrap_or_default().to_owned(),
            host: host.nodename().to_string_lossy().into_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// As a URI: `rescind:rescind.local/1f0c22ab`.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("rescind:{}", self.origin)
    }
}
