//! Basic and Digest authentication for endpoints with credentials in their URL (RFC 7617, RFC 7616).
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html>

use crate::domain::digest::{md5_hex, sha256_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::parser::ChallengeParser;
use http_auth::{ChallengeRef, ParamValue};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::fmt;

/// The user and the password of a URL, percent-decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: Vec<u8>,
    /// The password; empty if there is none.
    pub password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// The request that a digest covers.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query, as sent.
    pub target: &'a str,
    /// A random text without quotation marks, used once.
    pub client_nonce: &'a str,
}

/// Returns the Authorization value for the strongest challenge of a 401 response, or `None` if no challenge is
/// supported. A challenge without a realm is not.
// Rule (deliveries): credentials in the URL of an endpoint are sent only after a 401 response, as Basic or
//   Digest, as the response requests.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
// Test: src/runtime/http_sender.rs::credentials_are_sent_only_when_they_are_asked_for
// Rule (deliveries): a challenge must name its realm.
// Source: reported, https://maxbeatty.com/2015/11/16/how-to-subscribe-to-aws-sns-using-https-with-basic-authentication/
// Test: src/runtime/http_authorization.rs::what_cannot_be_answered_is_not
pub fn authorization(
    answer: &HeaderMap,
    credentials: &Credentials,
    asked: Asked<'_>,
) -> Option<HeaderValue> {
    let values = answer.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges = values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok));
    let strongest =
        challenges.filter_map(|it| Challenge::read(&it)).max_by_key(Challenge::strength)?;
    let bytes = match strongest {
        Challenge::Basic => basic(credentials),
        Challenge::Digest(challenge) => challenge.answer(credentials, asked),
    };
    let mut value = HeaderValue::from_bytes(&bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A supported challenge.
enum Challenge<'c> {
    Basic,
    Digest(Digest<'c>),
}

impl<'c> Challenge<'c> {
    fn read(challenge: &ChallengeRef<'c>) -> Option<Self> {
        let find = |name: &str| {
            let mut params = challenge.params.iter();
            params.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        let realm = find("realm")?;
        if challenge.scheme.eq_ignore_ascii_case("Basic") {
            return Some(Self::Basic);
        }
        if !challenge.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let algorithm = match find("algorithm") {
            None => Algorithm::Default,
            Some(name) => Algorithm::named(&name.to_unescaped())?,
        };
        let protects_nothing_else = |qop: ParamValue<'_>| {
            qop.to_unescaped().split(',').any(|one| one.trim().eq_ignore_ascii_case("auth"))
        };
        let qop = find("qop").map(protects_nothing_else);
        if qop == Some(false) {
            return None;
        }
        let (nonce, opaque) = (find("nonce")?, find("opaque"));
        Some(Self::Digest(Digest { realm, nonce, opaque, algorithm, has_qop: qop.is_some() }))
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Basic => 0,
            Self::Digest(Digest { algorithm: Algorithm::Sha256, .. }) => 2,
            Self::Digest(_) => 1,
        }
    }
}

fn basic(Credentials { user, password }: &Credentials) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode([&user[..], b":", &password[..]].concat())).into_bytes()
}

/// A challenge of the Digest scheme.
struct Digest<'c> {
    realm: ParamValue<'c>,
    nonce: ParamValue<'c>,
    opaque: Option<ParamValue<'c>>,
    algorithm: Algorithm,
    /// Whether the challenge names qualities of protection, of which `auth` is used. Older servers name none.
    has_qop: bool,
}

/// The hash function of a digest.
#[derive(Debug, Clone, Copy)]
enum Algorithm {
    /// MD5, as the default of a challenge that names no algorithm.
    Default,
    Md5,
    Sha256,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            _ if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            _ => None,
        }
    }

    fn digest(self, parts: &[&[u8]]) -> String {
        let text = parts.join(&b':');
        match self {
            Self::Default | Self::Md5 => md5_hex(&text),
            Self::Sha256 => sha256_hex(&text),
        }
    }
}

impl Digest<'_> {
    fn answer(&self, Credentials { user, password }: &Credentials, asked: Asked<'_>) -> Vec<u8> {
        const COUNT: &str = "00000001";
        let Asked { method, target, client_nonce } = asked;
        let (realm, nonce) = (self.realm.to_unescaped(), self.nonce.to_unescaped());
        let digest = |parts: &[&[u8]]| self.algorithm.digest(parts);
        let secret = digest(&[user, realm.as_bytes(), password]);
        let request = digest(&[method.as_str().as_bytes(), target.as_bytes()]);
        let with_qop = [nonce.as_bytes(), COUNT.as_bytes(), client_nonce.as_bytes(), b"auth"];
        let between = if self.has_qop { &with_qop[..] } else { &with_qop[..1] };
        let response = digest(&[&[secret.as_bytes()], between, &[request.as_bytes()]].concat());

        let mut answer = b"Digest username=".to_vec();
        answer.extend(quoted(user));
        answer.extend(b", uri=");
        answer.extend(quoted(target.as_bytes()));
        let mut add = |text: String| answer.extend(text.into_bytes());
        add(format!(r#", realm="{}""#, self.realm.as_escaped()));
        add(format!(r#", nonce="{}", response="{response}""#, self.nonce.as_escaped()));
        match self.algorithm {
            Algorithm::Default => {}
            Algorithm::Md5 => add(", algorithm=MD5".to_owned()),
            Algorithm::Sha256 => add(", algorithm=SHA-256".to_owned()),
        }
        if self.has_qop {
            add(format!(r#", qop=auth, nc={COUNT}, cnonce="{client_nonce}""#));
        }
        if let Some(opaque) = &self.opaque {
            add(format!(r#", opaque="{}""#, opaque.as_escaped()));
        }
        answer
    }
}

/// Returns a text as a quoted string of HTTP.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credentials(user: &str, password: &str) -> Credentials {
        Credentials { user: user.into(), password: password.into() }
    }

    fn answer_to(challenges: &[&str], credentials: &Credentials) -> Option<String> {
        let headers =
            challenges.iter().map(|text| (WWW_AUTHENTICATE, HeaderValue::from_str(text).unwrap()));
        // The request of the examples in RFC 7616, section 3.9.1.
        let asked = Asked {
            method: &Method::GET,
            target: "/dir/index.html",
            client_nonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let mut answer = HeaderMap::new();
        headers.for_each(|(name, value)| {
            answer.append(name, value);
        });
        let value = authorization(&answer, credentials, asked)?;
        assert!(value.is_sensitive());
        Some(String::from_utf8(value.as_bytes().to_vec()).unwrap())
    }

    const SHA_256: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;
    const MD5: &str = r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#;

    #[test]
    fn the_examples_of_the_rfc_are_answered_as_it_says() {
        let mufasa = credentials("Mufasa", "Circle of Life");
        let md5 = r#"response="8ca523f5e9506fed4657c9700eebdbec", algorithm=MD5,"#;
        let sha_256 = r#"response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", algorithm=SHA-256,"#;
        for (challenges, part) in [
            (&[MD5][..], md5),
            (&[SHA_256], sha_256),
            // The strongest challenge is used, whatever its position.
            (&[MD5, SHA_256], sha_256),
            (&[&format!("{SHA_256}, {MD5}"), "Basic realm=\"x\""], sha_256),
            (&[&format!("Basic realm=\"x\", {MD5}")], md5),
        ] {
            let answer = answer_to(challenges, &mufasa).unwrap();
            assert!(answer.contains(part), "{answer}");
        }
        assert_eq!(
            answer_to(&[MD5], &mufasa).unwrap(),
            r#"Digest username="Mufasa", uri="/dir/index.html", realm="http-auth@example.org", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", response="8ca523f5e9506fed4657c9700eebdbec", algorithm=MD5, qop=auth, nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
        );
    }

    #[test]
    fn a_challenge_without_qop_is_answered_as_of_old() {
        // The example of RFC 2069, with the response of its errata.
        let challenge = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
        assert_eq!(
            answer_to(&[challenge], &credentials("Mufasa", "CircleOfLife")).unwrap(),
            r#"Digest username="Mufasa", uri="/dir/index.html", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", response="1949323746fe6a43ef61f9606e7febea", opaque="5ccc069c403ebaf9f0171e9517f40e41""#
        );
    }

    #[test]
    fn basic_takes_any_bytes() {
        let answer = answer_to(&["basic realm=\"x\", charset=\"UTF-8\""], &credentials("é", ":\""));
        assert_eq!(answer.as_deref(), Some("Basic w6k6OiI="));
    }

    #[test]
    fn users_are_quoted() {
        let answer = answer_to(&[MD5], &credentials("a\"b\\c", "")).unwrap();
        assert!(answer.starts_with(r#"Digest username="a\"b\\c", uri"#), "{answer}");
    }

    #[test]
    fn what_cannot_be_answered_is_not() {
        for challenge in [
            "",
            "Basic",
            "Bearer realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\"",
            "Digest realm=\"x\", nonce=\"y\", algorithm=SHA-512-256",
            "Digest realm=\"x\", nonce=\"y\", qop=\"auth-int\"",
        ] {
            assert_eq!(answer_to(&[challenge], &credentials("u", "p")), None, "{challenge}");
        }
        assert_eq!(answer_to(&[MD5], &credentials("u\n", "p")), None);
    }

    proptest! {
        #[test]
        fn any_challenge_is_answered_or_not(challenge in "(Basic|Digest|x)?[ -~]{0,40}", user: Vec<u8>) {
            let credentials = Credentials { user, password: Vec::new() };
            let mut answer = HeaderMap::new();
            answer.insert(WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).unwrap());
            let asked = Asked { method: &Method::POST, target: "/", client_nonce: "x" };
            let _ = authorization(&answer, &credentials, asked);
        }
    }
}
