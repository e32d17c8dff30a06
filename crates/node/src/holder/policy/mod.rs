//! `oblink-holder policy` and `suspend`: what is in force, and how that is changed (SPEC POL-1 to POL-4).

mod apply;
pub(super) mod copies;
pub(super) mod directory;
mod in_force;
mod proposal_view;
mod propose;
mod show;
mod sign;
mod suspend;

use oblink_quic::Fingerprint;
use oblink_session::authority::{Denial, Policy};
use oblink_store::ledger::{Scope, SqliteLedger, SuspensionRow};

use crate::cli::PolicyCommand;
use crate::failure::Failure;
use crate::home::Home;
use crate::report::Reporter;

pub(super) use in_force::{InForcePolicy, in_force, parse};
pub(super) use show::used;
pub use suspend::suspend;

/// `oblink-holder policy`.
///
/// # Errors
/// Exit 3: files that are not in order; exit 4: a proposal that is not approved.
pub fn policy(command: &PolicyCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        PolicyCommand::Propose(args) => propose::propose(args, reporter),
        PolicyCommand::Sign(args) => sign::sign(args, reporter),
        PolicyCommand::Apply(args) => apply::apply(args, reporter),
        PolicyCommand::Show(args) => match (&args.proposal, &args.home) {
            (Some(proposal), _) => proposal_view::show(proposal, args, reporter),
            (None, Some(home)) => show::show(home, reporter),
            (None, None) => Err(Failure::bug("the parser let both a home and a proposal be missing")),
        },
    }
}

/// A denial by the policy, for the operator: what the officials have to do is in it.
pub(super) fn denied(denial: &Denial) -> Failure {
    let hint = match denial {
        Denial::SignatureShort { .. } => "have more officials sign: `policy sign`, or ssh-keygen as `policy propose` printed it",
        Denial::Stale => "make a new proposal with `policy propose`: since this one was made, policy or suspensions have changed",
        Denial::ProposalInFuture => "set this machine's clock, or that of the machine on which the proposal was made",
        Denial::NothingChanged => "there is nothing to apply",
        Denial::PolicyInvalid(_) => "correct the file, and make a new proposal",
        _ => "every signature in the directory must be good: remove the one that is not, and find out who put it there",
    };
    Failure::refused("not_approved", format!("{}: {denial}", denial.code_word())).with_hint(hint)
}

/// Whose suspension: a verifier's by its label or, where it is trusted no longer, by its fingerprint; of all.
fn scope_of(home: &Home, peer: Option<&str>) -> Result<Scope, Failure> {
    let Some(peer) = peer else { return Ok(Scope::All) };
    let fingerprint = match (home.peers()?.get(peer), peer.parse::<Fingerprint>()) {
        (Some(fingerprint), _) | (None, Ok(fingerprint)) => fingerprint,
        (None, Err(_)) => home.peers()?.select(Some(peer))?.1,
    };
    Ok(Scope::Verifier(*fingerprint.as_bytes()))
}

/// What messages call it.
fn scope_words(home: &Home, scope: &Scope) -> Result<String, Failure> {
    Ok(match scope {
        Scope::All => "all verifiers".to_owned(),
        Scope::Verifier(fingerprint) => super::ledger::label(&home.peers()?, fingerprint),
    })
}

/// The suspension of exactly this scope that is in force.
fn suspension(ledger: &SqliteLedger, scope: &Scope) -> Result<Option<SuspensionRow>, Failure> {
    Ok(ledger.suspensions()?.into_iter().rfind(|row| row.scope == *scope && row.resumed_unix_ms.is_none()))
}

/// The ledger of a home, for commands that would leave none behind where there is none.
///
/// # Errors
/// Exit 3: it cannot be read; there is none, and a policy was in force once.
fn ledger_if_any(home: &Home) -> Result<Option<SqliteLedger>, Failure> {
    if home.ledger().exists() {
        return Ok(Some(SqliteLedger::open(&home.ledger())?));
    }
    copies::agree(home, None)?;
    Ok(None)
}

/// Who of whom has to sign, in words.
fn officials_of(policy: &Policy) -> String {
    let holder = policy.holder();
    let names: Vec<&str> = holder.officials.iter().map(String::as_str).collect();
    format!("{} of {}", holder.policy_signatures_min, names.join(", "))
}
