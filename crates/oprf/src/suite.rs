//! The suite's names and sizes (RFC 9497 §3.1, §4.1).

/// Identifier of the suite, as it stands in `contextString` (RFC 9497 §4.1).
pub const SUITE_RISTRETTO255_SHA512: &str = "ristretto255-SHA512";
/// Bytes of a serialised group element (RFC 9497 `Ne`).
pub const NE: usize = 32;
/// Bytes of a serialised scalar (RFC 9497 `Ns`).
pub const NS: usize = 32;
/// Bytes of an output (RFC 9497 `Nh`).
pub const NH: usize = 64;
/// Bytes of a proof: two scalars, `c` then `s` (RFC 9497 §2.2.1).
pub const PROOF_LEN: usize = 2 * NS;
/// Bytes of the seed from which a key pair is derived (RFC 9497 §3.2.1 `DeriveKeyPair`).
pub const SEED_LEN: usize = 32;
/// Most elements under one proof: the index is `I2OSP(i, 2)` and counts are 16 bits wide (RFC 9497 §2.2.1).
pub const BATCH_MAX: usize = 65_535;
/// Most bytes of a private input (RFC 9497 §1.2: lengths are `I2OSP(len, 2)`).
pub const INPUT_MAX: usize = 65_535;

/// Length of [`Mode::context_string`].
pub(crate) const CONTEXT_LEN: usize = 7 + 1 + 1 + SUITE_RISTRETTO255_SHA512.len();

/// The protocol variants this crate speaks (RFC 9497 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The base mode without proofs, `modeOPRF` 0x00: reachable through [`crate::hazmat`] only.
    Oprf,
    /// The verifiable mode, `modeVOPRF` 0x01: everything outside [`crate::hazmat`].
    Voprf,
}

impl Mode {
    /// The identifier on the wire and in `contextString` (RFC 9497 §3.1).
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Oprf => 0x00,
            Self::Voprf => 0x01,
        }
    }

    /// `contextString = "OPRFV1-" || I2OSP(mode, 1) || "-" || identifier` (RFC 9497 §3.1), 28 bytes.
    #[must_use]
    pub fn context_string(self) -> [u8; CONTEXT_LEN] {
        let mut context = [0; CONTEXT_LEN];
        let (version, rest) = context.split_at_mut(7);
        version.copy_from_slice(b"OPRFV1-");
        let (mode, name) = rest.split_at_mut(2);
        mode.copy_from_slice(&[self.id(), b'-']);
        name.copy_from_slice(SUITE_RISTRETTO255_SHA512.as_bytes());
        context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_string_is_the_rfcs() {
        assert_eq!(&Mode::Oprf.context_string(), b"OPRFV1-\x00-ristretto255-SHA512");
        assert_eq!(&Mode::Voprf.context_string(), b"OPRFV1-\x01-ristretto255-SHA512");
    }
}
