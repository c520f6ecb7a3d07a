//! Authentication: AWS Signature Version 4, verified as AWS does, and the access keys.
//!
//! There is no clock, no environment and no I/O; time is an argument in Unix milliseconds. The only state is
//! derived signing keys (see [`signing_keys`]), which affect only speed, and issued temporary keys, which are
//! generated from the operating system's randomness. Secrets are compared in constant time and never appear
//! in a log or an error.
//!
//! The cryptography is `aws-sigv4`'s; parsing signed requests is ours. Permissions are not decided here: a
//! [`Caller`] says who calls, not what is allowed.

pub mod account;
pub mod amz_date;
pub mod authorization;
pub mod canonical_request;
pub mod credentials;
pub mod presigned;
pub mod principal;
pub mod signing_keys;
pub mod verify;

pub use canonical_request::{in_signed_order, plain_path};
pub use credentials::{Credential, Credentials, CredentialsError, Role, Secret};
pub use principal::Principal;
pub use verify::{
    Caller, Mode, Presented, Recognized, Request, identify, recognize, scope_service,
};
