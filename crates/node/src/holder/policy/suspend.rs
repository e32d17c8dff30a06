//! `suspend`: at once, by one operator. The end of it takes officials.

use std::time::SystemTime;

use oblink_store::ledger::{Judged, SqliteLedger};
use serde_json::json;

use super::{scope_of, scope_words, suspension};
use crate::cli::SuspendArgs;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::holder::operator;
use crate::home::{Home, Role};
use crate::report::Reporter;

/// Stops answers to one verifier or to all: nothing is admitted, running sessions stop.
///
/// # Errors
/// Exit 3: nobody of that label, or a ledger that cannot be written.
pub fn suspend(args: &SuspendArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let scope = scope_of(&home, args.peer.as_deref())?;
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let operator = operator::name(&args.operator);
    let whom = scope_words(&home, &scope)?;
    if args.lift {
        if ledger.policy_in_force()?.is_some() {
            return Err(Failure::refused("not_approved", "under a policy its officials decide when answers are resumed")
                .with_hint("oblink-holder policy propose --resume, then sign and apply"));
        }
        let seen = suspension(&ledger, &scope)?;
        // None of a policy: where one is applied in between, its officials decide.
        let judged = Judged { policy: None, suspension: seen.map_or(0, |row| row.entry) };
        let lifted = ledger.resume_answers(scope, None, judged, &args.reason, &operator, unix_ms(SystemTime::now()))?;
        reporter.json(&json!({ "resumed": scope.text(), "peer": args.peer, "new": lifted, "reason": args.reason, "operator": operator }));
        reporter.answer(&format!("{whom}: {}", if lifted { "suspended no longer" } else { "not suspended" }));
        return Ok(());
    }
    ledger.suspend_answers(scope, &args.reason, &operator, unix_ms(SystemTime::now()))?;
    reporter.json(&json!({ "suspended": scope.text(), "peer": args.peer, "reason": args.reason, "operator": operator }));
    let peer = args.peer.as_ref().map_or_else(String::new, |peer| format!(" --peer {peer}"));
    let shown = home.directory().display();
    let back = if ledger.policy_in_force()?.is_some() {
        format!("Answers are resumed by the officials: oblink-holder policy propose --home {shown} --resume{peer} --reason TEXT --out DIR")
    } else {
        format!("In pilot mode it is lifted by: oblink-holder suspend --home {shown} --lift{peer} --reason TEXT")
    };
    reporter.answer(&format!("{whom}: suspended; running sessions stop within seconds.\n{back}"));
    Ok(())
}
