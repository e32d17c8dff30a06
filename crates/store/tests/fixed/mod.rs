//! The sessions of protocol-spec/vectors/session.json: their fixed inputs, and both parties made of them.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary uses its part; tests may panic"
)]

use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::error::Error;
use oblink_session::holder::{HolderContext, HolderHandshake, HolderSession};
use oblink_session::ledger::{ChargeEntry, ChargeOutcome, CompletionEntry, Ledger, LedgerError, SessionEntry, SessionOpening};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::request::Request;
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_session::tag::TagPrefix;
use oblink_session::verifier::{BlindedBatch, UnverifiedBatch, VerifiedBatch, VerifierContext, VerifierHandshake, VerifierSession};
use oblink_session::wire::Frame;
use oblink_store::disk::RealDisk;
use oblink_store::sealed::{BuilderOptions, SealedSet, SetBuilder, SetParameters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

/// A ledger in memory that refuses nothing but another batch under a charged index.
#[derive(Default)]
pub struct Book {
    pub charges: BTreeMap<u64, ChargeEntry>,
    pub charged_tokens: u64,
}

impl Ledger for Book {
    fn open_session(&mut self, _: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        Ok(SessionOpening::New)
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        match self.charges.get(&entry.index) {
            Some(known) if known.blinded_digest == entry.blinded_digest => Ok(ChargeOutcome::Same),
            Some(_) => Err(LedgerError::BatchConflict { index: entry.index }),
            None => {
                self.charged_tokens += u64::from(entry.tokens);
                self.charges.insert(entry.index, entry.clone());
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
        Self {
            tokens: tokens.collect(),
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
            book: Book::default(),
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
        VerifierHandshake::new(self.verifier.clone(), self.holder.fingerprint, self.request.clone(), &mut nonce)
    }

    pub fn admit(&mut self, hello: &Frame) -> Result<(HolderSession, Frame), Error> {
        let mut nonce = Script::of_hex(&self.inputs.holder_nonce);
        HolderHandshake::new(self.holder.clone(), self.verifier.fingerprint)
            .receive_hello(hello, Some(self.set.offer().clone()), self.inputs.welcome_unix_ms, &mut nonce)?
            .commit(&mut self.book, self.inputs.welcome_unix_ms)
    }

    pub fn blind(&self, verifier: &mut VerifierSession) -> Option<BlindedBatch> {
        let plan = verifier.next_batch()?;
        let first = plan.first_token() as usize;
        let tokens: Vec<&[u8]> = self.tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
        let slice = plan.blind_slice(&self.blinder(), 0..plan.len(), &tokens).unwrap();
        Some(plan.assemble(vec![slice]).unwrap())
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
