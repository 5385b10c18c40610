//! Frames: how entries lie in a segment (docs/formats/ledger.md, section 2.1).

/// The longest entry, in bytes: the limit of a tlog-tiles entry bundle.
pub const MAX_ENTRY: usize = 65_535;

/// Length and checksum before the bytes of a frame.
pub(crate) const HEAD: usize = 8;

/// A frame found in a buffer.
pub(crate) struct Frame<'a> {
    pub bytes: &'a [u8],
    pub crc: u32,
}

impl Frame<'_> {
    /// Its length in the file.
    pub fn length(&self) -> u64 {
        (HEAD + self.bytes.len()) as u64
    }
}

/// The checksum of `bytes` after a frame with checksum `previous`.
pub(crate) fn checksum(previous: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&previous.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Append the frame of `bytes` to `out`; its checksum. `bytes` has 1 to [`MAX_ENTRY`] bytes.
pub(crate) fn write(out: &mut Vec<u8>, previous: u32, bytes: &[u8]) -> u32 {
    let crc = checksum(previous, bytes);
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(bytes);
    crc
}

/// The frame at the start of `buffer`, if there is a whole and valid one.
pub(crate) fn read(buffer: &[u8], previous: u32) -> Option<Frame<'_>> {
    let (length, crc) = head(buffer)?;
    let bytes = buffer.get(HEAD..HEAD + length)?;
    (checksum(previous, bytes) == crc).then_some(Frame { bytes, crc })
}

/// Length and checksum at the start of `buffer`, if the length is one that a frame can have.
pub(crate) fn head(buffer: &[u8]) -> Option<(usize, u32)> {
    let length = u32::from_le_bytes(*buffer.first_chunk::<4>()?) as usize;
    let crc = u32::from_le_bytes(*buffer.get(4..)?.first_chunk::<4>()?);
    (1..=MAX_ENTRY).contains(&length).then_some((length, crc))
}
