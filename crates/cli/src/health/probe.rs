//! One check: a command that has to end with 0, or an HTTP GET that has to be answered with a status.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How much is kept of what a command says on stderr.
const SAID: usize = 400;
/// How much is read of an answer: its first line.
const LINE: usize = 1024;

/// Where an HTTP probe goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// From `http://HOST[:PORT][/PATH]`.
    ///
    /// # Errors
    /// It is something else; https is not supported.
    pub fn parse(url: &str) -> Result<Self, String> {
        if url.starts_with("https://") {
            return Err(format!(
                "`{url}`: https is not supported here; use a `command`, such as curl"
            ));
        }
        let wrong = || format!("`{url}` is no address; write http://HOST:PORT/PATH");
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| wrong())?),
            _ => (authority, 80),
        };
        if host.is_empty() || host.contains('@') || !plain {
            return Err(wrong());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// Ask for it; what it said if that was the status.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn get(&self, status: u16, within: Duration) -> Result<String, String> {
        let until = Instant::now() + within;
        let found = self.ask(until).map_err(|error| format!("no answer: {error}"))?;
        if found == status {
            Ok(format!("status {found}"))
        } else {
            Err(format!("status {found}, expected {status}"))
        }
    }

    fn ask(&self, until: Instant) -> std::io::Result<u16> {
        let other = |why: &str| std::io::Error::other(why.to_owned());
        let left = || {
            let left = until.saturating_duration_since(Instant::now());
            (!left.is_zero())
                .then_some(left)
                .ok_or_else(|| other("it took too long"))
        };
        let plain = self.host.trim_start_matches('[').trim_end_matches(']');
        let mut stream = Err(other("the name leads nowhere"));
        for address in (plain, self.port).to_socket_addrs()? {
            stream = TcpStream::connect_timeout(&address, left()?);
            if stream.is_ok() {
                break;
            }
        }
        let mut stream = stream?;
        stream.set_write_timeout(Some(left()?))?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: rescind\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.path, self.host, self.port
        );
        stream.write_all(request.as_bytes())?;
        let mut line = Vec::new();
        let mut byte = [0_u8; 1];
        while line.len() < LINE && line.last() != Some(&b'\n') {
            stream.set_read_timeout(Some(left()?))?;
            if stream.read(&mut byte)? == 0 {
                break;
            }
            line.extend_from_slice(&byte);
        }
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_ascii_whitespace();
        let version = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let status = words.next().and_then(|status| status.parse().ok());
        status
            .filter(|_| version)
            .ok_or_else(|| other("the answer is not HTTP"))
    }
}

/// Run a command; what it came to if it ended with 0.
///
/// # Errors
/// Why not, in words, with the end of what it said on stderr.
pub fn command(words: &[String], within: Duration) -> Result<String, String> {
    let Some((program, arguments)) = words.split_first() else {
        return Err("there is no command".to_owned());
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it can't be run: {error}"))?;
    let (tell, told) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        // Whoever still holds the pipe after the end is not waited for.
        std::thread::spawn(move || {
            let mut said: Vec<u8> = Vec::new();
            let mut part = [0_u8; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut part) {
                said.extend_from_slice(part.get(..count).unwrap_or_default());
                said.drain(..said.len().saturating_sub(SAID));
            }
            tell.send(said)
        });
    }
    let until = Instant::now() + within;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if Instant::now() >= until => break None,
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(format!("its end can't be told: {error}")),
        }
    };
    let Some(status) = status else {
        let group = i32::try_from(child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let killed =
            group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
        let _reaped = killed.map(|_| child.wait());
        return Err(format!("it did not end within {} s", within.as_secs()));
    };
    if status.success() {
        return Ok("exit 0".to_owned());
    }
    let said = told.recv_timeout(Duration::from_millis(200)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let ended = match status.code() {
        Some(code) => format!("exit {code}"),
        None => status.to_string(),
    };
    match said.trim() {
        "" => Err(ended),
        said => Err(format!("{ended}: {}", said.lines().last().unwrap_or(said))),
    }
}
