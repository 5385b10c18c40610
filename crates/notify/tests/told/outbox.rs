//! The outbox: once for each event and receiver, one deliverer, nothing forgotten.

use crate::place::{Place, deliver, finish, held, later, now};
use crate::receiver::{Answer, LIMIT, OK, Receiver, until};
use rescind_model::Timestamp;
use rescind_notify::{Channels, Delivering, Event, Message, Outbox, OutboxError, State};
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

#[test]
fn the_same_event_is_told_once_however_often_it_is_put() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| OK);
    let text = place.webhook("one", receiver.port, "") + &place.webhook("two", receiver.port, "");
    let outbox = place.outbox(&text);
    let deliverer = deliver(&outbox);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let outbox = outbox.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    outbox.put(&held(&format!("k{number}"))).unwrap();
                }
            });
        }
    });
    let again = place.outbox(&text);
    assert_eq!(
        again.put(&held("k3")).unwrap(),
        0,
        "another process, the same key"
    );
    receiver.wait(20);
    finish(&outbox, deliverer);
    let got = receiver.got();
    assert_eq!(got.len(), 20);
    let ids: BTreeSet<&str> = got.iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), 10, "both channels tell of an event under one id");
    assert_eq!(outbox.put(&held("k3")).unwrap(), 0, "after it was told, too");
}

#[test]
fn one_process_delivers_and_the_next_takes_over() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| OK);
    let text = place.webhook("hook", receiver.port, "");
    let (first, second) = (place.outbox(&text), place.outbox(&text));
    assert_eq!(first.delivering().unwrap(), Delivering::Nobody);
    let one = deliver(&first);
    until("the first to deliver", || {
        first.delivering().unwrap() == Delivering::Here
    });
    assert_eq!(second.delivering().unwrap(), Delivering::Elsewhere);
    let two = deliver(&second);
    second.put(&held("a")).unwrap();
    receiver.wait(1);
    assert!(one.join(LIMIT));
    until("the second to take over", || {
        second.delivering().unwrap() == Delivering::Here
    });
    second.put(&held("b")).unwrap();
    receiver.wait(2);
    finish(&second, two);
    assert_eq!(receiver.got().len(), 2);
}

#[test]
fn a_decision_takes_back_what_still_asks_for_it() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| OK);
    let text = place.webhook("all", receiver.port, "")
        + &place.webhook("asked", receiver.port, "events = [\"held\", \"escalated\"]");
    let outbox = place.outbox(&text);
    let ask = held("held");
    outbox.put(&ask).unwrap();
    let mut other = held("other");
    other.action = Some("0198c9f2.8".to_owned());
    outbox.put(&other).unwrap();
    let mut decided = Message::new(
        "decided",
        Event::Decided,
        later(Duration::from_millis(5)),
        ask.link.clone(),
    );
    (decided.action, decided.domain) = (ask.action.clone(), ask.domain.clone());
    assert_eq!(outbox.put(&decided).unwrap(), 1);
    let mut moved = held("held again");
    moved.at = later(Duration::from_millis(10));
    outbox.put(&moved).unwrap();
    finish(&outbox, deliver(&outbox));
    let states: BTreeSet<(String, State)> = outbox
        .deliveries(None, None, 99)
        .unwrap()
        .into_iter()
        .map(|delivery| (delivery.key, delivery.state))
        .collect();
    let expected = [
        ("decided", State::Told),
        ("held", State::Overtaken),
        ("held again", State::Told),
        ("other", State::Told),
    ];
    assert_eq!(
        states,
        expected
            .map(|(key, state)| (key.to_owned(), state))
            .into_iter()
            .collect()
    );
    assert_eq!(receiver.got().len(), 5);
}

#[test]
fn channels_get_what_is_theirs() {
    let place = Place::new();
    let text = place.webhook("payments", 1, "domains = [\"payments/*\"]")
        + &place.webhook(
            "oncall",
            1,
            "groups = [\"oncall\"]\nevents = [\"held\", \"kill\"]",
        )
        + &place.webhook("all", 1, "");
    let channels = Channels::parse(&text).unwrap();
    let wants = |message: &Message| -> Vec<&str> {
        let all = channels.iter().filter(|channel| channel.wants(message));
        all.map(rescind_notify::Channel::name).collect()
    };
    let mut message = held("k");
    assert_eq!(wants(&message), ["payments", "all"]);
    message.groups = vec!["reviewer".to_owned(), "oncall".to_owned()];
    assert_eq!(wants(&message), ["payments", "oncall", "all"]);
    message.groups.clear();
    message.domain = "billing/prod".to_owned();
    assert_eq!(wants(&message), ["oncall", "all"]);
    message.domain = "payments/prod/eu".to_owned();
    assert_eq!(
        wants(&message),
        ["oncall", "all"],
        "one star is one part of the name"
    );
    message.event = Event::Kill;
    message.domain.clear();
    assert_eq!(
        wants(&message),
        ["payments", "oncall", "all"],
        "a kill of everything is everybody's"
    );
    message.event = Event::Undo;
    assert_eq!(wants(&message), ["all"]);
}

#[test]
fn what_is_left_of_a_channel_that_is_gone_is_seen() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| OK);
    let text = place.webhook("gone", 1, "");
    place.outbox(&text).put(&held("k")).unwrap();
    let outbox = place.outbox(&place.webhook("new", receiver.port, ""));
    let deliverer = deliver(&outbox);
    until("the old one to be given up", || {
        outbox.status().unwrap().iter().any(|own| own.gave_up == 1)
    });
    finish(&outbox, deliverer);
    let status = outbox.status().unwrap();
    assert_eq!((status[1].name.as_str(), status[1].way), ("gone", "none"));
    assert!(
        status[1]
            .last_failure
            .as_ref()
            .unwrap()
            .1
            .contains("no longer configured")
    );
    assert_eq!(
        outbox.put(&held("k")).unwrap(),
        1,
        "the new channel has not been told yet"
    );
}

#[test]
fn messages_that_lead_nowhere_and_old_ones_are_not_kept() {
    let place = Place::new();
    let outbox = place.outbox(&place.webhook("hook", 1, ""));
    for link in [
        "",
        "/holds/1",
        "javascript:alert(1)",
        "https://",
        "https:///x",
        "https://h/a b",
        "https://h/\r\nx",
    ] {
        let mut message = held("k");
        message.link = link.to_owned();
        assert!(
            matches!(outbox.put(&message), Err(OutboxError::Message { .. })),
            "{link:?}"
        );
    }
    let mut message = held("");
    assert!(outbox.put(&message).is_err());
    message.key = "old".to_owned();
    message.at = Timestamp(now().0 - 31 * 86_400 * 1_000_000_000);
    assert_eq!(outbox.put(&message).unwrap(), 0);
    assert!(outbox.deliveries(None, None, 9).unwrap().is_empty());
}

#[test]
fn the_outbox_is_its_owners_alone_and_holds_no_secret() {
    let place = Place::new();
    let url = place.secret("url", "http://127.0.0.1:1/services/T0/B0/verysecret");
    let text = place.webhook("hook", 1, "")
        + &format!("[[notify]]\nkind = \"slack\"\nname = \"chat\"\nurl_file = \"{url}\"\n");
    let outbox = place.outbox(&text);
    outbox.put(&held("k")).unwrap();
    for name in ["outbox", "outbox-wal"] {
        let path = place.path(name);
        assert_eq!(path.metadata().unwrap().mode() & 0o077, 0, "{name}");
        let bytes = std::fs::read(path).unwrap();
        for secret in [crate::place::KEY, "verysecret"] {
            assert!(!bytes.windows(secret.len()).any(|own| own == secret.as_bytes()));
        }
    }
    let debug = format!("{:?}", outbox.channels());
    assert!(
        !debug.contains("verysecret") && !debug.contains(crate::place::KEY),
        "{debug}"
    );
}

#[test]
fn an_outbox_of_a_later_release_is_left_alone() {
    let place = Place::new();
    drop(place.outbox(""));
    let path = place.path("outbox");
    rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_update(None, "user_version", 7)
        .unwrap();
    let error = Outbox::open(&path, Channels::default()).err().unwrap();
    assert!(matches!(error, OutboxError::Newer { found: 7, .. }), "{error}");
}

#[test]
fn a_channel_can_be_tried_out() {
    let place = Place::new();
    let receiver = Receiver::start(|number, _| {
        if number == 0 {
            OK
        } else {
            Answer::Status(401, "", "who is it")
        }
    });
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.test("hook", "https://rescind.example").unwrap();
    assert_eq!(receiver.got()[0].json()["type"], "dev.rescind.notification.test");
    let error = outbox
        .test("hook", "https://rescind.example")
        .unwrap_err()
        .to_string();
    assert!(error.contains("401: who is it"), "{error}");
    assert!(matches!(
        outbox.test("nobody", "https://r.example"),
        Err(OutboxError::NoChannel { .. })
    ));
    assert!(
        outbox.deliveries(None, None, 9).unwrap().is_empty(),
        "nothing is kept of it"
    );
}

#[test]
fn how_far_the_ledger_was_told_survives_and_so_does_what_is_still_asked() {
    let place = Place::new();
    let text = place.webhook("hook", 9, "");
    let outbox = place.outbox(&text);
    assert_eq!(outbox.reached().unwrap(), None, "nothing was told of yet");
    outbox.reach(7).unwrap();
    outbox.put(&held("one")).unwrap();
    let mut other = held("two");
    other.action = Some("0198c9f2.8".to_owned());
    outbox.put(&other).unwrap();
    drop(outbox);
    let outbox = place.outbox(&text);
    assert_eq!(outbox.reached().unwrap(), Some(7));
    assert_eq!(outbox.asked().unwrap(), ["0198c9f2.7", "0198c9f2.8"]);
    let mut decided = Message::new(
        "decided",
        Event::Decided,
        now(),
        "https://rescind.example/holds/0198c9f2.7",
    );
    decided.action = Some("0198c9f2.7".to_owned());
    decided.domain = "payments/prod".to_owned();
    outbox.put(&decided).unwrap();
    assert_eq!(outbox.asked().unwrap(), ["0198c9f2.8"]);
    outbox.reach(9).unwrap();
    assert_eq!(
        place.outbox(&text).reached().unwrap(),
        Some(9),
        "another process sees it"
    );
}

#[test]
fn an_outbox_of_the_first_form_is_gone_on_with() {
    let place = Place::new();
    let text = place.webhook("hook", 9, "");
    let outbox = place.outbox(&text);
    outbox.put(&held("one")).unwrap();
    drop(outbox);
    let old = rusqlite::Connection::open(place.path("outbox")).unwrap();
    old.execute_batch("DROP TABLE reached; PRAGMA user_version = 1")
        .unwrap();
    drop(old);
    let outbox = place.outbox(&text);
    assert_eq!(outbox.put(&held("one")).unwrap(), 0, "what was in it is in it");
    outbox.reach(1).unwrap();
    assert_eq!(outbox.reached().unwrap(), Some(1));
}
