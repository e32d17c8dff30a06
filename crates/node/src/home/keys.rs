//! The two secret keys of a party.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oblink_quic::{Fingerprint, Identity};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::failure::{Failure, io_cause};
use crate::random::system_bytes;

/// PKCS#8 version 1 of an Ed25519 key, up to the 32 bytes of the key (RFC 8410 §7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const SECRET_BYTES: usize = 32;
const PKCS8_BYTES: usize = PKCS8_PREFIX.len() + SECRET_BYTES;

/// An Ed25519 secret key (RFC 8032 §5.1.5): the identity's, or the statement key's. Wiped on drop, never printed.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; SECRET_BYTES]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

impl SecretKey {
    /// A fresh key from the system's generator.
    pub(super) fn generate() -> Result<Self, Failure> {
        Ok(Self(*system_bytes()?))
    }

    /// The 32 bytes. Whoever asks keeps them no longer than the call that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// The public half, 32 bytes.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&self.0).verifying_key().to_bytes()
    }

    /// The fingerprint of this key as an identity.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_ed25519_public(&self.public())
    }

    /// The key as PKCS#8 in DER.
    #[must_use]
    pub fn to_pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        let mut der = Zeroizing::new(Vec::with_capacity(PKCS8_BYTES));
        der.extend_from_slice(&PKCS8_PREFIX);
        der.extend_from_slice(&self.0);
        der
    }

    /// The key as a transport identity.
    ///
    /// # Errors
    /// A bug: the encoding is our own.
    pub fn to_identity(&self) -> Result<Identity, Failure> {
        Identity::from_pkcs8_der(&self.to_pkcs8_der()).map_err(|_| Failure::bug("the identity key was not taken by the transport"))
    }

    /// Reads a key file: PKCS#8 in DER, not readable by anyone but its owner.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let cannot = |e: &io::Error| Failure::input("home_damaged", format!("cannot read the key {shown}: {}", io_cause(e)));
        let mut file =
            File::open(path).map_err(|e| cannot(&e).with_hint("restore the home from its backup; a lost key cannot be made again"))?;
        let metadata = file.metadata().map_err(|e| cannot(&e))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::input("key_exposed", format!("the key {shown} is open to other users (mode {mode:04o})"))
                .with_hint(format!("chmod 600 {shown}; if others may have read it, make a new home and let the other side trust that")));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(PKCS8_BYTES + 1));
        file.by_ref().take(PKCS8_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|e| cannot(&e))?;
        match bytes.split_at_checked(PKCS8_PREFIX.len()) {
            Some((prefix, secret)) if prefix == PKCS8_PREFIX && secret.len() == SECRET_BYTES => {
                let mut key = Self([0; SECRET_BYTES]);
                key.0.copy_from_slice(secret);
                Ok(key)
            }
            _ => Err(Failure::input("home_damaged", format!("the key {shown} is not an Ed25519 key in PKCS#8"))
                .with_hint("restore the home from its backup")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 §10.3's example key.
    #[test]
    fn the_encoding_is_the_rfcs() {
        let seed = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
        let mut key = SecretKey([0; 32]);
        for (i, byte) in key.0.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&seed[2 * i..2 * i + 2], 16).unwrap();
        }
        let hex: String = key.to_pkcs8_der().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, format!("302e020100300506032b657004220420{seed}"));
        assert_eq!(key.to_identity().unwrap().fingerprint(), key.fingerprint());
        assert_eq!(format!("{key:?}"), "SecretKey(redacted)");
    }
}
