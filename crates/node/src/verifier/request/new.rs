//! `request new`: a list becomes a request that officials can read and sign.

use std::time::SystemTime;

use oblink_session::blind::Blinder;
use oblink_session::commitment::blind_seed_digest;
use oblink_session::limits::BATCH_TOKENS_DEFAULT;
use oblink_session::request::{Manifest, Request, to_hex};
use serde_json::json;

use super::directory::{Secret, check_free, write};
use super::recompute::{ListFile, blind_all, blinded_root, read_list};
use crate::cli::RequestNewArgs;
use crate::date::{Date, unix_ms};
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::random::system_bytes;
use crate::report::Reporter;
use crate::request_view::counts;
use crate::ruleset::choose;
use crate::verifier::conditions::Conditions;

/// Makes the request and writes its directory.
///
/// # Errors
/// Exit 3: the input, the home, what the request would say, or the directory. Then nothing is left behind.
pub(super) fn new(args: &RequestNewArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Verifier)?;
    let chosen = choose(&args.ruleset)?;
    let ruleset = chosen.ruleset;
    let peers = home.peers()?;
    let (label, pin) = peers.select(args.peer.as_deref())?;
    check_free(&args.out)?;
    let now = SystemTime::now();
    let today = Date::of(now);
    let required = args.require_column.iter().map(String::as_str);
    let conditions = Conditions::new(required, args.addresses_per_person_max, today)?;
    let not_before_unix_ms = args.not_before.map_or(unix_ms(now), |moment| moment.first_unix_ms());
    let not_after_unix_ms = args.not_after.last_unix_ms();
    if not_after_unix_ms <= not_before_unix_ms.max(unix_ms(now)) {
        return Err(Failure::input("not_after", "the request would be over before it begins").with_hint("give a later --not-after"));
    }

    let secret = Secret::generate(*system_bytes()?, today, args.pad_to)?;
    let required_columns = conditions.required().map(str::to_owned).collect();
    let file = ListFile::new(args.csv.source(), args.csv.options(), args.person_id.as_deref());
    let list = read_list(&file, ruleset, conditions, &secret, false, reporter)?;
    let left_out = list.left_out();
    if list.pairs == 0 {
        return Err(Failure::input("nothing_to_ask", "no row can be submitted: there is nothing to request")
            .with_hint(format!("left out: {}", counts(&left_out))));
    }
    let plain =
        Request::new(secret.request_id, list.asked(), BATCH_TOKENS_DEFAULT, ruleset.name(), ruleset.digest(), ruleset.tokens_per_pair())
            .map_err(|error| Failure::input("request", error.to_string()))?;
    let bar = reporter.count_bar("blinding", plain.tokens());
    let batches = blind_all(&plain, &Blinder::new(&secret.blind_seed, secret.request_id), &list, &bar)?;
    bar.finish();
    let committed = list.committed.as_ref().ok_or_else(|| Failure::bug("a request's list was not hashed"))?;

    let mut fields = std::collections::BTreeMap::new();
    for (name, value) in &args.field {
        if fields.insert(name.clone(), value.clone()).is_some() {
            return Err(Failure::usage("field_twice", format!("--field names {name} more than once")));
        }
    }
    let request = Request::authorised(Manifest {
        addresses_per_person_max: args.addresses_per_person_max,
        batch_tokens: BATCH_TOKENS_DEFAULT,
        blind_seed_digest: blind_seed_digest(&secret.request_id, &secret.blind_seed),
        blinded_root: blinded_root(&batches),
        class: ruleset.class().as_str().to_owned(),
        disclosure: args.disclosure,
        fields,
        holder: *pin.as_bytes(),
        holder_name: args.holder_name.clone().unwrap_or_else(|| label.to_owned()),
        left_out,
        legal_basis: args.legal_basis.clone(),
        list_root: committed.list_root,
        not_after_unix_ms,
        not_before_unix_ms,
        order_date_earliest: committed.order_dates.0,
        order_date_latest: committed.order_dates.1,
        pairs: list.asked(),
        purpose: args.purpose.clone(),
        request_id: secret.request_id,
        required_columns,
        ruleset: ruleset.name().to_owned(),
        ruleset_digest: ruleset.digest(),
        tokens_per_pair: ruleset.tokens_per_pair(),
        verifier: *home.fingerprint().as_bytes(),
        verifier_name: args.verifier_name.clone().unwrap_or_else(|| home.config().name.clone()),
    })
    .map_err(|error| Failure::input("request", error.to_string()).with_hint("a name has 1 to 1,024 bytes, no control or invisible characters and no blank at either end: see --verifier-name, --holder-name"))?;
    write(&args.out, &request, &secret, &batches, chosen.text.as_deref())?;
    say(args, &request, list.padding, reporter)
}

fn say(args: &RequestNewArgs, request: &Request, padding: u64, reporter: &Reporter) -> Result<(), Failure> {
    let manifest = request.manifest().ok_or_else(|| Failure::bug("the new request has no manifest"))?;
    reporter.json(&json!({
        "request": args.out.display().to_string(),
        "request_id": to_hex(request.id()),
        "request_digest": to_hex(&request.digest()),
        "pairs": request.pairs(),
        "padding": padding,
        "tokens": request.tokens(),
        "left_out": manifest.left_out,
        "list_root": to_hex(&manifest.list_root),
        "blinded_root": to_hex(&manifest.blinded_root),
    }));
    let out = args.out.display();
    let of_which = if padding > 0 { format!(" ({padding} of them padding)") } else { String::new() };
    reporter.answer(&format!(
        "A request of {} pairs{of_which} was made in {out}; left out: {}.\n\
         Its digest: {}\n\
         Each official reads it:\n  oblink-verifier request show --request {out}\n\
         and signs it:\n  ssh-keygen -Y sign -n request@oblink-1 -f KEY {out}/request.json\n\
         which writes {out}/request.json.sig; move it to {out}/signatures/NAME.sig before the next one signs.\n\
         {out}/secret.json is as secret as the list: never send it, and keep it for audits.",
        request.pairs(),
        counts(&manifest.left_out),
        to_hex(&request.digest()),
    ));
    Ok(())
}
