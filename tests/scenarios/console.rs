//! The console in a real browser: what people see, decide, stop and take back.

mod deciding;

use crate::holds::{Running, done, hold, name, place};
use rescind_scenarios::{Browser, Person, Scenario, Served, proved, until};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery";

/// A server, and its first person, signed in.
fn begin<'b>(scenario: &Scenario, browser: &'b Browser) -> (Served, Person<'b>) {
    let served = Served::start(scenario, &[]);
    let ann = browser.person("ann");
    ann.open(&served.page("/signin"));
    ann.fill("The token", &served.token);
    ann.fill("Your name", "ann");
    ann.fill("A password", PASSWORD);
    ann.click("button", "Begin");
    ann.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
    (served, ann)
}

fn sign_in(person: &Person<'_>, name: &str, password: &str) {
    person.fill("Name", name);
    person.fill("Password", password);
    person.click("button", "Sign in");
}

/// A mark that a reload would take away.
fn mark(person: &Person<'_>) {
    person.does(json!({"do": "value", "script": "window.__mark = 1"}));
}

fn is_marked(person: &Person<'_>) -> bool {
    person.does(json!({"do": "value", "script": "window.__mark === 1"})) == json!(true)
}

#[test]
fn a_session_is_seen_as_it_happens_approved_in_the_browser_and_undone_there() {
    let Some(browser) = Browser::start("a session in the console") else {
        return;
    };
    let scenario = place();
    scenario.write("config.ini", "mode = careful\n");
    let before = scenario.manifest();
    let (served, ann) = begin(&scenario, &browser);
    ann.open(&served.page("/"));
    ann.sees("No agent has done anything yet");
    ann.does(json!({"do": "wait", "text": "live", "exact": true}));
    mark(&ann);
    let running = Running::new(
        &scenario,
        "sed -i s/careful/reckless/ config.ini; kubectl delete ns drone; echo more > made; echo end $?",
    );
    ann.does(json!({"do": "wait", "role": "link", "name": "sed -i s/careful/reckless/ config.ini"}));
    ann.does(
        json!({"do": "wait", "within": ".holds-box", "role": "link", "name": "kubectl delete ns drone"}),
    );
    assert!(is_marked(&ann), "both came without a reload");
    assert_eq!(done(&scenario), "", "it ran before anybody decided");
    ann.does(
        json!({"do": "click", "within": ".holds-box", "role": "link", "name": "kubectl delete ns drone"}),
    );
    ann.sees("May this run?");
    ann.click("button", "Approve once");
    ann.sees("This is decided");
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    assert_eq!(done(&scenario), "delete ns drone\n");
    let session = scenario.runs().pop().expect("a session");
    ann.open(&served.page(&format!("/sessions/{session}")));
    ann.click("link", "Undo…");
    undo(&ann);
    assert_eq!(scenario.read("config.ini"), "mode = careful\n");
    before.assert_same(&scenario.manifest(), "the undo from the browser");
    assert_eq!(scenario.undos().len(), 1);
    ann.has_no_faults();
    scenario.verify();
    proved(
        "1 console",
        "seen live, held, approved and undone in a real browser",
    );
}

/// From the plan to the receipt.
fn undo(person: &Person<'_>) {
    person.click("button", "Undo it, as shown");
    person.does(json!({"do": "wait", "url": "/undos/"}));
    person.sees("It is undone, and proved");
}

#[test]
fn what_is_rejected_in_the_browser_does_not_run_and_the_agent_reads_why() {
    let Some(browser) = Browser::start("a rejection in the console") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    let held = name(&hold(&scenario));
    ann.open(&served.page(&format!("/holds/{held}")));
    ann.fill("A word to the agent", "not on a Friday");
    ann.click("button", "Reject");
    ann.sees("This is decided");
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 137")), (0, true), "{out}{err}");
    assert!(err.contains("not on a Friday"), "{err}");
    assert_eq!(done(&scenario), "");
    ann.has_no_faults();
    proved(
        "1 console",
        "rejected in a real browser: nothing ran, and the agent read why",
    );
}

#[test]
fn signing_in_leads_where_one_wanted_to_go_and_signing_out_ends_it() {
    let Some(browser) = Browser::start("sign-ins in the console") else {
        return;
    };
    let scenario = Scenario::new();
    let served = Served::start(&scenario, &[]);
    let ann = browser.person("ann");
    ann.open(&served.page("/"));
    ann.sees("Nobody is here yet");
    ann.fill("The token", "rsc_api_wrong");
    ann.fill("Your name", "ann");
    ann.fill("A password", PASSWORD);
    ann.click("button", "Begin");
    ann.does(json!({"do": "wait", "role": "alert"}));
    ann.fill("The token", &served.token);
    ann.fill("A password", PASSWORD);
    ann.click("button", "Begin");
    ann.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
    let cookies = ann.does(json!({"do": "cookies"}));
    let cookies = cookies.as_array().expect("cookies");
    for cookie in cookies {
        assert_eq!(
            (&cookie["httpOnly"], &cookie["sameSite"]),
            (&json!(true), &json!("Strict")),
            "{cookie}"
        );
    }
    let old = cookies.iter().map(|own| {
        format!(
            "{}={}",
            own["name"].as_str().unwrap_or_default(),
            own["value"].as_str().unwrap_or_default()
        )
    });
    let old = old.collect::<Vec<_>>().join("; ");
    assert!(
        answer(&served, "/sessions", &old).starts_with("HTTP/1.1 200"),
        "the cookie is what signs in"
    );
    ann.click("button", "Sign out");
    ann.does(json!({"do": "wait", "url": "/signin"}));
    let after = answer(&served, "/sessions", &old);
    assert!(
        after.starts_with("HTTP/1.1 303") && after.contains("/signin"),
        "a kept cookie is worth nothing: {after}"
    );
    ann.open(&served.page("/sessions?state=running"));
    sign_in(&ann, "ann", "not the password");
    ann.does(json!({"do": "wait", "role": "alert"}));
    sign_in(&ann, "ann", PASSWORD);
    ann.does(json!({"do": "wait", "url": "/sessions?state=running"}));
    ann.has_no_faults();
}

/// The head of what a page answers to a cookie.
fn answer(served: &Served, path: &str, cookie: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", served.port())).expect("the server");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n",
        &served.url[7..]
    )
    .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split("\r\n\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn a_session_is_stopped_in_two_steps_and_never_in_one() {
    let Some(browser) = Browser::start("the kill control of the console") else {
        return;
    };
    let scenario = Scenario::new();
    let (served, ann) = begin(&scenario, &browser);
    let mut child = scenario.start("trap '' TERM; while :; do sleep 0.05; date > clock; done");
    let session = until("a session", SOON, || scenario.runs().pop());
    ann.open(&served.page("/"));
    ann.does(json!({"do": "click", "role": "link", "name": "Stop…"}));
    ann.does(json!({"do": "click", "label": "One session", "exact": true}));
    ann.fill("One session: which", &session);
    ann.fill("Why", "it rewrites the clock");
    ann.click("button", "Next: see what will stop");
    ann.sees("Leave it");
    assert!(
        child.try_wait().expect("a child").is_none(),
        "one step stops nothing"
    );
    let ticks = scenario.path("clock");
    let age = || std::fs::metadata(&ticks).and_then(|about| about.modified()).ok();
    let then = age();
    until("it to go on", SOON, || (age() != then).then_some(()));
    ann.click("button", "Kill 1 session now");
    ann.sees("Nothing in this scope goes on");
    let status = until("its end", SOON, || child.try_wait().expect("a child"));
    assert!(!status.success());
    ann.open(&served.page(&format!("/sessions/{session}")));
    ann.does(json!({"do": "wait", "text": "killed", "exact": true}));
    ann.has_no_faults();
    proved("1 console", "killed from the console, in two steps");
}

#[test]
fn a_hold_is_found_and_approved_with_the_keyboard_alone() {
    let Some(browser) = Browser::start("the console by keyboard") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(&scenario, "kubectl delete ns drone");
    hold(&scenario);
    ann.open(&served.page("/sessions"));
    ann.presses("g");
    ann.presses("h");
    ann.sees("kubectl delete ns drone");
    ann.presses("j");
    ann.presses("Enter");
    ann.sees("May this run?");
    let keys = ann.tabs_to("button", "Approve once");
    ann.presses("Enter");
    ann.sees("This is decided");
    assert_eq!(running.end().0, 0);
    ann.open(&served.page("/"));
    ann.tabs_to("link", "Stop…");
    ann.has_no_faults();
    proved(
        "1 console",
        format!("approved without a mouse, {keys} tabs from the page's top"),
    );
}

#[test]
fn at_night_on_a_phone_a_hold_says_what_and_its_buttons_are_in_reach_at_once() {
    let Some(browser) = Browser::start("a hold on a phone") else {
        return;
    };
    let scenario = place();
    for number in 0..40 {
        scenario.write(format!("src/f{number}.rs"), "fn f() {}\n");
    }
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(
        &scenario,
        "kubectl delete ns drone --cascade=foreground --wait=true",
    );
    let held = name(&hold(&scenario));
    ann.does(json!({"do": "look", "width": 360, "height": 740, "theme": "dark"}));
    ann.open(&served.page(&format!("/holds/{held}")));
    for (role, name) in [
        ("button", "Approve once"),
        ("button", "Reject"),
        ("link", "Stop the agent…"),
        ("region", "The command"),
    ] {
        let place = ann.does(json!({"do": "place", "role": role, "name": name}));
        assert_eq!(place["seen"], json!(true), "{name} is not in view: {place}");
        if role != "region" {
            assert!(
                place["height"].as_f64() >= Some(44.0),
                "{name} is hard to hit: {place}"
            );
        }
    }
    ann.click("button", "Approve once");
    ann.sees("This is decided");
    assert_eq!(running.end().0, 0);
    ann.has_no_faults();
    proved("1 console", "decided at 360 px without scrolling");
}

#[test]
fn who_may_only_look_sees_no_button_that_decides_or_stops() {
    let Some(browser) = Browser::start("a viewer in the console") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    ann.open(&served.page("/people"));
    ann.does(json!({"do": "fill", "selector": "#a-name", "value": "vic"}));
    ann.does(json!({"do": "fill", "selector": "#a-password", "value": PASSWORD}));
    ann.does(json!({"do": "fill", "selector": "#a-grants", "value": "viewer:*"}));
    ann.does(json!({"do": "click", "role": "button", "name": "Add", "exact": true}));
    ann.does(json!({"do": "wait", "text": "vic", "exact": true}));
    let running = Running::new(&scenario, "kubectl delete ns drone");
    let held = name(&hold(&scenario));
    let vic = browser.person("vic");
    vic.open(&served.page(&format!("/holds/{held}")));
    sign_in(&vic, "vic", PASSWORD);
    // The first password was given by somebody else: one of their own comes before anything else.
    vic.sees("take one of your own first");
    vic.does(json!({"do": "fill", "selector": "input[autocomplete='current-password']", "value": PASSWORD}));
    vic.does(json!({"do": "fill", "selector": "input[autocomplete='new-password']", "value": "another long password"}));
    vic.presses("Enter");
    vic.does(json!({"do": "wait", "text": "take one of your own first", "gone": true}));
    vic.open(&served.page(&format!("/holds/{held}")));
    vic.sees("May this run?");
    for (role, name) in [
        ("button", "Approve once"),
        ("button", "Reject"),
        ("link", "Stop…"),
        ("link", "People"),
    ] {
        let count = vic.does(json!({"do": "count", "role": role, "name": name, "exact": true}));
        assert_eq!(count, json!(0), "{name}");
    }
    assert_eq!(vic.open(&served.page("/people")), 403);
    scenario.tell(&["approve", &held]).success();
    vic.open(&served.page("/holds"));
    assert_eq!(running.end().0, 0);
}

#[test]
fn a_page_lives_on_when_the_server_comes_back_and_what_waited_is_decided() {
    let Some(browser) = Browser::start("a server that comes back") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    ann.open(&served.page("/"));
    ann.does(json!({"do": "wait", "text": "live", "exact": true}));
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    ann.does(
        json!({"do": "wait", "within": ".holds-box", "role": "link", "name": "kubectl delete ns drone"}),
    );
    mark(&ann);
    let port = served.port();
    served.kill();
    ann.sees("no server");
    let served = Served::on(&scenario, port, &[]);
    assert_eq!(served.token, "", "the first token is printed once");
    ann.does(json!({"do": "wait", "text": "live", "exact": true}));
    assert!(is_marked(&ann), "without a reload");
    ann.does(json!({"do": "faults"}));
    ann.does(
        json!({"do": "click", "within": ".holds-box", "role": "link", "name": "kubectl delete ns drone"}),
    );
    ann.click("button", "Approve once");
    ann.sees("This is decided");
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    ann.has_no_faults();
    proved(
        "1 console",
        "the server was killed while something waited; decided after it came back",
    );
}

#[test]
fn every_page_is_right_in_both_themes_and_on_a_phone() {
    let Some(browser) = Browser::start("every page of the console") else {
        return;
    };
    let scenario = place();
    for number in 0..30 {
        scenario.write(
            format!("src/f{number}.rs"),
            format!("fn f{number}() {{}}\n").repeat(20),
        );
    }
    let mut wrong = Vec::new();
    let mut right = |person: &Person<'_>, url: &str, name: &str| wrong.extend(person.judges(url, name));
    let served = Served::start(&scenario, &[]);
    let ann = browser.person("ann");
    right(&ann, &served.page("/signin"), "first");
    drop((ann, served));
    // The token is printed once: a state directory of its own for the rest.
    let scenario = place();
    for number in 0..30 {
        scenario.write(
            format!("src/f{number}.rs"),
            format!("fn f{number}() {{}}\n").repeat(20),
        );
    }
    let (served, ann) = begin(&scenario, &browser);
    right(
        &browser.person("nobody"),
        &served.page("/signin?next=%2Fholds"),
        "signin",
    );
    right(&ann, &served.page("/"), "now-empty");
    scenario.run(
        "for f in src/*.rs; do sed -i 's/fn/pub fn/' $f; done; rm src/f3.rs; mkdir -p a/b; echo new > a/b/new; \
         false; cat /nowhere; echo 'a very long line '$(seq 300)",
    );
    let session = scenario.runs().pop().expect("a session");
    let running = Running::new(
        &scenario,
        "rm -rf src; kubectl delete namespace payments-production-eu-central-1 --cascade=foreground",
    );
    let held = name(&hold(&scenario));
    let action = format!("{session}.2");
    for (path, name) in [
        ("/", "now"),
        ("/holds", "holds"),
        (&*format!("/holds/{held}"), "hold"),
        ("/sessions", "sessions"),
        ("/sessions?state=running&text=nothing", "sessions-none"),
        (&*format!("/sessions/{session}"), "session"),
        (&*format!("/sessions/{session}/undo"), "plan"),
        (&*format!("/sessions/{session}/changes"), "changes"),
        ("/actions", "actions"),
        (&*format!("/actions/{action}"), "action"),
        ("/stop", "stop"),
        ("/people", "people"),
        ("/me", "me"),
        ("/record", "record"),
        ("/nowhere", "nowhere"),
    ] {
        right(&ann, &served.page(path), name);
    }
    wrong.extend(deciding::all_choices(
        &ann,
        &served.page(&format!("/holds/{held}")),
    ));
    let mut right = |person: &Person<'_>, url: &str, name: &str| wrong.extend(person.judges(url, name));
    ann.open(&served.page(&format!("/holds/{held}")));
    ann.click("button", "Reject");
    ann.sees("This is decided");
    right(&ann, &served.page(&format!("/holds/{held}")), "decided");
    running.end();
    assert_eq!(wrong, [""; 0]);
    proved(
        "2 console",
        "axe, width, shifts and faults of every page, in both themes and widths",
    );
}
