//! `/_aws/sns/…`: messages that were captured, tokens of subscriptions, phones that opt out.
//!
//! | path | filters, beside accountId and region |
//! |---|---|
//! | `sms-messages` | phoneNumber |
//! | `platform-endpoint-messages` | endpointArn |
//! | `email-messages` | emailAddress |
//! | `firehose-messages` | deliveryStreamArn |
//!
//! Each answers GET with the messages by target, the oldest first, and DELETE with 204, without a
//! region in all regions. An answer has the latest 1,000 messages or 8 MiB; if there are older
//! ones, the header `x-squab-next-before` is what the parameter `before` of the next request takes.
//! How many bytes of them an account keeps is a setting.

use super::{
    ANSWER_BYTES, ANSWER_MESSAGES, Asked, LONGEST_ANSWER, failure, not_allowed, not_found, ok,
    tell_next,
};
use crate::domain::namespace::Namespace;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::topic_address::SubscriptionArn;
use crate::domain::{Refusal, sms};
use crate::engine::{self, inspect};
use crate::server::gateway::Gateway;
use crate::server::held;
use crate::store::CapturedMessage;
use axum::body::Body;
use hyper::header::HeaderName;
use hyper::{Method, Response, StatusCode};
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

const NEXT: HeaderName = HeaderName::from_static("x-squab-next-before");
/// Captured messages that one transaction removes.
const REMOVED: i64 = 500;

/// Where captured messages are shown.
struct Mailbox {
    path: &'static str,
    protocol: Protocol,
    /// The member of the answer that has the messages.
    member: &'static str,
    /// The parameter that asks for those of one target.
    filter: &'static str,
}

const MAILBOXES: [Mailbox; 4] = [
    Mailbox {
        path: "sms-messages",
        protocol: Protocol::Sms,
        member: "sms_messages",
        filter: "phoneNumber",
    },
    Mailbox {
        path: "platform-endpoint-messages",
        protocol: Protocol::Application,
        member: "platform_endpoint_messages",
        filter: "endpointArn",
    },
    Mailbox {
        path: "email-messages",
        protocol: Protocol::Email,
        member: "email_messages",
        filter: "emailAddress",
    },
    Mailbox {
        path: "firehose-messages",
        protocol: Protocol::Firehose,
        member: "firehose_messages",
        filter: "deliveryStreamArn",
    },
];

pub(super) async fn answer(
    gateway: &Gateway,
    asked: &Asked,
    path: &str,
) -> Result<Response<Body>, Refusal> {
    if let Some(mailbox) = MAILBOXES.iter().find(|mailbox| mailbox.path == path) {
        return match *asked.method() {
            Method::GET => read(gateway, asked, mailbox).await,
            Method::DELETE => remove(gateway, asked, mailbox).await,
            _ => Ok(not_allowed("GET, DELETE")),
        };
    }
    if let Some(arn) = path.strip_prefix("subscription-tokens/") {
        return match *asked.method() {
            Method::GET => token(gateway, asked, arn).await,
            _ => Ok(not_allowed("GET")),
        };
    }
    match (path, asked.method()) {
        ("phone-opt-outs", &Method::POST) => opt_out(gateway, asked).await,
        ("phone-opt-outs", _) => Ok(not_allowed("POST")),
        _ => Ok(not_found()),
    }
}

async fn read(
    gateway: &Gateway,
    asked: &Asked,
    mailbox: &'static Mailbox,
) -> Result<Response<Body>, Refusal> {
    let account = asked.account(gateway, asked.param("accountId"))?;
    let region = asked.param("region").unwrap_or(gateway.region()).to_owned();
    let target = asked.param(mailbox.filter).map(str::to_owned);
    let mut before = match asked.param("before") {
        None => i64::MAX,
        Some(text) => match text.parse() {
            Ok(before) => before,
            Err(_) => return Ok(failure(StatusCode::BAD_REQUEST, "before must be a number.")),
        },
    };
    let room = gateway.reserve(LONGEST_ANSWER).await?;
    let (mut latest, mut bytes, mut next) = (Vec::new(), 0, None);
    'pages: loop {
        let (account, in_region, target) = (account.clone(), region.clone(), target.clone());
        let name = mailbox.protocol.name();
        let page = gateway
            .runtime()
            .run(move |tx| {
                let namespace = Namespace { account: &account, region: &in_region };
                inspect::captured(tx, namespace, name, target.as_deref(), before)
            })
            .await?;
        if page.is_empty() {
            break;
        }
        for message in page {
            if latest.len() == ANSWER_MESSAGES || bytes >= ANSWER_BYTES {
                next = Some(before);
                break 'pages;
            }
            before = message.id;
            bytes += message.message.len();
            latest.push(message);
        }
    }
    let mut response = ok(&json!({ mailbox.member: by_target(latest), "region": region }));
    tell_next(&mut response, NEXT, next);
    Ok(held::response(room, response))
}

/// The oldest first, of messages that came the latest first.
fn by_target(latest: Vec<CapturedMessage>) -> IndexMap<String, Vec<Value>> {
    let mut shown: IndexMap<String, Vec<Value>> = IndexMap::new();
    for captured in latest.into_iter().rev() {
        let message = serde_json::from_str(&captured.message).unwrap_or_default();
        shown.entry(captured.target).or_default().push(message);
    }
    shown
}

async fn remove(
    gateway: &Gateway,
    asked: &Asked,
    mailbox: &'static Mailbox,
) -> Result<Response<Body>, Refusal> {
    let account = asked.account(gateway, asked.param("accountId"))?;
    let region = asked.param("region");
    let target = asked.param(mailbox.filter);
    let name = mailbox.protocol.name();
    loop {
        let account = account.clone();
        let (region, target) = (region.map(str::to_owned), target.map(str::to_owned));
        let removed = gateway
            .runtime()
            .run(move |tx| {
                let (region, target) = (region.as_deref(), target.as_deref());
                Ok(tx.forget_captured_messages(&account, region, name, target, REMOVED)?)
            })
            .await?;
        if (removed as i64) < REMOVED {
            break;
        }
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn token(gateway: &Gateway, asked: &Asked, arn: &str) -> Result<Response<Body>, Refusal> {
    let arn = percent_decode_str(arn).decode_utf8_lossy().into_owned();
    let failure = |status, sentence: &str| {
        let mut response = ok(&json!({ "error": sentence, "subscription_arn": arn }));
        *response.status_mut() = status;
        response
    };
    let is_arn = arn.starts_with("arn:") && arn.split(':').count() >= 6;
    if !is_arn {
        return Ok(failure(StatusCode::BAD_REQUEST, "The provided SubscriptionARN is invalid"));
    }
    let region = arn.split(':').nth(3).unwrap_or_default();
    let token = match SubscriptionArn::parse(&arn, region) {
        Ok(Some(of)) => {
            let account = asked.caller.only_account().map(str::to_owned);
            let mail_is_private = gateway.runtime().keeps_mail_private();
            let token = gateway.runtime().run(move |tx| {
                inspect::subscription_token(tx, account.as_deref(), &of, mail_is_private)
            });
            token.await?
        }
        Ok(None) | Err(_) => None,
    };
    Ok(match token {
        Some(token) => ok(&json!({ "subscription_token": token, "subscription_arn": arn })),
        None => failure(StatusCode::NOT_FOUND, "The provided SubscriptionARN is not found"),
    })
}

/// A phone that wants no messages any more.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptOut {
    phone_number: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
}

/// Does what answering STOP does. What it needs is in JSON, or in the query.
async fn opt_out(gateway: &Gateway, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let body: &[u8] = if asked.body.is_empty() { b"{}" } else { &asked.body };
    let Ok(given) = serde_json::from_slice::<OptOut>(body) else {
        return Ok(failure(StatusCode::BAD_REQUEST, "The body must be JSON."));
    };
    let of = |given: Option<String>, name| given.or_else(|| asked.param(name).map(str::to_owned));
    let text = of(given.phone_number, "phoneNumber").unwrap_or_default();
    let Some(number) = sms::e164(&text) else {
        return Ok(failure(StatusCode::BAD_REQUEST, "phoneNumber must be a phone number."));
    };
    let account = asked.account(gateway, of(given.account_id, "accountId").as_deref())?;
    let region = of(given.region, "region").unwrap_or_else(|| gateway.region().to_owned());
    let answer = ok(&json!({ "phoneNumber": number, "accountId": account, "region": region }));
    gateway
        .runtime()
        .run(move |tx| {
            let namespace = Namespace { account: &account, region: &region };
            engine::sms::opt_out(tx, namespace, &number)
        })
        .await?;
    Ok(answer)
}
