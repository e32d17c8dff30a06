//! POL-3

use super::{Doc, HOLDER, NOW, VERIFIER, official};
use crate::authority::{Approval, Approved, Change, Denial, InForce, Namespace, Policy, Proposal, ProposalError, Resume, approve};
use proptest::prelude::*;

const NAMESPACE: &str = "policy@oblink-1";

fn proposal(doc: &Doc, previous: Option<&Policy>) -> Proposal {
    let digest = previous.map(Policy::digest);
    Proposal::of_policy(&HOLDER, digest.as_ref(), &doc.toml(), &doc.signers(), "As agreed on Monday", NOW).unwrap()
}

fn resumption(previous: &Policy, at: u64) -> Proposal {
    Proposal::of_resumption(&HOLDER, &previous.digest(), Resume::Verifier(VERIFIER), "Looked into", at).unwrap()
}

fn signed(proposal: &Proposal, names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| official(name).sign(NAMESPACE, proposal.bytes())).collect()
}

fn in_force(policy: &Policy) -> Option<InForce<'_>> {
    Some(InForce { policy, since_unix_ms: NOW - 1_000, suspended_unix_ms: NOW - 500 })
}

fn verdict(proposal: &Proposal, policy: Option<InForce<'_>>, names: &[&str]) -> Result<Approval, Denial> {
    approve(proposal, &HOLDER, policy, &signed(proposal, names), NOW)
}

fn short(counted: usize) -> Denial {
    Denial::SignatureShort { namespace: Namespace::Policy, counted, needed: 2 }
}

#[test]
fn a_proposal_is_canonical_json() {
    let doc = Doc::new();
    let policy = doc.policy();
    let made = proposal(&doc, Some(&policy));
    assert_eq!(Proposal::parse(made.bytes()).unwrap(), made);
    assert_eq!(made.policy().unwrap().unwrap(), policy);
    assert_eq!((made.holder(), made.previous(), made.resume()), (&HOLDER, Some(&policy.digest()), None));
    assert_eq!((made.reason(), made.proposed_unix_ms()), ("As agreed on Monday", NOW));
    let resume = resumption(&policy, NOW);
    let digest = crate::request::to_hex(&policy.digest());
    let text = format!(
        "{{\"allowed_signers\":\"\",\"format\":\"oblink/proposal/1\",\"holder\":\"{}\",\"kind\":\"resume\",\"policy\":\"\",\
         \"previous\":\"{digest}\",\"proposed_unix_ms\":1750000000000,\"reason\":\"Looked into\",\"resume\":\"{}\"}}",
        "11".repeat(32),
        "22".repeat(32),
    );
    assert_eq!(String::from_utf8(resume.bytes().to_vec()).unwrap(), text);
    assert_eq!(Proposal::parse(text.as_bytes()).unwrap(), resume);
    assert_eq!((resume.policy().unwrap(), resume.resume()), (None, Some(Resume::Verifier(VERIFIER))));
    let all = text.replace(&"22".repeat(32), "all");
    assert_eq!(Proposal::parse(all.as_bytes()).unwrap().resume(), Some(Resume::All));
    for (changed, why) in [
        (text.replace(',', ", "), ProposalError::NotCanonical),
        (format!("{text}\n"), ProposalError::NotCanonical),
        (text.replace("Looked", "\\u004cooked"), ProposalError::NotCanonical),
        (text.replace("\"kind\"", "\"extra\":1,\"kind\""), ProposalError::Syntax),
        (text.replace("\"allowed_signers\":\"\",", ""), ProposalError::Syntax),
        (text.replace("\"allowed_signers\":\"\"", "\"allowed_signers\":\"#\""), ProposalError::Member("allowed_signers")),
        (text.replace("\"policy\":\"\"", "\"policy\":\"#\""), ProposalError::Member("policy")),
        (text.replace("proposal/1", "proposal/2"), ProposalError::Member("format")),
        (text.replace("\"resume\",", "\"stop\","), ProposalError::Member("kind")),
        (text.replace("\"kind\":\"resume\"", "\"kind\":\"policy\""), ProposalError::Member("resume")),
        (all.replace("\"all\"", "\"\""), ProposalError::Member("resume")),
        (all.replace("\"all\"", "\"ALL\""), ProposalError::Member("resume")),
        (text.replace(&digest, ""), ProposalError::Member("previous")),
        (text.replace(&digest, "00"), ProposalError::Member("previous")),
        (text.replace("1750000000000", "9007199254740992"), ProposalError::Member("proposed_unix_ms")),
        (text.replace("1750000000000", "-1"), ProposalError::Syntax),
        (text.replace("Looked into", ""), ProposalError::Member("reason")),
        (text.replace("Looked into", "a\u{202e}b"), ProposalError::Member("reason")),
        (text.replace(&"11".repeat(32), "11"), ProposalError::Member("holder")),
    ] {
        assert_eq!(Proposal::parse(changed.as_bytes()).unwrap_err(), why, "{changed}");
    }
}

#[test]
fn the_first_policy_is_approved_by_its_own() {
    let proposal = proposal(&Doc::new(), None);
    let approval = verdict(&proposal, None, &["carol", "frank"]).unwrap();
    let who: Vec<_> = approval.signers().iter().map(|signer| signer.principal.as_str()).collect();
    assert_eq!(who, ["carol@tax.example", "frank@tax.example"]);
    assert_eq!(approval.proposal_digest(), &proposal.digest());
    assert!(matches!(approval.approved(), Approved::Policy { change: None, .. }));
    let Approved::Policy { policy, .. } = approval.into_approved() else { panic!("not a policy") };
    assert_eq!(*policy, Doc::new().policy());
    assert_eq!(verdict(&proposal, None, &[]).unwrap_err(), short(0));
    assert_eq!(verdict(&proposal, None, &["carol", "carol"]).unwrap_err(), short(1));
    let unlisted = Denial::SignerNotListed { namespace: Namespace::Policy, number: 2 };
    assert_eq!(verdict(&proposal, None, &["carol", "alice"]).unwrap_err(), unlisted);
    let other = vec![official("carol").sign(NAMESPACE, proposal.bytes()), official("erin").sign("countersign@oblink-1", proposal.bytes())];
    let wrong = Denial::WrongNamespace { namespace: Namespace::Policy, number: 2 };
    assert_eq!(approve(&proposal, &HOLDER, None, &other, NOW).unwrap_err(), wrong);
}

#[test]
fn a_loosening_needs_k_of_n_under_the_policy_in_force() {
    let old = Doc::new();
    let mut new = old.clone();
    new.minima = [1, 1];
    new.lines[0].namespaces.push("policy@oblink-1");
    let policy = old.policy();
    let proposal = proposal(&new, Some(&policy));
    let approval = verdict(&proposal, in_force(&policy), &["carol", "erin"]).unwrap();
    assert!(matches!(approval.approved(), Approved::Policy { change: Some(Change::Looser(_)), .. }));
    // One would do under the new one.
    assert_eq!(verdict(&proposal, in_force(&policy), &["carol"]).unwrap_err(), short(1));
    let unlisted = Denial::SignerNotListed { namespace: Namespace::Policy, number: 1 };
    assert_eq!(verdict(&proposal, in_force(&policy), &["alice"]).unwrap_err(), unlisted);
}

#[test]
fn a_tightening_needs_nobody_and_still_no_bad_signature() {
    let old = Doc::new();
    let mut new = old.clone();
    new.verifiers.clear();
    let policy = old.policy();
    let proposal = proposal(&new, Some(&policy));
    let approval = verdict(&proposal, in_force(&policy), &[]).unwrap();
    assert!(approval.signers().is_empty());
    assert!(matches!(approval.approved(), Approved::Policy { change: Some(Change::Tighter(_)), .. }));
    assert_eq!(verdict(&proposal, in_force(&policy), &["erin"]).unwrap().signers().len(), 1);
    assert!(matches!(verdict(&proposal, in_force(&policy), &["mallory"]), Err(Denial::SignerNotListed { .. })));
    new = old.clone();
    new.lines.reverse();
    let approval = verdict(&super::proposal::proposal(&new, Some(&policy)), in_force(&policy), &[]).unwrap();
    assert!(matches!(approval.approved(), Approved::Policy { change: Some(Change::Same), .. }));
}

#[test]
fn a_resumption_needs_k_of_n() {
    let policy = Doc::new().policy();
    let proposal = resumption(&policy, NOW);
    let approval = verdict(&proposal, in_force(&policy), &["carol", "erin"]).unwrap();
    assert_eq!(approval.approved(), &Approved::Resume(Resume::Verifier(VERIFIER)));
    assert_eq!(verdict(&proposal, in_force(&policy), &[]).unwrap_err(), short(0));
    assert_eq!(verdict(&proposal, in_force(&policy), &["carol"]).unwrap_err(), short(1));
    assert_eq!(verdict(&proposal, None, &["carol", "erin"]).unwrap_err(), Denial::Stale);
}

/// The same signatures must not serve again when the old state is back.
#[test]
fn a_proposal_is_against_the_state_as_it_is() {
    let old = Doc::new();
    let mut new = old.clone();
    new.minima[1] = 0;
    let policy = old.policy();
    let names = ["carol", "erin"];
    let loosening = proposal(&new, Some(&policy));
    assert!(verdict(&loosening, in_force(&policy), &names).is_ok());
    assert_eq!(verdict(&loosening, None, &names).unwrap_err(), Denial::Stale);
    assert_eq!(verdict(&proposal(&new, None), in_force(&policy), &names).unwrap_err(), Denial::Stale);
    assert_eq!(verdict(&loosening, in_force(&new.policy()), &names).unwrap_err(), Denial::Stale);
    // It was applied; then a tightening brought the old policy back, at this time or later.
    let again = InForce { policy: &policy, since_unix_ms: NOW, suspended_unix_ms: 0 };
    assert_eq!(verdict(&loosening, Some(again), &names).unwrap_err(), Denial::Stale);
    // A policy does not wait for a suspension; a resumption is of the suspension that there was.
    let suspended = |suspended_unix_ms| Some(InForce { policy: &policy, since_unix_ms: 0, suspended_unix_ms });
    assert!(verdict(&loosening, suspended(NOW), &names).is_ok());
    assert_eq!(verdict(&resumption(&policy, NOW), suspended(NOW), &names).unwrap_err(), Denial::Stale);
    assert!(verdict(&resumption(&policy, NOW), suspended(NOW - 1), &names).is_ok());
    let early = resumption(&policy, NOW + 1);
    assert_eq!(verdict(&early, in_force(&policy), &names).unwrap_err(), Denial::ProposalInFuture);
    let other = approve(&loosening, &[0; 32], in_force(&policy), &signed(&loosening, &names), NOW);
    assert_eq!(other.unwrap_err(), Denial::ProposalOtherHolder);
    assert_eq!(verdict(&proposal(&old, Some(&policy)), in_force(&policy), &names).unwrap_err(), Denial::NothingChanged);
    let broken = Proposal::of_policy(&HOLDER, Some(&policy.digest()), "format = 1", "", "a", NOW).unwrap();
    let denial = verdict(&broken, in_force(&policy), &names).unwrap_err();
    assert_eq!(denial.code_word(), "policy_invalid");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..400, with in any::<u8>()) {
        let _ = Proposal::parse(&bytes);
        let mut good = resumption(&Doc::new().policy(), NOW).bytes().to_vec();
        if let Some(byte) = good.get_mut(at) { *byte = with; }
        if let Ok(proposal) = Proposal::parse(&good) {
            let _ = approve(&proposal, &HOLDER, None, std::slice::from_ref(&bytes), NOW);
        }
    }
}
