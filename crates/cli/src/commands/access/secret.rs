//! Passwords, from the terminal without showing them, or from the standard input. Never from the command line, which
//! everybody on the machine can read.

use crate::error::{Code, Done, Failure};
use crate::out::can_ask;
use rescind_access::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, Read as _, Write as _};

/// The most that is read of a password, in bytes; longer ones are not taken anyway.
const LONGEST: usize = 1025;

/// The terminal, quiet; as it was when dropped.
struct Quiet(Termios);

/// A new password: from the standard input, or twice from the person.
///
/// # Errors
/// There is no terminal to ask on, the two differ, or nothing was given.
pub fn new_password(from_stdin: bool) -> Done<Secret> {
    if from_stdin {
        return line();
    }
    if !can_ask() {
        return Err(
            Failure::new(Code::NeedsYes, "there is no terminal to ask for the password on")
                .help("`--password-stdin` reads it from the standard input"),
        );
    }
    let (one, two) = (asked("New password: ")?, asked("The same again: ")?);
    if one.expose() != two.expose() {
        return Err(Failure::new(
            Code::AccessRefused,
            "the two passwords are not the same",
        ));
    }
    Ok(one)
}

/// The first line of the standard input, without its end.
fn line() -> Done<Secret> {
    let mut bytes = Vec::with_capacity(LONGEST);
    for byte in io::stdin().lock().bytes() {
        match byte? {
            b'\n' => break,
            byte if bytes.len() < LONGEST => bytes.push(byte),
            _ => {}
        }
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    secret(bytes)
}

/// Ask without showing what is typed. Control-C, control-D and control-U do what they do elsewhere; signals by the
/// keyboard are off meanwhile, so that the terminal is never left quiet.
fn asked(question: &str) -> Done<Secret> {
    let quiet = Quiet::new()?;
    let mut stderr = io::stderr();
    stderr.write_all(question.as_bytes())?;
    stderr.flush()?;
    let mut bytes = Vec::with_capacity(LONGEST);
    let mut ended = false;
    for byte in io::stdin().lock().bytes() {
        match byte? {
            b'\n' | b'\r' => {
                ended = true;
                break;
            }
            3 => break,
            4 if bytes.is_empty() => break,
            8 | 127 => rub_out(&mut bytes),
            21 => bytes.clear(),
            byte if bytes.len() < LONGEST => bytes.push(byte),
            _ => {}
        }
    }
    drop(quiet);
    stderr.write_all(b"\n")?;
    if !ended {
        return Err(Failure::new(Code::NeedsYes, "no password was given"));
    }
    secret(bytes)
}

/// Take back a character, which may have several bytes.
fn rub_out(bytes: &mut Vec<u8>) {
    while let Some(byte) = bytes.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

fn secret(bytes: Vec<u8>) -> Done<Secret> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => Err(Failure::new(Code::AccessRefused, "the password is no UTF-8 text")),
    }
}

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing else could mend it.
        let _as_before = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
