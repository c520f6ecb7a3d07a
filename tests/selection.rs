//! Which protocol, operation and queue a request selects, and which error is reported first.

use crate::gateway::{Answer, HOST, QUEUES, Refused, Service, by_route, settings};
use crate::query::{SNS, STS};
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::Request;
use serde_json::{Value, json};
use squab::auth::{Credentials, Mode};
use squab::server::gateway::GatewaySettings;
use squab::wire::Protocol;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const JSON: &str = "application/x-amz-json-1.0";
const UNKNOWN_OPERATION: &str = "<UnknownOperationException/>";

/// Sends a request with these headers.
async fn send(
    service: &Service,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = Request::builder().method(method).uri(uri).header("host", HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.answer(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// Posts a form, as AWS Query does.
async fn post(service: &Service, path: &str, body: &str) -> Answer {
    send(service, "POST", path, &[("content-type", FORM)], body).await
}

/// Status and code of a refusal in XML.
fn refusal(answer: &Answer) -> (u16, String) {
    let Refused { status, code, .. } = answer.refused(Protocol::Query);
    (status, code.replace("AWS.SimpleQueueService.", ""))
}

async fn service_with_queue() -> Service {
    let service = Service::new(settings());
    service.ok("CreateQueue", json!({"QueueName": "q"})).await;
    service
}

#[tokio::test]
async fn content_type_selects_the_protocol_whatever_the_target_says() {
    let service = service_with_queue().await;
    let target = ("x-amz-target", "AmazonSQS.GetQueueUrl");
    let form = "Action=ListQueues&Version=2012-11-05";
    let answer = send(&service, "POST", "/", &[("content-type", FORM), target], form).await;
    assert!(answer.text().contains("<ListQueuesResponse"), "{}", answer.text());
    for content in [JSON, "application/x-amz-json-1.1", "application/json", "text/plain"] {
        let headers = [("content-type", content), target];
        let answer =
            send(&service, "POST", "/?Action=ListQueues", &headers, r#"{"QueueName":"q"}"#);
        assert!(answer.await.text().starts_with(r#"{"QueueUrl":"#), "{content}");
    }
    let answer = send(&service, "POST", "/", &[target], r#"{"QueueName":"q"}"#).await;
    assert!(answer.text().starts_with(r#"{"QueueUrl":"#), "no content type");
    let answer = send(&service, "POST", "/?Action=ListQueues", &[], "").await;
    assert!(answer.text().contains("<ListQueuesResponse"), "no content type and no target");
    let answer = send(&service, "POST", "/?Action=ListQueues", &[("content-type", JSON)], "").await;
    assert_eq!(
        answer.refused(Protocol::Json).code,
        "UnknownOperationException",
        "JSON without a target"
    );
}

#[tokio::test]
async fn a_get_without_an_action_is_no_call() {
    let strict =
        GatewaySettings { mode: Mode::Strict, credentials: Credentials::default(), ..settings() };
    for service in [service_with_queue().await, Service::new(strict)] {
        let signed = "AWS4-HMAC-SHA256 Credential=test/20260102/us-east-1/sqs/aws4_request, \
                      SignedHeaders=host, Signature=00";
        for uri in [
            "/",
            "/?Version=2012-11-05",
            "/?Action=",
            "/000000000000/q",
            "/000000000000/q?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00",
            "/context/",
        ] {
            for headers in [&[][..], &[("accept", "application/json"), ("authorization", signed)]] {
                let answer = send(&service, "GET", uri, headers, "").await;
                assert_eq!((answer.status, answer.text().trim_end()), (404, UNKNOWN_OPERATION));
                assert_eq!(answer.header("content-type"), "text/xml");
            }
        }
    }
}

#[tokio::test]
async fn json_is_for_those_who_ask_for_it() {
    let service = service_with_queue().await;
    let json_of = |answer: &Answer| -> Value {
        assert_eq!(answer.header("content-type"), "application/json");
        serde_json::from_slice(&answer.body).unwrap()
    };
    let by_parameter = post(&service, "/", "Action=ListQueues&ContentType=JSON").await;
    let by_url = send(&service, "GET", "/?Action=ListQueues&ContentType=JSON", &[], "").await;
    let accept = ("accept", "application/json, text/plain, */*");
    let by_header = send(&service, "GET", "/?Action=ListQueues", &[accept], "").await;
    for answer in [by_parameter, by_url, by_header] {
        let body = json_of(&answer);
        let result = &body["ListQueuesResponse"]["ListQueuesResult"];
        assert_eq!(result["queueUrls"], json!([format!("{QUEUES}/q")]));
        let id = &body["ListQueuesResponse"]["ResponseMetadata"]["RequestId"];
        assert_eq!(id, answer.header("x-amzn-requestid"));
    }
    let xml = send(&service, "GET", "/?Action=ListQueues&ContentType=XML", &[accept], "").await;
    assert_eq!(xml.header("content-type"), "text/xml");
    let refused = send(&service, "GET", "/000000000000/q?Action=ListQueues", &[accept], "").await;
    assert_eq!(refused.status, 400);
    let error = &json_of(&refused)["Error"];
    assert_eq!(error["Code"], "InvalidAction");
    assert_eq!(error["Message"], "The action ListQueues is not valid for this endpoint.");
    assert_eq!(error["Type"], "Sender");
    let unsigned = send(&service, "GET", "/?Action=%00", &[accept], "").await;
    assert_eq!(json_of(&unsigned)["Error"]["Code"], "InvalidAction");
}

#[tokio::test]
async fn lists_in_json_show_that_there_is_no_next_page() {
    let service = service_with_queue().await;
    for (action, token) in [
        ("ListTopics", "NextToken"),
        ("ListSubscriptions", "NextToken"),
        ("ListPlatformApplications", "NextToken"),
        ("ListOriginationNumbers", "NextToken"),
        ("ListSMSSandboxPhoneNumbers", "NextToken"),
        ("ListPhoneNumbersOptedOut", "nextToken"),
    ] {
        let answer = post(&service, "/", &format!("Action={action}&ContentType=JSON")).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        let result = &body[format!("{action}Response")][format!("{action}Result")];
        assert_eq!(result.get(token), Some(&Value::Null), "{action}: {body}");
    }
}

#[tokio::test]
async fn a_queues_own_path_has_the_actions_of_a_queue_and_get_queue_url() {
    let service = service_with_queue().await;
    for path in ["/000000000000/q", "/000000000000/q/", "/queue/us-east-1/000000000000/q"] {
        let answer = post(&service, path, "Action=GetQueueUrl&QueueName=q").await;
        assert!(answer.text().contains("/000000000000/q</QueueUrl>"), "{}", answer.text());
        let answer = post(&service, path, "Action=SendMessage&MessageBody=x").await;
        assert_eq!(answer.status, 200, "{path}");
        for action in ["ListQueues", "CreateQueue&QueueName=r"] {
            let answer = post(&service, path, &format!("Action={action}")).await;
            assert_eq!(refusal(&answer), (400, "InvalidAction".to_owned()), "{path} {action}");
        }
    }
    let answer = post(&service, "/000000000000/q", "Action=GetQueueUrl").await;
    assert_eq!(refusal(&answer), (400, "MissingParameter".to_owned()));
}

#[tokio::test]
async fn the_services_own_address_is_none_of_a_queue() {
    let service = service_with_queue().await;
    for (path, address) in [("/", "/"), ("//", "//"), ("/context/", "/context/")] {
        for parameters in ["MessageBody=x", "MessageBody=x&QueueUrl="] {
            let form = format!("Action=SendMessage&{parameters}");
            let refused = post(&service, path, &form).await.refused(Protocol::Query);
            assert_eq!((refused.status, refused.code.as_str()), (404, "InvalidAddress"));
            let expected =
                format!("The address http://{HOST}{address} is not valid for this endpoint.");
            assert_eq!(refused.message, expected);
        }
    }
    let headers = [("content-type", JSON), ("x-amz-target", "AmazonSQS.SendMessage")];
    let answer = send(&service, "POST", "/", &headers, r#"{"MessageBody":"x"}"#).await;
    assert_eq!(answer.refused(Protocol::Json).code, "MissingParameter");
}

#[tokio::test]
async fn calls_arrive_below_any_context_path() {
    let service = service_with_queue().await;
    for path in ["/context", "/context/", "//", "/a/b", "/a/b/c/d/e/f/"] {
        let list = post(&service, path, "Action=ListQueues").await;
        assert!(list.text().contains("/000000000000/q</QueueUrl>"), "{path}: {}", list.text());
        let form = format!("Action=SendMessage&MessageBody=x&QueueUrl={QUEUES}/q");
        assert_eq!(post(&service, path, &form).await.status, 200, "{path}");
        let headers = [("content-type", JSON), ("x-amz-target", "AmazonSQS.ListQueues")];
        assert_eq!(send(&service, "POST", path, &headers, "{}").await.status, 200, "{path}");
        let topics = post(&service, path, &SNS.form("ListTopics", &[])).await;
        SNS.result(&topics, "ListTopics");
        let identity = post(&service, path, &STS.form("GetCallerIdentity", &[])).await;
        STS.result(&identity, "GetCallerIdentity");
    }
    for path in ["//000000000000/q", "/context/000000000000/q", "/a/b/c/000000000000/q/"] {
        let answer = post(&service, path, "Action=SendMessage&MessageBody=x").await;
        assert_eq!(answer.status, 200, "{path}");
        let answer = post(&service, path, "Action=ListQueues").await;
        assert_eq!(refusal(&answer), (400, "InvalidAction".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn errors_come_in_their_order() {
    let strict = GatewaySettings { mode: Mode::Strict, ..settings() };
    let service = Service::new(strict);
    for (body, status, code) in [
        ("Action=Nonsense&x=%ff", 403, "MissingAuthenticationToken"),
        ("x=y", 403, "MissingAuthenticationToken"),
        ("Action=Nonsense", 403, "MissingAuthenticationToken"),
        ("Action=SendMessage", 403, "MissingAuthenticationToken"),
    ] {
        assert_eq!(refusal(&post(&service, "/", body).await), (status, code.to_owned()), "{body}");
    }
    let service = service_with_queue().await;
    for (path, body, status, code) in [
        ("/", "x=y", 400, "MissingAction"),
        ("/000000000000/none", "Action=Nonsense", 400, "InvalidAction"),
        ("/", "Action=SendMessage&DelaySeconds=x", 404, "InvalidAddress"),
        ("/000000000000/none", "Action=CreateQueue&Attribute.1.Name=x", 400, "InvalidAction"),
        ("/000000000000/none", "Action=SendMessage&DelaySeconds=x", 400, "MalformedInput"),
        ("/000000000000/none", "Action=SendMessage", 400, "MissingParameter"),
        ("/000000000000/none", "Action=SendMessage&MessageBody=x", 400, "NonExistentQueue"),
    ] {
        assert_eq!(refusal(&post(&service, path, body).await), (status, code.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn what_is_no_route_is_a_call_and_so_is_another_method_of_a_route() {
    let service = Service::new(GatewaySettings { mode: Mode::Strict, ..settings() });
    for (line, status, said) in [
        ("GET /health", 200, "OK\n"),
        ("HEAD /health", 200, ""),
        ("GET /ready", 200, "{\"status\":\"ready\"}\n"),
        ("GET /metrics", 200, "# EOF\n"),
        ("GET /_aws/nothing", 404, "There is nothing at this path.\"}"),
        ("GET /SimpleNotificationService-x.pem", 404, "There is nothing at this path.\"}"),
        ("DELETE /SimpleNotificationService-x.pem", 405, "This path has other methods.\"}"),
        ("GET /healthy", 404, "<UnknownOperationException/>\n"),
        ("POST /health", 403, "</ErrorResponse>"),
        ("POST /metrics", 403, "</ErrorResponse>"),
        ("POST /ready", 403, "</ErrorResponse>"),
        ("POST /", 403, "</ErrorResponse>"),
        ("GET /000000000000/q?Action=X", 403, "</ErrorResponse>"),
    ] {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = by_route(&service.gateway, request).await;
        assert_eq!(response.status(), status, "{line}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).ends_with(said), "{line}: {body:?}");
    }
}
