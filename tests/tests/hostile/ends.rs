//! A hostile holder at the end: receipts that say something else, or something else in their place (SPEC END-3).

use oblink_session::statement::StatementKind;
use oblink_session::wire::{FrameType, ReceiptMessage};
use oblink_tests::fake::{Act, Due, Modified};
use oblink_tests::raw;
use serde_json::Value;

use super::stage::{Stage, bent, condemned, instead};

/// A holder that signs another body.
fn signs(mut forge: impl FnMut(&mut Value) + Send + 'static) -> Modified {
    let receipt = Box::new(move |message: &mut ReceiptMessage, key: &oblink_session::statement::StatementKey| {
        let mut body: Value = serde_json::from_slice(&message.body).unwrap();
        forge(&mut body);
        message.body = serde_json::to_vec(&body).unwrap();
        message.signature = key.sign(StatementKind::Receipt, &message.body);
    });
    Modified { receipt, ..Modified::default() }
}

/// Attack: each member of the receipt in turn says something else, under the holder's own signature.
#[test]
fn every_member_of_a_receipt_says_something_else() {
    let stage = Stage::new();
    for member in [
        "as_of",
        "authority",
        "batches",
        "disclosure",
        "epoch",
        "format",
        "holder",
        "holder_statement_key",
        "ledger_root",
        "pairs",
        "policy",
        "public_key",
        "request_digest",
        "request_id",
        "ruleset",
        "ruleset_digest",
        "session",
        "set_id",
        "suite",
        "tau",
        "tokens",
        "transcript",
        "verifier",
        "verifier_statement_key",
        "version",
    ] {
        let modified = signs(move |body| match &mut body[member] {
            Value::Number(number) => body[member] = (number.as_u64().unwrap() + 1).into(),
            Value::String(text) if text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') => {
                let flipped = if text.starts_with('0') { "1" } else { "0" };
                text.replace_range(..1, flipped);
            }
            Value::String(text) => text.push('x'),
            other => panic!("{member} is {other}"),
        });
        let ended = stage.meet(modified);
        condemned(&stage, &ended, 6, "");
        assert!(!stage.agencies.verifier.home.join("receipts").read_dir().unwrap().flatten().any(|_| true), "{member}: {ended}");
    }
    stage.honest_run_is_exact();
}

/// Attack: a receipt that counts an entry of the ledger more than there is. A root does not say how many entries it is of, so a proof may hold for
/// both; but that head is kept, and no ledger continues it: whoever signs it has convicted itself by the next session.
#[test]
fn a_ledger_size_that_is_not_so() {
    let stage = Stage::new();
    let ended = stage.meet(signs(|body| body["ledger_size"] = (body["ledger_size"].as_u64().unwrap() + 1).into()));
    if ended.code() == 0 {
        let serving = stage.agencies.serve();
        let again = stage.check(serving.address());
        assert_eq!((again.code(), &again.object()["error"]["code"]), (6, &"ledger_diverged".into()), "{again}");
    } else {
        condemned(&stage, &ended, 6, "");
        stage.honest_run_is_exact();
    }
}

/// Attack: a receipt of another time.
#[test]
fn a_receipt_of_another_time() {
    let stage = Stage::new();
    stage.convict(3, "clock", signs(|body| body["completed_unix_ms"] = (body["completed_unix_ms"].as_u64().unwrap() + 400_000).into()));
    stage.convict(3, "clock", signs(|body| body["completed_unix_ms"] = (body["completed_unix_ms"].as_u64().unwrap() - 400_000).into()));
    stage.honest_run_is_exact();
}

/// Attack: a signature that does not hold, so that the holder could deny the receipt.
#[test]
fn a_receipt_that_is_not_signed() {
    let stage = Stage::new();
    stage.convict(6, "", Modified { receipt: Box::new(|message, _| message.signature[1] ^= 1), ..Modified::default() });
    // A signature for another purpose.
    let head = |message: &mut ReceiptMessage, key: &oblink_session::statement::StatementKey| {
        message.signature = key.sign(StatementKind::Head, &message.body)
    };
    stage.convict(6, "", Modified { receipt: Box::new(head), ..Modified::default() });
    stage.honest_run_is_exact();
}

/// Attack: a ledger that was exchanged between Welcome and the receipt.
#[test]
fn a_receipt_that_does_not_continue_the_head() {
    let stage = Stage::new();
    let receipt = |message: &mut ReceiptMessage, _: &oblink_session::statement::StatementKey| {
        message.consistency.iter_mut().for_each(|hash| hash[0] ^= 1)
    };
    stage.convict(6, "", Modified { receipt: Box::new(receipt), ..Modified::default() });
    stage.convict(6, "", Modified { receipt: Box::new(|message, _| message.consistency.push([0; 32])), ..Modified::default() });
    stage.honest_run_is_exact();
}

/// Attack: the end without a receipt.
#[test]
fn closed_instead_of_a_receipt() {
    let stage = Stage::new();
    stage.convict(6, "not due", instead(Due::Receipt, vec![Act::Bytes(raw::frame(FrameType::Closed as u8, 0, &[]))]));
    stage.convict(6, "announced", instead(Due::Receipt, vec![Act::Bytes(raw::frame(FrameType::Receipt as u8, 1 << 20, &[]))]));
    stage.convict(6, "not due", instead(Due::Receipt, vec![Act::Forever(vec![0x55; 1 << 16])]));
    stage.convict(4, "code 8", instead(Due::Receipt, vec![Act::Close(8)]));
    stage.honest_run_is_exact();
}

/// Whatever comes in place of Closed, receipt and results are there: it is too late to take them back.
#[test]
fn nonsense_instead_of_closed_costs_nothing() {
    for acts in [vec![Act::Bytes(raw::frame(0x7f, 3, &[1, 2, 3]))], vec![Act::Close(9)], vec![Act::Forever(vec![0; 1 << 16])]] {
        let stage = Stage::new();
        let ended = stage.meet(bent(move |due, _| (due == Due::Closed).then(|| acts.clone())));
        assert_eq!(ended.code(), 0, "{ended}");
        super::stage::exact(&oblink_tests::Results::read(&stage.output(), ended.object()), &stage.pairs, &stage.records);
    }
}
