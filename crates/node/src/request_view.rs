//! An authorised request as people read it before they sign: the same words on both sides.

use std::time::{Duration, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::request::{Disclosure, Manifest, Request, to_hex};
use serde_json::{Value, json};

use crate::date::{Date, rfc3339};

fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn date(yyyymmdd: u32) -> Option<String> {
    Date::from_yyyymmdd(yyyymmdd).map(|date| date.to_string())
}

/// What the request says, for programs: times as RFC 3339, fingerprints as they are read out.
pub(crate) fn members(manifest: &Manifest) -> Value {
    json!({
        "addresses_per_person_max": manifest.addresses_per_person_max,
        "batch_tokens": manifest.batch_tokens,
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

/// What the verifier owes the holder afterwards, in words.
pub(crate) fn disclosure_words(disclosure: Disclosure) -> &'static str {
    match disclosure {
        Disclosure::None => "the holder is told nothing of the result",
        Disclosure::Count => "the holder is told how many pairs matched",
        Disclosure::MatchedTags => "the holder is told which of its records matched",
    }
}

/// What the request says, for people: a label and a text a line. Its texts hold no control characters, by the request's own rules.
pub(crate) fn lines(request: &Request, manifest: &Manifest) -> Vec<String> {
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
        line("field", &format!("{name} = {value}"));
    }
    line("valid", &format!("{} to {}", time(manifest.not_before_unix_ms), time(manifest.not_after_unix_ms)));
    line("asks", &format!("{} pairs, {} tokens, under {} ({})", manifest.pairs, request.tokens(), manifest.ruleset, manifest.class));
    let left_out: Vec<String> = manifest.left_out.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    line("left out", if left_out.is_empty() { "nothing".to_owned() } else { left_out.join(", ") }.as_str());
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
    lines
}
