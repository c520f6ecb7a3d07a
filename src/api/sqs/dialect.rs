//! What SQS calls its lists and maps in AWS Query and in XML.
//!
//! Source: the service model of API version 2012-11-05 from when it described AWS Query
//! (`locationName` of its shapes), for all 23 operations. Members that are no list or map have
//! the same name in both protocols.

use crate::wire::dialect::{Collections, Dialect, Entry, Member};

const ATTRIBUTE: Entry = Entry { key: "Name", value: "Value" };
const TAG: Entry = Entry { key: "Key", value: "Value" };

/// The habits of SQS.
pub static SQS: Dialect = Dialect {
    namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
    declaration: true,
    error_detail: true,
    collections: Collections::Flattened,
    members: &[
        // Messages, in and out
        Member::map("MessageAttributes", &["MessageAttribute"], ATTRIBUTE),
        Member::map("MessageSystemAttributes", &["MessageSystemAttribute"], ATTRIBUTE),
        Member::list("StringListValues", &["StringListValue"]),
        Member::list("BinaryListValues", &["BinaryListValue"]),
        Member::list("Messages", &["Message"]),
        // Queues
        Member::map("Attributes", &["Attribute"], ATTRIBUTE),
        Member::map("Tags", &["Tag"], TAG),
        Member::map("tags", &["Tag"], TAG),
        Member::list("TagKeys", &["TagKey"]),
        Member::list("QueueUrls", &["QueueUrl"]),
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
};
