//! A cache of derived signing keys: a call of a busy client costs one HMAC instead of five.
//!
//! It holds at most [`CAPACITY`] keys, and only those of requests with a right signature, so it cannot be filled
//! without a secret.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;

/// Keys in the cache. There is one per access key ID, day, region and service, so this is far more than a
/// deployment uses in a day.
pub const CAPACITY: usize = 256;

/// An HMAC-SHA256 signing key. It has no text form.
#[derive(Clone, Copy)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// Returns the key of a credential scope; `None` before 1970.
    pub fn derive(secret: &str, unix_s: i64, region: &str, service: &str) -> Option<Self> {
        let since_epoch = std::time::Duration::from_secs(u64::try_from(unix_s).ok()?);
        let day = std::time::UNIX_EPOCH.checked_add(since_epoch)?;
        let key = aws_sigv4::sign::v4::generate_signing_key(secret, day, region, service);
        key.as_ref().try_into().ok().map(Self)
    }

    /// Returns the signature of a string to sign, in lower-case hexadecimal.
    pub fn sign(&self, string_to_sign: &str) -> String {
        aws_sigv4::sign::v4::calculate_signature(self.0, string_to_sign.as_bytes())
    }
}

/// The keys by credential: `access key ID/day/region/service/aws4_request`.
#[derive(Default)]
pub struct SigningKeys(Mutex<HashMap<String, SigningKey>>);

impl SigningKeys {
    /// Returns the cached key of a credential.
    pub fn get(&self, credential: &str) -> Option<SigningKey> {
        self.0.lock().get(credential).copied()
    }

    /// Caches the key of a credential. A full cache is emptied first: most of its keys are of past days.
    pub fn keep(&self, credential: &str, key: SigningKey) {
        let mut keys = self.0.lock();
        if keys.len() >= CAPACITY {
            keys.clear();
        }
        keys.insert(credential.to_owned(), key);
    }

    /// Empties the cache, because a secret has changed.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_key_is_derived() {
        let key = SigningKey::derive(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            1_440_892_800,
            "us-east-1",
            "iam",
        )
        .unwrap();
        let published = [
            0xc4af_b1cc_5771_d871_763a_393e_44b7_0357_u128,
            0x1b55_cc28_424d_1a5e_86da_6ed3_c154_a4b9,
        ];
        assert_eq!(key.0.to_vec(), published.map(u128::to_be_bytes).concat());
    }

    #[test]
    fn the_map_is_bounded() {
        let keys = SigningKeys::default();
        for n in 0..CAPACITY * 3 {
            keys.keep(&n.to_string(), SigningKey([0; 32]));
            assert!(keys.0.lock().len() <= CAPACITY);
        }
        assert!(keys.get(&(CAPACITY * 3 - 1).to_string()).is_some());
        keys.clear();
        assert!(keys.0.lock().is_empty());
    }

    #[test]
    fn a_day_before_1970_has_no_key() {
        assert!(SigningKey::derive("secret", -1, "r", "s").is_none());
    }
}
