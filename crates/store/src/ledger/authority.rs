//! What operators and officials decide: policies, suspensions, refusals and countersignatures of requests (SPEC POL-1, POL-4).
//!
//! The policy in force is the ledger's last one (SPEC POL-4): files in the holder's home are copies of it. Signatures are checked by the
//! caller; the ledger keeps them, and sees to it that a proposal is applied once.

use oblink_session::ledger::{LedgerError, Signer};
use oblink_session::request::Request;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::entries::{Countersignature, Hex, MaybeHex, Operator, Policy, RequestDenied, Resumption, SignerBody, Suspension, text_of};
use super::log::{NO_PARTY, append, body_at, size};
use super::{Failure, SqliteLedger};
use crate::Error;

/// What officials signed, for a change that needs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The proposal, canonical JSON, byte for byte as it was signed.
    pub proposal: Vec<u8>,
    /// Their signatures over it (armoured).
    pub signatures: Vec<Vec<u8>>,
    /// Whose signatures counted.
    pub signers: Vec<Signer>,
}

/// A policy to be put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyChange {
    /// Text of `policy.toml`.
    pub policy: String,
    /// Text of `allowed_signers`.
    pub allowed_signers: String,
    /// Digest of the policy that it takes the place of; `None` for the first.
    pub previous: Option<[u8; 32]>,
    /// What officials signed; `None` for a tightening.
    pub approval: Option<Approval>,
}

/// A policy that is or was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its digest (SPEC POL-1).
    pub digest: [u8; 32],
    /// Text of `policy.toml`.
    pub policy: String,
    /// Text of `allowed_signers`.
    pub allowed_signers: String,
    /// Digest of the one before.
    pub previous: Option<[u8; 32]>,
    /// Whose signatures brought it; empty for a tightening.
    pub signers: Vec<SignerBody>,
    /// Who applied it.
    pub operator: String,
    /// When, milliseconds since 1970.
    pub applied_unix_ms: u64,
    /// Number of its entry in the log.
    pub seq: u64,
}

/// Whom a suspension stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every verifier.
    All,
    /// The verifier of this fingerprint.
    Verifier([u8; 32]),
}

impl Scope {
    fn party(&self) -> &[u8; 32] {
        match self {
            Self::All => &NO_PARTY,
            Self::Verifier(fingerprint) => fingerprint,
        }
    }

    /// As proposals and entries name it: `all`, or the fingerprint in lower-case hex.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Verifier(fingerprint) => oblink_session::request::to_hex(fingerprint),
        }
    }

    fn of_party(party: [u8; 32]) -> Self {
        if party == NO_PARTY { Self::All } else { Self::Verifier(party) }
    }
}

/// What the caller of [`SqliteLedger::resume_answers`] looked at when it judged: nothing of it may have changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Digest of the policy in force; `None` in pilot mode.
    pub policy: Option<[u8; 32]>,
    /// [`SuspensionRow::entry`] of the last suspension of the scope.
    pub suspension: u64,
}

/// A suspension, in force or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuspensionRow {
    /// Whom it stops.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub operator: String,
    /// Since when, milliseconds since 1970.
    pub suspended_unix_ms: u64,
    /// When it was lifted, milliseconds since 1970; `None` while it is in force.
    pub resumed_unix_ms: Option<u64>,
    /// Number of its entry in the log.
    pub entry: u64,
}

/// A refusal by the holder's officials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDenial {
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// Whose request it is.
    pub verifier: [u8; 32],
    /// Why.
    pub reason: String,
    /// Who wrote it down.
    pub operator: String,
    /// When, milliseconds since 1970.
    pub denied_unix_ms: u64,
}

/// A countersignature of a holder's official.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountersignatureRow {
    /// The signature (armoured).
    pub signature: Vec<u8>,
    /// Who signed.
    pub principal: String,
    /// The key, as `SHA256:…`.
    pub key: String,
    /// When it came to the ledger, milliseconds since 1970.
    pub signed_unix_ms: u64,
}

/// Digest of a policy's two texts: SHA-256 over `"oblink/1/policy\0"` and each text after its length as u64 (SPEC POL-1).
pub(super) fn policy_digest(policy: &str, allowed_signers: &str) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(b"oblink/1/policy\0");
    for text in [policy, allowed_signers] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

/// Digest of the policy in force; `None` in pilot mode (SPEC POL-4).
pub(super) fn policy_digest_in_force(connection: &Connection) -> Result<Option<[u8; 32]>, Failure> {
    Ok(connection.prepare_cached("SELECT digest FROM policies ORDER BY entry DESC LIMIT 1")?.query_row([], |row| row.get(0)).optional()?)
}

/// Whether this verifier, or everybody, is suspended.
pub(super) fn is_suspended(connection: &Connection, verifier: &[u8; 32]) -> Result<bool, Failure> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM suspensions WHERE resumed_entry IS NULL AND scope IN (?1, ?2))")?
        .query_row(params![verifier, NO_PARTY], |row| row.get(0))?)
}

/// Whether the holder's officials have refused the request.
pub(super) fn is_denied(connection: &Connection, request_digest: &[u8; 32]) -> Result<bool, Failure> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM denials WHERE request_digest = ?1)")?
        .query_row([request_digest], |row| row.get(0))?)
}

/// Writes down that a proposal is applied by entry `seq`.
fn use_proposal(transaction: &Transaction<'_>, approval: &Approval, seq: u64) -> Result<(), Failure> {
    let digest: [u8; 32] = Sha256::digest(&approval.proposal).into();
    let new = transaction
        .prepare_cached("INSERT INTO proposals (digest, entry) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING")?
        .execute(params![digest, seq])?;
    if new == 1 { Ok(()) } else { Err(Error::ProposalUsed.into()) }
}

fn texts(signatures: &[Vec<u8>]) -> Vec<String> {
    signatures.iter().map(|signature| text_of(signature)).collect()
}

fn approval_texts(approval: Option<&Approval>) -> (String, Vec<String>, Vec<SignerBody>) {
    approval.map_or_else(Default::default, |approval| {
        (text_of(&approval.proposal), texts(&approval.signatures), approval.signers.iter().map(SignerBody::from).collect())
    })
}

/// The party that entries about a request bear.
fn verifier_of(request: &Request) -> [u8; 32] {
    request.manifest().map_or(NO_PARTY, |manifest| manifest.verifier)
}

fn policy_record(connection: &Connection, seq: u64) -> Result<PolicyRecord, Failure> {
    let (body, applied_unix_ms): (Policy, u64) = body_at(connection, seq)?;
    Ok(PolicyRecord {
        digest: body.digest.0,
        policy: body.policy,
        allowed_signers: body.allowed_signers,
        previous: body.previous.0,
        signers: body.signers,
        operator: body.operator,
        applied_unix_ms,
        seq,
    })
}

impl SqliteLedger {
    /// The policy in force; `None` in pilot mode (SPEC POL-4).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn policy_in_force(&self) -> Result<Option<PolicyRecord>, Error> {
        self.read(|connection| {
            let last: Option<u64> = connection.prepare_cached("SELECT max(entry) FROM policies")?.query_row([], |row| row.get(0))?;
            last.map(|seq| policy_record(connection, seq)).transpose()
        })
    }

    /// All policies that ever were in force, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn policies(&self) -> Result<Vec<PolicyRecord>, Error> {
        self.read(|connection| {
            let entries = connection
                .prepare_cached("SELECT entry FROM policies ORDER BY entry")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<Vec<u64>, _>>()?;
            entries.into_iter().map(|seq| policy_record(connection, seq)).collect()
        })
    }

    /// Puts a policy in force; the first one ends pilot mode for good. Sessions that were admitted under another are refused their next charge.
    /// Whether its signatures suffice is the caller's to check, in the light of the policy that `previous` names.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `PolicyChanged` where another policy than `previous` is in force by now, `Busy` and `Storage`;
    /// [`Error::ProposalUsed`] where the proposal was applied before.
    pub fn apply_policy(&mut self, change: &PolicyChange, operator: &str, clock_unix_ms: u64) -> Result<PolicyRecord, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            if policy_digest_in_force(transaction)? != change.previous {
                return Err(LedgerError::PolicyChanged.into());
            }
            let digest = policy_digest(&change.policy, &change.allowed_signers);
            let (proposal, signatures, signers) = approval_texts(change.approval.as_ref());
            let body = Policy {
                allowed_signers: change.allowed_signers.clone(),
                digest: Hex(digest),
                operator: operator.to_owned(),
                policy: change.policy.clone(),
                previous: MaybeHex(change.previous),
                proposal,
                signatures,
                signers,
            };
            let seq = append(transaction, now, None, &body)?;
            if let Some(approval) = &change.approval {
                use_proposal(transaction, approval, seq)?;
            }
            transaction.prepare_cached("INSERT INTO policies (entry, digest) VALUES (?1, ?2)")?.execute(params![seq, digest])?;
            policy_record(transaction, seq)
        })?)
    }

    /// Stops answers to one verifier or to all, at once: no session is admitted, and those that are open are refused their next charge.
    /// What is suspended may be suspended again, for another reason: a proposal to resume from before that is then too old.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn suspend_answers(&mut self, scope: Scope, reason: &str, operator: &str, clock_unix_ms: u64) -> Result<(), Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let body = Suspension { operator: operator.to_owned(), reason: reason.to_owned(), scope: scope.text() };
            let seq = append(transaction, now, Some(scope.party()), &body)?;
            transaction
                .prepare_cached("INSERT INTO suspensions (entry, scope, reason, operator, suspended_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![seq, scope.party(), reason, operator, now])?;
            Ok(())
        })?)
    }

    /// Lifts all suspensions of exactly this scope. Gives whether there was one. `approval` is `None` in pilot mode alone; whether its
    /// signatures suffice, and were given after the last of the suspensions, is the caller's to check.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `PolicyChanged` where another policy than `judged` says is in force by now, or one at all and there is no approval;
    /// `Suspended` where the scope was suspended again since; `Busy` and `Storage`. [`Error::ProposalUsed`] where the proposal was applied
    /// before.
    pub fn resume_answers(
        &mut self,
        scope: Scope,
        approval: Option<&Approval>,
        judged: Judged,
        reason: &str,
        operator: &str,
        clock_unix_ms: u64,
    ) -> Result<bool, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let policy = policy_digest_in_force(transaction)?;
            if policy != judged.policy || policy.is_some() && approval.is_none() {
                return Err(LedgerError::PolicyChanged.into());
            }
            let again: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM suspensions WHERE scope = ?1 AND entry > ?2)")?
                .query_row(params![scope.party(), judged.suspension], |row| row.get(0))?;
            if again {
                return Err(LedgerError::Suspended.into());
            }
            // The entry that is appended below has this number.
            let seq = size(transaction)?;
            let lifted = transaction
                .prepare_cached(
                    "UPDATE suspensions SET resumed_entry = ?2, resumed_unix_ms = ?3 WHERE resumed_entry IS NULL AND scope = ?1",
                )?
                .execute(params![scope.party(), seq, now])?;
            if lifted == 0 {
                return Ok(false);
            }
            let (proposal, signatures, signers) = approval_texts(approval);
            let (operator, reason, scope_text) = (operator.to_owned(), reason.to_owned(), scope.text());
            let body = Resumption { operator, proposal, reason, scope: scope_text, signatures, signers };
            append(transaction, now, Some(scope.party()), &body)?;
            if let Some(approval) = approval {
                use_proposal(transaction, approval, seq)?;
            }
            Ok(true)
        })?)
    }

    /// All suspensions, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn suspensions(&self) -> Result<Vec<SuspensionRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT scope, reason, operator, suspended_unix_ms, resumed_unix_ms, entry FROM suspensions ORDER BY entry",
                )?
                .query_map([], |row| {
                    Ok(SuspensionRow {
                        scope: Scope::of_party(row.get(0)?),
                        reason: row.get(1)?,
                        operator: row.get(2)?,
                        suspended_unix_ms: row.get(3)?,
                        resumed_unix_ms: row.get(4)?,
                        entry: row.get(5)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// Writes down that the holder's officials refuse a request: it is admitted no more, whoever signed it. Gives whether that is new.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn refuse_request(&mut self, request: &Request, reason: &str, operator: &str, clock_unix_ms: u64) -> Result<bool, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let (digest, verifier) = (request.digest(), verifier_of(request));
            if is_denied(transaction, &digest)? {
                return Ok(false);
            }
            let body = RequestDenied {
                operator: operator.to_owned(),
                reason: reason.to_owned(),
                request: text_of(request.bytes()),
                request_digest: Hex(digest),
            };
            let seq = append(transaction, now, Some(&verifier), &body)?;
            transaction
                .prepare_cached(
                    "INSERT INTO denials (request_digest, verifier, reason, operator, denied_unix_ms, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![digest, verifier, reason, operator, now, seq])?;
            Ok(true)
        })?)
    }

    /// Requests that the holder's officials refused, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn refused_requests(&self) -> Result<Vec<RequestDenial>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT request_digest, verifier, reason, operator, denied_unix_ms FROM denials ORDER BY entry")?
                .query_map([], |row| {
                    Ok(RequestDenial {
                        request_digest: row.get(0)?,
                        verifier: row.get(1)?,
                        reason: row.get(2)?,
                        operator: row.get(3)?,
                        denied_unix_ms: row.get(4)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// Keeps a countersignature of one of the holder's officials, checked by the caller. Gives whether it is the first of this key over this
    /// request; another of the same key is not kept.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn countersign(
        &mut self,
        request: &Request,
        signature: &[u8],
        principal: &str,
        key: &str,
        clock_unix_ms: u64,
    ) -> Result<bool, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let (digest, signature) = (request.digest(), text_of(signature));
            let new = transaction
                .prepare_cached(
                    "INSERT INTO countersignatures (entry, request_digest, signature, principal, key, signed_unix_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (request_digest, key) DO NOTHING",
                )?
                .execute(params![size(transaction)?, digest, signature, principal, key, now])?;
            if new == 0 {
                return Ok(false);
            }
            let body = Countersignature {
                key: key.to_owned(),
                principal: principal.to_owned(),
                request: text_of(request.bytes()),
                request_digest: Hex(digest),
                signature,
            };
            append(transaction, now, Some(&verifier_of(request)), &body)?;
            Ok(true)
        })?)
    }

    /// The countersignatures of a request, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn countersignatures(&self, request_digest: &[u8; 32]) -> Result<Vec<CountersignatureRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT signature, principal, key, signed_unix_ms FROM countersignatures WHERE request_digest = ?1 ORDER BY entry",
                )?
                .query_map([request_digest], |row| {
                    Ok(CountersignatureRow {
                        signature: row.get::<_, String>(0)?.into_bytes(),
                        principal: row.get(1)?,
                        key: row.get(2)?,
                        signed_unix_ms: row.get(3)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// Writes down that an operator ran a command that has no entry of its own: `operator` is the operating system's name of the account.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn record_operator(&mut self, operator: &str, action: &str, detail: &str, clock_unix_ms: u64) -> Result<u64, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let body = Operator { action: action.to_owned(), detail: detail.to_owned(), operator: operator.to_owned() };
            append(transaction, now, None, &body)
        })?)
    }
}
