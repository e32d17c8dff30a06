//! From the lower crates' errors to the contract's exit codes: who is to blame, and what the operator does next.

use oblink_quic as quic;
use oblink_session::error::{Error as SessionError, Incompatibility, Refusal, RefusalCode, RefusalKind};
use oblink_session::ledger::LedgerError;
use oblink_store::Error as StoreError;
use oblink_store::checkpoint::CheckpointFault;

use crate::failure::{Exit, Failure};

impl From<quic::Error> for Failure {
    fn from(error: quic::Error) -> Self {
        // Code 0 is how a listener that shuts down says goodbye, 2 and 3 how it ends what broke off there: the next try may find it up again (SPEC TRN-5).
        let exit = match (&error, error.blame()) {
            (quic::Error::Closed { code: 0 | 2 | 3, .. }, _) => Exit::Unreachable,
            (_, quic::Blame::Here) => Exit::BadInput,
            (_, quic::Blame::Refused) => Exit::Refused,
            (_, quic::Blame::Line) => Exit::Unreachable,
            (_, quic::Blame::Peer) => Exit::PeerAtFault,
            (_, quic::Blame::Bug) => Exit::Bug,
        };
        let code = match &error {
            quic::Error::NotThePinnedPeer { .. } => "not_the_pinned_peer",
            quic::Error::NotTrusted { .. } => "not_trusted",
            quic::Error::AddressInUse { .. } => "address_in_use",
            quic::Error::NothingListens { .. } => "nothing_listens",
            quic::Error::NoAnswer { .. } => "no_answer",
            // Found on this side, whatever becomes of the connection: a peer that hangs up afterwards does not get away with it.
            quic::Error::FrameType { .. } | quic::Error::FrameLength { .. } | quic::Error::Trailing => "bad_frame",
            _ => "transport",
        };
        let hint = match exit {
            Exit::Unreachable => Some(error.hint().unwrap_or_else(|| "try again: the same command asks anew".to_owned())),
            _ => error.hint(),
        };
        let failure = Self::new(exit, code, error.to_string());
        match hint {
            Some(hint) => failure.with_hint(as_line(&hint)),
            None => failure,
        }
    }
}

/// A hint as all others here are written: a line that begins small and needs no final stop.
pub(crate) fn as_line(hint: &str) -> String {
    let mut characters = hint.strip_suffix('.').unwrap_or(hint).chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// A refusal that the other side sent.
fn refused(refusal: &Refusal) -> Failure {
    let exit = match refusal.code.kind() {
        // It says so itself, but it is no decision: the account that this side has signed receipts under is gone.
        _ if refusal.code == RefusalCode::LedgerDiverged => Exit::PeerAtFault,
        RefusalKind::Configuration => Exit::BadInput,
        RefusalKind::Final => Exit::Refused,
        RefusalKind::Passing => Exit::Unreachable,
    };
    let hint = match refusal.code {
        RefusalCode::VersionUnsupported | RefusalCode::SuiteUnsupported => {
            "both sides must run versions of oblink that fit: compare `--version`"
        }
        RefusalCode::RulesetMismatch => RULESET_HINT,
        RefusalCode::NotSealed => {
            "the holder must seal its records for this verifier: ask its operator to run seal after trusting this fingerprint"
        }
        RefusalCode::PairsOverCap => "ask for fewer pairs in one list, or ask the holder's operator about its cap",
        RefusalCode::TokensOverCap => "split the list, or ask the holder to seal for larger sessions",
        RefusalCode::ClockSkew => CLOCK_HINT,
        RefusalCode::BudgetExhausted => {
            "a budget in the holder's policy, or its epoch's, is used up: wait until the window has passed, ask for less, or talk to its operator"
        }
        // Also where only the set was replaced: a session ends with the set that it was opened with.
        RefusalCode::EpochEnded => "ask again: the holder has sealed anew meanwhile; if this persists, ask the holder's operator to seal",
        RefusalCode::NotAuthorised => {
            "see `request show`: its validity, its signatures and who signed; the holder's operator finds the full reason in the ledger"
        }
        RefusalCode::Suspended => "the holder's officials decide when it answers again: talk to its operator",
        RefusalCode::PolicyChanged => "ask again: the request is then judged by the policy that is in force now",
        RefusalCode::LedgerDiverged => {
            "the holder's ledger was replaced, rolled back or forked: keep the file under heads/ and the receipts, and tell both sides' auditors"
        }
        RefusalCode::BatchUnapproved => "what is asked is not what was approved: ask with the list and the files of the request",
        RefusalCode::Busy | RefusalCode::ShuttingDown => "try again later",
        RefusalCode::Internal => "the holder's operator finds the reason in the holder's own output; then try again",
        _ => "talk to the holder's operator: its ledger has the reason",
    };
    // The code is for programs; "here" and "there" in the detail are the holder's.
    let said = if refusal.detail.is_empty() { refusal.code.name() } else { &refusal.detail };
    Failure::new(exit, refusal.code.name(), format!("the holder refused, and says: {said}")).with_hint(hint)
}

/// What helps where the ledger cannot be written.
pub(crate) const LEDGER_HINT: &str = "make room on that disk, or check it and the ledger's file; then run the command again";
const RULESET_HINT: &str =
    "both sides must use one ruleset: compare versions of oblink and --ruleset; after a change the holder seals again";
const CLOCK_HINT: &str = "set both machines' clocks (NTP); at most 5 minutes of difference are allowed";

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::PeerMisbehaved(what) => Self::peer("peer_misbehaved", format!("the other side broke the protocol: {what}"))
                .with_hint("nothing of this session was used; keep this message and tell the other side's operator"),
            SessionError::Incompatible(what) => {
                let (code, hint) = match what {
                    Incompatibility::Ruleset { .. } => ("ruleset_mismatch", RULESET_HINT),
                    Incompatibility::Clock { .. } => ("clock_skew", CLOCK_HINT),
                    Incompatibility::TokensOverCap { .. } => {
                        ("tokens_over_cap", "split the list, or ask the holder to seal for larger sessions")
                    }
                };
                Self::input(code, what.to_string()).with_hint(hint)
            }
            SessionError::Refused(refusal) => refused(&refusal),
            SessionError::Refuse(refusal) => Self::refused(refusal.code.name(), refusal.to_string()),
            SessionError::Ledger(error) => error.into(),
            SessionError::SavedState(what) => Self::input("saved_state", format!("the saved state cannot be used: {what}")),
            SessionError::OtherBatches => Self::input("other_list", SessionError::OtherBatches.to_string())
                .with_hint("the list, the seed or batches.bin is not the one that was approved: nothing of it was sent; ask with the files of the request"),
            SessionError::Internal(what) => Self::bug(what),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Busy(_) => {
                Self::unreachable("ledger_busy", error.to_string()).with_hint("another program holds the ledger; try again")
            }
            LedgerError::Storage(_) => Self::input("ledger", error.to_string()).with_hint(LEDGER_HINT),
            _ => Self::refused("ledger_refused", error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let what = error.to_string();
        match error {
            StoreError::Corrupt { .. } => {
                Self::input("damaged_file", what).with_hint("a holder seals again; a verifier removes the file and runs check again")
            }
            StoreError::PeerSet(_) => {
                Self::peer("bad_sealed_set", what).with_hint("nothing was looked up in it; tell the holder's operator")
            }
            StoreError::Exposed { path } => {
                let hint = format!("chmod 600 {path}; find out who may have read it: THREAT-MODEL, section 6, says what it gives away");
                Self::input("exposed", what).with_hint(hint)
            }
            StoreError::NoSpace { .. } => Self::input("no_space", what).with_hint("free some space on that disk and run the command again"),
            StoreError::Disk { .. } => Self::input("disk", what).with_hint("check that the path exists and that this user may write it"),
            StoreError::InUse { .. } => Self::input("in_use", what).with_hint("wait for the other process, or stop it"),
            StoreError::NoTags => Self::input("nothing_to_seal", "no record can be sealed: none has a name, a full address and a ZIP code")
                .with_hint("see the counts by reason above, and the --map of the columns"),
            StoreError::LedgerVersion { .. } | StoreError::LedgerDamaged { .. } => {
                Self::input("ledger", what).with_hint(
                    "use the version of oblink that wrote it; where it is damaged, begin a new home: verifiers notice a backup that is put in its place",
                )
            }
            StoreError::Tampered(_) => Self::peer("ledger_tampered", what).with_hint(
                "leave the file as it is and make a copy; compare with the heads that witnesses and verifiers have, and tell the auditors",
            ),
            StoreError::Extract(_) => Self::peer("extract", what)
                .with_hint("it proves nothing: ask the holder's operator for `ledger extract` again, and tell your auditors"),
            StoreError::Unbooked { .. } => Self::input("unbooked", what).with_hint(
                "booking needs the key that goes with the epoch: run `ledger account` for each; or `epoch end --unbooked` to end it all the same",
            ),
            StoreError::ProposalUsed => Self::refused("not_approved", what).with_hint("signatures serve once: make a new proposal"),
            StoreError::Ledger(error) => error.into(),
            StoreError::Checkpoint { fault: CheckpointFault::Version { .. }, .. } => Self::input("checkpoint_version", what),
            StoreError::Checkpoint { fault: CheckpointFault::Damaged, .. } => Self::input("checkpoint_damaged", what),
            StoreError::Parameters(_) => Self::bug(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TRN-5.
    #[test]
    fn a_connection_that_is_ended_may_be_tried_again_or_not() {
        let exits = [0, 1, 2, 3, 4, 9].map(|code| {
            let failure = Failure::from(quic::Error::Closed { code, reason: String::new() });
            assert!(failure.exit() != Exit::Unreachable || failure.hint().is_some());
            failure.exit().code()
        });
        assert_eq!(exits, [5, 4, 5, 5, 4, 4]);
    }
}
