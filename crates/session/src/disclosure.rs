//! What a verifier says has matched, where the request and the policy agree on it (SPEC DIS-1, DIS-2): a count, or the tags.
//!
//! It comes after the results are written, on a connection of its own, at most once a request. A dishonest verifier can say less than is true;
//! a holder that chose its set learns from it who of its choice was asked about: hence by agreement alone.

use crate::error::{Error, Misbehaviour, Refusal, RefusalCode};
use crate::ledger::{DisclosureEntry, Ledger};
use crate::limits::DISCLOSED_TAGS_MAX;
use crate::request::Disclosure;
use crate::statement::{CERTIFICATE_BYTES, CertifiedKey, StatementKey, StatementKind};
use crate::wire::{DisclosedTags, DisclosureMessage, Frame, FrameType};
use sha2::{Digest, Sha256};

/// `tags_digest` (SPEC DIS-2): of tags in ascending order.
#[must_use]
pub fn tags_digest(tags: &[u128]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"oblink/1/matched-tags\0");
    tags.iter().for_each(|tag| hash.update(tag.to_be_bytes()));
    hash.finalize().into()
}

/// The byte of a kind on the wire; `None` for [`Disclosure::None`], of which nothing is sent.
fn byte_of(kind: Disclosure) -> Option<u8> {
    match kind {
        Disclosure::None => None,
        Disclosure::Count => Some(1),
        Disclosure::MatchedTags => Some(2),
    }
}

/// What a disclosure's statement is over.
fn statement_body(message: &DisclosureMessage) -> Vec<u8> {
    let mut body = Vec::with_capacity(97);
    body.extend_from_slice(&message.session_id);
    body.extend_from_slice(&message.receipt_digest);
    body.push(message.kind);
    body.extend_from_slice(&message.matched.to_be_bytes());
    body.extend_from_slice(&message.tags.to_be_bytes());
    body.extend_from_slice(&message.tags_digest);
    body
}

/// The verifier's frames, in order: a Disclosure, and the tags after it where that is the kind. `matched` is the number of pairs that matched,
/// `tags` the tags by which they did, in any order; they are sent each once.
///
/// # Errors
/// [`Error::Internal`] for [`Disclosure::None`].
pub fn disclosure_frames(
    key: &StatementKey,
    session_id: [u8; 16],
    receipt_digest: [u8; 32],
    kind: Disclosure,
    matched: u64,
    mut tags: Vec<u128>,
) -> Result<Vec<Frame>, Error> {
    let byte = byte_of(kind).ok_or(Error::Internal("the request agrees to disclose nothing"))?;
    if kind == Disclosure::Count {
        tags.clear();
    }
    tags.sort_unstable();
    tags.dedup();
    let mut message = DisclosureMessage {
        session_id,
        receipt_digest,
        kind: byte,
        matched,
        tags: tags.len() as u64,
        tags_digest: tags_digest(&tags),
        signature: [0; 64],
    };
    message.signature = key.sign(StatementKind::Disclosure, &statement_body(&message));
    let mut frames = vec![message.to_frame()?];
    let mut offset = 0;
    for tags in tags.chunks(DISCLOSED_TAGS_MAX) {
        frames.push(DisclosedTags { offset, tags: tags.to_vec() }.to_frame());
        offset += tags.len() as u64;
    }
    Ok(frames)
}

/// What the holder's ledger has of a complete session of which something is to be disclosed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureDue {
    /// The session.
    pub session_id: [u8; 16],
    /// SHA-256 of its receipt's body.
    pub receipt_digest: [u8; 32],
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// The certificate of its statement key, as its Hello brought it.
    pub verifier_certificate: [u8; CERTIFICATE_BYTES],
    /// What was agreed.
    pub kind: Disclosure,
    /// Pairs asked.
    pub pairs: u64,
    /// Tokens asked.
    pub tokens: u64,
}

/// A disclosure on its way in. Its `Debug` shows no tag.
pub struct ReceivingDisclosure {
    due: DisclosureDue,
    message: DisclosureMessage,
    tags: Vec<u128>,
}

impl core::fmt::Debug for ReceivingDisclosure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ReceivingDisclosure({} of {} tags)", self.tags.len(), self.message.tags)
    }
}

/// A disclosure that is whole and bears the verifier's word, to be made durable.
#[derive(Debug)]
pub struct PendingDisclosure {
    entry: DisclosureEntry,
}

impl ReceivingDisclosure {
    /// Checks a Disclosure against what is due of its session. `sender` is the fingerprint that the transport authenticated.
    ///
    /// # Errors
    /// [`Error::Refuse`] with out_of_turn where nothing of the kind is due from this verifier; [`Error::PeerMisbehaved`].
    pub fn begin(frame: &Frame, sender: &[u8; 32], due: Option<DisclosureDue>) -> Result<Self, Error> {
        let message = DisclosureMessage::from_frame(frame)?;
        let due =
            due.filter(|due| due.verifier == *sender && due.session_id == message.session_id && byte_of(due.kind) == Some(message.kind));
        let Some(due) = due else {
            return Err(Error::Refuse(Refusal::new(RefusalCode::OutOfTurn, "no such disclosure was agreed for this session")));
        };
        let wrong = |what| Err(Error::PeerMisbehaved(Misbehaviour::Disclosure(what)));
        if message.receipt_digest != due.receipt_digest {
            return wrong("it is of another receipt");
        }
        if message.matched > due.pairs || message.tags > due.tokens || (message.matched == 0 && message.tags > 0) {
            return wrong("more matched than was asked");
        }
        let key = CertifiedKey::check(&due.verifier_certificate, &due.verifier)?;
        key.verify(StatementKind::Disclosure, &statement_body(&message), &message.signature)?;
        Ok(Self { due, message, tags: Vec::new() })
    }

    /// Whether all tags are here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.tags.len() as u64 == self.message.tags
    }

    /// Takes some of the tags.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`]: not the next ones, not ascending, or more than were declared.
    pub fn receive_tags(&mut self, frame: &Frame) -> Result<(), Error> {
        let part = DisclosedTags::from_frame(frame)?;
        let wrong = |what| Err(Error::PeerMisbehaved(Misbehaviour::Disclosure(what)));
        let have = self.tags.len() as u64;
        if part.offset != have || have + part.tags.len() as u64 > self.message.tags {
            return wrong("tags that are not the next ones");
        }
        if self.tags.last().zip(part.tags.first()).is_some_and(|(last, first)| last >= first) {
            return wrong("tags that do not ascend");
        }
        self.tags.extend(part.tags);
        Ok(())
    }

    /// All tags are here: whether they are those that the verifier signed.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] where they are not, or one is missing.
    pub fn finish(self) -> Result<PendingDisclosure, Error> {
        if !self.is_whole() || tags_digest(&self.tags) != self.message.tags_digest {
            return Err(Error::PeerMisbehaved(Misbehaviour::Disclosure("the tags are not those of the statement")));
        }
        Ok(PendingDisclosure {
            entry: DisclosureEntry {
                session_id: self.due.session_id,
                kind: self.due.kind,
                matched: self.message.matched,
                tags: self.tags,
                tags_digest: self.message.tags_digest,
                signature: self.message.signature,
                clock_unix_ms: 0,
            },
        })
    }
}

impl PendingDisclosure {
    /// Makes it durable: the Closed frame to send.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn commit<L: Ledger + ?Sized>(mut self, ledger: &mut L, clock_unix_ms: u64) -> Result<Frame, Error> {
        self.entry.clock_unix_ms = clock_unix_ms;
        ledger.disclose(&self.entry)?;
        Ok(Frame { kind: FrameType::Closed, body: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::fingerprint_of;
    use ed25519_dalek::SigningKey;

    const SESSION: [u8; 16] = [3; 16];
    const RECEIPT: [u8; 32] = [4; 32];

    fn key() -> (StatementKey, [u8; 32]) {
        let fingerprint = fingerprint_of(SigningKey::from_bytes(&[2; 32]).verifying_key().as_bytes());
        (StatementKey::certify(&[1; 32], &[2; 32], 7), fingerprint)
    }

    fn due(kind: Disclosure) -> DisclosureDue {
        let (key, verifier) = key();
        DisclosureDue {
            session_id: SESSION,
            receipt_digest: RECEIPT,
            verifier,
            verifier_certificate: *key.certificate(),
            kind,
            pairs: 40_000,
            tokens: 40_000,
        }
    }

    fn frames(kind: Disclosure, tags: Vec<u128>) -> Vec<Frame> {
        disclosure_frames(&key().0, SESSION, RECEIPT, kind, tags.len() as u64, tags).unwrap()
    }

    fn receive(frames: &[Frame], due: DisclosureDue) -> Result<PendingDisclosure, Error> {
        let sender = due.verifier;
        let mut receiving = ReceivingDisclosure::begin(&frames[0], &sender, Some(due))?;
        for frame in &frames[1..] {
            receiving.receive_tags(frame)?;
        }
        receiving.finish()
    }

    /// DIS-2
    #[test]
    fn what_is_agreed_arrives_whole() {
        let tags: Vec<u128> = (0..40_000_u128).rev().map(|i| i * 7).collect();
        let frames_of_tags = frames(Disclosure::MatchedTags, tags.clone());
        assert_eq!(frames_of_tags.len(), 4);
        let pending = receive(&frames_of_tags, due(Disclosure::MatchedTags)).unwrap();
        assert_eq!((pending.entry.matched, pending.entry.tags.len()), (40_000, 40_000));
        assert!(pending.entry.tags.is_sorted());
        let counted = receive(&frames(Disclosure::Count, tags), due(Disclosure::Count)).unwrap();
        assert_eq!((counted.entry.matched, counted.entry.tags.len()), (40_000, 0));
        assert!(disclosure_frames(&key().0, SESSION, RECEIPT, Disclosure::None, 0, Vec::new()).is_err());
    }

    /// DIS-1, DIS-2
    #[test]
    fn another_kind_session_sender_or_order_is_refused() {
        let good = frames(Disclosure::MatchedTags, (1..=20_000).collect());
        assert!(receive(&good, due(Disclosure::Count)).is_err());
        assert!(receive(&good, due(Disclosure::None)).is_err());
        assert!(receive(&good, DisclosureDue { session_id: [9; 16], ..due(Disclosure::MatchedTags) }).is_err());
        assert!(receive(&good, DisclosureDue { receipt_digest: [9; 32], ..due(Disclosure::MatchedTags) }).is_err());
        assert!(receive(&good, DisclosureDue { pairs: 19_999, ..due(Disclosure::MatchedTags) }).is_err());
        assert!(receive(&good, DisclosureDue { tokens: 19_999, ..due(Disclosure::MatchedTags) }).is_err());
        assert!(ReceivingDisclosure::begin(&good[0], &[8; 32], Some(due(Disclosure::MatchedTags))).is_err());
        assert!(ReceivingDisclosure::begin(&good[0], &key().1, None).is_err());
        let of = |indexes: &[usize]| receive(&indexes.iter().map(|i| good[*i].clone()).collect::<Vec<_>>(), due(Disclosure::MatchedTags));
        assert!(of(&[0, 1, 2]).is_ok());
        for wrong in [&[0, 1][..], &[0, 2, 1], &[0, 1, 1, 2], &[0, 1, 2, 2]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
        let other = frames(Disclosure::MatchedTags, (2..=20_001).collect());
        assert!(receive(&[good[0].clone(), other[1].clone(), other[2].clone()], due(Disclosure::MatchedTags)).is_err());
    }

    #[test]
    fn no_tag_is_printed() {
        let tags = vec![0x5a5a_5a5a_5a5a_u128];
        let frames = frames(Disclosure::MatchedTags, tags.clone());
        let mut receiving = ReceivingDisclosure::begin(&frames[0], &key().1, Some(due(Disclosure::MatchedTags))).unwrap();
        receiving.receive_tags(&frames[1]).unwrap();
        let mut printed = format!("{receiving:?} {:?}", DisclosedTags::from_frame(&frames[1]).unwrap());
        printed.push_str(&format!("{:?}", receiving.finish().unwrap()));
        assert!(!printed.contains(&tags[0].to_string()) && printed.contains("1 tags"), "{printed}");
    }

    #[test]
    fn a_changed_count_does_not_verify() {
        let mut message = DisclosureMessage::from_frame(&frames(Disclosure::Count, vec![1, 2])[0]).unwrap();
        message.matched = 1;
        let sender = key().1;
        let refused = ReceivingDisclosure::begin(&message.to_frame().unwrap(), &sender, Some(due(Disclosure::Count)));
        assert!(matches!(refused, Err(Error::PeerMisbehaved(Misbehaviour::Statement(_)))));
    }
}
