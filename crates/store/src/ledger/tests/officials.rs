//! Officials with keys, policies that they sign, and requests under them. The keys are made of a byte each, for these tests alone.

use oblink_linkage::Ruleset;
use oblink_session::authority::{Namespace, Proposal, Resume};
use oblink_session::ledger::{AuthorityEntry, Caps, Side, Signer};
use oblink_session::request::{Disclosure, Manifest, Request, to_hex};
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

use super::*;

const ASKS: (&str, u8) = ("ada@verifier", 101);
pub(super) const HOLDS: (&str, u8) = ("hal@holder", 111);

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

pub(super) fn sign(seed: u8, namespace: Namespace, message: &[u8]) -> Vec<u8> {
    let mut armoured = key(seed).sign(namespace.as_str(), HashAlg::Sha512, message).unwrap().to_pem(LineEnding::LF).unwrap();
    if !armoured.ends_with('\n') {
        armoured.push('\n');
    }
    armoured.into_bytes()
}

fn signer(side: Side, (name, seed): (&str, u8)) -> Signer {
    Signer { side, principal: name.to_owned(), key: key(seed).public_key().fingerprint(HashAlg::Sha256).to_string() }
}

/// Policies are the looser the higher their number.
pub(super) fn policy_toml(id: u8) -> String {
    let cap = |requests: u64| format!("requests_max = {requests}, pairs_max = 1000000, tokens_max = 1000000");
    let (window, epoch) = (cap(1_000), cap(1_000));
    format!(
        r#"format = "oblink/policy/1"

[holder]
officials = ["{}"]
policy_signatures_min = 1
countersignatures_min = 1
user_presence = false

[epoch]
days_max = 90
evaluations_max = {}

[[verifiers]]
fingerprint = "{}"
name = "Verifier Agency"
officials = ["{}"]
signatures_min = 1
user_presence = false
rulesets = ["us-exact-1"]
pairs_per_request_max = 1000
tokens_per_request_max = 1000
validity_days_max = 31
required_fields = []
required_columns = []
order_age_days_max = 0
addresses_per_person_max = 0
set_age_days_max = 0
disclosure = ["none", "count", "matched_tags"]
window = {{ days = 30, {window} }}
epoch = {{ {epoch} }}
"#,
        HOLDS.0,
        1_000_000 + u64::from(id),
        to_hex(&VERIFIER),
        ASKS.0,
    )
}

pub(super) fn allowed_signers() -> String {
    [(ASKS, "request@oblink-1"), (HOLDS, "countersign@oblink-1,policy@oblink-1")]
        .map(|((name, seed), namespaces)| {
            format!("{name} namespaces=\"{namespaces}\" {}\n", key(seed).public_key().to_openssh().unwrap().trim())
        })
        .concat()
}

fn approval(proposal: &Proposal) -> Approval {
    let signatures = vec![sign(HOLDS.1, Namespace::Policy, proposal.bytes())];
    Approval { proposal: proposal.bytes().to_vec(), signatures, signers: vec![signer(Side::Holder, HOLDS)] }
}

/// When policy `id` comes into force.
pub(super) fn applied_at(id: u8) -> u64 {
    CLOCK + 2 * (u64::from(id) - 1)
}

/// Policy number `id`, in the place of the one in force.
pub(super) fn policy(ledger: &SqliteLedger, id: u8) -> PolicyChange {
    let previous = ledger.policy_in_force().unwrap().map(|record| record.digest);
    let (policy, allowed_signers) = (policy_toml(id), allowed_signers());
    let proposal = Proposal::of_policy(&holder(), previous.as_ref(), &policy, &allowed_signers, "a reason", applied_at(id) - 1).unwrap();
    PolicyChange { policy, allowed_signers, previous, approval: Some(approval(&proposal)) }
}

pub(super) fn apply(ledger: &mut SqliteLedger, id: u8) -> [u8; 32] {
    let change = policy(ledger, id);
    ledger.apply_policy(&change, "operator", applied_at(id)).unwrap().digest
}

/// What ends a suspension of one verifier, proposed at a time.
pub(super) fn resumption(ledger: &SqliteLedger, verifier: [u8; 32], proposed_unix_ms: u64) -> Approval {
    let previous = ledger.policy_in_force().unwrap().unwrap().digest;
    let proposal = Proposal::of_resumption(&holder(), &previous, Resume::Verifier(verifier), "over", proposed_unix_ms).unwrap();
    approval(&proposal)
}

/// The request of session `id` under a policy.
pub(super) fn authorised(id: u8, disclosure: Disclosure) -> Request {
    let ruleset = Ruleset::by_name("us-exact-1").unwrap();
    Request::authorised(Manifest {
        addresses_per_person_max: 0,
        batch_tokens: 10,
        blind_seed_digest: [1; 32],
        blinded_root: [2; 32],
        class: ruleset.class().as_str().to_owned(),
        disclosure,
        fields: Default::default(),
        holder: holder(),
        holder_name: "Holder Agency".to_owned(),
        left_out: Default::default(),
        legal_basis: "Section 1".to_owned(),
        list_root: [3; 32],
        not_after_unix_ms: CLOCK + 5 * 86_400_000,
        not_before_unix_ms: CLOCK - 86_400_000,
        order_date_earliest: 0,
        order_date_latest: 0,
        pairs: 30,
        purpose: "To confirm addresses".to_owned(),
        request_id: [id; 16],
        required_columns: Default::default(),
        ruleset: "us-exact-1".to_owned(),
        ruleset_digest: ruleset.digest(),
        tokens_per_pair: ruleset.tokens_per_pair(),
        verifier: VERIFIER,
        verifier_name: "Verifier Agency".to_owned(),
    })
    .unwrap()
}

/// Session `id` under a policy, by signatures that authorise it.
pub(super) fn signed_as(id: u8, policy_digest: [u8; 32], disclosure: Disclosure, caps: Caps) -> SessionEntry {
    let request = authorised(id, disclosure);
    let authority = AuthorityEntry {
        policy_digest,
        signatures: vec![sign(ASKS.1, Namespace::Request, request.bytes())],
        countersignatures: vec![sign(HOLDS.1, Namespace::Countersign, request.bytes())],
        signers: vec![signer(Side::Verifier, ASKS), signer(Side::Holder, HOLDS)],
        disclosure,
        caps,
    };
    SessionEntry { request_digest: request.digest(), request: request.bytes().to_vec(), authority: Some(authority), ..session(id) }
}
