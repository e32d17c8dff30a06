//! The commands that both parties have: `init`, `trust`; and what they read alike.

use oblink_quic::Fingerprint;
use serde_json::json;

use super::args::{InitArgs, TrustArgs};
use crate::failure::Failure;
use crate::holder::end_epochs_of;
use crate::home::{Home, Role, TrustChange};
use crate::report::Reporter;

/// `init`: makes the home and shows its fingerprint.
///
/// # Errors
/// As [`Home::init`].
pub(super) fn init(role: Role, args: &InitArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::init(&args.home.home, role, &args.name)?;
    let fingerprint = home.fingerprint().to_string();
    reporter.json(&json!({ "fingerprint": fingerprint, "role": role, "name": args.name, "home": args.home.home.display().to_string() }));
    reporter.answer(&format!(
        "A {role}'s home was made at {}.\nIts fingerprint:\n  {fingerprint}\nRead it to the other side by telephone. There it is trusted with:\n  {} trust --home DIR --peer LABEL --fingerprint {fingerprint}",
        args.home.home.display(),
        match role {
            Role::Holder => Role::Verifier.program(),
            Role::Verifier => Role::Holder.program(),
        },
    ));
    Ok(())
}

/// `trust`: changes whom the home trusts.
///
/// # Errors
/// As [`Home::open`], [`Home::trust`], [`Home::distrust`]; exit 3 where the fingerprint is not one.
pub(super) fn trust(role: Role, args: &TrustArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, role)?;
    let before = home.peers()?.get(&args.peer);
    let (change, fingerprint) = match &args.fingerprint {
        Some(text) if !args.remove => {
            let fingerprint: Fingerprint = text.parse().map_err(|e| {
                Failure::input("fingerprint", format!("this is not a fingerprint: {e}"))
                    .with_hint("a fingerprint is sixteen groups of four digits or letters a to f, as the other side's init printed it")
            })?;
            (home.trust(&args.peer, fingerprint, args.replace)?, Some(fingerprint))
        }
        _ => (home.distrust(&args.peer)?, None),
    };
    // Whoever is trusted no longer has no epoch either: what was sealed for it can be asked by nobody, and its key goes.
    let ended = match (role, before) {
        (Role::Holder, Some(gone)) if matches!(change, TrustChange::Removed | TrustChange::Replaced) => end_epochs_of(&home, gone)?,
        _ => 0,
    };
    reporter.json(&json!({
        "peer": args.peer, "fingerprint": fingerprint.map(|f| f.to_string()), "change": change.word(), "epochs_ended": ended,
    }));
    if ended > 0 {
        reporter.note("the epoch sealed for the fingerprint it had has ended: its key and its set are deleted");
    }
    match fingerprint {
        Some(fingerprint) => reporter.answer(&format!("{}: trusted ({})\n  {fingerprint}", args.peer, change.word())),
        None => reporter.answer(&format!("{}: trusted no longer", args.peer)),
    }
    Ok(())
}
