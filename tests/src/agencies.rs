//! A holder and a verifier that trust each other.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::call::Ended;
use crate::results::Results;
use crate::{Call, Program, Serving};

/// A party: its program and its home.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its program.
    pub program: Program,
    /// Its home.
    pub home: PathBuf,
    /// What the other side pins, as `init --json` printed it.
    pub fingerprint: String,
}

impl Party {
    /// `init`.
    ///
    /// # Panics
    /// Where it fails.
    #[must_use]
    pub fn init(program: Program, home: &Path) -> Self {
        let made = Call::new(program).args("init --name Agency --json").path("--home", home).ok().object();
        Self { program, home: home.to_owned(), fingerprint: made["fingerprint"].as_str().unwrap().to_owned() }
    }

    /// A command of this party's program on its home; `line` is divided at blanks.
    #[must_use]
    pub fn call(&self, line: &str) -> Call {
        // A command may be of several words: its options begin with the first dash.
        let (command, rest) = line.find(" -").map_or((line, ""), |at| line.split_at(at));
        Call::new(self.program).args(command).path("--home", &self.home).args(rest)
    }

    /// A command of this party's program that needs no home.
    #[must_use]
    pub fn call_bare(&self, line: &str) -> Call {
        Call::new(self.program).args(line)
    }

    /// `trust --peer LABEL`.
    ///
    /// # Panics
    /// Where it fails.
    pub fn trust(&self, label: &str, other: &Self) {
        self.call("trust --peer").arg(label).arg("--fingerprint").arg(&other.fingerprint).ok();
    }
}

/// Both parties, and a directory for their files.
#[derive(Debug)]
pub struct Agencies {
    folder: TempDir,
    /// Trusts the verifier as `city`.
    pub holder: Party,
    /// Trusts the holder as `tax`.
    pub verifier: Party,
}

impl Default for Agencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Agencies {
    /// Two homes, each with the other's fingerprint.
    ///
    /// # Panics
    /// Where a command fails.
    #[must_use]
    pub fn new() -> Self {
        let agencies = Self::strangers();
        agencies.holder.trust("city", &agencies.verifier);
        agencies.verifier.trust("tax", &agencies.holder);
        agencies
    }

    /// Two homes that know nothing of each other.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn strangers() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let holder = Party::init(Program::Holder, &folder.path().join("holder"));
        let verifier = Party::init(Program::Verifier, &folder.path().join("verifier"));
        Self { folder, holder, verifier }
    }

    /// The directory that both share.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path in it.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file there.
    ///
    /// # Panics
    /// Where it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `seal --input`; `more` is divided at blanks.
    #[must_use]
    pub fn sealing(&self, records: &Path, more: &str) -> Call {
        self.holder.call("seal").path("--input", records).args(more)
    }

    /// Seals.
    ///
    /// # Panics
    /// Where it fails.
    pub fn seal(&self, records: &Path) -> Ended {
        self.sealing(records, "--json").ok()
    }

    /// Serves.
    ///
    /// # Panics
    /// Where it does not listen.
    #[must_use]
    pub fn serve(&self) -> Serving {
        Serving::start(&self.holder)
    }

    /// `check --holder ADDRESS --input PAIRS --output OUTPUT`.
    #[must_use]
    pub fn checking(&self, address: &str, pairs: &Path, output: &Path) -> Call {
        self.verifier.call("check --holder").arg(address).path("--input", pairs).path("--output", output)
    }

    /// Checks, and reads what came of it.
    ///
    /// # Panics
    /// Where it fails or the results are not as the contract has them.
    #[must_use]
    pub fn check(&self, serving: &Serving, pairs: &Path) -> Results {
        let output = pairs.with_extension("results.csv");
        let ended = self.checking(serving.address(), pairs, &output).arg("--json").ok();
        Results::read(&output, ended.object())
    }

    /// Sessions that the holder's ledger knows.
    ///
    /// # Panics
    /// Where the ledger cannot be read.
    #[must_use]
    pub fn ledger(&self, entry: &str) -> Vec<serde_json::Value> {
        let objects = self.holder.call("ledger --json").ok().objects();
        objects.into_iter().filter(|object| object["entry"] == entry).collect()
    }
}

/// Generated people: `pairs.csv` and `records.csv` in `directory`.
///
/// # Panics
/// Where they cannot be written.
#[must_use]
pub fn sample(directory: &Path, pairs: u64, records: u64) -> (PathBuf, PathBuf) {
    let call = Call::new(Program::Demo).path("--write-sample", directory).arg("--pairs").arg(pairs.to_string());
    call.arg("--records").arg(records.to_string()).ok();
    (directory.join("pairs.csv"), directory.join("records.csv"))
}
