//! Who is the agent: the first program that is no launcher.

use rescind_supervisor::journal::Role;

/// Programs that only start another one, by the last component of their name.
const LAUNCHERS: [&str; 18] = [
    "env", "npx", "npm", "pnpm", "yarn", "bunx", "uvx", "uv", "pipx", "nice", "nohup", "setsid", "stdbuf",
    "timeout", "time", "sudo", "ionice", "xvfb-run",
];
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "zsh", "ksh", "ash"];

/// Whether a program with this command line only starts the agent. `env`, `npx` and the like do; a shell does when it
/// is given a single simple command by `-c` (`sh -c "npx thing --flag"`): a script with more in it is an agent of its own.
#[must_use]
pub fn is_launcher(argv: &[String]) -> bool {
    let Some(name) = argv.first().map(|first| base(first)) else {
        return false;
    };
    if SHELLS.contains(&name) {
        let rest = argv.get(1..).unwrap_or_default();
        let at = rest
            .iter()
            .position(|word| word.starts_with('-') && word.ends_with('c'));
        return at
            .and_then(|at| rest.get(at + 1))
            .is_some_and(|script| is_simple(script));
    }
    if name == "node" {
        // npx and npm are scripts that node runs.
        return argv
            .get(1)
            .is_some_and(|script| LAUNCHERS.contains(&base(script).trim_end_matches("-cli.js")));
    }
    LAUNCHERS.contains(&name)
}

/// Whether this command line is a shell's.
#[must_use]
pub fn is_shell(argv: &[String]) -> bool {
    argv.first().is_some_and(|first| SHELLS.contains(&base(first)))
}

/// Whether a program is judged before it runs: every action is, with all it starts. The agent itself is, and what seems to
/// start it (`npm publish`, `sudo reboot` do not), where its command line says what it does; of a shell that is the agent,
/// each command is judged by itself.
#[must_use]
pub fn is_judged(role: Role, argv: &[String]) -> bool {
    match role {
        Role::Action | Role::Process => true,
        Role::Agent | Role::Launcher => !is_shell(argv),
        Role::Direct | Role::System => false,
    }
}

/// Whether `--agent NAME` means this program.
#[must_use]
pub fn is_named(argv: &[String], exe: &str, name: &str) -> bool {
    base(exe) == name || argv.iter().take(2).any(|word| base(word) == name || word == name)
}

fn base(path: &str) -> &str {
    path.trim_start_matches('-').rsplit('/').next().unwrap_or(path)
}

fn is_simple(script: &str) -> bool {
    let script = script.trim();
    let script = script.strip_prefix("exec ").unwrap_or(script);
    let first = script.split_whitespace().next().unwrap_or_default();
    !script.is_empty()
        && !script.contains([';', '&', '|', '\n', '`', '(', ')', '{', '}', '<', '>'])
        && !BUILTINS.contains(&first)
}

const BUILTINS: [&str; 14] = [
    "cd", "echo", "printf", "test", "[", "export", "set", "unset", "exit", "read", "eval", "source", ".", ":",
];

#[cfg(test)]
mod tests {
    use super::is_launcher;

    #[test]
    fn launchers_start_agents_and_scripts_are_agents() {
        for (line, launcher) in [
            ("env|FOO=1|claude", true),
            ("npx|claude", true),
            ("node|/usr/bin/npx|claude", true),
            ("node|/usr/bin/claude", false),
            ("sh|-c|claude --yes", true),
            ("bash|-lc|claude", true),
            ("sh|-c|rm -rf a; touch b", false),
            ("sh|-c|echo x > y", false),
            ("bash|script.sh", false),
            ("rm|-rf|x", false),
        ] {
            let argv: Vec<String> = line.split('|').map(str::to_owned).collect();
            assert_eq!(is_launcher(&argv), launcher, "{line}");
        }
    }
}
