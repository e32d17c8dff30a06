//! `ratios`: what oblink takes for an item, over what plain curve25519-dalek takes, in one process on one core.
//!
//! A round does oblink, dalek, dalek, oblink (the next one the other way round), so that a drift of the clock rate within a round falls out
//! of its ratio; the median of the rounds is given, and the quartiles say how noisy the machine was. Times are processor time of this thread.

use std::hint::black_box;

use anyhow::{Result, ensure};
use oblink_node::report::Reporter;
use oblink_oprf::{Blind, KeyPair, additive, blind_slice, hazmat, verify_batch, verify_slice};
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::tag::TagPrefix;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;
use zeroize::Zeroizing;

use crate::clock::{median, timed};
use crate::{dalek, engine, machine, sample};

/// One ratio with its quartiles over the rounds, and what it is of.
struct Measured {
    ratio: f64,
    quartiles: [f64; 2],
    oblink_us: f64,
    dalek_us: f64,
}

/// Measures all three and prints them.
///
/// # Errors
/// A temporary directory that cannot be written; a computation that fails or gives something else than the other side's, which is a bug.
pub fn run(rounds: u32, items: usize, reporter: &Reporter) -> Result<()> {
    reporter.note(&format!("{rounds} rounds of {items} items, engine {}", engine()));
    let tokens = sample::tokens(items)?;
    let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
    let seal = seal(rounds, &tokens)?;
    let (holder, verifier) = session(rounds, &tokens)?;
    let mut object = json!({
        "engine": engine(),
        "rounds": rounds,
        "items": tokens.len(),
        "machine": machine::describe(),
        "versions": machine::versions(),
    });
    let mut table = format!("engine {}; medians of {rounds} rounds of {} items, one core\n\n", engine(), tokens.len());
    table.push_str("              ratio   quartiles      oblink µs   dalek µs   an item\n");
    for (name, of, measured) in [
        ("seal", "a held record: hash, map, multiply, encode, tag", seal),
        ("holder", "a submitted pair: decode, multiply, encode, both proofs", holder),
        ("verifier", "a submitted pair: blind (dalek: multiplicatively), check both proofs, unblind, tag", verifier),
    ] {
        object[format!("{name}_ratio")] = json!(measured.ratio);
        object[format!("{name}_ratio_quartiles")] = json!(measured.quartiles);
        object[format!("{name}_us")] = json!(measured.oblink_us);
        object[format!("{name}_dalek_us")] = json!(measured.dalek_us);
        let Measured { ratio, quartiles: [low, high], oblink_us, dalek_us } = measured;
        table.push_str(&format!("{name:<10} {ratio:>8.3}   {low:.3}–{high:.3} {oblink_us:>12.2} {dalek_us:>10.2}   {of}\n"));
    }
    reporter.json(&object);
    reporter.answer(table.trim_end());
    Ok(())
}

/// Interleaves both sides; the first round warms up and does not count.
fn interleave(
    rounds: u32,
    items: usize,
    mut oblink: impl FnMut() -> Result<()>,
    mut dalek: impl FnMut() -> Result<()>,
) -> Result<Measured> {
    let mut time = |is_oblink: bool| -> Result<f64> {
        let (done, cpu_s) = timed(|| if is_oblink { oblink() } else { dalek() })?;
        done.map(|()| cpu_s)
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let outer = round % 2 == 0;
        let first = time(outer)?;
        let inner = time(!outer)? + time(!outer)?;
        let outside = first + time(outer)?;
        if round > 0 {
            let (oblink, dalek) = if outer { (outside, inner) } else { (inner, outside) };
            ours.push(oblink);
            theirs.push(dalek);
        }
    }
    let us = |times: &[f64]| median(times.iter().copied()) * 1e6 / (2 * items) as f64;
    let mut ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |quarter: usize| ratios.get((ratios.len().saturating_sub(1) * quarter + 2) / 4).copied().unwrap_or_default();
    let quartiles = [at(1), at(3)];
    Ok(Measured { ratio: median(ratios), quartiles, oblink_us: us(&ours), dalek_us: us(&theirs) })
}

fn seal(rounds: u32, tokens: &[&[u8]]) -> Result<Measured> {
    let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([7; 32])), [7; 16])?;
    // The epoch's own key cannot be had; any other costs the same.
    let pair = KeyPair::derive(&[7; 32], b"ratios")?;
    let k = dalek::scalar(&pair.secret().to_bytes())?;
    let mut prefixes = vec![TagPrefix(0); tokens.len()];
    let (mut outputs, mut expected) = (vec![[0; 64]; tokens.len()], vec![[0; 64]; tokens.len()]);
    let measured = interleave(
        rounds,
        tokens.len(),
        || Ok(keys.tag_prefixes(black_box(tokens), &mut prefixes)?),
        || {
            dalek::seal(&k, black_box(tokens), &mut outputs);
            Ok(())
        },
    )?;
    pair.evaluate_slice(tokens, &mut expected)?;
    ensure!(outputs == expected, "both sides do not seal alike");
    Ok(measured)
}

/// Holder and verifier, each of whole batches.
fn session(rounds: u32, tokens: &[&[u8]]) -> Result<(Measured, Measured)> {
    let mut rng = StdRng::seed_from_u64(7);
    let pair = KeyPair::derive(&[7; 32], b"ratios")?;
    let public = pair.public();
    let k = dalek::scalar(&pair.secret().to_bytes())?;
    let blinds: Vec<_> = tokens.iter().map(|_| Blind::random(&mut rng)).collect();
    let scalars = blinds.iter().map(|blind| dalek::scalar(&hazmat::blind_to_bytes(blind))).collect::<Result<Vec<_>>>()?;
    let nonce = dalek::scalar(&hazmat::blind_to_bytes(&Blind::random(&mut rng)))?;
    let n = tokens.len();
    let mut blinded = vec![[0; 32]; n];
    blind_slice(tokens, &blinds, &mut blinded)?;

    let mut evaluated = vec![[0; 32]; n];
    pair.blind_evaluate_slice(0, &blinded, &mut evaluated)?;
    let mut own = evaluated.clone();
    let mut answer = None;
    let holder = interleave(
        rounds,
        n,
        || {
            let composite = pair.blind_evaluate_slice(0, black_box(&blinded), &mut own)?;
            black_box(pair.prove_batch(composite, &blinded, &own, &mut rng)?);
            Ok(())
        },
        || {
            answer = Some(dalek::blind_evaluate(&k, &public.to_bytes(), black_box(&blinded), &nonce)?);
            Ok(())
        },
    )?;
    let Some(answer) = answer else { anyhow::bail!("no round was run") };
    ensure!(own == evaluated && answer.elements == evaluated, "both sides do not evaluate alike");

    // oblink's side blinds additively, as its sessions do; the outputs are the same.
    let prepared = additive::PreparedPublicKey::new(&public);
    let mut elements = vec![[0; 32]; n];
    additive::blind_slice(tokens, &blinds, &mut elements)?;
    let composite = pair.blind_evaluate_slice(0, &elements, &mut evaluated)?;
    let proof = pair.prove_batch(composite, &elements, &evaluated, &mut rng)?;
    let (mut outputs, mut others, mut own_outputs) = (vec![[0; 64]; n], vec![[0; 64]; n], vec![[0; 64]; n]);
    let verifier = interleave(
        rounds,
        n,
        || {
            additive::blind_slice(black_box(tokens), &blinds, &mut elements)?;
            let (composite, decoded) = verify_slice(&public, 0, &elements, &evaluated)?;
            let bound = verify_batch(&public, composite, &[&decoded], &elements, &evaluated, &proof)?;
            Ok(additive::finalize_slice(&bound, &prepared, tokens, &blinds, &decoded, &mut outputs)?)
        },
        || {
            let blinded = dalek::blind(black_box(tokens), &scalars);
            dalek::verify_and_finalize(&public.to_bytes(), tokens, &scalars, &blinded, &answer, &mut others)
        },
    )?;
    pair.evaluate_slice(tokens, &mut own_outputs)?;
    ensure!(outputs == own_outputs && outputs == others, "both sides do not finalise alike");
    Ok((holder, verifier))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oblink_oprf::verify;

    /// The comparison is of equal things: each `ensure` above holds, and dalek's proof is checked by dalek, ours by us.
    #[test]
    fn both_sides_compute_the_same() {
        let tokens = sample::tokens(300).unwrap();
        assert_eq!(tokens.len(), 300);
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        assert!(seal(1, &tokens).unwrap().ratio > 0.0);
        let (holder, verifier) = session(1, &tokens).unwrap();
        assert!(holder.ratio > 0.0 && verifier.ratio > 0.0);
    }

    /// A proof of dalek's side is one of RFC 9497, not one of its own kind.
    #[test]
    fn oblink_accepts_dalek_s_proof() {
        let pair = KeyPair::derive(&[7; 32], b"ratios").unwrap();
        let public = pair.public();
        let k = dalek::scalar(&pair.secret().to_bytes()).unwrap();
        let blinds = [dalek::scalar(&pair.secret().to_bytes()).unwrap(); 3];
        let blinded = dalek::blind(&[b"a", b"b", b"c"], &blinds);
        let answer = dalek::blind_evaluate(&k, &public.to_bytes(), &blinded.elements, &blinds[0]).unwrap();
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(answer.proof[0].as_bytes());
        proof[32..].copy_from_slice(answer.proof[1].as_bytes());
        let (composite, _) = verify_slice(&public, 0, &blinded.elements, &answer.elements).unwrap();
        verify(&public, composite, &oblink_oprf::Proof::from_bytes(&proof).unwrap()).unwrap();
    }
}
