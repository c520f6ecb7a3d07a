//! The paths under `/_localstack` that scripts, containers and test libraries ask because
//! LocalStack has them, and `/moto-api/reset`.
//!
//! `/_localstack/health` shows the health always. Other paths are there with `--compat localstack`, or
//! with the flag that enables them; moto's is there with `--compat moto`. Looking needs no signature,
//! except at settings and faults. What changes something needs one in the mode `strict`, as every call
//! does. Where accounts are isolated, resets and faults concern the caller's account, and what concerns
//! the whole server needs a key with the role `admin`.

use parking_lot::Mutex;
use std::sync::Arc;

use axum::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::chaos::Fault;
use super::gateway::Gateway;
use super::init_hooks::{InitHooks, Stage};
use super::{End, assembly, logging};
use crate::api::error::row;
use crate::api::operations::Service;
use crate::auth::Role;
use crate::config::{self, Compat, ConfigError, LONGEST_LATENCY_MS, Settings};
use crate::domain::Refusal;
use crate::engine::reset::{self, Scope};
use crate::runtime::Runtime;
use crate::runtime::failure_log;

const PREFIX: &str = "/_localstack/";
const MOTO_RESET: &str = "/moto-api/reset";
/// Test libraries want a version 4.x, and this is the one whose behaviour is matched.
const VERSION: &str = "4.14.0";
/// Bytes of a document that callers may add to: everybody can ask for it, and leave it unread.
const LONGEST_DOCUMENT: usize = 8 * 1024;
const TOO_LONG: &str = "That is more than is kept here.";

/// What these paths show and change.
#[derive(Debug)]
pub struct LocalStack {
    stands_in: bool,
    stands_in_for_moto: bool,
    /// Whether settings are shown and changed.
    shows_config: bool,
    /// As they are now.
    settings: Mutex<Settings>,
    /// Variables that were set and that no setting shows.
    variables: Mutex<Map<String, Value>>,
    hooks: Arc<InitHooks>,
    extra: Mutex<Map<String, Value>>,
    end: watch::Sender<Option<End>>,
}

impl LocalStack {
    /// What these settings say of it; `end` is told when somebody ends the server.
    pub fn new(
        settings: &Settings,
        hooks: Arc<InitHooks>,
        end: watch::Sender<Option<End>>,
    ) -> Self {
        Self {
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

    /// Whether a request with this path is meant for here and not for the gateway.
    pub fn is_meant(path: &str) -> bool {
        path.starts_with(PREFIX) || path == MOTO_RESET
    }

    /// Answers a request that [`Self::is_meant`] for here.
    pub async fn handle(&self, gateway: &Gateway, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let path = path.strip_prefix(PREFIX).unwrap_or(path).trim_end_matches('/').to_owned();
        let method = match parts.method {
            Method::HEAD => Method::GET,
            ref method => method.clone(),
        };
        let looks = method == Method::GET;
        if !self.has(&path, looks) {
            return empty(StatusCode::NOT_FOUND);
        }
        let Some(role) = needed_role(&path, looks) else {
            return self.answer(gateway, None, &path, &method, &[]).await;
        };
        let received = gateway.read_body(&parts, body).await;
        let admitted = received
            .and_then(|received| Ok((gateway.admit(&parts, &received.bytes, role)?, received)));
        let (caller, received) = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return refused(&refusal),
        };
        let account = caller.only_account();
        let response = self.answer(gateway, account, &path, &method, &received.bytes).await;
        if !looks {
            gateway.log_change(&parts, caller.caller(), response.status());
        }
        response
    }

    /// Answers a request of a caller who has been admitted. `account`: the only one that it concerns.
    async fn answer(
        &self,
        gateway: &Gateway,
        account: Option<&str>,
        path: &str,
        method: &Method,
        body: &[u8],
    ) -> Response<Body> {
        match (path, method.as_str()) {
            ("health", "GET") => ok(&self.health()),
            ("health", "PUT") => self.add(body),
            ("health", "POST") => self.act(body),
            ("health", _) => not_allowed("GET, HEAD, POST, PUT"),
            ("info", "GET") => ok(&info()),
            ("plugins", "GET") => ok(&json!({})),
            ("init", "GET") => ok(&self.init()),
            ("diagnose", "GET") => ok(&self.diagnose()),
            ("config", _) => self.config(gateway, method, body),
            ("chaos/faults", _) => faults(gateway, account, method, body),
            ("chaos/effects", _) => effects(gateway, method, body),
            ("state/reset", "POST") => done(reset_all(gateway, account).await),
            (MOTO_RESET, "POST") => {
                let reset = reset_all(gateway, account).await;
                reset.map_or_else(|refusal| refused(&refusal), |()| ok(&json!({"status": "ok"})))
            }
            ("state/reset" | MOTO_RESET, _) => not_allowed("POST"),
            ("info" | "plugins" | "init", _) => not_allowed("GET, HEAD"),
            (path, method) => {
                if let Some(service) = service_to_reset(path) {
                    return if method == "POST" {
                        done(reset(gateway.runtime(), account, service).await)
                    } else {
                        not_allowed("POST")
                    };
                }
                match path.strip_prefix("init/").and_then(stage_named) {
                    Some(stage) if method == Method::GET => ok(&self.stage(stage)),
                    Some(_) => not_allowed("GET, HEAD"),
                    None => empty(StatusCode::NOT_FOUND),
                }
            }
        }
    }

    /// Whether there is such a path. Unknown ones are there as long as any may be.
    fn has(&self, path: &str, looks: bool) -> bool {
        match path {
            "health" if looks => true,
            "config" => self.shows_config,
            "diagnose" => self.settings.lock().diagnose,
            MOTO_RESET => self.stands_in_for_moto,
            _ => self.stands_in,
        }
    }

    /// What scripts search for is `"sqs": "running"`, with this spacing.
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

    fn add(&self, body: &[u8]) -> Response<Body> {
        let Ok(given) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return failure(StatusCode::BAD_REQUEST, "The body must be a JSON object.");
        };
        let mut extra = self.extra.lock();
        let mut merged = extra.clone();
        merge(&mut merged, &given);
        if is_too_long(&merged) {
            return too_long();
        }
        *extra = merged;
        ok(&json!({"status": "OK"}))
    }

    fn act(&self, body: &[u8]) -> Response<Body> {
        let action: Option<Value> = serde_json::from_slice(body).ok();
        let end = match action.as_ref().and_then(|action| action["action"].as_str()) {
            Some("restart") => End::Restart,
            Some("kill") => End::Stop,
            _ => {
                let known = "The body must be an object whose action is restart or kill.";
                return failure(StatusCode::BAD_REQUEST, known);
            }
        };
        self.end.send_replace(Some(end));
        ok(&json!({"status": "ok"}))
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

    fn config(&self, gateway: &Gateway, method: &Method, body: &[u8]) -> Response<Body> {
        match method.as_str() {
            "GET" => ok(&Value::Object(self.variables())),
            "POST" => {
                let given: Option<Value> = serde_json::from_slice(body).ok();
                let variable = given.as_ref().and_then(|given| given["variable"].as_str());
                let value = given.as_ref().and_then(|given| given.get("value"));
                let (Some(variable), Some(value)) = (variable, value) else {
                    let shape = "The body must be an object with a variable and a value.";
                    return failure(StatusCode::BAD_REQUEST, shape);
                };
                match self.set(gateway, variable, value) {
                    Ok(()) => ok(&json!({"variable": variable, "value": value})),
                    Err((status, reason)) => failure(status, &reason),
                }
            }
            _ => not_allowed("GET, POST"),
        }
    }

    /// Sets a variable. What it says has its effect at once, or not before another start.
    fn set(
        &self,
        gateway: &Gateway,
        variable: &str,
        value: &Value,
    ) -> Result<(), (StatusCode, String)> {
        let text = match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut settings = self.settings.lock();
        let is_changed = config::localstack::change(&mut settings, variable, &text)
            .map_err(|error| match error {
                ConfigError::Environment { variable, message } => format!("{variable}: {message}"),
                other => other.to_string(),
            })
            .map_err(|reason| (StatusCode::BAD_REQUEST, reason))?;
        if is_changed {
            gateway.adjust(assembly::adjustable(&settings));
            logging::change_level(&settings.log_level);
            return Ok(());
        }
        let mut variables = self.variables.lock();
        let mut changed = variables.clone();
        changed.insert(variable.to_owned(), value.clone());
        if is_too_long(&changed) {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG.to_owned()));
        }
        tracing::warn!(variable, "a variable was set that has no effect while the server runs");
        *variables = changed;
        Ok(())
    }

    /// What the settings come to, by LocalStack's names, and what was set besides.
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

fn is_too_long(document: &Map<String, Value>) -> bool {
    serde_json::to_string(document).map_or(true, |text| text.len() > LONGEST_DOCUMENT)
}

fn too_long() -> Response<Body> {
    failure(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG)
}

/// The rules by which calls of an account fail, or all rules: shown, replaced, added to, taken away. No rules or `[]` take all
/// away.
fn faults(
    gateway: &Gateway,
    account: Option<&str>,
    method: &Method,
    body: &[u8],
) -> Response<Body> {
    if method == Method::GET {
        return ok(&json!(gateway.chaos().faults(account)));
    }
    let mut given: Vec<Fault> = match serde_json::from_slice(body) {
        Ok(given) => given,
        Err(_) if body.is_empty() && method == Method::DELETE => Vec::new(),
        Err(error) => {
            let reason = format!("The body must be an array of rules: {error}.");
            return failure(StatusCode::BAD_REQUEST, &reason);
        }
    };
    for fault in &mut given {
        fault.account = account.map(str::to_owned);
    }
    let changed = match method.as_str() {
        "POST" => gateway.chaos().change_faults(account, |faults| *faults = given),
        "PATCH" => gateway.chaos().change_faults(account, |faults| faults.extend(given)),
        "DELETE" => gateway.chaos().change_faults(account, |faults| {
            faults.retain(|fault| !given.is_empty() && !given.contains(fault));
        }),
        _ => return not_allowed("GET, HEAD, POST, PATCH, DELETE"),
    };
    match changed {
        Ok(faults) => ok(&json!(faults)),
        Err(reason) => failure(StatusCode::BAD_REQUEST, &reason),
    }
}

/// By how much every answer is delayed.
fn effects(gateway: &Gateway, method: &Method, body: &[u8]) -> Response<Body> {
    match method.as_str() {
        "GET" => {}
        "POST" => {
            let given: Option<Value> = serde_json::from_slice(body).ok();
            let latency = given.as_ref().and_then(|given| given["latency"].as_u64());
            let latency = latency.and_then(|latency| u32::try_from(latency).ok());
            let Some(latency) = latency.filter(|latency| *latency <= LONGEST_LATENCY_MS) else {
                let reason = format!(
                    "The body must be an object with a latency from 0 to {LONGEST_LATENCY_MS}."
                );
                return failure(StatusCode::BAD_REQUEST, &reason);
            };
            gateway.chaos().set_delay(latency..=latency);
        }
        _ => return not_allowed("GET, HEAD, POST"),
    }
    // A range comes from the settings only; what it is at least is all that fits here.
    ok(&json!({"latency": gateway.chaos().delays_ms().start()}))
}

/// What the settings come to, by LocalStack's names.
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

/// Puts an object into another; objects within it are merged alike, one level deep.
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

fn stage_named(name: &str) -> Option<Stage> {
    Stage::ALL.into_iter().find(|stage| stage.name().eq_ignore_ascii_case(name))
}

fn service_to_reset(path: &str) -> Option<Service> {
    Service::named(path.strip_prefix("state/")?.strip_suffix("/reset")?)
}

/// Forgets all state of an account, or of all, and that calls were to fail or to wait.
async fn reset_all(gateway: &Gateway, account: Option<&str>) -> Result<(), Refusal> {
    match account {
        Some(account) => gateway.chaos().reset_account(account),
        None => gateway.chaos().reset(),
    }
    reset(gateway.runtime(), account, Service::Sns).await?;
    reset(gateway.runtime(), account, Service::Sqs).await
}

/// Removes everything of a service that exists now, of an account or of all.
async fn reset(runtime: &Runtime, account: Option<&str>, service: Service) -> Result<(), Refusal> {
    let remove = match service {
        Service::Sqs => reset::queues,
        Service::Sns => reset::topics,
        // Temporary keys end by themselves.
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

/// The role that a request needs where accounts are isolated; `None` if nothing is asked of the caller.
fn needed_role(path: &str, looks: bool) -> Option<Role> {
    match path {
        "config" | "diagnose" => Some(Role::Admin),
        "health" | "chaos/effects" if !looks => Some(Role::Admin),
        "chaos/faults" | "chaos/effects" if looks => Some(Role::View),
        _ if looks => None,
        _ => Some(Role::Operate),
    }
}

fn ok(body: &Value) -> Response<Body> {
    answer(StatusCode::OK, spaced(body))
}

/// JSON with a space after each colon and comma, as Python writes it and scripts search it.
fn spaced(value: &Value) -> String {
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
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => value.to_string(),
    }
}

fn done(outcome: Result<(), Refusal>) -> Response<Body> {
    outcome.map_or_else(|refusal| refused(&refusal), |()| empty(StatusCode::OK))
}

fn refused(refusal: &Refusal) -> Response<Body> {
    if refusal.internal.is_some() {
        failure_log::report("a request under /_localstack failed", refusal, None);
    }
    let status = StatusCode::from_u16(row(Service::Sqs, refusal.kind).status);
    failure(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &refusal.message)
}

fn failure(status: StatusCode, sentence: &str) -> Response<Body> {
    answer(status, json!({ "error": sentence }).to_string())
}

fn not_allowed(methods: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn answer(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
