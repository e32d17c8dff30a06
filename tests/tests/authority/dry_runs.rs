//! What a dry run says of a request under a policy, and that it is what the holder would say.

use oblink_tests::asking::RequestDir;
use oblink_tests::policy::Rules;
use oblink_tests::{Ended, Serving};

use super::house::{House, PAIRS};

impl House {
    /// `check --request --dry-run` under these rules.
    fn rehearse(&self, serving: &Serving, request: &RequestDir, rules: &Rules) -> Ended {
        let policy = self.agencies.file("given.toml", rules.toml());
        let signers = self.agencies.file("given_signers", &rules.allowed_signers);
        self.agencies
            .asking(serving.address(), request)
            .arg("--dry-run")
            .path("--policy", &policy)
            .path("--allowed-signers", &signers)
            .run()
    }
}

#[test]
fn a_dry_run_says_what_the_policy_would_say() {
    let house = House::new();
    let serving = house.serve();
    let ledger = || house.agencies.holder.call("ledger --json").ok().stdout;
    let before = ledger();

    let request = house.request("signed");
    let ended = house.rehearse(&serving, &request, &house.rules);
    assert_eq!(ended.code(), 0, "{ended}");
    let object = ended.object();
    assert_eq!((&object["policy"]["allowed"], &object["would"]), (&true.into(), &"ask".into()), "{ended}");
    assert_eq!(object["submitted"], PAIRS);
    assert_eq!(object["request"]["signatures"].as_array().unwrap().len(), 2);

    let denied = |request: &RequestDir, rules: &Rules, word: &str| {
        let ended = house.rehearse(&serving, request, rules);
        assert_eq!(ended.code(), 4, "{ended}");
        let objects = ended.objects();
        assert_eq!((&objects[0]["policy"]["code"], &objects[0]["policy"]["allowed"]), (&word.into(), &false.into()), "{ended}");
        assert_eq!(objects[1]["error"]["code"], "policy_denies");
    };
    denied(&house.unsigned("unsigned"), &house.rules, "signature_short");
    let with = |change: fn(&mut Rules)| {
        let mut rules = house.rules.clone();
        change(&mut rules);
        rules
    };
    denied(&request, &with(|rules| rules.verifier().pairs_per_request_max = 3), "pairs_over_cap");
    denied(&request, &with(|rules| rules.verifier().epoch[1] = 3), "budget_exhausted");
    denied(&request, &with(|rules| rules.verifier().required_fields = vec!["agreement".to_owned()]), "field_missing");

    // What only the holder knows is not judged.
    let ended = house.rehearse(
        &serving,
        &request,
        &with(|rules| {
            rules.countersignatures_min = 1;
            rules.verifier().set_age_days_max = 5;
        }),
    );
    assert_eq!(ended.code(), 0, "{ended}");
    let open = ended.object()["policy"]["not_known_here"].to_string();
    assert!(open.contains("countersignatures") && open.contains("age"), "{open}");

    assert_eq!(ledger(), before, "a dry run is in the holder's ledger");
    assert!(!request.path.join("checkpoint").exists());
    assert!(!request.path.with_extension("results.csv").exists());
    // Nothing was used up by it.
    house.check(&serving, &request);
}

#[test]
fn a_list_by_itself_is_unsigned_under_any_policy() {
    let house = House::new();
    let serving = house.serve();
    let policy = house.agencies.file("given.toml", house.rules.toml());
    let signers = house.agencies.file("given_signers", &house.rules.allowed_signers);
    let call = house.agencies.checking(serving.address(), &house.pairs, &house.agencies.at("r.csv")).args("--dry-run --json");
    let ended = call.path("--policy", &policy).path("--allowed-signers", &signers).run();
    assert_eq!(ended.code(), 4, "{ended}");
    assert_eq!(ended.objects()[0]["policy"]["code"], "unsigned");
}
