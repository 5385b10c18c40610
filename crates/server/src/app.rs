//! What all requests share.

use crate::config::Configuration;
use crate::console::elsewhere::{shown, unreachable};
use crate::jobs::Jobs;
use crate::limits::Rates;
use crate::open::Open;
use crate::operations::Operations;
use crate::problem::Problem;
use rescind_access::{Access, Oidc, OidcConfig};
use rescind_export::Metrics;
use rescind_index::Index;
use rescind_notify::Outbox;
use rescind_supervisor::Store;
use rescind_supervisor::control::Control;
use rescind_supervisor::holds::Holds;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// All of it, shared.
pub type Shared = Arc<App>;

/// What all requests share.
pub struct App {
    /// What it was told.
    pub configuration: Configuration,
    /// What links begin with.
    pub base_url: String,
    /// The record.
    pub store: Arc<Store>,
    /// What people look at.
    pub index: Arc<Index>,
    /// What waits.
    pub open: Open,
    /// Where decisions are put.
    pub holds: Holds,
    /// Who may do what.
    pub access: Access,
    /// A provider of identities, asked for its endpoints when somebody signs in there: it may be down when the server starts.
    pub oidc: Option<Provider>,
    /// What is stopped, and who runs.
    pub control: Arc<Control>,
    /// What is done by commands.
    pub operations: Arc<dyn Operations>,
    /// What people are told; without any channel nothing is kept in it but how far the ledger was gone through.
    pub outbox: Outbox,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What one client may ask.
    pub rates: Rates,
    /// Undos that were begun here.
    pub jobs: Jobs,
    /// A number that grows with every change that a page could show.
    pub changes: watch::Sender<u64>,
    /// Whether the server is ending.
    pub ending: watch::Sender<bool>,
    /// Whether what people look at has caught up with the record once.
    pub ready: AtomicBool,
}

/// A provider of identities.
pub struct Provider {
    config: OidcConfig,
    found: Mutex<Option<Oidc>>,
}

impl Provider {
    /// With this configuration.
    #[must_use]
    pub fn new(config: OidcConfig) -> Self {
        Self {
            config,
            found: Mutex::new(None),
        }
    }

    /// What people know it by.
    #[must_use]
    pub fn shown(&self) -> &str {
        shown(&self.config.issuer)
    }

    /// The provider, asked for its endpoints once. Nobody waits for somebody else's question to it.
    ///
    /// # Errors
    /// It can't be reached, or is not what it should be.
    pub fn oidc(&self) -> Result<Oidc, Problem> {
        let found = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(oidc) = &*found() {
            return Ok(oidc.clone());
        }
        let oidc = Oidc::discover(self.config.clone()).map_err(|error| {
            tracing::error!(
                error = rescind_model::chain(&error),
                "the provider can't be asked"
            );
            unreachable(&self.config.issuer)
        })?;
        // The first that came counts: sign-ins that were begun with it are answered to it.
        Ok(found().get_or_insert(oidc).clone())
    }
}

impl App {
    /// The provider of identities.
    ///
    /// # Errors
    /// None is configured, or it can't be reached.
    pub fn provider(&self) -> Result<Oidc, Problem> {
        let provider = self.oidc.as_ref();
        provider
            .ok_or_else(|| Problem::not_found("no provider is configured"))?
            .oidc()
    }

    /// The name of the cookie: with TLS one that no other host or path can set.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        if self.configuration.is_secure() {
            "__Host-rescind"
        } else {
            "rescind"
        }
    }

    /// Say that a page could show something new.
    pub fn changed(&self) {
        self.changes
            .send_modify(|number| *number = number.wrapping_add(1));
    }

    /// Whether the server is ending.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Whether it has read the record once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire) && !self.is_ending()
    }
}

/// Do what waits for a disk where that holds no other request up.
///
/// # Errors
/// As the work, and where it panicked.
pub async fn blocking<T: Send + 'static>(
    app: &Shared,
    work: impl FnOnce(&App) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(result) => result,
        Err(error) => {
            tracing::error!(
                error = rescind_model::chain(&error),
                "a request's work ended before its time"
            );
            Err(Problem::inner("the server could not finish this request"))
        }
    }
}

impl From<rescind_index::Error> for Problem {
    fn from(error: rescind_index::Error) -> Self {
        match error {
            rescind_index::Error::Cursor { .. } | rescind_index::Error::Time { .. } => {
                Self::bad(error.to_string())
            }
            other => {
                tracing::error!(error = rescind_model::chain(&other), "the index can't be read");
                Self::inner("what is on record can't be read just now")
            }
        }
    }
}
