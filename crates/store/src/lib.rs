//! Everything that is fsynced: sealed sets and the ledger.
