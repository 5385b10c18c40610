use crate::{DEFAULT_POLICY, Effect, Rules};

/// What is wrong with a text, as it is printed.
fn wrong(text: &str) -> String {
    Rules::parse(&[("own.cedar", text)]).unwrap_err().to_string()
}

#[test]
fn the_default_policy_is_valid_and_every_part_of_it_is_answered_by_the_index() {
    let rules = Rules::default_policy().unwrap();
    assert_eq!(rules.rules().len(), DEFAULT_POLICY.matches("@id(").count());
    for (rule, part) in rules.rules().iter().zip(&rules.parts) {
        assert!(part.analysis.exact, "{}", rule.id);
        assert_eq!(rule.place.file, "default.cedar");
    }
}

#[test]
fn mistakes_are_named_with_file_line_and_column() {
    assert_eq!(
        wrong("permit (principal, action, resource)\nwhen { context.clas == \"x\" };"),
        "own.cedar:2:8: attribute `clas` in context not found (did you mean `class`?)"
    );
    let table = [
        (
            "\n\npermit (principal, action, resource) when { context.files > 3 };",
            "own.cedar:3:45: ",
        ),
        (
            "permit (principal, action, resource)\nwhen { context.risk == \"high\" };",
            "own.cedar:2:8: ",
        ),
        (
            "permit (principal, action == Action::\"wirte\", resource);",
            "own.cedar:1:",
        ),
        ("permit (principal, action, resource) when { ;\n", "own.cedar:1:"),
        ("permit (principal, action, resource)", "own.cedar:1:"),
        (
            "permit (principal == ?principal, action, resource);",
            "own.cedar:1:",
        ),
        (
            "// fine\n@hodl(\"x\")\nforbid (principal, action, resource);",
            "own.cedar:2:1: `@hodl` is not an annotation",
        ),
        (
            "@hold(\"x\")\npermit (principal, action, resource);",
            "own.cedar:1:1: a `permit` lets run",
        ),
        (
            "@deny(\"\")\nforbid (principal, action, resource);",
            "own.cedar:1:1: `@deny` says nothing",
        ),
        (
            "@hold(\"x\") @deny(\"y\")\nforbid (principal, action, resource);",
            "own.cedar:1:1: @deny and @hold contradict",
        ),
        (
            "@auto_undo\nforbid (principal, action, resource);",
            "own.cedar:1:1: @auto_undo goes with `permit`",
        ),
        (
            "permit (principal, action, resource) when { context.class == \"irreversable\" };",
            "own.cedar:1:1: `irreversable` never happens there: the words are trivially_reversible, ",
        ),
    ];
    for (text, expected) in table {
        let told = wrong(text);
        assert!(told.starts_with(expected), "{text}\n{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn every_mistake_of_every_file_is_told_at_once() {
    let text = "permit (principal, action, resource) when { context.a };\nforbid (principal, action, resource) unless { context.b };";
    let problems = Rules::parse(&[("a.cedar", text), ("b.cedar", "x;")]).unwrap_err();
    let places: Vec<String> = problems
        .0
        .iter()
        .map(|problem| format!("{}:{}", problem.place.file, problem.place.line))
        .collect();
    assert_eq!(places, ["a.cedar:1", "a.cedar:2", "b.cedar:1"]);
}

#[test]
fn an_id_belongs_to_one_policy_and_takes_the_place_of_a_default_one() {
    let twice = "@id(\"a\") permit (principal, action, resource);\n";
    assert_eq!(
        Rules::parse(&[("a.cedar", twice), ("b.cedar", twice)])
            .unwrap_err()
            .to_string(),
        "b.cedar:1:1: `a` is the id of the policy at a.cedar:1:1, too"
    );
    let own = "@id(\"default.irreversible\") @deny(\"never\") forbid (principal, action, resource) when { context.class == \"irreversible\" };";
    let rules = Rules::parse(&[("own.cedar", own)]).unwrap();
    let named: Vec<_> = rules
        .rules()
        .iter()
        .filter(|rule| rule.id == "default.irreversible")
        .collect();
    assert_eq!(named.len(), 1);
    assert_eq!(
        (named[0].effect, named[0].place.file.as_str()),
        (Effect::Deny, "own.cedar")
    );
    let standard = Rules::default_policy().unwrap();
    assert_eq!(rules.rules().len(), standard.rules().len());
    assert_ne!(rules.version(), standard.version());
}

#[test]
fn a_policy_without_an_id_is_called_after_its_line() {
    let rules = Rules::parse_alone(&[("own.cedar", "\n\n  permit (principal, action, resource);")]).unwrap();
    assert_eq!(rules.rules()[0].id, "own.cedar:3");
    assert_eq!(rules.rules()[0].place.column, 3);
}

#[test]
fn the_deepest_policies_that_are_read_are_judged_and_deeper_ones_refused() {
    let policy = |body: &str| format!("permit (principal, action, resource) when {{ {body} }};");
    let deepest = [
        vec!["true"; 95].join("&&"),
        vec!["false"; 95].join(" || "),
        format!("{} > 0", vec!["1"; 190].join("+")),
        format!("{} > 0", vec!["1"; 190].join("*")),
        format!("{}true", "if true then true else ".repeat(190)),
        format!("{}true{}", "(".repeat(48), ")".repeat(48)),
        format!("{}true{}", "!(".repeat(38), ")".repeat(38)),
        format!("{}true{}.isEmpty()", "[".repeat(48), "]".repeat(48)),
        format!("{}true{}", "if (".repeat(38), ") then true else true".repeat(38)),
        format!("{}1{} > 0", "(1 + (".repeat(21), "))".repeat(21)),
        format!("context{}", ".a".repeat(190)),
    ];
    for body in deepest {
        // Cedar has bounds of its own, and not all of these have a type. Whichever it is, an answer comes back.
        if let Ok(rules) = Rules::parse_alone(&[("own.cedar", &policy(&body))]) {
            assert_eq!(rules.rules().len(), 1);
        }
        let deeper = policy(&format!("({}) && {}", body, vec!["true"; 101].join("&&")));
        assert_eq!(
            wrong(&deeper),
            "own.cedar:1:1: the policy has too many operators and brackets: split it"
        );
    }
    let chain = vec!["context.risk >= 1"; 60].join(" && ");
    assert_eq!(
        Rules::parse_alone(&[("own.cedar", &policy(&chain))])
            .unwrap()
            .rules()
            .len(),
        1
    );
}
