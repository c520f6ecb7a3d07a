//! The names of members in AWS Query, as data: in parameters, in XML and in JSON.
//!
//! Structs are named as in AWS JSON. AWS Query differs from that, and its services from each other, only
//! in the names and the nesting of lists and maps. A table of those describes a service completely.

/// The conventions of a service.
#[derive(Debug)]
pub struct Dialect {
    /// `xmlns` of every answer.
    pub namespace: &'static str,
    /// `xmlns` of the refusal of a call that names no operation of the service.
    pub fault_namespace: &'static str,
    /// Whether `<?xml version="1.0"?>` comes first.
    pub declaration: bool,
    /// Whether an error has a `Detail`, which is always empty.
    pub error_detail: bool,
    /// How lists and maps are nested.
    pub collections: Collections,
    /// The lists and maps whose names or parts differ from the defaults of `collections`.
    pub members: &'static [Member],
    /// Operations and members that only the struct has, because the batch form of the operation uses it,
    /// too.
    pub foreign: &'static [(&'static str, &'static str)],
}

/// How lists and maps are nested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collections {
    /// `Name.1` and `Name.1.key`; in XML a repeated `<Name>`, so an empty list is nothing at all;
    /// in JSON a map is a list of keys and values.
    Flattened,
    /// `Name.member.1` and `Name.entry.1.key`; in XML `<Name><member/></Name>` and
    /// `<Name><entry/></Name>`, so an empty list is an empty element; in JSON a map is an object.
    Wrapped,
}

/// A list or map with another name in AWS Query than in AWS JSON.
///
/// In requests the name of AWS JSON is accepted, too.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// The only operation with this name; `None` for all.
    pub operation: Option<&'static str>,
    /// The name in JSON.
    pub name: &'static str,
    /// The names in a request, the preferred one first. Answers use the first.
    pub called: &'static [&'static str],
    /// The names of key and value of a map.
    pub entry: Entry,
    /// The name in JSON answers of AWS Query, if it differs from the one in AWS JSON.
    pub in_query_json: Option<&'static str>,
    /// Whether a request that has the name without a value, `Name=`, gives an empty list. Otherwise it
    /// gives none, because some clients send that for each list that they do not have.
    pub given_when_empty: bool,
}

/// The names of the two parts of a map's entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The key's name.
    pub key: &'static str,
    /// The value's name.
    pub value: &'static str,
}

impl Entry {
    /// The usual names of AWS Query.
    pub const DEFAULT: Self = Self { key: "key", value: "value" };
}

impl Member {
    /// Returns a list of all operations.
    pub const fn list(name: &'static str, called: &'static [&'static str]) -> Self {
        Self::map(name, called, Entry::DEFAULT)
    }

    /// Returns a map of all operations.
    pub const fn map(name: &'static str, called: &'static [&'static str], entry: Entry) -> Self {
        Self { operation: None, name, called, entry, in_query_json: None, given_when_empty: false }
    }

    /// Returns the same with this name in JSON answers of AWS Query.
    #[must_use]
    pub const fn in_query_json(self, name: &'static str) -> Self {
        Self { in_query_json: Some(name), ..self }
    }

    /// Returns the same, for which `Name=` in a request gives an empty list.
    #[must_use]
    pub const fn given_when_empty(self) -> Self {
        Self { given_when_empty: true, ..self }
    }

    /// Returns the same for one operation only.
    #[must_use]
    pub const fn of(self, operation: &'static str) -> Self {
        Self { operation: Some(operation), ..self }
    }
}

impl Dialect {
    /// Returns the row of a member of an operation, at any depth.
    pub fn member(&self, operation: &str, name: &str) -> Option<&'static Member> {
        self.members.iter().find(|member| {
            member.name == name && member.operation.is_none_or(|only| only == operation)
        })
    }

    /// Returns whether an operation has a member of its struct.
    pub fn has(&self, operation: &str, name: &str) -> bool {
        !self.foreign.contains(&(operation, name))
    }
}

/// Two dialects for the tests of this module's neighbours, which know no service.
#[cfg(test)]
pub(super) mod samples {
    use super::{Collections, Dialect, Entry, Member};

    const NAME_VALUE: Entry = Entry { key: "Name", value: "Value" };

    pub static FLATTENED: Dialect = Dialect {
        namespace: "urn:flattened",
        fault_namespace: "urn:flattened",
        declaration: true,
        error_detail: true,
        collections: Collections::Flattened,
        members: &[
            Member::list("Names", &["OneName", "Name"]),
            Member::list("Entries", &["FirstEntry"]).of("First"),
            Member::list("Entries", &["SecondEntry"]).of("Second"),
            Member::map("MessageAttributes", &["MessageAttribute"], NAME_VALUE),
            Member::map("tags", &["Tag"], Entry { key: "Key", value: "Value" }),
            Member::list("Items", &["Item"]).in_query_json("items"),
        ],
        foreign: &[("First", "Text")],
    };

    /// As SNS has it.
    pub static WRAPPED: Dialect = Dialect {
        namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
        fault_namespace: "http://webservices.amazon.com/AWSFault/2005-15-09",
        declaration: false,
        error_detail: false,
        collections: Collections::Wrapped,
        members: &[Member::map("MessageAttributes", &["MessageAttributes"], NAME_VALUE)],
        foreign: &[],
    };
}
