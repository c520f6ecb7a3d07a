//! The `numeric` condition: an equality, or one or two bounds.
//!
//! AWS page: "Numeric value matching".

use std::ops::Bound;

use super::conditions::{Condition, Number};
use super::document::{Fault, Json, Kind};

/// What the engine says of anything behind a bound that stands alone, or behind the whole array.
pub const TOO_MANY_ELEMENTS: &str = "Too many elements in numeric expression";

/// Reads `["=", n]`, `["<", n]` and the like, or a lower and then an upper bound. How far numbers
/// are away is looked at once the array has the right form.
// Rule (Subscribe, SetSubscriptionAttributes): "Bad numeric range operator" gives the column behind the operator.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-bad-range-operator
// Rule (Subscribe, SetSubscriptionAttributes): a bound, or a number in anything-but, beyond -10⁹ and 10⁹ is refused.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
// Test: tests/scenarios/filters.txt#Numbers beyond a billion are compared as they are written
pub fn range(json: &Json, text: &str) -> Result<Condition, Fault> {
    let Kind::Array(terms) = &json.kind else {
        return Err(Fault::at("Value of numeric must be an array.", json.met()));
    };
    let terms = Terms { all: terms, text, end: json.end };
    let operator = terms.operator(0, "Invalid member in numeric match")?;
    let first = match operator {
        "=" | "<" | "<=" => {
            let name = if operator == "=" { "equals" } else { operator };
            let number = terms.number(1, name)?;
            terms.end_at(2, TOO_MANY_ELEMENTS)?;
            let value = near(number, json.end)?;
            return Ok(match operator {
                "=" => Condition::Numeric(Bound::Included(value), Bound::Included(value)),
                _ => Condition::Numeric(Bound::Unbounded, bound(operator, value)),
            });
        }
        ">" | ">=" => terms.number(1, operator)?,
        other => {
            let sentence = format!("Unrecognized numeric range operator: {other}");
            return Err(Fault::at(sentence, terms.place(1)));
        }
    };
    if terms.all.len() == 2 {
        let from = bound(operator, near(first, json.end)?);
        return Ok(Condition::Numeric(from, Bound::Unbounded));
    }
    let upper = terms.operator(2, "Bad value in numeric range")?;
    if !matches!(upper, "<" | "<=") {
        // The operator has been read to its end.
        let end = terms.all.get(2).map_or(json.end, |operator| operator.end);
        return Err(Fault::at(format!("Bad numeric range operator: {upper}"), end));
    }
    let second = terms.number(3, upper)?;
    terms.end_at(4, "Too many terms in numeric range expression")?;
    let (from, to) = (near(first, json.end)?, near(second, json.end)?);
    if from >= to {
        return Err(Fault::at("Bottom must be less than top", json.end));
    }
    Ok(Condition::Numeric(bound(operator, from), bound(upper, to)))
}

/// What ranges compare of a number, in hundred-thousandths. `byte`: where the parser stands.
pub fn near(number: &Number, byte: usize) -> Result<i64, Fault> {
    number.near().ok_or_else(|| Fault::at(TOO_FAR, byte))
}

/// What the engine says of numbers that it cannot compare.
pub const TOO_FAR: &str = "Value must be between -1.0E9 and 1.0E9, inclusive";

/// The bound that belongs to an operator.
fn bound(operator: &str, value: i64) -> Bound<i64> {
    if operator.ends_with('=') { Bound::Included(value) } else { Bound::Excluded(value) }
}

struct Terms<'a> {
    all: &'a [Json],
    text: &'a str,
    end: usize,
}

impl<'a> Terms<'a> {
    /// The operator at this index, or the complaint about what is there instead.
    fn operator(&self, index: usize, complaint: &str) -> Result<&'a str, Fault> {
        let found = match self.all.get(index) {
            Some(Json { kind: Kind::String(operator), .. }) => return Ok(operator),
            Some(other) => other.token(self.text),
            None => "]",
        };
        Err(Fault::at(format!("{complaint}: {found}"), self.place(index)))
    }

    /// The number at this index.
    fn number(&self, index: usize, operator: &str) -> Result<&'a Number, Fault> {
        let Some(Json { kind: Kind::Number(number), .. }) = self.all.get(index) else {
            let sentence = format!("Value of {operator} must be numeric");
            return Err(Fault::at(sentence, self.place(index)));
        };
        Ok(number)
    }

    fn end_at(&self, index: usize, complaint: &str) -> Result<(), Fault> {
        match self.all.get(index) {
            Some(term) => Err(Fault::at(complaint, term.met())),
            None => Ok(()),
        }
    }

    /// Where the parser stands at this index: behind the array when there is no such term.
    fn place(&self, index: usize) -> usize {
        self.all.get(index).map_or(self.end, Json::met)
    }
}
