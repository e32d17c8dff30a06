//! `policy propose`: what officials are to sign.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use oblink_session::authority::{Change, Namespace, Policy, Proposal, ProposalError, Resume, compare};
use oblink_session::request::to_hex;
use oblink_store::ledger::Scope;
use serde_json::json;

use super::directory::ProposalDirectory;
use super::{InForcePolicy, in_force, ledger_if_any, officials_of, scope_of, scope_words, suspension};
use crate::cli::PolicyProposeArgs;
use crate::date::unix_ms;
use crate::failure::{Failure, io_cause};
use crate::home::{Home, Role};
use crate::report::Reporter;
use crate::ssh_keygen;

/// What a proposal says where nobody gave a reason.
const NO_REASON: &str = "no reason given";

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::input("policy_read", format!("cannot read {}: {}", path.display(), io_cause(&error))))
}

fn of_proposal(error: ProposalError) -> Failure {
    Failure::input("proposal", error.to_string())
}

/// Writes the proposal, and says what it changes and who must sign it.
pub(super) fn propose(args: &PolicyProposeArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let ledger = ledger_if_any(&home)?;
    let current = match &ledger {
        Some(ledger) => in_force(&home, ledger, None)?,
        None => None,
    };
    // A proposal must be newer than what it is made against, whatever the clock of this machine says.
    let least = ledger.as_ref().map(|ledger| ledger.time_unix_ms()).transpose()?.map_or(0, |time| time.saturating_add(1));
    let now = unix_ms(SystemTime::now()).max(least);
    if args.resume {
        let (Some(ledger), Some(current)) = (&ledger, &current) else {
            return Err(Failure::input("no_policy", "no policy is in force: there are no officials yet who could sign")
                .with_hint("the end of a suspension needs the officials of a policy: propose one first"));
        };
        let scope = scope_of(&home, args.peer.as_deref())?;
        if suspension(ledger, &scope)?.is_none() {
            // Whoever is suspended after this was written, is not resumed by it.
            reporter
                .warn(&format!("{}: not suspended now; a proposal ends no suspension that comes after it", scope_words(&home, &scope)?));
            reporter.help("the suspension of all, and that of one verifier, end each by itself: see `policy show`");
        }
        let resume = match scope {
            Scope::All => Resume::All,
            Scope::Verifier(fingerprint) => Resume::Verifier(fingerprint),
        };
        let reason = args.reason.as_deref().unwrap_or(NO_REASON);
        let digest = current.policy.digest();
        let proposal = Proposal::of_resumption(home.fingerprint().as_bytes(), &digest, resume, reason, now).map_err(of_proposal)?;
        let directory = ProposalDirectory::create(&args.out, proposal)?;
        let what = format!("the end of the suspension of {}", scope_words(&home, &scope)?);
        say(reporter, &directory, &what, None, Some(&scope), &Signing::of(&current.policy, true));
        return Ok(());
    }
    let (Some(policy_file), Some(signers_file)) = (&args.policy, &args.allowed_signers) else {
        return Err(Failure::usage("usage", "--policy and --allowed-signers go together"));
    };
    let (toml, signers) = (read(policy_file)?, read(signers_file)?);
    let policy = Policy::parse(&toml, &signers).map_err(|error| {
        Failure::input("policy", error.to_string()).with_hint(format!("correct {} or {}", policy_file.display(), signers_file.display()))
    })?;
    let previous = current.as_ref().map(|current| current.policy.digest());
    if previous == Some(policy.digest()) {
        return Err(Failure::input("nothing_changed", "this is the policy in force").with_hint("there is nothing to propose"));
    }
    let reason = args.reason.as_deref().unwrap_or(NO_REASON);
    let proposal =
        Proposal::of_policy(home.fingerprint().as_bytes(), previous.as_ref(), policy.toml(), policy.allowed_signers(), reason, now)
            .map_err(of_proposal)?;
    let directory = ProposalDirectory::create(&args.out, proposal)?;
    let change = current.as_deref().map(|current: &InForcePolicy| compare(&current.policy, &policy));
    let judge = current.as_deref().map_or(&policy, |current| &current.policy);
    let needed = !matches!(change, Some(Change::Same | Change::Tighter(_)));
    let what = if current.is_some() { "another policy" } else { "the first policy, which ends pilot mode for good" };
    say(reporter, &directory, what, Some((&policy, change.as_ref())), None, &Signing::of(judge, needed));
    Ok(())
}

/// Whose signatures it takes.
struct Signing {
    needed: u32,
    officials: Vec<String>,
    words: String,
}

impl Signing {
    fn of(judge: &Policy, needed: bool) -> Self {
        let holder = judge.holder();
        Self {
            needed: if needed { holder.policy_signatures_min } else { 0 },
            officials: holder.officials.iter().cloned().collect(),
            words: officials_of(judge),
        }
    }
}

/// The word for a change, and its texts.
pub(super) fn change_words(change: Option<&Change>) -> (&'static str, &[String]) {
    match change {
        None => ("first", &[]),
        Some(Change::Same) => ("same", &[]),
        Some(Change::Tighter(texts)) => ("tighter", texts),
        Some(Change::Looser(texts)) => ("looser", texts),
    }
}

fn say(
    reporter: &Reporter,
    directory: &ProposalDirectory,
    what: &str,
    policy: Option<(&Policy, Option<&Change>)>,
    resume: Option<&Scope>,
    signing: &Signing,
) {
    let file = directory.file();
    let line = ssh_keygen::line(Namespace::Policy, &file);
    let mut text = format!("proposed: {what}\n  {}", file.display());
    let (word, texts) = policy.map_or(("", &[][..]), |(_, change)| change_words(change));
    match word {
        "same" => text.push_str("\nNothing that counts changes; at most comments and order."),
        "tighter" => text.push_str("\nWhat changes only tightens:"),
        "looser" => text.push_str("\nWhat it loosens:"),
        _ => {}
    }
    for change in texts {
        text.push_str("\n  ");
        text.push_str(change);
    }
    if signing.needed == 0 {
        text.push_str("\nNobody has to sign; apply it:");
    } else {
        text.push_str(&format!("\nTo be signed by {}:\n  {line}\nthen:", signing.words));
    }
    text.push_str(&format!("\n  oblink-holder policy apply --home DIR --proposal {}", file.parent().unwrap_or(&file).display()));
    reporter.answer(&text);
    reporter.json(&json!({
        "proposal": file.display().to_string(),
        "digest": to_hex(&directory.proposal.digest()),
        "kind": if policy.is_some() { "policy" } else { "resume" },
        "policy": policy.map(|(policy, _)| to_hex(&policy.digest())),
        "previous": directory.proposal.previous().map(|digest| to_hex(digest)),
        "change": policy.map(|_| word),
        "changes": texts,
        "resume": resume.map(Scope::text),
        "signatures_needed": signing.needed,
        "officials": signing.officials,
        "sign_with": line,
    }));
}
