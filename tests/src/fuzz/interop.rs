//! The interoperability port of `oblink-oprf`: its example's own source, in this process.

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

#[path = "../../../crates/oprf/examples/interop/port.rs"]
#[allow(dead_code, reason = "its program's limit is not this target's")]
mod port;

/// Bytes of a line here.
const LINE_MAX: usize = 1 << 16;

/// The input is what comes on standard input.
///
/// Held: a line, one answer, in one line of JSON: an error of a known kind, or a result; the same line again gets the same answer where it
/// chose its own randomness or needs none; an answer's elements, given back to the port, are taken.
pub fn interop(bytes: &[u8]) {
    let output = run(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').count() - usize::from(bytes.last().is_none_or(|byte| *byte == b'\n'));
    assert_eq!(output.len(), lines, "one answer a line");
    for (line, answer) in bytes.split(|byte| *byte == b'\n').zip(&output) {
        let Value::Object(members) = answer else { panic!("an answer is an object") };
        if let Some(kind) = members.get("error") {
            assert!(members.len() == 2 && kind.as_str().is_some_and(|kind| KINDS.contains(&kind)), "{kind}");
            continue;
        }
        let Ok(Value::Object(asked)) = serde_json::from_slice::<Value>(line) else { panic!("what is answered is an object") };
        let chosen = match asked["op"].as_str() {
            Some("blind") => asked.contains_key("blinds"),
            Some("blind_evaluate") => asked.contains_key("r"),
            _ => true,
        };
        if chosen {
            assert_eq!(run(line), std::slice::from_ref(answer));
        }
        if let (Some(blinds), Some(Value::String(op))) = (members.get("blinds"), asked.get("op")) {
            assert_eq!(op, "blind");
            let again = serde_json::json!({ "op": "blind", "inputs": asked["inputs"], "blinds": blinds });
            assert_eq!(run(again.to_string().as_bytes()), std::slice::from_ref(answer));
        }
    }
}

const KINDS: [&str; 21] = [
    "bad_blinded_element",
    "bad_evaluated_element",
    "bad_hex",
    "bad_json",
    "bad_length",
    "bad_proof_encoding",
    "bad_public_key",
    "bad_scalar",
    "bad_secret_key",
    "bad_type",
    "bad_utf8",
    "batch_size",
    "count_mismatch",
    "derive_key_pair",
    "invalid_input",
    "line_too_long",
    "missing_field",
    "too_long",
    "unknown_field",
    "unknown_op",
    "verify_failed",
];

fn run(input: &[u8]) -> Vec<Value> {
    let mut output = Vec::new();
    port::run(input, &mut output, LINE_MAX, &mut StdRng::seed_from_u64(1)).unwrap();
    assert!(output.is_empty() || output.ends_with(b"\n"));
    output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| serde_json::from_slice(line).unwrap()).collect()
}
