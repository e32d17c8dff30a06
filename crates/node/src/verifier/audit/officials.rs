//! Whether officials signed what the log says that they signed (SPEC AUD-1, AUT-1): by the two files of the policy, never by the names that the
//! holder wrote down.

use std::path::Path;

use oblink_session::authority::{Facts, Policy, authorise};
use oblink_session::request::{Manifest, Request};
use oblink_store::ledger::entries::SignerBody;

use super::account::{Admission, Finding};
use crate::failure::{Failure, io_cause};
use crate::verifier::request::directory::read_bounded;

/// The most bytes of either file.
const FILE_BYTES_MAX: usize = 1 << 22;

/// The two files of a policy, which whoever audits has from elsewhere.
///
/// # Errors
/// Exit 3: they cannot be read, or are no policy.
pub(in crate::verifier) fn read(policy: &Path, allowed_signers: &Path) -> Result<Policy, Failure> {
    let file = |path: &Path| {
        read_bounded(path, FILE_BYTES_MAX)
            .map_err(|error| Failure::input("bad_policy", format!("cannot read {}: {}", path.display(), io_cause(&error))))
    };
    Policy::parse(&file(policy)?, &file(allowed_signers)?)
        .map_err(|error| Failure::input("bad_policy", format!("{} is not a policy: {error}", policy.display())))
}

/// What is wrong with the signatures by which a session was admitted, under the policy of its entry, at the entry's time. `set_as_of` is the
/// receipt's.
///
/// # Errors
/// Exit 3: the session was admitted under another policy, or under none.
pub(super) fn verify(
    policy: &Policy,
    request: &Request,
    manifest: &Manifest,
    admission: &Admission,
    set_as_of: u32,
) -> Result<Option<Finding>, Failure> {
    if admission.policy != Some(policy.digest()) {
        let what = match admission.policy {
            Some(_) => "--policy and --allowed-signers are not the policy under which the session was admitted",
            None => "the session was admitted in pilot mode: no policy and no signature counted",
        };
        return Err(Failure::input("other_policy", what)
            .with_hint("take the two files out of the ledger's policy entry that the receipt names by its digest"));
    }
    let bytes = |texts: &[String]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let verdict = authorise(&Facts {
        policy,
        holder: &manifest.holder,
        verifier: &manifest.verifier,
        request,
        signatures: &bytes(&admission.signatures),
        countersignatures: &bytes(&admission.countersignatures),
        set_as_of,
        now_unix_ms: admission.unix_ms,
    });
    Ok(match verdict {
        Err(denial) => Some(("not_authorised", format!("by the policy the request was not authorised: {denial}"))),
        Ok(authorised) if !authorised.signers().iter().map(SignerBody::from).eq(admission.signers.iter().cloned()) => {
            Some(("other_signers", "the entry names others than have signed".to_owned()))
        }
        Ok(_) => None,
    })
}
