//! The record in the forms of other systems: complete, resumed after any crash, proved, and whole whatever agents write.

use rescind_scenarios::{Collector, Outcome, Random, Scenario, Seed, count, kill, proved, until};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

const FORMATS: [&str; 4] = ["jsonl", "cloudevents", "ocsf", "otlp"];

fn key(scenario: &Scenario) -> String {
    scenario
        .tell(&["ledger", "key"])
        .success()
        .out()
        .trim()
        .to_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// `rescind export --check`, on a machine that has no store.
fn check(scenario: &Scenario, export: &Path, proof: &Path, key: &str) -> Outcome {
    let nowhere = scenario.base().join("no such home");
    let mut command = scenario.rescind(&[
        "export",
        "--json",
        "--check",
        path(export),
        "--proof",
        path(proof),
    ]);
    Outcome::of(command.args(["--key", key]).env("RESCIND_HOME", nowhere))
}

/// How many entries the ledger has.
fn length(scenario: &Scenario) -> u64 {
    scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines()
        .len() as u64
}

/// The events in these lines, by their numbers.
fn seqs(lines: &str) -> Vec<u64> {
    lines
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            value["seq"]
                .as_u64()
                .unwrap_or_else(|| panic!("no number: {line}"))
        })
        .collect()
}

#[test]
fn an_export_of_any_form_is_proved_with_the_public_key_alone() {
    let scenario = Scenario::new();
    scenario
        .run("echo one > a; (rm a; exit 3); echo two > b")
        .success();
    scenario.undo(&[]);
    let (key, length) = (key(&scenario), length(&scenario));
    for format in FORMATS {
        let export = scenario.scratch().join(format);
        let proof = scenario.scratch().join(format!("{format}.proof"));
        let mut command = vec!["export", "--format", format, "--to", path(&export)];
        command.extend(["--proof", path(&proof)]);
        scenario.tell(&command).success();
        let checked = check(&scenario, &export, &proof, &key)
            .success()
            .json_lines()
            .remove(0);
        assert_eq!(
            (&checked["complete"], &checked["from"], &checked["to"]),
            (&json!(true), &json!(0), &json!(length))
        );
        let whole = fs::read_to_string(&export).expect("the export");
        let lines: Vec<&str> = whole.lines().collect();
        let mut bent: Vec<(&str, Vec<String>)> = Vec::new();
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let with = |bend: &dyn Fn(&mut Vec<String>)| {
            let mut lines = owned(&lines);
            bend(&mut lines);
            lines
        };
        bent.push(("dropped", with(&|lines| drop(lines.remove(1)))));
        bent.push((
            "changed",
            with(&|lines| lines[1] = lines[1].replacen("rescind", "rescued", 1)),
        ));
        bent.push(("reordered", with(&|lines| lines.swap(1, 2))));
        bent.push(("truncated", with(&|lines| drop(lines.pop()))));
        for (what, lines) in bent {
            let bent = scenario.scratch().join("bent");
            fs::write(
                &bent,
                lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
            )
            .expect("write");
            let found = check(&scenario, &bent, &proof, &key)
                .exits(4)
                .json_lines()
                .remove(0);
            let faults = found["faults"].as_array().expect("faults");
            assert!(
                found["complete"] == json!(false) && faults.len() == 1,
                "{format} {what}: {found}"
            );
            let located = faults[0]["line"].is_u64() || faults[0]["seq"].is_u64();
            assert!(located, "{format} {what}: {found}");
        }
        // A proof that was replaced, by that of another export, or by another ledger's.
        let other = scenario.scratch().join("other.proof");
        let _from_the_last_form = fs::remove_file(&other);
        let mut command = vec![
            "export",
            "--format",
            format,
            "--from",
            "2",
            "--proof",
            path(&other),
        ];
        command.push("--json");
        scenario.tell(&command).success();
        let found = check(&scenario, &export, &other, &key).exits(4);
        assert!(
            found.out().contains("added") || found.out().contains("not exported"),
            "{}",
            found.said()
        );
        let stranger = Scenario::new();
        stranger.run("true").success();
        let refused = check(&scenario, &export, &proof, &self::key(&stranger)).exits(4);
        assert!(refused.err().contains("proof-invalid"), "{}", refused.said());
    }
    let again = scenario.scratch().join("jsonl");
    let refused = scenario.tell(&["export", "--to", path(&again)]).exits(1);
    assert!(refused.err().contains("is there already"), "{}", refused.err());
}

fn attributes(span: &Value) -> BTreeMap<&str, &Value> {
    let list = span["attributes"].as_array().expect("attributes");
    list.iter()
        .map(|one| {
            let value = one["value"]
                .as_object()
                .expect("a value")
                .values()
                .next()
                .expect("one");
            (one["key"].as_str().expect("a key"), value)
        })
        .collect()
}

#[test]
fn a_collector_sees_a_session_as_a_tree_of_spans() {
    let scenario = Scenario::new();
    let collector = Collector::start();
    scenario
        .run("sh -c 'touch a; false'; rm a; sleep 0; true")
        .exits(0);
    let session = scenario.runs().remove(0);
    let nodes = scenario.log(&[&session]).len();
    let headers = scenario.scratch().join("headers");
    fs::write(&headers, "# for the collector\nAuthorization: Bearer hush\n").expect("write");
    let url = collector.url("");
    let mut command = vec!["export", "--format", "otlp", "--to", &url, "--json"];
    command.extend(["--headers", path(&headers)]);
    scenario.tell(&command).success();
    assert!(collector.heads().iter().all(|head| {
        let head = head.to_lowercase();
        head.starts_with("post /v1/traces ") && head.contains("authorization: bearer hush")
    }));
    let requests: Vec<Value> = collector
        .bodies()
        .iter()
        .map(|body| serde_json::from_slice(body).expect("JSON"))
        .collect();
    let spans: Vec<&Value> = requests
        .iter()
        .flat_map(|request| {
            request["resourceSpans"][0]["scopeSpans"][0]["spans"]
                .as_array()
                .expect("spans")
        })
        .collect();
    let id = |span: &Value| span["spanId"].as_str().expect("an id").to_owned();
    let ids: BTreeSet<String> = spans.iter().map(|span| id(span)).collect();
    assert_eq!(ids.len(), spans.len());
    let traces: BTreeSet<&str> = spans.iter().filter_map(|span| span["traceId"].as_str()).collect();
    assert_eq!(traces.len(), 1, "a session is a trace");
    let roots: Vec<&&Value> = spans
        .iter()
        .filter(|span| span.get("parentSpanId").is_none())
        .collect();
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0]["name"], "invoke_agent sh");
    assert_eq!(attributes(roots[0])["gen_ai.conversation.id"], &json!(session));
    for span in spans.iter().filter(|span| span.get("parentSpanId").is_some()) {
        let parent = span["parentSpanId"].as_str().expect("an id");
        assert!(ids.contains(parent), "its parent is there: {span}");
    }
    let tools: Vec<&str> = spans
        .iter()
        .filter(|span| attributes(span).get("gen_ai.operation.name") == Some(&&json!("execute_tool")))
        .filter_map(|span| span["name"].as_str())
        .collect();
    assert!(
        tools.contains(&"execute_tool rm") && tools.contains(&"execute_tool sh"),
        "{tools:?}"
    );
    let failed = spans
        .iter()
        .find(|span| span["name"] == "execute_tool sh")
        .expect("the shell that fails");
    assert_eq!(failed["status"], json!({"code": 2, "message": "exit code 1"}));
    let touch = spans
        .iter()
        .find(|span| span["name"] == "process touch")
        .expect("what it starts");
    assert_eq!(touch["parentSpanId"], failed["spanId"]);
    assert_eq!(attributes(touch)["rescind.effects"], &json!("1"));
    assert_eq!(attributes(touch)["rescind.coverage"], &json!("captured"));
    assert!(
        spans.len() > nodes,
        "{} spans of {nodes} actions and a session",
        spans.len()
    );
}

fn start(scenario: &Scenario, arguments: &[&str]) -> Child {
    let mut command = scenario.rescind(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

#[test]
fn a_receiver_misses_nothing_however_often_the_export_is_killed() {
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let scenario = Scenario::new();
    scenario
        .run("for n in $(seq 60); do echo $n > f; done; for n in $(seq 40); do /bin/true; done")
        .success();
    let length = length(&scenario);
    let kills = count("RESCIND_EXPORT_KILLS", 12);
    let mut killed = 0;
    for format in FORMATS {
        let collector = Collector::start();
        let point = scenario.scratch().join(format!("{format}.point"));
        let url = collector.url("/in");
        let mut left = (kills / FORMATS.len()).max(1);
        let mut ended = false;
        while !ended {
            let pid = std::sync::Arc::new(std::sync::Mutex::new(None::<i32>));
            let (after, answers) = (random.below(4), random.below(2) == 0);
            let (target, mut seen) = (std::sync::Arc::clone(&pid), 0);
            let stop = left > 0;
            collector.at_each(move |_| {
                seen += 1;
                if !stop || seen <= after {
                    return true;
                }
                // Received, and answered or not: the exporter hears of neither.
                let pid = until("the export's process", Duration::from_secs(60), || {
                    *target.lock().expect("a lock")
                });
                kill(pid, 9);
                answers
            });
            let mut child = start(
                &scenario,
                &[
                    "export",
                    "--format",
                    format,
                    "--to",
                    &url,
                    "--resume",
                    path(&point),
                    "--batch",
                    "7",
                ],
            );
            *pid.lock().expect("a lock") = Some(i32::try_from(child.id()).expect("a number"));
            let status = child.wait().expect("it ends");
            ended = status.success();
            killed += usize::from(!ended);
            left = left.saturating_sub(1);
        }
        let ids = received(format, &collector.bodies());
        match format {
            "otlp" => {
                let once = Collector::start();
                scenario
                    .tell(&["export", "--format", "otlp", "--to", &once.url("/in")])
                    .success();
                let wanted = received(format, &once.bodies());
                assert_eq!(
                    ids, wanted,
                    "every span came, and twice only with the same id and the same bytes"
                );
            }
            _ => {
                let numbers: BTreeSet<u64> = ids.keys().map(|id| id.parse().expect("a number")).collect();
                assert_eq!(numbers, (0..length).collect(), "{format}: no event is missing");
            }
        }
    }
    assert!(killed >= FORMATS.len(), "{killed} kills");
    proved(
        "export",
        format!("{killed} kills of an export to a receiver: no event missing, twice only with the same id"),
    );
}

/// What a receiver has, by its id; what came twice must have been the same.
fn received(format: &str, bodies: &[Vec<u8>]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |id: String, value: &Value| {
        let text = value.to_string();
        let before = found.insert(id.clone(), text.clone());
        assert!(
            before.is_none_or(|before| before == text),
            "{id} came twice, and not the same"
        );
    };
    for body in bodies {
        let text = String::from_utf8(body.clone()).expect("UTF-8");
        match format {
            "cloudevents" => {
                let batch: Vec<Value> = serde_json::from_str(&text).expect("a batch");
                batch
                    .iter()
                    .for_each(|event| add(event["id"].as_str().expect("an id").to_owned(), event));
            }
            "otlp" => {
                let request: Value = serde_json::from_str(&text).expect("a request");
                let spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
                    .as_array()
                    .expect("spans");
                spans
                    .iter()
                    .for_each(|span| add(span["spanId"].to_string(), span));
            }
            _ => {
                for line in text.lines() {
                    let event: Value = serde_json::from_str(line).expect("JSON");
                    let seq = event.get("seq").unwrap_or(&event["metadata"]["sequence"]);
                    add(seq.to_string(), &event);
                }
            }
        }
    }
    found
}

#[test]
fn a_file_has_every_event_once_however_often_the_export_is_killed() {
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let scenario = Scenario::new();
    let file = |name: &str| -> PathBuf { scenario.scratch().join(name) };
    let (export, proof, point) = (file("record"), file("proof"), file("point"));
    let arguments = [
        "export",
        "--follow",
        "--to",
        path(&export),
        "--proof",
        path(&proof),
        "--resume",
        path(&point),
        "--batch",
        "3",
    ];
    let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let mut child = start(&scenario, &arguments);
    for round in 0..count("RESCIND_EXPORT_ROUNDS", 6) {
        scenario
            .run("for n in $(seq 20); do echo $n > f; done; /bin/true; /bin/true")
            .success();
        // Killed wherever it is once it has written so much of the new session.
        let wanted = size(&export) + random.below(3000);
        until("the export to go on", Duration::from_secs(60), || {
            (size(&export) > wanted || round > 3).then_some(())
        });
        child.kill().expect("a kill");
        child.wait().expect("it ends");
        // Killed in the middle of a write, too.
        if point.exists() {
            let mut torn = fs::OpenOptions::new()
                .append(true)
                .open(&export)
                .expect("the export");
            std::io::Write::write_all(&mut torn, b"{\"seq\":").expect("write");
        }
        child = start(&scenario, &arguments);
    }
    let length = length(&scenario);
    until("all of it to be exported", Duration::from_secs(60), || {
        let point: Value = serde_json::from_slice(&fs::read(&point).ok()?).ok()?;
        (point["next"].as_u64()? == length).then_some(())
    });
    assert!(kill(i32::try_from(child.id()).expect("a number"), 2));
    let ended = child.wait_with_output().expect("it ends");
    assert!(
        ended.status.success(),
        "Ctrl-C ends it cleanly: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let lines = fs::read_to_string(&export).expect("the export");
    assert_eq!(
        seqs(&lines),
        (0..length).collect::<Vec<_>>(),
        "each event once, in order"
    );
    let checked = check(&scenario, &export, &proof, &key(&scenario))
        .success()
        .json_lines()
        .remove(0);
    assert_eq!(
        (&checked["complete"], &checked["to"]),
        (&json!(true), &json!(length))
    );
}

#[test]
fn what_is_erased_is_exported_without_its_content() {
    let scenario = Scenario::new();
    scenario
        .run("echo very secret words > a; /bin/echo 'the words of the command line'")
        .success();
    let before = scenario.tell(&["export"]).success().out();
    assert!(before.contains("the words of the command line"));
    scenario.tell(&["prune", "--older-than", "0s", "--yes"]).success();
    for format in FORMATS {
        let after = scenario.tell(&["export", "--format", format]).success().out();
        assert!(!after.contains("the words of the command line"), "{format}");
        for line in after.lines() {
            let _value: Value = serde_json::from_str(line).expect("JSON");
        }
    }
    let after = scenario.tell(&["export"]).success().out();
    assert!(
        seqs(&after).len() > seqs(&before).len(),
        "that it was erased is an event"
    );
    let missing = after.lines().filter(|line| line.contains("\"missing\":")).count();
    assert!(
        missing >= seqs(&before).len() - 1,
        "{missing} of {}\n{after}",
        seqs(&before).len()
    );
}

#[test]
fn whatever_bytes_are_in_a_command_line_the_lines_are_json() {
    let scenario = Scenario::new();
    scenario
        .run(
            "/bin/true \"$(printf '\\377\\376\\001\\033[2J\\r\\n\\t \"}],{ %%')\"; /bin/true \"$(head -c 100000 /dev/zero | tr '\\0' x)\"; \
             mkdir \"$(printf 'd\\377\\n')\"; cd d*; /bin/true \"$(printf '\\342\\200\\250\\357\\273\\277')\"",
        )
        .success();
    let nodes = scenario.log(&[]).len();
    for format in FORMATS {
        let out = scenario.tell(&["export", "--format", format]).success();
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        let mut lines = 0;
        for line in text.lines() {
            assert!(line.chars().all(|c| !c.is_control()), "{format}: {line}");
            let _value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{format}: {error}"));
            lines += 1;
        }
        assert!(lines > nodes, "{format}: {lines} lines");
    }
}

#[test]
fn no_process_of_a_session_exports() {
    let scenario = Scenario::new();
    let binary = rescind_scenarios::rescind_binary();
    let outcome = scenario.run(&format!("'{}' export > out 2> err; cat err", binary.display()));
    assert!(
        outcome.said().contains("inside-supervised-tree"),
        "{}",
        outcome.said()
    );
    assert_eq!(scenario.read("out"), "");
}
