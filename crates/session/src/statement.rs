//! Statement keys, their certificates, and what they sign (SPEC §5.3).

use crate::error::Misbehaviour;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256, Sha512};

/// The DER of an Ed25519 SubjectPublicKeyInfo up to the key (RFC 8410 §4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes of a certificate.
pub const CERTIFICATE_BYTES: usize = 136;

/// The fingerprint of an Ed25519 identity: SHA-256 of its SubjectPublicKeyInfo (SPEC TRN-2).
#[must_use]
pub fn fingerprint_of(identity_public: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(SPKI_PREFIX).chain_update(identity_public).finalize().into()
}

/// What a statement is about; part of what is signed (SPEC STM-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    /// A verifier's word that it submitted a batch.
    Batch,
    /// Either side's word that a session ended as the receipt says.
    Receipt,
    /// A holder's word that its ledger had this size and root.
    Head,
    /// A verifier's word on how many, or which, of its pairs matched.
    Disclosure,
}

impl StatementKind {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Batch => b"oblink/1/batch\0",
            Self::Receipt => b"oblink/1/receipt\0",
            Self::Head => b"oblink/1/head\0",
            Self::Disclosure => b"oblink/1/disclosure\0",
        }
    }
}

/// `label ‖ SHA-512(body)`: what is signed.
fn to_be_signed(label: &[u8], body: &[u8]) -> Vec<u8> {
    let mut message = label.to_vec();
    message.extend_from_slice(&Sha512::digest(body));
    message
}

const CERTIFICATE_LABEL: &[u8] = b"oblink/1/statement-key\0";

/// A party's statement key with its certificate. The secret is zeroized on drop and never printed.
pub struct StatementKey {
    key: SigningKey,
    certificate: [u8; CERTIFICATE_BYTES],
}

impl core::fmt::Debug for StatementKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("StatementKey(redacted)")
    }
}

impl StatementKey {
    /// Certifies `secret` as the statement key of `identity`, both Ed25519 secret keys (RFC 8032), at `issued_unix_ms`.
    #[must_use]
    pub fn certify(secret: &[u8; 32], identity: &[u8; 32], issued_unix_ms: u64) -> Self {
        let (key, identity) = (SigningKey::from_bytes(secret), SigningKey::from_bytes(identity));
        let mut certificate = [0; CERTIFICATE_BYTES];
        certificate[..32].copy_from_slice(identity.verifying_key().as_bytes());
        certificate[32..64].copy_from_slice(key.verifying_key().as_bytes());
        certificate[64..72].copy_from_slice(&issued_unix_ms.to_be_bytes());
        let signature = identity.sign(&to_be_signed(CERTIFICATE_LABEL, &certificate[..72]));
        certificate[72..].copy_from_slice(&signature.to_bytes());
        Self { key, certificate }
    }

    /// The certificate, as it travels.
    #[must_use]
    pub fn certificate(&self) -> &[u8; CERTIFICATE_BYTES] {
        &self.certificate
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Signs a statement.
    #[must_use]
    pub fn sign(&self, kind: StatementKind, body: &[u8]) -> [u8; 64] {
        self.key.sign(&to_be_signed(kind.label(), body)).to_bytes()
    }
}

/// The other side's statement key: its certificate was checked against the identity that the transport authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertifiedKey {
    public: VerifyingKey,
    certificate: [u8; CERTIFICATE_BYTES],
}

impl CertifiedKey {
    /// Checks a certificate against the fingerprint of its owner (SPEC STM-1).
    ///
    /// # Errors
    /// [`Misbehaviour::Statement`]: another identity's, a bad key, or a bad signature.
    pub fn check(certificate: &[u8; CERTIFICATE_BYTES], fingerprint: &[u8; 32]) -> Result<Self, Misbehaviour> {
        let bad = Misbehaviour::Statement("the statement key's certificate");
        let (body, signature) = certificate.split_at(72);
        // Canonical encodings only (RFC 8032 §5.1.3): dalek's decoding alone would take a y that is not reduced.
        let key = |bytes: &[u8]| -> Option<VerifyingKey> {
            let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
            (!key.is_weak() && key.to_edwards().compress().as_bytes() == key.as_bytes()).then_some(key)
        };
        let (Some(identity), Some(public)) = (key(&body[..32]), key(&body[32..64])) else { return Err(bad) };
        let signature = Signature::from_slice(signature).map_err(|_| bad.clone())?;
        if fingerprint_of(identity.as_bytes()) != *fingerprint {
            return Err(bad);
        }
        identity.verify_strict(&to_be_signed(CERTIFICATE_LABEL, body), &signature).map_err(|_| bad)?;
        Ok(Self { public, certificate: *certificate })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public.to_bytes()
    }

    /// The certificate it came from.
    #[must_use]
    pub fn certificate(&self) -> &[u8; CERTIFICATE_BYTES] {
        &self.certificate
    }

    /// Checks a statement (SPEC STM-2).
    ///
    /// # Errors
    /// [`Misbehaviour::Statement`].
    pub fn verify(&self, kind: StatementKind, body: &[u8], signature: &[u8; 64]) -> Result<(), Misbehaviour> {
        let what = match kind {
            StatementKind::Batch => "the batch's statement",
            StatementKind::Receipt => "the receipt's signature",
            StatementKind::Head => "the ledger head's signature",
            StatementKind::Disclosure => "the disclosure's signature",
        };
        self.public
            .verify_strict(&to_be_signed(kind.label(), body), &Signature::from_bytes(signature))
            .map_err(|_| Misbehaviour::Statement(what))
    }
}

/// The body of a batch's statement (SPEC STM-3).
#[must_use]
pub fn batch_statement_body(
    session_id: &[u8; 16],
    request_digest: &[u8; 32],
    epoch_id: &[u8; 16],
    set_id: &[u8; 32],
    index: u64,
    blinded_digest: &[u8; 32],
) -> Vec<u8> {
    [&session_id[..], request_digest, epoch_id, set_id, &index.to_be_bytes(), blinded_digest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// STM-1: every byte of a certificate counts.
    #[test]
    fn a_changed_certificate_is_refused() {
        let key = StatementKey::certify(&[1; 32], &[2; 32], 7);
        let fingerprint = fingerprint_of(SigningKey::from_bytes(&[2; 32]).verifying_key().as_bytes());
        assert_eq!(CertifiedKey::check(key.certificate(), &fingerprint).unwrap().public(), key.public());
        for i in 0..CERTIFICATE_BYTES {
            let mut changed = *key.certificate();
            changed[i] ^= 1;
            assert!(CertifiedKey::check(&changed, &fingerprint).is_err(), "byte {i}");
        }
        assert!(CertifiedKey::check(key.certificate(), &[0; 32]).is_err());
    }

    /// STM-2: y ≥ p encodes a point a second time; such a key is none.
    #[test]
    fn repro_a_key_that_is_not_canonical_is_refused() {
        let identity = SigningKey::from_bytes(&[2; 32]);
        let fingerprint = fingerprint_of(identity.verifying_key().as_bytes());
        let mut decoded = 0;
        for k in 2..19_u8 {
            // p + k, little-endian: 2^255 − 19 + k.
            let mut y = [0xff; 32];
            y[0] = 0xed + k;
            y[31] = 0x7f;
            decoded += u32::from(VerifyingKey::from_bytes(&y).is_ok_and(|key| !key.is_weak()));
            let mut certificate = *StatementKey::certify(&[1; 32], &[2; 32], 7).certificate();
            certificate[32..64].copy_from_slice(&y);
            let signature = identity.sign(&to_be_signed(CERTIFICATE_LABEL, &certificate[..72]));
            certificate[72..].copy_from_slice(&signature.to_bytes());
            assert!(CertifiedKey::check(&certificate, &fingerprint).is_err(), "p + {k}");
        }
        assert!(decoded > 0, "some of them decode, or this tests nothing");
    }

    /// STM-2: a statement of one kind is none of another.
    #[test]
    fn a_statement_holds_for_its_kind_and_body_alone() {
        let key = StatementKey::certify(&[1; 32], &[2; 32], 7);
        let fingerprint = fingerprint_of(SigningKey::from_bytes(&[2; 32]).verifying_key().as_bytes());
        let peer = CertifiedKey::check(key.certificate(), &fingerprint).unwrap();
        let signature = key.sign(StatementKind::Batch, b"body");
        assert!(peer.verify(StatementKind::Batch, b"body", &signature).is_ok());
        assert!(peer.verify(StatementKind::Receipt, b"body", &signature).is_err());
        assert!(peer.verify(StatementKind::Batch, b"bodx", &signature).is_err());
    }
}
