//! `rescind policy`: check, test and show what actions are judged by.

mod replay;
mod rules;

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, green, red};
use crate::text::{clean, count};
use clap::{Args, Subcommand};
use rescind_desk::{Configuration, Text, parse_tiers, parse_triggers, zone};
use rescind_model::chain;
use rescind_policy::{
    Bounds, Case, CaseFailure, DEFAULT_CASES, DEFAULT_POLICY, Problem, Problems, Rules, SCHEMA, cases,
};
use serde_json::json;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Arguments of `rescind policy`.
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    /// What to do with it
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// The commands on policies.
#[derive(Debug, Clone, Subcommand)]
pub enum PolicyCommand {
    /// Validate policies, limits, freezes and tiers, and say where they are wrong
    ///
    /// Without files: the default policy with policies/*.cedar, limits.toml and approvals.toml of $XDG_CONFIG_HOME/rescind.
    Check {
        /// Policies (.cedar), limits and freezes (.toml), tiers (approvals.toml), triggers (triggers.toml)
        files: Vec<PathBuf>,
    },
    /// Judge the shipped cases and your own, and say which come out otherwise
    ///
    /// Without files: the incidents, ordinary development work, the default policy's tiers, and policies/tests/*.toml of
    /// $XDG_CONFIG_HOME/rescind, all by the default policy with yours.
    Test {
        /// Cases (.toml)
        files: Vec<PathBuf>,
        /// Judge by these policies instead of yours
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
    },
    /// Say why an action was let run, held or denied, and what the policies in force would say now
    Explain {
        /// SESSION.NUMBER, or the NUMBER alone for the last session
        action: String,
    },
    /// Judge the recorded past by other policies, and say what would have come out otherwise
    Replay {
        /// Only sessions that began since: a time such as 2026-11-21T08:00:00Z, or how long ago, such as 2h or 7d
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// These policies instead of yours; the default ones stand unless one has their `@id`
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
    },
    /// List the rules learned from approvals: who gave them, until when, how often they were used
    Rules,
    /// Take back a rule learned from an approval: what it let run waits again
    Forget {
        /// The rule, by its name or the end of it
        rule: String,
    },
    /// Print the default policy, or the schema that policies are validated against
    Show {
        /// The schema
        #[arg(long)]
        schema: bool,
    },
}

/// Do it.
///
/// # Errors
/// A file can't be read, or something in it is wrong.
pub fn run(context: &Context, args: &PolicyArgs) -> Done {
    match &args.command {
        PolicyCommand::Check { files } => check(context, files),
        PolicyCommand::Test { files, policy } => test(context, files, policy),
        PolicyCommand::Explain { action } => replay::explain(context, action),
        PolicyCommand::Replay { since, policy } => replay::replay(context, since.as_deref(), policy),
        PolicyCommand::Rules => rules::rules(context),
        PolicyCommand::Forget { rule } => rules::forget(context, rule),
        PolicyCommand::Show { schema } => show(context, *schema),
    }
}

fn check(context: &Context, files: &[PathBuf]) -> Done {
    let files = match files {
        [] => {
            let own = Configuration::of_user();
            let mut files = own.files("policies", &["cedar"])?;
            files.extend(own.limits()?);
            files.extend(own.approvals()?);
            files.extend(own.triggers_file()?);
            files
        }
        files => files.to_vec(),
    };
    let is_policy = |path: &&PathBuf| path.extension().is_none_or(|end| end != "toml");
    let (policies, limits): (Vec<PathBuf>, Vec<PathBuf>) =
        files.iter().cloned().partition(|path| is_policy(&path));
    let (policies, limits) = (Text::all(&policies)?, Text::all(&limits)?);
    let mut problems = Vec::new();
    let (mut policy_count, mut version) = (0, None);
    match parsed(&policies) {
        Ok(rules) => {
            policy_count = rules.rules().len();
            version = Some(rules.version().to_string());
        }
        Err(Problems(found)) => problems.extend(found),
    }
    let (mut limit_count, mut freeze_count, mut tier_count, mut trigger_count) = (0, 0, 0, 0);
    for file in &limits {
        if Path::new(&file.name).file_name() == Some(OsStr::new("approvals.toml")) {
            match parse_tiers(&file.name, &file.text) {
                Ok(tiers) => tier_count += tiers.tiers.len(),
                Err(error) => problems.extend(error.problems.0),
            }
            continue;
        }
        if Path::new(&file.name).file_name() == Some(OsStr::new("triggers.toml")) {
            match parse_triggers(&file.name, &file.text) {
                Ok(triggers) => trigger_count += triggers.len(),
                Err(error) => problems.extend(error.problems.0),
            }
            continue;
        }
        match Bounds::parse(&file.name, &file.text, &zone) {
            Ok(bounds) => {
                limit_count += bounds.limits.limits().len();
                freeze_count += bounds.freezes.len();
            }
            Err(error) => problems.extend(error.problems.0),
        }
    }
    if !problems.is_empty() {
        return Err(invalid(context, &problems)?);
    }
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "policies": policy_count,
            "version": version,
            "files": files.len(),
            "limits": limit_count,
            "freezes": freeze_count,
            "tiers": tier_count,
            "triggers": trigger_count,
        }))?;
    } else {
        out.line(format!(
            "{}: {} (the default ones among them), {}, {}, {}, {}",
            green("valid"),
            count(policy_count as u64, "policy", "policies"),
            count(limit_count as u64, "limit", "limits"),
            count(freeze_count as u64, "freeze", "freezes"),
            count(tier_count as u64, "tier", "tiers"),
            count(trigger_count as u64, "trigger", "triggers"),
        ))?;
        for path in &files {
            out.line(dim(&format!("  {}", clean(&path.display().to_string()))))?;
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn test(context: &Context, files: &[PathBuf], policy: &[PathBuf]) -> Done {
    let policies = match policy {
        [] => Text::all(&Configuration::of_user().files("policies", &["cedar"])?)?,
        policy => Text::all(policy)?,
    };
    let rules = match parsed(&policies) {
        Ok(rules) => rules,
        Err(Problems(found)) => return Err(invalid(context, &found)?),
    };
    let mut texts = match files {
        [] => Text::all(&Configuration::of_user().files("policies/tests", &["toml"])?)?,
        files => Text::all(files)?,
    };
    if files.is_empty() {
        texts.extend(DEFAULT_CASES.map(|(name, text)| Text {
            name: name.to_owned(),
            text: text.to_owned(),
        }));
    }
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for file in &texts {
        match cases(&file.name, &file.text, &zone) {
            Ok(cases) => all.extend(cases),
            Err(error) => problems.extend(error.problems.0),
        }
    }
    if !problems.is_empty() {
        return Err(invalid(context, &problems)?);
    }
    let mut out = Out::new();
    let mut failed = 0_usize;
    for case in &all {
        let result = case.run(&rules);
        failed += usize::from(result.is_err());
        tell(&mut out, context, case, result.err().as_ref())?;
    }
    if failed == 0 && !context.json {
        let cases = count(all.len() as u64, "case", "cases");
        out.line(format!("{}: {cases} came out as expected", green("passed")))?;
    }
    out.end()?;
    if failed == 0 {
        return Ok(Exit::Ok);
    }
    let message = format!(
        "{failed} of {} came out otherwise",
        count(all.len() as u64, "case", "cases")
    );
    Err(Failure::new(Code::PolicyTestFailed, message)
        .help("change the policy, or what the case expects; `rescind policy show` prints the default policy"))
}

/// Cases that came out otherwise; with `--json` all of them.
fn tell(out: &mut Out, context: &Context, case: &Case, failure: Option<&CaseFailure>) -> Done<()> {
    if context.json {
        return out.json(&json!({
            "case": case.name,
            "file": case.place.file,
            "line": case.place.line,
            "expected": case.expected.verdict,
            "passed": failure.is_none(),
            "found": failure.map_or(&*case.expected.verdict, |failure| failure.judgement.verdict.name()),
            "message": failure.map(|failure| &failure.message),
        }));
    }
    let Some(failure) = failure else { return Ok(()) };
    out.line(format!("{} {}: {}", red("failed"), case.place, clean(&case.name)))?;
    out.line(format!("    {}", clean(&failure.message)))?;
    for matched in &failure.judgement.matched {
        let text = format!(
            "    matched {} `{}` ({})",
            matched.effect.name(),
            matched.id,
            matched.place
        );
        out.line(dim(&clean(&text)))?;
    }
    Ok(())
}

fn show(context: &Context, schema: bool) -> Done {
    let text = if schema { SCHEMA } else { DEFAULT_POLICY };
    let mut out = Out::new();
    if context.json {
        let rules = Rules::default_policy()
            .map_err(|problems| Failure::new(Code::PolicyInvalid, chain(&problems)))?;
        out.json(&json!({"text": text, "version": rules.version().to_string()}))?;
    } else {
        out.text(text)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn parsed(policies: &[Text]) -> Result<Rules, Problems> {
    let files: Vec<(&str, &str)> = policies.iter().map(|file| (&*file.name, &*file.text)).collect();
    Rules::parse(&files)
}

/// Print what is wrong, where: that is what was asked for.
fn invalid(context: &Context, problems: &[Problem]) -> Done<Failure> {
    let mut out = Out::new();
    for problem in problems {
        if context.json {
            out.json(&json!({
                "file": problem.place.file,
                "line": problem.place.line,
                "column": problem.place.column,
                "message": problem.message,
                "help": problem.help,
            }))?;
        } else {
            out.line(clean(&problem.to_string()))?;
        }
    }
    out.end()?;
    let message = format!("{} found", count(problems.len() as u64, "mistake", "mistakes"));
    Ok(Failure::new(Code::PolicyInvalid, message)
        .means("none of these files is used")
        .help("`rescind policy show --schema` prints what policies can speak about"))
}
