//! `request show`: what officials read before they sign; with `--verify`, what their own machine makes of the list.

use std::time::SystemTime;

use oblink_session::blind::Blinder;
use serde_json::{Value, json};

use super::directory::{RequestDirectory, Secret};
use super::recompute::{ListFile, blind_all, blinded_root, list_differences, read_list, ruleset_differences};
use crate::cli::RequestShowArgs;
use crate::date::Date;
use crate::failure::Failure;
use crate::report::Reporter;
use crate::request_view;
use crate::rows::Source;
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
    let mut object = request_view::object(&directory.path().display().to_string(), directory.request(), manifest, &signatures);
    let verdict = verified
        .as_ref()
        .map(|(differences, padding)| json!({ "agrees": differences.is_empty(), "differs": differences, "padding": padding }));
    object.insert("verified".to_owned(), json!(verdict));
    reporter.json(&Value::Object(object));
    reporter.answer(&request_view::lines(directory.request(), manifest, &signatures).join("\n"));
    match verified {
        None => Ok(()),
        Some((differences, padding)) if differences.is_empty() => {
            reporter.answer("Computed again from the list and the secret part: rows, counts, dates, seed and every batch agree.");
            if padding > 0 {
                reporter.answer(&format!("{padding} of its pairs are padding: they ask about nobody."));
            }
            Ok(())
        }
        Some((differences, _)) => Err(Failure::input(
            "request_differs",
            format!("the request is not what the list and the secret part make: {}", differences.join(", ")),
        )
        .with_hint(
            "do not sign it; compare the input, its --map and --person-id with those of request new, and who has had the files since",
        )),
    }
}

/// What does not agree, and how many of the pairs are padding.
fn differences(
    args: &RequestShowArgs,
    input: &std::path::Path,
    directory: &RequestDirectory,
    reporter: &Reporter,
) -> Result<(Vec<&'static str>, u64), Failure> {
    let manifest = directory.manifest()?;
    let secret = Secret::read(&args.secret.clone().unwrap_or_else(|| directory.secret()))?;
    let ruleset = directory.ruleset(args.ruleset.as_deref())?;
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
    if list.asked() != manifest.pairs || ruleset.tokens_per_pair() != manifest.tokens_per_pair {
        differences.push("blinded_root");
        return Ok((differences, list.padding));
    }
    let bar = reporter.count_bar("blinding", directory.request().tokens());
    let batches = blind_all(directory.request(), &Blinder::new(&secret.blind_seed, secret.request_id), &list, &bar)?;
    bar.finish();
    if blinded_root(&batches) != manifest.blinded_root {
        differences.push("blinded_root");
    }
    // Where request.json lies alone there is no such file, and nothing is wrong with that; one that is cut is another.
    if args.request.is_dir() && directory.has_batches() && directory.batches().map_or(true, |kept| kept != batches) {
        differences.push("batches.bin");
    }
    Ok((differences, list.padding))
}
