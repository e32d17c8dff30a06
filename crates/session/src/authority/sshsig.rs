//! Signatures of officials: the armoured file that `ssh-keygen -Y sign` writes, and nothing laxer (SPEC SIG-1; OpenSSH PROTOCOL.sshsig and
//! PROTOCOL.u2f).
//!
//! The file is read here, byte by byte, because what a library takes besides (version 0, text before the armour, other line lengths, a filled
//! reserved field, a signature of another type than its key) nobody has any business sending.

use super::key::{Blob, Key, KeyType, Verifying};
use crate::limits::SIGNATURE_BYTES_MAX;
use ed25519_dalek::Verifier;
use sha2::{Digest, Sha256, Sha512};
use ssh_key::encoding::base64::{Base64, Encoding};
use ssh_key::public::{EcdsaPublicKey, KeyData};
use ssh_key::{Algorithm, EcdsaCurve};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----\n";
const PREAMBLE: &[u8; 6] = b"SSHSIG";
const VERSION: u32 = 1;
const HASH: &[u8] = b"sha512";
/// What ssh-keygen puts in a line of armour.
const LINE: usize = 70;
/// Bit 0 of a security key's flags: somebody touched it (PROTOCOL.u2f).
const USER_PRESENT: u8 = 1;

/// Why bytes are no signature that counts. No bytes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Over 4,096 bytes.
    #[error("the signature is over {SIGNATURE_BYTES_MAX} bytes")]
    TooLong,
    /// Not the armour that ssh-keygen writes.
    #[error("not an armoured SSH signature as ssh-keygen writes it")]
    Armour,
    /// The armour holds something else than an SSH signature of version 1 with nothing reserved and nothing after it.
    #[error("the armour holds no SSH signature of version 1")]
    Blob,
    /// Made with another hash than SHA-512.
    #[error("the signature's hash is not sha512")]
    Hash,
    /// A type of key that does not count, or a key that is none.
    #[error("the signature's key is of no type that counts here")]
    Key,
    /// Made for another purpose.
    #[error("the signature was made for another namespace")]
    Namespace,
    /// Not by this key over these bytes.
    #[error("the signature is not of this key over these bytes")]
    Invalid,
}

/// A signature that was taken apart and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    key: Key,
    namespace: String,
    /// Ed25519: R ‖ s; ECDSA: two mpints.
    value: Vec<u8>,
    /// Of a security key: its flags and its counter, big-endian.
    flags_and_counter: Option<[u8; 5]>,
}

/// What a signature that verified says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    key_fingerprint: String,
    key_type: KeyType,
    user_present: Option<bool>,
}

impl Verified {
    /// The key, as `ssh-keygen -l` prints it: `SHA256:…`.
    #[must_use]
    pub fn key_fingerprint(&self) -> &str {
        &self.key_fingerprint
    }

    /// The key's type.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// Whether the security key says that somebody touched it; `None` for other keys, which cannot tell.
    #[must_use]
    pub fn user_present(&self) -> Option<bool> {
        self.user_present
    }
}

/// `BEGIN`, base64 in lines of 70, `END`.
pub(super) fn armour(blob: &[u8]) -> String {
    let mut text = String::from(BEGIN);
    for (i, c) in Base64::encode_string(blob).chars().enumerate() {
        if i > 0 && i % LINE == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push('\n');
    text.push_str(END);
    text
}

/// The bytes in an armour, where it is the one that ssh-keygen writes of them.
fn dearmour(armoured: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(armoured).ok()?;
    // A file that came through a mailer may have CRLF at the end of its lines; then at the end of each.
    let unix;
    let text = if text.contains('\r') {
        unix = text.replace("\r\n", "\n");
        if unix.contains('\r') || unix.len() + unix.matches('\n').count() != text.len() {
            return None;
        }
        unix.as_str()
    } else {
        text
    };
    let base64: String = text.strip_prefix(BEGIN)?.strip_suffix(END)?.chars().filter(|c| *c != '\n').collect();
    let blob = Base64::decode_vec(&base64).ok()?;
    (armour(&blob) == text).then_some(blob)
}

fn put(message: &mut Vec<u8>, string: &[u8]) {
    // Everything put here is bounded by a limit far below 2^32.
    message.extend_from_slice(&(string.len() as u32).to_be_bytes());
    message.extend_from_slice(string);
}

/// What an official's key signs (PROTOCOL.sshsig): `SSHSIG ‖ namespace ‖ reserved ‖ hash's name ‖ SHA-512(message)`, each as an SSH string.
fn signed_data(namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut data = PREAMBLE.to_vec();
    put(&mut data, namespace.as_bytes());
    put(&mut data, b"");
    put(&mut data, HASH);
    put(&mut data, &Sha512::digest(message));
    data
}

impl Signature {
    /// Takes an armoured signature apart (SPEC SIG-1): at most 4,096 bytes, the armour exactly as ssh-keygen writes it (lines of 70, LF at the
    /// end of each, or CRLF at the end of each), version 1, nothing reserved, SHA-512, a key type that counts, nothing after the end.
    ///
    /// # Errors
    /// [`SignatureError`]; `Namespace` only for one that is not UTF-8 or is empty, `Invalid` never.
    pub fn parse(armoured: &[u8]) -> Result<Self, SignatureError> {
        if armoured.len() > SIGNATURE_BYTES_MAX {
            return Err(SignatureError::TooLong);
        }
        let blob = dearmour(armoured).ok_or(SignatureError::Armour)?;
        let [key, namespace, hash, signature] = Self::fields(&blob).ok_or(SignatureError::Blob)?;
        if hash != HASH {
            return Err(SignatureError::Hash);
        }
        let namespace = str::from_utf8(namespace).map_err(|_| SignatureError::Namespace)?;
        if namespace.is_empty() {
            return Err(SignatureError::Namespace);
        }
        let key = Key::decode(key).ok_or(SignatureError::Key)?;
        let (value, flags_and_counter) = Self::value(key.kind, signature).ok_or(SignatureError::Blob)?;
        Ok(Self { key, namespace: namespace.to_owned(), value: value.to_vec(), flags_and_counter })
    }

    /// Public key, namespace, hash's name, signature.
    fn fields(blob: &[u8]) -> Option<[&[u8]; 4]> {
        let mut blob = Blob(blob);
        if blob.take(PREAMBLE.len())? != PREAMBLE || blob.uint32()? != VERSION {
            return None;
        }
        let [key, namespace, reserved, hash, signature] = [blob.string()?, blob.string()?, blob.string()?, blob.string()?, blob.string()?];
        blob.end()?;
        reserved.is_empty().then_some([key, namespace, hash, signature])
    }

    fn value(kind: KeyType, signature: &[u8]) -> Option<(&[u8], Option<[u8; 5]>)> {
        let mut blob = Blob(signature);
        if blob.string()? != kind.as_str().as_bytes() {
            return None;
        }
        let value = blob.string()?;
        let trailer = if kind.is_security_key() { Some(blob.take(5)?.try_into().ok()?) } else { None };
        blob.end()?;
        Some((value, trailer))
    }

    /// The key that it says it is of, as `ssh-keygen -l` prints it: `SHA256:…`.
    #[must_use]
    pub fn key_fingerprint(&self) -> &str {
        self.key.fingerprint()
    }

    /// That key's type.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.key.kind
    }

    /// What it says it was made for.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn key_blob(&self) -> &[u8] {
        &self.key.blob
    }

    /// Verifies it over `message` for `namespace` (SPEC SIG-1): Ed25519 strictly (RFC 8032, canonical encodings, no cofactor), ECDSA as RFC 5656
    /// encodes it with either s, security keys over `SHA-256(application) ‖ flags ‖ counter ‖ SHA-256(what an ordinary key signs)`.
    ///
    /// That the key is some official's is not looked at here.
    ///
    /// # Errors
    /// [`SignatureError::Namespace`], [`SignatureError::Invalid`].
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<Verified, SignatureError> {
        if self.namespace != namespace {
            return Err(SignatureError::Namespace);
        }
        let mut data = signed_data(namespace, message);
        if let Some(flags_and_counter) = &self.flags_and_counter {
            data = [&Sha256::digest(self.key.application.as_bytes())[..], flags_and_counter, &Sha256::digest(&data)].concat();
        }
        self.check(&data).ok_or(SignatureError::Invalid)?;
        Ok(Verified {
            key_fingerprint: self.key.fingerprint().to_owned(),
            key_type: self.key.kind,
            user_present: self.flags_and_counter.map(|[flags, ..]| flags & USER_PRESENT != 0),
        })
    }

    fn check(&self, data: &[u8]) -> Option<()> {
        match &self.key.verifying {
            Verifying::Ed25519(key) => key.verify_strict(data, &ed25519_dalek::Signature::from_slice(&self.value).ok()?).ok(),
            Verifying::Ecdsa(key) => {
                let curve = match key {
                    EcdsaPublicKey::NistP256(_) => EcdsaCurve::NistP256,
                    EcdsaPublicKey::NistP384(_) => EcdsaCurve::NistP384,
                    EcdsaPublicKey::NistP521(_) => EcdsaCurve::NistP521,
                };
                // Takes two positive mpints without a needless zero, no longer than the field, and nothing after them.
                let signature = ssh_key::Signature::new(Algorithm::Ecdsa { curve }, self.value.clone()).ok()?;
                KeyData::Ecdsa(*key).verify(data, &signature).ok()
            }
        }
    }
}
