//! Heads for witnesses: what somebody else keeps, so that a ledger that was put back or forked is found out (SPEC LED-3).
//!
//! A file of one line, canonical JSON: `certificate`, `format`, `holder`, `root`, `signature`, `size`, `unix_ms`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oblink_quic::Fingerprint;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::request::{from_hex, to_hex};
use oblink_session::statement::CertifiedKey;
use oblink_store::ledger::SqliteLedger;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{signed_now, time};
use crate::cli::LedgerHeadArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;
use crate::report::Reporter;

const FORMAT: &str = "oblink/head-file/1";
/// Far more than such a file has.
const BYTES_MAX: u64 = 4_096;

// Members in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    certificate: String,
    format: String,
    holder: String,
    root: String,
    signature: String,
    size: u64,
    unix_ms: u64,
}

/// `ledger head`: the ledger as it is now.
pub(super) fn export(args: &LedgerHeadArgs, home: &Home, ledger: &mut SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let head = signed_now(home, ledger)?;
    let file = HeadFile {
        certificate: to_hex(home.statement_key().certificate()),
        format: FORMAT.to_owned(),
        holder: to_hex(home.fingerprint().as_bytes()),
        root: to_hex(&head.head.root),
        signature: to_hex(&head.signature),
        size: head.head.size,
        unix_ms: head.unix_ms,
    };
    let text = serde_json::to_string(&file).map_err(|_| Failure::bug("a head does not serialise"))?;
    let path = &args.export;
    write_atomically(path, text.as_bytes())
        .map_err(|error| Failure::input("head_write", format!("cannot write {}: {}", path.display(), io_cause(&error))))?;
    reporter.json(
        &json!({ "head": path.display().to_string(), "size": head.head.size, "root": to_hex(&head.head.root), "at": time(head.unix_ms) }),
    );
    reporter.answer(&format!("head of {} entries, root {}\n  {}", head.head.size, to_hex(&head.head.root), path.display()));
    Ok(())
}

/// Reads a head that a witness kept, and checks that the holder of this fingerprint signed it.
///
/// # Errors
/// Exit 3, `head`: it cannot be read, or is none; exit 6, `head_signature`: the holder did not sign it.
pub(super) fn read(path: &Path, holder: Fingerprint) -> Result<SignedHead, Failure> {
    let bad = |what: String| {
        Failure::input("head", format!("{}: {what}", path.display())).with_hint("--head takes a file that `ledger head --export` wrote")
    };
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| bad(io_cause(&error)))?;
    let file: HeadFile = serde_json::from_str(&text).map_err(|_| bad("it is not a head".to_owned()))?;
    if file.format != FORMAT || serde_json::to_string(&file).ok().as_deref() != Some(text.as_str()) {
        return Err(bad("it is not a head of this version".to_owned()));
    }
    let head = (|| {
        let head = LogHead { size: file.size, root: from_hex(&file.root)? };
        Some((
            SignedHead { head, unix_ms: file.unix_ms, signature: from_hex(&file.signature)? },
            from_hex::<136>(&file.certificate)?,
            from_hex::<32>(&file.holder)?,
        ))
    })();
    let (head, certificate, named) = head.ok_or_else(|| bad("it is not a head".to_owned()))?;
    let forged = |what: &str| Failure::peer("head_signature", format!("{}: {what}", path.display()));
    if named != *holder.as_bytes() {
        return Err(bad("it is the head of another holder".to_owned()));
    }
    let key =
        CertifiedKey::check(&certificate, holder.as_bytes()).map_err(|_| forged("its statement key is not certified by this holder"))?;
    head.verify(&key, holder.as_bytes()).map_err(|_| forged("the holder did not sign it"))?;
    Ok(head)
}
