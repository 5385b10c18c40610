//! Net undo: many effects on one resource collapse into few segments (DESIGN section 5).

use rescind_model::{Effect, EffectId, Outcome, ResourceId, State};

/// What the effects of a scope did to one resource, as stretches without anybody else's write in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it, by its last effect.
    pub name: String,
    /// The stretches in order of time. A gap between two is somebody else's write.
    pub segments: Vec<Segment>,
    /// The effects in it.
    pub took: Vec<EffectId>,
}

/// A stretch of effects, each beginning where the one before ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The state before the first.
    pub before: State,
    /// The state after the last; `None` where it is not known: a change was announced, its outcome was never seen, and
    /// the state found since is neither that before nor one that was announced.
    pub after: Option<State>,
}

/// Collapse the effects on one resource, in order, given the state `now`.
///
/// An effect in doubt is resolved by the state found next: the state before of the next effect, or `now`. Where that is
/// its own state before, it did not happen; nor where it is `still` that but for what follows from other things, unless
/// just that was announced, or the intent did not say what. Effects whose state before was not captured are left out;
/// what they did counts as somebody else's write. Effects that changed nothing say nothing.
pub(crate) fn net(effects: &[&Effect], now: &State, still: impl Fn(&State, &State) -> bool) -> Vec<Segment> {
    let says = |effect: &&&Effect| effect.outcome == Outcome::InDoubt || !effect.before.same(&effect.after);
    let effects: Vec<&Effect> = effects.iter().filter(says).copied().collect();
    let mut segments: Vec<Segment> = Vec::new();
    for (at, effect) in effects.iter().enumerate() {
        let found = effects.get(at + 1).map_or(now, |next| &next.before);
        let after = match effect.outcome {
            Outcome::NotCaptured => continue,
            Outcome::Observed => Some(&effect.after),
            Outcome::InDoubt if found.same(&effect.before) => continue,
            Outcome::InDoubt if found.same(&effect.after) => Some(&effect.after),
            Outcome::InDoubt if effect.after.same(&effect.before) => {
                still(found, &effect.before).then_some(found)
            }
            Outcome::InDoubt if still(found, &effect.before) => continue,
            Outcome::InDoubt => Some(&effect.after),
        };
        match segments.last_mut() {
            Some(last) if last.after.as_ref().is_some_and(|left| left.same(&effect.before)) => {
                last.after = after.cloned();
            }
            _ => segments.push(Segment {
                before: effect.before.clone(),
                after: after.cloned(),
            }),
        }
    }
    segments.retain(|segment| {
        !segment
            .after
            .as_ref()
            .is_some_and(|after| after.same(&segment.before))
    });
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use rescind_model::{Fields, Seq, SessionId, Surface, Value};

    fn state(number: i64) -> State {
        State::Present(Fields::new().with("n", Value::Int(number)))
    }

    fn effect(seq: u64, before: State, after: State, outcome: Outcome) -> Effect {
        let resource = ResourceId {
            surface: Surface::Memory,
            key: b"r".to_vec(),
        };
        let action = SessionId::new(1, 1).action(seq);
        Effect {
            action,
            seq: Seq(seq),
            resource,
            name: "r".to_owned(),
            before,
            after,
            outcome,
        }
    }

    fn check(effects: &[Effect], now: &State, expect: &[(State, Option<State>)]) {
        let refs: Vec<&Effect> = effects.iter().collect();
        let found: Vec<_> = net(&refs, now, State::same)
            .into_iter()
            .map(|s| (s.before, s.after))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn a_chain_is_one_segment_and_a_gap_makes_two() {
        let done = Outcome::Observed;
        let chain = [
            effect(1, state(0), state(1), done),
            effect(2, state(1), state(2), done),
        ];
        check(&chain, &state(2), &[(state(0), Some(state(2)))]);
        let gap = [
            effect(1, state(0), state(1), done),
            effect(2, state(5), state(6), done),
        ];
        check(
            &gap,
            &state(6),
            &[(state(0), Some(state(1))), (state(5), Some(state(6)))],
        );
    }

    #[test]
    fn there_and_back_is_nothing() {
        let done = Outcome::Observed;
        let effects = [
            effect(1, State::Absent, state(1), done),
            effect(2, state(1), State::Absent, done),
        ];
        check(&effects, &State::Absent, &[]);
    }

    #[test]
    fn doubt_is_resolved_by_the_state_found_next() {
        let doubt = [effect(1, state(0), state(1), Outcome::InDoubt)];
        check(&doubt, &state(0), &[]);
        check(&doubt, &state(1), &[(state(0), Some(state(1)))]);
        check(&doubt, &state(7), &[(state(0), Some(state(1)))]);
        let unsaid = [effect(1, state(0), state(0), Outcome::InDoubt)];
        check(&unsaid, &state(7), &[(state(0), None)]);
        let then = [
            effect(1, state(0), state(1), Outcome::InDoubt),
            effect(2, state(0), state(2), Outcome::Observed),
        ];
        check(&then, &state(2), &[(state(0), Some(state(2)))]);
    }

    #[test]
    fn what_was_not_captured_is_a_gap() {
        let effects = [
            effect(1, state(0), state(1), Outcome::Observed),
            effect(2, State::Absent, state(2), Outcome::NotCaptured),
            effect(3, state(2), state(3), Outcome::Observed),
        ];
        check(
            &effects,
            &state(3),
            &[(state(0), Some(state(1))), (state(2), Some(state(3)))],
        );
    }
}
