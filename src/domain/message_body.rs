//! The rules for message bodies, and the characters allowed in all texts of a message.

use super::{Kind, Refusal};

/// The allowed characters as AWS lists them in its errors.
pub(super) const ALLOWED_CHARACTERS: &str = "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | \
                                             [#x10000-#x10FFFF]";

/// Checks that MessageBody exists, is not empty, and has only allowed characters.
///
/// Rejects with MissingParameter or InvalidMessageContents.
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub fn check(body: Option<&str>) -> Result<&str, Refusal> {
    let body =
        body.filter(|body| !body.is_empty()).ok_or_else(|| Refusal::missing("MessageBody"))?;
    match forbidden_character(body) {
        None => Ok(body),
        Some(character) => Err(Refusal::new(
            Kind::InvalidMessageContents,
            format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of \
                 allowed characters is {ALLOWED_CHARACTERS}.",
                u32::from(character)
            ),
        )),
    }
}

/// Checks the bytes of a message, including attributes, against the queue's MaximumMessageSize, which is
/// itself allowed. The error text differs for an entry of a batch.
pub fn check_size(bytes: usize, maximum: u32, in_batch: bool) -> Result<(), Refusal> {
    if bytes <= maximum as usize {
        return Ok(());
    }
    let verdict = if in_batch { "cannot be validated" } else { "are invalid" };
    Err(Refusal::invalid(format!(
        "One or more parameters {verdict}. Reason: Message must be shorter than {maximum} bytes."
    )))
}

/// Returns the first forbidden character of a text, if any.
///
/// Only control characters and two non-characters are forbidden. Bytes that can begin neither are skipped
/// in blocks, which the compiler turns into vector instructions.
#[expect(clippy::needless_bitwise_bool, reason = "branches would keep the loop scalar")]
pub(super) fn forbidden_character(text: &str) -> Option<char> {
    const LEAD_BYTE_OF_NON_CHARACTERS: u8 = 0xEF;
    let is_suspect = |byte: u8| {
        (byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')
            | (byte == LEAD_BYTE_OF_NON_CHARACTERS)
    };
    let any_suspect = text
        .as_bytes()
        .chunks(64)
        .any(|block| block.iter().fold(false, |found, byte| found | is_suspect(*byte)));
    if any_suspect { text.chars().find(|character| !is_allowed(*character)) } else { None }
}

fn is_allowed(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => character >= ' ',
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_must_be_there() {
        assert_eq!(check(None), Err(Refusal::missing("MessageBody")));
        assert_eq!(check(Some("")), Err(Refusal::missing("MessageBody")));
        assert_eq!(check(Some("a")), Ok("a"));
    }

    #[test]
    fn forbidden_characters_are_named_in_upper_case() {
        let long = format!("{}\u{B}", "a".repeat(500));
        for (body, code) in [
            ("a\u{7}", "#x7"),
            ("\0", "#x0"),
            ("é\u{1F}", "#x1F"),
            ("\u{FFFF}", "#xFFFF"),
            ("x\u{FFFE}y", "#xFFFE"),
            (&long, "#xB"),
        ] {
            let refusal = check(Some(body)).unwrap_err();
            assert_eq!(refusal.kind, Kind::InvalidMessageContents);
            assert_eq!(
                refusal.message,
                format!(
                    "Invalid binary character '{code}' was found in the message body, the set of \
                     allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | \
                     [#x10000-#x10FFFF]."
                )
            );
        }
    }

    #[test]
    fn the_edges_of_the_allowed_set_are_allowed() {
        let body = "\t\n\r \u{7F}\u{80}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{1FFFF}\u{10FFFF}";
        assert_eq!(check(Some(body)), Ok(body));
    }

    #[test]
    fn a_message_may_be_as_long_as_the_maximum() {
        assert_eq!(check_size(1024, 1024, false), Ok(()));
        assert_eq!(
            check_size(1_048_577, 1_048_576, false).unwrap_err().message,
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 \
             bytes."
        );
        assert_eq!(
            check_size(1025, 1024, true).unwrap_err().message,
            "One or more parameters cannot be validated. Reason: Message must be shorter than \
             1024 bytes."
        );
    }

    proptest! {
        #[test]
        fn the_quick_look_agrees_with_the_definition(
            characters in prop::collection::vec(
                prop_oneof![any::<char>(), Just('a'), Just('\u{FFFE}'), Just('\u{1}')], 0..200),
        ) {
            let text: String = characters.iter().collect();
            let first = characters.into_iter().find(|c| !is_allowed(*c));
            prop_assert_eq!(forbidden_character(&text), first);
        }
    }
}
