//! The names of lists and maps of SQS in AWS Query, in XML and in JSON.
//!
//! Source: the service model of API version 2012-11-05 from when it described AWS Query
//! (`locationName` of its shapes), for all 23 operations. Members that are no list or map have
//! the same name in both protocols.

use crate::wire::dialect::{Collections, Dialect, Entry, Member};

const ATTRIBUTE: Entry = Entry { key: "Name", value: "Value" };
const TAG: Entry = Entry { key: "Key", value: "Value" };

/// The conventions of SQS.
pub static SQS: Dialect = Dialect {
    namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
    fault_namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
    declaration: true,
    error_detail: true,
    collections: Collections::Flattened,
    members: &[
        // Messages, in and out
        Member::map("MessageAttributes", &["MessageAttribute"], ATTRIBUTE),
        Member::map("MessageSystemAttributes", &["MessageSystemAttribute"], ATTRIBUTE),
        Member::list("StringListValues", &["StringListValue"]).given_when_empty(),
        Member::list("BinaryListValues", &["BinaryListValue"]).given_when_empty(),
        Member::list("Messages", &["Message"]).in_query_json("messages"),
        // Queues
        Member::map("Attributes", &["Attribute"], ATTRIBUTE),
        Member::map("Tags", &["Tag"], TAG),
        Member::map("tags", &["Tag"], TAG),
        Member::list("TagKeys", &["TagKey"]),
        Member::list("QueueUrls", &["QueueUrl"]).in_query_json("queueUrls"),
        Member::list("queueUrls", &["QueueUrl"]),
        Member::list("AWSAccountIds", &["AWSAccountId"]),
        Member::list("Actions", &["ActionName"]),
        // What to tell. The names of system attributes share theirs with the older AttributeNames,
        // but some clients call them by their own.
        Member::list("AttributeNames", &["AttributeName"]),
        Member::list(
            "MessageSystemAttributeNames",
            &["MessageSystemAttributeName", "AttributeName"],
        ),
        Member::list("MessageAttributeNames", &["MessageAttributeName"]),
        // Batches
        Member::list("Entries", &["SendMessageBatchRequestEntry"]).of("SendMessageBatch"),
        Member::list("Entries", &["DeleteMessageBatchRequestEntry"]).of("DeleteMessageBatch"),
        Member::list("Entries", &["ChangeMessageVisibilityBatchRequestEntry"])
            .of("ChangeMessageVisibilityBatch"),
        Member::list("Successful", &["SendMessageBatchResultEntry"]).of("SendMessageBatch"),
        Member::list("Successful", &["DeleteMessageBatchResultEntry"]).of("DeleteMessageBatch"),
        Member::list("Successful", &["ChangeMessageVisibilityBatchResultEntry"])
            .of("ChangeMessageVisibilityBatch"),
        Member::list("Failed", &["BatchResultErrorEntry"]),
        // Message move tasks
        Member::list("Results", &["ListMessageMoveTasksResultEntry"]),
    ],
    foreign: &[("SendMessage", "Id")],
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use indexmap::IndexMap;
    use serde::{Deserialize, Serialize};
    use serde_json::{Value, json};

    use super::*;
    use crate::wire::form::Params;
    use crate::wire::{Blob, json, query, xml};

    /// Every member that any operation takes and that is a list or map, and some others.
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        queue_url: Option<String>,
        message_body: Option<String>,
        delay_seconds: Option<i64>,
        max_number_of_messages: Option<i64>,
        label: Option<String>,
        attributes: Option<IndexMap<String, String>>,
        #[serde(rename = "tags")]
        create_tags: Option<IndexMap<String, String>>,
        tags: Option<IndexMap<String, String>>,
        tag_keys: Option<Vec<String>>,
        attribute_names: Option<Vec<String>>,
        message_system_attribute_names: Option<Vec<String>>,
        message_attribute_names: Option<Vec<String>>,
        message_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
        message_system_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
        #[serde(rename = "AWSAccountIds")]
        aws_account_ids: Option<Vec<String>>,
        actions: Option<Vec<String>>,
        entries: Option<Vec<InputEntry>>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct InputEntry {
        id: Option<String>,
        message_body: Option<String>,
        receipt_handle: Option<String>,
        visibility_timeout: Option<i64>,
        message_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
        message_system_attributes: Option<BTreeMap<String, MessageAttributeValue>>,
    }

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct MessageAttributeValue {
        #[serde(skip_serializing_if = "Option::is_none")]
        string_value: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        binary_value: Option<Blob>,
        #[serde(skip_serializing_if = "Option::is_none")]
        string_list_values: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        binary_list_values: Option<Vec<Blob>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data_type: Option<String>,
    }

    #[test]
    fn requests_of_both_protocols_are_one() {
        let attributes = json!({"a b": {"DataType": "String", "StringValue": "x"}});
        let trace = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}});
        for (operation, body, input) in [
            (
                "AddPermission",
                "Label=l&AWSAccountId.1=1&AWSAccountId.2=2&ActionName.1=*",
                json!({"Label": "l", "AWSAccountIds": ["1", "2"], "Actions": ["*"]}),
            ),
            (
                "ChangeMessageVisibilityBatch",
                "ChangeMessageVisibilityBatchRequestEntry.1.Id=a\
                    &ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle=r\
                    &ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=5",
                json!({"Entries": [{"Id": "a", "ReceiptHandle": "r", "VisibilityTimeout": 5}]}),
            ),
            (
                "CreateQueue",
                "Attribute.1.Name=B&Attribute.1.Value=1&Attribute.2.Name=A&Attribute.2.Value=\
                    &Tag.1.Key=k&Tag.1.Value=v",
                json!({"Attributes": {"B": "1", "A": ""}, "tags": {"k": "v"}, "Tags": {"k": "v"}}),
            ),
            (
                "DeleteMessageBatch",
                "DeleteMessageBatchRequestEntry.2.Id=b&DeleteMessageBatchRequestEntry.1.Id=a",
                json!({"Entries": [{"Id": "a"}, {"Id": "b"}]}),
            ),
            (
                "GetQueueAttributes",
                "AttributeName=All",
                json!({"AttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}),
            ),
            (
                "ReceiveMessage",
                "AttributeName.1=All&MessageSystemAttributeName.1=SentTimestamp\
                    &MessageAttributeName.1=a.*&MaxNumberOfMessages=10",
                json!({
                    "AttributeNames": ["All"],
                    "MessageSystemAttributeNames": ["SentTimestamp"],
                    "MessageAttributeNames": ["a.*"],
                    "MaxNumberOfMessages": 10,
                }),
            ),
            (
                "SendMessage",
                "Action=SendMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2F1%2Fq\
                    &MessageBody=hello+world&DelaySeconds=0&MessageAttribute.1.Name=a+b\
                    &MessageAttribute.1.Value.StringValue=x&MessageAttribute.1.Value.DataType=String\
                    &MessageSystemAttribute.1.Name=AWSTraceHeader\
                    &MessageSystemAttribute.1.Value.StringValue=Root%3D1\
                    &MessageSystemAttribute.1.Value.DataType=String",
                json!({
                    "QueueUrl": "http://h/1/q",
                    "MessageBody": "hello world",
                    "DelaySeconds": 0,
                    "MessageAttributes": attributes,
                    "MessageSystemAttributes": trace,
                }),
            ),
            (
                "SendMessage",
                "MessageAttribute.1.Name=a&MessageAttribute.1.Value.BinaryValue=AP8%3D\
                    &MessageAttribute.1.Value.StringListValue.1=x\
                    &MessageAttribute.1.Value.BinaryListValue.1=AP8%3D",
                json!({"MessageAttributes": {"a": {
                    "BinaryValue": "AP8=", "StringListValues": ["x"], "BinaryListValues": ["AP8="],
                }}}),
            ),
            (
                "SendMessage",
                "MessageAttribute.1.Name=a&MessageAttribute.1.Value.StringValue=x\
                    &MessageAttribute.1.Value.StringListValue=\
                    &MessageAttribute.1.Value.BinaryListValue=",
                json!({"MessageAttributes": {"a": {
                    "StringValue": "x", "StringListValues": [], "BinaryListValues": [],
                }}}),
            ),
            (
                "SendMessageBatch",
                "SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=b\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=a+b\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=x\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
                    &SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Name=AWSTraceHeader\
                    &SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Value.StringValue=Root%3D1\
                    &SendMessageBatchRequestEntry.1.MessageSystemAttribute.1.Value.DataType=String",
                json!({"Entries": [{
                    "Id": "a",
                    "MessageBody": "b",
                    "MessageAttributes": attributes,
                    "MessageSystemAttributes": trace,
                }]}),
            ),
            (
                "SetQueueAttributes",
                "Attribute.Name=VisibilityTimeout&Attribute.Value=35",
                json!({"Attributes": {"VisibilityTimeout": "35"}}),
            ),
            ("SetQueueAttributes", "Attribute=", json!({})),
            ("TagQueue", "Tag=", json!({})),
            ("TagQueue", "Tags.1.Key=k&Tags.1.Value=v", json!({"Tags": {"k": "v"}})),
            ("UntagQueue", "TagKey.1=a&TagKey.2=b", json!({"TagKeys": ["a", "b"]})),
        ] {
            let params = Params::parse(None, body.as_bytes()).unwrap();
            let from_query: Input = query::decode(&params, &SQS, operation).unwrap();
            let from_json: Input = json::decode(input.to_string().as_bytes()).unwrap();
            assert_eq!(from_query, from_json, "{operation} {body}");
        }
    }

    fn answer<T: Serialize>(operation: &str, output: Option<&T>) -> String {
        String::from_utf8(xml::response(operation, "…", &SQS, output)).unwrap()
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Messages {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        messages: Vec<Message>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(clippy::struct_field_names, reason = "AWS's names")]
    struct Message {
        message_id: &'static str,
        receipt_handle: &'static str,
        #[serde(rename = "MD5OfBody")]
        md5_of_body: &'static str,
        body: &'static str,
        attributes: IndexMap<&'static str, &'static str>,
        #[serde(rename = "MD5OfMessageAttributes")]
        md5_of_message_attributes: &'static str,
        message_attributes: BTreeMap<&'static str, MessageAttributeValue>,
    }

    #[test]
    fn a_received_message_in_both_protocols() {
        let value = MessageAttributeValue {
            string_value: Some("x".to_owned()),
            binary_value: None,
            string_list_values: None,
            binary_list_values: None,
            data_type: Some("String".to_owned()),
        };
        let output = Messages {
            messages: vec![Message {
                message_id: "…",
                receipt_handle: "…",
                md5_of_body: "…",
                body: "hello",
                attributes: IndexMap::from([("SenderId", "…"), ("SentTimestamp", "1767323045000")]),
                md5_of_message_attributes: "…",
                message_attributes: BTreeMap::from([("a", value)]),
            }],
        };
        let json = r#"{"Messages":[{"MessageId":"…","ReceiptHandle":"…","MD5OfBody":"…","Body":"hello","Attributes":{"SenderId":"…","SentTimestamp":"1767323045000"},"MD5OfMessageAttributes":"…","MessageAttributes":{"a":{"StringValue":"x","DataType":"String"}}}]}"#;
        assert_eq!(String::from_utf8(json::encode(&output)).unwrap(), json);
        let xml = r#"<?xml version="1.0"?><ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult><Message><MessageId>…</MessageId><ReceiptHandle>…</ReceiptHandle><MD5OfBody>…</MD5OfBody><Body>hello</Body><Attribute><Name>SenderId</Name><Value>…</Value></Attribute><Attribute><Name>SentTimestamp</Name><Value>1767323045000</Value></Attribute><MD5OfMessageAttributes>…</MD5OfMessageAttributes><MessageAttribute><Name>a</Name><Value><StringValue>x</StringValue><DataType>String</DataType></Value></MessageAttribute></Message></ReceiveMessageResult><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></ReceiveMessageResponse>"#;
        assert_eq!(answer("ReceiveMessage", Some(&output)), xml);
    }

    #[test]
    fn nothing_received_in_both_protocols() {
        let output = Messages { messages: Vec::new() };
        assert_eq!(json::encode(&output), b"{}");
        let xml = r#"<?xml version="1.0"?><ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ReceiveMessageResult/><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></ReceiveMessageResponse>"#;
        assert_eq!(answer("ReceiveMessage", Some(&output)), xml);
    }

    #[test]
    fn no_output() {
        let xml = r#"<?xml version="1.0"?><DeleteMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></DeleteMessageResponse>"#;
        assert_eq!(answer("DeleteMessage", None::<&Messages>), xml);
    }

    #[test]
    fn sent_batch() {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            successful: Vec<Sent>,
            failed: Vec<Failed>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Sent {
            id: &'static str,
            message_id: &'static str,
            #[serde(rename = "MD5OfMessageBody")]
            md5_of_message_body: &'static str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Failed {
            id: &'static str,
            code: &'static str,
            message: &'static str,
            sender_fault: bool,
        }
        let output = Output {
            successful: vec![Sent { id: "1", message_id: "…", md5_of_message_body: "…" }],
            failed: vec![Failed {
                id: "2",
                code: "InvalidParameterValue",
                message: "…",
                sender_fault: true,
            }],
        };
        let xml = r#"<?xml version="1.0"?><SendMessageBatchResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><SendMessageBatchResult><SendMessageBatchResultEntry><Id>1</Id><MessageId>…</MessageId><MD5OfMessageBody>…</MD5OfMessageBody></SendMessageBatchResultEntry><BatchResultErrorEntry><Id>2</Id><Code>InvalidParameterValue</Code><Message>…</Message><SenderFault>true</SenderFault></BatchResultErrorEntry></SendMessageBatchResult><ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></SendMessageBatchResponse>"#;
        assert_eq!(answer("SendMessageBatch", Some(&output)), xml);
    }

    /// The other members of answers that are lists or maps.
    #[test]
    fn lists_and_maps_of_answers() {
        #[derive(Default, Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            successful: Vec<Value>,
            attributes: IndexMap<String, String>,
            #[serde(rename = "queueUrls")]
            source_queue_urls: Vec<String>,
            queue_urls: Vec<String>,
            results: Vec<Task>,
            tags: IndexMap<String, String>,
            next_token: Option<String>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Task {
            started_timestamp: i64,
        }
        let pair = || IndexMap::from([("k".to_owned(), "v".to_owned())]);
        let url = || vec!["http://h/1/q".to_owned(), "http://h/1/r?a&b".to_owned()];
        let urls = "<QueueUrl>http://h/1/q</QueueUrl><QueueUrl>http://h/1/r?a&amp;b</QueueUrl>";
        let id = || vec![Value::from("a")];
        for (operation, output, result) in [
            (
                "ChangeMessageVisibilityBatch",
                Output { successful: id(), ..Output::default() },
                "<ChangeMessageVisibilityBatchResultEntry>a</ChangeMessageVisibilityBatchResultEntry>",
            ),
            (
                "DeleteMessageBatch",
                Output { successful: id(), ..Output::default() },
                "<DeleteMessageBatchResultEntry>a</DeleteMessageBatchResultEntry>",
            ),
            (
                "GetQueueAttributes",
                Output { attributes: pair(), ..Output::default() },
                "<Attribute><Name>k</Name><Value>v</Value></Attribute>",
            ),
            (
                "ListDeadLetterSourceQueues",
                Output {
                    source_queue_urls: url(),
                    next_token: Some("t".to_owned()),
                    ..Output::default()
                },
                &format!("{urls}<NextToken>t</NextToken>"),
            ),
            ("ListQueues", Output { queue_urls: url(), ..Output::default() }, urls),
            (
                "ListMessageMoveTasks",
                Output {
                    results: vec![Task { started_timestamp: 1_767_323_045_000 }],
                    ..Output::default()
                },
                "<ListMessageMoveTasksResultEntry><StartedTimestamp>1767323045000</StartedTimestamp></ListMessageMoveTasksResultEntry>",
            ),
            (
                "ListQueueTags",
                Output { tags: pair(), ..Output::default() },
                "<Tag><Key>k</Key><Value>v</Value></Tag>",
            ),
        ] {
            let whole = answer(operation, Some(&output));
            let wrapped = format!("<{operation}Result>{result}</{operation}Result>");
            assert!(whole.contains(&wrapped), "{whole}");
        }
    }

    #[test]
    fn error() {
        let code = "AWS.SimpleQueueService.NonExistentQueue";
        let message = "The specified queue does not exist for this wsdl version.";
        let xml = r#"<?xml version="1.0"?><ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/"><Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code><Message>The specified queue does not exist for this wsdl version.</Message><Detail/></Error><RequestId>…</RequestId></ErrorResponse>"#;
        let body = xml::error_body(&SQS, SQS.namespace, true, code, message, "…");
        assert_eq!(String::from_utf8(body).unwrap(), xml);
    }
}
