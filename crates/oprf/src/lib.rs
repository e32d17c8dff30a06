//! RFC 9497 VOPRF over ristretto255-SHA512, batched over slices.
//!
//! The holder has a key; the verifier has inputs. With this crate the verifier learns `F(key, input)` for
//! its inputs and a proof that the one key it pinned was used for all of them; the holder learns how many
//! inputs there were. The holder also evaluates its own inputs without any exchange ([`KeyPair::evaluate_slice`]),
//! and both get the same 64 bytes for the same input.
//!
//! # Shape of the interface
//!
//! A *batch* is up to [`BATCH_MAX`] blinded elements under one proof. Every function here is one core's work
//! over one *slice* of it; callers split a batch, run the slices wherever they like and merge the partial
//! sums, in any order:
//!
//! ```
//! use oblink_oprf::{Blind, Composite, KeyPair, blind_slice, finalize_slice, verify, verify_slice};
//! # use rand::{SeedableRng, rngs::StdRng};
//! # let mut rng = StdRng::seed_from_u64(1);
//! let key = KeyPair::derive(&[7; 32], b"example")?;
//! let inputs = [b"one".as_slice(), b"two", b"three"];
//!
//! // verifier
//! let blinds: Vec<Blind> = (0..3).map(|_| Blind::random(&mut rng)).collect();
//! let mut blinded = [[0; 32]; 3];
//! blind_slice(&inputs, &blinds, &mut blinded)?;
//!
//! // holder: two slices of the batch, then one proof
//! let mut evaluated = [[0; 32]; 3];
//! let (head, tail) = evaluated.split_at_mut(2);
//! let first = key.blind_evaluate_slice(0, &blinded[..2], head)?;
//! let second = key.blind_evaluate_slice(2, &blinded[2..], tail)?;
//! let proof = key.prove(first.merge(second), &blinded, &evaluated, &mut rng)?;
//!
//! // verifier: nothing can be finalised before the proof has been checked
//! let (composite, decoded) = verify_slice(&key.public(), 0, &blinded, &evaluated)?;
//! let verified = verify(&key.public(), composite, &proof)?;
//! let mut outputs = [[0; 64]; 3];
//! finalize_slice(&verified, &inputs, &blinds, &decoded, &mut outputs)?;
//!
//! // the same as the holder's own evaluation
//! let mut own = [[0; 64]; 3];
//! key.evaluate_slice(&inputs, &mut own)?;
//! assert_eq!(outputs, own);
//! # Ok::<(), oblink_oprf::Error>(())
//! ```
//!
//! A [`Verified`] token comes from [`verify()`] alone, so finalising unproved elements does not compile:
//!
//! ```compile_fail,E0451
//! use oblink_oprf::{Blind, DecodedElements, Verified, finalize_slice};
//! fn skip_the_proof(blinds: &[Blind], decoded: &DecodedElements, out: &mut [[u8; 64]]) {
//!     let verified = Verified { count: 1, ties: vec![] }; // no constructor, private fields
//!     let _ = finalize_slice(&verified, &[b"one"], blinds, decoded, out);
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use oblink_oprf::{Blind, DecodedElements, VerifierComposite, finalize_slice};
//! fn unverified(c: VerifierComposite, blinds: &[Blind], decoded: &DecodedElements, out: &mut [[u8; 64]]) {
//!     let _ = finalize_slice(&c, &[b"one"], blinds, decoded, out); // a composite is not a proof
//! }
//! ```
//!
//! A batch of oblink's has a second proof, which shows that every single element is right ([`verify_batch`]). Where that holds, too, the
//! cheaper blinding of module [`additive`] may be used, with the same outputs; without it that does not compile either.
//!
//! # Secrets
//!
//! Every operation on a [`SecretKey`], a [`Blind`] or a proof nonce is constant time; secrets wipe themselves,
//! print nothing and are not `Clone`. Variable-time arithmetic is used where all operands are on the wire anyway
//! (composites, proof verification).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout))]

pub mod additive;
mod blind;
mod blind_key;
mod bound;
mod composite;
mod engine;
mod error;
mod evaluate;
mod group;
mod hash;
pub mod hazmat;
mod keys;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod proof;
mod sha512;
mod suite;
mod verify;

pub use blind::{Blind, blind_slice};
pub use blind_key::{BlindKey, Info};
pub use bound::{BATCH_PROOF_LEN, BatchProof, BoundBatch, verify_batch};
pub use composite::Composite;
pub use engine::{Engine, EngineError};
pub use error::{Blame, Error};
pub use keys::{KeyPair, PublicKey, SecretKey};
pub use proof::Proof;
pub use suite::{BATCH_MAX, INPUT_MAX, Mode, NE, NH, NS, PROOF_LEN, SEED_LEN, SUITE_RISTRETTO255_SHA512};
pub use verify::{DecodedElements, Verified, VerifierComposite, finalize_slice, verify, verify_slice};
