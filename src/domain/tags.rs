//! The rules for the tags of queues and topics.

use super::Refusal;
use super::limits::{TAG_KEY_LENGTH, TAG_VALUE_LENGTH, TAGS};

/// Checks tags that were given: lengths in characters, and no key that AWS keeps for itself.
pub fn check<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Refusal> {
    for (key, value) in given {
        if !TAG_KEY_LENGTH.contains(&key.chars().count()) {
            return Err(Refusal::invalid(
                "Tag keys must be between 1 and 128 characters in length.",
            ));
        }
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(Refusal::invalid(
                "Tag keys can't start with 'aws:'. This prefix is reserved for AWS use.",
            ));
        }
        if value.chars().count() > TAG_VALUE_LENGTH {
            return Err(Refusal::invalid(
                "Tag values must be between 0 and 256 characters in length.",
            ));
        }
    }
    Ok(())
}

/// Checks how many tags a queue would have, old and new together.
pub fn check_count(queue_name: &str, count: usize) -> Result<(), Refusal> {
    if count <= TAGS {
        return Ok(());
    }
    Err(Refusal::invalid(format!("Too many tags added for queue {queue_name}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters() {
        let (key, value) = ("ü".repeat(128), "ü".repeat(256));
        assert_eq!(check([(key.as_str(), value.as_str()), ("k", "")]), Ok(()));
        assert!(check([("", "v")]).is_err());
        assert!(check([("ü".repeat(129).as_str(), "v")]).is_err());
        assert!(check([("k", "ü".repeat(257).as_str())]).is_err());
    }

    #[test]
    fn keys_of_aws_are_refused_in_any_case() {
        assert!(check([("aws:x", "v")]).is_err());
        assert!(check([("AWS:x", "v")]).is_err());
        assert_eq!(check([("awsx", "v"), ("aüü", "v")]), Ok(()));
    }

    #[test]
    fn a_queue_has_at_most_fifty() {
        assert_eq!(check_count("q", 50), Ok(()));
        assert_eq!(check_count("q", 51).unwrap_err().message, "Too many tags added for queue q.");
    }
}
