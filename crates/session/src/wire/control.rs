//! Control messages (SPEC FRM-4), in bincode's byte format.

use super::{Frame, FrameType, WireError};
use crate::limits::{
    CONSISTENCY_MAX, DETAIL_BYTES_MAX, OFFERS_MAX, RECEIPT_BYTES_MAX, REQUEST_BYTES_MAX, RESEND_MAX, SIGNATURE_BYTES_MAX, SIGNATURES_MAX,
};
use wincode::{SchemaRead, SchemaWrite};

/// First message of the verifier.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Hello {
    /// Versions it speaks, ascending, 1 to 16.
    pub versions: Vec<u16>,
    /// Suites it has, by preference, 1 to 16.
    pub suites: Vec<u16>,
    /// 32 random bytes, the session's from its first Hello on.
    pub nonce: [u8; 32],
    /// Its clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
    /// Its statement key's certificate (SPEC STM-1).
    pub certificate: [u8; 136],
    /// The request, canonical JSON, at most 65,536 bytes (SPEC REQ-1).
    pub request: Vec<u8>,
    /// Signatures over it, at most 64 of at most 4,096 bytes; none in pilot mode (SPEC SIG-1).
    pub signatures: Vec<Vec<u8>>,
    /// Size of the holder's ledger at the latest head that the verifier knows, 0 for none (SPEC HSK-8).
    pub head_size: u64,
    /// Its root, zeros for none.
    pub head_root: [u8; 32],
}

/// The holder's admission.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Welcome {
    /// The version chosen.
    pub version: u16,
    /// The suite chosen.
    pub suite: u16,
    /// 32 random bytes, the session's from its first Welcome on.
    pub nonce: [u8; 32],
    /// Its clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
    /// Its statement key's certificate (SPEC STM-1).
    pub certificate: [u8; 136],
    /// The sealed set's ruleset.
    pub ruleset_digest: [u8; 32],
    /// Tag length in bits.
    pub tau: u8,
    /// Tokens a pair, T.
    pub tokens_per_pair: u16,
    /// Most tokens a session may submit, M.
    pub session_tokens_max: u64,
    /// Declared tags, D.
    pub declared_tags: u64,
    /// Tags in the file, n.
    pub set_tags: u64,
    /// Length of the file.
    pub set_bytes: u64,
    /// As-of date, decimal yyyymmdd or 0.
    pub as_of: u32,
    /// The epoch.
    pub epoch_id: [u8; 16],
    /// SHA-256 of the file.
    pub set_id: [u8; 32],
    /// The epoch's public key, Ne bytes.
    pub public_key: Vec<u8>,
    /// Most unanswered batches.
    pub batches_in_flight_max: u16,
    /// 0: the request was admitted unsigned; 1: under a policy.
    pub authority: u8,
    /// Batches of a resumed session that were charged and whose answers the holder has no record of: they must be sent again, free, before
    /// Complete. At most 64; none in a new session.
    pub resend: Vec<u64>,
    /// Digest of the policy (SPEC POL-1); zeros where the request was admitted unsigned.
    pub policy: [u8; 32],
    /// Size of the ledger once the session is opened (SPEC LED-2).
    pub head_size: u64,
    /// Its root.
    pub head_root: [u8; 32],
    /// When the head was signed, by the holder's clock.
    pub head_unix_ms: u64,
    /// The holder's statement over the head (SPEC LED-3).
    pub head_signature: [u8; 64],
    /// That it continues the head of Hello; none where Hello had none. At most 64 hashes.
    pub consistency: Vec<[u8; 32]>,
}

/// Asks for the sealed set from an offset on.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct SetRequest {
    /// The set of Welcome.
    pub set_id: [u8; 32],
    /// First byte wanted.
    pub offset: u64,
}

/// Every batch is verified and the set is checked.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Complete {
    /// The verifier's transcript (SPEC END-1).
    pub transcript: [u8; 64],
}

/// The receipt, signed by the holder.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct ReceiptMessage {
    /// Canonical JSON (SPEC END-3), at most 8,192 bytes.
    pub body: Vec<u8>,
    /// The holder's statement over it.
    pub signature: [u8; 64],
    /// That, of Welcome's head and the receipt's, the longer continues the shorter. At most 64 hashes.
    pub consistency: Vec<[u8; 32]>,
}

/// The verifier's signature on the receipt.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Acknowledge {
    /// The verifier's statement over the receipt's body.
    pub signature: [u8; 64],
}

/// What the verifier says has matched, where its request agreed to say so (SPEC DIS-2): first frame of a connection.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct DisclosureMessage {
    /// The session.
    pub session_id: [u8; 16],
    /// SHA-256 of its receipt's body.
    pub receipt_digest: [u8; 32],
    /// 1: a count; 2: the tags that matched, in DisclosedTags after this.
    pub kind: u8,
    /// Pairs that matched.
    pub matched: u64,
    /// Tags that follow.
    pub tags: u64,
    /// Digest of the tags.
    pub tags_digest: [u8; 32],
    /// The verifier's statement over all of the above.
    pub signature: [u8; 64],
}

/// A round trip for `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Ping {
    /// The verifier's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

/// The answer to [`Ping`].
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct Pong {
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

/// A refusal as it travels; [`crate::error::Refusal`] is what it means.
#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub struct RefusalMessage {
    /// SPEC FRM-5.
    pub code: u16,
    /// For people, at most 1,024 bytes; carries no personal data.
    pub detail: String,
}

/// Decodes a body of bincode's byte format: the whole of it, bytes left over refused. The codec allocates at most four times the body:
/// the limits of SPEC FRM-1 are its size limit.
fn decode<'a, M: SchemaRead<'a, Codec, Dst = M>>(frame: &'a Frame, due: FrameType, name: &'static str) -> Result<M, WireError> {
    frame.expect(due, name)?;
    wincode::config::deserialize_exact(&frame.body, codec()).map_err(|_| WireError::Malformed(name))
}

/// Bytes the codec may allocate for one message. Every control body is smaller.
const ALLOCATION_BYTES_MAX: usize = 1 << 19;

type Codec = wincode::config::Configuration<true, ALLOCATION_BYTES_MAX>;

fn codec() -> Codec {
    wincode::config::Configuration::default().with_preallocation_size_limit::<ALLOCATION_BYTES_MAX>()
}

macro_rules! control {
    ($message:ident, $kind:ident, $name:literal, |$this:ident| $check:expr) => {
        impl $message {
            #[doc = concat!("The ", $name, " frame.")]
            ///
            /// # Errors
            /// A field outside its bounds.
            pub fn to_frame(&self) -> Result<Frame, WireError> {
                self.check()?;
                let body = wincode::config::serialize(self, codec()).map_err(|_| WireError::Malformed($name))?;
                Frame::from_parts(FrameType::$kind as u8, body)
            }

            #[doc = concat!("Decodes a ", $name, " frame.")]
            ///
            /// # Errors
            /// Another type; a body that is not exactly this message; a field outside its bounds.
            pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
                let message: Self = decode(frame, FrameType::$kind, $name)?;
                message.check()?;
                Ok(message)
            }

            fn check(&self) -> Result<(), WireError> {
                let $this = self;
                if $check { Ok(()) } else { Err(WireError::OutOfBounds($name)) }
            }
        }
    };
}

control!(Hello, Hello, "Hello", |m| (1..=OFFERS_MAX).contains(&m.versions.len())
    && (1..=OFFERS_MAX).contains(&m.suites.len())
    && m.versions.is_sorted_by(|a, b| a < b)
    && m.request.len() <= REQUEST_BYTES_MAX
    && m.signatures.len() <= SIGNATURES_MAX
    && m.signatures.iter().all(|signature| signature.len() <= SIGNATURE_BYTES_MAX));
control!(Welcome, Welcome, "Welcome", |m| m.public_key.len() <= 256
    && m.batches_in_flight_max > 0
    && m.resend.len() <= RESEND_MAX
    && m.consistency.len() <= CONSISTENCY_MAX);
control!(SetRequest, SetRequest, "SetRequest", |_m| true);
control!(Complete, Complete, "Complete", |_m| true);
control!(ReceiptMessage, Receipt, "Receipt", |m| m.body.len() <= RECEIPT_BYTES_MAX && m.consistency.len() <= CONSISTENCY_MAX);
control!(Acknowledge, Acknowledge, "Acknowledge", |_m| true);
control!(DisclosureMessage, Disclosure, "Disclosure", |m| matches!(m.kind, 1 | 2) && (m.kind == 2 || m.tags == 0));
control!(Ping, Ping, "Ping", |_m| true);
control!(Pong, Pong, "Pong", |_m| true);
control!(RefusalMessage, Refusal, "Refusal", |m| m.detail.len() <= DETAIL_BYTES_MAX);

/// Refuses a Closed frame that is not one.
///
/// # Errors
/// Another type, or a body.
pub fn expect_closed(frame: &Frame) -> Result<(), WireError> {
    frame.expect(FrameType::Closed, "Closed")?;
    if frame.body.is_empty() { Ok(()) } else { Err(WireError::Malformed("Closed")) }
}
