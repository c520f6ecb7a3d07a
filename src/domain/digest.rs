//! Digests in lower-case hexadecimal, AWS's format.

use data_encoding::HEXLOWER;
use md5::{Digest, Md5};
use sha2::Sha256;

/// Returns the MD5 of `bytes` in 32 lower-case hexadecimal digits.
pub fn md5_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Md5::digest(bytes))
}

/// Returns the SHA-256 of `bytes` in 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lower_case_hexadecimal() {
        assert_eq!(md5_hex(b"message"), "78e731027d8fd50ed642340b7c9a63b3");
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
