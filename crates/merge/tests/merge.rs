//! The three-way merge: cases on bytes, and properties over generated texts.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use rescind_merge::{Merged, Versions, merge_text};

fn merge(before: &str, after: &str, now: &str) -> Merged {
    merge_text(Versions {
        before: before.as_bytes(),
        after: after.as_bytes(),
        now: now.as_bytes(),
    })
    .unwrap()
}

#[track_caller]
fn check(before: &str, after: &str, now: &str, expect: &str) {
    let merged = merge(before, after, now);
    assert_eq!(String::from_utf8(merged.bytes).unwrap(), expect);
    assert!(merged.conflicts.is_empty(), "{:?}", merged.conflicts);
}

#[test]
fn another_hunk_of_somebody_else_stays() {
    check("a\nb\nc\nd\n", "a\nX\nc\nd\n", "a\nX\nc\nD\n", "a\nb\nc\nD\n");
}

#[test]
fn changes_with_one_unchanged_line_between_merge_and_touching_ones_conflict() {
    check("a\nb\nc\n", "A\nb\nc\n", "A\nb\nC\n", "a\nb\nC\n");
    let merged = merge("a\nb\n", "A\nb\n", "A\nB\n");
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.bytes, b"A\nB\n");
    assert_eq!(merged.restored, b"a\nb\n");
}

#[test]
fn a_conflict_shows_three_versions_with_line_numbers_and_leaves_the_rest_merged() {
    let merged = merge("0\na\nb\nc\nd\ne\n", "a\nX\nc\nd\nY\n", "a\nZ\nc\nnew\nd\nY\n");
    assert_eq!(
        String::from_utf8(merged.bytes).unwrap(),
        "0\na\nZ\nc\nnew\nd\ne\n"
    );
    assert_eq!(
        String::from_utf8(merged.restored).unwrap(),
        "0\na\nb\nc\nnew\nd\ne\n"
    );
    let [hunk] = &merged.conflicts[..] else {
        panic!("{:?}", merged.conflicts)
    };
    assert_eq!((&*hunk.before, &*hunk.after, &*hunk.now), ("b\n", "X\n", "Z\n"));
    assert_eq!((hunk.before_line, hunk.after_line, hunk.now_line), (3, 2, 2));
}

#[test]
fn line_ends_and_a_missing_last_one_are_exact() {
    check(
        "a\r\nb\r\nc",
        "a\r\nX\r\nc",
        "0\r\na\r\nX\r\nc",
        "0\r\na\r\nb\r\nc",
    );
    check("a\nb\nc", "a\nb\nc\n", "0\na\nb\nc\n", "0\na\nb\nc");
    check("", "x\n", "x\n", "");
    check("x", "", "", "x");
}

#[test]
fn a_session_that_emptied_a_text_conflicts_with_what_was_written_into_it_since() {
    let merged = merge("a\n", "", "new\n");
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.bytes, b"new\n");
}

#[test]
fn what_is_no_text_does_not_merge() {
    for bytes in [&b"\xff\xfe"[..], b"a\0b", b"ok\n\xc3\x28"] {
        assert_eq!(
            merge_text(Versions {
                before: bytes,
                after: b"a\n",
                now: b"b\n"
            }),
            None
        );
        assert_eq!(
            merge_text(Versions {
                before: b"a\n",
                after: bytes,
                now: b"b\n"
            }),
            None
        );
        assert_eq!(
            merge_text(Versions {
                before: b"a\n",
                after: b"b\n",
                now: bytes
            }),
            None
        );
    }
}

/// Any text: few distinct lines, so that alignments are ambiguous, all line ends, with or without a last one.
fn any_text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => (0..6_u8).prop_map(|n| format!("line {n}\n")),
        1 => Just("\n".to_owned()),
        1 => (0..3_u8).prop_map(|n| format!("cr {n}\r\n")),
    ];
    (
        proptest::collection::vec(line, 0..14),
        prop_oneof![Just(""), Just("end")],
    )
        .prop_map(|(lines, end)| lines.concat() + end)
}

/// What is done to one line of a text in which every line is different.
#[derive(Debug, Clone, Copy)]
enum Edit {
    Replace,
    Delete,
    InsertAfter,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![Just(Edit::Replace), Just(Edit::Delete), Just(Edit::InsertAfter)]
}

fn edited(lines: &[String], edits: &[(usize, Edit)], mark: &str) -> String {
    let mut text = String::new();
    for (at, line) in lines.iter().enumerate() {
        match edits.iter().find(|(place, _)| *place == at) {
            None => text += line,
            Some((_, Edit::Replace)) => text += &format!("{mark} for {line}"),
            Some((_, Edit::Delete)) => {}
            Some((_, Edit::InsertAfter)) => text += &format!("{line}{mark} after {line}"),
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn untouched_since_gives_before_and_taken_back_already_gives_before(a in any_text(), b in any_text()) {
        prop_assert_eq!(merge(&a, &b, &b), merge(&a, &b, &a));
        let merged = merge(&a, &b, &b);
        prop_assert_eq!(merged.bytes, a.as_bytes());
        prop_assert!(merged.conflicts.is_empty());
    }

    #[test]
    fn nothing_done_leaves_what_is_there(a in any_text(), c in any_text()) {
        prop_assert_eq!(merge(&a, &a, &c).bytes, c.as_bytes());
    }

    #[test]
    fn conflicts_are_the_same_from_both_sides(a in any_text(), b in any_text(), c in any_text()) {
        let (one, other) = (merge(&a, &b, &c), merge(&c, &b, &a));
        prop_assert_eq!(one.conflicts.len(), other.conflicts.len());
        for (one, other) in one.conflicts.iter().zip(&other.conflicts) {
            prop_assert_eq!(&one.before, &other.now);
            prop_assert_eq!(&one.after, &other.after);
            prop_assert_eq!((one.before_line, one.now_line), (other.now_line, other.before_line));
        }
        prop_assert_eq!(one.bytes, other.restored);
    }

    #[test]
    fn a_conflict_shows_lines_that_are_there(a in any_text(), b in any_text(), c in any_text()) {
        for hunk in merge(&a, &b, &c).conflicts {
            for (text, part, line) in
                [(&a, &hunk.before, hunk.before_line), (&b, &hunk.after, hunk.after_line), (&c, &hunk.now, hunk.now_line)]
            {
                let rest: String = text.split_inclusive('\n').skip(line - 1).collect();
                prop_assert!(rest.starts_with(part.as_str()));
            }
        }
    }

    /// Every second line may be edited by one of the two, so that an unchanged line lies between any two edits.
    #[test]
    fn edits_apart_of_others_survive_and_those_of_the_session_go(
        edits in proptest::collection::vec(proptest::option::of((edit(), any::<bool>())), 1..12),
    ) {
        let lines: Vec<String> = (0..edits.len() * 3).map(|n| format!("line {n}\n")).collect();
        let (mut session, mut person) = (Vec::new(), Vec::new());
        for (at, edit) in edits.iter().enumerate() {
            match edit {
                Some((edit, true)) => session.push((at * 3 + 1, *edit)),
                Some((edit, false)) => person.push((at * 3 + 1, *edit)),
                None => {}
            }
        }
        let before = lines.concat();
        let after = edited(&lines, &session, "session");
        let mixed: Vec<String> = lines.iter().enumerate().map(|(at, line)| {
            let edits: Vec<_> = session.iter().filter(|(place, _)| *place == at).copied().collect();
            edited(std::slice::from_ref(line), &edits.iter().map(|(_, e)| (0, *e)).collect::<Vec<_>>(), "session")
        }).collect();
        let now = edited(&mixed, &person, "person");
        let merged = merge(&before, &after, &now);
        prop_assert!(merged.conflicts.is_empty());
        prop_assert_eq!(String::from_utf8(merged.bytes).unwrap(), edited(&lines, &person, "person"));
    }
}
