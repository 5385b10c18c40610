//! What actions left: the state of a cell when its effect is over, or goes on with another node, and when its calls have
//! come to rest.

use super::Gateway;
use super::look::{self, Look};
use super::resolve::Place;
use super::touch::{CellKey, Refusal};
use super::tree::Node;
use rescind_model::{Content, Locator, State, Value};
use rescind_supervisor::journal::{AfterForm, BeforeForm, OutcomeForm, Record, StateForm, text_from_bytes};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How long after its last touch a cell may be taken as settled, if no descriptor on it is open any more.
const SETTLES_AFTER: Duration = Duration::from_millis(20);
/// As long as a thread of the node is on its way, the call that we have let go on may not have been made yet: then the
/// cell is taken as settled only after this time. On a machine that is busy, a call takes as long as its program gets no
/// processor.
const SETTLES_ANYHOW: Duration = Duration::from_secs(5);
/// After-images of text up to this size are kept for merging.
const MERGED_SIZE: u64 = 1 << 20;

impl Gateway {
    /// The effect on a cell is over: record what it left. `now`: what was just seen there, if it was looked at.
    pub fn close(&mut self, key: &CellKey, now: Option<(&Place, &Look)>) -> Result<(), Refusal> {
        let Some(cell) = self.cells.get(key).filter(|cell| !cell.closed) else {
            return Ok(());
        };
        let (seq, merges, untouched) = (cell.seq, cell.merges, cell.untouched);
        let goes_on = cell.settled.is_none() && now.is_some();
        let state = match (&cell.settled, now) {
            (Some(settled), _) => Some(settled.clone()),
            (None, Some((place, found))) => {
                let kept = self.keep_after(place, found, merges);
                Some(self.state(found, place, key, kept.0, kept.1)?)
            }
            (None, None) => self.read_now(key, merges),
        };
        if let Some(state) = &state {
            self.write(Record::After(AfterForm {
                s: seq,
                a: StateForm::from(state),
                c: untouched,
                g: goes_on,
            }))?;
        }
        let Some(cell) = self.cells.get_mut(key) else {
            return Ok(());
        };
        cell.closed = true;
        cell.over = cell.settled.is_some();
        if cell.others.is_empty() {
            cell.settled = None;
        } else {
            cell.settled = state;
            self.unsettled.push(key.clone());
        }
        Ok(())
    }

    /// Who besides `node` may still be changing a cell whose effect is taken over by it.
    pub(super) fn others_at(&self, key: &CellKey, node: Node) -> Vec<Node> {
        let Some(cell) = self.cells.get(key) else {
            return Vec::new();
        };
        let mut others = cell.others.clone();
        if cell.closed && !cell.over {
            others.push(cell.node);
        }
        others.retain(|other| *other != node && self.nodes.contains_key(other));
        others.dedup();
        others
    }

    /// What was changed at a cell since its last effect ended, by a node that was there before and was not done, is that
    /// node's effect.
    pub(super) fn claim(&mut self, key: &CellKey, place: &Place, found: &Look) -> Result<(), Refusal> {
        let Some(cell) = self.cells.get(key).filter(|cell| cell.closed) else {
            return Ok(());
        };
        let (Some(left), Some(node)) = (&cell.settled, cell.others.last().copied()) else {
            return Ok(());
        };
        if found.is(left) {
            return Ok(());
        }
        let (left, untouched) = (left.clone(), cell.untouched);
        let kept = self.keep_after(place, found, cell.merges);
        let state = self.state(found, place, key, kept.0, kept.1)?;
        let path = self.display(key.0, &key.1);
        self.seq += 1;
        self.write(Record::Before(BeforeForm {
            s: self.seq,
            n: node,
            f: "files".to_owned(),
            k: self.key_text(key),
            p: text_from_bytes(&path),
            b: StateForm::from(&left),
            i: None,
            w: OutcomeForm::Intended,
        }))?;
        self.write(Record::After(AfterForm {
            s: self.seq,
            a: StateForm::from(&state),
            c: untouched,
            g: false,
        }))?;
        if let Some(cell) = self.cells.get_mut(key) {
            cell.settled = Some(state);
        }
        Ok(())
    }

    /// A node that touched a cell before others did is done with it.
    pub fn let_go(&mut self, key: &CellKey, node: Option<Node>) -> Result<(), Refusal> {
        let is_other = |other: &Node| node.is_none_or(|node| *other == node);
        let Some(cell) = self.cells.get(key) else {
            return Ok(());
        };
        if !cell.others.iter().any(is_other) {
            return Ok(());
        }
        if cell.closed
            && let Some(directory) = self.open_folder(key.0)
        {
            let place = Place {
                directory,
                name: key.1.clone(),
                found: None,
            };
            let found = place.look()?;
            self.claim(key, &place, &found)?;
        }
        if let Some(cell) = self.cells.get_mut(key) {
            cell.others.retain(|other| !is_other(other));
            if cell.others.is_empty() && cell.closed {
                cell.settled = None;
            }
        }
        Ok(())
    }

    /// The state of a cell as it is; `None` where its folder can't be reached any more: its outcome stays in doubt.
    pub fn read_now(&mut self, key: &CellKey, merges: bool) -> Option<State> {
        let Some(directory) = self.open_folder(key.0) else {
            // Only a folder that the session itself removed is known to be gone, with all that was in it (law 7).
            return self.removed.contains(&key.0).then_some(State::Absent);
        };
        let place = Place {
            directory,
            name: key.1.clone(),
            found: None,
        };
        let found = look::at(place.directory.as_fd(), &place.name).ok()?;
        let kept = self.keep_after(&place, &found, merges);
        self.state(&found, &place, key, kept.0, kept.1).ok()
    }

    /// The after-image of a text that was there before, for merging; its digest with it.
    fn keep_after(
        &mut self,
        place: &Place,
        found: &Look,
        merges: bool,
    ) -> (Option<Locator>, Option<rescind_model::Digest>) {
        if !merges || !found.is_file() || found.size > MERGED_SIZE {
            return (None, None);
        }
        let Some(bytes) = look::bytes(place.directory.as_fd(), &place.name, found.size) else {
            return (None, None);
        };
        if bytes.contains(&0) {
            return (None, Some(rescind_model::Digest::of(&bytes)));
        }
        let recreatable = look::is_recreatable(&self.display_of(place));
        match self.log.put(&bytes, recreatable) {
            Ok((digest, locator)) => (Some(locator), Some(digest)),
            // Without the after-image the undo can still tell drift by the digest; it only can't merge.
            Err(_) => (None, Some(rescind_model::Digest::of(&bytes))),
        }
    }

    /// The state of what was found, with its object's number.
    pub(super) fn state(
        &mut self,
        found: &Look,
        place: &Place,
        key: &CellKey,
        kept: Option<Locator>,
        digest: Option<rescind_model::Digest>,
    ) -> Result<State, Refusal> {
        if !found.exists {
            return Ok(State::Absent);
        }
        let object = self.object(found, key)?;
        let mut fields = found.fields(place.directory.as_fd(), &key.1, object)?;
        if self.flagged.contains(&(found.dev, found.ino))
            && let Ok(flags) = found.flags(place.directory.as_fd(), &key.1)
        {
            fields.set(crate::state::FLAGS, Value::Int(i64::from(flags)));
        }
        if found.is_file() {
            let content = Content {
                length: found.size,
                digest,
                stamp: Some(found.stamp()),
                kept,
            };
            fields.set("content", Value::Content(content));
        }
        Ok(State::Present(fields))
    }

    /// Look at cells whose calls are over: at most `limit` of them, of nodes that live longer than a moment.
    pub fn settle(&mut self, limit: usize) {
        let now = Instant::now();
        let mut later = Vec::new();
        // A descriptor goes to whatever a program starts: `tar -z` opens the archive that `gzip` writes.
        let mut open: Option<Option<std::collections::HashSet<(u64, u64)>>> = None;
        let mut done = 0;
        let mut quiet: std::collections::HashMap<Node, bool> = std::collections::HashMap::new();
        while let Some(key) = self.unsettled.pop() {
            let Some(cell) = self.cells.get(&key) else {
                continue;
            };
            if cell.closed && cell.others.is_empty() || !cell.closed && cell.settled.is_some() {
                continue;
            }
            let (closed, merges, at) = (cell.closed, cell.merges, cell.at);
            let node = if closed {
                cell.others.last().copied().unwrap_or(cell.node)
            } else {
                cell.node
            };
            let age = now.duration_since(at);
            let over = age > SETTLES_ANYHOW
                || age > SETTLES_AFTER
                    && *quiet
                        .entry(node)
                        .or_insert_with(|| look::are_quiet(&self.processes_behind(node)));
            if done >= limit || !over {
                later.push(key);
                continue;
            }
            done += 1;
            let held = open.get_or_insert_with(|| {
                look::open_for_writing(self.tree.processes().map(|(number, _)| number).collect())
            });
            let identity = self.identity_at(&key);
            let is_held = match (held, identity) {
                (Some(held), Some(identity)) => held.contains(&identity),
                // What can't be asked is not taken as settled.
                (None, Some(_)) => true,
                (_, None) => false,
            };
            if is_held {
                later.push(key);
                continue;
            }
            if closed {
                let _in_doubt_if_it_fails = self.let_go(&key, None);
                continue;
            }
            let state = self.read_now(&key, merges);
            if let Some(cell) = self.cells.get_mut(&key) {
                cell.settled = state;
            }
        }
        self.unsettled = later;
        self.last_folder = None;
    }
}
