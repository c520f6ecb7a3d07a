//! Who calls: AWS Signature Version 4, verified as AWS does, and the keys to verify with.
//!
//! Pure but for two things: no clock, no environment, no I/O; time is an argument in Unix
//! milliseconds. Remembered between calls are derived signing keys (see [`signing_keys`]), which
//! changes speed and nothing else, and temporary keys that were issued, which are made of the
//! machine's randomness. Secrets are compared in constant time and never reach a log or an error.
//!
//! The arithmetic is that of `aws-sigv4`; what is ours is the reading of requests that others
//! signed. Permissions are not decided here: a [`Caller`] says who, not what is allowed.

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
