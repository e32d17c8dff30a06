//! Where fuzzing begins: inputs of the two parties' own, and of the specification's vectors.

use std::path::Path;

use oblink_session::authority::{Namespace, Proposal};
use serde_json::{Value, json};

use super::honest::Honest;
use super::parties::{HOLDING, NOW, Parties, official};

/// An input: its target and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// Every seed, always the same.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, bytes: Vec<u8>| seeds.push((target, bytes));
    wire(&mut |bytes| add("wire", bytes));
    documents(&mut |bytes| add("documents", bytes));
    for how in 0..32 {
        add("sealed_set", vec![how, 0, 0, 40]);
        add("sealed_set", vec![how, 1, 0, 190, 0, 3, 1, 0]);
    }
    rows(&mut |bytes| add("rows", bytes));
    linkage(&mut |bytes| add("linkage", bytes));
    interop(&mut |bytes| add("interop", bytes));
    sessions(&mut |target, bytes| add(target, bytes));
    kept(&mut |bytes| add("kept", bytes));
    ledger(&mut |bytes| add("ledger", bytes));
    seeds
}

/// A file of the specification's vectors.
fn vectors(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol-spec/vectors").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn wire(add: &mut dyn FnMut(Vec<u8>)) {
    for signed in [false, true] {
        let honest = Honest::get(signed);
        let mut stream = vec![0];
        let frames = [&honest.hello, &honest.welcome, &honest.batches[0], &honest.answers[0], &honest.complete];
        for frame in frames.into_iter().chain([&honest.receipt_frame, &honest.acknowledge, &honest.closed]) {
            stream.extend(frame.to_bytes());
            add([&[frame.kind as u8][..], &frame.body].concat());
        }
        add(stream);
    }
    for case in vectors("negative.json")["cases"].as_array().unwrap() {
        // Frames among them; what is none is a stream that breaks off.
        let bytes = hex::decode(case["bytes"].as_str().unwrap()).unwrap();
        if bytes.len() < 600 {
            add([&[0][..], &bytes].concat());
        }
    }
    for body in ["03", "0b00505c18a3010000", "0cfa505c18a3010000", "0f1100040000000000000062757379", "0a"] {
        add(hex::decode(body).unwrap());
    }
}

fn documents(add: &mut dyn FnMut(Vec<u8>)) {
    let parties = Parties::get();
    let of = |kind: u8, bytes: &[u8]| [&[kind][..], bytes].concat();
    add(of(0, parties.unsigned.request.bytes()));
    add(of(0, parties.signed.request.bytes()));
    let (toml, signers) = (parties.policy.toml(), parties.policy.allowed_signers());
    add(of(1, toml.as_bytes()));
    add(of(1, &[toml.as_bytes(), b"\0", signers.as_bytes()].concat()));
    add(of(1, toml.replace("signatures_min = 2", "signatures_min = 1").as_bytes()));
    add(of(2, signers.as_bytes()));
    add(of(2, b"a@b namespaces=\"request@oblink-1\",valid-after=\"20260101Z\",valid-before=\"202612312359Z\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1Z1Z1Z c"));
    for name in ["ada@verifier", "ben@verifier"] {
        add(of(3, &official(name).sign(Namespace::Request.as_str(), b"a message")));
    }
    let sk = crate::officials::Official::new("sid@verifier", crate::officials::KeyKind::SkEd25519);
    add(of(3, &sk.sign(Namespace::Policy.as_str(), b"a message")));
    add(of(2, sk.line("policy@oblink-1", ",valid-after=\"20260101Z\"").as_bytes()));
    let holder = &parties.holder.fingerprint;
    let previous = parties.policy.digest();
    let tighter = toml.replace("days_max = 90", "days_max = 30");
    for policy in [toml, &tighter] {
        add(of(4, Proposal::of_policy(holder, Some(&previous), policy, signers, "Another policy", NOW - 700).unwrap().bytes()));
    }
    let resume = oblink_session::authority::Resume::All;
    add(of(4, Proposal::of_resumption(holder, &previous, resume, "It is over", NOW - 700).unwrap().bytes()));
    for signed in [false, true] {
        add(of(5, Honest::get(signed).receipt.to_json().as_bytes()));
        add(vec![6, u8::from(signed), 0]);
    }
    add(vec![6, 0, 1, 0, 60, 1, b'7']);
    for flags in [0, 1, 2, 4, 8, 16, 32] {
        add(vec![7, flags, 0]);
    }
    add(vec![7, 0, 1, 3, 45, 1, b'4']);
    let authority = vectors("authority.json");
    for case in authority["signatures"].as_array().unwrap() {
        for signature in case["signatures"].as_array().unwrap().iter().filter_map(Value::as_str) {
            add(of(3, &hex::decode(signature).unwrap_or_else(|_| signature.as_bytes().to_vec())));
        }
    }
    for name in HOLDING {
        add(of(2, official(name).line("countersign@oblink-1", "").as_bytes()));
    }
}

fn rows(add: &mut dyn FnMut(Vec<u8>)) {
    let file = |options: [u8; 4], text: &str| [&options[..], text.as_bytes()].concat();
    add(file(
        [0, 0, 0, 6],
        "id,name,address,postal_code\n1,Ann Lee,12 Main St,98104\n\n2,\"Lee, Ann\",\"12 \"\"N\"\" Main\nSt\",98104\r\n",
    ));
    add(file(
        [1, 0, 1, 0],
        "ID;given_name;middle_name;family_name;suffix;street;unit;city;state;postal_code\n7;Ann;;Lee;;12 Main;4;X;WA;98104\n",
    ));
    add(file([2, 1, 0, 1], "id\tname\taddress\tpostal_code\n1\tJos\u{e9}\t12 Main\t98104\n"));
    add(file([0, 32, 0, 3], "1,Ann,x,12 Main St,98104\n2,Ben\n3,Cid,x,13 Main St,98104,more\n"));
    add(file([0, 64, 0, 9], "name,address,postal_code,order_date,person_id\nAnn Lee,12 Main St,98104,2026-01-02,p1\n"));
    add(file([0, 30, 0, 9], "N,K,A=b,postal_code,name\nAnn Lee,1,12 Main St,98104,x\n"));
    add(file([0, 0, 0, 9], "\u{feff}name,address,postal_code\r\rAnn Lee,12 Main St,98104"));
    add(file([0, 0, 0, 2], "name,address,postal_code\nAnn Lee,\"12 Main St,98104\n"));
    add([&[0, 0, 0, 9][..], b"name,address,postal_code\nAnn\xff Lee,12 Main St,98104\n"].concat());
    add([&[0, 0, 0, 9][..], b"\xff\xfen\0a\0"].concat());
    add(file([0, 0, 0, 9], ""));
    add(file([5, 0, 0, 9], "name'address'postal_code\nAnn Lee'12 Main St'98104\n"));
}

fn linkage(add: &mut dyn FnMut(Vec<u8>)) {
    for vector in vectors("us-exact-1.json")["vectors"].as_array().unwrap() {
        let row = &vector["row"];
        let field = |name: &str| row[name].as_str().unwrap_or_default();
        let names = match row["name"].as_str() {
            Some(name) => format!("w\n{name}"),
            None => format!("p\n{}\n{}\n{}\n{}", field("given_name"), field("middle_name"), field("family_name"), field("suffix")),
        };
        let address = if row["street"].is_string() { field("street") } else { field("address") };
        add(format!("{names}\n{address}\n{}", field("postal_code")).into_bytes());
    }
}

fn interop(add: &mut dyn FnMut(Vec<u8>)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/oprf/tests/vectors/rfc9497.json");
    let suites: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let suite = suites.iter().find(|suite| suite["mode"] == 1).unwrap();
    let mut all = String::new();
    for vector in suite["vectors"].as_array().unwrap() {
        let list = |name: &str| vector[name].as_str().unwrap().split(',').collect::<Value>();
        let (inputs, blinds, blinded) = (list("Input"), list("Blind"), list("BlindedElement"));
        let (evaluated, proof) = (list("EvaluationElement"), &vector["Proof"]["proof"]);
        let (sk, pk) = (&suite["skSm"], &suite["pkSm"]);
        for line in [
            json!({ "op": "derive_key", "seed": suite["seed"], "info": suite["keyInfo"] }),
            json!({ "op": "blind", "inputs": inputs, "blinds": blinds }),
            json!({ "op": "blind", "inputs": inputs }),
            json!({ "op": "blind_evaluate", "sk": sk, "blinded": blinded, "r": vector["Proof"]["r"] }),
            json!({ "op": "blind_evaluate", "sk": sk, "blinded": blinded }),
            json!({ "op": "finalize", "pk": pk, "inputs": inputs, "blinds": blinds, "blinded": blinded, "evaluated": evaluated, "proof": proof }),
            json!({ "op": "evaluate", "sk": sk, "inputs": inputs }),
        ] {
            add(line.to_string().into_bytes());
            all.push_str(&line.to_string());
            all.push('\n');
        }
    }
    add(all.into_bytes());
    add(b"{\"op\":1}\n[]\nnull\n\n{\"op\":\"blind\"}\n{\"op\":\"what\"}\n\xff\n".to_vec());
}

/// Whole sessions as acts of the two sequence targets, and sessions that break off.
fn sessions(add: &mut dyn FnMut(&'static str, Vec<u8>)) {
    // Connect, Welcome as it was, blind a batch and take its right answer; Complete, the receipt.
    let batch = [3, 4, 0, 0, 0, 0];
    let to_batches = [8, 2, 0, 0];
    let end = [5, 0, 6, 0, 0, 0, 0];
    let cut = [10];
    for signed in [0, 1] {
        let whole = [&[signed][..], &to_batches, &batch, &batch, &batch, &end].concat();
        add("verifier", whole.clone());
        add("verifier", [&whole[..], &[1, 2, 0]].concat());
        add("verifier", [&[signed][..], &to_batches, &batch, &cut, &to_batches, &batch, &batch, &end].concat());
        add("verifier", [&[signed][..], &to_batches, &batch, &batch, &cut, &[8, 2, 1, 17, 2, 0, 1, 0], &batch, &batch, &end].concat());
        add(
            "verifier",
            [&[signed][..], &to_batches, &[3, 3, 3, 4, 0, 0, 0, 0, 4, 0, 0, 0, 0, 4, 0, 0, 0, 0], &[7], &end, &[7, 6, 0, 0, 0, 0]].concat(),
        );
        for change in 0..20 {
            add("verifier", [&[signed][..], &[8, 2, 1, change, 1, 2, 3, 4, 5, 6, 7, 8, 3, 0], &batch, &batch, &batch, &end].concat());
        }
        for change in 3..7 {
            add("verifier", [&[signed][..], &to_batches, &[3, 4, 0, 0, change, 1, 2, 3, 0]].concat());
        }

        // Hello, batches that are charged and answered, Complete, Acknowledge, a disclosure; and a restart in the middle.
        let hello = [2, 0];
        let batch = |index: u8| [3, 0, 0, index, 0, 5, 0, 0, 7, 0, 0];
        let batches = [batch(0), batch(1), batch(2)].concat();
        let (end, tell) = ([8, 0, 0, 9, 0, 0], [12, 0, 16, 1, 0, 0, 0, 0]);
        add("holder", [&[signed][..], &hello, &batches, &end, &tell].concat());
        add("holder", [&[signed][..], &hello, &batch(1), &[13, 0], &hello, &batches, &end].concat());
        add("holder", [&[signed][..], &hello, &batch(1), &[10, 0], &hello, &batches, &[11, 0], &end].concat());
        add("holder", [&[signed][..], &hello, &batch(0), &batch(0), &[3, 0, 5, 0, 0, 0], &batch(0)].concat());
        add("holder", [&[signed][..], &hello, &[2, 1, 6, 1, 4, 1], &[2, 1, 2, 1], &batches, &[8, 0]].concat());
        for change in 0..10 {
            add("holder", [&[signed][..], &[2, 1, change, 3, 1, 2, 3, 4, 5, 6], &batches, &end].concat());
        }
        for change in 0..8 {
            add("holder", [&[signed][..], &hello, &[3, 0, change * 32 + change, 0, 0, 1, 0, 5, 0, 0, 7, 0, 0]].concat());
        }
        for act in [1, 2, 3] {
            add("holder", [&[signed][..], &hello, &batch(0), &[13, act, 0, 200], &batch(1), &hello, &end].concat());
        }
    }
}

fn kept(add: &mut dyn FnMut(Vec<u8>)) {
    for signed in [0, 8] {
        for state in 0..5 {
            add(vec![signed, state, 0]);
            add(vec![signed, state, 1, 0, 90, 0, 1, 1, 1, 1, 5]);
        }
        let honest = Honest::get(signed == 8);
        for state in [&honest.handshake, &honest.verifier_states[0], &honest.verifier_states[1], &honest.holder_states[1]] {
            add([&[signed + 4][..], state].concat());
        }
    }
    for file in 0..4 {
        for mend in [0, 1] {
            add(vec![5, 3, file, mend, 0]);
            add(vec![5, 4, file, mend, 1, 0, 60, 0, 3]);
            add(vec![5, 5, file, mend, 1, 0, 70, 2]);
        }
    }
}

fn ledger(add: &mut dyn FnMut(Vec<u8>)) {
    for signed in [0, 128] {
        let extract = String::from_utf8(Honest::get(signed == 128).extract.clone()).unwrap();
        for line in extract.lines().skip(1) {
            let line: Value = serde_json::from_str(line).unwrap();
            if let (Some(kind), Some(body)) = (line["kind"].as_u64(), line["body"].as_str()) {
                add([&[0, kind as u8][..], body.as_bytes()].concat());
            }
        }
        add(vec![signed + 3, 0, 0]);
        add(vec![signed + 3, 0, 1, 1, 100, 0, 1]);
        add(vec![signed + 3, 1, 2, 2, 3, 2, 1, 1, 0, 0]);
        for table in 0..16 {
            for column in [0, 3, 7] {
                add(vec![signed + 5, 0, table, column, 1, 2 + column % 6, 1, 0, 1, 0, 1]);
            }
        }
        for place in [1, 9, 33, 90, 140] {
            add(vec![signed + 7, 0, 0, place, 200, 7, 0]);
        }
        add(vec![signed + 7, 0, 0, 1, 1, 1, 7, 4, 0]);
    }
}
