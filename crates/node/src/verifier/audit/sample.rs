//! `audit sample`: opens rows drawn by chance, so that an auditor can check them without the seeds (SPEC AUD-2).
//!
//! ```text
//! {"batches":[{"elements":HEX,"index":N,"path":[HEX32,…]},…],"format":"oblink/audit-sample/1","request_digest":HEX32,
//!  "rows":[{"blinds":[HEX32,…],"dummies":[HEX32,…],"fields":[[NAME,VALUE],…],"pair":N,"path":[HEX32,…],"row":N,"salt":HEX32},…],"seed":N}
//! ```
//! A padding pair has row 0 and no fields (SPEC PAD-2). Rows in the order of the draw, batches in that of their indexes: those that a token of a row is in, each with all its elements, end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use oblink_session::blind::Blinder;
use oblink_session::commitment::{Salter, blinded_leaf};
use oblink_session::merkle::{Hash, Tree};
use oblink_session::request::to_hex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::AuditSampleArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::random::system_bytes;
use crate::report::Reporter;
use crate::rows::Source;
use crate::verifier::conditions::Conditions;
use crate::verifier::input::List;
use crate::verifier::request::directory::{RequestDirectory, Secret};
use crate::verifier::request::recompute::{ListFile, blind_batch, list_differences, read_list, ruleset_differences};

/// The `format` of a sample.
pub(super) const FORMAT: &str = "oblink/audit-sample/1";

/// Opened rows, as the file has them. Members in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    pub(super) batches: Vec<OpenedBatch>,
    pub(super) format: String,
    pub(super) request_digest: String,
    pub(super) rows: Vec<OpenedRow>,
    pub(super) seed: u64,
}

/// A batch that a row of the sample is in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenedBatch {
    pub(super) elements: String,
    pub(super) index: u64,
    pub(super) path: Vec<String>,
}

/// One row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenedRow {
    /// One for each of the pair's T tokens.
    pub(super) blinds: Vec<String>,
    /// Contents of the dummies in the slots that the row leaves free: all, of a padding pair.
    pub(super) dummies: Vec<String>,
    pub(super) fields: Vec<(String, String)>,
    pub(super) pair: u64,
    pub(super) path: Vec<String>,
    pub(super) row: u64,
    pub(super) salt: String,
}

/// The pairs that a seed draws: for k = 0, 1, …, the first eight bytes of `SHA-256("oblink/1/audit-sample\0" ‖ request_digest ‖ seed:u64 ‖ k:u64)` as
/// a big-endian integer modulo the number of pairs; one that was drawn before is passed over. All of them, in order, where `n` is not less.
pub(super) fn draw(request_digest: &[u8; 32], seed: u64, pairs: u64, n: u64) -> Vec<u64> {
    if n >= pairs {
        return (0..pairs).collect();
    }
    let (mut drawn, mut seen) = (Vec::new(), BTreeSet::new());
    for k in 0_u64.. {
        if drawn.len() as u64 >= n {
            break;
        }
        let hash = Sha256::new().chain_update(b"oblink/1/audit-sample\0").chain_update(request_digest);
        let digest: [u8; 32] = hash.chain_update(seed.to_be_bytes()).chain_update(k.to_be_bytes()).finalize().into();
        let pair = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)) % pairs;
        if seen.insert(pair) {
            drawn.push(pair);
        }
    }
    drawn
}

/// Opens rows of a request's list.
///
/// # Errors
/// Exit 3: a file is missing, or is not what the request commits to; the sample cannot be written.
pub(super) fn sample(args: &AuditSampleArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = RequestDirectory::open(&args.request)?;
    let (request, manifest) = (directory.request(), directory.manifest()?);
    let secret = Secret::read(&directory.secret())?;
    let source = args.csv.source();
    check_output(&source, &args.output)?;
    let ruleset = directory.ruleset(args.ruleset.as_deref())?;
    let mut differences = ruleset_differences(manifest, ruleset);
    if !secret.belongs_to(manifest) {
        differences.push("blind_seed_digest");
    }
    let file = ListFile::new(source, args.csv.options(), args.person_id.as_deref());
    let conditions = Conditions::of_request(manifest, secret.as_of)?;
    let list = read_list(&file, ruleset, conditions, &secret, true, reporter)?;
    differences.extend(list_differences(manifest, &list));
    let digests = directory.batches()?;
    let tree = Tree::new(digests.iter().map(blinded_leaf).collect());
    if tree.root() != manifest.blinded_root {
        differences.push("blinded_root");
    }
    if !differences.is_empty() {
        return Err(Failure::input(
            "other_list",
            format!("list and seeds are not what the request commits to: {}", differences.join(", ")),
        )
        .with_hint("compare --input, --map and --person-id with those of request new"));
    }

    let seed = match args.seed {
        Some(seed) => seed,
        // A number that JSON readers of all kinds take.
        None => u64::from_be_bytes(*system_bytes()?) >> 11,
    };
    let drawn = draw(&request.digest(), seed, list.asked(), u64::from(args.n));
    let mut fields = fields_of(&file, &list, &drawn)?;
    let blinder = Blinder::new(&secret.blind_seed, secret.request_id);
    let salter = Salter::new(&secret.salt_seed, secret.request_id);
    let leaves =
        list.committed.as_ref().and_then(|committed| committed.leaves.as_ref()).ok_or_else(|| Failure::bug("the leaves were not kept"))?;
    let per_pair = u64::from(manifest.tokens_per_pair);
    let (mut rows, mut touched) = (Vec::with_capacity(drawn.len()), BTreeSet::new());
    for pair in drawn {
        let of_row = if pair < list.pairs { fields.remove(&pair) } else { Some((0, Vec::new())) };
        let (row, fields) = of_row.ok_or_else(|| Failure::input("input_changed", "the input changed while it was read"))?;
        let (mut blinds, mut dummies) = (Vec::new(), Vec::new());
        for (token, index) in list.tokens(&blinder, pair * per_pair, per_pair as usize)?.iter().zip(pair * per_pair..) {
            blinds.push(to_hex(&oblink_oprf::hazmat::blind_to_bytes(&blinder.blind(index, token))[..]));
            if token == blinder.dummy(&manifest.ruleset_digest, index) {
                dummies.push(token.last_chunk::<32>().map(|content| to_hex(content)).unwrap_or_default());
            }
            touched.insert(index / u64::from(manifest.batch_tokens));
        }
        let salt = salter.salts(pair, 1).pop().ok_or_else(|| Failure::bug("there is no salt"))?;
        let path = leaves.path(pair).ok_or_else(|| Failure::bug("a row has no path"))?;
        rows.push(OpenedRow { blinds, dummies, fields, pair, path: hex_path(&path), row, salt: to_hex(&salt) });
    }
    let mut batches = Vec::with_capacity(touched.len());
    for index in touched {
        let batch = blind_batch(request, index, &blinder, &list)?;
        let path = tree.path(index).filter(|_| digests.get(index as usize) == Some(batch.blinded_digest()));
        let path = path.ok_or_else(|| Failure::bug("a batch comes out otherwise"))?;
        batches.push(OpenedBatch { elements: to_hex(batch.elements().as_flattened()), index, path: hex_path(&path) });
    }
    let sample = Sample { batches, format: FORMAT.to_owned(), request_digest: to_hex(&request.digest()), rows, seed };
    let json = serde_json::to_vec(&sample).map_err(|_| Failure::bug("the sample could not be written as JSON"))?;
    let shown = args.output.display();
    write_atomically(&args.output, &json).map_err(|error| {
        Failure::input("output", format!("cannot write {shown}: {}", io_cause(&error)))
            .with_hint("choose an --output in a directory that this user may write")
    })?;
    reporter.json(&json!({
        "sample": shown.to_string(), "rows": sample.rows.len(), "batches": sample.batches.len(), "seed": seed, "bytes": json.len(),
        "request_digest": sample.request_digest,
    }));
    reporter.answer(&format!(
        "{} rows in {} batches are opened in {shown}, drawn by seed {seed}.\nThe file holds these rows and their blinds: it is personal data. An auditor checks it with\n  oblink-verifier audit open --sample {shown} --request request.json",
        sample.rows.len(),
        sample.batches.len(),
    ));
    Ok(())
}

fn hex_path(path: &[Hash]) -> Vec<String> {
    path.iter().map(|hash| to_hex(hash)).collect()
}

fn check_output(source: &Source, output: &Path) -> Result<(), Failure> {
    match source {
        Source::Stdin => Err(Failure::usage("no_stdin", "a sample's input is read twice, so it must be a file")
            .with_hint("give --input the path of the file of request new")),
        Source::File(input) => {
            match (fs::canonicalize(input), fs::canonicalize(output)) {
                (Ok(input), Ok(output)) if input == output => Err(Failure::input("output", "the output is the input")
                    .with_hint("choose another --output; the input is never written over")),
                _ => Ok(()),
            }
        }
    }
}

type Fields = (u64, Vec<(String, String)>);

/// Number and fields of the rows of these pairs, by a second reading.
fn fields_of(file: &ListFile, list: &List, drawn: &[u64]) -> Result<BTreeMap<u64, Fields>, Failure> {
    let wanted: BTreeSet<u64> = drawn.iter().copied().collect();
    let submitted = list.rows().filter(|(_, _, reason)| reason.is_none()).map(|(number, _, _)| number);
    let pairs_of: BTreeMap<u64, u64> = submitted.zip(0..).filter(|(_, pair)| wanted.contains(pair)).collect();
    let mut found = BTreeMap::new();
    let summary = file.open()?.for_each_chunk(|chunk| {
        let numbers = chunk.first_number()..chunk.first_number() + chunk.len() as u64;
        for (number, pair) in pairs_of.range(numbers) {
            let index = (number - chunk.first_number()) as usize;
            let fields = chunk.fields(index).map(|(field, text)| (field.name().to_owned(), text.to_owned())).collect();
            found.insert(*pair, (*number, fields));
        }
        Ok(())
    })?;
    if summary.sha256 == list.summary.sha256 {
        Ok(found)
    } else {
        Err(Failure::input("input_changed", "the input changed while it was read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_is_of_different_pairs_and_the_seeds() {
        let drawn = draw(&[1; 32], 7, 1_000, 200);
        assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 200);
        assert!(drawn.iter().all(|pair| *pair < 1_000));
        assert_eq!(drawn[..50], draw(&[1; 32], 7, 1_000, 50));
        assert!(drawn != draw(&[1; 32], 8, 1_000, 200) && drawn != draw(&[2; 32], 7, 1_000, 200));
        assert_eq!(draw(&[1; 32], 7, 3, 200), [0, 1, 2]);
    }
}
