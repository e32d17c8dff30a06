//! The header of a sealed set (SPEC SET-1, SET-2), and what follows from it: block sizes and the bounds of the file's length.

use oblink_session::limits::{SET_BLOCK_TAGS, TOKENS_PER_PAIR_MAX};
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::{Tau, ceil_log2};
use sha2::{Digest, Sha256};

use crate::SetFault;

/// Bytes of the header of a set of suite 1 (SPEC SET-1).
pub const HEADER_BYTES: usize = 176;
/// The one suite of this build, ristretto255-SHA512 (SPEC SUI-1).
pub const SUITE: u16 = 0x0001;

const MAGIC: [u8; 8] = *b"OBLSET\0\x01";
/// Where the header's own digest begins.
const DIGEST_AT: usize = 144;
/// Bytes of a block beside its body: count, length, first tag, digest.
const BLOCK_FRAME_BYTES: u64 = 4 + 4 + 16 + 32;

/// A header that keeps SET-1 and SET-2, with what blocks are tied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) descriptor: SetDescriptor,
    /// Bytes 144..176, which every block's digest covers.
    pub(crate) digest: [u8; 32],
}

/// k = max(0, τ − ⌈log2 n⌉) (SPEC SET-2).
pub(crate) fn rice_parameter(tau: Tau, tags: u64) -> u32 {
    tau.bits().saturating_sub(ceil_log2(tags))
}

/// The most bytes that a block's body can have in a set of n tags (SPEC SET-4).
pub(crate) fn body_bytes_max(k: u32, tags: u64) -> u64 {
    (u64::from(SET_BLOCK_TAGS - 1) * u64::from(k + 1) + (1 << ceil_log2(tags))).div_ceil(8)
}

/// Number of blocks of a set of n tags.
pub(crate) fn blocks(tags: u64) -> u64 {
    tags.div_ceil(u64::from(SET_BLOCK_TAGS))
}

/// Why a descriptor is none that SET-1, SET-2 and TAG-2 allow: the name of the first wrong field.
fn wrong_field(descriptor: &SetDescriptor) -> Option<&'static str> {
    let tau = Tau::for_counts(descriptor.declared_tags, descriptor.session_tokens_max);
    if descriptor.suite != SUITE {
        Some("suite")
    } else if tau.is_none() {
        Some("declared_tags or session_tokens_max")
    } else if tau != Some(descriptor.tau) {
        Some("tau")
    } else if descriptor.tags == 0 || descriptor.tags > descriptor.declared_tags {
        Some("tags")
    } else if descriptor.tokens_per_pair == 0 || descriptor.tokens_per_pair > TOKENS_PER_PAIR_MAX {
        Some("tokens_per_pair")
    } else {
        None
    }
}

/// The least and the most bytes that a set with this descriptor can have.
///
/// A verifier holds `set_bytes` of an offer against it before it fetches anything. `None` where no set can have the descriptor.
#[must_use]
pub fn set_bytes_bounds(descriptor: &SetDescriptor) -> Option<(u64, u64)> {
    if wrong_field(descriptor).is_some() {
        return None;
    }
    let (n, blocks) = (descriptor.tags, blocks(descriptor.tags));
    let frames = HEADER_BYTES as u64 + blocks * BLOCK_FRAME_BYTES;
    // Every tag but a block's first takes k + 1 bits and its quotient; the quotients of all sum to at most 2^⌈log2 n⌉. n ≤ 2^40 and
    // k ≤ 126, so that nothing here comes near 2^64.
    let fixed_bits = (n - blocks) * u64::from(rice_parameter(descriptor.tau, n) + 1);
    let most = frames + (fixed_bits + (1 << ceil_log2(n))).div_ceil(8) + blocks;
    Some((frames + fixed_bits / 8, most))
}

impl Header {
    /// The header for a descriptor, and its bytes; the field at fault where the descriptor breaks a rule.
    pub(crate) fn encode(descriptor: &SetDescriptor) -> Result<(Self, [u8; HEADER_BYTES]), &'static str> {
        if let Some(field) = wrong_field(descriptor) {
            return Err(field);
        }
        let k = u8::try_from(rice_parameter(descriptor.tau, descriptor.tags)).map_err(|_| "tags")?;
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&descriptor.suite.to_be_bytes());
        bytes[10] = descriptor.tau.to_byte();
        bytes[11] = k;
        bytes[12..14].copy_from_slice(&descriptor.tokens_per_pair.to_be_bytes());
        bytes[16..20].copy_from_slice(&SET_BLOCK_TAGS.to_be_bytes());
        bytes[20..24].copy_from_slice(&descriptor.as_of.to_be_bytes());
        bytes[24..32].copy_from_slice(&descriptor.session_tokens_max.to_be_bytes());
        bytes[32..40].copy_from_slice(&descriptor.declared_tags.to_be_bytes());
        bytes[40..48].copy_from_slice(&descriptor.tags.to_be_bytes());
        bytes[48..64].copy_from_slice(&descriptor.epoch_id);
        bytes[64..96].copy_from_slice(&descriptor.ruleset_digest);
        bytes[96..128].copy_from_slice(&descriptor.public_key);
        let digest: [u8; 32] = Sha256::digest(&bytes[..DIGEST_AT]).into();
        bytes[DIGEST_AT..].copy_from_slice(&digest);
        Ok((Self { descriptor: descriptor.clone(), digest }, bytes))
    }

    /// Reads a header; refuses what SET-1, SET-2 and SET-4 do not allow.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, SetFault> {
        if bytes[0..8] != MAGIC {
            return Err(SetFault::Header("magic"));
        }
        let digest: [u8; 32] = Sha256::digest(&bytes[..DIGEST_AT]).into();
        if bytes[DIGEST_AT..] != digest {
            return Err(SetFault::Header("digest"));
        }
        if bytes[14..16] != [0; 2] {
            return Err(SetFault::Header("reserved"));
        }
        if bytes[16..20] != SET_BLOCK_TAGS.to_be_bytes() {
            return Err(SetFault::Header("tags a block"));
        }
        let (session_tokens_max, declared_tags) = (u64::from_be_bytes(array(bytes, 24)), u64::from_be_bytes(array(bytes, 32)));
        let tau = Tau::for_counts(declared_tags, session_tokens_max).ok_or(SetFault::Header("declared_tags or session_tokens_max"))?;
        if bytes[10] != tau.to_byte() {
            return Err(SetFault::Header("tau"));
        }
        let descriptor = SetDescriptor {
            suite: u16::from_be_bytes(array(bytes, 8)),
            tau,
            tokens_per_pair: u16::from_be_bytes(array(bytes, 12)),
            as_of: u32::from_be_bytes(array(bytes, 20)),
            session_tokens_max,
            declared_tags,
            tags: u64::from_be_bytes(array(bytes, 40)),
            epoch_id: array(bytes, 48),
            ruleset_digest: array(bytes, 64),
            public_key: array(bytes, 96),
        };
        if let Some(field) = wrong_field(&descriptor) {
            return Err(SetFault::Header(field));
        }
        if u32::from(bytes[11]) != rice_parameter(tau, descriptor.tags) {
            return Err(SetFault::Header("Rice parameter"));
        }
        if bytes[128..DIGEST_AT] != [0; 16] {
            return Err(SetFault::Header("padding"));
        }
        Ok(Self { descriptor, digest })
    }
}

/// N bytes of a header from a fixed offset.
fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// The first field in which a file's header and an offer differ (SPEC SET-7).
pub(crate) fn differing_field(file: &SetDescriptor, offer: &SetOffer) -> Option<&'static str> {
    let offered = &offer.descriptor;
    [
        (file.suite == offered.suite, "suite"),
        (file.tau == offered.tau, "tau"),
        (file.tokens_per_pair == offered.tokens_per_pair, "tokens_per_pair"),
        (file.as_of == offered.as_of, "as_of"),
        (file.session_tokens_max == offered.session_tokens_max, "session_tokens_max"),
        (file.declared_tags == offered.declared_tags, "declared_tags"),
        (file.tags == offered.tags, "set_tags"),
        (file.epoch_id == offered.epoch_id, "epoch_id"),
        (file.ruleset_digest == offered.ruleset_digest, "ruleset_digest"),
        (file.public_key == offered.public_key, "public_key"),
    ]
    .into_iter()
    .find_map(|(same, field)| (!same).then_some(field))
}
