//! Programs that take a secret as an argument without a name that says so.

use crate::bytes::{before, byte, edge, find as find_bytes, ident, part, rest, run, run_back, space};
use crate::scan::{Found, View};
use crate::values::{strong, variable};
use crate::words::{self, Word};

/// Names of programs, and what shells write before one that reads a secret from a pipe.
pub(crate) const ANCHORS: &[&str] = &[
    "mysql",
    "mariadb",
    "mycli",
    "mongo",
    "redis-cli",
    "valkey-cli",
    "sshpass",
    "docker",
    "podman",
    "nerdctl",
    "buildah",
    "skopeo",
    "helm",
    "oras",
    "crane",
    "oc login",
    "az login",
    "az acr login",
    "ldap",
    "smbclient",
    "rpcclient",
    "curl",
    "wget",
    "http -",
    "https -",
    "httpie ",
    "xh ",
    "openssl",
    "zip",
    "7z",
    "rar",
    "htpasswd",
    "lftp",
    "ncftp",
    "ipmitool",
    "snmp",
    "sqlcmd",
    "bcp",
    "sqlplus",
    "expdp",
    "impdp",
    "cqlsh",
    "cypher-shell",
    "rabbitmqctl",
    "twine",
    "vault",
    "kubectl",
    "cargo login",
    "ngrok",
    "composer",
    "poetry",
    "neo4j-admin",
    "fly secrets",
    "flyctl secrets",
    "wpa_passphrase",
    "xfreerdp",
    "evil-winrm",
    "net use",
    "net rpc",
    "gh secret",
    "snyk",
    "doctl",
    "chpasswd",
    "--password-stdin",
    "passwd --stdin",
    "useradd",
    "usermod",
    "unrar",
    "unzip",
    "sudo -S",
    "--with-token",
    "bao ",
    "jf ",
    "clickhouse",
    "hydra",
];

/// What of an argument is secret: its place in the list, and where its secret begins within it.
pub(crate) type Secret = (usize, usize, &'static str);

/// Look at the command that begins at the anchor.
pub(crate) fn find(view: &View<'_>, found: &mut Found<'_>) {
    let text = part(view.text, 0, view.line_end);
    let anchor = part(text, view.at, view.after);
    if matches!(
        anchor,
        b"--password-stdin" | b"passwd --stdin" | b"sudo -S" | b"--with-token" | b"chpasswd"
    ) {
        return piped(text, view.at, found);
    }
    if !edge(text, view.at) || matches!(before(text, view.at), b'-' | b'.' | b'@') {
        return;
    }
    // A path or a sentence has no arguments: only what stands alone is a program.
    let end = run(text, view.at, ident);
    if !(space(byte(text, end)) || matches!(byte(text, end), b'"' | b'\'' | b'\\')) {
        return;
    }
    let list = words::words(text, view.at, text.len());
    let arguments: Vec<&[u8]> = list.iter().map(|word| words::get(text, *word)).collect();
    for (number, from, kind) in secrets(&arguments) {
        let Some(Word { start, end }) = list.get(number).copied() else {
            continue;
        };
        found.add(start + from, end, kind, 7);
    }
}

/// `echo HERE | docker login --password-stdin`; `echo user:HERE | chpasswd`.
fn piped(text: &[u8], at: usize, found: &mut Found<'_>) {
    if let Some(here) = find_bytes(text, at, b"<<<") {
        let start = here + 3;
        let start = start
            + part(text, start, text.len())
                .iter()
                .take_while(|own| space(**own) || matches!(**own, b'"' | b'\''))
                .count();
        let end = run(text, start, |own| !space(own) && !matches!(own, b'"' | b'\''));
        if !variable(part(text, start, end)) {
            found.add(start, end, "password", 7);
        }
        return;
    }
    let from = run_back(text, at, |own| own != b'\n' && own != b';');
    let head = part(text, from, at);
    let Some(pipe) = head.iter().rposition(|own| *own == b'|') else {
        return;
    };
    let head = part(head, 0, pipe);
    let says = ["echo ", "printf "].iter().filter_map(|word| {
        let place = head.windows(word.len()).rposition(|own| own == word.as_bytes())?;
        Some(place + word.len())
    });
    let Some(mut place) = says.max() else { return };
    while rest(head, place).starts_with(b"-n ") || rest(head, place).starts_with(b"-e ") {
        place += 3;
    }
    if rest(head, place).starts_with(b"'%s' ") || rest(head, place).starts_with(b"\"%s\" ") {
        place += 5;
    }
    let said = part(head, place, head.len());
    let said = said.trim_ascii();
    let start = from + place + usize::from(matches!(byte(said, 0), b'"' | b'\'' | b'\\'));
    let mut end = start;
    while end < from + pipe && !matches!(byte(text, end), b'"' | b'\'' | b'\\') && !space(byte(text, end)) {
        end += 1;
    }
    let chpasswd = part(text, at, at + 8) == b"chpasswd";
    let colon = part(text, start, end)
        .iter()
        .position(|own| *own == b':')
        .filter(|_| chpasswd);
    let start = start + colon.map_or(0, |place| place + 1);
    if !variable(part(text, start, end)) {
        found.add(start, end, "password", 7);
    }
}

/// The secrets among the arguments of a command; the first is the program.
pub(crate) fn secrets(arguments: &[&[u8]]) -> Vec<Secret> {
    let Some(program) = arguments.first() else {
        return Vec::new();
    };
    let name = program.rsplit(|own| *own == b'/').next().unwrap_or_default();
    let name = std::str::from_utf8(name).unwrap_or("");
    let second = arguments.get(1).copied().unwrap_or_default();
    let mut list = Vec::new();
    match name {
        "mysql" | "mysqldump" | "mysqladmin" | "mysqlimport" | "mysqlshow" | "mysqlcheck" | "mysqlpump"
        | "mysqlslap" | "mysqlbinlog" | "mysqlsh" | "mysql_upgrade" | "mariadb" | "mariadb-dump"
        | "mariadb-admin" | "mycli" => {
            mysql(arguments, &mut list);
            after(arguments, &["password"], 1, &mut list);
        }
        "mongo" | "mongosh" | "mongodump" | "mongorestore" | "mongoexport" | "mongoimport" | "mongostat"
        | "cqlsh" | "cypher-shell" | "evil-winrm" | "twine" => {
            following(arguments, &["-p"], &mut list);
        }
        "sshpass" => either(arguments, "-p", &mut list),
        "redis-cli" | "valkey-cli" => {
            following(arguments, &["-a", "--pass"], &mut list);
            redis(arguments, &mut list);
        }
        "docker" | "podman" | "nerdctl" | "buildah" | "skopeo" | "helm" | "oras" | "crane" | "oc" | "az"
        | "jf"
            if has(arguments, "login") =>
        {
            either(arguments, "-p", &mut list);
        }
        "ldapsearch" | "ldapmodify" | "ldapadd" | "ldapdelete" | "ldapwhoami" | "ldappasswd"
        | "ldapcompare" => {
            following(arguments, &["-w", "-s", "-a"], &mut list);
        }
        "useradd" | "usermod" => following(arguments, &["-p"], &mut list),
        "smbclient" | "rpcclient" | "net" | "smbget" | "smbmap" => {
            split_user(arguments, &["-U", "--user"], b'%', &mut list);
            share(arguments, &mut list);
        }

        "curl" => {
            split_user(
                arguments,
                &["-u", "--user", "-U", "--proxy-user", "--tlsuser"],
                b':',
                &mut list,
            );
            following(
                arguments,
                &["--oauth2-bearer", "--pass", "--proxy-pass", "--key-pass"],
                &mut list,
            );
        }
        "http" | "https" | "httpie" | "xh" => split_user(arguments, &["-a", "--auth"], b':', &mut list),
        "lftp" => split_user(arguments, &["-u", "--user"], b',', &mut list),
        "ncftp" | "ncftpget" | "ncftpput" | "hydra" => following(arguments, &["-p"], &mut list),
        "openssl" => openssl(arguments, &mut list),
        "zip" | "zipcloak" => following(arguments, &["-P"], &mut list),
        "unzip" => either(arguments, "-P", &mut list),
        "7z" | "7za" | "7zr" | "7zz" | "rar" | "unrar" => {
            attached(arguments, "-p", &mut list);
            attached(arguments, "-hp", &mut list);
        }
        "htpasswd" => htpasswd(arguments, &mut list),
        "ipmitool" | "sqlcmd" | "bcp" | "tsql" | "osql" => either(arguments, "-P", &mut list),
        "snmpget" | "snmpwalk" | "snmpset" | "snmpbulkwalk" => {
            following(arguments, &["-A", "-X", "-c"], &mut list)
        }
        "sqlplus" | "expdp" | "impdp" | "sqlldr" => oracle(arguments, &mut list),
        "rabbitmqctl" => after(
            arguments,
            &["add_user", "change_password", "authenticate_user"],
            2,
            &mut list,
        ),
        "vault" | "bao" => {
            after(arguments, &["login", "unseal"], 1, &mut list);
            settings(arguments, &["put"], &mut list);
        }
        "kubectl" if has(arguments, "secret") => literals(arguments, &mut list),
        "cargo" if second == b"login" => after(arguments, &["login"], 1, &mut list),
        "ngrok" => after(arguments, &["authtoken", "add-authtoken"], 1, &mut list),
        "composer" => after(arguments, &["http-basic.repo.packagist.com"], 2, &mut list),
        "poetry" => poetry(arguments, &mut list),
        "neo4j-admin" => after(arguments, &["set-initial-password"], 1, &mut list),
        "fly" | "flyctl" => settings(arguments, &["secrets"], &mut list),
        "snyk" => after(arguments, &["auth"], 1, &mut list),
        "doctl" => following(arguments, &["-t", "--access-token"], &mut list),
        "gh" if has(arguments, "secret") => following(arguments, &["-b", "--body"], &mut list),
        "wpa_passphrase" => after(arguments, &["wpa_passphrase"], 2, &mut list),
        "xfreerdp" | "xfreerdp3" => attached(arguments, "/p:", &mut list),
        _ => {}
    }
    list.retain(|(number, from, _)| {
        let value = arguments.get(*number).map_or(&[][..], |own| rest(own, *from));
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        !value.is_empty() && !variable(value)
    });
    list
}

fn has(arguments: &[&[u8]], word: &str) -> bool {
    arguments.contains(&word.as_bytes())
}

/// `-p HERE`.
fn following(arguments: &[&[u8]], flags: &[&str], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        let flag = flags.iter().any(|flag| *own == flag.as_bytes());
        let next = arguments
            .get(number + 1)
            .is_some_and(|next| !next.starts_with(b"-"));
        if flag && next {
            list.push((number + 1, 0, "password"));
        }
    }
}

/// `-pHERE`.
fn attached(arguments: &[&[u8]], flag: &str, list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        if own.len() > flag.len() && own.starts_with(flag.as_bytes()) && byte(own, 1) != byte(own, 0) {
            list.push((number, flag.len(), "password"));
        }
    }
}

/// `-p HERE` or `-pHERE`.
fn either(arguments: &[&[u8]], flag: &str, list: &mut Vec<Secret>) {
    following(arguments, &[flag], list);
    attached(arguments, flag, list);
}

/// `-u user:HERE`, `-uuser:HERE`, `--user=user:HERE`.
fn split_user(arguments: &[&[u8]], flags: &[&str], sign: u8, list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        for flag in flags {
            let long = flag.starts_with("--");
            let (place, from) = if *own == flag.as_bytes() {
                (number + 1, 0)
            } else if long && own.starts_with(flag.as_bytes()) && byte(own, flag.len()) == b'=' {
                (number, flag.len() + 1)
            } else if !long && own.starts_with(flag.as_bytes()) && !own.starts_with(b"--") {
                (number, flag.len())
            } else {
                continue;
            };
            let value = arguments.get(place).map_or(&[][..], |own| rest(own, from));
            if let Some(colon) = value.iter().position(|own| *own == sign) {
                list.push((place, from + colon + 1, "password"));
            }
        }
    }
}

/// `smbclient //host/share HERE`, `net use X: \\\\host\\share HERE`.
fn share(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    let shared = |own: &&[u8]| own.starts_with(b"//") || own.starts_with(b"\\\\");
    let Some(number) = arguments.iter().position(shared) else {
        return;
    };
    if arguments
        .get(number + 1)
        .is_some_and(|own| !matches!(byte(own, 0), b'-' | b'/'))
    {
        list.push((number + 1, 0, "password"));
    }
}

/// `-pHERE`. With a space the word behind is the database; some people think it is the password, so what looks like
/// one, or stands before a database, counts.
fn mysql(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    attached(arguments, "-p", list);
    for (number, own) in arguments.iter().enumerate().skip(1) {
        let Some(next) = arguments
            .get(number + 1)
            .filter(|next| *own == b"-p" && !next.starts_with(b"-"))
        else {
            continue;
        };
        let more = arguments
            .get(number + 2)
            .is_some_and(|own| !own.starts_with(b"-") && !matches!(*own, b"<" | b">" | b"2>&1"));
        if strong(next) || more || *next == b"secret" || *next == b"password" {
            list.push((number + 1, 0, "password"));
        }
    }
    // `-prod` is no password of `rod`, but nothing else that the client takes begins with `-p` either, save the port.
    list.retain(|(number, from, _)| {
        *from == 0
            || arguments
                .get(*number)
                .is_some_and(|own| !own.starts_with(b"-port"))
    });
}

fn redis(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        if own.eq_ignore_ascii_case(b"auth") {
            list.push((arguments.len() - 1, 0, "password"));
        }
        let set = own.eq_ignore_ascii_case(b"requirepass") || own.eq_ignore_ascii_case(b"masterauth");
        if set && number + 1 < arguments.len() {
            list.push((number + 1, 0, "password"));
        }
    }
}

/// `-passin pass:HERE`, `-k HERE`, `-K hex`.
fn openssl(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        if own.starts_with(b"pass:") {
            list.push((number, 5, "password"));
        }
    }
    if has(arguments, "enc") {
        following(arguments, &["-k", "-K"], list);
    }
}

/// `htpasswd -b FILE user HERE`, `htpasswd -nb user HERE`.
fn htpasswd(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    let batch = arguments
        .iter()
        .any(|own| own.starts_with(b"-") && own.contains(&b'b'));
    if batch && arguments.len() > 3 {
        list.push((arguments.len() - 1, 0, "password"));
    }
}

/// `user/HERE@database`.
fn oracle(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        let slash = own
            .iter()
            .position(|byte| *byte == b'/')
            .filter(|place| *place > 0);
        if let Some(slash) =
            slash.filter(|place| own.contains(&b'@') || number == 1 && !part(own, 0, *place).contains(&b'.'))
        {
            list.push((number, slash + 1, "password"));
        }
    }
}

/// What stands `places` behind one of these words.
fn after(arguments: &[&[u8]], words: &[&str], places: usize, list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate() {
        let known = words.iter().any(|word| *own == word.as_bytes());
        if known
            && arguments
                .get(number + places)
                .is_some_and(|own| !own.starts_with(b"-"))
        {
            list.push((number + places, 0, "token"));
        }
    }
}

/// `put path NAME=HERE`, `secrets set NAME=HERE`: everything that is set is a secret.
fn settings(arguments: &[&[u8]], words: &[&str], list: &mut Vec<Secret>) {
    if !words.iter().any(|word| has(arguments, word)) {
        return;
    }
    for (number, own) in arguments.iter().enumerate().skip(2) {
        let equals = own
            .iter()
            .position(|byte| *byte == b'=')
            .filter(|_| !own.starts_with(b"-"));
        if let Some(equals) = equals.filter(|place| byte(own, place + 1) != b'@') {
            list.push((number, equals + 1, "secret"));
        }
    }
}

/// `kubectl create secret generic NAME --from-literal=KEY=HERE`.
fn literals(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate().skip(1) {
        let (place, from) = match own.strip_prefix(b"--from-literal=") {
            Some(_) => (number, 15),
            None if *own == b"--from-literal" => (number + 1, 0),
            None => continue,
        };
        let value = arguments.get(place).map_or(&[][..], |own| rest(own, from));
        if let Some(equals) = find_bytes(value, 0, b"=") {
            list.push((place, from + equals + 1, "secret"));
        }
    }
}

/// `poetry config pypi-token.NAME HERE`, `poetry config http-basic.NAME user HERE`.
fn poetry(arguments: &[&[u8]], list: &mut Vec<Secret>) {
    for (number, own) in arguments.iter().enumerate() {
        let places = if own.starts_with(b"pypi-token.") { 1 } else { 2 };
        if places == 1 || own.starts_with(b"http-basic.") {
            list.push((number + places, 0, "token"));
        }
    }
}
