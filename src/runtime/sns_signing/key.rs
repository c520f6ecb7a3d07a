//! The RSA key that signs what SNS sends, and the certificate with which subscribers verify it.
//!
//! A signature depends only on the key, the signature version and the text.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use rsa::pkcs1v15::{self, Pkcs1v15Sign};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::rand_core::{TryRng, UnwrapErr};
use rsa::{RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, UtcTime};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, Encode, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{EncodePublicKey, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use crate::domain::digest::md5_hex;
use crate::domain::notification::SignatureVersion;
use crate::store::KeyAndCertificate;

/// The subject of the certificate. Clients of several languages compare this name.
const SUBJECT: &str = "sns.amazonaws.com";
/// Length of the modulus in bits. A longer key would sign much more slowly.
const BITS: usize = 2048;

/// An RSA key and its certificate. Signs from many threads at once.
#[derive(Debug)]
pub struct SigningKey {
    private_key: RsaPrivateKey,
    certificate: Vec<u8>,
    pem: String,
}

/// Why a key or a signature cannot be made.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

impl SigningKey {
    /// Generates a key, which keeps a processor busy for a tenth of a second.
    ///
    /// The randomness is the machine's, not the seedable source of ids: a predictable key would be
    /// worthless. Nothing that a simulation compares depends on it.
    pub fn generate() -> Result<Self, Error> {
        // `RsaPrivateKey::new` panics if its source fails, so fail here instead: a source that
        // works once keeps working.
        SysRng.try_next_u64()?;
        let private_key = RsaPrivateKey::new(&mut UnwrapErr(SysRng), BITS)?;
        let certificate = self_signed(&private_key)?;
        Self::new(private_key, &certificate)
    }

    /// Reads a private key (PKCS#8) and its certificate (X.509), both in DER. Fails if one is damaged
    /// or if they do not belong together.
    pub fn from_der((private_key, certificate): &KeyAndCertificate) -> Result<Self, Error> {
        let private_key = RsaPrivateKey::from_pkcs8_der(private_key)?;
        Self::new(private_key, &Certificate::from_der(certificate)?)
    }

    /// Returns the private key (PKCS#8, some 1,200 bytes) and its certificate (X.509, some 800 bytes),
    /// both in DER. The private key is a secret: its holder can sign in the server's name.
    pub fn to_der(&self) -> Result<KeyAndCertificate, Error> {
        Ok((self.private_key.to_pkcs8_der()?.as_bytes().to_vec(), self.certificate.clone()))
    }

    /// Returns the certificate as PEM: the document at SigningCertURL.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Returns the last segment of SigningCertURL. It contains a digest, so that each certificate
    /// has its own URL.
    pub fn certificate_file_name(&self) -> String {
        format!("SimpleNotificationService-{}.pem", md5_hex(&self.certificate))
    }

    /// Returns the signature of a text in base64. Keeps a processor busy for some two milliseconds.
    pub fn sign(&self, version: SignatureVersion, text: &str) -> Result<String, Error> {
        let signature = match version {
            SignatureVersion::V1 => {
                self.private_key.sign(Pkcs1v15Sign::new::<Sha1>(), &Sha1::digest(text))
            }
            SignatureVersion::V2 => {
                self.private_key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(text))
            }
        }?;
        Ok(STANDARD.encode(signature))
    }

    fn new(private_key: RsaPrivateKey, certificate: &Certificate) -> Result<Self, Error> {
        let certified = certificate.tbs_certificate().subject_public_key_info();
        if *certified != public_key_info(&private_key)? {
            return Err("the certificate does not belong to the signing key".into());
        }
        Ok(Self {
            private_key,
            certificate: certificate.to_der()?,
            pem: certificate.to_pem(LineEnding::LF)?,
        })
    }
}

fn public_key_info(private_key: &RsaPrivateKey) -> Result<SubjectPublicKeyInfoOwned, Error> {
    let public_key = RsaPublicKey::from(private_key).to_public_key_der()?;
    Ok(SubjectPublicKeyInfoOwned::try_from(public_key.as_bytes())?)
}

/// Returns a self-signed certificate that is valid by every clock: from 1970 to the end of 9999, which
/// means no end (RFC 5280, section 4.1.2.5).
fn self_signed(private_key: &RsaPrivateKey) -> Result<Certificate, Error> {
    let public_key = public_key_info(private_key)?;
    let beginning = UtcTime::from_unix_duration(Duration::ZERO)?;
    let validity = Validity::new(Time::UtcTime(beginning), Time::INFINITY);
    // Unique for each key, and shorter than the limit of 20 bytes.
    let serial_number = SerialNumber::new(&Sha256::digest(public_key.to_der()?)[..16])?;
    let profile = SelfSigned(format!("CN={SUBJECT}").parse()?);
    let builder = CertificateBuilder::new(profile, serial_number, validity, public_key)?;
    let signer = pkcs1v15::SigningKey::<Sha256>::new(private_key.clone());
    Ok(builder.build::<_, pkcs1v15::Signature>(&signer)?)
}

/// A certificate whose subject is its issuer, and whose key may only sign data.
struct SelfSigned(Name);

impl BuilderProfile for SelfSigned {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        certificate: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let subject = certificate.subject();
        let name = GeneralName::DnsName(Ia5String::new(SUBJECT)?);
        Ok(vec![
            KeyUsage(KeyUsages::DigitalSignature.into()).to_extension(subject, &[])?,
            SubjectAltName(vec![name]).to_extension(subject, &[])?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use ring::signature::{
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
        UnparsedPublicKey,
    };
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
    use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

    use super::*;

    static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

    fn certificate(key: &SigningKey) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(key.certificate_pem().as_bytes()).unwrap()
    }

    /// What a subscriber does: takes the certificate's key and verifies, with code of others.
    fn verifies(key: &SigningKey, version: SignatureVersion, text: &str, signature: &str) -> bool {
        /// What stands before an RSA key of 2048 bits where a certificate has it: lengths, and
        /// that it is RSA.
        const HEADER: usize = 24;

        let algorithm: &RsaParameters = match version {
            SignatureVersion::V1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            SignatureVersion::V2 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let certificate = certificate(key);
        let public_key = EndEntityCert::try_from(&certificate).unwrap().subject_public_key_info();
        UnparsedPublicKey::new(algorithm, &public_key[HEADER..])
            .verify(text.as_bytes(), &STANDARD.decode(signature).unwrap())
            .is_ok()
    }

    #[test]
    fn signatures_verify_with_the_key_of_the_certificate() {
        let text = "Message\nö\n";
        let (v1, v2) = (SignatureVersion::V1, SignatureVersion::V2);
        for (version, other) in [(v1, v2), (v2, v1)] {
            let signature = KEY.sign(version, text).unwrap();
            assert!(verifies(&KEY, version, text, &signature));
            assert!(!verifies(&KEY, version, "Message\no\n", &signature));
            assert!(!verifies(&KEY, other, text, &signature));
        }
    }

    #[test]
    fn the_certificate_is_one_of_sns_and_has_no_end() {
        let der = certificate(&KEY);
        let certificate = EndEntityCert::try_from(&der).unwrap();
        let name = ServerName::try_from("sns.amazonaws.com").unwrap();
        certificate.verify_is_valid_for_subject_name(&name).unwrap();
        let anchors = [anchor_from_trusted_cert(&der).unwrap()];
        for second in [0, 1_335_390_565, 253_402_300_799] {
            let path = certificate.verify_for_usage(
                &[webpki::ring::RSA_PKCS1_2048_8192_SHA256],
                &anchors,
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(second)),
                KeyUsage::server_auth(),
                None,
                None,
            );
            assert_eq!(path.err(), None, "at {second}");
        }
        let text = Certificate::from_der(&der).unwrap().tbs_certificate().subject().to_string();
        assert_eq!(text, "CN=sns.amazonaws.com");
    }

    #[test]
    fn the_file_is_named_by_digest() {
        let name = KEY.certificate_file_name();
        let digest = name.strip_prefix("SimpleNotificationService-").unwrap();
        let digest = digest.strip_suffix(".pem").unwrap();
        assert!(digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn a_stored_key_signs_as_before() {
        let stored = KEY.to_der().unwrap();
        let back = SigningKey::from_der(&stored).unwrap();
        assert_eq!(back.to_der().unwrap(), stored);
        assert_eq!(back.certificate_pem(), KEY.certificate_pem());
        assert_eq!(back.certificate_file_name(), KEY.certificate_file_name());
        for version in [SignatureVersion::V1, SignatureVersion::V2] {
            assert_eq!(back.sign(version, "x").unwrap(), KEY.sign(version, "x").unwrap());
        }
    }

    #[test]
    fn what_is_damaged_is_no_key() {
        let (private_key, certificate) = KEY.to_der().unwrap();
        let other = SigningKey::generate().unwrap().to_der().unwrap();
        assert!(SigningKey::from_der(&(private_key.clone(), other.1)).is_err());
        for length in [0, 1, 100, private_key.len() - 1] {
            let torn = private_key[..length].to_vec();
            assert!(SigningKey::from_der(&(torn, certificate.clone())).is_err(), "{length}");
        }
        for length in [0, 1, 100, certificate.len() - 1] {
            let torn = certificate[..length].to_vec();
            assert!(SigningKey::from_der(&(private_key.clone(), torn)).is_err(), "{length}");
        }
    }
}
