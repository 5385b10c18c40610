//! Arguments and environment: where one element names the secret and the next one is it.

use crate::bytes::{byte, ident, part, rest};
use crate::names::{self, Class};
use crate::rules::{Kind, MARK, Rules, mark};
use crate::values::{self, Form};
use crate::{assign, commands};

/// A secret within one element.
type Place = (usize, usize, Kind);

impl Rules {
    /// The arguments of a program with their secrets replaced; one element for each that was given. Secrets are found
    /// within an element (`--password=x`, an address, a script behind `sh -c`), by the element before it
    /// (`--password x`), and by what the program takes where (`mysql -px`, `curl -u user:x`).
    #[must_use]
    pub fn redact_argv(&self, argv: &[String]) -> Vec<String> {
        let mut places: Vec<Vec<Place>> = argv.iter().map(|own| self.element(own)).collect();
        self.by_program(argv, &mut places);
        self.by_flag(argv, &mut places);
        self.by_line(argv, &mut places);
        argv.iter()
            .zip(places)
            .map(|(own, places)| replaced(own, places))
            .collect()
    }

    /// The value of the environment variable `name` with its secrets replaced: all of it where the name says so, else
    /// what is found in it.
    #[must_use]
    pub fn redact_env(&self, name: &str, value: &str) -> String {
        if let Some(kind) = self.by_name(name.as_bytes(), Form::Variable, value) {
            return mark(kind);
        }
        let mut places = self.places(value.as_bytes());
        // Some rules know a value by the name and the sign before it: those that a site has added.
        let line = format!("{name}={value}");
        let head = name.len() + 1;
        let within = self
            .places(line.as_bytes())
            .into_iter()
            .filter(|(start, ..)| *start >= head);
        places.extend(within.map(|(start, end, kind)| (start - head, end - head, kind)));
        replaced(value, places)
    }

    /// The kind of the whole `value`, if its name gives it away.
    fn by_name(&self, name: &[u8], form: Form, value: &str) -> Option<&'static str> {
        if !name.iter().all(|own| ident(*own)) || names::open(name) {
            return None;
        }
        let class = names::class(name)?;
        let secret = values::secret(class, form, false, value.as_bytes()) && self.may_be(value);
        secret.then(|| class.kind())
    }

    /// Blocks of keys are told better by their own shape; marks and what a site says to leave are no secrets.
    fn may_be(&self, value: &str) -> bool {
        !value.contains("-----BEGIN ")
            && !value.as_bytes().starts_with(MARK)
            && !self.leaves(value.as_bytes())
    }

    /// What is found in an element by itself.
    fn element(&self, own: &str) -> Vec<Place> {
        // `NAME=value` and `--name=value`: here the value may hold spaces, it ends with the element.
        if let Some((name, value)) = own.split_once('=') {
            let flag = name.starts_with('-');
            let capitals = name
                .bytes()
                .all(|own| own.is_ascii_uppercase() || own.is_ascii_digit() || own == b'_');
            let form = if flag { Form::Flag } else { Form::Variable };
            let loose = value.contains([' ', '"', '\'', ';', '&', ',']) && (flag || capitals);
            if loose && let Some(kind) = self.by_name(name.as_bytes(), form, value) {
                return vec![(name.len() + 1, own.len(), kind.into())];
            }
        }
        self.places(own.as_bytes())
    }

    fn by_program(&self, argv: &[String], places: &mut [Vec<Place>]) {
        let words: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
        // The program may stand behind others: `sudo`, `env`, `timeout 5`. What is no program matches nothing.
        for start in 0..words.len().min(16) {
            for (number, from, kind) in commands::secrets(words.get(start..).unwrap_or_default()) {
                let Some(own) = argv.get(start + number) else {
                    continue;
                };
                if let Some(list) = places
                    .get_mut(start + number)
                    .filter(|_| self.may_be(own.get(from..).unwrap_or(own)))
                {
                    list.push((from, own.len(), kind.into()));
                }
            }
        }
    }

    fn by_flag(&self, argv: &[String], places: &mut [Vec<Place>]) {
        for (number, pair) in argv.windows(2).enumerate() {
            let [flag, value] = pair else { continue };
            let name = flag.as_bytes();
            let flagged = byte(name, 0) == b'-' && name.len() > 2 && name.iter().all(|own| ident(*own));
            let setting = rest(name, name.len().saturating_sub(10)) == b"_authToken"
                || matches!(
                    name,
                    b"aws_secret_access_key" | b"aws_session_token" | b"requirepass" | b"masterauth"
                );
            // What begins with a dash is the next flag, unless it is too long for one.
            let next = value.starts_with('-') && value.len() < 24;
            let spoken = matches!(
                flag.to_ascii_lowercase().as_str(),
                "password" | "passwd" | "passphrase" | "psk"
            );
            let spoken = spoken && values::secret(Class::Password, Form::Prose, false, value.as_bytes());
            if !(flagged || setting || spoken) || next || assign::speaks(value.as_bytes()) {
                continue;
            }
            let class = if setting {
                Some(Class::Secret)
            } else {
                names::class(name)
            };
            let Some(class) = class else { continue };
            let secret = values::secret(class, Form::Flag, false, value.as_bytes()) && self.may_be(value);
            if let Some(list) = places.get_mut(number + 1).filter(|_| secret) {
                list.push((0, value.len(), class.kind().into()));
            }
        }
    }

    /// What the arguments tell when they are read as one line: `Bearer x`, `password x`.
    fn by_line(&self, argv: &[String], places: &mut [Vec<Place>]) {
        let line = argv.join(" ");
        let mut found = self.places(line.as_bytes()).into_iter().peekable();
        let mut start = 0;
        for (own, list) in argv.iter().zip(places) {
            let end = start + own.len();
            while let Some((first, last, kind)) = found.peek() {
                if *first >= end {
                    break;
                }
                if *last > start {
                    list.push((first.saturating_sub(start), last.min(&end) - start, kind.clone()));
                }
                if *last > end {
                    break;
                }
                found.next();
            }
            start = end + 1;
        }
    }
}

/// `own` with these places replaced; where they overlap, the first one, or of those the longest, names the kind.
fn replaced(own: &str, mut places: Vec<Place>) -> String {
    places.sort_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
    let mut out = String::new();
    let mut written = 0;
    let mut places = places.into_iter().peekable();
    while let Some((start, mut end, mut kind)) = places.next() {
        while let Some((_, last, other)) = places.next_if(|(first, ..)| *first < end) {
            end = end.max(last);
            // `password` and `token` are what is said of a thing whose own shape says nothing.
            if matches!(kind.as_ref(), "password" | "token" | "secret" | "key") && last == end {
                kind = other;
            }
        }
        out.push_str(&String::from_utf8_lossy(part(own.as_bytes(), written, start)));
        out.push_str(&mark(&kind));
        written = end;
    }
    out.push_str(&String::from_utf8_lossy(rest(own.as_bytes(), written)));
    out
}
