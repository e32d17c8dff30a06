//! `policy apply`: the ledger first, then the copies.

use std::time::SystemTime;

use oblink_session::authority::{Approved, InForce, Resume, approve};
use oblink_session::ledger::LedgerError;
use oblink_session::request::to_hex;
use oblink_store::Error as StoreError;
use oblink_store::ledger::{Approval, Judged, PolicyChange, PolicyRecord, Scope, SqliteLedger};
use serde_json::json;

use super::directory::ProposalDirectory;
use super::propose::change_words;
use super::{copies, denied, in_force, scope_words, suspension};
use crate::cli::PolicyApplyArgs;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::holder::operator;
use crate::home::{Home, Role};
use crate::report::Reporter;

/// Applies a proposal that is approved, or puts back the copies of the policy in force.
pub(super) fn apply(args: &PolicyApplyArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let record = ledger.policy_in_force()?;
    let Some(path) = &args.proposal else {
        let Some(record) = record else {
            return Err(Failure::input("no_policy", "no policy is in force").with_hint("there is nothing to restore"));
        };
        return restored(&home, &record, reporter);
    };
    let directory = ProposalDirectory::open(path)?;
    let proposal = &directory.proposal;
    let proposed = proposal.policy().ok().flatten().map(|policy| policy.digest());
    // Applied before, and perhaps interrupted before the copies were there.
    if let Some(record) =
        record.as_ref().filter(|record| Some(record.digest) == proposed && proposal.previous() == record.previous.as_ref())
    {
        return restored(&home, record, reporter);
    }
    let current = in_force(&home, &ledger, None)?;
    let now = unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?);
    let resumed = proposal.resume().map(|resume| match resume {
        Resume::All => Scope::All,
        Resume::Verifier(fingerprint) => Scope::Verifier(fingerprint),
    });
    let suspended = resumed.as_ref().map(|scope| suspension(&ledger, scope)).transpose()?.flatten();
    if let (Some(scope), None) = (&resumed, &suspended) {
        return Err(not_suspended(&home, scope)?);
    }
    let against = current.as_ref().map(|current| InForce {
        policy: &current.policy,
        since_unix_ms: current.record.applied_unix_ms,
        suspended_unix_ms: suspended.as_ref().map_or(0, |row| row.suspended_unix_ms),
    });
    let signatures = directory.signatures()?;
    let approved = approve(proposal, home.fingerprint().as_bytes(), against, &signatures, now).map_err(|denial| denied(&denial))?;
    let (operator, signers) = (operator::name(&args.operator), approved.signers().to_vec());
    let approval = (!signers.is_empty()).then(|| Approval { proposal: proposal.bytes().to_vec(), signatures, signers: signers.clone() });
    let names: Vec<&str> = signers.iter().map(|signer| signer.principal.as_str()).collect();
    let by = if names.is_empty() { "nobody had to sign".to_owned() } else { format!("signed by {}", names.join(", ")) };
    match approved.into_approved() {
        Approved::Policy { policy, change } => {
            let entry = PolicyChange {
                policy: policy.toml().to_owned(),
                allowed_signers: policy.allowed_signers().to_owned(),
                previous: current.as_ref().map(|current| current.record.digest),
                approval,
            };
            let record = ledger.apply_policy(&entry, &operator, now).map_err(of_apply)?;
            copies::restore(&home, &record)?;
            let (word, changes) = change_words(change.as_ref());
            reporter.json(&json!({
                "applied": true, "kind": "policy", "policy": to_hex(&record.digest), "previous": record.previous.map(|digest| to_hex(&digest)),
                "change": word, "changes": changes, "signers": names, "operator": operator, "entry": record.seq, "copies": "restored",
            }));
            let first = if current.is_none() { "; pilot mode is over: unsigned requests are refused from now on" } else { "" };
            reporter.answer(&format!("policy {} is in force ({word}; {by}){first}", &to_hex(&record.digest)[..16]));
        }
        Approved::Resume(_) => {
            let Some(scope) = resumed else { return Err(Failure::bug("a resumption without its scope")) };
            let judged = Judged {
                policy: current.as_ref().map(|current| current.record.digest),
                suspension: suspended.as_ref().map_or(0, |row| row.entry),
            };
            if !ledger.resume_answers(scope, approval.as_ref(), judged, proposal.reason(), &operator, now).map_err(of_apply)? {
                return Err(not_suspended(&home, &scope)?);
            }
            reporter.json(&json!({ "applied": true, "kind": "resume", "resume": scope.text(), "signers": names, "operator": operator }));
            reporter.answer(&format!("{}: suspended no longer ({by})", scope_words(&home, &scope)?));
        }
    }
    Ok(())
}

fn not_suspended(home: &Home, scope: &Scope) -> Result<Failure, Failure> {
    Ok(Failure::input("not_suspended", format!("{}: not suspended", scope_words(home, scope)?)).with_hint("there is nothing to resume"))
}

fn of_apply(error: StoreError) -> Failure {
    match error {
        StoreError::ProposalUsed => Failure::refused("not_approved", "stale: this proposal was applied before")
            .with_hint("signatures serve once: make a new proposal with `policy propose`"),
        StoreError::Ledger(LedgerError::PolicyChanged) => Failure::refused("not_approved", "stale: another policy was applied meanwhile")
            .with_hint("make a new proposal against that one"),
        StoreError::Ledger(LedgerError::Suspended) => Failure::refused("not_approved", "stale: suspended again meanwhile")
            .with_hint("make a new proposal with `policy propose --resume`, in the light of the new reason"),
        other => other.into(),
    }
}

fn restored(home: &Home, record: &PolicyRecord, reporter: &Reporter) -> Result<(), Failure> {
    let changed = copies::restore(home, record)?;
    reporter.json(&json!({
        "applied": false, "kind": "policy", "policy": to_hex(&record.digest), "copies": if changed { "restored" } else { "unchanged" },
    }));
    let digest = &to_hex(&record.digest)[..16];
    reporter.answer(&if changed {
        format!("policy {digest} is in force already; its copies were written again out of the ledger")
    } else {
        format!("policy {digest} is in force already, and its copies are what they should be")
    });
    Ok(())
}
