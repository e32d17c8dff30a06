//! Two agencies of fixed keys: what the targets play with. Nothing here is a secret of anybody's.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use oblink_linkage::{Name, Row, Ruleset, TokenArena};
use oblink_session::authority::{Namespace, Policy, Proposal};
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::commitment::{blind_seed_digest, blinded_leaf};
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::holder::HolderContext;
use oblink_session::ledger::{Side, Signer};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::merkle::Tree;
use oblink_session::question::Question;
use oblink_session::request::{Disclosure, Manifest, Request, to_hex};
use oblink_session::set::SetOffer;
use oblink_session::statement::{CertifiedKey, StatementKey, fingerprint_of};
use oblink_session::tag::{Tag, TagPrefix};
use oblink_session::verifier::{BatchPlan, BlindedBatch, VerifierContext};
use oblink_store::ledger::{Approval, EpochEntry, EpochLimits, PolicyChange, SqliteLedger};
use oblink_store::sealed::SetParameters;
use zeroize::Zeroizing;

use super::memory::MemoryDisk;
use super::sealed_set::sealed;
use crate::officials::{KeyKind, Official};

/// The time when all begins, for both: milliseconds since 1970.
pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const EPOCH: [u8; 16] = [4; 16];
pub(super) const REQUEST: [u8; 16] = [7; 16];

/// The verifier's officials, the last of whom no policy names, and the holder's.
pub(super) const ASKING: [&str; 3] = ["ada@verifier", "ben@verifier", "cid@verifier"];
pub(super) const HOLDING: [&str; 2] = ["hal@holder", "ida@holder"];

/// What both have, and what each keeps to itself.
pub(super) struct Parties {
    pub(super) ruleset: &'static Ruleset,
    pub(super) holder: Arc<HolderContext>,
    pub(super) verifier: Arc<VerifierContext>,
    pub(super) keys: EpochKeys,
    pub(super) offer: SetOffer,
    pub(super) policy: Policy,
    /// Tokens of the pairs asked; every second one's is in the set.
    pub(super) tokens: Vec<Vec<u8>>,
    /// What each token's tag is.
    pub(super) tags: Vec<Tag>,
    pub(super) unsigned: Asked,
    pub(super) signed: Asked,
}

/// A request, and all that goes with it.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) signatures: Vec<Vec<u8>>,
    pub(super) countersignatures: Vec<Vec<u8>>,
    pub(super) digests: Vec<[u8; 32]>,
}

fn statement_key(seed: u8) -> (StatementKey, [u8; 32]) {
    let key = StatementKey::certify(&[seed; 32], &[seed + 1; 32], NOW);
    let fingerprint = fingerprint_of(key.certificate()[..32].try_into().unwrap());
    (key, fingerprint)
}

pub(super) fn official(principal: &str) -> Official {
    Official::new(principal, if principal.starts_with("ben") { KeyKind::P256 } else { KeyKind::Ed25519 })
}

pub(super) fn allowed_signers() -> String {
    let asking = ASKING.iter().map(|name| official(name).line("request@oblink-1", ""));
    let holding = HOLDING.iter().map(|name| official(name).line("countersign@oblink-1,policy@oblink-1", ""));
    asking.chain(holding).collect()
}

/// Two of the verifier's first two officials sign, one of the holder's two countersigns.
pub(super) fn policy_toml(verifier: &[u8; 32]) -> String {
    let names = |list: &[&str]| list.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    format!(
        r#"format = "oblink/policy/1"

[holder]
officials = [{holding}]
policy_signatures_min = 1
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
        asking = names(&ASKING[..2]),
        fingerprint = to_hex(verifier),
    )
}

/// Pairs asked, and tokens in a batch: three batches, the last of one.
const PAIRS: u64 = 5;
const BATCH_TOKENS: u32 = 2;

impl Parties {
    /// The two. They are made once a process.
    pub(super) fn get() -> &'static Self {
        static PARTIES: OnceLock<Parties> = OnceLock::new();
        PARTIES.get_or_init(Self::make)
    }

    fn make() -> Self {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let ((holder_key, holder), (verifier_key, verifier)) = (statement_key(10), statement_key(20));
        let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([3; 32])), EPOCH).unwrap();
        let tokens: Vec<Vec<u8>> = (0..PAIRS).map(|i| token(ruleset, i)).collect();
        let mut prefixes = vec![TagPrefix(0); tokens.len()];
        keys.tag_prefixes(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut prefixes).unwrap();
        let parameters = SetParameters {
            suite: SUITE_RISTRETTO255,
            tokens_per_pair: ruleset.tokens_per_pair(),
            as_of: 20_270_101,
            session_tokens_max: 1 << 24,
            epoch_id: EPOCH,
            ruleset_digest: ruleset.digest(),
            public_key: keys.public_key(),
        };
        let held: Vec<_> = prefixes.iter().copied().step_by(2).chain([TagPrefix(1), TagPrefix(u128::MAX)]).collect();
        let set = sealed(&MemoryDisk::default(), &held, &parameters);
        let tags = prefixes.iter().map(|prefix| set.offer.descriptor.tau.truncate(*prefix)).collect();
        let request = Request::new(REQUEST, PAIRS, BATCH_TOKENS, ruleset.name(), ruleset.digest(), ruleset.tokens_per_pair()).unwrap();
        let digests: Vec<_> =
            (0..request.batches()).map(|index| *blind(&tokens, BatchPlan::rehearsed(&request, index).unwrap()).blinded_digest()).collect();
        let manifest = manifest(ruleset, &holder, &verifier, Tree::new(digests.iter().map(blinded_leaf).collect()).root());
        let signed = Asked::signed(Request::authorised(manifest).unwrap(), digests);
        let unsigned = Asked { request, signatures: Vec::new(), countersignatures: Vec::new(), digests: Vec::new() };
        let context = HolderContext {
            fingerprint: holder,
            statement_key: holder_key,
            pilot_pairs_max: 1_000,
            epoch_evaluations_max: EPOCH_EVALUATIONS_MAX,
        };
        Self {
            ruleset,
            holder: Arc::new(context),
            verifier: Arc::new(VerifierContext { fingerprint: verifier, statement_key: verifier_key }),
            keys,
            offer: set.offer,
            policy: Policy::parse(policy_toml(&verifier).as_bytes(), allowed_signers().as_bytes()).unwrap(),
            tokens,
            tags,
            unsigned,
            signed,
        }
    }

    /// The holder's statement key as the verifier knows it, and the other way round.
    pub(super) fn holder_key(&self) -> CertifiedKey {
        CertifiedKey::check(self.holder.statement_key.certificate(), &self.holder.fingerprint).unwrap()
    }

    pub(super) fn verifier_key(&self) -> CertifiedKey {
        CertifiedKey::check(self.verifier.statement_key.certificate(), &self.verifier.fingerprint).unwrap()
    }

    pub(super) fn asked(&self, signed: bool) -> &Asked {
        if signed { &self.signed } else { &self.unsigned }
    }

    /// Blinds a batch, all of it in one slice.
    pub(super) fn blind(&self, plan: BatchPlan) -> BlindedBatch {
        blind(&self.tokens, plan)
    }

    /// Makes a ledger in the file `path`: an epoch for the verifier, and the policy, where there is to be one.
    pub(super) fn ledger(&self, path: &Path, with_policy: bool) -> SqliteLedger {
        let mut ledger = SqliteLedger::open(path).unwrap();
        if with_policy {
            let (toml, signers) = (self.policy.toml().to_owned(), self.policy.allowed_signers().to_owned());
            let proposal = Proposal::of_policy(&self.holder.fingerprint, None, &toml, &signers, "The first policy", NOW - 1_000).unwrap();
            let hal = official(HOLDING[0]);
            let approval = Approval {
                proposal: proposal.bytes().to_vec(),
                signatures: vec![hal.sign(Namespace::Policy.as_str(), proposal.bytes())],
                signers: vec![Signer { side: Side::Holder, principal: hal.principal.clone(), key: key_of(&hal) }],
            };
            let change = PolicyChange { policy: toml, allowed_signers: signers, previous: None, approval: Some(approval) };
            ledger.apply_policy(&change, "operator", NOW - 900).unwrap();
        }
        let entry = EpochEntry {
            verifier: Some(self.verifier.fingerprint),
            offer: self.offer.clone(),
            records: 5,
            rejected: 0,
            input_digest: None,
            policy: with_policy.then(|| self.policy.digest()),
            limits: EpochLimits::default(),
            clock_unix_ms: NOW - 800,
        };
        ledger.begin_epoch(&entry).unwrap();
        ledger
    }
}

/// The fingerprint of an official's key, as the ledger has it.
fn key_of(official: &Official) -> String {
    let signature = oblink_session::authority::Signature::parse(&official.sign("any", b"")).unwrap();
    signature.key_fingerprint().to_owned()
}

impl Asked {
    /// A request under which all who must have signed.
    pub(super) fn signed(request: Request, digests: Vec<[u8; 32]>) -> Self {
        let sign = |name: &str, namespace: Namespace| official(name).sign(namespace.as_str(), request.bytes());
        Self {
            signatures: ASKING[..2].iter().map(|name| sign(name, Namespace::Request)).collect(),
            countersignatures: vec![sign(HOLDING[0], Namespace::Countersign)],
            digests,
            request,
        }
    }

    /// What the verifier brings.
    pub(super) fn question(&self) -> Question {
        match self.request.manifest() {
            None => Question::unsigned(self.request.clone()).unwrap(),
            Some(_) => Question::authorised(self.request.clone(), self.signatures.clone(), self.digests.clone()).unwrap(),
        }
    }
}

fn seed() -> BlindSeed {
    BlindSeed::from_bytes(Zeroizing::new([5; 32]))
}

fn blind(tokens: &[Vec<u8>], plan: BatchPlan) -> BlindedBatch {
    let first = usize::try_from(plan.first_token()).unwrap();
    let some: Vec<&[u8]> = tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
    let slice = plan.blind_slice(&Blinder::new(&seed(), REQUEST), 0..plan.len(), &some).unwrap();
    plan.assemble(vec![slice]).unwrap()
}

fn token(ruleset: &Ruleset, i: u64) -> Vec<u8> {
    let address = format!("{} Main St", i + 1);
    let row = Row { name: Name::Whole("Ann Lee"), address: &address, unit: "", city: "", state: "", postal_code: "98104" };
    let mut arena = TokenArena::new();
    ruleset.tokenize(oblink_linkage::Side::Verifier, &row, &mut arena).unwrap();
    arena.get(0).unwrap().to_vec()
}

fn manifest(ruleset: &Ruleset, holder: &[u8; 32], verifier: &[u8; 32], blinded_root: [u8; 32]) -> Manifest {
    Manifest {
        addresses_per_person_max: 2,
        batch_tokens: BATCH_TOKENS,
        blind_seed_digest: blind_seed_digest(&REQUEST, &seed()),
        blinded_root,
        class: ruleset.class().as_str().to_owned(),
        disclosure: Disclosure::MatchedTags,
        fields: [("agreement".to_owned(), "A-17".to_owned())].into(),
        holder: *holder,
        holder_name: "Holder Agency".to_owned(),
        left_out: [("no_order_date".to_owned(), 3)].into(),
        legal_basis: "Section 1".to_owned(),
        list_root: [6; 32],
        not_after_unix_ms: NOW + 86_400_000,
        not_before_unix_ms: NOW - 86_400_000,
        order_date_earliest: 20_260_504,
        order_date_latest: 20_260_504,
        pairs: PAIRS,
        purpose: "To confirm addresses".to_owned(),
        request_id: REQUEST,
        required_columns: ["order_date".to_owned()].into(),
        ruleset: ruleset.name().to_owned(),
        ruleset_digest: ruleset.digest(),
        tokens_per_pair: ruleset.tokens_per_pair(),
        verifier: *verifier,
        verifier_name: "Verifier Agency".to_owned(),
    }
}
