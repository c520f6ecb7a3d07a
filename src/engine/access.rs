//! Access to queues and topics: the only place where policies are evaluated.
//!
//! Operations look up queues, topics and subscriptions with an [`Access`], in the transaction that uses them,
//! so that no operation uses one without a check. If accounts are not isolated ([`Access::everything`]), nothing
//! is compared. A call of the owner on a resource without a policy costs one comparison.

use crate::domain::policy::{Decision, Policy, Requester, decide};
use crate::domain::{Kind, Refusal};
use crate::store::{Queue, Txn};
use std::sync::Arc;

/// The name of SNS in policies of queues.
const SNS: &str = "sns.amazonaws.com";

/// The permissions of a call.
#[derive(Debug, Clone, Default)]
pub struct Access(Option<Arc<Call>>);

/// The caller and the action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The caller's account, 12 digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// `sqs`, `sns` or `sts`.
    pub service: &'static str,
    /// The action by its name in policies, such as `SendMessage`.
    pub action: &'static str,
    /// Whether a policy can allow it to callers of other accounts.
    pub is_shareable: bool,
    /// Whether the caller ignores a Deny in policies of its own account.
    pub is_exempt: bool,
}

impl Access {
    /// Returns access to everything: for the server itself, and for callers if accounts are not isolated.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// Returns the access of a call.
    pub fn of(call: Call) -> Self {
        Self(Some(Arc::new(call)))
    }

    /// Returns whether anything is restricted.
    pub const fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the access of the same caller for another action of the same service.
    #[must_use]
    pub fn for_action(&self, action: &'static str) -> Self {
        Self(self.0.as_deref().map(|call| Arc::new(Call { action, ..call.clone() })))
    }

    /// Returns whether resources of this account are the caller's own.
    pub fn is_owner(&self, account: &str) -> bool {
        self.0.as_deref().is_none_or(|call| call.account == account)
    }

    // Rule (every operation): a caller of another account needs an Allow of the resource's policy.
    // Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    // Test: tests/isolation.rs::another_account_is_denied_every_operation, tests/isolation.rs::a_policy_opens_what_it_names
    //
    // Rule (every operation): a Deny of the policy binds callers of the owner too.
    // Source: documented, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
    // Test: tests/isolation.rs::a_deny_binds_the_owner_and_an_admin_can_take_it_away
    //
    // Rule (sqs.AddPermission, CancelMessageMoveTask, CreateQueue, DeleteQueue, ListMessageMoveTasks, ListQueues,
    //   ListQueueTags, sqs.RemovePermission, SetQueueAttributes, StartMessageMoveTask, TagQueue, UntagQueue): only the owner of
    //   a queue can do this, whatever its policy says.
    // Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-customer-managed-policy-examples.html
    // Test: tests/isolation.rs::actions_of_the_owner_cannot_be_shared
    //
    /// Checks the call on a resource with this owner, ARN and policy.
    ///
    /// Rejects with AccessDenied, which SNS calls AuthorizationError.
    pub fn check(
        &self,
        owner: &str,
        arn: impl FnOnce() -> String,
        policy: Option<&Policy>,
    ) -> Result<(), Refusal> {
        let Some(call) = self.0.as_deref() else { return Ok(()) };
        let is_owner = call.account == owner;
        let Some(policy) = policy else {
            return if is_owner { Ok(()) } else { Err(call.denied(&arn(), false)) };
        };
        let arn = arn();
        let who = Requester { account: &call.account, arn: &call.arn, ..Requester::default() };
        let action = format!("{}:{}", call.service, call.action);
        match decide(policy, &who, &action, &arn) {
            Decision::Deny if is_owner && call.is_exempt => Ok(()),
            Decision::Deny => Err(call.denied(&arn, true)),
            _ if is_owner => Ok(()),
            Decision::Allow if call.is_shareable => Ok(()),
            Decision::Allow | Decision::None => Err(call.denied(&arn, false)),
        }
    }

    /// Rejects an action reserved to the owner of a resource, unless the caller belongs to that account.
    pub fn check_owner(&self, owner: &str, arn: impl FnOnce() -> String) -> Result<(), Refusal> {
        self.check(owner, arn, None)
    }
}

impl Call {
    // Rule (every operation): a call without permission is rejected with AccessDenied,
    //   status 403, in SNS AuthorizationError: "User: ARN is not authorized to perform: sqs:sendmessage on resource: ARN
    //   because no resource-based policy allows the sqs:sendmessage action". SQS writes the action in lower case.
    // Source: reported, microsoft/aspire#3333
    // Test: tests/isolation.rs::the_sentences_of_refusals
    //
    // Rule (every operation): the error does not reveal whether a queue or topic of another account
    //   exists.
    // Source: inferred, GetQueueUrl of such a queue was reported as "does not exist or you do not have access to it"
    //   (fluent/fluent-plugin-s3#342)
    // Test: tests/isolation.rs::another_account_is_denied_every_operation
    fn denied(&self, resource: &str, explicitly: bool) -> Refusal {
        let action = self.shown_action();
        let reason = match self.service {
            // STS has none.
            "sts" => String::new(),
            _ if explicitly => " with an explicit deny in a resource-based policy".to_owned(),
            _ => format!(" because no resource-based policy allows the {action} action"),
        };
        not_authorized(&self.arn, &action, resource, &reason)
    }

    fn shown_action(&self) -> String {
        shown_action(self.service, self.action)
    }
}

/// Returns the error for an action that the role of the caller's key does not allow.
pub fn not_permitted(arn: &str, service: &str, action: &str, resource: &str) -> Refusal {
    let action = shown_action(service, action);
    let reason = format!(" because no identity-based policy allows the {action} action");
    not_authorized(arn, &action, resource, &reason)
}

fn shown_action(service: &str, action: &str) -> String {
    match service {
        "sqs" => format!("sqs:{}", action.to_ascii_lowercase()),
        "sns" => format!("SNS:{action}"),
        other => format!("{other}:{action}"),
    }
}

fn not_authorized(arn: &str, action: &str, resource: &str, reason: &str) -> Refusal {
    Refusal::new(
        Kind::AccessDenied,
        format!(
            "User: {} is not authorized to perform: {action} on resource: {resource}{reason}",
            if arn.is_empty() { "anonymous" } else { arn }
        ),
    )
}

// Rule (deliveries): SNS delivers to a queue, also as a dead-letter queue and in the topic's own account, only if the
//   queue's policy allows sqs:SendMessage to sns.amazonaws.com or to everyone, and no statement denies it. Otherwise the
//   delivery fails for good. If policies are not enforced, SNS delivers to every queue.
// Source: reported, aws/aws-sdk-go#2415; hashicorp/terraform-provider-aws#1342; MassTransit/MassTransit#1525
// Test: tests/isolation.rs::a_topic_reaches_a_queue_of_its_own_account_as_the_policy_says,
//   tests/isolation.rs::a_topic_reaches_a_queue_of_another_account_only_if_its_policy_says_so,
//   tests/isolation.rs::what_sns_may_not_deliver_goes_to_the_dead_letter_queue_at_once
//
/// Returns whether SNS may send messages of a topic to a queue.
pub fn may_deliver(tx: &Txn<'_>, topic_arn: &str, queue: &Queue) -> bool {
    if !tx.isolates_accounts() {
        return true;
    }
    let Some(policy) = &queue.attributes.policy else { return false };
    let who = Requester { service: SNS, source_arn: topic_arn, ..Requester::default() };
    decide(policy, &who, "sqs:SendMessage", &queue.address.arn()) == Decision::Allow
}
