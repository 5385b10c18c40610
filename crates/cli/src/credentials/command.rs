//! Running one command of an issuer. It runs as the person who started the session, outside of every session.

use rescind_credentials::Ready;
use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a command may take.
const WITHIN: Duration = Duration::from_secs(60);
/// How much of what it prints is read, in bytes, of each stream.
const MOST: u64 = 1 << 20;
/// How much of what a failed command printed is told, in characters.
const TOLD: usize = 300;

/// What a command came to. It may hold secrets.
pub struct Printed {
    /// Whether it ended with 0.
    pub well: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
    /// In words, how it ended.
    ended: String,
}

impl Printed {
    /// What a check looks at: all it printed, and how it ended.
    pub fn whole(&self) -> String {
        format!("{}\n{}\nrescind: {}\n", self.out, self.err, self.ended)
    }

    /// Why it failed, in one line. Still to be redacted.
    pub fn why(&self) -> String {
        let last: String = self.err.split_whitespace().collect::<Vec<_>>().join(" ");
        let told: String = last.chars().take(TOLD).collect();
        if told.is_empty() {
            self.ended.clone()
        } else {
            format!("{}: {told}", self.ended)
        }
    }
}

/// Run it to its end.
///
/// # Errors
/// It can't be started, or takes too long: then it is killed, with what it started.
pub fn run(ready: &Ready) -> io::Result<Printed> {
    let (program, words) = ready.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut child = Command::new(program)
        .args(words)
        .envs(ready.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // The terminal's signals are for the agent; what revokes must not end by them.
        .process_group(0)
        .spawn()?;
    let input = ready.input.clone();
    let stdin = child.stdin.take();
    let writing = std::thread::spawn(move || {
        let _it_reads_no_more = stdin.map(|mut stdin| stdin.write_all(input.as_bytes()));
    });
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let ended = wait(&mut child);
    let text = |reading: JoinHandle<Vec<u8>>| {
        let bytes = reading.join().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let status = ended?;
    let _written = writing.join();
    Ok(Printed {
        well: status.success(),
        out: text(out),
        err: text(err),
        ended: status
            .code()
            .map_or_else(|| status.to_string(), |code| format!("ended with {code}")),
    })
}

fn reader(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            let _what_came_counts = stream.take(MOST).read_to_end(&mut bytes);
        }
        bytes
    })
}

fn wait(child: &mut Child) -> io::Result<std::process::ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > WITHIN {
            let group = rustix::process::Pid::from_child(child);
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            child.wait()?;
            return Err(io::Error::other(format!(
                "it did not end within {} s and was killed",
                WITHIN.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
