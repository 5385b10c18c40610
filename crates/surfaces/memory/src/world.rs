//! The world: everything that lasts, and whoever writes to it.

use crate::edit::parent;
use crate::{Edit, Faults, Item, Record, Service, Slot};
use rescind_model::{Locator, SessionId};
use rescind_supervisor::{KIND, SystemRecord};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// Who wrote a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Writer {
    /// It was there from the start.
    Origin,
    /// An agent, in this session.
    Session(SessionId),
    /// Somebody else.
    Person,
    /// An undo, in this system session.
    Undo(SessionId),
}

/// A change of one field, as the world saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The record.
    pub key: String,
    /// The field.
    pub field: &'static str,
    /// What was there, and who had written it; `None`: the record had no such field, or there was no record.
    pub old: Option<Slot>,
    /// What is there now.
    pub new: Option<Item>,
    /// Who changed it.
    pub by: Writer,
}

/// Tables, records, bodies, a journal and a remote service. Cloning it gives another world that is the same so far.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(crate) records: RefCell<BTreeMap<String, Record>>,
    pub(crate) shelf: RefCell<BTreeMap<Locator, Arc<[u8]>>>,
    pub(crate) journal: RefCell<Vec<SystemRecord>>,
    pub(crate) service: RefCell<Service>,
    pub(crate) changes: RefCell<Vec<Change>>,
    pub(crate) numbers: Cell<u64>,
    /// What goes wrong.
    pub faults: RefCell<Faults>,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A number that was not given out before: for identities, bodies and the clock.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }

    /// An instant passes: others do what they do now, or the process dies.
    ///
    /// # Errors
    /// The process is dead.
    pub(crate) fn instant(&self) -> io::Result<()> {
        let edits = self.faults.borrow_mut().pass()?;
        for edit in edits {
            self.edit(&Writer::Person, &edit);
        }
        Ok(())
    }

    /// Start again after a crash. What lasts is as it was.
    pub fn restart(&self) {
        let mut faults = self.faults.borrow_mut();
        (faults.dead, faults.crash_at, faults.instants) = (false, None, 0);
    }

    /// The record behind a key.
    #[must_use]
    pub fn record(&self, key: &str) -> Option<Record> {
        self.records.borrow().get(key).cloned()
    }

    /// Everything a person could see: keys, fields and values, without identities. `touched` is left out unless asked for.
    #[must_use]
    pub fn visible(&self, with_touched: bool) -> BTreeMap<String, BTreeMap<&'static str, String>> {
        let show = |item: &Item| match item {
            Item::Int(number) => number.to_string(),
            Item::Text(text) => text.clone(),
            Item::Body { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
        };
        let records = self.records.borrow();
        let fields = |record: &Record| {
            let slots = record
                .slots
                .iter()
                .filter(|(name, _)| with_touched || **name != "touched");
            slots.map(|(name, slot)| (*name, show(&slot.item))).collect()
        };
        records
            .iter()
            .map(|(key, record)| (key.clone(), fields(record)))
            .collect()
    }

    /// The changes so far, taken out of the world.
    pub fn take_changes(&self) -> Vec<Change> {
        self.changes.take()
    }

    /// The remote service.
    pub fn service<T>(&self, with: impl FnOnce(&mut Service) -> T) -> T {
        with(&mut self.service.borrow_mut())
    }

    /// Forget a body that was kept: it is pruned.
    pub fn prune(&self, kept: &Locator) {
        self.shelf.borrow_mut().remove(kept);
    }

    /// Whether there is anything in a table.
    pub(crate) fn holds_others(&self, key: &str) -> bool {
        let prefix = format!("{key}/");
        self.records
            .borrow()
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(key, _)| key.starts_with(&prefix))
    }

    /// Make a record. `false`: there is one, or its table is not there.
    pub(crate) fn insert(&self, by: &Writer, key: &str, items: Vec<(&'static str, Item)>) -> bool {
        if self.record(key).is_some() || !self.has_place(key) {
            return false;
        }
        let record = Record {
            object: self.number(),
            slots: BTreeMap::new(),
        };
        self.records.borrow_mut().insert(key.to_owned(), record);
        for (field, item) in items {
            self.set(by, key, field, Some(item));
        }
        self.touch(by, key);
        true
    }

    /// Whether the table that a key is in is there.
    pub(crate) fn has_place(&self, key: &str) -> bool {
        parent(key).is_none_or(|table| self.record(table).is_some_and(|record| record.is_table()))
    }

    /// Take a record away. `false`: there is none, or it is a table with something in it.
    pub(crate) fn remove(&self, by: &Writer, key: &str) -> bool {
        if self.holds_others(key) {
            return false;
        }
        let Some(record) = self.records.borrow_mut().remove(key) else {
            return false;
        };
        let mut changes = self.changes.borrow_mut();
        for (field, slot) in record.slots {
            let key = key.to_owned();
            changes.push(Change {
                key,
                field,
                old: Some(slot),
                new: None,
                by: by.clone(),
            });
        }
        drop(changes);
        self.touch(by, key);
        true
    }

    /// Set or clear a field of a record that is there.
    pub(crate) fn set(&self, by: &Writer, key: &str, field: &'static str, item: Option<Item>) {
        let mut records = self.records.borrow_mut();
        let Some(record) = records.get_mut(key) else {
            return;
        };
        let new = item.clone();
        let old = match item {
            Some(item) => record.slots.insert(
                field,
                Slot {
                    item,
                    writer: by.clone(),
                },
            ),
            None => record.slots.remove(field),
        };
        let change = Change {
            key: key.to_owned(),
            field,
            old,
            new,
            by: by.clone(),
        };
        self.changes.borrow_mut().push(change);
    }

    /// Something was put into or taken out of the table that a key is in.
    fn touch(&self, by: &Writer, key: &str) {
        if let Some(table) = parent(key) {
            let now = i64::try_from(self.number()).unwrap_or(i64::MAX);
            self.set(by, table, "touched", Some(Item::Int(now)));
        }
    }

    /// A body with these bytes.
    pub(crate) fn body(&self, bytes: &[u8]) -> Item {
        Item::Body {
            id: self.number(),
            puts: 0,
            bytes: Arc::from(bytes),
        }
    }

    /// Somebody edits. `false`: it could not be done, and nothing was changed.
    pub fn edit(&self, by: &Writer, edit: &Edit) -> bool {
        match edit {
            Edit::Table { key } => {
                let kind = Item::Text("table".to_owned());
                let items = vec![
                    (KIND, kind),
                    ("label", Item::Text(key.clone())),
                    ("touched", Item::Int(0)),
                ];
                parent(key).is_none() && self.insert(by, key, items)
            }
            Edit::Record { key, n, text } => {
                let (kind, label) = (Item::Text("record".to_owned()), Item::Text(format!("label {n}")));
                let mut items = vec![
                    (KIND, kind),
                    ("n", Item::Int(*n)),
                    ("m", Item::Int(*n)),
                    ("label", label),
                ];
                items.push(("text", self.body(text.as_bytes())));
                items.push(("blob", self.body(&n.to_le_bytes())));
                self.insert(by, key, items)
            }
            Edit::Remove { key } => self.remove(by, key),
            Edit::Int { key, field, value } => self.change(by, key, field, |_| Some(Item::Int(*value))),
            Edit::Label { key, value } => self.change(by, key, "label", |_| Some(Item::Text(value.clone()))),
            Edit::Blob { key, bytes } => self.change(by, key, "blob", |_| Some(self.body(bytes))),
            Edit::Write { key, text } => self.change(by, key, "text", |_| Some(self.body(text.as_bytes()))),
            Edit::Text { key, edit } => self.change(by, key, "text", |old| match old {
                Item::Body { bytes, .. } => edit
                    .apply(std::str::from_utf8(bytes).ok()?)
                    .map(|text| self.body(text.as_bytes())),
                _ => None,
            }),
        }
    }

    /// Change a field that is there. `false` where that changes nothing.
    fn change(
        &self,
        by: &Writer,
        key: &str,
        field: &'static str,
        new: impl FnOnce(&Item) -> Option<Item>,
    ) -> bool {
        let Some(record) = self.record(key) else {
            return false;
        };
        let Some(old) = record.item(field) else {
            return false;
        };
        match new(old) {
            Some(item) if !item.same(old) => {
                self.set(by, key, field, Some(item));
                true
            }
            _ => false,
        }
    }
}
