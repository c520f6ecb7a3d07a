//! THE table of operations: every operation that is served, with its name on the wire.

use super::Context;
use super::{sns, sqs, sts};
use crate::auth::Role;
use crate::domain::{Kind, Refusal, policy};
use crate::engine::access::{Access, Call};
use crate::wire::dialect::Dialect;
use crate::wire::form::Params;
use crate::wire::{Encoding, Malformed, json, query, query_json, xml};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::pin::Pin;
use strum::{EnumString, IntoStaticStr, VariantArray};

/// An AWS service. Its name in credential scopes and metrics is that of the variant in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Service {
    /// Amazon SQS
    Sqs,
    /// Amazon SNS
    Sns,
    /// AWS STS
    Sts,
}

impl Service {
    /// All services.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Returns the name in credential scopes and metrics.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the service of a name in credential scopes.
    pub fn named(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// Returns the beginning of X-Amz-Target in AWS JSON. At AWS only SQS has one; the others serve
    /// `awslocal`.
    pub const fn json_target(self) -> &'static str {
        match self {
            Self::Sqs => "AmazonSQS.",
            Self::Sns => "AmazonSimpleNotificationService.",
            Self::Sts => "AWSSecurityTokenServiceV20110615.",
        }
    }

    /// Returns the names that the service uses in AWS Query.
    pub fn dialect(self) -> &'static Dialect {
        match self {
            Self::Sqs => &sqs::dialect::SQS,
            Self::Sns => &sns::dialect::SNS,
            Self::Sts => &sts::dialect::STS,
        }
    }

    /// Returns the version of the API: the parameter `Version` of AWS Query.
    const fn version(self) -> &'static str {
        match self {
            Self::Sqs => "2012-11-05",
            Self::Sns => "2010-03-31",
            Self::Sts => "2011-06-15",
        }
    }

    /// Returns the service whose API has this version.
    pub fn of_version(version: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|service| service.version() == version)
    }

    /// Returns the refusal of an action that the service does not have.
    pub fn unknown_action(self, action: &str) -> Refusal {
        let message = match self {
            Self::Sqs => format!("The action {action} is not valid for this endpoint."),
            Self::Sns | Self::Sts => {
                format!("Could not find operation {action} for version {}", self.version())
            }
        };
        Refusal::new(Kind::InvalidAction, message)
    }
}

/// The parameters of a call, in the protocol of the request.
#[derive(Debug)]
pub enum Payload {
    /// A body of AWS JSON.
    Json(axum::body::Bytes),
    /// Parameters of AWS Query.
    Query(Params),
}

/// The response of an operation, encoded in the protocol of the request.
pub type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, Refusal>> + Send>>;

/// The format of a response.
#[derive(Debug)]
pub struct Reply {
    /// Its encoding.
    pub encoding: Encoding,
    /// The request ID, which some encodings contain.
    pub request_id: String,
}

/// The paths on which an operation may be called, and its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Concerns one queue: called on the queue's own path, or anywhere with a QueueUrl.
    Queue,
    /// Concerns the account, or something that a parameter names: not called on a queue's path.
    Global,
    /// Like `Global`, and called on a queue's path as well.
    Anywhere,
    /// Like `Global`, and without a signature: a link in a message calls it.
    Link,
}

/// The effect of an operation on the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They read, receive or delete.
    Data,
    /// They store messages.
    Stores,
    /// They change something other than messages, or issue keys. A change of a resource does not count
    /// as storing, because it may free storage: a shorter retention period, for instance.
    Admin,
    /// They store something other than messages.
    Creates,
}

/// One operation.
pub struct Operation {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its service.
    pub service: Service,
    /// The paths on which it may be called, and its callers.
    pub scope: Scope,
    /// Its effect on the state.
    pub effect: Effect,
    /// Decodes, runs, encodes.
    pub run: fn(Context, Payload, Reply) -> Answer,
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Operations by which the owner of a resource sees and changes its policy.
const OF_POLICIES: [&str; 6] = [
    "AddPermission",
    "GetQueueAttributes",
    "GetTopicAttributes",
    "RemovePermission",
    "SetQueueAttributes",
    "SetTopicAttributes",
];

impl Operation {
    /// Returns whether the operation stores anything. Such operations are rejected while the disk is full.
    pub fn stores(&self) -> bool {
        matches!(self.effect, Effect::Stores | Effect::Creates)
    }

    /// Returns whether the audit log contains requests of the operation.
    pub fn is_administrative(&self) -> bool {
        matches!(self.effect, Effect::Admin | Effect::Creates)
    }

    // Rule (SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch, PublishBatch): a batch needs the permission
    //   of its single form, and is named as that in refusals.
    // Source: reported, aws/serverless-application-model#3633
    // Test: tests/isolation.rs::the_sentences_of_refusals
    //
    /// Returns the action of the operation in policies.
    pub fn action(&self) -> &'static str {
        self.name.strip_suffix("Batch").unwrap_or(self.name)
    }

    /// Returns the access of a caller who may run the operation in this role.
    pub fn access(&self, account: &str, arn: &str, role: Role) -> Access {
        let action = self.action();
        Access::of(Call {
            account: account.to_owned(),
            arn: arn.to_owned(),
            service: self.service.name(),
            action,
            is_shareable: match self.service {
                Service::Sqs => policy::queue::is_shareable(action),
                Service::Sns => policy::topic::is_shareable(action),
                Service::Sts => false,
            },
            is_exempt: role == Role::Admin && OF_POLICIES.contains(&action),
        })
    }

    /// Returns the role that a caller needs, where accounts are isolated.
    pub fn role(&self) -> Role {
        let reads = ["Check", "Get", "List"].iter().any(|verb| self.name.starts_with(verb));
        if reads { Role::View } else { Role::Operate }
    }
}

/// `Name => module::function` for an operation with output, `Name => module::function -> ()` for
/// one without, which differ on the wire; before it, its [`Scope`] and its [`Effect`].
macro_rules! operations {
    ($($service:ident $dialect:path { $($reach:ident $effect:ident $name:ident => $($path:ident)::+ $(-> $nothing:tt)?;)+ })+) => {
        &[$($(Operation {
            name: stringify!($name),
            service: Service::$service,
            scope: Scope::$reach,
            effect: Effect::$effect,
            run: |cx, payload, reply| Box::pin(async move {
                let input = payload.decode(stringify!($name), &$dialect)?;
                let output = $($path)::+(&cx, input).await?;
                let output = operations!(@output output $($nothing)?);
                Ok(reply.encode(stringify!($name), &$dialect, output))
            }),
        }),+),+]
    };
    (@output $output:ident) => { Some(&$output) };
    (@output $output:ident ()) => {{ let () = $output; None::<&()> }};
}

/// Every operation. AWS JSON and AWS Query find them by name.
pub static OPERATIONS: &[Operation] = operations! {
    Sqs sqs::dialect::SQS {
        Queue    Admin   AddPermission                => sqs::add_permission::add_permission -> ();
        Global   Admin   CancelMessageMoveTask        => sqs::cancel_message_move_task::cancel_message_move_task;
        Queue    Data    ChangeMessageVisibility      => sqs::change_message_visibility::change_message_visibility -> ();
        Queue    Data    ChangeMessageVisibilityBatch => sqs::change_message_visibility::change_message_visibility_batch;
        Global   Creates CreateQueue                  => sqs::create_queue::create_queue;
        Queue    Data    DeleteMessage                => sqs::delete_message::delete_message -> ();
        Queue    Data    DeleteMessageBatch           => sqs::delete_message::delete_message_batch;
        Queue    Admin   DeleteQueue                  => sqs::delete_queue::delete_queue -> ();
        Queue    Data    GetQueueAttributes           => sqs::get_queue_attributes::get_queue_attributes;
        Anywhere Data    GetQueueUrl                => sqs::get_queue_url::get_queue_url;
        Queue    Data    ListDeadLetterSourceQueues   => sqs::list_dead_letter_source_queues::list_dead_letter_source_queues;
        Global   Data    ListMessageMoveTasks         => sqs::list_message_move_tasks::list_message_move_tasks;
        Queue    Data    ListQueueTags                => sqs::list_queue_tags::list_queue_tags;
        Global   Data    ListQueues                   => sqs::list_queues::list_queues;
        Queue    Admin   PurgeQueue                   => sqs::purge_queue::purge_queue -> ();
        Queue    Data    ReceiveMessage               => sqs::receive_message::receive_message;
        Queue    Admin   RemovePermission             => sqs::remove_permission::remove_permission -> ();
        Queue    Stores  SendMessage                  => sqs::send_message::send_message;
        Queue    Stores  SendMessageBatch             => sqs::send_message::send_message_batch;
        Queue    Admin   SetQueueAttributes           => sqs::set_queue_attributes::set_queue_attributes -> ();
        Global   Admin   StartMessageMoveTask         => sqs::start_message_move_task::start_message_move_task;
        Queue    Admin   TagQueue                     => sqs::tag_queue::tag_queue -> ();
        Queue    Admin   UntagQueue                   => sqs::untag_queue::untag_queue -> ();
    }
    Sns sns::dialect::SNS {
        Global   Admin   AddPermission                      => sns::add_permission::add_permission -> ();
        Global   Data    CheckIfPhoneNumberIsOptedOut       => sns::check_if_phone_number_is_opted_out::check_if_phone_number_is_opted_out;
        Link     Admin   ConfirmSubscription                => sns::confirm_subscription::confirm_subscription;
        Global   Creates CreatePlatformApplication          => sns::create_platform_application::create_platform_application;
        Global   Creates CreatePlatformEndpoint             => sns::create_platform_endpoint::create_platform_endpoint;
        Global   Creates CreateSMSSandboxPhoneNumber        => sns::create_sms_sandbox_phone_number::create_sms_sandbox_phone_number;
        Global   Creates CreateTopic                        => sns::create_topic::create_topic;
        Global   Admin   DeleteEndpoint                     => sns::delete_endpoint::delete_endpoint -> ();
        Global   Admin   DeletePlatformApplication          => sns::delete_platform_application::delete_platform_application -> ();
        Global   Admin   DeleteSMSSandboxPhoneNumber        => sns::delete_sms_sandbox_phone_number::delete_sms_sandbox_phone_number;
        Global   Admin   DeleteTopic                        => sns::delete_topic::delete_topic -> ();
        Global   Data    GetDataProtectionPolicy            => sns::get_data_protection_policy::get_data_protection_policy;
        Global   Data    GetEndpointAttributes              => sns::get_endpoint_attributes::get_endpoint_attributes;
        Global   Data    GetPlatformApplicationAttributes   => sns::get_platform_application_attributes::get_platform_application_attributes;
        Global   Data    GetSMSAttributes                   => sns::get_sms_attributes::get_sms_attributes;
        Global   Data    GetSMSSandboxAccountStatus         => sns::get_sms_sandbox_account_status::get_sms_sandbox_account_status;
        Global   Data    GetSubscriptionAttributes          => sns::get_subscription_attributes::get_subscription_attributes;
        Global   Data    GetTopicAttributes                 => sns::get_topic_attributes::get_topic_attributes;
        Global   Data    ListEndpointsByPlatformApplication => sns::list_endpoints_by_platform_application::list_endpoints_by_platform_application;
        Global   Data    ListOriginationNumbers             => sns::list_origination_numbers::list_origination_numbers;
        Global   Data    ListPhoneNumbersOptedOut           => sns::list_phone_numbers_opted_out::list_phone_numbers_opted_out;
        Global   Data    ListPlatformApplications           => sns::list_platform_applications::list_platform_applications;
        Global   Data    ListSMSSandboxPhoneNumbers         => sns::list_sms_sandbox_phone_numbers::list_sms_sandbox_phone_numbers;
        Global   Data    ListSubscriptions                  => sns::list_subscriptions::list_subscriptions;
        Global   Data    ListSubscriptionsByTopic           => sns::list_subscriptions_by_topic::list_subscriptions_by_topic;
        Global   Data    ListTagsForResource                => sns::list_tags_for_resource::list_tags_for_resource;
        Global   Data    ListTopics                         => sns::list_topics::list_topics;
        Global   Admin   OptInPhoneNumber                   => sns::opt_in_phone_number::opt_in_phone_number;
        Global   Stores  Publish                            => sns::publish::publish;
        Global   Stores  PublishBatch                       => sns::publish::publish_batch;
        Global   Admin   PutDataProtectionPolicy            => sns::put_data_protection_policy::put_data_protection_policy -> ();
        Global   Admin   RemovePermission                   => sns::remove_permission::remove_permission -> ();
        Global   Admin   SetEndpointAttributes              => sns::set_endpoint_attributes::set_endpoint_attributes -> ();
        Global   Admin   SetPlatformApplicationAttributes   => sns::set_platform_application_attributes::set_platform_application_attributes -> ();
        Global   Admin   SetSMSAttributes                   => sns::set_sms_attributes::set_sms_attributes;
        Global   Admin   SetSubscriptionAttributes          => sns::set_subscription_attributes::set_subscription_attributes -> ();
        Global   Admin   SetTopicAttributes                 => sns::set_topic_attributes::set_topic_attributes -> ();
        Global   Creates Subscribe                          => sns::subscribe::subscribe;
        Global   Admin   TagResource                        => sns::tag_resource::tag_resource;
        Link     Admin   Unsubscribe                        => sns::unsubscribe::unsubscribe -> ();
        Global   Admin   UntagResource                      => sns::untag_resource::untag_resource;
        Global   Admin   VerifySMSSandboxPhoneNumber        => sns::verify_sms_sandbox_phone_number::verify_sms_sandbox_phone_number;
    }
    Sts sts::dialect::STS {
        Global   Admin   AssumeRole        => sts::assume_role::assume_role;
        Global   Admin   GetAccessKeyInfo  => sts::get_access_key_info::get_access_key_info;
        Global   Admin   GetCallerIdentity => sts::get_caller_identity::get_caller_identity;
        Global   Admin   GetSessionToken   => sts::get_session_token::get_session_token;
    }
};

impl Payload {
    fn decode<I: DeserializeOwned>(
        &self,
        operation: &str,
        dialect: &Dialect,
    ) -> Result<I, Refusal> {
        let refuse = |kind| move |malformed: Malformed| Refusal::new(kind, malformed.to_string());
        match self {
            Self::Json(body) => json::decode(body).map_err(refuse(Kind::Serialization)),
            Self::Query(params) => {
                query::decode(params, dialect, operation).map_err(refuse(Kind::MalformedInput))
            }
        }
    }
}

impl Reply {
    fn encode<O: Serialize>(
        &self,
        operation: &str,
        dialect: &Dialect,
        output: Option<&O>,
    ) -> Vec<u8> {
        match self.encoding {
            Encoding::AwsJson => output.map(json::encode).unwrap_or_default(),
            Encoding::Xml => xml::response(operation, &self.request_id, dialect, output),
            Encoding::QueryJson => {
                query_json::response(operation, &self.request_id, dialect, output)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_of_queues_know_the_actions_of_all_operations() {
        let arn = "arn:aws:sqs:us-east-1:000000000000:q";
        let accounts = ["123456789012".to_owned()];
        for operation in OPERATIONS.iter().filter(|known| known.service == Service::Sqs) {
            let actions = [operation.action().to_owned()];
            let added = policy::queue::add_permission(None, arn, "l", &accounts, &actions);
            let sentence = added.err().map(|refusal| refusal.message).unwrap_or_default();
            assert!(!sentence.contains("list of valid actions"), "{}", operation.name);
        }
    }
}
