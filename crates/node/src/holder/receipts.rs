//! Copies of receipts in `receipts/`. The ledger has the receipts themselves: a copy that a full disk or a crash kept from being written is
//! written later.

use std::sync::{Mutex, PoisonError};

use oblink_session::receipt::Receipt;
use oblink_session::request::to_hex;
use oblink_store::ledger::SqliteLedger;

use super::epochs::HOME_HINT;
use crate::failure::{Failure, io_cause};
use crate::files::{sweep_temporary, write_atomically};
use crate::home::Home;

/// Copies that a start looks for: those of sessions that changed less than this before the ledger's time, a day. Older ones may have been moved
/// away.
const LOOK_BACK_MS: u64 = 86_400_000;

/// Sessions whose receipts have no copy yet.
#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<Vec<[u8; 16]>>);

impl Owed {
    /// Writes a receipt's copy; where that fails, [`write_owed`](Self::write_owed) tries again.
    ///
    /// # Errors
    /// Exit 3: it cannot be written now.
    pub(super) fn write(&self, home: &Home, session_id: &[u8; 16], receipt: &Receipt) -> Result<(), Failure> {
        write(home, session_id, receipt).inspect_err(|_| self.sessions().push(*session_id))
    }

    /// Writes the copies that are owed, out of the ledger. Gives how many.
    ///
    /// # Errors
    /// Exit 3: one cannot be written now either, or the ledger not be read.
    pub(super) fn write_owed(&self, home: &Home, ledger: &SqliteLedger) -> Result<usize, Failure> {
        let mut written = 0;
        loop {
            let Some(session_id) = self.sessions().last().copied() else { return Ok(written) };
            if let Some(receipt) = ledger.receipt(&session_id)?.and_then(|row| row.signed()) {
                write(home, &session_id, &receipt)?;
                written += 1;
            }
            self.sessions().retain(|owed| *owed != session_id);
        }
    }

    /// At a start, when nobody else writes there: clears away what a killed `serve` left, and finds the copies that it did not come to write.
    ///
    /// # Errors
    /// Exit 3: the ledger cannot be read.
    pub(super) fn find(&self, home: &Home, ledger: &SqliteLedger) -> Result<(), Failure> {
        sweep_temporary(&home.receipts());
        let since = ledger.time_unix_ms()?.saturating_sub(LOOK_BACK_MS);
        for session in ledger.sessions()?.iter().filter(|session| session.changed_unix_ms >= since) {
            let missing = !place(home, &session.session_id).exists();
            if missing && ledger.receipt(&session.session_id)?.is_some_and(|row| row.verifier_signature.is_some()) {
                self.sessions().push(session.session_id);
            }
        }
        Ok(())
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions().is_empty()
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<[u8; 16]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(home: &Home, session_id: &[u8; 16]) -> std::path::PathBuf {
    home.receipts().join(format!("{}.json", to_hex(session_id)))
}

fn write(home: &Home, session_id: &[u8; 16], receipt: &Receipt) -> Result<(), Failure> {
    let path = place(home, session_id);
    write_atomically(&path, receipt.to_json().as_bytes()).map_err(|error| {
        Failure::input("receipt_write", format!("cannot write {}: {}", path.display(), io_cause(&error))).with_hint(HOME_HINT)
    })
}
