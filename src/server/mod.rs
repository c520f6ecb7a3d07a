//! The HTTP server: [`run`] is the program from its settings to its end.
//!
//! [`listener`] accepts connections within the limits of [`limits`]; [`app`] contains the routes
//! and the layers around them; [`gateway`] answers AWS calls.

mod access_log;
pub mod app;
pub mod audit;
pub mod browser;
mod callers;
pub mod chaos;
mod container_volume_check;
pub mod cors;
mod dev_endpoints;
mod forwarded;
pub mod gateway;
pub mod health;
pub mod init_hooks;
pub mod limits;
pub mod listener;
pub mod localstack;
pub mod logging;
mod loops;
pub mod metrics;
mod problem;
pub mod provisioning;
mod response;
mod rules;
mod selection;
pub mod shutdown;
pub mod startup;

use crate::config::{AuthMode, Compat, Settings, Storage};
use crate::runtime::clock::ProcessClock;
use crate::runtime::memory::Memory;
use browser::BrowserRules;
use hyper_util::service::TowerToHyperService;
use init_hooks::{InitHooks, Stage};
use listener::{BindError, Bound, Limits};
use localstack::LocalStack;
use shutdown::Signals;
use startup::{Startup, StartupError};
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use tracing::{info, warn};

/// Why the program could not start or continue. Each variant reads as a sentence.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The service cannot start.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// The system does not deliver signals.
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] std::io::Error),
}

/// What follows after the server has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Stop,
    /// A restart with the same settings.
    Restart,
}

/// Serves until SIGTERM, SIGINT, or a request to stop, then waits for running requests within the
/// grace period of the settings. A second signal ends the process at once.
///
/// `Ready.` goes to standard output, alone on its line, once every address is bound, every declared
/// queue and topic exists, and the scripts for that stage have ended.
pub async fn run(settings: Settings) -> Result<End, StartError> {
    // A restart begins with the log level of the settings, whatever callers changed meanwhile.
    logging::change_level(&settings.log_level);
    let began = Instant::now();
    let mut signals = Signals::install().map_err(StartError::Signals)?;
    let is_localstack = settings.compat == Some(Compat::Localstack);
    let hooks = Arc::new(InitHooks::find(settings.init_dir.as_deref(), is_localstack));
    let (end, mut ending) = watch::channel(None);

    let started = async {
        hooks.run(Stage::Boot, &[]).await;
        hooks.run(Stage::Start, &[]).await;
        let bound = Bound::bind(&settings.listen).await?;
        let port = bound.addresses().first().map_or(0, SocketAddr::port);
        let settings = settings.clone().with_port(port);
        let clock = Arc::new(ProcessClock::start());
        let startup = Startup::new(&settings, clock, Memory::of_process()).await?;
        Ok::<_, StartError>((bound, startup, settings))
    };
    let (bound, startup, settings) = tokio::select! {
        started = started => started?,
        name = signals.next() => {
            info!("{name}: stopped during startup");
            return Ok(End::Stop);
        }
    };
    let addresses = bound.addresses();
    log_start(&settings, &addresses, startup.keys);

    let limits = Limits {
        connections: settings.max_connections,
        header_timeout: settings.header_timeout,
        grace: settings.shutdown_grace,
        memory: Arc::clone(&startup.memory),
    };
    let open = startup.metrics.connections();
    let local = LocalStack::new(&startup.app, &settings, Arc::clone(&hooks), end);
    let routes = app::routes(&startup.app).merge(localstack::routes(local));
    let metrics = Arc::clone(&startup.metrics);
    let service = app::service(routes, BrowserRules::new(&settings), metrics);
    let service = TowerToHyperService::new(service);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = bound.serve(service, limits, open, async {
        // An error means that the sender was dropped, which is another reason to stop.
        let _ = stopped.await;
    });
    let variables = variables_of_scripts(&settings, &addresses);
    let asked_to_stop = async {
        let readied = async {
            hooks.run(Stage::Ready, &variables).await;
            announce_readiness(&settings, &addresses, began.elapsed());
            std::future::pending::<()>().await;
        };
        let (name, end) = tokio::select! {
            () = readied => return End::Stop,
            name = signals.next() => (name, End::Stop),
            end = asked_to_end(&mut ending) => ("a request", end),
        };
        if hooks.has(Stage::Shutdown) {
            info!("{name}: running the shutdown init hooks");
            let scripts = hooks.run(Stage::Shutdown, &variables);
            if tokio::time::timeout(settings.shutdown_grace, scripts).await.is_err() {
                warn!("the shutdown init hooks took too long");
            }
        }
        info!("{name}: refusing new connections, waiting for running requests");
        startup.runtime.stop_waiting();
        let _ = stop.send(());
        end
    };
    let mut serving = pin!(serving);
    let end = tokio::select! {
        () = &mut serving => None,
        end = asked_to_stop => Some(end),
    };
    if end.is_some() {
        tokio::select! {
            () = serving => {}
            name = signals.next() => info!("{name} again: running requests are dropped"),
        }
    }
    startup.runtime.close().await;
    info!("stopped");
    Ok(end.unwrap_or(End::Stop))
}

/// Completes when a request over HTTP stops the server.
async fn asked_to_end(ending: &mut watch::Receiver<Option<End>>) -> End {
    let asked = ending.wait_for(Option::is_some).await.ok().and_then(|end| *end);
    match asked {
        Some(end) => end,
        None => std::future::pending().await,
    }
}

/// Returns environment variables with which scripts reach the server by the AWS CLI or an SDK
/// without further options.
fn variables_of_scripts(
    settings: &Settings,
    addresses: &[SocketAddr],
) -> Vec<(&'static str, String)> {
    let port = addresses.first().map_or(4566, SocketAddr::port);
    let (id, secret) = settings
        .access_key
        .as_ref()
        .map_or(("test", "test"), |key| (key.id.as_str(), key.secret.as_str()));
    vec![
        ("AWS_ENDPOINT_URL", format!("http://localhost:{port}")),
        ("AWS_ACCESS_KEY_ID", id.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
        ("AWS_DEFAULT_REGION", settings.region.clone()),
        // By this `awslocal` recognizes that a script has chosen no region itself.
        ("AWSLOCAL_SERVERS_REGION", settings.region.clone()),
    ]
}

/// Logs the served addresses and the main settings in one line.
fn log_start(settings: &Settings, addresses: &[SocketAddr], keys: usize) {
    let listen: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let (data, durability) = match &settings.storage {
        Storage::Directory { path, durability } => {
            (path.display().to_string(), durability.to_string())
        }
        Storage::Ephemeral => ("none".to_owned(), "ephemeral".to_owned()),
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = listen.join(","),
        data,
        durability,
        auth = %settings.auth,
        keys,
        "squab is serving"
    );
    if settings.auth == AuthMode::Strict && keys == 0 {
        warn!(
            "no access key is configured, so auth = strict rejects every call: see --credentials"
        );
    }
    container_volume_check::warn_of_loss(settings);
}

/// Prints the line that programs wait for after starting Squab, or the line of the server that
/// Squab replaces.
fn announce_readiness(settings: &Settings, addresses: &[SocketAddr], took: Duration) {
    let mut text = String::new();
    if let (Some(Compat::Elasticmq), Some(address)) = (settings.compat, addresses.first()) {
        let here = || format!("http://localhost:{}", address.port());
        text = format!(
            "Started SQS rest server, bind address {address}, visible server address {visible}\n\
             === ElasticMQ server (squab {version}) started in {took} ms ===\n",
            visible = settings.public_url.clone().unwrap_or_else(here),
            version = env!("CARGO_PKG_VERSION"),
            took = took.as_millis(),
        );
    }
    text.push_str("Ready.\n");
    let mut stdout = std::io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        warn!("cannot write `Ready.` to standard output: {error}");
    }
}
