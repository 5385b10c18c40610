//! `rescind serve`: the control plane of this machine.

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, bold};
use crate::serving::Commands;
use clap::Args;
use rescind_desk::Configuration as Folder;
use rescind_model::chain;
use rescind_server::{Configuration, Options, ServeError, Server};
use serde_json::json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `rescind serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The configuration; without it `server.toml` in the configuration folder, if it is there
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address and port to listen on, instead of the configured one
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "port")]
    pub listen: Option<SocketAddr>,
    /// The port on this machine to listen on; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Only check the configuration: no port is opened
    #[arg(long)]
    pub check: bool,
    /// Print the API's description (OpenAPI 3.1) and end
    #[arg(long)]
    pub openapi: bool,
    /// Print a systemd unit for this program and end
    #[arg(long)]
    pub systemd: bool,
}

/// Serve until told to end.
///
/// # Errors
/// The configuration can't be used, or the port or the store.
pub fn run(context: &Context, args: &ServeArgs) -> Done {
    if args.openapi {
        let mut out = Out::new();
        out.line(rescind_server::document().to_pretty_json()?)?;
        out.end()?;
        return Ok(Exit::Ok);
    }
    if args.systemd {
        let mut out = Out::new();
        out.text(&unit()?)?;
        out.end()?;
        return Ok(Exit::Ok);
    }
    let configuration = configuration(args)?;
    if args.check {
        rescind_server::check(&configuration).map_err(failure)?;
        let mut out = Out::new();
        if context.json {
            out.json(&json!({"valid": true, "listen": configuration.listen.to_string()}))?;
        } else {
            out.line(format!(
                "the configuration is good; it would listen on {}",
                configuration.listen
            ))?;
        }
        out.end()?;
        return Ok(Exit::Ok);
    }
    let store = Arc::new(context.store_outside()?);
    rescind_server::log_to_stderr(&configuration);
    let options = Options {
        configuration,
        operations: Arc::new(Commands::new(Arc::clone(&store))),
        store,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut server = Server::open(options).map_err(failure)?;
    announce(context, &mut server)?;
    server.run().map_err(failure)?;
    Ok(Exit::Ok)
}

/// Where people come in, and the first run's token. This is the only time that it is shown.
fn announce(context: &Context, server: &mut Server) -> Done<()> {
    let token = server.first_token();
    let mut out = Out::new();
    if context.json {
        out.json(&json!({
            "url": server.url(),
            "listen": server.address().to_string(),
            "admin_token": token.as_ref().map(|token| token.expose()),
        }))?;
    } else {
        out.line(format!("rescind serves {}", bold(server.url())))?;
        if let Some(token) = &token {
            out.line(format!(
                "\nNobody is here yet. This token makes you the first person; it is shown this once:\n\n    {}\n",
                token.expose()
            ))?;
        }
    }
    out.end()
}

fn configuration(args: &ServeArgs) -> Done<Configuration> {
    let folder = Folder::of_user();
    let usual = folder
        .root()
        .map(|root| root.join("server.toml"))
        .filter(|path| path.exists());
    let file = args.config.clone().or(usual);
    let variable = |name: &str| match (name, args.listen, args.port) {
        ("RESCIND_SERVE_LISTEN", Some(listen), _) => Some(listen.to_string()),
        ("RESCIND_SERVE_LISTEN", None, Some(port)) => Some(format!("127.0.0.1:{port}")),
        _ => std::env::var(name).ok(),
    };
    Configuration::read(file.as_deref(), variable).map_err(|error| failure(error.into()))
}

fn failure(error: ServeError) -> Failure {
    let message = chain(&error);
    match error {
        ServeError::Configuration(_) | ServeError::Notify(_) | ServeError::Oidc(_) => {
            Failure::new(Code::ServerConfiguration, message)
                .help("`rescind serve --check` says it again without starting")
        }
        ServeError::Listen(_) => Failure::new(Code::ServerPort, message)
            .help("another server may be there already; `--port 0` takes a free port"),
        ServeError::Store(error) => error.into(),
        ServeError::Control(error) => error.into(),
        ServeError::Index(_) | ServeError::Access(_) | ServeError::Outbox(_) | ServeError::System { .. } => {
            Failure::new(Code::StoreUnreachable, message)
        }
    }
}

/// A unit for systemd: started again when it dies, and not able to write anything but its own state.
fn unit() -> Done<String> {
    let program = std::env::current_exe()?;
    let home = context::Context { json: false }.home()?;
    Ok(format!(
        "[Unit]\nDescription=rescind: the control plane of this machine's agents\nAfter=network.target\n\n\
         [Service]\nType=exec\nExecStart={} serve\nEnvironment=RESCIND_HOME={}\nRestart=always\nRestartSec=1\n\
         TimeoutStopSec=30\nKillMode=process\nNoNewPrivileges=yes\nUMask=0077\nLimitNOFILE=65536\n\n\
         [Install]\nWantedBy=multi-user.target\n",
        program.display(),
        home.root().display()
    ))
}
