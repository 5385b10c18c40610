//! Whatever the text, reading and judging it ends soon and says something.

#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use proptest::prelude::*;
use rescind_catalog::shell::{MAX_DEPTH, parse};
use rescind_catalog::{Catalog, Context};
use rescind_model::Class;

fn judge(text: &str) -> Class {
    Catalog::builtin()
        .unwrap()
        .judge_text(text, &Context::default())
        .class
}

/// Pieces that shell texts are made of, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "rm",
        " ",
        "\n",
        ";",
        "&",
        "|",
        "(",
        ")",
        "{",
        "}",
        "[[",
        "]]",
        "((",
        "))",
        "$(",
        "${",
        "`",
        "'",
        "\"",
        "\\",
        "$",
        "<<EOF",
        "EOF\n",
        "<",
        ">",
        ">>",
        "<<<",
        "&>",
        "if ",
        "then ",
        "else ",
        "fi",
        "for ",
        " in ",
        "do ",
        "done",
        "while ",
        "case ",
        "esac",
        ";;",
        "function ",
        "x=",
        "=(",
        "-rf",
        "/",
        "*",
        "?",
        "~",
        "#",
        "!",
        "a",
        "echo ",
        "sh -c ",
        "eval ",
        "xargs ",
        "find . ",
        "-exec ",
        "{}",
        "\\;",
        "$@",
        "$1",
        "${x:-",
        "kubectl delete ns x",
        "sudo ",
        "env ",
        "ssh h ",
        "psql -c ",
        "select 1",
        "{a,b}",
        "$'",
        "\\x72",
        "é",
        "\u{ffff}",
        "\u{0}",
        "f() ",
        "f",
        "alias ",
        "sed ",
        "s/a/b/",
        "awk ",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_the_reader_or_the_judge_panic(text in ".{0,200}") {
        let _class = judge(&text);
    }

    #[test]
    fn no_combination_of_shell_signs_makes_the_judge_panic(text in pieces()) {
        let _class = judge(&text);
    }

    #[test]
    fn no_bytes_make_the_judge_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _class = judge(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_words_make_the_judge_panic(argv in prop::collection::vec(pieces(), 0..8)) {
        let _judged = Catalog::builtin().unwrap().judge_argv(&argv, &Context::default());
    }

    #[test]
    fn a_text_that_is_not_understood_is_never_safe(text in pieces()) {
        let (_, error) = parse(&text);
        if error.is_some() {
            prop_assert!(judge(&text) >= Class::Unknown, "{text}");
        }
    }

    #[test]
    fn quoting_a_word_does_not_change_what_it_is(word in "[a-z*$;|&<>(){} '\"\\\\#~é-]{1,20}") {
        let quoted = rescind_model::quote(&word);
        let judged = Catalog::builtin().unwrap().judge_text(&format!("rm -- {quoted}"), &Context::default());
        prop_assert_eq!(judged.parts.len(), 1);
        prop_assert_eq!(&judged.parts[0].text, &format!("rm -- {quoted}"));
    }
}

#[test]
fn what_is_nested_too_deep_is_unknown() {
    for (open, close) in [
        ("$(", ")"),
        ("(", ")"),
        ("{ ", "; }"),
        ("${x:-", "}"),
        ("if ", "; then ls; fi"),
        ("$((", "))"),
        ("<(", ")"),
        ("\"$(", ")\""),
    ] {
        let depth = MAX_DEPTH * 4;
        let text = format!("echo {}ls{}", open.repeat(depth), close.repeat(depth));
        assert!(judge(&text) >= Class::Unknown, "{open}");
        let text = open.repeat(50_000);
        assert!(judge(&text) >= Class::Unknown, "{open}");
    }
}

#[test]
fn texts_made_to_blow_up_end_and_are_unknown() {
    let doubling: String = (1..40)
        .map(|n| format!("f{n}() {{ f{}; f{}; }}; ", n + 1, n + 1))
        .collect();
    assert!(judge(&format!("{doubling} f1")) >= Class::Unknown);
    let growing: String = (1..40).map(|n| format!("x{}=$x{n}$x{n}; ", n + 1)).collect();
    assert!(judge(&format!("x1=aaaaaaaa; {growing} $x40")) >= Class::Unknown);
    assert!(judge(&format!("{} build", "{rm,rm}".repeat(40))) >= Class::Unknown);
    let loops = "while true; do ".repeat(20) + "ls" + &"; done".repeat(20);
    assert!(judge(&loops) >= Class::Unknown);
    let evals = "eval 'a=$a$a'; ".repeat(2_000);
    let _ends = judge(&evals);
    let nested = (0..30).fold("rm x".to_owned(), |text, _| {
        format!("echo $({text} $(ls | cat) | cat)")
    });
    let _ends = judge(&nested);
    for many in [
        format!("kubectl delete {}", "pod/a ".repeat(10_000)),
        format!("kubectl delete {} a", "pod,ns,".repeat(10_000)),
        format!("systemctl stop {}", "a ".repeat(20_000)),
        "tmux ".repeat(20_000),
        format!("screen {}", "kubectl delete ns a ".repeat(4_000)),
        "eval \"tmux $X \" ".repeat(2_000),
    ] {
        let _ends = judge(&many);
    }
    let many = "ls; ".repeat(20_000);
    assert!(judge(&many) >= Class::Unknown);
    assert!(judge(&"a".repeat(400_000)) >= Class::Unknown);
    let sql = format!("psql -c \"{}\"", "select 1; ".repeat(10_000));
    assert!(judge(&sql) >= Class::Unknown);
}
