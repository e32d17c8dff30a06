//! What may stop a session that is under way: told to all of them when the ledger says so, whoever wrote it there.
//!
//! The ledger itself refuses the next charge. But a session may be at its last batches, or only take the set: it stops as well.

use std::collections::BTreeSet;

use oblink_session::error::{NOT_AUTHORISED, Refusal, RefusalCode};
use oblink_session::ledger::LedgerError;
use oblink_store::ledger::{Scope, SqliteLedger};

use crate::failure::Failure;

/// Policy, suspensions, refused requests and epochs, as they are at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    policy: Option<[u8; 32]>,
    suspended_all: bool,
    suspended: BTreeSet<[u8; 32]>,
    /// Digests of requests that the officials refused.
    denied: BTreeSet<[u8; 32]>,
    /// Epochs that were ended by date, count or hand; not those that a seal took the place of.
    over: BTreeSet<[u8; 16]>,
}

impl Standing {
    /// Reads it from the ledger.
    ///
    /// # Errors
    /// Exit 3: the ledger cannot be read.
    pub(super) fn read(ledger: &SqliteLedger) -> Result<Self, Failure> {
        let mut standing = Self { policy: ledger.policy_digest()?, ..Self::default() };
        for row in ledger.suspensions()?.iter().filter(|row| row.resumed_unix_ms.is_none()) {
            match row.scope {
                Scope::All => standing.suspended_all = true,
                Scope::Verifier(fingerprint) => drop(standing.suspended.insert(fingerprint)),
            }
        }
        standing.denied = ledger.refused_requests()?.into_iter().map(|row| row.request_digest).collect();
        standing.over = ledger.epochs_over()?;
        Ok(standing)
    }

    /// Why a session of this verifier under this policy and epoch, of the request of this digest, goes on no longer, where it does not.
    pub(super) fn stops(&self, verifier: &[u8; 32], policy: Option<[u8; 32]>, epoch_id: &[u8; 16], request: &[u8; 32]) -> Option<Refusal> {
        if self.suspended_all || self.suspended.contains(verifier) {
            Some(Refusal::new(RefusalCode::Suspended, "the holder has suspended its answers"))
        } else if self.denied.contains(request) {
            let reason = LedgerError::RequestRefused.to_string();
            Some(Refusal::new(RefusalCode::NotAuthorised, NOT_AUTHORISED).because(reason))
        } else if self.policy != policy {
            Some(Refusal::new(RefusalCode::PolicyChanged, "the holder's policy has changed"))
        } else if self.over.contains(epoch_id) {
            Some(Refusal::new(RefusalCode::EpochEnded, "the epoch has ended"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_stops_for_its_own_reasons_alone() {
        let code = |standing: &Standing| standing.stops(&[1; 32], Some([5; 32]), &[3; 16], &[7; 32]).map(|refusal| refusal.code);
        let fine = Standing { policy: Some([5; 32]), ..Standing::default() };
        assert_eq!(code(&fine), None);
        assert_eq!(code(&Standing { suspended: [[2; 32]].into(), over: [[4; 16]].into(), ..fine.clone() }), None);
        assert_eq!(code(&Standing { suspended: [[1; 32]].into(), ..fine.clone() }), Some(RefusalCode::Suspended));
        assert_eq!(code(&Standing { suspended_all: true, ..fine.clone() }), Some(RefusalCode::Suspended));
        assert_eq!(code(&Standing { denied: [[8; 32]].into(), ..fine.clone() }), None);
        assert_eq!(code(&Standing { denied: [[7; 32]].into(), ..fine.clone() }), Some(RefusalCode::NotAuthorised));
        assert_eq!(code(&Standing { policy: Some([6; 32]), ..fine.clone() }), Some(RefusalCode::PolicyChanged));
        assert_eq!(code(&Standing { over: [[3; 16]].into(), ..fine.clone() }), Some(RefusalCode::EpochEnded));
        // The first policy ends pilot mode under the sessions that it admitted.
        assert_eq!(fine.stops(&[1; 32], None, &[3; 16], &[7; 32]).map(|refusal| refusal.code), Some(RefusalCode::PolicyChanged));
        assert_eq!(Standing::default().stops(&[1; 32], None, &[3; 16], &[7; 32]), None);
    }
}
