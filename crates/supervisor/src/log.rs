//! One session's log: its journal in the vault, and its entries in the ledger. The only writer of both.

use crate::clock;
use crate::entry::{Entry, EntryKind, MarkForm};
use crate::journal::{
    CredentialEvent, CredentialForm, DecidedForm, NodeEnded, NodeStarted, Record, SessionEnded,
    SessionOpened, SystemForm, WaitedForm,
};
use crate::{Recorder, SystemRecord};
use rescind_ledger::Ledger;
use rescind_model::{Digest, Level, Locator, SessionId};
use rescind_vault::{FileBlob, Keeping, SessionWriter, Urgency};
use rustix::fs::{AtFlags, linkat, statat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

/// The log of one session. Shared between threads.
pub struct SessionLog {
    id: SessionId,
    writer: SessionWriter,
    ledger: Ledger,
    level: Level,
    owed: Mutex<Owed>,
}

/// What was announced and has no outcome on record yet: room is kept for it.
#[derive(Default)]
struct Owed {
    effects: HashSet<u64>,
    nodes: HashSet<u64>,
}

/// How many bytes the outcome of an effect takes, and the end of a node, but for rare ones.
const EFFECT_BYTES: u64 = 640;
const NODE_BYTES: u64 = 4 << 10;

impl Owed {
    fn see(&mut self, record: &Record) {
        match record {
            Record::Before(before) => drop(self.effects.insert(before.s)),
            Record::After(after) => drop(self.effects.remove(&after.s)),
            Record::Node(node) => drop(self.nodes.insert(node.n)),
            Record::NodeEnd(ended) => drop(self.nodes.remove(&ended.n)),
            _ => {}
        }
    }

    fn bytes(&self) -> u64 {
        EFFECT_BYTES * self.effects.len() as u64 + NODE_BYTES * self.nodes.len() as u64
    }
}

impl std::fmt::Debug for SessionLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionLog({})", self.id)
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

fn keeping(recreatable: bool) -> Keeping {
    if recreatable {
        Keeping::Recreatable
    } else {
        Keeping::Lasting
    }
}

impl SessionLog {
    pub(crate) fn new(id: SessionId, writer: SessionWriter, ledger: Ledger, level: Level) -> Self {
        Self {
            id,
            writer,
            ledger,
            level,
            owed: Mutex::default(),
        }
    }

    /// The session.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whether a full disk may be met with the reserve: for recovery.
    pub fn recovering(&self) {
        self.writer.set_urgency(Urgency::Recovery);
    }

    /// Write records into the journal, as one frame. Where the disk is full, what has happened already is written all the
    /// same, from the room that is kept for it.
    ///
    /// # Errors
    /// They can't be written: what was to happen is not on record and must not happen.
    pub fn write(&self, records: &[Record]) -> io::Result<()> {
        let intents = records.iter().any(|record| !has_happened(record));
        let result = match (frame(records)?, intents) {
            (None, _) => return Ok(()),
            (Some(bytes), false) => self.writer.append_outcome(&bytes),
            (Some(bytes), true) => {
                // Room for the outcome must be there with the intent.
                self.owe(records);
                self.writer.append(&bytes)
            }
        };
        let result = result.map(drop).map_err(other);
        if result.is_err() && intents {
            self.disown(records);
            let happened: Vec<Record> = records
                .iter()
                .filter(|record| has_happened(record))
                .cloned()
                .collect();
            if let Some(bytes) = frame(&happened)? {
                self.writer.append_outcome(&bytes).map_err(other)?;
                self.owe(&happened);
            }
        } else {
            self.owe(records);
        }
        result?;
        if self.level == Level::Power {
            self.writer.sync().map_err(other)?;
        }
        Ok(())
    }

    /// Take note of what is announced and of what has come.
    fn owe(&self, records: &[Record]) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().for_each(|record| owed.see(record));
        self.writer.set_owed(owed.bytes());
    }

    /// Take back what was announced and could not be recorded.
    fn disown(&self, records: &[Record]) {
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records {
            match record {
                Record::Before(before) => drop(owed.effects.remove(&before.s)),
                Record::Node(node) => drop(owed.nodes.remove(&node.n)),
                _ => {}
            }
        }
        self.writer.set_owed(owed.bytes());
    }

    /// The intent of a node: its body in the journal, then its entry in the ledger. When this has returned, it may run.
    ///
    /// # Errors
    /// It can't be recorded: it may not run.
    pub fn start(&self, node: &NodeStarted) -> io::Result<()> {
        let action = Some(self.id.action(node.n).to_string());
        self.enter(
            EntryKind::ActionStarted,
            &node.time,
            action,
            &Record::Node(node.clone()),
            false,
        )
    }

    /// What became of a hold while it waits.
    ///
    /// # Errors
    /// It can't be recorded.
    pub fn waited(&self, waited: &WaitedForm) -> io::Result<()> {
        let action = Some(self.id.action(waited.n).to_string());
        let record = Record::Waited(waited.clone());
        self.enter(EntryKind::ActionHeld, &waited.at, action, &record, true)
    }

    /// How a hold ended. When this has returned, what was approved may run.
    ///
    /// # Errors
    /// It can't be recorded: it may not run.
    pub fn decided(&self, decided: &DecidedForm) -> io::Result<()> {
        let action = Some(self.id.action(decided.n).to_string());
        self.enter(
            EntryKind::ActionDecided,
            &decided.closed.at,
            action,
            &Record::Decided(decided.clone()),
            !decided.approved(),
        )
    }

    /// What becomes of a credential. When this has returned for one that is about to be issued, it may be.
    ///
    /// # Errors
    /// It can't be recorded: it may not be issued.
    pub fn credential(&self, form: &CredentialForm) -> io::Result<()> {
        let happened = form.what != CredentialEvent::Issuing;
        let record = Record::Credential(form.clone());
        self.enter(form.what.into(), &form.time, None, &record, happened)
    }

    /// The outcome of a node.
    ///
    /// # Errors
    /// It can't be recorded: the action stays in doubt until the books are finished.
    pub fn end(&self, node: &NodeEnded) -> io::Result<()> {
        let action = Some(self.id.action(node.n).to_string());
        self.enter(
            EntryKind::ActionEnded,
            &node.time,
            action,
            &Record::NodeEnd(node.clone()),
            true,
        )
    }

    pub(crate) fn opened(&self, opened: &SessionOpened) -> io::Result<()> {
        self.enter(
            EntryKind::SessionStarted,
            &opened.time,
            None,
            &Record::Session(opened.clone()),
            true,
        )
    }

    /// The end of the session.
    ///
    /// # Errors
    /// It can't be recorded.
    pub fn close(&self, ended: &SessionEnded) -> io::Result<()> {
        let kind = if ended.how == "recovered" {
            EntryKind::SessionRecovered
        } else {
            EntryKind::SessionEnded
        };
        self.enter(kind, &ended.time, None, &Record::SessionEnd(ended.clone()), true)?;
        self.writer.give_back().map_err(other)?;
        self.writer.sync().map_err(other)
    }

    fn enter(
        &self,
        kind: EntryKind,
        time: &str,
        action: Option<String>,
        record: &Record,
        marked: bool,
    ) -> io::Result<()> {
        let body = serde_json::to_vec(record)?;
        let records = std::slice::from_ref(record);
        if has_happened(record) {
            self.writer.append_outcome(&body).map_err(other)?;
            self.owe(records);
        } else {
            self.owe(records);
            self.writer
                .append(&body)
                .inspect_err(|_| self.disown(records))
                .map_err(other)?;
        }
        if self.level == Level::Power {
            self.writer.sync().map_err(other)?;
        }
        let marks = if marked {
            self.writer.marks().iter().map(MarkForm::from).collect()
        } else {
            Vec::new()
        };
        let entry = Entry {
            v: 1,
            kind,
            time: time.to_owned(),
            session: self.id.to_string(),
            action,
            body: Some(Digest::of(&body).to_string()),
            marks,
            note: None,
        };
        let entry = serde_json::to_vec(&entry)?;
        let entered = if marked {
            // Outcomes: they have happened, and may use what the ledger keeps back.
            self.ledger.append_from_reserve(&entry, self.level)
        } else {
            self.ledger.append(&entry, self.level)
        };
        entered.map_err(other)?;
        Ok(())
    }

    /// Keep bytes in the vault.
    ///
    /// # Errors
    /// The vault can't be written.
    pub fn put(&self, bytes: &[u8], recreatable: bool) -> io::Result<(Digest, Locator)> {
        self.writer.put(bytes, keeping(recreatable)).map_err(other)
    }

    /// Keep the first `length` bytes of a file.
    ///
    /// # Errors
    /// The file can't be read or the vault can't be written.
    pub fn put_file(&self, file: &File, length: u64, recreatable: bool) -> io::Result<FileBlob> {
        self.writer
            .put_file(file, length, keeping(recreatable))
            .map_err(other)
    }

    /// Keep the very file behind `name` by one more link. `None` where that can't be done there.
    ///
    /// # Errors
    /// The vault can't be written.
    pub fn pin(&self, folder: BorrowedFd<'_>, name: &[u8], recreatable: bool) -> io::Result<Option<Locator>> {
        let device = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?.st_dev;
        let Some(slot) = self
            .writer
            .pin_slot(device, keeping(recreatable))
            .map_err(other)?
        else {
            return Ok(None);
        };
        match linkat(folder, name, slot.dir(), slot.name(), AtFlags::empty()) {
            Ok(()) => self.writer.adopt(&slot).map(Some).map_err(other),
            // Another mount of the same device, too many links, or protected_hardlinks: the bytes are kept instead.
            Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Bring everything to the disk.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn sync(&self) -> io::Result<()> {
        self.writer.sync().map_err(other)
    }
}

/// Whether a record tells of what has happened, and not of what is about to.
fn has_happened(record: &Record) -> bool {
    match record {
        Record::Session(_) | Record::Node(_) | Record::Before(_) | Record::Escape { .. } => false,
        Record::Credential(form) => form.what != CredentialEvent::Issuing,
        _ => true,
    }
}

/// Records as one frame of the journal; `None` for none.
fn frame(records: &[Record]) -> io::Result<Option<Vec<u8>>> {
    Ok(match records {
        [] => None,
        [one] => Some(serde_json::to_vec(one)?),
        more => Some(serde_json::to_vec(more)?),
    })
}

/// The recorder of an undo: every record is in the journal before the step it is for, and the ends are in the ledger.
impl Recorder for &SessionLog {
    fn record(&mut self, record: &SystemRecord) -> io::Result<()> {
        let form = Record::System(SystemForm::from(record));
        let time = clock::now().to_string();
        match record {
            SystemRecord::Opened { .. } | SystemRecord::CompensationStarted { .. } => {
                self.enter(EntryKind::UndoStep, &time, None, &form, true)
            }
            SystemRecord::Receipt(_) => self.enter(EntryKind::UndoReceipt, &time, None, &form, true),
            _ => self.write(std::slice::from_ref(&form)),
        }
    }
}
