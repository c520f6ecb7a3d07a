//! Values and rules of SQS and SNS without any I/O: nothing here reads a clock, a row or a socket.

pub mod address;
pub mod arn;
pub mod batch;
pub mod delivery_outcome;
pub mod delivery_policy;
pub mod delivery_shares;
pub mod digest;
pub mod endpoint_rules;
pub mod fairness;
pub mod fifo;
pub mod filter_policy;
pub mod host;
pub mod json_object;
pub mod json_text;
pub mod limits;
pub mod message_attributes;
pub mod message_body;
pub mod message_structure;
pub mod notification;
pub mod platform;
pub mod policy;
pub mod queue_attributes;
pub mod receipt;
pub mod redrive;
pub mod refusal;
pub mod replay_policy;
pub mod sms;
pub mod sns_endpoint;
pub mod sns_message;
pub mod subscription_attributes;
pub mod tags;
pub mod timestamp;
pub mod topic_address;
pub mod topic_attributes;

pub use refusal::{Kind, Refusal};
