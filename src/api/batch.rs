//! Batches of SQS: checks of the whole request, and entries that succeed or fail by themselves.

use super::error::row;
use super::operations::Service;
use super::prelude::*;
use crate::domain::batch::{check_entries, require_in_entries};

/// The entries of a batch operation.
pub struct Form<E> {
    /// AWS's name of their type, for instance `SendMessageBatchRequestEntry`.
    pub entry_type: &'static str,
    /// Returns the Id of an entry.
    pub id: fn(&E) -> Option<&str>,
    /// A member that every entry must have beside its Id: the name, and a function that returns it.
    pub required: (&'static str, fn(&E) -> Option<&str>),
}

impl<E> Form<E> {
    /// Returns the entries with their Ids.
    ///
    /// The number of entries, their Ids, and a required member that is missing refuse the whole request.
    pub fn entries(
        &self,
        cx: &Context,
        given: Option<Vec<E>>,
    ) -> Result<Vec<(String, E)>, Refusal> {
        let entries = given.unwrap_or_default();
        let most = cx.conventions.limits.batch_entries();
        check_entries(self.entry_type, most, entries.iter().map(self.id))?;
        let (name, value) = self.required;
        require_in_entries(self.entry_type, name, entries.iter().map(value))?;
        let id = |entry: &E| (self.id)(entry).unwrap_or_default().to_owned();
        Ok(entries.into_iter().map(|entry| (id(&entry), entry)).collect())
    }
}

/// Runs `work` on the Id and the content of each entry.
///
/// A refusal concerns its entry alone. A failure of the server concerns the whole request, and undoes it.
pub fn run<E, T>(
    entries: &mut [(String, E)],
    mut work: impl FnMut(&str, &mut E) -> Result<T, Refusal>,
) -> Result<Output<T>, Refusal> {
    let mut output = Output { successful: Vec::new(), failed: Vec::new() };
    for (id, entry) in entries {
        match work(id, entry) {
            Ok(successful) => output.successful.push(successful),
            Err(refusal) if refusal.internal.is_some() => return Err(refusal),
            Err(refusal) => output.failed.push(BatchResultErrorEntry::new(id, refusal)),
        }
    }
    Ok(output)
}

/// The output of a batch operation.
#[apply(output)]
pub struct Output<T> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub successful: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<BatchResultErrorEntry>,
}

/// BatchResultErrorEntry
#[apply(output)]
pub struct BatchResultErrorEntry {
    pub id: String,
    pub sender_fault: bool,
    pub code: &'static str,
    pub message: String,
}

impl BatchResultErrorEntry {
    fn new(id: &str, refusal: Refusal) -> Self {
        let row = row(Service::Sqs, refusal.kind);
        Self {
            id: id.to_owned(),
            sender_fault: row.sender,
            code: row.query_code,
            message: refusal.message.into_owned(),
        }
    }
}

/// An entry that succeeded and has no members beside its Id.
#[apply(output)]
pub struct SuccessfulEntry {
    pub id: String,
}

impl SuccessfulEntry {
    /// Returns the entry of this Id.
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned() }
    }
}
