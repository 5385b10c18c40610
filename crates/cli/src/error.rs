//! The one adapter from errors to what a person reads: kind, code, message, what it means, hints, exit code.

use crate::exit::Exit;
use crate::text::{clean, json_text};
use rescind_desk::ConfigurationError;
use rescind_model::chain;
use rescind_supervisor::StoreError;
use serde_json::{Value, json};
use std::io;

/// What went wrong, for a person.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
    meaning: String,
    help: Vec<String>,
    silent: bool,
}

/// What commands return.
pub type Done<T = Exit> = Result<T, Failure>;

macro_rules! codes {
    ($($name:ident $text:literal $kind:literal $exit:ident;)*) => {
        /// The stable codes. Each has a page in `docs/errors`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Code { $($name),* }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The code as it is printed.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// Its kind.
            #[must_use]
            pub fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind),* }
            }

            /// The exit code that goes with it.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self { $(Self::$name => Exit::$exit),* }
            }
        }
    };
}

codes! {
    BadArgument "bad-argument" "usage" Usage;
    NeedsYes "needs-yes" "usage" Usage;
    InsideSupervisedTree "inside-supervised-tree" "refused" Failed;
    NoSuchSession "no-such-session" "not-found" Failed;
    AmbiguousSession "ambiguous-session" "not-found" Failed;
    NoSuchAction "no-such-action" "not-found" Failed;
    PathUnknown "path-unknown" "not-found" Failed;
    NoOutput "no-output" "not-found" Failed;
    NoSuchPage "no-such-page" "not-found" Failed;
    SessionErased "session-erased" "not-found" Failed;
    SessionBusy "session-busy" "state" Failed;
    NotRunning "not-running" "state" Failed;
    NotStopped "not-stopped" "state" Failed;
    Stopped "stopped" "state" Failed;
    ScopeNotStopped "scope-not-stopped" "state" Failed;
    ControlUnusable "control-unusable" "store" Failed;
    NoSuchCredential "no-such-credential" "not-found" Failed;
    CredentialInvalid "credential-invalid" "credential" Failed;
    CredentialNotIssued "credential-not-issued" "credential" Failed;
    CredentialUnproved "credential-unproved" "credential" Unrevoked;
    NoSuchHold "no-such-hold" "not-found" Failed;
    AmbiguousHold "ambiguous-hold" "not-found" Failed;
    HoldOver "hold-over" "hold" Failed;
    HoldExpired "hold-expired" "hold" Failed;
    HoldVoid "hold-void" "hold" Failed;
    HoldChanged "hold-changed" "hold" Failed;
    HoldRequester "hold-requester" "hold" Failed;
    ChangeRefused "change-refused" "hold" Failed;
    HoldTier "hold-tier" "hold" Failed;
    NoSuchRule "no-such-rule" "not-found" Failed;
    RuleTooWide "rule-too-wide" "hold" Failed;
    RuleUnfit "rule-unfit" "hold" Failed;
    HookSettings "hook-settings" "hook" Failed;
    HoldDecided "hold-decided" "hold" Failed;
    NoSuchAccess "no-such-access" "not-found" Failed;
    AccessRefused "access-refused" "access" Failed;
    AccessUnusable "access-unusable" "store" Failed;
    StateDirectory "state-directory" "store" Failed;
    StoreUnreachable "store-unreachable" "store" Failed;
    LedgerUnusable "ledger-unusable" "store" Failed;
    VaultUnusable "vault-unusable" "store" Failed;
    DiskFull "disk-full" "store" Failed;
    CatalogFault "catalog-fault" "catalog" Failed;
    RedactionRules "redaction-rules" "store" Failed;
    JournalDamaged "journal-damaged" "store" Failed;
    Conflicts "conflicts" "conflict" Conflicts;
    UndoIncomplete "undo-incomplete" "undo" Incomplete;
    NothingFailed "nothing-failed" "undo" Failed;
    NothingUndone "nothing-undone" "undo" Failed;
    HealthFailed "health-failed" "health" Unhealthy;
    UndoNotRecorded "undo-not-recorded" "undo" Incomplete;
    VerificationFailed "verification-failed" "verification" NotVerified;
    ProofInvalid "proof-invalid" "verification" NotVerified;
    LimitsUnusable "limits-unusable" "store" Failed;
    PolicyInvalid "policy-invalid" "policy" Failed;
    PolicyTestFailed "policy-test-failed" "policy" Failed;
    MirrorFailed "mirror-failed" "store" Failed;
    ExportFailed "export-failed" "store" Failed;
    GitFailed "git-failed" "system" Failed;
    InputOutput "input-output" "system" Failed;
    KernelLacks "kernel-lacks" "system" Failed;
    StageUnavailable "stage-unavailable" "system" Failed;
    NoStage "no-stage" "not-found" Failed;
    NotReal "not-real" "state" Failed;
    StageConflicts "stage-conflicts" "conflict" Conflicts;
    PromoteFailed "promote-failed" "state" Failed;
    PlanChanged "plan-changed" "conflict" Conflicts;
    ServerConfiguration "server-configuration" "server" Failed;
    ServerPort "server-port" "server" Failed;
}

impl Failure {
    /// What went wrong, in a line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// A failure with the usual consequence: nothing was changed.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let meaning = "nothing was changed".to_owned();
        Self {
            code,
            message: message.into(),
            meaning,
            help: Vec::new(),
            silent: false,
        }
    }

    /// With what it means for the data.
    #[must_use]
    pub fn means(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = meaning.into();
        self
    }

    /// With a hint at what to do next.
    #[must_use]
    pub fn help(mut self, hint: impl Into<String>) -> Self {
        self.help.push(hint.into());
        self
    }

    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.silent { Exit::Ok } else { self.code.exit() }
    }

    /// Tell the person, or the program.
    pub fn report(&self, json: bool) {
        if self.silent {
            return;
        }
        let text = if json {
            json_text(&self.json())
        } else {
            self.render()
        };
        crate::out::say(text.trim_end());
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({"error": {
            "kind": self.code.kind(),
            "code": self.code.text(),
            "message": self.message,
            "meaning": self.meaning,
            "help": self.help,
            "exit_code": self.exit().code(),
        }})
    }

    /// As text.
    #[must_use]
    pub fn render(&self) -> String {
        let style = anstyle::AnsiColor::Red.on_default().bold();
        let mut text = format!(
            "{style}error[{}]{style:#}: {}\n",
            self.code.text(),
            clean(&self.message)
        );
        if !self.meaning.is_empty() && !self.message.contains(&self.meaning) {
            text.push_str(&format!("  {}\n", clean(&self.meaning)));
        }
        for hint in &self.help {
            text.push_str(&format!("  help: {}\n", clean(hint)));
        }
        if self.code != Code::BadArgument {
            text.push_str(&format!(
                "  help: `rescind errors {}` says more\n",
                self.code.text()
            ));
        }
        text
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            silent,
            ..Self::new(Code::InputOutput, chain(&error))
        }
    }
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        let message = chain(&error);
        match error {
            ConfigurationError::Unreadable { .. } | ConfigurationError::TooLarge { .. } => {
                Self::new(Code::InputOutput, message)
            }
            ConfigurationError::Policies(_)
            | ConfigurationError::Bounds(_)
            | ConfigurationError::Tiers(_)
            | ConfigurationError::Triggers(_) => {
                Self::new(Code::PolicyInvalid, message).help("`rescind policy check` says where")
            }
            ConfigurationError::Catalog(_) => {
                Self::new(Code::CatalogFault, message).help("mend the entry, or move its file away")
            }
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let message = chain(&error);
        match error {
            StoreError::Home { .. } => Self::new(Code::StateDirectory, message)
                .help("RESCIND_HOME names the directory; it must be yours to write"),
            StoreError::Ledger(error) => error.into(),
            StoreError::Vault(error) => error.into(),
            StoreError::Rules { .. } => {
                Self::new(Code::RedactionRules, message).help("mend the file or move it away")
            }
            StoreError::NoSession { .. } => {
                Self::new(Code::NoSuchSession, message).help("`rescind sessions` lists them")
            }
            StoreError::Ambiguous { .. } => Self::new(Code::AmbiguousSession, message)
                .help("give more of the id; its last four characters are the ones that differ most"),
            StoreError::Journal { .. } => {
                Self::new(Code::JournalDamaged, message).help("`rescind verify` says which bytes are damaged")
            }
        }
    }
}

impl From<rescind_ledger::Error> for Failure {
    fn from(error: rescind_ledger::Error) -> Self {
        let message = chain(&error);
        match error {
            rescind_ledger::Error::Full { .. } => Self::new(Code::DiskFull, message)
                .help("free some space; `rescind prune` gives back what rescind holds"),
            _ => Self::new(Code::LedgerUnusable, message).help("`rescind verify` looks at all of it"),
        }
    }
}

impl From<rescind_vault::Error> for Failure {
    fn from(error: rescind_vault::Error) -> Self {
        let message = chain(&error);
        if error.is_disk_full() {
            return Self::new(Code::DiskFull, message)
                .help("free some space; `rescind prune` gives back what rescind holds");
        }
        match error {
            rescind_vault::Error::NoSession { .. } | rescind_vault::Error::Erased { .. } => {
                Self::new(Code::SessionErased, message)
                    .help("what the ledger says of it is still there: `rescind ledger entries`")
            }
            rescind_vault::Error::Busy { .. } => Self::new(Code::SessionBusy, message)
                .help("another rescind command is working on it; wait until it is done"),
            rescind_vault::Error::Damaged { .. } => {
                Self::new(Code::JournalDamaged, message).help("`rescind verify` says which bytes are damaged")
            }
            _ => Self::new(Code::VaultUnusable, message),
        }
    }
}

impl From<rescind_ledger::MirrorError> for Failure {
    fn from(error: rescind_ledger::MirrorError) -> Self {
        Self::new(Code::MirrorFailed, chain(&error)).means("the ledger itself is not affected")
    }
}

impl From<rescind_export::ExportError> for Failure {
    fn from(error: rescind_export::ExportError) -> Self {
        use rescind_export::ExportError as Error;
        let message = chain(&error);
        let failure = |code| Self::new(code, message.clone()).means("the ledger itself is not affected");
        match error {
            Error::Ledger(_) => failure(Code::LedgerUnusable).help("`rescind verify` looks at all of it"),
            Error::Short { .. } | Error::NotTheSame { .. } => failure(Code::VerificationFailed)
                .help("`rescind verify` looks at all of it; a mirror shows what was there"),
            Error::Io { .. } => failure(Code::InputOutput),
            Error::Proof { .. } | Error::Note(_) => failure(Code::ProofInvalid),
            Error::Order { .. } | Error::Refused { .. } | Error::Point { .. } => failure(Code::ExportFailed),
        }
    }
}

impl From<rescind_files::stage::StageError> for Failure {
    fn from(error: rescind_files::stage::StageError) -> Self {
        Self::new(Code::StageUnavailable, chain(&error))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, Failure};
    use crate::pages;

    #[test]
    fn every_code_has_a_page_that_begins_with_it() {
        for code in Code::ALL {
            let page = pages::page(code.text()).unwrap_or_default();
            assert!(
                page.starts_with(&format!("# {}\n", code.text())),
                "docs/errors/{}.md",
                code.text()
            );
        }
    }

    #[test]
    fn an_error_says_code_consequence_and_hint() {
        let failure = Failure::new(Code::NoSuchSession, "no session is called `a\u{1b}[2J`").help("`x`");
        let text = anstream::adapter::strip_str(&failure.render()).to_string();
        assert_eq!(
            text,
            "error[no-such-session]: no session is called `a\\x1b[2J`\n  nothing was changed\n  help: `x`\n  \
             help: `rescind errors no-such-session` says more\n"
        );
    }
}
