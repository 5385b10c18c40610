//! The corpus: what must go and what must stay, in each form.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may panic"
)]

#[allow(dead_code, reason = "each test uses its part of the corpus")]
mod corpus;

use corpus::{Dice, Sample, in_place, look_alikes, tokens};
use rescind_redact::{Rules, Stream};

/// Every token in the places it is met, and every secret in its own place.
fn samples() -> Vec<Sample> {
    let mut list = in_place();
    for (kind, token) in tokens() {
        for text in [
            "{}",
            "got {} from the server",
            "x={}",
            "\"{}\",",
            "a\\n{}\\n",
            "\u{1b}[31m{}\u{1b}[0m",
            "https://x/y?k={}&z=1",
            "({})",
        ] {
            list.push(Sample {
                kind,
                text: text.replace("{}", &token),
                secret: token.clone(),
            });
        }
    }
    list
}

fn in_chunks(rules: &Rules, text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut stream = Stream::new(rules);
    let mut out = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let limit = [3, 40, 5000][dice.below(3)];
        let length = 1 + dice.below(limit);
        let end = (place + length).min(text.len());
        out.extend(stream.push(&text[place..end]));
        place = end;
    }
    out.extend(stream.finish());
    out
}

/// The lines of a secret that would tell something by themselves.
fn told(text: &str, secret: &str) -> bool {
    text.contains(secret)
        || secret
            .split(['\n', '\\'])
            .any(|line| line.len() > 40 && text.contains(line))
}

#[test]
fn the_corpus_is_as_large_as_promised() {
    let kinds: std::collections::BTreeSet<_> = samples().iter().map(|sample| sample.kind).collect();
    assert!(kinds.len() >= 40, "{} kinds", kinds.len());
    assert!(tokens().len() + in_place().len() >= 150);
    assert!(look_alikes().len() >= 150);
}

#[test]
fn no_secret_is_left_in_output() {
    let rules = Rules::standard();
    let mut failures = Vec::new();
    for Sample { kind, text, secret } in samples() {
        let text = format!("before it\n{text}\nafter it\n");
        let redacted = rules.redact(&text);
        let right = redacted
            .found
            .iter()
            .any(|own| kind.is_empty() || own.kind == kind);
        let framed = redacted.text.starts_with("before it\n") && redacted.text.ends_with("\nafter it\n");
        if told(&redacted.text, &secret) || !right || !framed {
            failures.push(format!("{kind}: {text:?} -> {:?}", redacted.text));
        }
        for own in &redacted.found {
            assert_eq!(
                redacted.text[own.range.clone()],
                format!("[redacted:{}]", own.kind)
            );
        }
    }
    assert!(
        failures.is_empty(),
        "{} left:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn no_secret_is_left_in_arguments() {
    let rules = Rules::standard();
    let mut failures = Vec::new();
    for Sample { kind, text, secret } in samples() {
        let split: Vec<String> = text
            .split_whitespace()
            .map(|own| own.trim_matches(['\'', '"']).to_owned())
            .collect();
        let script = vec!["sh".to_owned(), "-c".to_owned(), text.clone()];
        let alone = vec!["tool".to_owned(), text.clone()];
        let mut forms = vec![script, alone];
        // Cut at white space the text is a command line only where it is one.
        if !text.contains(['\n', '\\', '{', '<', '[', '\u{1b}', ':'])
            && !text.contains(" = ")
            && !text.contains(" is ")
            && !text.contains("IDENTIFIED")
            && !secret.contains(' ')
        {
            forms.push(split);
        }
        for argv in forms {
            let redacted = rules.redact_argv(&argv);
            assert_eq!(redacted.len(), argv.len());
            if told(&redacted.join(" "), &secret) {
                failures.push(format!("{kind}: {argv:?} -> {redacted:?}"));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} left:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn no_secret_is_left_in_the_environment() {
    let rules = Rules::standard();
    let mut failures = Vec::new();
    for Sample { kind, text, secret } in samples() {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) if name.bytes().all(|own| own.is_ascii_uppercase() || own == b'_') => {
                (name, value)
            }
            _ => ("ANY_SCRIPT", text.as_str()),
        };
        let redacted = rules.redact_env(name, value);
        if told(&redacted, &secret) {
            failures.push(format!("{kind}: {name} {value:?} -> {redacted:?}"));
        }
    }
    assert!(
        failures.is_empty(),
        "{} left:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn no_secret_is_left_in_a_stream_and_the_stream_is_the_whole() {
    let rules = Rules::standard();
    let mut dice = Dice(3);
    for Sample { text, secret, .. } in samples() {
        let text = format!("before it\n{text}\nafter it\n");
        let whole = rules.redact(&text).text.into_owned();
        for _ in 0..4 {
            let out = String::from_utf8(in_chunks(&rules, text.as_bytes(), &mut dice)).unwrap();
            assert!(!told(&out, &secret), "{text:?} -> {out:?}");
            assert_eq!(out, whole);
        }
    }
}

#[test]
fn look_alikes_stay_as_they_are() {
    let rules = Rules::standard();
    let mut dice = Dice(5);
    let mut failures = Vec::new();
    for text in look_alikes() {
        let framed = format!("before it\n{text}\nafter it\n");
        let redacted = rules.redact(&framed);
        if redacted.text != framed {
            failures.push(format!("{text:?} -> {:?}", redacted.text));
        }
        assert_eq!(
            in_chunks(&rules, framed.as_bytes(), &mut dice),
            redacted.text.as_bytes()
        );
        let argv: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let argvs = [
            argv,
            vec!["sh".to_owned(), "-c".to_owned(), text.clone()],
            vec![text.clone()],
        ];
        for argv in argvs {
            let redacted = rules.redact_argv(&argv);
            if redacted != argv {
                failures.push(format!("{argv:?} -> {redacted:?}"));
            }
        }
        let (name, value) = text.split_once('=').unwrap_or(("X", &text));
        let variable = name.bytes().all(|own| own.is_ascii_uppercase() || own == b'_');
        let (name, value) = if variable {
            (name, value)
        } else {
            ("X", text.as_str())
        };
        if rules.redact_env(name, value) != value {
            failures.push(format!("{name}={value} -> {:?}", rules.redact_env(name, value)));
        }
    }
    assert!(
        failures.is_empty(),
        "{} touched:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn redacting_again_changes_nothing() {
    let rules = Rules::standard();
    for Sample { text, .. } in samples() {
        let once = rules.redact(&text).text.into_owned();
        assert_eq!(rules.redact(&once).text, once);
    }
}
