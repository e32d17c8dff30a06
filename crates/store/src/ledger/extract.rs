//! The part of the log that a verifier's auditors may see, and proof that it is all of theirs (SPEC LED-7).
//!
//! An extract is text, a line of JSON each. The first says whose it is and under which signed head:
//! `{"certificate":hex,"entries":n,"format":"oblink/ledger-extract/1","holder":hex,"party":hex,"root":hex,"signature":hex,"unix_ms":n}`.
//! Then follows every entry up to that head, in order: of the party's `{"body":text,"kind":n,"party":hex,"seq":n,"unix_ms":n}`; of the others
//! `body_digest` (SHA-256, hex) in the place of `body`. Open is besides the beginning of an epoch that was nobody's and became the party's.
//!
//! All leaves can be made from it, so whoever has the head's signature to trust knows that no entry was left out, put in or changed; and an
//! entry of the party's without its body is refused. What others asked stays hidden but for kind, time, and whose it was. Policies are not
//! opened: they name other verifiers, and what the party was admitted by names the digest.

use std::collections::BTreeSet;
use std::io::{BufRead, Read, Write};

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::merkle::Accumulator;
use oblink_session::statement::CertifiedKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entries::{EntryKind, EpochBegin, Hex};
use super::log::{NO_PARTY, entry_leaf, root_at};
use super::{SqliteLedger, contradiction};
use crate::Error;

/// The `format` of an extract.
const FORMAT: &str = "oblink/ledger-extract/1";
/// Most bytes of a line: a request with all its signatures, every character of it escaped, has fewer.
const LINE_BYTES_MAX: u64 = 1 << 23;

/// Why an extract proves nothing. Lines are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractFault {
    /// It is not one, or a line of it is none.
    #[error("line {line} is not what a line of an extract is")]
    Line {
        /// The line.
        line: u64,
    },
    /// It is of another ledger than the holder's, or for another verifier.
    #[error("it is another {0}'s")]
    Other(&'static str),
    /// The statement key's certificate or the head's signature does not verify.
    #[error("{0} does not verify")]
    Signature(&'static str),
    /// Entries are missing, or there are more than the head has.
    #[error("it has {found} entries where the signed head has {due}")]
    Entries {
        /// Entries there.
        found: u64,
        /// Entries due.
        due: u64,
    },
    /// An entry of the verifier's own is closed.
    #[error("entry {seq} is the verifier's and its body is not there")]
    Closed {
        /// The entry.
        seq: u64,
    },
    /// The entries are not those under the signed head.
    #[error("its entries are not those of the signed head")]
    Root,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opening {
    certificate: Hex<136>,
    entries: u64,
    format: String,
    holder: Hex<32>,
    party: Hex<32>,
    root: Hex<32>,
    signature: Hex<64>,
    unix_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_digest: Option<Hex<32>>,
    kind: u8,
    party: Hex<32>,
    seq: u64,
    unix_ms: u64,
}

/// An entry whose body the extract shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtractedEntry {
    /// Its number.
    pub seq: u64,
    /// What it is about.
    pub kind: EntryKind,
    /// Ledger time, milliseconds since 1970.
    pub unix_ms: u64,
    /// Whose it is.
    pub party: [u8; 32],
    /// Canonical JSON: [`super::entries`] has the types to read it with.
    pub body: String,
}

/// An extract that proves what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedExtract {
    /// The head under which it is.
    pub head: SignedHead,
    /// The certificate of the key that signed the head.
    pub certificate: [u8; 136],
    /// The verifier whose entries are open.
    pub party: [u8; 32],
    /// The open entries, in order: all of the verifier's, and the beginnings of its epochs.
    pub entries: Vec<ExtractedEntry>,
}

/// Reading extracts.
#[derive(Clone, Copy, Debug)]
pub struct Extract;

impl SqliteLedger {
    /// Writes the extract for `party` under a head that this ledger signed, with the certificate of the key that signed it. It streams: memory
    /// does not grow with the log. Gives how many entries it opens.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Storage` where the head is not this ledger's, `Busy`; [`Error::Disk`] where `out` fails.
    pub fn extract(
        &self,
        party: &[u8; 32],
        holder: &[u8; 32],
        head: &SignedHead,
        certificate: &[u8; 136],
        out: &mut dyn Write,
    ) -> Result<u64, Error> {
        let mut written = Ok(0);
        self.read(|connection| {
            if root_at(connection, head.head.size)? != Some(head.head.root) {
                return Err(contradiction("a head that is not the log's"));
            }
            let opening = Opening {
                certificate: Hex(*certificate),
                entries: head.head.size,
                format: FORMAT.to_owned(),
                holder: Hex(*holder),
                party: Hex(*party),
                root: Hex(head.head.root),
                signature: Hex(head.signature),
                unix_ms: head.unix_ms,
            };
            written = write_line(out, &opening).map(|()| 0);
            let epochs = connection
                .prepare("SELECT epoch_id FROM epochs WHERE verifier = ?1")?
                .query_map([party], |row| row.get(0))?
                .collect::<Result<BTreeSet<[u8; 16]>, _>>()?;
            let theirs = |line: &Line, body: &[u8]| {
                line.party.0 == *party
                    || line.kind == EntryKind::EpochBegin as u8
                        && line.party.0 == NO_PARTY
                        && serde_json::from_slice::<EpochBegin>(body).is_ok_and(|begun| epochs.contains(&begun.epoch.0))
            };
            let mut statement = connection.prepare("SELECT seq, kind, unix_ms, party, body FROM log WHERE seq < ?1 ORDER BY seq")?;
            let mut rows = statement.query([head.head.size])?;
            while let (Ok(opened), Some(row)) = (&mut written, rows.next()?) {
                let body = row.get_ref(4)?.as_blob().unwrap_or_default();
                let mut line = Line {
                    body: None,
                    body_digest: None,
                    kind: row.get(1)?,
                    party: Hex(row.get(3)?),
                    seq: row.get(0)?,
                    unix_ms: row.get(2)?,
                };
                if theirs(&line, body) {
                    let text = core::str::from_utf8(body).map_err(|_| contradiction("an entry of the log that cannot be read"))?;
                    line.body = Some(text.to_owned());
                    *opened += 1;
                } else {
                    line.body_digest = Some(Hex(Sha256::digest(body).into()));
                }
                if let Err(error) = write_line(out, &line) {
                    written = Err(error);
                }
            }
            Ok(())
        })?;
        written.and_then(|opened| out.flush().map(|()| opened)).map_err(|error| Error::disk("writing an extract of", &self.path, error))
    }
}

fn write_line(out: &mut dyn Write, line: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// The next line, without its end; `None` at the end of the file.
fn next_line(reader: &mut dyn BufRead, buffer: &mut Vec<u8>) -> std::io::Result<bool> {
    buffer.clear();
    reader.take(LINE_BYTES_MAX).read_until(b'\n', buffer)?;
    Ok(!buffer.is_empty())
}

impl Extract {
    /// Reads an extract of `holder`'s ledger (its fingerprint) for `party` and checks all that it claims: certificate and signature of the head,
    /// every leaf, the root, and that no entry of the party's is closed.
    ///
    /// # Errors
    /// [`Error::Extract`]; [`Error::Disk`] where `reader` fails.
    pub fn read(reader: &mut dyn BufRead, holder: &[u8; 32], party: &[u8; 32]) -> Result<VerifiedExtract, Error> {
        let mut buffer = Vec::new();
        let mut line = 1;
        let failed = |source| Error::Disk { context: "reading the extract".to_owned(), source };
        next_line(reader, &mut buffer).map_err(failed)?;
        let opening: Opening = serde_json::from_slice(&buffer).map_err(|_| ExtractFault::Line { line })?;
        let (head, certificate) = check_opening(&opening, holder, party)?;

        let mut log = Accumulator::new();
        let mut entries = Vec::new();
        let mut latest_unix_ms = 0;
        while next_line(reader, &mut buffer).map_err(failed)? {
            line += 1;
            let bad = || ExtractFault::Line { line };
            let Line { body, body_digest, kind: number, party: whose, seq, unix_ms } =
                serde_json::from_slice(&buffer).map_err(|_| bad())?;
            let kind = EntryKind::from_u8(number).ok_or_else(bad)?;
            if seq != log.len() || unix_ms < latest_unix_ms {
                return Err(bad().into());
            }
            latest_unix_ms = unix_ms;
            let digest = match (&body, body_digest) {
                (Some(body), None) => Sha256::digest(body).into(),
                (None, Some(_)) if whose.0 == *party => return Err(ExtractFault::Closed { seq }.into()),
                (None, Some(digest)) => digest.0,
                _ => return Err(bad().into()),
            };
            log.append(entry_leaf(number, unix_ms, &whose.0, &digest));
            entries.extend(body.map(|body| ExtractedEntry { seq, kind, unix_ms, party: whose.0, body }));
        }
        if log.len() != head.head.size {
            return Err(ExtractFault::Entries { found: log.len(), due: head.head.size }.into());
        }
        if log.root() != head.head.root {
            return Err(ExtractFault::Root.into());
        }
        Ok(VerifiedExtract { head, certificate, party: *party, entries })
    }
}

fn check_opening(opening: &Opening, holder: &[u8; 32], party: &[u8; 32]) -> Result<(SignedHead, [u8; 136]), ExtractFault> {
    if opening.format != FORMAT {
        return Err(ExtractFault::Line { line: 1 });
    }
    if opening.holder.0 != *holder {
        return Err(ExtractFault::Other("holder"));
    }
    if opening.party.0 != *party {
        return Err(ExtractFault::Other("verifier"));
    }
    let key = CertifiedKey::check(&opening.certificate.0, holder).map_err(|_| ExtractFault::Signature("the certificate"))?;
    let head = LogHead { size: opening.entries, root: opening.root.0 };
    let head = SignedHead { head, unix_ms: opening.unix_ms, signature: opening.signature.0 };
    head.verify(&key, holder).map_err(|_| ExtractFault::Signature("the head"))?;
    Ok((head, opening.certificate.0))
}
