//! `policy show --proposal`: everything in a proposal, as an official reads it before signing, on a machine of their own. It needs no home.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::authority::{Change, Namespace, POLICY_BYTES_MAX, Policy, Resume, SIGNERS_BYTES_MAX, Signature, SignerKey, compare};
use oblink_session::request::{check_text, to_hex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::directory::{ProposalDirectory, read_up_to};
use super::propose::change_words;
use super::{copies, in_force, ledger_if_any, officials_of};
use crate::cli::PolicyShowArgs;
use crate::date::rfc3339;
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::report::Reporter;
use crate::ssh_keygen;

/// What the proposal is held against.
struct Against {
    /// `None`: no policy is in force.
    policy: Option<Policy>,
    /// The holder whose home was given.
    holder: Option<Fingerprint>,
}

impl Against {
    fn of(args: &PolicyShowArgs) -> Result<Option<Self>, Failure> {
        if let Some(home) = &args.home {
            let home = Home::open(home, Role::Holder)?;
            let current = ledger_if_any(&home)?.map(|ledger| in_force(&home, &ledger, None)).transpose()?.flatten();
            let policy = current.map(|current| current.policy.clone());
            return Ok(Some(Self { policy, holder: Some(home.fingerprint()) }));
        }
        let Some(copy) = &args.against else { return Ok(None) };
        let (toml, signers) = (copy.join(copies::POLICY), copy.join(copies::SIGNERS));
        let policy =
            Policy::parse(&read_up_to(&toml, POLICY_BYTES_MAX, "policy_read")?, &read_up_to(&signers, SIGNERS_BYTES_MAX, "policy_read")?)
                .map_err(|error| {
                Failure::input("policy", format!("{}: {error}", copy.display()))
                    .with_hint("--against takes a directory with policy.toml and allowed_signers as they are in force")
            })?;
        Ok(Some(Self { policy: Some(policy), holder: None }))
    }
}

/// A text with what cannot be seen, or moves what can be, written out. Tabs stay.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c == '\t' || check_text(&format!("a{c}a")) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// A file that is in the proposal: its digest, so that it can be compared at a glance, and its lines, each marked as no words of this program.
fn file(name: &str, text: &str) -> Vec<String> {
    let digest = to_hex(&Sha256::digest(text.as_bytes()));
    let mut lines = vec![format!("{name}, {} bytes, SHA-256 {digest}", text.len())];
    lines.extend(text.lines().map(|line| format!("  | {}", visible(line))));
    if !text.is_empty() && !text.ends_with('\n') {
        lines.push("  (no line end at its end)".to_owned());
    }
    lines
}

fn key(key: &SignerKey) -> (Value, String) {
    let namespaces: Vec<&str> = key.namespaces().iter().map(|namespace| namespace.as_str()).collect();
    let time = |unix_s: u64| rfc3339(UNIX_EPOCH + Duration::from_secs(unix_s));
    let (after, before) = (key.valid_after_unix_s().map(time), key.valid_before_unix_s().map(time));
    let mut line =
        format!("  {}: {} {}, for {}", visible(key.principal()), key.key_type().as_str(), key.fingerprint(), namespaces.join(", "));
    for (word, time) in [("from", &after), ("until", &before)] {
        if let Some(time) = time {
            line.push_str(&format!(", {word} {time}"));
        }
    }
    let object = json!({
        "principal": key.principal(), "key_type": key.key_type().as_str(), "key_fingerprint": key.fingerprint(), "namespaces": namespaces,
        "valid_after": after, "valid_before": before,
    });
    (object, line)
}

fn signature(armoured: &[u8], message: &[u8], judge: Option<&Policy>) -> (Value, String) {
    let verdict = Signature::parse(armoured).and_then(|signature| signature.verify(Namespace::Policy.as_str(), message));
    match verdict {
        Ok(verified) => {
            let listed = judge.and_then(|policy| policy.signers().keys().find(|key| key.fingerprint() == verified.key_fingerprint()));
            let principal = listed.map(SignerKey::principal);
            let whose = match (principal, judge) {
                (Some(principal), _) => format!(", of {principal}"),
                (None, Some(_)) => ", of NOBODY who is listed".to_owned(),
                (None, None) => String::new(),
            };
            (
                json!({
                    "holds": true, "key_type": verified.key_type().as_str(), "key_fingerprint": verified.key_fingerprint(),
                    "user_present": verified.user_present(), "principal": principal,
                }),
                format!("  holds: {} {}{whose}", verified.key_type().as_str(), verified.key_fingerprint()),
            )
        }
        Err(error) => (json!({ "holds": false, "why": error.to_string() }), format!("  DOES NOT HOLD: {error}")),
    }
}

/// Shows it.
///
/// # Errors
/// Exit 3: there is no proposal; or the policy in it, which is shown all the same, is none, or it is not one for this home and the policy in force.
pub(super) fn show(path: &Path, args: &PolicyShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = ProposalDirectory::open(path)?;
    let proposal = &directory.proposal;
    let against = Against::of(args)?;
    let (proposed, invalid) = match proposal.policy() {
        Ok(policy) => (policy, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let members: Value = serde_json::from_slice(proposal.bytes()).map_err(|_| Failure::bug("a proposal is no JSON"))?;
    let text = |name: &str| members[name].as_str().unwrap_or_default();

    let resume = proposal.resume().map(|resume| match resume {
        Resume::All => "all verifiers".to_owned(),
        Resume::Verifier(fingerprint) => Fingerprint::from_bytes(fingerprint).to_string(),
    });
    let current = against.as_ref().and_then(|against| against.policy.as_ref());
    // A first policy is judged by itself.
    let judge = if proposal.previous().is_none() { proposed.as_ref() } else { current };
    let change: Option<Change> = current.zip(proposed.as_ref()).map(|(current, proposed)| compare(current, proposed));
    let (word, changes) = change_words(change.as_ref());
    let mut faults: Vec<(&'static str, String)> = Vec::new();
    if let Some(why) = &invalid {
        faults.push(("policy", format!("the policy in it is none that could be applied: {why}")));
    }
    if let Some(against) = &against {
        if against.holder.is_some_and(|holder| holder.as_bytes() != proposal.holder()) {
            faults.push(("other_holder", "it is made out to another holder than this home".to_owned()));
        }
        if against.policy.as_ref().map(Policy::digest) != proposal.previous().copied() {
            faults.push(("stale", "it was made against another policy than this one".to_owned()));
        }
    }

    let mut lines = Vec::new();
    let mut line = |label: &str, value: &str| lines.push(format!("{label:<16}{value}"));
    line("proposal", &to_hex(&proposal.digest()));
    line("proposes", if resume.is_some() { "the end of a suspension" } else { "a policy" });
    line("holder", &Fingerprint::from_bytes(*proposal.holder()).to_string());
    line("made", &rfc3339(UNIX_EPOCH + Duration::from_millis(proposal.proposed_unix_ms())));
    line("reason", proposal.reason());
    line("previous", &proposal.previous().map_or_else(|| "none: it is the first policy".to_owned(), |digest| to_hex(digest)));
    if let Some(resume) = &resume {
        line("resumes", resume);
    }
    if let Some(policy) = &proposed {
        line("policy", &to_hex(&policy.digest()));
    }
    let keys: Vec<(Value, String)> = proposed.iter().flat_map(|policy| policy.signers().keys()).map(key).collect();
    if resume.is_none() {
        lines.extend(file(copies::POLICY, text("policy")));
        lines.extend(file(copies::SIGNERS, text("allowed_signers")));
        if !keys.is_empty() {
            lines.push("keys, to be heard from those whose they are".to_owned());
            lines.extend(keys.iter().map(|(_, line)| line.clone()));
        }
        lines.extend(match word {
            "first" => None,
            "same" => Some("Nothing that counts changes; at most comments and order.".to_owned()),
            "tighter" => Some("What changes only tightens, and needs nobody's signature:".to_owned()),
            _ => Some("What it loosens:".to_owned()),
        });
        lines.extend(changes.iter().map(|change| format!("  {}", visible(change))));
        if change.is_none() && proposal.previous().is_some() {
            lines.push("What it changes is not compared here: give --against with a copy of the policy in force, or --home.".to_owned());
        }
    }
    let signatures: Vec<(Value, String)> =
        directory.signatures()?.iter().map(|armoured| signature(armoured, proposal.bytes(), judge)).collect();
    lines.push(format!(
        "{:<16}{}",
        "signatures",
        if signatures.is_empty() { "none here".to_owned() } else { signatures.len().to_string() }
    ));
    lines.extend(signatures.iter().map(|(_, line)| line.clone()));
    let needed = judge.filter(|_| !matches!(change, Some(Change::Same | Change::Tighter(_))));
    lines.extend(needed.map(|judge| format!("to be signed by {}", officials_of(judge))));
    lines.extend(faults.iter().map(|(_, what)| format!("NOT TO BE SIGNED: {what}")));
    let sign_with = ssh_keygen::line(Namespace::Policy, &directory.file());
    if faults.is_empty() {
        lines.push(format!("to sign: {sign_with}"));
    }

    reporter.json(&json!({
        "proposal": directory.file().display().to_string(),
        "digest": to_hex(&proposal.digest()),
        "kind": if resume.is_some() { "resume" } else { "policy" },
        "holder": Fingerprint::from_bytes(*proposal.holder()).to_string(),
        "proposed": rfc3339(UNIX_EPOCH + Duration::from_millis(proposal.proposed_unix_ms())),
        "reason": proposal.reason(),
        "previous": proposal.previous().map(|digest| to_hex(digest)),
        "resume": text("resume"),
        "policy": proposed.as_ref().map(|policy| to_hex(&policy.digest())),
        "policy_toml": text("policy"),
        "allowed_signers": text("allowed_signers"),
        "keys": keys.iter().map(|(object, _)| object).collect::<Vec<_>>(),
        "change": change.as_ref().map(|_| word),
        "changes": changes,
        "signatures": signatures.iter().map(|(object, _)| object).collect::<Vec<_>>(),
        "faults": faults.iter().map(|(code, _)| code).collect::<Vec<_>>(),
        "sign_with": sign_with,
    }));
    reporter.answer(&lines.join("\n"));
    match faults.into_iter().next() {
        None => Ok(()),
        Some((code, what)) => {
            Err(Failure::input(code, what).with_hint("do not sign it: ask the operator for another proposal, and why this one is wrong"))
        }
    }
}
