//! The canonical request: the text that client and server must agree on to the byte.
//!
//! It is built from the request as it came over the wire, not from anything that was decoded and encoded again.
//! The path is encoded twice, as by every service but S3.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, step 1

use std::borrow::Cow;
use std::fmt::Write as _;

use hyper::http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::presigned;

/// Replaces the hash of a body that is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// All characters except RFC 3986's unreserved ones.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request as it came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path of the request line, as sent.
    pub path: &'a str,
    /// The query of the request line without its question mark, as sent.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
    /// The service that is called, as a credential scope names it: `sqs`, `sns`, `sts`.
    pub service: &'a str,
}

/// Returns the canonical request as bytes, since header values need not be UTF-8. `None` if a signed header is
/// missing. `signed_headers` are the names as sent, separated by semicolons; `payload_hash` is the hash of the body in
/// lower-case hexadecimal, or [`UNSIGNED_PAYLOAD`]; `presigned` means that the signature is in the query, where it
/// cannot sign itself.
pub fn canonical_request(
    request: &Request<'_>,
    signed_headers: &str,
    payload_hash: &str,
    presigned: bool,
) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(512 + request.query.len());
    let mut line = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        text.push(b'\n');
    };
    line(request.method.as_bytes());
    line(canonical_path(request.path).as_bytes());
    line(canonical_query(request.query, presigned).as_bytes());
    let names = signed_header_names(signed_headers);
    for name in &names {
        line(&canonical_header(request.headers, name)?);
    }
    line(b"");
    line(names.join(";").as_bytes());
    text.extend_from_slice(payload_hash.as_bytes());
    Some(text)
}

/// Returns the names of signed headers in lower case, sorted, each once: repeating a name must not multiply a long
/// value.
pub fn signed_header_names(signed_headers: &str) -> Vec<String> {
    let mut names: Vec<String> =
        signed_headers.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Returns whether a name is in a list of signed headers, as sent: separated by semicolons.
pub fn signs_header(signed_headers: &str, name: &str) -> bool {
    signed_headers.split(';').any(|signed| signed.trim().eq_ignore_ascii_case(name))
}

/// Returns the query in the order that is signed. The canonical query is the same for every order of parameters, so
/// the order in which the values of a repeated name were sent means nothing.
pub fn in_signed_order(query: &str) -> Cow<'_, str> {
    if repeated_parameters(query).is_empty() {
        Cow::Borrowed(query)
    } else {
        Cow::Owned(canonical_query(query, false))
    }
}

/// Returns the decoded names of parameters that a query has more than once, with different values.
pub fn repeated_parameters(query: &str) -> Vec<String> {
    if !query.contains('&') {
        return Vec::new();
    }
    let decode = |(name, value)| (presigned::decode(name), presigned::decode(value));
    let mut parameters: Vec<_> = presigned::parameters(query).map(decode).collect();
    parameters.sort_unstable();
    let pairs = parameters.iter().zip(parameters.iter().skip(1));
    let differ = pairs.filter(|(one, other)| one.0 == other.0 && one.1 != other.1);
    differ.map(|(one, _)| one.0.clone().into_owned()).collect()
}

/// Returns the path as it is signed: without `.`, `..` and empty segments, not decoded. Two paths with the same
/// signature have the same plain path.
pub fn plain_path(path: &str) -> Cow<'_, str> {
    let is_plain = path.starts_with('/') && !path.contains("//") && !path.contains("/.");
    if is_plain { Cow::Borrowed(path) } else { Cow::Owned(normalized(path, Cow::Borrowed)) }
}

/// Returns the path without `.`, `..` and empty segments, encoded once more than it was sent.
fn canonical_path(path: &str) -> String {
    normalized(path, |segment| percent_encode(segment.as_bytes(), ENCODED).into())
}

/// Returns the path without `.`, `..` and empty segments, each of the others as `write` returns it.
fn normalized<'p>(path: &'p str, write: impl Fn(&'p str) -> Cow<'p, str>) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::with_capacity(path.len() + 8);
    for segment in &segments {
        canonical.push('/');
        canonical.push_str(&write(segment));
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if segments.is_empty() || is_directory {
        canonical.push('/');
    }
    canonical
}

/// Returns the parameters decoded, encoded in the canonical way, and sorted by name, then value.
fn canonical_query(query: &str, presigned: bool) -> String {
    let mut parameters: Vec<(String, String)> = presigned::parameters(query)
        .filter(|(name, _)| !(presigned && *name == presigned::SIGNATURE))
        .map(|(name, value)| (encode_again(name), encode_again(value)))
        .collect();
    parameters.sort_unstable();
    let mut canonical = String::with_capacity(query.len() + 8);
    for (name, value) in parameters {
        let separator = if canonical.is_empty() { "" } else { "&" };
        let _ = write!(canonical, "{separator}{name}={value}");
    }
    canonical
}

/// Returns a part of a query in the canonical encoding. A plus sign means a space, as in forms.
fn encode_again(part: &str) -> String {
    let spaced = part.replace('+', "%20");
    let decoded: Vec<u8> = percent_decode_str(&spaced).collect();
    percent_encode(&decoded, ENCODED).to_string()
}

/// Returns `name:value`, with the values of repeated headers joined in the order received.
fn canonical_header(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let mut values = headers.get_all(name).iter();
    let mut line = Vec::with_capacity(64);
    line.extend_from_slice(name.as_bytes());
    line.push(b':');
    push_trimmed(&mut line, values.next()?.as_bytes());
    for value in values {
        line.push(b',');
        push_trimmed(&mut line, value.as_bytes());
    }
    Some(line)
}

/// Appends a header's value, trimmed and with each run of spaces reduced to one.
fn push_trimmed(line: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        line.extend_from_slice(word);
    }
}

#[cfg(test)]
mod tests {
    use hyper::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::domain::digest::sha256_hex;

    fn text(query: &str, headers: &[(&str, &str)], signed_headers: &str) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let request =
            Request { method: "GET", path: "/", query, headers: &map, body: b"", service: "sqs" };
        let canonical = canonical_request(&request, signed_headers, UNSIGNED_PAYLOAD, false);
        canonical.map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_published_request_has_its_published_hash() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        let (query, body) = ("", &b""[..]);
        let request =
            Request { method: "GET", path: "/", query, headers: &headers, body, service: "iam" };
        let canonical =
            canonical_request(&request, "host;x-amz-date", &sha256_hex(b""), false).unwrap();
        assert_eq!(
            sha256_hex(&canonical),
            "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63",
        );
    }

    #[test]
    fn paths_are_normalised_and_encoded_a_second_time() {
        for (path, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a//b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../../a", "/a"),
            ("/a/", "/a/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a/..", "/"),
            ("/000000000000/q.fifo", "/000000000000/q.fifo"),
            ("/a%20b/%C3%A9", "/a%2520b/%25C3%25A9"),
            ("/a:b+c=d~e", "/a%3Ab%2Bc%3Dd~e"),
            ("/%2F", "/%252F"),
            ("/é", "/%C3%A9"),
        ] {
            assert_eq!(canonical_path(path), canonical, "{path}");
        }
    }

    #[test]
    fn paths_with_one_signature_have_one_plain_path() {
        for path in ["/", "/a", "/a/b", "/a/b/", "/a%2F.%2e", "/queue/eu-west-1/0/q"] {
            assert!(matches!(plain_path(path), Cow::Borrowed(plain) if plain == path), "{path}");
        }
        for (path, plain) in [
            ("", "/"),
            ("//", "/"),
            ("//a", "/a"),
            ("/a//", "/a/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/queue/./eu-west-1//0/q", "/queue/eu-west-1/0/q"),
        ] {
            assert_eq!(plain_path(path), plain, "{path}");
            assert_eq!(canonical_path(path), canonical_path(plain), "{path}");
        }
    }

    #[test]
    fn a_name_with_two_values_is_read_in_the_order_that_is_signed() {
        for query in ["", "a=1", "b=1&a=1", "a=1&a=1", "a=1&A=2", "b=%20&a=1&b=+", "&&a&a="] {
            assert!(matches!(in_signed_order(query), Cow::Borrowed(same) if same == query));
        }
        for (query, ordered) in [
            ("a=2&a=1", "a=1&a=2"),
            ("a=2&b=3&%61=1", "a=1&a=2&b=3"),
            ("a=1&a", "a=&a=1"),
            ("a=1&b&a=1&a=2", "a=1&a=1&a=2&b="),
        ] {
            assert_eq!(repeated_parameters(query), ["a"], "{query}");
            assert_eq!(in_signed_order(query), ordered, "{query}");
        }
    }

    #[test]
    fn queries_are_sorted_and_encoded_in_one_way() {
        for (query, canonical) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=b&a=B&a=", "a=&a=B&a=b"),
            ("A=1&a=1&B=1", "A=1&B=1&a=1"),
            ("flag", "flag="),
            ("flag=&other", "flag=&other="),
            ("&&a=1&", "a=1"),
            ("a=x%20y&b=x+y", "a=x%20y&b=x%20y"),
            ("a=%7e%2d%41", "a=~-A"),
            ("a=%c3%a9&b=é", "a=%C3%A9&b=%C3%A9"),
            ("a=b=c", "a=b%3Dc"),
            ("a=%zz%2", "a=%25zz%252"),
            ("a=%ff", "a=%FF"),
            ("Attribute.10=x&Attribute.1=y", "Attribute.1=y&Attribute.10=x"),
            ("X-Amz-Signature=x", "X-Amz-Signature=x"),
        ] {
            assert_eq!(canonical_query(query, false), canonical, "{query}");
        }
        assert_eq!(canonical_query("b=1&X-Amz-Signature=x&a=1", true), "a=1&b=1");
    }

    #[test]
    fn headers_are_trimmed_joined_and_sorted() {
        let headers = [
            ("X-Amz-B", "  two   spaces  "),
            ("Host", "h:4566"),
            ("X-Amz-A", "1"),
            ("x-amz-a", " 3  2 "),
            ("Unsigned", "u"),
        ];
        assert_eq!(
            text("", &headers, "X-Amz-B;host;x-amz-a;host").unwrap(),
            "GET\n/\n\nhost:h:4566\nx-amz-a:1,3 2\nx-amz-b:two spaces\n\n\
             host;x-amz-a;x-amz-b\nUNSIGNED-PAYLOAD",
        );
    }

    #[test]
    fn a_signed_header_that_is_not_there_fails() {
        assert_eq!(text("", &[("Host", "h")], "host;x-amz-date"), None);
        assert_eq!(text("", &[("Host", "h")], ""), None);
        assert_eq!(text("", &[("Host", "h")], "host;not a name"), None);
    }
}
