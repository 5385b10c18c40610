//! Signing in at a real OpenID Connect provider, through the console, in a real browser: there, its pages, and back. The
//! provider is `localhost` and the server `127.0.0.1`: two sites, as they are for everybody.

use crate::holds::{Running, configure, done, hold, name, place};
use rescind_scenarios::{Ask, Browser, LOOKS, Person, Provider, SECRET, Scenario, Served, proved, until};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// A server whose people come from a provider: who is in `oncall` there reviews here, who is in `sre` operates.
struct World {
    scenario: Scenario,
    provider: Provider,
    served: Served,
}

fn world(what: &str) -> Option<World> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let provider = Provider::start(what, &format!("http://127.0.0.1:{port}/signin/back"))?;
    let scenario = place();
    let secret = scenario.scratch().join("oidc.secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("a secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("chmod");
    let grant = |group: &str, role: &str| {
        format!("[[oidc.grant]]\ngroup = \"{group}\"\nrole = \"{role}\"\ndomain = \"*\"\n\n")
    };
    let text = format!(
        "[oidc]\nissuer = \"{}\"\nclient_id = \"rescind\"\nclient_secret_file = \"{}\"\n\n{}{}",
        provider.issuer,
        secret.display(),
        grant("oncall", "reviewer"),
        grant("sre", "operator")
    );
    configure(&scenario, "server.toml", &text);
    scenario.tell(&["serve", "--check"]).success();
    let served = Served::on(&scenario, port, &[]);
    Some(World {
        scenario,
        provider,
        served,
    })
}

impl World {
    /// Somebody whose browser may be led to the provider.
    fn person<'b>(&self, browser: &'b Browser, name: &str) -> Person<'b> {
        let person = browser.person(name);
        person.does(json!({"do": "trust", "url": self.provider.issuer}));
        person
    }
}

/// Give name and password to the provider's own page.
fn log_in(person: &Person<'_>, account: &str) {
    person.does(json!({"do": "fill", "selector": "input[name=login]", "value": account}));
    person.does(json!({"do": "fill", "selector": "input[name=password]", "value": "any will do there"}));
    person.click("button", "Sign-in");
}

/// From a page of ours with a link to the provider, to being signed in.
fn sign_in(person: &Person<'_>, account: &str) {
    person.click("link", "Sign in with localhost");
    log_in(person, account);
    person.click("button", "Continue");
    person.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
}

/// What went wrong in the browser, but for the font that the provider's own pages want from elsewhere.
fn faults(person: &Person<'_>) -> Vec<String> {
    let all = person.does(json!({"do": "faults"}));
    let all = all
        .as_array()
        .expect("a list")
        .iter()
        .map(|fault| fault.as_str().unwrap_or_default());
    all.filter(|fault| !fault.contains("fonts.googleapis.com") && !fault.contains("ERR_FAILED"))
        .map(str::to_owned)
        .collect()
}

/// The page that says why nobody is signed in: all of it, once nothing is wrong with how it says it.
#[track_caller]
fn refused(person: &Person<'_>, why: &str) -> String {
    let said = person.does(json!({"do": "wait", "role": "alert"}));
    let said = said.as_str().unwrap_or_default();
    assert!(said.contains(why), "{said}");
    person.sees("You are not signed in");
    for (theme, width) in LOOKS {
        person.does(json!({"do": "look", "theme": theme, "width": width}));
        let wrong = person.does(json!({"do": "judge", "shift": false}));
        assert_eq!(wrong, json!([]), "{theme} {width}: {}", person.address());
        if let Some(folder) = std::env::var_os("RESCIND_SHOTS") {
            let name = format!(
                "signin-{}-{theme}-{width}.png",
                why.replace(|own: char| !own.is_alphanumeric(), "-")
            );
            person.shot(&std::path::Path::new(&folder).join(name));
        }
    }
    person.does(json!({"do": "look", "theme": "light", "width": 1440}));
    let page = person.does(json!({"do": "text", "selector": "main"}));
    let page = page.as_str().unwrap_or_default().to_owned();
    assert!(page.contains("Sign in with a password"), "{page}");
    page
}

fn count(person: &Person<'_>, role: &str, name: &str) -> Value {
    person.does(json!({"do": "count", "role": role, "name": name, "exact": true}))
}

/// The status of a request that a page's script sends in somebody's name.
fn sends(person: &Person<'_>, method: &str, path: &str, body: &Value) -> Value {
    let script = format!(
        "fetch('{path}', {{method: '{method}', headers: {{'content-type': 'application/json', \
         'x-csrf': document.querySelector('input[name=csrf]').value}}, body: JSON.stringify({body})}}).then((answer) => answer.status)"
    );
    person.does(json!({"do": "value", "script": script}))
}

#[test]
fn who_signs_in_at_the_provider_may_what_their_groups_are_granted_and_nothing_else() {
    let Some(browser) = Browser::start("a sign-in at a provider") else {
        return;
    };
    let Some(world) = world("a sign-in at a provider") else {
        return;
    };
    let World { scenario, served, .. } = &world;
    let running = Running::new(scenario, "kubectl delete ns drone; echo end $?");
    let held = name(&hold(scenario));
    let session = held.split('.').next().expect("a session").to_owned();
    let rhea = world.person(&browser, "rhea");
    // The very first person of all: no password was ever given here.
    rhea.open(&served.page(&format!("/holds/{held}")));
    rhea.does(json!({"do": "wait", "url": "/signin"}));
    sign_in(&rhea, "rhea");
    rhea.does(json!({"do": "wait", "url": &*format!("/holds/{held}")}));
    rhea.does(json!({"do": "wait", "role": "link", "name": "rhea", "exact": true}));
    let cookies = rhea.does(json!({"do": "cookies"}));
    let ours = cookies.as_array().expect("cookies").iter();
    let ours: Vec<(&str, &str, bool)> = ours
        .filter(|cookie| cookie["domain"] == "127.0.0.1")
        .map(|cookie| {
            let word = |name: &str| cookie[name].as_str().unwrap_or_default();
            (word("name"), word("sameSite"), cookie["httpOnly"] == true)
        })
        .collect();
    assert_eq!(
        ours,
        [("rescind", "Strict", true)],
        "what tied the way back is gone"
    );
    // A reviewer decides, and neither stops nor manages.
    for (role, name) in [("link", "Stop…"), ("link", "People")] {
        assert_eq!(count(&rhea, role, name), json!(0), "{name}");
    }
    let everything = json!({"scope": {"everything": true}, "mode": "kill"});
    for (method, path, body, status) in [
        ("POST", "/api/v1/control/kills", everything.clone(), 403),
        (
            "POST",
            &*format!("/api/v1/sessions/{session}/undos"),
            json!({"plan": "x"}),
            403,
        ),
        (
            "POST",
            "/api/v1/people",
            json!({"name": "eve", "password": "correct horse battery", "grants": ["admin:*"]}),
            403,
        ),
    ] {
        assert_eq!(sends(&rhea, method, path, &body), json!(status), "{path}");
    }
    assert_eq!(rhea.open(&served.page("/people")), 403);
    rhea.open(&served.page(&format!("/holds/{held}")));
    rhea.click("button", "Approve once");
    rhea.sees("This is decided");
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    assert_eq!(done(scenario), "delete ns drone\n");
    // An operator stops, too, and does not manage.
    let ana = world.person(&browser, "ana");
    ana.open(&served.page("/sessions"));
    sign_in(&ana, "ana");
    ana.does(json!({"do": "wait", "url": "/sessions"}));
    assert_eq!(
        (count(&ana, "link", "Stop…"), count(&ana, "link", "People")),
        (json!(1), json!(0))
    );
    assert_eq!(
        sends(&ana, "POST", "/api/v1/control/kills", &everything),
        json!(200)
    );
    assert_eq!(
        sends(
            &ana,
            "POST",
            "/api/v1/people",
            &json!({"name": "eve", "password": "correct horse battery", "grants": []})
        ),
        json!(403)
    );
    assert_eq!(faults(&rhea), [""; 0]);
    assert_eq!(faults(&ana), [""; 0]);
    proved(
        "7 sign-in",
        "at a real provider, in a real browser: signed in, approved, and refused what its groups are not granted",
    );
}

#[test]
fn signing_out_ends_it_here_and_says_that_the_provider_goes_on() {
    let Some(browser) = Browser::start("signing out of a provider's sign-in") else {
        return;
    };
    let Some(world) = world("signing out of a provider's sign-in") else {
        return;
    };
    let served = &world.served;
    let ana = world.person(&browser, "ana");
    // By another name of this machine, too: the way back is to the one that the provider knows.
    let other = served.url.replace("127.0.0.1", "localhost");
    ana.open(&format!("{other}/signin"));
    ana.does(json!({"do": "trust", "url": served.url}));
    sign_in(&ana, "ana");
    assert!(ana.address().starts_with(&served.url), "{}", ana.address());
    let cookies = ana.does(json!({"do": "cookies"}));
    let cookies = cookies.as_array().expect("cookies").iter();
    let cookie = cookies
        .filter(|cookie| cookie["name"] == "rescind")
        .map(|cookie| format!("rescind={}", cookie["value"].as_str().unwrap_or_default()))
        .next()
        .expect("a cookie");
    let kept = || Ask::get("/sessions").header("cookie", &cookie).of(served.port());
    assert_eq!(kept().status, 200);
    ana.click("button", "Sign out");
    ana.sees("You are signed out here");
    ana.sees("you may still be signed in");
    assert_eq!(kept().status, 303, "a kept cookie is worth nothing");
    // The provider asks nothing more: it says so above.
    ana.click("link", "Sign in with localhost");
    ana.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
    assert_eq!(faults(&ana), [""; 0]);
}

#[test]
fn whatever_goes_wrong_on_the_way_leads_to_a_page_that_says_what_and_what_to_do() {
    let Some(browser) = Browser::start("what goes wrong at a provider") else {
        return;
    };
    let Some(world) = world("what goes wrong at a provider") else {
        return;
    };
    let served = &world.served;
    let ana = world.person(&browser, "ana");
    // Who does not let the provider say who they are.
    ana.open(&served.page("/signin?next=%2Fsessions"));
    ana.click("link", "Sign in with localhost");
    log_in(&ana, "ana");
    ana.does(json!({"do": "wait", "role": "button", "name": "Continue"}));
    ana.click("link", "Cancel");
    let page = refused(&ana, "was not allowed to say who you are");
    assert!(page.contains("begin again, and let it"), "{page}");
    // The same page leads on, to where one wanted to go.
    ana.click("link", "Sign in with localhost");
    ana.click("button", "Continue");
    ana.does(json!({"do": "wait", "url": "/sessions"}));
    ana.does(json!({"do": "wait", "role": "button", "name": "Sign out"}));
    // An answer counts once, and only for a sign-in that was begun here.
    ana.open(&served.page("/signin/back?code=made-up&state=made-up"));
    let page = refused(&ana, "was not begun here");
    assert!(page.contains("Begin the sign-in again"), "{page}");
    ana.open(&served.page("/signin/back?error=access_denied&state=made-up"));
    refused(&ana, "was not begun here");
    assert_eq!(faults(&ana), [""; 0]);
    // A sign-in that somebody else began, and whose link they sent.
    let mallory = Ask::get("/signin/oidc").of(served.port()).is(303);
    let bob = world.person(&browser, "bob");
    bob.open(mallory.header("location"));
    log_in(&bob, "ana");
    bob.click("button", "Continue");
    let page = refused(&bob, "was begun in another browser");
    assert!(page.contains("don't follow it again"), "{page}");
    let cookies = bob.does(json!({"do": "cookies"}));
    let signed_in = |cookie: &Value| cookie["name"] == "rescind";
    assert!(
        !cookies.as_array().expect("cookies").iter().any(signed_in),
        "{cookies}"
    );
    // Somebody whose groups nothing is granted to.
    let nora = world.person(&browser, "nora");
    nora.open(&served.page("/signin"));
    nora.click("link", "Sign in with localhost");
    log_in(&nora, "nora");
    nora.click("button", "Continue");
    let page = refused(
        &nora,
        "says that you are Nora, and nothing is granted to you here",
    );
    assert!(
        page.contains("names no group of yours") && page.contains("grant a role to one of your groups"),
        "{page}"
    );
    let ben = world.person(&browser, "ben");
    ben.open(&served.page("/signin"));
    ben.click("link", "Sign in with localhost");
    log_in(&ben, "ben");
    ben.click("button", "Continue");
    let page = refused(&ben, "says that you are Ben");
    assert!(page.contains("staff"), "{page}");
    // An admin at the machine shuts somebody out, at once.
    world
        .scenario
        .tell(&["access", "user", "disable", "ana"])
        .success();
    ana.open(&served.page("/sessions"));
    ana.does(json!({"do": "wait", "url": "/signin"}));
    ana.click("link", "Sign in with localhost");
    refused(&ana, "`ana` is disabled here");
    assert_eq!(faults(&ana), [""; 0]);
    proved(
        "7 sign-in",
        "refused, unknown, begun elsewhere, without a role, disabled: each a page that says what to do",
    );
}

#[test]
fn a_provider_that_is_away_keeps_nobody_out_who_has_a_password_or_is_signed_in() {
    let Some(browser) = Browser::start("a provider that is away") else {
        return;
    };
    let Some(world) = world("a provider that is away") else {
        return;
    };
    let ana = world.person(&browser, "ana");
    ana.open(&world.served.page("/signin"));
    sign_in(&ana, "ana");
    // One is on the way when it goes, and one comes after.
    let late = world.person(&browser, "late");
    late.open(&world.served.page("/signin"));
    late.click("link", "Sign in with localhost");
    late.does(json!({"do": "wait", "selector": "input[name=login]"}));
    let World {
        scenario,
        provider,
        served,
    } = world;
    provider.kill();
    assert_eq!(ana.open(&served.page("/sessions")), 200, "who is in stays in");
    let port = served.port();
    // A server that knows the provider sends people there; one that was started since can't even ask where.
    assert!(served.stop());
    let served = Served::on(&scenario, port, &[]);
    late.open(&served.page("/signin"));
    late.click("link", "Sign in with localhost");
    let page = refused(&late, "can't be asked just now");
    assert!(
        page.contains("People with a password here can sign in with it"),
        "{page}"
    );
    assert_eq!(ana.open(&served.page("/sessions")), 200, "who is in stays in");
    proved(
        "7 sign-in",
        "the provider was killed: said so, and nobody who was in is out",
    );
}

#[test]
fn letting_things_go_on_takes_a_fresh_sign_in_at_the_provider() {
    let Some(browser) = Browser::start("a fresh sign-in at a provider") else {
        return;
    };
    let Some(world) = world("a fresh sign-in at a provider") else {
        return;
    };
    let World { scenario, served, .. } = &world;
    let ana = world.person(&browser, "ana");
    ana.open(&served.page("/signin"));
    sign_in(&ana, "ana");
    scenario.tell(&["kill", "--everything"]).success();
    // As if the sign-in were ten minutes old.
    let database = until("the file of people", SOON, || {
        let path = scenario.home().join("control/access.db");
        path.exists().then_some(path)
    });
    let older = Command::new("sqlite3")
        .arg(&database)
        .arg("PRAGMA busy_timeout = 10000; UPDATE sign_ins SET proved = proved - 600000000000")
        .output()
        .expect("sqlite3");
    assert!(older.status.success(), "{older:?}");
    ana.open(&served.page("/stop"));
    ana.sees("sign-in of the last five minutes");
    ana.click("link", "Sign in again first");
    // It remembers, and asks all the same.
    log_in(&ana, "ana");
    ana.does(json!({"do": "wait", "url": "/stop"}));
    ana.does(json!({"do": "click", "text": "Let it go on again"}));
    ana.fill("Why is it safe now?", "it was an exercise");
    ana.click("button", "Check health and go on");
    ana.does(json!({"do": "wait", "text": "Let it go on again", "gone": true}));
    scenario.tell(&["run", "--", "true"]).success();
    ana.open(&served.page("/me"));
    assert_eq!(
        ana.does(json!({"do": "count", "role": "button", "name": "End the one from"})),
        json!(1),
        "the sign-in was renewed, and is no second one"
    );
    assert_eq!(faults(&ana), [""; 0]);
    proved(
        "7 sign-in",
        "let go on after a kill, once the provider had asked for the password again",
    );
}
