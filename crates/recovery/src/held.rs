//! Bodies that are kept somewhere else by now.
//!
//! A body kept as the very file goes back to its place with it. Where a later undo took that away again, it kept the file
//! anew: then that is where the body is.

use rescind_model::{Content, Effect, Locator, State, Value};
use rescind_supervisor::Bodies;

/// The state with each body that is not where it says named by another place in which `effects` say the same body is kept,
/// and is.
pub(crate) fn named<'e>(
    state: State,
    effects: impl Iterator<Item = &'e Effect> + Clone,
    bodies: &dyn Bodies,
) -> State {
    let State::Present(mut fields) = state else {
        return state;
    };
    let gone = |kept: &Locator| !bodies.holds(kept);
    let lost: Vec<(String, Content)> = fields
        .iter()
        .filter_map(|(name, value)| match value {
            Value::Content(body) if body.kept.as_ref().is_some_and(gone) => {
                Some((name.to_owned(), body.clone()))
            }
            _ => None,
        })
        .collect();
    for (name, body) in lost {
        let states = effects.clone().flat_map(|effect| [&effect.before, &effect.after]);
        let known = states.filter_map(|state| state.fields()?.content(&name));
        let known = known.filter(|other| other.length == body.length);
        let held = |other: &&Content| other.kept.as_ref().is_some_and(|kept| bodies.holds(kept));
        if let Some(other) = alike(&body, known).into_iter().find(held) {
            let (kept, digest) = (other.kept.clone(), body.digest.or(other.digest));
            fields.set(name, Value::Content(Content { kept, digest, ..body }));
        }
    }
    State::Present(fields)
}

/// The bodies that are the same as `body`, or the same as one that is.
fn alike<'e>(body: &'e Content, known: impl Iterator<Item = &'e Content>) -> Vec<&'e Content> {
    let mut others: Vec<&Content> = known.collect();
    let mut alike = vec![body];
    let mut at = 0;
    while let Some(one) = alike.get(at).copied() {
        let (same, rest) = others
            .into_iter()
            .partition(|other| one.same(other) == Some(true));
        alike.extend::<Vec<_>>(same);
        others = rest;
        at += 1;
    }
    alike
}

#[cfg(test)]
mod tests {
    use super::alike;
    use rescind_model::{Content, Locator, Stamp};

    fn body(stamp: &str, kept: Option<&str>) -> Content {
        Content {
            length: 3,
            digest: None,
            stamp: Some(Stamp(stamp.to_owned())),
            kept: kept.map(|kept| Locator(kept.to_owned())),
        }
    }

    #[test]
    fn bodies_are_found_over_what_they_share() {
        let wanted = body("1", Some("run"));
        let back = body("2", Some("run"));
        let removed_again = body("2", Some("undo"));
        let other = body("3", Some("other"));
        let known = [other, removed_again, back];
        let places: Vec<_> = alike(&wanted, known.iter())
            .into_iter()
            .filter_map(|body| Some(body.kept.as_ref()?.0.as_str()))
            .collect();
        assert_eq!(places, ["run", "run", "undo"]);
    }
}
