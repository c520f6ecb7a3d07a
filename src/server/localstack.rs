//! The paths under `/_localstack` that scripts, containers and test libraries ask because
//! LocalStack has them, and `/moto-api/reset`.
//!
//! Looking is free. What changes something wants a signature in the mode `strict`, as every call
//! does; to end or restart the server this way it must stand in for LocalStack.

use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::End;
use super::gateway::Gateway;
use super::init_hooks::{InitHooks, Stage};
use crate::api::error::row;
use crate::api::operations::Service;
use crate::config::{Compat, Settings};
use crate::domain::Refusal;
use crate::engine::reset;
use crate::runtime::Runtime;

const PREFIX: &str = "/_localstack/";
const MOTO_RESET: &str = "/moto-api/reset";
/// Test libraries want a version 4.x, and this is the one whose behaviour is matched.
const VERSION: &str = "4.14.0";
/// Bytes of a document that callers may add to: everybody can ask for it, and leave it unread.
const LONGEST_DOCUMENT: usize = 8 * 1024;

/// What these paths show and change.
#[derive(Debug)]
pub struct LocalStack {
    stands_in: bool,
    diagnoses: bool,
    /// Variable and value; `None` when they are not to be seen.
    config: Option<Mutex<Map<String, Value>>>,
    hooks: std::sync::Arc<InitHooks>,
    extra: Mutex<Map<String, Value>>,
    end: watch::Sender<Option<End>>,
}

impl LocalStack {
    /// What these settings say of it; `end` is told when somebody ends the server.
    pub fn new(
        settings: &Settings,
        hooks: std::sync::Arc<InitHooks>,
        end: watch::Sender<Option<End>>,
    ) -> Self {
        Self {
            stands_in: settings.compat == Some(Compat::Localstack),
            diagnoses: settings.diagnose,
            config: settings.config_updates.then(|| Mutex::new(variables(settings))),
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
        let received = if looks {
            None
        } else {
            // Known keys are nobody's business here: only `strict` wants a signature.
            let received = gateway.read_body(&parts, body).await;
            let admitted = received
                .and_then(|received| gateway.admit(&parts, &received.bytes).map(|_| received));
            match admitted {
                Ok(received) => Some(received),
                Err(refusal) => return refused(&refusal),
            }
        };
        let body = received.as_ref().map(|received| received.bytes.clone()).unwrap_or_default();
        match (path.as_str(), method.as_str()) {
            ("health", "GET") => ok(&self.health()),
            ("health", "PUT") => self.add(&body),
            ("health", "POST") => self.act(&body),
            ("health", _) => not_allowed("GET, HEAD, POST, PUT"),
            ("info", "GET") => ok(&info()),
            ("plugins", "GET") => ok(&json!({})),
            ("init", "GET") => ok(&self.init()),
            ("diagnose", "GET") if self.diagnoses => ok(&self.diagnose()),
            ("config", _) if self.config.is_some() => self.config(&method, &body),
            ("state/reset", "POST") => done(reset_all(gateway.runtime()).await),
            (MOTO_RESET, "POST") => {
                let reset = reset_all(gateway.runtime()).await;
                reset.map_or_else(|refusal| refused(&refusal), |()| ok(&json!({"status": "ok"})))
            }
            ("state/reset" | MOTO_RESET, _) => not_allowed("POST"),
            ("info" | "plugins" | "init", _) => not_allowed("GET, HEAD"),
            (path, method) => {
                if let Some(service) = service_to_reset(path) {
                    return if method == "POST" {
                        done(reset(gateway.runtime(), service).await)
                    } else {
                        not_allowed("POST")
                    };
                }
                match path.strip_prefix("init/").and_then(stage_named) {
                    Some(stage) if looks => ok(&self.stage(stage)),
                    Some(_) => not_allowed("GET, HEAD"),
                    None => empty(StatusCode::NOT_FOUND),
                }
            }
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
            merge(health, &lock(&self.extra));
        }
        health
    }

    fn add(&self, body: &[u8]) -> Response<Body> {
        let Ok(given) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return failure(StatusCode::BAD_REQUEST, "The body must be a JSON object.");
        };
        let mut extra = lock(&self.extra);
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
        if !self.stands_in {
            let reason = "The server is ended this way with --compat localstack only.";
            return failure(StatusCode::FORBIDDEN, reason);
        }
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

    fn config(&self, method: &Method, body: &[u8]) -> Response<Body> {
        let Some(config) = &self.config else { return empty(StatusCode::NOT_FOUND) };
        match method.as_str() {
            "GET" => ok(&Value::Object(lock(config).clone())),
            "POST" => {
                let given: Option<Value> = serde_json::from_slice(body).ok();
                let variable = given.as_ref().and_then(|given| given["variable"].as_str());
                let value = given.as_ref().map(|given| &given["value"]);
                let (Some(variable), Some(value)) = (variable, value) else {
                    let shape = "The body must be an object with a variable and a value.";
                    return failure(StatusCode::BAD_REQUEST, shape);
                };
                // Shown from now on; settings are read once, at the start.
                let mut config = lock(config);
                let mut changed = config.clone();
                changed.insert(variable.to_owned(), value.clone());
                if is_too_long(&changed) {
                    return too_long();
                }
                *config = changed;
                ok(&json!({"variable": variable, "value": value}))
            }
            _ => not_allowed("GET, POST"),
        }
    }

    fn diagnose(&self) -> Value {
        json!({
            "version": {"localstack-version": {"version": VERSION}, "squab": env!("CARGO_PKG_VERSION")},
            "info": info(),
            "services": self.health()["services"],
            "config": self.config.as_ref().map(|config| lock(config).clone()),
            "init": self.init(),
        })
    }
}

fn is_too_long(document: &Map<String, Value>) -> bool {
    serde_json::to_string(document).map_or(true, |text| text.len() > LONGEST_DOCUMENT)
}

fn too_long() -> Response<Body> {
    failure(StatusCode::PAYLOAD_TOO_LARGE, "That is more than is kept here.")
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
        ("PERSISTENCE", json!(settings.storage != crate::config::Storage::Ephemeral)),
        ("DEBUG", json!(settings.diagnose)),
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

async fn reset_all(runtime: &Runtime) -> Result<(), Refusal> {
    reset(runtime, Service::Sns).await?;
    reset(runtime, Service::Sqs).await
}

/// Removes everything of a service that exists now.
async fn reset(runtime: &Runtime, service: Service) -> Result<(), Refusal> {
    let boundary = runtime.run(reset::boundary).await?;
    match service {
        Service::Sqs => while runtime.run(move |tx| reset::queues(tx, boundary)).await? {},
        Service::Sns => while runtime.run(move |tx| reset::topics(tx, boundary)).await? {},
        // Temporary keys end by themselves.
        Service::Sts => {}
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    if let Some(cause) = &refusal.internal {
        tracing::error!(cause, "a request under /_localstack failed");
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
