//! What plans and undos say and do, case by case, on the in-memory surface.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use rescind_memory::{
    Agent, Answer, Edit, Item, Journal, LineEdit, Mishap, Payments, Records, Shelf, World, Writer,
};
use rescind_model::{Effect, SessionId, Value};
use rescind_recovery::{
    ApplyError, Earlier, Filter, LostWhy, OnConflict, Pattern, Plan, RESTORES, Request, Scope, Split,
    Surfaces, apply, plan,
};
use rescind_supervisor::{Opening, Position, Receipt, SystemRecord, SystemSession};

fn session() -> SessionId {
    SessionId::new(1_000, 1)
}

/// Two records in a table, with a text of eight lines each.
fn world() -> World {
    let world = World::new();
    person(&world, &Edit::Table { key: "t".to_owned() });
    for row in ["t/a", "t/b"] {
        let text = (0..8).map(|mark| format!("{mark}:line {mark}\n")).collect();
        person(
            &world,
            &Edit::Record {
                key: row.to_owned(),
                n: 1,
                text,
            },
        );
    }
    world
}

fn person(world: &World, edit: &Edit) {
    assert!(world.edit(&Writer::Person, edit), "{edit:?}");
}

fn int(key: &str, value: i64) -> Edit {
    Edit::Int {
        key: key.to_owned(),
        field: "n",
        value,
    }
}

fn line(key: &str, mark: u8, with: &str) -> Edit {
    let edit = LineEdit::Replace {
        mark: mark.to_string(),
        with: with.to_owned(),
    };
    Edit::Text {
        key: key.to_owned(),
        edit,
    }
}

/// One action for each edit.
fn act(agent: &mut Agent<'_>, edits: &[Edit]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for edit in edits {
        agent.begin();
        effects.extend(agent.edit(edit, Mishap::None));
    }
    effects
}

fn n(world: &World, key: &str) -> i64 {
    match world.record(key).unwrap().item("n") {
        Some(Item::Int(number)) => *number,
        other => panic!("{other:?}"),
    }
}

fn plan_on(world: &World, split: &Split, earlier: &Earlier, on_conflict: OnConflict) -> Plan {
    let (driver, caller) = (Records(world), Payments(world));
    let surfaces = Surfaces {
        drivers: vec![&driver],
        callers: vec![&caller],
    };
    plan(
        &Request {
            scope: "the session",
            split,
            earlier,
            on_conflict,
        },
        &surfaces,
        &Shelf(world),
    )
}

fn apply_on(world: &World, plan: &Plan, id: SessionId, resume: Position) -> Result<Receipt, ApplyError> {
    let (driver, caller) = (Records(world), Payments(world));
    let surfaces = Surfaces {
        drivers: vec![&driver],
        callers: vec![&caller],
    };
    let opening = Opening {
        scope: plan.scope.clone(),
        plan: plan.digest(),
        resume,
        behind: Vec::new(),
    };
    let mut session = SystemSession::open(id, Journal(world), opening)?;
    let receipt = apply(plan, &mut session, &surfaces, &Shelf(world), &mut |_| {})?;
    session.close()?;
    Ok(receipt)
}

/// Plan over everything recorded so far, and apply.
fn undo(world: &World, split: &Split, on_conflict: OnConflict) -> (Plan, Result<Receipt, ApplyError>) {
    let records = Journal(world).records();
    let earlier = Earlier::read(&records);
    let plan = plan_on(world, split, &earlier, on_conflict);
    let fresh = (
        SessionId::new(2_000, u32::try_from(records.len()).unwrap()),
        Position::default(),
    );
    let (id, resume) = earlier.unfinished.unwrap_or(fresh);
    let result = apply_on(world, &plan, id, resume);
    (plan, result)
}

#[test]
fn planning_writes_nothing_even_where_texts_are_merged() {
    let world = world();
    let effects = act(&mut Agent::new(&world, session()), &[line("t/a", 1, "session")]);
    person(&world, &line("t/a", 5, "person"));
    let before = format!("{world:?}");
    let plan = plan_on(&world, &Split::all(effects), &Earlier::default(), OnConflict::Ask);
    assert_eq!((plan.steps.len(), plan.drafts.bytes() > 0), (1, true));
    let instants = |text: String| text.split("faults").next().map(str::to_owned);
    assert_eq!(instants(format!("{world:?}")), instants(before));
}

#[test]
fn a_plan_says_how_much_it_would_write_and_where_it_leads() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[line("t/a", 1, "session"), int("t/b", 9)],
    );
    let plan = plan_on(&world, &Split::all(effects), &Earlier::default(), OnConflict::Ask);
    assert_eq!(
        (plan.totals.effects, plan.totals.resources, plan.totals.settled),
        (2, 2, 0)
    );
    assert_eq!(plan.totals.bytes, 8 * "0:line 0\n".len() as u64);
    assert_eq!(
        plan.target,
        "everything as if the session had not happened, with what others changed since"
    );
}

#[test]
fn equal_plans_have_equal_digests_and_any_other_state_another() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[int("t/a", 5), int("t/b", 6)],
    );
    let digest = || {
        plan_on(
            &world,
            &Split::all(effects.clone()),
            &Earlier::default(),
            OnConflict::Keep,
        )
        .digest()
    };
    let first = digest();
    assert_eq!(digest(), first);
    let ask = plan_on(
        &world,
        &Split::all(effects.clone()),
        &Earlier::default(),
        OnConflict::Ask,
    )
    .digest();
    assert_ne!(ask, first);
    person(
        &world,
        &Edit::Label {
            key: "t/a".to_owned(),
            value: "moved".to_owned(),
        },
    );
    assert_ne!(digest(), first);
}

#[test]
fn an_action_that_a_later_one_built_on_names_it_and_asks() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[int("t/a", 5), int("t/b", 6), int("t/a", 7)],
    );
    let only = Filter::Only([session().action(1)].into());
    let split = Scope::session(session()).and(only).split(effects);
    let (plan, result) = undo(&world, &split, OnConflict::Ask);
    assert!(
        matches!(result, Err(ApplyError::Undecided { count: 1 })),
        "{result:?}"
    );
    assert_eq!(plan.conflicts[0].dependents, [session().action(3)].into());
    assert_eq!((n(&world, "t/a"), n(&world, "t/b")), (7, 6));
}

#[test]
fn a_later_action_on_the_same_field_is_a_known_dependent_also_of_a_clean_plan() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[line("t/a", 1, "one"), line("t/a", 5, "five")],
    );
    let only = Filter::Only([session().action(1)].into());
    let split = Scope::session(session()).and(only).split(effects);
    let (plan, result) = undo(&world, &split, OnConflict::Ask);
    assert!(result.unwrap().proved());
    assert_eq!(plan.dependents, [session().action(2)].into());
}

#[test]
fn a_folder_that_a_later_action_filled_is_held_and_asked_about() {
    let world = world();
    let make = Edit::Table {
        key: "new".to_owned(),
    };
    let fill = Edit::Record {
        key: "new/x".to_owned(),
        n: 1,
        text: "x\n".to_owned(),
    };
    let effects = act(&mut Agent::new(&world, session()), &[make, fill]);
    let only = Filter::Only([session().action(1)].into());
    let split = Scope::session(session()).and(only).split(effects);
    let (plan, result) = undo(&world, &split, OnConflict::Ask);
    assert!(matches!(result, Err(ApplyError::Undecided { .. })), "{result:?}");
    let named = plan
        .held
        .iter()
        .flat_map(|held| &held.dependents)
        .chain(plan.conflicts.iter().flat_map(|c| &c.dependents));
    assert!(
        named.into_iter().any(|action| *action == session().action(2)),
        "{plan:#?}"
    );
    assert!(world.record("new/x").is_some());
}

#[test]
fn from_an_action_on_takes_also_what_earlier_ones_did_after_it_began() {
    let world = world();
    let mut agent = Agent::new(&world, session());
    let mut effects = act(&mut agent, &[int("t/a", 5), int("t/a", 6)]);
    // A process of the first action goes on in the background.
    let late = effects[0].action.clone();
    let mut more = act(&mut agent, &[int("t/b", 7)]);
    more[0].action = late;
    effects.extend(more);
    let split = Scope::session(session())
        .and(Filter::From(session().action(2)))
        .split(effects);
    assert!(undo(&world, &split, OnConflict::Ask).1.unwrap().proved());
    assert_eq!((n(&world, "t/a"), n(&world, "t/b")), (5, 1));
}

#[test]
fn filters_narrow_each_other_and_a_path_takes_all_of_a_resource() {
    let world = world();
    let mut effects = act(
        &mut Agent::new(&world, session()),
        &[int("t/a", 5), int("t/a", 6), int("t/b", 7)],
    );
    effects[0].name = "/old/a".to_owned();
    let path = |text: &str| Filter::Path(Pattern::new(text).unwrap());
    let names = |scope: Scope| {
        scope
            .split(effects.clone())
            .inside()
            .map(|e| e.seq.0)
            .collect::<Vec<_>>()
    };
    let all = Scope::session(session());
    assert_eq!(names(all.clone().and(path("/old"))), [1, 2]);
    assert_eq!(
        names(
            all.clone()
                .and(path("/t/*"))
                .and(Filter::From(session().action(2)))
        ),
        [2, 3]
    );
    assert_eq!(
        names(
            all.clone()
                .and(path("/t/b"))
                .and(Filter::Only([session().action(1)].into()))
        ),
        [0_u64; 0]
    );
    assert_eq!(names(Scope::session(SessionId::new(5, 5))), [0_u64; 0]);
    assert_eq!(
        all.and(path("/t/b")).to_string(),
        format!("session {}, path /t/b", session())
    );
}

#[test]
fn what_was_not_captured_is_reported_and_never_deleted() {
    let world = world();
    let mut agent = Agent::new(&world, session());
    agent.begin();
    let effects = agent.edit(&int("t/a", 5), Mishap::NotCaptured);
    let (plan, result) = undo(&world, &Split::all(effects), OnConflict::Restore);
    assert_eq!(plan.lost[0].why, LostWhy::NotCaptured(session().action(1)));
    assert_eq!(result.unwrap().lost.len(), 1);
    assert_eq!(n(&world, "t/a"), 5);
}

#[test]
fn what_was_pruned_is_reported_and_left_alone() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[line("t/a", 1, "session"), int("t/a", 5)],
    );
    let kept = match effects[0].before.fields().unwrap().get("text") {
        Some(Value::Content(content)) => content.kept.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    world.prune(&kept);
    let before = world.visible(true);
    let (plan, result) = undo(&world, &Split::all(effects), OnConflict::Ask);
    assert_eq!(
        plan.lost[0].why,
        LostWhy::BodyGone {
            field: "text".to_owned()
        }
    );
    assert_eq!(result.unwrap().lost.len(), 1);
    assert_eq!(world.visible(true), before);
}

#[test]
fn what_cannot_be_reached_is_reported_and_the_rest_is_taken_back() {
    let world = world();
    let effects = act(
        &mut Agent::new(&world, session()),
        &[int("t/a", 5), int("t/b", 6)],
    );
    world.faults.borrow_mut().unreachable.insert("t/a".to_owned());
    let (plan, result) = undo(&world, &Split::all(effects), OnConflict::Ask);
    assert!(matches!(plan.lost[0].why, LostWhy::Unreachable(_)));
    assert_eq!(result.unwrap().restored, 1);
    assert_eq!((n(&world, "t/a"), n(&world, "t/b")), (5, 1));
}

/// Three charges, of which the second was not answered.
fn charges(world: &World) -> Vec<Effect> {
    let mut agent = Agent::new(world, session());
    let answers = [Answer::Does, Answer::DoesUnheard, Answer::Does];
    world.service(|service| service.answers.extend(answers));
    (10..13)
        .map(|amount| {
            agent.begin();
            agent.charge(amount)
        })
        .collect()
}

#[test]
fn compensations_run_in_reverse_order_and_once_however_they_are_answered() {
    let world = world();
    let effects = charges(&world);
    world.service(|service| {
        service
            .answers
            .extend([Answer::DoesUnheard, Answer::Unheard, Answer::Fails])
    });
    let split = Split::all(effects.clone());
    let (_, result) = undo(&world, &split, OnConflict::Ask);
    assert_eq!(result.unwrap().compensated, 3);
    let expect: Vec<String> = effects
        .iter()
        .rev()
        .map(|e| String::from_utf8_lossy(&e.resource.key).into_owned())
        .collect();
    assert_eq!(world.service(|service| service.refunded().to_vec()), expect);
    let (again, result) = undo(&world, &split, OnConflict::Ask);
    assert!(again.is_empty() && result.is_ok());
    assert_eq!(world.service(|service| service.balance()), 0);
}

#[test]
fn a_call_of_which_nobody_knows_whether_it_was_made_is_not_compensated_by_guessing() {
    let world = world();
    let effects = charges(&world);
    world.service(|service| service.mute = true);
    let (plan, result) = undo(&world, &Split::all(effects.clone()), OnConflict::Ask);
    assert_eq!(plan.lost[0].why, LostWhy::InDoubt(effects[1].action.clone()));
    assert_eq!(result.unwrap().compensated, 2);
}

#[test]
fn a_compensation_left_in_doubt_is_said_to_be_and_asked_for_the_next_time() {
    let world = world();
    let effects: Vec<Effect> = charges(&world).into_iter().take(1).collect();
    world.service(|service| {
        service
            .answers
            .extend([Answer::Unheard, Answer::Unheard, Answer::DoesUnheard]);
    });
    let split = Split::all(effects);
    let receipt = undo(&world, &split, OnConflict::Ask).1.unwrap();
    assert_eq!((receipt.in_doubt.len(), receipt.proved()), (1, false));
    let receipt = undo(&world, &split, OnConflict::Ask).1.unwrap();
    assert_eq!((receipt.compensated, receipt.proved()), (1, true));
    assert_eq!(world.service(|service| service.refunded().len()), 1);
}

#[test]
fn a_state_that_keeps_coming_back_is_reported_and_not_fought() {
    let world = world();
    let split = Split::all(act(&mut Agent::new(&world, session()), &[int("t/a", 5)]));
    for round in 0..RESTORES {
        let (plan, result) = undo(&world, &split, OnConflict::Ask);
        assert_eq!((plan.steps.len(), plan.flapping.len()), (1, 0), "round {round}");
        assert!(result.unwrap().proved());
        person(&world, &int("t/a", 5));
    }
    let (plan, result) = undo(&world, &split, OnConflict::Ask);
    assert_eq!((plan.steps.len(), plan.flapping[0].times), (0, RESTORES));
    assert!(!result.unwrap().proved());
    assert_eq!(n(&world, "t/a"), 5);
}

/// The instant at which the first step of this undo is announced, found by looking when the journal has it.
fn instant_of_the_first_intent(world: &World, split: &Split) -> u64 {
    (1..200)
        .find(|at| {
            let trial = world.clone();
            trial.restart();
            trial.faults.borrow_mut().crash_at = Some(*at);
            let _dies = undo(&trial, split, OnConflict::Ask);
            Journal(&trial)
                .records()
                .iter()
                .any(|record| matches!(record, SystemRecord::Intent { .. }))
        })
        .unwrap()
}

#[test]
fn what_others_write_while_the_undo_runs_is_merged_once_and_else_left() {
    for (edit, restored, n_after, m_after) in [
        (
            Edit::Int {
                key: "t/a".to_owned(),
                field: "m",
                value: 77,
            },
            1,
            1,
            "77",
        ),
        (int("t/a", 99), 0, 99, "1"),
    ] {
        let world = world();
        let split = Split::all(act(&mut Agent::new(&world, session()), &[int("t/a", 5)]));
        let at = instant_of_the_first_intent(&world, &split);
        world.restart();
        world.faults.borrow_mut().others.insert(at, vec![edit]);
        let receipt = undo(&world, &split, OnConflict::Ask).1.unwrap();
        assert_eq!(
            (receipt.restored, receipt.conflicts.len()),
            (restored, 1 - usize::try_from(restored).unwrap())
        );
        assert_eq!(n(&world, "t/a"), n_after);
        assert_eq!(world.visible(false)["t/a"]["m"], m_after);
    }
}

#[test]
fn a_resumed_undo_is_the_same_session_and_uses_no_number_twice() {
    let world = world();
    let split = Split::all(act(
        &mut Agent::new(&world, session()),
        &[int("t/a", 5), int("t/b", 6)],
    ));
    let at = instant_of_the_first_intent(&world, &split);
    world.restart();
    world.faults.borrow_mut().crash_at = Some(at);
    assert!(undo(&world, &split, OnConflict::Ask).1.is_err());
    world.restart();
    assert!(undo(&world, &split, OnConflict::Ask).1.unwrap().proved());
    let records = Journal(&world).records();
    let opened: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            SystemRecord::Opened { session, .. } => Some(session),
            _ => None,
        })
        .collect();
    assert_eq!((opened.len(), opened[0]), (2, opened[1]));
    let mut actions: Vec<_> = records
        .iter()
        .filter_map(|record| match record {
            SystemRecord::StepStarted { action, .. } => Some(action.number),
            _ => None,
        })
        .collect();
    let steps = actions.len();
    actions.dedup();
    assert_eq!((actions.len(), actions.is_sorted()), (steps, true));
    assert!(Earlier::read(&records).unfinished.is_none());
}

#[test]
fn a_record_that_is_written_by_turns_is_a_conflict_that_shows_each_turn() {
    let world = world();
    let mut agent = Agent::new(&world, session());
    let mut effects = act(&mut agent, &[int("t/a", 5)]);
    person(&world, &int("t/a", 50));
    effects.extend(act(&mut agent, &[int("t/a", 6)]));
    let split = Split::all(effects);
    let (plan, _) = undo(&world, &split, OnConflict::Ask);
    let clash = &plan.conflicts[0].clashes[0];
    let shown = [
        &clash.fields[0].before,
        &clash.fields[0].after,
        &clash.fields[0].now,
    ];
    assert_eq!(
        shown,
        [&Some(Value::Int(1)), &Some(Value::Int(5)), &Some(Value::Int(50))]
    );
    assert_eq!(n(&world, "t/a"), 6);
    // Keeping what others wrote takes the session's last turn back, and leaves theirs.
    undo(&world, &split, OnConflict::Keep).1.unwrap();
    assert_eq!(n(&world, "t/a"), 50);
}

#[test]
fn things_of_different_kinds_do_not_merge() {
    let world = world();
    person(
        &world,
        &Edit::Record {
            key: "x".to_owned(),
            n: 1,
            text: "1:x\n".to_owned(),
        },
    );
    let edits = [
        Edit::Remove { key: "x".to_owned() },
        Edit::Table { key: "x".to_owned() },
    ];
    let split = Split::all(act(&mut Agent::new(&world, session()), &edits));
    person(
        &world,
        &Edit::Label {
            key: "x".to_owned(),
            value: "a person's".to_owned(),
        },
    );
    let (plan, result) = undo(&world, &split, OnConflict::Ask);
    assert!(
        matches!(result, Err(ApplyError::Undecided { count: 1 })),
        "{result:?}"
    );
    assert_eq!(plan.conflicts[0].clashes[0].fields[0].field, None);
    // Decided for the state before, the record comes back whole, and the table with the label by undoing that.
    let theirs = world.visible(true);
    undo(&world, &split, OnConflict::Restore).1.unwrap();
    assert_eq!(n(&world, "x"), 1);
    let back = Split::all(Earlier::read(&Journal(&world).records()).effects());
    let plan = plan_on(&world, &back, &Earlier::default(), OnConflict::Ask);
    let receipt = apply_on(&world, &plan, SessionId::new(3_000, 1), Position::default()).unwrap();
    assert!(receipt.proved());
    assert_eq!(world.visible(true), theirs);
}
