//! Every kind of somebody.

use super::requests::World;
use rescind_scenarios::{Answer, Ask, Outcome, Visitor, until};
use serde_json::{Value, json};
use std::time::Duration;

/// A domain in which nothing happens.
pub const ELSEWHERE: &str = "weather";
/// The domain of the session that everything is about.
pub const DOMAIN: &str = "payments";

const PLACES: [(&str, &str); 3] = [
    ("*", "everything"),
    (DOMAIN, "payments"),
    (ELSEWHERE, "elsewhere"),
];
const SIGNED: [(&str, &str); 4] = [
    ("viewer", "everything"),
    ("reviewer", "payments"),
    ("operator", "elsewhere"),
    ("admin", "everything"),
];

type Headers<'h> = Vec<(&'static str, &'h str)>;

/// What of somebody matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Nobody knows them.
    Unknown,
    /// A role on a domain.
    Person(&'static str, &'static str),
    /// An admin's cookie in wrong hands.
    Forged,
    /// An agent.
    Agent,
}

/// Somebody.
pub struct Somebody {
    /// For messages.
    pub name: String,
    pub way: Way,
    /// How a forged request is refused.
    pub code: &'static str,
    /// A grant that they may pass on.
    pub grant: &'static str,
    headers: Vec<(&'static str, String)>,
}

impl Somebody {
    fn new(name: impl Into<String>, way: Way, headers: &[(&'static str, &str)]) -> Self {
        Self {
            name: name.into(),
            way,
            code: "",
            grant: "viewer:*",
            headers: headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
        }
    }

    fn bearer(name: impl Into<String>, way: Way, token: &str) -> Self {
        Self::new(name, way, &[("authorization", &format!("Bearer {token}"))])
    }

    /// Send it in their name.
    pub fn send(&self, ask: Ask, port: u16) -> Answer {
        // Of a stream the head is all that is asked for here.
        let ask = self.own(ask);
        let mut coming = ask
            .open(port)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut answer = coming.head.clone();
        if answer.header("content-type") != "text/event-stream" {
            while let Some(line) = coming.line().expect("an answer") {
                answer.body.extend(line);
            }
        }
        answer
    }

    fn own(&self, ask: Ask) -> Ask {
        let headers = self.headers.iter();
        headers.fold(ask, |ask, (name, value)| ask.header(name, value))
    }

    /// What the stream tells them of everything that was, up to now.
    pub fn events(&self, port: u16) -> String {
        let all = self.own(Ask::get("/api/v1/events?from=0"));
        let mut coming = all.open(port).expect("a stream");
        let mut text = String::new();
        // The stream has no end: the last that everybody may see is what was done in the other domain.
        let domains = [ELSEWHERE, DOMAIN].map(|domain| format!("\"domain\":\"{domain}\""));
        while !domains.iter().any(|domain| text.contains(domain)) {
            let line = coming.line().expect("a stream").expect("no end");
            text += &String::from_utf8_lossy(&line);
        }
        text
    }
}

/// All of them.
pub fn crowd(world: &World) -> Vec<Somebody> {
    let mut all = vec![
        Somebody::new("nobody", Way::Unknown, &[]),
        Somebody::bearer("garbage", Way::Unknown, "rsc_api_garbage"),
        Somebody::bearer("an empty token", Way::Unknown, ""),
        Somebody::new(
            "another scheme",
            Way::Unknown,
            &[("authorization", "Basic YWRtaW46YWRtaW4=")],
        ),
        Somebody::new(
            "a made-up cookie",
            Way::Unknown,
            &[("cookie", "rescind=rsc_sign_in_x"), ("x-csrf", "x")],
        ),
    ];
    for (domain, place) in PLACES {
        for role in super::RANKS {
            let name = format!("{role}-{place}");
            let grants = format!("{role}:{domain}");
            let mut own = vec![Somebody::bearer(
                format!("{role} on {place} (token)"),
                Way::Person(role, domain),
                &world.token(&name, &grants),
            )];
            // Hashing passwords takes its time: each role and each place once.
            if SIGNED.contains(&(role, place)) {
                let visitor = Visitor::new(&world.scenario, &world.served, &name, &[&grants]);
                let (token, _) = visitor.token(&name, &[&grants]);
                let signed = [("cookie", visitor.cookie.as_str()), ("x-csrf", &visitor.csrf)];
                own.push(Somebody::bearer(
                    format!("{role} on {place} (own token)"),
                    Way::Person(role, domain),
                    &token,
                ));
                own.push(Somebody::new(
                    format!("{role} on {place} (cookie)"),
                    Way::Person(role, domain),
                    &signed,
                ));
            }
            for mut somebody in own {
                somebody.grant = match domain {
                    "*" => "viewer:*",
                    DOMAIN => "viewer:payments",
                    _ => "viewer:weather",
                };
                all.push(somebody);
            }
        }
    }
    all.extend(gone(world));
    all.extend(forged(world));
    all.extend(agents(world));
    all
}

/// Those whose credentials were good once.
fn gone(world: &World) -> Vec<Somebody> {
    let ann = Visitor::new(&world.scenario, &world.served, "left", &["admin:*"]);
    let (revoked, id) = ann.token("revoked", &["admin:*"]);
    let revoke = format!("/api/v1/me/tokens/{id}");
    ann.asks(Ask::new("DELETE", &revoke)).is(204);
    let (expired, id) = ann.token("expired", &["admin:*"]);
    let store = world.scenario.home().join("control/access.db");
    let end = format!("UPDATE tokens SET expires = made WHERE id = '{id}'");
    Outcome::of(world.scenario.command("sqlite3").arg(store).arg(end)).success();
    let (orphan, _) = ann.token("orphan", &["admin:*"]);
    let form = format!("csrf={}", ann.csrf);
    let out = Ask::new("POST", "/signout").body("application/x-www-form-urlencoded", form);
    ann.asks(out).is(303);
    world
        .scenario
        .tell(&["access", "user", "disable", "left"])
        .success();
    vec![
        Somebody::bearer("a revoked token", Way::Unknown, &revoked),
        Somebody::bearer("an expired token", Way::Unknown, &expired),
        Somebody::bearer("a token of somebody who left", Way::Unknown, &orphan),
        Somebody::new(
            "a cookie after the sign-out",
            Way::Unknown,
            &[("cookie", &ann.cookie), ("x-csrf", &ann.csrf)],
        ),
    ]
}

/// An admin's cookie, used by a page that is not ours.
fn forged(world: &World) -> Vec<Somebody> {
    let bob = &world.admin;
    let other = Visitor::sign_in(&world.served, "bob");
    let kinds: [(&str, &'static str, Headers<'_>); 4] = [
        (
            "a cookie without its word",
            "request-forged",
            vec![("cookie", &bob.cookie)],
        ),
        (
            "a cookie with a made-up word",
            "request-forged",
            vec![("cookie", &bob.cookie), ("x-csrf", "x")],
        ),
        (
            "a cookie with another sign-in's word",
            "request-forged",
            vec![("cookie", &bob.cookie), ("x-csrf", &other.csrf)],
        ),
        (
            "a cookie from another site",
            "not-allowed",
            vec![
                ("cookie", &bob.cookie),
                ("x-csrf", &bob.csrf),
                ("sec-fetch-site", "cross-site"),
            ],
        ),
    ];
    kinds
        .into_iter()
        .map(|(name, code, headers)| Somebody {
            code,
            ..Somebody::new(name, Way::Forged, &headers)
        })
        .collect()
}

fn agents(world: &World) -> Vec<Somebody> {
    let path = format!("/api/v1/sessions/{}/tokens", world.session);
    let issue = |body: &Value| {
        let made = Ask::post(&path, body).token(&world.served.token);
        let made = made.of(world.port).is(201).json();
        let word = |name: &str| made[name].as_str().expect("a text").to_owned();
        (word("token"), word("id"))
    };
    let (revoked, id) = issue(&json!({}));
    world.scenario.tell(&["access", "agent", "revoke", &id]).success();
    let (expiring, _) = issue(&json!({"seconds": 1}));
    until("the end of an agent's token", Duration::from_secs(30), || {
        let answer = Ask::get("/agent/v1/me").token(&expiring).of(world.port);
        (answer.status == 401).then_some(())
    });
    let (good, _) = issue(&json!({}));
    let narrow = Ask::post(
        "/agent/v1/tokens",
        &json!({"agent": "helper", "scopes": ["read:files:/srv/**"]}),
    );
    let narrow = narrow.token(&good).of(world.port).is(201).json();
    vec![
        Somebody::bearer("a revoked agent", Way::Unknown, &revoked),
        Somebody::bearer("an agent whose time is over", Way::Unknown, &expiring),
        Somebody::bearer("an agent", Way::Agent, &good),
        Somebody::bearer(
            "an agent's helper",
            Way::Agent,
            narrow["token"].as_str().expect("a token"),
        ),
    ]
}
