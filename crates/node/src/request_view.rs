//! An authorised request and the signatures beside it as people read them before they sign: the same words on both sides.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::authority::{Namespace, Signature, SignatureError, Verified};
use oblink_session::request::{Disclosure, Manifest, Request, to_hex};
use serde_json::{Value, json};

use crate::date::{Date, rfc3339};

/// A signature that lies beside a request, and whether it holds over it. Whose key it is, only the holder's policy says.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its file, relative to the request's directory.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: Result<Verified, SignatureError>,
    /// What it says it was made for, where it can be read.
    pub(crate) namespace: Option<String>,
}

impl Found {
    /// Looks at a signature. One that is for another purpose than requests does not hold, whatever it is over.
    pub(crate) fn look(name: String, bytes: Vec<u8>, request: &Request) -> Self {
        let parsed = Signature::parse(&bytes);
        let namespace = parsed.as_ref().ok().map(|signature| signature.namespace().to_owned());
        let verdict = parsed.and_then(|signature| match Namespace::by_name(signature.namespace()) {
            Some(known @ (Namespace::Request | Namespace::Countersign)) => signature.verify(known.as_str(), request.bytes()),
            _ => Err(SignatureError::Namespace),
        });
        Self { name, bytes, verdict, namespace }
    }

    /// Whose officials it is meant to be of.
    fn side(&self) -> &'static str {
        match self.namespace.as_deref().and_then(Namespace::by_name) {
            Some(Namespace::Request) => "verifier",
            Some(Namespace::Countersign) => "holder",
            _ => "nobody",
        }
    }

    fn json(&self) -> Value {
        match &self.verdict {
            Ok(verified) => json!({
                "file": self.name, "holds": true, "side": self.side(), "namespace": self.namespace, "key_type": verified.key_type().as_str(),
                "key_fingerprint": verified.key_fingerprint(), "user_present": verified.user_present(),
            }),
            Err(error) => {
                json!({ "file": self.name, "holds": false, "side": self.side(), "namespace": self.namespace, "why": error.to_string() })
            }
        }
    }

    fn line(&self) -> String {
        let said = match &self.verdict {
            Ok(verified) => {
                let presence = match verified.user_present() {
                    None => "",
                    Some(true) => ", touched",
                    Some(false) => ", NOT touched",
                };
                format!("holds: {} {}{presence}, for the {}", verified.key_type().as_str(), verified.key_fingerprint(), self.side())
            }
            Err(error) => format!("DOES NOT HOLD: {error}"),
        };
        // Whoever sent the file chose its name.
        format!("  {}: {said}", self.name.escape_debug())
    }
}

fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn date(yyyymmdd: u32) -> Option<String> {
    Date::from_yyyymmdd(yyyymmdd).map(|date| date.to_string())
}

/// What the request says, for programs: times as RFC 3339, fingerprints as they are read out.
fn members(manifest: &Manifest) -> Value {
    json!({
        "addresses_per_person_max": manifest.addresses_per_person_max,
        "batch_tokens": manifest.batch_tokens,
        "blind_seed_digest": to_hex(&manifest.blind_seed_digest),
        "blinded_root": to_hex(&manifest.blinded_root),
        "class": manifest.class,
        "disclosure": manifest.disclosure.as_str(),
        "fields": manifest.fields,
        "holder": Fingerprint::from_bytes(manifest.holder).to_string(),
        "holder_name": manifest.holder_name,
        "left_out": manifest.left_out,
        "legal_basis": manifest.legal_basis,
        "list_root": to_hex(&manifest.list_root),
        "not_after": time(manifest.not_after_unix_ms),
        "not_before": time(manifest.not_before_unix_ms),
        "order_date_earliest": date(manifest.order_date_earliest),
        "order_date_latest": date(manifest.order_date_latest),
        "pairs": manifest.pairs,
        "purpose": manifest.purpose,
        "request_id": to_hex(&manifest.request_id),
        "required_columns": manifest.required_columns,
        "ruleset": manifest.ruleset,
        "ruleset_digest": to_hex(&manifest.ruleset_digest),
        "tokens_per_pair": manifest.tokens_per_pair,
        "verifier": Fingerprint::from_bytes(manifest.verifier).to_string(),
        "verifier_name": manifest.verifier_name,
    })
}

/// What a request is, for programs; a side adds what it alone knows. `at` is where it lies, `signatures` what lies beside it.
pub(crate) fn object(at: &str, request: &Request, manifest: &Manifest, signatures: &[Found]) -> serde_json::Map<String, Value> {
    let members = [
        ("request", at.into()),
        ("request_digest", to_hex(&request.digest()).into()),
        ("tokens", request.tokens().into()),
        ("batches", request.batches().into()),
        ("manifest", members(manifest)),
        ("signatures", signatures.iter().map(Found::json).collect()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Counts by reason, in one line.
pub(crate) fn counts(left_out: &BTreeMap<String, u64>) -> String {
    if left_out.is_empty() {
        return "no row".to_owned();
    }
    left_out.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
}

/// What the verifier owes the holder afterwards, in words.
fn disclosure_words(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::None => "the holder is told nothing of the result",
        Disclosure::Count => "the holder is told how many pairs matched",
        Disclosure::MatchedTags => "the holder is told which of its records matched",
    }
}

/// What the request says and what lies beside it, for people: a label and a text a line. Its texts hold no control characters, by the request's
/// own rules.
pub(crate) fn lines(request: &Request, manifest: &Manifest, signatures: &[Found]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = |label: &str, value: &str| lines.push(format!("{label:<16}{value}"));
    line("request", &to_hex(request.id()));
    line("digest", &to_hex(&request.digest()));
    line("verifier", &manifest.verifier_name);
    line("", &Fingerprint::from_bytes(manifest.verifier).to_string());
    line("holder", &manifest.holder_name);
    line("", &Fingerprint::from_bytes(manifest.holder).to_string());
    line("purpose", &manifest.purpose);
    line("legal basis", &manifest.legal_basis);
    for (name, value) in &manifest.fields {
        // A field may be called like one of the lines here.
        line("field", &format!("{name} = {value}"));
    }
    line("valid", &format!("{} to {}", time(manifest.not_before_unix_ms), time(manifest.not_after_unix_ms)));
    line("asks", &format!("{} pairs, {} tokens, under {} ({})", manifest.pairs, request.tokens(), manifest.ruleset, manifest.class));
    line("left out", &counts(&manifest.left_out));
    if !manifest.required_columns.is_empty() {
        line("required", &manifest.required_columns.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    if let (Some(earliest), Some(latest)) = (date(manifest.order_date_earliest), date(manifest.order_date_latest)) {
        line("order dates", &format!("{earliest} to {latest}"));
    }
    line(
        "addresses",
        &match manifest.addresses_per_person_max {
            0 => "any number a person".to_owned(),
            max => format!("at most {max} a person"),
        },
    );
    line("disclosure", disclosure_words(manifest.disclosure));
    line("list root", &to_hex(&manifest.list_root));
    line("batches", &format!("{} of up to {}, under {}", request.batches(), manifest.batch_tokens, to_hex(&manifest.blinded_root)));
    line("signatures", if signatures.is_empty() { "none here".to_owned() } else { signatures.len().to_string() }.as_str());
    lines.extend(signatures.iter().map(Found::line));
    lines
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What a request may say, with something in every member.
    pub(crate) fn manifest() -> Manifest {
        Manifest {
            addresses_per_person_max: 1,
            batch_tokens: 10,
            blind_seed_digest: [1; 32],
            blinded_root: [2; 32],
            class: "confirm-address".to_owned(),
            disclosure: Disclosure::Count,
            fields: BTreeMap::from([("signatures".to_owned(), "64".to_owned())]),
            holder: [9; 32],
            holder_name: "Records Office".to_owned(),
            left_out: BTreeMap::from([("no_order_date".to_owned(), 3)]),
            legal_basis: "Example Code § 12(3)".to_owned(),
            list_root: [3; 32],
            not_after_unix_ms: 86_400_000,
            not_before_unix_ms: 1_000,
            order_date_earliest: 20_260_101,
            order_date_latest: 20_260_131,
            pairs: 25,
            purpose: "Confirm addresses".to_owned(),
            request_id: [6; 16],
            required_columns: BTreeSet::from(["order_date".to_owned()]),
            ruleset: "us-exact-1".to_owned(),
            ruleset_digest: [4; 32],
            tokens_per_pair: 1,
            verifier: [8; 32],
            verifier_name: "Benefits Agency".to_owned(),
        }
    }

    fn request() -> Request {
        Request::authorised(manifest()).unwrap()
    }

    #[test]
    fn people_read_all_of_it() {
        let request = request();
        let found = [Found::look("request.json.sig".to_owned(), b"none".to_vec(), &request)];
        insta::assert_snapshot!(lines(&request, request.manifest().unwrap(), &found).join("\n"));
    }

    /// What officials sign is in what programs show, member by member; the class of each value may be another.
    #[test]
    fn no_member_is_left_out() {
        let request = request();
        let signed: Value = serde_json::from_slice(request.bytes()).unwrap();
        let shown = object("R", &request, request.manifest().unwrap(), &[]);
        for name in signed.as_object().unwrap().keys().filter(|name| *name != "format") {
            let name = name.strip_suffix("_unix_ms").unwrap_or(name);
            assert!(shown["manifest"].get(name).is_some(), "{name}");
        }
        assert_eq!(shown["batches"], 3);
    }
}
