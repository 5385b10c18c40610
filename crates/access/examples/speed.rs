//! How long proving who somebody is takes, with many tokens in the file: `cargo run --release --example speed -p rescind-access`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement may panic"
)]

use rescind_access::{Access, Authority, Change, Grants, NewAgent, NewPerson, NewToken, RecordError};
use rescind_model::{Scopes, SessionId};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOKENS: u32 = 2_000;
const TRIES: usize = 20_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = |_: &Change| -> Result<(), RecordError> { Ok(()) };
    let access = Access::open(&folder.path().join("access.db"), Arc::new(nowhere)).unwrap();
    let by = Authority::Machine("bench".to_owned());
    let grants: Grants = ["operator:payments", "viewer:*"]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    let new = NewPerson {
        name: "ana".parse().unwrap(),
        grants: grants.clone(),
        must_change_password: false,
    };
    access.add_person(&by, &new, "a heron at the weir").unwrap();
    let mut secrets = Vec::new();
    for number in 0..TOKENS {
        let new = NewToken::new(&format!("t{number}"), grants.clone());
        secrets.push(access.make_token(&by, &new).unwrap().secret);
        let session = SessionId::new(1_795_255_200_000, number);
        let new = NewAgent::new(session, "agent", "payments", Scopes::all());
        secrets.push(access.issue_agent(&by, &new).unwrap().secret);
    }
    let cookie = access
        .sign_in("ana", "a heron at the weir", "192.0.2.1")
        .unwrap()
        .cookie;
    measure("API token, agent's token", TRIES, |number| {
        access
            .authenticate(secrets[number % secrets.len()].expose())
            .unwrap();
    });
    measure("the same again", TRIES, |number| {
        access
            .authenticate(secrets[number % secrets.len()].expose())
            .unwrap();
    });
    measure("cookie", TRIES, |_| {
        access.principal_of_cookie(cookie.expose()).unwrap();
    });
    measure("unknown token", TRIES, |_| {
        access.authenticate("rsc_api_x").unwrap_err();
    });
    measure("sign-in", 20, |_| {
        access.sign_in("ana", "a heron at the weir", "192.0.2.1").unwrap();
    });
}

fn measure(what: &str, tries: usize, mut run: impl FnMut(usize)) {
    let mut times: Vec<Duration> = (0..tries)
        .map(|number| {
            let begun = Instant::now();
            run(number);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    println!("{what}: p50 {:?}, p99 {:?}, max {:?}", at(50), at(99), at(100));
}
