//! The ceremony whole, as the guides have it: policy, request, signatures, countersignature, session, receipts, ledger, audit, disclosure, and the
//! end of the epoch; with the real ssh-keygen where it is installed.

use std::path::Path;

use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{RequestDir, day, people};
use oblink_tests::book::receipt;
use oblink_tests::officials::{COUNTERSIGN, Cast, KeygenOfficial, POLICY, REQUEST, ssh_keygen};
use oblink_tests::policy::Rules;
use oblink_tests::{Agencies, Results, joined, read_split};

/// Whoever signs: by ssh-keygen, or by the test.
enum Signers {
    Real { asking: Vec<KeygenOfficial>, holding: Vec<KeygenOfficial> },
    Made(Cast),
}

impl Signers {
    fn lines(&self) -> String {
        match self {
            Self::Made(cast) => cast.lines(),
            Self::Real { asking, holding } => {
                let asking = asking.iter().map(|official| official.line(REQUEST));
                let holding = holding.iter().map(|official| official.line(&format!("{COUNTERSIGN},{POLICY}")));
                asking.chain(holding).collect()
            }
        }
    }

    fn names(&self, holding: bool) -> Vec<String> {
        match self {
            Self::Made(cast) => if holding { &cast.holding } else { &cast.asking }.iter().map(|o| o.principal.clone()).collect(),
            Self::Real { asking, holding: theirs } => if holding { theirs } else { asking }.iter().map(|o| o.principal.clone()).collect(),
        }
    }

    /// Signatures of the first two of a side over a file.
    fn two(&self, namespace: &str, file: &Path) -> Vec<(String, Vec<u8>)> {
        let holding = namespace != REQUEST;
        let message = std::fs::read(file).unwrap();
        match self {
            Self::Made(cast) => {
                let side = if holding { &cast.holding } else { &cast.asking };
                side[..2].iter().map(|o| (o.principal.clone(), o.sign(namespace, &message))).collect()
            }
            Self::Real { asking, holding: theirs } => {
                let side = if holding { theirs } else { asking };
                let sign = |official: &KeygenOfficial| {
                    let made = official.sign(namespace, file);
                    let signature = std::fs::read(&made).unwrap();
                    std::fs::remove_file(made).unwrap();
                    (official.principal.clone(), signature)
                };
                side[..2].iter().map(sign).collect()
            }
        }
    }
}

#[test]
fn the_ceremony_with_ssh_keygen() {
    let Some(program) = ssh_keygen() else { return };
    let folder = tempfile::tempdir().unwrap();
    let make = |(name, kind): (&str, &str)| KeygenOfficial::make(&program, folder.path(), name, kind);
    let asking = [("doe@verifier", "ed25519"), ("roe@verifier", "ecdsa")].map(make).to_vec();
    let holding = [("archer@holder", "ecdsa"), ("baker@holder", "ed25519"), ("carter@holder", "ed25519")].map(make).to_vec();
    ceremony(&Signers::Real { asking, holding });
}

#[test]
fn the_ceremony_with_keys_of_the_test() {
    ceremony(&Signers::Made(Cast::default()));
}

fn ceremony(signers: &Signers) {
    let agencies = Agencies::new();
    let (holder, verifier) = (&agencies.holder, &agencies.verifier);
    // The first policy.
    let mut rules = Rules::new(&Cast::default(), verifier);
    rules.allowed_signers = signers.lines();
    rules.holder_officials = signers.names(true);
    rules.countersignatures_min = 1;
    let of = rules.verifier();
    of.officials = signers.names(false);
    of.required_fields = vec!["agreement".to_owned()];
    of.required_columns = vec!["order_date".to_owned()];
    of.addresses_per_person_max = 1;
    of.order_age_days_max = 365;
    of.set_age_days_max = 45;
    let proposed = agencies.propose(&rules, "proposal");
    for (name, signature) in signers.two(POLICY, &proposed.directory.join("proposal.json")) {
        proposed.add(&name, &signature);
    }
    let ended = agencies.apply(&proposed);
    assert_eq!(ended.code(), 0, "{ended}");
    holder.call("policy show --json").ok();
    let records = agencies.file("records.csv", people(0, 60, ""));
    agencies.sealing(&records, "--json --as-of").arg(day(-2)).ok();

    // The request.
    let pairs = agencies.file("pairs.csv", people(40, 30, &day(-20)));
    let more = "--disclosure matched-tags --field agreement=2026-117 --require-column order_date --person-id person_id --addresses-per-person-max 1";
    let request = agencies.request(&pairs, "REQ", more);
    verifier.call_bare("request show --json").path("--request", &request.path).ok();
    let verify = verifier.call_bare("request show --verify --json --person-id person_id").path("--request", &request.path);
    verify.path("--input", &pairs).ok();
    match signers {
        Signers::Real { asking, .. } => {
            for official in asking {
                verifier.call_bare("request sign").path("--request", &request.path).path("--key", &official.key).ok();
            }
        }
        Signers::Made(_) => {
            for (name, signature) in signers.two(REQUEST, &request.file()) {
                request.add(&name, &signature);
            }
        }
    }
    countersign(&agencies, signers, &request);

    // The session.
    let serving = agencies.serve();
    let ended = agencies.asking(serving.address(), &request).args("--person-id person_id").ok();
    let object = ended.objects().into_iter().find(|object| object.get("match").is_some()).unwrap();
    let results = Results::read(&request.path.with_extension("results.csv"), object);
    assert_eq!(results.matched(), joined(&read_split(&pairs), &read_split(&records)));
    assert_eq!(results.meta["authority"], "signed");
    drop(serving.stop());

    // The receipts, at both sides.
    let theirs = holder.home.join("receipts").join(format!("{}.json", results.session()));
    let ours = request.path.join("receipt.json");
    assert_eq!(receipt(&theirs), receipt(&ours));
    for (party, file) in [(holder, &theirs), (verifier, &ours)] {
        let call = party.call_bare("receipt verify --json --holder").arg(&holder.fingerprint).arg("--verifier").arg(&verifier.fingerprint);
        call.path("--receipt", file).ok();
        party.call_bare("receipt show").path("--receipt", file).ok();
    }

    // The ledger.
    let head = agencies.at("head.json");
    holder.call("ledger head").path("--export", &head).ok();
    holder.call("ledger verify --json").path("--head", &head).ok();
    for format in ["json", "csv"] {
        let exported = agencies.at(&format!("ledger.{format}"));
        holder.call("ledger export --format").arg(format).path("--output", &exported).ok();
        let text = std::fs::read_to_string(&exported).unwrap();
        assert!(text.lines().count() >= holder.log().len() && !text.contains("Quispe"), "{format}");
    }
    let report = agencies.at("report.html");
    holder.call("ledger report").path("--output", &report).ok();
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("<html") && !page.contains("Quispe") && !page.contains("http://") && !page.contains("src="));

    // The audits.
    let extract = agencies.at("extract.json");
    holder.call("ledger extract --peer city").path("--output", &extract).ok();
    let audit = verifier.call_bare("audit --json --person-id person_id").path("--request", &request.path).path("--input", &pairs);
    audit.path("--receipt", &ours).path("--ledger-extract", &extract).ok();
    let epoch = holder.logged(EntryKind::EpochBegin)[0].body["epoch"].as_str().unwrap().to_owned();
    holder.call("audit --json --epoch").arg(&epoch).path("--records", &records).ok();

    // The disclosure: the epoch does not end while it is not booked.
    let matched = results.matched().iter().filter(|matched| **matched).count();
    assert_eq!(holder.logged(EntryKind::Disclosure)[0].body["matched"], matched);
    let end = || holder.call("epoch end --json --peer city --reason Done").run();
    let early = end();
    assert_ne!(early.code(), 0, "{early}");
    holder.call("ledger account --json").path("--records", &records).path("--receipt", &theirs).ok();
    let listed = |record: &str| holder.call("ledger disclosures --json --record").arg(record).ok().objects();
    // Record x41 was asked and matched; x39 was not asked.
    assert_eq!((listed("x41").len(), listed("x39").len()), (1, 0));
    let ended = end();
    assert_eq!(ended.code(), 0, "{ended}");
    assert!(oblink_tests::files_below(&holder.home, ".seed").is_empty());
    agencies.ledger_holds();
    holder.call("ledger verify").path("--head", &head).ok();
}

fn countersign(agencies: &Agencies, signers: &Signers, request: &RequestDir) {
    let holder = &agencies.holder;
    let file = agencies.file("request.json", request.bytes());
    holder.call("request show --json").path("--request", &file).ok();
    let (_, signature) = signers.two(COUNTERSIGN, &file).remove(0);
    let signature = agencies.file("countersignature.sig", signature);
    holder.call("request countersign --json").path("--request", &file).path("--signature", &signature).ok();
}
