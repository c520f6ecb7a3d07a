//! `--query`: JMESPath as the AWS CLI reads it.

use jmespath::{Expression, compile};
use serde_json::Value;

/// Parses a query. The error explains what is wrong with it.
pub(super) fn read(text: &str) -> Result<Expression<'static>, String> {
    compile(&with_json_literals(text)).map_err(|error| error.to_string())
}

/// Literals are JSON between backticks. A literal that is invalid JSON is a text without its
/// quotes, as in the AWS CLI and many scripts: ``[?contains(@, `orders`)]``.
fn with_json_literals(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['`', '\'', '"']) {
        let quote = &rest[start..=start];
        written.push_str(&rest[..start]);
        let within = &rest[start + 1..];
        let Some(end) = closing(within, quote) else {
            written.push_str(&rest[start..]);
            return written;
        };
        let inner = &within[..end];
        written.push_str(quote);
        written.push_str(&if quote == "`" { literal(inner) } else { inner.to_owned() });
        written.push_str(quote);
        rest = &within[end + 1..];
    }
    written + rest
}

/// Returns the end of a quotation. A backslash escapes the next character.
fn closing(text: &str, quote: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices() {
        if !is_escaped && quote.starts_with(letter) {
            return Some(place);
        }
        is_escaped = letter == '\\' && !is_escaped;
    }
    None
}

fn literal(inner: &str) -> String {
    let text = inner.replace("\\`", "`");
    if serde_json::from_str::<Value>(text.trim()).is_ok() {
        return inner.to_owned();
    }
    match serde_json::from_str::<String>(&format!("\"{}\"", text.trim_start())) {
        Ok(text) => Value::String(text).to_string().replace('`', "\\`"),
        Err(_) => inner.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_between_backticks_need_no_quotes() {
        let answer = serde_json::json!({"Urls": ["http://h/a", "http://h/b"], "`": 1, "n": 5});
        let found = |query: &str| {
            let found = read(query).unwrap().search(&answer).unwrap();
            serde_json::to_value(&*found).unwrap()
        };
        assert_eq!(found("Urls[?contains(@, `/b`)] | [0]"), "http://h/b");
        assert_eq!(found("Urls[?contains(@, `\"/b\"`)] | [0]"), "http://h/b");
        assert_eq!(found("Urls[?ends_with(@, '/a')] | [0]"), "http://h/a");
        assert_eq!(found("n == `5`"), true);
        assert_eq!(found("\"`\" == `1` && n != `a b`"), true);
        assert_eq!(found("'`x`'"), "`x`");
        assert_eq!(found("`a\\`b`"), "a`b");
        assert!(read("Urls[").is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_makes_it_fail(text in "[a`'\"\\\\ü\\[\\]?@ ]{0,40}") {
            let _ = with_json_literals(&text);
        }
    }
}
