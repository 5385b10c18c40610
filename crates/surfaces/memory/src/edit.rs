//! What agents and other people do to the world.

/// One change to the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Make an empty table.
    Table {
        /// Its key, without a `/`.
        key: String,
    },
    /// Make a record with a number in three of its fields and a text.
    Record {
        /// Its key: in a table (`table/record`) or by itself.
        key: String,
        /// The number.
        n: i64,
        /// The text.
        text: String,
    },
    /// Remove a record, or a table that is empty.
    Remove {
        /// Its key.
        key: String,
    },
    /// Set a number.
    Int {
        /// The record.
        key: String,
        /// `n` or `m`.
        field: &'static str,
        /// The number.
        value: i64,
    },
    /// Set the label.
    Label {
        /// The record or table.
        key: String,
        /// The label.
        value: String,
    },
    /// Set the body that does not merge and has no digest.
    Blob {
        /// The record.
        key: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Write the text anew.
    Write {
        /// The record.
        key: String,
        /// The text.
        text: String,
    },
    /// Edit a line of the text.
    Text {
        /// The record.
        key: String,
        /// The edit.
        edit: LineEdit,
    },
}

/// An edit of one line, found by its mark: the text before its first `:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineEdit {
    /// Another text behind the mark.
    Replace {
        /// The mark.
        mark: String,
        /// The text.
        with: String,
    },
    /// Delete the line.
    Delete {
        /// The mark.
        mark: String,
    },
    /// Put a line after it.
    InsertAfter {
        /// The mark.
        mark: String,
        /// The line, with its own mark and without its end.
        line: String,
    },
}

impl Edit {
    /// The records that it changes: the one it names, and the table that one is in where it comes or goes.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let own = self.key();
        match self {
            Self::Table { .. } | Self::Record { .. } | Self::Remove { .. } => {
                [own].into_iter().chain(parent(own)).map(str::to_owned).collect()
            }
            Self::Int { .. }
            | Self::Label { .. }
            | Self::Blob { .. }
            | Self::Write { .. }
            | Self::Text { .. } => {
                vec![own.to_owned()]
            }
        }
    }

    /// The record that it names.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Table { key }
            | Self::Record { key, .. }
            | Self::Remove { key }
            | Self::Int { key, .. }
            | Self::Label { key, .. }
            | Self::Blob { key, .. }
            | Self::Write { key, .. }
            | Self::Text { key, .. } => key,
        }
    }
}

impl LineEdit {
    /// The text edited; `None` where the mark is not in it.
    #[must_use]
    pub fn apply(&self, text: &str) -> Option<String> {
        let (Self::Replace { mark, .. } | Self::Delete { mark } | Self::InsertAfter { mark, .. }) = self;
        let mut found = false;
        let mut edited = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let here = !found && line.split_once(':').is_some_and(|(own, _)| own == mark);
            found |= here;
            match self {
                Self::Replace { with, .. } if here => edited += &format!("{mark}:{with}\n"),
                Self::Delete { .. } if here => {}
                Self::InsertAfter { line: new, .. } if here => edited += &format!("{line}{new}\n"),
                _ => edited += line,
            }
        }
        found.then_some(edited)
    }
}

/// The table that a key is in.
pub(crate) fn parent(key: &str) -> Option<&str> {
    key.rsplit_once('/').map(|(table, _)| table)
}
