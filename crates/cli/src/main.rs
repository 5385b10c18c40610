//! The binary `rescind`: parse, run one command, end with its exit code.
//!
//! Reading order: `cli` (what can be asked), `commands` (one file each), `undoing` (what `plan` and `undo` share),
//! `error` and `exit` (how it ends). Absences that hold: no state here but what one command needs; nothing is written
//! to stdout that is not an answer.

mod changes;
mod chronicle;
mod cli;
mod commands;
mod content;
mod context;
mod credentials;
mod error;
mod exit;
mod health;
mod history;
mod interrupt;
mod judging;
mod out;
mod pages;
mod person;
mod record;
mod serving;
mod staging;
mod stopping;
mod text;
mod triggers;
mod undoing;

use clap::Parser as _;
use clap::error::ErrorKind;
use cli::{Cli, Command};
use context::Context;
use error::{Code, Done, Failure};
use exit::Exit;
use std::process::ExitCode;

fn main() -> ExitCode {
    // On a busy machine each of its turns is waited for: a stop comes first from its very beginning.
    let _first = stopping::is_asked_for(std::env::args_os()).then(rescind_sys::ComesFirst::now);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(not_understood(&error).code()),
    };
    let exit = match dispatch(&cli) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.report(cli.json);
            failure.exit()
        }
    };
    ExitCode::from(exit.code())
}

fn dispatch(cli: &Cli) -> Done {
    use commands::{
        access, approvals, catalog, completions, diff, discard, errors, exec, export, hook, kill, ledger,
        limits, log, man, plan, policy, promote, prune, release, resume, review, revoke, run, serve,
        sessions, show, status, tour, undo, verify, why,
    };
    let context = Context { json: cli.json };
    match &cli.command {
        Command::Run(args) => Ok(Exit::Agent(u8::try_from(run::run(args)).unwrap_or(125))),
        Command::Exec(args) => Ok(Exit::Agent(u8::try_from(exec::run(args)).unwrap_or(125))),
        Command::Hook(args) => hook::run(&context, args),
        Command::Tour(args) => Ok(Exit::Agent(u8::try_from(tour::tour(args)).unwrap_or(1))),
        Command::Sessions(args) => sessions::run(&context, args),
        Command::Status(args) => status::run(&context, args),
        Command::Log(args) => log::run(&context, args),
        Command::Show(args) => show::run(&context, args),
        Command::Diff(args) => diff::run(&context, args),
        Command::Why(args) => why::run(&context, args),
        Command::History(args) => commands::history::run(&context, args),
        Command::Plan(args) => plan::run(&context, args),
        Command::Undo(args) => undo::run(&context, args),
        Command::Review(args) => review::run(&context, args),
        Command::Promote(args) => promote::run(&context, args),
        Command::Discard(args) => discard::run(&context, args),
        Command::Promotion(args) => Ok(Exit::Agent(promote::supervise(args))),
        Command::CarryOver(args) => Ok(Exit::Agent(promote::carry_over(args))),
        Command::Resume(args) => resume::run(&context, args),
        Command::Verify(args) => verify::run(&context, args),
        Command::Export(args) => export::run(&context, args),
        Command::Ledger(args) => ledger::run(&context, args),
        Command::Policy(args) => policy::run(&context, args),
        Command::Limits(args) => limits::run(&context, args),
        Command::Prune(args) => prune::run(&context, args),
        Command::Approvals(args) => approvals::run(&context, args),
        Command::Approve(args) => approvals::approve(&context, args),
        Command::Reject(args) => approvals::reject(&context, args),
        Command::Kill(args) => kill::run(&context, args),
        Command::Pause(args) => kill::pause(&context, args),
        Command::Serve(args) => serve::run(&context, args),
        Command::Release(args) => release::run(&context, args),
        Command::Revoke(args) => revoke::run(&context, args),
        Command::Access(args) => access::run(&context, args),
        Command::Catalog(args) => catalog::run(&context, args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Errors(args) => errors::run(&context, args),
    }
}

/// Help and version are answers; everything else is a wrong command line.
fn not_understood(error: &clap::Error) -> Exit {
    let answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json = std::env::args()
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    if json && !answer {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first);
        Failure::new(Code::BadArgument, message)
            .help("rescind --help")
            .report(true);
    } else {
        let _reader_gone = error.print();
    }
    if answer { Exit::Ok } else { Exit::Usage }
}
