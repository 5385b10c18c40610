//! The keys of one table, read one by one, so that every fault is named and none hides another.

use super::Fault;
use std::cell::RefCell;
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table that is being read.
pub(super) struct Fields<'t> {
    text: &'t str,
    table: &'t DeTable<'t>,
    at: usize,
    name: String,
    known: RefCell<BTreeSet<&'static str>>,
    faults: RefCell<Vec<Fault>>,
}

/// A value and where it is.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) key: &'static str,
    at: usize,
}

impl<'t> Fields<'t> {
    /// `number` is its place among the tables, from 1: its name until it says one.
    pub(super) fn new(text: &'t str, table: &'t DeTable<'t>, at: usize, number: usize) -> Self {
        let name = table.get("name").and_then(|name| name.get_ref().as_str());
        Self {
            text,
            table,
            at,
            name: name.map_or_else(|| number.to_string(), |name| crate::words::line(name, 64)),
            known: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// Say that something is wrong with the table as a whole, or lacks.
    pub(super) fn lacks(&self, key: &str, message: impl Into<String>) {
        self.note(self.at, key, message.into());
    }

    /// Say that something is wrong with a value.
    pub(super) fn wrong<T>(&self, found: &Found<T>, message: impl Into<String>) {
        self.note(found.at, found.key, message.into());
    }

    fn note(&self, at: usize, key: &str, message: String) {
        let key = format!("notify.{}.{key}", self.name);
        self.faults
            .borrow_mut()
            .push(Fault::at(self.text, at, key, message));
    }

    fn value(&self, key: &'static str) -> Option<Found<&'t DeValue<'t>>> {
        self.known.borrow_mut().insert(key);
        let value: &'t Spanned<DeValue<'t>> = self.table.get(key)?;
        Some(Found {
            value: value.get_ref(),
            key,
            at: value.span().start,
        })
    }

    /// Whether the key is there, in whatever form.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn text(&self, key: &'static str) -> Option<Found<String>> {
        let found = self.value(key)?;
        match found.value.as_str() {
            Some(text) => Some(found.with(text.to_owned())),
            None => self.not(&found, "a text"),
        }
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let found = self.value(key)?;
        found
            .value
            .as_bool()
            .or_else(|| self.not(&found, "true or false"))
    }

    pub(super) fn number(&self, key: &'static str) -> Option<Found<i64>> {
        let found = self.value(key)?;
        let number = found
            .value
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        match number {
            Some(number) => Some(found.with(number)),
            None => self.not(&found, "a whole number"),
        }
    }

    /// A list of texts; `None` where there is none, and after a fault.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<Found<String>>> {
        let found = self.value(key)?;
        let Some(list) = found.value.as_array() else {
            return self.not(&found, "a list of texts");
        };
        let mut texts = Vec::new();
        for item in list {
            let own = Found {
                value: item.get_ref(),
                key,
                at: item.span().start,
            };
            match own.value.as_str() {
                Some(text) => texts.push(own.with(text.to_owned())),
                None => return self.not(&own, "a text"),
            }
        }
        Some(texts)
    }

    fn not<T>(&self, found: &Found<&'t DeValue<'t>>, right: &str) -> Option<T> {
        self.wrong(
            found,
            format!("this is {right}, not of the kind `{}`", found.value.type_str()),
        );
        None
    }

    /// All faults, those of unknown keys among them.
    pub(super) fn end(self) -> Vec<Fault> {
        let known = self.known.borrow().clone();
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(name) {
                let name = crate::words::line(name, 64);
                self.note(key.span().start, &name, "there is no such key here".to_owned());
            }
        }
        self.faults.into_inner()
    }
}

impl<T> Found<T> {
    /// The same place with another value.
    pub(super) fn with<U>(&self, value: U) -> Found<U> {
        Found {
            value,
            key: self.key,
            at: self.at,
        }
    }
}
