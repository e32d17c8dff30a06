//! `receipt show` and `receipt verify`, of both programs: a receipt is checked with its file and two fingerprints alone (SPEC END-3).

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::receipt::Receipt;
use oblink_session::request::{from_hex, to_hex};
use serde_json::{Value, json};

use crate::cli::{ReceiptArgs, ReceiptCommand, ReceiptShowArgs, ReceiptVerifyArgs};
use crate::date::{Date, rfc3339};
use crate::failure::{Failure, io_cause};
use crate::report::Reporter;

/// The most bytes of a receipt's file: its body as a string in JSON, and four values in hex.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 16;

/// One of the commands about receipts.
///
/// # Errors
/// Exit 3: there is no receipt; exit 6: it does not hold.
pub(crate) fn receipt(args: &ReceiptArgs, reporter: &Reporter) -> Result<(), Failure> {
    match &args.command {
        ReceiptCommand::Show(args) => show(args, reporter),
        ReceiptCommand::Verify(args) => verify(args, reporter),
    }
}

/// A receipt's file, as far as it is one: nothing is checked yet but that it can be read.
#[derive(Debug)]
pub(crate) struct ReceiptFile {
    text: String,
    body: Value,
}

impl ReceiptFile {
    /// Reads a receipt's file.
    ///
    /// # Errors
    /// Exit 3: there is none, or it is none.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        use std::io::Read;
        let shown = path.display();
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text));
        read.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => not_one(path),
            _ => Failure::input("no_receipt", format!("cannot read the receipt {shown}: {}", io_cause(&error)))
                .with_hint("receipts are in receipts/ of a verifier's home, and in the directory of their request"),
        })?;
        Self::parse(&text).ok_or_else(|| not_one(path))
    }

    /// The text of a receipt's file; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() as u64 > FILE_BYTES_MAX {
            return None;
        }
        let file: Value = serde_json::from_str(text).ok()?;
        let body: Value = serde_json::from_str(file.get("body")?.as_str()?).ok()?;
        body.is_object().then(|| Self { text: text.to_owned(), body })
    }

    /// The receipt, once both signatures hold for the fingerprints that it names itself.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn check(&self) -> Result<Receipt, String> {
        Receipt::from_json(self.text.trim_end()).map_err(|error| error.to_string())
    }

    /// A member of the body that is a string; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member of the body that is a number; 0 where there is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.body.get(name).and_then(Value::as_u64).unwrap_or_default()
    }

    /// A member of the body that is bytes in hex.
    pub(crate) fn bytes<const N: usize>(&self, name: &str) -> Option<[u8; N]> {
        from_hex(self.text(name))
    }
}

fn not_one(path: &Path) -> Failure {
    Failure::input("bad_receipt", format!("{} is not a receipt", path.display()))
        .with_hint("a receipt is the JSON file that a session leaves")
}

fn show(args: &ReceiptShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let file = ReceiptFile::read(&args.receipt)?;
    let verdict = file.check();
    say(&file, &verdict, reporter);
    Ok(())
}

fn verify(args: &ReceiptVerifyArgs, reporter: &Reporter) -> Result<(), Failure> {
    let due = |text: &str, whose: &str| -> Result<Fingerprint, Failure> {
        text.parse().map_err(|error| {
            Failure::input("fingerprint", format!("--{whose} is not a fingerprint: {error}"))
                .with_hint("a fingerprint is sixteen groups of four digits or letters a to f, as init printed it")
        })
    };
    let parties = [("holder", due(&args.holder, "holder")?), ("verifier", due(&args.verifier, "verifier")?)];
    let file = ReceiptFile::read(&args.receipt)?;
    let mut verdict = file.check();
    for (whose, fingerprint) in parties {
        if verdict.is_ok() && file.bytes(whose) != Some(*fingerprint.as_bytes()) {
            verdict = Err(format!("it is another {whose}'s"));
        }
    }
    say(&file, &verdict, reporter);
    match verdict {
        Ok(_) => Ok(()),
        Err(what) => Err(Failure::peer("receipt_does_not_hold", format!("the receipt does not hold: {what}"))
            .with_hint("compare both fingerprints by telephone; keep the file, and ask both sides for theirs")),
    }
}

fn say(file: &ReceiptFile, verdict: &Result<Receipt, String>, reporter: &Reporter) {
    let digest = verdict.as_ref().ok().map(|receipt| to_hex(&receipt.digest()));
    reporter.json(&json!({
        "receipt": file.body, "holds": verdict.is_ok(), "why": verdict.as_ref().err(), "receipt_digest": digest,
    }));
    let fingerprint = |name| file.bytes(name).map_or_else(|| "none".to_owned(), |bytes| Fingerprint::from_bytes(bytes).to_string());
    let completed = rfc3339(UNIX_EPOCH + Duration::from_millis(file.number("completed_unix_ms")));
    let as_of = u32::try_from(file.number("as_of")).ok().and_then(Date::from_yyyymmdd);
    let authority = match file.text("policy") {
        "" => file.text("authority").to_owned(),
        policy => format!("{}, under policy {policy}", file.text("authority")),
    };
    let lines = [
        ("session", file.text("session").to_owned()),
        ("holder", fingerprint("holder")),
        ("verifier", fingerprint("verifier")),
        ("completed", completed),
        ("authority", authority),
        ("request", format!("{}, digest {}", file.text("request_id"), file.text("request_digest"))),
        (
            "asked",
            format!(
                "{} pairs, {} tokens in {} batches, under {}",
                file.number("pairs"),
                file.number("tokens"),
                file.number("batches"),
                file.text("ruleset")
            ),
        ),
        ("set", format!("{}{}", file.text("set_id"), as_of.map_or_else(String::new, |date| format!(", as of {date}")))),
        ("disclosure", file.text("disclosure").to_owned()),
        ("ledger", format!("{} entries, root {}", file.number("ledger_size"), file.text("ledger_root"))),
        ("transcript", file.text("transcript").to_owned()),
        ("digest", digest.unwrap_or_else(|| "none: it does not hold".to_owned())),
        (
            "signatures",
            verdict.as_ref().map_or_else(|what| format!("DO NOT HOLD: {what}"), |_| "both hold for these fingerprints".to_owned()),
        ),
    ];
    // What the body says is the other side's word: control characters in it are none of a terminal's business.
    let shown = |text: &str| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>();
    reporter.answer(&lines.map(|(label, value)| format!("{label:<12}{}", shown(&value))).join("\n"));
}
