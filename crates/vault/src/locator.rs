//! Locators as text, and what they say (docs/formats/vault.md, "Locators").

use crate::error::{Error, Result};
use rescind_model::Locator;
use rustix::fs::Stat;

/// Whether content must last as long as its session or may be pruned before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Keeping {
    /// It stays until the session is erased.
    Lasting,
    /// A build or an installer can make it again (`target/`, `node_modules/`, caches): pruned first.
    Recreatable,
}

impl Keeping {
    pub(crate) const BOTH: [Self; 2] = [Self::Lasting, Self::Recreatable];

    pub(crate) fn pack_prefix(self) -> &'static str {
        match self {
            Self::Lasting => "pack.",
            Self::Recreatable => "packr.",
        }
    }

    pub(crate) fn pins(self) -> &'static str {
        match self {
            Self::Lasting => "pins",
            Self::Recreatable => "pinsr",
        }
    }
}

/// The name of pack `number`.
pub(crate) fn pack_name(keeping: Keeping, number: u32) -> String {
    format!("{}{number:06}", keeping.pack_prefix())
}

/// The kind and number of a pack, if `name` is a pack's name.
pub(crate) fn parse_pack_name(name: &str) -> Option<(Keeping, u32)> {
    Keeping::BOTH.into_iter().find_map(|keeping| {
        let number = name.strip_prefix(keeping.pack_prefix())?.parse().ok()?;
        (number > 0 && pack_name(keeping, number) == name).then_some((keeping, number))
    })
}

/// A place in a session's packs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlobPlace {
    pub keeping: Keeping,
    pub pack: u32,
    pub offset: u64,
    pub length: u64,
}

/// A pin and what it was when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PinPlace {
    pub keeping: Keeping,
    pub root: u32,
    pub number: u64,
    pub identity: PinIdentity,
}

/// What tells whether a pinned file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinIdentity {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_size`, in bytes.
    pub size: u64,
    /// Seconds of `st_mtim`.
    pub mtime: i64,
    /// Nanoseconds of `st_mtim`.
    pub mtime_nsec: u32,
}

impl PinIdentity {
    pub(crate) fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: stat.st_mtime,
            mtime_nsec: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        }
    }
}

/// Any locator of this vault's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Blob(BlobPlace),
    Pin(PinPlace),
}

impl BlobPlace {
    pub fn locator(&self) -> Locator {
        let Self {
            keeping,
            pack,
            offset,
            length,
        } = self;
        Locator(format!(
            "blob:{}{pack:06}@{offset}+{length}",
            keeping.pack_prefix()
        ))
    }
}

impl PinPlace {
    pub fn locator(&self) -> Locator {
        let Self {
            keeping,
            root,
            number,
            identity,
        } = self;
        let PinIdentity {
            device,
            inode,
            size,
            mtime,
            mtime_nsec,
        } = identity;
        let pins = keeping.pins();
        Locator(format!(
            "pin:{root}/{pins}/{number}@{device}:{inode}+{size}~{mtime}.{mtime_nsec:09}"
        ))
    }
}

impl Place {
    /// Read a locator. Only the text that would be written for a place is one.
    pub fn parse(locator: &Locator) -> Result<Self> {
        let Locator(text) = locator;
        let blob = text.strip_prefix("blob:").and_then(blob).map(Self::Blob);
        let pin = || text.strip_prefix("pin:").and_then(pin).map(Self::Pin);
        let place = blob
            .or_else(pin)
            .ok_or_else(|| Error::BadLocator { text: text.clone() })?;
        let again = match &place {
            Self::Blob(blob) => blob.locator(),
            Self::Pin(pin) => pin.locator(),
        };
        if again != *locator {
            return Err(Error::BadLocator { text: text.clone() });
        }
        Ok(place)
    }
}

fn blob(text: &str) -> Option<BlobPlace> {
    let (name, place) = text.split_once('@')?;
    let (offset, length) = place.split_once('+')?;
    let (keeping, pack) = parse_pack_name(name)?;
    Some(BlobPlace {
        keeping,
        pack,
        offset: offset.parse().ok()?,
        length: length.parse().ok()?,
    })
}

fn pin(text: &str) -> Option<PinPlace> {
    let (name, identity) = text.split_once('@')?;
    let mut name = name.splitn(3, '/');
    let root = name.next()?.parse().ok()?;
    let pins = name.next()?;
    let keeping = Keeping::BOTH.into_iter().find(|keeping| keeping.pins() == pins)?;
    let number = name.next()?.parse().ok()?;
    let (device, rest) = identity.split_once(':')?;
    let (inode, rest) = rest.split_once('+')?;
    let (size, mtime) = rest.split_once('~')?;
    let (mtime, mtime_nsec) = mtime.split_once('.')?;
    let identity = PinIdentity {
        device: device.parse().ok()?,
        inode: inode.parse().ok()?,
        size: size.parse().ok()?,
        mtime: mtime.parse().ok()?,
        mtime_nsec: mtime_nsec.parse().ok()?,
    };
    Some(PinPlace {
        keeping,
        root,
        number,
        identity,
    })
}
