//! A ledger that says yes and writes nothing: for a holder that is broken on purpose.

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::ledger::{
    ChargeEntry, ChargeOutcome, CompletionEntry, DisclosureEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};

/// See above.
#[derive(Debug)]
pub(crate) struct YesLedger;

impl Ledger for YesLedger {
    fn open_session(&mut self, _: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        Ok(SessionOpening::New)
    }

    fn charge(&mut self, _: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        Ok(ChargeOutcome::New)
    }

    fn complete(&mut self, _: &CompletionEntry) -> Result<(), LedgerError> {
        Ok(())
    }

    fn acknowledge(&mut self, _: &[u8; 16], _: &[u8; 64]) -> Result<(), LedgerError> {
        Ok(())
    }

    fn suspend(&mut self, _: &[u8; 16], _: &[(u64, [u8; 32])], _: u64) -> Result<(), LedgerError> {
        Ok(())
    }

    fn head(&mut self) -> Result<LogHead, LedgerError> {
        Ok(LogHead::NONE)
    }

    fn root_at(&mut self, _: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        Ok(None)
    }

    fn consistency(&mut self, _: u64, _: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        Ok(Vec::new())
    }

    fn keep_head(&mut self, _: &SignedHead) -> Result<(), LedgerError> {
        Ok(())
    }

    fn disclose(&mut self, _: &DisclosureEntry) -> Result<(), LedgerError> {
        Ok(())
    }
}
