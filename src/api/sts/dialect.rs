//! The names of lists and maps of STS in AWS Query, in XML and in JSON.
//!
//! Source: the service model of API version 2011-06-15. Lists are `Name.member.N`; nothing is
//! called otherwise.

use crate::wire::dialect::{Collections, Dialect};

/// The conventions of STS.
pub static STS: Dialect = Dialect {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    fault_namespace: "http://webservices.amazon.com/AWSFault/2005-15-09",
    declaration: false,
    error_detail: false,
    collections: Collections::Wrapped,
    members: &[],
    foreign: &[],
};
