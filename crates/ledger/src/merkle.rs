//! The tree of RFC 6962: hashing entry by entry, proofs, and their verification as in RFC 9162.

use sha2::{Digest as _, Sha256};

/// A SHA-256 hash of the tree.
pub type Hash = [u8; 32];

/// The hash of an entry.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(entry);
    hasher.finalize().into()
}

/// The hash of two neighbouring subtrees.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of the empty tree.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The perfect subtrees of a tree, left to right, highest first: enough to add entries and to know the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compact {
    size: u64,
    nodes: Vec<(u32, Hash)>,
}

impl Compact {
    /// The compact form of a tree of `size` entries, if `nodes` are the heights and hashes that such a tree
    /// has.
    #[must_use]
    pub fn from_nodes(size: u64, nodes: Vec<(u32, Hash)>) -> Option<Self> {
        let heights = (0..64).rev().filter(|height| size >> height & 1 == 1);
        heights
            .eq(nodes.iter().map(|(height, _)| *height))
            .then_some(Self { size, nodes })
    }

    /// How many entries the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Heights and hashes of the perfect subtrees, left to right.
    #[must_use]
    pub fn nodes(&self) -> &[(u32, Hash)] {
        &self.nodes
    }

    /// Add an entry by its leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Add a perfect subtree of 2^`height` entries. The size must be a multiple of that.
    pub(crate) fn push_subtree(&mut self, height: u32, hash: Hash) {
        let mut node = (height, hash);
        while let Some((own, left)) = self.nodes.last() {
            if *own != node.0 {
                break;
            }
            node = (node.0 + 1, node_hash(left, &node.1));
            self.nodes.pop();
        }
        self.nodes.push(node);
        self.size = self.size.saturating_add(1_u64.checked_shl(height).unwrap_or(0));
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        let Some((_, last)) = nodes.next() else {
            return empty_root();
        };
        nodes.fold(*last, |right, (_, left)| node_hash(left, &right))
    }
}

/// The largest power of two below `size`; `size` is at least 2.
fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The ranges of entries whose subtree hashes prove entry `index` in a tree of `size`, from the leaf's
/// sibling up (RFC 6962, 2.1.1).
pub(crate) fn inclusion_ranges(index: u64, size: u64) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// The ranges of entries whose subtree hashes prove that a tree of `old` is a prefix of one of `new` (RFC
/// 6962, 2.1.2). Empty for `old` 0 or `new`.
pub(crate) fn consistency_ranges(old: u64, new: u64) -> Vec<(u64, u64)> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, new);
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    // What is left is the last perfect part of the old tree; a verifier knows it where it is the whole old
    // tree.
    if start > 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    ranges
}

/// Collects the hashes of disjoint ranges of entries while the entries go by in order.
pub(crate) struct Collector {
    wanted: Vec<(u64, u64, Compact)>,
}

impl Collector {
    pub fn new(ranges: &[(u64, u64)]) -> Self {
        Self {
            wanted: ranges
                .iter()
                .map(|(start, end)| (*start, *end, Compact::default()))
                .collect(),
        }
    }

    pub fn add(&mut self, index: u64, leaf: Hash) {
        let range = self
            .wanted
            .iter_mut()
            .find(|(start, end, _)| (*start..*end).contains(&index));
        if let Some((_, _, compact)) = range {
            compact.push(leaf);
        }
    }

    /// The hashes in the order of the ranges; `None` if entries were missing.
    pub fn finish(self) -> Option<Vec<Hash>> {
        self.wanted
            .into_iter()
            .map(|(start, end, compact)| (compact.size() == end - start).then(|| compact.root()))
            .collect()
    }
}

/// Check that the entry with this leaf hash is entry `index` of the tree (RFC 9162, 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Check that the tree of `old` entries is a prefix of the one of `new` entries (RFC 9162, 2.1.4.2). Every
/// tree continues the empty one.
#[must_use]
pub fn verify_consistency(old: u64, new: u64, proof: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old > new {
        return false;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let mut path = proof.iter();
    let first = if old.is_power_of_two() {
        Some(old_root)
    } else {
        path.next()
    };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            of_old = node_hash(hash, &of_old);
            of_new = node_hash(hash, &of_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node_hash(&of_new, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

#[cfg(test)]
mod tests;
