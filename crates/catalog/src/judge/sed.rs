//! sed scripts: do they only edit what goes through, or also write files or run commands?
//!
//! Source: POSIX.1-2024 `sed`, and the GNU sed manual (`e`, `w`, `W`, `F`, `z`, the flags `e` and `w` of `s`).

use crate::line::Line;

/// What a sed script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sed {
    /// It edits what goes through.
    Edits,
    /// It writes files.
    Writes,
    /// It runs commands, or nobody knows.
    Runs(&'static str),
}

const NOT_READ: Sed = Sed::Runs("its script is not understood");

pub(super) fn judge(line: &Line) -> Sed {
    if line
        .flags
        .iter()
        .any(|flag| matches!(&*flag.name, "-f" | "--file"))
    {
        return Sed::Runs("its script is in a file, which is not read here");
    }
    let given: Vec<_> = line
        .flags
        .iter()
        .filter(|flag| matches!(&*flag.name, "-e" | "--expression"))
        .filter_map(|flag| flag.value.as_ref())
        .collect();
    let scripts = if given.is_empty() {
        line.words.first().into_iter().collect()
    } else {
        given
    };
    if line.flag("--sandbox").is_some() {
        return Sed::Edits;
    }
    let mut worst = Sed::Edits;
    for script in scripts {
        let Some(script) = script.exact() else {
            return Sed::Runs("a part of its script is only known when it runs");
        };
        match of(script) {
            Sed::Edits => {}
            Sed::Writes => worst = Sed::Writes,
            runs @ Sed::Runs(_) => return runs,
        }
    }
    worst
}

fn of(script: &str) -> Sed {
    let mut reader = Reader {
        rest: script.chars().collect::<Vec<char>>().into_iter().peekable(),
    };
    let mut worst = Sed::Edits;
    while reader.rest.peek().is_some() {
        match reader.command() {
            Some(Sed::Edits) => {}
            // A device, or a value of the kernel, is no file that can be captured.
            Some(Sed::Writes)
                if ["/dev/", "/proc/", "/sys/", ".."]
                    .iter()
                    .any(|part| script.contains(part)) =>
            {
                return Sed::Runs("its script may write something that is no file");
            }
            Some(Sed::Writes) => worst = Sed::Writes,
            Some(runs) => return runs,
            None => return NOT_READ,
        }
    }
    worst
}

struct Reader {
    rest: std::iter::Peekable<std::vec::IntoIter<char>>,
}

impl Reader {
    fn blanks(&mut self, signs: &[char]) {
        while self.rest.next_if(|sign| signs.contains(sign)).is_some() {}
    }

    /// Up to an unescaped `end`.
    fn until(&mut self, end: char) -> Option<()> {
        // A delimiter in brackets ends nothing in GNU sed, and does elsewhere: such a script is not understood.
        let mut class = false;
        loop {
            match self.rest.next()? {
                '\\' => {
                    self.rest.next()?;
                }
                sign if sign == end && class => return None,
                sign if sign == end => return Some(()),
                '[' => class = true,
                ']' => class = false,
                _ => {}
            }
        }
    }

    fn address(&mut self) -> Option<bool> {
        let found = match self.rest.peek()? {
            '0'..='9' => {
                while self
                    .rest
                    .next_if(|sign| sign.is_ascii_digit() || *sign == '~')
                    .is_some()
                {}
                true
            }
            '$' => {
                self.rest.next();
                true
            }
            '+' | '~' => {
                self.rest.next();
                while self.rest.next_if(char::is_ascii_digit).is_some() {}
                true
            }
            '/' => {
                self.rest.next();
                self.until('/')?;
                true
            }
            '\\' => {
                self.rest.next();
                let end = self.rest.next()?;
                self.until(end)?;
                true
            }
            _ => false,
        };
        if found {
            self.blanks(&['I', 'M']);
        }
        Some(found)
    }

    /// One command; `None` where it is not understood.
    fn command(&mut self) -> Option<Sed> {
        self.blanks(&[' ', '\t', '\n', ';', '\r']);
        if self.rest.peek().is_none() {
            return Some(Sed::Edits);
        }
        if self.address()? {
            self.blanks(&[' ', '\t']);
            if self.rest.next_if_eq(&',').is_some() {
                self.blanks(&[' ', '\t']);
                if !self.address()? {
                    return None;
                }
            }
        }
        self.blanks(&[' ', '\t', '!']);
        match self.rest.next()? {
            's' => self.substitution(),
            'y' => {
                let end = self.rest.next()?;
                self.until(end)?;
                self.until(end)?;
                self.end()
            }
            '{' | '}' => Some(Sed::Edits),
            'p' | 'P' | 'd' | 'D' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | '=' | 'l' | 'z' | 'F' | 'q'
            | 'Q' => {
                self.blanks(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ' ', '\t']);
                self.end()
            }
            'b' | 't' | 'T' | ':' | '#' | 'r' | 'R' | 'v' => {
                while self.rest.next_if(|sign| *sign != '\n').is_some() {}
                Some(Sed::Edits)
            }
            'a' | 'i' | 'c' => loop {
                match self.rest.next() {
                    None | Some('\n') => return Some(Sed::Edits),
                    Some('\\') => {
                        self.rest.next();
                    }
                    Some(_) => {}
                }
            },
            'w' | 'W' => {
                while self.rest.next_if(|sign| *sign != '\n').is_some() {}
                Some(Sed::Writes)
            }
            'e' => Some(Sed::Runs("its script runs commands (`e`)")),
            _ => None,
        }
    }

    fn substitution(&mut self) -> Option<Sed> {
        let end = self.rest.next()?;
        if end == '\\' || end == '\n' {
            return None;
        }
        self.until(end)?;
        self.until(end)?;
        loop {
            match self.rest.peek() {
                Some('g' | 'p' | 'i' | 'I' | 'm' | 'M' | '0'..='9') => {
                    self.rest.next();
                }
                Some('e') => return Some(Sed::Runs("its script runs commands (the flag `e` of `s`)")),
                Some('w') => return Some(Sed::Writes),
                _ => return self.end(),
            }
        }
    }

    fn end(&mut self) -> Option<Sed> {
        self.blanks(&[' ', '\t']);
        match self.rest.peek() {
            None | Some('\n' | ';' | '}' | '#') => Some(Sed::Edits),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Sed, of};

    #[test]
    fn scripts_that_run_or_write_are_told_from_those_that_edit() {
        for script in [
            "s/a/b/g",
            "1,5p",
            "/x/d",
            "$!N;P;D",
            "s|a|b|;s,c,d,2p",
            "/a/,/b/{p;d}",
            "10q",
            "y/abc/def/",
            "2i\\\ntext",
            "s/\\//x/",
            "/^$/d;s/^ *//",
        ] {
            assert_eq!(of(script), Sed::Edits, "{script}");
        }
        assert_eq!(of("s/a/b/w out"), Sed::Writes);
        assert_eq!(of("/x/w out"), Sed::Writes);
        for script in ["1e rm -rf x", "s/.*/rm x/e", "e", "s/a/b/ge", "1,3e ls", "k"] {
            assert!(matches!(of(script), Sed::Runs(_)), "{script}");
        }
    }
}
