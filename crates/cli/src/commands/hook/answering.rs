//! Answering a client: read what it tells, do what is to be done about it, say so in its words.

use super::limits;
use super::{judging, settings};
use crate::commands::bounds;
use crate::commands::calls::{self, Word};
use crate::commands::keeper::{self, Kept};
use crate::commands::run::inside_supervised_tree;
use rescind_hooks::{Act, Answer, Call, Client, LARGEST, Phase, Told, told, under_exec};
use rescind_model::Operation;
use rescind_supervisor::control::{Control, Member};
use rescind_supervisor::journal::ClientForm;
use rescind_supervisor::{Home, process_mark};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// How much of a transcript's end is looked at, in bytes.
const TRANSCRIPT: u64 = 256 << 10;
/// A reason on a command line is cut after this many characters: it is seen where the command is.
const SHOWN_REASON: usize = 200;

/// Answer a client. Returns the exit code.
#[must_use]
pub fn answer(client: Client) -> u8 {
    let (call, answer) = match read(client) {
        Ok(call) => {
            let answer = answer_to(&call);
            (Some(call), answer)
        }
        Err(why) => (
            None,
            Answer::Deny {
                why: format!("{why}; the call is refused, nothing was changed"),
            },
        ),
    };
    let reply = answer.reply(client, call.as_ref());
    let _told_on_standard_error = io::stderr().write_all(reply.stderr.as_bytes());
    let mut out = io::stdout();
    let said = out.write_all(reply.stdout.as_bytes()).and_then(|()| out.flush());
    // An answer that did not arrive must not be taken for none.
    if said.is_err() { 2 } else { reply.code }
}

fn read(client: Client) -> Result<Call, String> {
    let mut bytes = Vec::new();
    let read = io::stdin().take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("what {} tells can't be read ({error})", client.name()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!(
            "what {} tells is longer than {} MiB",
            client.name(),
            LARGEST >> 20
        ));
    }
    Call::read(client, &bytes).map_err(|error| error.to_string())
}

fn answer_to(call: &Call) -> Answer {
    // In a supervised tree everything is captured by the kernel, and the store can't be reached.
    if inside_supervised_tree() {
        return joined(call);
    }
    let home = match Home::from_environment() {
        Ok(home) => home,
        Err(error) if call.phase == Phase::Before && call.act != Act::Other => {
            return Answer::Deny {
                why: error.to_string(),
            };
        }
        Err(_) => return Answer::Pass,
    };
    if call.phase == Phase::Before
        && call.act != Act::Other
        && let Some(why) = stopped(&home, call)
    {
        return Answer::Deny { why };
    }
    match (call.phase, &call.act) {
        (Phase::Before, Act::Shell { command }) if call.client.takes_changed_input() => {
            supervised(&home, call, command)
        }
        (Phase::Before, Act::Shell { command }) => judging::judge(&home, call, command, &word(call)),
        (Phase::Before, Act::Edit { .. }) => kept(&home, call),
        (Phase::After | Phase::Failed, Act::Edit { .. }) => {
            match keeper::tell(&home, &call.key(), call.phase == Phase::After) {
                Ok(()) => Answer::Pass,
                Err(error) => Answer::Note {
                    text: format!(
                        "rescind: what this {} left is not recorded ({error}); what was there before is: `rescind \
                         sessions` lists it",
                        call.tool
                    ),
                },
            }
        }
        (Phase::TurnEnd, _) => {
            keeper::tell_all(&home, &call.agent_key());
            Answer::Pass
        }
        _ => Answer::Pass,
    }
}

/// What stops an agent outside: a pause as much as a kill, since nobody here could wait for its end.
fn stopped(home: &Home, call: &Call) -> Option<String> {
    let member = Member {
        session: call.session.clone(),
        agent: call.client.name().to_owned(),
        domain: String::new(),
    };
    let why = match Control::open(home) {
        Err(error) => error.to_string(),
        Ok(control) if control.stop_file() => "everything is killed by the file STOP".to_owned(),
        Ok(control) => control.stop_of(&member)?.sentence(),
    };
    Some(format!("{why}; the call is refused, nothing was changed"))
}

/// The answer where the client itself runs under `rescind run`: only the reason is added, for the record.
fn joined(call: &Call) -> Answer {
    if let (Phase::Before, Act::Edit { .. }) = (call.phase, &call.act) {
        return beyond(call, &call.act.files(&call.cwd)).map_or(Answer::Pass, |why| Answer::Deny { why });
    }
    let (Phase::Before, Act::Shell { command }) = (call.phase, &call.act) else {
        return Answer::Pass;
    };
    let narrowed = limits::layers(call.client.name(), call.subagent.is_some());
    let narrowed = narrowed.map_or(true, |layers| !layers.is_empty());
    let does = call.description().unwrap_or_default();
    if !call.client.takes_changed_input() || does.is_empty() && !narrowed {
        return Answer::Pass;
    }
    let reason: String = does.chars().take(SHOWN_REASON).collect();
    let mut options = vec!["--agent", call.client.name(), "--session-of", &call.session];
    if !reason.is_empty() {
        options.extend(["--reason", &reason]);
    }
    options.extend(call.subagent.is_some().then_some("--subagent"));
    match rewritten(&options, command) {
        Ok(command) => Answer::Run { command },
        Err(why) if narrowed => Answer::Deny { why },
        // It is captured all the same.
        Err(_) => Answer::Pass,
    }
}

/// Why a client, or its subagent, may not edit these files, where it may not.
fn beyond(call: &Call, files: &[PathBuf]) -> Option<String> {
    let layers = limits::layers(call.client.name(), call.subagent.is_some());
    let may = match layers.and_then(|layers| bounds::together(&layers)) {
        Ok(may) => may,
        Err(failure) => return Some(format!("{}; nothing was changed", failure.message())),
    };
    let refused = files
        .iter()
        .find_map(|file| may.permits(Operation::Write, &settings::real(file)).err())?;
    Some(format!(
        "refused by rescind: {refused}; a person gives more in hooks.toml of rescind's configuration"
    ))
}

/// Let a shell call run under `rescind exec`.
fn supervised(home: &Home, call: &Call, command: &str) -> Answer {
    let key = call.key();
    let deny = |why: String| Answer::Deny { why };
    if let Err(error) = calls::leave(home, &key, &word(call)) {
        return deny(format!("the call can't be recorded ({error}); it was not made"));
    }
    let mut options = vec!["--call", &key, "--agent", call.client.name()];
    options.extend(call.subagent.is_some().then_some("--subagent"));
    match rewritten(&options, command) {
        Ok(command) => Answer::Run { command },
        Err(why) => deny(why),
    }
}

fn rewritten(options: &[&str], command: &str) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = program.to_str().ok_or("the path of rescind is no text")?;
    under_exec(program, options, &shell(), command).ok_or_else(|| {
        "the command is too long to be run under `rescind exec`: put it into a file and run that".to_owned()
    })
}

/// The shell that a command was meant for: the user's where it is one of bash's kind.
fn shell() -> String {
    let own = std::env::var("SHELL").unwrap_or_default();
    let name = own.rsplit('/').next().unwrap_or_default();
    if matches!(name, "bash" | "zsh") && Path::new(&own).is_file() {
        return own;
    }
    let found = ["/bin/bash", "/usr/bin/bash"]
        .into_iter()
        .find(|path| Path::new(path).is_file());
    found.unwrap_or("sh").to_owned()
}

/// Let files be edited, once they are captured.
fn kept(home: &Home, call: &Call) -> Answer {
    let files = call.act.files(&call.cwd);
    if let Some(own) = files
        .iter()
        .find_map(|file| settings::protected(home, call, file))
    {
        return Answer::Deny {
            why: format!("{own}; nothing was changed"),
        };
    }
    if let Some(why) = beyond(call, &files) {
        return Answer::Deny { why };
    }
    let asked = Kept {
        key: call.key(),
        word: word(call),
        files,
        cwd: call.cwd.clone(),
        process: client_process(),
    };
    match keeper::start(&asked) {
        Ok(_session) => Answer::Pass,
        Err(why) => Answer::Deny {
            why: format!(
                "what {} is about to change can't be captured: {why}; nothing was changed",
                call.tool
            ),
        },
    }
}

/// What is known of a call, for the record.
fn word(call: &Call) -> Word {
    let told = call.transcript.as_deref().map(end_of).unwrap_or_default();
    Word {
        client: ClientForm {
            n: 0,
            client: call.client.name().to_owned(),
            session: call.session.clone(),
            turn: call.turn.clone(),
            subagent: call.subagent.clone(),
            subagent_kind: call.subagent_kind.clone(),
            call: call.id.clone(),
            tool: Some(call.tool.clone()),
        },
        reason: told.reason(call.description()),
    }
}

/// What the end of a transcript tells; nothing where it can't be read: it is the agent's word, and no call depends on it.
fn end_of(path: &Path) -> Told {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(found.len().saturating_sub(TRANSCRIPT)))?;
        let mut bytes = Vec::new();
        file.take(TRANSCRIPT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_or_else(|_| Told::default(), |bytes| told(&bytes))
}

/// The client's own process: the nearest above this one that is no shell.
fn client_process() -> String {
    const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "env"];
    let mut pid = std::os::unix::process::parent_id();
    while let Some((name, above)) = name_and_parent(pid) {
        if !SHELLS.contains(&name.as_str()) || above <= 1 {
            break;
        }
        pid = above;
    }
    process_mark(pid)
}

fn name_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let parent = after.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((name, parent))
}
