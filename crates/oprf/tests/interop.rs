//! The interoperability port: RFC 9497's vectors go through it, and bad lines get an answer each.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

#[path = "../examples/interop/port.rs"]
mod port;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Feeds raw lines, gives the answers.
fn feed(input: &[u8], line_max: usize) -> Vec<Value> {
    let mut output = Vec::new();
    let mut rng = StdRng::seed_from_u64(1);
    port::run(input, &mut output, line_max, &mut rng).unwrap();
    String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ask(request: &Value) -> Value {
    let answers = feed(request.to_string().as_bytes(), port::LINE_MAX);
    assert_eq!(answers.len(), 1);
    answers.into_iter().next().unwrap()
}

fn vectors() -> (Value, Vec<Value>) {
    let all: Vec<Value> = serde_json::from_str(include_str!("vectors/rfc9497.json")).unwrap();
    let suite = all.into_iter().find(|suite| suite["mode"] == 1).unwrap();
    let vectors = suite["vectors"].as_array().unwrap().clone();
    (suite, vectors)
}

fn list(value: &Value) -> Value {
    value.as_str().unwrap().split(',').collect()
}

/// The requests of a vector, with their answers.
fn exchanges(suite: &Value, vector: &Value, upper: bool) -> Vec<(Value, Value)> {
    let field = |name: &str| {
        let mut value = list(&vector[name]);
        if upper {
            for item in value.as_array_mut().unwrap() {
                *item = item.as_str().unwrap().to_uppercase().into();
            }
        }
        value
    };
    let (inputs, blinds) = (field("Input"), field("Blind"));
    let (blinded, evaluated) = (field("BlindedElement"), field("EvaluationElement"));
    let outputs = json!({"outputs": list(&vector["Output"])});
    let proof = &vector["Proof"]["proof"];
    let (sk, pk) = (&suite["skSm"], &suite["pkSm"]);
    vec![
        (json!({"op": "derive_key", "seed": suite["seed"], "info": suite["keyInfo"]}), json!({"sk": sk, "pk": pk})),
        (
            json!({"op": "blind", "inputs": inputs, "blinds": blinds}),
            json!({"blinds": list(&vector["Blind"]), "blinded": list(&vector["BlindedElement"])}),
        ),
        (
            json!({"op": "blind_evaluate", "sk": sk, "blinded": blinded, "r": vector["Proof"]["r"]}),
            json!({"evaluated": list(&vector["EvaluationElement"]), "proof": proof}),
        ),
        (
            json!({"op": "finalize", "pk": pk, "inputs": inputs, "blinds": blinds, "blinded": blinded,
                   "evaluated": evaluated, "proof": proof}),
            outputs.clone(),
        ),
        (json!({"op": "evaluate", "sk": sk, "inputs": inputs}), outputs),
    ]
}

#[test]
fn the_rfcs_vectors_go_through() {
    let (suite, vectors) = vectors();
    for vector in &vectors {
        for upper in [false, true] {
            for (request, expected) in exchanges(&suite, vector, upper) {
                assert_eq!(ask(&request), expected, "{request}");
            }
        }
    }
}

#[test]
fn random_blinds_and_nonces_work_and_differ() {
    let (suite, _) = vectors();
    let (sk, pk) = (&suite["skSm"], &suite["pkSm"]);
    let inputs = json!(["", "00", "5a5a"]);
    let blind = json!({"op": "blind", "inputs": inputs});
    let lines = format!("{blind}\n{blind}\n");
    let twice = feed(lines.as_bytes(), port::LINE_MAX);
    assert_ne!(twice[0], twice[1]);
    let (blinds, blinded) = (&twice[0]["blinds"], &twice[0]["blinded"]);
    let evaluate = json!({"op": "blind_evaluate", "sk": sk, "blinded": blinded});
    let lines = format!("{evaluate}\r\n{evaluate}");
    let answers = feed(lines.as_bytes(), port::LINE_MAX);
    assert_eq!(answers[0]["evaluated"], answers[1]["evaluated"]);
    assert_ne!(answers[0]["proof"], answers[1]["proof"]);
    for answer in answers {
        let outputs = ask(&json!({"op": "finalize", "pk": pk, "inputs": inputs, "blinds": blinds,
            "blinded": blinded, "evaluated": answer["evaluated"], "proof": answer["proof"]}));
        assert_eq!(outputs, ask(&json!({"op": "evaluate", "sk": sk, "inputs": inputs})));
    }
}

/// A good `finalize` with one field replaced.
fn finalize_with(name: &str, value: Value) -> Vec<u8> {
    let (suite, vectors) = vectors();
    let mut request = exchanges(&suite, &vectors[2], false)[3].0.clone();
    request[name] = value;
    request.to_string().into_bytes()
}

#[test]
fn bad_lines_get_an_error_each_and_the_loop_goes_on() {
    const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let (suite, vectors) = vectors();
    let vector = &vectors[2];
    let (sk, seed) = (&suite["skSm"], &suite["seed"]);
    let (blinded, evaluated) = (list(&vector["BlindedElement"]), list(&vector["EvaluationElement"]));
    let zero = "00".repeat(32);
    let high_bit = format!("{}80", "00".repeat(31));
    let text = |value: Value| value.to_string().into_bytes();
    let evaluate = |sk: Value, inputs: Value| text(json!({"op": "evaluate", "sk": sk, "inputs": inputs}));
    let blind_evaluate = |sk: &Value, blinded: Value| text(json!({"op": "blind_evaluate", "sk": sk, "blinded": blinded}));
    let other_proof = vectors[0]["Proof"]["proof"].clone();
    let swapped = json!([evaluated[1], evaluated[0]]);

    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("bad_json", b"".to_vec()),
        ("bad_json", b"   ".to_vec()),
        ("bad_json", b"not json".to_vec()),
        ("bad_json", b"{".to_vec()),
        ("bad_json", b"{} {}".to_vec()),
        ("bad_json", b"[]".to_vec()),
        ("bad_json", b"null".to_vec()),
        ("bad_json", b"\0".to_vec()),
        ("bad_json", b"\xef\xbb\xbf{}".to_vec()),
        ("bad_json", vec![b'['; 100_000]),
        ("bad_json", [b"{\"op\":".as_slice(), &vec![b'['; 100_000]].concat()),
        ("bad_json", br#"{"op":"evaluate","op":"blind"}"#.to_vec()),
        ("bad_utf8", b"{\"op\":\"\xff\"}".to_vec()),
        ("missing_field", b"{}".to_vec()),
        ("bad_type", br#"{"op":1}"#.to_vec()),
        ("unknown_op", br#"{"op":"EVALUATE"}"#.to_vec()),
        ("unknown_op", br#"{"op":""}"#.to_vec()),
        ("missing_field", text(json!({"op": "derive_key", "seed": seed}))),
        ("unknown_field", text(json!({"op": "derive_key", "seed": seed, "info": "", "mode": 1}))),
        ("bad_length", text(json!({"op": "derive_key", "seed": "00", "info": ""}))),
        ("too_long", text(json!({"op": "derive_key", "seed": seed, "info": "00".repeat(65_536)}))),
        ("bad_hex", evaluate(sk.clone(), json!(["0"]))),
        ("bad_hex", evaluate(sk.clone(), json!(["0g"]))),
        ("bad_hex", evaluate(sk.clone(), json!(["0x00"]))),
        ("bad_hex", evaluate(sk.clone(), json!([" 00 "]))),
        ("bad_hex", evaluate(sk.clone(), json!(["\u{e9}\u{e9}"]))),
        ("bad_type", evaluate(sk.clone(), json!("00"))),
        ("bad_type", evaluate(sk.clone(), json!([0]))),
        ("bad_type", evaluate(sk.clone(), json!([["00"]]))),
        ("bad_type", evaluate(Value::Null, json!(["00"]))),
        ("batch_size", evaluate(sk.clone(), json!([]))),
        ("batch_size", evaluate(sk.clone(), vec![""; 65_536].into())),
        ("too_long", evaluate(sk.clone(), json!(["", "00".repeat(65_536)]))),
        ("bad_secret_key", evaluate(json!(zero), json!(["00"]))),
        ("bad_secret_key", evaluate(json!(ORDER), json!(["00"]))),
        ("bad_secret_key", evaluate(json!("ff".repeat(32)), json!(["00"]))),
        ("bad_length", evaluate(json!("00".repeat(33)), json!(["00"]))),
        ("missing_field", text(json!({"op": "blind"}))),
        ("batch_size", text(json!({"op": "blind", "inputs": []}))),
        ("count_mismatch", text(json!({"op": "blind", "inputs": ["", ""], "blinds": [sk]}))),
        ("bad_scalar", text(json!({"op": "blind", "inputs": [""], "blinds": [zero]}))),
        ("bad_scalar", text(json!({"op": "blind", "inputs": [""], "blinds": [ORDER]}))),
        ("bad_type", text(json!({"op": "blind", "inputs": [""], "blinds": null}))),
        ("batch_size", blind_evaluate(sk, json!([]))),
        ("bad_length", blind_evaluate(sk, json!(["00"]))),
        ("bad_blinded_element", blind_evaluate(sk, json!([blinded[0], zero]))),
        ("bad_blinded_element", blind_evaluate(sk, json!([high_bit]))),
        ("bad_blinded_element", blind_evaluate(sk, json!(["ff".repeat(32)]))),
        ("bad_secret_key", blind_evaluate(&json!(zero), blinded.clone())),
        ("bad_scalar", text(json!({"op": "blind_evaluate", "sk": sk, "blinded": blinded, "r": zero}))),
        ("bad_scalar", text(json!({"op": "blind_evaluate", "sk": sk, "blinded": blinded, "r": ORDER}))),
        ("bad_public_key", finalize_with("pk", json!(zero))),
        ("bad_public_key", finalize_with("pk", json!(high_bit))),
        ("verify_failed", finalize_with("pk", blinded[0].clone())),
        ("verify_failed", finalize_with("proof", other_proof)),
        ("verify_failed", finalize_with("proof", json!("00".repeat(64)))),
        ("bad_proof_encoding", finalize_with("proof", json!(format!("{zero}{ORDER}")))),
        ("bad_length", finalize_with("proof", json!(zero))),
        ("verify_failed", finalize_with("evaluated", swapped)),
        ("bad_evaluated_element", finalize_with("evaluated", json!([evaluated[0], zero]))),
        ("count_mismatch", finalize_with("evaluated", json!([evaluated[0]]))),
        ("count_mismatch", finalize_with("inputs", json!(["00"]))),
        ("count_mismatch", finalize_with("blinds", json!([sk]))),
        ("batch_size", finalize_with("inputs", json!([]))),
        ("bad_blinded_element", finalize_with("blinded", json!([zero, blinded[1]]))),
        ("unknown_field", finalize_with("extra", json!(1))),
    ];
    let good = json!({"op": "evaluate", "sk": sk, "inputs": ["00"]});
    let mut input = Vec::new();
    for (_, line) in &bad {
        input.extend_from_slice(line);
        input.extend_from_slice(format!("\n{good}\n").as_bytes());
    }
    let answers = feed(&input, port::LINE_MAX);
    assert_eq!(answers.len(), 2 * bad.len());
    let outputs = ask(&good);
    for ((kind, line), pair) in bad.iter().zip(answers.chunks(2)) {
        let start = String::from_utf8_lossy(&line[..line.len().min(120)]);
        assert_eq!(pair[0]["error"], *kind, "{start}: {}", pair[0]);
        assert!(!pair[0]["detail"].as_str().unwrap().is_empty());
        assert_eq!(pair[0].as_object().unwrap().len(), 2);
        assert_eq!(pair[1], outputs, "after {start}");
    }
}

#[test]
fn errors_quote_nothing() {
    let (_, vectors) = vectors();
    let secret = "c0ffee".repeat(20);
    for line in [
        format!(r#"{{"op":"{secret}"}}"#),
        format!(r#"{{"{secret}":1,"op":"evaluate","sk":"{secret}","inputs":["00"]}}"#),
        format!(r#"{{"op":"blind","inputs":["{secret}","zz"]}}"#),
        format!(r#"{{"op":"blind","inputs":["00"],"{secret}":0}}"#),
        format!(r#"{{"op": {secret}}}"#),
        String::from_utf8(finalize_with("proof", vectors[0]["Proof"]["proof"].clone())).unwrap(),
    ] {
        let answer = feed(line.as_bytes(), port::LINE_MAX).remove(0).to_string();
        assert!(answer.contains("error") && !answer.contains("c0ffee"), "{answer}");
        assert!(!answer.contains(vectors[0]["Proof"]["proof"].as_str().unwrap()));
    }
}

#[test]
fn long_lines_are_bounded_and_skipped() {
    let good = br#"{"op":"derive_key","seed":"0101010101010101010101010101010101010101010101010101010101010101","info":""}"#;
    let line_max = good.len();
    let mut input = good.to_vec();
    input.push(b'\n');
    input.extend(vec![b' '; line_max + 1]);
    input.push(b'\n');
    input.extend(vec![b'x'; 300_000]);
    input.push(b'\n');
    input.extend_from_slice(good);
    input.push(b'\n');
    input.extend(vec![b'y'; 300_000]);
    let answers = feed(&input, line_max);
    let kinds: Vec<_> = answers.iter().map(|answer| answer["error"].as_str()).collect();
    let long = Some("line_too_long");
    assert_eq!(kinds, [None, long, long, None, long]);
    assert_eq!(answers[0], answers[3]);
    assert!(feed(b"", line_max).is_empty());
}

/// Hands out a byte at a time: line ends fall on every boundary.
#[test]
fn lines_may_arrive_in_pieces() {
    let line = b"{}\n{\"op\":\"blind\"}\n\nlast";
    let mut output = Vec::new();
    let input = std::io::BufReader::with_capacity(1, line.as_slice());
    port::run(input, &mut output, port::LINE_MAX, &mut StdRng::seed_from_u64(1)).unwrap();
    assert_eq!(output, {
        let mut whole = Vec::new();
        port::run(line.as_slice(), &mut whole, port::LINE_MAX, &mut StdRng::seed_from_u64(1)).unwrap();
        whole
    });
    assert_eq!(output.iter().filter(|byte| **byte == b'\n').count(), 4);
}
