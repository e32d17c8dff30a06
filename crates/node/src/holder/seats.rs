//! One connection at a time for each request: a verifier that comes back takes the place of its own lost line.
//!
//! Without this, the end of the old connection, noticed late, would suspend the session that the new one has resumed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedMutexGuard, watch};

/// A verifier's fingerprint and a request's identifier.
type Key = ([u8; 32], [u8; 16]);

#[derive(Debug)]
struct Slot {
    /// Counts who asked for the seat; whoever is not the latest leaves.
    latest: watch::Sender<u64>,
    taken: Arc<tokio::sync::Mutex<()>>,
}

/// The seats of a holder.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<HashMap<Key, Arc<Slot>>>);

/// A seat, for as long as the value lives.
#[derive(Debug)]
pub(super) struct Seat {
    latest: watch::Receiver<u64>,
    mine: u64,
    _slot: Arc<Slot>,
    _taken: OwnedMutexGuard<()>,
}

impl Seats {
    /// Asks whoever has the seat to leave, and waits until it has.
    pub(super) async fn take(&self, key: Key) -> Seat {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // A slot that nobody sits in or waits for is only in the map.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            let fresh = || Arc::new(Slot { latest: watch::Sender::new(0), taken: Arc::default() });
            Arc::clone(slots.entry(key).or_insert_with(fresh))
        };
        let mut mine = 0;
        slot.latest.send_modify(|latest| {
            *latest += 1;
            mine = *latest;
        });
        let taken = Arc::clone(&slot.taken).lock_owned().await;
        Seat { latest: slot.latest.subscribe(), mine, _slot: slot, _taken: taken }
    }
}

impl Seat {
    /// Waits until another connection asks for this seat.
    pub(super) async fn wanted(&self) {
        let mut latest = self.latest.clone();
        // The sender lives in the slot, which this seat keeps.
        let _ = latest.wait_for(|latest| *latest != self.mine).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_latest_gets_the_seat_and_the_one_before_hears_of_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let seats = Arc::new(Seats::default());
            let first = seats.take(([1; 32], [1; 16])).await;
            let other = seats.take(([1; 32], [2; 16])).await;
            let quiet = tokio::time::timeout(Duration::from_millis(20), first.wanted()).await;
            assert!(quiet.is_err(), "nobody wants it yet");
            let waiting = tokio::spawn({
                let seats = Arc::clone(&seats);
                async move { seats.take(([1; 32], [1; 16])).await }
            });
            tokio::time::timeout(Duration::from_secs(5), first.wanted()).await.expect("the first is asked to leave");
            assert!(!waiting.is_finished(), "it waits until the first has left");
            drop(first);
            let second = waiting.await.unwrap();
            assert!(tokio::time::timeout(Duration::from_millis(20), second.wanted()).await.is_err());
            drop((second, other));
            drop(seats.take(([9; 32], [9; 16])).await);
            assert_eq!(seats.0.lock().unwrap().len(), 1, "empty seats are cleared away");
        });
    }
}
