//! People and their sign-ins.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may panic"
)]

mod common;

use common::{Bench, HERE, PASSWORD, bytes, grant, grants, machine};
use rescind_access::{
    AccessError, Actor, Authority, FRESH, IDLE, LONGEST, NewPerson, PasswordFault, PersonName, Role,
};
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn who_signs_in_is_known_by_the_cookie_until_they_sign_out() {
    let bench = Bench::new();
    bench.person("ana", &["operator:payments"]);
    let signed_in = bench.sign_in("ana");
    let found = bench
        .access
        .principal_of_cookie(signed_in.cookie.expose())
        .unwrap();
    assert_eq!(found.name().as_str(), "ana");
    assert!(found.grants().may(Role::Operator, "payments/prod"));
    let again = bench.sign_in("ana");
    assert_ne!(again.cookie.expose(), signed_in.cookie.expose());
    bench.access.sign_out(signed_in.cookie.expose()).unwrap();
    let gone = bench.access.principal_of_cookie(signed_in.cookie.expose());
    assert!(matches!(gone, Err(AccessError::Unknown)));
    bench.access.sign_out(signed_in.cookie.expose()).unwrap();
    bench.access.principal_of_cookie(again.cookie.expose()).unwrap();
}

#[test]
fn wrong_names_wrong_passwords_and_disabled_people_get_the_same_answer() {
    let bench = Bench::new();
    let off = bench.person("off", &["viewer:*"]);
    bench.person("ana", &["viewer:*"]);
    bench.access.disable_person(&machine(), &off).unwrap();
    let mut texts = BTreeSet::new();
    for (name, password) in [
        ("ana", "a heron at the wear"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("", ""),
        ("../../etc/passwd", PASSWORD),
        ("ana'--", PASSWORD),
        ("ana\0", PASSWORD),
        ("ANA", PASSWORD),
    ] {
        let error = bench.access.sign_in(name, password, HERE).unwrap_err();
        assert!(matches!(error, AccessError::SignInFailed), "{name}: {error}");
        texts.insert(error.to_string());
    }
    let long = "x".repeat(2_000_000);
    texts.insert(bench.access.sign_in("ana", &long, HERE).unwrap_err().to_string());
    texts.insert(bench.access.sign_in(&long, "x", HERE).unwrap_err().to_string());
    assert_eq!(texts.len(), 1);
}

#[test]
fn failed_sign_ins_are_slowed_for_known_and_unknown_names_alike() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let mut waits = Vec::new();
    for name in ["ana", "nobody"] {
        let mut own = Vec::new();
        for number in 0..14 {
            let address = format!("198.51.100.{number}");
            match bench.access.sign_in(name, "wrong wrong wrong", &address) {
                Err(AccessError::SlowDown { seconds }) => {
                    own.push(seconds);
                    bench.pass(Duration::from_secs(seconds));
                    let next = bench.access.sign_in(name, "wrong wrong wrong", &address);
                    assert!(matches!(next, Err(AccessError::SignInFailed)));
                }
                Err(AccessError::SignInFailed) => own.push(0),
                other => panic!("{other:?}"),
            }
        }
        waits.push(own);
    }
    assert_eq!(waits[0], waits[1]);
    assert_eq!(waits[0], [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let failed = bench.access.sign_in("ana", "wrong wrong wrong", HERE);
    assert!(matches!(failed, Err(AccessError::SignInFailed)));
    // The right password has to wait as well, or waiting would tell.
    let early = bench.access.sign_in("ana", PASSWORD, HERE);
    assert!(matches!(early, Err(AccessError::SlowDown { .. })));
    bench.pass(MINUTE);
    bench.sign_in("ana");
    let after = bench.access.sign_in("ana", "wrong wrong wrong", HERE);
    assert!(
        matches!(after, Err(AccessError::SignInFailed)),
        "a success forgets"
    );
}

#[test]
fn an_address_that_tries_many_names_is_slowed_and_others_are_not() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    for number in 0..20 {
        let failed = bench
            .access
            .sign_in(&format!("guess{number}"), "wrong wrong wrong", HERE);
        assert!(matches!(failed, Err(AccessError::SignInFailed)));
    }
    let slowed = bench.access.sign_in("ana", PASSWORD, HERE);
    assert!(matches!(slowed, Err(AccessError::SlowDown { .. })));
    bench.access.sign_in("ana", PASSWORD, "203.0.113.9").unwrap();
}

#[test]
fn many_tries_at_once_are_no_more_tries_than_in_a_row() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let looked_at: usize = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..24)
            .map(|_| {
                scope.spawn(|| {
                    let failed = bench.access.sign_in("ana", "wrong wrong wrong", HERE);
                    usize::from(matches!(failed, Err(AccessError::SignInFailed)))
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(looked_at, 5);
}

#[test]
fn failures_outlive_the_process() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    for _ in 0..5 {
        bench
            .access
            .sign_in("ana", "wrong wrong wrong", HERE)
            .unwrap_err();
    }
    let again =
        rescind_access::Access::open_with(&bench.path(), bench.kept.clone(), common::options(&bench.clock));
    let slowed = again.unwrap().sign_in("ana", PASSWORD, HERE);
    assert!(matches!(slowed, Err(AccessError::SlowDown { seconds: 1 })));
}

#[test]
fn a_sign_in_ends_when_it_is_idle_and_after_seven_days_at_the_latest() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let idle = bench.sign_in("ana").cookie;
    bench.pass(IDLE - MINUTE);
    bench.access.principal_of_cookie(idle.expose()).unwrap();
    bench.pass(IDLE - MINUTE);
    bench.access.principal_of_cookie(idle.expose()).unwrap();
    bench.pass(IDLE);
    let over = bench.access.principal_of_cookie(idle.expose());
    assert!(matches!(over, Err(AccessError::Expired)));
    assert!(bench.access.sign_ins(None).unwrap().is_empty());

    let busy = bench.sign_in("ana").cookie;
    let mut passed = Duration::ZERO;
    while passed + IDLE / 2 < LONGEST {
        bench.pass(IDLE / 2);
        passed += IDLE / 2;
        bench.access.principal_of_cookie(busy.expose()).unwrap();
    }
    bench.pass(IDLE / 2);
    let over = bench.access.principal_of_cookie(busy.expose());
    assert!(matches!(over, Err(AccessError::Expired)));
}

#[test]
fn authority_is_fresh_for_five_minutes_and_the_password_refreshes_it_under_another_cookie() {
    let bench = Bench::new();
    bench.person("ana", &["operator:*"]);
    let first = bench.sign_in("ana");
    let fresh = |cookie: &str| {
        let person = bench.access.principal_of_cookie(cookie).unwrap();
        Actor::Person(person).is_fresh(bench.access.now())
    };
    bench.pass(FRESH);
    assert!(fresh(first.cookie.expose()));
    bench.pass(Duration::from_nanos(1));
    assert!(!fresh(first.cookie.expose()));
    let wrong = bench
        .access
        .reauthenticate(first.cookie.expose(), "wrong wrong wrong", HERE);
    assert!(matches!(wrong, Err(AccessError::SignInFailed)));
    assert!(!fresh(first.cookie.expose()));
    let second = bench
        .access
        .reauthenticate(first.cookie.expose(), PASSWORD, HERE)
        .unwrap();
    assert!(fresh(second.cookie.expose()));
    assert!(bench.access.principal_of_cookie(first.cookie.expose()).is_err());
    let listed = bench.access.sign_ins(None).unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].begun < listed[0].proved, "its end stays where it was");
}

#[test]
fn a_form_is_taken_from_its_own_sign_in_only() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let (one, two) = (bench.sign_in("ana"), bench.sign_in("ana"));
    let access = &bench.access;
    access
        .verify_csrf(one.cookie.expose(), one.csrf.expose())
        .unwrap();
    assert_eq!(access.csrf(one.cookie.expose()).expose(), one.csrf.expose());
    for wrong in [
        "",
        "x",
        two.csrf.expose(),
        one.cookie.expose(),
        &one.csrf.expose()[1..],
    ] {
        let refused = access.verify_csrf(one.cookie.expose(), wrong);
        assert!(matches!(refused, Err(AccessError::Csrf)), "{wrong}");
    }
}

#[test]
fn a_new_password_ends_all_sign_ins_and_must_be_changed_before_anything_else() {
    let bench = Bench::new();
    let ana = bench.person("ana", &["operator:*"]);
    let (one, two) = (bench.sign_in("ana"), bench.sign_in("ana"));
    let other = "the weir has a heron";
    bench.access.set_password(&machine(), &ana, other, true).unwrap();
    for cookie in [&one.cookie, &two.cookie] {
        assert!(bench.access.principal_of_cookie(cookie.expose()).is_err());
    }
    assert!(bench.access.sign_in("ana", PASSWORD, HERE).is_err());
    let signed_in = bench.access.sign_in("ana", other, HERE).unwrap();
    assert!(signed_in.person.must_change_password());
    assert!(
        signed_in.person.grants().is_empty(),
        "nothing is granted before that"
    );
    let same = bench
        .access
        .change_password(&signed_in.person, other, other, HERE);
    assert!(matches!(same, Err(AccessError::Password(PasswordFault::Same))));
    let wrong = bench
        .access
        .change_password(&signed_in.person, PASSWORD, "a third one, and long", HERE);
    assert!(matches!(wrong, Err(AccessError::SignInFailed)));
    let own = "a third one, and long";
    bench
        .access
        .change_password(&signed_in.person, other, own, HERE)
        .unwrap();
    assert!(
        bench
            .access
            .principal_of_cookie(signed_in.cookie.expose())
            .is_err()
    );
    let signed_in = bench.access.sign_in("ana", own, HERE).unwrap();
    assert!(signed_in.person.grants().may(Role::Operator, "*"));
}

#[test]
fn who_is_disabled_is_out_at_once_and_grants_end_at_once() {
    let bench = Bench::new();
    let ana = bench.person("ana", &["operator:*", "viewer:shop"]);
    let cookie = bench.sign_in("ana").cookie;
    bench
        .access
        .revoke_grant(&machine(), &ana, &grant("operator:*"))
        .unwrap();
    let person = bench.access.principal_of_cookie(cookie.expose()).unwrap();
    assert!(!person.grants().may(Role::Operator, "shop") && person.grants().may(Role::Viewer, "shop"));
    bench.access.disable_person(&machine(), &ana).unwrap();
    assert!(bench.access.principal_of_cookie(cookie.expose()).is_err());
    bench.access.enable_person(&machine(), &ana).unwrap();
    assert!(
        bench.access.principal_of_cookie(cookie.expose()).is_err(),
        "it has ended for good"
    );
    bench.sign_in("ana");
}

#[test]
fn weak_passwords_and_odd_names_are_not_taken() {
    let bench = Bench::new();
    let mut new = NewPerson {
        name: "annabel-lee".parse().unwrap(),
        grants: grants(&["viewer:*"]),
        must_change_password: false,
    };
    for (password, fault) in [
        ("elevenchars", PasswordFault::Short),
        ("annabel-lee1", PasswordFault::Name),
        ("Annabel.Lee.!!", PasswordFault::Name),
        ("annabelleeannabellee", PasswordFault::Name),
        ("Password-1234", PasswordFault::Common),
        ("QWERTY123456", PasswordFault::Common),
        ("aaaaaaaaaaaaaaaa", PasswordFault::Common),
        ("abababababab", PasswordFault::Common),
    ] {
        let refused = bench.access.add_person(&machine(), &new, password).unwrap_err();
        assert!(
            matches!(refused, AccessError::Password(found) if found == fault),
            "{password}: {refused}"
        );
        assert!(!refused.to_string().contains(password));
    }
    let long = "long ".repeat(300);
    let refused = bench.access.add_person(&machine(), &new, &long);
    assert!(matches!(refused, Err(AccessError::Password(PasswordFault::Long))));
    // Twelve characters, of which each takes three bytes.
    new.name = "ana".parse().unwrap();
    bench
        .access
        .add_person(&machine(), &new, "水鳥は堰に立ち朝を待っていた")
        .unwrap();
    for name in ["", ".a", "A", "a b", "a/b", "ä", "a\n", "a:b", &"a".repeat(65)] {
        assert!(name.parse::<PersonName>().is_err(), "{name:?}");
    }
    let taken = bench.access.add_person(&machine(), &new, PASSWORD);
    assert!(matches!(taken, Err(AccessError::Taken { .. })));
}

#[test]
fn nobody_manages_more_than_they_are_admin_of() {
    let bench = Bench::new();
    let root = bench.person("root-admin", &["admin:*"]);
    let pay = bench.person("pay-admin", &["admin:payments"]);
    let ana = bench.person("ana", &["viewer:payments"]);
    let operator = bench.person("otto", &["operator:*"]);
    let by = bench.authority("pay-admin");
    let refused =
        |result: Result<(), AccessError>| assert!(matches!(result, Err(AccessError::NotAllowed { .. })));
    let access = &bench.access;
    access.grant(&by, &ana, &grant("operator:payments/prod")).unwrap();
    refused(access.grant(&by, &ana, &grant("viewer:shop")));
    refused(access.grant(&by, &ana, &grant("viewer:*")));
    refused(access.grant(&by, &pay, &grant("admin:*")));
    refused(access.set_password(&by, &root, "a password of mine", false));
    refused(access.disable_person(&by, &root));
    refused(access.revoke_grant(&by, &root, &grant("admin:*")));
    refused(access.disable_person(&bench.authority("otto"), &ana));
    let new = NewPerson {
        name: "eve".parse().unwrap(),
        grants: grants(&["admin:shop"]),
        must_change_password: true,
    };
    refused(access.add_person(&by, &new, PASSWORD).map(drop));
    refused(
        access
            .add_person(
                &bench.authority("otto"),
                &NewPerson {
                    grants: grants(&[]),
                    ..new
                },
                PASSWORD,
            )
            .map(drop),
    );
    access
        .disable_person(&bench.authority("root-admin"), &operator)
        .unwrap();
    access.disable_person(&by, &ana).unwrap();
}

#[test]
fn sign_ins_are_listed_and_ended_by_their_own_people_and_admins() {
    let bench = Bench::new();
    let ana = bench.person("ana", &["viewer:shop"]);
    bench.person("eve", &["operator:*"]);
    bench.person("root-admin", &["admin:*"]);
    let (one, two) = (bench.sign_in("ana"), bench.sign_in("ana"));
    let ids: Vec<String> = bench
        .access
        .sign_ins(Some(&ana))
        .unwrap()
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(ids.len(), 2);
    let eve = bench.authority("eve");
    assert!(bench.access.end_sign_in(&eve, one.person.sign_in()).is_err());
    let own = Authority::Actor(Actor::Person(two.person.clone()));
    bench.access.end_sign_in(&own, one.person.sign_in()).unwrap();
    assert!(bench.access.principal_of_cookie(one.cookie.expose()).is_err());
    bench
        .access
        .end_sign_in(&bench.authority("root-admin"), two.person.sign_in())
        .unwrap();
    assert!(bench.access.principal_of_cookie(two.cookie.expose()).is_err());
}

#[test]
fn nothing_secret_is_in_the_file_the_records_or_in_debug_output() {
    let bench = Bench::new();
    bench.person("ana", &["admin:*"]);
    let signed_in = bench.sign_in("ana");
    let typed = "my own secret, typed into the field for the name";
    bench.access.sign_in(typed, "x", HERE).unwrap_err();
    let by = bench.authority("ana");
    let new = rescind_access::NewToken::new("ci", grants(&["viewer:*"]));
    let token = bench.access.make_token(&by, &new).unwrap();
    let new =
        rescind_access::NewAgent::new(common::session(1), "codex", "shop", rescind_model::Scopes::all());
    let agent = bench.access.issue_agent(&by, &new).unwrap();
    bench.access.authenticate(token.secret.expose()).unwrap();
    let principal = bench.access.authenticate(agent.secret.expose()).unwrap();
    let file = bytes(bench.folder.path());
    let records = format!("{:?}", bench.kept.changes.lock().unwrap());
    let debug = format!(
        "{signed_in:?} {token:?} {agent:?} {principal:?} {:?}",
        bench.access
    );
    assert!(
        find(&file, "ana") && records.contains("token.made"),
        "we look at the right places"
    );
    for secret in [
        PASSWORD,
        typed,
        signed_in.cookie.expose(),
        signed_in.csrf.expose(),
        token.secret.expose(),
        agent.secret.expose(),
        &token.secret.expose()[8..40],
        &agent.secret.expose()[8..40],
    ] {
        assert!(!find(&file, secret), "in the file: {secret}");
        assert!(
            !records.contains(secret) && !debug.contains(secret),
            "printed: {secret}"
        );
    }
}

fn find(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
