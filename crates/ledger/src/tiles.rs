//! Tiles and entry bundles (C2SP tlog-tiles): made entry by entry, named, and taken apart.

use crate::merkle::{Compact, Hash, leaf_hash, node_hash};

/// Hashes in a full tile, entries in a full bundle.
pub(crate) const WIDTH: u64 = 256;

/// The longest bundle, in bytes.
pub(crate) const MAX_BUNDLE: u64 = WIDTH * (2 + crate::MAX_ENTRY as u64);

/// What a resource of the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Hashes of this level.
    Tile(u8),
    /// Entries.
    Bundle,
}

/// The name of a tile or bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    pub kind: Kind,
    /// Its index in its level.
    pub number: u64,
    /// How many hashes or entries it has, 1 to 256.
    pub width: u64,
}

/// A tile or bundle.
pub(crate) struct Object {
    pub name: Name,
    pub bytes: Vec<u8>,
}

impl Name {
    /// Its path below the prefix.
    pub fn path(&self) -> String {
        let level = match self.kind {
            Kind::Tile(level) => level.to_string(),
            Kind::Bundle => "entries".to_owned(),
        };
        let mut number = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let width = if self.width < WIDTH {
            format!(".p/{}", self.width)
        } else {
            String::new()
        };
        format!("tile/{level}/{number}{width}")
    }

    /// The name with this path, if there is one.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match level {
            "entries" => Kind::Bundle,
            level => Kind::Tile(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, WIDTH),
        };
        let mut value = 0_u64;
        for part in number.split('/') {
            let digits = part.strip_prefix('x').unwrap_or(part);
            value = value
                .checked_mul(1000)?
                .checked_add(digits.parse::<u64>().ok()?)?;
        }
        let name = Self {
            kind,
            number: value,
            width,
        };
        // There is one spelling of each name.
        (width > 0 && name.path() == path).then_some(name)
    }

    /// The same tile or bundle, full.
    pub fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// The longest it can be, in bytes.
    pub fn limit(&self) -> u64 {
        match self.kind {
            Kind::Tile(_) => 32 * WIDTH,
            Kind::Bundle => MAX_BUNDLE,
        }
    }

    /// How many entries the tree must have for it to exist.
    pub fn end(&self) -> u64 {
        let level = match self.kind {
            Kind::Tile(level) => u32::from(level),
            Kind::Bundle => 0,
        };
        let hashes = self.number.saturating_mul(WIDTH).saturating_add(self.width);
        hashes.saturating_mul(WIDTH.saturating_pow(level))
    }
}

/// The names of the partial tiles of a tree of `size`, level 0 first.
pub(crate) fn partial_tiles(size: u64) -> Vec<Name> {
    let widths = (0..8_u8).map(|level| (level, size >> (8 * u32::from(level))));
    widths
        .filter(|(_, hashes)| hashes % WIDTH > 0)
        .map(|(level, hashes)| Name {
            kind: Kind::Tile(level),
            number: hashes / WIDTH,
            width: hashes % WIDTH,
        })
        .collect()
}

/// The name of the partial bundle of a tree of `size`, if it has one.
pub(crate) fn partial_bundle(size: u64) -> Option<Name> {
    (!size.is_multiple_of(WIDTH)).then_some(Name {
        kind: Kind::Bundle,
        number: size / WIDTH,
        width: size % WIDTH,
    })
}

/// The hashes in a tile's bytes; `None` if the length does not fit its name.
pub(crate) fn hashes(name: Name, bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() as u64 == name.width).then(|| hashes.to_vec())
}

/// The entries in a bundle's bytes; `None` if they don't fit its name.
pub(crate) fn entries(name: Name, bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = bytes;
    let mut entries = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = after;
    }
    (rest.is_empty() && entries.len() as u64 == name.width).then_some(entries)
}

/// The right-hand edge of a tree, growing: the partial tiles of every level and the partial bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tiler {
    size: u64,
    bundle: Vec<u8>,
    levels: Vec<Vec<Hash>>,
}

impl Tiler {
    /// A tree of `size` entries, a multiple of 256, from the hashes of its partial tiles, levels 1 and up.
    pub fn at(size: u64, tiles: Vec<(Name, Vec<Hash>)>) -> Self {
        let mut levels = vec![Vec::new(); 8];
        for (name, hashes) in tiles {
            if let Kind::Tile(level) = name.kind
                && let Some(place) = levels.get_mut(usize::from(level))
            {
                *place = hashes;
            }
        }
        Self {
            size,
            bundle: Vec::new(),
            levels,
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Add an entry; the tiles and the bundle that it fills go to `out`.
    pub fn push(&mut self, entry: &[u8], out: &mut Vec<Object>) {
        self.bundle
            .extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.bundle.extend_from_slice(entry);
        self.size += 1;
        if self.size.is_multiple_of(WIDTH) {
            let name = Name {
                kind: Kind::Bundle,
                number: self.size / WIDTH - 1,
                width: WIDTH,
            };
            out.push(Object {
                name,
                bytes: std::mem::take(&mut self.bundle),
            });
        }
        self.add(0, leaf_hash(entry), out);
    }

    fn add(&mut self, level: u8, hash: Hash, out: &mut Vec<Object>) {
        let place = usize::from(level);
        if self.levels.len() <= place {
            self.levels.resize(place + 1, Vec::new());
        }
        let Some(hashes) = self.levels.get_mut(place) else {
            return;
        };
        hashes.push(hash);
        if hashes.len() as u64 == WIDTH {
            let hashes = std::mem::take(hashes);
            let number = (self.size >> (8 * (u32::from(level) + 1))).saturating_sub(1);
            let name = Name {
                kind: Kind::Tile(level),
                number,
                width: WIDTH,
            };
            out.push(Object {
                name,
                bytes: hashes.concat(),
            });
            self.add(level + 1, perfect_root(&hashes), out);
        }
    }

    /// The partial tiles and the partial bundle.
    pub fn partials(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        for name in partial_tiles(self.size) {
            if let Kind::Tile(level) = name.kind
                && let Some(hashes) = self.levels.get(usize::from(level))
            {
                objects.push(Object {
                    name,
                    bytes: hashes.concat(),
                });
            }
        }
        objects.extend(partial_bundle(self.size).map(|name| Object {
            name,
            bytes: self.bundle.clone(),
        }));
        objects
    }

    /// The root.
    pub fn root(&self) -> Hash {
        let mut compact = Compact::default();
        for (level, hashes) in (0_u32..).zip(&self.levels).collect::<Vec<_>>().into_iter().rev() {
            for hash in hashes {
                compact.push_subtree(8 * level, *hash);
            }
        }
        compact.root()
    }
}

/// The root over hashes whose number is a power of two.
fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_else(crate::merkle::empty_root)
}

#[cfg(test)]
mod tests;
