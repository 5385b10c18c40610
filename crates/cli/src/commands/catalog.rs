//! `rescind catalog`: what is known of commands, and how they are taken back.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, bold, dim, green, red, yellow};
use crate::text::clean;
use clap::{Args, Subcommand};
use rescind_catalog::{
    Catalog, Context as Known, Effects, Entry, Filled, Finding, Judgement, Part, Recovery, Safe, Severity,
    examples, lint, usual_time,
};
use rescind_desk::{Configuration, catalog_with};
use rescind_model::{Class, Reversibility, span};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Arguments of `rescind catalog`.
#[derive(Debug, Clone, Args)]
pub struct CatalogArgs {
    /// What to do with it
    #[command(subcommand)]
    pub command: CatalogCommand,
}

/// The commands on the catalog.
#[derive(Debug, Clone, Subcommand)]
pub enum CatalogCommand {
    /// Say what a command does, how far it can be taken back, and why
    Explain {
        /// One word: a text for a shell. Several: the words of one command
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "CMD"
        )]
        command: Vec<String>,
    },
    /// Run the examples of all entries as tests
    Test,
    /// Look for faults and gaps in entries
    Lint {
        /// A folder of entries; without it your own
        folder: Option<PathBuf>,
    },
    /// List the entries
    List,
}

/// Do it.
///
/// # Errors
/// Entries can't be read.
pub fn run(context: &Context, args: &CatalogArgs) -> Done {
    match &args.command {
        CatalogCommand::Explain { command } => explain(context, command),
        CatalogCommand::Test => test(context),
        CatalogCommand::Lint { folder } => lint_folder(context, folder.as_deref()),
        CatalogCommand::List => list(context),
    }
}

/// The catalog as it is used: the built-in one, and one's own entries.
fn whole() -> Done<Catalog> {
    Ok(Configuration::of_user().catalog()?)
}

fn explain(context: &Context, command: &[String]) -> Done {
    let catalog = whole()?;
    let known = Known {
        variables: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..Known::default()
    };
    let judged = match command {
        [text] => catalog.judge_text(text, &known),
        argv => catalog.judge_argv(argv, &known),
    };
    let mut out = Out::new();
    if context.json {
        out.json(&judgement_json(&judged))?;
    } else {
        show(&mut out, &judged)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn coloured(class: Class) -> String {
    let name = class.name();
    match class {
        Class::NoEffect
        | Class::Known(Reversibility::TriviallyReversible | Reversibility::ReversibleWithState) => {
            green(name)
        }
        Class::Known(Reversibility::Irreversible) => red(name),
        Class::Known(_) | Class::Unknown => yellow(name),
    }
}

fn show(out: &mut Out, judged: &Judgement) -> Done<()> {
    out.line(format!("{}  {}", coloured(judged.class), way_back(judged.class)))?;
    if judged.uncaptured != judged.class {
        out.line(format!(
            "{}  without the capture of files",
            dim(judged.uncaptured.name())
        ))?;
    }
    if judged.local_files_only {
        out.line(dim(
            "it changes only files of this machine; each is captured before it changes",
        ))?;
    }
    for reason in &judged.reasons {
        out.line(format!("  {}", clean(reason)))?;
    }
    for part in &judged.parts {
        out.line("")?;
        show_part(out, part)?;
    }
    Ok(())
}

fn show_part(out: &mut Out, part: &Part) -> Done<()> {
    let mut line = |name: &str, text: &str| -> Done<()> {
        if text.is_empty() {
            return Ok(());
        }
        out.line(format!("  {}  {}", dim(&format!("{name:<13}")), clean(text)))
    };
    line("part", &part.text)?;
    line("class", &format!("{} ({})", part.class, part.why))?;
    if part.place != rescind_catalog::Place::Here {
        line("where", &part.place.name())?;
    }
    if let Some(doubt) = part.doubt {
        line("doubt", doubt.name())?;
    }
    line("writes", &part.writes.join(", "))?;
    let Some(entry) = &part.entry else { return Ok(()) };
    let others = match part.others {
        0 => String::new(),
        number => format!("; {number} more fit, and name less of it"),
    };
    line(
        "entry",
        &format!("{} ({}{others})", entry.command_pattern, entry.origin),
    )?;
    for recovery in &part.recoveries {
        show_recovery(&mut line, recovery)?;
    }
    if part.class > Class::NoEffect {
        line("recovery", &recovery_time(part, entry))?;
    }
    line("first", &entry.preconditions.join("; "))?;
    line("dependents", &entry.dependents.join("; "))?;
    line("notes", &entry.notes)?;
    line(
        "idempotent",
        entry
            .idempotent_form
            .as_deref()
            .map(|form| format!("say instead: {form}"))
            .as_deref()
            .unwrap_or_default(),
    )?;
    line("source", &entry.source)
}

fn show_recovery(line: &mut impl FnMut(&str, &str) -> Done<()>, recovery: &Recovery) -> Done<()> {
    let text = |filled: Option<Filled>| {
        filled.map_or_else(String::new, |filled| match filled.missing.as_slice() {
            [] => filled.text(),
            missing => format!("{}  (still to be found: {})", filled.text(), missing.join(", ")),
        })
    };
    line("pre-capture", &text(recovery.pre_capture()))?;
    line("compensation", &text(recovery.compensation()))?;
    if let Some(input) = &recovery.entry.compensation_stdin {
        line(
            "",
            &format!(
                "reads {}",
                if input == "pre_capture" {
                    "what the pre-capture printed"
                } else {
                    input
                }
            ),
        )?;
    }
    line("verify", &text(recovery.verify()))?;
    if recovery.entry.compensating_action.is_some() {
        line("rollback", &safety(recovery))?;
    }
    if let Some((amount, unit)) = recovery.spend(1) {
        line("spend", &format!("{amount} {unit}"))?;
    }
    Ok(())
}

fn safety(recovery: &Recovery) -> String {
    match recovery.safe() {
        Safe::Yes => "safe by itself".to_owned(),
        Safe::No => "a person decides".to_owned(),
        Safe::If(check) => format!("safe by itself if `{}` ends with 0", check.text()),
        Safe::NotYetKnown => format!("safe by itself if {}", recovery.entry.rollback_safe.name()),
    }
}

/// The recovery path of a class, in words.
fn way_back(class: Class) -> &'static str {
    match class {
        Class::NoEffect => "nothing to take back",
        Class::Known(Reversibility::TriviallyReversible) => "the opposite command takes it back",
        Class::Known(Reversibility::ReversibleWithState) => "what is captured before takes it back",
        Class::Known(Reversibility::ReversibleWithBackup) => "a backup takes it back, if there is one",
        Class::Known(Reversibility::PartiallyReversible) => "some of it can't be taken back",
        Class::Unknown => "nobody can tell before it runs",
        Class::Known(Reversibility::Irreversible) => "nothing takes it back",
    }
}

fn time_of(part: &Part, entry: &Entry) -> Option<Duration> {
    if entry.effects == Effects::LocalFiles && part.class < part.uncaptured {
        return entry.time_to_recover.or_else(|| usual_time(part.class));
    }
    entry.time_to_recover.or_else(|| usual_time(part.class))
}

fn recovery_time(part: &Part, entry: &Entry) -> String {
    match time_of(part, entry) {
        Some(time) => format!("{}, about {}", way_back(part.class), span(time)),
        None => way_back(part.class).to_owned(),
    }
}

fn judgement_json(judged: &Judgement) -> Value {
    json!({
        "class": judged.class.name(),
        "uncaptured_class": judged.uncaptured.name(),
        "recovery_path": way_back(judged.class),
        "local_files_only": judged.local_files_only,
        "reasons": judged.reasons,
        "parts": judged.parts.iter().map(part_json).collect::<Vec<_>>(),
    })
}

fn part_json(part: &Part) -> Value {
    let entry = part.entry.as_ref();
    let filled = |filled: Option<Filled>| {
        filled.map(|filled| json!({"argv": filled.argv, "text": filled.text(), "missing": filled.missing}))
    };
    let recovery = |recovery: &Recovery| {
        json!({
            "bindings": recovery.bindings,
            "captures": recovery.captures().keys().collect::<Vec<_>>(),
            "pre_capture": filled(recovery.pre_capture()),
            "compensation": filled(recovery.compensation()),
            "compensation_stdin": recovery.entry.compensation_stdin,
            "verify": filled(recovery.verify()),
            "rollback_safe": recovery.entry.rollback_safe.name(),
            "spend": recovery.spend(1).map(|(amount, unit)| json!({"amount": amount.to_string(), "unit": unit})),
            "blast_radius": recovery.blast_radius(part.targets.len()).map(|(amount, unit)| json!({"amount": amount.to_string(), "unit": unit})),
        })
    };
    json!({
        "text": part.text,
        "class": part.class.name(),
        "uncaptured_class": part.uncaptured.name(),
        "why": part.why,
        "doubt": part.doubt.map(rescind_catalog::Doubt::name),
        "place": part.place.name(),
        "effects": part.effects.name(),
        "writes": part.writes,
        "targets": part.targets,
        "entry": entry.map(|entry| json!({
            "command_pattern": entry.command_pattern,
            "origin": entry.origin,
            "does": entry.does,
            "notes": entry.notes,
            "preconditions": entry.preconditions,
            "dependents": entry.dependents,
            "idempotent": entry.idempotent,
            "idempotent_form": entry.idempotent_form,
            "source": entry.source,
        })),
        "recovery_path": way_back(part.class),
        "time_to_recover_seconds": entry.and_then(|entry| time_of(part, entry)).map(|time| time.as_secs()),
        "recoveries": part.recoveries.iter().map(recovery).collect::<Vec<_>>(),
    })
}

fn test(context: &Context) -> Done {
    let (count, failed) = examples(&whole()?);
    let mut out = Out::new();
    findings(&mut out, context, &failed)?;
    if context.json {
        out.json(&json!({"examples": count, "failed": failed.len()}))?;
    } else if failed.is_empty() {
        out.line(green(&format!("all {count} examples hold")))?;
    } else {
        out.line(red(&format!("{} of {count} examples do not hold", failed.len())))?;
    }
    out.end()?;
    Ok(if failed.is_empty() {
        Exit::Ok
    } else {
        Exit::NotVerified
    })
}

fn lint_folder(context: &Context, folder: Option<&Path>) -> Done {
    let own = Configuration::of_user().root().map(|root| root.join("catalog"));
    let catalog = match folder {
        Some(folder) => catalog_with(folder)?,
        None => whole()?,
    };
    let own_only = folder.is_some() || own.is_some_and(|folder| folder.is_dir());
    let mut found = lint(&catalog);
    found.extend(examples(&catalog).1);
    let of_own = |finding: &Finding| {
        let entry = catalog
            .entries()
            .iter()
            .find(|entry| entry.origin == finding.origin);
        !own_only || entry.is_some_and(|entry| entry.own)
    };
    found.retain(of_own);
    let mut out = Out::new();
    findings(&mut out, context, &found)?;
    let errors = found
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    if !context.json {
        let text = format!("{errors} errors, {} notes", found.len() - errors);
        out.line(if errors == 0 { green(&text) } else { red(&text) })?;
    }
    out.end()?;
    Ok(if errors == 0 { Exit::Ok } else { Exit::NotVerified })
}

fn findings(out: &mut Out, context: &Context, found: &[Finding]) -> Done<()> {
    for finding in found {
        let severity = if finding.severity == Severity::Error {
            "error"
        } else {
            "note"
        };
        if context.json {
            out.json(&json!({"origin": finding.origin, "entry": finding.entry, "severity": severity, "message": finding.message}))?;
        } else {
            out.line(format!(
                "{severity}: {}: {}",
                clean(&finding.origin),
                bold(&clean(&finding.entry))
            ))?;
            out.line(format!("  {}", clean(&finding.message)))?;
        }
    }
    Ok(())
}

fn list(context: &Context) -> Done {
    let catalog = whole()?;
    let mut out = Out::new();
    if context.json {
        for entry in catalog.entries() {
            out.json(&json!({
                "command_pattern": entry.command_pattern,
                "also": entry.also,
                "reversibility": entry.reversibility.name(),
                "effects": entry.effects.name(),
                "does": entry.does,
                "origin": entry.origin,
                "own": entry.own,
            }))?;
        }
    } else {
        const WIDEST: usize = 60;
        let row = |entry: &std::sync::Arc<Entry>| {
            let mut pattern: String = entry.command_pattern.chars().take(WIDEST).collect();
            if pattern.len() < entry.command_pattern.len() {
                pattern.push_str("...");
            }
            vec![
                clean(&pattern),
                entry.reversibility.name().to_owned(),
                clean(&entry.origin),
            ]
        };
        let rows: Vec<Vec<String>> = catalog.entries().iter().map(row).collect();
        out.table(&["PATTERN", "CLASS", "FROM"], &rows)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}
