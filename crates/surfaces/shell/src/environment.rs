//! What a program of rescind's own has around it: what the action had, without what makes programs run other code.
//!
//! The agent chose these variables. Most say where a command acts (`KUBECONFIG`, `AWS_PROFILE`): without them another place
//! would be read. What is left out here only makes the attempt harder; that no file can be written and no other program
//! be started is what it can't get round.

use rescind_supervisor::Around;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// Beginnings of variables that put code, or the way to it, into a program.
const PREFIXES: [&str; 25] = [
    "LD_",
    "DYLD_",
    "GLIBC_",
    "MALLOC_",
    "BASH_",
    "PYTHON",
    "PERL",
    "RUBY",
    "GEM_",
    "BUNDLE_",
    "NODE_",
    "NPM_",
    "JAVA_",
    "_JAVA_",
    "JDK_",
    "GIT_",
    "SSH_ASKPASS",
    "LESS",
    "OPENSSL_",
    "GCONV_",
    "RESCIND_",
    "VIRTUAL_ENV",
    "DOTNET_",
    "PHP",
    "LUA_",
];
/// Such variables.
const NAMES: [&str; 20] = [
    "ENV",
    "PATH",
    "IFS",
    "SHELL",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "PROMPT_COMMAND",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "LOCPATH",
    "NLSPATH",
    "KRB5_CONFIG",
    "GODEBUG",
    "CLOUDSDK_PYTHON",
    "KUBE_EDITOR",
    "KUBECTL_EXTERNAL_DIFF",
    "CLASSPATH",
];
/// Ends of such variables.
const SUFFIXES: [&str; 3] = ["_PAGER", "_EDITOR", "_ASKPASS"];

/// What redaction leaves in place of a secret begins so.
const REDACTED: &str = "[redacted:";

/// The variables that a program of rescind's own gets: those of the action, and `path` to look for programs in.
#[must_use]
pub fn around(around: &Around, path: &str) -> Vec<(OsString, OsString)> {
    let pairs = around.environment.iter().filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        Some((
            OsStr::from_bytes(name).to_owned(),
            OsStr::from_bytes(value).to_owned(),
        ))
    });
    let mut kept: BTreeMap<OsString, OsString> = pairs.filter(|(name, _)| passes(name)).collect();
    kept.insert("PATH".into(), path.into());
    // Git reads what to run from the repository, which is the agent's.
    let git = [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.pager", "cat"),
        ("protocol.ext.allow", "never"),
    ];
    kept.insert("GIT_CONFIG_COUNT".into(), git.len().to_string().into());
    for (at, (name, value)) in git.iter().enumerate() {
        kept.insert(format!("GIT_CONFIG_KEY_{at}").into(), (*name).into());
        kept.insert(format!("GIT_CONFIG_VALUE_{at}").into(), (*value).into());
    }
    kept.insert("GIT_TERMINAL_PROMPT".into(), "0".into());
    kept.into_iter().collect()
}

fn passes(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let named = NAMES.contains(&name.as_ref());
    let begins = PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let ends = SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
    !named && !begins && !ends && !name.contains('(') && !name.contains('%')
}

/// The environment of an action as its record has it, with what was redacted taken from `own`: the environment of whoever takes
/// it back. Names that are not there either come as an error.
///
/// # Errors
/// The names of the variables whose values are not kept, and are not known here.
pub fn recorded(
    recorded: &BTreeMap<String, String>,
    own: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Vec<u8>>, Vec<String>> {
    let (mut pairs, mut lacks) = (Vec::new(), Vec::new());
    for (name, value) in recorded.iter().filter(|(name, _)| passes(OsStr::new(name))) {
        let value = if value.contains(REDACTED) {
            own(name)
        } else {
            Some(value.clone())
        };
        match value {
            Some(value) => pairs.push(format!("{name}={value}").into_bytes()),
            None => lacks.push(name.clone()),
        }
    }
    if lacks.is_empty() { Ok(pairs) } else { Err(lacks) }
}

#[cfg(test)]
mod tests {
    use super::{around, recorded};
    use rescind_supervisor::Around;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    #[test]
    fn what_makes_programs_run_other_code_does_not_pass_and_what_says_where_does() {
        let given = |pairs: &[&str]| Around {
            cwd: PathBuf::from("/"),
            environment: pairs.iter().map(|pair| pair.as_bytes().to_vec()).collect(),
        };
        let names = |pairs: &[&str]| -> Vec<String> {
            let passed = around(&given(pairs), "/bin");
            let names = passed.iter().map(|(name, _)| name.to_string_lossy().into_owned());
            names.filter(|name| !name.starts_with("GIT_")).collect()
        };
        let bad = [
            "LD_PRELOAD=x",
            "LD_LIBRARY_PATH=x",
            "BASH_ENV=x",
            "ENV=x",
            "PYTHONPATH=x",
            "PERL5OPT=x",
            "NODE_OPTIONS=x",
            "JAVA_TOOL_OPTIONS=x",
            "GIT_SSH_COMMAND=x",
            "GIT_CONFIG_COUNT=9",
            "AWS_PAGER=x",
            "EDITOR=x",
            "BASH_FUNC_kubectl%%=() { x; }",
            "RESCIND_IDEMPOTENCY_KEY=x",
            "=x",
            "none",
        ];
        assert_eq!(names(&bad), ["PATH"]);
        let good = ["AWS_PROFILE=p", "HOME=/root", "KUBECONFIG=k", "PATH=/tmp/agent"];
        assert_eq!(names(&good), ["AWS_PROFILE", "HOME", "KUBECONFIG", "PATH"]);
        let path = around(&given(&good), "/bin")
            .into_iter()
            .find(|(name, _)| name == "PATH");
        assert_eq!(path.expect("a path").1, "/bin");
    }

    #[test]
    fn a_secret_that_was_not_kept_comes_from_whoever_takes_it_back_or_is_named() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kept: BTreeMap<String, String> = [
            pair("AWS_SECRET_ACCESS_KEY", "[redacted:secret]"),
            pair("AWS_PROFILE", "prod"),
            pair("LD_PRELOAD", "[redacted:secret]"),
        ]
        .into();
        let lacks = recorded(&kept, |_| None).expect_err("a secret is not kept");
        assert_eq!(lacks, ["AWS_SECRET_ACCESS_KEY"]);
        let whole = recorded(&kept, |name| {
            (name == "AWS_SECRET_ACCESS_KEY").then(|| "mine".to_owned())
        });
        let whole = whole.expect("all is known");
        assert_eq!(
            whole,
            [
                b"AWS_PROFILE=prod".to_vec(),
                b"AWS_SECRET_ACCESS_KEY=mine".to_vec()
            ]
        );
    }
}
