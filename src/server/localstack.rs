//! The paths under `/_localstack` that scripts, containers and test libraries use with LocalStack,
//! and `/moto-api/reset`.
//!
//! `/_localstack/health` is always available. The other paths exist with `--compat localstack`, or
//! with the flag that enables them; moto's exists with `--compat moto`. Reading needs no signature,
//! except for settings and faults. Changes need one in the mode `strict`, as every call does. If
//! accounts are isolated, resets and faults apply to the caller's account, and changes to the whole
//! server need a key with the role `admin`.

use super::app::App;
use super::chaos::Fault;
use super::init_hooks::{InitHooks, Stage};
use super::problem::Problem;
use super::{End, logging, startup};
use crate::api::operations::Service;
use crate::auth::Role;
use crate::config::{self, Compat, ConfigError, LONGEST_LATENCY_MS, Settings};
use crate::domain::Refusal;
use crate::engine::reset::{self, Scope};
use crate::runtime::Runtime;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::any;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, Response, StatusCode};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::sync::watch;

const PREFIX: &str = "/_localstack/";
const MOTO_RESET: &str = "/moto-api/reset";
/// Test libraries require a version 4.x. This is the one whose behavior Squab matches.
const VERSION: &str = "4.14.0";
/// The longest document that callers may extend, in bytes. Any client can request it and not read
/// it.
const LONGEST_DOCUMENT: usize = 8 * 1024;

type Answer = Result<Response<Body>, Problem>;

/// The state behind these paths.
#[derive(Debug)]
pub struct LocalStack {
    app: Arc<App>,
    stands_in: bool,
    stands_in_for_moto: bool,
    /// Whether settings are shown and can be changed.
    shows_config: bool,
    /// The current settings.
    settings: Mutex<Settings>,
    /// Variables that a caller set and that belong to no setting.
    variables: Mutex<Map<String, Value>>,
    hooks: Arc<InitHooks>,
    extra: Mutex<Map<String, Value>>,
    end: watch::Sender<Option<End>>,
}

impl LocalStack {
    /// Returns the state for these settings. `end` receives what follows when a request stops the
    /// server.
    pub fn new(
        app: &Arc<App>,
        settings: &Settings,
        hooks: Arc<InitHooks>,
        end: watch::Sender<Option<End>>,
    ) -> Self {
        Self {
            app: Arc::clone(app),
            stands_in: settings.compat == Some(Compat::Localstack),
            stands_in_for_moto: settings.compat == Some(Compat::Moto),
            shows_config: settings.config_updates,
            settings: Mutex::new(settings.clone()),
            variables: Mutex::default(),
            hooks,
            extra: Mutex::default(),
            end,
        }
    }

    /// Answers a request of an authorized caller. `account` is the only account that it concerns.
    async fn answer(
        &self,
        account: Option<&str>,
        path: &str,
        method: &Method,
        body: &[u8],
    ) -> Answer {
        let app = &self.app;
        Ok(match (path, method.as_str()) {
            ("health", "GET") => spaced(&self.health()),
            ("health", "PUT") => self.add(body)?,
            ("health", "POST") => self.act(body)?,
            ("health", _) => return Err(Problem::not_allowed("GET, HEAD, POST, PUT")),
            ("info", "GET") => spaced(&info()),
            ("plugins", "GET") => spaced(&json!({})),
            ("init", "GET") => spaced(&self.init()),
            ("diagnose", "GET") => spaced(&self.diagnose()),
            ("config", "GET") => spaced(&Value::Object(self.variables())),
            ("config", "POST") => self.set_variable(body)?,
            ("config", _) => return Err(Problem::not_allowed("GET, POST")),
            ("chaos/faults", _) => faults(app, account, method, body)?,
            ("chaos/effects", _) => effects(app, method, body)?,
            ("state/reset", "POST") => {
                reset_all(app, account).await?;
                StatusCode::OK.into_response()
            }
            (MOTO_RESET, "POST") => {
                reset_all(app, account).await?;
                spaced(&json!({"status": "ok"}))
            }
            ("state/reset" | MOTO_RESET, _) => return Err(Problem::not_allowed("POST")),
            ("info" | "plugins" | "init", _) => return Err(Problem::not_allowed("GET, HEAD")),
            (path, method) => match (service_to_reset(path), stage_of(path)) {
                (Some(service), _) if method == "POST" => {
                    reset(&app.runtime, account, service).await?;
                    StatusCode::OK.into_response()
                }
                (Some(_), _) => return Err(Problem::not_allowed("POST")),
                (None, Some(stage)) if method == "GET" => spaced(&self.stage(stage)),
                (None, Some(_)) => return Err(Problem::not_allowed("GET, HEAD")),
                (None, None) => StatusCode::NOT_FOUND.into_response(),
            },
        })
    }

    /// Returns whether a path exists. Paths with a variable part exist if any such path may.
    fn has(&self, path: &str, looks: bool) -> bool {
        match path {
            "health" if looks => true,
            "config" => self.shows_config,
            "diagnose" => self.settings.lock().diagnose,
            MOTO_RESET => self.stands_in_for_moto,
            _ => self.stands_in,
        }
    }

    /// Scripts search for `"sqs": "running"`, with this spacing.
    fn health(&self) -> Value {
        let mut health = json!({
            "services": {"sqs": "running", "sns": "running", "sts": "running"},
            "edition": "community",
            "version": VERSION,
        });
        if let Some(health) = health.as_object_mut() {
            merge(health, &self.extra.lock());
        }
        health
    }

    fn add(&self, body: &[u8]) -> Answer {
        let given: Map<String, Value> = read(body, "The body must be a JSON object.")?;
        let mut extra = self.extra.lock();
        let mut merged = extra.clone();
        merge(&mut merged, &given);
        check_length(&merged)?;
        *extra = merged;
        Ok(spaced(&json!({"status": "OK"})))
    }

    fn act(&self, body: &[u8]) -> Answer {
        let known = "The body must be an object whose action is restart or kill.";
        let action: Value = read(body, known)?;
        let end = match action["action"].as_str() {
            Some("restart") => End::Restart,
            Some("kill") => End::Stop,
            _ => return Err(Problem::bad_request(known)),
        };
        self.end.send_replace(Some(end));
        Ok(spaced(&json!({"status": "ok"})))
    }

    fn init(&self) -> Value {
        let completed: Map<String, Value> = Stage::ALL
            .iter()
            .map(|stage| (stage.name().to_owned(), self.hooks.is_completed(*stage).into()))
            .collect();
        json!({ "completed": completed, "scripts": self.hooks.scripts(None) })
    }

    fn stage(&self, stage: Stage) -> Value {
        json!({
            "completed": self.hooks.is_completed(stage),
            "scripts": self.hooks.scripts(Some(stage)),
        })
    }

    /// Sets a variable. The new value applies at once, or after the next restart.
    fn set_variable(&self, body: &[u8]) -> Answer {
        let shape = "The body must be an object with a variable and a value.";
        let given: Value = read(body, shape)?;
        let (Some(variable), Some(value)) = (given["variable"].as_str(), given.get("value")) else {
            return Err(Problem::bad_request(shape));
        };
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut settings = self.settings.lock();
        let is_changed = config::localstack::change(&mut settings, variable, &text);
        let is_changed = is_changed.map_err(|error| match error {
            ConfigError::Environment { variable, message } => {
                Problem::bad_request(format!("{variable}: {message}"))
            }
            other => Problem::bad_request(other.to_string()),
        })?;
        if is_changed {
            self.app.set_live(startup::live(&settings));
            logging::change_level(&settings.log_level);
        } else {
            let mut variables = self.variables.lock();
            let mut changed = variables.clone();
            changed.insert(variable.to_owned(), value.clone());
            check_length(&changed)?;
            tracing::warn!(variable, "the variable has no effect while the server runs");
            *variables = changed;
        }
        Ok(spaced(&json!({"variable": variable, "value": value})))
    }

    /// Returns the effective settings by LocalStack's names, and the other variables that a caller
    /// set.
    fn variables(&self) -> Map<String, Value> {
        let mut variables = variables(&self.settings.lock());
        variables.extend(self.variables.lock().clone());
        variables
    }

    fn diagnose(&self) -> Value {
        json!({
            "version": {"localstack-version": {"version": VERSION}, "squab": env!("CARGO_PKG_VERSION")},
            "info": info(),
            "services": self.health()["services"],
            "config": self.shows_config.then(|| self.variables()),
            "init": self.init(),
        })
    }
}

/// Returns the routes of this module.
pub fn routes(local: LocalStack) -> Router {
    Router::new()
        .route("/_localstack/", any(handle))
        .route("/_localstack/{*path}", any(handle))
        .route(MOTO_RESET, any(handle))
        .with_state(Arc::new(local))
}

async fn handle(State(local): State<Arc<LocalStack>>, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    let path = path.strip_prefix(PREFIX).unwrap_or(path).trim_end_matches('/');
    let method = if parts.method == Method::HEAD { &Method::GET } else { &parts.method };
    let looks = method == Method::GET;
    if !local.has(path, looks) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let Some(role) = needed_role(path, looks) else {
        return local.answer(None, path, method, &[]).await;
    };
    let App { callers, bodies, .. } = &*local.app;
    let (caller, received) = callers.admit(bodies, &parts, body, role).await?;
    let answer = local.answer(caller.only_account(), path, method, &received.bytes).await;
    let response = answer.into_response();
    if !looks {
        callers.log_change(&parts, caller.caller(), response.status());
    }
    Ok(response)
}

/// Reads a JSON body; `shape` describes the expected value in errors.
fn read<T: DeserializeOwned>(body: &[u8], shape: &str) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|_| Problem::bad_request(shape))
}

fn check_length(document: &Map<String, Value>) -> Result<(), Problem> {
    if serde_json::to_string(document).is_ok_and(|text| text.len() <= LONGEST_DOCUMENT) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "The stored rules exceed the limit."))
}

/// Shows, replaces, extends or removes the fault rules of an account, or all rules. An empty body
/// or `[]` removes all.
fn faults(app: &App, account: Option<&str>, method: &Method, body: &[u8]) -> Answer {
    if method == Method::GET {
        return Ok(spaced(&json!(app.chaos.faults(account))));
    }
    let mut given: Vec<Fault> = match serde_json::from_slice(body) {
        Ok(given) => given,
        Err(_) if body.is_empty() && method == Method::DELETE => Vec::new(),
        Err(error) => {
            let reason = format!("The body must be an array of rules: {error}.");
            return Err(Problem::bad_request(reason));
        }
    };
    for fault in &mut given {
        fault.account = account.map(str::to_owned);
    }
    let changed = match method.as_str() {
        "POST" => app.chaos.change_faults(account, |faults| *faults = given),
        "PATCH" => app.chaos.change_faults(account, |faults| faults.extend(given)),
        "DELETE" => app.chaos.change_faults(account, |faults| {
            faults.retain(|fault| !given.is_empty() && !given.contains(fault));
        }),
        _ => return Err(Problem::not_allowed("GET, HEAD, POST, PATCH, DELETE")),
    };
    changed.map(|faults| spaced(&json!(faults))).map_err(Problem::bad_request)
}

/// Shows or sets the delay of every response.
fn effects(app: &App, method: &Method, body: &[u8]) -> Answer {
    match method.as_str() {
        "GET" => {}
        "POST" => {
            let shape = format!(
                "The body must be an object with a latency from 0 to {LONGEST_LATENCY_MS}."
            );
            let given: Value = read(body, &shape)?;
            let latency = given["latency"].as_u64().and_then(|it| u32::try_from(it).ok());
            let latency = latency.filter(|latency| *latency <= LONGEST_LATENCY_MS);
            let latency = latency.ok_or_else(|| Problem::bad_request(shape))?;
            app.chaos.set_delay(latency..=latency);
        }
        _ => return Err(Problem::not_allowed("GET, HEAD, POST")),
    }
    // The settings can state a range. This format has room for its lower bound only.
    Ok(spaced(&json!({"latency": app.chaos.delays_ms().start()})))
}

/// Returns the effective settings by LocalStack's names.
fn variables(settings: &Settings) -> Map<String, Value> {
    let pairs = [
        ("GATEWAY_LISTEN", json!(settings.listen)),
        ("LOCALSTACK_HOST", json!(settings.external_host)),
        ("SQS_ENDPOINT_STRATEGY", json!(settings.sqs_endpoint_strategy.to_string())),
        ("SQS_DELAY_PURGE_RETRY", json!(settings.delay_purge_retry)),
        ("SQS_DELAY_RECENTLY_DELETED", json!(settings.delay_recently_deleted)),
        ("SQS_DISABLE_MAX_NUMBER_OF_MESSAGE_LIMIT", json!(settings.unlimited_receives)),
        ("SNS_CERT_URL_HOST", json!(settings.cert_base_url)),
        ("PERSISTENCE", json!(settings.storage != config::Storage::Ephemeral)),
        ("DEBUG", json!(settings.diagnose)),
        ("LS_LOG", json!(settings.log_level)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn info() -> Value {
    json!({
        "version": VERSION,
        "edition": "community",
        "is_license_activated": false,
        "squab": env!("CARGO_PKG_VERSION"),
    })
}

/// Merges an object into another; nested objects are merged alike, one level deep.
fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key).and_then(Value::as_object_mut), value.as_object()) {
            (Some(there), Some(more)) => there.extend(more.clone()),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn stage_of(path: &str) -> Option<Stage> {
    let name = path.strip_prefix("init/")?;
    Stage::ALL.into_iter().find(|stage| stage.name().eq_ignore_ascii_case(name))
}

fn service_to_reset(path: &str) -> Option<Service> {
    Service::named(path.strip_prefix("state/")?.strip_suffix("/reset")?)
}

/// Deletes all state of an account, or of all accounts, with the requested faults and delays.
async fn reset_all(app: &App, account: Option<&str>) -> Result<(), Refusal> {
    match account {
        Some(account) => app.chaos.reset_account(account),
        None => app.chaos.reset(),
    }
    reset(&app.runtime, account, Service::Sns).await?;
    reset(&app.runtime, account, Service::Sqs).await
}

/// Deletes all current state of a service, of one account or of all.
async fn reset(runtime: &Runtime, account: Option<&str>, service: Service) -> Result<(), Refusal> {
    let remove = match service {
        Service::Sqs => reset::queues,
        Service::Sns => reset::topics,
        // Temporary keys expire by themselves.
        Service::Sts => return Ok(()),
    };
    let boundary = runtime.run(reset::boundary).await?;
    let scope = Scope { boundary, account: account.map(str::to_owned) };
    loop {
        let scope = scope.clone();
        if !runtime.run(move |tx| remove(tx, &scope)).await? {
            return Ok(());
        }
    }
}

/// Returns the role that a request needs if accounts are isolated, or `None` if it needs none.
fn needed_role(path: &str, looks: bool) -> Option<Role> {
    match path {
        "config" | "diagnose" => Some(Role::Admin),
        "health" | "chaos/effects" if !looks => Some(Role::Admin),
        "chaos/faults" | "chaos/effects" if looks => Some(Role::View),
        _ if looks => None,
        _ => Some(Role::Operate),
    }
}

/// Returns JSON with a space after each colon and comma, as Python writes it and scripts expect it.
fn spaced(value: &Value) -> Response<Body> {
    struct Spaced;
    impl serde_json::ser::Formatter for Spaced {
        fn begin_array_value<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { writer.write_all(b", ") }
        }
        fn begin_object_key<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
            first: bool,
        ) -> std::io::Result<()> {
            if first { Ok(()) } else { writer.write_all(b", ") }
        }
        fn begin_object_value<W: ?Sized + std::io::Write>(
            &mut self,
            writer: &mut W,
        ) -> std::io::Result<()> {
            writer.write_all(b": ")
        }
    }
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
    // Writing to memory does not fail.
    let _ = serde::Serialize::serialize(value, &mut serializer);
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
