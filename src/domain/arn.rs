//! Amazon Resource Names.

use super::Refusal;

/// The elements of an ARN, `arn:partition:service:region:account:resource`. The resource may have colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are AWS's own")]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN. Returns `None` if the text has fewer than six elements or does not begin with `arn`.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut elements = text.strip_prefix("arn:")?.splitn(5, ':');
        Some(Self {
            partition: elements.next()?,
            service: elements.next()?,
            region: elements.next()?,
            account: elements.next()?,
            resource: elements.next()?,
        })
    }

    /// Reads the ARN that an SNS parameter of this name gives.
    ///
    /// Refused with InvalidParameter.
    pub fn of_parameter(parameter: &str, text: &'a str) -> Result<Self, Refusal> {
        let count = text.split(':').count();
        if count < 6 {
            let reason = format_args!("An ARN must have at least 6 elements, not {count}");
            return Err(Refusal::invalid_parameter_because(parameter, reason));
        }
        Self::parse(text).ok_or_else(|| Refusal::invalid_parameter(parameter))
    }
}
