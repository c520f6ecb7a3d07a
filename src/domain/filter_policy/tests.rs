//! What policies mean and which are refused: as recorded, as documented, and as [`naive`] has it.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::time::Duration;
use tokio::time::Instant;

use super::{Candidate, FilterPolicy, Scope};
use crate::domain::message_attributes::{AttributeValue, MessageAttribute, MessageAttributes};

mod naive;

use Scope::{MessageAttributes as InAttributes, MessageBody as InBody};

fn policy(policy: &str, scope: Scope) -> FilterPolicy {
    let parsed = FilterPolicy::parse(policy, scope);
    parsed.unwrap_or_else(|error| panic!("{policy}: {error}")).expect("not the empty policy")
}

impl FilterPolicy {
    fn matches_attributes(&self, attributes: &MessageAttributes) -> bool {
        self.matches(&Candidate::new("", attributes))
    }

    fn matches_body(&self, body: &str) -> bool {
        self.matches(&Candidate::new(body, &MessageAttributes::new()))
    }
}

/// Why a policy is refused: the text after "FilterPolicy: ".
fn refusal(policy: &str, scope: Scope) -> String {
    let sentence = FilterPolicy::parse(policy, scope).unwrap_err();
    sentence.strip_prefix("FilterPolicy: ").unwrap_or_else(|| panic!("{sentence}")).to_owned()
}

fn attributes(given: &[(&str, &str, &str)]) -> MessageAttributes {
    let attribute = |data_type: &str, text: &str| MessageAttribute {
        data_type: data_type.to_owned(),
        value: match data_type {
            "Binary" => AttributeValue::Binary(text.into()),
            _ => AttributeValue::Text(text.to_owned()),
        },
    };
    given.iter().map(|(name, kind, text)| ((*name).to_owned(), attribute(kind, text))).collect()
}

fn strings(count: usize) -> String {
    let strings: Vec<_> = (0..count).map(|index| index.to_string()).collect();
    json!(strings).to_string()
}

fn keys(count: usize) -> String {
    let keys: Map<_, _> = (1..=count).map(|key| (format!("key_{key}"), json!(["v"]))).collect();
    Value::Object(keys).to_string()
}

/// What AWS answered after "FilterPolicy: ".
#[test]
fn refusals_are_as_recorded() {
    let too_complex = "Filter policy is too complex";
    let too_many = "Filter policy can not have more than 5 keys";
    for (text, scope, sentence) in [
        (
            r#"{"key_a":{"key_b":{"key_c":["1","2","3","4"]}},"key_d":{"key_e":["1","2","3"]},"key_f":["1","2","3"]}"#,
            InBody,
            too_complex,
        ),
        (&keys(6), InBody, too_many),
        (
            r#"{"key_a":"value_one"}"#,
            InBody,
            "\"key_a\" must be an object or an array\n at [Source: (String)\"{\"key_a\":\"value_one\"}\"; line: 1, column: 11]",
        ),
        (&format!(r#"{{"key":{}}}"#, strings(151)), InAttributes, too_complex),
        (
            &format!(r#"{{"key1":{},"key2":{}}}"#, strings(100), strings(51)),
            InAttributes,
            too_complex,
        ),
        (&keys(6), InAttributes, too_many),
    ] {
        assert_eq!(refusal(text, scope), sentence, "{text}");
    }
}

#[test]
fn deliveries_by_attributes_are_as_recorded() {
    let range = r#"{"attr1":[{"numeric":[">",0,"<=",100]}]}"#;
    let absent = r#"{"attr1":[null,{"anything-but":"whatever"}]}"#;
    for (text, given, delivered) in [
        (range, &[("attr1", "Number", "99")][..], true),
        (range, &[("attr1", "Number", "111")], false),
        (absent, &[], false),
        (absent, &[("attr1", "String", "other")], true),
    ] {
        let policy = policy(text, InAttributes);
        assert_eq!(policy.matches_attributes(&attributes(given)), delivered, "{text} {given:?}");
    }
}

#[test]
fn deliveries_by_body_are_as_recorded() {
    let two = r#"{"object.nested":["string.value"]}"#;
    let three = r#"{"object.nested.test":["string.value"]}"#;
    let or = r#"{"detail":{"$or":[{"sourceIPAddress":[{"cidr":"10.0.0.0/24"}]},{"sourceIPAddressV6":[{"cidr":"2001:db8:1234:1a00::/64"}]}]}}"#;
    for (text, body, delivered) in [
        (two, r#"{"object":{"nested":"string.value"}}"#, true),
        (two, r#"{"object.nested":"string.value"}"#, true),
        (two, r#"{"object":{"nested":"test-auto"}}"#, false),
        (three, r#"{"object":{"nested":{"test":"string.value"}}}"#, true),
        (three, r#"{"object.nested.test":"string.value"}"#, true),
        (three, r#"{"object.nested":{"test":"string.value"}}"#, true),
        (three, r#"{"object":{"nested.test":"string.value"}}"#, true),
        (three, r#"{"object":{"nested":{"test":"string.notvalue"}}}"#, false),
        (or, r#"{"detail":{"sourceIPAddress":"10.0.0.255"}}"#, true),
        (or, r#"{"detail":{"sourceIPAddress":"10.0.0.256"}}"#, false),
        (or, r#"{"detail":{"sourceIPAddressV6":"2001:0db8:1234:1a00:0000:0000:0000:0000"}}"#, true),
        (
            or,
            r#"{"detail":{"sourceIPAddressV6":"2001:0db8:123f:1a01:0000:0000:0000:0000"}}"#,
            false,
        ),
    ] {
        assert_eq!(policy(text, InBody).matches_body(body), delivered, "{text} {body}");
    }
}

#[test]
fn each_condition_on_values_of_a_body() {
    for (condition, met, unmet) in [
        ("\"rugby\"", json!(["rugby", ["x", "rugby"]]), json!(["Rugby", "rugb", [], {}, null])),
        ("5", json!([5, 5.0, [4, 5]]), json!(["5", 5.1, 50])),
        ("3.015e2", json!([301.5, 301.500_000_1]), json!([301.501, "301.5"])),
        ("1700000000000", json!([1_700_000_000_000_i64]), json!([1_700_000_000_001_i64])),
        ("true", json!([true]), json!([false, "true", 1])),
        ("false", json!([false]), json!([true, null, 0])),
        ("null", json!([null, [null]]), json!(["null", false, "", 0, []])),
        (r#"{"prefix":"bas"}"#, json!(["bas", "baseball"]), json!(["abas", "Base", 5])),
        (r#"{"prefix":""}"#, json!(["", "x"]), json!([5, null])),
        (r#"{"suffix":"ball"}"#, json!(["ball", "baseball"]), json!(["balls", "Ball", 5])),
        (
            r#"{"equals-ignore-case":"TeNnÏs"}"#,
            json!(["tennïs", "TENNÏS", "TeNnÏs"]),
            json!(["tennis", "tennï", 5]),
        ),
        (
            r#"{"anything-but":"a"}"#,
            json!(["b", "A", 5, true, null, ["a", "b"]]),
            json!(["a", ["a"], [], {}]),
        ),
        (
            r#"{"anything-but":["a","b"]}"#,
            json!(["c", "ab", ["a", "c"]]),
            json!(["a", "b", ["a", "b"]]),
        ),
        (
            r#"{"anything-but":[100,500]}"#,
            json!([101, 100.1, [100, 50], "100", 1e12]),
            json!([100, 5e2]),
        ),
        (r#"{"anything-but":100}"#, json!([101]), json!([100])),
        (
            r#"{"anything-but":{"prefix":"order-"}}"#,
            json!(["data-entry", "order_number", 5]),
            json!(["order-cancelled", "order-"]),
        ),
        (r#"{"numeric":["=",301.5]}"#, json!([301.5, 3.015e2]), json!([301, "301.5"])),
        (r#"{"numeric":["<",0]}"#, json!([-1, -0.00001]), json!([0, 1, "-1", -2e9])),
        (r#"{"numeric":["<=",0]}"#, json!([-1, 0, -0.0]), json!([0.00001])),
        (r#"{"numeric":[">",0]}"#, json!([1, 0.00001, 1e9]), json!([0, -1, 1e10])),
        (r#"{"numeric":[">=",0]}"#, json!([0, 1]), json!([-1, null])),
        (r#"{"numeric":[">",0,"<=",150]}"#, json!([1, 150, [-1, 7]]), json!([0, 150.1, [-1, 151]])),
        (r#"{"numeric":[">=",-1e9,"<",1e9]}"#, json!([-1e9, 0]), json!([1e9])),
        (r#"{"exists":true}"#, json!(["x", 0, false, ["x"]]), json!(["", null, [], {}, {"x": 1}])),
        (r#"{"exists":false}"#, json!([[], {}, {"x": 1}]), json!(["x", "", null, 0, [0]])),
        (
            r#"{"cidr":"10.0.0.0/24"}"#,
            json!(["10.0.0.0", "10.0.0.255"]),
            json!(["10.0.1.0", "10.0.0.256", "10.0.0", "10.0.0.0/24", "::10.0.0.1", 10]),
        ),
        (r#"{"cidr":"10.0.0.7/32"}"#, json!(["10.0.0.7"]), json!(["10.0.0.6"])),
        (r#"{"cidr":"10.0.0.0/0"}"#, json!(["1.2.3.4"]), json!(["::1"])),
        (
            r#"{"cidr":"2001:db8::/33"}"#,
            json!(["2001:db8::1", "2001:0DB8:7fff:0:0:0:0:0"]),
            json!(["2001:db8:8000::", "2001:db9::", "10.0.0.1"]),
        ),
        (r#"{"cidr":"::/0"}"#, json!(["::", "ffff::"]), json!(["0.0.0.0", ":::"])),
    ] {
        let policy = policy(&format!(r#"{{"k":[{condition}]}}"#), InBody);
        for (values, expected) in [(met, true), (unmet, false)] {
            for value in values.as_array().unwrap() {
                let body = json!({ "k": value, "other": 1 }).to_string();
                assert_eq!(policy.matches_body(&body), expected, "{condition} on {body}");
            }
        }
        let without = policy.matches_body(r#"{"other":1}"#);
        assert_eq!(without, condition == r#"{"exists":false}"#, "{condition}");
    }
}

#[test]
fn attributes_are_compared_by_their_types() {
    for (conditions, kind, text, expected) in [
        (r#"["x"]"#, "String", "x", true),
        (r#"["x"]"#, "String.custom", "x", true),
        (r#"["5"]"#, "Number", "5", false),
        ("[5]", "Number", "5", true),
        ("[5]", "Number.int", "5.0", true),
        ("[301.5]", "Number", " 3.015e2", true),
        ("[5]", "String", "5", false),
        ("[true]", "String", "true", false),
        (r#"[{"numeric":[">",0]}]"#, "String", "5", false),
        (r#"[{"anything-but":[1]}]"#, "Number", "five", false),
        (r#"["x"]"#, "String.Array", r#"["y","x"]"#, true),
        (r#"["x"]"#, "String.Array", r#"["y",["x"]]"#, true),
        (r#"["x"]"#, "String.Array", r#"["y"]"#, false),
        (r#"["x"]"#, "String.Array", r#""x""#, false),
        ("[5, true]", "String.Array", "[false,5]", true),
        ("[null]", "String.Array", "[1,null]", true),
        (r#"[{"numeric":["=",5]}]"#, "Number.Array", "[1,5]", true),
        (r#"[{"anything-but":"x"}]"#, "String.Array", r#"["x","y"]"#, true),
        (r#"[{"anything-but":"x"}]"#, "String.Array", r#"["x","#, false),
        (r#"[{"exists":true}]"#, "String.Array", "[", false),
        (r#"[{"exists":false}]"#, "String.Array", "[", false),
        (r#"[{"exists":true}]"#, "Binary", "x", false),
        (r#"[{"exists":true}]"#, "String", "x", true),
    ] {
        let policy = policy(&format!(r#"{{"a.b":{conditions}}}"#), InAttributes);
        let attributes = attributes(&[("a.b", kind, text)]);
        assert_eq!(policy.matches_attributes(&attributes), expected, "{conditions} {kind} {text}");
    }
}

/// Page "Key matching": an empty set of attributes does not match.
#[test]
fn absence_is_told_of_messages_that_have_something() {
    let absent = policy(r#"{"a":[{"exists":false}]}"#, InAttributes);
    assert!(!absent.matches_attributes(&attributes(&[])));
    assert!(!absent.matches_attributes(&attributes(&[("b", "Binary", "x")])));
    assert!(absent.matches_attributes(&attributes(&[("b", "String", "x")])));
    assert!(!absent.matches_attributes(&attributes(&[("a", "String", "x")])));
    let absent = policy(r#"{"a":[{"exists":false},"x"]}"#, InBody);
    for (body, expected) in [
        ("{}", false),
        ("[]", false),
        ("", false),
        ("\"b\"", false),
        (r#"{"b":1}"#, true),
        (r#"{"a":"x"}"#, true),
        (r#"{"a":"y"}"#, false),
    ] {
        assert_eq!(absent.matches_body(body), expected, "{body}");
    }
}

#[test]
fn keys_are_joined_by_and_branches_by_or() {
    let nested = r#"{"source":["cw"],"$or":[{"metric":["cpu"],"$or":[{"a":[1]},{"b":[2]}]},{"space":["ec2"]}]}"#;
    let single = r#"{"$or":["x"],"k":[1]}"#;
    let reserved = r#"{"$or":[{"numeric":["=",123]},{"prefix":"abc"}]}"#;
    let object = r#"{"$or":{"k":[1]}}"#;
    for (text, body, expected) in [
        (nested, r#"{"source":"cw","space":"ec2"}"#, true),
        (nested, r#"{"source":"cw","metric":"cpu","b":2}"#, true),
        (nested, r#"{"source":"cw","metric":"cpu","b":1}"#, false),
        (nested, r#"{"source":"cw"}"#, false),
        (nested, r#"{"space":"ec2"}"#, false),
        (single, r#"{"$or":"x","k":1}"#, true),
        (single, r#"{"k":1}"#, false),
        (reserved, r#"{"$or":"abcd"}"#, true),
        (reserved, r#"{"$or":123}"#, true),
        (reserved, r#"{"$or":124}"#, false),
        (object, r#"{"$or":{"k":1}}"#, true),
    ] {
        assert_eq!(policy(text, InBody).matches_body(body), expected, "{text} {body}");
    }
    let or = policy(r#"{"$or":[{"a":["x"]},{"b":[{"exists":true}]}]}"#, InAttributes);
    assert!(or.matches_attributes(&attributes(&[("a", "String", "x")])));
    assert!(or.matches_attributes(&attributes(&[("b", "String", "x")])));
    assert!(!or.matches_attributes(&attributes(&[("c", "String", "x")])));
}

/// Of repeated names the last one counts; a name with dots is another name than the one it leads to.
#[test]
fn repeated_names_have_the_last_value() {
    for (text, body, expected) in [
        (r#"{"a":[1]}"#, r#"{"a":1,"b":0,"a":2}"#, false),
        (r#"{"a":[2]}"#, r#"{"a":1,"b":0,"a":2}"#, true),
        (r#"{"a":{"b":[1]}}"#, r#"{"a.b":1,"a.b":2}"#, false),
        (r#"{"a":{"b":[1]}}"#, r#"{"a.b":1,"a":{"b":2}}"#, true),
        (r#"{"a":{"b":[2]}}"#, r#"{"a.b":1,"a":{"b":2}}"#, true),
        (r#"{"a":{"b":[1]}}"#, r#"{"a":[{"b":1,"c":0,"b":2}]}"#, false),
    ] {
        assert_eq!(policy(text, InBody).matches_body(body), expected, "{text} {body}");
    }
}

#[test]
fn one_object_of_an_array_must_meet_everything_that_is_asked_of_it() {
    let both = policy(r#"{"items":{"kind":["book"],"price.usd":[{"numeric":["<",10]}]}}"#, InBody);
    let body = |first: &str, second: &str, price: i32| {
        json!({ "items": [
            { "kind": first, "price": { "usd": 20 } },
            [{ "kind": second, "price.usd": price }],
            { "kind": "book" },
            5,
        ] })
        .to_string()
    };
    assert!(both.matches_body(&body("pen", "book", 5)));
    assert!(!both.matches_body(&body("book", "pen", 5)));
    assert!(!both.matches_body(&body("book", "book", 15)));
}

#[test]
fn a_candidate_is_seen_by_policies_of_either_scope() {
    let given = attributes(&[("a", "String", "x")]);
    let candidate = Candidate::new(r#"{"a":"y"}"#, &given);
    assert!(policy(r#"{"a":["x"]}"#, InAttributes).matches(&candidate));
    assert!(!policy(r#"{"a":["x"]}"#, InBody).matches(&candidate));
    assert!(policy(r#"{"a":["y"]}"#, InBody).matches(&candidate));
    assert!(!policy(r#"{"a":["y"]}"#, InAttributes).matches(&candidate));
    assert!(!policy(r#"{"a":["y"]}"#, InBody).matches(&Candidate::new("y", &given)));
}

#[test]
fn refusals_say_what_is_wrong_and_where() {
    let in_key = |conditions: &str| format!(r#"{{"k":{conditions}}}"#);
    for (conditions, sentence, column) in [
        ("\"x\"", "\"k\" must be an object or an array", 7),
        ("15", "\"k\" must be an object or an array", 8),
        ("null", "\"k\" must be an object or an array", 10),
        ("[]", "Empty arrays are not allowed", 8),
        ("{}", "Empty objects are not allowed", 8),
        ("[1,[]]", "Match value must be String, number, true, false, or null", 10),
        ("[{}]", "Match expression name not found", 9),
        (r#"[{"wildcard":"a*"}]"#, "Unrecognized match type wildcard", 20),
        (r#"[{"prefix":"a","suffix":"b"}]"#, "Only one key allowed in match expression", 31),
        (r#"[{"prefix":5}]"#, "prefix match pattern must be a string", 18),
        (r#"[{"suffix":null}]"#, "suffix match pattern must be a string", 21),
        (r#"[{"equals-ignore-case":[]}]"#, "equals-ignore-case match pattern must be a string", 30),
        (r#"[{"cidr":true}]"#, "prefix match pattern must be a string", 19),
        (r#"[{"exists":"true"}]"#, "exists match pattern must be either true or false.", 18),
        (r#"[{"numeric":5}]"#, "Value of numeric must be an array.", 19),
        (r#"[{"numeric":[]}]"#, "Invalid member in numeric match: ]", 20),
        (r#"[{"numeric":[5]}]"#, "Invalid member in numeric match: 5", 20),
        (r#"[{"numeric":["!=",5]}]"#, "Unrecognized numeric range operator: !=", 25),
        (r#"[{"numeric":["=","5"]}]"#, "Value of equals must be numeric", 24),
        (r#"[{"numeric":["<"]}]"#, "Value of < must be numeric", 23),
        (r#"[{"numeric":["<=",null]}]"#, "Value of <= must be numeric", 28),
        (r#"[{"numeric":[">",{}]}]"#, "Value of > must be numeric", 24),
        (r#"[{"numeric":[">=",[]]}]"#, "Value of >= must be numeric", 25),
        (r#"[{"numeric":["=",5,6]}]"#, "Too many elements in numeric expression", 26),
        (r#"[{"numeric":["<",5,">",1]}]"#, "Too many elements in numeric expression", 26),
        (r#"[{"numeric":["<=",1.0E10,6]}]"#, "Too many elements in numeric expression", 32),
        (r#"[{"numeric":["=",5],"prefix":"x"}]"#, "Too many elements in numeric expression", 36),
        (r#"[{"anything-but":"x","prefix":"x"}]"#, "Too many elements in numeric expression", 37),
        (
            r#"[{"anything-but":{"prefix":"x"},"prefix":"x"}]"#,
            "Only one key allowed in match expression",
            48,
        ),
        (r#"[{"anything-but":{"prefix":""}}]"#, "Null prefix not allowed", 35),
        (r#"[{"anything-but":{}}]"#, "Anything-But expression name not found", 25),
        (
            r#"[{"anything-but":[5,1.0E10]}]"#,
            "Value must be between -1.0E9 and 1.0E9, inclusive",
            32,
        ),
        (r#"[{"numeric":[">",5,"<",5]}]"#, "Bottom must be less than top", 31),
        (
            r#"[{"numeric":["=",1000000001]}]"#,
            "Value must be between -1.0E9 and 1.0E9, inclusive",
            34,
        ),
        (r#"[{"numeric":[">",5,6]}]"#, "Bad value in numeric range: 6", 26),
        (r#"[{"numeric":[">",5,">",6]}]"#, "Bad numeric range operator: >", 28),
        (r#"[{"numeric":[">",5,"<","6"]}]"#, "Value of < must be numeric", 30),
        (r#"[{"numeric":[">",5,"<",6,1]}]"#, "Too many terms in numeric range expression", 32),
        (
            r#"[{"anything-but":true}]"#,
            "Value of anything-but must be an array or single string/number value.",
            27,
        ),
        (
            r#"[{"anything-but":[]}]"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
            25,
        ),
        (r#"[{"anything-but":{"suffix":"x"}}]"#, "Unsupported anything-but pattern: suffix", 34),
        (
            r#"[{"anything-but":{"equals-ignore-case":"x"}}]"#,
            "Unsupported anything-but pattern: equals-ignore-case",
            46,
        ),
        (
            r#"[{"anything-but":{"wildcard":"x"}}]"#,
            "Unsupported anything-but pattern: wildcard",
            36,
        ),
        (
            r#"[{"anything-but":["x",5]}]"#,
            "Inside anything but list, either all values are number or string, mixed type is not supported",
            30,
        ),
    ] {
        let text = in_key(conditions);
        let expected =
            format!("{sentence}\n at [Source: (String)\"{text}\"; line: 1, column: {column}]");
        for scope in [InAttributes, InBody] {
            assert_eq!(refusal(&text, scope), expected);
        }
    }
    for (conditions, sentence) in [
        (r#"[{"anything-but":1e10}]"#, "Value must be between -1.0E9 and 1.0E9, inclusive"),
        (r#"[{"cidr":"10.0.0.0"}]"#, "Malformed CIDR, one '/' required"),
        (r#"[{"cidr":"10.0.0.0/x"}]"#, "Malformed CIDR, mask bits must be an integer"),
        (r#"[{"cidr":"10.0.0.0/33"}]"#, "IPv4 mask bits must be < 33"),
        (r#"[{"cidr":"::/129"}]"#, "IPv6 mask bits must be < 129"),
        (r#"[{"cidr":"10.0.0.0/"}]"#, "Malformed CIDR, one '/' required"),
        (r#"[{"cidr":"10.0.0.0/-1"}]"#, "Malformed CIDR, mask bits must not be negative"),
        (r#"[{"cidr":"10.0.0/8"}]"#, "Nonstandard IP address: 10.0.0"),
        (r#"[{"cidr":"bad-filter/33"}]"#, "Nonstandard IP address: bad-filter"),
        (r#"[{"cidr":"::ffff:10.0.0.1/8"}]"#, "Nonstandard IP address: ::ffff:10.0.0.1"),
        (r#"[{"cidr":"10.0.0.256/8"}]"#, "Invalid IP address: 10.0.0.256"),
    ] {
        assert_eq!(refusal(&in_key(conditions), InBody), sentence);
    }
    let place = "\n at [Source: (String)\"{\"k\":[{\"anything-but\":[\"x\",null]}]}\"; line: 1, column: 32]";
    assert_eq!(
        refusal(r#"{"k":[{"anything-but":["x",null]}]}"#, InBody),
        format!("Inside anything but list, start|null|boolean is not supported.{place}{place}"),
    );
    let nested = r#"{"a":{"b":["x"]}}"#;
    assert_eq!(
        FilterPolicy::parse(nested, InAttributes).unwrap_err(),
        "Filter policy scope MessageAttributes does not support nested filter policy"
    );
}

#[test]
fn a_policy_is_quoted_as_it_is_written_again() {
    for (text, sentence, source, column) in [
        ("[ ]", "Filter is not an object", "[]", 2),
        (" 5 ", "Filter is not an object", "5", 2),
        ("null", "Filter is not an object", "null", 5),
        (
            "{\n \"é\":\n\"𝄞\", \"k\": 1}",
            "\"é\" must be an object or an array",
            r#"{"é":"𝄞","k":1}"#,
            7,
        ),
        ("{\"𝄞\" : 1}", "\"𝄞\" must be an object or an array", r#"{"𝄞":1}"#, 8),
        (
            r#"{"k": 1, "k": "\u0041\/\n"}"#,
            "\"k\" must be an object or an array",
            r#"{"k":"A/\n"}"#,
            7,
        ),
        ("{\"k\": -0}", "\"k\" must be an object or an array", "{\"k\":0}", 7),
        ("{\"k\": 1e10}", "\"k\" must be an object or an array", "{\"k\":1.0E10}", 12),
        ("{\"k\": 0.0002}", "\"k\" must be an object or an array", "{\"k\":2.0E-4}", 12),
        ("{\"k\": \"\u{7f}\"}", "\"k\" must be an object or an array", "{\"k\":\"\\u007F\"}", 7),
        (
            r#"{"key": [["value"]]}"#,
            "Match value must be String, number, true, false, or null",
            r#"{"key":[["value"]]}"#,
            10,
        ),
        (
            r#"{"key": [{"numeric": [">=", 1, ">", 2]}]}"#,
            "Bad numeric range operator: >",
            r#"{"key":[{"numeric":[">=",1,">",2]}]}"#,
            31,
        ),
        (r#"{"key": [{}]} and more"#, "Match expression name not found", r#"{"key":[{}]}"#, 11),
    ] {
        let place = format!("\n at [Source: (String)\"{source}\"; line: 1, column: {column}]");
        assert_eq!(refusal(text, InBody), format!("{sentence}{place}"), "{text}");
    }
    let long = format!(r#"{{"k":"{}"}}"#, "é".repeat(1_000));
    let sentence = refusal(&long, InBody);
    assert!(sentence.ends_with("é\"[truncated 508 chars]; line: 1, column: 7]"), "{sentence}");
}

#[test]
fn the_empty_policy_is_none() {
    for scope in [InAttributes, InBody] {
        assert!(FilterPolicy::parse(" { } ", scope).unwrap().is_none());
        let place = "\n at [Source: (String)\"{\"a\":{}}\"; line: 1, column: 8]";
        assert_eq!(refusal(r#"{"a":{}}"#, scope), format!("Empty objects are not allowed{place}"));
    }
}

#[test]
fn special_characters_of_attributes_are_escaped_twice() {
    for (value, once, twice) in [
        ("a\"b", r#"a\"b"#, r#"a\\\"b"#),
        ("a\\b", r"a\\b", r"a\\\\b"),
        ("a\nb", r"a\nb", r"a\\nb"),
        ("a\u{1}b", r"a\u0001b", r"a\\u0001b"),
    ] {
        let array = json!([value]).to_string();
        for given in [[("k", "String", value)], [("k", "String.Array", &*array)]] {
            let given = attributes(&given);
            let matches = |condition: String| {
                let policy = policy(&format!("{{\"k\":[{condition}]}}"), InAttributes);
                policy.matches_attributes(&given)
            };
            for (form, end) in [("", ""), ("{\"prefix\":", "}"), ("{\"equals-ignore-case\":", "}")]
            {
                assert!(!matches(format!("{form}\"{once}\"{end}")), "{form} {once}");
                assert!(matches(format!("{form}\"{twice}\"{end}")), "{form} {twice}");
            }
            assert!(matches(format!("{{\"anything-but\":\"{once}\"}}")));
            assert!(!matches(format!("{{\"anything-but\":\"{twice}\"}}")));
        }
        let body = json!({ "k": value }).to_string();
        assert!(policy(&format!("{{\"k\":[\"{once}\"]}}"), InBody).matches_body(&body));
        assert!(!policy(&format!("{{\"k\":[\"{twice}\"]}}"), InBody).matches_body(&body));
    }
}

#[test]
fn policies_up_to_the_limits_are_taken() {
    let or = |branches: usize| json!({ "$or": vec![json!({ "a": ["x"] }); branches] }).to_string();
    for text in [
        keys(5),
        format!(r#"{{"key":{}}}"#, strings(150)),
        format!(r#"{{"a":{},"b":{{"c":{}}}}}"#, strings(15), strings(5)),
        or(150),
        json!({ "$or": [serde_json::from_str::<Value>(&keys(5)).unwrap(), { "x": [1] }] })
            .to_string(),
        format!("{}[1]{}", r#"{"a":"#.repeat(150), "}".repeat(150)),
        format!(r#"{{"{}":[1]}}"#, vec!["a"; 150].join(".")),
        format!(r#"{{"k":["{}"]}}"#, "x".repeat(262_144 - 10)),
    ] {
        policy(&text, InBody);
    }
    for (text, sentence) in [
        (or(151), "Filter policy is too complex"),
        (
            format!(r#"{{"a":{},"b":{{"c":{}}}}}"#, strings(19), strings(4)),
            "Filter policy is too complex",
        ),
        (
            format!("{}[1]{}", r#"{"a":"#.repeat(151), "}".repeat(151)),
            "Filter policy is too complex",
        ),
        (format!(r#"{{"{}":[1]}}"#, vec!["a"; 151].join(".")), "Filter policy is too complex"),
        (format!(r#"{{"k":["{}"]}}"#, "x".repeat(262_144 - 9)), "Filter policy is too large"),
    ] {
        assert_eq!(refusal(&text, InBody), sentence);
    }
}

/// Values that meet each other often.
fn value() -> impl Strategy<Value = Value> {
    let texts = ["", "a", "A", "ab", "AB", "ba", "10.0.0.1", "10.0.1.9"];
    let numbers = [json!(-1), json!(0), json!(1), json!(1.0), json!(1.5), json!(301.5), json!(2)];
    prop_oneof![
        4 => prop::sample::select(texts.to_vec()).prop_map(|text| json!(text)),
        3 => prop::sample::select(numbers.to_vec()),
        1 => any::<bool>().prop_map(|value| json!(value)),
        1 => Just(Value::Null),
    ]
}

fn condition() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(&["", "a", "A", "ab", "b", "10.0"][..]);
    let operator = prop::sample::select(&["prefix", "suffix", "equals-ignore-case"][..]);
    let number = prop::sample::select(&[0.0, 1.0, 1.5, 2.0][..]);
    let comparison = prop::sample::select(&["=", "<", "<=", ">", ">="][..]);
    let networks = ["10.0.0.0/24", "10.0.0.0/16", "10.0.1.9/32", "0.0.0.0/0"];
    prop_oneof![
        6 => value(),
        2 => (operator, text.clone()).prop_map(|(operator, text)| json!({ operator: text })),
        1 => text.clone().prop_map(|text| json!({ "anything-but": text })),
        1 => prop::collection::vec(text.clone(), 1..3)
            .prop_map(|texts| json!({ "anything-but": texts })),
        1 => prop::collection::vec(number.clone(), 1..3)
            .prop_map(|numbers| json!({ "anything-but": numbers })),
        1 => text
            .prop_filter("a prefix", |text| !text.is_empty())
            .prop_map(|text| json!({ "anything-but": { "prefix": text } })),
        1 => (comparison, number.clone())
            .prop_map(|(comparison, number)| json!({ "numeric": [comparison, number] })),
        1 => (any::<[bool; 2]>(), number).prop_map(|([from, to], number)| {
            let (from, to) = (if from { ">" } else { ">=" }, if to { "<" } else { "<=" });
            json!({ "numeric": [from, number, to, number + 1.0] })
        }),
        1 => prop::sample::select(networks.to_vec()).prop_map(|network| json!({ "cidr": network })),
        2 => any::<bool>().prop_map(|exists| json!({ "exists": exists })),
    ]
}

fn object(value: BoxedStrategy<Value>, names: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::collection::vec((prop::sample::select(names), value), 1..=2)
        .prop_map(|members| {
            Value::Object(
                members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            )
        })
        .boxed()
}

/// A policy; `deep` ones have nested properties.
fn policies(deep: bool) -> impl Strategy<Value = Value> {
    let names: &[&str] =
        if deep { &["a", "b", "c", "a.b", "b.a", "a.b.c"] } else { &["a", "b", "c"] };
    let conditions = prop::collection::vec(condition(), 1..=3).prop_map(Value::Array).boxed();
    let flat = object(conditions.clone(), names);
    flat.prop_recursive(3, 12, 3, move |inner| {
        let below = if deep { inner.clone() } else { conditions.clone() };
        let below = prop_oneof![2 => conditions.clone(), 1 => below].boxed();
        let branches = prop::collection::vec(inner, 2..=3);
        let plain = object(below, names);
        prop_oneof![
            2 => plain.clone(),
            1 => (plain, branches).prop_map(|(mut plain, branches)| {
                plain["$or"] = branches.into();
                plain
            }),
        ]
    })
}

/// A policy and a body with nested objects and arrays, some of whose objects are spelled with dots.
/// Half of the bodies aim at the policy.
fn policies_and_bodies() -> impl Strategy<Value = (Value, Value)> {
    let any_value = value().boxed().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            2 => object(inner.clone(), &["a", "b", "c"]),
            1 => prop::collection::vec(inner, 0..=3).prop_map(Value::Array),
        ]
    });
    let body = object(any_value.boxed(), &["a", "b", "c"]);
    (policies(true), body, any::<bool>(), any::<[u8; 16]>()).prop_map(
        |(policy, body, aims, choices)| {
            let mut choices = Choices { bytes: choices, next: 0 };
            let body = if aims { aimed(&policy, body, &mut choices) } else { body };
            (policy, dotted(body, &mut choices))
        },
    )
}

/// The same for attributes, as the object that has them for properties.
fn policies_and_attributes() -> impl Strategy<Value = (Value, Value)> {
    (policies(false), attribute_sets(), any::<bool>(), any::<[u8; 16]>()).prop_map(
        |(policy, message, aims, choices)| {
            let mut choices = Choices { bytes: choices, next: 0 };
            let message = if aims { aimed(&policy, message, &mut choices) } else { message };
            let Value::Object(mut attributes) = message else { return (policy, message) };
            attributes
                .retain(|_, value| value.is_string() || value.is_number() || value.is_array());
            (policy, Value::Object(attributes))
        },
    )
}

/// Small numbers, the same ones again and again.
struct Choices {
    bytes: [u8; 16],
    next: usize,
}

impl Choices {
    fn below(&mut self, count: usize) -> usize {
        self.next += 1;
        (usize::from(self.bytes[self.next % 16]) + self.next / 16) % count
    }
}

/// The message with values put in that the policy may be asking for.
fn aimed(policy: &Value, mut message: Value, choices: &mut Choices) -> Value {
    for (name, value) in policy.as_object().unwrap() {
        if naive::is_or(name, value) {
            let branches = value.as_array().unwrap();
            message = aimed(&branches[choices.below(branches.len())], message, choices);
            continue;
        }
        let mut target = &mut message;
        for part in name.split('.') {
            if !target.is_object() {
                *target = json!({});
            }
            target = target.as_object_mut().unwrap().entry(part).or_insert(Value::Null);
        }
        let hit = match value {
            Value::Array(conditions) => witness(&conditions[choices.below(conditions.len())]),
            object => {
                let below = if target.is_object() { target.clone() } else { json!({}) };
                aimed(object, below, choices)
            }
        };
        *target = match choices.below(6) {
            0 => json!(["other", hit]),
            1 => json!([[{ "a": "other" }, hit], 5]),
            2 if hit.is_string() => json!("other"),
            _ => hit,
        };
    }
    message
}

/// A value that meets the condition, if one does.
fn witness(condition: &Value) -> Value {
    let Some((operator, operand)) = condition.as_object().and_then(|members| members.iter().next())
    else {
        return condition.clone();
    };
    match operator.as_str() {
        "prefix" => json!(format!("{}b", operand.as_str().unwrap())),
        "suffix" => json!(format!("b{}", operand.as_str().unwrap())),
        "equals-ignore-case" => json!(operand.as_str().unwrap().to_uppercase()),
        "cidr" => json!("10.0.1.9"),
        "numeric" => json!(operand[1].as_f64().unwrap() + 0.5),
        "exists" if *operand == json!(false) => json!({}),
        _ => json!("something"),
    }
}

/// The same body, with some properties of objects moved up under a name with dots.
fn dotted(value: Value, choices: &mut Choices) -> Value {
    match value {
        Value::Object(members) => {
            let mut moved = Map::new();
            for (name, value) in members {
                let Value::Object(below) = dotted(value.clone(), choices) else {
                    moved.insert(name, dotted(value, choices));
                    continue;
                };
                let mut kept = Map::new();
                for (part, value) in below {
                    if choices.below(2) == 1 {
                        moved.insert(format!("{name}.{part}"), value);
                    } else {
                        kept.insert(part, value);
                    }
                }
                moved.insert(name, Value::Object(kept));
            }
            Value::Object(moved)
        }
        Value::Array(elements) => {
            elements.into_iter().map(|element| dotted(element, choices)).collect()
        }
        leaf => leaf,
    }
}

fn attribute_sets() -> impl Strategy<Value = Value> {
    let array = prop::collection::vec(value(), 0..=3).prop_map(Value::Array);
    let single =
        value().prop_filter("no type for it", |value| value.is_string() || value.is_number());
    prop::collection::vec(
        (prop::sample::select(&["a", "b", "c"][..]), prop_oneof![single, array]),
        0..=3,
    )
    .prop_map(|members| {
        Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn as_attributes(message: &Value) -> MessageAttributes {
    let given: Vec<_> = message
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => (name.as_str(), "String", text.clone()),
            Value::Number(number) => (name.as_str(), "Number", number.to_string()),
            array => (name.as_str(), "String.Array", array.to_string()),
        })
        .collect();
    let given: Vec<_> = given.iter().map(|(name, kind, text)| (*name, *kind, &**text)).collect();
    attributes(&given)
}

/// The compiled policy, unless it is beyond the limits, which both must find.
fn compiled(given: &Value, scope: Scope) -> Option<FilterPolicy> {
    let compiled = FilterPolicy::parse(&given.to_string(), scope);
    let refusal = match (naive::keys(given), naive::complexity(given, 0)) {
        (0..=5, 0..=150) => None,
        (0..=5, _) => Some("FilterPolicy: Filter policy is too complex"),
        _ => Some("FilterPolicy: Filter policy can not have more than 5 keys"),
    };
    assert_eq!(compiled.as_ref().err().map(String::as_str), refusal, "{given}");
    compiled.ok().map(|policy| policy.expect("not the empty policy"))
}

proptest! {
    #![proptest_config(Config::with_cases(2_000))]

    #[test]
    fn bodies_are_let_through_as_the_naive_reading_has_it((given, body) in policies_and_bodies()) {
        if let Some(policy) = compiled(&given, InBody) {
            let expected = naive::allows(&given, &body);
            prop_assert_eq!(policy.matches_body(&body.to_string()), expected);
        }
    }

    #[test]
    fn attributes_are_let_through_as_the_naive_reading_has_it(
        (given, message) in policies_and_attributes(),
    ) {
        if let Some(policy) = compiled(&given, InAttributes) {
            let expected = naive::allows(&given, &message);
            prop_assert_eq!(policy.matches_attributes(&as_attributes(&message)), expected);
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in ".{0,200}", pieces in pieces()) {
        for text in [text, pieces.concat()] {
            for scope in [InAttributes, InBody] {
                let parsed = FilterPolicy::parse(&text, scope);
                if let Ok(Some(policy)) = parsed {
                    policy.matches_body(&text);
                }
            }
        }
    }

    #[test]
    fn any_json_is_taken_or_refused(given in documents(), body in documents()) {
        for scope in [InAttributes, InBody] {
            if let Ok(Some(policy)) = FilterPolicy::parse(&given.to_string(), scope) {
                policy.matches_body(&body.to_string());
            }
        }
    }
}

/// Texts that begin and end with each other, numbers and addresses close to each other.
fn crowded_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[aAb]{0,4}".prop_map(|text| json!(text)),
        2 => (-6_i32..6).prop_map(|half| json!(f64::from(half) / 2.0)),
        1 => (0..8_u8, 0..8_u8).prop_map(|(one, other)| json!(format!("10.0.{one}.{other}"))),
        1 => value(),
    ]
}

fn crowded_condition() -> impl Strategy<Value = Value> {
    let operator = prop::sample::select(&["prefix", "suffix", "equals-ignore-case"][..]);
    let comparison = prop::sample::select(&["=", "<", "<=", ">", ">="][..]);
    prop_oneof![
        3 => crowded_value(),
        4 => (operator, "[aAb]{1,4}").prop_map(|(operator, text)| json!({ operator: text })),
        2 => (comparison, -6_i32..6).prop_map(|(comparison, half)| {
            json!({ "numeric": [comparison, f64::from(half) / 2.0] })
        }),
        1 => (0..8_u8, 0..8_u8, 22..=32_u8).prop_map(|(one, other, bits)| {
            json!({ "cidr": format!("10.0.{one}.{other}/{bits}") })
        }),
        1 => prop::collection::vec("[aAb]{0,2}", 1..6)
            .prop_map(|texts| json!({ "anything-but": texts })),
        1 => "[aAb]{1,2}".prop_map(|text| json!({ "anything-but": { "prefix": text } })),
        1 => condition(),
    ]
}

proptest! {
    #![proptest_config(Config::with_cases(1_000))]

    #[test]
    fn many_conditions_on_many_values_are_as_the_naive_reading_has_it(
        branches in prop::collection::vec(prop::collection::vec(crowded_condition(), 1..=2), 2..16),
        common in prop::option::of(crowded_condition()),
        values in prop::collection::vec(crowded_value(), 1..300),
        in_objects in any::<bool>(),
    ) {
        let branches: Vec<_> =
            branches.into_iter().map(|list| json!({"k": {"a": list}})).collect();
        let mut given = json!({ "$or": branches });
        if let Some(common) = common {
            given["k.a"] = json!([common]);
        }
        let few = if in_objects { 5 } else { 300 };
        for values in [&values[..], &values[..values.len().min(few)]] {
            let body = if in_objects {
                let objects: Vec<_> = values.iter().map(|value| json!({"a": value})).collect();
                json!({ "k": objects })
            } else {
                json!({"k": {"a": values}})
            };
            if let Some(policy) = compiled(&given, InBody) {
                let expected = naive::allows(&given, &body);
                prop_assert_eq!(policy.matches_body(&body.to_string()), expected);
            }
        }
    }
}

/// What texts of policies are made of, in any order.
fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        " ",
        "\n",
        "\"a\"",
        "\"$or\"",
        "\"numeric\"",
        "\"=\"",
        "\">\"",
        "\"anything-but\"",
        "\"exists\"",
        "\"cidr\"",
        "\"10.0.0.0/8\"",
        "\"\\u00e9\"",
        "\"",
        "\\",
        "1",
        "-1.5e3",
        "1e999",
        "true",
        "null",
        "{\"a\":[",
        "]}",
        "\"a\":{\"b\":[",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..30)
}

/// Any JSON, in which the words of policies are frequent.
fn documents() -> impl Strategy<Value = Value> {
    let words = [
        "a",
        "b",
        "a.b",
        ".",
        "",
        "$or",
        "prefix",
        "suffix",
        "anything-but",
        "numeric",
        "exists",
        "cidr",
        "equals-ignore-case",
        "wildcard",
        "=",
        "<",
        ">",
        ">=",
        "10.0.0.0/8",
        "::/0",
        "é",
    ];
    let word = prop::sample::select(words.to_vec());
    let leaf = prop_oneof![
        word.clone().prop_map(|word| json!(word)),
        any::<f64>().prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|value| json!(value)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 40, 4, move |inner| {
        let members = prop::collection::vec((word.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            members.prop_map(|members| {
                let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

/// The comparison with the naive reading says little if nothing ever matches, or everything.
#[test]
fn what_is_generated_matches_often_and_not_always() {
    let mut runner = TestRunner::deterministic();
    let mut share = |given: BoxedStrategy<(Value, Value)>| {
        let matches = (0..1_000).filter(|_| {
            let (policy, message) = given.new_tree(&mut runner).unwrap().current();
            naive::allows(&policy, &message)
        });
        matches.count()
    };
    for share in [share(policies_and_bodies().boxed()), share(policies_and_attributes().boxed())] {
        assert!((150..850).contains(&share), "{share} of 1,000");
    }
}

/// Each of these would take minutes, or the stack, if its cost were not near its length.
#[test]
fn no_policy_and_no_message_is_slow() {
    let many = |count: usize, item: &dyn Fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    let nested =
        |open: &str, close: &str| format!("{}{}", open.repeat(40_000), close.repeat(40_000));
    let quoted = |index: usize| format!("\"{index}\"");
    let dots = ".".repeat(200_000);
    let long = "x".repeat(200_000);
    let name = "x".repeat(50_000);
    let texts = [
        "[".repeat(250_000),
        "{\"a\":".repeat(50_000),
        nested("[", "]"),
        nested("{\"\":", "}"),
        nested("{\"$or\":[", "]}"),
        format!("{{\"k\":{}}}", nested("[", "]")),
        format!("{{\"$or\":[{}]}}", many(15_000, &|_| "{\"a\":[1]}".to_owned())),
        format!("{{\"{name}\":[1],\"$or\":[{}]}}", many(150, &|_| "{\"a\":[1]}".to_owned())),
        format!("{{\"{dots}\":[1]}}"),
        format!("{{{}}}", many(10_000, &|index| format!("\"{index}\":[1]"))),
        format!("{{\"k\":[{}]}}", many(30_000, &quoted)),
        format!("{{\"k\":[{{\"anything-but\":[{}]}}]}}", many(30_000, &quoted)),
        format!("{{\"k\":[{{\"prefix\":\"{long}\"}}]}}"),
        format!(
            "{{\"{}\":[1],\"$or\":[{}]}}",
            ["a"; 150].join("."),
            many(150, &|_| { format!("{{\"{}\":[1]}}", ["b"; 150].join(".")) })
        ),
        format!("{{\"k\":\"{}\"}}", "\n".repeat(200_000)),
    ];
    let bodies = [
        nested("[", "]"),
        nested("{\"k\":", "}"),
        format!("{{\"{dots}\":1,\"k\":[{}]}}", many(30_000, &quoted)),
        format!("{{\"k\":[{}]}}", many(20_000, &|_| "{\"a\":[]}".to_owned())),
        format!("{{{}}}", many(2_000, &|index| format!("\"{index}{}\":1", ".a".repeat(100)))),
        format!("{{{}}}", many(2_000, &|index| format!("\"{}{index}\":1", "a.".repeat(100)))),
        format!("{{\"k\":\"{long}\"}}"),
    ];
    let start = Instant::now();
    let policies = texts.iter().filter_map(|text| FilterPolicy::parse(text, InBody).ok().flatten());
    let policies: Vec<_> = policies.collect();
    assert_eq!(policies.len(), 4);
    let nothing = MessageAttributes::new();
    for body in &bodies {
        let candidate = Candidate::new(body, &nothing);
        let matching = policies.iter().filter(|policy| policy.matches(&candidate));
        assert!(matching.count() <= policies.len());
    }
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// What looked at each object for each branch would not end within the patience of a test run.
#[test]
fn many_branches_on_many_objects_cost_one_look_at_each() {
    let none = MessageAttributes::new();
    let objects = |object: Value| json!({ "k": vec![object; 20_000] }).to_string();
    let bodies = [
        objects(json!({"a": "y", "b": 1})),
        json!({"k": (0..20_000).map(|n| json!({"a": format!("y{n}")})).collect::<Vec<_>>()})
            .to_string(),
        objects(json!({"z": 1})),
    ];
    let branch = |n: usize| {
        [
            json!({"k": {"a": [format!("x{n}")]}}),
            json!({"k": {"a": [{"prefix": format!("x{n}")}]}}),
            json!({"k": {"a": [{"suffix": format!("{n}x")}]}}),
            json!({"k": {"a": [{"equals-ignore-case": format!("x{n}")}]}}),
            json!({"k": {"a": [{"cidr": format!("10.0.{n}.0/24")}]}}),
            json!({"k": {"b": [{"numeric": [">", 1_000 + n]}]}}),
            json!({"k": {"a": ["y"], "b": [2]}}),
            json!({"k": {format!("a{n}"): [1]}}),
        ]
    };
    for body in &bodies {
        let candidate = Candidate::new(body, &none);
        for kind in 0..branch(0).len() {
            let count = if kind == 6 { 37 } else { 75 };
            let branches: Vec<_> = (0..count).map(|n| branch(n)[kind].clone()).collect();
            let policy = policy(&json!({ "$or": branches }).to_string(), InBody);
            assert!(!policy.matches(&candidate), "{}", branch(0)[kind]);
        }
    }
}
