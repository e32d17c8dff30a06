//! How many connections each verifier has.

use std::collections::HashMap;
use std::sync::Arc;

use oblink_quic::Fingerprint;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that one verifier may have at a time: a session and its successors, and `doctor`.
pub(super) const CONNECTIONS_PER_VERIFIER: usize = 4;

/// The places of all verifiers that have a connection.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<Fingerprint, Arc<Semaphore>>);

impl Places {
    /// A place for one more connection of `verifier`, for as long as the value lives; `None` where it has as many as it may.
    pub(super) fn take(&mut self, verifier: Fingerprint) -> Option<OwnedSemaphorePermit> {
        // Identities come and go with `trust`: those without a connection are not kept.
        self.0.retain(|_, places| places.available_permits() < CONNECTIONS_PER_VERIFIER);
        let places = self.0.entry(verifier).or_insert_with(|| Arc::new(Semaphore::new(CONNECTIONS_PER_VERIFIER)));
        Arc::clone(places).try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifier(number: u8) -> Fingerprint {
        Fingerprint::from_bytes([number; 32])
    }

    #[test]
    fn each_verifier_has_its_own_places() {
        let mut places = Places::default();
        let mut taken: Vec<_> = (0..CONNECTIONS_PER_VERIFIER).map(|_| places.take(verifier(1)).unwrap()).collect();
        assert!(places.take(verifier(1)).is_none());
        assert!(places.take(verifier(2)).is_some());
        taken.pop();
        let again = places.take(verifier(1)).unwrap();
        assert!(places.take(verifier(1)).is_none());
        drop((taken, again));
        assert!(places.take(verifier(1)).is_some());
    }

    /// Once the map had an entry for each identity that ever came, also of those that were trusted no longer.
    #[test]
    fn repro_identities_that_left_are_not_kept() {
        let mut places = Places::default();
        let stays = places.take(verifier(0)).unwrap();
        (1..=200).for_each(|number| drop(places.take(verifier(number))));
        assert_eq!(places.0.len(), 2, "the one that stays, and the last");
        drop(stays);
    }
}
