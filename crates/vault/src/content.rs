//! What the frames of a pack hold: content as it is, content compressed, or a list of chunks.

use std::io;

/// The most content a frame has.
pub(crate) const CHUNK: usize = 1 << 20;
/// The most entries a list has.
pub(crate) const ENTRIES: usize = 32_768;
/// How many lists may be on the way from a locator to a chunk.
pub(crate) const DEPTH: usize = 2;
/// The longest plaintext of a pack's frame.
pub(crate) const MAX_PACK_PLAIN: usize = CHUNK + 1;

const RAW: u8 = 0;
const ZSTD: u8 = 1;
const LIST: u8 = 2;
const ENTRY: usize = 28;
const LEVEL: i32 = 1;
/// Below this many bytes compression does not pay.
const WORTH: usize = 256;

/// One chunk, or one list, of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Where in the blob.
    pub at: u64,
    /// How many bytes of the blob.
    pub length: u64,
    /// The number of the pack.
    pub pack: u32,
    /// The frame in that pack.
    pub offset: u64,
}

/// What a frame was found to hold.
pub(crate) enum Content {
    Data(Vec<u8>),
    List { total: u64, entries: Vec<Entry> },
}

/// A compressor with its buffers, made once per session and kind.
pub(crate) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    room: Vec<u8>,
}

impl Packer {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            zstd: zstd::bulk::Compressor::new(LEVEL)?,
            room: Vec::new(),
        })
    }

    /// The plaintext of the frame for at most [`CHUNK`] bytes of content, in two parts.
    pub fn pack<'a>(&'a mut self, data: &'a [u8]) -> (&'static [u8], &'a [u8]) {
        if data.len() < WORTH {
            return (&[RAW], data);
        }
        self.room.clear();
        self.room.reserve(zstd::zstd_safe::compress_bound(data.len()));
        match self.zstd.compress_to_buffer(data, &mut self.room) {
            Ok(length) if length < data.len() => (&[ZSTD], &self.room),
            _ => (&[RAW], data),
        }
    }
}

/// The plaintext of a list's frame.
pub(crate) fn pack_list(total: u64, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + entries.len() * ENTRY);
    bytes.push(LIST);
    bytes.extend_from_slice(&total.to_le_bytes());
    for entry in entries {
        bytes.extend_from_slice(&entry.at.to_le_bytes());
        bytes.extend_from_slice(&entry.length.to_le_bytes());
        bytes.extend_from_slice(&entry.pack.to_le_bytes());
        bytes.extend_from_slice(&entry.offset.to_le_bytes());
    }
    bytes
}

/// Read the plaintext of a pack's frame. The error says what is wrong with it.
pub(crate) fn unpack(mut plain: Vec<u8>) -> Result<Content, &'static str> {
    let (method, data) = plain.split_first().ok_or("a frame without a method")?;
    match *method {
        RAW => {
            plain.remove(0);
            Ok(Content::Data(plain))
        }
        ZSTD => decompress(data).map(Content::Data),
        LIST => {
            let (total, entries) = data.split_first_chunk::<8>().ok_or("a list without a length")?;
            let total = u64::from_le_bytes(*total);
            if !entries.len().is_multiple_of(ENTRY) {
                return Err("a list with half an entry");
            }
            let entries: Option<Vec<Entry>> = entries.chunks_exact(ENTRY).map(entry).collect();
            Ok(Content::List {
                total,
                entries: entries.ok_or("a list with half an entry")?,
            })
        }
        _ => Err("a method that this version does not know"),
    }
}

fn decompress(data: &[u8]) -> Result<Vec<u8>, &'static str> {
    const BAD: &str = "content that does not decompress";
    let length = zstd::zstd_safe::get_frame_content_size(data)
        .map_err(|_| BAD)?
        .ok_or(BAD)?;
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length <= CHUNK)
        .ok_or(BAD)?;
    let mut zstd = zstd::bulk::Decompressor::new().map_err(|_| BAD)?;
    let content = zstd.decompress(data, length).map_err(|_| BAD)?;
    if content.len() == length {
        Ok(content)
    } else {
        Err(BAD)
    }
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let (at, bytes) = bytes.split_first_chunk()?;
    let (length, bytes) = bytes.split_first_chunk()?;
    let (pack, bytes) = bytes.split_first_chunk()?;
    let (offset, _) = bytes.split_first_chunk()?;
    Some(Entry {
        at: u64::from_le_bytes(*at),
        length: u64::from_le_bytes(*length),
        pack: u32::from_le_bytes(*pack),
        offset: u64::from_le_bytes(*offset),
    })
}
