//! The key that signs notifications, stored with the data.

use super::{Error, Txn};

/// The private key, PKCS#8 in DER, and its certificate, X.509 in DER.
pub type KeyAndCertificate = (Vec<u8>, Vec<u8>);

impl Txn<'_> {
    /// Returns the private key and its certificate, if they exist.
    pub fn signing_key(&mut self) -> Result<Option<KeyAndCertificate>, Error> {
        self.one("SELECT private_key, certificate FROM signing_key WHERE id = 1", &[])
    }

    /// Stores the private key and its certificate.
    pub fn insert_signing_key(&mut self, key: &[u8], certificate: &[u8]) -> Result<(), Error> {
        self.run(
            "INSERT INTO signing_key (id, private_key, certificate) VALUES (1, ?1, ?2)",
            params![key, certificate],
        )
    }
}
