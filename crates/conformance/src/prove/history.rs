//! Generated histories: agents and other people at work on one world.

use super::random::Random;
use rescind_memory::{Agent, Answer, Edit, LineEdit, Mishap, World, Writer};
use rescind_model::{Effect, EffectId, SessionId};
use std::collections::BTreeSet;

/// What other people do while the agents work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    /// Nothing.
    None,
    /// They change other fields and other lines than the agents, and add things of their own.
    Apart,
    /// Anything.
    Any,
}

/// How a history is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) drift: Drift,
    /// Whether records of what agents do are incomplete at times.
    pub(crate) mishaps: bool,
    /// Whether a second agent works on the same things, on the fields that are other people's in [`Drift::Apart`].
    pub(crate) second: bool,
    /// Whether agents make charges.
    pub(crate) charges: bool,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct History {
    /// The world before.
    pub(crate) before: World,
    /// The world after.
    pub(crate) world: World,
    /// The effects of all sessions, in the order of the ledger.
    pub(crate) effects: Vec<Effect>,
    /// What other people did, as far as it could be done.
    pub(crate) others: Vec<Edit>,
    /// The visible world before each action of the first session, with the action's number.
    pub(crate) at: Vec<(u64, super::check::Visible)>,
}

/// The session that is undone.
pub(crate) fn first() -> SessionId {
    SessionId::new(1_000, 1)
}

/// The other one.
pub(crate) fn second() -> SessionId {
    SessionId::new(1_001, 2)
}

/// Lines of a text: marks 0 to 11.
fn text(n: i64) -> String {
    (0..12)
        .map(|mark| format!("{mark}:line {mark} of {n}\n"))
        .collect()
}

/// The lines that agents edit; other people edit those in between, in [`Drift::Apart`].
const OURS: [usize; 3] = [0, 4, 8];
const THEIRS: [usize; 3] = [2, 6, 10];

struct Maker<'r> {
    random: &'r mut Random,
    kind: Kind,
    number: i64,
    /// Records that an agent made: others keep away from them in [`Drift::Apart`].
    made: BTreeSet<String>,
}

fn world() -> World {
    let world = World::new();
    let origin = Writer::Origin;
    for (at, table) in ["t0", "t1"].iter().enumerate() {
        world.edit(
            &origin,
            &Edit::Table {
                key: (*table).to_owned(),
            },
        );
        for row in 0..2_i64 {
            let n = 10 * row + i64::try_from(at).unwrap();
            world.edit(
                &origin,
                &Edit::Record {
                    key: format!("{table}/r{row}"),
                    n,
                    text: text(n),
                },
            );
        }
    }
    world.edit(
        &origin,
        &Edit::Record {
            key: "x0".to_owned(),
            n: 5,
            text: text(5),
        },
    );
    world.take_changes();
    world
}

/// Make a history.
pub(crate) fn history(random: &mut Random, kind: Kind) -> History {
    let before = world();
    let world = before.clone();
    let mut maker = Maker {
        random,
        kind,
        number: 100,
        made: BTreeSet::new(),
    };
    let (mut effects, mut others, mut at) = (Vec::new(), Vec::new(), Vec::new());
    {
        let mut agents = [Agent::new(&world, first()), Agent::new(&world, second())];
        let moves = 4 + maker.random.below(16);
        for step in 0..moves {
            let person = kind.drift != Drift::None && maker.random.once_in(3);
            if person {
                let edit = maker.others_edit(&world);
                if world.edit(&Writer::Person, &edit) {
                    others.push(edit);
                }
                continue;
            }
            let who = usize::from(kind.second && maker.random.once_in(2));
            let action = agents[who].begin();
            if who == 0 {
                at.push((action.number, super::check::visible(&world)));
            }
            let last = step + 1 == moves;
            maker.action(&world, &mut agents[who], who == 1, last, &mut effects);
        }
    }
    world.take_changes();
    History {
        before,
        world,
        effects,
        others,
        at,
    }
}

/// What a session did when it went on.
pub(crate) struct More {
    pub(crate) effects: Vec<Effect>,
    /// As in [`History`].
    pub(crate) at: Vec<(u64, super::check::Visible)>,
}

/// Let the session of this effect, its last one, go on.
pub(crate) fn more(random: &mut Random, kind: Kind, world: &World, last: &EffectId) -> More {
    let mut maker = Maker {
        number: 1_000 * i64::try_from(last.seq.0).unwrap(),
        random,
        kind,
        made: BTreeSet::new(),
    };
    let mut agent = Agent::behind(world, last);
    let mut more = More {
        effects: Vec::new(),
        at: Vec::new(),
    };
    for _ in 0..1 + maker.random.below(6) {
        more.at.push((agent.begin().number, super::check::visible(world)));
        maker.action(world, &mut agent, false, false, &mut more.effects);
    }
    world.take_changes();
    more
}

impl Maker<'_> {
    fn number(&mut self) -> i64 {
        self.number += 1;
        self.number
    }

    fn action(
        &mut self,
        world: &World,
        agent: &mut Agent<'_>,
        second: bool,
        last: bool,
        effects: &mut Vec<Effect>,
    ) {
        if self.kind.charges && self.random.once_in(4) {
            let answers = [
                Answer::Does,
                Answer::Does,
                Answer::Slow(2),
                Answer::DoesUnheard,
                Answer::Unheard,
            ];
            let answer = *self.random.pick(&answers);
            world.service(|service| service.answers.push_back(answer));
            effects.push(agent.charge(self.number));
        }
        for _ in 0..=self.random.below(3) {
            let edit = if second {
                self.others_edit(world)
            } else {
                self.agents_edit(world)
            };
            let mishap = self.mishap(last);
            effects.extend(agent.edit(&edit, mishap));
            if matches!(edit, Edit::Record { .. } | Edit::Table { .. }) {
                self.made.insert(edit.key().to_owned());
            }
            if matches!(
                mishap,
                Mishap::DiedBefore | Mishap::DiedAfter | Mishap::DiedAfterUnsaid
            ) {
                return;
            }
        }
    }

    /// A supervisor dies only once: with the last action.
    fn mishap(&mut self, last: bool) -> Mishap {
        match (self.kind.mishaps, last) {
            (true, true) => {
                let died = [
                    Mishap::DiedBefore,
                    Mishap::DiedAfter,
                    Mishap::DiedAfterUnsaid,
                    Mishap::None,
                ];
                *self.random.pick(&died)
            }
            (true, false) if self.kind.drift == Drift::Any && self.random.once_in(12) => Mishap::NotCaptured,
            _ => Mishap::None,
        }
    }

    fn key(&mut self, world: &World) -> String {
        let keys: Vec<String> = world.visible(false).into_keys().collect();
        if keys.is_empty() {
            "x0".to_owned()
        } else {
            self.random.pick(&keys).clone()
        }
    }

    fn agents_edit(&mut self, world: &World) -> Edit {
        let (key, value) = (self.key(world), self.number());
        match self.random.below(12) {
            0 | 1 => Edit::Int {
                key,
                field: "n",
                value,
            },
            2 => Edit::Label {
                key,
                value: format!("agent {value}"),
            },
            3 => Edit::Blob {
                key,
                bytes: value.to_le_bytes().to_vec(),
            },
            4..=6 => Edit::Text {
                key,
                edit: self.line(&OURS, "agent"),
            },
            7 | 8 => {
                let keys = ["t0/r0", "t0/r5", "t1/r6", "t2/r0", "t2/r1", "x0", "x1"];
                Edit::Record {
                    key: (*self.random.pick(&keys)).to_owned(),
                    n: value,
                    text: text(value),
                }
            }
            9 => Edit::Table {
                key: (*self.random.pick(&["t0", "t1", "t2", "x1"])).to_owned(),
            },
            _ => Edit::Remove { key },
        }
    }

    fn others_edit(&mut self, world: &World) -> Edit {
        if self.kind.drift == Drift::Any && self.random.once_in(2) {
            return self.agents_edit(world);
        }
        let (key, value) = (self.key(world), self.number());
        let made = self.made.contains(&key);
        match self.random.below(6) {
            0 | 1 if !made => Edit::Int {
                key,
                field: "m",
                value,
            },
            2..=4 if !made => Edit::Text {
                key,
                edit: self.line(&THEIRS, "person"),
            },
            _ => {
                let mut tables = vec!["t0", "t1", "t2"];
                tables.retain(|table| self.kind.drift == Drift::Any || !self.made.contains(*table));
                let table = if tables.is_empty() {
                    "p"
                } else {
                    *self.random.pick(&tables)
                };
                Edit::Record {
                    key: format!("{table}/p{value}"),
                    n: value,
                    text: text(value),
                }
            }
        }
    }

    fn line(&mut self, marks: &[usize], who: &str) -> LineEdit {
        let mark = self.random.pick(marks).to_string();
        let number = self.number();
        match self.random.below(3) {
            0 => LineEdit::Delete { mark },
            1 => LineEdit::Replace {
                mark,
                with: format!("{who} {number}"),
            },
            _ => LineEdit::InsertAfter {
                mark,
                line: format!("i{number}:{who} {number}"),
            },
        }
    }
}
