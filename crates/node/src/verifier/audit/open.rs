//! `audit open`: checks opened rows against the request that officials signed, without list or seeds (SPEC AUD-2).

use std::collections::{BTreeMap, BTreeSet};

use oblink_linkage::{Name, Row, Ruleset, Side, TokenArena, dummy_token};
use oblink_oprf::{NE, additive, hazmat};
use oblink_session::commitment::{ROW_FIELDS, blinded_leaf, row_leaf};
use oblink_session::merkle::{Hash, verify_inclusion};
use oblink_session::request::{Manifest, Request, from_hex, to_hex};
use oblink_session::wire::raw::blinded_digest;
use serde_json::json;

use super::sample::{FORMAT, OpenedBatch, OpenedRow, Sample, draw};
use crate::cli::AuditOpenArgs;
use crate::date::Date;
use crate::failure::{Failure, io_cause};
use crate::receipt_cmd::ReceiptFile;
use crate::report::Reporter;
use crate::verifier::request::directory::{RequestDirectory, read_bounded};
use crate::verifier::request::recompute::ruleset_differences;

/// The most bytes of a sample: 100,000 rows each in a batch of its own would be more, and nobody draws them.
const SAMPLE_BYTES_MAX: usize = 1 << 32;

/// Findings shown; the rest is counted.
const SHOWN: usize = 5;

/// Checks a sample.
///
/// # Errors
/// Exit 3: a file is missing or is none; exit 6: a row is not what was approved and sent.
pub(super) fn open(args: &AuditOpenArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = RequestDirectory::open(&args.request)?;
    let (request, manifest) = (directory.request(), directory.manifest()?);
    let ruleset = directory.ruleset(args.ruleset.as_deref())?;
    if !ruleset_differences(manifest, ruleset).is_empty() {
        return Err(Failure::input("ruleset_mismatch", "the ruleset that is here of that name is another than the request's").with_hint(
            "use the version of oblink that made the request; where its ruleset is of somebody's own, give its file with --ruleset",
        ));
    }
    let shown = args.sample.display();
    let bytes = read_bounded(&args.sample, SAMPLE_BYTES_MAX).map_err(|error| {
        Failure::input("no_sample", format!("cannot read the sample {shown}: {}", io_cause(&error))).with_hint("audit sample makes one")
    })?;
    let sample: Sample = serde_json::from_slice(&bytes).ok().filter(|sample: &Sample| sample.format == FORMAT).ok_or_else(|| {
        Failure::input("bad_sample", format!("{shown} is not a sample of opened rows")).with_hint("audit sample makes one")
    })?;
    let findings = match &args.receipt {
        Some(path) => receipt_findings(&ReceiptFile::read(path)?, request, manifest),
        None => Vec::new(),
    };
    let findings = [findings, asked_findings(args, &sample, manifest.pairs), check(&sample, request, manifest, ruleset)].concat();

    let padding = sample.rows.iter().filter(|row| row.row == 0).count();
    reporter.json(&json!({
        "audit": "sample", "request_digest": to_hex(&request.digest()), "rows": sample.rows.len(), "padding": padding, "batches": sample.batches.len(), "seed": sample.seed,
        "seed_compared": args.seed.is_some(), "n_compared": args.n.is_some(), "agrees": findings.is_empty(), "findings": findings,
    }));
    if findings.is_empty() {
        let asked = match (args.seed, args.n) {
            (Some(_), Some(_)) => "Seed and number are those that you gave.",
            (Some(_), None) => "The number of rows was not compared: give --n.",
            (None, Some(_)) => "The seed was not compared with your own: give --seed. Whoever chooses the seed chooses the rows.",
            (None, None) => {
                "Seed and number were not compared with your own: give --seed and --n. Whoever chooses the seed chooses the rows."
            }
        };
        let padded = if padding > 0 { format!(" {padding} of them are padding, and ask about nobody.") } else { String::new() };
        reporter.answer(&format!(
            "{} of {} pairs, drawn by seed {}, are what was approved: each row is under list_root, and its blinded tokens are in batches under blinded_root.{padded}\n{asked} A sample says of the other rows what a sample says.",
            sample.rows.len(),
            manifest.pairs,
            sample.seed,
        ));
        return Ok(());
    }
    let more = findings.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let what = findings.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    Err(Failure::peer("sample_differs", format!("the sample is not of what was approved: {what}{more}"))
        .with_hint("keep the sample and the request: they show it to anybody"))
}

/// Whether it is the sample that the auditor asked for, who alone is to choose its rows.
fn asked_findings(args: &AuditOpenArgs, sample: &Sample, pairs: u64) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(seed) = args.seed.filter(|seed| *seed != sample.seed) {
        findings.push(format!("it was drawn by seed {}, and not by {seed}", sample.seed));
    }
    if let Some(n) = args.n.filter(|n| *n.min(&pairs) != sample.rows.len() as u64) {
        findings.push(format!("it has {} rows where {} were asked for", sample.rows.len(), n.min(pairs)));
    }
    findings
}

fn receipt_findings(file: &ReceiptFile, request: &Request, manifest: &Manifest) -> Vec<String> {
    if let Err(what) = file.check() {
        return vec![format!("the receipt does not hold: {what}")];
    }
    let members = [
        ("request", file.bytes("request_digest") == Some(request.digest())),
        ("holder", file.bytes("holder") == Some(manifest.holder)),
        ("verifier", file.bytes("verifier") == Some(manifest.verifier)),
        ("number of tokens", file.number("tokens") == request.tokens()),
    ];
    members.iter().filter(|(_, agrees)| !agrees).map(|(name, _)| format!("the receipt is of another {name}")).collect()
}

/// Everything that is wrong with a sample, in words. Row numbers, never values.
fn check(sample: &Sample, request: &Request, manifest: &Manifest, ruleset: &Ruleset) -> Vec<String> {
    let mut findings = Vec::new();
    if from_hex(&sample.request_digest) != Some(request.digest()) {
        return vec!["it is of another request".to_owned()];
    }
    let due = draw(&request.digest(), sample.seed, manifest.pairs, sample.rows.len() as u64);
    if sample.rows.is_empty() || !sample.rows.iter().map(|row| row.pair).eq(due) {
        findings.push("its rows are not those that its seed draws".to_owned());
    }
    let mut batches = BTreeMap::new();
    for batch in &sample.batches {
        match elements(batch, request, manifest) {
            Some(elements) => {
                batches.insert(batch.index, elements);
            }
            None => findings.push(format!("batch {} is not under blinded_root", batch.index)),
        }
    }
    for row in &sample.rows {
        if let Err(what) = check_row(row, request, manifest, ruleset, &batches) {
            let which = if row.row == 0 { format!("pair {} (padding)", row.pair) } else { format!("row {}", row.row) };
            findings.push(format!("{which}: {what}"));
        }
    }
    findings
}

fn path(text: &[String]) -> Option<Vec<Hash>> {
    text.iter().map(|hash| from_hex(hash)).collect()
}

/// The elements of a batch, once they are under `blinded_root`.
fn elements(batch: &OpenedBatch, request: &Request, manifest: &Manifest) -> Option<Vec<[u8; NE]>> {
    let (_, tokens) = request.batch(batch.index)?;
    let (digits, rest) = batch.elements.as_bytes().as_chunks::<{ 2 * NE }>();
    if !rest.is_empty() || digits.len() != tokens as usize {
        return None;
    }
    let elements: Vec<[u8; NE]> = digits.iter().map(|digits| from_hex(std::str::from_utf8(digits).ok()?)).collect::<Option<_>>()?;
    let leaf = blinded_leaf(&blinded_digest(batch.index, &elements));
    verify_inclusion(&leaf, batch.index, request.batches(), &path(&batch.path)?, &manifest.blinded_root).then_some(elements)
}

fn check_row(
    row: &OpenedRow,
    request: &Request,
    manifest: &Manifest,
    ruleset: &Ruleset,
    batches: &BTreeMap<u64, Vec<[u8; NE]>>,
) -> Result<(), &'static str> {
    let places: Option<Vec<usize>> = row.fields.iter().map(|(name, _)| ROW_FIELDS.iter().position(|known| known == name)).collect();
    // Row 0 is no row: such a pair is padding, and all its slots are dummies (SPEC PAD-2).
    let is_padding = row.row == 0;
    if is_padding != row.fields.is_empty() || !places.is_some_and(|places| places.is_sorted_by(|a, b| a < b)) {
        return Err("its fields are not a row's");
    }
    let fields: Vec<(&str, &str)> = row.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let salt = from_hex(&row.salt).ok_or("its salt is none")?;
    let leaf = row_leaf(&salt, row.pair, row.row, &fields).map_err(|_| "a field of it is too long")?;
    let path = path(&row.path).ok_or("its path is none")?;
    if !verify_inclusion(&leaf, row.pair, manifest.pairs, &path, &manifest.list_root) {
        return Err("it is not under list_root");
    }
    let mut tokens = Vec::new();
    if !is_padding {
        check_conditions(&fields, manifest)?;
        tokens.extend(own_tokens(&fields, ruleset)?);
    }
    for dummy in &row.dummies {
        let content = from_hex(dummy).ok_or("a dummy of it is none")?;
        tokens.push(dummy_token(&manifest.ruleset_digest, &content));
    }
    if tokens.len() != row.blinds.len() || tokens.len() != usize::from(manifest.tokens_per_pair) {
        return Err("it does not have as many tokens as a pair has");
    }
    for ((token, blind), index) in tokens.iter().zip(&row.blinds).zip(row.pair * u64::from(manifest.tokens_per_pair)..) {
        let batch = index / u64::from(manifest.batch_tokens);
        let (first, _) = request.batch(batch).ok_or("the request has no such batch")?;
        let sent = batches.get(&batch).and_then(|elements| elements.get((index - first) as usize)).ok_or("its batch is not there")?;
        let blind = from_hex(blind).and_then(|bytes| hazmat::blind_from_bytes(&bytes).ok()).ok_or("a blind of it is none")?;
        let mut element = [[0; NE]];
        additive::blind_slice(&[token], &[blind], &mut element).map_err(|_| "a token of it cannot be blinded")?;
        if element != [*sent] {
            return Err("what was sent at its place is not its token under its blind");
        }
    }
    Ok(())
}

fn check_conditions(fields: &[(&str, &str)], manifest: &Manifest) -> Result<(), &'static str> {
    let value = |name: &str| fields.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    if manifest.required_columns.iter().any(|name| value(name).is_empty()) {
        return Err("it has nothing in a required column");
    }
    if manifest.addresses_per_person_max > 0 && value("person_id").is_empty() {
        return Err("it has no person_id");
    }
    if manifest.required_columns.contains("order_date") {
        let dates = manifest.order_date_earliest..=manifest.order_date_latest;
        if !value("order_date").parse::<Date>().is_ok_and(|date| dates.contains(&date.yyyymmdd())) {
            return Err("its order_date is not within the request's");
        }
    }
    Ok(())
}

/// The tokens of a row by the ruleset.
fn own_tokens(fields: &[(&str, &str)], ruleset: &Ruleset) -> Result<Vec<Vec<u8>>, &'static str> {
    let by_name: BTreeMap<&str, &str> = fields.iter().copied().collect();
    let names: BTreeSet<&str> = by_name.keys().copied().collect();
    let of = |name: &str| by_name.get(name).copied().unwrap_or_default();
    let name = if names.contains("name") {
        Name::Whole(of("name"))
    } else {
        Name::Parts { given: of("given_name"), middle: of("middle_name"), family: of("family_name"), suffix: of("suffix") }
    };
    let address = if of("street").is_empty() { of("address") } else { of("street") };
    let view = Row { name, address, unit: of("unit"), city: of("city"), state: of("state"), postal_code: of("postal_code") };
    let mut arena = TokenArena::new();
    ruleset.tokenize(Side::Verifier, &view, &mut arena).map_err(|_| "the ruleset leaves it out")?;
    Ok(arena.iter().map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AUD-2
    #[test]
    fn a_sample_is_the_one_that_was_asked_for() {
        let row = || OpenedRow {
            blinds: Vec::new(),
            dummies: Vec::new(),
            fields: Vec::new(),
            pair: 0,
            path: Vec::new(),
            row: 1,
            salt: String::new(),
        };
        let sample =
            Sample { batches: Vec::new(), format: FORMAT.to_owned(), request_digest: String::new(), rows: vec![row(), row()], seed: 7 };
        let found = |seed, n, pairs| {
            let args = AuditOpenArgs { sample: "s".into(), request: "r".into(), receipt: None, seed, n, ruleset: None };
            asked_findings(&args, &sample, pairs).len()
        };
        assert_eq!(found(None, None, 9), 0);
        assert_eq!(found(Some(7), Some(2), 9), 0);
        assert_eq!(found(Some(7), Some(200), 2), 0, "all pairs");
        assert_eq!((found(Some(8), Some(2), 9), found(Some(7), Some(3), 9), found(Some(8), Some(1), 9)), (1, 1, 2));
    }
}
