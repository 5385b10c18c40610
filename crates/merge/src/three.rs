//! The three-way merge of texts (diff3 on lines).

use crate::changes::{Change, changes};
use crate::lines::{Numbers, split, text};
use rescind_model::Hunk;
use std::ops::Range;

/// The three versions of one text.
#[derive(Debug, Clone, Copy)]
pub struct Versions<'a> {
    /// A: before the session.
    pub before: &'a [u8],
    /// B: as the session left it. The base of the merge.
    pub after: &'a [u8],
    /// C: as it is now.
    pub now: &'a [u8],
}

/// The text without the session's change and with everybody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The merged text. Hunks in conflict are as they are now.
    pub bytes: Vec<u8>,
    /// The merged text with the hunks in conflict as they were before the session.
    pub restored: Vec<u8>,
    /// The hunks that both sides changed, each differently.
    pub conflicts: Vec<Hunk>,
}

/// Take the change from `before` to `after` back out of `now`. `None` where one of the three is not text (not
/// UTF-8, or with a NUL): such bodies don't merge. Exact on bytes: line ends and a missing last one are kept.
#[must_use]
pub fn merge_text(versions: Versions<'_>) -> Option<Merged> {
    let (before, after, now) = (text(versions.before)?, text(versions.after)?, text(versions.now)?);
    if now == after || now == before {
        return Some(clean(before));
    }
    if before == after {
        return Some(clean(now));
    }
    let (a, b, c) = (split(before), split(after), split(now));
    let mut numbers = Numbers::default();
    let (a_numbers, b_numbers, c_numbers) = (numbers.of(&a), numbers.of(&b), numbers.of(&c));
    let ours = changes(&b_numbers, &a_numbers);
    let theirs = changes(&b_numbers, &c_numbers);
    let mut merge = Merge {
        a: &a,
        b: &b,
        c: &c,
        merged: clean(""),
    };
    merge.run(&ours, &theirs);
    Some(merge.merged)
}

fn clean(text: &str) -> Merged {
    Merged {
        bytes: text.as_bytes().to_vec(),
        restored: text.as_bytes().to_vec(),
        conflicts: Vec::new(),
    }
}

struct Merge<'a> {
    a: &'a [&'a str],
    b: &'a [&'a str],
    c: &'a [&'a str],
    merged: Merged,
}

/// Changes of both sides that touch, as a range of lines in each of the three texts.
struct Group {
    a: Range<usize>,
    b: Range<usize>,
    c: Range<usize>,
    ours: bool,
    theirs: bool,
}

impl Merge<'_> {
    fn run(&mut self, ours: &[Change], theirs: &[Change]) {
        let (mut ours, mut theirs) = (ours, theirs);
        // Where the text after the last group begins in each version.
        let (mut a, mut b, mut c) = (0, 0, 0);
        while let Some(group) = next_group(&mut ours, &mut theirs, [a, b, c]) {
            self.both(self.b, b..group.b.start);
            (a, b, c) = (group.a.end, group.b.end, group.c.end);
            self.group(&group);
        }
        self.both(self.b, b..self.b.len());
    }

    fn group(&mut self, group: &Group) {
        let ours = lines(self.a, &group.a);
        let theirs = lines(self.c, &group.c);
        if !group.theirs || ours == theirs {
            return self.both(self.a, group.a.clone());
        }
        if !group.ours {
            return self.both(self.c, group.c.clone());
        }
        self.merged.conflicts.push(Hunk {
            before: ours.concat(),
            after: lines(self.b, &group.b).concat(),
            now: theirs.concat(),
            before_line: group.a.start + 1,
            after_line: group.b.start + 1,
            now_line: group.c.start + 1,
        });
        push(&mut self.merged.bytes, theirs);
        push(&mut self.merged.restored, ours);
    }

    fn both(&mut self, from: &[&str], range: Range<usize>) {
        let part = lines(from, &range);
        push(&mut self.merged.bytes, part);
        push(&mut self.merged.restored, part);
    }
}

/// Take the next changes that touch off both lists. `done` is where the last group ended in each text: from there to
/// the group all three are equal, which gives the places in the texts that a change says nothing of.
fn next_group(ours: &mut &[Change], theirs: &mut &[Change], done: [usize; 3]) -> Option<Group> {
    let start = match (ours.first(), theirs.first()) {
        (Some(a), Some(c)) => a.old.start.min(c.old.start),
        (Some(one), None) | (None, Some(one)) => one.old.start,
        (None, None) => return None,
    };
    let unchanged = start - done[1];
    let (a, c) = (done[0] + unchanged, done[2] + unchanged);
    let mut group = Group {
        a: a..a,
        b: start..start,
        c: c..c,
        ours: false,
        theirs: false,
    };
    loop {
        let took_ours = take(ours, &mut group.b, &mut group.a, &mut group.c);
        let took_theirs = take(theirs, &mut group.b, &mut group.c, &mut group.a);
        group.ours |= took_ours;
        group.theirs |= took_theirs;
        if !took_ours && !took_theirs {
            return Some(group);
        }
    }
}

/// Take the next change off `list` if it touches `base`; let `side` follow the change and `other` what of the base
/// it added. `base` grows by whole lines, and what a side does not change of it, it has as it is.
fn take(
    list: &mut &[Change],
    base: &mut Range<usize>,
    side: &mut Range<usize>,
    other: &mut Range<usize>,
) -> bool {
    let Some((first, rest)) = list.split_first() else {
        return false;
    };
    if first.old.start > base.end {
        return false;
    }
    let added = first.old.end.saturating_sub(base.end);
    // Lines of the base that are in the group already and lie behind this change stay with this side.
    let behind = base.end.saturating_sub(first.old.end);
    side.end = first.new.end + behind;
    other.end += added;
    base.end += added;
    *list = rest;
    true
}

fn lines<'a, 'b>(from: &'a [&'b str], range: &Range<usize>) -> &'a [&'b str] {
    from.get(range.clone()).unwrap_or_default()
}

fn push(to: &mut Vec<u8>, lines: &[&str]) {
    for line in lines {
        to.extend_from_slice(line.as_bytes());
    }
}
