//! Selects protocol and operation of a request from its head alone.

use crate::api::operations::{OPERATIONS, Scope, Service};
use crate::domain::{Kind, Refusal};
use crate::wire::form::Params;
use crate::wire::{Encoding, Protocol};
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;

const TARGET: &str = "x-amz-target";
const FORM: &str = "application/x-www-form-urlencoded";
/// The prefix of AWS JSON's media types: versions 1.0 and 1.1.
const AWS_JSON: &str = "application/x-amz-json-";
const JSON: &str = "application/json";

/// What the head of a request selects.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selection<'r> {
    /// An operation in AWS JSON.
    Json {
        /// The service of the operation; SQS if the header X-Amz-Target names none.
        service: Service,
        /// The operation's name, which may be unknown, or the error if there is none.
        operation: Result<&'r str, Refusal>,
    },
    /// An operation in AWS Query. Its parameters name it, possibly in the body.
    Query {
        /// Whether the Accept header prefers JSON to XML.
        prefers_json: bool,
    },
}

impl Selection<'_> {
    /// Returns the encoding of the response, as far as the head selects it.
    pub(super) fn encoding(&self) -> Encoding {
        match self {
            Self::Json { .. } => Encoding::AwsJson,
            Self::Query { prefers_json: true } => Encoding::QueryJson,
            Self::Query { prefers_json: false } => Encoding::Xml,
        }
    }
}

// Rule (every operation): a POST of application/x-amz-json-1.0 or 1.1 is AWS JSON.
// Source: documented, https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
// Test: tests/selection.rs::content_type_selects_the_protocol_whatever_the_target_says
//
// Rule (every operation): a POST of a form is AWS Query, whatever X-Amz-Target says. Without a
//   content type a target means AWS JSON.
// Source: inferred, tests that other projects run against AWS
// Test: tests/selection.rs::content_type_selects_the_protocol_whatever_the_target_says
//
// Rule (every operation): another content type, such as application/json, is one of AWS JSON if there
//   is a target.
// Source: inferred, many clients label their bodies so, and AWS JSON itself has other media types
// Test: src/server/selection.rs::content_type_selects_the_protocol
//
// Rule (every operation): a GET without an action is no call, signed or not: 404 with the body
//   `<UnknownOperationException/>`, in XML also for callers that prefer JSON.
// Source: recorded
// Test: tests/selection.rs::a_get_without_an_action_is_no_call
//
// Rule (every operation): where the signature is verified, a content type that is not signed selects
//   nothing: a target means AWS JSON, and no target means AWS Query.
// Source: inferred, aws-sdk-php and boto 2 do not sign it, and it must not change what the signed parts mean
// Test: tests/signatures.rs::no_unsigned_part_selects_what_a_request_does
//
/// Returns what the head of a request selects, or `None` if the request is not an AWS call.
/// `covers` returns whether a header may select anything: if the signature is verified, whether it
/// is signed. An unsigned X-Amz-Target is treated as if it were signed, because [`crate::auth`]
/// rejects the request.
pub(super) fn select(head: &Parts, covers: impl Fn(&str) -> bool) -> Option<Selection<'_>> {
    match protocol_of(head, covers)? {
        Protocol::Json => {
            let (service, operation) = target_of(&head.headers);
            Some(Selection::Json { service, operation })
        }
        Protocol::Query => Some(Selection::Query { prefers_json: prefers_json(&head.headers) }),
    }
}

fn protocol_of(head: &Parts, covers: impl Fn(&str) -> bool) -> Option<Protocol> {
    match head.method {
        Method::POST => Some(match content_type(&head.headers) {
            Some(_) if !covers(CONTENT_TYPE.as_str()) => {
                let has_target = head.headers.contains_key(TARGET);
                if has_target { Protocol::Json } else { Protocol::Query }
            }
            Some(content) if content.eq_ignore_ascii_case(FORM) => Protocol::Query,
            Some(content) if starts_with(content, AWS_JSON) => Protocol::Json,
            _ if head.headers.contains_key(TARGET) => Protocol::Json,
            _ => Protocol::Query,
        }),
        Method::GET if has_action(head.uri.query()?) => Some(Protocol::Query),
        _ => None,
    }
}

/// Returns whether the query of a URL has an action, or is malformed, which AWS Query rejects.
fn has_action(query: &str) -> bool {
    let params = Params::parse(Some(query), b"");
    params.map_or(true, |params| params.get("Action").is_some_and(|action| !action.is_empty()))
}

/// Returns the name of the operation that the head selects, if there is such an operation.
pub(super) fn operation_of_head(head: &Parts) -> Option<&'static str> {
    let params;
    let name = match select(head, |_| true)? {
        Selection::Json { operation, .. } => operation.ok()?,
        Selection::Query { .. } => {
            params = Params::parse(head.uri.query(), b"").ok()?;
            params.get("Action")?
        }
    };
    OPERATIONS.iter().map(|known| known.name).find(|known| *known == name)
}

/// Returns whether the head alone names an operation that a link in a message calls.
pub(super) fn names_link(head: &Parts, selection: &Selection<'_>) -> bool {
    let is_link = |service: Option<Service>, name: &str| {
        OPERATIONS.iter().any(|known| {
            known.scope == Scope::Link
                && known.name == name
                && service.is_none_or(|service| service == known.service)
        })
    };
    match selection {
        Selection::Json { service, operation: Ok(name) } => is_link(Some(*service), name),
        Selection::Json { .. } => false,
        Selection::Query { .. } => Params::parse(head.uri.query(), b"")
            .is_ok_and(|params| params.get("Action").is_some_and(|name| is_link(None, name))),
    }
}

/// Returns the service and the operation that X-Amz-Target names.
fn target_of(headers: &HeaderMap) -> (Service, Result<&str, Refusal>) {
    let Some(target) = text(headers, TARGET) else {
        let message = "The request must contain the header X-Amz-Target.";
        return (Service::Sqs, Err(Refusal::new(Kind::MissingAction, message)));
    };
    let named = Service::ALL
        .iter()
        .copied()
        .find_map(|service| Some((service, target.strip_prefix(service.json_target())?)));
    match named {
        Some((service, operation)) => (service, Ok(operation)),
        None => (Service::Sqs, Err(Service::Sqs.unknown_action(target))),
    }
}

// Rule (every operation): AWS Query is answered in JSON if application/json is the first preference
//   of the header Accept, or if the parameter ContentType is JSON.
// Source: recorded
// Test: tests/selection.rs::json_is_for_those_who_ask_for_it
//
// Rule (every operation): quality values of the header Accept count, and the parameter ContentType
//   counts before Accept.
// Source: inferred, RFC 9110
// Test: src/server/selection.rs::first_preference_of_accept, src/server/selection.rs::parameter_counts_before_accept
//
/// Returns the encoding of AWS Query responses for these parameters; `by_accept` is the preference
/// of the Accept header.
pub(super) fn query_encoding(params: &Params, by_accept: Encoding) -> Encoding {
    match params.get("ContentType") {
        Some(wanted) if wanted.eq_ignore_ascii_case("JSON") => Encoding::QueryJson,
        Some(wanted) if wanted.eq_ignore_ascii_case("XML") => Encoding::Xml,
        _ => by_accept,
    }
}

/// Returns whether JSON is the first preference of the Accept header: the first media type with the
/// highest quality (RFC 9110 §12.5.1).
fn prefers_json(headers: &HeaderMap) -> bool {
    let ranges = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut preferred = ("", 0);
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let quality = parts.find_map(quality_of).unwrap_or(1_000);
        if quality > preferred.1 {
            preferred = (media_type, quality);
        }
    }
    preferred.0.eq_ignore_ascii_case(JSON)
}

/// Returns the quality that a parameter of a media type states, in thousandths, or `None` if it is
/// another parameter.
fn quality_of(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(0);
    }
    let thousandths = format!("{whole}{fraction:0<3}").parse().unwrap_or(0);
    Some(u16::min(thousandths, 1_000))
}

/// Returns the media type of the body, without its parameters.
fn content_type(headers: &HeaderMap) -> Option<&str> {
    let content = text(headers, CONTENT_TYPE.as_str())?;
    Some(content.split(';').next().unwrap_or(content).trim())
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    const SQS: (&str, &str) = (TARGET, "AmazonSQS.ListQueues");

    fn protocol(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Protocol> {
        select(&head(method, uri, headers), |_| true)
            .map(|selection| selection.encoding().protocol())
    }

    #[test]
    fn an_unsigned_content_type_selects_nothing() {
        let covers = |name: &str| name != CONTENT_TYPE.as_str();
        for content in [FORM, "application/x-amz-json-1.0", JSON, "text/plain", ""] {
            let content = (CONTENT_TYPE.as_str(), content);
            for (headers, expected) in
                [(&[content, SQS][..], Protocol::Json), (&[content], Protocol::Query)]
            {
                let head = head("POST", "/", headers);
                let selection = select(&head, covers).unwrap();
                assert_eq!(selection.encoding().protocol(), expected, "{headers:?}");
            }
        }
    }

    #[test]
    fn links_are_named_by_the_head() {
        let names = |method, uri, headers: &[(&str, &str)]| {
            let head = head(method, uri, headers);
            let selection = select(&head, |_| true).unwrap();
            names_link(&head, &selection)
        };
        let form = (CONTENT_TYPE.as_str(), FORM);
        assert!(names("GET", "/?Action=ConfirmSubscription&Token=x", &[]));
        assert!(names("GET", "/?Action=Unsubscribe", &[]));
        assert!(names("POST", "/?Action=Unsubscribe", &[form]));
        let target = |target| (TARGET, target);
        assert!(names("POST", "/", &[target("AmazonSimpleNotificationService.Unsubscribe")]));
        assert!(!names("POST", "/", &[target("AmazonSQS.Unsubscribe")]));
        assert!(!names("POST", "/?Action=Unsubscribe", &[target("AmazonSQS.ListQueues")]));
        assert!(!names("POST", "/", &[form]));
        assert!(!names("GET", "/?Action=ListQueues&Action=Unsubscribe", &[]));
    }

    #[test]
    fn content_type_selects_the_protocol() {
        let of = |content| (CONTENT_TYPE.as_str(), content);
        for (headers, expected) in [
            (&[of(FORM)][..], Protocol::Query),
            (&[of(FORM), SQS], Protocol::Query),
            (&[of("Application/X-WWW-Form-URLEncoded ; charset=utf-8"), SQS], Protocol::Query),
            (&[of("application/x-amz-json-1.0")], Protocol::Json),
            (&[of("application/x-amz-json-1.0"), SQS], Protocol::Json),
            (&[of("application/x-amz-json-1.1"), SQS], Protocol::Json),
            (&[of("application/x-amz-json-1.0; charset=utf-8"), SQS], Protocol::Json),
            (&[of(JSON), SQS], Protocol::Json),
            (&[of(JSON)], Protocol::Query),
            (&[of("text/plain"), SQS], Protocol::Json),
            (&[of("é"), SQS], Protocol::Json),
            (&[of("")], Protocol::Query),
            (&[SQS], Protocol::Json),
            (&[], Protocol::Query),
        ] {
            assert_eq!(protocol("POST", "/", headers), Some(expected), "{headers:?}");
        }
    }

    #[test]
    fn target_selects_the_operation_of_aws_json() {
        let of = |target| match select(&head("POST", "/", &[(TARGET, target)]), |_| true) {
            Some(Selection::Json { service, operation }) => {
                (service, operation.ok().map(str::to_owned))
            }
            other => panic!("{other:?}"),
        };
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(of("AmazonSQS.ListQueues"), (Service::Sqs, named("ListQueues")));
        assert_eq!(of("AmazonSimpleNotificationService.Publish"), (Service::Sns, named("Publish")));
        assert_eq!(of("AmazonSQS."), (Service::Sqs, named("")));
        assert_eq!(of("DynamoDB_20120810.ListTables"), (Service::Sqs, None));
        assert_eq!(of(""), (Service::Sqs, None));
    }

    #[test]
    fn other_requests_are_no_calls() {
        for (method, uri) in [
            ("GET", "/"),
            ("GET", "/?"),
            ("GET", "/?Version=2012-11-05"),
            ("GET", "/?Action="),
            ("GET", "/?action=ListQueues"),
            ("GET", "/000000000000/q?X-Amz-Signature=00"),
            ("HEAD", "/?Action=ListQueues"),
            ("PUT", "/?Action=ListQueues"),
        ] {
            let headers = [SQS, (ACCEPT.as_str(), JSON)];
            assert_eq!(protocol(method, uri, &headers), None, "{method} {uri}");
        }
        for uri in ["/?Action=ListQueues", "/?x&%41ction=Nonsense", "/000000000000/q?%ff"] {
            assert_eq!(protocol("GET", uri, &[SQS]), Some(Protocol::Query), "{uri}");
        }
    }

    #[test]
    fn first_preference_of_accept() {
        for (accept, expected) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["application/json, text/plain, */*"], true),
            (&["application/json", "text/xml"], true),
            (&["text/xml;q=0.5, application/json"], true),
            (&["text/xml;q=0, application/json;q=0.001"], true),
            (&[], false),
            (&["*/*"], false),
            (&["text/xml, application/json"], false),
            (&["text/xml", "application/json"], false),
            (&["application/json;q=0.9, text/xml"], false),
            (&["application/json;q=0"], false),
            (&["application/json;q=x"], false),
            (&["application/jsonp"], false),
            (&[",;,"], false),
        ] {
            let headers: Vec<_> = accept.iter().map(|value| (ACCEPT.as_str(), *value)).collect();
            let head = head("POST", "/", &headers);
            let selection = select(&head, |_| true);
            assert_eq!(selection, Some(Selection::Query { prefers_json: expected }), "{accept:?}");
        }
    }

    #[test]
    fn parameter_counts_before_accept() {
        for (query, by_accept, expected) in [
            ("ContentType=JSON", Encoding::Xml, Encoding::QueryJson),
            ("ContentType=json", Encoding::Xml, Encoding::QueryJson),
            ("ContentType=XML", Encoding::QueryJson, Encoding::Xml),
            ("ContentType=", Encoding::QueryJson, Encoding::QueryJson),
            ("x=y", Encoding::Xml, Encoding::Xml),
        ] {
            let params = Params::parse(Some(query), b"").unwrap();
            assert_eq!(query_encoding(&params, by_accept), expected, "{query}");
        }
    }
}
