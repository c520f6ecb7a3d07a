//! Authentication: AWS Signature Version 4, verified as AWS does, and the access keys to verify with.
//!
//! No clock, no environment, no I/O: time is an argument in Unix milliseconds. The only state is a cache of derived
//! signing keys (see [`signing_keys`]) and the temporary keys that were issued. Secrets are compared in constant time
//! and never reach a log or an error.
//!
//! `aws-sigv4` does the arithmetic, but it only signs; reading signed requests is our own code.
//! Permissions are not decided here: a [`Caller`] is an identity, without what it may do.

pub mod account;
pub mod amz_date;
pub mod authorization;
pub mod canonical_request;
pub mod credentials;
pub mod presigned;
pub mod principal;
pub mod signing_keys;
pub mod verify;

pub use canonical_request::{Request, in_signed_order, plain_path};
pub use credentials::{Credential, Credentials, CredentialsError, Role, Secret};
pub use principal::Principal;
pub use verify::{
    Caller, CallerIdentity, Mode, RequestSignature, identify, recognize, scope_service,
};
