//! A server's life: everything is opened and checked, then the port; then it follows the record until it is told to end.

use crate::app::{App, Provider, Shared};
use crate::config::{Configuration, ConfigurationError, LogFormat};
use crate::jobs::Jobs;
use crate::limits::Rates;
use crate::listen::{ListenError, Port};
use crate::open::Open;
use crate::operations::Operations;
use crate::router::router;
use crate::{tell, upkeep};
use axum_server::Handle;
use rescind_access::{Access, AccessError, Change, OidcConfig, OidcError, RecordError, Secret};
use rescind_export::Metrics;
use rescind_index::{Events, Index};
use rescind_model::chain;
use rescind_notify::{Channels, ChannelsError, Outbox, OutboxError};
use rescind_supervisor::control::{Charge, Control, ControlError};
use rescind_supervisor::entry::EntryKind;
use rescind_supervisor::holds::Holds;
use rescind_supervisor::{Store, StoreError, own};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What it was told.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What people look at.
    #[error("what people look at can't be opened")]
    Index(#[from] rescind_index::Error),
    /// People and tokens.
    #[error("people and tokens can't be opened")]
    Access(#[from] AccessError),
    /// The board.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Who is told.
    #[error("nobody could be told of holds")]
    Notify(#[from] ChannelsError),
    /// What is to be told.
    #[error("what is to be told can't be opened")]
    Outbox(#[from] OutboxError),
    /// The provider of identities.
    #[error("the provider of identities can't be used")]
    Oidc(#[from] OidcError),
    /// The system.
    #[error("the system refuses {what}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What the server is made of.
pub struct Options {
    /// What it was told.
    pub configuration: Configuration,
    /// The record.
    pub store: Arc<Store>,
    /// What is done by commands.
    pub operations: Arc<dyn Operations>,
    /// The program's version.
    pub version: String,
}

/// A server that listens.
pub struct Server {
    app: Shared,
    port: Port,
    first: Option<Secret>,
    charge: Charge,
    channels: bool,
}

/// Check everything that can be checked without opening a port or changing anything.
///
/// # Errors
/// What is wrong.
pub fn check(configuration: &Configuration) -> Result<(), ServeError> {
    channels(configuration)?;
    if let Some(config) = oidc_config(configuration, "http://127.0.0.1")? {
        config.check()?;
    }
    Ok(())
}

/// Who is told, as configured.
fn channels(configuration: &Configuration) -> Result<Channels, ServeError> {
    Ok(Channels::parse(&configuration.text)?)
}

fn oidc_config(configuration: &Configuration, base: &str) -> Result<Option<OidcConfig>, ServeError> {
    let Some(table) = &configuration.oidc else {
        return Ok(None);
    };
    let fault = |what: String| ConfigurationError {
        faults: vec![format!("oidc: {what}")],
    };
    let mut table = table.clone();
    table
        .entry("redirect")
        .or_insert_with(|| toml::Value::String(format!("{base}/signin/back")));
    let secret = match table.remove("client_secret_file") {
        Some(toml::Value::String(path)) => {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| fault(format!("client_secret_file `{path}` can't be read: {error}")))?;
            Some(text.trim().to_owned())
        }
        Some(_) => return Err(fault("client_secret_file is a path".to_owned()).into()),
        None => std::env::var("RESCIND_SERVE_OIDC_SECRET").ok(),
    };
    let mut config: OidcConfig = table
        .try_into()
        .map_err(|error: toml::de::Error| fault(error.to_string()))?;
    config.client_secret = secret.map(Secret::of);
    Ok(Some(config))
}

/// What is recorded before people or tokens change.
fn recorder(store: &Arc<Store>) -> impl Fn(&Change) -> Result<(), RecordError> + Send + Sync + 'static {
    let store = Arc::clone(store);
    move |change: &Change| {
        store.note_control(EntryKind::AccessChanged, change.json().to_string())?;
        Ok(())
    }
}

impl Server {
    /// Open everything, the port last.
    ///
    /// # Errors
    /// [`ServeError`]: no port is open then.
    pub fn open(options: Options) -> Result<Self, ServeError> {
        let Options {
            configuration,
            store,
            operations,
            version,
        } = options;
        check(&configuration)?;
        let folder = store.home().root().join("server");
        make_folder(&folder)?;
        let access_folder = store.home().control();
        make_folder(&access_folder)?;
        let access = Access::open(&access_folder.join("access.db"), Arc::new(recorder(&store)))?;
        let index = Arc::new(Index::open(&folder.join("index.db"), Arc::clone(&store))?);
        let channels = channels(&configuration)?;
        let has_channels = !channels.is_empty();
        let outbox = Outbox::open(&folder.join("outbox.db"), channels)?;
        let control = Arc::new(Control::open(store.home())?);
        let holds = Holds::at(store.home().holds());
        let charge = control.take_charge(configuration.lease())?;
        let port = Port::open(&configuration)?;
        let base_url = configuration.base_url(port.address());
        let oidc = oidc_config(&configuration, &base_url)?.map(Provider::new);
        let first = access.bootstrap()?;
        // Where agents of this machine find it.
        let told = std::fs::write(folder.join("url"), format!("{base_url}\n"));
        told.map_err(|source| ServeError::System {
            what: "a file in the state directory",
            source,
        })?;
        let app = Arc::new(App {
            rates: Rates::new(&configuration.limits),
            base_url,
            open: Open::new(&store),
            index,
            holds,
            access,
            oidc,
            control,
            operations,
            outbox,
            metrics: Arc::new(Metrics::new(&version)),
            jobs: Jobs::default(),
            changes: watch::channel(0).0,
            ending: watch::channel(false).0,
            ready: AtomicBool::new(false),
            store,
            configuration,
        });
        Ok(Self {
            app,
            port,
            first,
            charge,
            channels: has_channels,
        })
    }

    /// Where people come in.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.app.base_url
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The first run's token. Given once.
    pub fn first_token(&mut self) -> Option<Secret> {
        self.first.take()
    }

    /// Serve until SIGTERM or SIGINT; open requests have their time then. `ready` is called once it listens.
    ///
    /// # Errors
    /// The port or the system fails.
    pub fn run(self) -> Result<(), ServeError> {
        let system = |what| move |source| ServeError::System { what, source };
        let Self {
            app,
            port,
            charge,
            channels,
            ..
        } = self;
        let service = app.store.ledger().start_background();
        if let Err(error) = &service {
            tracing::error!(
                error = chain(&error),
                "checkpoints are not signed in the background"
            );
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(1_024)
            .build()
            .map_err(system("threads"))?;
        let following = follow(&app).map_err(system("a thread"))?;
        let delivering = match channels {
            true => Some(app.outbox.deliver(rescind_notify::Pace::default())?),
            false => None,
        };
        let telling = tell::start(&app).map_err(system("a thread"))?;
        let upkeep = upkeep::start(&app).map_err(system("a thread"))?;
        let tls = app.configuration.tls.clone();
        let shared = Arc::clone(&app);
        let served = runtime.block_on(async move {
            let handle = Handle::new();
            tokio::spawn(end_on_signal(Arc::clone(&shared), handle.clone()));
            port.serve(router(&shared), tls.as_ref(), handle).await
        });
        app.ending.send_replace(true);
        runtime.shutdown_timeout(Duration::from_secs(2));
        for thread in [following, telling, upkeep].into_iter().flatten() {
            let _it_has_said_why = thread.join();
        }
        drop(delivering);
        // From here on the board alone is control again.
        charge.release();
        served?;
        tracing::info!("ended");
        Ok(())
    }
}

fn make_folder(path: &std::path::Path) -> Result<(), ServeError> {
    own::folder(path).map_err(|source| ServeError::System {
        what: "a folder in the state directory",
        source,
    })
}

/// SIGTERM or SIGINT: nothing new is taken, what is open has its time.
async fn end_on_signal(app: Shared, handle: Handle<SocketAddr>) {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("ending: open requests have {} s", app.configuration.drain_seconds);
    app.ending.send_replace(true);
    handle.graceful_shutdown(Some(Duration::from_secs(app.configuration.drain_seconds)));
}

/// How long a look at the record may wait for the next entry.
const LOOK: Duration = Duration::from_millis(250);
/// How long is waited after the record could not be read.
const TROUBLE: Duration = Duration::from_secs(1);

type Thread = Option<std::thread::JoinHandle<()>>;

/// Follow the record: what people look at is brought up to it.
fn follow(app: &Shared) -> io::Result<Thread> {
    let app = Arc::clone(app);
    let thread = std::thread::Builder::new().name("follow".to_owned());
    let thread = thread.spawn(move || {
        let mut seen = Seen::default();
        while !app.is_ending() {
            match seen.step(&app) {
                Ok(()) => app.ready.store(true, Ordering::Release),
                Err(error) => {
                    tracing::error!(error = chain(&error), "the record can't be followed just now");
                    std::thread::sleep(TROUBLE);
                }
            }
        }
    })?;
    Ok(Some(thread))
}

/// How far the record was followed.
#[derive(Default)]
struct Seen {
    position: Option<u64>,
    /// Counted from where the server was started.
    events: Option<Events>,
}

impl Seen {
    fn step(&mut self, app: &App) -> Result<(), rescind_index::Error> {
        app.index.follow()?;
        let position = app.index.position()?;
        if self.position != Some(position) {
            self.position = Some(position);
            app.changed();
        }
        // What was done while nobody could record it is recorded now.
        if let Err(error) = app.control.record_owed(&app.store) {
            tracing::warn!(error = chain(&error), "a stop could not be recorded yet");
        }
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(Events::from(&app.store, position)?),
        };
        while let Some(event) = events.next()? {
            app.metrics.see(&event);
        }
        events.wait(LOOK)?;
        Ok(())
    }
}

/// Log lines to stderr, from here on.
pub fn log_to_stderr(configuration: &Configuration) {
    let filter = tracing_subscriber::EnvFilter::new(format!(
        "{level},hyper=warn,rustls=warn,h2=warn",
        level = configuration.log.level
    ));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // One that is there already is as good.
    let _there_already = match configuration.log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
}
