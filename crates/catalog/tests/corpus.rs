//! Commands with the class that the tools' documentation gives them.

use rescind_catalog::{Catalog, Context};
use rescind_model::{Class, Reversibility};
use std::fmt::Write as _;

const FILES: [(&str, &str); 3] = [
    (
        "cloud_and_cluster.tsv",
        include_str!("corpus/cloud_and_cluster.tsv"),
    ),
    ("machine.tsv", include_str!("corpus/machine.tsv")),
    ("tricks.tsv", include_str!("corpus/tricks.tsv")),
];

/// Class, command, reason.
fn lines() -> Vec<(&'static str, Class, String)> {
    let mut lines = Vec::new();
    for (file, text) in FILES {
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let columns: Vec<&str> = line.split('\t').collect();
            let class = columns.first().and_then(|name| Class::from_name(name));
            assert!(columns.len() == 3 && class.is_some(), "{file}: {line}");
            let command = columns.get(1).map(|command| command.replace('⏎', "\n"));
            lines.extend(class.zip(command).map(|(class, command)| (file, class, command)));
        }
    }
    lines
}

#[test]
fn judgements_agree_with_the_documentation_and_none_is_too_good() {
    let catalog = Catalog::builtin().unwrap();
    let lines = lines();
    assert!(lines.len() >= 2_000, "{}", lines.len());
    let mut wrong = String::new();
    let (mut disagree, mut below) = (0, 0);
    for (file, class, command) in &lines {
        let judged = catalog.judge_text(command, &Context::default());
        if judged.class == *class {
            continue;
        }
        disagree += 1;
        let too_good = judged.class < *class;
        below += usize::from(too_good);
        let mark = if too_good { "BELOW " } else { "" };
        writeln!(
            wrong,
            "{mark}{file}: `{command}` should be {class}, is {}: {}",
            judged.class,
            judged.reasons.join("; ")
        )
        .unwrap();
    }
    let share = 100.0 - 100.0 * f64::from(disagree) / f64::from(u32::try_from(lines.len()).unwrap());
    println!("{} commands, {share:.1} % agree\n{wrong}", lines.len());
    assert_eq!(below, 0, "commands are judged too good\n{wrong}");
    assert!(share >= 97.0, "{share:.1} % agree\n{wrong}");
}

#[test]
fn whatever_is_unknown_is_not_made_better_by_what_stands_around_it() {
    let catalog = Catalog::builtin().unwrap();
    for (_, class, command) in lines() {
        if command.contains('#')
            || command.contains("<<")
            || class <= Class::Known(Reversibility::TriviallyReversible)
        {
            continue;
        }
        let alone = catalog.judge_text(&command, &Context::default()).class;
        for around in [
            format!("ls; ( {command}\n)"),
            format!("if true; then {command}\n fi"),
            format!("{command}\n ls"),
        ] {
            let judged = catalog.judge_text(&around, &Context::default());
            assert!(
                judged.class >= alone,
                "`{around}` is {}: {}",
                judged.class,
                judged.reasons.join("; ")
            );
        }
    }
}
