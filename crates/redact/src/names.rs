//! What a name says of the value that is given to it.

use crate::bytes::is_hex;

/// How surely the value is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A password: short ones and words too.
    Password,
    /// A secret of a program, under a name that leaves no doubt: `client_secret`, `api_key`.
    Secret,
    /// Called a token, which parsers, cursors and models have too.
    Token,
    /// Called a key of some sort: most keys are no secrets.
    Key,
    /// Has a secret's word somewhere in its name, in capitals: only what looks random counts.
    Loose,
}

impl Class {
    /// The kind its values are marked with.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Secret | Self::Loose => "secret",
            Self::Token => "token",
            Self::Key => "key",
        }
    }
}

#[rustfmt::skip]
const PASSWORDS: &[&str] = &[
    "password", "passwd", "passphrase", "passwort", "passcode", "userpass", "storepass",
];
#[rustfmt::skip]
const SHORT_PASSWORDS: &[&str] = &[
    "pass", "pwd", "pw", "keypass", "psk", "dbpass", "dbpwd", "rootpass", "rootpw", "userpw", "requirepass",
    "masterauth", "mysqlpwd", "adminpass", "smtppass", "mailpass", "ftppass", "srcstorepass",
    "deststorepass", "bindpw", "rootdnpw", "upass", "pgpass", "sshpass", "httppass", "proxypass",
    "presharedkey",
];
/// Words behind the one that counts which change nothing.
#[rustfmt::skip]
const TAILS: &[&str] = &[
    "prod", "production", "dev", "development", "stage", "staging", "test", "testing", "old", "new",
    "current", "prev", "previous", "secondary", "default", "value", "val", "base", "b64", "base64", "hex",
    "plain", "plaintext", "cleartext", "raw", "encoded", "live", "sandbox", "local", "main", "backup",
    "confirmation", "confirm", "again", "repeat", "data", "str", "string", "text", "literal",
];
/// What makes a token one that anybody may see.
#[rustfmt::skip]
const OPEN_TOKENS: &[&str] = &[
    "next", "page", "continuation", "continue", "pagination", "cursor", "pageable", "cancellation",
    "cancel", "pad", "eos", "bos", "unk", "mask", "sep", "cls", "special", "image", "audio", "stop",
    "start", "end", "max", "min", "num", "per", "design", "unexpected", "invalid", "expected", "syntax",
    "last", "first", "prompt", "completion", "total", "input", "output", "public", "publishable", "use",
    "cached", "reasoning", "fcm",
];
/// What makes a key one that nobody should see.
#[rustfmt::skip]
const CLOSED_KEYS: &[&str] = &[
    "api", "secret", "access", "private", "priv", "auth", "encryption", "encrypt", "signing", "sign",
    "master", "account", "shared", "storage", "service", "session", "cookie", "jwt", "hmac", "aes",
    "crypto", "admin", "unseal", "recovery", "preshared", "subscription", "bearer", "functions",
    "authorization", "app", "application", "license", "deploy", "ingest", "integration", "webhook",
    "decryption", "rest", "data",
];
/// What makes a key one that anybody may see.
#[rustfmt::skip]
const OPEN_KEYS: &[&str] = &[
    "public", "pub", "publishable", "primary", "foreign", "cache", "partition", "sort", "idempotency",
    "row", "object", "registry", "map", "group", "lookup", "index", "unique", "composite", "composed",
    "hot", "shortcut", "translation", "i18n", "locale", "header", "verification", "verify", "verifying",
    "known", "host", "gpg", "pgp", "fingerprint", "range", "hash", "routing", "message", "event", "dedup",
    "dedupe", "metric", "label", "query", "dict", "tag", "sequence", "search", "any", "compose", "arrow",
    "enter", "return", "escape", "tab", "space", "delete", "backspace", "meta", "ctrl", "shift", "alt",
    "super", "modifier", "press", "config", "env", "variable", "json", "yaml", "s3", "bucket", "blob",
    "storage-path", "answer", "site", "turnstile", "anonymous", "kms", "resource", "trust", "sender",
    "receiver", "bubble",
];

/// What the value of `name` is, if it may be a secret.
pub(crate) fn class(name: &[u8]) -> Option<Class> {
    let words = split(name);
    let mut kept: &[String] = &words;
    while let [head @ .., last] = kept {
        let number = last.bytes().all(|own| own.is_ascii_digit()) || last == "v1" || last == "v2";
        if head.is_empty() || !(number || TAILS.contains(&last.as_str())) {
            break;
        }
        kept = head;
    }
    exact(kept).or_else(|| loose(name, &words))
}

fn exact(words: &[String]) -> Option<Class> {
    let (last, head) = words.split_last()?;
    let last = last.trim_end_matches(|own: char| own.is_ascii_digit());
    let previous = head.last().map_or("", String::as_str);
    let any = |list: &[&str]| head.iter().any(|word| list.contains(&word.as_str()));
    if PASSWORDS.iter().any(|word| last.ends_with(word)) || SHORT_PASSWORDS.contains(&last) {
        return Some(Class::Password);
    }
    if (last == "word" || last == "phrase") && previous == "pass" {
        return Some(Class::Password);
    }
    if last.ends_with("secret") || (last == "secrets" && !head.is_empty()) {
        return Some(Class::Secret);
    }
    if last.ends_with("token") || last == "jwt" {
        if any(OPEN_TOKENS) || matches!(last, "nexttoken" | "pagetoken") {
            return None;
        }
        return Some(if last == "token" && weak(previous) {
            Class::Token
        } else {
            Class::Secret
        });
    }
    let hosts = [
        "github",
        "gh",
        "gitlab",
        "azure",
        "devops",
        "ado",
        "ext",
        "airtable",
        "bitbucket",
        "access",
        "personal",
    ];
    if last == "pat" && any(&hosts) {
        return Some(Class::Key);
    }
    if last == "auth" || last == "_auth" {
        return Some(if head.is_empty() { Class::Loose } else { Class::Key });
    }
    if matches!(last, "cred" | "creds" | "credential" | "credentials") {
        return Some(Class::Loose);
    }
    if matches!(
        last,
        "mnemonic" | "privkey" | "privatekey" | "secretkey" | "accesskey" | "apikey" | "authkey"
    ) || matches!(
        last,
        "accountkey" | "sharedkey" | "signingkey" | "encryptionkey" | "masterkey" | "passkey"
    ) || last.ends_with("apikey")
        || last.ends_with("secretkey")
        || last.ends_with("accesskey")
        || last.ends_with("privatekey")
    {
        return Some(Class::Secret);
    }
    if last == "keys" && previous == "api" {
        return Some(Class::Secret);
    }
    if last != "key" || any(OPEN_KEYS) {
        return None;
    }
    Some(if CLOSED_KEYS.contains(&previous) {
        Class::Secret
    } else {
        Class::Key
    })
}

/// Words before `token` that say nothing of what it is for.
fn weak(previous: &str) -> bool {
    matches!(
        previous,
        "" | "the" | "a" | "my" | "this" | "self" | "parse" | "lexer" | "data" | "js" | "get"
    )
}

/// `PASSWORD_ADMIN`, `VAULT_SECRET_ID`: a secret's word inside a name in capitals.
fn loose(name: &[u8], words: &[String]) -> Option<Class> {
    let capitals = name
        .iter()
        .all(|own| own.is_ascii_uppercase() || own.is_ascii_digit() || *own == b'_');
    let inside = words
        .iter()
        .any(|word| matches!(word.as_str(), "password" | "passwd" | "secret" | "token"));
    let told = words.last().is_some_and(|word| {
        matches!(
            word.as_str(),
            "file"
                | "path"
                | "dir"
                | "name"
                | "url"
                | "uri"
                | "ttl"
                | "type"
                | "arn"
                | "ref"
                | "endpoint"
                | "host"
                | "user"
                | "username"
                | "version"
                | "hash"
                | "digest"
                | "sha256"
                | "fingerprint"
                | "policy"
                | "algorithm"
                | "alg"
                | "command"
                | "cmd"
                | "helper"
                | "store"
                | "manager"
                | "provider"
                | "backend"
                | "namespace"
                | "region"
                | "label"
                | "field"
                | "header"
                | "cookie"
                | "issuer"
                | "audience"
                | "scope"
                | "scopes"
                | "format"
                | "pattern"
                | "regex"
                | "key"
                | "tokens"
                | "length"
                | "count"
                | "expiry"
        )
    });
    (capitals && inside && !told && words.len() > 1).then_some(Class::Loose)
}

/// The words of a name, in lower case: parted by `_`, `-`, `.`, and where a capital follows a small letter.
pub(crate) fn split(name: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut previous = 0_u8;
    for (place, own) in name.iter().enumerate() {
        let next_small = name.get(place + 1).is_some_and(u8::is_ascii_lowercase);
        let hump = own.is_ascii_uppercase()
            && (previous.is_ascii_lowercase()
                || previous.is_ascii_digit()
                || (previous.is_ascii_uppercase() && next_small));
        if (hump || !own.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if own.is_ascii_alphanumeric() {
            word.push(char::from(own.to_ascii_lowercase()));
        }
        previous = *own;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Whether a name in capitals is one whose value everybody sees anyway.
pub(crate) fn open(name: &[u8]) -> bool {
    matches!(
        name,
        b"SSH_AUTH_SOCK" | b"GPG_KEY" | b"PWD" | b"OLDPWD" | b"XAUTHORITY" | b"SSH_ASKPASS" | b"GIT_ASKPASS"
    ) || (name.len() >= 32 && is_hex(name))
}
