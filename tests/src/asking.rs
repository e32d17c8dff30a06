//! Requests: one that the programs make, sign and ask, and one in the hands of somebody who can put anything into it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oblink_linkage::Ruleset;
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::commitment::{blind_seed_digest, blinded_leaf};
use oblink_session::merkle::Tree;
use oblink_session::request::{Disclosure, Manifest, Request, from_hex};
use oblink_session::verifier::BatchPlan;
use oblink_session::wire::raw::blinded_digest;
use zeroize::Zeroizing;

use crate::officials::{Official, REQUEST};
use crate::policy::add_signature;
use crate::{Agencies, Call, Party, read_split};

/// Milliseconds since 1970.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn now_unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// The day so many days from today, as `YYYY-MM-DD` (UTC).
#[must_use]
pub fn day(from_today: i64) -> String {
    let days = (now_unix_ms() / 86_400_000) as i64 + from_today;
    // Howard Hinnant's civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A name for person number `i`: no two numbers below 17,576 share one.
fn family_name(i: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    format!("Quispe{}{}{}", letter(i / 676), letter(i / 26), letter(i))
}

/// `count` people from number `first`, as a holder's records or a verifier's pairs: with an order of `ordered` and a person's number.
#[must_use]
pub fn people(first: usize, count: usize, ordered: &str) -> String {
    let header = "id,given_name,family_name,address,postal_code,order_date,person_id\n".to_owned();
    let rows = (first..first + count).map(|i| format!("x{i},Ana,{},{} Zanzibar Street,02134,{ordered},n{i}\n", family_name(i), i + 1));
    rows.fold(header, |text, row| text + &row)
}

/// A request's directory, as `request new` makes it.
#[derive(Clone, Debug)]
pub struct RequestDir {
    /// Where it is.
    pub path: PathBuf,
    /// The list that it was made of.
    pub input: PathBuf,
}

impl RequestDir {
    /// `request.json`.
    ///
    /// # Panics
    /// Where it cannot be read.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.file()).unwrap()
    }

    /// Its path.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.path.join("request.json")
    }

    /// What it says.
    ///
    /// # Panics
    /// Where it is no request.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Request::parse(&self.bytes()).unwrap().manifest().unwrap().clone()
    }

    /// Puts a signature beside it.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn add(&self, name: &str, signature: &[u8]) {
        add_signature(&self.path, name, signature);
    }

    /// These officials sign.
    #[must_use]
    pub fn signed_by(self, officials: &[Official]) -> Self {
        for official in officials {
            self.add(&official.principal, &official.sign(REQUEST, &self.bytes()));
        }
        self
    }

    /// Writes another request in its place: what an operator with an editor that knows canonical JSON can do.
    ///
    /// # Panics
    /// Where the change makes none.
    pub fn edit(&self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.manifest();
        change(&mut manifest);
        std::fs::write(self.file(), Request::authorised(manifest).unwrap().bytes()).unwrap();
    }

    /// The same request in batches of so many tokens, before anybody signs it: sessions of many batches with few pairs.
    ///
    /// # Panics
    /// Where a file of it is missing, or such batches are not possible.
    #[must_use]
    pub fn in_batches_of(self, batch_tokens: u32) -> Self {
        let mut draft = self.taken();
        draft.manifest.batch_tokens = batch_tokens;
        draft.commit();
        std::fs::write(self.file(), draft.bytes()).unwrap();
        let digests: Vec<[u8; 32]> = (0_u64..).zip(draft.batches()).map(|(index, batch)| blinded_digest(index, &batch)).collect();
        std::fs::write(self.path.join("batches.bin"), digests.as_flattened()).unwrap();
        self
    }

    /// The request with all that is beside it, in the hands of a modified verifier.
    ///
    /// # Panics
    /// Where a file is missing or is not what it should be.
    #[must_use]
    pub fn taken(&self) -> Draft {
        let secret: serde_json::Value = serde_json::from_slice(&std::fs::read(self.path.join("secret.json")).unwrap()).unwrap();
        let seed: [u8; 32] = from_hex(secret["blind_seed"].as_str().unwrap()).unwrap();
        Draft { manifest: self.manifest(), seed, tokens: tokens_of(&self.input) }
    }
}

/// The tokens of a list whose rows can all be asked.
///
/// # Panics
/// Where one cannot.
#[must_use]
pub fn tokens_of(input: &Path) -> Vec<Vec<u8>> {
    read_split(input).into_iter().map(|row| row.token.unwrap()).collect()
}

impl Agencies {
    /// `request new` with what most tests ask; `more` is divided at blanks.
    #[must_use]
    pub fn request_call(&self, verifier: &Party, input: &Path, name: &str, more: &str) -> Call {
        let call = verifier.call("request new --legal-basis Law").arg("--purpose").arg("To confirm addresses").path("--input", input);
        let call = if more.contains("--not-after") { call } else { call.arg("--not-after").arg(day(7)) };
        call.args(more).path("--out", &self.at(name))
    }

    /// Makes a request of a list.
    ///
    /// # Panics
    /// Where it fails.
    #[must_use]
    pub fn request(&self, input: &Path, name: &str, more: &str) -> RequestDir {
        self.request_call(&self.verifier, input, name, more).ok();
        RequestDir { path: self.at(name), input: input.to_owned() }
    }

    /// `check --request`.
    #[must_use]
    pub fn asking(&self, address: &str, request: &RequestDir) -> Call {
        self.checking(address, &request.input, &request.path.with_extension("results.csv")).path("--request", &request.path).arg("--json")
    }
}

/// A request that somebody makes by hand: what it says, the tokens of its list, and the seed of its blinds.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it says.
    pub manifest: Manifest,
    /// The seed of the blinds.
    pub seed: [u8; 32],
    /// A token for each pair.
    pub tokens: Vec<Vec<u8>>,
}

/// A fingerprint as `init` prints it, in bytes.
///
/// # Panics
/// Where it is none.
#[must_use]
pub fn fingerprint_bytes(printed: &str) -> [u8; 32] {
    from_hex(&printed.replace('-', "")).unwrap()
}

impl Draft {
    /// A request of a list from `verifier` to `holder`, valid from an hour ago for a day, in batches of `batch_tokens`.
    ///
    /// # Panics
    /// Where a row of the list cannot be asked.
    #[must_use]
    pub fn new(holder: &Party, verifier: &Party, input: &Path, batch_tokens: u32) -> Self {
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let tokens = tokens_of(input);
        let random: [u8; 48] = std::array::from_fn(|_| rand::random());
        let (request_id, seed) = (std::array::from_fn(|i| random[i]), std::array::from_fn(|i| random[16 + i]));
        let hour = Duration::from_secs(3_600).as_millis() as u64;
        let manifest = Manifest {
            addresses_per_person_max: 0,
            batch_tokens,
            blind_seed_digest: blind_seed_digest(&request_id, &BlindSeed::from_bytes(Zeroizing::new(seed))),
            blinded_root: [0; 32],
            class: ruleset.class().as_str().to_owned(),
            disclosure: Disclosure::None,
            fields: std::collections::BTreeMap::new(),
            holder: fingerprint_bytes(&holder.fingerprint),
            holder_name: "Agency".to_owned(),
            left_out: std::collections::BTreeMap::new(),
            legal_basis: "Law".to_owned(),
            // Nobody but the verifier can compute it.
            list_root: [7; 32],
            not_after_unix_ms: now_unix_ms() + 23 * hour,
            not_before_unix_ms: now_unix_ms() - hour,
            order_date_earliest: 0,
            order_date_latest: 0,
            pairs: tokens.len() as u64,
            purpose: "To confirm addresses".to_owned(),
            request_id,
            required_columns: std::collections::BTreeSet::new(),
            ruleset: ruleset.name().to_owned(),
            ruleset_digest: ruleset.digest(),
            tokens_per_pair: ruleset.tokens_per_pair(),
            verifier: fingerprint_bytes(&verifier.fingerprint),
            verifier_name: "Agency".to_owned(),
        };
        let mut draft = Self { manifest, seed, tokens };
        draft.commit();
        draft
    }

    /// Sets `pairs` and `blinded_root` to what the tokens give.
    pub fn commit(&mut self) {
        self.manifest.pairs = self.tokens.len() as u64 / u64::from(self.manifest.tokens_per_pair);
        self.manifest.blinded_root = self.tree().root();
    }

    fn tree(&self) -> Tree {
        Tree::new((0_u64..).zip(self.batches()).map(|(index, batch)| blinded_leaf(&blinded_digest(index, &batch))).collect())
    }

    /// The blinded elements of each batch.
    ///
    /// # Panics
    /// Where the draft has another number of tokens than it says.
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<[u8; 32]>> {
        let said = &self.manifest;
        let request =
            Request::new(said.request_id, said.pairs, said.batch_tokens, &said.ruleset, said.ruleset_digest, said.tokens_per_pair).unwrap();
        let blinder = Blinder::new(&BlindSeed::from_bytes(Zeroizing::new(self.seed)), said.request_id);
        let batch = |index| {
            let plan = BatchPlan::rehearsed(&request, index).unwrap();
            let first = plan.first_token() as usize;
            let tokens: Vec<&[u8]> = self.tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
            let slice = plan.blind_slice(&blinder, 0..plan.len(), &tokens).unwrap();
            plan.assemble(vec![slice]).unwrap().elements().to_vec()
        };
        (0..request.batches()).map(batch).collect()
    }

    /// The request's bytes.
    ///
    /// # Panics
    /// Where it is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        Request::authorised(self.manifest.clone()).unwrap().bytes().to_vec()
    }

    /// Signed as it is by these officials.
    #[must_use]
    pub fn signed_by(&self, officials: &[Official]) -> Asked {
        let bytes = self.bytes();
        let signatures = officials.iter().map(|official| official.sign(REQUEST, &bytes)).collect();
        self.with_signatures(signatures)
    }

    /// With these signatures, good or not.
    #[must_use]
    pub fn with_signatures(&self, signatures: Vec<Vec<u8>>) -> Asked {
        Asked { bytes: self.bytes(), signatures, batches: self.batches(), tree: self.tree(), nonce: rand::random() }
    }
}

/// What a modified verifier asks.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request.
    pub bytes: Vec<u8>,
    /// Signatures over it.
    pub signatures: Vec<Vec<u8>>,
    /// Blinded elements, batch by batch.
    pub batches: Vec<Vec<[u8; 32]>>,
    /// The tree over the digests of the batches that were approved.
    pub tree: Tree,
    /// The session's nonce.
    pub nonce: [u8; 32],
}
