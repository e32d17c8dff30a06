//! Who takes part: fixed keys, a pool of tokens with their tags under each epoch's key (worked out once a process), and ledgers to begin from.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use oblink_session::authority::{Policy, Proposal};
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::ledger::{Side, Signer};
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_session::tag::TagPrefix;
use oblink_session::verifier::VerifierContext;
use oblink_store::ledger::{Approval, PolicyChange, SqliteLedger};
use zeroize::Zeroizing;

use crate::officials::{Cast, Official, POLICY, REQUEST};

/// When every run begins, milliseconds since 1970.
pub(crate) const START: u64 = 1_800_000_000_000;
/// Tokens that lists and records are drawn from.
pub(crate) const POOL: usize = 400;
/// Epochs whose keys are worked out.
pub(crate) const EPOCHS: usize = 6;

/// Token number `i` of the pool.
pub(crate) fn token(i: u16) -> Vec<u8> {
    format!("token {i}").into_bytes()
}

/// The epoch's id.
pub(crate) fn epoch_id(epoch: usize) -> [u8; 16] {
    [epoch as u8 + 1; 16]
}

/// The epoch's seed.
pub(crate) fn epoch_seed(epoch: usize) -> [u8; 32] {
    [epoch as u8 + 101; 32]
}

/// The keys of an epoch.
pub(crate) fn epoch_keys(epoch: usize) -> EpochKeys {
    EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(epoch_seed(epoch))), epoch_id(epoch)).unwrap()
}

/// What the whole pool comes to under an epoch's key.
pub(crate) fn pool_prefixes(epoch: usize) -> &'static [TagPrefix] {
    static PREFIXES: [OnceLock<Vec<TagPrefix>>; EPOCHS] = [const { OnceLock::new() }; EPOCHS];
    PREFIXES[epoch].get_or_init(|| {
        let tokens: Vec<Vec<u8>> = (0..POOL as u16).map(token).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let mut prefixes = vec![TagPrefix(0); POOL];
        epoch_keys(epoch).tag_prefixes(&tokens, &mut prefixes).unwrap();
        prefixes
    })
}

fn key(secret: u8) -> StatementKey {
    StatementKey::certify(&[secret; 32], &[secret + 1; 32], START)
}

fn fingerprint(key: &StatementKey) -> [u8; 32] {
    fingerprint_of(key.certificate().first_chunk().unwrap())
}

/// The holder's statement key and fingerprint.
pub(crate) fn holder() -> (StatementKey, [u8; 32]) {
    let key = key(10);
    let fingerprint = fingerprint(&key);
    (key, fingerprint)
}

/// A verifier.
pub(crate) fn verifier(number: usize) -> Arc<VerifierContext> {
    let key = key(20 + 2 * number as u8);
    Arc::new(VerifierContext { fingerprint: fingerprint(&key), statement_key: key })
}

/// The officials of all parties.
pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(Cast::default)
}

fn names(officials: &[Official]) -> String {
    officials.iter().map(|official| format!("\"{}\"", official.principal)).collect::<Vec<_>>().join(", ")
}

/// The policy of the runs that have one: both verifiers may ask, one official on each side signs.
fn policy_toml() -> String {
    let cast = cast();
    let mut text = format!(
        "format = \"oblink/policy/1\"\n\n[holder]\nofficials = [{}]\npolicy_signatures_min = 1\ncountersignatures_min = 0\nuser_presence = false\n\n\
         [epoch]\ndays_max = 90\nevaluations_max = 1048576\n",
        names(&cast.holding)
    );
    for number in 0..2 {
        text += &format!(
            "\n[[verifiers]]\nfingerprint = \"{}\"\nname = \"Verifier Agency\"\nofficials = [{}]\nsignatures_min = 1\nuser_presence = false\n\
             rulesets = [\"us-exact-1\"]\npairs_per_request_max = 1000\ntokens_per_request_max = 1000\nvalidity_days_max = 31\n\
             required_fields = []\nrequired_columns = []\norder_age_days_max = 0\naddresses_per_person_max = 0\nset_age_days_max = 0\n\
             disclosure = [\"none\"]\nwindow = {{ days = 30, requests_max = 100, pairs_max = 100000, tokens_max = 100000 }}\n\
             epoch = {{ requests_max = 100, pairs_max = 100000, tokens_max = 100000 }}\n",
            oblink_session::request::to_hex(&verifier(number).fingerprint),
            names(&cast.asking[..1]),
        );
    }
    text
}

/// The policy itself.
pub(crate) fn policy() -> &'static Policy {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    POLICY.get_or_init(|| Policy::parse(policy_toml().as_bytes(), cast().lines().as_bytes()).unwrap())
}

/// Signs a request as the verifier's official.
pub(crate) fn sign_request(request: &[u8]) -> Vec<u8> {
    cast().asking[0].sign(REQUEST, request)
}

/// The bytes of a ledger that nobody has used yet, in pilot mode or with the policy in force.
pub(crate) fn fresh_ledger(signed: bool) -> &'static [u8] {
    static LEDGERS: [OnceLock<Vec<u8>>; 2] = [const { OnceLock::new() }; 2];
    LEDGERS[usize::from(signed)].get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.sqlite");
        let mut ledger = SqliteLedger::open(&path).unwrap();
        if signed {
            put_in_force(&mut ledger);
        }
        drop(ledger);
        std::fs::read(path).unwrap()
    })
}

fn put_in_force(ledger: &mut SqliteLedger) {
    let (policy, allowed_signers) = (policy_toml(), cast().lines());
    let (_, holder) = holder();
    let proposal = Proposal::of_policy(&holder, None, &policy, &allowed_signers, "to begin with", START - 86_400_000).unwrap();
    let official = &cast().holding[0];
    let approval = Approval {
        proposal: proposal.bytes().to_vec(),
        signatures: vec![official.sign(POLICY, proposal.bytes())],
        signers: vec![Signer { side: Side::Holder, principal: official.principal.clone(), key: official.fingerprint() }],
    };
    let change = PolicyChange { policy, allowed_signers, previous: None, approval: Some(approval) };
    ledger.apply_policy(&change, "operator", START - 86_400_000 + 1).unwrap();
}

/// A directory on a memory file system where there is one: what a run does to its ledger is real but for the platter.
pub(crate) fn base() -> &'static Path {
    let shm = Path::new("/dev/shm");
    static BASE: OnceLock<std::path::PathBuf> = OnceLock::new();
    BASE.get_or_init(|| if shm.is_dir() && tempfile::tempdir_in(shm).is_ok() { shm.to_owned() } else { std::env::temp_dir() })
}
