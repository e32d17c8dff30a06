//! A holder with a policy in force and a sealed set, and a verifier whose officials can sign.

use std::path::PathBuf;

use oblink_session::error::RefusalCode;
use oblink_tests::asking::{Asked, Draft, RequestDir, day, people};
use oblink_tests::officials::{Cast, Official};
use oblink_tests::peer::Peer;
use oblink_tests::policy::Rules;
use oblink_tests::{Agencies, Ended, Results, Serving};

/// Records that the holder has, and pairs that are asked: half of them are records.
pub(crate) const RECORDS: usize = 40;
pub(crate) const PAIRS: usize = 24;

pub(crate) struct House {
    pub(crate) agencies: Agencies,
    pub(crate) cast: Cast,
    pub(crate) rules: Rules,
    pub(crate) pairs: PathBuf,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(|_| ())
    }

    /// With other rules.
    pub(crate) fn with(change: impl FnOnce(&mut Rules)) -> Self {
        let house = Self::pilot(change);
        house.agencies.put_in_force(&house.rules, "first", house.both_holders());
        house.seal();
        house
    }

    /// Before any policy, and before anything is sealed.
    pub(crate) fn pilot(change: impl FnOnce(&mut Rules)) -> Self {
        let (agencies, cast) = (Agencies::new(), Cast::default());
        let mut rules = Rules::new(&cast, &agencies.verifier);
        change(&mut rules);
        let pairs = agencies.file("pairs.csv", people(RECORDS - PAIRS / 2, PAIRS, &day(-10)));
        Self { agencies, cast, rules, pairs }
    }

    pub(crate) fn seal(&self) {
        let records = self.agencies.file("records.csv", people(0, RECORDS, ""));
        self.agencies.sealing(&records, "--json --as-of").arg(day(-1)).ok();
    }

    pub(crate) fn serve(&self) -> Serving {
        self.agencies.serve()
    }

    /// Two of the verifier's officials.
    pub(crate) fn two(&self) -> &[Official] {
        &self.cast.asking[..2]
    }

    /// Two of the holder's.
    pub(crate) fn both_holders(&self) -> &[Official] {
        &self.cast.holding[..2]
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::new(&self.agencies.verifier, &self.agencies.holder)
    }

    /// A request by hand, of the pairs, in batches of `batch_tokens`.
    pub(crate) fn draft(&self, batch_tokens: u32) -> Draft {
        Draft::new(&self.agencies.holder, &self.agencies.verifier, &self.pairs, batch_tokens)
    }

    /// A request as `request new` makes it, that nobody has signed.
    pub(crate) fn unsigned(&self, name: &str) -> RequestDir {
        self.agencies.request(&self.pairs, name, "")
    }

    /// One that two officials have signed.
    pub(crate) fn request(&self, name: &str) -> RequestDir {
        self.unsigned(name).signed_by(self.two())
    }

    /// `check --request`, done.
    pub(crate) fn check(&self, serving: &Serving, request: &RequestDir) -> Results {
        let ended = self.agencies.asking(serving.address(), request).ok();
        Results::read(&request.path.with_extension("results.csv"), ended.object())
    }

    /// `check --request` ends with this exit code and error code, and writes no results.
    pub(crate) fn fails(&self, serving: &Serving, request: &RequestDir, exit: i32, code: &str) -> Ended {
        let ended = self.agencies.asking(serving.address(), request).run();
        assert_eq!(ended.code(), exit, "{ended}");
        assert_eq!(ended.object()["error"]["code"], code, "{ended}");
        assert!(!request.path.with_extension("results.csv").exists());
        ended
    }

    /// The honest program and a modified one are both refused with not_authorised, for this reason in the ledger alone; nothing is evaluated.
    pub(crate) fn denied(&self, request: &RequestDir, word: &str) {
        self.denied_as(request, word, word);
    }

    /// The same where the honest program does not send all that a modified one does.
    pub(crate) fn denied_as(&self, request: &RequestDir, word: &str, modified: &str) {
        let serving = self.serve();
        let ended = self.fails(&serving, request, 4, "not_authorised");
        assert!(!ended.stderr.contains(word), "the full reason went out: {ended}");
        self.agencies.refusal(20, &format!("{word}: "));
        let signatures = oblink_tests::files_below(&request.path.join("signatures"), ".sig");
        let asked = request.taken().with_signatures(signatures.iter().map(|file| std::fs::read(file).unwrap()).collect());
        let peer = self.peer();
        assert_eq!(peer.refused(serving.address(), &asked), RefusalCode::NotAuthorised);
        self.agencies.refusal(20, &format!("{modified}: "));
        assert_eq!(peer.elements(), 0);
        drop(serving.stop());
        self.agencies.nothing_evaluated();
    }

    /// A modified verifier is refused with not_authorised for this reason.
    pub(crate) fn denied_by_hand(&self, asked: &Asked, word: &str) {
        let serving = self.serve();
        self.refused_by_hand(&serving, asked, RefusalCode::NotAuthorised, &format!("{word}: "));
        drop(serving.stop());
        self.agencies.nothing_evaluated();
    }

    /// A modified verifier is refused at its Hello.
    pub(crate) fn refused_by_hand(&self, serving: &Serving, asked: &Asked, code: RefusalCode, reason: &str) {
        let peer = self.peer();
        assert_eq!(peer.refused(serving.address(), asked), code);
        assert_eq!(peer.elements(), 0);
        self.agencies.refusal(code as u16, reason);
    }
}
