//! The policy in force, out of the ledger, and that its copies agree.

use std::sync::Arc;

use oblink_session::authority::Policy;
use oblink_store::ledger::{PolicyRecord, SqliteLedger};

use super::copies;
use crate::failure::Failure;
use crate::home::Home;

/// The policy in force: parsed, and as the ledger has it.
#[derive(Debug)]
pub(in crate::holder) struct InForcePolicy {
    pub(in crate::holder) policy: Policy,
    pub(in crate::holder) record: PolicyRecord,
}

/// Reads the texts of a policy that the ledger has.
///
/// # Errors
/// Exit 3, `policy`: this build does not take them; another version of this program applied it.
pub(in crate::holder) fn parse(record: PolicyRecord) -> Result<InForcePolicy, Failure> {
    let policy = Policy::parse(record.policy.as_bytes(), record.allowed_signers.as_bytes()).map_err(|error| {
        Failure::input("policy", format!("the policy in force cannot be read: {error}"))
            .with_hint("use the version of oblink that applied it")
    })?;
    Ok(InForcePolicy { policy, record })
}

/// The policy in force; `None` in pilot mode. `known` is what an earlier look gave.
///
/// # Errors
/// Exit 3: `policy_edited` where its copies are not byte for byte what the ledger has; `policy`; a ledger that cannot be read.
pub(in crate::holder) fn in_force(
    home: &Home,
    ledger: &SqliteLedger,
    known: Option<&Arc<InForcePolicy>>,
) -> Result<Option<Arc<InForcePolicy>>, Failure> {
    let record = ledger.policy_in_force()?;
    copies::agree(home, record.as_ref())?;
    match (record, known) {
        (Some(record), Some(known)) if known.record == record => Ok(Some(Arc::clone(known))),
        (Some(record), _) => parse(record).map(|policy| Some(Arc::new(policy))),
        (None, _) => Ok(None),
    }
}
