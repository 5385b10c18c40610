//! Roles on domains: what covers what, and that what two have in common is never more than either has.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod common;

use common::grants;
use proptest::prelude::*;
use rescind_access::{Domains, Grant, Grants, Role};

#[test]
fn a_role_holds_in_its_domain_and_below_and_nowhere_else() {
    let held = grants(&["operator:payments", "viewer:shop/eu"]);
    for (role, domain, may) in [
        (Role::Operator, "payments", true),
        (Role::Operator, "payments/prod", true),
        (Role::Viewer, "payments/prod/eu", true),
        (Role::Admin, "payments", false),
        (Role::Operator, "payments2", false),
        (Role::Operator, "pay", false),
        (Role::Operator, "*", false),
        (Role::Operator, "", false),
        (Role::Viewer, "shop", false),
        (Role::Viewer, "shop/eu", true),
        (Role::Reviewer, "shop/eu", false),
        (Role::Operator, "payments/../shop", false),
        (Role::Operator, "payments//prod", false),
        (Role::Operator, "payments/", false),
        (Role::Operator, "Payments", false),
    ] {
        assert_eq!(held.may(role, domain), may, "{role} {domain}");
        if domain != "*" {
            assert_eq!(held.domains(role).has(domain), may, "{role} {domain} by prefixes");
        }
    }
    let all = grants(&["reviewer:*", "operator:a"]);
    assert_eq!(all.domains(Role::Reviewer), Domains::Everything);
    assert!(all.may(Role::Reviewer, "") && all.may(Role::Viewer, "no domain at all"));
    assert_eq!(
        all.domains(Role::Operator),
        Domains::Below(["a".to_owned()].into())
    );
    assert_eq!(Grants::default().domains(Role::Viewer), Domains::Below([].into()));
}

#[test]
fn what_is_no_grant_is_refused() {
    for text in [
        "",
        "operator",
        "operator:",
        "root:*",
        "Operator:*",
        "operator:/a",
        "operator:a/",
        "operator:a//b",
        "operator:a b",
        "operator:**",
        "operator:a/*",
        "operator:..",
        "operator:a/../b",
        "operator:a\n",
        "operator:ä",
        "operator:a\0",
    ] {
        assert!(text.parse::<Grant>().is_err(), "{text:?}");
    }
    assert!(format!("viewer:{}", "a".repeat(129)).parse::<Grant>().is_err());
}

fn domain() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => Just("*".to_owned()),
        6 => prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("ab")], 1..4).prop_map(|parts| parts.join("/")),
    ]
}

fn some() -> impl Strategy<Value = Grants> {
    let one = (0..4_usize, domain()).prop_map(|(role, domain)| Grant::new(Role::ALL[role], &domain).unwrap());
    prop::collection::vec(one, 0..5).prop_map(Grants::new)
}

proptest! {
    #[test]
    fn what_two_have_in_common_is_what_each_of_them_may(one in some(), two in some(), asked in domain(), role in 0..4_usize) {
        let role = Role::ALL[role];
        let both = one.and(&two);
        prop_assert_eq!(both.may(role, &asked), one.may(role, &asked) && two.may(role, &asked));
        prop_assert!(one.cover(&both) && two.cover(&both));
        prop_assert_eq!(&one.and(&one).domains(role), &one.domains(role));
    }

    #[test]
    fn who_may_more_may_less_and_further_down(held in some(), asked in domain(), role in 0..4_usize, below in domain()) {
        let role = Role::ALL[role];
        if held.may(role, &asked) {
            for weaker in Role::ALL.into_iter().filter(|other| *other <= role) {
                prop_assert!(held.may(weaker, &asked));
            }
            if asked != "*" && below != "*" {
                let further = format!("{asked}/{below}");
                prop_assert!(held.may(role, &further));
            }
        }
        if asked != "*" {
            prop_assert_eq!(held.may(role, &asked), held.domains(role).has(&asked));
        }
    }

    #[test]
    fn grants_cover_exactly_what_can_be_asked_through_them(one in some(), two in some(), asked in domain(), role in 0..4_usize) {
        let role = Role::ALL[role];
        if one.cover(&two) && two.may(role, &asked) {
            prop_assert!(one.may(role, &asked));
        }
    }

    #[test]
    fn no_text_is_a_grant_by_accident(text in ".{0,40}") {
        if let Ok(grant) = text.parse::<Grant>() {
            prop_assert_eq!(grant.to_string(), text);
        }
    }
}
