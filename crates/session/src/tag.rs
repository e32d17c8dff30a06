//! Tags: the first τ bits of a PRF output (SPEC TAG-1, TAG-2).

use crate::limits::{SESSION_TOKENS_CEILING, SET_TAGS_MAX};

/// The length of a tag in bits, 41 to 120.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tau(u8);

/// ⌈log2 n⌉ for n ≥ 1.
#[must_use]
pub fn ceil_log2(n: u64) -> u32 {
    match n {
        0 | 1 => 0,
        _ => u64::BITS - (n - 1).leading_zeros(),
    }
}

impl Tau {
    /// τ = 40 + ⌈log2 declared⌉ + ⌈log2 tokens_max⌉, at least 41: a session of at most `session_tokens_max` tokens against
    /// `declared_tags` tags has a false match with probability at most 2^-40 (SPEC TAG-2).
    ///
    /// `None` where a count is 0 or beyond [`SET_TAGS_MAX`] or [`SESSION_TOKENS_CEILING`].
    #[must_use]
    pub fn for_counts(declared_tags: u64, session_tokens_max: u64) -> Option<Self> {
        if declared_tags == 0 || declared_tags > SET_TAGS_MAX || session_tokens_max == 0 || session_tokens_max > SESSION_TOKENS_CEILING {
            return None;
        }
        let bits = (40 + ceil_log2(declared_tags) + ceil_log2(session_tokens_max)).max(41);
        u8::try_from(bits).ok().map(Self)
    }

    /// The number of bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        u32::from(self.0)
    }

    /// The byte in a header or in Welcome.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        self.0
    }

    /// The tag of a 128-bit output prefix: its first τ bits.
    #[must_use]
    pub fn truncate(self, prefix: TagPrefix) -> Tag {
        Tag(prefix.0 >> (128 - self.bits()))
    }
}

/// The first 128 bits of a PRF output, from which a tag of any τ is cut. What sealing sorts by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagPrefix(pub u128);

impl TagPrefix {
    /// The prefix of an output of the PRF (Nh = 64 bytes).
    #[must_use]
    pub fn of_output(output: &[u8; 64]) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&output[..16]);
        Self(u128::from_be_bytes(first))
    }
}

/// A tag: τ bits, as an integer. Tags compare; they are never printed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub u128);

impl core::fmt::Debug for TagPrefix {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TagPrefix(redacted)")
    }
}

impl core::fmt::Debug for Tag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tag(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceil_log2_is_exact_at_powers_of_two() {
        for (n, want) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1 << 20, 20), ((1 << 20) + 1, 21), (u64::MAX, 64)] {
            assert_eq!(ceil_log2(n), want, "n = {n}");
        }
    }

    /// TAG-2
    #[test]
    fn tau_follows_the_declared_counts() {
        assert_eq!(Tau::for_counts(7_000_000, 1 << 24).unwrap().bits(), 40 + 23 + 24);
        assert_eq!(Tau::for_counts(1, 1).unwrap().bits(), 41);
        assert_eq!(Tau::for_counts(0, 1), None);
        assert_eq!(Tau::for_counts(1, 0), None);
        assert_eq!(Tau::for_counts(1 << 40, 1 << 40).unwrap().bits(), 120);
        assert_eq!(Tau::for_counts((1 << 40) + 1, 1), None);
    }

    /// TAG-1
    #[test]
    fn a_tag_is_the_first_bits_of_the_output() {
        let mut output = [0; 64];
        output[..16].copy_from_slice(&0x8123_4567_89ab_cdef_0011_2233_4455_6677_u128.to_be_bytes());
        let tau = Tau::for_counts(1, 1 << 24).unwrap();
        assert_eq!(tau.bits(), 64);
        assert_eq!(tau.truncate(TagPrefix::of_output(&output)).0, 0x8123_4567_89ab_cdef);
    }
}
