//! The key that a party proves itself with, and the certificate that carries it.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use quinn::crypto::{CryptoError, HmacKey};
use rustls::crypto::aws_lc_rs::sign::any_eddsa_type;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use sha2::Sha256;

use crate::{Error, Fingerprint};

/// One end's identity: an Ed25519 private key and a self-signed X.509 certificate made from it (SPEC TRN-1, TRN-2).
///
/// The certificate is the same for the same key, every time: only its public key counts. The private key lives in the TLS library's own
/// memory, which it wipes when the last copy of the handle goes; this type keeps no bytes of it and shows none. A clone is another handle
/// to the same key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    fingerprint: Fingerprint,
    resets: Arc<ResetKey>,
}

/// Makes the tokens by which a dialer knows that a listener has forgotten its connection (RFC 9000 §10.3): out of the private key, so that a listener
/// that was restarted makes the same ones, and dialers need not wait in silence for what died.
pub(crate) struct ResetKey(Hmac<Sha256>);

impl ResetKey {
    fn of(der: &[u8]) -> Option<Self> {
        let mut derive = Hmac::<Sha256>::new_from_slice(b"oblink/1/stateless-reset").ok()?;
        derive.update(der);
        Hmac::new_from_slice(&derive.finalize().into_bytes()).ok().map(Self)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        let mut mac = self.0.clone();
        mac.update(data);
        signature_out.copy_from_slice(&mac.finalize().into_bytes());
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mut mac = self.0.clone();
        mac.update(data);
        mac.verify_slice(signature).map_err(|_| CryptoError)
    }
}

impl Identity {
    /// Makes the identity of an Ed25519 private key in PKCS#8 DER (RFC 8410 §7, with or without the public key). The caller keeps `der` and
    /// wipes it.
    ///
    /// # Errors
    /// [`Error::Identity`] when `der` is not that. The bytes are in no message.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, Error> {
        let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).map_err(|_| Error::Identity)?;
        let spki = key.public_key().ok_or(Error::Identity)?;
        let fingerprint = Fingerprint::from_spki(spki.as_ref());
        // The last 32 bytes of an Ed25519 SubjectPublicKeyInfo are the key (RFC 8410 §4).
        let public = spki.last_chunk::<32>().copied().ok_or(Error::Identity)?;
        let certificate = certificate(&key, public, &fingerprint)?;
        let resets = Arc::new(ResetKey::of(der).ok_or(Error::Identity)?);
        Ok(Self { certified: Arc::new(CertifiedKey::new(vec![certificate], key)), fingerprint, resets })
    }

    /// What the other side pins.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The self-signed X.509 certificate in DER. Public.
    pub fn certificate_der(&self) -> &[u8] {
        self.certified.cert.first().map(AsRef::as_ref).unwrap_or_default()
    }

    /// What a listener's stateless resets are made with.
    pub(crate) fn resets(&self) -> Arc<ResetKey> {
        Arc::clone(&self.resets)
    }

    /// The handle that rustls asks for key and certificate, at either end.
    pub(crate) fn resolver(&self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.certified.clone()))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// Lets rcgen sign with the key that rustls already holds, so that there is no second copy of it.
struct CertificateSigner<'a> {
    key: &'a Arc<dyn SigningKey>,
    public: [u8; 32],
}

impl rcgen::PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        debug_assert_eq!(self.key.algorithm(), SignatureAlgorithm::ED25519);
        let signer = self.key.choose_scheme(&[SignatureScheme::ED25519]).ok_or(rcgen::Error::RemoteKeyError)?;
        signer.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// Self-signed, valid from 1975 to 4096 (rcgen's default), named `oblink`. Ed25519 signs deterministically, so the same key gives the same
/// bytes.
fn certificate(key: &Arc<dyn SigningKey>, public: [u8; 32], fingerprint: &Fingerprint) -> Result<CertificateDer<'static>, Error> {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "oblink");
    // RFC 5280 §4.1.2.2 wants a positive serial of at most 20 bytes.
    let mut serial: Vec<u8> = fingerprint.as_bytes().iter().copied().take(16).collect();
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    parameters.serial_number = Some(serial.into());
    let signed = parameters.self_signed(&CertificateSigner { key, public }).map_err(|_| Error::Identity)?;
    Ok(signed.der().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::pkcs8;

    #[test]
    fn same_key_gives_the_same_certificate_and_the_fingerprint_of_its_public_key() {
        let key = pkcs8(7);
        let (a, b) = (Identity::from_pkcs8_der(&key).unwrap(), Identity::from_pkcs8_der(&key).unwrap());
        assert_eq!(a.certificate_der(), b.certificate_der());
        assert!(!a.certificate_der().is_empty());
        assert_ne!(a.fingerprint(), Identity::from_pkcs8_der(&pkcs8(8)).unwrap().fingerprint());
        let parsed = rustls::server::ParsedCertificate::try_from(&a.certified.cert[0]).unwrap();
        assert_eq!(Fingerprint::from_spki(&parsed.subject_public_key_info()), a.fingerprint());
    }

    #[test]
    fn rfc_8032_key_gives_the_fingerprint_of_its_known_public_key() {
        // RFC 8032 §7.1, test 1.
        let secret = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let mut v1 = hex("302e020100300506032b657004220420");
        v1.extend_from_slice(&secret);
        // RFC 8410 §10.3's form with the public key, as RFC 5958 version 2.
        let mut v2 = hex("3051020101300506032b657004220420");
        v2.extend_from_slice(&secret);
        v2.extend_from_slice(&hex("812100"));
        v2.extend_from_slice(&public);
        let expected = Fingerprint::from_ed25519_public(public.as_slice().try_into().unwrap());
        for der in [v1, v2.clone()] {
            assert_eq!(Identity::from_pkcs8_der(&der).unwrap().fingerprint(), expected);
        }
        let last = v2.len() - 1;
        v2[last] ^= 1;
        assert!(matches!(Identity::from_pkcs8_der(&v2), Err(Error::Identity)), "a public key that is not the private key's");
    }

    #[test]
    fn other_bytes_are_refused_and_nothing_is_shown() {
        let good = pkcs8(9);
        for bad in [&[][..], &good[1..], &good[..good.len() - 1], &[0u8; 48][..]] {
            assert!(matches!(Identity::from_pkcs8_der(bad), Err(Error::Identity)));
        }
        let shown = format!("{:?}", Identity::from_pkcs8_der(&good).unwrap());
        assert!(shown.starts_with("Identity { fingerprint: Fingerprint(") && shown.len() < 140, "{shown}");
    }

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }
}
