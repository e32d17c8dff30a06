//! Officials with keys, a policy that lists them, and a request that they sign. The keys are made of a byte each, for these tests alone.

use super::{NOW, Pair};
use oblink_linkage::Ruleset;
use oblink_session::authority::{Namespace, Policy};
use oblink_session::commitment::{SaltSeed, Salter, blind_seed_digest, blinded_leaf, row_leaf};
use oblink_session::merkle::Tree;
use oblink_session::request::{Disclosure, Manifest, Request, to_hex};
use oblink_session::verifier::BatchPlan;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use zeroize::Zeroizing;

/// The verifier's officials and the holder's, with the byte of their keys.
pub const ASKING: [(&str, u8); 3] = [("ada@verifier", 101), ("ben@verifier", 102), ("cid@verifier", 103)];
pub const HOLDING: [(&str, u8); 2] = [("hal@holder", 111), ("ida@holder", 112)];

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]))
}

/// An official's signature, armoured as ssh-keygen does.
pub fn sign(seed: u8, namespace: &str, message: &[u8]) -> Vec<u8> {
    let mut armoured = key(seed).sign(namespace, HashAlg::Sha512, message).unwrap().to_pem(LineEnding::LF).unwrap();
    if !armoured.ends_with('\n') {
        armoured.push('\n');
    }
    armoured.into_bytes()
}

pub fn allowed_signers() -> String {
    let line = |(name, seed): &(&str, u8), namespaces: &str| {
        format!("{name} namespaces=\"{namespaces}\" {}\n", key(*seed).public_key().to_openssh().unwrap().trim())
    };
    let asking = ASKING.iter().map(|official| line(official, "request@oblink-1"));
    let holding = HOLDING.iter().map(|official| line(official, "countersign@oblink-1,policy@oblink-1"));
    asking.chain(holding).collect()
}

/// Two of the verifier's three sign, one of the holder's two countersigns.
pub fn policy_toml(verifier: &[u8; 32]) -> String {
    let names = |list: &[(&str, u8)]| list.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    format!(
        r#"format = "oblink/policy/1"

[holder]
officials = [{holding}]
policy_signatures_min = 2
countersignatures_min = 1
user_presence = false

[epoch]
days_max = 90
evaluations_max = 1000000

[[verifiers]]
fingerprint = "{fingerprint}"
name = "Verifier Agency"
officials = [{asking}]
signatures_min = 2
user_presence = false
rulesets = ["us-exact-1"]
pairs_per_request_max = 1000
tokens_per_request_max = 1000
validity_days_max = 31
required_fields = ["agreement"]
required_columns = ["order_date"]
order_age_days_max = 3650
addresses_per_person_max = 2
set_age_days_max = 365
disclosure = ["none", "count", "matched_tags"]
window = {{ days = 30, requests_max = 4, pairs_max = 4000, tokens_max = 4000 }}
epoch = {{ requests_max = 8, pairs_max = 8000, tokens_max = 8000 }}
"#,
        holding = names(&HOLDING),
        asking = names(&ASKING),
        fingerprint = to_hex(verifier),
    )
}

impl Pair {
    /// A pair under a policy, with a request that its officials have signed and countersigned.
    pub fn signed(pairs: u64, batch_tokens: u32) -> Self {
        Self::signed_as(pairs, batch_tokens, |_| ())
    }

    /// The same with something else in the request.
    pub fn signed_as(pairs: u64, batch_tokens: u32, change: impl FnOnce(&mut Manifest)) -> Self {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let rehearsed = Request::new([7; 16], pairs, batch_tokens, "us-exact-1", ruleset.digest(), ruleset.tokens_per_pair()).unwrap();
        let mut pair = Self::under(rehearsed);
        pair.commit_to_batches();
        let salter = Salter::new(&SaltSeed::from_bytes(Zeroizing::new([6; 32])), [7; 16]);
        let rows = (0..pairs).map(|i| row_leaf(&salter.salt(i), i, i + 1, &[("name", "somebody"), ("order_date", "2026-05-04")]).unwrap());
        let mut manifest = Manifest {
            addresses_per_person_max: 2,
            batch_tokens,
            blind_seed_digest: blind_seed_digest(&[7; 16], &pair.seed),
            blinded_root: pair.blinded_root(),
            class: ruleset.class().as_str().to_owned(),
            disclosure: Disclosure::Count,
            fields: [("agreement".to_owned(), "A-17".to_owned())].into(),
            holder: pair.holder.fingerprint,
            holder_name: "Holder Agency".to_owned(),
            left_out: [("no_order_date".to_owned(), 3)].into(),
            legal_basis: "Section 1".to_owned(),
            list_root: Tree::new(rows.collect()).root(),
            not_after_unix_ms: NOW + 86_400_000,
            not_before_unix_ms: NOW - 86_400_000,
            order_date_earliest: 20_260_504,
            order_date_latest: 20_260_504,
            pairs,
            purpose: "To confirm addresses".to_owned(),
            request_id: [7; 16],
            required_columns: ["order_date".to_owned()].into(),
            ruleset: "us-exact-1".to_owned(),
            ruleset_digest: ruleset.digest(),
            tokens_per_pair: ruleset.tokens_per_pair(),
            verifier: pair.verifier.fingerprint,
            verifier_name: "Verifier Agency".to_owned(),
        };
        change(&mut manifest);
        pair.request = Request::authorised(manifest).unwrap();
        pair.sign();
        let policy = Policy::parse(policy_toml(&pair.verifier.fingerprint).as_bytes(), allowed_signers().as_bytes()).unwrap();
        pair.ledger.policy = Some(policy.digest());
        pair.policy = Some(policy);
        pair
    }

    fn commit_to_batches(&mut self) {
        let digest = |index| *self.blind_plan(BatchPlan::rehearsed(&self.request, index).unwrap()).blinded_digest();
        self.digests = (0..self.request.batches()).map(digest).collect();
    }

    fn blinded_root(&self) -> [u8; 32] {
        Tree::new(self.digests.iter().map(blinded_leaf).collect()).root()
    }

    /// Two of the verifier's officials sign the request as it is, and one of the holder's countersigns.
    pub fn sign(&mut self) {
        let bytes = self.request.bytes();
        self.signatures = ASKING[..2].iter().map(|(_, seed)| sign(*seed, Namespace::Request.as_str(), bytes)).collect();
        self.countersignatures = vec![sign(HOLDING[0].1, Namespace::Countersign.as_str(), bytes)];
    }
}
