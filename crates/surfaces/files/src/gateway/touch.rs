//! Capturing: what a cell looks like before it is touched. What its action left is in `left`.
//!
//! Each node has, per cell, one effect at a time. It begins with the cell's state before the node's first touch; it
//! ends when the node ends, when another node touches the cell, or when the cell is seen to have been changed by
//! somebody outside between two touches: then the node's next touch begins a new effect, so that the stranger's write
//! lies in the gap between the two and is never taken for ours.

use crate::gateway::Gateway;
use crate::gateway::look::{self, Look};
use crate::gateway::resolve::Place;
use crate::gateway::tree::Node;
use rescind_model::{Locator, ObjectId, State};
use rescind_supervisor::journal::{BeforeForm, OutcomeForm, Record, StateForm, text_from_bytes};
use rustix::io::Errno;
use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

/// What a touch will do to a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Its content is written in place.
    Write,
    /// The name goes: the object may be lost.
    Remove,
    /// The name is taken over by something else: the object may be lost.
    Replace,
    /// The name goes elsewhere, with the object.
    Move,
    /// The object goes elsewhere, and another comes in its place.
    Swap,
    /// Only attributes change.
    Attributes,
    /// A name that is not there yet is made.
    Make,
}

impl How {
    fn may_lose(self) -> bool {
        matches!(self, Self::Remove | Self::Replace)
    }

    /// What will be there if the call is made, where that is known.
    fn announces(self) -> Option<State> {
        matches!(self, Self::Remove | Self::Move).then_some(State::Absent)
    }
}

/// A cell: the folder's object and the name in it.
pub type CellKey = (ObjectId, Vec<u8>);

/// What is known of a touched cell.
#[derive(Debug)]
pub struct Touched {
    /// The node whose effect it is.
    pub node: Node,
    /// The effect's number.
    pub seq: u64,
    /// Whether the content before is kept, or need not be because there was none.
    pub kept: bool,
    /// Whether a file with content was there before: its after-image is kept for merging.
    pub merges: bool,
    /// The state seen once the node's calls on it were over; `None` while they may go on.
    pub settled: Option<State>,
    /// When it was last touched.
    pub at: Instant,
    /// Whether the effect's end is in the journal.
    pub closed: bool,
    /// Whether this is a folder of which only the time of change follows from what was done in it.
    pub passing: bool,
    /// Whether nothing but attributes was touched.
    pub untouched: bool,
    /// Nodes that touched it before and may not be done yet: a call that was let go on can be made later than those of
    /// the node that came after.
    pub others: Vec<Node>,
    /// Whether the node's calls on it were over when its effect ended.
    pub over: bool,
}

/// What was saved of a file's content.
#[derive(Debug, Default)]
pub(super) struct Kept {
    locator: Option<Locator>,
    digest: Option<rescind_model::Digest>,
}

impl Kept {
    /// These bytes, known by this digest.
    pub(super) fn of(locator: Option<Locator>, digest: Option<rescind_model::Digest>) -> Self {
        Self { locator, digest }
    }
}

/// Why something can't be captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The call is let go on: it will fail by itself, or it changes nothing that could be seen.
    Harmless,
    /// It can't be captured, for this reason: policy decides.
    NotCaptured(String),
    /// It would be real at once, though the session is staged.
    NotStaged,
    /// An undo that runs is about to change it: the call waits until that is done.
    BeingUndone,
    /// It may never happen: it is rescind's own.
    Protected,
    /// It is beyond what the session may do.
    Beyond(super::confine::Beyond),
    /// The journal can't be written: nothing may happen (law 1).
    NotRecorded(String),
}

impl From<Errno> for Refusal {
    fn from(_: Errno) -> Self {
        // What we can't resolve, the kernel can't either, and will say so to the caller.
        Self::Harmless
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::NotRecorded(error.to_string())
    }
}

/// Files up to this size are copied into packs when they are removed; larger ones are pinned.
const PACKED_SIZE: u64 = 32 << 10;

impl Gateway {
    /// Capture what is at a place before `node` touches it. Returns its cell, where it is an entry of a folder.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was recorded then.
    pub fn touch(&mut self, node: Node, place: &Place, how: How) -> Result<Option<CellKey>, Refusal> {
        self.confine(node, place, how)?;
        self.check_staged(place)?;
        let folder = self.folder(place)?;
        if self.protection.folder_is_own(folder) {
            return Err(Refusal::Protected);
        }
        if place.name == b"." {
            self.touch_folder(node, place, folder, false)?;
            return Ok(None);
        }
        let found = place.look()?;
        self.protection.check(&found, how)?;
        if self.undoing.any()
            && self
                .undoing
                .takes(&text_from_bytes(&self.display(folder, &place.name)))
        {
            return Err(Refusal::BeingUndone);
        }
        if matches!(how, How::Move | How::Swap) && found.is_file() {
            // What arrives under its new name is not new: it must be saved there before it is lost.
            self.carried.insert((found.dev, found.ino));
        }
        if matches!(how, How::Move | How::Swap) && found.is_folder() {
            // Whatever was known of its place is not known any more.
            self.entries.clear();
        }
        match (how, &found) {
            (How::Make, Look { exists: true, .. }) => return Err(Refusal::Harmless),
            (
                How::Remove | How::Replace | How::Move | How::Swap | How::Attributes,
                Look { exists: false, .. },
            ) => {
                return Err(Refusal::Harmless);
            }
            _ => {}
        }
        if how != How::Attributes && how != How::Write || !found.exists {
            self.touch_folder(node, place, folder, true)?;
        }
        self.touch_cell(node, place, folder, found, how).map(Some)
    }

    /// Capture a folder's own attributes, its time of change among them, once for each node: they belong to the entry
    /// that the folder is in its own folder. `passing`: only its time of change will follow from what is done in it.
    fn touch_folder(
        &mut self,
        node: Node,
        place: &Place,
        folder: ObjectId,
        passing: bool,
    ) -> Result<(), Refusal> {
        let Some(key) = self.entry_of(place, folder)? else {
            return Ok(());
        };
        if let Some(cell) = self.cells.get_mut(&key)
            && cell.node == node
            && !cell.closed
            && cell.settled.is_none()
        {
            cell.passing &= passing;
            self.flies(node, &key);
            return Ok(());
        }
        let found = look::folder(place.directory.as_fd())?;
        self.protection.check(&found, How::Attributes)?;
        let Some(directory) = self.open_folder_anew(key.0) else {
            return Ok(());
        };
        let entry = Place {
            directory,
            name: key.1.clone(),
            found: None,
        };
        self.continue_or_begin(node, &entry, key.clone(), &found, How::Attributes)?;
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.passing = passing;
        }
        Ok(())
    }

    fn touch_cell(
        &mut self,
        node: Node,
        place: &Place,
        folder: ObjectId,
        found: Look,
        how: How,
    ) -> Result<CellKey, Refusal> {
        let key = (folder, place.name.clone());
        if how.may_lose() && found.is_folder() {
            let object = self.object(&found, &key)?;
            self.removed.insert(object);
        }
        self.continue_or_begin(node, place, key.clone(), &found, how)?;
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.passing = false;
        }
        Ok(key)
    }

    fn continue_or_begin(
        &mut self,
        node: Node,
        place: &Place,
        key: CellKey,
        found: &Look,
        how: How,
    ) -> Result<(), Refusal> {
        let needs_content = (how == How::Write || how.may_lose()) && found.has_content();
        self.flies(node, &key);
        self.claim(&key, place, found)?;
        if let Some(cell) = self.cells.get_mut(&key).filter(|cell| !cell.closed) {
            let carried = needs_content && self.carried.contains(&(found.dev, found.ino));
            let saved = cell.kept || !needs_content;
            let attributes_only = !cell.untouched || how == How::Attributes;
            let older = carried && !cell.merges;
            let same_node = cell.node == node && saved && attributes_only && !older;
            match &cell.settled {
                None if same_node => {
                    cell.at = Instant::now();
                    self.remember(node, found, &key);
                    return Ok(());
                }
                Some(settled) if same_node && found.is(settled) => {
                    cell.at = Instant::now();
                    cell.settled = None;
                    self.unsettled.push(key);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.close(&key, Some((place, found)))?;
        self.begin(node, place, key, found, how, needs_content)
    }

    /// The call at hand is about to change a cell. Of the agent's stretch of own writes that is remembered: the stretch
    /// ends when a program starts, whatever calls of others are on their way.
    fn flies(&mut self, node: Node, key: &CellKey) {
        if Some(node) == self.direct {
            self.flying.entry(self.thread).or_default().push(key.clone());
        }
    }

    /// Remember by which inode a cell of a node goes, for calls on descriptors.
    pub fn remember(&mut self, node: Node, found: &Look, key: &CellKey) {
        if found.is_file() {
            self.inodes
                .insert((found.dev, found.ino, found.btime), (node, key.clone()));
        }
    }

    /// Whether an inode is one whose cell the node is already changing, so that one more change of its attributes needs
    /// no more capture.
    pub fn is_touched_by(&self, node: Node, found: &Look) -> bool {
        let Some((owner, key)) = self.inodes.get(&(found.dev, found.ino, found.btime)) else {
            return false;
        };
        let open = |cell: &Touched| cell.node == node && !cell.closed && cell.settled.is_none();
        *owner == node && found.btime != 0 && self.cells.get(key).is_some_and(open)
    }

    fn begin(
        &mut self,
        node: Node,
        place: &Place,
        key: CellKey,
        found: &Look,
        how: How,
        needs_content: bool,
    ) -> Result<(), Refusal> {
        let kept = if self.options.staged.is_some() {
            self.keep_staged(place, found)?
        } else if needs_content || self.is_small_and_stays(&key, found, how) {
            self.keep(place, found, how)?
        } else {
            Kept::default()
        };
        let path = self.display(key.0, &key.1);
        let state = self.state(found, place, &key, kept.locator, kept.digest)?;
        self.seq += 1;
        let record = Record::Before(BeforeForm {
            s: self.seq,
            n: node,
            f: "files".to_owned(),
            k: self.key_text(&key),
            p: text_from_bytes(&path),
            b: StateForm::from(&state),
            i: how.announces().as_ref().map(StateForm::from),
            w: OutcomeForm::Intended,
        });
        self.write(record)?;
        let cell = Touched {
            node,
            seq: self.seq,
            kept: needs_content || !found.has_content(),
            merges: found.is_file() && needs_content,
            settled: None,
            at: Instant::now(),
            closed: false,
            passing: false,
            untouched: how == How::Attributes,
            others: self.others_at(&key, node),
            over: false,
        };
        self.cells.insert(key.clone(), cell);
        self.remember(node, found, &key);
        self.nodes.entry(node).or_default().cells.push(key.clone());
        self.unsettled.push(key.clone());
        self.flush().inspect_err(|_| {
            // It is not on record, so the next touch captures it anew.
            self.cells.remove(&key);
        })?;
        Ok(())
    }

    /// Whether this is a small file that is only moved or gets other attributes, for the first time in the session. Its
    /// bytes stay, but they are known again by their digest whatever happens to its times, and can be brought back
    /// should somebody else remove the file where it went.
    fn is_small_and_stays(&self, key: &CellKey, found: &Look, how: How) -> bool {
        let stays =
            matches!(how, How::Move | How::Swap | How::Attributes) && found.is_file() && found.size > 0;
        stays && found.size <= PACKED_SIZE && !self.cells.contains_key(key)
    }

    /// Save a file's content before it is lost.
    fn keep(&mut self, place: &Place, found: &Look, how: How) -> Result<Kept, Refusal> {
        if !found.is_file() {
            return Ok(Kept::default());
        }
        let recreatable = look::is_recreatable(&self.display_of(place));
        let pinnable = how.may_lose() && (found.links > 1 || found.size > PACKED_SIZE);
        if pinnable && let Some(pin) = self.log.pin(place.directory.as_fd(), &place.name, recreatable)? {
            return Ok(Kept {
                locator: Some(pin),
                digest: None,
            });
        }
        if found.size > self.options.largest {
            return Err(Refusal::NotCaptured(format!(
                "it has {} bytes, more than the capture budget of {} for one file",
                found.size, self.options.largest
            )));
        }
        let file = look::open(place.directory.as_fd(), &place.name).map_err(|error| {
            Refusal::NotCaptured(format!("it can't be read, so it can't be saved ({error})"))
        })?;
        let blob = self.log.put_file(&file, found.size, recreatable)?;
        Ok(Kept {
            locator: Some(blob.locator),
            digest: blob.digest,
        })
    }
}
