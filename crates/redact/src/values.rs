//! What a value looks like: a placeholder, a path, code, or a secret.

use crate::bytes::{byte, distinct, find, holds, ident, is_hex, part, rest, starts};
use crate::names::Class;
use crate::tokens::{cased, mixed};

/// How a value was given to its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `--name value`, `--name=value`, an argument of its own.
    Flag,
    /// `NAME=value`, an environment variable.
    Variable,
    /// `name = value`, in a file or in code.
    Assign,
    /// `name: value` as a line of its own, or within braces.
    Field,
    /// `name: value` in the middle of a sentence.
    Prose,
    /// `?name=value`, `;name=value`, `<name>value<`.
    Part,
}

/// Whether `value`, given to a name of this class, is to be redacted.
pub(crate) fn secret(class: Class, form: Form, quoted: bool, value: &[u8]) -> bool {
    // The begin of a long value says enough.
    let value = part(value, 0, 128);
    if value.is_empty()
        || placeholder(value)
        || (path(value) && !(class == Class::Password && mixed_marks(value)))
    {
        return false;
    }
    let glue = [&b" +"[..], b" %", b", ", b" .", b")"];
    if quoted && (glue.iter().any(|sign| value.starts_with(sign)) || holds(value, b"%s")) {
        // What stands between two texts in code, or a text that is filled in.
        return false;
    }
    let loud = matches!(form, Form::Flag | Form::Variable | Form::Part);
    let sentence = value.iter().any(|own| own.is_ascii_whitespace());
    if !loud && version(value) || !loud && !quoted && code(value) {
        return false;
    }
    match class {
        Class::Password if form == Form::Prose => quoted || strong(value),
        Class::Password => loud || !(value.len() < 4 && number(value)),
        Class::Secret | Class::Token if number(value) && value.len() < 6 => false,
        Class::Secret if loud => value.len() >= 3,
        Class::Secret if quoted => value.len() >= 4 && (!sentence || mixed_marks(value)) && !refers(value),
        Class::Secret if form == Form::Prose => strong(value),
        Class::Secret if form == Form::Assign => value.len() >= 6 && !refers(value),
        Class::Secret => {
            value.len() >= 8 && !refers(value) && (mixed(value) || value.len() >= 16 || !word(value))
        }
        Class::Token if loud => value.len() >= 3,
        Class::Token if quoted => {
            !sentence && !refers(value) && (value.len() >= 12 || mixed(value) && value.len() >= 4)
        }
        Class::Token if form == Form::Prose => strong(value) && random(value, 10),
        Class::Token => {
            !refers(value) && (value.len() >= 8 && mixed(value) || value.len() >= 20 && !word(value))
        }
        Class::Key if form == Form::Variable => {
            value.len() >= 6
                && !word(value)
                && !number(value)
                && !listed(value)
                && (mixed(value) || cased(value))
        }
        Class::Key | Class::Loose if form == Form::Variable => strong(value) && !listed(value),
        Class::Key | Class::Loose => random(value, 16) && !listed(value),
    }
}

/// Words that stand where a secret will stand, references to one, and values that say there is none.
pub(crate) fn placeholder(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    if variable(value) || value.is_empty() {
        return true;
    }
    let lower = value.to_ascii_lowercase();
    let bare: Vec<u8> = lower.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
    if BARE.contains(&std::str::from_utf8(&bare).unwrap_or("")) && !mixed(&bare) {
        return true;
    }
    let told = [
        "your",
        "replaceme",
        "changeme",
        "placeholder",
        "insert",
        "enteryour",
        "redacted",
        "dummy",
    ];
    let spelled = told.iter().any(|word| bare.starts_with(word.as_bytes())) && !strong_tail(&bare);
    let prefixed = REFERENCES.iter().any(|prefix| starts(value, prefix.as_bytes()));
    spelled || prefixed || bare.ends_with(b"goeshere") || (bare.ends_with(b"here") && holds(&bare, b"your"))
}

/// A value that is filled in elsewhere (`$TOKEN`, `${{ secrets.X }}`, `<token>`, `%s`), or masked (`****`, `xxxx`).
pub(crate) fn variable(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let value = value
        .strip_suffix(b".")
        .filter(|own| own.ends_with(b">"))
        .unwrap_or(value);
    let (first, second) = (byte(value, 0), byte(value, 1));
    let last = value.last().copied().unwrap_or(0);
    let filled = match first {
        b'$' => matches!(second, b'{' | b'(' | b'_') || name(rest(value, 1)) || value.len() == 2,
        b'%' => value.len() <= 2 || (last == b'%' && name(part(value, 1, value.len() - 1))) || second == b'(',
        b'<' => last == b'>',
        b'{' => second == b'{' || last == b'}',
        b'[' => last == b']',
        b'(' => last == b')',
        b'`' => true,
        b'@' => matches!(second, b'/' | b'.' | b'-' | b'~'),
        _ => false,
    };
    let masked = value
        .iter()
        .all(|own| matches!(own, b'x' | b'X' | b'*' | b'.' | b'-' | b'_' | b'#' | b'?' | b'0'))
        && distinct(value) <= 2
        && !value.is_empty();
    let dots =
        value.starts_with(b"...") || value.ends_with(b"...") || value.starts_with("\u{2026}".as_bytes());
    let bullets = value.starts_with("\u{2022}\u{2022}".as_bytes());
    let stars = value.starts_with(b"***") || value.ends_with(b"****") || holds(value, b"xxxxxxxx");
    filled || masked || dots || stars || bullets || value.starts_with(crate::rules::MARK)
}

/// A name in capitals or small letters, as variables have: what follows a `$`.
fn name(value: &[u8]) -> bool {
    let plain = value
        .iter()
        .all(|own| own.is_ascii_alphanumeric() || *own == b'_');
    let one_case = !cased(value) || !value.iter().any(u8::is_ascii_digit);
    plain && one_case && byte(value, 0).is_ascii_alphabetic()
}

#[rustfmt::skip]
const BARE: &[&str] = &[
    "", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "undefined", "void", "empty",
    "unset", "enabled", "disabled", "enable", "disable", "required", "optional", "hidden", "masked",
    "redacted", "removed", "omitted", "encrypted", "prompt", "ask", "stdin", "file", "files", "compat",
    "systemd", "sss", "ldap", "env", "keyring", "keychain", "default", "password", "passwd", "passphrase",
    "pass", "secret", "token", "key", "apikey", "string", "str", "text", "bytes", "byte", "int", "integer",
    "number", "bool", "boolean", "char", "varchar", "object", "any", "opaque", "unknown", "never", "option",
    "changeme", "changeit", "change", "replaceme", "placeholder", "example", "sample", "dummy", "todo",
    "tbd", "fixme", "mypassword", "mysecret", "mytoken", "myapikey", "mykey", "yourpassword", "yourtoken",
    "yoursecret", "yourkey", "yourapikey", "value", "something", "bearer", "basic", "digest", "negotiate",
    "accesstoken", "authtoken", "newpassword", "oldpassword", "userpassword", "na", "missing", "invalid",
    "valid", "expired", "ok", "set", "notset", "present", "absent", "incorrect", "correct", "wrong",
    "error", "failed", "success", "eof", "identifier", "self", "this", "same", "auto", "generate",
    "generated", "random", "needed", "changed", "updated", "reset", "mandatory", "supported", "available",
    "passed",
];

/// How references to a secret that is kept elsewhere begin.
#[rustfmt::skip]
const REFERENCES: &[&str] = &[
    "id=", "type=", "src=", "id_rsa", "id_ed25519", "id_ecdsa", "op://", "arn:", "vault:", "ssm:",
    "secretref:", "keyref:", "env:", "env.", "file:", "file://", "!vault", "ENC[", "projects/",
    "process.env", "os.environ", "os.getenv", "getenv(", "System.getenv", "ENV[", "import.meta", "var.",
    "local.", "data.", "module.", "secrets.", "inputs.", "steps.", "vars.", "ref+", "gcp-secret:", "sm://",
    "!Ref", "!Sub", "!GetAtt", "!ImportValue", "{{", "resolve:", "keyvault:", "@Microsoft.KeyVault",
    "awssm:", "sha256:", "sha512-", "sha384-", "sha1-", "ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-",
    "-----BEGIN PUBLIC", "-----BEGIN CERT", "-----BEGIN RSA PUBLIC", "-----BEGIN PGP PUBLIC",
    "-----BEGIN SSH2 PUBLIC", "age1", "http://", "https://", "ssh-rsa", "npub1", "data:", "urn:",
    "[redacted",
];

/// `yourpassword123` is a placeholder, `your7Gq2pLw9` is not.
fn strong_tail(bare: &[u8]) -> bool {
    bare.iter().filter(|own| own.is_ascii_digit()).count() > 4
}

/// An absolute or relative path, or a file's name with a known ending.
pub(crate) fn path(value: &[u8]) -> bool {
    let rooted = ["/", "./", "../", "~/", "$HOME/", "C:\\", "D:\\"]
        .iter()
        .any(|root| value.starts_with(root.as_bytes()));
    let plain = value
        .iter()
        .all(|own| ident(*own) || matches!(own, b'/' | b'\\' | b'~' | b':' | b'$' | b'+' | b'@' | b' '));
    let parts = value.split(|own| matches!(own, b'/' | b'\\'));
    let tokens = parts
        .clone()
        .any(|own| own.len() >= 16 && mixed(own) && cased(own) && !own.contains(&b'.'));
    if rooted {
        return plain && !tokens && value.len() > 2;
    }
    let ending = value
        .rsplit(|own| *own == b'.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let known = [
        "pem", "key", "crt", "cer", "p12", "pfx", "jks", "json", "yaml", "yml", "toml", "txt", "env", "pub",
        "gpg", "asc", "ini", "conf", "cfg", "rs", "py", "js", "ts", "go", "md", "der", "enc", "kdbx", "log",
    ];
    let text = std::str::from_utf8(&ending).unwrap_or("");
    value.contains(&b'.') && known.contains(&text) && plain && !tokens
}

/// Whether there is a byte that paths and names of files seldom have.
fn mixed_marks(value: &[u8]) -> bool {
    value.iter().any(|own| {
        matches!(
            own,
            b'!' | b'#' | b'%' | b'^' | b'&' | b'*' | b'=' | b'?' | b'|' | b'+' | b'@'
        )
    })
}

fn number(value: &[u8]) -> bool {
    value
        .iter()
        .all(|own| own.is_ascii_digit() || matches!(own, b'.' | b'-' | b',' | b'_' | b'/'))
        || value
            .iter()
            .position(|own| !own.is_ascii_digit())
            .is_some_and(|place| {
                place > 0
                    && matches!(
                        rest(value, place),
                        b"s" | b"m" | b"h" | b"d" | b"ms" | b"k" | b"K" | b"M" | b"G" | b"MB" | b"KB"
                    )
            })
}

/// `^1.2.3`, `>=2`, `~> 3.0`, `v1.2.3-rc1`, `*`: what stands behind a package's name.
fn version(value: &[u8]) -> bool {
    let bare = value.trim_ascii_start();
    let marked = bare
        .iter()
        .take_while(|own| matches!(own, b'^' | b'~' | b'>' | b'<' | b'=' | b'v' | b' '))
        .count();
    let tail = rest(bare, marked);
    let digits = tail.iter().take_while(|own| own.is_ascii_digit()).count();
    let ranged = digits > 0 && (byte(tail, digits) == b'.' || (marked > 0 && tail.len() == digits));
    ranged
        && tail.iter().all(|own| {
            own.is_ascii_alphanumeric()
                || matches!(own, b'.' | b'-' | b'+' | b'*' | b' ' | b'<' | b'>' | b'=' | b',')
        })
        && tail.iter().filter(|own| own.is_ascii_alphabetic()).count() <= 8
}

/// A word of small letters, perhaps with dashes: a name, not a secret.
pub(crate) fn word(value: &[u8]) -> bool {
    value
        .iter()
        .all(|own| own.is_ascii_lowercase() || matches!(own, b'-' | b'_' | b'.' | b':' | b'/'))
        || (value.iter().all(u8::is_ascii_alphabetic) && !cased(rest(value, 1)) && value.len() < 16)
}

/// Words or numbers in a list, a map of keys, a key with a colon: `users:list`, `a,b`.
fn listed(value: &[u8]) -> bool {
    let parts: Vec<&[u8]> = value
        .split(|own| matches!(own, b',' | b':' | b'/' | b' '))
        .collect();
    let hexes = parts.len() > 8 && parts.iter().all(|own| own.len() == 2);
    hexes || (parts.len() > 1 && parts.iter().all(|own| word(own) || number(own) || own.len() < 4))
}

/// Whether it names a secret rather than being one: `db-password`, `authToken`, `my-tls-secret`, `a::Token`.
fn refers(value: &[u8]) -> bool {
    let plain = value
        .iter()
        .all(|own| own.is_ascii_alphabetic() || matches!(own, b'-' | b'_' | b'.' | b':' | b'$'));
    plain && (speaks(value) || find(value, 0, b"::").is_some())
}

/// Whether a secret's word is in it.
fn speaks(value: &[u8]) -> bool {
    let words = [
        "password",
        "passwd",
        "secret",
        "token",
        "key",
        "credential",
        "auth",
    ];
    words.iter().any(|own| holds(value, own.as_bytes()))
}

/// An expression: a call, an index, a type, a chain of names, a number with a type, a variable called like the thing.
fn code(value: &[u8]) -> bool {
    let word = |own: &u8| own.is_ascii_alphanumeric() || matches!(own, b'_' | b'.' | b':' | b'?');
    let head = value.iter().take_while(|own| word(own)).count();
    let head_end = head + usize::from(byte(value, head) == b'!');
    let next = byte(value, head_end);
    let closed = |sign: u8| value.contains(&sign);
    let quoted = matches!(byte(value, head_end + 1), b'"' | b'\'');
    let indexed = closed(b']') || head_end > head || quoted || value.len() == head_end + 1;
    let called = next == b'(' || (next == b'[' && indexed) || (next == b'<' && closed(b'>'));
    if head > 0 && called {
        return true;
    }
    // A reference, a pointer, a list, a generic type: in files that hold passwords these need quotes.
    let (first, second) = (byte(value, 0), byte(value, 1));
    let opens = matches!(first, b'{' | b'[') || (matches!(first, b'(' | b'|' | b'!') && value.len() < 4);
    if opens
        || first == b'<'
        || (matches!(first, b'&' | b'*')
            && (second.is_ascii_alphabetic() || matches!(second, b'\'' | b'*' | b'(')))
    {
        return true;
    }
    let text = std::str::from_utf8(value)
        .unwrap_or("")
        .trim_end_matches([',', ';', ')', ':']);
    let constant = text.contains('_')
        && text
            .bytes()
            .all(|own| own.is_ascii_uppercase() || own.is_ascii_digit() || own == b'_');
    if text.contains("::") || typed_number(text) || constant || C_TYPES.contains(&text) {
        return true;
    }
    let plain = text
        .bytes()
        .all(|own| own.is_ascii_alphabetic() || matches!(own, b'_' | b'.' | b'?'));
    let named = plain && (refers(text.as_bytes()) || holds(value, b"pass") || holds(value, b"pwd"));
    let chain = plain && text.contains('.') && OBJECTS.iter().any(|own| starts(value, own.as_bytes()));
    let typed = first.is_ascii_uppercase() && plain && TYPES.iter().any(|own| text.starts_with(own));
    let whole = text
        .bytes()
        .all(|own| own.is_ascii_alphanumeric() || matches!(own, b'_' | b'.' | b'?'));
    let member = whole
        && text
            .rsplit_once('.')
            .is_some_and(|(_, last)| speaks(last.as_bytes()));
    named || chain || typed || member
}

/// `3i32`, `0x10`, `86u32`: a number in code.
fn typed_number(text: &str) -> bool {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.len() <= 8 && is_hex(digits.trim_end_matches(['u', 'U', 'l', 'L']).as_bytes());
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && INTEGERS.contains(&text.get(digits..).unwrap_or(""))
}

#[rustfmt::skip]
const INTEGERS: &[&str] = &[
    "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "i128", "u128", "isize", "usize", "f32", "f64",
    "UL", "ul", "u", "U", "L",
];

#[rustfmt::skip]
const C_TYPES: &[&str] = &[
    "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "usize", "isize", "HANDLE", "PWSTR", "PCWSTR",
    "PSTR", "PCSTR", "BOOL", "DWORD", "ULONG", "LPWSTR", "LPCWSTR", "LPSTR", "LPCSTR", "c_char", "c_int",
    "size_t", "uint8_t", "uint32_t", "await", "async", "new", "yield", "typeof", "lambda", "function",
    "move", "unsafe", "match", "if", "else", "return",
];

#[rustfmt::skip]
const OBJECTS: &[&str] = &[
    "req.", "request.", "self.", "this.", "args.", "config.", "cfg.", "conf.", "env.", "process.", "os.",
    "ctx.", "params.", "body.", "data.", "form.", "opts.", "options.", "settings.", "credentials.", "user.",
    "state.", "props.", "event.", "payload.", "response.", "res.", "result.", "app.", "client.", "session.",
    "input.", "row.", "item.", "account.", "profile.", "db.", "app_config.", "values.", ".Values",
];

#[rustfmt::skip]
const TYPES: &[&str] = &[
    "String", "Option", "Vec", "Box", "Cow", "Arc", "Str", "Field", "Column", "Int", "Bool", "Boolean",
    "Promise", "Array", "Char", "Text", "Optional", "Bytes", "TextField", "Type", "Object", "Record",
    "Number", "Some", "None", "Zeroizing",
];

/// Looks made up by somebody who was told to make it hard: letters and digits or signs, at least 6 of them.
pub(crate) fn strong(value: &[u8]) -> bool {
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    let digits = value.iter().any(u8::is_ascii_digit);
    let signs = value.iter().any(|own| {
        own.is_ascii_punctuation()
            && !matches!(own, b'.' | b',' | b'-' | b'_' | b':' | b'/' | b'\'' | b'(' | b')')
    });
    value.len() >= 6 && letters && (digits || signs) && !version(value) && distinct(value) > 4 && !date(value)
}

/// Looks generated: at least `least` bytes without white space, with letters and digits, neither path nor address.
pub(crate) fn random(value: &[u8], least: usize) -> bool {
    value.len() >= least
        && mixed(value)
        && !value.iter().any(|own| own.is_ascii_whitespace())
        && find(value, 0, b"://").is_none()
        && distinct(value) > 6
        && !date(value)
        && !value
            .split(|own| matches!(own, b'-' | b'_' | b'.' | b'/' | b':'))
            .all(|own| word(own) || number(own))
}

fn date(value: &[u8]) -> bool {
    let digit = |place: usize| byte(value, place).is_ascii_digit();
    (0..4).all(digit)
        && matches!(byte(value, 4), b'-' | b'/')
        && digit(5)
        && digit(6)
        && byte(value, 7) == byte(value, 4)
}
