//! The parser: Jackson's messages, in the order in which Jackson finds the faults.

use serde_json::{Map, Number, Value};

use super::{Malformed, Place, SOURCE};

/// How deeply documents may be nested.
const DEEPEST: usize = 1_000;
/// Digits of a number.
const LONGEST_NUMBER: usize = 1_000;
/// UTF-16 units of a name.
const LONGEST_NAME: usize = 50_000;
/// UTF-16 units of an unrecognized token that a message quotes.
const LONGEST_TOKEN: usize = 256;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

pub struct Reader<'a> {
    text: &'a str,
    /// The byte that is read next.
    at: usize,
    /// Whether an object has had two members of one name.
    repeats_a_name: bool,
}

/// An object or array whose end has not been read.
struct Open {
    /// The byte of its bracket.
    start: usize,
    container: Value,
    /// The name of the member that is being read.
    name: String,
}

impl Open {
    fn kind(&self) -> &'static str {
        if self.container.is_array() { "Array" } else { "Object" }
    }

    fn end(&self) -> char {
        if self.container.is_array() { ']' } else { '}' }
    }

    fn is_empty(&self) -> bool {
        match &self.container {
            Value::Object(members) => members.is_empty(),
            other => other.as_array().is_none_or(Vec::is_empty),
        }
    }

    /// Adds a value. Returns whether it replaces one of the same name.
    fn add(&mut self, value: Value) -> bool {
        match &mut self.container {
            Value::Array(elements) => elements.push(value),
            Value::Object(members) => {
                return members.insert(std::mem::take(&mut self.name), value).is_some();
            }
            _ => {}
        }
        false
    }
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, repeats_a_name: false }
    }

    /// Returns whether an object of what was read names a member twice.
    pub fn repeats_a_name(&self) -> bool {
        self.repeats_a_name
    }

    /// Reads the first value of the text. The containers around the current value are kept in a list, so that no text
    /// can exhaust the stack.
    pub fn document(&mut self) -> Result<Value, Malformed> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let Some(mut first) = self.next_token()? else { return Err(self.end_of_input(&open)) };
            let value = if matches!(first, ']' | '}') {
                self.close(first, &mut open)?
            } else {
                if let Some(innermost) = open.last_mut() {
                    first = self.introduction(first, innermost)?;
                    if first == '}' && innermost.end() == ']' {
                        return Err(self.unexpected(first, "expected a value"));
                    }
                }
                let value = self.begin(first, open.is_empty())?;
                if value.is_array() || value.is_object() {
                    if open.len() == DEEPEST {
                        return Err(too_deep());
                    }
                    let (start, name) = (self.at - 1, String::new());
                    open.push(Open { start, container: value, name });
                    continue;
                }
                value
            };
            match open.last_mut() {
                Some(container) => self.repeats_a_name |= container.add(value),
                None => return Ok(value),
            }
        }
    }

    /// Ends the innermost container.
    fn close(&self, end: char, open: &mut Vec<Open>) -> Result<Value, Malformed> {
        let place = self.at - 1;
        let other = if end == ']' { '}' } else { ']' };
        let refuse = |container: String| {
            let message =
                format!("Unexpected close marker '{end}': expected '{other}' (for {container})");
            Err(self.fault(message, place))
        };
        match open.pop_if(|innermost| innermost.end() == end) {
            Some(closed) => Ok(closed.container),
            None => match open.last() {
                Some(innermost) => refuse(format!(
                    "{} starting at {}",
                    innermost.kind(),
                    self.place(innermost.start)
                )),
                None => refuse(format!("root starting at [Source: {SOURCE}; line: 1]")),
            },
        }
    }

    /// Reads what stands in front of a value of a container: a comma unless it is the first, and a member's name.
    /// Returns the first character of the value.
    fn introduction(&mut self, mut first: char, innermost: &mut Open) -> Result<char, Malformed> {
        let kind = innermost.kind();
        if !innermost.is_empty() {
            if first != ',' {
                let expected = format!("was expecting comma to separate {kind} entries");
                return Err(self.unexpected(first, &expected));
            }
            first = self.next_between(kind)?;
        }
        if innermost.container.is_array() {
            return Ok(first);
        }
        if first != '"' {
            return Err(self.unexpected(first, "was expecting double-quote to start field name"));
        }
        innermost.name = self.string(true)?;
        let colon = self.next_between(kind)?;
        if colon != ':' {
            let expected = "was expecting a colon to separate field name and value";
            return Err(self.unexpected(colon, expected));
        }
        self.next_between(kind)
    }

    /// Reads a value that has this first character. Of an array or object it reads the bracket only.
    fn begin(&mut self, first: char, is_root: bool) -> Result<Value, Malformed> {
        match first {
            '{' => Ok(Value::Object(Map::new())),
            '[' => Ok(Value::Array(Vec::new())),
            '"' => Ok(Value::String(self.string(false)?)),
            't' => self.literal("true", Value::Bool(true)),
            'f' => self.literal("false", Value::Bool(false)),
            'n' => self.literal("null", Value::Null),
            '-' | '0'..='9' => self.number(first == '-', is_root),
            other => Err(self.odd_value(other)),
        }
    }

    fn literal(&mut self, token: &str, value: Value) -> Result<Value, Malformed> {
        self.match_token(token, 1)?;
        Ok(value)
    }

    /// Reads the rest of a token. The characters in front of `from` have been read.
    fn match_token(&mut self, token: &str, from: usize) -> Result<(), Malformed> {
        for (index, expected) in token.char_indices().skip(from) {
            if self.peek() != Some(expected) {
                return Err(self.unrecognized_token(&token[..index]));
            }
            self.at += 1;
        }
        match self.peek() {
            Some(next) if next >= '0' && next != ']' && next != '}' && is_of_identifier(next) => {
                Err(self.unrecognized_token(token))
            }
            _ => Ok(()),
        }
    }

    /// Returns the refusal of a token that begins so. Its place is behind the token.
    fn unrecognized_token(&mut self, beginning: &str) -> Malformed {
        let mut token = beginning.to_owned();
        let mut length = token.len();
        while let Some(next) = self.peek().filter(|next| is_of_identifier(*next)) {
            self.at += next.len_utf8();
            token.push(next);
            length += 1;
            if length >= LONGEST_TOKEN {
                token.push_str("...");
                break;
            }
        }
        self.fault(format!("Unrecognized token '{token}': was expecting {VALUES}"), self.at)
    }

    /// Returns the refusal of a value that cannot begin so.
    fn odd_value(&mut self, first: char) -> Malformed {
        match first {
            'N' => self.not_a_number("NaN", 1),
            'I' => self.not_a_number("Infinity", 1),
            '+' => match self.next() {
                None => self.fault(NUMBER_ENDS, self.at),
                Some(next) => self.bad_start_of_number(next, '+'),
            },
            _ if begins_identifier(first) => {
                self.unrecognized_token(first.encode_utf8(&mut [0; 4]))
            }
            _ => self.unexpected(first, &format!("expected a valid value {VALUES}")),
        }
    }

    /// Returns the refusal of a token that some other parsers take for a number.
    fn not_a_number(&mut self, token: &str, from: usize) -> Malformed {
        if let Err(unrecognized) = self.match_token(token, from) {
            return unrecognized;
        }
        let message = format!(
            "Non-standard token '{token}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to \
             allow"
        );
        self.fault(message, self.at)
    }

    /// Returns the refusal of a character behind a sign, which has been read.
    fn bad_start_of_number(&mut self, mut character: char, sign: char) -> Malformed {
        if character == 'I' {
            let Some(next) = self.next() else { return self.fault(NUMBER_ENDS, self.at) };
            match next {
                'N' => return self.not_a_number(&format!("{sign}INF"), 3),
                'n' => return self.not_a_number(&format!("{sign}Infinity"), 3),
                other => character = other,
            }
        }
        let place = self.at - character.len_utf8();
        if sign == '+' {
            return self.bad_number(
                sign,
                "JSON spec does not allow numbers to have plus signs: enable \
                 `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow",
                place,
            );
        }
        let expected = "expected digit (0-9) to follow minus sign, for valid numeric value";
        self.bad_number(character, expected, place)
    }

    /// Reads a number whose first character has been read.
    fn number(&mut self, is_negative: bool, is_root: bool) -> Result<Value, Malformed> {
        let start = self.at - 1;
        if is_negative {
            match self.next() {
                None => return Err(self.fault(format!("{ENDS}No digit following sign"), self.at)),
                Some('0'..='9') => {}
                Some('.') => return Err(self.odd_value('.')),
                Some(other) => return Err(self.bad_start_of_number(other, '-')),
            }
        }
        let starts_with_zero = self.text.as_bytes()[self.at - 1] == b'0';
        if starts_with_zero && matches!(self.peek(), Some('0'..='9')) {
            return Err(self.fault("Invalid numeric value: Leading zeroes not allowed", self.at));
        }
        let whole = 1 + self.digits();
        let end_of_whole = self.at;
        // Numbers that start with a zero are read by another part of Jackson, which has another idea of the place.
        let place = |faulty: usize| if starts_with_zero { faulty } else { end_of_whole };
        let mut digits = whole;
        if self.take('.') {
            let fraction = self.digits();
            if fraction == 0 {
                let expected = "Decimal point not followed by a digit";
                return Err(match self.peek() {
                    Some(next) => self.bad_number(next, expected, place(self.at)),
                    None => self.bad_number('.', expected, end_of_whole),
                });
            }
            digits += fraction;
        }
        if self.take('e') || self.take('E') {
            let _ = self.take('-') || self.take('+');
            let exponent = self.digits();
            if exponent == 0 {
                let expected = "Exponent indicator not followed by a digit";
                return Err(if let Some(next) = self.peek() {
                    self.bad_number(next, expected, place(self.at))
                } else {
                    let message = format!("{ENDS}expected a digit for number exponent");
                    self.fault(message, self.at)
                });
            }
            digits += exponent;
        }
        if is_root && let Some(next) = self.peek().filter(|next| !" \t\r\n".contains(*next)) {
            self.at += next.len_utf8();
            return Err(self.unexpected(next, "Expected space separating root-level values"));
        }
        if digits > LONGEST_NUMBER {
            return Err(too_large(
                "Number value length",
                digits,
                LONGEST_NUMBER,
                "getMaxNumberLength",
            ));
        }
        Ok(read_number(&self.text[start..self.at]))
    }

    /// Steps over digits, and returns how many.
    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        digits
    }

    /// Reads a value, or the name of a member, whose first quote has been read.
    fn string(&mut self, is_name: bool) -> Result<String, Malformed> {
        let mut string = String::new();
        let (what, end) = if is_name {
            ("name", " in field name")
        } else {
            ("string value", ": was expecting closing quote for a string value")
        };
        loop {
            match self.next() {
                None => return Err(self.fault(format!("{ENDS}{end}"), self.at)),
                Some('"') => break,
                Some('\\') => string.push(self.escape()?),
                Some(control @ '\0'..='\x1f') => {
                    let message = format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be \
                         included in {what}",
                        described(control)
                    );
                    return Err(self.fault(message, self.at - 1));
                }
                Some(other) => string.push(other),
            }
        }
        if is_name && string.len() > LONGEST_NAME {
            let length = string.encode_utf16().count();
            if length > LONGEST_NAME {
                return Err(too_large("Name length", length, LONGEST_NAME, "getMaxNameLength"));
            }
        }
        Ok(string)
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char, Malformed> {
        let Some(letter) = self.next() else { return Err(self.escape_ends()) };
        Ok(match letter {
            'b' => '\x08',
            't' => '\t',
            'n' => '\n',
            'f' => '\x0c',
            'r' => '\r',
            '"' | '/' | '\\' => letter,
            'u' => self.unicode_escape()?,
            other => {
                let message = format!("Unrecognized character escape {}", described(other));
                return Err(self.fault(message, self.at - other.len_utf8()));
            }
        })
    }

    /// Reads the digits of a `\u`, and those of the other half of a surrogate pair. A half that stands alone, which a
    /// text of Rust cannot contain, becomes the replacement character.
    fn unicode_escape(&mut self) -> Result<char, Malformed> {
        let unit = self.hex_digits()?;
        if !(0xD800..0xDC00).contains(&unit) {
            return Ok(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let behind = self.at;
        if self.text[behind..].starts_with("\\u") {
            self.at += 2;
            if let low @ 0xDC00..0xE000 = self.hex_digits()? {
                let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = behind;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex_digits(&mut self) -> Result<u32, Malformed> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(next) = self.next() else { return Err(self.escape_ends()) };
            let Some(digit) = next.to_digit(16) else {
                let expected = "expected a hex-digit for character escape sequence";
                return Err(self.unexpected(next, expected));
            };
            value = value * 16 + digit;
        }
        Ok(value)
    }

    fn escape_ends(&self) -> Malformed {
        self.fault(format!("{ENDS} in character escape sequence"), self.at)
    }

    /// The next character, white space or not.
    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Steps over this character if it is next.
    fn take(&mut self, character: char) -> bool {
        let is_next = self.peek() == Some(character);
        self.at += if is_next { character.len_utf8() } else { 0 };
        is_next
    }

    /// Returns the next character behind white space.
    fn next_token(&mut self) -> Result<Option<char>, Malformed> {
        while let Some(next) = self.next() {
            match next {
                ' ' | '\t' | '\r' | '\n' => {}
                '\0'..='\x1f' => {
                    let message = format!(
                        "Illegal character ({}): only regular white space (\\r, \\n, \\t) is \
                         allowed between tokens",
                        described(next)
                    );
                    return Err(self.fault(message, self.at));
                }
                '/' => {
                    let comment = "maybe a (non-standard) comment? (not recognized as one since \
                                   Feature 'ALLOW_COMMENTS' not enabled for parser)";
                    return Err(self.unexpected(next, comment));
                }
                _ => return Ok(Some(next)),
            }
        }
        Ok(None)
    }

    /// Returns the next character behind white space, within a container of this kind.
    fn next_between(&mut self, kind: &str) -> Result<char, Malformed> {
        self.next_token()?
            .ok_or_else(|| self.fault(format!("{ENDS} within/between {kind} entries"), self.at))
    }

    /// Returns the refusal of a text that ends where a container could.
    fn end_of_input(&self, open: &[Open]) -> Malformed {
        match open.last() {
            Some(innermost) => {
                let (kind, start) = (innermost.kind(), self.place(innermost.start));
                let message =
                    format!("{ENDS}: expected close marker for {kind} (start marker at {start})");
                self.fault(message, self.at)
            }
            // There is no value at all.
            None => Malformed {
                message: "No content to map due to end-of-input".to_owned(),
                place: Some(Place { line: 1, column: 0 }),
            },
        }
    }

    /// Returns the refusal of a character that has just been read.
    fn unexpected(&self, character: char, expected: &str) -> Malformed {
        let message = format!("Unexpected character ({}): {expected}", described(character));
        self.fault(message, self.at - character.len_utf8())
    }

    fn bad_number(&self, character: char, expected: &str, byte: usize) -> Malformed {
        let character = described(character);
        let message = format!("Unexpected character ({character}) in numeric value: {expected}");
        self.fault(message, byte)
    }

    fn fault(&self, message: impl Into<String>, byte: usize) -> Malformed {
        Malformed { message: message.into(), place: Some(self.place(byte)) }
    }

    /// Returns the place of a byte. Lines end with `\n`, `\r` or both.
    fn place(&self, byte: usize) -> Place {
        let before = &self.text[..byte];
        let bytes = before.as_bytes();
        let ends_line = |(at, ended): (usize, &u8)| match ended {
            b'\n' => true,
            b'\r' => self.text.as_bytes().get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let line_ends = bytes.iter().enumerate().filter(|end| ends_line(*end)).count();
        let last = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        Place { line: line_ends + 1, column: before[last..].encode_utf16().count() + 1 }
    }
}

const ENDS: &str = "Unexpected end-of-input";
const NUMBER_ENDS: &str = "Unexpected end-of-input in a Number value";

fn too_deep() -> Malformed {
    too_large("Document nesting depth", DEEPEST + 1, DEEPEST, "getMaxNestingDepth")
}

/// Returns the refusal of something that is larger than Jackson permits. It has no place.
fn too_large(what: &str, size: usize, most: usize, setting: &str) -> Malformed {
    let message = format!(
        "{what} ({size}) exceeds the maximum allowed ({most}, from `StreamReadConstraints.{setting}()`)"
    );
    Malformed { message, place: None }
}

fn read_number(written: &str) -> Value {
    if let Ok(number) = written.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = written.parse::<u64>() {
        return number.into();
    }
    match written.parse().ok().and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        // Jackson writes a number that is too large for 64 bits as a text.
        None if written.starts_with('-') => "-Infinity".into(),
        None => "Infinity".into(),
    }
}

/// A character with its code. Of a pair of surrogates only the first is described, and cannot be shown.
fn described(character: char) -> String {
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units);
    match *units {
        [unit, _] => format!("'?' (code {unit} / 0x{unit:x})"),
        _ if character.is_control() => format!("(CTRL-CHAR, code {})", u32::from(character)),
        _ if character > '\u{ff}' => {
            let code = u32::from(character);
            format!("'{character}' (code {code} / 0x{code:x})")
        }
        _ => format!("'{character}' (code {})", u32::from(character)),
    }
}

/// Returns whether an identifier of Java can begin with the character, which must be of one UTF-16 unit.
fn begins_identifier(character: char) -> bool {
    let is_letter = character.is_alphabetic() || CURRENCIES_AND_CONNECTORS.contains(character);
    is_letter && character <= '\u{ffff}'
}

/// Returns whether an identifier of Java can contain the character.
fn is_of_identifier(character: char) -> bool {
    let is_ignorable = matches!(character, '\0'..='\x08' | '\x0e'..='\x1b' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{feff}');
    let is_digit = character.is_numeric() && character.is_alphanumeric();
    begins_identifier(character) || (is_digit && character <= '\u{ffff}') || is_ignorable
}

const CURRENCIES_AND_CONNECTORS: &str =
    "$_¢£¤¥֏؋৲৳৻૱௹฿៛₠₡₢₣₤₥₦₧₨₩₪₫€₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿꠸﷼﹩＄￠￡￥￦‿⁀⁔︳︴﹍﹎﹏＿";
