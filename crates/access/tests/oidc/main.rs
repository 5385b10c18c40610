//! Signing in at the real `oidc-provider` of the npm registry: the whole way, and everything that can go wrong on it.
//! `cargo xtask test` installs it; where it is missing, every test says that it was skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may panic"
)]

#[path = "../common/mod.rs"]
mod common;
mod provider;

use common::{Bench, HERE, grant, machine};
use provider::{Browser, Provider, REDIRECT, SECRET, folder};
use rescind_access::{
    AccessError, Answer, GrantRule, Identity, NewPerson, Oidc, OidcConfig, OidcError, Role, Secret,
};
use rescind_model::Timestamp;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

fn config(issuer: &str) -> OidcConfig {
    OidcConfig {
        client_secret: Some(Secret::from(SECRET.to_owned())),
        grants: vec![
            GrantRule::group("sre", grant("operator:*")),
            GrantRule::claim("email", "ana@example.com", grant("viewer:shop")),
        ],
        ..OidcConfig::new(issuer, "rescind", REDIRECT)
    }
}

/// A provider, and us; `None`, said by name, where the provider is not installed.
fn both(test: &str) -> Option<(Provider, Oidc)> {
    let Some(folder) = folder() else {
        println!("skipped: {test}: RESCIND_OIDC names no folder with oidc-provider in it");
        return None;
    };
    let provider = Provider::start(folder);
    let oidc = Oidc::discover(config(&provider.issuer)).unwrap();
    Some((provider, oidc))
}

/// Sign in with the next ID token replaced.
fn forged(provider: &mut Provider, oidc: &Oidc, how: Value) -> Result<Identity, OidcError> {
    let begun = oidc.begin(false).unwrap();
    let answer = Browser::new().sign_in(&begun, "ana");
    provider.tell(how);
    oidc.finish(&answer)
}

fn unproved(result: Result<Identity, OidcError>, word: &str) {
    match result {
        Err(OidcError::Unproved { why }) => assert!(why.contains(word), "{why}"),
        other => panic!("{word}: {other:?}"),
    }
}

#[test]
fn who_signs_in_there_is_known_here_with_what_their_groups_say() {
    let Some((_provider, oidc)) = both("who_signs_in_there") else {
        return;
    };
    let bench = Bench::new();
    let begun = oidc.begin(false).unwrap();
    let identity = oidc.finish(&Browser::new().sign_in(&begun, "ana")).unwrap();
    assert_eq!((identity.subject(), identity.name()), ("ana", "ana"));
    assert_eq!(
        (identity.issuer(), identity.groups()),
        (oidc.issuer(), &["sre".to_owned(), "staff".to_owned()][..])
    );
    let signed_in = bench.access.sign_in_elsewhere(&identity, HERE).unwrap();
    let person = bench
        .access
        .principal_of_cookie(signed_in.cookie.expose())
        .unwrap();
    assert!(person.grants().may(Role::Operator, "payments") && !person.grants().may(Role::Admin, "payments"));
    assert!(person.signs_in_elsewhere() && person.is_fresh(bench.access.now()));
    let info = bench.access.person(person.name()).unwrap();
    assert_eq!(
        (info.shown.as_str(), info.email.as_str()),
        ("Ana Ruiz", "ana@example.com")
    );
    // Nobody has a password for them, and nobody can give them one.
    assert!(matches!(
        bench.access.sign_in("ana", "whatever it is", HERE),
        Err(AccessError::SignInFailed)
    ));
    let given = bench
        .access
        .set_password(&machine(), person.name(), "a password of ours", false);
    assert!(matches!(given, Err(AccessError::Elsewhere { .. })));
    // The second time it is the same person; once their groups grant nothing, they are out.
    let begun = oidc.begin(false).unwrap();
    let identity = oidc.finish(&Browser::new().sign_in(&begun, "ana")).unwrap();
    bench.access.sign_in_elsewhere(&identity, HERE).unwrap();
    assert_eq!(bench.access.people().unwrap().len(), 1);
    let fewer = Oidc::discover(OidcConfig {
        grants: Vec::new(),
        ..config(oidc.issuer())
    })
    .unwrap();
    let begun = fewer.begin(false).unwrap();
    let identity = fewer.finish(&Browser::new().sign_in(&begun, "ana")).unwrap();
    let refused = bench.access.sign_in_elsewhere(&identity, HERE);
    assert!(
        matches!(refused, Err(AccessError::NotAllowed { .. })),
        "{refused:?}"
    );
    assert!(
        bench
            .access
            .principal_of_cookie(signed_in.cookie.expose())
            .is_err()
    );
}

#[test]
fn the_same_mail_address_or_name_makes_nobody_somebody_else() {
    let Some((_provider, oidc)) = both("the_same_mail_address") else {
        return;
    };
    let bench = Bench::new();
    let identity = |login: &str| oidc.finish(&Browser::new().sign_in(&oidc.begin(false).unwrap(), login));
    bench
        .access
        .sign_in_elsewhere(&identity("ana").unwrap(), HERE)
        .unwrap();
    let ben = bench
        .access
        .sign_in_elsewhere(&identity("ben").unwrap(), HERE)
        .unwrap();
    assert_eq!(ben.person.name().as_str(), "ben");
    assert!(!ben.person.grants().may(Role::Operator, "shop"));
    let bench = Bench::new();
    let local = NewPerson {
        name: "ana".parse().unwrap(),
        grants: common::grants(&["admin:*"]),
        must_change_password: false,
    };
    bench
        .access
        .add_person(&machine(), &local, common::PASSWORD)
        .unwrap();
    let taken = bench.access.sign_in_elsewhere(&identity("ana").unwrap(), HERE);
    assert!(matches!(taken, Err(AccessError::Taken { .. })), "{taken:?}");
    let odd = bench.access.sign_in_elsewhere(&identity("odd").unwrap(), HERE);
    assert!(matches!(odd, Err(AccessError::Name(_))), "{odd:?}");
    unproved(identity("mute"), "preferred_username");
}

#[test]
fn an_answer_counts_once_in_its_own_browser_and_for_its_own_sign_in() {
    let Some((_provider, oidc)) = both("an_answer_counts_once") else {
        return;
    };
    let (one, two) = (oidc.begin(false).unwrap(), oidc.begin(false).unwrap());
    let answer = Browser::new().sign_in(&one, "ana");
    let unknown = Answer {
        state: "x".to_owned(),
        ..answer.clone()
    };
    assert!(matches!(oidc.finish(&unknown), Err(OidcError::State)));
    let state = two.url.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let mixed = Answer {
        state: state.to_owned(),
        browser: two.browser.expose().to_owned(),
        ..answer.clone()
    };
    // Another sign-in's verifier does not fit the code (PKCE); the provider then drops the code.
    assert!(matches!(oidc.finish(&mixed), Err(OidcError::Refused { .. })));
    let begun = oidc.begin(false).unwrap();
    let answer = Browser::new().sign_in(&begun, "ana");
    oidc.finish(&answer).unwrap();
    assert!(matches!(oidc.finish(&answer), Err(OidcError::State)), "replayed");
    let begun = oidc.begin(false).unwrap();
    let stolen = Answer {
        browser: String::new(),
        ..Browser::new().sign_in(&begun, "ana")
    };
    assert!(matches!(oidc.finish(&stolen), Err(OidcError::OtherBrowser)));
}

#[test]
fn a_code_that_is_too_old_and_a_sign_in_that_takes_too_long_are_refused() {
    let Some((mut provider, _)) = both("a_code_that_is_too_old") else {
        return;
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let clock = Arc::new(AtomicI64::new(i64::try_from(since.as_nanos()).unwrap()));
    let own = Arc::clone(&clock);
    let now = Arc::new(move || Timestamp(own.load(Ordering::SeqCst)));
    let oidc = Oidc::discover_with(config(&provider.issuer), now).unwrap();
    let answer = Browser::new().sign_in(&oidc.begin(false).unwrap(), "ana");
    provider.tell(json!({"do": "clock", "ahead": 61}));
    assert!(matches!(oidc.finish(&answer), Err(OidcError::Refused { .. })));
    provider.tell(json!({"do": "clock", "ahead": -61}));
    let answer = Browser::new().sign_in(&oidc.begin(false).unwrap(), "ana");
    clock.fetch_add(600_000_000_000, Ordering::SeqCst);
    assert!(matches!(oidc.finish(&answer), Err(OidcError::TooLate)));
}

#[test]
fn another_nonce_is_refused() {
    let Some((_provider, oidc)) = both("another_nonce") else {
        return;
    };
    let begun = oidc.begin(false).unwrap();
    let (before, rest) = begun.url.split_once("nonce=").unwrap();
    let after = rest.split_once('&').map_or("", |(_, after)| after);
    let url = format!("{before}nonce=ofsomebodyelse&{after}");
    let answer = Browser::new().sign_in_at(&url, &begun, "ana");
    unproved(oidc.finish(&answer), "nonce");
}

#[test]
fn an_answer_from_another_issuer_is_refused() {
    let Some((provider, oidc)) = both("an_answer_from_another_issuer") else {
        return;
    };
    for named in [Some("https://evil.example".to_owned()), None] {
        let answer = Browser::new().sign_in(&oidc.begin(false).unwrap(), "ana");
        assert_eq!(answer.issuer.as_ref(), Some(&provider.issuer));
        let mixed = oidc.finish(&Answer {
            issuer: named,
            ..answer
        });
        assert!(matches!(mixed, Err(OidcError::IssuerMixedUp { .. })));
    }
    let other_name = provider.issuer.replace("127.0.0.1", "localhost");
    let lies = Oidc::discover(config(&other_name));
    assert!(matches!(lies, Err(OidcError::Unreachable { .. })), "{lies:?}");
}

#[test]
fn a_forged_token_is_refused_whatever_is_forged() {
    let Some((mut provider, oidc)) = both("a_forged_token") else {
        return;
    };
    let plain = forged(&mut provider, &oidc, json!({"do": "forge", "key": "own"}));
    assert_eq!(plain.unwrap().name(), "ana", "the forger's own way works");
    for (key, claims, word) in [
        ("other", json!({}), "ignature"),
        ("none", json!({}), "No signature"),
        ("secret", json!({}), "lg"),
        ("own", json!({"aud": "somebody-else"}), "audience"),
        ("own", json!({"aud": ["rescind", "somebody-else"]}), "audience"),
        ("own", json!({"iss": "https://evil.example"}), "issuer"),
        ("own", json!({"exp": 1_000_000_000}), "xpired"),
        ("own", json!({"iat": 9_000_000_000_i64}), "future"),
        ("own", json!({"nonce": "x"}), "nonce"),
        (
            "own",
            json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
            "access token",
        ),
    ] {
        let how = json!({"do": "forge", "key": key, "claims": claims});
        unproved(forged(&mut provider, &oidc, how), word);
    }
    let other = forged(
        &mut provider,
        &oidc,
        json!({"do": "forge", "claims": {"sub": "ben"}}),
    );
    assert!(other.is_err(), "the user's data is of another subject");
}

#[test]
fn a_new_key_of_the_provider_is_fetched() {
    let Some((mut provider, oidc)) = both("a_new_key") else {
        return;
    };
    provider.tell(json!({"do": "rotate"}));
    let begun = oidc.begin(false).unwrap();
    let identity = oidc.finish(&Browser::new().sign_in(&begun, "ana")).unwrap();
    assert_eq!(identity.name(), "ana");
}

#[test]
fn fresh_authority_takes_the_password_again() {
    let Some((mut provider, oidc)) = both("fresh_authority") else {
        return;
    };
    let bench = Bench::new();
    let mut browser = Browser::new();
    let first = oidc
        .finish(&browser.sign_in(&oidc.begin(false).unwrap(), "ana"))
        .unwrap();
    let signed_in = bench.access.sign_in_elsewhere(&first, HERE).unwrap();
    oidc.finish(&browser.sign_in(&oidc.begin(false).unwrap(), "ana"))
        .unwrap();
    assert_eq!(browser.asked, 1, "the provider remembers");
    let begun = oidc.begin(true).unwrap();
    // Somebody takes the demand out of the address.
    let tame = begun.url.replace("&prompt=login", "").replace("&max_age=0", "");
    assert_ne!(tame, begun.url);
    unproved(
        oidc.finish(&browser.sign_in_at(&tame, &begun, "ana")),
        "auth_time",
    );
    let begun = oidc.begin(true).unwrap();
    let tame = begun
        .url
        .replace("&prompt=login", "")
        .replace("max_age=0", "max_age=99999");
    provider.tell(json!({"do": "clock", "ahead": 0}));
    let answer = browser.sign_in_at(&tame, &begun, "ana");
    provider.tell(json!({"do": "forge", "claims": {"auth_time": 1_700_000_000}}));
    unproved(oidc.finish(&answer), "anew");
    let again = oidc
        .finish(&browser.sign_in(&oidc.begin(true).unwrap(), "ana"))
        .unwrap();
    assert_eq!(browser.asked, 2);
    bench.pass(rescind_access::FRESH * 2);
    let renewed = bench
        .access
        .reauthenticate_elsewhere(signed_in.cookie.expose(), &again, HERE)
        .unwrap();
    assert!(renewed.person.is_fresh(bench.access.now()));
    let ben = oidc
        .finish(&Browser::new().sign_in(&oidc.begin(true).unwrap(), "ben"))
        .unwrap();
    let other = bench
        .access
        .reauthenticate_elsewhere(renewed.cookie.expose(), &ben, HERE);
    assert!(matches!(other, Err(AccessError::SignInFailed)), "{other:?}");
}

#[test]
fn a_provider_that_is_gone_or_misbehaves_is_an_error_and_no_identity() {
    let Some((mut provider, oidc)) = both("a_provider_that_is_gone") else {
        return;
    };
    for how in ["redirect", "flood"] {
        let bad = forged(&mut provider, &oidc, json!({"do": how}));
        assert!(
            matches!(bad, Err(OidcError::Unreachable { .. })),
            "{how}: {bad:?}"
        );
    }
    let answer = Browser::new().sign_in(&oidc.begin(false).unwrap(), "ana");
    provider.end();
    assert!(matches!(oidc.finish(&answer), Err(OidcError::Unreachable { .. })));
    let gone = Oidc::discover(config(&provider.issuer));
    assert!(matches!(gone, Err(OidcError::Unreachable { .. })));
}

#[test]
fn a_certificate_has_to_be_trusted() {
    let Some(folder) = folder() else {
        println!(
            "skipped: a_certificate_has_to_be_trusted: RESCIND_OIDC names no folder with oidc-provider in it"
        );
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let [key, certificate, both] = ["key", "certificate", "both"].map(|name| scratch.path().join(name));
    let made = Command::new("openssl")
        .args("req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=provider".split(' '))
        .args("-addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE".split(' '))
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pem = fs::read(&certificate).unwrap();
    fs::write(&both, [fs::read(&key).unwrap(), pem.clone()].concat()).unwrap();
    let provider = Provider::start_with(folder, Some(&both));
    let untrusted = Oidc::discover(config(&provider.issuer));
    assert!(
        matches!(untrusted, Err(OidcError::Unreachable { .. })),
        "{untrusted:?}"
    );
    let no_file = OidcConfig {
        ca_file: Some(key),
        ..config(&provider.issuer)
    };
    assert!(matches!(
        Oidc::discover(no_file),
        Err(OidcError::Configuration { .. })
    ));
    let trusting = OidcConfig {
        ca_file: Some(certificate),
        ..config(&provider.issuer)
    };
    let oidc = Oidc::discover(trusting).unwrap();
    let begun = oidc.begin(false).unwrap();
    let answer = Browser::trusting(Some(&pem)).sign_in(&begun, "ana");
    assert_eq!(oidc.finish(&answer).unwrap().name(), "ana");
}

#[test]
fn what_is_not_https_is_not_asked_but_on_this_machine() {
    for (issuer, redirect) in [
        ("http://id.example.com", REDIRECT),
        ("http://127.0.0.1.example.com", REDIRECT),
        ("http://10.0.0.1", REDIRECT),
        ("file:///etc/passwd", REDIRECT),
        ("ftp://localhost", REDIRECT),
        ("id.example.com", REDIRECT),
        ("https://id.example.com", "http://rescind.example.com/callback"),
    ] {
        let wrong = OidcConfig::new(issuer, "rescind", redirect).check();
        assert!(
            matches!(wrong, Err(OidcError::Configuration { .. })),
            "{issuer} {redirect}"
        );
    }
    OidcConfig::new(
        "https://id.example.com",
        "rescind",
        "https://rescind.example.com/callback",
    )
    .check()
    .unwrap();
    OidcConfig::new("http://[::1]:8080", "rescind", "http://localhost:1/callback")
        .check()
        .unwrap();
}
