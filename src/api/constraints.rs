//! The constraints of the service model, which AWS's framework checks before SNS and STS see a request. All
//! violations are reported at once.
//!
//! Names are those of the model with a lower-case first letter.

use crate::domain::{Kind, Refusal};
use std::ops::RangeInclusive;

/// The violations of a request.
#[derive(Debug, Default)]
pub struct Constraints(Vec<String>);

impl Constraints {
    /// Requires a member.
    #[must_use]
    pub fn present(mut self, name: &str, is_there: bool) -> Self {
        if !is_there {
            self.0.push(format!(
                "Value null at '{name}' failed to satisfy constraint: Member must not be null"
            ));
        }
        self
    }

    /// Requires a text, if present, to have this many characters.
    #[must_use]
    pub fn length(self, name: &str, value: Option<&str>, range: RangeInclusive<usize>) -> Self {
        let Some(value) = value else { return self };
        let length = value.chars().count();
        if length < *range.start() {
            let least = range.start();
            let must = format!("Member must have length greater than or equal to {least}");
            return self.failed(name, value, &must);
        }
        if length > *range.end() {
            let must = format!("Member must have length less than or equal to {}", range.end());
            return self.failed(name, value, &must);
        }
        self
    }

    /// Requires each text of a list to have this many characters.
    #[must_use]
    pub fn each_length(self, name: &str, values: &[String], range: RangeInclusive<usize>) -> Self {
        if values.iter().all(|value| range.contains(&value.chars().count())) {
            return self;
        }
        let must = format!(
            "Member must satisfy constraint: [Member must have length less than or equal to {}, \
             Member must have length greater than or equal to {}]",
            range.end(),
            range.start()
        );
        self.failed(name, &format!("[{}]", values.join(", ")), &must)
    }

    /// Requires a text, if present, to match a pattern, which `fits` implements.
    #[must_use]
    pub fn pattern(
        self,
        name: &str,
        value: Option<&str>,
        pattern: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Self {
        match value {
            Some(value) if !fits(value) => {
                let must = format!("Member must satisfy regular expression pattern: {pattern}");
                self.failed(name, value, &must)
            }
            _ => self,
        }
    }

    /// Requires a text, if present, to be one of these.
    #[must_use]
    pub fn one_of(self, name: &str, value: Option<&str>, values: &[&str]) -> Self {
        match value {
            Some(value) if !values.contains(&value) => {
                let must = format!("Member must satisfy enum value set: [{}]", values.join(", "));
                self.failed(name, value, &must)
            }
            _ => self,
        }
    }

    /// Requires a number, if present, to be in a range.
    #[must_use]
    pub fn range(self, name: &str, value: Option<i64>, range: RangeInclusive<i64>) -> Self {
        let Some(value) = value.filter(|value| !range.contains(value)) else { return self };
        let must = if value < *range.start() {
            format!("Member must have value greater than or equal to {}", range.start())
        } else {
            format!("Member must have value less than or equal to {}", range.end())
        };
        self.failed(name, &value.to_string(), &must)
    }

    /// Records a violation. Long values are truncated.
    fn failed(mut self, name: &str, value: &str, must: &str) -> Self {
        const SHOWN: usize = 256;
        let value = &value[..value.floor_char_boundary(SHOWN)];
        self.0.push(format!("Value '{value}' at '{name}' failed to satisfy constraint: {must}"));
        self
    }

    /// Rejects with ValidationError if there are violations.
    pub fn check(self) -> Result<(), Refusal> {
        let count = match self.0.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            more => format!("{more} validation errors"),
        };
        let message = format!("{count} detected: {}", self.0.join("; "));
        Err(Refusal::new(Kind::ValidationError, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_together() {
        let refusal = Constraints::default()
            .present("topicArn", false)
            .present("label", true)
            .length("a", Some(""), 1..=2)
            .length("b", Some("éé"), 1..=2)
            .length("c", None, 1..=2)
            .each_length("g", &["x".to_owned(), String::new()], 1..=2)
            .each_length("h", &["x".to_owned()], 1..=2)
            .range("d", Some(3), 1..=2)
            .one_of("e", Some("x"), &["y", "z"])
            .pattern("f", Some("x"), "[0-9]*", |text| text == "1");
        assert_eq!(
            refusal.check().unwrap_err().message,
            "6 validation errors detected: Value null at 'topicArn' failed to satisfy constraint: \
             Member must not be null; Value '' at 'a' failed to satisfy constraint: Member must \
             have length greater than or equal to 1; Value '[x, ]' at 'g' failed to satisfy \
             constraint: Member must satisfy constraint: [Member must have length less than or \
             equal to 2, Member must have length greater than or equal to 1]; Value '3' at 'd' failed to satisfy \
             constraint: Member must have value less than or equal to 2; Value 'x' at 'e' failed \
             to satisfy constraint: Member must satisfy enum value set: [y, z]; Value 'x' at 'f' \
             failed to satisfy constraint: Member must satisfy regular expression pattern: [0-9]*"
        );
    }

    #[test]
    fn long_values_are_cut() {
        let refusal = Constraints::default().length("a", Some(&"é".repeat(100_000)), 1..=9);
        assert!(refusal.check().unwrap_err().message.len() < 500);
    }
}
