//! The second half: every frame of every segment, and whether the entries are the ones that were signed.

use super::Report;
use super::signatures::Signed;
use crate::chain::{Position, Segment, frames};
use crate::disk;
use crate::frame;
use crate::frontier::Frontier;
use crate::header::{checkpoint_name, frontier_name, log_name};
use crate::log::{RESERVE, STEP};
use crate::merkle::{Compact, Hash, leaf_hash};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Hold the segments against what was signed; `false`: a segment was begun meanwhile, and all must be read
/// again.
pub(super) fn walk(dir: &Path, signed: &Signed, report: &mut Report) -> bool {
    let mut walk = Walk::new(signed);
    let opened: Vec<(u32, Option<Segment>)> = signed
        .logs
        .iter()
        .map(|epoch| (*epoch, open(dir, *epoch, report)))
        .collect();
    let chain = chain(opened, dir, report);
    for segment in &chain {
        walk.segment(segment, report);
    }
    walk.finish(signed, &chain, report);
    let top = signed.logs.last().copied().unwrap_or(0);
    !dir.join(log_name(top.saturating_add(1))).exists()
}

/// Open a segment without the right to write, as an auditor may have none.
fn open(dir: &Path, epoch: u32, report: &mut Report) -> Option<Segment> {
    let name = log_name(epoch);
    let path = dir.join(&name);
    let regular = std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_file());
    let file = match File::open(&path) {
        Ok(file) if regular => file,
        Ok(_) => {
            report.fault(&name, None, None, "it is no regular file");
            return None;
        }
        Err(error) => {
            report.fault(&name, None, None, format!("it can't be read ({error})"));
            return None;
        }
    };
    match Segment::read_header(file, path, epoch) {
        Ok(segment) => segment,
        Err(error) => {
            report.fault(&name, Some(0), None, rescind_model::chain(&error));
            None
        }
    }
}

/// The segments that count, oldest first, with their sealed ends.
fn chain(opened: Vec<(u32, Option<Segment>)>, dir: &Path, report: &mut Report) -> Vec<Segment> {
    let top = opened.last().map_or(0, |(epoch, _)| *epoch);
    let mut chain: Vec<Segment> = Vec::new();
    // Which segment comes next, going back, and where it is sealed. The top one may have been claimed and not
    // begun.
    let mut due: Option<(u32, Option<u64>)> = None;
    for (epoch, segment) in opened.into_iter().rev() {
        let name = log_name(epoch);
        let begun = due.is_none_or(|(due, _)| due == epoch);
        match segment {
            _ if due.is_some_and(|(due, _)| due == 0) || !begun => {
                report.note(
                    &name,
                    None,
                    None,
                    "this segment was passed over by a later takeover; nothing in it counts",
                );
            }
            None if due.is_none() && epoch == top && is_blank(&dir.join(&name)) => {
                report.note(
                    &name,
                    Some(0),
                    None,
                    "it was claimed and not begun: its process was killed, and the next one begins it",
                );
            }
            None => {
                report.fault(&name, Some(0), None, "its header is not valid");
                if due.is_some() {
                    break;
                }
            }
            Some(mut segment) => {
                segment.sealed = due.and_then(|(_, sealed)| sealed);
                due = Some((
                    segment.header.previous_epoch,
                    Some(segment.header.previous_sealed_bytes),
                ));
                chain.push(segment);
            }
        }
    }
    chain.reverse();
    chain
}

fn is_blank(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(first_non_zero(&file, 0), Ok(None)))
}

/// The first byte at or after `offset` that is no zero.
fn first_non_zero(file: &File, mut offset: u64) -> std::io::Result<Option<u64>> {
    let mut buffer = vec![0; 1 << 16];
    while let Some(data) = disk::next_data(file, offset)? {
        let count = disk::read_at(file, &mut buffer, data)?;
        let found = buffer.get(..count).unwrap_or_default();
        if !disk::all_zero(found)
            && let Some(found) = found.iter().position(|byte| *byte != 0)
        {
            return Ok(Some(data + found as u64));
        }
        if count == 0 {
            break;
        }
        offset = data + count as u64;
    }
    Ok(None)
}

struct Walk {
    tree: Compact,
    /// Sizes at which the root is wanted.
    sizes: BTreeSet<u64>,
    roots: BTreeMap<u64, Hash>,
    /// Indexes of entries whose places are wanted.
    indexes: BTreeSet<u64>,
    places: BTreeMap<u64, Vec<Position>>,
    /// First index and one behind the last of each segment.
    ranges: BTreeMap<u32, (u64, u64)>,
    end: Option<Position>,
    buffer: Vec<u8>,
}

impl Walk {
    fn new(signed: &Signed) -> Self {
        let mut sizes: BTreeSet<u64> = signed
            .checkpoints
            .values()
            .map(|checkpoint| checkpoint.size)
            .collect();
        sizes.extend(signed.others.iter().map(|(_, checkpoint)| checkpoint.size));
        sizes.extend(signed.frontiers.values().map(|frontier| frontier.tree.size()));
        let marks = signed
            .frontiers
            .values()
            .flat_map(|frontier| frontier.marks.places());
        let mut indexes: BTreeSet<u64> = marks.map(|place| place.index).collect();
        indexes.extend(signed.frontiers.values().map(|frontier| frontier.position.index));
        let mut roots = BTreeMap::new();
        roots.insert(0, crate::merkle::empty_root());
        Self {
            tree: Compact::default(),
            sizes,
            roots,
            indexes,
            places: BTreeMap::new(),
            ranges: BTreeMap::new(),
            end: None,
            buffer: Vec::new(),
        }
    }

    fn segment(&mut self, segment: &Segment, report: &mut Report) {
        let name = log_name(segment.header.epoch);
        let mut position = segment.start();
        let first = self.tree.size();
        if position.index != first {
            let what = format!(
                "its header says that {} entries lie before it; there are {first}",
                position.index
            );
            report.fault(&name, Some(0), Some(first), what);
            position.index = first;
        }
        loop {
            if let Err(error) = segment.read(position.offset, &mut self.buffer) {
                report.fault(
                    &name,
                    Some(position.offset),
                    Some(position.index),
                    rescind_model::chain(&error),
                );
                break;
            }
            let buffer = std::mem::take(&mut self.buffer);
            let mut count = frames(&buffer, &mut position, |place, entry| self.entry(place, entry));
            if count == 0
                && let Some((entry, crc)) = damaged(&buffer, position.crc)
            {
                report.fault(
                    &name,
                    Some(position.offset),
                    Some(position.index),
                    "this entry's bytes are not those that its checksum was made of",
                );
                self.entry(position, entry);
                position.offset += (frame::HEAD + entry.len()) as u64;
                position.index += 1;
                position.crc = crc;
                count = 1;
            }
            self.buffer = buffer;
            if count == 0 {
                break;
            }
        }
        self.place(position);
        self.end = Some(position);
        self.ranges.insert(segment.header.epoch, (first, position.index));
        after_end(segment, &name, position, report);
    }

    fn entry(&mut self, place: Position, entry: &[u8]) {
        self.place(place);
        self.tree.push(leaf_hash(entry));
        let size = self.tree.size();
        if self.sizes.contains(&size) {
            self.roots.insert(size, self.tree.root());
        }
    }

    fn place(&mut self, place: Position) {
        if self.indexes.contains(&place.index) {
            self.places.entry(place.index).or_default().push(place);
        }
    }

    fn finish(&self, signed: &Signed, chain: &[Segment], report: &mut Report) {
        report.entries = self.tree.size();
        report.root = Some(self.tree.root());
        let (file, offset) = self.end.map_or((".".to_owned(), None), |end| {
            (log_name(end.epoch), Some(end.offset))
        });
        if report.signed > report.entries {
            let what = format!(
                "the ledger ends here, and its checkpoint covers {} entries",
                report.signed
            );
            report.fault(&file, offset, Some(report.entries), what);
        }
        if signed.checkpoints.is_empty() && report.entries > 0 {
            report.note(
                ".",
                None,
                None,
                format!("none of the {} entries rests on a signature", report.entries),
            );
        }
        self.checkpoints(signed, chain, report);
        for (epoch, frontier) in &signed.frontiers {
            self.frontier(&frontier_name(*epoch), frontier, report);
        }
        self.others(signed, report);
    }

    fn checkpoints(&self, signed: &Signed, chain: &[Segment], report: &mut Report) {
        let mut agreed = 0;
        for (epoch, checkpoint) in &signed.checkpoints {
            let name = checkpoint_name(*epoch);
            match self.roots.get(&checkpoint.size) {
                Some(root) if *root == checkpoint.root => agreed = agreed.max(checkpoint.size),
                Some(_) => {
                    let what = format!(
                        "entries {agreed} to {} are not all those that it signed",
                        checkpoint.size.saturating_sub(1)
                    );
                    report.fault(&name, Some(0), Some(agreed), what);
                }
                None => report.fault(
                    &name,
                    Some(0),
                    Some(report.entries),
                    "it covers more entries than there are",
                ),
            }
            match self.ranges.get(epoch) {
                Some((first, end)) if (*first..=*end).contains(&checkpoint.size) => {}
                _ if chain.is_empty() => {}
                _ => report.fault(
                    &name,
                    Some(0),
                    Some(checkpoint.size),
                    "it does not end in the segment it belongs to",
                ),
            }
        }
    }

    /// Checkpoints that were kept elsewhere.
    fn others(&self, signed: &Signed, report: &mut Report) {
        for (name, checkpoint) in &signed.others {
            match self.roots.get(&checkpoint.size) {
                Some(root) if *root == checkpoint.root => {}
                Some(_) => {
                    let what = format!(
                        "it signed {} entries, which are not the ledger's first ones now",
                        checkpoint.size
                    );
                    report.fault(name, None, None, what);
                }
                None => {
                    let what = format!(
                        "it signed {} entries, and the ledger has only {}: it was rolled back",
                        checkpoint.size, report.entries
                    );
                    report.fault(name, None, Some(report.entries), what);
                }
            }
        }
    }

    fn frontier(&self, name: &str, frontier: &Frontier, report: &mut Report) {
        let size = frontier.tree.size();
        if self
            .roots
            .get(&size)
            .is_some_and(|root| *root != frontier.tree.root())
        {
            report.fault(
                name,
                Some(0),
                Some(size),
                "it does not have the root of the entries",
            );
        }
        let places = frontier
            .marks
            .places()
            .iter()
            .chain(std::iter::once(&frontier.position));
        for place in places {
            let found = self
                .places
                .get(&place.index)
                .is_some_and(|places| places.contains(place));
            if !found && place.index <= report.entries {
                report.fault(
                    name,
                    Some(0),
                    Some(place.index),
                    "it says that an entry begins where none does",
                );
            }
        }
    }
}

/// An entry whose frame is not valid although a valid frame follows: its bytes, and the checksum that the
/// next one continues.
fn damaged(buffer: &[u8], previous: u32) -> Option<(&[u8], u32)> {
    let (length, stored) = frame::head(buffer)?;
    let entry = buffer.get(frame::HEAD..frame::HEAD + length)?;
    let rest = buffer.get(frame::HEAD + length..)?;
    let (next_length, next_crc) = frame::head(rest)?;
    let next = rest.get(frame::HEAD..frame::HEAD + next_length)?;
    // Which of the two was changed, checksum or bytes, is told by the frame behind.
    let computed = frame::checksum(previous, entry);
    [stored, computed]
        .into_iter()
        .find(|crc| frame::checksum(*crc, next) == next_crc)
        .map(|crc| (entry, crc))
}

/// What lies behind the last frame.
fn after_end(segment: &Segment, name: &str, end: Position, report: &mut Report) {
    let place = (Some(end.offset), Some(end.index));
    if let Some(sealed) = segment.sealed.filter(|sealed| *sealed != end.offset) {
        let what = format!("its frames end here, and the next segment says that they end at byte {sealed}");
        report.fault(name, place.0, place.1, what);
    }
    let file: &Arc<File> = &segment.file;
    let first = match first_non_zero(file, end.offset.max(segment.sealed.unwrap_or(0))) {
        Ok(first) => first,
        Err(error) => {
            report.fault(
                name,
                place.0,
                place.1,
                format!("what lies behind its end can't be read ({error})"),
            );
            None
        }
    };
    match first {
        None => {}
        Some(offset) if segment.sealed.is_some() => {
            const LATE: &str = "bytes behind the sealed end don't count: a stopped writer went on later, or they were put there";
            report.note(name, Some(offset), None, LATE);
        }
        Some(offset) if offset < end.offset + frame::HEAD as u64 => {
            const TORN: &str =
                "bytes behind the last entry are no entry: their writer was killed, or they were changed";
            report.note(name, Some(offset), Some(end.index), TORN);
        }
        Some(offset) => {
            report.fault(
                name,
                Some(offset),
                Some(end.index),
                "bytes where only zeros belong, apart from the entries",
            );
        }
    }
    let size = file.metadata().map_or(0, |data| data.len());
    let short = segment.sealed.is_none() && size < end.offset.saturating_add(RESERVE);
    if short || !size.is_multiple_of(STEP) {
        report.note(
            name,
            Some(size),
            None,
            "the space kept behind its end has been cut, or the disk was full",
        );
    }
}
