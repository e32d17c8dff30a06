//! `request show`: what officials read before they sign; with `--verify`, what their own machine makes of the list.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::authority::Namespace;
use oblink_session::blind::Blinder;
use oblink_session::request::{Manifest, to_hex};
use serde_json::{Value, json};

use super::directory::{Found, RequestDirectory, Secret};
use super::new::counts;
use super::recompute::{ListFile, blind_all, blinded_root, list_differences, read_list, ruleset_differences};
use crate::cli::RequestShowArgs;
use crate::date::{Date, rfc3339};
use crate::failure::Failure;
use crate::report::Reporter;
use crate::rows::Source;
use crate::tokens::ruleset_by_name;
use crate::verifier::conditions::Conditions;

/// Shows the request; with `--verify` also computes it again.
///
/// # Errors
/// Exit 3: there is no request, or it is not what the list and the secret part make.
pub(super) fn show(args: &RequestShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = RequestDirectory::open(&args.request)?;
    let signatures = directory.read_signatures()?;
    let manifest = directory.manifest()?;
    let verified = match &args.input {
        Some(input) if args.verify => Some(differences(args, input, &directory, reporter)?),
        _ => None,
    };
    let verdict = verified.as_ref().map(|differences| json!({ "agrees": differences.is_empty(), "differs": differences }));
    reporter.json(&json!({
        "request": directory.path().display().to_string(),
        "request_digest": to_hex(&directory.request().digest()),
        "manifest": members(manifest),
        "tokens": directory.request().tokens(),
        "batches": directory.request().batches(),
        "signatures": signatures.iter().map(signature_json).collect::<Vec<_>>(),
        "verified": verdict,
    }));
    reporter.answer(&text(&directory, manifest, &signatures));
    match verified {
        None => Ok(()),
        Some(differences) if differences.is_empty() => {
            reporter.answer("Computed again from the list and the secret part: rows, counts, dates, seed and every batch agree.");
            Ok(())
        }
        Some(differences) => Err(Failure::input(
            "request_differs",
            format!("the request is not what the list and the secret part make: {}", differences.join(", ")),
        )
        .with_hint(
            "do not sign it; compare the input, its --map and --person-id with those of request new, and who has had the files since",
        )),
    }
}

fn differences(
    args: &RequestShowArgs,
    input: &std::path::Path,
    directory: &RequestDirectory,
    reporter: &Reporter,
) -> Result<Vec<&'static str>, Failure> {
    let manifest = directory.manifest()?;
    let secret = Secret::read(&args.secret.clone().unwrap_or_else(|| directory.secret()))?;
    let ruleset = ruleset_by_name(&manifest.ruleset)?;
    let mut differences = ruleset_differences(manifest, ruleset);
    if !secret.belongs_to(manifest) {
        differences.push("blind_seed_digest");
    }
    if secret.as_of > Date::of(SystemTime::now()) {
        // Whoever made the list could have let orders of days to come into it.
        differences.push("the day on which the list was made");
    }
    let conditions = Conditions::of_request(manifest, secret.as_of)?;
    let file = ListFile::new(Source::from_path(input), args.format.options(), args.person_id.as_deref());
    let list = read_list(&file, ruleset, conditions, &secret, false, reporter)?;
    differences.extend(list_differences(manifest, &list));
    if list.pairs != manifest.pairs || ruleset.tokens_per_pair() != manifest.tokens_per_pair {
        differences.push("blinded_root");
        return Ok(differences);
    }
    let bar = reporter.count_bar("blinding", directory.request().tokens());
    let batches = blind_all(directory.request(), &Blinder::new(&secret.blind_seed, secret.request_id), &list, &bar)?;
    bar.finish();
    if blinded_root(&batches) != manifest.blinded_root {
        differences.push("blinded_root");
    }
    // Where request.json lies alone there is no such file, and nothing is wrong with that.
    if args.request.is_dir() && directory.batches().is_ok_and(|kept| kept != batches) {
        differences.push("batches.bin");
    }
    Ok(differences)
}

fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn date(yyyymmdd: u32) -> Option<String> {
    Date::from_yyyymmdd(yyyymmdd).map(|date| date.to_string())
}

/// Who a signature is for; a principal is known to the holder's policy alone.
fn side(found: &Found) -> &'static str {
    match found.namespace.as_deref().and_then(Namespace::by_name) {
        Some(Namespace::Request) => "verifier",
        Some(Namespace::Countersign) => "holder",
        _ => "nobody",
    }
}

fn signature_json(found: &Found) -> Value {
    match &found.verdict {
        Ok(verified) => json!({
            "file": found.name, "holds": true, "side": side(found), "namespace": found.namespace, "key_type": verified.key_type().as_str(),
            "key_fingerprint": verified.key_fingerprint(), "user_present": verified.user_present(), "principal": null,
        }),
        Err(error) => {
            json!({ "file": found.name, "holds": false, "side": side(found), "namespace": found.namespace, "why": error.to_string() })
        }
    }
}

fn members(manifest: &Manifest) -> Value {
    json!({
        "addresses_per_person_max": manifest.addresses_per_person_max,
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
        "verifier": Fingerprint::from_bytes(manifest.verifier).to_string(),
        "verifier_name": manifest.verifier_name,
    })
}

fn text(directory: &RequestDirectory, manifest: &Manifest, signatures: &[Found]) -> String {
    let request = directory.request();
    let mut lines = Vec::new();
    let mut line = |label: &str, value: String| lines.push(format!("{label:<16}{value}"));
    line("request", to_hex(request.id()));
    line("digest", to_hex(&request.digest()));
    line("verifier", manifest.verifier_name.clone());
    line("", Fingerprint::from_bytes(manifest.verifier).to_string());
    line("holder", manifest.holder_name.clone());
    line("", Fingerprint::from_bytes(manifest.holder).to_string());
    line("purpose", manifest.purpose.clone());
    line("legal basis", manifest.legal_basis.clone());
    for (name, value) in &manifest.fields {
        line(name, value.clone());
    }
    line("valid", format!("{} to {}", time(manifest.not_before_unix_ms), time(manifest.not_after_unix_ms)));
    line("asks", format!("{} pairs, {} tokens, under {} ({})", manifest.pairs, request.tokens(), manifest.ruleset, manifest.class));
    line("left out", counts(&manifest.left_out));
    if !manifest.required_columns.is_empty() {
        line("required", manifest.required_columns.iter().cloned().collect::<Vec<_>>().join(", "));
    }
    if let (Some(earliest), Some(latest)) = (date(manifest.order_date_earliest), date(manifest.order_date_latest)) {
        line("order dates", format!("{earliest} to {latest}"));
    }
    line(
        "addresses",
        match manifest.addresses_per_person_max {
            0 => "any number a person".to_owned(),
            max => format!("at most {max} a person"),
        },
    );
    line(
        "disclosure",
        match manifest.disclosure.as_str() {
            "none" => "the holder is told nothing of the result".to_owned(),
            "count" => "the holder is told how many pairs matched".to_owned(),
            _ => "the holder is told which of its records matched".to_owned(),
        },
    );
    line("list root", to_hex(&manifest.list_root));
    line("batches", format!("{} of up to {}, under {}", request.batches(), manifest.batch_tokens, to_hex(&manifest.blinded_root)));
    line("signatures", if signatures.is_empty() { "none".to_owned() } else { signatures.len().to_string() });
    for found in signatures {
        let said = match &found.verdict {
            Ok(verified) => {
                let presence = match verified.user_present() {
                    None => "",
                    Some(true) => ", touched",
                    Some(false) => ", NOT touched",
                };
                format!("holds: {} {}{presence}, for the {}", verified.key_type().as_str(), verified.key_fingerprint(), side(found))
            }
            Err(error) => format!("DOES NOT HOLD: {error}"),
        };
        lines.push(format!("  {}: {said}", found.name));
    }
    lines.join("\n")
}
