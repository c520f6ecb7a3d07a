//! Form parameters: what AWS Query calls are made of, from the URL's query and from the body.

use percent_encoding::percent_decode;

use super::Malformed;

/// Parameters of one request. The largest sensible one, a batch of ten messages with ten
/// attributes each, has fewer than 400.
pub const MAX_PARAMETERS: usize = 4_096;

/// Decoded names and values in the order of the request, those of the URL before the body's.
#[derive(Debug, Default)]
pub struct Params {
    /// All names and values without a gap, so that a request costs one buffer.
    text: String,
    /// Where in `text` each name ends, and its value, which follows it.
    ends: Vec<(usize, usize)>,
}

impl Params {
    /// Decodes `application/x-www-form-urlencoded` text (WHATWG URL §5.1) of a URL's query and of
    /// a body.
    ///
    /// Refuses text that is not UTF-8 and more than [`MAX_PARAMETERS`].
    pub fn parse(query: Option<&str>, body: &[u8]) -> Result<Self, Malformed> {
        let query = query.unwrap_or_default().as_bytes();
        let mut text = Vec::with_capacity(query.len() + body.len());
        let mut ends = Vec::new();
        let pieces = query.split(|byte| *byte == b'&').chain(body.split(|byte| *byte == b'&'));
        for piece in pieces.filter(|piece| !piece.is_empty()) {
            if ends.len() == MAX_PARAMETERS {
                return Err(Malformed::new(format!(
                    "The request must not contain more than {MAX_PARAMETERS} parameters."
                )));
            }
            let equals = piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len());
            decode(&piece[..equals], &mut text);
            let name_end = text.len();
            decode(piece.get(equals + 1..).unwrap_or_default(), &mut text);
            ends.push((name_end, text.len()));
        }
        let refusal = || Malformed::new("The parameters of the request must be text in UTF-8.");
        let text = String::from_utf8(text).map_err(|_| refusal())?;
        // A character may not begin in one part and end in the next.
        let whole = |(name, value): &(usize, usize)| {
            text.is_char_boundary(*name) && text.is_char_boundary(*value)
        };
        if !ends.iter().all(whole) {
            return Err(refusal());
        }
        Ok(Self { text, ends })
    }

    /// The value of the first parameter of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Names and values in the order of the request.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let pair = (&self.text[start..name_end], &self.text[name_end..end]);
            start = end;
            pair
        })
    }
}

/// Appends a name or value without its escapes: `+` is a space, and a `%` that begins no escape
/// stands for itself.
fn decode(part: &[u8], text: &mut Vec<u8>) {
    for (at, words) in part.split(|byte| *byte == b'+').enumerate() {
        if at > 0 {
            text.push(b' ');
        }
        text.extend(percent_decode(words));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pairs(query: Option<&str>, body: &[u8]) -> Vec<(String, String)> {
        let params = Params::parse(query, body).unwrap();
        params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn query_comes_before_body() {
        let params = Params::parse(Some("Action=A&B=1"), b"B=2&C=3").unwrap();
        assert_eq!(params.get("Action"), Some("A"));
        assert_eq!(params.get("B"), Some("1"));
        assert_eq!(params.get("C"), Some("3"));
        assert_eq!(params.get("action"), None);
    }

    #[test]
    fn escapes() {
        let given = b"a+b=c%20d%2Be&&=x&bare&two=1=2&%C3%A9=%e2%82%ac&p=100%&q=%zz&%3D=%26+";
        let expected = [
            ("a b", "c d+e"),
            ("", "x"),
            ("bare", ""),
            ("two", "1=2"),
            ("é", "€"),
            ("p", "100%"),
            ("q", "%zz"),
            ("=", "& "),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs(None, given), expected);
    }

    #[test]
    fn refuses_what_is_not_utf8() {
        for body in [&b"a=%ff"[..], b"a=\xff", b"a%C3=%A9", b"a=%C3&%A9=b", b"%ed%a0%80=1"] {
            assert!(Params::parse(None, body).is_err(), "{body:?}");
        }
    }

    #[test]
    fn refuses_too_many() {
        let most = "a&".repeat(MAX_PARAMETERS);
        assert_eq!(pairs(None, most.as_bytes()).len(), MAX_PARAMETERS);
        assert!(Params::parse(Some("b"), most.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(
            query in proptest::option::of("[a-c=&%+.0-9]{0,40}"),
            body in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            if let Ok(params) = Params::parse(query.as_deref(), &body) {
                prop_assert!(params.iter().count() <= 120);
            }
        }
    }
}
