//! The definition of filter policies, as a plain reading of the JSON that tries every choice of array elements. It shares no
//! code with what it checks.

use serde_json::Value;

/// The values of a message under their paths, with one element chosen from each array.
type Choice<'a> = Vec<(String, &'a Value)>;

/// Whether the properties of a message are as the policy asks.
pub fn allows(policy: &Value, message: &Value) -> bool {
    let mut everything = Choice::new();
    all_values(message, "", &mut everything);
    let is_given = message.as_object().is_some_and(|properties| !properties.is_empty());
    is_given && choices(message, "").iter().any(|choice| holds(policy, "", choice, &everything))
}

/// The complexity of a policy that parses.
pub fn complexity(policy: &Value, level: u64) -> u64 {
    let members = policy.as_object().unwrap().iter();
    let factors = members.map(|(name, value)| match value {
        Value::Array(branches) if is_or(name, value) => {
            branches.iter().map(|branch| complexity(branch, level)).sum()
        }
        Value::Array(conditions) => conditions.len() as u64 * (level + 1),
        object => complexity(object, level + 1),
    });
    factors.product()
}

/// The keys of a policy that parses.
pub fn keys(policy: &Value) -> usize {
    let members = policy.as_object().unwrap().iter();
    let counts = members.map(|(name, value)| match value {
        Value::Array(branches) if is_or(name, value) => branches.iter().map(keys).max().unwrap(),
        _ => 1,
    });
    counts.sum()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn all_values<'a>(value: &'a Value, path: &str, found: &mut Choice<'a>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                all_values(value, &below(path, name), found);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                all_values(element, path, found);
            }
        }
        leaf => found.push((path.to_owned(), leaf)),
    }
}

fn choices<'a>(value: &'a Value, path: &str) -> Vec<Choice<'a>> {
    match value {
        Value::Object(members) => members.iter().fold(vec![vec![]], |chosen, (name, value)| {
            let more = choices(value, &below(path, name));
            chosen
                .iter()
                .flat_map(|one| more.iter().map(|more| [&one[..], more].concat()))
                .collect()
        }),
        Value::Array(elements) if !elements.is_empty() => {
            elements.iter().flat_map(|element| choices(element, path)).collect()
        }
        Value::Array(_) => vec![vec![]],
        leaf => vec![vec![(path.to_owned(), leaf)]],
    }
}

/// Whether this member is the operator `$or`.
pub fn is_or(name: &str, value: &Value) -> bool {
    name == "$or" && value[0].is_object() && value[1].is_object()
}

fn holds(policy: &Value, path: &str, choice: &Choice, everything: &Choice) -> bool {
    policy.as_object().unwrap().iter().all(|(name, value)| {
        let path = &if is_or(name, value) { path.to_owned() } else { below(path, name) };
        match value {
            Value::Array(branches) if is_or(name, value) => {
                branches.iter().any(|branch| holds(branch, path, choice, everything))
            }
            Value::Array(conditions) => conditions.iter().any(|condition| {
                if condition["exists"] == false {
                    return everything.iter().all(|(known, _)| known != path);
                }
                choice.iter().any(|(known, value)| known == path && meets(condition, value))
            }),
            object => holds(object, path, choice, everything),
        }
    })
}

fn meets(condition: &Value, value: &Value) -> bool {
    let Some((operator, operand)) = condition.as_object().and_then(|members| members.iter().next())
    else {
        return equal(condition, value);
    };
    let texts = operand.as_str().zip(value.as_str());
    match operator.as_str() {
        "prefix" => texts.is_some_and(|(start, text)| text.starts_with(start)),
        "suffix" => texts.is_some_and(|(end, text)| text.ends_with(end)),
        "equals-ignore-case" => texts.is_some_and(|(one, other)| one.eq_ignore_ascii_case(other)),
        "cidr" => texts.is_some_and(|(network, address)| is_within(network, address)),
        "exists" => !value.is_null() && value != "",
        "numeric" => operand.as_array().unwrap().chunks(2).all(|term| {
            let Some(value) = value.as_f64() else { return false };
            let bound = term[1].as_f64().unwrap();
            match term[0].as_str().unwrap() {
                "=" => value.total_cmp(&bound).is_eq(),
                "<" => value < bound,
                "<=" => value <= bound,
                ">" => value > bound,
                _ => value >= bound,
            }
        }),
        _ => match operand {
            Value::Array(excluded) => !excluded.iter().any(|excluded| equal(excluded, value)),
            Value::Object(_) => !meets(operand, value),
            excluded => !equal(excluded, value),
        },
    }
}

fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other).is_eq(),
        _ => one == other,
    }
}

/// For version 4 of the protocol only.
fn is_within(network: &str, address: &str) -> bool {
    let (network, bits) = network.split_once('/').unwrap();
    let number = |address: &str| {
        let parts: Option<Vec<u8>> = address.split('.').map(|part| part.parse().ok()).collect();
        let parts = parts.filter(|parts| parts.len() == 4)?;
        Some(parts.into_iter().fold(0_u64, |number, part| number * 256 + u64::from(part)))
    };
    let size = 1_u64 << (32 - bits.parse::<u32>().unwrap());
    number(address).is_some_and(|address| address / size == number(network).unwrap() / size)
}
