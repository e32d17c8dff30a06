//! `oblink-holder request`: what the holder's officials read, countersign or refuse.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oblink_session::authority::{Facts, Namespace, Signature, SignatureError, Validity, authorise};
use oblink_session::limits::{REQUEST_BYTES_MAX, SIGNATURES_MAX};
use oblink_session::request::{Request, to_hex};
use oblink_store::ledger::{Scope, SessionRow, SessionState, SqliteLedger};
use serde_json::{Value, json};

use super::operator;
use super::policy::directory::read_signature;
use super::policy::in_force;
use crate::cli::{CountersignArgs, HolderRequestCommand, HolderRequestShowArgs, RefuseArgs};
use crate::date::unix_ms;
use crate::failure::{Failure, io_cause};
use crate::home::{Home, Role};
use crate::report::Reporter;
use crate::ruleset::HomeRulesets;
use crate::{request_view, ssh_keygen};

/// The request's file in its directory.
const REQUEST: &str = "request.json";

/// `oblink-holder request`.
///
/// # Errors
/// Exit 3: files that are not in order; exit 4: a countersignature that does not count.
pub fn request(command: &HolderRequestCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        HolderRequestCommand::Show(args) => show(args, reporter),
        HolderRequestCommand::Countersign(args) => countersign(args, reporter),
        HolderRequestCommand::Refuse(args) => refuse(args, reporter),
    }
}

/// A request, and where it lies.
struct Found {
    request: Request,
    file: PathBuf,
    /// The directory that came with it; `None` where only its file was named.
    directory: Option<PathBuf>,
}

/// Reads a request that a verifier's officials sent: its file, or the directory that has it.
fn read(path: &Path) -> Result<Found, Failure> {
    let directory = path.is_dir().then(|| path.to_owned());
    let file = directory.as_ref().map_or_else(|| path.to_owned(), |directory| directory.join(REQUEST));
    let cannot = |error: io::Error| {
        Failure::input("request_read", format!("cannot read {}: {}", file.display(), io_cause(&error)))
            .with_hint("--request takes the request.json that the verifier sent, or the directory that has it")
    };
    let mut bytes = Vec::new();
    File::open(&file).map_err(cannot)?.take(REQUEST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let request = Request::parse(&bytes).map_err(|error| {
        Failure::input("request", format!("{}: {error}", file.display()))
            .with_hint("what officials sign is every byte of the file: ask the verifier for it again, as `request new` wrote it")
    })?;
    Ok(Found { request, file, directory })
}

impl Found {
    /// The signatures in its directory, with their files' names, in the order of these.
    fn signatures(&self) -> Result<Vec<request_view::Found>, Failure> {
        let Some(folder) = self.directory.as_ref().map(|directory| directory.join("signatures")) else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Failure::input("signature", format!("cannot read {}: {}", folder.display(), io_cause(&error)))),
        };
        let mut paths: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "sig")).collect();
        paths.sort();
        paths.truncate(SIGNATURES_MAX + 1);
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        paths.iter().map(|path| Ok(request_view::Found::look(name(path), read_signature(path)?, &self.request))).collect()
    }
}

/// Shows all that an official needs; with a home also how the policy judges it now.
fn show(args: &HolderRequestShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let found = read(&args.request)?;
    let request = &found.request;
    let Some(manifest) = request.manifest() else {
        return Err(unsigned());
    };
    let signatures = found.signatures()?;
    let mut text = request_view::lines(request, manifest, &signatures);
    let verdict = args.home.as_ref().map(|home| judge(home, &found, &signatures)).transpose()?;
    if let Some((_, lines)) = &verdict {
        text.extend(lines.iter().cloned());
    }
    let line = ssh_keygen::line(Namespace::Countersign, &found.file);
    text.push(format!("to countersign: {line}"));
    let mut object = request_view::object(&found.file.display().to_string(), request, manifest, &signatures);
    object.insert("verdict".to_owned(), json!(verdict.map(|(object, _)| object)));
    object.insert("sign_with".to_owned(), line.into());
    reporter.json(&Value::Object(object));
    reporter.answer(&text.join("\n"));
    Ok(())
}

fn unsigned() -> Failure {
    Failure::input("request", "this is an unsigned request of pilot mode: there is nothing in it to sign")
        .with_hint("authorised requests are made by `oblink-verifier request new`")
}

/// What this holder's policy would say of the request now, with the signatures that are here and in the ledger.
fn judge(home: &Path, found: &Found, signatures: &[request_view::Found]) -> Result<(Value, Vec<String>), Failure> {
    let home = Home::open(home, Role::Holder)?;
    let ledger = SqliteLedger::open(&home.ledger())?;
    let (request, digest) = (&found.request, found.request.digest());
    let filed = ledger.countersignatures(&digest)?;
    let refused = ledger.refused_requests()?.into_iter().find(|row| row.request_digest == digest);
    let mut lines: Vec<String> = filed.iter().map(|row| format!("{:<16}{} ({})", "countersigned", row.principal, row.key)).collect();
    if let Some(row) = &refused {
        lines.push(format!("{:<16}by {}: {}", "REFUSED", row.operator, row.reason));
    }
    let policy = in_force(&home, &ledger, None)?;
    let (code, why) = match (&policy, request.manifest()) {
        (Some(policy), Some(manifest)) => {
            let epoch = ledger.current_epoch(&manifest.verifier)?;
            let stopped = what_stops_it(&ledger, &manifest.verifier, &digest, epoch.is_some())?;
            // Its own signatures travel with the request; those of this side are in the ledger, and perhaps beside it too.
            let countersigns = |found: &&request_view::Found| found.namespace.as_deref() == Some(Namespace::Countersign.as_str());
            let own: Vec<Vec<u8>> = signatures
                .iter()
                .filter(|found| found.namespace.is_some() && !countersigns(found))
                .map(|found| found.bytes.clone())
                .collect();
            let verdict = authorise(&Facts {
                policy: &policy.policy,
                holder: home.fingerprint().as_bytes(),
                verifier: &manifest.verifier,
                request,
                rulesets: &HomeRulesets::read(&home)?,
                signatures: &own,
                countersignatures: &filed.iter().map(|row| row.signature.clone()).collect::<Vec<_>>(),
                set_as_of: epoch.map_or(0, |epoch| epoch.offer.descriptor.as_of),
                now_unix_ms: unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?),
            });
            match verdict {
                _ if stopped.is_some() => stopped.map_or((None, None), |(code, why)| (Some(code), Some(why.to_owned()))),
                Ok(_) if refused.is_some() => (Some("request_refused"), Some("the holder's officials have refused it".to_owned())),
                Ok(_) => (None, None),
                Err(denial) => (Some(denial.code_word()), Some(denial.to_string())),
            }
        }
        _ => (
            Some("no_policy"),
            Some("no policy is in force: it would not be judged, unsigned requests are admitted (pilot mode)".to_owned()),
        ),
    };
    lines.push(match (code, &why) {
        (Some(code), Some(why)) => format!("{:<16}would not be admitted now: {code}: {why}", "policy"),
        _ => format!("{:<16}would be admitted now, as far as its budgets hold it", "policy"),
    });
    let object = json!({
        "authorised": code.is_none(), "code": code, "why": why, "policy": policy.map(|policy| to_hex(&policy.record.digest)),
        "countersigned": filed.iter().map(|row| json!({ "principal": row.principal, "key": row.key })).collect::<Vec<_>>(),
        "refused": refused.map(|row| json!({ "reason": row.reason, "operator": row.operator })),
    });
    Ok((object, lines))
}

/// What keeps a request from being admitted whatever the policy says of it: officials who are asked to sign should know.
fn what_stops_it(
    ledger: &SqliteLedger,
    verifier: &[u8; 32],
    digest: &[u8; 32],
    is_sealed: bool,
) -> Result<Option<(&'static str, &'static str)>, Failure> {
    let answered = |row: &SessionRow| row.request_digest == *digest && row.state == SessionState::Complete;
    if ledger.sessions()?.iter().any(answered) {
        return Ok(Some(("answered", "it was answered: a request is answered once")));
    }
    let concerned = |scope: &Scope| matches!(scope, Scope::All) || *scope == Scope::Verifier(*verifier);
    if ledger.suspensions()?.iter().any(|row| row.resumed_unix_ms.is_none() && concerned(&row.scope)) {
        return Ok(Some(("suspended", "the verifier, or everybody, is suspended")));
    }
    Ok((!is_sealed).then_some(("not_sealed", "no set is sealed for this verifier")))
}

/// Checks each signature against the policy in force, all of them before any is filed.
fn countersign(args: &CountersignArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let found = read(&args.request)?;
    let request = &found.request;
    let manifest = request.manifest().ok_or_else(unsigned)?;
    if manifest.holder != *home.fingerprint().as_bytes() {
        return Err(Failure::refused("other_holder", "the request is made out to another holder")
            .with_hint("compare the fingerprints by telephone"));
    }
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let Some(policy) = in_force(&home, &ledger, None)? else {
        return Err(Failure::input("no_policy", "no policy is in force: nobody is an official yet").with_hint("see `policy propose`"));
    };
    let now = unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?);
    let namespace = Namespace::Countersign;
    let mut checked = Vec::new();
    for path in &args.signature {
        let armoured = read_signature(path)?;
        let not = |code, why: &str| Failure::refused(code, format!("{}: {why}", path.display()));
        let of = |error: SignatureError| match error {
            SignatureError::Namespace => {
                not("wrong_namespace", &error.to_string()).with_hint(format!("sign with: {}", ssh_keygen::line(namespace, &found.file)))
            }
            SignatureError::Invalid => {
                not("signature_invalid", &error.to_string()).with_hint("it is over another file, or the request was edited")
            }
            _ => not("signature_malformed", &error.to_string()).with_hint("--signature takes the file that ssh-keygen -Y sign wrote"),
        };
        let verified =
            Signature::parse(&armoured).and_then(|signature| signature.verify(namespace.as_str(), request.bytes())).map_err(of)?;
        let rules = policy.policy.holder();
        let listed = policy.policy.signers().keys().find(|key| {
            key.fingerprint() == verified.key_fingerprint()
                && key.namespaces().contains(&namespace)
                && rules.officials.contains(key.principal())
        });
        let Some(key) = listed else {
            return Err(not("signer_not_listed", "its key is none of an official who may countersign")
                .with_hint("see `policy show` for the holder's officials"));
        };
        match key.validity(now) {
            Validity::Valid => {}
            Validity::NotYet => return Err(not("signer_not_yet_valid", "its key is not valid yet")),
            Validity::Expired => return Err(not("signer_expired", "its key has expired")),
        }
        if rules.user_presence && verified.user_present() != Some(true) {
            return Err(not("user_not_present", "it does not say that a security key was touched"));
        }
        checked.push((armoured, key.principal().to_owned(), verified.key_fingerprint().to_owned()));
    }
    let operator = operator::name(&args.operator);
    let mut filed = Vec::new();
    for (armoured, principal, key) in checked {
        let new = ledger.countersign(request, &armoured, &principal, &key, now)?;
        filed.push(json!({ "principal": principal, "key": key, "new": new }));
        reporter.answer(&format!("{principal} ({key}): {}", if new { "filed" } else { "filed before" }));
    }
    let digest = to_hex(&request.digest());
    ledger.record_operator(&operator, "countersign", &format!("request {digest}"), now)?;
    let standing = ledger.countersignatures(&request.digest())?;
    let mut principals: Vec<&str> = standing.iter().map(|row| row.principal.as_str()).collect();
    principals.sort_unstable();
    principals.dedup();
    let needed = policy.policy.holder().countersignatures_min;
    reporter.json(&json!({
        "request_digest": digest, "filed": filed, "countersigned_by": principals, "needed": needed, "operator": operator,
    }));
    reporter.answer(&format!("{} of {needed} officials have countersigned", principals.len()));
    Ok(())
}

/// Writes down that this holder's officials refuse the request: it is admitted no more, whoever signed it.
fn refuse(args: &RefuseArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let found = read(&args.request)?;
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let operator = operator::name(&args.operator);
    let new = ledger.refuse_request(&found.request, &args.reason, &operator, unix_ms(SystemTime::now()))?;
    let digest = to_hex(&found.request.digest());
    reporter.json(&json!({ "request_digest": digest, "refused": true, "new": new, "reason": args.reason, "operator": operator }));
    reporter.answer(&format!("request {}: refused{}", &digest[..16], if new { "" } else { " already" }));
    Ok(())
}
