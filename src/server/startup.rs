//! Startup: builds the service below the listener from the settings (store, runtime, gateway and
//! metrics) and creates the declared queues and topics.

use crate::api::error::query_codes;
use crate::api::operations::OPERATIONS;
use crate::api::{CompatOptions, CoolDowns};
use crate::auth::account::Accounts;
use crate::auth::{Credential, Credentials};
use crate::config::{AuthMode, Compat, EndpointStrategy, Settings, Storage};
use crate::domain::Refusal;
use crate::domain::address::UrlForm;
use crate::domain::limits::Limits;
use crate::engine::queues;
use crate::runtime::Runtime;
use crate::runtime::clock::Clock;
use crate::runtime::memory::Memory;
use crate::runtime::storage_watch::StorageLocation;
use crate::runtime::transport::NetworkTransport;
use crate::runtime::transport::mail::MailSender;
use crate::server::app::{App, Live};
use crate::server::gateway::GatewaySettings;
use crate::server::metrics::{Deliveries, Metrics, QueueDepth};
use crate::server::provisioning::{self, ProvisioningError};
use crate::store::{
    self, AccountLimits, Durability, Ids, Location, OpenFiles, Sqlite, failure_log,
};
use std::path::PathBuf;
use std::sync::Arc;

/// The number of queues whose depth one transaction reads.
const DEPTHS_PER_PAGE: i64 = 200;

/// The pending deliveries that a scrape counts at most. Counting takes time, and a larger backlog
/// needs attention whatever its size.
const COUNTED_DELIVERIES: i64 = 100_000;

/// The running service.
#[derive(Debug, Clone)]
pub struct Startup {
    /// The service below HTTP.
    pub runtime: Arc<Runtime>,
    /// The state that its routes share.
    pub app: Arc<App>,
    /// The memory that connections, requests and responses share.
    pub memory: Arc<Memory>,
    /// The counters of the server.
    pub metrics: Arc<Metrics>,
    /// The number of configured access keys.
    pub keys: usize,
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The credentials file cannot be used.
    #[error("the credentials file {}: {reason}", path.display())]
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without a secret.
        reason: String,
    },
    /// The access key in the environment cannot be used.
    #[error("the access key in the environment: {0}")]
    AccessKey(String),
    /// The operating system has no randomness for IDs.
    #[error("the operating system returns no random bytes: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The mail relay cannot be used.
    #[error("mail_relay: {0}")]
    MailRelay(String),
    /// A declared queue or topic cannot be created.
    #[error(transparent)]
    Declaration(#[from] ProvisioningError),
}

impl Startup {
    /// Opens the store, starts the background tasks on the current tokio runtime, and creates the
    /// declared queues and topics.
    pub async fn new(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        memory: Arc<Memory>,
    ) -> Result<Self, StartupError> {
        let credentials = read_credentials(settings)?;
        let keys = credentials.len();
        let (location, durability) = match &settings.storage {
            Storage::Ephemeral => (Location::Memory, Durability::Process),
            Storage::Directory { path, durability } => {
                (Location::Directory(path.clone()), *durability)
            }
        };
        let database = open(location.clone(), durability).await?;
        database.overwrite_deleted(settings.secure_delete)?;
        clock.continue_from(database.newest_time()?);
        let transport = NetworkTransport::new(
            mail_sender(settings)?,
            settings.lambda_urls.clone(),
            settings.endpoint_rules.clone(),
        );
        let has_keys = keys > 0;
        let transport =
            Arc::new(if has_keys { transport.for_callers_with_keys() } else { transport });
        let database = Box::new(database);
        let ids = Ids::unpredictable()?;
        let runtime = Arc::new(Runtime::start(database, clock, ids, transport)?);
        let limits = AccountLimits {
            captured: i64::try_from(settings.max_captured_bytes).unwrap_or(i64::MAX),
            outbox: i64::try_from(settings.max_outbox_bytes).unwrap_or(i64::MAX),
        };
        let limiting = runtime.run(move |tx| {
            tx.limit_accounts(limits);
            Ok(())
        });
        limiting.await.map_err(|refusal| store::Error::Unavailable(refusal.to_string()))?;
        if let Some(url) = &settings.cert_base_url {
            runtime.sns_signer().set_cert_base_url(url.clone());
        }
        if settings.auth != AuthMode::Off {
            let isolate = |tx: &mut store::Txn<'_>| {
                tx.isolate_accounts();
                Ok(())
            };
            runtime
                .run(isolate)
                .await
                .map_err(|refusal| store::Error::Unavailable(refusal.to_string()))?;
        }
        provisioning::make(&runtime, settings).await?;
        runtime.watch_storage(place(&location, settings.disk_reserve)?).await;
        let operations: Vec<_> =
            OPERATIONS.iter().map(|known| (known.service.name(), known.name)).collect();
        let depths_of = Arc::clone(&runtime);
        let metrics =
            Metrics::new(&operations, &query_codes(), move || queue_depths(Arc::clone(&depths_of)));
        let deliveries_of = Arc::clone(&runtime);
        let metrics = metrics.with_deliveries(move || deliveries(Arc::clone(&deliveries_of)));
        let metrics = Arc::new(metrics.open_to_everyone(settings.open_metrics));
        let Live { cool_downs, compat_options } = live(settings);
        let app = App::new(
            Arc::clone(&runtime),
            GatewaySettings {
                region: settings.region.clone(),
                mode: settings.auth,
                credentials,
                cool_downs,
                public_url: settings.public_url.clone(),
                compat_options,
                one_region: settings.one_region,
                accounts: Arc::new(accounts(settings)),
                trust_forwarded: settings.trust_forwarded,
                max_body_bytes: settings.max_body_bytes,
                memory: Arc::clone(&memory),
                delay_ms: settings.latency_ms.clone(),
            },
            Arc::clone(&metrics),
        );
        Ok(Self { runtime, app, memory, metrics, keys })
    }
}

/// Opens the database on a separate thread. An upgrade may take minutes, and the server can stop
/// without waiting for it: the thread ends with the process.
async fn open(location: Location, durability: Durability) -> Result<Sqlite, store::Error> {
    let (done, opened) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("squab-open".into())
        .spawn(move || done.send(Sqlite::open(&location, durability)).map_err(drop))
        .map_err(|error| store::Error::Unavailable(error.to_string()))?;
    opened.await.map_err(|_| store::Error::Closed)?
}

fn place(location: &Location, reserve: Option<u64>) -> Result<StorageLocation, store::Error> {
    match location {
        Location::Memory => Ok(StorageLocation::Memory),
        Location::Directory(directory) => OpenFiles::of(directory)
            .map(|files| StorageLocation::Files(files, reserve))
            .map_err(|error| store::Error::Unavailable(error.to_string())),
    }
}

/// Returns the settings that can change while the server runs.
pub(super) fn live(settings: &Settings) -> Live {
    Live {
        cool_downs: CoolDowns {
            purge: settings.delay_purge_retry,
            recreate: settings.delay_recently_deleted,
        },
        compat_options: Arc::new(compat_options(settings)),
    }
}

fn compat_options(settings: &Settings) -> CompatOptions {
    let (url_form, is_fixed) = match settings.sqs_endpoint_strategy {
        EndpointStrategy::Standard => (UrlForm::Standard, true),
        EndpointStrategy::Domain => (UrlForm::Domain, true),
        EndpointStrategy::Path => (UrlForm::Path, true),
        EndpointStrategy::Dynamic => (UrlForm::Plain, false),
        EndpointStrategy::Off => (UrlForm::Plain, true),
    };
    let fixed = is_fixed.then(|| format!("http://{}", settings.external_host));
    CompatOptions {
        url_form,
        url_base: settings.public_url.clone().or(fixed),
        unlimited_receives: settings.unlimited_receives,
        limits: if settings.relaxed_limits { Limits::Relaxed } else { Limits::Aws },
        auto_create: settings.auto_create_queues.clone(),
        receive_overrides: settings.unlimited_receives
            || settings.compat == Some(Compat::Localstack),
    }
}

fn accounts(settings: &Settings) -> Accounts {
    Accounts { default: settings.account.clone(), parity: settings.parity_access_keys }
}

fn read_credentials(settings: &Settings) -> Result<Credentials, StartupError> {
    let accounts = accounts(settings);
    let mut credentials = match &settings.credentials_file {
        None => Credentials::default(),
        Some(path) => {
            let refuse = |reason: String| StartupError::Credentials { path: path.clone(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            if store::is_readable_by_others(path) {
                let path = path.display();
                tracing::warn!(
                    "other users of this machine can read the keys in {path}; `chmod o= {path}` \
                     closes it"
                );
            }
            Credentials::parse_in(&text, &accounts).map_err(|error| refuse(error.to_string()))?
        }
    };
    if let Some(key) = &settings.access_key {
        let mut credential = Credential::new(key.id.clone(), key.secret.clone())
            .map_err(|error| StartupError::AccessKey(error.to_string()))?;
        credential.account = accounts.of(&key.id);
        credentials.insert(credential);
    }
    Ok(credentials)
}

fn mail_sender(settings: &Settings) -> Result<Option<MailSender>, StartupError> {
    let relay = settings.mail_relay.as_ref();
    let sender = relay.map(|relay| MailSender::new(&relay.url, &relay.from));
    sender.transpose().map_err(StartupError::MailRelay)
}

/// Returns the depths of all queues, read one page at a time.
async fn queue_depths(runtime: Arc<Runtime>) -> Vec<QueueDepth> {
    let mut depths = Vec::new();
    let mut after = 0;
    loop {
        let page = runtime
            .run(move |tx| {
                let mut page = Vec::new();
                for queue in tx.queues_after(after, DEPTHS_PER_PAGE)? {
                    page.push((queue.id, depth(tx, queue)?));
                }
                Ok(page)
            })
            .await;
        match page {
            Ok(page) if page.is_empty() => return depths,
            Ok(page) => depths.extend(page.into_iter().map(|(id, depth)| {
                after = id;
                depth
            })),
            Err(refusal) => {
                failure_log::report("cannot read the depths of queues", &refusal, None);
                return depths;
            }
        }
    }
}

fn depth(tx: &mut store::Txn<'_>, queue: store::Queue) -> Result<QueueDepth, Refusal> {
    let counts = queues::counts(tx, &queue)?;
    let oldest = tx.oldest_messages(queue.backlog, 1)?;
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(QueueDepth {
        account: queue.address.account,
        region: queue.address.region,
        name: queue.address.name,
        visible: number(counts.ready),
        in_flight: number(counts.in_flight),
        delayed: number(counts.delayed),
        oldest_age_ms: oldest.first().map(|message| tx.now() - message.sent_at),
    })
}

/// Returns the numbers of finished and pending deliveries.
async fn deliveries(runtime: Arc<Runtime>) -> Deliveries {
    let counts = runtime.deliveries().counts();
    let pending = runtime
        .run(|tx| {
            let oldest = tx.oldest_delivery()?;
            Ok((tx.count_deliveries(COUNTED_DELIVERIES)?, oldest.map(|at| tx.now() - at)))
        })
        .await;
    let (pending, oldest_age_ms) = pending.unwrap_or_else(|refusal| {
        failure_log::report("cannot look into the outbox", &refusal, None);
        Default::default()
    });
    let background_panics = runtime.background_panics();
    let pending = u64::try_from(pending).unwrap_or(0);
    Deliveries { counts, pending, oldest_age_ms, background_panics }
}
