//! `ledger account` and `ledger disclosures`: which records a verifier said had matched (SPEC DIS-3).

use std::collections::HashSet;
use std::fs;
use std::time::SystemTime;

use oblink_linkage::{Ruleset, Side};
use oblink_quic::Fingerprint;
use oblink_session::ledger::LedgerError;
use oblink_session::receipt::Receipt;
use oblink_session::request::{Request, from_hex, to_hex};
use oblink_session::tag::{TagPrefix, Tau};
use oblink_store::Error as StoreError;
use oblink_store::ledger::{SessionRow, SqliteLedger};
use serde::Deserialize;
use serde_json::json;

use super::{label, time};
use crate::cli::{LedgerAccountArgs, LedgerDisclosuresArgs};
use crate::date::unix_ms;
use crate::failure::{Failure, io_cause};
use crate::holder::crowds::Placing;
use crate::holder::{epochs, operator};
use crate::home::Home;
use crate::pipeline::for_each_ordered;
use crate::random::system_bytes;
use crate::report::Reporter;
use crate::rows::{InputSummary, RowReader, Source};
use crate::ruleset::HomeRulesets;
use crate::tokens::{rows_at_once, tokenize};

/// What booking needs of a receipt's body.
#[derive(Deserialize)]
struct Body {
    holder: String,
    session: String,
    tau: u8,
}

/// A receipt of this holder's, and the session that it is of.
fn read_receipt(args: &LedgerAccountArgs, home: &Home, ledger: &SqliteLedger) -> Result<(Body, SessionRow), Failure> {
    let path = args.receipt.display();
    let bad =
        |what: &str| Failure::input("receipt", format!("{path}: {what}")).with_hint("--receipt takes the session's file in HOME/receipts");
    let text = fs::read_to_string(&args.receipt).map_err(|error| bad(&io_cause(&error)))?;
    let receipt = Receipt::from_json(&text).map_err(|error| bad(&error.to_string()))?;
    let body: Body = serde_json::from_slice(&receipt.body).map_err(|_| bad("it is not a receipt of this version"))?;
    if from_hex(&body.holder) != Some(*home.fingerprint().as_bytes()) {
        return Err(bad("it is another holder's"));
    }
    let session = from_hex(&body.session).map(|session_id| ledger.session(&session_id)).transpose()?.flatten();
    let session = session.ok_or_else(|| bad("the ledger has no such session"))?;
    if ledger.receipt(&session.session_id)?.map(|row| row.body) != Some(receipt.body) {
        return Err(Failure::peer("receipt_differs", format!("{path}: the ledger has another receipt of this session"))
            .with_hint("run `ledger verify`, and find out where this receipt is from"));
    }
    Ok((body, session))
}

/// SHA-256 of the records that the session's set was sealed from, where one was taken.
fn input_digest(ledger: &SqliteLedger, session: &SessionRow) -> Result<Option<[u8; 32]>, Failure> {
    if let Some(row) = ledger.epochs()?.into_iter().find(|row| row.offer.set_id == session.set_id) {
        return Ok(row.input_digest);
    }
    Ok(ledger.earlier_sets()?.into_iter().find(|row| row.set_id == session.set_id).and_then(|row| row.input_digest))
}

/// The records whose tags were returned.
struct Matched {
    record_ids: Vec<String>,
    tags: HashSet<u128>,
    summary: InputSummary,
}

/// Finds the records of these tags, on all cores. Records give the tokens that they were sealed with: whether their place is crowded is counted anew.
fn find(
    args: &LedgerAccountArgs,
    keys: &oblink_session::epoch::EpochKeys,
    ruleset: &Ruleset,
    tau: Tau,
    due: &HashSet<u128>,
    reporter: &Reporter,
) -> Result<Matched, Failure> {
    let open = || RowReader::open(&Source::from_path(&args.records), &args.format.options());
    let reader = open()?;
    let placing = Placing::of(ruleset, &reader, reporter);
    let (crowds, mut reader) = placing.count(reader, open, ruleset, reporter)?;
    reader.limit_chunks(rows_at_once(ruleset));
    let bar = reporter.bytes_bar(placing.verb("booking", "booking (2 of 2)"), reader.bytes_total(), reader.bytes_read());
    let (mut record_ids, mut tags) = (Vec::new(), HashSet::new());
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| {
            let chunk_tokens = tokenize(ruleset, &chunk, |view| Side::Holder(crowds.place(ruleset, view)));
            let tokens: Vec<&[u8]> = chunk_tokens.tokens.iter().collect();
            let mut prefixes = vec![TagPrefix(0); tokens.len()];
            keys.tag_prefixes(&tokens, &mut prefixes)?;
            let (mut found, mut first) = (Vec::new(), 0);
            for (row, count) in chunk_tokens.rows.iter().enumerate() {
                let Ok(count) = count else { continue };
                let own = prefixes.get(first..first + count).unwrap_or_default();
                first += count;
                let hits: Vec<u128> = own.iter().map(|prefix| tau.truncate(*prefix).0).filter(|tag| due.contains(tag)).collect();
                if !hits.is_empty() {
                    let view = chunk.row(row).ok_or_else(|| Failure::bug("a row is missing"))?;
                    found.push((view.id.to_owned(), hits));
                }
            }
            Ok(found)
        },
        |found| {
            for (id, hits) in found {
                record_ids.push(id);
                tags.extend(hits);
            }
            bar.update();
            Ok(())
        },
    )?;
    bar.finish();
    let summary = reader.summary();
    crowds.check(&summary)?;
    Ok(Matched { record_ids, tags, summary })
}

/// Books the records that a verifier said had matched in a session.
pub(super) fn account(args: &LedgerAccountArgs, home: &Home, ledger: &mut SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let (body, session) = read_receipt(args, home, ledger)?;
    if session.disclosure != "matched_tags" {
        return Err(Failure::input("nothing_to_book", format!("the session's request agreed to disclose: {}", session.disclosure))
            .with_hint("only matched tags are booked by record; see `ledger show`"));
    }
    let Some(disclosure) = ledger.disclosure(&session.session_id)? else {
        return Err(Failure::input("not_disclosed", "the verifier has not returned the matched tags of this session yet")
            .with_hint("it sends them when its results are written: ask its operator to run the same check again"));
    };
    if let Some(records) = disclosure.booked {
        return Err(Failure::input("booked_already", format!("this session is booked already: {records} records"))
            .with_hint("see `ledger disclosures --record ID`"));
    }
    let epochs_of = ledger.epochs()?;
    let epoch = epochs_of.iter().find(|row| row.offer.descriptor.epoch_id == session.epoch_id);
    if epoch.is_none_or(|row| row.ended.is_some()) {
        return Err(Failure::input(
            "epoch_key_gone",
            "the session's epoch has ended and its key is destroyed: nobody can tell any more which records these tags are of",
        )
        .with_hint("epochs do not end while tags are unbooked, unless somebody says --unbooked: see the ledger for who did"));
    }
    let keys = epochs::read_keys(home, &session.epoch_id)?;
    let digest = epoch.map(|row| row.offer.descriptor.ruleset_digest).ok_or_else(|| Failure::bug("an epoch is missing"))?;
    let ruleset = HomeRulesets::read(home)?.of_digest(&digest)?;
    let tau = epoch
        .map(|row| row.offer.descriptor.tau)
        .filter(|tau| tau.to_byte() == body.tau)
        .or_else(|| (1..=40).find_map(|bits| Tau::for_counts(1 << bits, 1).filter(|tau| tau.to_byte() == body.tau)))
        .or_else(|| (1..=40).find_map(|bits| Tau::for_counts(1 << 40, 1 << bits).filter(|tau| tau.to_byte() == body.tau)))
        .ok_or_else(|| Failure::input("receipt", "the receipt's tags have a length that there is not"))?;
    let due: HashSet<u128> = ledger.disclosed_tags(&session.session_id)?.into_iter().collect();
    let matched = find(args, &keys, ruleset, tau, &due, reporter)?;
    if input_digest(ledger, &session)?.is_some_and(|digest| digest != matched.summary.sha256) {
        return Err(Failure::input(
            "other_records",
            "these are not the records that the session's set was sealed from: the file's SHA-256 differs",
        )
        .with_hint("nothing was booked; `ledger show --json` has input_sha256 of every set"));
    }
    let unknown = due.len() - matched.tags.len();
    let operator = operator::name(&args.operator);
    let salt = system_bytes()?;
    let records =
        ledger.book(&session.session_id, matched.record_ids, &salt, &operator, unix_ms(SystemTime::now())).map_err(
            |error| match error {
                StoreError::Ledger(LedgerError::DisclosureNotDue) => Failure::input("booked_already", "this session was booked meanwhile"),
                other => other.into(),
            },
        )?;
    if unknown > 0 {
        reporter.warn(&format!(
            "{unknown} of {} tags are of none of these records: the verifier returned tags that it cannot have matched",
            due.len()
        ));
        reporter.help("the account says what it said; tell the officials of both sides");
    }
    reporter.json(&json!({
        "booked": records, "session": to_hex(&session.session_id), "matched_pairs": disclosure.matched, "tags": due.len(), "unknown_tags": unknown,
        "operator": operator,
    }));
    reporter.answer(&format!("{records} records booked as disclosed in session {}", &to_hex(&session.session_id)[..16]));
    Ok(())
}

/// To whom, when and for what a record was disclosed.
pub(super) fn disclosures(args: &LedgerDisclosuresArgs, home: &Home, ledger: &SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let peers = home.peers()?;
    let rows = ledger.disclosures_of(&args.record)?;
    for row in &rows {
        let request = Request::parse(&row.request).ok();
        let manifest = request.as_ref().and_then(Request::manifest);
        let verifier = label(&peers, &row.verifier);
        reporter.json(&json!({
            "session": to_hex(&row.session_id), "verifier": verifier, "fingerprint": Fingerprint::from_bytes(row.verifier).to_string(),
            "verifier_name": manifest.map(|manifest| &manifest.verifier_name), "request_id": to_hex(&row.request_id),
            "purpose": manifest.map(|manifest| &manifest.purpose), "legal_basis": manifest.map(|manifest| &manifest.legal_basis),
            "at": time(row.completed_unix_ms), "booked": time(row.booked_unix_ms),
        }));
        reporter.answer(&format!(
            "{}  to {verifier}, session {}: {}",
            time(row.completed_unix_ms),
            &to_hex(&row.session_id)[..16],
            manifest.map_or("", |manifest| &manifest.purpose)
        ));
    }
    if rows.is_empty() {
        reporter.answer("no disclosure of this record is booked");
    }
    // Whose records matched in those nobody can say yet, or ever where the key is gone: no answer to a data subject may pass over them.
    let mut unbooked = 0;
    for epoch in ledger.epochs()? {
        unbooked += ledger.unbooked(&epoch.offer.descriptor.epoch_id)?.len();
    }
    if unbooked > 0 {
        reporter.json(&json!({ "unbooked_sessions": unbooked }));
        reporter.warn(&format!(
            "sessions whose disclosures are not booked: {unbooked}. Whether this record is among what matched in them is not known here; book them with \
             ledger account while their epoch's key lasts"
        ));
    }
    Ok(())
}
