//! Ways back: of what a command changes elsewhere, what the catalog knows to read before and to run afterwards.

use rescind_catalog::{
    Capture, CaptureFrom, Effects, Find, Judgement, Part, Place, Recovery, RollbackSafe, Safe,
};
use rescind_model::{Class, Reversibility};
use rescind_supervisor::journal::{FoundForm, InputForm, WayForm};

/// Whether a part can be taken back by what the catalog names, if what that needs can be read before it runs: all of its
/// targets.
pub(crate) fn leads_back(part: &Part) -> bool {
    let known = part.place == Place::Here && part.class != Class::Unknown;
    known && !part.recoveries.is_empty() && part.recoveries.iter().all(may_lead_back)
}

/// Whether what takes a part back needs what stands before it, and that can't be had: then it is not taken back trivially.
pub(crate) fn lacks_its_state(part: &Part) -> bool {
    let trivial = part.class == Class::Known(Reversibility::TriviallyReversible);
    let read = part
        .entry
        .as_ref()
        .is_some_and(|entry| entry.pre_capture.is_some());
    let elsewhere = matches!(part.effects, Effects::Remote | Effects::LocalHost);
    trivial && read && elsewhere && !leads_back(part)
}

/// The ways of a command by itself. One that consists of others has none: they are judged when they start.
pub(crate) fn ways(judged: &Judgement) -> Vec<Recovery> {
    let [part] = judged.parts.as_slice() else {
        return Vec::new();
    };
    let elsewhere = matches!(part.effects, Effects::Remote | Effects::LocalHost);
    if elsewhere && part.class > Class::NoEffect && leads_back(part) {
        part.recoveries.clone()
    } else {
        Vec::new()
    }
}

fn may_lead_back(recovery: &Recovery) -> bool {
    let read = recovery.pre_capture();
    let from_reading = recovery
        .captures()
        .values()
        .all(|capture| capture.from == CaptureFrom::PreCapture);
    let known = |name: &String| recovery.captures().contains_key(name);
    let back = recovery.compensation();
    // Without a value that taking it back depends on, whether it is back can't be told from what else is read.
    let condition = matches!(recovery.entry.rollback_safe, RollbackSafe::Condition(_));
    let told = condition && recovery.safe() == Safe::NotYetKnown
        || back.as_ref().is_some_and(|back| !back.missing.is_empty());
    told && read.is_some_and(|read| read.is_complete() && read.made_flag.is_none())
        && back.is_some_and(|back| back.missing.iter().all(known) && back.made_flag.is_none())
        && from_reading
        && recovery.safe() != Safe::No
}

/// A way before anything is read: it says what is to be read.
pub(crate) fn open(recovery: &Recovery) -> WayForm {
    let words =
        |filled: Option<rescind_catalog::Filled>| filled.map(|filled| filled.argv).unwrap_or_default();
    let proof = recovery.verify().filter(|filled| {
        let known = |name: &String| recovery.captures().contains_key(name);
        filled.missing.iter().all(known) && filled.made_flag.is_none()
    });
    WayForm {
        entry: recovery.entry.command_pattern.clone(),
        read: words(recovery.pre_capture()),
        values: recovery
            .captures()
            .iter()
            .map(|(name, capture)| (name.clone(), found(capture)))
            .collect(),
        back: words(recovery.compensation()),
        verify: words(proof),
        idempotent: recovery.entry.idempotent == Some(true),
        ..WayForm::default()
    }
}

/// The way, once what it needs is read.
///
/// # Errors
/// Why it does not lead back, in a sentence.
pub(crate) fn closed(recovery: &Recovery, output: &str) -> Result<WayForm, String> {
    let mut recovery = recovery.clone();
    recovery
        .capture(CaptureFrom::PreCapture, output)
        .map_err(|error| error.to_string())?;
    let back = recovery.compensation().ok_or("nothing takes it back")?;
    if !back.is_complete() {
        return Err(format!("what takes it back lacks {}", back.missing.join(", ")));
    }
    if back.made_flag.is_some() {
        return Err("a value in what takes it back looks like a flag".to_owned());
    }
    let check = match recovery.safe() {
        Safe::Yes => Vec::new(),
        Safe::If(filled) if filled.made_flag.is_none() => filled.argv,
        Safe::If(_) => return Err("a value in what is to be checked looks like a flag".to_owned()),
        Safe::No => return Err("as it is now, taking it back would not be safe".to_owned()),
        Safe::NotYetKnown => return Err("whether taking it back is safe can't be told".to_owned()),
    };
    let input = match recovery.compensation_stdin(Some(output)) {
        None => None,
        Some(Some(_)) if recovery.entry.compensation_stdin.as_deref() == Some("pre_capture") => {
            Some(InputForm::Output)
        }
        Some(Some(text)) => Some(InputForm::Text(text)),
        Some(None) => return Err("what it would be taken back with is not known".to_owned()),
    };
    Ok(WayForm {
        back: back.argv,
        check,
        input,
        ..open(&recovery)
    })
}

fn found(capture: &Capture) -> FoundForm {
    let (path, regex) = match &capture.find {
        Find::Path(path) => (Some(path.clone()), None),
        Find::Regex(regex) => (None, Some(regex.clone())),
        Find::Text => (None, None),
    };
    FoundForm {
        path,
        regex,
        all: capture.all,
        default: capture.default.clone(),
    }
}
