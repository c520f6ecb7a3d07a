//! The bytes of STS on the wire.

use super::{compare, served, show_exchange};
use crate::gateway::{Caller, HOST, Service as Squab, authorization, settings};
use axum::body::Body;
use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use squab::api::operations::Service;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const ROLE: &str = "arn:aws:iam::444455556666:role/path/admin";
/// The elements whose values differ in each run.
const FRESH: [&str; 4] = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];

#[tokio::test]
async fn the_bytes_of_every_operation_of_sts_are_those_of_its_file() {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for (title, operation, parameters) in scenes() {
        let service = Squab::new(settings());
        let request = Request::post("/")
            .header("host", HOST)
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .header("authorization", authorization(&Caller::default(), "sts"))
            .body(Body::from(form(operation, &parameters)))
            .unwrap();
        let shown = show_exchange(request, async |request| service.answer(request).await).await;
        let text = files.entry(operation).or_default();
        write!(text, "## {title}\n\n{}\n", without_what_is_fresh(&shown)).unwrap();
    }
    compare("tests/golden/sts", &files);
    let shown: Vec<_> = files.keys().copied().collect();
    assert_eq!(shown, served(Service::Sts), "every operation has a file");
}

fn form(operation: &str, parameters: &[(&str, &str)]) -> String {
    let mut form = format!("Action={operation}&Version=2011-06-15");
    for (name, value) in parameters {
        write!(form, "&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)).unwrap();
    }
    form
}

fn without_what_is_fresh(shown: &str) -> String {
    let mut shown = shown.to_owned();
    for element in FRESH {
        let (opening, closing) = (format!("<{element}>"), format!("</{element}>"));
        if let Some(start) = shown.find(&opening) {
            let start = start + opening.len();
            let end = start + shown[start..].find(&closing).unwrap();
            shown.replace_range(start..end, &format!("<{}>", element.to_lowercase()));
        }
    }
    shown
}

type Scene = (&'static str, &'static str, Vec<(&'static str, &'static str)>);

fn scenes() -> Vec<Scene> {
    let role = ("RoleArn", ROLE);
    let session = ("RoleSessionName", "session");
    vec![
        ("a role", "AssumeRole", vec![role, session]),
        (
            "a role with all that a session may have",
            "AssumeRole",
            vec![
                role,
                session,
                ("DurationSeconds", "900"),
                ("Policy", "{}"),
                ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
                ("Tags.member.1.Key", "k"),
                ("Tags.member.1.Value", "v"),
                ("TransitiveTagKeys.member.1", "k"),
                ("ExternalId", "123ABC"),
                ("SerialNumber", "arn:aws:iam::111122223333:mfa/me"),
                ("TokenCode", "123456"),
                ("SourceIdentity", "me"),
                ("ProvidedContexts.member.1.ProviderArn", "arn:aws:iam::aws:contextProvider/p"),
                ("ProvidedContexts.member.1.ContextAssertion", "assertion"),
            ],
        ),
        ("what is no role", "AssumeRole", vec![("RoleArn", "<odd> & \"quoted\" text"), session]),
        (
            "a name that is none",
            "AssumeRole",
            vec![("RoleArn", "arn:aws:iam::111122223333:user/u"), ("RoleSessionName", "a b")],
        ),
        (
            "the ARN of a user",
            "AssumeRole",
            vec![("RoleArn", "arn:aws:iam::111122223333:user/u"), session],
        ),
        ("a policy that is none", "AssumeRole", vec![role, session, ("Policy", "{")]),
        (
            "lists with mistakes",
            "AssumeRole",
            vec![
                role,
                session,
                ("PolicyArns.member.1.arn", "x"),
                ("Tags.member.1.Key", "k"),
                ("Tags.member.1.Value", "v"),
                ("Tags.member.2.Key", "k"),
                ("TransitiveTagKeys.member.1", ""),
                ("ProvidedContexts.member.1.ContextAssertion", "x"),
            ],
        ),
        ("nothing", "AssumeRole", vec![]),
        ("an id", "GetAccessKeyInfo", vec![("AccessKeyId", "111122223333")]),
        ("nothing", "GetAccessKeyInfo", vec![]),
        ("who calls", "GetCallerIdentity", vec![]),
        ("a session", "GetSessionToken", vec![]),
        ("a session that is too short", "GetSessionToken", vec![("DurationSeconds", "899")]),
    ]
}
