//! Counting officials: every signature that was handed in must be good, and everybody counts once (SPEC AUT-1).

use super::{Denial, Namespace, Policy, Signature, SignatureError, Validity};
use crate::ledger::{Side, Signer};
use crate::limits::SIGNATURES_MAX;
use std::collections::{BTreeMap, BTreeSet};

/// What is demanded of a list of officials.
pub(super) struct Demand<'a> {
    pub(super) policy: &'a Policy,
    pub(super) namespace: Namespace,
    pub(super) officials: &'a BTreeSet<String>,
    pub(super) signatures_min: u32,
    pub(super) user_presence: bool,
    pub(super) now_unix_ms: u64,
}

impl Demand<'_> {
    /// The officials who signed `message`, by name, each once with the first key that signed.
    ///
    /// One signature that is not good denies all: somebody edited something, and that must not be passed over because enough others are left.
    ///
    /// # Errors
    /// The first reason, signature by signature; then [`Denial::SignatureShort`].
    pub(super) fn check(&self, message: &[u8], signatures: &[Vec<u8>]) -> Result<Vec<Signer>, Denial> {
        let namespace = self.namespace;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Denial::TooManySignatures { namespace });
        }
        let mut signers = BTreeMap::new();
        for (index, armoured) in signatures.iter().enumerate() {
            let (principal, key) = self.one(message, armoured, index + 1)?;
            signers.entry(principal).or_insert(key);
        }
        if signers.len() < self.signatures_min as usize {
            return Err(Denial::SignatureShort { namespace, counted: signers.len(), needed: self.signatures_min });
        }
        let side = if namespace == Namespace::Request { Side::Verifier } else { Side::Holder };
        Ok(signers.into_iter().map(|(principal, key)| Signer { side, principal, key }).collect())
    }

    fn one(&self, message: &[u8], armoured: &[u8], number: usize) -> Result<(String, String), Denial> {
        let namespace = self.namespace;
        let signature = Signature::parse(armoured).map_err(|why| Denial::SignatureMalformed { namespace, number, why })?;
        if signature.namespace() != namespace.as_str() {
            return Err(Denial::WrongNamespace { namespace, number });
        }
        let listed = self.policy.signers().by_blob(signature.key_blob());
        let listed = listed.filter(|key| key.namespaces().contains(&namespace) && self.officials.contains(key.principal()));
        let Some(listed) = listed else { return Err(Denial::SignerNotListed { namespace, number }) };
        let verified = signature.verify(namespace.as_str(), message).map_err(|why| match why {
            SignatureError::Namespace => Denial::WrongNamespace { namespace, number },
            _ => Denial::SignatureInvalid { namespace, number },
        })?;
        match listed.validity(self.now_unix_ms) {
            Validity::Valid => (),
            Validity::NotYet => return Err(Denial::SignerNotYetValid { namespace, number }),
            Validity::Expired => return Err(Denial::SignerExpired { namespace, number }),
        }
        // A key that cannot tell did not say so either.
        if self.user_presence && verified.user_present() != Some(true) {
            return Err(Denial::UserNotPresent { namespace, number });
        }
        Ok((listed.principal().to_owned(), verified.key_fingerprint().to_owned()))
    }
}
