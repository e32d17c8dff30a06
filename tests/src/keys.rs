//! The keys of a home, for a program that is not the one the home was made for.

use std::path::Path;

use oblink_quic::{Fingerprint, Identity};
use oblink_session::statement::StatementKey;

/// A party's keys, in the hands of a test.
pub(crate) struct Keys {
    pub(crate) identity: Identity,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) statement: StatementKey,
}

impl Keys {
    /// Reads a home's; the certificate is made anew, as of 1970.
    pub(crate) fn of(home: &Path) -> Self {
        let der = std::fs::read(home.join("identity.key")).unwrap();
        // PKCS#8 version 1 of an Ed25519 key ends in its 32 bytes (RFC 8410 §7).
        let secret = |der: &[u8]| -> [u8; 32] { *der.last_chunk().unwrap() };
        let statement = std::fs::read(home.join("statement.key")).unwrap();
        let identity = Identity::from_pkcs8_der(&der).unwrap();
        Self { fingerprint: identity.fingerprint(), identity, statement: StatementKey::certify(&secret(&statement), &secret(&der), 0) }
    }
}
