//! Values and rules of SQS without any I/O: nothing here reads a clock, a row or a socket.

pub mod address;
pub mod batch;
pub mod digest;
pub mod fairness;
pub mod fifo;
pub mod limits;
pub mod message_attributes;
pub mod message_body;
pub mod policy;
pub mod queue_attributes;
pub mod receipt;
pub mod redrive;
pub mod refusal;
pub mod tags;

pub use refusal::{Kind, Refusal};
