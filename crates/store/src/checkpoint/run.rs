//! `run` and `receipt`: their contents.

use oblink_session::blind::BlindSeed;
use zeroize::Zeroizing;

use crate::Error;

/// What a run is of. What of it is secret: the seed.
pub struct Run {
    /// The request's bytes.
    pub request: Vec<u8>,
    /// SHA-256 of the input as it was read.
    pub input_sha256: [u8; 32],
    /// Digest of whatever else bears on which rows and tokens come of the input.
    pub options_digest: [u8; 32],
    /// The ruleset's digest.
    pub ruleset_digest: [u8; 32],
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// The holder's fingerprint.
    pub holder: [u8; 32],
    /// The seed of the blinds; `None` where a request's directory has it.
    pub seed: Option<BlindSeed>,
    /// The handshake as it saves itself.
    pub handshake: Vec<u8>,
}

impl core::fmt::Debug for Run {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// A receipt as it came, and what takes it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeptReceipt {
    /// This side's clock when it came, milliseconds since 1970.
    pub clock_unix_ms: u64,
    /// The state that awaited it, as it saves itself.
    pub awaiting: Vec<u8>,
    /// The body of the Receipt frame.
    pub body: Vec<u8>,
}

impl core::fmt::Debug for KeptReceipt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeptReceipt").field("clock_unix_ms", &self.clock_unix_ms).finish_non_exhaustive()
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let length = u32::try_from(bytes.len()).map_err(|_| Error::Parameters("a part of a checkpoint is too large"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (part, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*part)
}

impl Run {
    pub(super) fn to_body(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        // With room for all of it: a vector that grows leaves copies behind.
        let mut out = Zeroizing::new(Vec::with_capacity(256 + self.request.len() + self.handshake.len()));
        for digest in [&self.input_sha256, &self.options_digest, &self.ruleset_digest, &self.verifier, &self.holder] {
            out.extend_from_slice(digest);
        }
        match &self.seed {
            None => out.push(0),
            Some(seed) => {
                out.push(1);
                out.extend_from_slice(&seed.to_bytes()[..]);
            }
        }
        put(&mut out, &self.request)?;
        put(&mut out, &self.handshake)?;
        Ok(out)
    }

    pub(super) fn from_body(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let (input_sha256, options_digest, ruleset_digest) = (take_array(rest)?, take_array(rest)?, take_array(rest)?);
        let (verifier, holder) = (take_array(rest)?, take_array(rest)?);
        let seed = match take_array(rest)? {
            [0] => None,
            [1] => Some(BlindSeed::from_bytes(Zeroizing::new(take_array(rest)?))),
            _ => return None,
        };
        let (request, handshake) = (take(rest)?.to_vec(), take(rest)?.to_vec());
        let run = Self { request, input_sha256, options_digest, ruleset_digest, verifier, holder, seed, handshake };
        rest.is_empty().then_some(run)
    }
}

impl KeptReceipt {
    pub(super) fn to_body(&self) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(16 + self.awaiting.len() + self.body.len());
        out.extend_from_slice(&self.clock_unix_ms.to_be_bytes());
        put(&mut out, &self.awaiting)?;
        put(&mut out, &self.body)?;
        Ok(out)
    }

    pub(super) fn from_body(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let clock_unix_ms = u64::from_be_bytes(take_array(rest)?);
        let (awaiting, body) = (take(rest)?.to_vec(), take(rest)?.to_vec());
        rest.is_empty().then_some(Self { clock_unix_ms, awaiting, body })
    }
}
