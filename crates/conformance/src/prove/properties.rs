//! The properties, each over histories of the kind it needs.

use super::Report;
use super::check::{Task, Undone, Visible, refunds, undo, visible};
use super::history::{Drift, History, Kind, first, history, more, second};
use super::random::Random;
use rescind_memory::{Answer, Edit, World, Writer};
use rescind_model::{ActionId, Effect, SessionId};
use rescind_recovery::{Earlier, Filter, OnConflict, Pattern, Scope, Split};
use rescind_supervisor::SystemRecord;
use std::collections::BTreeSet;

/// A property: it generates its history and holds it.
type Property = fn(&mut Random, &mut Report) -> Result<(), String>;

/// All of them, by name.
pub(crate) const ALL: &[(&str, Property)] = &[
    ("undo after do is identity, again and undone too", identity),
    ("independent edits of others survive", independent),
    ("crash anywhere, same end, compensated once", crashes),
    ("undo(a) and undo(b) in any order are undo(a, b)", orders),
    ("two sessions undone in any order", sessions),
    ("a part taken back leaves the rest", parts),
    ("a session goes on after a part of it was taken back", goes_on),
    ("what failed is done by running again", failures),
    ("nobody's value is overwritten while others write", races),
    ("asking touches nothing", asking),
    ("what was restored over others comes back", back),
];

fn kind(drift: Drift) -> Kind {
    Kind {
        drift,
        mishaps: false,
        second: false,
        charges: false,
    }
}

fn split(session: SessionId, made: &History) -> Split {
    Scope::session(session).split(made.effects.clone())
}

/// Run an undo, and count it.
struct Run<'a> {
    report: &'a mut Report,
    number: u32,
}

impl Run<'_> {
    fn undo(
        &mut self,
        world: &World,
        split: &Split,
        on_conflict: OnConflict,
        before: &[SystemRecord],
        die_at: &[u64],
    ) -> Result<Undone, String> {
        self.number += 1;
        let task = Task {
            split,
            on_conflict,
            number: self.number,
            behind: &[],
        };
        self.task(world, task, before, die_at)
    }

    fn task(
        &mut self,
        world: &World,
        task: Task<'_>,
        before: &[SystemRecord],
        die_at: &[u64],
    ) -> Result<Undone, String> {
        let undone = undo(world, task, before, die_at)?;
        self.report.undos += 1;
        self.report.deaths += undone.deaths;
        self.report.conflicts += u64::from(!undone.plan.conflicts.is_empty());
        self.report.lost += u64::from(!undone.plan.lost.is_empty());
        if let Ok(receipt) = &undone.result {
            self.report.restored += receipt.restored;
            self.report.compensated += receipt.compensated;
        }
        Ok(undone)
    }

    /// An undo that nothing stands in the way of.
    fn clean(&mut self, world: &World, split: &Split, before: &[SystemRecord]) -> Result<Undone, String> {
        let undone = self.undo(world, split, OnConflict::Ask, before, &[])?;
        match &undone.result {
            Ok(receipt) if receipt.proved() => Ok(undone),
            other => Err(format!("not proved: {other:?}\n{:#?}", undone.plan)),
        }
    }

    /// The same for the undo of an undo.
    fn back(&mut self, world: &World, undone: &Undone) -> Result<Undone, String> {
        let inside = Earlier::read(&undone.records).effects();
        let inside = inside
            .into_iter()
            .filter(|effect| !effect.resource.key.starts_with(b"charge:"))
            .collect();
        self.clean(world, &Split::all(inside), &[])
    }
}

fn equal(what: &str, found: &Visible, expect: &Visible) -> Result<(), String> {
    if found == expect {
        return Ok(());
    }
    let keys: BTreeSet<&String> = found.keys().chain(expect.keys()).collect();
    let differ = keys.into_iter().filter(|key| found.get(*key) != expect.get(*key));
    let differ: Vec<String> = differ
        .map(|key| {
            format!(
                "{key}: found {:?}, expected {:?}",
                found.get(key),
                expect.get(key)
            )
        })
        .collect();
    Err(format!("{what}: {}", differ.join("\n")))
}

fn identity(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let mishaps = random.once_in(2);
    let made = history(
        random,
        Kind {
            mishaps,
            charges: true,
            ..kind(Drift::None)
        },
    );
    let mut run = Run { report, number: 0 };
    let scope = split(first(), &made);
    let acted = visible(&made.world);
    // An outcome that was neither seen nor announced is asked about; without others' writes both answers are clear.
    let on_conflict = if mishaps {
        OnConflict::Restore
    } else {
        OnConflict::Ask
    };
    let undone = run.undo(&made.world, &scope, on_conflict, &[], &[])?;
    if !undone.result.as_ref().is_ok_and(|receipt| receipt.proved()) {
        return Err(format!("not proved: {:?}\n{:#?}", undone.result, undone.plan));
    }
    let before = visible(&made.before);
    equal("after the undo", &visible(&made.world), &before)?;
    refunds(&made.world, &scope)?;
    let again = run.undo(&made.world, &scope, on_conflict, &undone.records, &[])?;
    if !again.plan.is_empty() {
        return Err(format!("the second undo does something: {:#?}", again.plan));
    }
    equal("after the second undo", &visible(&made.world), &before)?;
    let back = run.back(&made.world, &undone)?;
    equal("after the undo of the undo", &visible(&made.world), &acted)?;
    run.back(&made.world, &back)?;
    equal("after the undo of that", &visible(&made.world), &before)?;
    refunds(&made.world, &scope)
}

/// The world as if the agents had never been: what others did, done to the world before.
fn without_agents(made: &History) -> Visible {
    let world = made.before.clone();
    for edit in &made.others {
        world.edit(&Writer::Person, edit);
    }
    world.visible(false)
}

fn independent(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(random, kind(Drift::Apart));
    let mut run = Run { report, number: 0 };
    let scope = split(first(), &made);
    let acted = made.world.visible(false);
    let undone = run.clean(&made.world, &scope, &[])?;
    equal(
        "after the undo",
        &made.world.visible(false),
        &without_agents(&made),
    )?;
    let again = run.clean(&made.world, &scope, &undone.records)?;
    if !again.plan.steps.is_empty() {
        return Err(format!("the second undo does something: {:#?}", again.plan));
    }
    run.back(&made.world, &undone)?;
    equal("after the undo of the undo", &made.world.visible(false), &acted)
}

fn crashes(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let drift = *random.pick(&[Drift::None, Drift::Apart, Drift::Any]);
    let made = history(
        random,
        Kind {
            drift,
            mishaps: true,
            second: false,
            charges: true,
        },
    );
    let on_conflict = *random.pick(&[OnConflict::Keep, OnConflict::Restore]);
    let scope = split(first(), &made);
    let mut run = Run { report, number: 0 };
    let reference = made.world.clone();
    let whole = run.undo(&reference, &scope, on_conflict, &[], &[])?;
    let receipt = whole.result.map_err(|error| error.to_string())?;
    if !receipt.differs.is_empty() || !receipt.failed.is_empty() || !receipt.in_doubt.is_empty() {
        return Err(format!("not proved: {receipt:?}"));
    }
    let instants =
        6 + 12 * (whole.plan.steps.len() + whole.plan.compensations.len()) + scope.inside().count();
    for _ in 0..2 {
        let world = made.world.clone();
        let deaths = 1 + random.below(4);
        let die_at: Vec<u64> = (0..deaths).map(|_| 1 + random.below(instants) as u64).collect();
        let answers = [
            Answer::Does,
            Answer::DoesUnheard,
            Answer::Unheard,
            Answer::Slow(3),
        ];
        let answer = *random.pick(&answers);
        world.service(|service| service.answers.push_back(answer));
        let undone = run.undo(&world, &scope, on_conflict, &[], &die_at)?;
        let receipt = undone.result.map_err(|error| error.to_string())?;
        if !receipt.differs.is_empty() || !receipt.failed.is_empty() || !receipt.in_doubt.is_empty() {
            return Err(format!("died at {die_at:?}, not proved: {receipt:?}"));
        }
        equal(
            &format!("died at {die_at:?}"),
            &visible(&world),
            &visible(&reference),
        )?;
        refunds(&world, &scope)?;
    }
    Ok(())
}

/// Undo each of the scopes in order, unless one meets a conflict or something in its way.
fn in_order(run: &mut Run<'_>, world: &World, scopes: &[&Split]) -> Result<Option<Visible>, String> {
    let mut records: Vec<SystemRecord> = Vec::new();
    for scope in scopes {
        let undone = run.undo(world, scope, OnConflict::Ask, &records, &[])?;
        if !undone.plan.conflicts.is_empty() || !undone.plan.held.is_empty() {
            return Ok(None);
        }
        match &undone.result {
            Ok(receipt) if receipt.proved() => records.extend(undone.records),
            other => return Err(format!("not proved: {other:?}")),
        }
    }
    Ok(Some(world.visible(false)))
}

fn orders(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let drift = *random.pick(&[Drift::None, Drift::Apart]);
    let made = history(random, kind(drift));
    let mut actions: Vec<BTreeSet<ActionId>> = vec![BTreeSet::new(), BTreeSet::new()];
    for (number, _) in &made.at {
        if let Some(set) = actions.get_mut(random.below(3)) {
            set.insert(first().action(*number));
        }
    }
    let both: BTreeSet<ActionId> = actions.iter().flatten().cloned().collect();
    let only = |set: &BTreeSet<ActionId>| {
        Scope::session(first())
            .and(Filter::Only(set.clone()))
            .split(made.effects.clone())
    };
    let (a, b, both) = (only(&actions[0]), only(&actions[1]), only(&both));
    let mut run = Run { report, number: 0 };
    let ends = [
        in_order(&mut run, &made.world.clone(), &[&a, &b])?,
        in_order(&mut run, &made.world.clone(), &[&b, &a])?,
        in_order(&mut run, &made.world.clone(), &[&both])?,
        in_order(&mut run, &made.world.clone(), &[&a, &both])?,
    ];
    compare(&ends, run.report)
}

/// All orders that were possible came to the same end.
fn compare(ends: &[Option<Visible>], report: &mut Report) -> Result<(), String> {
    let ends: Vec<&Visible> = ends.iter().flatten().collect();
    let Some((one, others)) = ends.split_first() else {
        report.vacuous += 1;
        return Ok(());
    };
    report.vacuous += u64::from(others.is_empty());
    others
        .iter()
        .try_for_each(|other| equal("two orders", one, other))
}

fn sessions(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(
        random,
        Kind {
            second: true,
            ..kind(Drift::Apart)
        },
    );
    let (one, two) = (split(first(), &made), split(second(), &made));
    let mut run = Run { report, number: 0 };
    let ends = [
        in_order(&mut run, &made.world.clone(), &[&one, &two])?,
        in_order(&mut run, &made.world.clone(), &[&two, &one])?,
    ];
    compare(&ends, run.report)?;
    match ends.iter().flatten().next() {
        Some(end) if !crossed(&made) => equal("both undone", end, &without_agents(&made)),
        _ => Ok(()),
    }
}

/// Whether others worked on what the second agent made or removed: then what they did has no place without it.
fn crossed(made: &History) -> bool {
    let moved: BTreeSet<String> = made
        .effects
        .iter()
        .filter(|effect| effect.before.exists() != effect.after.exists())
        .map(|effect| String::from_utf8_lossy(&effect.resource.key).into_owned())
        .collect();
    let same_line = made
        .effects
        .iter()
        .any(|effect| effect.action.session == second());
    same_line
        && made
            .others
            .iter()
            .any(|edit| moved.contains(edit.key()) || !matches!(edit, Edit::Record { .. }))
}

fn parts(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(random, kind(Drift::None));
    let mut run = Run { report, number: 0 };
    if random.once_in(2) && !made.at.is_empty() {
        let (number, before) = random.pick(&made.at);
        let scope = Scope::session(first()).and(Filter::From(first().action(*number)));
        run.clean(&made.world, &scope.split(made.effects.clone()), &[])?;
        return equal("from an action on", &visible(&made.world), before);
    }
    let pattern = *random.pick(&["/t0/**", "/t1", "/x?", "/*/r[0-4]", "/t0/r0"]);
    let pattern = Pattern::new(pattern).map_err(|error| error.to_string())?;
    let scope = Scope::session(first())
        .and(Filter::Path(pattern.clone()))
        .split(made.effects.clone());
    let acted = made.world.visible(false);
    let undone = run.undo(&made.world, &scope, OnConflict::Keep, &[], &[])?;
    let held: BTreeSet<&str> = undone
        .plan
        .held
        .iter()
        .map(|held| held.held.step.name.as_str())
        .collect();
    let (found, before) = (made.world.visible(false), made.before.visible(false));
    let keys: BTreeSet<&String> = found.keys().chain(before.keys()).chain(acted.keys()).collect();
    for key in keys {
        let name = format!("/{key}");
        let inside = scope.inside().any(|effect| effect.name == name);
        let expect = if inside && !held.contains(name.as_str()) {
            &before
        } else {
            &acted
        };
        if found.get(key) != expect.get(key) {
            let (found, expect) = (found.get(key), expect.get(key));
            return Err(format!(
                "{}: {key} is {found:?}, not {expect:?}",
                pattern.as_str()
            ));
        }
    }
    Ok(())
}

fn goes_on(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(random, kind(Drift::None));
    let mut run = Run { report, number: 0 };
    let (mut effects, mut records) = (made.effects.clone(), Vec::new());
    let mut at = made.at.clone();
    for round in 0..=random.below(2) {
        let Some(last) = effects.last().map(Effect::id) else {
            break;
        };
        let (number, before) = random.pick(&at).clone();
        let scope = Scope::session(first()).and(Filter::From(first().action(number)));
        let task = Task {
            split: &scope.split(effects.clone()),
            on_conflict: OnConflict::Ask,
            number: 100 + u32::try_from(round).unwrap(),
            behind: std::slice::from_ref(&last),
        };
        let undone = run.task(&made.world, task, &records, &[])?;
        if !undone.result.as_ref().is_ok_and(|receipt| receipt.proved()) {
            return Err(format!("not proved: {:?}\n{:#?}", undone.result, undone.plan));
        }
        equal("while it runs", &visible(&made.world), &before)?;
        records.extend(undone.records);
        let more = more(random, kind(Drift::None), &made.world, &last);
        effects.extend(more.effects);
        // Only what it did since can be asked for by its state before: what came earlier has another one now.
        at = more.at;
        if at.is_empty() {
            break;
        }
    }
    run.report.vacuous += u64::from(records.is_empty());
    let all = Scope::session(first()).split(effects);
    run.clean(&made.world, &all, &records)?;
    equal("all of it", &visible(&made.world), &visible(&made.before))
}

fn failures(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(
        random,
        Kind {
            charges: true,
            ..kind(Drift::Apart)
        },
    );
    let scope = split(first(), &made);
    let mut run = Run { report, number: 0 };
    let reference = made.world.clone();
    run.clean(&reference, &scope, &[])?;
    let keys: BTreeSet<String> = scope
        .inside()
        .map(|effect| String::from_utf8_lossy(&effect.resource.key).into_owned())
        .collect();
    let unreachable = keys.into_iter().filter(|_| random.once_in(3)).collect();
    made.world.faults.borrow_mut().unreachable = unreachable;
    let answers = [
        Answer::Fails,
        Answer::Fails,
        Answer::Fails,
        Answer::Unheard,
        Answer::DoesUnheard,
    ];
    made.world.service(|service| service.answers.extend(answers));
    let partly = run.undo(&made.world, &scope, OnConflict::Keep, &[], &[])?;
    made.world.faults.borrow_mut().unreachable.clear();
    made.world.service(|service| service.answers.clear());
    let rest = run.undo(&made.world, &scope, OnConflict::Ask, &partly.records, &[])?;
    let receipt = rest.result.map_err(|error| error.to_string())?;
    if !receipt.proved() {
        return Err(format!("not proved: {receipt:?}"));
    }
    equal(
        "after running again",
        &made.world.visible(false),
        &reference.visible(false),
    )?;
    refunds(&made.world, &scope)
}

fn races(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(
        random,
        Kind {
            mishaps: true,
            ..kind(Drift::Any)
        },
    );
    let scope = split(first(), &made);
    let values: Vec<String> = made.world.visible(false).into_keys().collect();
    for number in 0..=random.below(6) {
        let key = if values.is_empty() {
            "x0".to_owned()
        } else {
            random.pick(&values).clone()
        };
        let value = 1_000_000 + i64::try_from(number).unwrap_or_default();
        let edit = match random.below(5) {
            0 => Edit::Remove { key },
            1 => Edit::Record {
                key: format!("t{}/q{value}", random.below(3)),
                n: value,
                text: format!("{value}:\n"),
            },
            2 => Edit::Write {
                key,
                text: format!("{value}:a person's\n"),
            },
            3 => Edit::Int {
                key,
                field: "n",
                value,
            },
            _ => Edit::Int {
                key,
                field: "m",
                value,
            },
        };
        let instant = 1 + random.below(80) as u64;
        made.world
            .faults
            .borrow_mut()
            .others
            .entry(instant)
            .or_default()
            .push(edit);
    }
    let mut run = Run { report, number: 0 };
    let undone = run.undo(&made.world, &scope, OnConflict::Keep, &[], &[])?;
    undone.result.map(|_| ()).map_err(|error| error.to_string())
}

fn asking(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(
        random,
        Kind {
            mishaps: true,
            ..kind(Drift::Any)
        },
    );
    let scope = split(first(), &made);
    let found = visible(&made.world);
    let mut run = Run { report, number: 0 };
    let undone = run.undo(&made.world, &scope, OnConflict::Ask, &[], &[])?;
    if undone.plan.undecided() == 0 {
        run.report.vacuous += 1;
        return undone.result.map(|_| ()).map_err(|error| error.to_string());
    }
    if !undone.records.is_empty() {
        return Err("something was recorded".to_owned());
    }
    equal("after asking", &visible(&made.world), &found)
}

fn back(random: &mut Random, report: &mut Report) -> Result<(), String> {
    let made = history(random, kind(Drift::Any));
    let scope = split(first(), &made);
    let found = visible(&made.world);
    let mut run = Run { report, number: 0 };
    let on_conflict = *random.pick(&[OnConflict::Restore, OnConflict::Keep]);
    let undone = run.undo(&made.world, &scope, on_conflict, &[], &[])?;
    let receipt = undone.result.as_ref().map_err(ToString::to_string)?;
    if !receipt.differs.is_empty() || !receipt.failed.is_empty() {
        return Err(format!("not proved: {receipt:?}"));
    }
    run.back(&made.world, &undone)?;
    equal("after the undo of the undo", &visible(&made.world), &found)
}
