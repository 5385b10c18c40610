//! Following the ledger: entry after entry, in transactions of some thousand.

use crate::names::Names;
use crate::tale::{Places, Tale};
use crate::walk::{Lost, Walk};
use crate::write::Writer;
use crate::{Result, index};
use rescind_ledger::Cursor;
use rescind_model::{Digest, SessionId};
use rescind_supervisor::Store;
use rescind_supervisor::entry::{Entry, EntryKind};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most entries of a transaction. A reader of the file sees nothing of it before it is over.
pub(crate) const BATCH: usize = 4096;
/// How much of sessions is kept in memory, in bytes, about. What was put away is read from its journal again.
const KEPT: usize = 64 << 20;
/// The most sessions that are kept open: each has a directory open, and a file while it is read.
const OPEN: usize = 256;

/// What is to be scrubbed still: the full text from its beginning, the rest of it, the write-ahead log.
const MERGE: i64 = 1;
const MERGING: i64 = 2;
const CUT: i64 = 3;
/// How many pages are merged at once, and how long at most.
const MERGED: i64 = 500;
const SCRUBBING: Duration = Duration::from_millis(100);

/// How far following is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Entries taken in.
    pub position: u64,
    /// Entries that there were when this began.
    pub of: u64,
}

/// The one that follows.
pub(crate) struct Follower {
    store: Arc<Store>,
    connection: Connection,
    cursor: Cursor,
    position: u64,
    sessions: HashMap<SessionId, Session>,
    numbers: Numbers,
    names: Names,
    used: u64,
    _lock: File,
}

/// A session that is followed.
struct Session {
    row: i64,
    story: std::result::Result<(Walk, Tale), Lost>,
    used: u64,
}

/// Places in the list of actions: the entry that brings a row, and a count where it brings several. So a place is the
/// same whenever the list is made.
#[derive(Default)]
struct Numbers {
    seq: u64,
    last: i64,
}

impl Places for Numbers {
    fn next(&mut self) -> (i64, u64) {
        let first = i64::try_from(self.seq << 20).unwrap_or(i64::MAX);
        self.last = first.max(self.last.saturating_add(1));
        (self.last, self.seq)
    }
}

/// The places that rows have already, for a session that is read again.
struct Known(std::vec::IntoIter<(i64, u64)>);

impl Places for Known {
    fn next(&mut self) -> (i64, u64) {
        self.0.next().unwrap_or_default()
    }
}

impl Follower {
    pub fn new(store: Arc<Store>, connection: Connection, lock: File) -> Result<Self> {
        let position = index::position(&connection)?;
        let last = connection.query_row("SELECT value FROM meta WHERE key = 'next'", [], |row| row.get(0))?;
        Ok(Self {
            cursor: store.ledger().cursor(position)?,
            names: Names::default(),
            store,
            connection,
            position,
            sessions: HashMap::new(),
            numbers: Numbers { seq: position, last },
            used: 0,
            _lock: lock,
        })
    }

    /// Take in all that is there.
    pub fn follow(&mut self, most: usize, progress: &mut dyn FnMut(Progress)) -> Result<u64> {
        let of = self.store.ledger().len()?;
        while self.position < of {
            let before = self.position;
            self.batch(most)?;
            if self.position == before {
                break;
            }
            progress(Progress {
                position: self.position,
                of,
            });
            self.put_away();
        }
        self.scrub()?;
        for session in self.sessions.values_mut() {
            if let Ok((walk, _)) = &mut session.story {
                walk.rest();
            }
        }
        Ok(self.position)
    }

    /// Take in up to so many entries, in one transaction.
    fn batch(&mut self, most: usize) -> Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch {
            store: &self.store,
            sessions: &mut self.sessions,
            numbers: &mut self.numbers,
            writer: Writer::new(&transaction, &mut self.names),
            touched: BTreeSet::new(),
            used: &mut self.used,
        };
        let mut last = None;
        for _ in 0..most.max(1) {
            let Some((seq, bytes)) = self.cursor.advance()? else {
                break;
            };
            batch.entry(seq, &bytes)?;
            self.position = seq + 1;
            last = Some(bytes);
        }
        batch.write()?;
        if let Some(last) = last {
            let digest = Digest::of(&last).to_string();
            batch
                .writer
                .position(self.position, batch.numbers.last, &digest)?;
        }
        drop(batch);
        transaction.commit()?;
        Ok(())
    }

    /// Words of what was erased lie in the full text until it is merged, and in the write-ahead log until that is cut off:
    /// some of that at a time, so that nobody waits for it long.
    fn scrub(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let state: i64 =
                self.connection
                    .query_row("SELECT value FROM meta WHERE key = 'scrub'", [], |row| row.get(0))?;
            let next = match state {
                0 => return Ok(()),
                state @ (MERGE | MERGING) => {
                    let pages = if state == MERGE { -MERGED } else { MERGED };
                    let before = self.connection.total_changes();
                    self.connection
                        .execute("INSERT INTO texts (texts, rank) VALUES ('merge', ?1)", [pages])?;
                    let over = self.connection.total_changes() - before < 2;
                    if over { CUT } else { MERGING }
                }
                _ => {
                    let busy: i64 =
                        self.connection
                            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
                    if busy != 0 {
                        // Somebody reads; another time.
                        return Ok(());
                    }
                    0
                }
            };
            if next != state {
                self.connection
                    .execute("UPDATE meta SET value = ?1 WHERE key = 'scrub'", [next])?;
            }
            if begun.elapsed() > SCRUBBING {
                return Ok(());
            }
        }
    }

    /// Forget sessions that were not used for long, until what is kept is little enough.
    fn put_away(&mut self) {
        // What ended has nothing more to say, but for its undos, which are sessions of their own.
        self.sessions
            .retain(|_, session| !session.story.as_ref().is_ok_and(|(_, tale)| tale.ended.is_some()));
        let mut kept: usize = self.sessions.values().map(Session::weight).sum();
        while (kept > KEPT || self.sessions.len() > OPEN) && self.sessions.len() > 1 {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                return;
            };
            if let Some(session) = self.sessions.remove(&id) {
                kept = kept.saturating_sub(session.weight());
            }
        }
    }
}

impl Session {
    fn weight(&self) -> usize {
        self.story.as_ref().map_or(200, |(_, tale)| tale.weight())
    }
}

/// A batch of entries.
struct Batch<'b> {
    store: &'b Arc<Store>,
    sessions: &'b mut HashMap<SessionId, Session>,
    numbers: &'b mut Numbers,
    writer: Writer<'b>,
    touched: BTreeSet<SessionId>,
    used: &'b mut u64,
}

impl Batch<'_> {
    fn entry(&mut self, seq: u64, bytes: &[u8]) -> Result<()> {
        // What a later version wrote is passed over; once that follows, it makes its own.
        let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
            return Ok(());
        };
        self.numbers.seq = seq;
        let Ok(id) = entry.session.parse::<SessionId>() else {
            return self.writer.control(seq, &entry);
        };
        if entry.kind == EntryKind::VaultErased {
            // What was read of it before goes, too.
            self.session(&id, seq, &entry)?;
            if let Some(session) = self.sessions.get_mut(&id) {
                session.story = Err(Lost::Erased);
                self.writer.erase(session.row, &id)?;
            }
        }
        let row = self.session(&id, seq, &entry)?;
        if let Some(Ok((walk, tale))) = self.sessions.get_mut(&id).map(|session| &mut session.story)
            && let Some(Ok(digest)) = entry.body.as_ref().map(|body| body.parse::<Digest>())
        {
            let numbers = &mut *self.numbers;
            walk.to(&digest, |frame| tale.frame(frame, numbers));
        }
        self.writer.ledger(row, seq, &entry)?;
        self.touched.insert(id);
        Ok(())
    }

    /// The row of the session that an entry is of. It is known then: as it was, or read again up to where it was.
    fn session(&mut self, id: &SessionId, seq: u64, entry: &Entry) -> Result<i64> {
        *self.used += 1;
        if let Some(session) = self.sessions.get_mut(id) {
            session.used = *self.used;
            return Ok(session.row);
        }
        let session = self.open(id, seq, entry)?;
        let row = session.row;
        self.sessions.insert(id.clone(), session);
        Ok(row)
    }

    fn open(&mut self, id: &SessionId, seq: u64, entry: &Entry) -> Result<Session> {
        let known = self.writer.known(id)?;
        let (row, offset) = match known {
            Some(known) => known,
            None => (self.writer.begin(id, seq, entry)?, 0),
        };
        let story = Walk::open(self.store, id).map(|mut walk| {
            let mut tale = Tale::new(id.clone());
            if offset > 0 {
                let places = self.writer.places(row).unwrap_or_default();
                let mut places = Known(places.into_iter());
                walk.advance_to(offset, |frame| tale.frame(frame, &mut places));
                // All of that is written down.
                tale.actions();
                tale.took();
                tale.below.clear();
            }
            (walk, tale)
        });
        if let Err(lost) = &story {
            self.writer.lost(row, lost)?;
        }
        Ok(Session {
            row,
            story,
            used: *self.used,
        })
    }

    /// Write down what the entries came to.
    fn write(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.touched) {
            let Some(session) = self.sessions.get_mut(&id) else {
                continue;
            };
            if let Ok((walk, tale)) = &mut session.story {
                let damage = walk.damage.clone();
                self.writer.tale(session.row, tale, walk.at(), damage)?;
            }
        }
        self.writer.settle()
    }
}
