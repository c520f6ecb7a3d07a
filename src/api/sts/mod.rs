//! The operations of STS that clients of queues and topics use: caller identity and temporary keys.
//!
//! There are no users and no roles. Where accounts are isolated, a caller can assume any role of its own
//! account; elsewhere, any role. The role changes no permissions; policies and tags of a session are
//! validated and not stored.

pub mod assume_role;
pub mod dialect;
pub mod get_access_key_info;
pub mod get_caller_identity;
pub mod get_session_token;
pub mod shapes;
