//! The canonical request: the one text that client and server must agree on to the byte.
//!
//! Built from the request as it came over the wire, never from anything decoded and encoded again
//! elsewhere. Rules: IAM User Guide, "Create a signed AWS API request", step 1, with the path
//! encoded twice as every service but S3 does.

use std::fmt::Write as _;

use hyper::http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::presigned;

/// What stands in for the hash of a body that is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the canonical request is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The method, as sent.
    pub method: &'a str,
    /// The path of the request line, as sent.
    pub path: &'a str,
    /// The query of the request line without its question mark, as sent.
    pub query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The names in `SignedHeaders`, as sent: separated by semicolons.
    pub signed_headers: &'a str,
    /// The hash of the body in lower-case hexadecimal, or [`UNSIGNED_PAYLOAD`].
    pub payload_hash: &'a str,
    /// Whether the signature is in the query, where it cannot sign itself.
    pub presigned: bool,
}

/// The canonical request as bytes: header values need not be UTF-8. `None` when a header that is
/// said to be signed is not there.
pub fn canonical_request(parts: &Parts<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::with_capacity(512 + parts.query.len());
    let mut line = |bytes: &[u8]| {
        text.extend_from_slice(bytes);
        text.push(b'\n');
    };
    line(parts.method.as_bytes());
    line(canonical_path(parts.path).as_bytes());
    line(canonical_query(parts.query, parts.presigned).as_bytes());
    let names = signed_header_names(parts.signed_headers);
    for name in &names {
        line(&canonical_header(parts.headers, name)?);
    }
    line(b"");
    line(names.join(";").as_bytes());
    text.extend_from_slice(parts.payload_hash.as_bytes());
    Some(text)
}

/// The names of signed headers in lower case, sorted, each once: a name repeated many times must
/// not multiply a long value.
pub fn signed_header_names(signed_headers: &str) -> Vec<String> {
    let mut names: Vec<String> =
        signed_headers.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The path without `.`, `..` and empty segments, and encoded once more than it was sent.
fn canonical_path(path: &str) -> String {
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
        canonical.extend(percent_encode(segment.as_bytes(), ENCODED));
    }
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if segments.is_empty() || is_directory {
        canonical.push('/');
    }
    canonical
}

/// The parameters decoded, encoded in the one canonical way, and sorted by name, then value.
fn canonical_query(query: &str, presigned: bool) -> String {
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
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

/// A part of a query in the one canonical encoding. A plus sign means a space, as in forms.
fn encode_again(part: &str) -> String {
    let spaced = part.replace('+', "%20");
    let decoded: Vec<u8> = percent_decode_str(&spaced).collect();
    percent_encode(&decoded, ENCODED).to_string()
}

/// `name:value` with the values of repeated headers joined in the order received.
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

/// Appends a header's value without spaces at its ends and with one space for each run of them.
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
        let parts = Parts {
            method: "GET",
            path: "/",
            query,
            headers: &map,
            signed_headers,
            payload_hash: UNSIGNED_PAYLOAD,
            presigned: false,
        };
        canonical_request(&parts).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn the_published_request_has_its_published_hash() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        let parts = Parts {
            method: "GET",
            path: "/",
            query: "",
            headers: &headers,
            signed_headers: "host;x-amz-date",
            payload_hash: &sha256_hex(b""),
            presigned: false,
        };
        assert_eq!(
            sha256_hex(&canonical_request(&parts).unwrap()),
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
