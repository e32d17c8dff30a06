//! What one verifier may take up of a holder, whatever it does: others are served beside it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oblink_quic::Fingerprint;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Connections that one verifier gets heard each second, on and on; more wait. Each may cost signatures and a write to the ledger.
const CONNECTIONS_PER_SECOND: u32 = 8;
/// And at once.
const CONNECTIONS_BURST: u32 = 64;

/// One verifier's share.
#[derive(Debug)]
pub(super) struct Guest {
    /// Batches and deliveries at work: half of all, so that one verifier does not have them all.
    pub(super) work: Semaphore,
    /// Batches that were charged before, and are evaluated again for nothing (SPEC BAT-3): one at a time.
    pub(super) again: Semaphore,
    /// When a connection is heard at the latest so that all are that came before.
    heard: Mutex<Instant>,
}

impl Guest {
    fn new(work: usize) -> Self {
        Self { work: Semaphore::new((work / 2).max(1)), again: Semaphore::new(1), heard: Mutex::new(Instant::now()) }
    }

    fn last_heard(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until this verifier has been heard no more often than it may be.
    pub(super) async fn pace(&self) {
        let step = Duration::from_secs(1) / CONNECTIONS_PER_SECOND;
        let turn = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            *heard = (*heard).max(now) + step;
            *heard
        };
        tokio::time::sleep_until(turn - step * CONNECTIONS_BURST).await;
    }
}

/// The guests of a holder: those with a connection, and those that have been heard so often that it must be remembered.
#[derive(Debug)]
pub(super) struct Guests {
    work: usize,
    known: Mutex<HashMap<Fingerprint, Arc<Guest>>>,
}

impl Guests {
    /// For a holder that does so much at a time.
    pub(super) fn new(work: usize) -> Self {
        Self { work, known: Mutex::default() }
    }

    pub(super) fn get(&self, verifier: Fingerprint) -> Arc<Guest> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        known.retain(|_, guest| Arc::strong_count(guest) > 1 || guest.last_heard() > now);
        Arc::clone(known.entry(verifier).or_insert_with(|| Arc::new(Guest::new(self.work))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_that_left_are_not_kept() {
        let guests = Guests::new(16);
        let stays = guests.get(Fingerprint::from_bytes([0; 32]));
        (1..=200).for_each(|n| drop(guests.get(Fingerprint::from_bytes([n; 32]))));
        assert_eq!(guests.known.lock().unwrap().len(), 2, "the one that stays, and the last");
        drop(stays);
    }

    #[test]
    fn a_burst_is_heard_at_once_and_more_than_that_in_turn() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let guest = Guests::new(16).get(Fingerprint::from_bytes([1; 32]));
            for _ in 0..CONNECTIONS_BURST {
                let pace = tokio::time::timeout(Duration::from_millis(50), guest.pace());
                assert!(pace.await.is_ok());
            }
            // What was heard meanwhile has made room for a few.
            let mut late = 0;
            for _ in 0..CONNECTIONS_BURST {
                late += u32::from(tokio::time::timeout(Duration::ZERO, guest.pace()).await.is_err());
            }
            assert!(late > CONNECTIONS_BURST / 2, "{late}");
        });
    }
}
