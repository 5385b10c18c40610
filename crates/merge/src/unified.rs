//! The unified diff, for showing (the format of POSIX `diff -u`).

use crate::changes::{Change, changes};
use crate::lines::{Numbers, split, text};
use std::fmt::Write as _;

/// Unchanged lines shown around a change.
const CONTEXT: usize = 3;

/// The unified diff from `old` to `new` under the names `names.0` and `names.1`; empty where they are equal. Of bodies
/// that are not text it says only that they differ.
#[must_use]
pub fn unified_diff(old: &[u8], new: &[u8], names: (&str, &str)) -> String {
    if old == new {
        return String::new();
    }
    let (Some(old), Some(new)) = (text(old), text(new)) else {
        return format!("Binary files {} and {} differ\n", names.0, names.1);
    };
    let (old, new) = (split(old), split(new));
    let mut numbers = Numbers::default();
    let (old_numbers, new_numbers) = (numbers.of(&old), numbers.of(&new));
    let found = changes(&old_numbers, &new_numbers);
    let mut diff = format!("--- {}\n+++ {}\n", names.0, names.1);
    for block in found.chunk_by(|one, next| next.old.start - one.old.end <= 2 * CONTEXT) {
        show(&mut diff, &old, &new, block);
    }
    diff
}

/// One block: changes so near to each other that they share their context.
fn show(diff: &mut String, old: &[&str], new: &[&str], block: &[Change]) {
    let (Some(first), Some(last)) = (block.first(), block.last()) else {
        return;
    };
    let lead = first.old.start.min(CONTEXT);
    let trail = (old.len() - last.old.end).min(CONTEXT);
    let old_range = (first.old.start - lead, last.old.end + trail);
    let new_range = (first.new.start - lead, last.new.end + trail);
    let _infallible = writeln!(diff, "@@ -{} +{} @@", place(old_range), place(new_range));
    let mut at = old_range.0;
    for change in block {
        put(diff, ' ', old.get(at..change.old.start));
        put(diff, '-', old.get(change.old.clone()));
        put(diff, '+', new.get(change.new.clone()));
        at = change.old.end;
    }
    put(diff, ' ', old.get(at..old_range.1));
}

/// A range as the format wants it: the first line from 1 and the count; the line before it where there are none.
fn place((start, end): (usize, usize)) -> String {
    match end - start {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        count => format!("{},{count}", start + 1),
    }
}

fn put(diff: &mut String, mark: char, lines: Option<&[&str]>) {
    for line in lines.unwrap_or_default() {
        diff.push(mark);
        diff.push_str(line);
        if !line.ends_with('\n') {
            diff.push_str("\n\\ No newline at end of file\n");
        }
    }
}
