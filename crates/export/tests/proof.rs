//! The proof of completeness: whatever is done to an export, it is found and located.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

mod common;

use common::{entry, every_kind};
use rescind_export::{Checked, Event, ExportError, Exporter, Format, Point, check};
use rescind_ledger::{Ledger, Options};
use rescind_model::Level;
use std::path::Path;

/// A ledger with a few hundred entries, and the events that they stand for.
struct Made {
    _dir: tempfile::TempDir,
    ledger: Ledger,
    events: Vec<Event>,
}

fn made(rounds: usize) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), &Options::default()).unwrap();
    let mut events = Vec::new();
    for _ in 0..rounds {
        for mut event in every_kind() {
            event.seq = events.len() as u64;
            events.push(event);
        }
    }
    let entries: Vec<Vec<u8>> = events.iter().map(entry).collect();
    ledger.append_batch(&entries, Level::Process).unwrap();
    Made {
        _dir: dir,
        ledger,
        events,
    }
}

/// An export and its proof's file.
#[derive(Clone)]
struct Export {
    lines: Vec<String>,
    proof: String,
}

impl Export {
    fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn check(&self, key: &str) -> Result<Checked, ExportError> {
        check(self.text().as_bytes(), self.proof.as_bytes(), key)
    }

    /// What is found, as line and entry.
    fn found(&self, key: &str) -> Vec<(Option<u64>, Option<u64>, &'static str)> {
        let checked = self.check(key).expect("a genuine proof");
        checked
            .findings
            .iter()
            .map(|found| (found.line, found.seq, found.what))
            .collect()
    }
}

fn take(made: &Made, exporter: &mut Exporter, to: usize, export: &mut Export) {
    let from = usize::try_from(exporter.next()).unwrap();
    for event in &made.events[from..to] {
        let exported = exporter.take(event, &entry(event)).unwrap();
        export.lines.extend(exported.line);
        export.proof.push_str(&exported.leaves);
    }
}

fn export(made: &Made, format: Format, from: u64, to: usize, session: Option<&str>) -> Export {
    let mut export = Export {
        lines: Vec::new(),
        proof: String::new(),
    };
    let session = session.map(str::to_owned);
    let mut exporter = Exporter::begin(&made.ledger, format, from, session).unwrap();
    take(made, &mut exporter, to, &mut export);
    export.proof.push_str(&exporter.prove(&made.ledger).unwrap());
    export
}

#[test]
fn every_form_and_range_is_proved_complete() {
    let made = made(9);
    let key = made.ledger.verifier_key();
    let size = made.events.len();
    for format in Format::ALL {
        for (from, to) in [
            (0, size),
            (0, 1),
            (1, size),
            (137, 201),
            (256, 300),
            (size as u64, size),
            (5, 5),
        ] {
            let export = export(&made, format, from, to, None);
            let checked = export.check(&key).unwrap();
            assert_eq!(checked.findings, [], "{format} {from} {to}");
            assert_eq!(
                (checked.from, checked.to, checked.size),
                (from, to as u64, size as u64)
            );
            assert_eq!(checked.lines, export.lines.len() as u64);
            assert_eq!(checked.format, format.name());
        }
    }
}

#[test]
fn a_line_dropped_changed_moved_doubled_or_added_is_found_and_located() {
    let made = made(3);
    let key = made.ledger.verifier_key();
    for format in [Format::Jsonl, Format::CloudEvents, Format::Ocsf] {
        let whole = export(&made, format, 10, 90, None);
        let bent = |bend: &dyn Fn(&mut Vec<String>)| {
            let mut export = whole.clone();
            bend(&mut export.lines);
            export.found(&key)
        };
        // Line n, from 1, is entry 9 + n.
        assert_eq!(bent(&|_| {}), []);
        let missing = "its line is missing";
        assert_eq!(bent(&|lines| drop(lines.remove(0))), [(None, Some(10), missing)]);
        assert_eq!(bent(&|lines| drop(lines.remove(40))), [(None, Some(50), missing)]);
        let cut = bent(&|lines| lines.truncate(78));
        assert_eq!(
            cut,
            [(None, Some(88), missing), (None, Some(89), missing)],
            "truncated"
        );
        assert_eq!(
            bent(&|lines| lines[4] = lines[4].replace("ada", "eve")),
            [(Some(5), Some(14), "this line was changed")]
        );
        assert_eq!(
            bent(&|lines| lines[7] = "nonsense".to_owned()),
            [(Some(8), Some(17), "this line was changed")]
        );
        assert_eq!(
            bent(&|lines| lines.swap(20, 21)),
            [(
                Some(22),
                Some(30),
                "this line was moved: it belongs before the one above it"
            )]
        );
        assert_eq!(
            bent(&|lines| lines.insert(30, lines[5].clone())),
            [(Some(31), Some(15), "this line is there twice")]
        );
        assert_eq!(
            bent(&|lines| lines.insert(3, "{}".to_owned())),
            [(Some(4), None, "this line was not exported: it was added")]
        );
        let several = bent(&|lines| {
            lines[60] = lines[60].replace("ada", "eve");
            lines.remove(10);
        });
        assert_eq!(
            several,
            [
                (Some(60), Some(70), "this line was changed"),
                (None, Some(20), missing)
            ]
        );
        assert_eq!(bent(&Vec::clear).len(), 80);
    }
}

#[test]
fn a_proof_that_was_changed_or_is_another_ones_shows_nothing() {
    let made = made(2);
    let key = made.ledger.verifier_key();
    let whole = export(&made, Format::Jsonl, 3, 60, None);
    let other = self::made(2);
    let fails = |proof: String| {
        let export = Export {
            lines: whole.lines.clone(),
            proof,
        };
        export.check(&key).expect_err("it shows nothing").to_string()
    };
    let lines: Vec<&str> = whole.proof.lines().collect();
    let without = |drop: &dyn Fn(usize, &str) -> bool| -> String {
        let kept = lines.iter().enumerate().filter(|(at, line)| !drop(*at, line));
        kept.map(|(_, line)| format!("{line}\n")).collect()
    };
    // An entry with its line: the exporter's mistake, or somebody's wish, is not to be had without its being seen.
    assert!(fails(without(&|at, _| at == 10 || at == 11)).contains("entries"));
    assert!(fails(without(&|at, _| at == 11)).contains("lines"));
    assert!(fails(without(&|_, line| line.starts_with('H'))).contains("signed"));
    let swapped: String = {
        let mut lines = lines.clone();
        lines.swap(20, 22);
        lines.iter().map(|line| format!("{line}\n")).collect()
    };
    assert!(fails(swapped).contains("entries"));
    // Another ledger's, whole: its key is not the one that is trusted.
    assert!(fails(export(&other, Format::Jsonl, 3, 60, None).proof).contains("shows nothing"));
    // A genuine statement with a genuine checkpoint that is another one's, or older.
    let early = export(&made, Format::Jsonl, 3, 40, None).proof;
    let head = early.lines().find(|line| line.starts_with('H')).unwrap();
    assert!(fails(format!("{}{head}\n", without(&|_, line| line.starts_with('H')))).contains("changed"));
    // Each bit of the head counts.
    let (body, head) = whole.proof.rsplit_once("H ").unwrap();
    for (from, to) in [
        ("entries 3 60", "entries 3 61"),
        ("entries 3 60", "entries 4 60"),
        ("format jsonl", "format ocsf"),
        ("lines 57", "lines 56"),
    ] {
        let bent = head.replace(from, to);
        assert_ne!(bent, head, "{from}");
        assert!(
            fails(format!("{body}H {bent}")).contains("shows nothing"),
            "{from}"
        );
    }
    assert!(fails("nonsense\n".to_owned()).contains("neither"));
    assert!(fails(String::new()).contains("signed"));
}

#[test]
fn the_exporters_own_word_is_held_against_the_entry() {
    let made = made(1);
    let key = made.ledger.verifier_key();
    // An exporter that lies: the line says another kind than the entry in it.
    let mut exporter = Exporter::begin(&made.ledger, Format::Jsonl, 0, None).unwrap();
    let mut lied = Export {
        lines: Vec::new(),
        proof: String::new(),
    };
    for (number, event) in made.events.iter().enumerate() {
        let mut event = event.clone();
        let bytes = entry(&event);
        if number == 7 {
            event.kind = "action.approved".into();
        }
        let exported = exporter.take(&event, &bytes).unwrap();
        lied.lines.extend(exported.line);
        lied.proof.push_str(&exported.leaves);
    }
    lied.proof.push_str(&exporter.prove(&made.ledger).unwrap());
    assert_eq!(
        lied.found(&key),
        [(
            Some(8),
            Some(7),
            "this line says something else than the entry in it"
        )]
    );
}

#[test]
fn an_export_that_is_gone_on_with_has_one_proof() {
    let made = made(4);
    let key = made.ledger.verifier_key();
    let path = made._dir.path().join("point");
    for format in Format::ALL {
        let mut export = Export {
            lines: Vec::new(),
            proof: String::new(),
        };
        let mut exporter = Exporter::begin(&made.ledger, format, 2, None).unwrap();
        for to in [2, 3, 50, 51, 90, made.events.len()] {
            take(&made, &mut exporter, to, &mut export);
            export.proof.push_str(&exporter.prove(&made.ledger).unwrap());
            exporter.point().write(&path).unwrap();
            let point = Point::read(&path).unwrap().unwrap();
            assert_eq!(point, exporter.point());
            exporter = Exporter::resume(&made.ledger, format, None, &point, &path).unwrap();
            for seq in &point.open {
                exporter.recall(&made.events[usize::try_from(*seq).unwrap()]);
            }
            assert_eq!(exporter.point(), point, "{format}");
            assert_eq!(export.found(&key), [], "{format} up to {to}");
        }
        let at_once = self::export(&made, format, 2, made.events.len(), None);
        assert_eq!(export.lines, at_once.lines, "{format}: a resume changes nothing");
    }
}

#[test]
fn an_export_does_not_go_on_with_another_ledger() {
    let made = made(2);
    let mut exporter = Exporter::begin(&made.ledger, Format::Jsonl, 0, None).unwrap();
    for event in &made.events[..30] {
        exporter.take(event, &entry(event)).unwrap();
    }
    let point = exporter.point();
    let path = Path::new("point");
    let resume = |point: &Point| Exporter::resume(&made.ledger, Format::Jsonl, None, point, path);
    let other = self::made(1);
    let failed = Exporter::resume(&other.ledger, Format::Jsonl, None, &point, path).unwrap_err();
    assert!(failed.to_string().contains("it is of the ledger"), "{failed}");
    let failed = Exporter::resume(&made.ledger, Format::Ocsf, None, &point, path).unwrap_err();
    assert!(failed.to_string().contains("an export as jsonl"), "{failed}");
    // A ledger that has the same key and other entries: one that was rolled back and went on.
    let mut bent = point.clone();
    bent.tree.clone_from(
        &Exporter::begin(&other.ledger, Format::Jsonl, 30, None)
            .unwrap()
            .point()
            .tree,
    );
    let mut exporter = resume(&bent).unwrap();
    for event in &made.events[30..] {
        exporter.take(event, &entry(event)).unwrap();
    }
    // The other ledger has the same entries, so only a changed hash tells.
    assert!(exporter.prove(&made.ledger).is_ok());
    bent.tree[0].1 = bent.range[0].1.replace(['A', 'B', 'C'], "D");
    let mut exporter = resume(&bent).unwrap();
    for event in &made.events[30..] {
        exporter.take(event, &entry(event)).unwrap();
    }
    let failed = exporter.prove(&made.ledger).unwrap_err();
    assert!(matches!(failed, ExportError::NotTheSame { .. }), "{failed}");
    let mut beyond = point.clone();
    beyond.next = 100_000;
    assert!(matches!(resume(&beyond).unwrap_err(), ExportError::Short { .. }));
    let mut damaged = point;
    damaged.lines = 7;
    assert!(matches!(resume(&damaged).unwrap_err(), ExportError::Point { .. }));
}

#[test]
fn of_one_session_only_its_lines_are_exported_and_all_entries_are_proved() {
    let made = made(2);
    let key = made.ledger.verifier_key();
    let export = export(&made, Format::Jsonl, 0, made.events.len(), Some(common::SESSION));
    let own = made
        .events
        .iter()
        .filter(|event| event.session == common::SESSION)
        .count();
    assert!(own < made.events.len());
    assert_eq!(export.lines.len(), own);
    let checked = export.check(&key).unwrap();
    assert_eq!(
        (checked.findings, checked.session.as_deref()),
        (Vec::new(), Some(common::SESSION))
    );
}

#[test]
fn events_must_come_in_order() {
    let made = made(1);
    let mut exporter = Exporter::begin(&made.ledger, Format::Jsonl, 0, None).unwrap();
    let failed = exporter.take(&made.events[1], b"x").unwrap_err();
    assert!(matches!(failed, ExportError::Order { wanted: 0, found: 1 }));
    assert!(matches!(
        Exporter::begin(&made.ledger, Format::Jsonl, 10_000, None).unwrap_err(),
        ExportError::Short { .. }
    ));
}
