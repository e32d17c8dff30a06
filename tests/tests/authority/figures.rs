//! What monitoring is shown of policy, budgets and epochs.

use oblink_tests::{Scrape, Serving, eventually};

use super::house::{House, PAIRS};

#[test]
fn budgets_and_policy_show_as_the_ledger_has_them() {
    let house = House::with(|rules| {
        rules.verifier().window = [30, 9, 1_000, 2_000];
        rules.verifier().epoch = [5, 500, 600];
    });
    let serving = Serving::start_with(&house.agencies.holder, &["--metrics", "127.0.0.1:0"]);
    let of =
        |page: &Scrape, span, budget| page.value("oblink_policy_budget_left", &[("verifier", "city"), ("span", span), ("budget", budget)]);
    let all = |page: &Scrape| {
        let spans = ["window", "epoch"].map(|span| ["requests", "pairs", "tokens"].map(|budget| of(page, span, budget)));
        spans.as_flattened().to_vec()
    };
    let page = Scrape::of(serving.metrics());
    assert_eq!((page.value("oblink_policy_in_force", &[]), page.value("oblink_policy_copies_agree", &[])), (1.0, 1.0));
    assert_eq!(all(&page), [9.0, 1_000.0, 2_000.0, 5.0, 500.0, 600.0]);
    assert_eq!(page.value("oblink_epoch_admits", &[("verifier", "city")]), 1.0);
    let ends = page.value("oblink_epoch_end_timestamp_seconds", &[("verifier", "city")]);
    assert!(ends > page.value("process_start_time_seconds", &[]), "{ends}");
    house.check(&serving, &house.request("r"));
    let asked = PAIRS as f64;
    let left = [8.0, 1_000.0 - asked, 2_000.0 - asked, 4.0, 500.0 - asked, 600.0 - asked];
    eventually("the budgets to show", || (all(&Scrape::of(serving.metrics())) == left).then_some(()));
    // Somebody edits the policy's copy: everybody is refused, and that shows.
    let copy = house.agencies.holder.home.join("policy/policy.toml");
    let text = std::fs::read_to_string(&copy).unwrap();
    std::fs::write(&copy, format!("{text}\n# wider\n")).unwrap();
    eventually("the edited copy to show", || {
        let page = Scrape::of(serving.metrics());
        (page.value("oblink_policy_copies_agree", &[]) == 0.0 && page.find("oblink_policy_in_force", &[]).is_none()).then_some(())
    });
    drop(serving.stop());
}
