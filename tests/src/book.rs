//! What the holder's ledger says, read past the programs.

use std::path::{Path, PathBuf};

use oblink_session::receipt::Receipt;
use oblink_store::ledger::SqliteLedger;
use oblink_store::ledger::entries::EntryKind;
use serde_json::Value;

use crate::call::Ended;
use crate::{Agencies, Party, eventually};

/// An entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is about.
    pub kind: EntryKind,
    /// Whom it concerns.
    pub party: [u8; 32],
    /// Ledger time.
    pub unix_ms: u64,
    /// Its body.
    pub body: Value,
}

impl Party {
    /// The ledger's file.
    #[must_use]
    pub fn ledger_path(&self) -> PathBuf {
        self.home.join("ledger.sqlite")
    }

    /// Every entry of the log.
    ///
    /// # Panics
    /// Where the ledger cannot be read.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        log_of(&self.ledger_path())
    }

    /// Those of one kind.
    #[must_use]
    pub fn logged(&self, kind: EntryKind) -> Vec<Entry> {
        self.log().into_iter().filter(|entry| entry.kind == kind).collect()
    }
}

/// Every entry of the log in a file.
///
/// # Panics
/// Where it cannot be read.
#[must_use]
pub fn log_of(path: &Path) -> Vec<Entry> {
    let ledger = SqliteLedger::open(path).unwrap();
    let mut log = Vec::new();
    let mut keep = |entry: &oblink_store::ledger::LogEntry<'_>| {
        let body = serde_json::from_str(entry.body).unwrap();
        log.push(Entry { kind: entry.kind, party: entry.party, unix_ms: entry.unix_ms, body });
        Ok(())
    };
    ledger.entries(0, &mut keep).unwrap();
    log
}

impl Agencies {
    /// Waits until the ledger has a refusal with this code and with this in its full reason, and gives it.
    ///
    /// # Panics
    /// Where none comes.
    pub fn refusal(&self, code: u16, reason: &str) -> Entry {
        eventually(&format!("a refusal {code} in the ledger because of {reason}; there are {:?}", self.refusals()), || {
            self.holder.logged(EntryKind::RequestRefused).into_iter().find(|entry| {
                let text = |name: &str| entry.body[name].as_str().unwrap().to_owned();
                entry.body["code"] == code && format!("{} {}", text("detail"), text("reason")).contains(reason)
            })
        })
    }

    /// Codes and reasons of all refusals in the ledger.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.holder.logged(EntryKind::RequestRefused);
        refused.into_iter().map(|entry| format!("{}: {}: {}", entry.body["code"], entry.body["detail"], entry.body["reason"])).collect()
    }

    /// Charged batches in the ledger.
    #[must_use]
    pub fn charges(&self) -> usize {
        self.holder.logged(EntryKind::Charge).len()
    }

    /// `ledger verify`.
    #[must_use]
    pub fn verify_ledger(&self) -> Ended {
        self.holder.call("ledger verify --json").run()
    }

    /// The ledger is whole and says that nothing was evaluated.
    ///
    /// # Panics
    /// Where it is not, or was.
    pub fn nothing_evaluated(&self) {
        assert_eq!(self.charges(), 0);
        self.ledger_holds();
    }

    /// The ledger is whole.
    ///
    /// # Panics
    /// Where it is not.
    pub fn ledger_holds(&self) {
        let ended = self.verify_ledger();
        assert_eq!(ended.code(), 0, "{ended}");
    }
}

/// A receipt's file.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn receipt(path: &Path) -> Receipt {
    Receipt::from_json(&std::fs::read_to_string(path).unwrap()).unwrap()
}
