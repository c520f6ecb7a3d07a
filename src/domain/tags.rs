//! The rules for the tags of queues and topics.

use super::Refusal;
use super::limits::{TAG_KEY_LENGTH, TAG_VALUE_LENGTH, TAGS};
use super::message_body::forbidden_character;

// Rule (TagQueue, CreateQueue): tag keys have 1 to 128 characters and values up to 256, and no key starts
//   with aws:.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
// Test: src/domain/tags.rs::lengths_count_characters, src/domain/tags.rs::keys_of_aws_are_refused_in_any_case
//
/// Checks given tags: lengths in characters, no key that is reserved for AWS, and no characters that XML
/// cannot represent. Rejects with InvalidParameterValue.
pub fn check<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Refusal> {
    for (key, value) in given {
        check_key(key)?;
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
        check_characters("keys", key)?;
        check_characters("values", value)?;
    }
    Ok(())
}

// Rule (UntagQueue): a request without keys is InvalidParameterValue, "Tag keys must be between 1 and 128
//   characters in length."
// Source: reported, getmoto/moto#1686
// Test: tests/scenarios/queues.txt#Tags.
//
/// Checks the keys of tags to remove. Keys that no tag can have are rejected too.
pub fn check_removed<'a>(keys: impl IntoIterator<Item = &'a str>) -> Result<(), Refusal> {
    let mut keys = keys.into_iter();
    check_key(keys.next().unwrap_or_default())?;
    keys.try_for_each(check_key)
}

fn check_key(key: &str) -> Result<(), Refusal> {
    if TAG_KEY_LENGTH.contains(&key.chars().count()) {
        return Ok(());
    }
    Err(Refusal::invalid("Tag keys must be between 1 and 128 characters in length."))
}

// Rule (TagQueue, CreateQueue): characters that XML cannot represent are rejected in tag keys and values with
//   InvalidParameterValue; all other characters are allowed, including tabs and line breaks.
// Source: inferred, AWS returns tags in XML and calls them character strings without a meaning; the text is ours
// Test: tests/scenarios/queues.txt#Tags.
fn check_characters(part: &str, text: &str) -> Result<(), Refusal> {
    let Some(character) = forbidden_character(text) else { return Ok(()) };
    Err(Refusal::invalid(format!(
        "Tag {part} can't contain the character '#x{:X}'.",
        u32::from(character)
    )))
}

// Rule (TagQueue, CreateQueue): a queue has at most 50 tags, existing and new together.
// Source: documented, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
// Test: src/domain/tags.rs::a_queue_has_at_most_fifty
//
/// Checks the number of tags that a queue would have, existing and new together.
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
    fn characters_that_xml_cannot_hold_are_refused() {
        for (character, name) in [("\u{0}", "#x0"), ("\u{1b}", "#x1B"), ("\u{fffe}", "#xFFFE")] {
            let refusal = check([(format!("k{character}").as_str(), "v")]).unwrap_err();
            let sentence = format!("Tag keys can't contain the character '{name}'.");
            assert_eq!(refusal.message, sentence);
            let refusal = check([("k", format!("v{character}").as_str())]).unwrap_err();
            assert_eq!(refusal.message, sentence.replace("keys", "values"));
        }
        assert_eq!(check([("ключ +-=._:/@", "{\"a\":\t[1]}\r\n🕊")]), Ok(()));
    }

    #[test]
    fn keys_to_remove_are_there_and_are_keys() {
        assert!(check_removed([]).is_err());
        assert!(check_removed(["k", ""]).is_err());
        assert!(check_removed(["k".repeat(129).as_str()]).is_err());
        assert_eq!(check_removed(["k", "unknown"]), Ok(()));
    }

    #[test]
    fn a_queue_has_at_most_fifty() {
        assert_eq!(check_count("q", 50), Ok(()));
        assert_eq!(check_count("q", 51).unwrap_err().message, "Too many tags added for queue q.");
    }
}
