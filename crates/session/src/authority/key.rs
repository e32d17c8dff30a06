//! Public keys of officials: the types that count, in the one encoding that OpenSSH writes (SPEC SIG-1).

use ed25519_dalek::VerifyingKey;
use ssh_key::HashAlg;
use ssh_key::encoding::{Decode, Encode};
use ssh_key::public::{EcdsaPublicKey, KeyData};

/// The types of key that officials may sign with (SPEC SIG-1): no RSA, no DSA, no certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
    /// `ecdsa-sha2-nistp384`.
    EcdsaP384,
    /// `ecdsa-sha2-nistp521`.
    EcdsaP521,
    /// `sk-ssh-ed25519@openssh.com`: a security key.
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`: a security key.
    SkEcdsaP256,
}

impl KeyType {
    /// Every type that counts.
    pub const ALL: [Self; 6] = [Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::EcdsaP521, Self::SkEd25519, Self::SkEcdsaP256];

    /// OpenSSH's name of it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::EcdsaP521 => "ecdsa-sha2-nistp521",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The type that OpenSSH calls so, where it is one that counts.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it is a security key's: such a key says with each signature whether somebody touched it.
    #[must_use]
    pub const fn is_security_key(self) -> bool {
        matches!(self, Self::SkEd25519 | Self::SkEcdsaP256)
    }
}

/// What there is to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verifying {
    Ed25519(VerifyingKey),
    Ecdsa(EcdsaPublicKey),
}

/// One public key, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: KeyType,
    pub(super) blob: Vec<u8>,
    pub(super) verifying: Verifying,
    /// Of a security key, else empty.
    pub(super) application: String,
    fingerprint: String,
}

/// Reads SSH's encoding (RFC 4251 §5) from bytes that are all there.
pub(super) struct Blob<'a>(pub(super) &'a [u8]);

impl<'a> Blob<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn uint32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.uint32()?).ok()?;
        self.take(count)
    }

    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Canonical (RFC 8032 §5.1.3) and of large order: dalek's decoding alone would take a y that is not reduced, and the points of small order.
fn ed25519(bytes: &[u8; 32]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes).ok()?;
    (!key.is_weak() && key.to_edwards().compress().as_bytes() == key.as_bytes()).then_some(key)
}

impl Key {
    /// Decodes a public key of a type that counts: the bytes must be the one encoding that OpenSSH writes, points uncompressed.
    ///
    /// # Errors
    /// `None` where they are not. A point that is not on its curve is found when something is verified with it.
    pub(super) fn decode(blob: &[u8]) -> Option<Self> {
        let kind = KeyType::by_name(str::from_utf8(Blob(blob).string()?).ok()?)?;
        let mut rest = blob;
        let data = KeyData::decode(&mut rest).ok()?;
        if !rest.is_empty() || data.encode_vec().ok()?.as_slice() != blob {
            return None;
        }
        let uncompressed = |key: EcdsaPublicKey| (key.as_sec1_bytes().first() == Some(&4)).then_some(key);
        let (verifying, application) = match (kind, &data) {
            (KeyType::Ed25519, KeyData::Ed25519(key)) => (Verifying::Ed25519(ed25519(&key.0)?), ""),
            (KeyType::EcdsaP256, KeyData::Ecdsa(key @ EcdsaPublicKey::NistP256(_)))
            | (KeyType::EcdsaP384, KeyData::Ecdsa(key @ EcdsaPublicKey::NistP384(_)))
            | (KeyType::EcdsaP521, KeyData::Ecdsa(key @ EcdsaPublicKey::NistP521(_))) => (Verifying::Ecdsa(uncompressed(*key)?), ""),
            (KeyType::SkEd25519, KeyData::SkEd25519(key)) => (Verifying::Ed25519(ed25519(&key.public_key().0)?), key.application()),
            (KeyType::SkEcdsaP256, KeyData::SkEcdsaSha2NistP256(key)) => {
                (Verifying::Ecdsa(uncompressed(EcdsaPublicKey::NistP256(*key.ec_point()))?), key.application())
            }
            _ => return None,
        };
        // OpenSSH makes keys for applications of this prefix alone; any other is some website's credential.
        if kind.is_security_key() && !application.starts_with("ssh:") {
            return None;
        }
        let application = application.to_owned();
        let fingerprint = data.fingerprint(HashAlg::Sha256).to_string();
        Some(Self { kind, blob: blob.to_vec(), verifying, application, fingerprint })
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}
