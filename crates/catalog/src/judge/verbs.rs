//! What a subcommand is called, where the catalog says nothing of it.

use crate::catalog::Match;
use crate::field::Field;

/// What a subcommand is called that destroys, in whatever program.
pub(super) const SURE: [&str; 8] = [
    "delete",
    "destroy",
    "purge",
    "terminate",
    "wipe",
    "erase",
    "drop",
    "obliterate",
];

/// The same in programs that the catalog knows.
pub(super) const VERBS: [&str; 29] = [
    "delete",
    "destroy",
    "purge",
    "terminate",
    "wipe",
    "erase",
    "drop",
    "obliterate",
    "rm",
    "remove",
    "prune",
    "reset",
    "flush",
    "truncate",
    "revoke",
    "uninstall",
    "del",
    "leave",
    "clear",
    "kill",
    "abort",
    "close",
    "teardown",
    "undeploy",
    "decommission",
    "evict",
    "nuke",
    "forget",
    "unregister",
];

/// Programs for which `--help` anywhere means that nothing else is done.
const HELPFUL: [&str; 11] = [
    "kubectl",
    "helm",
    "git",
    "docker",
    "gh",
    "gcloud",
    "az",
    "cargo",
    "npm",
    "systemctl",
    "apt-get",
];

/// A subcommand stands among this many words.
const SUBCOMMANDS: usize = 6;

/// The subcommand that is one of these verbs: `delete`, `delete-batch`, `admin-delete-user`, `apps:destroy`.
pub(super) fn destroys(words: &[Field], verbs: &[&str]) -> Option<String> {
    let is_verb = |part: &str| verbs.contains(&part);
    let word = words
        .iter()
        .filter_map(|word| word.literal())
        .filter(|word| !word.starts_with('-') && !word.contains(['/', '.', ' ', '=']))
        .take(SUBCOMMANDS)
        .find(|word| {
            let word = word.to_ascii_lowercase();
            is_verb(&word) || word.len() < 40 && word.split(['-', ':']).any(|part| SURE.contains(&part))
        });
    word.map(str::to_owned)
}

/// Whether a program that does nothing else when asked for help is asked for it.
pub(super) fn asks_for_help(found: &Match<'_>) -> bool {
    let asked = found.line.flag("--help").is_some_and(|flag| flag.value.is_none());
    let verb = found.line.words.first().map(|word| word.text.as_str());
    let passes_on = matches!(
        verb,
        Some("run" | "exec" | "create" | "compose" | "container" | "x" | "dlx")
    );
    asked
        && HELPFUL.contains(&found.tool.spec.name.as_str())
        && !passes_on
        && !found.line.open
        && found.line.strange_after.is_none()
        && found.line.ambiguous.is_none()
}

/// The same for a program that the catalog knows.
pub(super) fn names_destruction(found: &Match<'_>) -> Option<String> {
    let spec = &found.tool.spec;
    // There, what follows the verb are kinds and names, or the command for a container.
    let words = match spec.slash_names {
        true => found.line.words.get(..1).unwrap_or_default(),
        false => &found.line.words,
    };
    destroys(words, &VERBS).filter(|_| !spec.raw)
}
