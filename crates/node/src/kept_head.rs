//! Heads of a holder's ledger that somebody else kept (SPEC LED-3, LED-8): a witness's file, what a verifier's home knows, and the head that is
//! in every receipt. All three are lines of canonical JSON.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::request::from_hex;
use oblink_session::statement::{CERTIFICATE_BYTES, CertifiedKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::io_cause;
use crate::receipt_cmd::{FILE_BYTES_MAX, ReceiptFile};

/// The `format` of [`HeadFile`].
pub(crate) const HEAD_FORMAT: &str = "oblink/head-file/1";
/// The `format` of [`KnownHeadFile`].
pub(crate) const KNOWN_FORMAT: &str = "oblink/known-head/1";

/// What `ledger head` writes for a witness. Members in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadFile {
    pub(crate) certificate: String,
    pub(crate) format: String,
    pub(crate) holder: String,
    pub(crate) root: String,
    pub(crate) signature: String,
    pub(crate) size: u64,
    pub(crate) unix_ms: u64,
}

/// What a verifier's home keeps of a holder. Members in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownHeadFile {
    /// Of the holder's statement key.
    pub(crate) certificate: String,
    pub(crate) format: String,
    pub(crate) holder: String,
    /// Digest of the receipt that has this head; empty where a Welcome brought it.
    pub(crate) receipt: String,
    pub(crate) root: String,
    /// The statement of kind `head`; empty where a receipt has it.
    pub(crate) signature: String,
    pub(crate) size: u64,
    pub(crate) unix_ms: u64,
}

/// A head out of a file, and what shows that the holder said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptHead {
    pub(crate) head: LogHead,
    /// The holder's signature over the head, or over the receipt that has it, is in the file and holds. Otherwise it is the word of the
    /// verifier whose home has it, which names the receipt.
    pub(crate) signed: bool,
}

/// Why a file gives no head.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadFault {
    #[error("{0}")]
    Read(String),
    #[error("it is neither a head nor a receipt of this version")]
    NotOne,
    #[error("it is another holder's")]
    OtherHolder,
    #[error("{0}")]
    Forged(&'static str),
}

impl KeptHead {
    /// Reads a head of this holder's ledger, out of any of the three kinds of file.
    ///
    /// # Errors
    /// [`HeadFault`]: it cannot be read, is none, is another holder's, or its signatures do not hold.
    pub(crate) fn read(path: &Path, holder: &[u8; 32]) -> Result<Self, HeadFault> {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|error| HeadFault::Read(io_cause(&error)))?;
        Self::parse(&text, holder)
    }

    fn parse(text: &str, holder: &[u8; 32]) -> Result<Self, HeadFault> {
        if let Some(receipt) = ReceiptFile::parse(text) {
            return of_receipt(&receipt, holder);
        }
        let value: Value = serde_json::from_str(text).map_err(|_| HeadFault::NotOne)?;
        let canonical = |written: serde_json::Result<String>| written.ok().as_deref() == Some(text);
        match value.get("format").and_then(Value::as_str) {
            Some(HEAD_FORMAT) => {
                let file: HeadFile = serde_json::from_str(text).map_err(|_| HeadFault::NotOne)?;
                if canonical(serde_json::to_string(&file)) { of_statement(&file, holder) } else { Err(HeadFault::NotOne) }
            }
            Some(KNOWN_FORMAT) => {
                let file: KnownHeadFile = serde_json::from_str(text).map_err(|_| HeadFault::NotOne)?;
                if !canonical(serde_json::to_string(&file)) {
                    return Err(HeadFault::NotOne);
                }
                let (own_word, KnownHeadFile { certificate, holder: named, root, signature, size, unix_ms, .. }) =
                    (file.signature.is_empty(), file);
                if own_word {
                    let head = LogHead { size, root: from_hex(&root).ok_or(HeadFault::NotOne)? };
                    return if from_hex(&named) == Some(*holder) { Ok(Self { head, signed: false }) } else { Err(HeadFault::OtherHolder) };
                }
                of_statement(&HeadFile { certificate, format: String::new(), holder: named, root, signature, size, unix_ms }, holder)
            }
            _ => Err(HeadFault::NotOne),
        }
    }
}

fn of_statement(file: &HeadFile, holder: &[u8; 32]) -> Result<KeptHead, HeadFault> {
    let parts = || {
        let head = LogHead { size: file.size, root: from_hex(&file.root)? };
        let signed = SignedHead { head, unix_ms: file.unix_ms, signature: from_hex(&file.signature)? };
        Some((signed, from_hex::<CERTIFICATE_BYTES>(&file.certificate)?, from_hex::<32>(&file.holder)?))
    };
    let (signed, certificate, named) = parts().ok_or(HeadFault::NotOne)?;
    if named != *holder {
        return Err(HeadFault::OtherHolder);
    }
    let key =
        CertifiedKey::check(&certificate, holder).map_err(|_| HeadFault::Forged("its statement key is not certified by this holder"))?;
    signed.verify(&key, holder).map_err(|_| HeadFault::Forged("the holder did not sign it"))?;
    Ok(KeptHead { head: signed.head, signed: true })
}

fn of_receipt(receipt: &ReceiptFile, holder: &[u8; 32]) -> Result<KeptHead, HeadFault> {
    // Its signatures are checked for the fingerprints that it names: so first whether this is the holder.
    if receipt.bytes("holder") != Some(*holder) {
        return Err(HeadFault::OtherHolder);
    }
    receipt.check().map_err(|_| HeadFault::Forged("its signatures do not hold"))?;
    let root = receipt.bytes("ledger_root").ok_or(HeadFault::NotOne)?;
    Ok(KeptHead { head: LogHead { size: receipt.number("ledger_size"), root }, signed: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use oblink_session::receipt::Receipt;
    use oblink_session::request::to_hex;
    use oblink_session::statement::{StatementKey, StatementKind, fingerprint_of};

    const ROOT: [u8; 32] = [7; 32];

    fn key(byte: u8) -> (StatementKey, [u8; 32]) {
        let key = StatementKey::certify(&[byte; 32], &[byte + 1; 32], 7);
        let fingerprint = fingerprint_of(key.certificate().first_chunk().unwrap());
        (key, fingerprint)
    }

    fn head_file(key: &StatementKey, holder: &[u8; 32]) -> HeadFile {
        let signed = SignedHead::sign(key, holder, LogHead { size: 3, root: ROOT }, 5);
        HeadFile {
            certificate: to_hex(key.certificate()),
            format: HEAD_FORMAT.to_owned(),
            holder: to_hex(holder),
            root: to_hex(&ROOT),
            signature: to_hex(&signed.signature),
            size: 3,
            unix_ms: 5,
        }
    }

    fn known(file: HeadFile, receipt: &str) -> String {
        let HeadFile { certificate, holder, root, signature, size, unix_ms, .. } = file;
        let (format, receipt) = (KNOWN_FORMAT.to_owned(), receipt.to_owned());
        serde_json::to_string(&KnownHeadFile { certificate, format, holder, receipt, root, signature, size, unix_ms }).unwrap()
    }

    fn text(file: &HeadFile) -> String {
        serde_json::to_string(file).unwrap()
    }

    /// LED-8
    #[test]
    fn every_file_that_has_a_head_gives_it() {
        let (key, holder) = key(1);
        let head = LogHead { size: 3, root: ROOT };
        assert_eq!(KeptHead::parse(&text(&head_file(&key, &holder)), &holder), Ok(KeptHead { head, signed: true }));
        assert_eq!(KeptHead::parse(&known(head_file(&key, &holder), ""), &holder), Ok(KeptHead { head, signed: true }));
        let mut word = head_file(&key, &holder);
        word.signature.clear();
        assert_eq!(KeptHead::parse(&known(word, &"ab".repeat(32)), &holder), Ok(KeptHead { head, signed: false }));
    }

    /// LED-8
    #[test]
    fn what_the_holder_did_not_sign_is_no_head() {
        let ((own, holder), (other, stranger)) = (key(1), key(9));
        assert_eq!(KeptHead::parse(&text(&head_file(&own, &holder)), &stranger), Err(HeadFault::OtherHolder));
        let mut forged = head_file(&own, &holder);
        forged.size = 4;
        let not_signed = Err(HeadFault::Forged("the holder did not sign it"));
        assert_eq!(KeptHead::parse(&text(&forged), &holder), not_signed);
        assert_eq!(KeptHead::parse(&known(forged, ""), &holder), not_signed);
        let not_certified = Err(HeadFault::Forged("its statement key is not certified by this holder"));
        assert_eq!(KeptHead::parse(&text(&head_file(&other, &holder)), &holder), not_certified);
        let mut word = head_file(&own, &stranger);
        word.signature.clear();
        assert_eq!(KeptHead::parse(&known(word, ""), &holder), Err(HeadFault::OtherHolder));
        let good = text(&head_file(&own, &holder));
        for text in ["", "{}", "[]", "{\"body\":\"{\"}", &good[1..], &format!("{good}\n"), &good.replace("head-file/1", "head-file/2")] {
            assert_eq!(KeptHead::parse(text, &holder), Err(HeadFault::NotOne), "{text}");
        }
    }

    /// A receipt that both keys signed, of a ledger of so many entries.
    fn receipt(holder: &StatementKey, verifier: &StatementKey, size: u64) -> Receipt {
        let named = |key: &StatementKey| {
            let certificate = key.certificate();
            let fingerprint = fingerprint_of(certificate.first_chunk().unwrap());
            (to_hex(&fingerprint), to_hex(&CertifiedKey::check(certificate, &fingerprint).unwrap().public()))
        };
        let ((holder_name, holder_key), (verifier_name, verifier_key)) = (named(holder), named(verifier));
        let (short, long) = ("00".repeat(16), "00".repeat(32));
        let body = serde_json::json!({
            "as_of": 0, "authority": "unsigned", "batches": 1, "completed_unix_ms": 5, "disclosure": "none", "epoch": short,
            "format": "oblink/receipt/1", "holder": holder_name, "holder_statement_key": holder_key, "ledger_root": to_hex(&ROOT),
            "ledger_size": size, "pairs": 1, "policy": "", "public_key": long, "request_digest": long, "request_id": short,
            "ruleset": "us-exact-1", "ruleset_digest": long, "session": short, "set_id": long, "suite": 1, "tau": 0, "tokens": 1,
            "transcript": long, "verifier": verifier_name, "verifier_statement_key": verifier_key, "version": 1,
        });
        let body = body.to_string().into_bytes();
        Receipt {
            holder_signature: holder.sign(StatementKind::Receipt, &body),
            holder_certificate: *holder.certificate(),
            verifier_signature: verifier.sign(StatementKind::Receipt, &body),
            verifier_certificate: *verifier.certificate(),
            body,
        }
    }

    /// A receipt counts by both its signatures, and for the holder that it names.
    #[test]
    fn a_receipt_must_hold() {
        let ((own, holder), (other, stranger)) = (key(1), key(9));
        let good = receipt(&own, &other, 3);
        assert_eq!(KeptHead::parse(&good.to_json(), &holder), Ok(KeptHead { head: LogHead { size: 3, root: ROOT }, signed: true }));
        assert_eq!(KeptHead::parse(&good.to_json(), &stranger), Err(HeadFault::OtherHolder));
        let longer = Receipt { body: receipt(&own, &other, 4).body, ..good };
        assert_eq!(KeptHead::parse(&longer.to_json(), &holder), Err(HeadFault::Forged("its signatures do not hold")));
        let body = serde_json::json!({ "holder": to_hex(&holder), "ledger_root": to_hex(&ROOT), "ledger_size": 3 }).to_string();
        let text = serde_json::json!({ "body": body }).to_string();
        assert_eq!(KeptHead::parse(&text, &holder), Err(HeadFault::Forged("its signatures do not hold")));
        assert_eq!(KeptHead::parse(&text, &[0; 32]), Err(HeadFault::OtherHolder));
    }
}
