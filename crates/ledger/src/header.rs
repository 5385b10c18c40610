//! The first frame of a segment.

use crate::frame;
use serde::{Deserialize, Serialize};

pub(crate) const FORMAT: &str = "rescind-ledger/1";

/// The header of a segment, in its wire form (docs/formats/ledger.md, section 2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub format: String,
    pub epoch: u32,
    pub first_index: u64,
    pub previous_epoch: u32,
    pub previous_sealed_bytes: u64,
}

impl Header {
    pub fn new(epoch: u32, first_index: u64, previous: Option<(u32, u64)>) -> Self {
        let (previous_epoch, previous_sealed_bytes) = previous.unwrap_or_default();
        Self {
            format: FORMAT.to_owned(),
            epoch,
            first_index,
            previous_epoch,
            previous_sealed_bytes,
        }
    }

    pub fn to_json(&self) -> Vec<u8> {
        // A struct of strings and numbers always has a JSON form.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The header, its frame's length and checksum, if `start`, the first bytes of the segment of `epoch`,
    /// has a valid one.
    pub fn read(start: &[u8], epoch: u32) -> Option<(Self, u64, u32)> {
        let frame = frame::read(start, 0)?;
        let header: Self = serde_json::from_slice(frame.bytes).ok()?;
        let none = header.previous_epoch == 0;
        let sound = header.format == FORMAT
            && header.epoch == epoch
            && header.previous_epoch < epoch
            && (!none || (header.first_index == 0 && header.previous_sealed_bytes == 0))
            && header.to_json() == frame.bytes;
        sound.then_some((header, frame.length(), frame.crc))
    }
}

/// More than any header frame has, in bytes.
pub(crate) const LIMIT: usize = 1024;

pub(crate) fn log_name(epoch: u32) -> String {
    format!("log.{epoch:06}")
}

pub(crate) fn lock_name(epoch: u32) -> String {
    format!("lock.{epoch:06}")
}

pub(crate) fn checkpoint_name(epoch: u32) -> String {
    format!("checkpoint.{epoch:06}")
}

pub(crate) fn frontier_name(epoch: u32) -> String {
    format!("frontier.{epoch:06}")
}

/// The epoch of a name made of `kind`, a point and the epoch in its one form.
pub(crate) fn epoch_of(name: &str, kind: &str) -> Option<u32> {
    let digits = name.strip_prefix(kind)?.strip_prefix('.')?;
    let epoch = digits.parse().ok()?;
    (epoch > 0 && digits == format!("{epoch:06}")).then_some(epoch)
}
