use super::{desk, judge, runs};
use rescind_model::Verdict;
use rescind_supervisor::{Desk as _, Judged};

fn read(output: &str) -> Result<String, String> {
    Ok(output.to_owned())
}

fn refused() -> Result<String, String> {
    Err("it ended with 1: Forbidden".to_owned())
}

fn backs(judged: &Judged) -> Vec<String> {
    judged.ways.iter().map(|way| way.back.join(" ")).collect()
}

const THREE: &str = "{\"metadata\": {\"namespace\": \"default\"}, \"spec\": {\"replicas\": 3}}";

#[test]
fn what_the_catalog_can_read_and_take_back_runs_and_what_was_read_fills_the_way() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), "");
    let cases = [
        (
            "kubectl scale deployment/web --replicas=5 -n shop",
            "kubectl get deployment/web -n shop -o json",
            THREE,
            "kubectl scale deployment/web --replicas=3 -n shop",
        ),
        (
            "kubectl --context=prod scale statefulset/db --replicas=5",
            "kubectl --context=prod get statefulset/db -o json",
            THREE,
            "kubectl --context=prod scale statefulset/db --replicas=3 -n default",
        ),
        (
            "systemctl stop nginx",
            "systemctl show nginx -p ActiveState",
            "ActiveState=active\n",
            "systemctl start nginx",
        ),
        (
            "systemctl enable nginx",
            "systemctl show nginx -p UnitFileState",
            "UnitFileState=disabled",
            "systemctl disable nginx",
        ),
    ];
    for (node, (command, reads, output, back)) in (1..).zip(cases) {
        let judged = judge(&mut desk, command, node, 0, None);
        assert!(runs(&judged), "{command}: {:?}", judged.form);
        let way = judged
            .ways
            .first()
            .unwrap_or_else(|| panic!("{command} has no way back"));
        assert_eq!(way.read.join(" "), reads);
        let filled = desk.captured(node, &[read(output)]).unwrap();
        assert!(runs(&filled), "{command}: {:?}", filled.form);
        assert_eq!(backs(&filled), [back]);
        assert_eq!(filled.form.compensation.as_deref(), Some(back));
        desk.settled(&filled, true);
        assert!(desk.captured(node, &[read(output)]).is_none(), "it is settled");
    }
}

#[test]
fn what_has_no_safe_way_back_or_none_of_its_own_is_not_read() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), "");
    let commands = [
        // Its parts are judged when they start.
        "sh -c kubectl scale deployment/web --replicas=5; systemctl stop nginx",
        "sudo systemctl stop nginx",
        "kubectl delete deployment/web",
        "kubectl get pods",
        "systemctl stop -- --all",
        "systemctl stop -- -H",
        "git push origin main",
        "redis-cli SET key value",
    ];
    for (node, command) in (1..).zip(commands) {
        let judged = judge(&mut desk, command, node, 0, None);
        assert_eq!(judged.ways, [], "{command}");
        assert!(desk.captured(node, &[read(THREE)]).is_none(), "{command}");
    }
}

#[test]
fn what_could_not_be_read_waits_and_says_why_however_trivial_it_seemed() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), "");
    let scale = "kubectl scale deployment/web --replicas=5 -n shop";
    let cases = [
        (scale, refused(), "Forbidden"),
        (scale, read("no json"), "no JSON"),
        (scale, read("{\"spec\": {}}"), "nothing that"),
        (
            scale,
            read("{\"spec\": {\"replicas\": {\"a\": 1}}}"),
            "no single value",
        ),
        ("systemctl stop nginx", read("ActiveState=failed"), "not be safe"),
        ("systemctl stop nginx", read(""), "nothing that"),
    ];
    for (node, (command, output, why)) in (1..).zip(cases) {
        assert!(runs(&judge(&mut desk, command, node, 0, None)), "{command}");
        let again = desk.captured(node, &[output]).unwrap();
        assert!(matches!(again.verdict, Verdict::Hold(_)), "{command}: {again:?}");
        assert_eq!((again.form.verdict.as_str(), again.ways.len()), ("hold", 0));
        assert!(again.form.reasons[0].contains(why), "{:?}", again.form.reasons);
        assert!(!again.form.uncovered.is_empty());
        // As often as it is asked.
        let third = desk.captured(node, &[read(THREE)]);
        assert!(
            third.is_some_and(|third| !runs(&third)),
            "a later word is never milder"
        );
        desk.settled(&again, false);
        desk.ended(node, None);
        // Three denials in a row would halt the session.
        let other = judge(&mut desk, "rm x", 100 + node, 0, None);
        desk.settled(&other, true);
    }
}

#[test]
fn of_several_targets_each_has_a_way_and_one_that_leads_nowhere_is_missed() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), "");
    let judged = judge(&mut desk, "systemctl stop nginx redis", 1, 0, None);
    assert_eq!(judged.ways.len(), 2);
    let both = desk
        .captured(1, &[read("ActiveState=active"), read("ActiveState=active")])
        .unwrap();
    assert_eq!(backs(&both), ["systemctl start nginx", "systemctl start redis"]);
    let one = desk
        .captured(1, &[refused(), read("ActiveState=active")])
        .unwrap();
    assert_eq!(backs(&one), ["systemctl start redis"]);
    assert!(
        one.form.uncovered.iter().any(|own| own.contains("Forbidden")),
        "{:?}",
        one.form
    );
    let fewer = desk.captured(1, &[read("ActiveState=active")]).unwrap();
    assert_eq!(fewer.ways.len(), 1, "what was not read at all is missed, too");
}

#[test]
fn what_waits_after_all_gives_back_what_it_had_reserved_to_run_at_once() {
    let limit = "[[limit]]\nid = \"one\"\nper = \"session\"\nmeasure = \"actions\"\nkind = \"systemctl.stop\"\ncap = 1\n";
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), limit);
    assert!(runs(&judge(&mut desk, "systemctl stop nginx", 1, 0, None)));
    assert!(
        judge(&mut desk, "systemctl stop redis", 2, 0, None).limited,
        "the limit is about it"
    );
    let held = desk.captured(1, &[refused()]).unwrap();
    assert!(!runs(&held));
    let next = judge(&mut desk, "systemctl stop redis", 3, 0, None);
    assert!(runs(&next), "{:?}", next.verdict);
}
