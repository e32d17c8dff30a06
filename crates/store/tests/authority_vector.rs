//! protocol-spec/vectors/authority.json: officials' signatures, the policy's digest, what a request commits to, trees, a log with its heads and
//! extracts, receipts and disclosures; and the broken twin of each, refused for its reason.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod fixed;

use fixed::{Entry, Inputs, bytes};
use oblink_session::authority::{AllowedSigners, Policy, Signature, SignatureError};
use oblink_session::blind::BlindSeed;
use oblink_session::commitment::{SaltSeed, Salter, blind_seed_digest, blinded_leaf, row_leaf};
use oblink_session::disclosure::{DisclosureDue, ReceivingDisclosure};
use oblink_session::error::{Error, Misbehaviour};
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::merkle::{
    Hash, Tree, consistency_proof, inclusion_path, leaf, path_length, root, verify_consistency, verify_inclusion,
};
use oblink_session::receipt::Receipt;
use oblink_session::request::{Disclosure, Request, RequestError};
use oblink_session::statement::CertifiedKey;
use oblink_session::wire::Frame;
use oblink_session::wire::raw::blinded_digest;
use oblink_store::Error as StoreError;
use oblink_store::ledger::{Extract, ExtractFault};
use serde::Deserialize;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Vectors {
    format: String,
    keys: Vec<KeyFile>,
    policy: PolicyFiles,
    request: String,
    signatures: Vec<Signed>,
    commitment: Commitment,
    requests: Vec<Bytes>,
    merkle: Trees,
    ledger: LedgerVector,
    receipts: Vec<File>,
    disclosures: Vec<Disclosed>,
}

#[derive(Deserialize)]
struct KeyFile {
    principal: String,
    public: String,
    private: String,
}

#[derive(Deserialize)]
struct PolicyFiles {
    policy_toml: String,
    allowed_signers: String,
    digest: String,
}

#[derive(Deserialize)]
struct Signed {
    name: String,
    namespace: String,
    officials: BTreeSet<String>,
    needed: usize,
    message: Option<String>,
    signatures: Vec<String>,
    counted: Option<BTreeSet<String>>,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Commitment {
    request_id: String,
    salt_seed: String,
    blind_seed: String,
    blind_seed_digest: String,
    list_root: String,
    blinded_root: String,
    rows: Vec<Row>,
    batches: Vec<BatchCommitment>,
    openings: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    name: String,
    pair: u64,
    row: u64,
    fields: Vec<(String, String)>,
    salt: String,
    leaf: Option<String>,
    path: Vec<String>,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct BatchCommitment {
    index: u64,
    blinded: Vec<String>,
    blinded_digest: String,
    leaf: String,
    path: Vec<String>,
}

#[derive(Deserialize)]
struct Bytes {
    name: String,
    bytes: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    file: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Disclosed {
    name: String,
    agreed: String,
    frames: Vec<String>,
    code: Option<String>,
}

#[derive(Deserialize)]
struct Trees {
    leaves: Vec<String>,
    roots: Vec<String>,
    paths: Vec<Inclusion>,
    consistency: Vec<Consistency>,
}

#[derive(Deserialize)]
struct Inclusion {
    #[serde(default)]
    name: String,
    index: u64,
    size: u64,
    path: Vec<String>,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Consistency {
    #[serde(default)]
    name: String,
    first: u64,
    second: u64,
    proof: Vec<String>,
    first_root: Option<String>,
    second_root: Option<String>,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct LedgerVector {
    holder: String,
    certificate: String,
    party: String,
    entries: Vec<LoggedEntry>,
    roots: Vec<String>,
    heads: Vec<Head>,
    inclusion: Vec<Inclusion>,
    consistency: Vec<Consistency>,
    extracts: Vec<Text>,
}

#[derive(Deserialize)]
struct LoggedEntry {
    #[serde(flatten)]
    entry: Entry,
    leaf: String,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    name: String,
    size: u64,
    root: String,
    unix_ms: u64,
    signature: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    name: String,
    text: String,
    refused: Option<String>,
}

#[derive(Deserialize)]
struct Sessions {
    cases: Vec<SessionCase>,
}

#[derive(Deserialize)]
struct SessionCase {
    inputs: Inputs,
    outputs: SessionOutputs,
}

#[derive(Deserialize)]
struct SessionOutputs {
    request: String,
    session_id: String,
    receipt_digest: String,
    verifier_fingerprint: String,
    verifier_certificate: String,
}

fn vectors() -> Vectors {
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(fixed::vector_path("authority.json")).unwrap()).unwrap();
    assert_eq!(vectors.format, "oblink/vectors/authority/1");
    vectors
}

fn signed_session() -> SessionCase {
    let sessions: Sessions = serde_json::from_str(&std::fs::read_to_string(fixed::vector_path("session.json")).unwrap()).unwrap();
    sessions.cases.into_iter().next_back().unwrap()
}

fn hashes(texts: &[String]) -> Vec<Hash> {
    texts.iter().map(|text| bytes(text)).collect()
}

/// The last session of session.json is the one that this file is about.
#[test]
fn the_files_belong_together() {
    let (vectors, session) = (vectors(), signed_session());
    assert_eq!(vectors.request, session.outputs.request);
    let authority = session.inputs.authority.unwrap();
    assert_eq!((authority.policy, authority.allowed_signers), (vectors.policy.policy_toml, vectors.policy.allowed_signers));
}

/// POL-1, SIG-2
#[test]
fn the_policy_has_its_digest_and_lists_the_keys() {
    let vectors = vectors();
    let files = vectors.policy;
    let policy = Policy::parse(files.policy_toml.as_bytes(), files.allowed_signers.as_bytes()).unwrap();
    assert_eq!(hex::encode(policy.digest()), files.digest);
    for key in &vectors.keys {
        assert!(key.private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"), "a test key, published: {}", key.principal);
        assert_eq!(files.allowed_signers.contains(&key.public), key.principal != "eve@nowhere");
    }
}

/// Who signed, or the code of AUT-2: what [`oblink_session::authority::authorise`] does of each list, out of the public parts.
fn count(signers: &AllowedSigners, case: &Signed, message: &[u8]) -> Result<BTreeSet<String>, &'static str> {
    let mut counted = BTreeSet::new();
    for armoured in &case.signatures {
        let signature = Signature::parse(armoured.as_bytes()).map_err(|_| "signature_malformed")?;
        if signature.namespace() != case.namespace {
            return Err("wrong_namespace");
        }
        let signer = signers.keys().find(|signer| signer.fingerprint() == signature.key_fingerprint());
        let listed = |signer: &&oblink_session::authority::SignerKey| {
            signer.namespaces().iter().any(|namespace| namespace.as_str() == case.namespace) && case.officials.contains(signer.principal())
        };
        let signer = signer.filter(listed).ok_or("signer_not_listed")?;
        signature.verify(&case.namespace, message).map_err(|error| {
            assert_eq!(error, SignatureError::Invalid);
            "signature_invalid"
        })?;
        counted.insert(signer.principal().to_owned());
    }
    if counted.len() < case.needed { Err("signature_short") } else { Ok(counted) }
}

/// SIG-1, AUT-1
#[test]
fn what_ssh_keygen_signed_counts_and_nothing_else() {
    let vectors = vectors();
    let signers = AllowedSigners::parse(&vectors.policy.allowed_signers).unwrap();
    for case in &vectors.signatures {
        let message = case.message.as_deref().unwrap_or(&vectors.request).as_bytes();
        let want = case.counted.clone().ok_or_else(|| case.refused.clone().unwrap());
        assert_eq!(count(&signers, case, message).map_err(str::to_owned), want, "{}", case.name);
    }
}

/// REQ-4, REQ-5, AUD-2
#[test]
fn the_request_commits_to_rows_seed_and_batches() {
    let vectors = vectors();
    let c = &vectors.commitment;
    let manifest = Request::parse(vectors.request.as_bytes()).unwrap().manifest().unwrap().clone();
    assert_eq!((hex::encode(manifest.list_root), hex::encode(manifest.blinded_root)), (c.list_root.clone(), c.blinded_root.clone()));
    let request_id = bytes(&c.request_id);
    let salter = Salter::new(&SaltSeed::from_bytes(Zeroizing::new(bytes(&c.salt_seed))), request_id);
    let leaf_of = |row: &Row| {
        let fields: Vec<(&str, &str)> = row.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        row_leaf(&bytes(&row.salt), row.pair, row.row, &fields).unwrap()
    };
    let tree = Tree::new(c.rows.iter().map(leaf_of).collect());
    assert_eq!(hex::encode(tree.root()), c.list_root);
    for row in &c.rows {
        assert_eq!(hex::encode(salter.salt(row.pair)), row.salt);
        assert_eq!(Some(hex::encode(leaf_of(row))), row.leaf);
        assert_eq!(tree.path(row.pair).unwrap(), hashes(&row.path));
    }
    for row in &c.openings {
        let holds = verify_inclusion(&leaf_of(row), row.pair, c.rows.len() as u64, &hashes(&row.path), &bytes(&c.list_root));
        assert_eq!(holds, row.refused.is_none(), "{}", row.name);
    }
    let seed = BlindSeed::from_bytes(Zeroizing::new(bytes(&c.blind_seed)));
    assert_eq!(hex::encode(blind_seed_digest(&request_id, &seed)), c.blind_seed_digest);
    let tree = Tree::new(c.batches.iter().map(|batch| blinded_leaf(&bytes(&batch.blinded_digest))).collect());
    assert_eq!(hex::encode(tree.root()), c.blinded_root);
    for batch in &c.batches {
        let digest = blinded_digest(batch.index, &hashes(&batch.blinded));
        assert_eq!((hex::encode(digest), hex::encode(blinded_leaf(&digest))), (batch.blinded_digest.clone(), batch.leaf.clone()));
        assert_eq!(tree.path(batch.index).unwrap(), hashes(&batch.path));
    }
}

/// REQ-3, REQ-6
#[test]
fn a_request_that_is_not_exactly_one_is_none() {
    for case in vectors().requests {
        let parsed = Request::parse(case.bytes.as_bytes());
        match &case.refused {
            None => assert!(parsed.unwrap().manifest().is_some(), "{}", case.name),
            Some(_) => assert!(
                matches!(parsed, Err(RequestError::Syntax | RequestError::NotCanonical | RequestError::Member(_))),
                "{}: {parsed:?}",
                case.name
            ),
        }
    }
}

fn check_tree(what: &str, leaves: Vec<Hash>, roots: &[String], paths: &[Inclusion], proofs: &[Consistency]) {
    let (tree, roots) = (Tree::new(leaves.clone()), hashes(roots));
    for (size, want) in roots.iter().enumerate() {
        assert_eq!(root(&mut &tree, size as u64).unwrap(), *want, "{what}: root of {size}");
    }
    for case in paths {
        let path = hashes(&case.path);
        let hash = leaves[leaves.len().min(case.index as usize + 1) - 1];
        let holds = verify_inclusion(&hash, case.index, case.size, &path, &roots[case.size as usize]);
        assert_eq!(holds, case.refused.is_none(), "{what}: {} in {} {}", case.index, case.size, case.name);
        if holds {
            assert_eq!(path, inclusion_path(&mut &tree, case.index, case.size).unwrap());
            assert_eq!(path.len(), path_length(case.index, case.size));
        }
    }
    for case in proofs {
        let proof = hashes(&case.proof);
        let of = |given: &Option<String>, size: u64| given.as_ref().map_or(roots[size as usize], |root| bytes(root));
        let (first, second) = (of(&case.first_root, case.first), of(&case.second_root, case.second));
        let holds = verify_consistency(case.first, &first, case.second, &second, &proof);
        assert_eq!(holds, case.refused.is_none(), "{what}: {} to {} {}", case.first, case.second, case.name);
        if holds {
            assert_eq!(proof, consistency_proof(&mut &tree, case.first, case.second).unwrap());
        }
    }
}

/// MRK-1 to MRK-3
#[test]
fn trees_paths_and_proofs() {
    let t = vectors().merkle;
    let leaves = t.leaves.iter().map(|data| leaf(&hex::decode(data).unwrap())).collect();
    check_tree("trees", leaves, &t.roots, &t.paths, &t.consistency);
}

/// LED-1 to LED-3, LED-7, LED-8
#[test]
fn a_log_its_heads_and_its_extracts() {
    let l = vectors().ledger;
    let leaves: Vec<Hash> = l.entries.iter().map(|logged| logged.entry.leaf()).collect();
    assert_eq!(leaves, l.entries.iter().map(|logged| bytes(&logged.leaf)).collect::<Vec<Hash>>());
    check_tree("log", leaves, &l.roots, &l.inclusion, &l.consistency);
    let (holder, party) = (bytes(&l.holder), bytes(&l.party));
    let key = CertifiedKey::check(&bytes(&l.certificate), &holder).unwrap();
    for case in &l.heads {
        let head = LogHead { size: case.size, root: bytes(&case.root) };
        let signed = SignedHead { head, unix_ms: case.unix_ms, signature: bytes(&case.signature) };
        assert_eq!(signed.verify(&key, &holder).is_ok(), case.refused.is_none(), "{}", case.name);
    }
    for case in &l.extracts {
        let read = Extract::read(&mut case.text.as_bytes(), &holder, &party);
        match case.refused.as_deref() {
            None => {
                let opened: Vec<u64> = read.unwrap().entries.iter().map(|entry| entry.seq).collect();
                let due: Vec<u64> = (0..).zip(&l.entries).filter(|(_, logged)| logged.entry.party == l.party).map(|(seq, _)| seq).collect();
                assert_eq!(opened, due, "{}", case.name);
            }
            Some("STM-1" | "STM-2") => {
                assert!(matches!(read, Err(StoreError::Extract(ExtractFault::Signature(_)))), "{}: {read:?}", case.name);
            }
            Some(_) => {
                let refused = matches!(&read, Err(StoreError::Extract(fault)) if !matches!(fault, ExtractFault::Signature(_)));
                assert!(refused, "{}: {read:?}", case.name);
            }
        }
    }
}

/// END-3
#[test]
fn receipts_with_both_signatures() {
    for case in vectors().receipts {
        let read = Receipt::from_json(&case.file);
        match case.refused.as_deref() {
            None => assert_eq!(read.unwrap().to_json(), case.file, "{}", case.name),
            Some("STM-1" | "STM-2") => assert!(matches!(read, Err(Misbehaviour::Statement(_))), "{}: {read:?}", case.name),
            Some(_) => assert!(matches!(read, Err(Misbehaviour::Receipt(_))), "{}: {read:?}", case.name),
        }
    }
}

/// DIS-2
#[test]
fn disclosures_that_were_agreed() {
    let session = signed_session().outputs;
    for case in vectors().disclosures {
        let verifier = bytes(&session.verifier_fingerprint);
        let due = DisclosureDue {
            session_id: bytes(&session.session_id),
            receipt_digest: bytes(&session.receipt_digest),
            verifier,
            verifier_certificate: bytes(&session.verifier_certificate),
            kind: case.agreed.parse::<Disclosure>().unwrap(),
            pairs: 5,
            tokens: 5,
        };
        let receive = || -> Result<(), Error> {
            let frames: Vec<Frame> = case.frames.iter().map(|data| Frame::parse(&hex::decode(data).unwrap()).unwrap().unwrap().0).collect();
            let mut receiving = ReceivingDisclosure::begin(&frames[0], &verifier, Some(due))?;
            for frame in &frames[1..] {
                receiving.receive_tags(frame)?;
            }
            receiving.finish().map(|_| ())
        };
        let code = receive().err().map(|error| error.to_refusal().unwrap().code.name().to_owned());
        assert_eq!(code, case.code, "{}", case.name);
    }
}
