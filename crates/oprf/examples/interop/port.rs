//! The port's requests and answers, apart from the process around them.
//!
//! | request | answer |
//! |---|---|
//! | `{"op":"derive_key","seed":HEX,"info":HEX}` | `{"sk":HEX,"pk":HEX}` |
//! | `{"op":"blind","inputs":[HEX],"blinds":[HEX]}` (`blinds` may be left out) | `{"blinds":[HEX],"blinded":[HEX]}` |
//! | `{"op":"blind_evaluate","sk":HEX,"blinded":[HEX],"r":HEX}` (`r`, the proof nonce, may be left out) | `{"evaluated":[HEX],"proof":HEX}` |
//! | `{"op":"finalize","pk":HEX,"inputs":[HEX],"blinds":[HEX],"blinded":[HEX],"evaluated":[HEX],"proof":HEX}` | `{"outputs":[HEX]}` |
//! | `{"op":"evaluate","sk":HEX,"inputs":[HEX]}` | `{"outputs":[HEX]}` |
//! | anything else | `{"error":KIND,"detail":TEXT}` |
//!
//! Errors name fields and positions, never what was in them.

use std::fmt;
use std::io::{self, BufRead, Write};

use oblink_oprf::{
    BATCH_MAX, Blind, Error, KeyPair, NE, NH, NS, Proof, PublicKey, blind_slice, finalize_slice, hazmat, verify, verify_slice,
};
use rand::CryptoRng;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Most bytes of a line: the largest batch in every list, with inputs of ordinary length.
pub(crate) const LINE_MAX: usize = 64 << 20;

/// Why a line was not answered: a word for programs and a sentence for people.
struct Refusal {
    kind: &'static str,
    detail: String,
}

fn refusal(kind: &'static str, detail: impl Into<String>) -> Refusal {
    Refusal { kind, detail: detail.into() }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::InvalidInput { .. } => "invalid_input",
            Error::InputTooLong { .. } | Error::InfoTooLong => "too_long",
            Error::Count { .. } => "count_mismatch",
            Error::BatchSize { .. } => "batch_size",
            Error::DeriveKeyPair => "derive_key_pair",
            Error::SecretKey => "bad_secret_key",
            Error::Scalar => "bad_scalar",
            Error::PublicKey => "bad_public_key",
            Error::BlindedElement { .. } => "bad_blinded_element",
            Error::EvaluatedElement { .. } => "bad_evaluated_element",
            Error::ProofEncoding => "bad_proof_encoding",
            Error::Proof => "verify_failed",
            _ => "internal",
        };
        refusal(kind, error.to_string())
    }
}

/// Answers every line of `input` until it ends; flushes each answer. Lines longer than `line_max` are read to their end and refused.
///
/// # Errors
/// Those of reading and writing, nothing else.
pub(crate) fn run(mut input: impl BufRead, mut output: impl Write, line_max: usize, rng: &mut impl CryptoRng) -> io::Result<()> {
    let mut line = Vec::new();
    while let Some(whole) = read_line(&mut input, &mut line, line_max)? {
        let result = if whole { answer(&line, rng) } else { Err(refusal("line_too_long", format!("a line has at most {line_max} bytes"))) };
        let object = result.unwrap_or_else(|refusal| object([("error", refusal.kind.into()), ("detail", refusal.detail.into())]));
        serde_json::to_writer(&mut output, &object)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// Reads a line without its end into `line`: `None` at the end of input, `Some(false)` if it was longer than `max` (and then skipped).
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>, max: usize) -> io::Result<Option<bool>> {
    line.clear();
    let (mut any, mut whole) = (false, true);
    loop {
        let available = input.fill_buf()?;
        if available.is_empty() {
            return Ok(any.then_some(whole));
        }
        any = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        if line.len() + part.len() > max {
            whole = false;
            line.clear();
        }
        if whole {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(whole));
        }
    }
}

/// A JSON object's members, a name that comes twice refused.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
                let mut members = Map::new();
                while let Some((name, value)) = access.next_entry()? {
                    if members.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a field comes twice"));
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

fn answer(line: &[u8], rng: &mut impl CryptoRng) -> Result<Value, Refusal> {
    let text = std::str::from_utf8(line).map_err(|error| refusal("bad_utf8", format!("at byte {}", error.valid_up_to())))?;
    // serde_json's own message may quote the line.
    let Members(members) = serde_json::from_str(text).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "one object, each field once, was expected; the trouble is",
            _ => "not JSON",
        };
        refusal("bad_json", format!("{what} at column {}", error.column()))
    })?;
    let mut fields = Fields(members);
    let op = match fields.take("op")? {
        Value::String(op) => op,
        _ => return Err(refusal("bad_type", "op: a string was expected")),
    };
    match op.as_str() {
        "derive_key" => derive_key(fields),
        "blind" => blind(fields, rng),
        "blind_evaluate" => blind_evaluate(fields, rng),
        "finalize" => finalize(fields),
        "evaluate" => evaluate(fields),
        _ => Err(refusal("unknown_op", "op: one of derive_key, blind, blind_evaluate, finalize, evaluate was expected")),
    }
}

fn derive_key(mut fields: Fields) -> Result<Value, Refusal> {
    let seed = fields.fixed("seed")?;
    let info = fields.bytes("info")?;
    fields.end()?;
    let key = KeyPair::derive(&seed, &info)?;
    Ok(object([("sk", encode(&*key.secret().to_bytes())), ("pk", encode(&key.public().to_bytes()))]))
}

fn blind(mut fields: Fields, rng: &mut impl CryptoRng) -> Result<Value, Refusal> {
    let inputs = fields.inputs()?;
    let blinds = fields.optional("blinds", Fields::blinds)?;
    fields.end()?;
    let blinds = match blinds {
        Some(blinds) => blinds,
        None => inputs.iter().map(|_| Blind::random(rng)).collect(),
    };
    let mut blinded = vec![[0; NE]; inputs.len()];
    blind_slice(&inputs, &blinds, &mut blinded)?;
    let blinds = blinds.iter().map(|blind| encode(&*hazmat::blind_to_bytes(blind)));
    Ok(object([("blinds", blinds.collect()), ("blinded", list(&blinded))]))
}

fn blind_evaluate(mut fields: Fields, rng: &mut impl CryptoRng) -> Result<Value, Refusal> {
    let key = fields.key()?;
    let blinded: Vec<[u8; NE]> = fields.fixed_list("blinded")?;
    let nonce = fields.optional("r", |fields| fields.fixed::<NS>("r"))?;
    fields.end()?;
    let mut evaluated = vec![[0; NE]; blinded.len()];
    let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated)?;
    let proof = match nonce {
        Some(r) => hazmat::prove_with_nonce(&key, composite, &blinded, &evaluated, &r)?,
        None => key.prove(composite, &blinded, &evaluated, rng)?,
    };
    Ok(object([("evaluated", list(&evaluated)), ("proof", encode(&proof.to_bytes()))]))
}

fn finalize(mut fields: Fields) -> Result<Value, Refusal> {
    let public = PublicKey::from_bytes(&fields.fixed("pk")?)?;
    let inputs = fields.inputs()?;
    let blinds = fields.blinds()?;
    let blinded: Vec<[u8; NE]> = fields.fixed_list("blinded")?;
    let evaluated: Vec<[u8; NE]> = fields.fixed_list("evaluated")?;
    let proof = Proof::from_bytes(&fields.fixed("proof")?)?;
    fields.end()?;
    let (composite, decoded) = verify_slice(&public, 0, &blinded, &evaluated)?;
    let mut outputs = vec![[0; NH]; inputs.len()];
    let verified = verify(&public, composite, &proof)?;
    finalize_slice(&verified, &inputs, &blinds, &decoded, &mut outputs)?;
    Ok(object([("outputs", list(&outputs))]))
}

fn evaluate(mut fields: Fields) -> Result<Value, Refusal> {
    let key = fields.key()?;
    let inputs = fields.inputs()?;
    fields.end()?;
    let mut outputs = vec![[0; NH]; inputs.len()];
    key.evaluate_slice(&inputs, &mut outputs)?;
    Ok(object([("outputs", list(&outputs))]))
}

/// A request's fields, taken out one by one; what is left at the end is refused.
struct Fields(Map<String, Value>);

impl Fields {
    fn take(&mut self, name: &'static str) -> Result<Value, Refusal> {
        self.0.remove(name).ok_or_else(|| refusal("missing_field", format!("{name} is missing")))
    }

    fn end(self) -> Result<(), Refusal> {
        match self.0.len() {
            0 => Ok(()),
            n => Err(refusal("unknown_field", format!("{n} fields that this op does not have"))),
        }
    }

    fn optional<T>(&mut self, name: &'static str, take: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<Option<T>, Refusal> {
        if self.0.contains_key(name) { take(self).map(Some) } else { Ok(None) }
    }

    fn bytes(&mut self, name: &'static str) -> Result<Vec<u8>, Refusal> {
        decode(&self.take(name)?, || name.to_owned())
    }

    fn fixed<const N: usize>(&mut self, name: &'static str) -> Result<[u8; N], Refusal> {
        sized(self.bytes(name)?, || name.to_owned())
    }

    fn list(&mut self, name: &'static str) -> Result<Vec<Vec<u8>>, Refusal> {
        let Value::Array(items) = self.take(name)? else {
            return Err(refusal("bad_type", format!("{name}: a list was expected")));
        };
        if items.is_empty() || items.len() > BATCH_MAX {
            let count = items.len();
            return Err(Error::BatchSize { count }.into());
        }
        items.iter().enumerate().map(|(i, item)| decode(item, || format!("{name}[{i}]"))).collect()
    }

    fn fixed_list<const N: usize>(&mut self, name: &'static str) -> Result<Vec<[u8; N]>, Refusal> {
        self.list(name)?.into_iter().enumerate().map(|(i, item)| sized(item, || format!("{name}[{i}]"))).collect()
    }

    fn inputs(&mut self) -> Result<Vec<Vec<u8>>, Refusal> {
        self.list("inputs")
    }

    fn blinds(&mut self) -> Result<Vec<Blind>, Refusal> {
        self.fixed_list("blinds")?
            .iter()
            .enumerate()
            .map(|(i, bytes)| hazmat::blind_from_bytes(bytes).map_err(|error| refusal("bad_scalar", format!("blinds[{i}]: {error}"))))
            .collect()
    }

    fn key(&mut self) -> Result<KeyPair, Refusal> {
        Ok(KeyPair::from_secret_bytes(&self.fixed("sk")?)?)
    }
}

fn decode(value: &Value, name: impl FnOnce() -> String) -> Result<Vec<u8>, Refusal> {
    let Value::String(text) = value else {
        let detail = format!("{}: a string of hex digits was expected", name());
        return Err(refusal("bad_type", detail));
    };
    hex::decode(text).map_err(|error| {
        let what = match error {
            hex::FromHexError::OddLength => "an odd number of hex digits",
            _ => "not hex digits",
        };
        refusal("bad_hex", format!("{}: {what}", name()))
    })
}

fn sized<const N: usize>(bytes: Vec<u8>, name: impl FnOnce() -> String) -> Result<[u8; N], Refusal> {
    let len = bytes.len();
    bytes.try_into().map_err(|_| {
        let detail = format!("{}: {N} bytes were expected, not {len}", name());
        refusal("bad_length", detail)
    })
}

fn encode(bytes: &[u8]) -> Value {
    hex::encode(bytes).into()
}

fn list<const N: usize>(items: &[[u8; N]]) -> Value {
    items.iter().map(|item| encode(item)).collect()
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
