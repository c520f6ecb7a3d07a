//! The operations of SNS, one file each, a batch form beside its single form.
//!
//! Deviations from AWS are documented where they occur.

pub mod add_permission;
pub mod check_if_phone_number_is_opted_out;
pub mod confirm_subscription;
pub mod create_platform_application;
pub mod create_platform_endpoint;
pub mod create_sms_sandbox_phone_number;
pub mod create_topic;
pub mod delete_endpoint;
pub mod delete_platform_application;
pub mod delete_sms_sandbox_phone_number;
pub mod delete_topic;
pub mod dialect;
pub mod get_data_protection_policy;
pub mod get_endpoint_attributes;
pub mod get_platform_application_attributes;
pub mod get_sms_attributes;
pub mod get_sms_sandbox_account_status;
pub mod get_subscription_attributes;
pub mod get_topic_attributes;
pub mod list_endpoints_by_platform_application;
pub mod list_origination_numbers;
pub mod list_phone_numbers_opted_out;
pub mod list_platform_applications;
pub mod list_sms_sandbox_phone_numbers;
pub mod list_subscriptions;
pub mod list_subscriptions_by_topic;
pub mod list_tags_for_resource;
pub mod list_topics;
pub mod opt_in_phone_number;
pub mod publish;
pub mod put_data_protection_policy;
pub mod remove_permission;
pub mod set_endpoint_attributes;
pub mod set_platform_application_attributes;
pub mod set_sms_attributes;
pub mod set_subscription_attributes;
pub mod set_topic_attributes;
pub mod shapes;
pub mod subscribe;
pub mod tag_resource;
pub mod unsubscribe;
pub mod untag_resource;
pub mod verify_sms_sandbox_phone_number;
