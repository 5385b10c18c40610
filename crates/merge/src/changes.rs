//! What changed between two lists of lines, in bounded time.
//!
//! Myers' algorithm is quadratic where texts have little in common, so it gets regions of at most [`REGION`] cells.
//! A larger region is first cut at lines that occur once on both sides (as in patience diff); where there are none,
//! it counts as changed as a whole. That is coarse, never wrong: a merge then sees a conflict where a finer one
//! might have seen none.

use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::collections::HashMap;
use std::ops::Range;

/// Lines `old` of the old text became lines `new` of the new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// Cells (old lines times new lines) that are compared line by line.
const REGION: usize = 1 << 24;

/// How often a region is cut again before it counts as changed as a whole.
const DEPTH: usize = 24;

/// The changes from `old` to `new` in order, with at least one unchanged line between any two.
pub(crate) fn changes(old: &[u32], new: &[u32]) -> Vec<Change> {
    let mut found = Found { changes: Vec::new() };
    compare(old, new, 0, 0, DEPTH, &mut found);
    found.changes
}

struct Found {
    changes: Vec<Change>,
}

impl Found {
    /// Add a change, joined with the last one if they touch.
    fn add(&mut self, old: Range<usize>, new: Range<usize>) {
        if old.is_empty() && new.is_empty() {
            return;
        }
        match self.changes.last_mut() {
            Some(last) if last.old.end == old.start && last.new.end == new.start => {
                last.old.end = old.end;
                last.new.end = new.end;
            }
            _ => self.changes.push(Change { old, new }),
        }
    }
}

fn compare(old: &[u32], new: &[u32], old_at: usize, new_at: usize, depth: usize, found: &mut Found) {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (
        old.get(head..).unwrap_or_default(),
        new.get(head..).unwrap_or_default(),
    );
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let (old_at, new_at) = (old_at + head, new_at + head);
    if old.is_empty() || new.is_empty() {
        found.add(old_at..old_at + old.len(), new_at..new_at + new.len());
        return;
    }
    if old.len().saturating_mul(new.len()) <= REGION {
        for op in capture_diff_slices(Algorithm::Myers, old, new) {
            if op.tag() != DiffTag::Equal {
                let (from, to) = (op.old_range(), op.new_range());
                found.add(
                    old_at + from.start..old_at + from.end,
                    new_at + to.start..new_at + to.end,
                );
            }
        }
        return;
    }
    let cuts = if depth == 0 { Vec::new() } else { anchors(old, new) };
    if cuts.is_empty() {
        found.add(old_at..old_at + old.len(), new_at..new_at + new.len());
        return;
    }
    let (mut old_from, mut new_from) = (0, 0);
    for (old_cut, new_cut) in cuts.into_iter().chain([(old.len(), new.len())]) {
        let (a, b) = (old.get(old_from..old_cut), new.get(new_from..new_cut));
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        compare(a, b, old_at + old_from, new_at + new_from, depth - 1, found);
        (old_from, new_from) = (old_cut + 1, new_cut + 1);
    }
}

/// Pairs of places of lines that occur once on both sides, rising on both: the longest such list.
fn anchors(old: &[u32], new: &[u32]) -> Vec<(usize, usize)> {
    let places = once(new);
    let here = once(old);
    let mut pairs: Vec<(usize, usize)> = here
        .iter()
        .filter_map(|(line, at)| Some((*at, *places.get(line)?)))
        .collect();
    pairs.sort_unstable();
    longest_rise(&pairs)
}

/// The places of lines that occur once.
fn once(lines: &[u32]) -> HashMap<u32, usize> {
    let mut places: HashMap<u32, Option<usize>> = HashMap::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        places
            .entry(*line)
            .and_modify(|place| *place = None)
            .or_insert(Some(at));
    }
    places
        .into_iter()
        .filter_map(|(line, at)| Some((line, at?)))
        .collect()
}

/// The longest list of pairs whose second numbers rise, by patience sorting.
fn longest_rise(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut piles: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |at: &usize| pairs.get(*at).map(|pair| pair.1);
    for (at, pair) in pairs.iter().enumerate() {
        let pile = piles.partition_point(|top| second(top) < Some(pair.1));
        previous.push(pile.checked_sub(1).and_then(|below| piles.get(below).copied()));
        match piles.get_mut(pile) {
            Some(top) => *top = at,
            None => piles.push(at),
        }
    }
    let mut rise = Vec::with_capacity(piles.len());
    let mut next = piles.last().copied();
    while let Some(at) = next {
        rise.extend(pairs.get(at).copied());
        next = previous.get(at).copied().flatten();
    }
    rise.reverse();
    rise
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(old: &[u32], new: &[u32], changes: &[Change]) -> Vec<u32> {
        let mut result = Vec::new();
        let mut at = 0;
        for change in changes {
            result.extend_from_slice(&old[at..change.old.start]);
            result.extend_from_slice(&new[change.new.clone()]);
            at = change.old.end;
        }
        result.extend_from_slice(&old[at..]);
        result
    }

    #[test]
    fn edits_at_both_ends_of_a_large_text_stay_apart() {
        let old: Vec<u32> = (0..40_000).collect();
        let mut new = old.clone();
        new[3] = 99_999;
        new[20_000] = 99_998;
        new[39_990] = 99_997;
        let found = changes(&old, &new);
        assert_eq!(found.len(), 3);
        assert_eq!(apply(&old, &new, &found), new);
    }

    #[test]
    fn a_large_region_without_unique_lines_changes_as_a_whole_and_at_once() {
        let old: Vec<u32> = (0..100_000).map(|n| n % 7).collect();
        let new: Vec<u32> = (0..100_000).map(|n| n % 5 + 1).collect();
        let found = changes(&old, &new);
        assert_eq!(apply(&old, &new, &found), new);
        assert!(found.len() <= 2);
    }
}
