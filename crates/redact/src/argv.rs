//! Arguments and environment: where one element names the secret and the next one is it.

use crate::bytes::{byte, part, rest};
use crate::commands;
use crate::names::{self, Class};
use crate::rules::{Rules, mark};
use crate::values::{self, Form};

impl Rules {
    /// The arguments of a program with their secrets replaced; one element for each that was given. Secrets are found
    /// within an element (`--password=x`, an address, a script behind `sh -c`), by the flag before it
    /// (`--password x`), and by what the program takes where (`mysql -px`, `curl -u user:x`).
    #[must_use]
    pub fn redact_argv(&self, argv: &[String]) -> Vec<String> {
        let mut marks: Vec<Option<(usize, &str)>> = vec![None; argv.len()];
        self.by_program(argv, &mut marks);
        self.by_flag(argv, &mut marks);
        argv.iter()
            .zip(marks)
            .map(|(own, found)| match found {
                Some((from, kind)) if !self.leaves(rest(own.as_bytes(), from)) => {
                    let head = own.get(..from).unwrap_or_default();
                    format!("{}{}", self.redact(head).text, mark(kind))
                }
                _ => self.element(own),
            })
            .collect()
    }

    /// The value of the environment variable `name` with its secrets replaced: all of it where the name says so, else
    /// what is found in it.
    #[must_use]
    pub fn redact_env(&self, name: &str, value: &str) -> String {
        if let Some(kind) = self.by_name(name.as_bytes(), Form::Variable, value) {
            return mark(kind);
        }
        // The name tells the site's own rules, which know it only before an equals sign.
        let line = format!("{name}={value}");
        let whole = self.redact(&line);
        match whole.text.strip_prefix(name).and_then(|tail| tail.strip_prefix('=')) {
            Some(tail) => tail.to_owned(),
            None => self.redact(value).text.into_owned(),
        }
    }

    /// The kind of the whole `value`, if its name gives it away.
    fn by_name(&self, name: &[u8], form: Form, value: &str) -> Option<&'static str> {
        let class = names::class(name).filter(|_| !names::open(name))?;
        let secret = values::secret(class, form, false, value.as_bytes()) && !self.leaves(value.as_bytes());
        // A block of a key inside is told better by its own shape.
        (secret && !value.contains("-----BEGIN ") && !value.starts_with("[redacted:")).then(|| class.kind())
    }

    /// One element by itself.
    fn element(&self, own: &str) -> String {
        // `NAME=value` and `--name=value`: here the value may hold spaces, it ends with the element.
        if let Some((name, value)) = own.split_once('=') {
            let plain = name.bytes().all(crate::bytes::ident) && !name.is_empty() && value.contains([' ', '"', '\'', ';', '&', ',']);
            let form = if name.starts_with('-') { Form::Flag } else { Form::Variable };
            if plain && let Some(kind) = self.by_name(name.as_bytes(), form, value) {
                return format!("{name}={}", mark(kind));
            }
        }
        self.redact(own).text.into_owned()
    }

    fn by_program(&self, argv: &[String], marks: &mut [Option<(usize, &'static str)>]) {
        let words: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
        // The program may stand behind others: `sudo`, `env`, `timeout 5`. What is no program matches nothing.
        for start in 0..words.len().min(16) {
            for (number, from, kind) in commands::secrets(words.get(start..).unwrap_or_default()) {
                if let Some(place) = marks.get_mut(start + number) {
                    *place = Some((from, kind));
                }
            }
        }
    }

    fn by_flag(&self, argv: &[String], marks: &mut [Option<(usize, &'static str)>]) {
        for (number, pair) in argv.windows(2).enumerate() {
            let [flag, value] = pair else { continue };
            let name = flag.as_bytes();
            let flagged = byte(name, 0) == b'-' && name.len() > 2 && name.iter().all(|own| crate::bytes::ident(*own));
            let setting = matches!(part(name, name.len().saturating_sub(10), name.len()), b"_authToken")
                || matches!(name, b"aws_secret_access_key" | b"aws_session_token" | b"requirepass" | b"masterauth");
            if !(flagged || setting) || (value.starts_with('-') && value.len() < 24) {
                continue;
            }
            let class = if setting { Some(Class::Secret) } else { names::class(name) };
            let Some(class) = class else { continue };
            if values::secret(class, Form::Flag, false, value.as_bytes())
                && !value.contains("-----BEGIN ")
                && let Some(place @ None) = marks.get_mut(number + 1)
            {
                *place = Some((0, self.kind_of(value).unwrap_or(class.kind())));
            }
        }
    }

    /// The kind that the value's own shape tells, where that is the whole of it.
    fn kind_of(&self, value: &str) -> Option<&'static str> {
        let redacted = self.redact(value);
        let [only] = redacted.found.as_slice() else { return None };
        match (&only.kind, redacted.text.len() == only.range.len()) {
            (std::borrow::Cow::Borrowed(kind), true) => Some(kind),
            _ => None,
        }
    }
}

