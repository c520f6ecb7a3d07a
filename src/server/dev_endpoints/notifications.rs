//! `/_aws/sns/…`: captured messages, subscription tokens, and phone numbers that opt out.
//!
//! | path | filters, besides accountId and region |
//! |---|---|
//! | `sms-messages` | phoneNumber |
//! | `platform-endpoint-messages` | endpointArn |
//! | `email-messages` | emailAddress |
//! | `firehose-messages` | deliveryStreamArn |
//!
//! Each path answers GET with the messages by target, the oldest first, and DELETE with 204;
//! without a region both apply to all regions. A response has the latest 1,000 messages or 8 MiB.
//! If there are older ones, the header `x-squab-next-before` is the value of the parameter `before`
//! for the next request. A setting limits the bytes of captured messages for each account.

use super::{
    ANSWER_BYTES, ANSWER_MESSAGES, Answer, Inspection, LONGEST_ANSWER, charged_json, set_next,
};
use crate::domain::namespace::Namespace;
use crate::domain::sms;
use crate::domain::sns_endpoint::Protocol;
use crate::domain::topic_address::SubscriptionArn;
use crate::engine::{self, inspect};
use crate::server::problem::Problem;
use crate::store::CapturedMessage;
use axum::Json;
use axum::response::IntoResponse;
use hyper::header::HeaderName;
use hyper::{Method, StatusCode};
use indexmap::IndexMap;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

const NEXT: HeaderName = HeaderName::from_static("x-squab-next-before");
/// The captured messages that one transaction removes.
const REMOVED: i64 = 500;

/// An endpoint that shows captured messages.
struct Mailbox {
    path: &'static str,
    protocol: Protocol,
    /// The member of the response that contains the messages.
    member: &'static str,
    /// The parameter that selects one target.
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

pub(super) async fn answer(inspection: &Inspection) -> Answer {
    let path = inspection.parts.uri.path().trim_end_matches('/');
    let path = path.strip_prefix("/_aws/sns/").unwrap_or_default();
    let method = &inspection.parts.method;
    if let Some(mailbox) = MAILBOXES.iter().find(|mailbox| mailbox.path == path) {
        return match *method {
            Method::GET => read(inspection, mailbox).await,
            Method::DELETE => remove(inspection, mailbox).await,
            _ => Err(Problem::not_allowed("GET, DELETE")),
        };
    }
    match (path.strip_prefix("subscription-tokens/"), path) {
        (Some(arn), _) if *method == Method::GET => token(inspection, arn).await,
        (Some(_), _) => Err(Problem::not_allowed("GET")),
        (None, "phone-opt-outs") if *method == Method::POST => opt_out(inspection).await,
        (None, "phone-opt-outs") => Err(Problem::not_allowed("POST")),
        (None, _) => Err(Problem::not_found()),
    }
}

async fn read(inspection: &Inspection, mailbox: &'static Mailbox) -> Answer {
    let app = &inspection.app;
    let account = inspection.account(inspection.param("accountId"))?;
    let region = inspection.param("region").unwrap_or(&app.settings.region).to_owned();
    let target = inspection.param(mailbox.filter).map(str::to_owned);
    let before = inspection.param("before").map(str::parse).transpose();
    let before = before.map_err(|_| Problem::bad_request("before must be a number."))?;
    let mut before = before.unwrap_or(i64::MAX);
    let charge = app.reserve(&inspection.parts, LONGEST_ANSWER).await?;
    let (mut latest, mut bytes, mut next) = (Vec::new(), 0, None);
    'pages: loop {
        let (account, region, target) = (account.clone(), region.clone(), target.clone());
        let name = mailbox.protocol.name();
        let page = app.runtime.run(move |tx| {
            let namespace = Namespace::new(&account, &region);
            inspect::captured(tx, namespace, name, target.as_deref(), before)
        });
        let page = page.await?;
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
    let shown = json!({ mailbox.member: by_target(latest), "region": region });
    let mut response = charged_json(charge, &shown);
    set_next(&mut response, NEXT, next);
    Ok(response)
}

/// Groups messages by target and reverses them, so that the oldest come first.
fn by_target(latest: Vec<CapturedMessage>) -> IndexMap<String, Vec<Value>> {
    let mut shown: IndexMap<String, Vec<Value>> = IndexMap::new();
    for captured in latest.into_iter().rev() {
        let message = serde_json::from_str(&captured.message).unwrap_or_default();
        shown.entry(captured.target).or_default().push(message);
    }
    shown
}

async fn remove(inspection: &Inspection, mailbox: &'static Mailbox) -> Answer {
    let account = inspection.account(inspection.param("accountId"))?;
    let region = inspection.param("region").map(str::to_owned);
    let target = inspection.param(mailbox.filter).map(str::to_owned);
    let name = mailbox.protocol.name();
    loop {
        let (account, region, target) = (account.clone(), region.clone(), target.clone());
        let page = inspection.app.runtime.run(move |tx| {
            let (region, target) = (region.as_deref(), target.as_deref());
            Ok(tx.forget_captured_messages(&account, region, name, target, REMOVED)?)
        });
        if (page.await? as i64) < REMOVED {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
}

async fn token(inspection: &Inspection, arn: &str) -> Answer {
    let arn = percent_decode_str(arn).decode_utf8_lossy().into_owned();
    let failure = |status: StatusCode, sentence: &str| {
        Ok((status, Json(json!({ "error": sentence, "subscription_arn": arn }))).into_response())
    };
    let is_arn = arn.starts_with("arn:") && arn.split(':').count() >= 6;
    if !is_arn {
        return failure(StatusCode::BAD_REQUEST, "The provided SubscriptionARN is invalid");
    }
    let region = arn.split(':').nth(3).unwrap_or_default();
    let runtime = &inspection.app.runtime;
    let token = match SubscriptionArn::parse(&arn, region) {
        Ok(Some(of)) => {
            let account = inspection.caller.only_account().map(str::to_owned);
            let mail_is_private = runtime.keeps_mail_private();
            let token = runtime.run(move |tx| {
                inspect::subscription_token(tx, account.as_deref(), &of, mail_is_private)
            });
            token.await?
        }
        Ok(None) | Err(_) => None,
    };
    match token {
        Some(token) => {
            let shown = json!({ "subscription_token": token, "subscription_arn": arn });
            Ok(Json(shown).into_response())
        }
        None => failure(StatusCode::NOT_FOUND, "The provided SubscriptionARN is not found"),
    }
}

/// The request of a phone number to opt out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OptOut {
    phone_number: Option<String>,
    account_id: Option<String>,
    region: Option<String>,
}

/// Opts a phone number out, as the reply STOP does. The number is in JSON or in the query.
async fn opt_out(inspection: &Inspection) -> Answer {
    let body: &[u8] = if inspection.body.is_empty() { b"{}" } else { &inspection.body };
    let given = serde_json::from_slice::<OptOut>(body);
    let given = given.map_err(|_| Problem::bad_request("The body must be JSON."))?;
    let of =
        |given: Option<String>, name| given.or_else(|| inspection.param(name).map(str::to_owned));
    let text = of(given.phone_number, "phoneNumber").unwrap_or_default();
    let number = sms::e164(&text)
        .ok_or_else(|| Problem::bad_request("phoneNumber must be a phone number."))?;
    let account = inspection.account(of(given.account_id, "accountId").as_deref())?;
    let app = &inspection.app;
    let region = of(given.region, "region").unwrap_or_else(|| app.settings.region.clone());
    let shown = json!({ "phoneNumber": number, "accountId": account, "region": region });
    app.runtime
        .run(move |tx| engine::sms::opt_out(tx, Namespace::new(&account, &region), &number))
        .await?;
    Ok(Json(shown).into_response())
}
