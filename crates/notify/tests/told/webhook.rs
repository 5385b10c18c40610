//! Webhooks: signed as others verify it, sent until they are taken, once for each id at who looks at ids.

use crate::place::{KEY, Place, deliver, finish, held, pace};
use crate::receiver::{Answer, OK, Receiver, until};
use crate::{peers, place};
use rescind_notify::{Pace, State};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn a_webhook_is_verified_and_read_by_other_peoples_libraries() {
    let Some(python) = peers::python("webhooks verified by standardwebhooks and cloudevents") else {
        return;
    };
    let place = Place::new();
    let receiver = Receiver::start(|_, _| OK);
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    let message = held("held:0198c9f2.7:1");
    assert_eq!(outbox.put(&message).unwrap(), 1);
    finish(&outbox, deliver(&outbox));
    let request = &receiver.got()[0];
    assert_eq!(request.path, "/hook");
    let body = String::from_utf8(request.body.clone()).unwrap();
    let given = |secret: &str, body: &str| serde_json::json!({"secret": secret, "headers": request.headers, "body": body});
    let event = peers::verified(&python, &given(KEY, &body)).unwrap();
    assert_eq!(event["type"], "dev.rescind.action.held");
    assert_eq!(event["id"], request.id());
    assert_eq!(event["source"], "https://rescind.example:8443");
    assert_eq!(event["subject"], "0198c9f2.7");
    assert_eq!(event["data"]["version"], 1);
    assert_eq!(event["data"]["what"], message.what);
    assert_eq!(event["data"]["class"], "irreversible");
    assert_eq!(event["data"]["link"], message.link);
    assert_eq!(event["data"]["needs_sign_in"], true);
    assert_eq!(event["data"]["changes"].as_array().unwrap().len(), 12);
    assert_eq!(event["data"]["more_changes"], 8);
    let other = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(peers::verified(&python, &given(other, &body)).is_err());
    assert!(peers::verified(&python, &given(KEY, &body.replace("deploy-bot", "other-bot"))).is_err());
}

#[test]
fn a_receiver_that_nobody_vouches_for_is_told_nothing() {
    let Some(python) = peers::python("webhooks over TLS") else {
        return;
    };
    let place = Place::new();
    let (certificate, key) = peers::certificate(&place);
    let server = peers::Server::https(&python, &certificate, &key);
    let channel = |name: &str, more: &str| {
        place
            .webhook(name, server.port, more)
            .replace("http://127.0.0.1", "https://localhost")
    };
    let stranger = channel("stranger", "");
    let outbox = place.outbox(&(stranger + &channel("known", &format!("ca_file = \"{certificate}\""))));
    outbox.put(&held("k")).unwrap();
    let deliverer = deliver(&outbox);
    server.wait(1);
    until("both to be noted", || {
        let status = outbox.status().unwrap();
        status[0].last_failure.is_some() && status[1].told == 1
    });
    assert!(deliverer.join(crate::receiver::LIMIT));
    let (_, why) = outbox.status().unwrap()[0].last_failure.clone().unwrap();
    assert!(why.to_lowercase().contains("certificate"), "{why}");
    assert_eq!(server.got().len(), 1);
}

#[test]
fn while_a_key_is_exchanged_both_sign() {
    let Some(python) = peers::python("two keys verified by standardwebhooks") else {
        return;
    };
    let place = Place::new();
    let new = "bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3";
    place.secret("key", &format!("whsec_{new}\n{KEY}\n"));
    let receiver = Receiver::start(|_, _| OK);
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    let request = &receiver.got()[0];
    let body = String::from_utf8(request.body.clone()).unwrap();
    for secret in [new, KEY] {
        let given = serde_json::json!({"secret": secret, "headers": request.headers, "body": body});
        peers::verified(&python, &given).unwrap();
    }
}

#[test]
fn every_fault_is_tried_again_until_it_is_taken_under_one_id() {
    let place = Place::new();
    let receiver = Receiver::start(|number, _| match number {
        0 => Answer::Status(500, "", "out of order"),
        1 => Answer::Status(429, "retry-after: 1\r\n", ""),
        2 => Answer::Half,
        3 => Answer::Drop,
        4 => Answer::Silence,
        5 => Answer::Endless,
        6 => Answer::Status(302, "location: http://127.0.0.1:1/elsewhere\r\n", ""),
        7 => Answer::Status(404, "", "not yet"),
        8 => Answer::Status(503, "", ""),
        _ => OK,
    });
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    let got = receiver.got();
    assert_eq!(got.len(), 10);
    let ids: BTreeSet<&str> = got.iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), 1, "one id for all tries");
    let bodies: BTreeSet<&[u8]> = got.iter().map(|request| &*request.body).collect();
    assert_eq!(bodies.len(), 1, "the same words every time");
    assert!(
        got.iter().all(|request| request.path == "/hook"),
        "no redirect was followed"
    );
    let delivery = &outbox.deliveries(None, None, 9).unwrap()[0];
    assert_eq!((delivery.state, delivery.tries), (State::Told, 10));
    let seconds = |number: usize| got[number].headers["webhook-timestamp"].parse::<u64>().unwrap();
    assert!(seconds(2) > seconds(1), "Retry-After was waited for");
}

#[test]
fn a_good_status_is_an_answer_even_if_the_rest_is_lost() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| Answer::HalfBody);
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(outbox.deliveries(None, Some(State::Told), 9).unwrap().len(), 1);
}

#[test]
fn what_is_refused_for_good_is_given_up_at_once_and_seen() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| Answer::Status(410, "", "this hook /hook is\x1b[31m gone"));
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.put(&held("k")).unwrap();
    finish(&outbox, deliver(&outbox));
    assert_eq!(receiver.got().len(), 1);
    let status = &outbox.status().unwrap()[0];
    assert_eq!((status.waiting, status.told, status.gave_up), (0, 0, 1));
    let why = &status.last_failure.as_ref().unwrap().1;
    assert!(why.contains("410") && why.contains("gone"), "{why}");
    assert!(
        !why.contains("/hook") && !why.contains('\x1b'),
        "the address is not said back: {why}"
    );
    let failed = &outbox.deliveries(Some("hook"), Some(State::GaveUp), 9).unwrap()[0];
    assert_eq!(failed.error.as_deref(), Some(why.as_str()));
    assert_eq!(
        outbox.retry(Some("hook")).unwrap(),
        1,
        "after it is mended, once more"
    );
    finish(&outbox, deliver(&outbox));
    assert_eq!(receiver.got().len(), 2);
}

#[test]
fn tries_and_age_are_bounded() {
    let place = Place::new();
    let receiver = Receiver::start(|_, _| Answer::Status(500, "", ""));
    let outbox = place.outbox(&place.webhook("hook", receiver.port, ""));
    outbox.put(&held("k")).unwrap();
    let few = Pace {
        most_tries: 4,
        ..pace()
    };
    finish(&outbox, outbox.deliver(few).unwrap());
    assert_eq!(receiver.got().len(), 4);
    let error = outbox
        .deliveries(None, Some(State::GaveUp), 9)
        .unwrap()
        .remove(0)
        .error
        .unwrap();
    assert!(error.contains("4 tries") && error.contains("500"), "{error}");
    let mut late = held("late");
    late.until = Some(place::now());
    outbox.put(&late).unwrap();
    let young = Pace {
        most_age: Duration::ZERO,
        ..pace()
    };
    outbox.put(&held("old")).unwrap();
    finish(&outbox, outbox.deliver(young).unwrap());
    assert_eq!(receiver.got().len(), 4, "neither was sent");
    assert_eq!(outbox.status().unwrap()[0].gave_up, 3);
}

#[test]
fn a_receiver_that_hangs_keeps_no_other_channel_waiting() {
    let place = Place::new();
    let slow = Receiver::start(|_, _| Answer::Silence);
    let quick = Receiver::start(|_, _| OK);
    let text = place.webhook("slow", slow.port, "") + &place.webhook("quick", quick.port, "");
    let outbox = place.outbox(&text);
    for number in 0..20 {
        outbox.put(&held(&format!("k{number}"))).unwrap();
    }
    let patient = Pace {
        time_out: Duration::from_secs(30),
        ..pace()
    };
    let deliverer = outbox.deliver(patient).unwrap();
    slow.wait(1);
    quick.wait(20);
    assert_eq!(slow.got().len(), 1);
    until("the quick channel's notes", || {
        outbox.status().unwrap()[1].told == 20
    });
    assert!(
        !deliverer.join(Duration::from_millis(1)),
        "it says that something is still being sent"
    );
}
