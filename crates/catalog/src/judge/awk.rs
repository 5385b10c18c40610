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
    match writes(program) {
        Some(true) => Awk::Writes,
        Some(false) => Awk::Reads,
        None => Awk::Runs("where its program writes is only known when it runs"),
    }
}

/// Whether `print` goes into files; `None`: into which is not known, or into something that is no file to be captured.
fn writes(program: &str) -> Option<bool> {
    if !program.contains('>') || !program.contains("print") {
        return Some(false);
    }
    let mut signs = program.chars().peekable();
    let (mut braces, mut brackets) = (0usize, 0usize);
    let mut statement = String::new();
    let mut found = false;
    // Behind these a slash begins a pattern; elsewhere it divides.
    let mut before = '(';
    while let Some(sign) = signs.next() {
        match sign {
            '"' => {
                text(&mut signs, '"')?;
            }
            '/' if "(,{;!~&|=\n".contains(before) || braces == 0 && before == '}' => {
                text(&mut signs, '/')?;
            }
            '#' => while signs.next_if(|next| *next != '\n').is_some() {},
            '{' | '}' | ';' | '\n' => {
                statement.clear();
                match sign {
                    '{' => braces += 1,
                    '}' => braces = braces.saturating_sub(1),
                    _ => {}
                }
            }
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '>' if braces > 0 && brackets == 0 && statement.contains("print") => {
                found = true;
                signs.next_if_eq(&'>');
                while signs.next_if(|next| *next == ' ').is_some() {}
                // Only a text tells where it goes, and only if nothing is joined to it.
                let file = match signs.next()? {
                    '"' => text(&mut signs, '"')?,
                    _ => return None,
                };
                while signs.next_if(|next| *next == ' ').is_some() {}
                let ends = matches!(signs.peek(), None | Some('}' | ';' | '\n'));
                let special = ["/dev/", "/proc/", "/sys/", "/inet"]
                    .iter()
                    .any(|start| file.starts_with(start));
                let harmless = ["/dev/stderr", "/dev/stdout", "/dev/null"].contains(&file.as_str());
                if !ends || file.contains(['\\', '.']) && file.contains("..") || special && !harmless {
                    return None;
                }
            }
            _ => {}
        }
        if !matches!(sign, ' ' | '\t') {
            before = sign;
        }
        if sign.is_alphabetic() {
            statement.push(sign);
        }
    }
    Some(found)
}

/// Up to an unescaped `end`.
fn text(signs: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) -> Option<String> {
    let mut text = String::new();
    loop {
        match signs.next()? {
            '\\' => {
                text.push('\\');
                text.push(signs.next()?);
            }
            sign if sign == end => return Some(text),
            sign => text.push(sign),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Awk, of};

    #[test]
    fn programs_that_run_or_write_are_told_from_those_that_read() {
        assert_eq!(of("{print $1}"), Awk::Reads);
        assert_eq!(of("$3 > 5 || /x/ {n++} END {}"), Awk::Reads);
        assert_eq!(of("{print > \"f\"}"), Awk::Writes);
        assert_eq!(of("/a>b/ && $3 > 5 { if ($1 > 2) print $1 }"), Awk::Reads);
        assert_eq!(of("{print >> \"f\"; n++}"), Awk::Writes);
        assert!(matches!(of("{print > $1}"), Awk::Runs(_)));
        assert!(matches!(of("{print > \"/dev/sda\"}"), Awk::Runs(_)));
        assert!(matches!(of("{print > \"/dev\" \"/sda\"}"), Awk::Runs(_)));
        assert!(matches!(of("BEGIN{system(\"rm x\")}"), Awk::Runs(_)));
        assert!(matches!(of("{print | \"sh\"}"), Awk::Runs(_)));
        assert!(matches!(of("BEGIN{\"ls\" | getline x}"), Awk::Runs(_)));
    }
}
