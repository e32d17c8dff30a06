//! Blocks of a sealed set: Golomb–Rice coded differences with a digest (SPEC SET-3, SET-4).

use oblink_session::limits::SET_BLOCK_TAGS;
use oblink_session::tag::{Tag, Tau};
use sha2::{Digest, Sha256};

use super::header::{Header, body_bytes_max, rice_parameter};
use crate::error::BlockFault;

/// Bytes of a block before its body.
pub(crate) const PREFIX_BYTES: usize = 4 + 4 + 16;
/// Bytes of a block after its body.
pub(crate) const DIGEST_BYTES: usize = 32;

/// What all blocks of one set share.
#[derive(Clone, Debug)]
pub(crate) struct BlockCode {
    header_digest: [u8; 32],
    tau: Tau,
    k: u32,
    tags: u64,
    body_bytes_max: u64,
}

/// What stands before a block's body, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockPrefix {
    count: u32,
    pub(crate) body_bytes: usize,
    first: u128,
}

impl BlockCode {
    pub(crate) fn new(header: &Header) -> Self {
        let (tau, tags) = (header.descriptor.tau, header.descriptor.tags);
        let k = rice_parameter(tau, tags);
        Self { header_digest: header.digest, tau, k, tags, body_bytes_max: body_bytes_max(k, tags) }
    }

    /// Number of tags due in block `block`; 0 beyond the last.
    pub(crate) fn count_due(&self, block: u64) -> u32 {
        let before = block.saturating_mul(u64::from(SET_BLOCK_TAGS));
        u32::try_from(self.tags.saturating_sub(before)).unwrap_or(u32::MAX).min(SET_BLOCK_TAGS)
    }

    fn digest(&self, block: u64, bytes: &[u8]) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(b"oblink/1/block\0");
        digest.update(self.header_digest);
        digest.update(block.to_be_bytes());
        digest.update(bytes);
        digest.finalize().into()
    }

    /// Writes block `block` into `out` (cleared first). The tags increase strictly and there is at least one; a body beyond 2^32 bytes,
    /// which no 4,096 tags of a sorted set make, gives `None`.
    pub(crate) fn encode(&self, block: u64, tags: &[u128], out: &mut Vec<u8>) -> Option<()> {
        let (first, rest) = tags.split_first()?;
        out.clear();
        out.extend_from_slice(&u32::try_from(tags.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&first.to_be_bytes());
        let mut bits = BitWriter { out, pending: 0, pending_bits: 0 };
        let mut previous = *first;
        for &tag in rest {
            let gap = tag.checked_sub(previous)?.checked_sub(1)?;
            bits.ones(u64::try_from(gap >> self.k).ok()?);
            // The quotient's zero and the low bits are one number of k + 1 ≤ 127 bits.
            bits.push(gap & ((1 << self.k) - 1), self.k + 1);
            previous = tag;
        }
        bits.finish();
        let body_bytes = u32::try_from(out.len() - PREFIX_BYTES).ok()?;
        out[4..8].copy_from_slice(&body_bytes.to_be_bytes());
        let digest = self.digest(block, out);
        out.extend_from_slice(&digest);
        Some(())
    }

    /// Reads what stands before the body of block `block` and holds it against what is due there.
    pub(crate) fn prefix(&self, block: u64, bytes: &[u8; PREFIX_BYTES]) -> Result<BlockPrefix, BlockFault> {
        let (mut count, mut body_bytes, mut first) = ([0; 4], [0; 4], [0; 16]);
        count.copy_from_slice(&bytes[..4]);
        body_bytes.copy_from_slice(&bytes[4..8]);
        first.copy_from_slice(&bytes[8..]);
        let (count, body_bytes, due) = (u32::from_be_bytes(count), u32::from_be_bytes(body_bytes), self.count_due(block));
        if count != due {
            return Err(BlockFault::Count { found: count, due });
        }
        if u64::from(body_bytes) > self.body_bytes_max {
            return Err(BlockFault::Length { found: body_bytes, most: self.body_bytes_max });
        }
        Ok(BlockPrefix { count, body_bytes: body_bytes as usize, first: u128::from_be_bytes(first) })
    }

    /// Decodes a whole block, prefix and digest included, into `tags` (cleared first). `floor` is the smallest tag it may begin with.
    ///
    /// The digest is checked before the body is looked at (SPEC SET-4).
    pub(crate) fn decode(&self, block: u64, prefix: BlockPrefix, bytes: &[u8], floor: u128, tags: &mut Vec<Tag>) -> Result<(), BlockFault> {
        tags.clear();
        let (covered, digest) = bytes.split_at_checked(PREFIX_BYTES + prefix.body_bytes).ok_or(BlockFault::Body)?;
        if self.digest(block, covered) != digest {
            return Err(BlockFault::Digest);
        }
        let limit = 1_u128 << self.tau.bits();
        if prefix.first < floor || prefix.first >= limit {
            return Err(BlockFault::Order);
        }
        tags.push(Tag(prefix.first));
        // The digest behind the body lets the reader load whole words; it never takes them for body.
        let mut bits = BitReader { bytes: &bytes[PREFIX_BYTES..], at: 0, end: prefix.body_bytes * 8 };
        let (mut previous, quotient_max) = (prefix.first, (limit - 1) >> self.k);
        for _ in 1..prefix.count {
            let quotient = u128::from(bits.unary().ok_or(BlockFault::Body)?);
            if quotient > quotient_max {
                return Err(BlockFault::Order);
            }
            let gap = (quotient << self.k) | bits.take(self.k).ok_or(BlockFault::Body)?;
            // Both below 2^126, as τ ≤ 126.
            previous += gap + 1;
            if previous >= limit {
                return Err(BlockFault::Order);
            }
            tags.push(Tag(previous));
        }
        if bits.at_end() { Ok(()) } else { Err(BlockFault::Body) }
    }
}

/// Appends bits, most significant first.
struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// The last `pending_bits` (< 64) of it are not written yet.
    pending: u128,
    pending_bits: u32,
}

impl BitWriter<'_> {
    /// `count` ones.
    fn ones(&mut self, mut count: u64) {
        while count >= 63 {
            self.word((1 << 63) - 1, 63);
            count -= 63;
        }
        self.word((1 << count) - 1, u32::try_from(count).unwrap_or(0));
    }

    /// The low `bits` ≤ 127 bits of `value`, whose other bits are zero.
    fn push(&mut self, value: u128, bits: u32) {
        if bits > 64 {
            self.word(value >> 64, bits - 64);
            self.word(value & u128::from(u64::MAX), 64);
        } else {
            self.word(value, bits);
        }
    }

    /// The same for `bits` ≤ 64: with fewer than 64 pending, the sum fits.
    fn word(&mut self, value: u128, bits: u32) {
        self.pending = (self.pending << bits) | value;
        self.pending_bits += bits;
        if self.pending_bits >= 64 {
            self.pending_bits -= 64;
            let whole = (self.pending >> self.pending_bits) & u128::from(u64::MAX);
            self.out.extend_from_slice(&whole.to_be_bytes()[8..]);
            self.pending &= (1 << self.pending_bits) - 1;
        }
    }

    /// Fills the last byte with zeros.
    fn finish(self) {
        let bytes = self.pending_bits.div_ceil(8);
        let last = self.pending << (8 * bytes - self.pending_bits);
        self.out.extend_from_slice(&last.to_be_bytes()[16 - bytes as usize..]);
    }
}

/// Reads bits, most significant first. `bytes` goes on for at least 17 bytes after bit `end`.
struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl BitReader<'_> {
    /// Ones up to the next zero, which is taken too.
    fn unary(&mut self) -> Option<u64> {
        let mut ones = 0;
        loop {
            if self.at >= self.end {
                return None;
            }
            let word = u64::from_be_bytes(*self.bytes.get(self.at / 8..)?.first_chunk()?);
            let (shift, here) = (self.at % 8, 64 - self.at % 8);
            let run = ((word << shift).leading_ones() as usize).min(here);
            self.at += run;
            ones += run as u64;
            if run < here {
                self.at += 1;
                return (self.at <= self.end).then_some(ones);
            }
        }
    }

    /// A number of `bits` ≤ 126 bits.
    fn take(&mut self, bits: u32) -> Option<u128> {
        let end = self.at + bits as usize;
        if end > self.end {
            return None;
        }
        let chunk: &[u8; 17] = self.bytes.get(self.at / 8..)?.first_chunk()?;
        let (head, tail) = chunk.split_first_chunk::<16>()?;
        let shift = self.at % 8;
        let high = u128::from_be_bytes(*head) << shift;
        let word = high | (u128::from(tail[0]) << shift >> 8);
        self.at = end;
        // Two shifts, as one by 128 is none: bits may be 0.
        Some(word >> 1 >> (127 - bits))
    }

    /// That nothing but the last byte's zero bits is left.
    fn at_end(&self) -> bool {
        let left = self.end.saturating_sub(self.at);
        let last = self.end.checked_sub(8).and_then(|at| self.bytes.get(at / 8)).copied().unwrap_or(0);
        left < 8 && u32::from(last) & ((1 << left) - 1) == 0
    }
}
