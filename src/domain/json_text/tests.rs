//! Messages and places as Jackson 2.18 has them, and what is accepted beside `serde_json`.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{escaped, parse, written};

/// What Jackson 2.18.2 says of a text, without "failed to parse JSON. " and with the source left out.
fn complaint(text: &str) -> String {
    let malformed = parse(text).unwrap_err().to_string();
    let source =
        "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: ";
    malformed
        .strip_prefix("failed to parse JSON. ")
        .unwrap()
        .replace(source, "[")
        .replace(" column: ", "")
}

#[test]
fn messages_and_places_are_those_of_jackson() {
    let values = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
    let token = |token: &str| format!("Unrecognized token '{token}': was expecting {values}");
    let value = |character: &str| {
        format!("Unexpected character ({character}): expected a valid value {values}")
    };
    let name = |character: &str| {
        format!(
            "Unexpected character ({character}): was expecting double-quote to start field name"
        )
    };
    let number = |character: &str, expected: &str| {
        format!("Unexpected character ({character}) in numeric value: {expected}")
    };
    let fraction = "Decimal point not followed by a digit";
    let exponent = "Exponent indicator not followed by a digit";
    let minus = "expected digit (0-9) to follow minus sign, for valid numeric value";
    let between = |kind: &str| format!("Unexpected end-of-input within/between {kind} entries");
    let string_ends = "Unexpected end-of-input: was expecting closing quote for a string value";
    let escape_ends = "Unexpected end-of-input in character escape sequence";
    let not_a_number = |token: &str| {
        format!(
            "Non-standard token '{token}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
        )
    };
    for (text, message, place) in [
        ("{invalidjson}", name("'i' (code 105)"), "1,2"),
        ("invalid", token("invalid"), "1,8"),
        ("{\"a\":1,}", name("'}' (code 125)"), "1,8"),
        ("{'a':1}", name("''' (code 39)"), "1,2"),
        ("{\"a\" 1}", "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value".into(), "1,6"),
        ("{\"a\":1 \"b\":2}", "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries".into(), "1,8"),
        ("[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries".into(), "1,4"),
        ("[1,}", "Unexpected character ('}' (code 125)): expected a value".into(), "1,4"),
        ("[1,]", value("']' (code 93)"), "1,4"),
        ("[,1]", value("',' (code 44)"), "1,2"),
        ("[.5]", value("'.' (code 46)"), "1,2"),
        ("[-.5]", value("'.' (code 46)"), "1,3"),
        ("\u{7f}", value("(CTRL-CHAR, code 127)"), "1,1"),
        ("𝄞", value("'?' (code 55348 / 0xd834)"), "1,1"),
        ("\u{feff}{}", value("'\u{feff}' (code 65279 / 0xfeff)"), "1,1"),
        ("{\"a\":tr", token("tr"), "1,8"),
        ("[truex]", token("truex"), "1,7"),
        ("[éa1]", token("éa1"), "1,5"),
        ("[1,\n\r\n\r €]", token("€"), "4,3"),
        ("abc-def", token("abc"), "1,4"),
        ("[NaN]", not_a_number("NaN"), "1,5"),
        ("-Infinity", not_a_number("-Infinity"), "1,10"),
        ("[+INF]", not_a_number("+INF"), "1,6"),
        ("[01]", "Invalid numeric value: Leading zeroes not allowed".into(), "1,3"),
        ("[-]", number("']' (code 93)", minus), "1,3"),
        ("[+1]", number("'+' (code 43)", "JSON spec does not allow numbers to have plus signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow"), "1,3"),
        ("+", "Unexpected end-of-input in a Number value".into(), "1,2"),
        ("-", "Unexpected end-of-inputNo digit following sign".into(), "1,2"),
        ("1e", "Unexpected end-of-inputexpected a digit for number exponent".into(), "1,3"),
        ("[12.a]", number("'a' (code 97)", fraction), "1,4"),
        ("[0.a]", number("'a' (code 97)", fraction), "1,4"),
        ("12.", number("'.' (code 46)", fraction), "1,3"),
        ("[1.5ex]", number("'x' (code 120)", exponent), "1,3"),
        ("[0.5ex]", number("'x' (code 120)", exponent), "1,6"),
        ("12x", "Unexpected character ('x' (code 120)): Expected space separating root-level values".into(), "1,3"),
        ("[/*x*/1]", "Unexpected character ('/' (code 47)): maybe a (non-standard) comment? (not recognized as one since Feature 'ALLOW_COMMENTS' not enabled for parser)".into(), "1,2"),
        ("[\u{1}]", "Illegal character ((CTRL-CHAR, code 1)): only regular white space (\\r, \\n, \\t) is allowed between tokens".into(), "1,3"),
        ("\"a\tb\"", "Illegal unquoted character ((CTRL-CHAR, code 9)): has to be escaped using backslash to be included in string value".into(), "1,3"),
        ("{\"a\n\":1}", "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in name".into(), "1,4"),
        ("\"\\x\"", "Unrecognized character escape 'x' (code 120)".into(), "1,3"),
        ("\"\\u12g4\"", "Unexpected character ('g' (code 103)): expected a hex-digit for character escape sequence".into(), "1,6"),
        ("\"\\u12", escape_ends.into(), "1,6"),
        ("\"\\", escape_ends.into(), "1,3"),
        ("{\"a\":\"b", string_ends.into(), "1,8"),
        ("{\"a", "Unexpected end-of-input in field name".into(), "1,4"),
        ("{\"a\":", between("Object"), "1,6"),
        ("{\"a\":[1,", between("Array"), "1,9"),
        ("  [1", "Unexpected end-of-input: expected close marker for Array (start marker at [1,3])".into(), "1,5"),
        ("[{\"a\":1", "Unexpected end-of-input: expected close marker for Object (start marker at [1,2])".into(), "1,8"),
        ("[}", "Unexpected close marker '}': expected ']' (for Array starting at [1,1])".into(), "1,2"),
        ("{]", "Unexpected close marker ']': expected '}' (for Object starting at [1,1])".into(), "1,2"),
        ("}", "Unexpected close marker '}': expected ']' (for root starting at [1])".into(), "1,1"),
        (" \n", "No content to map due to end-of-input".into(), "1,0"),
    ] {
        assert_eq!(complaint(text), format!("{message}\n at [{place}]"), "{text:?}");
    }
    let long = complaint(&"a".repeat(300));
    assert!(long.starts_with(&format!("Unrecognized token '{}...'", "a".repeat(256))), "{long}");
}

#[test]
fn sizes_beyond_those_of_jackson_have_no_place() {
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let number = |digits| format!("[{}]", "1".repeat(digits));
    let name = |length| format!("{{\"{}\":1}}", "é".repeat(length));
    assert!([nested(1_000), number(1_000), name(50_000)].iter().all(|text| parse(text).is_ok()));
    for (text, message) in [
        (
            nested(1_001),
            "Document nesting depth (1001) exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNestingDepth()`)",
        ),
        (
            number(1_001),
            "Number value length (1001) exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNumberLength()`)",
        ),
        (
            name(50_001),
            "Name length (50001) exceeds the maximum allowed (50000, from `StreamReadConstraints.getMaxNameLength()`)",
        ),
    ] {
        assert_eq!(complaint(&text), message);
    }
    // However deep a text is, it is refused without exhausting the stack.
    assert!(parse(&"[".repeat(1_000_000)).is_err());
}

#[test]
fn what_follows_the_value_is_ignored() {
    for text in ["{\"a\":1}", "{\"a\":1}}", "{\"a\":1} x", "{\"a\":1}\u{1}"] {
        assert_eq!(parse(text).unwrap(), json!({ "a": 1 }), "{text}");
    }
    assert_eq!(parse("12 \"").unwrap(), json!(12));
}

#[test]
fn values_are_those_of_jackson() {
    let text = r#"{"a":1,"b":2,"a":[true,null,-0,1.50,18446744073709551615,1e400,"\ud834\udd1e\/","\ud834"]}"#;
    let expected = json!({
        "a": [true, null, 0, 1.5, 18_446_744_073_709_551_615_u64, "Infinity", "𝄞/", "\u{fffd}"],
        "b": 2,
    });
    let value = parse(text).unwrap();
    assert_eq!(value, expected);
    assert_eq!(value.as_object().unwrap().keys().next().unwrap(), "a");
}

#[test]
fn numbers_and_texts_are_written_as_java_writes_them() {
    for (number, text) in [
        (1e10, "1.0E10"),
        (123_456_789.123, "1.23456789123E8"),
        (9_999_999.5, "9999999.5"),
        (1e7, "1.0E7"),
        (0.001, "0.001"),
        (0.0002, "2.0E-4"),
        (-301.5, "-301.5"),
        (-0.0, "-0.0"),
    ] {
        assert_eq!(written(number), text);
    }
    assert_eq!(
        escaped("a\"\\/\n\t\r\u{8}\u{c}\u{1f}é\u{7f}"),
        "a\\\"\\\\/\\n\\t\\r\\b\\f\\u001Fé\u{7f}"
    );
}

/// Pieces of JSON, and of texts that are nearly JSON.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "1", "-", "0", "2.5", "1e5", "e",
        ".", "true", "false", "null", "nul", " ", "\n", "\r", "\t", "\\n", "\\u00e9", "\\u", "\\",
        "é", "𝄞", "\u{1}", "/", "[1,", "{\"k\":",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_text_is_accepted_where_serde_accepts_its_first_value(text in pieces()) {
        let text = format!("[{text}");
        let first = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next();
        match (first, parse(&text)) {
            // Jackson reads -0 as the integer 0, serde_json as a real number.
            (Some(Ok(_)), Ok(_)) if text.contains("-0") => {}
            (Some(Ok(first)), Ok(json)) => prop_assert_eq!(json, first, "{}", text),
            (Some(Err(_)) | None, Err(malformed)) => {
                prop_assert!(malformed.to_string().starts_with("failed to parse JSON. "));
            }
            (first, json) => prop_assert!(false, "{text:?}: {first:?} {json:?}"),
        }
    }

    #[test]
    fn every_document_is_read(document in documents()) {
        prop_assert_eq!(parse(&document.to_string()).unwrap(), document);
    }

    #[test]
    fn any_text_is_accepted_or_refused(text in any::<String>()) {
        let _ = parse(&text).map_err(|malformed| malformed.to_string());
    }
}

#[test]
fn the_deepest_document_fits_into_half_of_the_stack_of_a_thread() {
    let deepest = |begin: &str, end: &str| format!("{}1{}", begin.repeat(1_000), end.repeat(1_000));
    for text in [deepest("[", "]"), deepest("{\"a\":", "}")] {
        let converted = std::thread::Builder::new()
            .stack_size(1024 * 1024)
            .spawn(move || drop(parse(&text).unwrap()))
            .unwrap();
        converted.join().unwrap();
    }
}
