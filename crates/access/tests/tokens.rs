//! API tokens and agents' tokens.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may panic"
)]

mod common;

use common::{Bench, grant, grants, machine, session};
use proptest::prelude::*;
use rescind_access::{
    AGENT, Access, AccessError, Actor, AgentPrincipal, Authority, NewAgent, NewToken, Principal, Role,
    TOKEN_DAYS,
};
use rescind_model::{Operation, Scopes, Surface};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn actor(access: &Access, secret: &str) -> Actor {
    access.authenticate(secret).unwrap().actor().unwrap()
}

fn agent(access: &Access, secret: &str) -> AgentPrincipal {
    match access.authenticate(secret) {
        Ok(Principal::Agent(agent)) => agent,
        other => panic!("{other:?}"),
    }
}

fn scopes(lines: &str) -> Scopes {
    Scopes::from_lines(lines).unwrap()
}

#[test]
fn the_first_run_gets_an_admins_token_once() {
    let bench = Bench::new();
    let first = bench.access.bootstrap().unwrap().unwrap();
    assert!(actor(&bench.access, first.expose()).may(Role::Admin, "*"));
    assert!(bench.access.bootstrap().unwrap().is_none());
    let id = bench.access.tokens().unwrap()[0].id.clone();
    bench.access.revoke_token(&machine(), &id).unwrap();
    assert!(
        bench.access.bootstrap().unwrap().is_none(),
        "also when it is revoked"
    );
    let bench = Bench::new();
    bench.person("ana", &[]);
    assert!(bench.access.bootstrap().unwrap().is_none());
}

#[test]
fn a_token_lasts_its_time_and_is_refused_the_moment_it_is_revoked() {
    let bench = Bench::new();
    bench.person("ana", &["admin:*"]);
    let ana = bench.authority("ana");
    let made = bench
        .access
        .make_token(&ana, &NewToken::new("ci", grants(&["viewer:*"])))
        .unwrap();
    assert_eq!(made.info.owner.as_ref().map(|name| name.as_str()), Some("ana"));
    bench.pass(DAY * (u32::try_from(TOKEN_DAYS).unwrap()) - Duration::from_nanos(1));
    let used = actor(&bench.access, made.secret.expose());
    assert!(!used.may(Role::Reviewer, "x") && used.may(Role::Viewer, "x"));
    assert!(
        !used.is_fresh(bench.access.now()),
        "a token has no fresh authority"
    );
    assert_eq!(bench.access.tokens().unwrap()[0].used, Some(bench.access.now()));
    bench.pass(Duration::from_nanos(1));
    let over = bench.access.authenticate(made.secret.expose());
    assert!(matches!(over, Err(AccessError::Expired)));

    let made = bench
        .access
        .make_token(&machine(), &NewToken::new("ci", grants(&["viewer:*"])))
        .unwrap();
    bench.access.revoke_token(&machine(), &made.info.id).unwrap();
    let gone = bench.access.authenticate(made.secret.expose());
    assert!(matches!(gone, Err(AccessError::Revoked)));
}

#[test]
fn no_token_grants_more_than_its_maker_has_then_or_later() {
    let bench = Bench::new();
    let ana = bench.person("ana", &["admin:payments", "viewer:*"]);
    let by = bench.authority("ana");
    for wide in ["reviewer:*", "admin:shop", "admin:*"] {
        let refused = bench.access.make_token(&by, &NewToken::new("x", grants(&[wide])));
        assert!(matches!(refused, Err(AccessError::NotAllowed { .. })), "{wide}");
    }
    let new = NewToken::new("x", grants(&["operator:payments/prod", "viewer:shop"]));
    let made = bench.access.make_token(&by, &new).unwrap();
    let child = Authority::Actor(actor(&bench.access, made.secret.expose()));
    let refused = bench.access.make_token(&child, &new);
    assert!(
        matches!(refused, Err(AccessError::NotAllowed { .. })),
        "a token that is no admin makes none"
    );
    bench
        .access
        .revoke_grant(&machine(), &ana, &grant("admin:payments"))
        .unwrap();
    let now = actor(&bench.access, made.secret.expose());
    assert!(!now.may(Role::Operator, "payments/prod") && now.may(Role::Viewer, "payments/prod"));
    assert!(now.may(Role::Viewer, "shop") && !now.may(Role::Viewer, "other"));
    bench.access.disable_person(&machine(), &ana).unwrap();
    assert!(bench.access.authenticate(made.secret.expose()).is_err());
}

#[test]
fn odd_tokens_are_not_made() {
    let bench = Bench::new();
    for (name, lasts, what) in [
        ("", DAY, &["viewer:*"] as &[&str]),
        ("a b", DAY, &["viewer:*"]),
        ("a\u{1b}[2J", DAY, &["viewer:*"]),
        ("x", Duration::ZERO, &["viewer:*"]),
        ("x", DAY * 1000, &["viewer:*"]),
        ("x", DAY, &[]),
    ] {
        let new = NewToken {
            lasts,
            ..NewToken::new(name, grants(what))
        };
        let refused = bench.access.make_token(&machine(), &new);
        assert!(matches!(refused, Err(AccessError::Unusable { .. })), "{name:?}");
    }
}

#[test]
fn an_agents_token_is_for_its_session_and_its_scopes_and_its_time() {
    let bench = Bench::new();
    let new = NewAgent::new(
        session(1),
        "codex",
        "payments",
        scopes("read\nwrite:files:/srv/**"),
    );
    let made = bench.access.issue_agent(&machine(), &new).unwrap();
    let found = agent(&bench.access, made.secret.expose());
    assert_eq!(
        (found.session(), found.agent(), found.domain()),
        (&session(1), "codex", "payments")
    );
    assert!(
        found
            .scopes()
            .permits(Operation::Write, Surface::Files, "/srv/a")
            .is_ok()
    );
    assert!(
        found
            .scopes()
            .permits(Operation::Write, Surface::Files, "/etc/a")
            .is_err()
    );
    assert!(
        bench
            .access
            .authenticate(made.secret.expose())
            .unwrap()
            .actor()
            .is_none()
    );
    assert!(bench.access.principal_of_cookie(made.secret.expose()).is_err());
    bench.pass(AGENT / 2);
    bench.access.renew_agent(&found, AGENT).unwrap();
    bench.pass(AGENT / 2 + Duration::from_secs(1));
    agent(&bench.access, made.secret.expose());
    bench.pass(AGENT / 2);
    assert!(matches!(
        bench.access.authenticate(made.secret.expose()),
        Err(AccessError::Expired)
    ));
    assert!(
        bench.access.renew_agent(&found, AGENT).is_err(),
        "what has ended is not renewed"
    );
}

#[test]
fn a_narrowed_token_is_never_wider_nor_longer_and_goes_with_its_parent() {
    let bench = Bench::new();
    let access = &bench.access;
    let new = NewAgent::new(session(1), "lead", "shop", scopes("read\nwrite:files:/srv/**"));
    let lead = access.issue_agent(&machine(), &new).unwrap();
    let parent = agent(access, lead.secret.expose());
    let wide = access.narrow(&parent, "sub", &Scopes::all(), DAY).unwrap();
    let child = agent(access, wide.secret.expose());
    assert_eq!(child.scopes(), parent.scopes());
    assert_eq!(child.expires(), parent.expires());
    assert_eq!(child.line(), [child.id(), parent.id()]);
    let nothing = access.narrow(&child, "subsub", &scopes("delete"), AGENT).unwrap();
    let grandchild = agent(access, nothing.secret.expose());
    assert!(
        grandchild.scopes().scopes().is_empty(),
        "nothing in common is nothing, not everything"
    );
    let sibling = access.narrow(&parent, "other", &scopes("read"), AGENT).unwrap();
    let until = access.renew_agent(&child, DAY).unwrap();
    assert_eq!(until, parent.expires());

    let count = access.revoke_agent(&machine(), child.id()).unwrap();
    assert_eq!(count, 2);
    for gone in [&wide.secret, &nothing.secret] {
        assert!(matches!(
            access.authenticate(gone.expose()),
            Err(AccessError::Revoked)
        ));
    }
    assert!(matches!(
        access.narrow(&grandchild, "late", &Scopes::all(), AGENT),
        Err(AccessError::Revoked)
    ));
    agent(access, sibling.secret.expose());
    let other = access
        .issue_agent(
            &machine(),
            &NewAgent {
                session: session(2),
                ..new.clone()
            },
        )
        .unwrap();
    assert_eq!(access.revoke_session(&machine(), &session(1)).unwrap(), 2);
    assert!(access.authenticate(lead.secret.expose()).is_err());
    assert!(access.authenticate(sibling.secret.expose()).is_err());
    agent(access, other.secret.expose());
    let late = access.issue_agent(&machine(), &new);
    assert!(matches!(late, Err(AccessError::SessionOver { .. })));
}

#[test]
fn scopes_that_narrowing_made_and_no_text_has_are_kept_as_they_are() {
    let bench = Bench::new();
    let access = &bench.access;
    let all = NewAgent::new(session(1), "lead", "shop", Scopes::all().uses(7));
    let lead = access.issue_agent(&machine(), &all).unwrap();
    let parent = agent(access, lead.secret.expose());
    let mut several = scopes("write:files:/srv/**").scopes()[0].clone();
    several.operations.insert(Operation::Delete);
    several.surface = None;
    let asked = Scopes::new(vec![several]);
    assert_eq!(asked.to_lines(), None);
    let made = access.narrow(&parent, "sub", &asked, AGENT).unwrap();
    let found = agent(access, made.secret.expose());
    assert_eq!(found.scopes(), &parent.scopes().narrow(&asked));
    assert_eq!(found.scopes().most_uses(), Some(7));
}

#[test]
fn narrowing_is_bounded_in_depth_number_and_size() {
    let bench = Bench::new();
    let access = &bench.access;
    let new = NewAgent::new(session(1), "lead", "shop", Scopes::all());
    let mut made = access.issue_agent(&machine(), &new).unwrap();
    let mut deep = 1;
    let error = loop {
        let parent = agent(access, made.secret.expose());
        match access.narrow(&parent, "sub", &Scopes::all(), AGENT) {
            Ok(child) => made = child,
            Err(error) => break error,
        }
        deep += 1;
    };
    assert!(matches!(error, AccessError::Limit { .. }));
    assert_eq!(deep, 16);
    let long = scopes(&format!("write:files:/{}", "a".repeat(20_000)));
    let parent = agent(
        access,
        access.issue_agent(&machine(), &new).unwrap().secret.expose(),
    );
    assert!(matches!(
        access.narrow(&parent, "sub", &long, AGENT),
        Err(AccessError::Unusable { .. })
    ));
}

#[test]
fn only_operators_of_the_domain_revoke_agents_tokens() {
    let bench = Bench::new();
    bench.person("here", &["operator:payments"]);
    bench.person("there", &["operator:shop"]);
    bench.person("low", &["reviewer:*"]);
    let new = NewAgent::new(session(1), "lead", "payments/prod", Scopes::all());
    let made = bench.access.issue_agent(&machine(), &new).unwrap();
    for name in ["there", "low"] {
        let by = bench.authority(name);
        let id = &made.info.id;
        assert!(matches!(
            bench.access.revoke_agent(&by, id),
            Err(AccessError::NotAllowed { .. })
        ));
        assert!(matches!(
            bench.access.revoke_session(&by, &session(1)),
            Err(AccessError::NotAllowed { .. })
        ));
    }
    assert_eq!(
        bench
            .access
            .revoke_session(&bench.authority("here"), &session(1))
            .unwrap(),
        1
    );
}

#[test]
fn what_is_no_credential_is_not_known() {
    let bench = Bench::new();
    let first = bench.access.bootstrap().unwrap().unwrap();
    let secret = first.expose().to_owned();
    let mut wrong: Vec<String> = ["", " ", "rsc_", "rsc_api_", "Bearer x", "\0", "rsc_api_💥"]
        .map(str::to_owned)
        .to_vec();
    wrong.push("rsc_api_".to_owned() + &"a".repeat(1_000_000));
    wrong.push(secret.replace("rsc_api_", "rsc_agt_"));
    wrong.push(format!("{secret} "));
    wrong.push(format!("{secret}'"));
    wrong.push(secret.to_lowercase());
    for place in 0..secret.len() {
        let mut bytes = secret.clone().into_bytes();
        bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
        wrong.push(String::from_utf8(bytes).unwrap());
        wrong.push(secret[..place].to_owned());
    }
    for text in wrong.iter().filter(|text| **text != secret) {
        assert!(
            matches!(bench.access.authenticate(text), Err(AccessError::Unknown)),
            "{text}"
        );
        assert!(matches!(
            bench.access.principal_of_cookie(text),
            Err(AccessError::Unknown)
        ));
    }
}

fn some_scopes() -> impl Strategy<Value = Scopes> {
    let line = (
        prop::sample::select(vec!["read", "write", "delete", "admin"]),
        prop::sample::select(vec![
            "",
            ":files",
            ":postgres",
            ":files:/a/**",
            ":files:/a/*",
            ":files:**/b",
        ]),
    );
    let line = line.prop_map(|(operation, rest)| format!("{operation}{rest}"));
    prop::collection::vec(line, 1..4).prop_map(|lines| Scopes::from_lines(&lines.join("\n")).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_chain_of_narrowing_permits_what_one_above_does_not(chain in prop::collection::vec((some_scopes(), 1..2000_u64), 1..5)) {
        let bench = Bench::new();
        let access = &bench.access;
        let (first, lasts) = &chain[0];
        let new = NewAgent { lasts: Duration::from_secs(*lasts), ..NewAgent::new(session(1), "lead", "shop", first.clone()) };
        let mut line = vec![agent(access, access.issue_agent(&machine(), &new).unwrap().secret.expose())];
        for (asked, lasts) in &chain[1..] {
            let parent = line.last().unwrap();
            let made = access.narrow(parent, "sub", asked, Duration::from_secs(*lasts)).unwrap();
            line.push(agent(access, made.secret.expose()));
        }
        let last = line.last().unwrap();
        for operation in Operation::ALL {
            for (surface, target) in [(Surface::Files, "/a/b"), (Surface::Files, "/a/c/b"), (Surface::Files, "/x"), (Surface::Postgres, "t"), (Surface::Http, "u")] {
                let all = line.iter().all(|one| one.scopes().permits(operation, surface, target).is_ok());
                prop_assert_eq!(last.scopes().permits(operation, surface, target).is_ok(), all);
            }
        }
        prop_assert!(line.iter().all(|one| last.expires() <= one.expires()));
    }
}
