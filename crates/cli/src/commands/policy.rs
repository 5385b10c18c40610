//! `rescind policy`: check, test and show what actions are judged by.

use crate::context::Context;
use crate::error::{Code, Done, Failure, chain};
use crate::exit::Exit;
use crate::out::{Out, dim, green, red};
use crate::text::{clean, count};
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use rescind_policy::{
    Bounds, Case, CaseFailure, DEFAULT_CASES, DEFAULT_POLICY, Problem, Problems, Rules, SCHEMA, cases,
};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read as _};
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
    /// Validate policies, limits and freezes, and say where they are wrong
    ///
    /// Without files: the default policy with policies/*.cedar and limits.toml of $XDG_CONFIG_HOME/rescind.
    Check {
        /// Policies (.cedar), and limits and freezes (.toml)
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
    /// Print the default policy, or the schema that policies are validated against
    Show {
        /// The schema
        #[arg(long)]
        schema: bool,
    },
}

/// A file larger than this is no policy.
const MOST_BYTES: u64 = 4 << 20;

/// Do it.
///
/// # Errors
/// A file can't be read, or something in it is wrong.
pub fn run(context: &Context, args: &PolicyArgs) -> Done {
    match &args.command {
        PolicyCommand::Check { files } => check(context, files),
        PolicyCommand::Test { files, policy } => test(context, files, policy),
        PolicyCommand::Show { schema } => show(context, *schema),
    }
}

/// A file and its text.
struct Text {
    name: String,
    text: String,
}

fn check(context: &Context, files: &[PathBuf]) -> Done {
    let files = match files {
        [] => [own("policies", "cedar")?, own_limits()?].concat(),
        files => files.to_vec(),
    };
    let is_policy = |path: &&PathBuf| path.extension().is_none_or(|end| end != "toml");
    let policies = texts(files.iter().filter(is_policy))?;
    let limits = texts(files.iter().filter(|path| !is_policy(path)))?;
    let mut problems = Vec::new();
    let (mut policy_count, mut version) = (0, None);
    match rules(&policies) {
        Ok(rules) => {
            policy_count = rules.rules().len();
            version = Some(rules.version().to_string());
        }
        Err(Problems(found)) => problems.extend(found),
    }
    let (mut limit_count, mut freeze_count) = (0, 0);
    for file in &limits {
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
        }))?;
    } else {
        out.line(format!(
            "{}: {} (the default ones among them), {}, {}",
            green("valid"),
            count(policy_count as u64, "policy", "policies"),
            count(limit_count as u64, "limit", "limits"),
            count(freeze_count as u64, "freeze", "freezes"),
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
        [] => texts(own("policies", "cedar")?.iter())?,
        policy => texts(policy.iter())?,
    };
    let rules = match rules(&policies) {
        Ok(rules) => rules,
        Err(Problems(found)) => return Err(invalid(context, &found)?),
    };
    let mut texts = match files {
        [] => texts(own("policies/tests", "toml")?.iter())?,
        files => texts(files.iter())?,
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

fn rules(policies: &[Text]) -> Result<Rules, Problems> {
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

/// The user's own files in a folder of rescind's configuration, by name. A folder that is not there holds none.
fn own(folder: &str, end: &str) -> Done<Vec<PathBuf>> {
    let Some(config) = configuration() else {
        return Ok(Vec::new());
    };
    let folder = config.join(folder);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(&folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&folder, &error))?.path();
        if path.extension().is_some_and(|own| own == end) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn own_limits() -> Done<Vec<PathBuf>> {
    let path = configuration().map(|config| config.join("limits.toml"));
    let there = |path: &PathBuf| path.try_exists().map_err(|error| unreadable(path, &error));
    match path {
        Some(path) if there(&path)? => Ok(vec![path]),
        _ => Ok(Vec::new()),
    }
}

/// `$XDG_CONFIG_HOME/rescind`, else `~/.config/rescind`. A relative path is no place, as the XDG specification has it.
fn configuration() -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("rescind"))
}

fn texts<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Done<Vec<Text>> {
    paths.map(|path| text(path)).collect()
}

fn text(path: &Path) -> Done<Text> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(path, &error))?;
    if text.len() as u64 > MOST_BYTES {
        let message = format!("`{}` is larger than {} MiB", path.display(), MOST_BYTES >> 20);
        return Err(Failure::new(Code::InputOutput, message));
    }
    Ok(Text {
        name: path.display().to_string(),
        text,
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Code::InputOutput,
        format!("`{}` can't be read: {error}", path.display()),
    )
}

fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}
