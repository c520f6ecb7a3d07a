//! Paged lists: all pages are shown as one, or up to a number of items, with a token to continue
//! from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::Caller;
use super::command_line::CommandLine;
use super::{Failure, Input};

/// The content of `--starting-token`: the token of a page, and how many of its items were shown, in
/// the AWS CLI's format.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Start {
    #[serde(rename = "NextToken")]
    page: Option<String>,
    #[serde(rename = "boto_truncate_amount", default, skip_serializing_if = "is_none_shown")]
    shown: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none_shown(shown: &usize) -> bool {
    *shown == 0
}

impl Start {
    fn read(token: &str) -> Self {
        let decoded = STANDARD.decode(token).ok();
        let start = decoded.and_then(|text| serde_json::from_slice(&text).ok());
        // The service's own token is valid too.
        start.unwrap_or_else(|| Self { page: Some(token.to_owned()), shown: 0 })
    }

    fn token(&self) -> String {
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Returns whether a call requests all pages of a list.
pub(super) fn is_for_all(command: &CommandLine) -> bool {
    let of_pages = ["NextToken", "MaxResults"];
    let by_hand = of_pages.iter().any(|name| command.input.contains_key(*name));
    command.paginate && !by_hand && command.operation.has("NextToken")
}

/// Returns the response of a call with its further pages.
pub(super) fn call(command: &CommandLine, caller: &Caller) -> Result<Value, Failure> {
    if !is_for_all(command) {
        return caller.call(command, &command.input);
    }
    let start = command.starting_token.as_deref().map(Start::read).unwrap_or_default();
    collect(start, command.max_items, |page| {
        let mut input: Input = command.input.clone();
        if let (Some(size), true) = (command.page_size, command.operation.has("MaxResults")) {
            input.insert("MaxResults".to_owned(), size.into());
        }
        if let Some(page) = page {
            input.insert("NextToken".to_owned(), page.into());
        }
        caller.call(command, &input)
    })
}

/// Reads pages from a start until there are enough items.
fn collect(
    start: Start,
    most: Option<usize>,
    mut ask: impl FnMut(Option<&str>) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let mut answer = ask(start.page.as_deref())?;
    let mut next = next_token(&mut answer);
    if let Some(items) = items(&mut answer) {
        items.drain(..start.shown.min(items.len()));
    }
    // The start of the page with the last items of the response, and how many items precede it.
    let (mut page, mut before, mut skipped) = (start.page, 0, start.shown);
    let mut seen = Vec::new();
    loop {
        let count = items(&mut answer).map_or(0, |items| items.len());
        if let Some(most) = most.filter(|most| *most < count) {
            if let Some(items) = items(&mut answer) {
                items.truncate(most);
            }
            let shown = most - before + skipped;
            return Ok(with_token(answer, &Start { page, shown }));
        }
        let Some(token) = next.take().filter(|token| !seen.contains(token)) else {
            return Ok(answer);
        };
        if most == Some(count) {
            return Ok(with_token(answer, &Start { page: Some(token), shown: 0 }));
        }
        let mut more = ask(Some(&token))?;
        next = next_token(&mut more);
        append(&mut answer, more);
        (page, before, skipped) = (Some(token.clone()), count, 0);
        seen.push(token);
    }
}

fn with_token(mut answer: Value, start: &Start) -> Value {
    if let Some(members) = answer.as_object_mut() {
        members.insert("NextToken".to_owned(), start.token().into());
    }
    answer
}

/// Returns the list of a response.
fn items(answer: &mut Value) -> Option<&mut Vec<Value>> {
    answer.as_object_mut()?.values_mut().find_map(Value::as_array_mut)
}

fn next_token(answer: &mut Value) -> Option<String> {
    let token = answer.as_object_mut()?.shift_remove("NextToken")?;
    token.as_str().filter(|token| !token.is_empty()).map(str::to_owned)
}

fn append(answer: &mut Value, next: Value) {
    let (Some(answer), Value::Object(next)) = (answer.as_object_mut(), next) else { return };
    for (key, value) in next {
        match (answer.get_mut(&key), value) {
            (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
            (_, value) => {
                answer.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// A list of numbers in pages of some size, whose tokens are where they begin.
    fn list(length: usize, size: usize) -> impl Fn(Option<&str>) -> Result<Value, Failure> {
        move |token| {
            let begin = token.map_or(0, |token| token.parse().unwrap());
            let end = (begin + size).min(length);
            let mut page = json!({"Numbers": (begin..end).collect::<Vec<_>>()});
            if end < length {
                page["NextToken"] = end.to_string().into();
            }
            Ok(page)
        }
    }

    proptest! {
        /// Continuing from each token returns every item once, in order.
        #[test]
        fn nothing_is_shown_twice_and_nothing_left_out(
            length in 0_usize..40, size in 1_usize..9, most in 1_usize..15,
        ) {
            let mut met = Vec::new();
            let mut token: Option<String> = None;
            for _ in 0..=length {
                let start = token.as_deref().map(Start::read).unwrap_or_default();
                let mut answer = collect(start, Some(most), list(length, size)).unwrap();
                let shown = answer["Numbers"].as_array().unwrap().clone();
                prop_assert!(shown.len() <= most);
                met.extend(shown);
                token = next_token(&mut answer);
                if token.is_none() {
                    break;
                }
            }
            prop_assert_eq!(met, (0..length).map(Value::from).collect::<Vec<_>>());
            let all = collect(Start::default(), None, list(length, size)).unwrap();
            prop_assert_eq!(all["Numbers"].as_array().map(Vec::len), Some(length));
            prop_assert!(all.get("NextToken").is_none());
        }
    }

    #[test]
    fn a_token_of_the_service_is_one_too_and_one_that_repeats_ends_it() {
        let from = collect(Start::read("7"), None, list(9, 2)).unwrap();
        assert_eq!(from["Numbers"], json!([7, 8]));
        let circle = |_: Option<&str>| Ok(json!({"Numbers": [1], "NextToken": "again"}));
        assert_eq!(collect(Start::default(), None, circle).unwrap()["Numbers"], json!([1, 1]));
    }
}
