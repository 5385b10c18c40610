//! Verifying everything: the ledger, what the vault holds against the ledger's marks, every body against its entry.
//!
//! Absences that hold: nothing is written, nothing mended; no fault stops it.

use crate::entry::{Entry, EntryKind};
use crate::home::Home;
use rescind_ledger::{Against, Cursor, Ledger};
use rescind_model::{Digest, SessionId};
use rescind_vault::{Expect, Mark, Vault};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::ErrorKind;

/// What a verification of the whole store found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The ledger by itself.
    pub ledger: rescind_ledger::Report,
    /// Sessions looked at.
    pub sessions: u64,
    /// Sessions whose content was erased, as the ledger says.
    pub erased: u64,
    /// Bodies that were found in their journals with the digest of their entries.
    pub bodies: u64,
    /// What is wrong in the vault, or between vault and ledger.
    pub faults: Vec<Fault>,
    /// What is not as usual and does no harm.
    pub notes: Vec<Fault>,
}

/// Something that is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The session; `None`: the store as a whole.
    pub session: Option<SessionId>,
    /// The file of the session, where it is about one.
    pub file: Option<String>,
    /// The byte in the file.
    pub offset: Option<u64>,
    /// The entry of the ledger, where it is about one.
    pub entry: Option<u64>,
    /// What is wrong, a sentence.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(f, "session {session}")?,
            None => f.write_str("store")?,
        }
        if let Some(file) = &self.file {
            write!(f, ", {file}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        if let Some(entry) = self.entry {
            write!(f, ", entry {entry}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.ledger.is_sound() && self.faults.is_empty()
    }

    /// Add what was found in one session.
    fn take(&mut self, own: Self) {
        self.erased += own.erased;
        self.bodies += own.bodies;
        self.faults.extend(own.faults);
        self.notes.extend(own.notes);
    }

    fn fault(&mut self, session: Option<&SessionId>, entry: Option<u64>, what: impl Into<String>) {
        let session = session.cloned();
        self.faults.push(Fault {
            session,
            file: None,
            offset: None,
            entry,
            what: what.into(),
        });
    }
}

/// What the ledger says of one session.
#[derive(Default)]
struct Claims {
    entries: u64,
    started: bool,
    ended: bool,
    erased: bool,
    pruned: bool,
    marks: Vec<Mark>,
    bodies: Vec<(u64, Digest)>,
}

/// Verify the store in `home`: the ledger (against a checkpoint kept elsewhere, if one is given), then every session.
#[must_use]
pub fn verify(home: &Home, since: Option<&str>) -> Report {
    let against = Against {
        since,
        ..Against::default()
    };
    let mut report = Report {
        ledger: rescind_ledger::verify(&home.ledger(), &against),
        ..Report::default()
    };
    // The vault's sessions are listed first: one that begins meanwhile is then only in the ledger, and is looked up.
    let vault = match Vault::open(&home.vault(), rescind_vault::Options::default()) {
        Ok(vault) => vault,
        Err(error) => {
            report.fault(None, None, format!("the vault can't be opened: {error}"));
            return report;
        }
    };
    let listed = vault.sessions();
    let opened = Ledger::open(&home.ledger(), &rescind_ledger::Options::default());
    let mut cursor = match opened.and_then(|ledger| ledger.cursor(0)) {
        Ok(cursor) => Some(cursor),
        Err(error) => {
            let what = format!("the entries can't be held against the vault: {error}");
            report.fault(None, None, what);
            None
        }
    };
    let mut known = BTreeMap::new();
    follow(&mut cursor, &mut known, &mut report);
    let sessions: Vec<SessionId> = known.keys().cloned().collect();
    for session in &sessions {
        let mut own = checked(&vault, session, &known);
        if !own.faults.is_empty() {
            // It may have been erased or pruned while it was looked at: that is announced before it is done.
            let before = known.get(session).map(|claims| claims.entries);
            follow(&mut cursor, &mut known, &mut report);
            if known.get(session).map(|claims| claims.entries) != before {
                own = checked(&vault, session, &known);
            }
        }
        report.sessions += 1;
        report.take(own);
    }
    match listed {
        Ok(held) => {
            for session in &held {
                if known.contains_key(session) {
                    continue;
                }
                let records = records_of(&vault, session);
                // One that has more than its first record is in the ledger by now, if ever.
                follow(&mut cursor, &mut known, &mut report);
                if !known.contains_key(session) {
                    unclaimed(session, records, &mut report);
                }
            }
        }
        Err(error) => report.fault(None, None, format!("the vault can't be read: {error}")),
    }
    report
}

/// What a session is like, held against its claims.
fn checked(vault: &Vault, session: &SessionId, known: &BTreeMap<SessionId, Claims>) -> Report {
    let mut own = Report::default();
    if let Some(claims) = known.get(session) {
        check(vault, session, claims, &mut own);
    }
    own
}

/// Take in what the ledger says, by session, from where the cursor stands. What can't be read is a fault.
fn follow(cursor: &mut Option<Cursor>, claims: &mut BTreeMap<SessionId, Claims>, report: &mut Report) {
    let Some(entries) = cursor else { return };
    for entry in entries {
        let (index, bytes) = match entry {
            Ok(entry) => entry,
            Err(error) => {
                report.fault(None, None, format!("the entries end early: {error}"));
                *cursor = None;
                return;
            }
        };
        let parsed = serde_json::from_slice::<Entry>(&bytes).map_err(|error| error.to_string());
        // What belongs to no session has no journal to be held against.
        if parsed.as_ref().is_ok_and(Entry::is_control) {
            continue;
        }
        let parsed = parsed.and_then(|entry| {
            let id = entry
                .session
                .parse::<SessionId>()
                .map_err(|error| error.to_string())?;
            Ok((id, entry))
        });
        match parsed {
            Ok((id, entry)) => claims.entry(id).or_default().take(index, &entry, report),
            Err(why) => report.fault(
                None,
                Some(index),
                format!("the entry is none of rescind's: {why}"),
            ),
        }
    }
}

impl Claims {
    fn take(&mut self, index: u64, entry: &Entry, report: &mut Report) {
        self.entries += 1;
        match entry.kind {
            EntryKind::SessionStarted => self.started = true,
            EntryKind::SessionEnded | EntryKind::SessionRecovered => self.ended = true,
            EntryKind::VaultErased => self.erased = true,
            EntryKind::VaultPruned => self.pruned = true,
            EntryKind::ActionStarted
            | EntryKind::StageDiscarded
            | EntryKind::ActionHeld
            | EntryKind::ActionDecided
            | EntryKind::RuleForgotten
            | EntryKind::KillCalled
            | EntryKind::KillAnswered
            | EntryKind::KillLifted
            | EntryKind::AccessChanged
            | EntryKind::ActionEnded
            | EntryKind::CredentialIssuing
            | EntryKind::CredentialIssued
            | EntryKind::CredentialRevoked
            | EntryKind::CredentialUnproved
            | EntryKind::UndoStep
            | EntryKind::UndoReceipt => {}
        }
        for form in &entry.marks {
            match form.mark() {
                Some(mark) => self.marks.push(mark),
                None => report.fault(None, Some(index), format!("`{}` is no digest of a mark", form.d)),
            }
        }
        match entry.body.as_ref().map(|body| body.parse::<Digest>()) {
            Some(Ok(digest)) => self.bodies.push((index, digest)),
            Some(Err(error)) => report.fault(None, Some(index), error.to_string()),
            None => {}
        }
    }
}

/// Hold one session's files and bodies against what the ledger says of it.
fn check(vault: &Vault, session: &SessionId, claims: &Claims, report: &mut Report) {
    if !claims.started {
        let first = claims.bodies.first().map(|(index, _)| *index);
        report.fault(
            Some(session),
            first,
            "the ledger goes on about it without its start",
        );
    }
    let expect = Expect {
        open: !claims.ended,
        erased: claims.erased,
        pruned: claims.pruned,
    };
    let verified = match vault.verify_session(session, &claims.marks, expect) {
        Ok(verified) => verified,
        Err(error) => return report.fault(Some(session), None, format!("it can't be verified: {error}")),
    };
    report.faults.extend(verified.faults.iter().map(|fault| Fault {
        session: Some(session.clone()),
        file: Some(fault.file.clone()),
        offset: Some(fault.offset),
        entry: None,
        what: fault.to_string(),
    }));
    if claims.erased {
        report.erased += 1;
        return;
    }
    if !verified.key {
        return;
    }
    let mut frames = BTreeSet::new();
    if let Err(why) = each_frame(vault, session, |bytes| {
        frames.insert(Digest::of(bytes));
    }) {
        report.fault(Some(session), None, why);
    }
    for (index, digest) in &claims.bodies {
        if frames.contains(digest) {
            report.bodies += 1;
        } else {
            report.fault(
                Some(session),
                Some(*index),
                format!("the journal has no body with the digest {digest}"),
            );
        }
    }
}

fn each_frame(vault: &Vault, session: &SessionId, mut see: impl FnMut(&[u8])) -> Result<u64, String> {
    let reader = vault.open_session(session).map_err(|error| error.to_string())?;
    let mut count = 0;
    for frame in reader.frames(0).map_err(|error| error.to_string())? {
        let (_, bytes) = frame.map_err(|error| error.to_string())?;
        see(&bytes);
        count += 1;
    }
    Ok(count)
}

/// How many records a session has that the ledger does not know. One that is only being made has none.
fn records_of(vault: &Vault, session: &SessionId) -> Result<u64, String> {
    let journal = vault
        .open_session(session)
        .and_then(|reader| reader.frames(0).map(drop));
    match journal {
        Err(rescind_vault::Error::NoSession { .. }) => Ok(0),
        Err(rescind_vault::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(0),
        _ => each_frame(vault, session, |_| {}),
    }
}

/// A session that the ledger does not know: one that never began, unless it has more than its first record.
fn unclaimed(session: &SessionId, records: Result<u64, String>, report: &mut Report) {
    match records {
        Ok(frames) if frames <= 1 => report.notes.push(Fault {
            session: Some(session.clone()),
            file: None,
            offset: None,
            entry: None,
            what: "it was prepared and never began".to_owned(),
        }),
        Ok(frames) => {
            let what = format!("the vault holds {frames} records of it and the ledger does not know it");
            report.fault(Some(session), None, what);
        }
        Err(why) => report.fault(
            Some(session),
            None,
            format!("the ledger does not know it, and {why}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::verify;
    use crate::entry::EntryKind;
    use crate::journal::{ExitForm, SessionEnded, SessionKind, SessionOpened};
    use crate::{Home, Store, clock};
    use rescind_model::{Level, SessionId};
    use rescind_vault::Remains;
    use std::fs;

    fn session(store: &Store) -> SessionId {
        let id = clock::session_id();
        let opened = SessionOpened {
            id: id.to_string(),
            salt: clock::salt(),
            kind: SessionKind::Run,
            time: clock::now().to_string(),
            agent: "test".to_owned(),
            argv: vec!["true".to_owned()],
            cwd: "/".to_owned(),
            user: "0".to_owned(),
            host: "here".to_owned(),
            supervisor: String::new(),
            undoes: None,
            scope: None,
            spans: Vec::new(),
            domain: String::new(),
            environment: String::new(),
            staged: false,
            promotes: None,
        };
        let log = store.begin(&id, opened, Level::Process).unwrap();
        log.put(&[7; 5_000], false).unwrap();
        log.close(&SessionEnded {
            time: clock::now().to_string(),
            exit: ExitForm::Code(0),
            how: "ended".to_owned(),
            effects: 0,
            missing: Vec::new(),
        })
        .unwrap();
        id
    }

    #[test]
    fn a_sound_store_has_no_faults_and_every_body_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let store = Store::open(home.clone()).unwrap();
        session(&store);
        session(&store);
        store.ledger().checkpoint().unwrap();
        let report = verify(&home, None);
        assert!(
            report.is_sound(),
            "{:?} {:?}",
            report.ledger.faults,
            report.faults
        );
        assert_eq!((report.sessions, report.bodies, report.erased), (2, 4, 0));
    }

    #[test]
    fn a_flipped_byte_of_a_journal_is_named_with_its_session_and_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let store = Store::open(home.clone()).unwrap();
        let id = session(&store);
        let journal = home.vault().join("sessions").join(id.as_str()).join("journal");
        let mut bytes = fs::read(&journal).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&journal, bytes).unwrap();
        let report = verify(&home, None);
        assert!(report.faults.iter().any(|fault| {
            fault.session.as_ref() == Some(&id) && fault.file.as_deref() == Some("journal")
        }));
    }

    #[test]
    fn an_erased_session_is_a_fault_unless_the_ledger_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let store = Store::open(home.clone()).unwrap();
        let id = session(&store);
        store.vault().erase(&id, Remains::Nothing).unwrap();
        assert!(!verify(&home, None).is_sound());
        store
            .note(EntryKind::VaultErased, &id, "test".to_owned())
            .unwrap();
        let report = verify(&home, None);
        assert!(
            report.is_sound(),
            "{:?} {:?}",
            report.ledger.faults,
            report.faults
        );
        assert_eq!(report.erased, 1);
    }

    #[test]
    fn a_session_that_the_ledger_does_not_know_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let store = Store::open(home.clone()).unwrap();
        let id = session(&store);
        drop(store);
        fs::remove_dir_all(home.ledger()).unwrap();
        let report = verify(&home, None);
        assert!(
            report
                .faults
                .iter()
                .any(|fault| fault.session.as_ref() == Some(&id)),
            "{:?}",
            report.faults
        );
    }
}
