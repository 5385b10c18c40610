//! A hold's page beyond yes and no: another command instead, a lasting rule; and how it follows what others decide.

use super::{PASSWORD, begin, is_marked, mark, sign_in};
use crate::holds::{Running, done, hold, name, place, waiting};
use crate::shown::deletes;
use rescind_scenarios::{Browser, LOOKS, Person, Scenario, Visitor, proved, until};
use serde_json::json;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// Open what is a step further than the three buttons.
fn opens(person: &Person<'_>, summary: &str) {
    person.does(json!({"do": "click", "selector": format!("summary:has-text('{summary}')")}));
}

fn value(person: &Person<'_>, id: &str) -> String {
    let value =
        person.does(json!({"do": "value", "script": format!("document.getElementById('{id}').value")}));
    value.as_str().unwrap_or_default().to_owned()
}

/// How often the page has asked whether anything about its hold is new.
fn looks(person: &Person<'_>) -> u64 {
    let script =
        "performance.getEntriesByType('resource').filter((own) => own.name.includes('/parts/holds/')).length";
    person
        .does(json!({"do": "value", "script": script}))
        .as_u64()
        .unwrap_or(0)
}

/// That axe, width and sizes find nothing on the page as it is.
#[track_caller]
fn is_right(person: &Person<'_>) {
    let wrong = person.does(json!({"do": "judge", "shift": false}));
    assert_eq!(wrong, json!([]), "{}", person.address());
}

/// What is wrong with a hold's page with all of it opened, in both themes and both widths; a picture of each as
/// [`Person::judges`] takes it.
pub(super) fn all_choices(person: &Person<'_>, page: &str) -> Vec<String> {
    let shots = std::env::var_os("RESCIND_SHOTS").map(std::path::PathBuf::from);
    let mut wrong = Vec::new();
    for (theme, width) in LOOKS {
        person.does(json!({"do": "look", "theme": theme, "width": width}));
        person.open(page);
        for summary in [
            "Let something else run instead",
            "Let it run, and don’t ask again",
        ] {
            opens(person, summary);
        }
        let judged = person.does(json!({"do": "judge", "shift": false}));
        let judged = judged.as_array().expect("a list").iter();
        wrong.extend(judged.map(|fault| format!("hold, all choices, {theme} {width}: {fault}")));
        if let Some(folder) = &shots {
            person.shot(&folder.join(format!("hold-choices-{theme}-{width}.png")));
        }
    }
    person.does(json!({"do": "look", "theme": "light", "width": 1440}));
    wrong
}

/// The hold of this command.
fn hold_of(scenario: &Scenario, command: &str) -> String {
    let found = until("a hold", SOON, || {
        let mut all = waiting(scenario).into_iter();
        all.find(|hold| hold["command"] == command)
    });
    name(&found)
}

#[test]
fn another_command_runs_instead_of_the_one_that_was_held_once() {
    let Some(browser) = Browser::start("another command instead") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(
        &scenario,
        "kubectl delete ns drone; kubectl delete ns crow; kubectl delete ns crow; echo end",
    );
    let held = name(&hold(&scenario));
    ann.open(&served.page(&format!("/holds/{held}")));
    opens(&ann, "Let something else run instead");
    assert_eq!(
        value(&ann, "instead"),
        "kubectl delete ns drone",
        "what waits is what one changes"
    );
    ann.does(json!({"do": "fill", "selector": "#i-message", "value": "the crow, not the drone"}));
    ann.click("button", "Let this run instead, once");
    // What is refused is said where one is, with what one wrote.
    let said = ann.does(json!({"do": "wait", "role": "alert"}));
    assert!(
        said.as_str().is_some_and(|said| said.contains("is what waits")),
        "{said}"
    );
    assert_eq!(value(&ann, "i-message"), "the crow, not the drone");
    is_right(&ann);
    assert_eq!(done(&scenario), "", "nothing was decided by that");
    ann.does(json!({"do": "fill", "selector": "#instead", "value": "kubectl delete ns 'crow"}));
    ann.click("button", "Let this run instead, once");
    ann.sees("a quote that is not closed");
    ann.does(json!({"do": "fill", "selector": "#instead", "value": "kubectl delete ns crow"}));
    ann.click("button", "Let this run instead, once");
    ann.sees("This is decided");
    ann.sees("It did not run. This may, once, and the agent is told so");
    ann.sees("kubectl delete ns crow");
    is_right(&ann);
    // The second time it waits again.
    let again = hold_of(&scenario, "kubectl delete ns crow");
    assert_eq!(
        done(&scenario),
        "delete ns crow\n",
        "it ran instead, unasked, and the other did not"
    );
    ann.open(&served.page(&format!("/holds/{again}")));
    ann.click("button", "Reject");
    ann.sees("This is decided");
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end")), (0, true), "{out}{err}");
    assert!(err.contains("the crow, not the drone"), "{err}");
    assert_eq!(done(&scenario), "delete ns crow\n");
    ann.has_no_faults();
    scenario.verify();
    proved(
        "1 console",
        "another command ran instead of what was held, once, from a hold's page",
    );
}

#[test]
fn a_lasting_rule_is_made_on_the_page_of_a_hold_and_never_wider_than_what_is_shown() {
    let Some(browser) = Browser::start("a lasting rule") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(
        &scenario,
        "kubectl delete ns review-1 -n ci; kubectl delete ns review-2 -n ci; kubectl delete ns drone -n ci",
    );
    let held = name(&hold(&scenario));
    ann.open(&served.page(&format!("/holds/{held}")));
    opens(&ann, "Let it run, and don’t ask again");
    ann.does(json!({"do": "choose", "selector": "#lasting", "value": "1d"}));
    ann.does(json!({"do": "fill", "selector": "#pattern", "value": "kubectl delete * review-1 -n *"}));
    ann.does(json!({"do": "fill", "selector": "#pattern", "value": "kubectl delete pod review-* -n ci"}));
    ann.click("button", "Approve, and don’t ask again");
    let said = ann.does(json!({"do": "wait", "role": "alert"}));
    assert!(
        said.as_str().is_some_and(|said| said.contains("was not shown")),
        "{said}"
    );
    assert_eq!(
        (value(&ann, "lasting"), done(&scenario)),
        ("1d".to_owned(), String::new())
    );
    is_right(&ann);
    ann.does(json!({"do": "fill", "selector": "#pattern", "value": "kubectl delete ns review-* -n ci"}));
    ann.click("button", "Approve, and don’t ask again");
    ann.sees("This is decided");
    ann.sees("runs unasked");
    ann.sees(&format!("rescind policy forget {held}"));
    is_right(&ann);
    let other = hold_of(&scenario, "kubectl delete ns drone -n ci");
    assert_eq!(
        done(&scenario),
        "delete ns review-1 -n ci\ndelete ns review-2 -n ci\n"
    );
    ann.open(&served.page(&format!("/holds/{other}")));
    ann.click("button", "Reject");
    ann.sees("This is decided");
    running.end();
    let rules = scenario
        .tell(&["policy", "rules", "--json"])
        .success()
        .json_lines();
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert_eq!(
        (&rules[0]["rule"], &rules[0]["state"]),
        (&json!(held), &json!("in force"))
    );
    ann.has_no_faults();
    proved(
        "1 console",
        "a lasting rule was made on a hold's page, and held for what was shown alone",
    );
}

#[test]
fn all_of_it_works_without_scripts() {
    let Some(browser) = Browser::start("a hold's page without scripts") else {
        return;
    };
    let scenario = place();
    let (served, _ann) = begin(&scenario, &browser);
    let running = Running::new(
        &scenario,
        "kubectl delete ns drone; kubectl delete ns crow; kubectl delete ns crow",
    );
    let bare = browser.person("scriptless");
    let first = name(&hold(&scenario));
    bare.open(&served.page(&format!("/holds/{first}")));
    sign_in(&bare, "ann", PASSWORD);
    bare.sees("May this run?");
    opens(&bare, "Let something else run instead");
    bare.does(json!({"do": "fill", "selector": "#instead", "value": "kubectl delete ns crow"}));
    bare.click("button", "Let this run instead, once");
    bare.sees("This is decided");
    let second = hold_of(&scenario, "kubectl delete ns crow");
    bare.open(&served.page(&format!("/holds/{second}")));
    opens(&bare, "Let it run, and don’t ask again");
    bare.does(json!({"do": "choose", "selector": "#lasting", "value": "session"}));
    bare.click("button", "Approve, and don’t ask again");
    bare.sees("This is decided");
    bare.sees("in this session");
    running.end();
    assert_eq!(done(&scenario), "delete ns crow\ndelete ns crow\n");
}

#[test]
fn a_page_that_is_open_elsewhere_follows_the_decision_and_keeps_what_was_written() {
    let Some(browser) = Browser::start("a hold in two browsers") else {
        return;
    };
    let scenario = place();
    let (served, ann) = begin(&scenario, &browser);
    Visitor::new(&scenario, &served, "bob", &["reviewer:*"]);
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    let held = name(&hold(&scenario));
    let page = served.page(&format!("/holds/{held}"));
    let bob = browser.person("bob");
    bob.open(&page);
    sign_in(&bob, "bob", "correct horse battery");
    bob.sees("May this run?");
    bob.does(json!({"do": "wait", "text": "live", "exact": true}));
    mark(&bob);
    bob.fill("A word to the agent", "half a sent");
    opens(&bob, "Let it run, and don’t ask again");
    // Much happens, and nothing of it is about this hold.
    let before = looks(&bob);
    let other = Running::new(&scenario, "kubectl delete ns crow");
    let second = hold_of(&scenario, "kubectl delete ns crow");
    scenario.tell(&["reject", &second]).success();
    other.end();
    until("the page to look", SOON, || {
        (looks(&bob) > before + 1).then_some(())
    });
    assert_eq!(
        value(&bob, "message"),
        "half a sent",
        "nobody writes under one's fingers"
    );
    assert_eq!(
        bob.does(json!({"do": "state", "selector": "#lasting"}))["visible"],
        json!(true),
        "what was opened stays open"
    );
    ann.open(&page);
    ann.click("button", "Approve once");
    ann.sees("This is decided");
    // Bob has touched nothing.
    bob.sees("This is decided");
    bob.sees("approved");
    assert!(is_marked(&bob), "without a reload");
    for (role, name) in [
        ("button", "Approve once"),
        ("button", "Reject"),
        ("link", "Stop the agent…"),
    ] {
        let count = bob.does(json!({"do": "count", "role": role, "name": name}));
        assert_eq!(count, json!(0), "{name}");
    }
    let title = bob.does(json!({"do": "value", "script": "document.title"}));
    assert_eq!(title, json!("This is decided · rescind"));
    is_right(&bob);
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    ann.has_no_faults();
    bob.has_no_faults();
    proved(
        "1 console",
        "a hold's page that was open elsewhere showed the decision by itself",
    );
}

#[test]
fn what_moved_under_an_open_page_is_said_there_and_not_put_under_its_buttons() {
    let Some(browser) = Browser::start("a hold that moves") else {
        return;
    };
    let scenario = deletes();
    scenario.write("data/a", "one");
    let (served, ann) = begin(&scenario, &browser);
    let running = Running::new(&scenario, "rm -r data; echo end");
    let held = name(&hold(&scenario));
    ann.open(&served.page(&format!("/holds/{held}")));
    ann.sees("May this run?");
    ann.does(json!({"do": "wait", "text": "live", "exact": true}));
    // An approval comes from elsewhere, after what it names has changed: it is asked again.
    scenario.write("data/precious", "a day's work");
    scenario.tell(&["approve", &held]).exits(1);
    ann.sees("is not as it was shown here any more");
    assert_eq!(
        ann.does(json!({"do": "count", "role": "button", "name": "Approve once"})),
        json!(0)
    );
    is_right(&ann);
    ann.click("link", "Look at it as it is now");
    ann.sees("has changed since it was approved");
    assert!(
        scenario.path("data/precious").exists(),
        "what was not shown was deleted"
    );
    ann.click("button", "Approve once");
    ann.sees("This is decided");
    running.end();
    assert!(!scenario.path("data").exists());
}
