use super::{Operation, Pattern, Scope, ScopeError, Scopes};
use crate::{Surface, Timestamp};

fn scope(operations: &[Operation], surface: Option<Surface>, targets: &[&str]) -> Scope {
    Scope {
        operations: operations.iter().copied().collect(),
        surface,
        targets: targets.iter().map(|text| Pattern::new(*text)).collect(),
    }
}

#[test]
fn stars_stand_for_names_and_double_stars_for_paths() {
    let fits = |pattern: &str, name: &str| Pattern::new(pattern).fits(name);
    assert!(fits("/srv/*/log", "/srv/a/log"));
    assert!(!fits("/srv/*/log", "/srv/a/b/log"));
    assert!(fits("/srv/**/log", "/srv/a/b/log"));
    assert!(fits("/srv/**", "/srv/"));
    assert!(!fits("/srv/**", "/srv"));
    assert!(!fits("/srv/**", "/srvx/a"));
    assert!(fits("**", ""));
    assert!(fits("*", "a"));
    assert!(!fits("*", "a/b"));
    assert!(fits("a*b*c", "a1b2b3c"));
    assert!(!fits("a*b*c", "a1b2b3"));
    assert!(!fits("", "a"));
    assert!(fits("é*", "éa"));
}

#[test]
fn a_read_only_session_is_refused_its_first_write_with_a_sentence() {
    let scopes = Scopes::new(vec![scope(&[Operation::Read], Some(Surface::Files), &[])]);
    assert_eq!(scopes.permits(Operation::Read, Surface::Files, "/a"), Ok(()));
    let refused = scopes
        .permits(Operation::Write, Surface::Files, "/a")
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this session may not write on files: it may read on files"
    );
}

#[test]
fn a_target_outside_is_named_and_dots_are_not_taken_on_trust() {
    let scopes = Scopes::new(vec![scope(
        &[Operation::Write],
        Some(Surface::Files),
        &["/srv/app/**"],
    )]);
    let refused = scopes
        .permits(Operation::Write, Surface::Files, "/srv/other")
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this session may not write `/srv/other`: it may write on files within `/srv/app/**`"
    );
    let dots = scopes.permits(Operation::Write, Surface::Files, "/srv/app/../other");
    assert!(matches!(dots, Err(ScopeError::NotPlain { .. })));
}

#[test]
fn credentials_end_by_time_and_by_use() {
    let scopes = Scopes::all().until(Timestamp(10)).until(Timestamp(20)).uses(2);
    assert_eq!(scopes.lives(Timestamp(9), 1), Ok(()));
    assert_eq!(
        scopes.lives(Timestamp(10), 0),
        Err(ScopeError::Ended { until: Timestamp(10) })
    );
    assert_eq!(scopes.lives(Timestamp(9), 2), Err(ScopeError::Used { uses: 2 }));
}

#[test]
fn no_scopes_grant_nothing() {
    let none = Scopes::new(Vec::new());
    assert!(none.permits(Operation::Read, Surface::Files, "a").is_err());
    assert!(
        none.narrow(&Scopes::all())
            .permits(Operation::Read, Surface::Files, "a")
            .is_err()
    );
}

/// Every pair out of a family of scopes, on every target of a family: what the narrowed one permits, both permit,
/// and what both permit, it does.
#[test]
fn narrowing_is_exactly_the_intersection() {
    let patterns = ["**", "/a/**", "/a/*", "/a/b", "/*/b", "x*"];
    let targets = ["/a/b", "/a/c", "/a/b/c", "/b/b", "xyz", "/a/", ""];
    let sets = [
        &[Operation::Read][..],
        &[Operation::Write, Operation::Delete],
        &Operation::ALL,
    ];
    let surfaces = [None, Some(Surface::Files), Some(Surface::Memory)];
    let mut family = Vec::new();
    for (number, pattern) in patterns.iter().enumerate() {
        for set in sets {
            for surface in surfaces {
                let other = scope(
                    &[Operation::Read],
                    None,
                    &[patterns[(number + 1) % patterns.len()]],
                );
                family.push(Scopes::new(vec![scope(set, surface, &[pattern]), other]).uses(number as u64));
            }
        }
    }
    for one in &family {
        for two in &family {
            let both = one.narrow(two);
            assert_eq!(both.uses, one.uses.min(two.uses));
            for target in targets {
                for operation in Operation::ALL {
                    for surface in [Surface::Files, Surface::Memory] {
                        let ok = |scopes: &Scopes| scopes.permits(operation, surface, target).is_ok();
                        assert_eq!(
                            ok(&both),
                            ok(one) && ok(two),
                            "{one} / {two}: {operation:?} {target}"
                        );
                    }
                }
            }
        }
    }
}
