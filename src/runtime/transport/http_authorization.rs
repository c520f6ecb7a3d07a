//! Answers the authentication challenges of endpoints: Basic (RFC 7617) and Digest (RFC 7616).
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html>

use crate::domain::digest::{md5_hex, sha256_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::parser::ChallengeParser;
use http_auth::{ChallengeRef, ParamValue};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::fmt;

/// The user and the password of a URL, percent-decoded. A missing password is empty.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Credentials {
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// Returns a random text for one digest. Fails if the machine has no randomness.
pub fn client_nonce() -> Result<String, String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|cause| format!("no randomness: {cause}"))?;
    Ok(STANDARD.encode(bytes))
}

/// Returns the Authorization header that answers the strongest challenge of a 401, for a request with this
/// method and target (path and query); none if no challenge can be answered.
// Rule (deliveries): credentials in the URL of an endpoint are sent only when it has answered 401, as Basic or
//   Digest, whichever it asks for.
// Source: documented, https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
// Test: src/runtime/transport/http.rs::credentials_are_sent_only_when_they_are_asked_for
// Rule (deliveries): a challenge must name its realm.
// Source: reported, https://maxbeatty.com/2015/11/16/how-to-subscribe-to-aws-sns-using-https-with-basic-authentication/
// Test: src/runtime/transport/http_authorization.rs::what_cannot_be_answered_is_not
pub fn authorization(
    response: &HeaderMap,
    credentials: &Credentials,
    method: &Method,
    target: &str,
    client_nonce: &str,
) -> Option<HeaderValue> {
    let values = response.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let challenges = values.flat_map(|value| ChallengeParser::new(value).map_while(Result::ok));
    let strongest =
        challenges.filter_map(|it| Challenge::read(&it)).max_by_key(Challenge::strength)?;
    let bytes = match strongest {
        Challenge::Basic => basic(credentials),
        Challenge::Digest(digest) => digest.answer(credentials, method, target, client_nonce),
    };
    let mut value = HeaderValue::from_bytes(&bytes).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A challenge that can be answered.
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
            None => None,
            Some(name) => Some(Algorithm::named(&name.to_unescaped())?),
        };
        let qop = find("qop").map(|qop| qop.to_unescaped());
        let is_auth = |qop: &str| qop.trim().eq_ignore_ascii_case("auth");
        if qop.as_ref().is_some_and(|qop| !qop.split(',').any(is_auth)) {
            return None;
        }
        let (nonce, opaque) = (find("nonce")?, find("opaque"));
        Some(Self::Digest(Digest { realm, nonce, opaque, algorithm, has_qop: qop.is_some() }))
    }

    fn strength(&self) -> u8 {
        match self {
            Self::Basic => 0,
            Self::Digest(Digest { algorithm: Some(Algorithm::Sha256), .. }) => 2,
            Self::Digest(_) => 1,
        }
    }
}

fn basic(Credentials { user, password }: &Credentials) -> Vec<u8> {
    format!("Basic {}", STANDARD.encode([&user[..], b":", &password[..]].concat())).into_bytes()
}

/// A challenge of the scheme Digest.
struct Digest<'c> {
    realm: ParamValue<'c>,
    nonce: ParamValue<'c>,
    opaque: Option<ParamValue<'c>>,
    /// MD5 if the challenge names none.
    algorithm: Option<Algorithm>,
    /// Whether the challenge offers `qop=auth`. Older servers offer no quality of protection.
    has_qop: bool,
}

#[derive(Clone, Copy)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        let has_name = |it: &Self| it.name().eq_ignore_ascii_case(name);
        [Self::Md5, Self::Sha256].into_iter().find(has_name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }
}

impl Digest<'_> {
    fn answer(
        &self,
        Credentials { user, password }: &Credentials,
        method: &Method,
        target: &str,
        client_nonce: &str,
    ) -> Vec<u8> {
        const COUNT: &str = "00000001";
        let digest = |parts: &[&[u8]]| match self.algorithm {
            Some(Algorithm::Sha256) => sha256_hex(&parts.join(&b':')),
            _ => md5_hex(&parts.join(&b':')),
        };
        let (realm, nonce) = (self.realm.to_unescaped(), self.nonce.to_unescaped());
        let secret = digest(&[user, realm.as_bytes(), password]);
        let request = digest(&[method.as_str().as_bytes(), target.as_bytes()]);
        let with_qop = [nonce.as_bytes(), COUNT.as_bytes(), client_nonce.as_bytes(), b"auth"];
        let between = if self.has_qop { &with_qop[..] } else { &with_qop[..1] };
        let response = digest(&[&[secret.as_bytes()], between, &[request.as_bytes()]].concat());

        let algorithm = self.algorithm.map(|it| format!(", algorithm={}", it.name()));
        let qop = format!(r#", qop=auth, nc={COUNT}, cnonce="{client_nonce}""#);
        let opaque = self.opaque.map(|opaque| format!(r#", opaque="{}""#, opaque.as_escaped()));
        let rest = [
            format!(r#", realm="{}""#, self.realm.as_escaped()),
            format!(r#", nonce="{}", response="{response}""#, self.nonce.as_escaped()),
            algorithm.unwrap_or_default(),
            if self.has_qop { qop } else { String::new() },
            opaque.unwrap_or_default(),
        ]
        .concat();
        let (user, target) = (quoted(user), quoted(target.as_bytes()));
        [b"Digest username=", &user[..], b", uri=", &target, rest.as_bytes()].concat()
    }
}

/// Returns a quoted string of HTTP.
fn quoted(bytes: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| matches!(byte, b'"' | b'\\').then_some(b'\\');
    let escaped = bytes.iter().flat_map(|byte| escape(byte).into_iter().chain([*byte]));
    [b'"'].into_iter().chain(escaped).chain([b'"']).collect()
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
        let (target, nonce) = ("/dir/index.html", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ");
        let mut answer = HeaderMap::new();
        headers.for_each(|(name, value)| {
            answer.append(name, value);
        });
        let value = authorization(&answer, credentials, &Method::GET, target, nonce)?;
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
            // The strongest is answered, wherever it stands.
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
        // The example of RFC 2069, with the response that its errata have.
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
            let _ = authorization(&answer, &credentials, &Method::POST, "/", "x");
        }
    }
}
