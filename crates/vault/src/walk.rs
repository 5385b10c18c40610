//! Walking over the frames of a file: what is whole, what is damaged, where the readable part ends.

use crate::frame::{FILE_HEADER, HEADER, Header, MAX_FRAME, MIN_FRAME, Sealer};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// How far behind a broken frame another one is looked for.
const SEARCH: u64 = 4 << 20;
/// How many bytes such a search may put through a CRC before it gives up.
const SEARCH_COST: u64 = 1 << 30;

/// One stretch of a framed file, from `offset` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub offset: u64,
    pub end: u64,
    pub what: What,
}

/// What a stretch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A whole frame, genuine as far as there is a key to tell. Its plaintext is in [`Walk::plain`].
    Frame,
    /// A void frame.
    Void,
    /// Damage; a whole frame or the end of the walk comes after it.
    Bad(&'static str),
    /// Nothing readable from here to the end of the file: torn, being written, or damaged.
    Tail(&'static str),
}

/// The file that is walked over, read through a window.
struct Window {
    file: Arc<File>,
    start: u64,
    bytes: Vec<u8>,
}

/// A walk from one offset to the end of the file as it was when the walk began.
pub(crate) struct Walk {
    window: Window,
    sealer: Option<Arc<Sealer>>,
    at: u64,
    end: u64,
    longest: u64,
    plain: Vec<u8>,
}

/// What the bytes at an offset look like.
enum Look {
    Whole(Header),
    Forged(Header),
    Broken(&'static str, Option<u64>),
}

impl Window {
    /// The `length` bytes at `offset`, or as many of them as there are.
    fn read(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let have = offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok());
        let inside = have.is_some_and(|skip| skip + length <= self.bytes.len());
        if !inside {
            self.start = offset;
            self.bytes.resize(length.max(64 << 10), 0);
            let count = read_some(&self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(count);
        }
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let until = skip.saturating_add(length).min(self.bytes.len());
        Ok(self.bytes.get(skip..until).unwrap_or_default())
    }
}

impl Walk {
    /// A walk over `file` from `from` on (the first frame if that is smaller), over frames of at most `longest`
    /// bytes. Without a sealer frames are judged by their CRC.
    pub fn new(file: Arc<File>, sealer: Option<Arc<Sealer>>, from: u64, longest: u64) -> io::Result<Self> {
        let end = file.metadata()?.len();
        let window = Window {
            file,
            start: 0,
            bytes: Vec::new(),
        };
        let longest = longest.min(MAX_FRAME);
        Ok(Self {
            window,
            sealer,
            at: from.max(FILE_HEADER.len() as u64),
            end,
            longest,
            plain: Vec::new(),
        })
    }

    /// The plaintext of the frame that was returned last; sealed bytes if there is no key.
    pub fn plain(&mut self) -> &mut Vec<u8> {
        &mut self.plain
    }

    /// The next stretch, `None` at the end. A [`What::Tail`] is the last one.
    pub fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let offset = self.at;
        let (end, what) = match self.look(offset)? {
            Look::Whole(header) => (
                offset + header.total(),
                if header.is_void() { What::Void } else { What::Frame },
            ),
            Look::Forged(header) => (
                offset + header.total(),
                What::Bad("not written by this session's key"),
            ),
            Look::Broken(why, claimed) => match self.search(offset, claimed)? {
                Some(end) => (end, What::Bad(why)),
                None => (self.end, What::Tail(why)),
            },
        };
        self.at = end;
        Ok(Some(Piece { offset, end, what }))
    }

    /// Whether a frame of this kind may be so long.
    fn allows(&self, header: Header) -> bool {
        header.is_void() || header.total() <= self.longest
    }

    /// Judge the bytes at `offset`; the plaintext of a whole frame is left in `plain`.
    fn look(&mut self, offset: u64) -> io::Result<Look> {
        let room = self.end.saturating_sub(offset);
        if room < MIN_FRAME {
            return Ok(Look::Broken("an incomplete frame", None));
        }
        let header = Header::parse(self.window.read(offset, HEADER)?).filter(|header| self.allows(*header));
        let Some(header) = header else {
            return Ok(Look::Broken("no frame begins here", None));
        };
        if header.total() > room {
            return Ok(Look::Broken("an incomplete frame", None));
        }
        let sealed = self.window.read(offset + HEADER as u64, header.sealed())?;
        if sealed.len() < header.sealed() {
            return Ok(Look::Broken("an incomplete frame", None));
        }
        if crc32fast::hash(sealed) != header.crc {
            return Ok(Look::Broken(
                "the checksum does not hold",
                Some(offset + header.total()),
            ));
        }
        self.plain.clear();
        self.plain.extend_from_slice(sealed);
        match &self.sealer {
            Some(sealer) if sealer.open(offset, header, &mut self.plain).is_err() => Ok(Look::Forged(header)),
            _ => Ok(Look::Whole(header)),
        }
    }

    /// Where the next whole frame behind the broken one at `offset` begins; first where that one claims to end.
    fn search(&mut self, offset: u64, claimed: Option<u64>) -> io::Result<Option<u64>> {
        if let Some(end) = claimed.filter(|end| *end < self.end)
            && matches!(self.look(end)?, Look::Whole(_))
        {
            return Ok(Some(end));
        }
        let mut cost = 0;
        let last = self
            .end
            .saturating_sub(MIN_FRAME)
            .min(offset.saturating_add(SEARCH));
        for candidate in offset + 1..=last {
            let header = Header::parse(self.window.read(candidate, HEADER)?);
            let fits = |header: &Header| self.allows(*header) && header.total() <= self.end - candidate;
            let Some(header) = header.filter(fits) else {
                continue;
            };
            cost += header.total();
            if cost > SEARCH_COST {
                break;
            }
            if matches!(self.look(candidate)?, Look::Whole(_)) {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }
}

/// Fill `buffer` from `offset` on as far as the file goes.
pub(crate) fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = buffer.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
