//! The `numeric` condition: an equality, or one or two bounds.
//!
//! AWS page: "Numeric value matching".

use std::ops::Bound;

use super::conditions::{Condition, Number};
use super::refusal::{Fault, token};
use serde_json::Value;

/// What the engine says of anything behind a bound that stands alone, or behind the whole array.
pub const TOO_MANY_ELEMENTS: &str = "Too many elements in numeric expression";

/// What the engine says of numbers that it cannot compare.
pub const TOO_FAR: &str = "Value must be between -1.0E9 and 1.0E9, inclusive";

/// Reads `["=", n]`, `["<", n]` and the like, or a lower and then an upper bound. The numbers are checked after the form of
/// the array.
// Rule (Subscribe, SetSubscriptionAttributes): "Bad numeric range operator" gives the column behind the operator.
// Source: recorded
// Test: tests/recorded/sns-filters.jsonl#sns-filter-bad-range-operator
// Rule (Subscribe, SetSubscriptionAttributes): a bound, or a number in anything-but, beyond -10⁹ and 10⁹ is refused.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
// Test: tests/scenarios/filters.txt#Numbers beyond a billion are compared as they are written
pub fn range(json: &Value) -> Result<Condition, Fault<'_>> {
    let Value::Array(terms) = json else {
        return Err(Fault::at("Value of numeric must be an array.", json));
    };
    let terms = Terms { array: json, terms };
    let first = terms.operator(0, "Invalid member in numeric match")?;
    match first {
        "=" | "<" | "<=" => {
            let number = terms.number(1, if first == "=" { "equals" } else { first })?;
            terms.end_at(2, TOO_MANY_ELEMENTS)?;
            let value = terms.near(&number)?;
            let from = if first == "=" { Bound::Included(value) } else { Bound::Unbounded };
            return Ok(Condition::Numeric(from, bound(first, value)));
        }
        ">" | ">=" => {}
        other => {
            let sentence = format!("Unrecognized numeric range operator: {other}");
            return Err(terms.fault(1, sentence));
        }
    }
    let lower = terms.number(1, first)?;
    if terms.terms.len() == 2 {
        return Ok(Condition::Numeric(bound(first, terms.near(&lower)?), Bound::Unbounded));
    }
    let second = terms.operator(2, "Bad value in numeric range")?;
    if !matches!(second, "<" | "<=") {
        let sentence = format!("Bad numeric range operator: {second}");
        return Err(Fault::behind(sentence, terms.terms.get(2).unwrap_or(json)));
    }
    let upper = terms.number(3, second)?;
    terms.end_at(4, "Too many terms in numeric range expression")?;
    let (from, to) = (terms.near(&lower)?, terms.near(&upper)?);
    if from >= to {
        return Err(Fault::behind("Bottom must be less than top", json));
    }
    Ok(Condition::Numeric(bound(first, from), bound(second, to)))
}

fn bound(operator: &str, value: i64) -> Bound<i64> {
    if matches!(operator, "<" | ">") { Bound::Excluded(value) } else { Bound::Included(value) }
}

struct Terms<'p> {
    array: &'p Value,
    terms: &'p [Value],
}

impl<'p> Terms<'p> {
    /// Returns the operator at this index, or the complaint about what is there instead.
    fn operator(&self, index: usize, complaint: &str) -> Result<&'p str, Fault<'p>> {
        let found = match self.terms.get(index) {
            Some(Value::String(operator)) => return Ok(operator),
            Some(other) => token(other),
            None => "]".to_owned(),
        };
        Err(self.fault(index, format!("{complaint}: {found}")))
    }

    fn number(&self, index: usize, operator: &str) -> Result<Number, Fault<'p>> {
        match self.terms.get(index) {
            Some(Value::Number(number)) => Ok(number.clone().into()),
            _ => Err(self.fault(index, format!("Value of {operator} must be numeric"))),
        }
    }

    /// Returns the number in hundred-thousandths.
    fn near(&self, number: &Number) -> Result<i64, Fault<'p>> {
        number.near().ok_or_else(|| Fault::behind(TOO_FAR, self.array))
    }

    fn end_at(&self, index: usize, complaint: &str) -> Result<(), Fault<'p>> {
        self.terms.get(index).map_or(Ok(()), |term| Err(Fault::at(complaint, term)))
    }

    /// Returns a refusal at this index, or behind the array when there is no such term.
    fn fault(&self, index: usize, sentence: String) -> Fault<'p> {
        match self.terms.get(index) {
            Some(term) => Fault::At(sentence, term),
            None => Fault::Behind(sentence, self.array),
        }
    }
}
