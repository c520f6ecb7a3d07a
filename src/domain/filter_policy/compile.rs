//! Compiles rules into what they ask of messages, within the limits of AWS's page "Filter policy constraints".

use std::sync::Arc;

use super::conditions::Condition;
use super::document::Fault;
use super::matching::Asked;
use super::parse::Rule;
use super::ways::Ways;
use crate::domain::limits::{FILTER_POLICY_COMPLEXITY, FILTER_POLICY_KEYS};

/// The ways to meet a policy, any of which will do, and what they ask of a message. There are at
/// most as many as the policy is complex.
pub fn ways(policy: &Rule) -> Result<(Ways, Asked), Fault> {
    if keys(policy) > FILTER_POLICY_KEYS {
        let sentence = format!("Filter policy can not have more than {FILTER_POLICY_KEYS} keys");
        return Err(Fault::whole(sentence));
    }
    if complexity(policy, 0) > FILTER_POLICY_COMPLEXITY {
        return Err(Fault::too_complex());
    }
    let (mut all, mut asked) = (Ways::NONE, Asked::default());
    for (number, requirements) in expand(policy, &mut Vec::new()).into_iter().enumerate() {
        let way = Ways::only(number);
        all |= way;
        for Requirement { path, demand } in &requirements {
            match demand {
                Demand::Absent => asked.require_absence(way, path),
                Demand::Any(conditions) => asked.require(way, path, conditions),
            }
        }
    }
    asked.settle();
    Ok((all, asked))
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

/// Something that a way asks of the value under a path.
#[derive(Debug, Clone)]
struct Requirement {
    path: Vec<Arc<str>>,
    demand: Demand,
}

#[derive(Debug, Clone)]
enum Demand {
    Absent,
    Any(Arc<[Condition]>),
}

fn expand(rule: &Rule, path: &mut Vec<Arc<str>>) -> Vec<Vec<Requirement>> {
    match rule {
        Rule::Value(conditions) => {
            let present = (!conditions.present.is_empty())
                .then(|| Demand::Any(Arc::clone(&conditions.present)));
            let absent = conditions.or_absent.then_some(Demand::Absent);
            let demands = present.into_iter().chain(absent);
            demands.map(|demand| vec![Requirement { path: path.clone(), demand }]).collect()
        }
        Rule::Property(name, rule) => {
            let above = path.len();
            path.extend(name.iter().cloned());
            let ways = expand(rule, path);
            path.truncate(above);
            ways
        }
        Rule::All(rules) => rules.iter().fold(vec![Vec::new()], |ways, rule| {
            let more = expand(rule, path);
            let joined =
                ways.iter().flat_map(|way| more.iter().map(|more| [&way[..], more].concat()));
            joined.collect()
        }),
        Rule::Any(branches) => branches.iter().flat_map(|branch| expand(branch, path)).collect(),
    }
}
