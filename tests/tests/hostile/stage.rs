//! What all attacks share: two agencies, a list, and what the results must be.

use std::path::{Path, PathBuf};

use oblink_session::wire::Frame;
use oblink_tests::asking::{day, people};
use oblink_tests::fake::{Act, Due, FakeHolder, Modified, Script, as_due};
use oblink_tests::{Agencies, Ended, Results, joined, read_split, sample};

/// Two agencies, the holder's records sealed, and a list to ask about.
pub(crate) struct Stage {
    pub(crate) agencies: Agencies,
    pub(crate) pairs: PathBuf,
    pub(crate) records: PathBuf,
}

impl Stage {
    /// Sixty records, sixty pairs, thirty of them in both.
    pub(crate) fn new() -> Self {
        let agencies = Agencies::new();
        let records = agencies.file("records.csv", people(0, 60, &day(-10)));
        let pairs = agencies.file("pairs.csv", people(30, 60, &day(-10)));
        agencies.seal(&records);
        Self { agencies, pairs, records }
    }

    /// Generated people, more than one batch of them.
    pub(crate) fn with_two_batches() -> Self {
        let agencies = Agencies::new();
        let (pairs, records) = sample(&agencies.at("s"), 9_000, 300);
        agencies.seal(&records);
        Self { agencies, pairs, records }
    }

    /// Where the results go.
    pub(crate) fn output(&self) -> PathBuf {
        self.agencies.at("results.csv")
    }

    /// `check` at this address, anew: a session that was lied about, or has answers in the ledger that no honest holder gives, goes no further.
    pub(crate) fn check(&self, address: &str) -> Ended {
        self.agencies.checking(address, &self.pairs, &self.output()).args("--json --restart --retry-for 0").run()
    }

    /// The verifier's program meets a modified holder: how it ended.
    pub(crate) fn meet(&self, modified: Modified) -> Ended {
        let fake = self.fake(modified);
        let ended = self.check(&fake.address());
        let _ = fake.ended();
        ended
    }

    /// The verifier's program meets this holder: it ends with this code, says so in these words and no value of a row, and writes nothing.
    pub(crate) fn convict(&self, code: i32, says: &str, modified: Modified) {
        condemned(self, &self.meet(modified), code, says);
    }

    /// A modified holder over this stage's ledger.
    pub(crate) fn fake(&self, modified: Modified) -> FakeHolder {
        FakeHolder::start(&self.agencies.holder, &self.agencies.verifier, &self.agencies.holder.ledger_path(), modified)
    }

    /// An honest holder, with the ledger that the modified one left, is asked: the results are exact.
    pub(crate) fn honest_run_is_exact(&self) {
        let serving = self.agencies.serve();
        let ended = self.check(serving.address());
        assert_eq!(ended.code(), 0, "{ended}");
        exact(&Results::read(&self.output(), ended.object()), &self.pairs, &self.records);
        drop(serving.stop());
        self.agencies.ledger_holds();
    }
}

/// Each row is what the tokens of the two files alone say.
pub(crate) fn exact(results: &Results, pairs: &Path, records: &Path) {
    let (asked, held) = (read_split(pairs), read_split(records));
    let due: Vec<bool> = joined(&asked, &held);
    assert_eq!(results.matched(), due);
    assert!(due.contains(&true) && due.contains(&false), "the lists have some of each");
}

/// What must be so of every run that a hostile holder ended.
pub(crate) fn condemned(stage: &Stage, ended: &Ended, code: i32, says: &str) {
    assert_eq!(ended.code(), code, "{ended}");
    let object = ended.object();
    assert_eq!(object["error"]["exit"], code, "{ended}");
    assert!(object["error"]["what"].as_str().unwrap().contains(says), "{ended}");
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.to_lowercase().contains("quispe") && !text.contains("Zanzibar"), "a value of a row is shown: {ended}");
    }
    assert!(!stage.output().exists() && !stage.output().with_extension("meta.json").exists(), "{ended}");
}

/// A holder that is honest but where `bend` has another idea of what to do.
pub(crate) fn bent(mut bend: impl FnMut(Due, &[Frame]) -> Option<Vec<Act>> + Send + 'static) -> Modified {
    let script: Script = Box::new(move |due, honest| bend(due, &honest).unwrap_or_else(|| as_due(&honest)));
    Modified { script, ..Modified::default() }
}

/// A holder that does `acts` where `at` is due.
pub(crate) fn instead(at: Due, acts: Vec<Act>) -> Modified {
    bent(move |due, _| (due == at).then(|| acts.clone()))
}
