//! The built-in catalog: its examples, its completeness, and the entry that everything must accept.

#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

use rescind_catalog::{Builder, CaptureFrom, Catalog, Context, Safe, examples, lint};
use rescind_model::{Class, Reversibility};

const ENTRY: &str = r#"command_pattern: "kubectl scale deployment/* --replicas=*"
reversibility: "trivially_reversible"
compensating_action: "kubectl scale deployment/{name} --replicas={previous_count} -n {namespace}"
rollback_safe: "always"
pre_capture: "kubectl get deployment/{name} -n {namespace} -o json"
notes: "needs the replica count from before"
"#;

#[test]
fn every_example_of_the_library_holds() {
    let (count, failed) = examples(Catalog::builtin().unwrap());
    let failed: Vec<String> = failed
        .iter()
        .map(|f| format!("{}: {}: {}", f.origin, f.entry, f.message))
        .collect();
    assert!(
        failed.is_empty(),
        "{} of {count}:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(count >= 300, "{count}");
}

#[test]
fn the_library_is_large_and_each_entry_has_both_kinds_of_examples() {
    let catalog = Catalog::builtin().unwrap();
    assert!(catalog.entries().len() >= 150, "{}", catalog.entries().len());
    for entry in catalog.entries() {
        assert!(!entry.examples.matching.is_empty(), "{}", entry.command_pattern);
        assert!(!entry.examples.no_match.is_empty(), "{}", entry.command_pattern);
    }
    let findings: Vec<String> = lint(catalog)
        .iter()
        .map(|f| format!("{}: {}: {}", f.origin, f.entry, f.message))
        .collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog");
    let origins: Vec<String> = Catalog::builtin()
        .unwrap()
        .entries()
        .iter()
        .map(|entry| entry.origin.clone())
        .collect();
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") {
            assert!(origins.contains(&name), "{name}");
        }
    }
}

#[test]
fn an_entry_with_six_fields_works_unchanged() {
    let mut builder = Builder::with_builtin().unwrap();
    builder.add("mine.yaml", ENTRY, true).unwrap();
    let catalog = builder.build().unwrap();
    let judged = catalog.judge_text(
        "kubectl --context prod scale deploy web --replicas=3 -n shop",
        &Context::default(),
    );
    assert_eq!(judged.class, Class::Known(Reversibility::TriviallyReversible));
    let part = &judged.parts[0];
    assert_eq!(part.entry.as_ref().unwrap().origin, "mine.yaml");
    let mut recovery = part.recoveries[0].clone();
    assert_eq!(
        recovery.pre_capture().unwrap().argv,
        [
            "kubectl",
            "--context=prod",
            "get",
            "deployment/web",
            "-n",
            "shop",
            "-o",
            "json"
        ]
    );
    assert_eq!(recovery.compensation().unwrap().missing, ["previous_count"]);
    let output = r#"{"metadata":{"namespace":"shop","name":"web"},"spec":{"replicas":7}}"#;
    recovery.capture(CaptureFrom::PreCapture, output).unwrap();
    let compensation = recovery.compensation().unwrap();
    assert!(compensation.is_complete());
    assert_eq!(
        compensation.argv,
        [
            "kubectl",
            "--context=prod",
            "scale",
            "deployment/web",
            "--replicas=7",
            "-n",
            "shop"
        ]
    );
    assert_eq!(recovery.safe(), Safe::Yes);
}

#[test]
fn a_namespace_that_was_not_given_is_the_one_that_was_captured() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text("kubectl scale deployment/web --replicas=3", &Context::default());
    let mut recovery = judged.parts[0].recoveries[0].clone();
    // What is not known is left to the program, which decides as it does for the action.
    assert_eq!(
        recovery.pre_capture().unwrap().text(),
        "kubectl get deployment/web -o json"
    );
    recovery
        .capture(
            CaptureFrom::PreCapture,
            r#"{"metadata":{"namespace":"blue"},"spec":{"replicas":2}}"#,
        )
        .unwrap();
    assert_eq!(
        recovery.compensation().unwrap().text(),
        "kubectl scale deployment/web --replicas=2 -n blue"
    );
}

#[test]
fn a_capture_that_finds_nothing_leaves_no_half_compensation() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text("kubectl scale deployment/web --replicas=3", &Context::default());
    let mut recovery = judged.parts[0].recoveries[0].clone();
    assert!(
        recovery
            .capture(CaptureFrom::PreCapture, "Error from server (NotFound)")
            .is_err()
    );
    assert!(
        recovery
            .capture(CaptureFrom::PreCapture, r#"{"spec":{"replicas":2}}"#)
            .is_err()
    );
    assert!(!recovery.compensation().unwrap().is_complete());
}

#[test]
fn all_that_a_command_made_is_taken_back() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text(
        "aws --region eu-west-1 ec2 run-instances --image-id a --count 2",
        &Context::default(),
    );
    let mut recovery = judged.parts[0].recoveries[0].clone();
    let result = r#"{"Instances":[{"InstanceId":"i-1"},{"InstanceId":"i-2"}]}"#;
    recovery.capture(CaptureFrom::Result, result).unwrap();
    assert_eq!(
        recovery.compensation().unwrap().argv,
        [
            "aws",
            "--region=eu-west-1",
            "ec2",
            "terminate-instances",
            "--instance-ids",
            "i-1",
            "i-2"
        ]
    );
    let (amount, unit) = recovery.spend(1).unwrap();
    assert_eq!(
        (amount.to_string(), unit.as_str()),
        ("0.2".to_owned(), "USD/hour")
    );
}

#[test]
fn each_object_of_a_command_is_judged_and_taken_back_by_itself() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text("kubectl delete deploy/web svc/web ns/prod", &Context::default());
    let classes: Vec<&str> = judged.parts.iter().map(|part| part.class.name()).collect();
    assert_eq!(
        classes,
        ["reversible_with_state", "reversible_with_state", "irreversible"]
    );
    let judged = catalog.judge_text("systemctl stop a b", &Context::default());
    let texts: Vec<String> = judged.parts[0]
        .recoveries
        .iter()
        .map(|r| r.compensation().unwrap().text())
        .collect();
    assert_eq!(texts, ["systemctl start a", "systemctl start b"]);
}

fn ways_back(text: &str) -> Vec<String> {
    let judged = Catalog::builtin().unwrap().judge_text(text, &Context::default());
    let recoveries = judged.parts.iter().flat_map(|part| &part.recoveries);
    recoveries.map(|r| r.compensation().unwrap().text()).collect()
}

#[test]
fn the_way_back_goes_through_the_same_user_and_environment() {
    assert_eq!(
        ways_back("sudo -u bob systemctl start a"),
        ["sudo -u bob systemctl stop a"]
    );
    assert_eq!(
        ways_back("sudo sh -c 'systemctl start a'"),
        ["sudo systemctl stop a"]
    );
    assert_eq!(
        ways_back("KUBECONFIG=/a/b kubectl cordon n"),
        ["env KUBECONFIG=/a/b kubectl uncordon n"]
    );
    assert_eq!(
        ways_back("sudo env A=b nice kubectl cordon n"),
        ["sudo env A=b kubectl uncordon n"]
    );
    assert_eq!(
        ways_back("systemctl -H web start a"),
        ["systemctl --host=web stop a"]
    );
    assert_eq!(ways_back("ip6tables -F"), ["ip6tables-restore"]);
    assert_eq!(
        ways_back("sudo systemctl start a; systemctl start b"),
        ["sudo systemctl stop a", "systemctl stop b"]
    );
}

#[test]
fn what_runs_where_nothing_takes_it_back_is_no_better_than_partly_reversible() {
    let catalog = Catalog::builtin().unwrap();
    for text in [
        "ssh host systemctl start a",
        "docker exec web systemctl start a",
        "su bob -c 'systemctl start a'",
        "KUBECONFIG=$K kubectl cordon n",
        "kubectl apply -f a.yaml -f b.yaml",
        "sudo -u \"$U\" systemctl start a",
    ] {
        let judged = catalog.judge_text(text, &Context::default());
        assert!(
            judged.class >= Class::Known(Reversibility::PartiallyReversible),
            "{text}: {}",
            judged.class
        );
        assert!(ways_back(text).is_empty(), "{text}");
    }
}

#[test]
fn kinds_of_objects_are_known_by_each_of_their_names() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_text(
        "kubectl delete ns,Deployments.v1.apps -- prod",
        &Context::default(),
    );
    let classes: Vec<&str> = judged.parts.iter().map(|part| part.class.name()).collect();
    assert_eq!(classes, ["irreversible", "reversible_with_state"]);
    let before = judged.parts[1].recoveries[0].pre_capture().unwrap();
    assert_eq!(before.text(), "kubectl get deployment/prod -o json");
    // A name that is also a kind stays a name.
    let judged = catalog.judge_text("kubectl delete deploy po", &Context::default());
    let before = judged.parts[0].recoveries[0].pre_capture().unwrap();
    assert_eq!(before.text(), "kubectl get deployment/po -o json");
}

#[test]
fn the_published_schema_has_exactly_the_fields_that_are_read() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../catalog/schema.json")).unwrap();
    let names = |definition: &str| {
        let properties = schema["$defs"][definition]["properties"].as_object().unwrap();
        let mut names: Vec<String> = properties.keys().cloned().collect();
        names.sort();
        names
    };
    // The reader lists the fields it knows when it meets one that it does not.
    let read = |text: &str| {
        let message = Builder::default()
            .add("x.yaml", text, true)
            .unwrap_err()
            .to_string();
        let known = message.split("expected one of ").nth(1).unwrap().to_owned();
        let mut names: Vec<String> = known
            .split(", ")
            .map(|name| name.trim_matches('`').to_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("entry"),
        read("command_pattern: x\nreversibility: unknown\nsurprise: 1")
    );
    assert_eq!(names("tool"), read("tool: {name: x, surprise: 1}"));
}

#[test]
fn a_value_stays_one_word_whatever_it_holds() {
    let catalog = Catalog::builtin().unwrap();
    let judged = catalog.judge_argv(&["systemctl", "stop", "a; rm -rf /"], &Context::default());
    let compensation = judged.parts[0].recoveries[0].compensation().unwrap();
    assert_eq!(compensation.argv, ["systemctl", "start", "a; rm -rf /"]);
}

#[test]
fn faulty_files_are_refused_with_the_entry_and_the_reason() {
    let refused = |text: &str| {
        let mut builder = Builder::default();
        builder
            .add("x.yaml", text, true)
            .map(|()| builder.build().map(|_| ()))
            .and_then(|built| built)
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused("command_pattern: 'x *'\nreversibility: maybe\n").contains("`maybe` is none of no_effect")
    );
    assert!(refused("- {command_pattern: x, reversibility: unknown, surprise: 1}").contains("surprise"));
    assert!(refused("command_pattern: 'x ... y'\nreversibility: unknown").contains("words follow `...`"));
    assert!(
        refused("command_pattern: x\nreversibility: unknown\ncompensating_action: 'a | b'")
            .contains("needs a shell")
    );
    assert!(refused("command_pattern: x\nreversibility: unknown\ncaptures: {a: '$['}").contains("JSONPath"));
    assert!(refused("a: [").contains("YAML"));
}
