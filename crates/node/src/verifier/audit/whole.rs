//! The audit of a whole request: everything is computed again from list and seeds, and compared with request, receipt and the holder's log.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use oblink_session::blind::Blinder;
use oblink_session::head::LogHead;
use oblink_session::merkle::{Accumulator, leaf};
use oblink_session::request::{Manifest, from_hex, to_hex};
use oblink_store::Error as StoreError;
use oblink_store::ledger::{Extract, VerifiedExtract};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::account::{Account, Booked, Claimed, account};
use super::officials;
use crate::cli::AuditArgs;
use crate::date::rfc3339;
use crate::failure::{Failure, io_cause};
use crate::kept_head::KeptHead;
use crate::receipt_cmd::ReceiptFile;
use crate::report::Reporter;
use crate::rows::Source;
use crate::verifier::conditions::Conditions;
use crate::verifier::request::directory::{RequestDirectory, Secret};
use crate::verifier::request::recompute::{ListFile, blind_all, blinded_root, list_differences, read_list, ruleset_differences};

/// The most bytes of a line of an extract.
const LINE_BYTES_MAX: u64 = 1 << 23;

/// Audits a request.
///
/// # Errors
/// Exit 3: a file of one's own is missing, or is not what the request commits to: without list and seeds there is no audit. Exit 6: what the
/// holder says is not that exactly the approved batches were charged, each once.
pub(super) fn audit(args: &AuditArgs, reporter: &Reporter) -> Result<(), Failure> {
    let given = |path: &Option<std::path::PathBuf>| path.clone().ok_or_else(|| Failure::bug("the parser let a path be missing"));
    let (request, input, receipt, extract) =
        (given(&args.request)?, given(&args.input)?, given(&args.receipt)?, given(&args.ledger_extract)?);
    let directory = RequestDirectory::open(&request)?;
    let manifest = directory.manifest()?;
    let secret = Secret::read(&directory.secret())?;
    let claimed = claimed(&receipt, &directory)?;
    let policy = match (&args.policy, &args.allowed_signers) {
        (Some(policy), Some(signers)) => Some(officials::read(policy, signers)?),
        _ => None,
    };

    // What others and this verifier were told of the log, and what its log must then be.
    let mut told = vec![("the receipt", receipt_head(&receipt, claimed.ledger_size)?)];
    for path in &args.head {
        told.push(("a head that was kept", read_head(path, manifest)?));
    }
    let sizes: Vec<u64> = told.iter().map(|(_, head)| head.size).collect();
    let (extract, roots) = read_extract(&extract, manifest, &sizes)?;
    if told.iter().any(|(_, head)| extract.head.head.size < head.size) {
        return Err(Failure::input("old_extract", "the extract ends before the receipt was made, or before a head that was kept")
            .with_hint("ask the holder for a new one: ledger extract"));
    }
    let digests = recompute(args, &input, &directory, &secret, reporter)?;
    let mut account = account(&extract, directory.request(), &digests, &claimed);
    for ((whose, head), root) in told.iter().zip(roots) {
        if head.root != root {
            let what = format!("at {} entries the log is not the one of {whose}: the holder keeps two", head.size);
            account.findings.insert(0, ("other_ledger", what));
        }
    }
    let mut verified = false;
    if let (Some(policy), Some(audited)) = (&policy, &account.audited) {
        let set_as_of = u32::try_from(ReceiptFile::read(&receipt)?.number("as_of")).unwrap_or_default();
        let finding = officials::verify(
            policy,
            directory.request(),
            directory.ruleset(args.ruleset.as_deref())?,
            manifest,
            &audited.admission,
            set_as_of,
        )?;
        verified = finding.is_none();
        account.findings.extend(finding);
    }
    say(&directory, &extract, &account, verified, reporter);
    if account.findings.is_empty() {
        return Ok(());
    }
    let what = account.findings.iter().map(|(_, what)| what.as_str()).take(5).collect::<Vec<_>>().join("; ");
    let more = account.findings.len().saturating_sub(5);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Failure::peer("charged_otherwise", format!("what the holder charged is not the approved list: {what}{more}"))
        .with_hint("keep all files as they are: request, receipt and extract are signed, and show it to anybody"))
}

fn claimed(path: &Path, directory: &RequestDirectory) -> Result<Claimed, Failure> {
    let (request, manifest) = (directory.request(), directory.manifest()?);
    let file = ReceiptFile::read(path)?;
    let receipt = file.check().map_err(|what| {
        Failure::input("bad_receipt", format!("the receipt does not hold: {what}"))
            .with_hint("take the one that the session left in the request's directory")
    })?;
    let members = [
        ("request", file.bytes("request_digest") == Some(request.digest())),
        ("holder", file.bytes("holder") == Some(manifest.holder)),
        ("verifier", file.bytes("verifier") == Some(manifest.verifier)),
        ("number of pairs", file.number("pairs") == request.pairs()),
        ("number of tokens", file.number("tokens") == request.tokens()),
        ("number of batches", file.number("batches") == request.batches()),
    ];
    if let Some((name, _)) = members.iter().find(|(_, agrees)| !agrees) {
        return Err(Failure::input("other_receipt", format!("the receipt is of another {name}"))
            .with_hint("give the receipt of this request's own session: receipt.json of its directory"));
    }
    let missing = || Failure::bug("a receipt that holds lacks a member");
    Ok(Claimed {
        session: file.bytes("session").ok_or_else(missing)?,
        policy: file.bytes("policy"),
        epoch: file.bytes("epoch").ok_or_else(missing)?,
        set_id: file.bytes("set_id").ok_or_else(missing)?,
        ledger_size: file.number("ledger_size"),
        verifier_certificate: receipt.verifier_certificate,
        body: receipt.body,
    })
}

fn receipt_head(path: &Path, size: u64) -> Result<LogHead, Failure> {
    let root = ReceiptFile::read(path)?.bytes("ledger_root").ok_or_else(|| Failure::bug("a receipt that holds lacks a member"))?;
    Ok(LogHead { size, root })
}

/// A head of the holder's ledger that was kept. Its statement must hold, so that nothing is laid at the holder's door that it did not say; one
/// without was in a receipt, and is this home's own word.
fn read_head(path: &Path, manifest: &Manifest) -> Result<LogHead, Failure> {
    KeptHead::read(path, &manifest.holder).map(|kept| kept.head).map_err(|fault| {
        Failure::input("bad_head", format!("{}: {fault}", path.display()))
            .with_hint("a head is what the holder's ledger head exports, a file of heads/ of this verifier's home, or a receipt")
    })
}

fn recompute(
    args: &AuditArgs,
    input: &Path,
    directory: &RequestDirectory,
    secret: &Secret,
    reporter: &Reporter,
) -> Result<Vec<[u8; 32]>, Failure> {
    let manifest = directory.manifest()?;
    let ruleset = directory.ruleset(args.ruleset.as_deref())?;
    let other_list = |differences: &[&str]| {
        Failure::input("other_list", format!("list and seeds are not what the request commits to: {}", differences.join(", ")))
            .with_hint("without the list and the secret part of the request there is no audit; compare --input, --map and --person-id with those of request new")
    };
    let mut differences = ruleset_differences(manifest, ruleset);
    if !secret.belongs_to(manifest) {
        differences.push("blind_seed_digest");
    }
    if !differences.is_empty() {
        return Err(other_list(&differences));
    }
    let conditions = Conditions::of_request(manifest, secret.as_of)?;
    let file = ListFile::new(Source::from_path(input), args.format.options(), args.person_id.as_deref());
    let list = read_list(&file, ruleset, conditions, secret, false, reporter)?;
    let differences = list_differences(manifest, &list);
    if !differences.is_empty() {
        return Err(other_list(&differences));
    }
    let bar = reporter.count_bar("blinding", directory.request().tokens());
    let digests = blind_all(directory.request(), &Blinder::new(&secret.blind_seed, secret.request_id), &list, &bar)?;
    bar.finish();
    if blinded_root(&digests) == manifest.blinded_root { Ok(digests) } else { Err(other_list(&["blinded_root"])) }
}

/// The extract, checked whole, and the roots that its log had at these numbers of entries.
fn read_extract(path: &Path, manifest: &Manifest, sizes: &[u64]) -> Result<(VerifiedExtract, Vec<[u8; 32]>), Failure> {
    let shown = path.display();
    let open = || {
        File::open(path).map(BufReader::new).map_err(|error| {
            Failure::input("no_extract", format!("cannot read the ledger's extract {shown}: {}", io_cause(&error)))
                .with_hint("ask the holder for it: ledger extract")
        })
    };
    let extract = Extract::read(&mut open()?, &manifest.holder, &manifest.verifier).map_err(|error| match error {
        StoreError::Extract(fault) => Failure::peer("bad_extract", format!("the ledger's extract proves nothing: {fault}"))
            .with_hint("ask the holder for another; if that is no better, keep both"),
        other => other.into(),
    })?;
    let changed = || Failure::input("no_extract", format!("{shown} changed while it was read"));
    let (size, root) = (extract.head.head.size, extract.head.head.root);
    let mut all = roots_at(&mut open()?, &[sizes, &[size]].concat()).ok_or_else(changed)?;
    if all.pop() == Some(root) { Ok((extract, all)) } else { Err(changed()) }
}

/// What of a line of an extract its leaf is made of (SPEC LED-1, LED-7).
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_digest: Option<String>,
    kind: u8,
    party: String,
    unix_ms: u64,
}

/// The roots over the first so many entries of an extract that was checked; zeros where there are fewer.
fn roots_at(reader: &mut impl BufRead, sizes: &[u64]) -> Option<Vec<[u8; 32]>> {
    let mut roots = vec![[0; 32]; sizes.len()];
    let mut log = Accumulator::new();
    let mut buffer = Vec::new();
    reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut buffer).ok()?;
    loop {
        for (root, _) in roots.iter_mut().zip(sizes).filter(|(_, size)| **size == log.len()) {
            *root = log.root();
        }
        buffer.clear();
        if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut buffer).ok()? == 0 {
            return Some(roots);
        }
        let line: Line = serde_json::from_slice(&buffer).ok()?;
        let digest: [u8; 32] = match (line.body, line.body_digest) {
            (Some(body), _) => Sha256::digest(body).into(),
            (None, digest) => from_hex(&digest?)?,
        };
        let party: [u8; 32] = from_hex(&line.party)?;
        log.append(leaf(&[&[line.kind][..], &line.unix_ms.to_be_bytes(), &party, &digest].concat()));
    }
}

fn booked(booked: &Booked) -> Value {
    json!({
        "session": to_hex(&booked.session), "request_id": to_hex(&booked.request_id), "request_digest": to_hex(&booked.request_digest),
        "accepted": time(booked.accepted_unix_ms), "pairs": booked.pairs, "charged_batches": booked.batches, "charged_tokens": booked.tokens,
        "signers": booked.signers().collect::<Vec<_>>(),
    })
}

fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn say(directory: &RequestDirectory, extract: &VerifiedExtract, account: &Account, verified: bool, reporter: &Reporter) {
    let request = directory.request();
    reporter.json(&json!({
        "audit": "whole",
        "request_id": to_hex(request.id()),
        "request_digest": to_hex(&request.digest()),
        "agrees": account.findings.is_empty(),
        "findings": account.findings.iter().map(|(code, what)| json!({ "code": code, "what": what })).collect::<Vec<_>>(),
        "signers_verified": verified,
        "charged": account.audited.as_ref().map(booked),
        "other_requests": account.others.iter().map(booked).collect::<Vec<_>>(),
        "ledger_size": extract.head.head.size,
        "ledger_root": to_hex(&extract.head.head.root),
        "ledger_unix_ms": extract.head.unix_ms,
    }));
    let mut lines = vec![
        format!("request     {}, digest {}", to_hex(request.id()), to_hex(&request.digest())),
        "list        rows, counts, salts, seed and every batch come out as the officials signed them".to_owned(),
        format!("log         {} entries, head of {}", extract.head.head.size, time(extract.head.unix_ms)),
    ];
    if let Some(audited) = &account.audited {
        lines.push(format!(
            "charged     {} of {} batches, {} of {} tokens, session {}",
            audited.batches,
            request.batches(),
            audited.tokens,
            request.tokens(),
            to_hex(&audited.session)
        ));
        let word = if verified { "verified" } else { "named by the holder, not verified: give --policy and --allowed-signers" };
        lines.extend(audited.signers().map(|signer| format!("signed by   {signer}: {word}")));
    }
    for other in &account.others {
        lines.push(format!(
            "besides     {}: request {} of {} pairs, {} tokens charged",
            time(other.accepted_unix_ms),
            to_hex(&other.request_id),
            other.pairs,
            other.tokens
        ));
    }
    if account.others.is_empty() {
        lines.push("besides     nothing was charged to this verifier".to_owned());
    }
    lines.extend(account.findings.iter().map(|(code, what)| format!("FOUND       {code}: {what}")));
    if account.findings.is_empty() {
        lines.push("What the holder charged for this request is the approved list, each batch once, no more and no fewer.".to_owned());
    }
    reporter.answer(&lines.join("\n"));
}
