//! Programs that only run another one: how their own words end.

/// A program that runs what follows it.
pub(super) struct Prefix {
    pub(super) name: &'static str,
    /// Words behind the name: it is a wrapper only with this subcommand.
    pub(super) sub: &'static str,
    /// Its flags that take a value.
    pub(super) values: &'static [&'static str],
    /// How many words of its own follow the flags.
    pub(super) own: usize,
}

const fn prefix(name: &'static str, values: &'static [&'static str], own: usize) -> Prefix {
    Prefix {
        name,
        sub: "",
        values,
        own,
    }
}

const fn sub(name: &'static str, sub: &'static str, values: &'static [&'static str]) -> Prefix {
    Prefix {
        name,
        sub,
        values,
        own: 0,
    }
}

pub(super) const PREFIXES: [Prefix; 38] = [
    prefix("nohup", &[], 0),
    prefix("nice", &["-n", "--adjustment"], 0),
    prefix("ionice", &["-c", "-n", "-p", "--class", "--classdata"], 0),
    prefix("chrt", &["-T", "-P", "-D"], 1),
    prefix("taskset", &[], 1),
    prefix("timeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    prefix("gtimeout", &["-s", "-k", "--signal", "--kill-after"], 1),
    prefix("time", &["-o", "-f", "--output", "--format"], 0),
    prefix("stdbuf", &["-i", "-o", "-e", "--input", "--output", "--error"], 0),
    prefix("unbuffer", &[], 0),
    prefix("setsid", &[], 0),
    prefix("setarch", &[], 1),
    prefix("chronic", &[], 0),
    prefix("caffeinate", &["-t", "-w"], 0),
    prefix(
        "strace",
        &[
            "-e", "-o", "-p", "-s", "-u", "-P", "-a", "-S", "-b", "-I", "-O", "-X",
        ],
        0,
    ),
    prefix(
        "ltrace",
        &["-e", "-o", "-p", "-s", "-u", "-a", "-n", "-A", "-D", "-l"],
        0,
    ),
    prefix("dotenv", &["-f", "-e", "-c"], 0),
    prefix("busybox", &[], 0),
    prefix("xvfb-run", &["-s", "-n", "-e", "-f", "-w", "-p"], 0),
    prefix("gosu", &[], 1),
    prefix("su-exec", &[], 1),
    prefix("tini", &["-p", "-e"], 0),
    prefix("dumb-init", &["-r"], 0),
    prefix("proxychains", &["-f"], 0),
    prefix("proxychains4", &["-f"], 0),
    prefix("torsocks", &["-u", "-p", "-P", "-a"], 0),
    prefix("systemd-inhibit", &[], 0),
    prefix("sshpass", &["-p", "-f", "-d", "-P"], 0),
    prefix("dbus-run-session", &[], 0),
    prefix("entr", &[], 0),
    prefix("toybox", &[], 0),
    sub("poetry", "run", &["-C", "-P", "--directory", "--project"]),
    sub("pipenv", "run", &[]),
    sub(
        "uv",
        "run",
        &[
            "--with",
            "--python",
            "-p",
            "--extra",
            "--group",
            "--package",
            "--directory",
            "--project",
            "--env-file",
            "--index",
        ],
    ),
    sub("bundle", "exec", &["--gemfile"]),
    sub("rye", "run", &[]),
    sub("hatch", "run", &[]),
    sub("mise", "exec", &["-C"]),
];

/// Programs that run others with secrets or settings: name, subcommand, and how many words of its own follow.
pub(super) const ENVIRONMENTS: [(&str, &str, usize); 10] = [
    ("op", "run", 0),
    ("doppler", "run", 0),
    ("infisical", "run", 0),
    ("dotenvx", "run", 0),
    ("rbenv", "exec", 0),
    ("asdf", "exec", 0),
    ("aws-vault", "exec", 1),
    ("chamber", "exec", 1),
    ("direnv", "exec", 1),
    ("pyenv", "exec", 0),
];
