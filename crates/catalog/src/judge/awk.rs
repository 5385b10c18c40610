//! awk programs: do they only read, or also write files or run commands?
//!
//! Source: POSIX.1-2024 `awk`, and the GNU Awk manual (`getline`, `system`, redirections, `@load`, `|&`).

use crate::line::Line;

/// What an awk program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awk {
    /// It reads and prints.
    Reads,
    /// It may write files.
    Writes,
    /// It runs commands, or nobody knows.
    Runs(&'static str),
}

pub(super) fn judge(line: &Line) -> Awk {
    let unseen = [
        "-f",
        "--file",
        "-i",
        "--include",
        "-l",
        "--load",
        "-E",
        "--exec",
        "-D",
        "--debug",
    ];
    if line.flags.iter().any(|flag| unseen.contains(&&*flag.name)) {
        return Awk::Runs("its program is in a file, which is not read here");
    }
    let Some(program) = line.words.first() else {
        return Awk::Runs("it has no program");
    };
    match program.exact() {
        Some(program) => of(program),
        None => Awk::Runs("a part of its program is only known when it runs"),
    }
}

fn of(program: &str) -> Awk {
    let runs = ["system", "getline", "@load", "@include", "|&", "@"];
    let piped = program.replace("||", "").contains('|');
    if piped || runs.iter().any(|word| program.contains(word)) {
        return Awk::Runs("its program can run commands");
    }
    if writes(program) {
        return Awk::Writes;
    }
    Awk::Reads
}

/// Whether `print` may go into a file. Outside of braces `>` compares; expressions and escapes are not followed.
fn writes(program: &str) -> bool {
    if !program.contains('>') || !program.contains("print") {
        return false;
    }
    if program.contains(['/', '\\']) {
        return true;
    }
    let (mut depth, mut quoted, mut inside) = (0usize, false, false);
    for sign in program.chars() {
        match sign {
            '"' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth = depth.saturating_sub(1),
            '>' if !quoted => inside |= depth > 0,
            _ => {}
        }
    }
    inside || quoted
}

#[cfg(test)]
mod tests {
    use super::{Awk, of};

    #[test]
    fn programs_that_run_or_write_are_told_from_those_that_read() {
        assert_eq!(of("{print $1}"), Awk::Reads);
        assert_eq!(of("$3 > 5 || /x/ {n++} END {}"), Awk::Reads);
        assert_eq!(of("{print > \"f\"}"), Awk::Writes);
        assert!(matches!(of("BEGIN{system(\"rm x\")}"), Awk::Runs(_)));
        assert!(matches!(of("{print | \"sh\"}"), Awk::Runs(_)));
        assert!(matches!(of("BEGIN{\"ls\" | getline x}"), Awk::Runs(_)));
    }
}
