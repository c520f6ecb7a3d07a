//! The `numeric` condition: an equality, or one or two bounds.
//!
//! AWS page: "Numeric value matching".

use std::ops::Bound;

use super::conditions::Condition;
use super::document::{Fault, Json, Kind};

/// Reads `["=", n]`, `["<", n]` and the like, or a lower and then an upper bound.
pub fn range(json: &Json, text: &str) -> Result<Condition, Fault> {
    let Kind::Array(terms) = &json.kind else {
        return Err(Fault::at("Value of numeric must be an array.", json.met()));
    };
    let terms = Terms { all: terms, text, end: json.end };
    let operator = terms.operator(0, "Invalid member in numeric match")?;
    let from = match operator {
        "=" => {
            let value = terms.number(1, "equals")?;
            terms.end_at(2, "Too many elements in numeric expression")?;
            return Ok(Condition::Numeric(Bound::Included(value), Bound::Included(value)));
        }
        "<" | "<=" => {
            let to = bound(operator, terms.number(1, operator)?);
            terms.end_at(2, "Too many terms in numeric range expression")?;
            return Ok(Condition::Numeric(Bound::Unbounded, to));
        }
        ">" | ">=" => terms.number(1, operator)?,
        other => {
            let sentence = format!("Unrecognized numeric range operator: {other}");
            return Err(Fault::at(sentence, terms.place(0)));
        }
    };
    if terms.all.len() == 2 {
        return Ok(Condition::Numeric(bound(operator, from), Bound::Unbounded));
    }
    let upper = terms.operator(2, "Bad value in numeric range")?;
    if !matches!(upper, "<" | "<=") {
        let sentence = format!("Bad numeric range operator: {upper}");
        return Err(Fault::at(sentence, terms.place(2)));
    }
    let to = terms.number(3, upper)?;
    terms.end_at(4, "Too many terms in numeric range expression")?;
    if from >= to {
        return Err(Fault::whole("Bottom must be less than top"));
    }
    Ok(Condition::Numeric(bound(operator, from), bound(upper, to)))
}

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

    /// The number at this index, in hundred-thousandths.
    fn number(&self, index: usize, operator: &str) -> Result<i64, Fault> {
        let Some(Json { kind: Kind::Number(number), .. }) = self.all.get(index) else {
            let sentence = format!("Value of {operator} must be numeric");
            return Err(Fault::at(sentence, self.place(index)));
        };
        let too_far = || Fault::whole("Value must be between -1.0E9 and 1.0E9, inclusive");
        number.near().ok_or_else(too_far)
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
