//! The operations of SQS.

pub mod dialect;
