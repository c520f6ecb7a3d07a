//! What mobile push and SMS deliver, and their long lists. tests/scenarios/mobile_push_and_sms.txt has the rest.

use crate::gateway::{Service, settings};
use crate::query::{SNS, members, text};
use serde_json::{Value, json};

const PLACE: (&str, &str) = ("000000000000", "us-east-1");
const ARNS: &str = "arn:aws:sns:us-east-1:000000000000";
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// A service with an application `app` on a platform, whose ARN is returned.
async fn with_application(platform: &str) -> (Service, String) {
    let service = Service::new(settings());
    let arn = application(&service, platform, "app").await;
    (service, arn)
}

async fn application(service: &Service, platform: &str, name: &str) -> String {
    let created = SNS
        .ok(
            service,
            "CreatePlatformApplication",
            &[
                ("Name", name),
                ("Platform", platform),
                ("Attributes.entry.1.key", "PlatformCredential"),
                ("Attributes.entry.1.value", "hush-credential"),
                ("Attributes.entry.2.key", "PlatformPrincipal"),
                ("Attributes.entry.2.value", "hush-principal"),
            ],
        )
        .await;
    let arn = text(&created, "PlatformApplicationArn").to_owned();
    assert_eq!(arn, format!("{ARNS}:app/{platform}/{name}"));
    arn
}

async fn endpoint(service: &Service, application: &str, token: &str) -> String {
    let parameters = [("PlatformApplicationArn", application), ("Token", token)];
    let created = SNS.ok(service, "CreatePlatformEndpoint", &parameters).await;
    text(&created, "EndpointArn").to_owned()
}

/// Sets one attribute of an application or an endpoint.
async fn set(service: &Service, what: &str, arn: &str, name: &str, value: &str) {
    let what_arn = format!("{what}Arn");
    let attribute = [("Attributes.entry.1.key", name), ("Attributes.entry.1.value", value)];
    let parameters = [(what_arn.as_str(), arn), attribute[0], attribute[1]];
    SNS.ok(service, &format!("Set{what}Attributes"), &parameters).await;
}

/// What was captured for a protocol, the oldest first.
async fn captured(service: &Service, protocol: &'static str) -> Vec<Value> {
    let latest = service
        .runtime
        .run(move |tx| Ok(tx.captured_messages(PLACE, protocol, None, i64::MAX, 1_000)?))
        .await
        .unwrap();
    latest.iter().rev().map(|message| serde_json::from_str(&message.message).unwrap()).collect()
}

#[tokio::test]
async fn lists_have_pages_of_a_hundred() {
    let (service, app) = with_application("GCM").await;
    let mut devices = Vec::new();
    for number in 0..205 {
        devices.push(endpoint(&service, &app, &format!("t{number}")).await);
    }
    for number in 0..100 {
        application(&service, "ADM", &format!("a{number:03}")).await;
    }
    let of = ("PlatformApplicationArn", app.as_str());
    for (action, list, arn, sizes) in [
        ("ListEndpointsByPlatformApplication", "Endpoints", "EndpointArn", &[100, 100, 5][..]),
        ("ListPlatformApplications", "PlatformApplications", "PlatformApplicationArn", &[100, 1]),
    ] {
        let (mut found, mut token) = (Vec::new(), String::new());
        for size in sizes {
            let page = SNS.ok(&service, action, &[of, ("NextToken", &token)]).await;
            let page_members = members(&page, list);
            assert_eq!(page_members.len(), *size, "{action}");
            found.extend(page_members.iter().map(|member| text(member, arn).to_owned()));
            token = page.child("NextToken").map(|token| token.text.clone()).unwrap_or_default();
        }
        assert_eq!(token, "", "{action}");
        if list == "Endpoints" {
            assert_eq!(found, devices);
        } else {
            assert!(found.is_sorted() && found.contains(&app), "{found:?}");
        }
        let refused = SNS.no(&service, action, &[of, ("NextToken", "%")]).await;
        assert_eq!(refused.2, "Invalid parameter: NextToken Reason: invalid token");
    }
}

#[tokio::test]
async fn endpoints_go_with_their_application_at_once_for_everybody_and_in_pages_on_disk() {
    let (service, app) = with_application("GCM").await;
    let first = endpoint(&service, &app, "t").await;
    for number in 0..1_100 {
        endpoint(&service, &app, &format!("t{number}")).await;
    }
    let of = [("PlatformApplicationArn", app.as_str())];
    let uuid = uuid::Uuid::parse_str(first.rsplit('/').next().unwrap()).unwrap();
    let deleted = service.runtime.run(move |tx| Ok(tx.platform_endpoint(&uuid)?)).await;
    let deleted = deleted.unwrap().unwrap().application;
    SNS.ok(&service, "DeletePlatformApplication", &of).await;
    let refused = SNS.no(&service, "Publish", &[("TargetArn", &first), ("Message", "m")]).await;
    assert!(refused.2.contains("No endpoint found"), "{refused:?}");

    // The name is free at once, and what comes under it is not mixed up with what went.
    assert_eq!(application(&service, "GCM", "app").await, app);
    assert_ne!(endpoint(&service, &app, "t").await, first);
    service.runtime.do_background_work().await.unwrap();
    let listed = SNS.ok(&service, "ListEndpointsByPlatformApplication", &of).await;
    assert_eq!(members(&listed, "Endpoints").len(), 1);
    let left = service.runtime.run(move |tx| Ok(tx.platform_endpoints_after(deleted, 0, 1)?));
    assert_eq!(left.await.unwrap(), []);
    let discarded = service.runtime.run(|tx| Ok(tx.discarded_application()?));
    assert_eq!(discarded.await.unwrap(), None);
}

#[tokio::test]
async fn a_device_gets_the_text_of_its_platform() {
    let (service, app) = with_application("GCM").await;
    let device = endpoint(&service, &app, "t").await;
    let structured = r#"{"default":"d","GCM":"{\"data\":1}","APNS":"a"}"#;
    let publish = |message: &'static str| {
        let target = ("TargetArn", device.clone());
        let service = &service;
        async move {
            let json = ("MessageStructure", "json");
            let parameters = [(target.0, target.1.as_str()), ("Message", message), json];
            SNS.call(service, "Publish", &parameters).await
        }
    };
    let published = SNS.result(&publish(structured).await, "Publish");
    SNS.result(&publish(r#"{"GCM":"g"}"#).await, "Publish");
    SNS.result(&publish(r#"{"default":"d","APNS":"a"}"#).await, "Publish");
    let refused = SNS.refusal(&publish(r#"{"APNS":"a"}"#).await);
    assert_eq!(refused.2, "Invalid parameter: JSON must contain an entry for 'default' or 'GCM'.");
    let messages = captured(&service, "application").await;
    let texts: Vec<_> = messages.iter().map(|message| &message["Message"]).collect();
    assert_eq!(texts, [r#"{"data":1}"#, "g", "d"]);
    assert_eq!(messages[0]["TargetArn"], json!(device));
    assert_eq!(messages[0]["TopicArn"], Value::Null);
    assert_eq!(messages[0]["MessageId"], json!(text(&published, "MessageId")));
}

#[tokio::test]
async fn subscribed_devices_and_phones_get_messages_of_a_topic_or_its_dead_letter_queue_does() {
    let (service, app) = with_application("APNS").await;
    let device = endpoint(&service, &app, "t").await;
    let queue = service.ok("CreateQueue", json!({"QueueName": "dead"})).await;
    let topic = SNS.ok(&service, "CreateTopic", &[("Name", "t")]).await;
    let topic = text(&topic, "TopicArn").to_owned();
    let phone = "+1-555-123.4567";
    for (protocol, endpoint) in [("application", device.as_str()), ("sms", phone)] {
        SNS.ok(
            &service,
            "Subscribe",
            &[
                ("TopicArn", &topic),
                ("Protocol", protocol),
                ("Endpoint", endpoint),
                ("Attributes.entry.1.key", "RedrivePolicy"),
                (
                    "Attributes.entry.1.value",
                    r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}"#,
                ),
            ],
        )
        .await;
    }
    let publish = async || {
        let message = r#"{"default":"d","APNS":"a","application":"x","sms":"s"}"#;
        let parameters = [("TopicArn", topic.as_str()), ("Message", message)];
        let parameters = [parameters[0], parameters[1], ("MessageStructure", "json")];
        SNS.ok(&service, "Publish", &parameters).await;
    };
    publish().await;
    let messages =
        [captured(&service, "application").await, captured(&service, "sms").await].concat();
    let seen: Vec<_> = messages.iter().map(|message| &message["Message"]).collect();
    assert_eq!(seen, ["a", "s"]);
    assert_eq!(messages[0]["TopicArn"], json!(topic));
    assert_eq!(messages[1]["PhoneNumber"], json!(phone));

    set(&service, "Endpoint", &device, "Enabled", "false").await;
    let opt_out =
        |tx: &mut squab::store::Txn<'_>| squab::engine::sms::opt_out(tx, PLACE, "+15551234567");
    service.runtime.run(opt_out).await.unwrap();
    publish().await;
    assert_eq!(captured(&service, "application").await.len(), 1);
    assert_eq!(captured(&service, "sms").await.len(), 1);
    let receive = json!({
        "QueueUrl": queue["QueueUrl"],
        "MaxNumberOfMessages": 10,
        "MessageAttributeNames": ["All"],
    });
    let dead = service.ok("ReceiveMessage", receive).await;
    let dead = dead["Messages"].as_array().unwrap();
    let mut texts: Vec<_> = dead
        .iter()
        .map(|message| {
            let body: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
            assert_eq!(message.get("MessageAttributes"), None);
            body["Message"].as_str().unwrap().to_owned()
        })
        .collect();
    texts.sort();
    assert_eq!(texts, ["a", "s"]);
}

#[tokio::test]
async fn a_phone_gets_a_message_with_its_attributes() {
    let service = Service::new(settings());
    let published = SNS
        .ok(
            &service,
            "Publish",
            &[
                ("PhoneNumber", "+15551234567"),
                ("Message", "hello"),
                ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SenderID"),
                ("MessageAttributes.entry.1.Value.DataType", "String"),
                ("MessageAttributes.entry.1.Value.StringValue", "Squab"),
            ],
        )
        .await;
    let messages = captured(&service, "sms").await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["PhoneNumber"], "+15551234567");
    assert_eq!(messages[0]["Message"], "hello");
    assert_eq!(messages[0]["MessageId"], json!(text(&published, "MessageId")));
    assert_eq!(
        messages[0]["MessageAttributes"]["AWS.SNS.SMS.SenderID"],
        json!({"DataType": "String", "StringValue": "Squab"})
    );
    let long = "é".repeat(1_601);
    let number = ("PhoneNumber", "+15551234567");
    let refused = SNS.no(&service, "Publish", &[number, ("Message", &long)]).await;
    assert_eq!(refused.2, "Invalid parameter: Message too long");
    SNS.ok(&service, "Publish", &[number, ("Message", &long[2..])]).await;
}

#[tokio::test]
async fn opted_out_numbers_get_nothing_until_they_are_opted_in_which_is_possible_once_in_a_month() {
    let service = Service::new(settings());
    let number = ("phoneNumber", "+15551234567");
    let is_out = async || {
        let checked = SNS.ok(&service, "CheckIfPhoneNumberIsOptedOut", &[number]).await;
        text(&checked, "isOptedOut").to_owned()
    };
    let opt_out = async || {
        let work =
            |tx: &mut squab::store::Txn<'_>| squab::engine::sms::opt_out(tx, PLACE, "+15551234567");
        service.runtime.run(work).await.unwrap();
    };
    let publish = [("PhoneNumber", "+15551234567"), ("Message", "m")];
    assert_eq!(is_out().await, "false");
    let listed = SNS.ok(&service, "ListPhoneNumbersOptedOut", &[]).await;
    assert!(members(&listed, "phoneNumbers").is_empty());

    opt_out().await;
    assert_eq!(is_out().await, "true");
    let listed = SNS.ok(&service, "ListPhoneNumbersOptedOut", &[]).await;
    assert_eq!(members(&listed, "phoneNumbers")[0].text, "+15551234567");
    let refused = SNS.no(&service, "Publish", &publish).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "OptedOut"));

    SNS.ok(&service, "OptInPhoneNumber", &[number]).await;
    assert_eq!(is_out().await, "false");
    SNS.ok(&service, "Publish", &publish).await;
    assert_eq!(captured(&service, "sms").await.len(), 1);

    // Opting in what is in is no error; doing it in earnest again within a month is.
    SNS.ok(&service, "OptInPhoneNumber", &[number]).await;
    opt_out().await;
    service.clock.advance(29 * DAY_MS);
    service.runtime.do_background_work().await.unwrap();
    assert_eq!(SNS.no(&service, "OptInPhoneNumber", &[number]).await.1, "InvalidParameter");
    service.clock.advance(DAY_MS);
    SNS.ok(&service, "OptInPhoneNumber", &[number]).await;

    service.clock.advance(31 * DAY_MS);
    service.runtime.do_background_work().await.unwrap();
    let known = service.runtime.run(|tx| Ok(tx.sms_opt_out(PLACE, "+15551234567")?)).await;
    assert_eq!(known.unwrap(), None, "nothing is kept for longer than it matters");
}

#[tokio::test]
async fn numbers_of_the_sandbox_are_verified_by_what_was_sent_to_them() {
    let service = Service::new(settings());
    let number = ("PhoneNumber", "+15551234567");
    SNS.ok(&service, "CreateSMSSandboxPhoneNumber", &[number, ("LanguageCode", "de-DE")]).await;
    let status = async || {
        let listed = SNS.ok(&service, "ListSMSSandboxPhoneNumbers", &[]).await;
        let listed = members(&listed, "PhoneNumbers").iter();
        listed.map(|number| text(number, "Status").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(status().await, ["Pending"]);
    let sent = captured(&service, "sms").await;
    let sent = sent[0]["Message"].as_str().unwrap();
    let password: String = sent.chars().filter(char::is_ascii_digit).collect();
    assert_eq!(password.len(), 6, "{sent}");
    let wrong = if password == "000000" { "000001" } else { "000000" };
    let verify = "VerifySMSSandboxPhoneNumber";
    let refused = SNS.no(&service, verify, &[number, ("OneTimePassword", wrong)]).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "VerificationException"));
    SNS.ok(&service, verify, &[number, ("OneTimePassword", &password)]).await;
    assert_eq!(status().await, ["Verified"]);

    let other = ("PhoneNumber", "+15550000000");
    for (action, parameters) in [
        ("DeleteSMSSandboxPhoneNumber", &[other][..]),
        (verify, &[other, ("OneTimePassword", "12345")]),
    ] {
        let refused = SNS.no(&service, action, parameters).await;
        assert_eq!((refused.0, refused.1.as_str()), (404, "ResourceNotFound"), "{action}");
    }
    let refused =
        SNS.no(&service, verify, &[("PhoneNumber", "+1x"), ("OneTimePassword", "1234")]).await;
    assert_eq!(
        refused.2,
        "2 validation errors detected: Value '+1x' at 'phoneNumber' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: ^(\\+[0-9]{8,}|[0-9]{0,9})$; Value '1234' \
         at 'oneTimePassword' failed to satisfy constraint: Member must have length greater than \
         or equal to 5"
    );

    for digit in 0..9 {
        let number = format!("+1555000000{digit}");
        SNS.ok(&service, "CreateSMSSandboxPhoneNumber", &[("PhoneNumber", &number)]).await;
    }
    let eleventh = [("PhoneNumber", "+15559999999")];
    let refused = SNS.no(&service, "CreateSMSSandboxPhoneNumber", &eleventh).await;
    assert_eq!((refused.0, refused.1.as_str()), (400, "UserError"));
    let page = SNS.ok(&service, "ListSMSSandboxPhoneNumbers", &[("MaxResults", "7")]).await;
    let token = text(&page, "NextToken");
    let rest = SNS.ok(&service, "ListSMSSandboxPhoneNumbers", &[("NextToken", token)]).await;
    assert_eq!(members(&page, "PhoneNumbers").len() + members(&rest, "PhoneNumbers").len(), 10);
    SNS.ok(&service, "DeleteSMSSandboxPhoneNumber", &[number]).await;
    assert_eq!(status().await.len(), 9);

    let account = SNS.ok(&service, "GetSMSSandboxAccountStatus", &[]).await;
    assert_eq!(text(&account, "IsInSandbox"), "false");
    let origins = SNS.ok(&service, "ListOriginationNumbers", &[("MaxResults", "30")]).await;
    assert!(members(&origins, "PhoneNumbers").is_empty());
    let refused = SNS.no(&service, "ListOriginationNumbers", &[("MaxResults", "31")]).await;
    assert_eq!(refused.1, "ValidationError");
}
