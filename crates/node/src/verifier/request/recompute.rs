//! A request's list and seeds, computed again: by `check` before anybody is asked, by officials before they sign, by auditors afterwards.

use oblink_linkage::Ruleset;
use oblink_session::blind::Blinder;
use oblink_session::commitment::{Salter, blinded_leaf};
use oblink_session::merkle::Accumulator;
use oblink_session::request::{Manifest, Request};
use oblink_session::verifier::{BatchPlan, BlindedBatch};
use rayon::prelude::*;

use super::directory::Secret;
use crate::failure::Failure;
use crate::frames::slices;
use crate::report::{Bar, Reporter};
use crate::rows::{CsvOptions, Field, FieldMap, RowReader, Source};
use crate::verifier::conditions::Conditions;
use crate::verifier::input::{Commitment, List};

/// Where a request's list is, and how it is read: with the columns that requests alone have.
pub(in crate::verifier) struct ListFile {
    source: Source,
    options: CsvOptions,
}

impl ListFile {
    /// `person_id` is the header of the column that tells persons apart, where it is not called so.
    pub(in crate::verifier) fn new(source: Source, mut options: CsvOptions, person_id: Option<&str>) -> Self {
        options.of_request = true;
        options.map.extend(person_id.map(|header| FieldMap { field: Field::PersonId, header: header.to_owned() }));
        Self { source, options }
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`RowReader::open`].
    pub(in crate::verifier) fn open(&self) -> Result<RowReader, Failure> {
        RowReader::open(&self.source, &self.options)
    }
}

/// Reads the list for a request: its columns, its conditions and its padding with it.
///
/// # Errors
/// Exit 3: as [`List::read`].
pub(in crate::verifier) fn read_list(
    file: &ListFile,
    ruleset: &'static Ruleset,
    conditions: Conditions,
    secret: &Secret,
    keep_leaves: bool,
    reporter: &Reporter,
) -> Result<List, Failure> {
    let commitment = Commitment { conditions, salter: Salter::new(&secret.salt_seed, secret.request_id), keep_leaves };
    List::read(file.open()?, ruleset, Some(&commitment), secret.pad_to, reporter)
}

/// Blinds batch `index` of a request anew, on all cores (SPEC BLD-1).
///
/// # Errors
/// A bug: the list does not have the request's tokens.
pub(in crate::verifier) fn blind_batch(request: &Request, index: u64, blinder: &Blinder, list: &List) -> Result<BlindedBatch, Failure> {
    let plan = BatchPlan::rehearsed(request, index).ok_or_else(|| Failure::bug("the request has no such batch"))?;
    let first = plan.first_token();
    let blind = |range: std::ops::Range<usize>| {
        let tokens = list.tokens(blinder, first + range.start as u64, range.len())?;
        Ok(plan.blind_slice(blinder, range, &tokens.iter().collect::<Vec<_>>())?)
    };
    let slices = slices(plan.len()).into_par_iter().map(blind).collect::<Result<Vec<_>, Failure>>()?;
    Ok(plan.assemble(slices)?)
}

/// The digests of all batches of a request, blinded anew on all cores; `bar` counts tokens.
///
/// # Errors
/// As [`blind_batch`].
pub(in crate::verifier) fn blind_all(request: &Request, blinder: &Blinder, list: &List, bar: &Bar) -> Result<Vec<[u8; 32]>, Failure> {
    let batches: Vec<u64> = (0..request.batches()).collect();
    let digest = |index: u64| {
        let batch = blind_batch(request, index, blinder, list)?;
        bar.add(batch.elements().len() as u64);
        Ok(*batch.blinded_digest())
    };
    batches.into_par_iter().map(digest).collect()
}

/// `blinded_root` over the digests of all batches (SPEC REQ-5).
pub(in crate::verifier) fn blinded_root(digests: &[[u8; 32]]) -> [u8; 32] {
    let mut tree = Accumulator::new();
    tree.extend(digests.iter().map(blinded_leaf));
    tree.root()
}

/// What of a request's own words its list does not bear out, by the names of its members. Counts and digests alone are compared.
pub(in crate::verifier) fn list_differences(manifest: &Manifest, list: &List) -> Vec<&'static str> {
    let committed = list.committed.as_ref();
    let dates = committed.map_or((0, 0), |committed| committed.order_dates);
    let members = [
        ("pairs", list.asked() == manifest.pairs),
        ("left_out", list.left_out() == manifest.left_out),
        ("list_root", committed.is_some_and(|committed| committed.list_root == manifest.list_root)),
        ("order_date_earliest", dates.0 == manifest.order_date_earliest),
        ("order_date_latest", dates.1 == manifest.order_date_latest),
    ];
    members.into_iter().filter(|(_, agrees)| !agrees).map(|(name, _)| name).collect()
}

/// Whether this is the request's ruleset, and says the same of itself.
pub(in crate::verifier) fn ruleset_differences(manifest: &Manifest, ruleset: &Ruleset) -> Vec<&'static str> {
    let members = [
        ("ruleset", ruleset.name() == manifest.ruleset),
        ("ruleset_digest", ruleset.digest() == manifest.ruleset_digest),
        ("tokens_per_pair", ruleset.tokens_per_pair() == manifest.tokens_per_pair),
        ("class", ruleset.class().as_str() == manifest.class),
    ];
    members.into_iter().filter(|(_, agrees)| !agrees).map(|(name, _)| name).collect()
}
