//! `HOME/policy/`: copies of the policy in force, for people and their editors (SPEC POL-4).
//!
//! The ledger's last policy is the one in force; these files are never read for what they say. They must be byte for byte what the ledger has:
//! somebody who edited one meant something by it, and a ledger that was put back to before its first policy shows in them. `config.toml` has a
//! mark that there ever was one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use oblink_store::ledger::PolicyRecord;

use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;

pub(super) const POLICY: &str = "policy.toml";
pub(super) const SIGNERS: &str = "allowed_signers";

/// The code of a failure, and the reason of a refusal, where a copy is not what the ledger has.
pub(in crate::holder) const EDITED: &str = "policy_edited";

/// The code where the ledger has no policy, and the home says that one was in force.
const MISSING: &str = "ledger_missing";

fn directory(home: &Home) -> PathBuf {
    home.directory().join("policy")
}

/// Whether the copies are byte for byte the policy in force; `None` for no policy, of which there is no copy.
///
/// # Errors
/// Exit 3, `policy_edited`: they are not, or one is missing, or is there where no policy was ever applied; `ledger_missing`: no policy is in
/// force, and one was once in this home.
pub(in crate::holder) fn agree(home: &Home, in_force: Option<&PolicyRecord>) -> Result<(), Failure> {
    for (name, due) in [(POLICY, in_force.map(|record| &record.policy)), (SIGNERS, in_force.map(|record| &record.allowed_signers))] {
        let path = directory(home).join(name);
        let shown = path.display();
        let edited = |what: String| Failure::input(EDITED, what);
        match (due, fs::read(&path)) {
            (Some(due), Ok(bytes)) if bytes == due.as_bytes() => {}
            (Some(_), Ok(_)) => {
                return Err(edited(format!("{shown} is not the policy in force: somebody edited it")).with_hint(format!(
                    "a policy is changed by `policy propose`, `sign` and `apply` alone; nothing is answered until `oblink-holder policy apply --home {} \
                     --restore` has put the ledger's copy back",
                    home.directory().display()
                )));
            }
            (Some(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(edited(format!("{shown} is missing")).with_hint(format!(
                    "where `policy apply` was interrupted, run it again, or `oblink-holder policy apply --home {} --restore`",
                    home.directory().display()
                )));
            }
            (None, Err(error)) if error.kind() == io::ErrorKind::NotFound => {}
            (None, Ok(_)) => {
                return Err(edited(format!("{shown} is there, and no policy was ever applied: a file alone is none")).with_hint(
                    "if a policy was in force before, this is not the true ledger: find that one. Do not put a backup in its place: verifiers \
                     notice it, and end with exit 6. If it is lost, begin a new home, which has a new fingerprint, and tell verifiers and auditors. \
                     If no policy ever was in force, move the file away, and bring it into force by `policy propose`, `sign` and `apply`",
                ));
            }
            (_, Err(error)) => return Err(edited(format!("cannot read {shown}: {}", io_cause(&error)))),
        }
    }
    // Whoever removes ledger and copies together does not have pilot mode back.
    if in_force.is_none() && home.had_policy()? {
        return Err(Failure::input(MISSING, "a policy was in force in this home, and its ledger has none: this is not the true ledger")
            .with_hint(
                "find the true ledger. If it is lost, begin a new home, which has a new fingerprint, and tell verifiers and auditors",
            ));
    }
    Ok(())
}

/// Writes the copies of a policy that is in force by the ledger. Gives whether they were anything else before.
///
/// # Errors
/// Exit 3: they cannot be written.
pub(in crate::holder) fn restore(home: &Home, in_force: &PolicyRecord) -> Result<bool, Failure> {
    // Before the copies: where these are, it is there.
    home.mark_policy(UNIX_EPOCH + Duration::from_millis(in_force.applied_unix_ms))?;
    if agree(home, Some(in_force)).is_ok() {
        return Ok(false);
    }
    let directory = directory(home);
    let cannot = |error: io::Error| {
        Failure::input("home_write", format!("cannot write {}: {}", directory.display(), io_cause(&error)))
            .with_hint("the policy is in force by the ledger, and nothing is answered until its copies are there: run this again")
    };
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(cannot(error)),
        _ => {}
    }
    write_atomically(&directory.join(SIGNERS), in_force.allowed_signers.as_bytes()).map_err(cannot)?;
    write_atomically(&directory.join(POLICY), in_force.policy.as_bytes()).map_err(cannot)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Role;

    fn record(policy: &str) -> PolicyRecord {
        PolicyRecord {
            digest: [1; 32],
            policy: policy.to_owned(),
            allowed_signers: "signers".to_owned(),
            previous: None,
            signers: Vec::new(),
            operator: "op".to_owned(),
            applied_unix_ms: 1,
            seq: 0,
        }
    }

    /// POL-4
    #[test]
    fn only_the_ledgers_own_bytes_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("h"), Role::Holder, "Tax").unwrap();
        let why = |in_force: Option<&PolicyRecord>| agree(&home, in_force).err().map(|failure| failure.code());
        let (first, second) = (record("first"), record("second"));
        assert_eq!(why(None), None);
        // Interrupted between ledger and copies, and made good.
        assert_eq!(why(Some(&first)), Some(EDITED));
        assert!(restore(&home, &first).unwrap());
        assert!(!restore(&home, &first).unwrap());
        assert_eq!(why(Some(&first)), None);
        assert_eq!(why(Some(&second)), Some(EDITED));
        // The ledger is gone, and with it the policy: no way back to pilot mode.
        assert_eq!(why(None), Some(EDITED));
        let directory = directory(&home);
        for name in [POLICY, SIGNERS] {
            let before = fs::read(directory.join(name)).unwrap();
            fs::write(directory.join(name), [&before[..], b"\n"].concat()).unwrap();
            assert_eq!(why(Some(&first)), Some(EDITED), "{name}");
            fs::remove_file(directory.join(name)).unwrap();
            assert_eq!(why(Some(&first)), Some(EDITED), "{name}");
            assert!(restore(&home, &first).unwrap());
        }
        assert_eq!(why(Some(&first)), None);
        // Ledger and copies are gone.
        fs::remove_dir_all(directory).unwrap();
        assert_eq!(why(None), Some(MISSING));
        let opened = Home::open(home.directory(), Role::Holder).unwrap();
        assert_eq!(opened.config().policy.as_ref().map(|mark| mark.first_applied.as_str()), Some("1970-01-01T00:00:00Z"));
    }
}
