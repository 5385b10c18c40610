//! Who reaches what: every operation of the API's own document, and every page, by every kind of somebody.

mod people;
mod requests;

use people::{Somebody, Way, crowd};
use requests::{PAGES, Wanted, World, ask};
use rescind_scenarios::{Answer, Ask, proved};
use serde_json::Value;
use std::collections::BTreeSet;

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    role: String,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it is about one session or action.
    fn has_object(&self) -> bool {
        ["{session}", "{action}", "{job}"]
            .iter()
            .any(|part| self.path.contains(part))
    }

    fn is_safe(&self) -> bool {
        self.method == "GET"
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let role = operation["x-rescind-role"].as_str();
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                role: role
                    .unwrap_or_else(|| panic!("{method} {path} says no role"))
                    .to_owned(),
            });
        }
    }
    all
}

/// What must come of it.
#[derive(Debug, PartialEq, Eq)]
enum Must {
    /// Not known: 401.
    SignIn,
    /// Known, and may not: 403 with this code.
    NotMay(&'static str),
    /// It looks as if there were nothing.
    NotThere,
    /// It is not refused for who asks.
    Reach,
    /// It may be reached, or refused: the domain decides, and the operation has a test of its own.
    Either,
}

const RANKS: [&str; 4] = ["viewer", "reviewer", "operator", "admin"];

fn rank(role: &str) -> Option<usize> {
    RANKS.iter().position(|own| *own == role)
}

fn must(operation: &Operation, who: &Somebody) -> Must {
    let need = operation.role.as_str();
    if need == "nobody" {
        return Must::Reach;
    }
    let (role, domain) = match &who.way {
        Way::Unknown => return Must::SignIn,
        Way::Agent if need == "agent" => return Must::Reach,
        Way::Agent => return Must::NotMay("not-allowed"),
        Way::Forged if need == "agent" => return Must::SignIn,
        Way::Forged if !operation.is_safe() => return Must::NotMay(who.code),
        Way::Forged => ("admin", "*"),
        Way::Person(role, domain) => (*role, *domain),
    };
    match need {
        // There a cookie is nothing: only a token can be an agent's.
        "agent" if who.name.ends_with("(cookie)") => return Must::SignIn,
        "agent" => return Must::NotMay("not-allowed"),
        "anybody" => return Must::Reach,
        _ => {}
    }
    if rank(role).expect("a role") < rank(need).unwrap_or_else(|| panic!("no role `{need}`")) {
        return Must::NotMay("not-allowed");
    }
    if domain == "*" {
        return Must::Reach;
    }
    if operation.path == "/metrics" {
        return Must::NotMay("not-allowed");
    }
    if need == "admin" {
        return Must::Either;
    }
    let about_one = operation.has_object() || operation.path.starts_with("/api/v1/control/");
    if domain == people::ELSEWHERE && about_one {
        return Must::NotThere;
    }
    Must::Reach
}

fn check(operation: &Operation, who: &Somebody, answer: &Answer, must: &Must) -> Result<(), String> {
    let code = || serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].clone();
    let right = match must {
        Must::SignIn => answer.status == 401 && code() == "not-signed-in",
        Must::NotMay(own) => answer.status == 403 && code() == *own,
        Must::NotThere => answer.status == 404,
        Must::Reach => {
            let unfresh = answer.status == 403 && code() == "sign-in-not-fresh";
            // Of one's own tokens others' are none.
            let not_own = answer.status == 404 && operation.path == "/api/v1/me/tokens/{id}";
            // A decision is a person's: a token that belongs to nobody has the role, and is told so.
            let nobodys = answer.status == 403 && answer.text().contains("belongs to nobody");
            let reached = ![401, 403, 404, 429].contains(&answer.status) && answer.status < 500;
            reached || unfresh || not_own || nobodys && who.name.ends_with("(token)")
        }
        Must::Either => answer.status != 401 && answer.status < 500,
    };
    if right {
        return Ok(());
    }
    Err(format!(
        "{} by {}: {must:?}, but it is {}: {}",
        operation.name(),
        who.name,
        answer.status,
        answer.text()
    ))
}

#[test]
fn every_operation_is_reached_by_whom_it_is_for_and_by_nobody_else() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let printed = world
        .scenario
        .tell(&["serve", "--openapi"])
        .success()
        .out()
        .parse::<Value>();
    assert_eq!(printed.expect("JSON"), document, "both documents are the same");
    let operations = operations(&document);
    assert!(
        operations.len() > 30,
        "the document has {} operations",
        operations.len()
    );
    let crowd = crowd(&world);
    let (mut faults, mut refused, mut reached) = (Vec::new(), 0, 0);
    let before = world.state();
    // First everybody who may not: nothing may have changed then. Afterwards those who may.
    for denied in [true, false] {
        for operation in &operations {
            for who in &crowd {
                let must = must(operation, who);
                if denied == matches!(must, Must::Reach | Must::Either) {
                    continue;
                }
                let wanted = Wanted {
                    operation: &operation.name(),
                    own_grant: who.grant,
                };
                let answer = who.send(ask(&world, &wanted, denied), world.port);
                if let Err(fault) = check(operation, who, &answer, &must) {
                    faults.push(fault);
                }
                *(if denied { &mut refused } else { &mut reached }) += 1;
            }
        }
        if denied {
            let after = world.state();
            assert_eq!(after, before, "somebody who may not changed something");
        }
    }
    assert!(
        faults.is_empty(),
        "{}\n{} faults",
        faults.join("\n"),
        faults.len()
    );
    world.end();
    proved(
        "5 access",
        format!(
            "{} operations, {} kinds of somebody: {refused} refused with nothing changed, {reached} let through",
            operations.len(),
            crowd.len()
        ),
    );
}

#[test]
fn every_page_is_listed_and_shows_nothing_to_whom_it_is_not_for() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let routed: BTreeSet<&str> = document["x-rescind-pages"]
        .as_array()
        .expect("the pages")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let listed: BTreeSet<&str> = PAGES.iter().map(|(page, _)| *page).collect();
    assert_eq!(
        routed, listed,
        "every page stands in the table of this test, with who may see it"
    );
    let crowd = crowd(&world);
    let before = world.state();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for (page, role) in PAGES {
        let (method, path) = page.split_once(' ').expect("a method");
        for who in &crowd {
            let person = matches!(who.way, Way::Person(..));
            if person && (method == "POST" || *role != "nobody") || (matches!(who.way, Way::Forged)) {
                continue;
            }
            let answer = who.send(world.page(method, path), world.port);
            tried += 1;
            let in_public = *role == "nobody";
            let to_sign_in = answer.status == 303 && answer.header("location").starts_with("/signin");
            let refused = to_sign_in || [401, 403].contains(&answer.status);
            // A form without its fields is not understood, whoever sends it.
            let unread = method == "POST" && answer.status == 400;
            if in_public == refused && !unread {
                faults.push(format!("{page} by {}: {}", who.name, answer.status));
            }
            if !in_public && answer.text().contains(&world.session) && answer.status == 200 {
                faults.push(format!("{page} by {} shows the session", who.name));
            }
        }
    }
    // Forms that come from elsewhere, or with another sign-in's word.
    for (page, _) in PAGES.iter().filter(|(page, _)| page.starts_with("POST ")) {
        let path = page.split_once(' ').expect("a method").1;
        if path.starts_with("/signin") {
            continue;
        }
        for who in crowd.iter().filter(|who| matches!(who.way, Way::Forged)) {
            let answer = who.send(world.page("POST", path), world.port);
            tried += 1;
            if ![400, 403].contains(&answer.status) {
                faults.push(format!("{page} by {}: {}", who.name, answer.status));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(world.state(), before, "a page changed something");
    world.end();
    proved(
        "5 access",
        format!(
            "{} pages, {tried} requests of people they are not for",
            PAGES.len()
        ),
    );
}

#[test]
fn what_is_in_another_domain_looks_like_what_does_not_exist() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let crowd = crowd(&world);
    let elsewhere =
        |who: &&Somebody| matches!(who.way, Way::Person(_, domain) if domain == people::ELSEWHERE);
    let none = world.nothing();
    let mut compared = 0;
    for operation in operations(&document) {
        if rank(&operation.role).is_none() {
            continue;
        }
        for who in crowd.iter().filter(elsewhere) {
            let wanted = Wanted {
                operation: &operation.name(),
                own_grant: who.grant,
            };
            let about_one = operation.has_object() || operation.path.starts_with("/api/v1/control/");
            if about_one {
                let of = |ids: &requests::Ids| {
                    let answer = who.send(requests::ask_about(&world, &wanted, ids), world.port);
                    let text = answer
                        .text()
                        .replace(&ids.action, "ACTION")
                        .replace(&ids.session, "SESSION")
                        .replace(&format!("number {} ", ids.job), "number JOB ");
                    let mut headers = answer.headers.clone();
                    headers.retain(|(name, _)| name != "date" && name != "content-length");
                    (answer.status, headers, text)
                };
                assert_eq!(
                    of(&world.ids()),
                    of(&none),
                    "{} by {}",
                    operation.name(),
                    who.name
                );
                compared += 1;
            } else if operation.is_safe() && !operation.path.ends_with("/events") {
                let text = who.send(ask(&world, &wanted, true), world.port).text();
                assert!(
                    !text.contains(&world.session),
                    "{} by {}: {text}",
                    operation.name(),
                    who.name
                );
            }
        }
    }
    let stops = world.stopped_elsewhere();
    for who in crowd.iter().filter(elsewhere) {
        let text = who.send(Ask::get("/api/v1/control"), world.port).text();
        assert!(!text.contains(&stops), "{} sees a stop: {text}", who.name);
        let stream = who.events(world.port);
        assert!(
            !stream.contains(&world.session),
            "{} reads events: {stream}",
            who.name
        );
    }
    let own = crowd
        .iter()
        .find(|who| who.name == "viewer on payments (token)")
        .expect("a viewer");
    assert!(own.events(world.port).contains(&world.session));
    world.end();
    proved(
        "5 access",
        format!("{compared} answers about another domain are as about nothing"),
    );
}
