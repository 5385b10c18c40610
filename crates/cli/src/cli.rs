//! The command line.

use crate::commands::{
    access, approvals, catalog, completions, diff, discard, errors, exec, export, history, hook, kill,
    ledger, limits, log, man, plan, policy, promote, prune, release, resume, review, revoke, run, serve,
    sessions, show, status, tour, undo, verify, why,
};
use crate::exit;
use clap::{Parser, Subcommand};

/// Run AI agents so that everything they do to files is recorded and can be taken back
#[derive(Debug, Parser)]
#[command(name = "rescind", version, after_help = exit::HELP, max_term_width = 110)]
pub struct Cli {
    /// Answer in JSON; errors are JSON on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an agent under supervision: capture, record, and be able to undo
    Run(Box<run::RunArgs>),
    /// Run one command under supervision for an agent's program: what its hook makes of a shell call
    Exec(exec::ExecArgs),
    /// Connect a coding agent's program: install its hook, and answer it
    Hook(hook::HookArgs),
    /// See it all on a folder of its own: an agent that goes wrong, and the undo
    Tour(tour::TourArgs),
    /// List the sessions
    Sessions(sessions::SessionsArgs),
    /// What is held, what is broken, and what isn't covered on this machine
    Status(status::StatusArgs),
    /// The actions of a session
    Log(log::LogArgs),
    /// Everything about one action, with diffs
    Show(show::ShowArgs),
    /// What a session changed, as a unified diff
    Diff(diff::DiffArgs),
    /// Which action last changed a path, and everything before
    Why(why::WhyArgs),
    /// Every change of a path over all sessions; or of configuration, as commits in a git repository
    History(history::HistoryArgs),
    /// What an undo would do
    Plan(plan::PlanArgs),
    /// Take back a session, or a part of it
    Undo(undo::UndoArgs),
    /// What a session on a stage would change, as a diff against the real tree
    Review(review::ReviewArgs),
    /// Make the changes of a session on a stage real, all or some of them
    Promote(promote::PromoteArgs),
    /// Give up the changes of a session on a stage
    Discard(discard::DiscardArgs),
    /// Supervise a promotion.
    #[command(hide = true)]
    Promotion(promote::PromotionArgs),
    /// Carry out a promotion.
    #[command(hide = true)]
    CarryOver(promote::CarryOverArgs),
    /// What was undone of a session and why, for the agent to try again, if its domain is healthy
    Resume(resume::ResumeArgs),
    /// Verify the ledger, and everything that is kept, against it
    Verify(verify::VerifyArgs),
    /// The record for other systems: JSON Lines, CloudEvents, OCSF, OpenTelemetry; with a proof that nothing is missing
    Export(Box<export::ExportArgs>),
    /// Export, prove, check and mirror the ledger
    Ledger(ledger::LedgerArgs),
    /// Check, test and show what actions are judged by
    Policy(policy::PolicyArgs),
    /// What is used of each limit, and by whom
    Limits(limits::LimitsArgs),
    /// Give up old sessions, or enforce the cap on disk space
    Prune(prune::PruneArgs),
    /// What waits for a person: look at it, and decide
    Approvals(approvals::ApprovalsArgs),
    /// Let an action run that waits
    Approve(approvals::ApproveArgs),
    /// Deny an action that waits
    Reject(approvals::RejectArgs),
    /// Stop a session, an agent, a domain or everything now, for good
    Kill(kill::KillArgs),
    /// Hold a session, an agent, a domain or everything in place, until it is resumed
    Pause(kill::KillArgs),
    /// Be the control plane of this machine: API, console, event stream
    Serve(serve::ServeArgs),
    /// Go on without the server that was in charge
    Release(release::ReleaseArgs),
    /// Revoke credentials of sessions now, and say whether they are dead
    Revoke(revoke::RevokeArgs),
    /// Who may do what: people, API tokens, agents' tokens
    Access(access::AccessArgs),
    /// What is known of commands: explain one, test, lint and list the entries
    Catalog(catalog::CatalogArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write all man pages into a folder
    Man(man::ManArgs),
    /// Explain an error code
    Errors(errors::ErrorsArgs),
}
