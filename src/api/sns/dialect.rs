//! The names of lists and maps of SNS in AWS Query, in XML and in JSON.
//!
//! Source: the service model of API version 2010-03-31. Lists are `Name.member.N`, maps are
//! `Name.entry.N.key`, so only message attributes need a row.

use crate::wire::dialect::{Collections, Dialect, Entry, Member};

/// The conventions of SNS.
pub static SNS: Dialect = Dialect {
    namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    fault_namespace: "http://webservices.amazon.com/AWSFault/2005-15-09",
    declaration: false,
    error_detail: false,
    collections: Collections::Wrapped,
    members: &[Member::map(
        "MessageAttributes",
        &["MessageAttributes"],
        Entry { key: "Name", value: "Value" },
    )],
    foreign: &[("Publish", "Id")],
};
