//! Ids of traces and spans, computed from what they stand for: whoever knows the session knows its trace, and an event that is sent
//! twice is the same span.

use sha2::{Digest as _, Sha256};

/// The first 16 bytes of the SHA-256 of a session's id, in hex.
pub(super) fn trace(of: &str) -> String {
    hex(Sha256::digest(of.as_bytes()).iter().take(16))
}

/// The first 8 bytes of the SHA-256 of `span `, and a session's or an action's id, in hex.
pub(super) fn span(of: &str) -> String {
    hex(Sha256::digest(format!("span {of}").as_bytes()).iter().take(8))
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
