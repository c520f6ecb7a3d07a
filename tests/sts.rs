//! STS through the whole service: caller identity, and temporary keys, which then sign calls. tests/golden/sts has the
//! errors.

use crate::gateway::{Answer, Element, HOST, Service, settings};
use crate::query::{Api, SNS, STS, text};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use axum::body::Body;
use hyper::Request;
use squab::auth::{self, Credential, Credentials, Mode, Principal, Role};
use squab::runtime::clock::{Clock, SystemClock};
use squab::server::gateway::GatewaySettings;
use std::time::{Duration, UNIX_EPOCH};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ROOT: &str = "111122223333";
const ALICE: &str = "AKIAALICE";
const ROLE: &str = "arn:aws:iam::111122223333:role/path/admin";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A key as a client holds it.
#[derive(Debug, Clone)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

fn configured(id: &str) -> Key {
    Key { id: id.to_owned(), secret: SECRET.to_owned(), token: None }
}

/// The key in an answer of STS.
fn issued(result: &Element) -> Key {
    let credentials = result.child("Credentials").unwrap();
    let token = text(credentials, "SessionToken").to_owned();
    Key {
        id: text(credentials, "AccessKeyId").to_owned(),
        secret: text(credentials, "SecretAccessKey").to_owned(),
        token: Some(token),
    }
}

fn service(mode: Mode) -> Service {
    let mut credentials = Credentials::default();
    credentials.insert(Credential::new(ROOT, SECRET).unwrap());
    let mut alice = Credential::new(ALICE, SECRET).unwrap();
    ROOT.clone_into(&mut alice.account);
    alice.principal = Principal::User("alice".to_owned());
    credentials.insert(alice);
    Service::new(GatewaySettings { mode, credentials, ..settings() })
}

/// A signed POST of a form.
fn signed(key: &Key, service: &str, body: String, at_ms: i64) -> Request<Body> {
    let token = key.token.clone();
    let identity =
        aws_credential_types::Credentials::new(&key.id, &key.secret, token, None, "test");
    let identity = identity.into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(UNIX_EPOCH + Duration::from_millis(u64::try_from(at_ms).unwrap()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [("host", HOST), ("content-type", FORM)];
    let signable = SignableBody::Bytes(body.as_bytes());
    let uri = format!("http://{HOST}/");
    let signable = SignableRequest::new("POST", uri, headers.into_iter(), signable).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    let mut request = Request::post("/");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    request.body(Body::from(body)).unwrap()
}

async fn call(
    to: &Service,
    key: &Key,
    api: Api,
    action: &str,
    parameters: &[(&str, &str)],
) -> Answer {
    let name = if api.version == STS.version { "sts" } else { "sns" };
    let body = api.form(action, parameters);
    to.answer(signed(key, name, body, SystemClock.now_ms())).await
}

async fn ok(
    to: &Service,
    key: &Key,
    api: Api,
    action: &str,
    parameters: &[(&str, &str)],
) -> Element {
    api.result(&call(to, key, api, action, parameters).await, action)
}

async fn no(
    to: &Service,
    key: &Key,
    api: Api,
    action: &str,
    parameters: &[(&str, &str)],
) -> crate::query::Refused {
    api.refusal(&call(to, key, api, action, parameters).await)
}

async fn assume(to: &Service, key: &Key) -> Key {
    let parameters = [("RoleArn", ROLE), ("RoleSessionName", "session")];
    issued(&ok(to, key, STS, "AssumeRole", &parameters).await)
}

fn who(identity: &Element) -> [&str; 3] {
    ["Account", "Arn", "UserId"].map(|name| text(identity, name))
}

#[tokio::test]
async fn everybody_is_told_who_they_are() {
    let to = service(Mode::Strict);
    let identity = async |key: &Key| ok(&to, key, STS, "GetCallerIdentity", &[]).await;
    let root = identity(&configured(ROOT)).await;
    assert_eq!(who(&root), [ROOT, "arn:aws:iam::111122223333:root", ROOT]);
    let alice = identity(&configured(ALICE)).await;
    let [account, arn, id] = who(&alice);
    assert_eq!([account, arn], [ROOT, "arn:aws:iam::111122223333:user/alice"]);
    assert!(id.starts_with("AIDA"), "{id}");

    let parameters = [("RoleArn", ROLE), ("RoleSessionName", "session")];
    let assumed = ok(&to, &configured(ALICE), STS, "AssumeRole", &parameters).await;
    let told = assumed.child("AssumedRoleUser").unwrap();
    let session = identity(&issued(&assumed)).await;
    let [account, arn, id] = who(&session);
    assert_eq!(account, "111122223333");
    assert_eq!(arn, "arn:aws:sts::111122223333:assumed-role/admin/session");
    assert_eq!([text(told, "Arn"), text(told, "AssumedRoleId")], [arn, id]);
    assert!(id.starts_with("AROA") && id.ends_with(":session"), "{id}");

    let session = issued(&ok(&to, &configured(ALICE), STS, "GetSessionToken", &[]).await);
    assert_eq!(who(&identity(&session).await), who(&alice));
}

#[tokio::test]
async fn who_need_not_sign_and_does_not_is_the_owner_of_the_default_account() {
    let identity = STS.ok(&service(Mode::Off), "GetCallerIdentity", &[]).await;
    assert_eq!(who(&identity), ["000000000000", "arn:aws:iam::000000000000:root", "000000000000"]);
    for action in ["GetCallerIdentity", "AssumeRole", "GetSessionToken"] {
        // The action is in the body, which is not read, so the host says whose error it is.
        let form = STS.form(action, &[]);
        let request = Request::post("/").header("host", "sts.localhost:4566");
        let answer = service(Mode::Strict).answer(request.body(Body::from(form)).unwrap()).await;
        let refused = STS.refusal(&answer);
        assert_eq!((refused.0, refused.1.as_str()), (403, "MissingAuthenticationToken"));
    }
    let refused = STS.no(&service(Mode::Off), "GetFederationToken", &[]).await;
    assert_eq!(refused.1, "InvalidAction");
}

#[tokio::test]
async fn issued_keys_sign_calls_of_every_service_for_the_account_of_the_role() {
    for mode in [Mode::Strict, Mode::KnownKeys, Mode::Off] {
        let to = service(mode);
        let key = assume(&to, &configured(ROOT)).await;
        assert!(key.id.starts_with("ASIA") && key.id.len() == 20, "{key:?}");
        let topic = ok(&to, &key, SNS, "CreateTopic", &[("Name", "t")]).await;
        assert_eq!(text(&topic, "TopicArn"), "arn:aws:sns:us-east-1:111122223333:t", "{mode:?}");
        let form = "Action=CreateQueue&Version=2012-11-05&QueueName=q".to_owned();
        let answer = to.answer(signed(&key, "sqs", form, SystemClock.now_ms())).await;
        assert!(answer.text().contains("/111122223333/q</QueueUrl>"), "{}", answer.text());
        let asked = [("AccessKeyId", key.id.as_str())];
        let info = ok(&to, &configured(ROOT), STS, "GetAccessKeyInfo", &asked).await;
        assert_eq!(text(&info, "Account"), "111122223333");
    }
}

#[tokio::test]
async fn where_nothing_is_verified_roles_of_all_accounts_can_be_assumed() {
    let to = service(Mode::Off);
    let stranger = Key { id: "test".to_owned(), ..configured("test") };
    let key = assume(&to, &stranger).await;
    let topic = ok(&to, &key, SNS, "CreateTopic", &[("Name", "t")]).await;
    assert_eq!(text(&topic, "TopicArn"), "arn:aws:sns:us-east-1:111122223333:t");
}

#[tokio::test]
async fn issued_keys_need_their_own_token_and_secret() {
    for mode in [Mode::Strict, Mode::KnownKeys] {
        let to = service(mode);
        let key = assume(&to, &configured(ROOT)).await;
        let other = assume(&to, &configured(ROOT)).await;
        for (wrong, code) in [
            (Key { token: None, ..key.clone() }, "InvalidClientTokenId"),
            (Key { token: Some("x".to_owned()), ..key.clone() }, "InvalidClientTokenId"),
            (Key { token: other.token.clone(), ..key.clone() }, "InvalidClientTokenId"),
            (Key { secret: other.secret.clone(), ..key.clone() }, "SignatureDoesNotMatch"),
        ] {
            let refused = no(&to, &wrong, SNS, "ListTopics", &[]).await;
            assert_eq!((refused.0, refused.1.as_str()), (403, code), "{mode:?}");
        }
        ok(&to, &key, SNS, "ListTopics", &[]).await;
    }
}

#[tokio::test]
async fn issued_keys_are_those_of_one_server() {
    let key = assume(&service(Mode::Strict), &configured(ROOT)).await;
    let refused = no(&service(Mode::Strict), &key, SNS, "ListTopics", &[]).await;
    assert_eq!(refused.1, "InvalidClientTokenId");
}

#[test]
fn issued_keys_end_in_time() {
    let credentials = Credentials::default();
    let end_ms = 1_767_323_045_000;
    let issued = credentials.issue(None, ROOT, Principal::Account, Role::Operate, end_ms).unwrap();
    let key = Key {
        id: issued.access_key_id.clone(),
        secret: issued.secret_access_key.expose().to_owned(),
        token: issued.session_token.as_ref().map(|token| token.expose().to_owned()),
    };
    let (parts, _) = signed(&key, "sns", String::new(), end_ms - 1_000).into_parts();
    let identify = |token: Option<&'static str>, now_ms: i64| {
        let mut headers = parts.headers.clone();
        if let Some(token) = token {
            headers.insert("x-amz-security-token", token.parse().unwrap());
        }
        let request = auth::Request {
            method: "POST",
            path: "/",
            query: "",
            headers: &headers,
            body: b"",
            service: "sns",
        };
        let caller = auth::identify(Mode::Strict, &credentials, &request, now_ms);
        caller.map(|caller| caller.account).map_err(|refusal| refusal.kind)
    };
    assert_eq!(identify(None, end_ms - 1).as_deref(), Ok(ROOT));
    assert_eq!(identify(None, end_ms), Err(squab::domain::Kind::ExpiredToken));
    // Who does not have the token learns nothing of its end.
    assert_eq!(identify(Some("x"), end_ms), Err(squab::domain::Kind::InvalidClientTokenId));
}

#[tokio::test]
async fn sessions_last_as_long_as_was_asked_for_within_limits() {
    let to = service(Mode::Strict);
    let (root, alice) = (configured(ROOT), configured(ALICE));
    let role = [("RoleArn", ROLE), ("RoleSessionName", "session")];
    let chained = assume(&to, &alice).await;
    for (key, action, asked, expected) in [
        (&alice, "AssumeRole", None, Some(3_600)),
        (&alice, "AssumeRole", Some("900"), Some(900)),
        (&alice, "AssumeRole", Some("43200"), Some(43_200)),
        (&alice, "AssumeRole", Some("899"), None),
        (&alice, "AssumeRole", Some("43201"), None),
        (&chained, "AssumeRole", Some("3600"), Some(3_600)),
        (&chained, "AssumeRole", Some("3601"), None),
        (&alice, "GetSessionToken", None, Some(43_200)),
        (&alice, "GetSessionToken", Some("129600"), Some(129_600)),
        (&alice, "GetSessionToken", Some("129601"), None),
        // The owner of an account gets an hour.
        (&root, "GetSessionToken", None, Some(3_600)),
        (&root, "GetSessionToken", Some("900"), Some(900)),
        (&root, "GetSessionToken", Some("129600"), Some(3_600)),
    ] {
        let mut parameters = if action == "AssumeRole" { role.to_vec() } else { Vec::new() };
        parameters.extend(asked.map(|asked| ("DurationSeconds", asked)));
        let before_s = SystemClock.now_ms() / 1_000;
        let answer = call(&to, key, STS, action, &parameters).await;
        let after_s = SystemClock.now_ms() / 1_000;
        match expected {
            None => assert_eq!(STS.refusal(&answer).1, "ValidationError", "{action} {asked:?}"),
            Some(duration_s) => {
                let result = STS.result(&answer, action);
                let end = text(result.child("Credentials").unwrap(), "Expiration");
                let ends_s = (before_s..=after_s)
                    .map(|s| squab::domain::timestamp::iso_8601_seconds((s + duration_s) * 1_000));
                assert!(ends_s.into_iter().any(|s| s == end), "{action} {asked:?}: {end}");
            }
        }
    }
    let refused = no(&to, &chained, STS, "GetSessionToken", &[]).await;
    assert_eq!(
        refused,
        (
            403,
            "AccessDenied".to_owned(),
            "Cannot call GetSessionToken with session credentials".to_owned()
        )
    );
}
