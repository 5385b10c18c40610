use super::proposal;
use rescind_catalog::{Catalog, Context};
use rescind_model::{Coverage, Digest, Operation, Reversibility, Surface};
use rescind_policy::Proposal;

fn of(text: &str) -> Proposal {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text(text, &Context::default());
    proposal(
        catalog,
        &judged,
        text.to_owned(),
        Digest::of(text.as_bytes()),
        "/work",
    )
}

#[test]
fn what_changes_files_here_is_captured_whoever_does_it() {
    for text in [
        "rm -rf build",
        "./configure && make",
        "python3 x.py",
        "jq . a.json > b.json",
        "some-tool --go",
    ] {
        assert_eq!(of(text).coverage, Coverage::Captured, "{text}");
    }
}

#[test]
fn what_happens_elsewhere_is_not_captured_and_said() {
    let whole = of("kubectl delete ns shop");
    assert!(matches!(&whole.coverage, Coverage::NotCaptured(why) if why.contains("not on this machine")));
    let part = of("rm -rf build; kubectl delete ns shop");
    let Coverage::Partial(missing) = &part.coverage else {
        panic!("{:?}", part.coverage)
    };
    assert_eq!(missing.len(), 1);
    // A tool that is known to act elsewhere is not covered because its words can't be told.
    assert_ne!(of("psql prod").coverage, Coverage::Captured);
    assert_ne!(
        of("terraform frobnicate -auto-approve").coverage,
        Coverage::Captured
    );
}

#[test]
fn the_kind_is_the_patterns_words_and_the_operation_what_it_does() {
    let expected = [
        (
            "kubectl delete ns shop",
            "kubectl.delete",
            Operation::Delete,
            Surface::Kubernetes,
        ),
        (
            "git push origin main --force",
            "git.push",
            Operation::Write,
            Surface::Shell,
        ),
        ("rm -rf build", "rm", Operation::Delete, Surface::Files),
        ("ls -l", "ls", Operation::Read, Surface::Shell),
        ("chmod 600 key", "chmod", Operation::Admin, Surface::Files),
    ];
    for (text, kind, operation, surface) in expected {
        let found = of(text);
        assert!(found.kind.starts_with(kind), "{text}: {}", found.kind);
        assert_eq!((found.operation, found.surface), (operation, surface), "{text}");
    }
}

#[test]
fn files_are_named_from_the_root_and_other_things_by_their_words() {
    assert_eq!(
        of("rm -rf ./build/../out 'a b'").targets,
        ["/work/a", "/work/b", "/work/out"]
    );
    let push = of("git push origin main");
    assert!(push.targets.iter().any(|name| name.contains("main")), "{push:?}");
    assert!(
        of("kubectl delete ns shop")
            .targets
            .iter()
            .any(|name| name.contains("shop"))
    );
}

#[test]
fn flags_of_force_have_one_spelling() {
    let force = |text| of(text).force.into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(force("rm -rf x"), "force recursive");
    assert_eq!(
        force("git push --force-with-lease origin main"),
        "force-with-lease"
    );
    assert_eq!(force("git commit --no-verify"), "no-verify");
}

#[test]
fn the_class_of_a_compound_is_that_of_its_worst_part() {
    assert_eq!(
        of("ls; kubectl delete ns shop").class,
        Some(Reversibility::Irreversible)
    );
    assert_eq!(of("ls; ./run").class, None);
    assert_eq!(of("ls").class, Some(Reversibility::TriviallyReversible));
}
