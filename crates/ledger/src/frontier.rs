//! The frontier: where hashing stands, in memory and on disk (docs/formats/ledger.md, section 2.4).

use crate::chain::Position;
use crate::merkle::Compact;
use crate::note::{Signer, Verifier, decimal, decode_hash, encode};
use std::fmt::Write as _;

/// How many marks are kept at most.
const MARKS: usize = 512;

/// The smallest distance between marks, in entries.
const DISTANCE: u64 = 64;

/// More than any frontier file has, in bytes.
pub(crate) const LIMIT: u64 = 131_072;

/// The tree up to a place, and some places before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frontier {
    /// The place up to which entries are in the tree.
    pub position: Position,
    pub tree: Compact,
    pub marks: Marks,
}

/// Places of entries, evenly spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks {
    distance: u64,
    places: Vec<Position>,
}

impl Marks {
    fn new(places: Vec<Position>) -> Self {
        let gap = |places: &[Position]| match places {
            [first, second, ..] => second.index.checked_sub(first.index),
            _ => None,
        };
        let distance = gap(&places)
            .unwrap_or(DISTANCE)
            .clamp(DISTANCE, 1 << 56)
            .next_power_of_two();
        Self { distance, places }
    }

    fn pass(&mut self, place: Position) {
        if !place.index.is_multiple_of(self.distance) {
            return;
        }
        self.places.push(place);
        if self.places.len() > MARKS {
            self.distance *= 2;
            let distance = self.distance;
            self.places.retain(|place| place.index.is_multiple_of(distance));
        }
    }

    /// The last mark at or before `index`.
    pub fn before(&self, index: u64) -> Option<Position> {
        let after = self.places.partition_point(|place| place.index <= index);
        self.places.get(after.checked_sub(1)?).copied()
    }

    pub fn places(&self) -> &[Position] {
        &self.places
    }
}

impl Frontier {
    /// Nothing hashed yet, `start` being the place of entry 0.
    pub fn new(start: Position) -> Self {
        Self {
            position: start,
            tree: Compact::default(),
            marks: Marks::new(Vec::new()),
        }
    }

    /// Take in the entry at `place`.
    pub fn pass(&mut self, place: Position, leaf: crate::merkle::Hash) {
        self.marks.pass(place);
        self.tree.push(leaf);
    }

    /// The last known place at or before entry `index`.
    pub fn before(&self, index: u64) -> Option<Position> {
        let end = Some(self.position).filter(|place| place.index <= index);
        end.or_else(|| self.marks.before(index))
    }

    pub fn sign(&self, signer: &Signer) -> String {
        let mut text = format!("{} frontier\n", signer.verifier().name());
        let Position {
            epoch, offset, crc, ..
        } = self.position;
        // Writing to a string can't fail.
        let _ = writeln!(text, "size {}\nat {epoch} {offset} {crc:08x}", self.tree.size());
        for (height, hash) in self.tree.nodes() {
            let _ = writeln!(text, "node {height} {}", encode(hash));
        }
        for Position {
            epoch,
            offset,
            index,
            crc,
        } in &self.marks.places
        {
            let _ = writeln!(text, "mark {index} {epoch} {offset} {crc:08x}");
        }
        signer.sign(&text)
    }

    /// Read what [`Frontier::sign`] wrote, or say what is wrong with it.
    pub fn open(bytes: &[u8], key: &Verifier) -> Result<Self, String> {
        let note = key.open(bytes).map_err(|error| error.to_string())?;
        parse(note.text, key.name()).ok_or_else(|| "it is signed and has another form".to_owned())
    }
}

fn parse(text: &str, origin: &str) -> Option<Frontier> {
    let mut lines = text.lines();
    if lines.next()?.strip_prefix(origin)? != " frontier" {
        return None;
    }
    let size = decimal(lines.next()?.strip_prefix("size ")?)?;
    let position = place(size, lines.next()?.strip_prefix("at ")?)?;
    let (mut nodes, mut places) = (Vec::new(), Vec::new());
    for line in lines {
        if let Some(node) = line.strip_prefix("node ") {
            let (height, hash) = node.split_once(' ')?;
            nodes.push((u32::try_from(decimal(height)?).ok()?, decode_hash(hash)?));
        } else {
            let (index, rest) = line.strip_prefix("mark ")?.split_once(' ')?;
            places.push(place(decimal(index)?, rest)?);
        }
    }
    let ordered = places.is_sorted_by(|a: &Position, b: &Position| a.index < b.index);
    (ordered && places.len() <= MARKS).then_some(())?;
    Some(Frontier {
        position,
        tree: Compact::from_nodes(size, nodes)?,
        marks: Marks::new(places),
    })
}

fn place(index: u64, text: &str) -> Option<Position> {
    let mut parts = text.splitn(3, ' ');
    let epoch = u32::try_from(decimal(parts.next()?)?).ok()?;
    let offset = decimal(parts.next()?)?;
    let crc = u32::from_str_radix(parts.next()?, 16).ok()?;
    Some(Position {
        epoch,
        offset,
        index,
        crc,
    })
}
