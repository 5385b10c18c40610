//! Frames: sealing, opening and telling whole ones from torn ones (docs/formats/vault.md, "Framed files").

use crate::key::SessionKey;
use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};

/// The first bytes of every framed file.
pub(crate) const FILE_HEADER: &[u8; 16] = b"rescind vault 1\n";
/// Length field and CRC.
pub(crate) const HEADER: usize = 8;
/// The AEAD's tag.
pub(crate) const TAG: usize = 16;
/// The shortest frame.
pub(crate) const MIN_FRAME: u64 = (HEADER + TAG) as u64;
/// The longest plaintext of a frame.
pub(crate) const MAX_PLAIN: usize = 16 << 20;
/// The longest frame.
pub(crate) const MAX_FRAME: u64 = (HEADER + MAX_PLAIN + TAG) as u64;

const VOID: u32 = 1 << 31;

/// What the first eight bytes of a frame say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The length field as it is on disk.
    field: u32,
    /// CRC-32 of the sealed bytes.
    pub crc: u32,
}

impl Header {
    /// Read a header; `None` if no frame can begin so.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let field = u32::from_le_bytes(bytes.get(0..4)?.try_into().ok()?);
        let crc = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        let header = Self { field, crc };
        let sealed = header.sealed();
        (TAG..=MAX_PLAIN + TAG).contains(&sealed).then_some(header)
    }

    fn bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let (field, crc) = bytes.split_at_mut(4);
        field.copy_from_slice(&self.field.to_le_bytes());
        crc.copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    /// How many sealed bytes follow.
    pub fn sealed(self) -> usize {
        (self.field & !VOID) as usize
    }

    /// How many bytes the frame has with its header.
    pub fn total(self) -> u64 {
        (HEADER + self.sealed()) as u64
    }

    pub fn is_void(self) -> bool {
        self.field & VOID != 0
    }
}

/// Seals and opens the frames of one file.
pub(crate) struct Sealer(ChaCha20Poly1305);

/// A frame that the key does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotGenuine;

impl Sealer {
    pub fn new(key: &SessionKey, file_name: &str) -> Self {
        Self(ChaCha20Poly1305::new(Key::from_slice(&*key.of_file(file_name))))
    }

    /// Turn `buffer`, which is eight bytes of room and then the plaintext, into the frame at `offset`.
    /// The plaintext is at most [`MAX_PLAIN`] bytes, which the caller has seen to.
    pub fn seal(&self, offset: u64, buffer: &mut Vec<u8>) -> Result<(), NotGenuine> {
        let field = u32::try_from((buffer.len() + TAG).saturating_sub(HEADER)).map_err(|_| NotGenuine)?;
        let (nonce, aad) = (nonce(0, offset), aad(offset, field));
        let (room, plain) = buffer.split_at_mut_checked(HEADER).ok_or(NotGenuine)?;
        let tag = self
            .0
            .encrypt_in_place_detached(&nonce, &aad, plain)
            .map_err(|_| NotGenuine)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(plain);
        crc.update(&tag);
        room.copy_from_slice(
            &Header {
                field,
                crc: crc.finalize(),
            }
            .bytes(),
        );
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// The first 24 bytes of the void frame of `total` bytes at `offset`, of which `junk` are those behind the 24.
    pub fn void(&self, offset: u64, total: u64, junk: &[u8]) -> Result<[u8; HEADER + TAG], NotGenuine> {
        let sealed = u32::try_from(total.saturating_sub(HEADER as u64)).map_err(|_| NotGenuine)?;
        let field = sealed | VOID;
        let tag = self
            .0
            .encrypt_in_place_detached(&nonce(1, offset), &aad(offset, field), &mut [])
            .map_err(|_| NotGenuine)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&tag);
        crc.update(junk);
        let mut bytes = [0; HEADER + TAG];
        let (room, place) = bytes.split_at_mut(HEADER);
        room.copy_from_slice(
            &Header {
                field,
                crc: crc.finalize(),
            }
            .bytes(),
        );
        place.copy_from_slice(&tag);
        Ok(bytes)
    }

    /// Open the sealed bytes of the frame at `offset` in place; what stays in `sealed` is the plaintext, empty
    /// for a void frame.
    pub fn open(&self, offset: u64, header: Header, sealed: &mut Vec<u8>) -> Result<(), NotGenuine> {
        let aad = aad(offset, header.field);
        if header.is_void() {
            let tag = Tag::from_slice(sealed.get(..TAG).ok_or(NotGenuine)?);
            self.0
                .decrypt_in_place_detached(&nonce(1, offset), &aad, &mut [], tag)
                .map_err(|_| NotGenuine)?;
            sealed.clear();
            return Ok(());
        }
        let length = sealed.len().checked_sub(TAG).ok_or(NotGenuine)?;
        let (plain, tag) = sealed.split_at_mut_checked(length).ok_or(NotGenuine)?;
        self.0
            .decrypt_in_place_detached(&nonce(0, offset), &aad, plain, Tag::from_slice(tag))
            .map_err(|_| NotGenuine)?;
        sealed.truncate(length);
        Ok(())
    }
}

fn nonce(kind: u32, offset: u64) -> Nonce {
    let mut nonce = Nonce::default();
    let (first, last) = nonce.split_at_mut(4);
    first.copy_from_slice(&kind.to_le_bytes());
    last.copy_from_slice(&offset.to_le_bytes());
    nonce
}

fn aad(offset: u64, field: u32) -> [u8; 12] {
    let mut aad = [0; 12];
    let (first, last) = aad.split_at_mut(8);
    first.copy_from_slice(&offset.to_le_bytes());
    last.copy_from_slice(&field.to_le_bytes());
    aad
}
