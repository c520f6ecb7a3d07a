//! The AWS operations, their table and the table of errors.

pub mod error;
pub mod sqs;
