//! A session as its journal tells it: nodes, effects, objects, gaps. Read-only, rebuilt from the frames each time.

use crate::bodies::qualified;
use crate::holds::ClosedForm;
use crate::journal::{
    AfterForm, BeforeForm, ClientForm, CredentialForm, EnvironmentForm, ExitForm, MayForm, NodeEnded,
    NodeStarted, NoteForm, ObjectForm, OutcomeForm, ReachedForm, Record, Role, SessionEnded, SessionOpened,
    ToldForm, WaitedForm, WayForm, bytes_from_text, surface_named,
};
use crate::stamps::{self, Stamps};
use crate::{Store, StoreError, SystemRecord};
use rescind_model::{Effect, Fields, Outcome, ResourceId, Seq, SessionId, State, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A node with its end, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// How it began.
    pub started: NodeStarted,
    /// How it ended; `None` while it runs, or when its supervisor died.
    pub ended: Option<NodeEnded>,
    /// How its hold ended, where it was held.
    pub decided: Option<ClosedForm>,
    /// What became of its hold while it waited.
    pub waited: Vec<WaitedForm>,
    /// Who was told of it, or was not.
    pub told: Vec<ToldForm>,
}

/// Everything a session's journal says.
#[derive(Debug, Clone)]
pub struct SessionView {
    /// The session.
    pub id: SessionId,
    /// How it began.
    pub opened: SessionOpened,
    /// How it ended.
    pub ended: Option<SessionEnded>,
    /// Nodes by number.
    pub nodes: BTreeMap<u64, Node>,
    /// Effects in the order of capture.
    pub effects: Vec<Effect>,
    /// Effects that others took over while calls of their own nodes may have been on their way.
    pub going_on: BTreeSet<Seq>,
    /// Inodes, in the order of the journal.
    pub objects: Vec<ObjectForm>,
    /// What was not captured: node, what, why.
    pub missing: Vec<(u64, String, String)>,
    /// What could have been done outside: node, address, power.
    pub escapes: Vec<(u64, String, String)>,
    /// On whose behalf nodes act, where a program's hook told.
    pub clients: Vec<ClientForm>,
    /// How effects on what is outside are taken back.
    pub ways: Vec<WayForm>,
    /// What the session, or a part of it, may do, where that is not everything.
    pub may: Vec<MayForm>,
    /// What became of its credentials while its journal was open.
    pub credentials: Vec<CredentialForm>,
    /// Records of an undo.
    pub system: Vec<SystemRecord>,
    /// What the driver of files noted down during an undo, in the order of noting.
    pub notes: Vec<NoteForm>,
    /// What an undo came to besides its receipt.
    pub reached: Option<ReachedForm>,
    /// Which stamps stand for the same bytes, for states that earlier sessions left.
    pub stamps: Stamps,
}

impl SessionView {
    /// Read a session.
    ///
    /// # Errors
    /// It is not there, was erased, or its journal is damaged.
    pub fn load(store: &Store, id: &SessionId) -> Result<Self, StoreError> {
        let fail = |why: String| StoreError::Journal {
            session: id.to_string(),
            why,
        };
        let reader = store.reader(id)?;
        let mut records = Vec::new();
        for frame in reader.frames(0)? {
            let (_, bytes) = frame?;
            let parsed = if bytes.first() == Some(&b'[') {
                serde_json::from_slice::<Vec<Record>>(&bytes)
            } else {
                serde_json::from_slice::<Record>(&bytes).map(|record| vec![record])
            };
            records.extend(parsed.map_err(|error| fail(error.to_string()))?);
        }
        let mut records = records.into_iter();
        let Some(Record::Session(opened)) = records.next() else {
            return Err(fail("it does not begin with the session".to_owned()));
        };
        let mut view = Self {
            id: id.clone(),
            opened,
            ended: None,
            nodes: BTreeMap::new(),
            effects: Vec::new(),
            going_on: BTreeSet::new(),
            objects: Vec::new(),
            missing: Vec::new(),
            escapes: Vec::new(),
            clients: Vec::new(),
            ways: Vec::new(),
            may: Vec::new(),
            credentials: Vec::new(),
            system: Vec::new(),
            notes: Vec::new(),
            reached: None,
            stamps: Stamps::default(),
        };
        let mut places = BTreeMap::new();
        let mut stamps = Stamps::default();
        for record in records {
            view.take(record, &mut places, &mut stamps);
        }
        for effect in &mut view.effects {
            stamps.rename(&mut effect.before);
            stamps.rename(&mut effect.after);
        }
        stamps::share_kept(&mut view.effects);
        view.stamps = stamps;
        Ok(view)
    }

    fn take(&mut self, record: Record, places: &mut BTreeMap<u64, usize>, stamps: &mut Stamps) {
        match record {
            Record::Node(started) => {
                let node = Node {
                    started,
                    ended: None,
                    decided: None,
                    waited: Vec::new(),
                    told: Vec::new(),
                };
                self.nodes.insert(node.started.n, node);
            }
            Record::NodeEnd(ended) => {
                if let Some(node) = self.nodes.get_mut(&ended.n) {
                    node.ended = Some(ended);
                }
            }
            Record::Decided(decided) => {
                if let Some(node) = self.nodes.get_mut(&decided.n) {
                    node.decided = Some(decided.closed);
                }
            }
            Record::Waited(waited) => {
                if let Some(node) = self.nodes.get_mut(&waited.n) {
                    node.waited.push(waited);
                }
            }
            Record::Told(told) => {
                if let Some(node) = self.nodes.get_mut(&told.n) {
                    node.told.push(told);
                }
            }
            Record::Object(object) => self.objects.push(object),
            Record::Before(form) => {
                places.insert(form.s, self.effects.len());
                let effect = self.effect(form);
                stamps.seen(&effect.before, true);
                self.effects.push(effect);
            }
            Record::After(AfterForm { s, a, c, g }) => {
                if g {
                    self.going_on.insert(Seq(s));
                }
                let state = qualify(&self.id, a.into());
                if let Some(effect) = places.get(&s).and_then(|place| self.effects.get_mut(*place)) {
                    if c {
                        stamps.untouched(&effect.before, &state);
                    }
                    stamps.seen(&state, false);
                    effect.after = state;
                    effect.outcome = Outcome::Observed;
                    // The ways stand in the order in which their actions were completed.
                    if let Some(at) = self.ways.iter().position(|way| way.s == s) {
                        let way = self.ways.remove(at);
                        self.ways.push(way);
                    }
                }
            }
            Record::Missing { n, what, why } => self.missing.push((n, what, why)),
            Record::Escape { n, what, why } => self.escapes.push((n, what, why)),
            Record::Client(client) => self.clients.push(client),
            Record::Way(way) => self.ways.push(*way),
            Record::Rejudged(again) => {
                if let Some(node) = self.nodes.get_mut(&again.n) {
                    node.started.judged = Some(Box::new(again.judged));
                }
            }
            Record::May(may) => self.may.push(may),
            Record::Credential(credential) => self.credentials.push(credential),
            Record::System(form) => self.system.extend(form.record()),
            Record::Note(note) => self.notes.push(note),
            Record::Reached(reached) => self.reached = Some(reached),
            Record::SessionEnd(ended) => self.ended = Some(ended),
            Record::Session(_) | Record::Agent { .. } | Record::Uncertain { .. } => {}
        }
    }

    fn effect(&self, form: BeforeForm) -> Effect {
        let before = qualify(&self.id, form.b.into());
        let after = form
            .i
            .map_or_else(|| before.clone(), |intended| qualify(&self.id, intended.into()));
        Effect {
            action: self.id.action(form.n),
            seq: Seq(form.s),
            resource: ResourceId {
                surface: surface_named(&form.f),
                key: bytes_from_text(&form.k),
            },
            name: form.p,
            before,
            after,
            outcome: match form.w {
                OutcomeForm::Intended => Outcome::InDoubt,
                OutcomeForm::NotCaptured => Outcome::NotCaptured,
            },
        }
    }

    /// The node that stands for a node in lists of actions: itself, or the action above it.
    #[must_use]
    pub fn action_of(&self, mut number: u64) -> u64 {
        while let Some(node) = self.nodes.get(&number) {
            if node.started.role != Role::Process {
                return number;
            }
            number = node.started.parent;
        }
        number
    }

    /// How what began as this node ended: where its process went on as another program of the same action, how that ended.
    #[must_use]
    pub fn end_of(&self, number: u64) -> Option<&NodeEnded> {
        let mut ended = self.nodes.get(&number)?.ended.as_ref()?;
        while let ExitForm::Exec(next) = ended.exit
            && let Some(next) = self.nodes.get(&next)
            && next.started.role == Role::Process
        {
            ended = next.ended.as_ref()?;
        }
        Some(ended)
    }

    /// The nodes at or below a node, itself first. An action's scope is all of them.
    #[must_use]
    pub fn below(&self, number: u64) -> Vec<u64> {
        let mut found = vec![number];
        // Children have higher numbers than their parents, so one pass in order finds all.
        for (child, node) in self.nodes.range(number + 1..) {
            let is_process = matches!(node.started.role, Role::Process);
            if is_process && found.contains(&node.started.parent) {
                found.push(*child);
            }
        }
        found
    }

    /// The environment of a node, put together from the differences above it.
    #[must_use]
    pub fn environment(&self, number: u64) -> BTreeMap<String, String> {
        let mut chain: Vec<&EnvironmentForm> = Vec::new();
        let mut at = number;
        while let Some(node) = self.nodes.get(&at) {
            chain.push(&node.started.env);
            at = node.started.parent;
        }
        let mut environment = BTreeMap::new();
        for form in chain.into_iter().rev() {
            for name in &form.unset {
                environment.remove(name);
            }
            environment.extend(form.set.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        environment
    }
}

/// The same state with locators that say their session.
fn qualify(session: &SessionId, state: State) -> State {
    let State::Present(fields) = state else {
        return State::Absent;
    };
    let qualified = fields.iter().map(|(name, value)| {
        let value = match value {
            Value::Content(content) => {
                let mut content = content.clone();
                content.kept = content.kept.map(|kept| qualified(session, &kept));
                Value::Content(content)
            }
            other => other.clone(),
        };
        (name.to_owned(), value)
    });
    State::Present(qualified.collect::<Fields>())
}
