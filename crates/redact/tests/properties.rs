//! Properties: a stream is the whole, binary data passes, a site's rules count.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests may panic"
)]

#[allow(dead_code, reason = "each test uses its part of the corpus")]
mod corpus;

use proptest::prelude::*;
use rescind_redact::{Rules, RulesError, Stream};

/// Pieces from which texts are made: secrets, look-alikes, noise, very long lines, halves of blocks.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let secrets: Vec<String> = corpus::in_place().into_iter().map(|sample| sample.text).collect();
    let tokens: Vec<String> = corpus::tokens().into_iter().map(|(_, token)| token).collect();
    let others = corpus::look_alikes();
    prop_oneof![
        4 => proptest::sample::select(secrets).prop_map(String::into_bytes),
        4 => proptest::sample::select(tokens).prop_map(String::into_bytes),
        4 => proptest::sample::select(others).prop_map(String::into_bytes),
        3 => proptest::collection::vec(any::<u8>(), 0..200),
        3 => "[a-zA-Z0-9:=\"' \\\\@/.-]{0,80}".prop_map(String::into_bytes),
        4 => Just(b"\n".to_vec()),
        2 => Just(b" ".to_vec()),
        1 => (1_usize..20_000).prop_map(|length| vec![b'a'; length]),
        1 => (1_usize..20_000).prop_map(|length| [b"password=".to_vec(), b"aB3".repeat(length)].concat()),
        1 => (1_usize..40).prop_map(|length| [b"-----BEGIN PRIVATE ".to_vec(), b"KEY-----\n".to_vec(), b"aB3+\n".repeat(length)].concat()),
        1 => Just(b"gh".to_vec()),
        1 => Just(b"mysql -p".to_vec()),
        1 => Just("caf\u{e9} \u{4e2d} password: p\u{e4}ssw\u{f6}rt9 ".as_bytes().to_vec()),
    ]
}

fn stream(rules: &Rules, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = Stream::new(rules);
    let mut out = Vec::new();
    let mut rest = text;
    for cut in cuts.iter().cycle().take(text.len() + 1) {
        let (head, tail) = rest.split_at((*cut).min(rest.len()));
        out.extend(stream.push(head));
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    out.extend(stream.push(rest));
    out.extend(stream.finish());
    out
}

proptest! {

    #[test]
    fn a_stream_in_any_chunks_is_the_whole(
        pieces in proptest::collection::vec(piece(), 0..40),
        cuts in proptest::collection::vec(prop_oneof![1_usize..4, 1_usize..100, 1_usize..20_000], 1..20),
    ) {
        let text = pieces.concat();
        let rules = Rules::standard();
        let whole = rules.redact_bytes(&text).into_owned();
        prop_assert_eq!(stream(&rules, &text, &cuts), whole);
    }

    #[test]
    fn text_stays_text_and_what_is_found_is_marked(pieces in proptest::collection::vec(piece(), 0..20)) {
        let text = String::from_utf8_lossy(&pieces.concat()).into_owned();
        let redacted = Rules::standard().redact(&text);
        for own in &redacted.found {
            let mark = format!("[redacted:{}]", own.kind);
            prop_assert_eq!(redacted.text.get(own.range.clone()), Some(mark.as_str()));
        }
        prop_assert_eq!(redacted.found.is_empty(), redacted.text == text);
    }

    #[test]
    fn arguments_and_environment_are_never_mixed_up(
        pieces in proptest::collection::vec(piece(), 0..8),
    ) {
        let argv: Vec<String> = pieces.iter().map(|own| String::from_utf8_lossy(own).into_owned()).collect();
        let rules = Rules::standard();
        prop_assert_eq!(rules.redact_argv(&argv).len(), argv.len());
        for own in &argv {
            let _value = rules.redact_env("ANYTHING", own);
        }
    }
}

#[test]
fn a_secret_that_is_longer_than_the_window_goes_as_a_whole() {
    let rules = Rules::standard();
    let long = corpus::Dice(1).of(corpus::ALNUM, 50_000);
    let text = format!("a password={long} b\n");
    assert_eq!(rules.redact(&text).text, "a password=[redacted:password] b\n");
    assert_eq!(
        stream(&rules, text.as_bytes(), &[777]),
        b"a password=[redacted:password] b\n"
    );
}

#[test]
fn a_stream_holds_back_no_more_than_it_says() {
    let rules = Rules::standard();
    let mut whole = Stream::new(&rules);
    let (mut given, mut taken, mut most) = (0, 0, 0);
    let mut dice = corpus::Dice(2);
    for _ in 0..3000 {
        let chunk = dice.of(corpus::ALNUM, 97);
        let chunk = if dice.below(9) == 0 {
            format!("token{chunk}=")
        } else {
            chunk
        };
        given += chunk.len();
        taken += whole.push(chunk.as_bytes()).len();
        most = most.max(given - taken);
    }
    assert!(most <= rescind_redact::FORWARD + 512, "{most} bytes held back");
    taken += whole.finish().len();
    assert_eq!(given, taken);
}

#[test]
fn binary_data_passes_unharmed() {
    let mut dice = corpus::Dice(4);
    let bytes: Vec<u8> = std::iter::repeat_with(|| dice.next() as u8)
        .take(4 << 20)
        .collect();
    let rules = Rules::standard();
    assert_eq!(stream(&rules, &bytes, &[65_536]), bytes);
}

#[test]
fn a_sites_own_rules_count_beside_the_standard_ones() {
    let rules = Rules::extended(
        "# ours\n\
         token acme-key acme_ [a-z0-9]{12}\n\
         name door-code door-code\n\
         leave hunter2\n",
    )
    .unwrap();
    let key = ["acme", "_0123456789ab"].concat();
    for (text, expected) in [
        (format!("x {key} y"), "x [redacted:acme-key] y"),
        (format!("x{key}"), &format!("x{key}")),
        ("DOOR_CODE=4711".to_owned(), "DOOR_CODE=[redacted:door-code]"),
        (
            "{\"door-code\": \"4711\"}".to_owned(),
            "{\"door-code\": \"[redacted:door-code]\"}",
        ),
        ("--door-code 4711".to_owned(), "--door-code [redacted:door-code]"),
        ("password=hunter2".to_owned(), "password=hunter2"),
        ("password=hunter3".to_owned(), "password=[redacted:password]"),
    ] {
        assert_eq!(rules.redact(&text).text, expected);
        assert_eq!(stream(&rules, text.as_bytes(), &[1]), expected.as_bytes());
    }
    assert_eq!(rules.redact_env("DOOR_CODE", "4711"), "[redacted:door-code]");
    let argv = ["x", "--door-code", "4711"].map(str::to_owned);
    assert_eq!(
        rules.redact_argv(&argv),
        ["x", "--door-code", "[redacted:door-code]"]
    );
}

#[test]
fn rules_that_cannot_be_read_are_refused_by_line() {
    for (text, line) in [
        ("tokens a b c", 1),
        ("\n# x\ntoken a acme", 3),
        ("token Big acme_ x", 1),
        ("token a ac x", 1),
        ("name a b/c", 1),
        ("leave", 1),
    ] {
        match Rules::extended(text) {
            Err(RulesError::Line { line: own, .. }) => assert_eq!(own, line, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert!(matches!(
        Rules::extended("token a acme_ [a-"),
        Err(RulesError::Pattern { line: 1, .. })
    ));
    assert!(Rules::extended("").is_ok());
}

#[test]
fn what_is_written_stays_readable() {
    let rules = Rules::standard();
    for (text, expected) in [
        (
            "mysql -u root -phunter2 shop",
            "mysql -u root -p[redacted:password] shop",
        ),
        (
            "curl -u bob:hunter2 https://x/",
            "curl -u bob:[redacted:password] https://x/",
        ),
        (
            "postgres://bob:hunter2@db:5432/x?y=1",
            "postgres://bob:[redacted:url-password]@db:5432/x?y=1",
        ),
        (
            "PGPASSWORD=hunter2 psql -h db",
            "PGPASSWORD=[redacted:password] psql -h db",
        ),
        (
            "{\"user\":\"bob\",\"password\":\"hunter2\",\"n\":1}",
            "{\"user\":\"bob\",\"password\":\"[redacted:password]\",\"n\":1}",
        ),
        (
            "tool --password hunter2 --verbose",
            "tool --password [redacted:password] --verbose",
        ),
        (
            "Server=db;Password=hunter2;Encrypt=true",
            "Server=db;Password=[redacted:password];Encrypt=true",
        ),
        ("no secret at all", "no secret at all"),
    ] {
        assert_eq!(rules.redact(text).text, expected);
    }
    assert!(matches!(
        rules.redact("no secret at all").text,
        std::borrow::Cow::Borrowed(_)
    ));
}

#[test]
fn an_environment_with_nul_between_its_variables_is_read() {
    let block = b"HOME=/root\0DB_PASSWORD=hunter2\0LANG=C\0";
    assert_eq!(
        *Rules::standard().redact_bytes(block),
        *b"HOME=/root\0DB_PASSWORD=[redacted:password]\0LANG=C\0"
    );
}
