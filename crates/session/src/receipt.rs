//! The receipt: the statement about a session that both sides sign (SPEC END-3).

use crate::error::{Error, Misbehaviour};
use crate::head::LogHead;
use crate::limits::JSON_INTEGER_MAX;
use crate::request::{Disclosure, Request, from_hex, to_hex};
use crate::statement::{CERTIFICATE_BYTES, CertifiedKey, StatementKind};
use crate::transcript::{Authority, SessionFacts};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The `format` of this version's receipts.
const FORMAT: &str = "oblink/receipt/1";

// Members in the order of their names: serde_json's compact output is then RFC 8785's, as for the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    as_of: u32,
    authority: String,
    batches: u64,
    completed_unix_ms: u64,
    disclosure: String,
    epoch: String,
    format: String,
    holder: String,
    holder_statement_key: String,
    ledger_root: String,
    ledger_size: u64,
    pairs: u64,
    policy: String,
    public_key: String,
    request_digest: String,
    request_id: String,
    ruleset: String,
    ruleset_digest: String,
    session: String,
    set_id: String,
    suite: u16,
    tau: u8,
    tokens: u64,
    transcript: String,
    verifier: String,
    verifier_statement_key: String,
    version: u16,
}

impl Members {
    /// Whether canonical JSON holds its integers (SPEC §1).
    fn in_bounds(&self) -> bool {
        [self.batches, self.completed_unix_ms, self.ledger_size, self.pairs, self.tokens].iter().all(|integer| *integer <= JSON_INTEGER_MAX)
    }
}

fn to_canonical(members: &Members) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(members).map_err(|_| Error::Internal("a receipt does not serialise"))
}

/// What the holder alone says in a receipt: the other side can check only that it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HolderWord {
    /// When it was made, by the holder's clock.
    pub(crate) completed_unix_ms: u64,
    /// The ledger, with all of the session's charges in it.
    pub(crate) head: LogHead,
    /// By what the session was admitted.
    pub(crate) authority: Authority,
}

/// The body of a receipt for what one side knows to have happened.
pub(crate) fn body(
    facts: &SessionFacts,
    request: &Request,
    transcript: &[u8; 64],
    holder_key: &[u8; 32],
    verifier_key: &[u8; 32],
    word: &HolderWord,
) -> Result<Vec<u8>, Error> {
    let set = &facts.offer.descriptor;
    let members = Members {
        as_of: set.as_of,
        authority: word.authority.as_str().to_owned(),
        batches: request.batches(),
        completed_unix_ms: word.completed_unix_ms,
        disclosure: request.manifest().map_or(Disclosure::None, |manifest| manifest.disclosure).as_str().to_owned(),
        epoch: to_hex(&set.epoch_id),
        format: FORMAT.to_owned(),
        holder: to_hex(&facts.holder),
        holder_statement_key: to_hex(holder_key),
        ledger_root: to_hex(&word.head.root),
        ledger_size: word.head.size,
        pairs: request.pairs(),
        policy: match &word.authority {
            Authority::Unsigned => String::new(),
            Authority::Signed(policy) => to_hex(policy),
        },
        public_key: to_hex(&set.public_key),
        request_digest: to_hex(&facts.request_digest),
        request_id: to_hex(request.id()),
        ruleset: request.ruleset().to_owned(),
        ruleset_digest: to_hex(&set.ruleset_digest),
        session: to_hex(&facts.session_id()),
        set_id: to_hex(&facts.offer.set_id),
        suite: facts.suite,
        tau: set.tau.to_byte(),
        tokens: request.tokens(),
        transcript: to_hex(transcript),
        verifier: to_hex(&facts.verifier),
        verifier_statement_key: to_hex(verifier_key),
        version: facts.version,
    };
    to_canonical(&members)
}

/// The size of the ledger that a body of this side's own states.
pub(crate) fn ledger_size(body: &[u8]) -> Result<u64, Error> {
    let members: Members = serde_json::from_slice(body).map_err(|_| Error::Internal("a receipt of the ledger's is none"))?;
    Ok(members.ledger_size)
}

/// The holder's own word in a received body, once everything else in it is what this side computes itself.
pub(crate) fn check_body(received: &[u8], expected: impl Fn(&HolderWord) -> Result<Vec<u8>, Error>) -> Result<HolderWord, Error> {
    let members: Members = serde_json::from_slice(received).map_err(|_| Misbehaviour::Receipt("body"))?;
    if !members.in_bounds() {
        return Err(Misbehaviour::Receipt("body").into());
    }
    let word = HolderWord {
        completed_unix_ms: members.completed_unix_ms,
        head: LogHead { size: members.ledger_size, root: from_hex(&members.ledger_root).ok_or(Misbehaviour::Receipt("ledger_root"))? },
        authority: match members.policy.as_str() {
            "" => Authority::Unsigned,
            policy => Authority::Signed(from_hex(policy).ok_or(Misbehaviour::Receipt("policy"))?),
        },
    };
    if expected(&word)? == received { Ok(word) } else { Err(Misbehaviour::Receipt("content").into()) }
}

/// A receipt that both sides have signed: what each keeps in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Canonical JSON (SPEC END-3).
    pub body: Vec<u8>,
    /// The holder's statement over it.
    pub holder_signature: [u8; 64],
    /// The holder's statement key's certificate.
    pub holder_certificate: [u8; CERTIFICATE_BYTES],
    /// The verifier's statement over it.
    pub verifier_signature: [u8; 64],
    /// The verifier's statement key's certificate.
    pub verifier_certificate: [u8; CERTIFICATE_BYTES],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    body: String,
    holder_certificate: String,
    holder_signature: String,
    verifier_certificate: String,
    verifier_signature: String,
}

impl Receipt {
    /// `receipt_digest`: SHA-256 of the body.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.body).into()
    }

    /// The receipt as a file: one line of JSON, the body as a string in it, so that it stays byte for byte what was signed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = File {
            body: String::from_utf8_lossy(&self.body).into_owned(),
            holder_certificate: to_hex(&self.holder_certificate),
            holder_signature: to_hex(&self.holder_signature),
            verifier_certificate: to_hex(&self.verifier_certificate),
            verifier_signature: to_hex(&self.verifier_signature),
        };
        // Five strings always serialise; an empty file would be refused by the reader.
        serde_json::to_string(&file).unwrap_or_default()
    }

    /// Reads such a file and checks it: both certificates against the fingerprints in the body, both signatures over it.
    ///
    /// # Errors
    /// [`Misbehaviour::Receipt`] or [`Misbehaviour::Statement`].
    pub fn from_json(text: &str) -> Result<Self, Misbehaviour> {
        let file: File = serde_json::from_str(text).map_err(|_| Misbehaviour::Receipt("file"))?;
        let members: Members = serde_json::from_str(&file.body).map_err(|_| Misbehaviour::Receipt("body"))?;
        if members.format != FORMAT || !members.in_bounds() || to_canonical(&members).ok().as_deref() != Some(file.body.as_bytes()) {
            return Err(Misbehaviour::Receipt("body"));
        }
        let hex = |text: &str, name| from_hex::<32>(text).ok_or(Misbehaviour::Receipt(name));
        let receipt = Self {
            holder_signature: from_hex(&file.holder_signature).ok_or(Misbehaviour::Receipt("holder_signature"))?,
            holder_certificate: from_hex(&file.holder_certificate).ok_or(Misbehaviour::Receipt("holder_certificate"))?,
            verifier_signature: from_hex(&file.verifier_signature).ok_or(Misbehaviour::Receipt("verifier_signature"))?,
            verifier_certificate: from_hex(&file.verifier_certificate).ok_or(Misbehaviour::Receipt("verifier_certificate"))?,
            body: file.body.into_bytes(),
        };
        for (certificate, fingerprint, key, signature) in [
            (
                &receipt.holder_certificate,
                hex(&members.holder, "holder")?,
                hex(&members.holder_statement_key, "holder_statement_key")?,
                &receipt.holder_signature,
            ),
            (
                &receipt.verifier_certificate,
                hex(&members.verifier, "verifier")?,
                hex(&members.verifier_statement_key, "verifier_statement_key")?,
                &receipt.verifier_signature,
            ),
        ] {
            let certified = CertifiedKey::check(certificate, &fingerprint)?;
            if certified.public() != key {
                return Err(Misbehaviour::Receipt("statement key"));
            }
            certified.verify(StatementKind::Receipt, &receipt.body, signature)?;
        }
        Ok(receipt)
    }
}
