//! Compiles the rules of a policy within the limits of AWS's page "Filter policy constraints".

use super::parse::Rule;
use super::pattern::{Alternatives, Pattern};
use super::refusal::Fault;
use crate::domain::limits::{FILTER_POLICY_COMPLEXITY, FILTER_POLICY_KEYS};

/// Compiles a policy.
pub fn pattern<'p>(policy: Rule) -> Result<Pattern, Fault<'p>> {
    if keys(&policy) > FILTER_POLICY_KEYS {
        let sentence = format!("Filter policy can not have more than {FILTER_POLICY_KEYS} keys");
        return Err(Fault::Whole(sentence));
    }
    if complexity(&policy, 0) > FILTER_POLICY_COMPLEXITY {
        return Err(Fault::too_complex());
    }
    let mut pattern = Pattern::default();
    let each: Vec<_> = (0..alternatives(&policy)).map(Alternatives::only).collect();
    add(policy, &mut pattern, &each);
    pattern.complete();
    Ok(pattern)
}

/// Returns the number of keys that the limit counts. How AWS counts keys below `$or` is not known; the branch with the
/// most keys counts, so that nothing is refused that AWS might accept.
// Rule (Subscribe, SetSubscriptionAttributes): a filter policy with more than five keys is refused with "Filter policy can
//   not have more than 5 keys".
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-filter-six-keys, tests/recorded/sns.jsonl#sns-filter-six-keys-on-subscribe
// Rule (Subscribe, SetSubscriptionAttributes): the limit of five keys counts the keys at the top of a nested policy.
// Source: recorded, though one version of AWS's page says that the leaf keys count
// Test: tests/scenarios/filters.txt#Five keys are counted at the top of a policy
// Rule (Subscribe, SetSubscriptionAttributes): of the branches of $or, the one with the most keys counts towards the limit
//   of five.
// Source: inferred, no source was found
// Test: tests/scenarios/filters.txt#Five keys are counted at the top of a policy
fn keys(rule: &Rule) -> usize {
    match rule {
        Rule::Value(_) | Rule::Property(..) => 1,
        Rule::All(rules) => rules.iter().map(keys).sum(),
        Rule::Any(branches) => branches.iter().map(keys).max().unwrap_or(0),
    }
}

/// Returns the product of the numbers of conditions, each times its level of nesting. Branches of `$or` add up.
// Rule (Subscribe, SetSubscriptionAttributes): the complexity of a filter policy, which is the product of the numbers of
//   conditions, each times its level of nesting, is at most 150; otherwise "Filter policy is too complex".
// Source: recorded
// Test: tests/recorded/sns.jsonl#sns-filter-nested-too-complex, tests/recorded/sns.jsonl#sns-filter-100-by-51-on-subscribe
fn complexity(rule: &Rule, level: usize) -> usize {
    match rule {
        Rule::Value(conditions) => conditions.count.saturating_mul(level),
        Rule::Property(_, rule) => complexity(rule, level + 1),
        Rule::All(rules) => {
            rules.iter().map(|rule| complexity(rule, level)).fold(1, usize::saturating_mul)
        }
        Rule::Any(branches) => {
            branches.iter().map(|rule| complexity(rule, level)).fold(0, usize::saturating_add)
        }
    }
}

/// Returns the number of alternatives: combinations of what must hold, each of which is enough for the rule. There are at
/// most as many as the policy is complex.
fn alternatives(rule: &Rule) -> usize {
    match rule {
        Rule::Value(conditions) => {
            usize::from(!conditions.present.is_empty()) + usize::from(conditions.or_absent)
        }
        Rule::Property(_, rule) => alternatives(rule),
        Rule::All(rules) => rules.iter().map(alternatives).product(),
        Rule::Any(branches) => branches.iter().map(alternatives).sum(),
    }
}

/// Adds a rule to the pattern of a value. `each` has, for every alternative of the rule, the alternatives of the whole
/// policy that it is a part of.
fn add(rule: Rule, pattern: &mut Pattern, each: &[Alternatives]) {
    match rule {
        Rule::Value(conditions) => {
            let (present, absent) =
                each.split_at(usize::from(!conditions.present.is_empty()).min(each.len()));
            for alternatives in present {
                pattern.require(*alternatives, &conditions.present);
            }
            for alternatives in absent {
                pattern.require_absence(*alternatives);
            }
        }
        Rule::Property(path, rule) => {
            let pattern = path.into_iter().fold(pattern, Pattern::property);
            add(*rule, pattern, each);
        }
        Rule::All(rules) => {
            // An alternative of all rules combines one of each: a number with one digit for each rule.
            let mut digit_value = 1;
            for rule in rules {
                let mut of_rule = vec![Alternatives::NONE; alternatives(&rule)];
                for (number, alternative) in each.iter().enumerate() {
                    let digit = number / digit_value % of_rule.len();
                    of_rule[digit] = of_rule[digit].or(*alternative);
                }
                digit_value *= of_rule.len();
                add(rule, pattern, &of_rule);
            }
        }
        Rule::Any(branches) => {
            let mut rest = each;
            for branch in branches {
                let (of_branch, behind) = rest.split_at(alternatives(&branch).min(rest.len()));
                add(branch, pattern, of_branch);
                rest = behind;
            }
        }
    }
}
