//! The holder's ledger.
