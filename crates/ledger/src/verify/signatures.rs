//! The first half: the files beside the segments, and what they say the entries must be.

use super::{Against, Report};
use crate::checkpoint::{self, Checkpoint};
use crate::disk::is_temporary;
use crate::frontier::{self, Frontier};
use crate::header::{checkpoint_name, epoch_of, frontier_name};
use crate::key;
use crate::mirror;
use crate::note::Verifier;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

/// What was signed, to be held against the entries.
pub(super) struct Signed {
    pub logs: Vec<u32>,
    /// By epoch.
    pub checkpoints: BTreeMap<u32, Checkpoint>,
    pub frontiers: BTreeMap<u32, Frontier>,
    /// Checkpoints from elsewhere, with where they are from.
    pub others: Vec<(String, Checkpoint)>,
}

/// Read everything but the segments; `None`: there is no ledger to verify.
pub(super) fn collect(dir: &Path, against: &Against<'_>, report: &mut Report) -> Option<Signed> {
    let names = match names(dir) {
        Ok(names) => names,
        Err(error) => {
            report.fault(".", None, None, format!("the directory can't be read ({error})"));
            return None;
        }
    };
    let logs = epochs(&names, "log");
    if logs.is_empty() {
        report.fault(
            ".",
            None,
            None,
            "there is no ledger here: no segment is left or was ever written",
        );
        return None;
    }
    look_at_names(dir, &names, &logs, report);
    let key = verifier(dir, against, report);
    let mut signed = Signed {
        logs,
        checkpoints: BTreeMap::new(),
        frontiers: BTreeMap::new(),
        others: Vec::new(),
    };
    let Some(key) = key else { return Some(signed) };
    report.origin = Some(key.name().to_owned());
    // The frontier is renamed after its checkpoint, so it is read before it: then it can't be newer.
    for epoch in epochs(&names, "frontier") {
        let name = frontier_name(epoch);
        match read(&dir.join(&name), frontier::LIMIT).map(|bytes| Frontier::open(&bytes, &key)) {
            Ok(Ok(frontier)) => drop(signed.frontiers.insert(epoch, frontier)),
            Ok(Err(what)) => report.fault(&name, Some(0), None, what),
            Err(error) => report.fault(&name, None, None, format!("it can't be read ({error})")),
        }
    }
    for epoch in epochs(&names, "checkpoint") {
        let name = checkpoint_name(epoch);
        match read(&dir.join(&name), checkpoint::LIMIT).map(|bytes| Checkpoint::open(&bytes, &key)) {
            Ok(Ok(checkpoint)) => drop(signed.checkpoints.insert(epoch, checkpoint)),
            Ok(Err(what)) => report.fault(&name, Some(0), None, what.to_string()),
            Err(error) => report.fault(&name, None, None, format!("it can't be read ({error})")),
        }
    }
    compare(&signed, &names, report);
    if let Some(text) = against.since {
        match Checkpoint::open(text.as_bytes(), &key) {
            Ok(checkpoint) => signed.others.push(("since".to_owned(), checkpoint)),
            Err(error) => report.fault("since", None, None, error.to_string()),
        }
    }
    mirrors(dir, against, &key, &mut signed, report);
    report.signed = signed
        .checkpoints
        .values()
        .next_back()
        .map_or(0, |checkpoint| checkpoint.size);
    Some(signed)
}

fn names(dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn epochs(names: &[String], kind: &str) -> Vec<u32> {
    let mut epochs: Vec<u32> = names.iter().filter_map(|name| epoch_of(name, kind)).collect();
    epochs.sort_unstable();
    epochs
}

fn read(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file was written in the last seconds.
fn is_new(data: &std::fs::Metadata) -> bool {
    let age = data.modified().ok().and_then(|time| time.elapsed().ok());
    age.is_none_or(|age| age < Duration::from_secs(10))
}

/// Names that should not be there, or whose company is missing.
fn look_at_names(dir: &Path, names: &[String], logs: &[u32], report: &mut Report) {
    const KNOWN: [&str; 3] = [key::KEY, key::PUBLIC, mirror::LIST_NAME];
    let found = |name: &String| std::fs::symlink_metadata(dir.join(name)).ok();
    for name in names {
        let kinds = ["log", "lock", "checkpoint", "frontier"];
        let kind = kinds
            .iter()
            .find_map(|kind| epoch_of(name, kind).map(|epoch| (*kind, epoch)));
        match kind {
            Some((kind, epoch)) => {
                if kind != "log" && !logs.contains(&epoch) {
                    report.fault(
                        name,
                        None,
                        None,
                        format!("the segment it belongs to, log.{epoch:06}, is missing"),
                    );
                }
                let length = found(name).map_or(0, |data| data.len());
                if kind == "lock" && length > 0 {
                    report.note(name, Some(0), None, "a lock holds bytes; they mean nothing");
                }
            }
            // One that is about to be given its name is not worth a word.
            None if is_temporary(name) && found(name).is_none_or(|data| is_new(&data)) => {}
            None if is_temporary(name) => {
                report.note(
                    name,
                    None,
                    None,
                    "left by a process that was killed while writing it; it means nothing",
                );
            }
            None if KNOWN.contains(&name.as_str()) => {}
            None => report.note(name, None, None, "this file is no part of the ledger"),
        }
    }
    let top = logs.last().copied().unwrap_or(0);
    for epoch in 1..=top {
        if !logs.contains(&epoch) {
            report.fault(
                &format!("log.{epoch:06}"),
                None,
                None,
                "this segment is missing: later ones are there",
            );
        } else if !names.contains(&format!("lock.{epoch:06}")) {
            report.note(
                &format!("lock.{epoch:06}"),
                None,
                None,
                "this lock is missing; it is made anew when it is needed",
            );
        }
    }
}

/// The key to verify with: the one that was given, else the ledger's own.
fn verifier(dir: &Path, against: &Against<'_>, report: &mut Report) -> Option<Verifier> {
    let given = match against.key.map(|text| text.trim().parse::<Verifier>()) {
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            report.fault(
                "key",
                None,
                None,
                format!("the key that was given is not accepted: {error}"),
            );
            None
        }
        None => None,
    };
    let public = match read(&dir.join(key::PUBLIC), key::LIMIT) {
        Err(error) => {
            report.fault(
                key::PUBLIC,
                None,
                None,
                format!("the public key can't be read ({error})"),
            );
            None
        }
        Ok(bytes) => match key::parse_public(&bytes) {
            Ok(key) => Some(key),
            Err(what) => {
                report.fault(key::PUBLIC, Some(0), None, what);
                None
            }
        },
    };
    if let (Some(given), Some(public)) = (&given, &public)
        && given != public
    {
        report.fault(
            key::PUBLIC,
            Some(0),
            None,
            "the ledger has another key than the one that was given",
        );
    }
    let private = private(dir, report);
    if let (Some(private), Some(public)) = (&private, &public)
        && private != public
    {
        report.fault(
            key::KEY,
            Some(0),
            None,
            "the private key is not the other half of `key.pub`",
        );
    }
    given.or(public).or(private)
}

fn private(dir: &Path, report: &mut Report) -> Option<Verifier> {
    match read(&dir.join(key::KEY), key::LIMIT) {
        Ok(bytes) => match key::parse(&bytes) {
            Ok(signer) => return Some(signer.verifier().clone()),
            Err(what) => report.fault(key::KEY, Some(0), None, what),
        },
        Err(error) => report.note(
            key::KEY,
            None,
            None,
            format!(
                "the private key can't be read ({error}): what is there can be verified, and nothing appended"
            ),
        ),
    }
    None
}

/// What checkpoints and frontiers say of one another.
fn compare(signed: &Signed, names: &[String], report: &mut Report) {
    let mut before: Option<(u32, u64)> = None;
    for (epoch, checkpoint) in &signed.checkpoints {
        let (name, size) = (checkpoint_name(*epoch), checkpoint.size);
        if let Some((earlier, larger)) = before.filter(|(_, before)| *before > size) {
            let what =
                format!("it covers {size} entries, and checkpoint.{earlier:06} covered {larger} already");
            report.fault(&name, Some(0), Some(size), what);
        }
        before = Some((*epoch, size));
        match signed.frontiers.get(epoch).map(|frontier| frontier.tree.size()) {
            Some(newer) if newer > size => {
                let what = format!(
                    "it covers {size} entries and its frontier {newer}: an older one was put in its place"
                );
                report.fault(&name, Some(0), Some(size), what);
            }
            Some(_) => {}
            None if names.contains(&frontier_name(*epoch)) => {}
            None => report.note(
                &frontier_name(*epoch),
                None,
                None,
                "it is missing; it is made anew with the next checkpoint",
            ),
        }
    }
    for epoch in signed.frontiers.keys() {
        if !names.contains(&checkpoint_name(*epoch)) {
            report.fault(
                &checkpoint_name(*epoch),
                None,
                None,
                "it is missing, and its frontier is there",
            );
        }
    }
}

fn mirrors(dir: &Path, against: &Against<'_>, key: &Verifier, signed: &mut Signed, report: &mut Report) {
    let mut places = against.mirrors.clone();
    match read(&dir.join(mirror::LIST_NAME), mirror::LIST_LIMIT) {
        Ok(bytes) => match mirror::parse_list(&bytes, key) {
            Ok(listed) => places.extend(listed),
            Err(what) => report.fault(mirror::LIST_NAME, Some(0), None, what),
        },
        Err(error) if signed.checkpoints.is_empty() => {
            report.note(
                mirror::LIST_NAME,
                None,
                None,
                format!("it can't be read ({error}); it is made at the next opening"),
            );
        }
        Err(error) => report.fault(
            mirror::LIST_NAME,
            None,
            None,
            format!("the list of mirrors can't be read ({error})"),
        ),
    }
    places.sort();
    places.dedup();
    for place in places {
        let name = format!("mirror {place}");
        match mirror::checkpoint_at(&place) {
            Ok(Some(bytes)) => match Checkpoint::open(&bytes, key) {
                Ok(checkpoint) => signed.others.push((name, checkpoint)),
                Err(error) => report.fault(
                    &name,
                    None,
                    None,
                    format!("its checkpoint is not accepted: {error}"),
                ),
            },
            Ok(None) => report.note(
                &name,
                None,
                None,
                "it has no checkpoint, so that nothing could be compared",
            ),
            Err(error) => report.note(
                &name,
                None,
                None,
                format!("nothing could be compared: {}", rescind_model::chain(&error)),
            ),
        }
    }
}
