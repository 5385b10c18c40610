//! A server with something in it, and how each operation is asked for.

use super::people::{DOMAIN, ELSEWHERE};
use crate::holds::{configure, place};
use rescind_scenarios::{Answer, Ask, Scenario, Served, Visitor, until};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// All pages and what they load, and who may see them. `nobody`: everybody.
pub const PAGES: &[(&str, &str)] = &[
    ("GET /", "viewer"),
    ("GET /parts/tiles", "viewer"),
    ("GET /parts/holds", "viewer"),
    ("GET /parts/feed", "viewer"),
    ("GET /parts/sessions/{session}", "viewer"),
    ("GET /parts/holds/{action}", "viewer"),
    ("GET /holds", "viewer"),
    ("GET /holds/{action}", "viewer"),
    ("POST /holds/{action}", "reviewer"),
    ("GET /sessions", "viewer"),
    ("GET /sessions/{session}", "viewer"),
    ("GET /sessions/{session}/changes", "viewer"),
    ("GET /sessions/{session}/undo", "viewer"),
    ("POST /sessions/{session}/undo", "operator"),
    ("GET /undos/{job}", "viewer"),
    ("GET /undos/{job}/progress", "viewer"),
    ("GET /actions", "viewer"),
    ("GET /actions/{action}", "viewer"),
    ("GET /stop", "viewer"),
    ("POST /stop", "operator"),
    ("POST /stop/lift", "operator"),
    ("GET /people", "admin"),
    ("POST /people", "admin"),
    ("POST /people/change", "admin"),
    ("POST /people/tokens/revoke", "admin"),
    ("GET /me", "anybody"),
    ("POST /me/password", "anybody"),
    ("POST /me/tokens", "anybody"),
    ("POST /me/tokens/revoke", "anybody"),
    ("POST /me/sign-ins/end", "anybody"),
    ("GET /record", "viewer"),
    ("GET /errors/{code}", "nobody"),
    ("GET /signin", "nobody"),
    ("POST /signin", "nobody"),
    ("POST /signin/first", "nobody"),
    ("GET /signin/oidc", "nobody"),
    ("GET /signin/back", "nobody"),
    ("POST /signout", "anybody"),
    ("GET /assets/{name}", "nobody"),
    ("GET /console/changes", "viewer"),
    ("GET /api/v1/openapi.json", "nobody"),
];

/// What a request is about.
pub struct Ids {
    pub session: String,
    pub action: String,
    pub digest: String,
    pub job: u64,
}

/// What is asked for.
pub struct Wanted<'w> {
    pub operation: &'w str,
    /// A grant that whoever asks may pass on.
    pub own_grant: &'w str,
}

/// A server, and a session in a domain, one action of which waits.
pub struct World {
    pub scenario: Scenario,
    pub served: Served,
    pub port: u16,
    pub session: String,
    action: String,
    digest: String,
    running: Child,
    victim: String,
    /// Somebody whose cookie is used by others.
    pub admin: Visitor,
    number: AtomicUsize,
}

impl World {
    pub fn new() -> Self {
        let scenario = place();
        configure(
            &scenario,
            "server.toml",
            "[limits]\nrequests_per_minute = 1000000\nsign_ins_per_minute = 10000\n",
        );
        let served = Served::start(&scenario, &[]);
        let port = served.port();
        let arguments = ["run", "--domain", DOMAIN, "--agent", "alpha", "--", "sh", "-c"];
        let mut command = scenario.rescind(&arguments);
        command.arg("echo x > f; kubectl delete ns drone");
        let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let token = &served.token;
        let hold = until("a hold", SOON, || {
            let holds = Ask::get("/api/v1/holds").token(token).of(port).is(200).json();
            holds["items"].as_array().and_then(|items| items.first().cloned())
        });
        let word = |name: &str| hold[name].as_str().expect("a text").to_owned();
        let action = word("action");
        let session = action.split_once('.').expect("a number").0.to_owned();
        let other = ["run", "--domain", ELSEWHERE, "--", "sh", "-c", "echo rain > sky"];
        scenario.tell(&other).success();
        until("the index", SOON, || {
            let path = format!("/api/v1/actions/{action}");
            let seen = |path: &str| Ask::get(path).token(token).of(port).status == 200;
            seen(&path).then_some(())
        });
        let admin = Visitor::new(&scenario, &served, "bob", &["admin:*"]);
        let victim = admin.token("victim", &["viewer:*"]).1;
        let undo = Ask::post(
            &format!("/api/v1/sessions/{session}/undos"),
            &json!({"plan": "none"}),
        );
        assert_eq!(undo.token(token).of(port).is(202).json()["job"], 1);
        let world = Self {
            digest: word("digest"),
            running: running.expect("a supervisor"),
            number: AtomicUsize::new(0),
            scenario,
            port,
            session,
            action,
            served,
            victim,
            admin,
        };
        until("the undo's end", SOON, || {
            let job = world.first(Ask::get("/api/v1/undos/1")).json();
            (job["state"] != "running").then_some(())
        });
        world
    }

    fn first(&self, ask: Ask) -> Answer {
        ask.token(&self.served.token).of(self.port)
    }

    /// A token with these grants that belongs to nobody.
    pub fn token(&self, name: &str, grants: &str) -> String {
        let new = json!({"name": name, "grants": [grants]});
        let made = self.first(Ask::post("/api/v1/me/tokens", &new)).is(201).json();
        made["token"].as_str().expect("a token").to_owned()
    }

    /// What is there.
    pub fn ids(&self) -> Ids {
        Ids {
            session: self.session.clone(),
            action: self.action.clone(),
            digest: self.digest.clone(),
            job: 1,
        }
    }

    /// The same for what was never there.
    pub fn nothing(&self) -> Ids {
        let end = self.session.chars().last().expect("a name");
        let another = if end == '0' { '1' } else { '0' };
        let session = format!("{}{another}", &self.session[..self.session.len() - 1]);
        Ids {
            action: self.action.replace(&self.session, &session),
            session,
            digest: self.digest.clone(),
            job: 987_654,
        }
    }

    /// Everything that somebody could have changed.
    pub fn state(&self) -> Value {
        let get = |path: &str| self.first(Ask::get(path)).is(200).json();
        let only = |list: &Value, names: &[&str]| {
            let rows = list.as_array().expect("a list").iter();
            let rows = rows.map(|row| names.iter().map(|name| row[name].clone()).collect::<Vec<_>>());
            json!(rows.collect::<Vec<_>>())
        };
        let control = get("/api/v1/control");
        let people = get("/api/v1/people");
        let sessions = get("/api/v1/sessions");
        let tokens = get("/api/v1/tokens");
        json!({
            "people": people,
            "tokens": only(&tokens, &["id", "name", "owner", "grants", "expires"]),
            "stops": control["stops"],
            "gateways": only(&control["gateways"], &["session", "domain", "order"]),
            "holds": get("/api/v1/holds"),
            "sessions": only(&sessions["items"], &["session", "state", "actions"]),
            "undos": get(&format!("/api/v1/sessions/{}/undos", self.session)),
            "jobs": self.first(Ask::get("/api/v1/undos/2")).status,
        })
    }

    /// A page's request, with a form that has no field.
    pub fn page(&self, method: &str, path: &str) -> Ask {
        let path = path
            .replace("{session}", &self.session)
            .replace("{action}", &self.action)
            .replace("{job}", "1")
            .replace("{code}", "not-found")
            .replace("{name}", "console.css");
        match method {
            "POST" => Ask::new(method, &path).body("application/x-www-form-urlencoded", "csrf=x&a=b"),
            _ => Ask::new(method, &path),
        }
    }

    /// Stop the session, for a reason that is returned.
    pub fn stopped_elsewhere(&self) -> String {
        let why = "the ledger of payments looks odd";
        let body = json!({"scope": {"session": self.session}, "mode": "pause", "why": why});
        self.first(Ask::post("/api/v1/control/kills", &body)).is(200);
        why.to_owned()
    }

    /// End the session.
    pub fn end(mut self) {
        let body = json!({"scope": {"everything": true}, "mode": "kill"});
        self.first(Ask::post("/api/v1/control/kills", &body)).is(200);
        until("the session's end", SOON, || {
            self.running.try_wait().expect("a child")
        });
        let log =
            std::fs::read_to_string(self.scenario.scratch().join("serve.log")).expect("the server's log");
        assert!(!log.contains("panic") && !log.contains("rsc_"), "{log}");
        assert!(self.served.stop(), "the server ends well");
    }
}

/// How an operation is asked for: what would do harm for those who may not, what does none for those who may.
pub fn ask(world: &World, wanted: &Wanted<'_>, harmful: bool) -> Ask {
    request(world, wanted, &world.ids(), harmful)
}

/// The same about something else.
pub fn ask_about(world: &World, wanted: &Wanted<'_>, ids: &Ids) -> Ask {
    request(world, wanted, ids, true)
}

fn request(world: &World, wanted: &Wanted<'_>, ids: &Ids, harmful: bool) -> Ask {
    let number = || world.number.fetch_add(1, Ordering::Relaxed);
    let (method, path) = wanted.operation.split_once(' ').expect("a method");
    let token = || {
        if harmful {
            return world.victim.clone();
        }
        let new = json!({"name": format!("throwaway{}", number()), "grants": ["viewer:*"]});
        let made = world.first(Ask::post("/api/v1/me/tokens", &new)).is(201).json();
        made["info"]["id"].as_str().expect("an id").to_owned()
    };
    let mut own = path
        .replace("{session}", &ids.session)
        .replace("{action}", &ids.action)
        .replace("{job}", &ids.job.to_string())
        .replace("{name}", "bob");
    if own.contains("{id}") {
        own = own.replace("{id}", &token());
    }
    assert!(!own.contains('{'), "nobody said what stands for a part of {path}");
    let scope = json!({"session": ids.session});
    let body = match wanted.operation {
        "POST /agent/v1/tokens" => json!({"agent": "helper"}),
        "POST /api/v1/control/kills" => {
            json!({"scope": scope, "mode": if harmful { "kill" } else { "pause" }, "why": "a test"})
        }
        "POST /api/v1/control/lifts" => json!({"scope": scope, "why": "a test"}),
        "POST /api/v1/holds/{action}/decisions" => {
            let digest = if harmful { &ids.digest } else { "another" };
            json!({"decision": "approve", "digest": digest})
        }
        "POST /api/v1/me/tokens" => json!({"name": "one more", "grants": [wanted.own_grant]}),
        "POST /api/v1/people" => {
            json!({"name": format!("new{}", number()), "password": "correct horse battery", "grants": []})
        }
        "PATCH /api/v1/people/{name}" if harmful => json!({"disabled": true}),
        "PATCH /api/v1/people/{name}" => json!({}),
        "POST /api/v1/sessions/{session}/tokens" => json!({}),
        "POST /api/v1/sessions/{session}/undos" => json!({"plan": "another"}),
        _ => {
            let alone = wanted.operation == "POST /agent/v1/renewals";
            let plain = method == "GET" || method == "DELETE" || alone;
            assert!(plain, "nobody said what {} is sent with", wanted.operation);
            return Ask::new(method, &own);
        }
    };
    Ask::new(method, &own).json(&body)
}
