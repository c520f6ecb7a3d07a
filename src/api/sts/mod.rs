//! The operations of STS, as far as clients of queues and topics use them: who am I, and keys for
//! a while.
//!
//! There are no users and no roles to look up. Any caller that is let in may assume any role,
//! and nothing is allowed or forbidden to it; policies and tags of a session are read and then
//! forgotten.

pub mod assume_role;
pub mod dialect;
pub mod get_access_key_info;
pub mod get_caller_identity;
pub mod get_session_token;
pub mod shapes;
