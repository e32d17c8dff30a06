//! The sessions of protocol-spec/vectors/session.json: their fixed inputs, and both parties made of them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary uses its part; tests may panic"
)]

use oblink_session::authority::{BuiltInRulesets, Policy};
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::commitment::{SaltSeed, Salter, blind_seed_digest, blinded_leaf, row_leaf};
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::error::Error;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::holder::{HolderContext, HolderHandshake, HolderSession, House};
use oblink_session::ledger::{
    ChargeEntry, ChargeOutcome, CompletionEntry, DisclosureEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::merkle::{self, Hash, Tree};
use oblink_session::question::Question;
use oblink_session::request::{Disclosure, Manifest, Request};
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_session::tag::TagPrefix;
use oblink_session::verifier::{
    BatchPlan, BlindedBatch, UnverifiedBatch, VerifiedBatch, VerifierContext, VerifierHandshake, VerifierSession,
};
use oblink_session::wire::Frame;
use oblink_store::disk::RealDisk;
use oblink_store::sealed::{BuilderOptions, SealedSet, SetBuilder, SetParameters};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn vector_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-spec/vectors").join(name)
}

pub fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// A token as its rule and its canonical fields (all ASCII here).
#[derive(Clone, Serialize, Deserialize)]
pub struct Fields {
    pub rule: u16,
    pub fields: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Party {
    pub identity_secret: String,
    pub statement_secret: String,
    pub issued_unix_ms: u64,
}

/// Everything that a session is a function of.
#[derive(Clone, Serialize, Deserialize)]
pub struct Inputs {
    pub verifier: Party,
    pub holder: Party,
    pub epoch_seed: String,
    pub epoch_id: String,
    pub blind_seed: String,
    pub verifier_nonce: String,
    pub holder_nonce: String,
    pub hello_unix_ms: u64,
    pub welcome_unix_ms: u64,
    pub completed_unix_ms: u64,
    pub proof_randomness: Vec<String>,
    pub request_id: String,
    pub ruleset: String,
    pub ruleset_digest: String,
    pub tokens_per_pair: u16,
    pub batch_tokens: u32,
    pub as_of: u32,
    pub session_tokens_max: u64,
    pub padding_tags: u64,
    pub set_chunk_bytes: usize,
    pub records: Vec<Fields>,
    pub pairs: Vec<Vec<Option<Fields>>>,
    pub ledger: LedgerInputs,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<AuthorityInputs>,
}

/// The holder's log: `before` entries are there when Hello comes, one more with the session, and one more with each batch charged.
#[derive(Clone, Serialize, Deserialize)]
pub struct LedgerInputs {
    pub before: usize,
    /// Size of the head that the verifier presents.
    pub known: u64,
    pub entries: Vec<Entry>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    pub kind: u8,
    pub unix_ms: u64,
    pub party: String,
    pub body: String,
}

impl Entry {
    /// LED-1, by hand.
    pub fn leaf(&self) -> Hash {
        let mut data = vec![self.kind];
        data.extend(self.unix_ms.to_be_bytes());
        data.extend(bytes::<32>(&self.party));
        data.extend(Sha256::digest(&self.body));
        merkle::leaf(&data)
    }
}

/// What makes a request an authorised one, and whoever answers it a holder under a policy.
#[derive(Clone, Serialize, Deserialize)]
pub struct AuthorityInputs {
    pub policy: String,
    pub allowed_signers: String,
    pub salt_seed: String,
    /// Number of the data row, and its fields.
    pub rows: Vec<(u64, Vec<(String, String)>)>,
    pub manifest: ManifestInputs,
    pub signatures: Vec<String>,
    pub countersignatures: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct ManifestInputs {
    pub addresses_per_person_max: u32,
    pub class: String,
    pub disclosure: String,
    pub fields: BTreeMap<String, String>,
    pub holder_name: String,
    pub left_out: BTreeMap<String, u64>,
    pub legal_basis: String,
    pub not_after_unix_ms: u64,
    pub not_before_unix_ms: u64,
    pub order_date_earliest: u32,
    pub order_date_latest: u32,
    pub purpose: String,
    pub required_columns: BTreeSet<String>,
    pub verifier_name: String,
}

/// A random device that gives these bytes and no more.
pub struct Script(pub Vec<u8>);

impl Script {
    pub fn of_hex(text: &str) -> Self {
        Self(hex::decode(text).unwrap())
    }
}

impl rand::TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.try_fill_bytes(&mut word).map(|()| u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.try_fill_bytes(&mut word).map(|()| u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        assert!(out.len() <= self.0.len(), "more randomness is drawn than the inputs have");
        out.copy_from_slice(&self.0.drain(..out.len()).collect::<Vec<u8>>());
        Ok(())
    }
}

impl rand::TryCryptoRng for Script {}

/// A ledger in memory that refuses nothing but another batch under a charged index. Its log is the inputs', as far as it has come.
#[derive(Default)]
pub struct Book {
    pub charges: BTreeMap<u64, ChargeEntry>,
    pub charged_tokens: u64,
    /// Hashes of all leaves that there will be.
    pub log: Vec<Hash>,
    /// Those there are.
    pub size: usize,
}

impl Book {
    fn append(&mut self) {
        self.size = self.log.len().min(self.size + 1);
    }

    pub fn tree(&self) -> Tree {
        Tree::new(self.log[..self.size].to_vec())
    }
}

impl Ledger for Book {
    fn open_session(&mut self, _: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        self.append();
        Ok(SessionOpening::New)
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        match self.charges.get(&entry.index) {
            Some(known) if known.blinded_digest == entry.blinded_digest => Ok(ChargeOutcome::Same),
            Some(_) => Err(LedgerError::BatchConflict { index: entry.index }),
            None => {
                self.charged_tokens += u64::from(entry.tokens);
                self.charges.insert(entry.index, entry.clone());
                self.append();
                Ok(ChargeOutcome::New)
            }
        }
    }

    fn complete(&mut self, _: &CompletionEntry) -> Result<(), LedgerError> {
        Ok(())
    }

    fn acknowledge(&mut self, _: &[u8; 16], _: &[u8; 64]) -> Result<(), LedgerError> {
        Ok(())
    }

    fn suspend(&mut self, _: &[u8; 16], _: &[(u64, [u8; 32])], _: u64) -> Result<(), LedgerError> {
        Ok(())
    }

    fn head(&mut self) -> Result<LogHead, LedgerError> {
        Ok(LogHead { size: self.size as u64, root: self.tree().root() })
    }

    fn root_at(&mut self, size: u64) -> Result<Option<Hash>, LedgerError> {
        Ok(if size > self.size as u64 { None } else { merkle::root(&mut &self.tree(), size).ok() })
    }

    fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<Hash>, LedgerError> {
        Ok(merkle::consistency_proof(&mut &self.tree(), first, second).unwrap())
    }

    fn keep_head(&mut self, _: &SignedHead) -> Result<(), LedgerError> {
        Ok(())
    }

    fn disclose(&mut self, _: &DisclosureEntry) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// TOK-1, by hand.
pub fn token(ruleset_digest: &[u8; 32], fields: &Fields) -> Vec<u8> {
    let mut out = Vec::new();
    let lp = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend_from_slice(bytes);
    };
    lp(&mut out, b"oblink/1/token");
    lp(&mut out, ruleset_digest);
    out.extend_from_slice(&fields.rule.to_be_bytes());
    out.push(u8::try_from(fields.fields.len()).unwrap());
    for field in &fields.fields {
        lp(&mut out, field.as_bytes());
    }
    out
}

fn key_of(party: &Party) -> (StatementKey, [u8; 32]) {
    let key = StatementKey::certify(&bytes(&party.statement_secret), &bytes(&party.identity_secret), party.issued_unix_ms);
    let fingerprint = fingerprint_of(key.certificate()[..32].try_into().unwrap());
    (key, fingerprint)
}

fn armoured(signatures: &[String]) -> Vec<Vec<u8>> {
    signatures.iter().map(|signature| signature.clone().into_bytes()).collect()
}

/// REQ-3 to REQ-5: what the request says and what it commits to.
fn manifest(inputs: &Inputs, authority: &AuthorityInputs, holder: [u8; 32], verifier: [u8; 32], digests: &[[u8; 32]]) -> Manifest {
    let request_id = bytes(&inputs.request_id);
    let salter = Salter::new(&SaltSeed::from_bytes(zeroize::Zeroizing::new(bytes(&authority.salt_seed))), request_id);
    let rows = (0..).zip(&authority.rows).map(|(pair, (row, fields))| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        row_leaf(&salter.salt(pair), pair, *row, &fields).unwrap()
    });
    let said = authority.manifest.clone();
    Manifest {
        addresses_per_person_max: said.addresses_per_person_max,
        batch_tokens: inputs.batch_tokens,
        blind_seed_digest: blind_seed_digest(&request_id, &BlindSeed::from_bytes(zeroize::Zeroizing::new(bytes(&inputs.blind_seed)))),
        blinded_root: Tree::new(digests.iter().map(blinded_leaf).collect()).root(),
        class: said.class,
        disclosure: said.disclosure.parse::<Disclosure>().unwrap(),
        fields: said.fields,
        holder,
        holder_name: said.holder_name,
        left_out: said.left_out,
        legal_basis: said.legal_basis,
        list_root: Tree::new(rows.collect()).root(),
        not_after_unix_ms: said.not_after_unix_ms,
        not_before_unix_ms: said.not_before_unix_ms,
        order_date_earliest: said.order_date_earliest,
        order_date_latest: said.order_date_latest,
        pairs: inputs.pairs.len() as u64,
        purpose: said.purpose,
        request_id,
        required_columns: said.required_columns,
        ruleset: inputs.ruleset.clone(),
        ruleset_digest: bytes(&inputs.ruleset_digest),
        tokens_per_pair: inputs.tokens_per_pair,
        verifier,
        verifier_name: said.verifier_name,
    }
}

/// Both parties, the sealed set, the list.
pub struct Fixed {
    pub inputs: Inputs,
    pub holder: Arc<HolderContext>,
    pub verifier: Arc<VerifierContext>,
    pub keys: EpochKeys,
    pub request: Request,
    pub tokens: Vec<Vec<u8>>,
    pub prefixes: Vec<TagPrefix>,
    pub set: SealedSet,
    pub dir: tempfile::TempDir,
    pub book: Book,
    pub policy: Option<Policy>,
    /// Digests of the blinded batches, where the request commits to them.
    pub digests: Vec<[u8; 32]>,
}

impl Fixed {
    pub fn new(inputs: Inputs) -> Self {
        let ((holder_key, holder), (verifier_key, verifier)) = (key_of(&inputs.holder), key_of(&inputs.verifier));
        let ruleset_digest = bytes(&inputs.ruleset_digest);
        let epoch_id = bytes(&inputs.epoch_id);
        let seed = EpochSeed::from_bytes(zeroize::Zeroizing::new(bytes(&inputs.epoch_seed)));
        let keys = EpochKeys::derive(&seed, epoch_id).unwrap();

        let held: Vec<Vec<u8>> = inputs.records.iter().map(|record| token(&ruleset_digest, record)).collect();
        let held: Vec<&[u8]> = held.iter().map(Vec::as_slice).collect();
        let mut prefixes = vec![TagPrefix(0); held.len()];
        keys.tag_prefixes(&held, &mut prefixes).unwrap();
        prefixes.extend((0..inputs.padding_tags).map(|i| keys.padding(i)));
        let dir = tempfile::tempdir().unwrap();
        let mut builder = SetBuilder::new(Arc::new(RealDisk), &dir.path().join("work"), BuilderOptions { memory_bytes: 0 }).unwrap();
        builder.push(&prefixes).unwrap();
        let parameters = SetParameters {
            suite: SUITE_RISTRETTO255,
            tokens_per_pair: inputs.tokens_per_pair,
            as_of: inputs.as_of,
            session_tokens_max: inputs.session_tokens_max,
            epoch_id,
            ruleset_digest,
            public_key: keys.public_key(),
        };
        let set = builder.finish(&parameters, &dir.path().join("set.oblset")).unwrap();

        let pairs = inputs.pairs.len() as u64;
        let request_id = bytes(&inputs.request_id);
        let request =
            Request::new(request_id, pairs, inputs.batch_tokens, &inputs.ruleset, ruleset_digest, inputs.tokens_per_pair).unwrap();
        let blinder = Self::blinder_of(&inputs);
        let tokens = (0..).zip(inputs.pairs.iter().flatten()).map(|(index, slot)| match slot {
            Some(fields) => token(&ruleset_digest, fields),
            None => blinder.dummy(&ruleset_digest, index),
        });
        let tokens: Vec<Vec<u8>> = tokens.collect();
        let (request, policy, digests) = match &inputs.authority {
            None => (request, None, Vec::new()),
            Some(authority) => {
                let policy = Policy::parse(authority.policy.as_bytes(), authority.allowed_signers.as_bytes()).unwrap();
                let blind = |index| Self::blind_plan(BatchPlan::rehearsed(&request, index).unwrap(), &blinder, &tokens);
                let digests: Vec<[u8; 32]> = (0..request.batches()).map(|index| *blind(index).blinded_digest()).collect();
                (Request::authorised(manifest(&inputs, authority, holder, verifier, &digests)).unwrap(), Some(policy), digests)
            }
        };
        let log = inputs.ledger.entries.iter().map(Entry::leaf).collect();
        Self {
            tokens,
            policy,
            digests,
            holder: Arc::new(HolderContext {
                fingerprint: holder,
                statement_key: holder_key,
                pilot_pairs_max: 10,
                epoch_evaluations_max: EPOCH_EVALUATIONS_MAX,
            }),
            verifier: Arc::new(VerifierContext { fingerprint: verifier, statement_key: verifier_key }),
            keys,
            request,
            prefixes,
            set,
            dir,
            book: Book { log, size: inputs.ledger.before, ..Book::default() },
            inputs,
        }
    }

    fn blinder_of(inputs: &Inputs) -> Blinder {
        let seed = BlindSeed::from_bytes(zeroize::Zeroizing::new(bytes(&inputs.blind_seed)));
        Blinder::new(&seed, bytes(&inputs.request_id))
    }

    pub fn blinder(&self) -> Blinder {
        Self::blinder_of(&self.inputs)
    }

    pub fn handshake(&self) -> VerifierHandshake {
        let mut nonce = Script::of_hex(&self.inputs.verifier_nonce);
        let question = match &self.inputs.authority {
            None => Question::unsigned(self.request.clone()),
            Some(authority) => Question::authorised(self.request.clone(), armoured(&authority.signatures), self.digests.clone()),
        };
        let known = match self.inputs.ledger.known {
            0 => LogHead::NONE,
            size => LogHead { size, root: Tree::new(self.book.log[..size as usize].to_vec()).root() },
        };
        VerifierHandshake::new(self.verifier.clone(), self.holder.fingerprint, question.unwrap(), known, &mut nonce)
    }

    pub fn admit(&mut self, hello: &Frame) -> Result<(HolderSession, Frame), Error> {
        let mut nonce = Script::of_hex(&self.inputs.holder_nonce);
        let now_unix_ms = self.inputs.welcome_unix_ms;
        let countersignatures = self.inputs.authority.as_ref().map_or_else(Vec::new, |authority| armoured(&authority.countersignatures));
        let house = House {
            policy: self.policy.as_ref(),
            countersignatures,
            rulesets: &BuiltInRulesets,
            offer: Some(self.set.offer().clone()),
            now_unix_ms,
        };
        HolderHandshake::new(self.holder.clone(), self.verifier.fingerprint)
            .receive_hello(hello, now_unix_ms)?
            .decide(house, &mut nonce)?
            .commit(&mut self.book, self.inputs.welcome_unix_ms)
    }

    pub fn blind(&self, verifier: &mut VerifierSession) -> Option<BlindedBatch> {
        Some(Self::blind_plan(verifier.next_batch()?, &self.blinder(), &self.tokens))
    }

    fn blind_plan(plan: BatchPlan, blinder: &Blinder, tokens: &[Vec<u8>]) -> BlindedBatch {
        let first = plan.first_token() as usize;
        let tokens: Vec<&[u8]> = tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
        let slice = plan.blind_slice(blinder, 0..plan.len(), &tokens).unwrap();
        plan.assemble(vec![slice]).unwrap()
    }

    pub fn answer(&mut self, holder: &mut HolderSession, batch: &Frame) -> Result<Frame, Error> {
        let pending = holder.receive_batch(batch, self.inputs.welcome_unix_ms)?;
        let mut random = Script::of_hex(&self.inputs.proof_randomness[pending.entry().index as usize]);
        let charged = pending.commit(&mut self.book)?;
        let slice = charged.evaluate_slice(&self.keys, 0..charged.len())?;
        let evaluated = charged.prove(&self.keys, vec![slice], &mut random)?;
        assert!(random.0.is_empty(), "a batch's two proofs draw 128 bytes");
        holder.answer(evaluated)
    }

    pub fn verify(unverified: UnverifiedBatch) -> Result<VerifiedBatch, Error> {
        let check = unverified.check_slice(0..unverified.len())?;
        unverified.verify(vec![check])
    }
}
