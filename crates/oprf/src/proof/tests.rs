//! What a holder that deviates can make of a proof, and what the nonce depends on.
use super::*;
use crate::verify::{holds, verify, verify_slice};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn elements(n: usize, rng: &mut StdRng) -> Vec<[u8; NE]> {
    (0..n)
        .map(|_| {
            let mut uniform = [0; 64];
            rng.fill_bytes(&mut uniform);
            Point::mul_base(&Scalar::from_bytes_mod_order_wide(&uniform)).encode()
        })
        .collect()
}

/// The holder evaluates some elements under another key and makes the best proof it can: weights and nonce over what it sends.
#[test]
fn weights_over_what_was_sent_do_not_help_a_dishonest_holder() {
    let mut rng = StdRng::seed_from_u64(1);
    let key = KeyPair::derive(&[1; 32], b"").unwrap();
    let other = KeyPair::derive(&[2; 32], b"").unwrap();
    let blinded = elements(4, &mut rng);
    let mut honest = vec![[0; NE]; 4];
    let points = key.multiply(0, &blinded, &mut honest).unwrap();
    let mut dishonest = vec![[0; NE]; 4];
    other.multiply(0, &blinded, &mut dishonest).unwrap();
    let proof_holds = |sent: &[[u8; NE]], rng: &mut StdRng| {
        let public = key.public();
        let composite = Composite::of_slice(&public, 0..4, points.clone(), &blinded, sent);
        let proof = key.prove(composite, &blinded, sent, rng).unwrap();
        let (composite, _) = verify_slice(&public, 0, &blinded, sent).unwrap();
        verify(&public, composite, &proof).map(|_| ())
    };
    assert_eq!(proof_holds(&honest, &mut rng), Ok(()));
    assert_eq!(proof_holds(&dishonest, &mut rng), Err(Error::Proof));
    for at in 0..4 {
        let mut sent = honest.clone();
        sent[at] = dishonest[at];
        assert_eq!(proof_holds(&sent, &mut rng), Err(Error::Proof));
    }
    // Two errors that cancel in an unweighted sum: D_0 + X and D_1 - X.
    let decoded: Vec<_> = honest.iter().map(|element| Point::decode(element).unwrap()).collect();
    let x = Point::mul_base(&Scalar::from(9u64));
    let minus_x = Point::mul_base(&-Scalar::from(9u64));
    let mut sent = honest.clone();
    sent[0] = decoded[0].add(&x).encode();
    sent[1] = decoded[1].add(&minus_x).encode();
    assert_eq!(proof_holds(&sent, &mut rng), Err(Error::Proof));
}

#[test]
fn the_nonce_depends_on_everything_it_is_given() {
    let mut rng = StdRng::seed_from_u64(2);
    let key = KeyPair::derive(&[1; 32], b"").unwrap();
    let other = KeyPair::derive(&[2; 32], b"").unwrap();
    let (blinded, evaluated) = (elements(3, &mut rng), elements(3, &mut rng));
    let (m, m2) = (Point::mul_base(&Scalar::from(3u64)), Point::mul_base(&Scalar::from(4u64)));
    let mut swapped = blinded.clone();
    swapped.swap(0, 1);
    let nonces = [
        key.nonce(&[0; 64], &m, &blinded, &evaluated),
        key.nonce(&[1; 64], &m, &blinded, &evaluated),
        other.nonce(&[0; 64], &m, &blinded, &evaluated),
        key.nonce(&[0; 64], &m2, &blinded, &evaluated),
        key.nonce(&[0; 64], &m, &swapped, &evaluated),
        key.nonce(&[0; 64], &m, &blinded, &swapped),
        key.nonce(&[0; 64], &m, &blinded[..2], &evaluated[..2]),
        key.nonce(&[0; 64], &m, &evaluated, &blinded),
    ];
    for (i, a) in nonces.iter().enumerate() {
        assert!(nonces[i + 1..].iter().all(|b| **a != **b), "{i}");
    }
    assert!(*nonces[0] == *key.nonce(&[0; 64], &m, &blinded, &evaluated));
}

/// Whatever the key, the equations hold for identities: an engine that gave one for a wrong sum must not make a proof hold.
#[test]
fn of_an_identity_nothing_is_proved() {
    let key = KeyPair::derive(&[3; 32], b"identity").unwrap();
    let identity = Point::mul_base(&Scalar::ZERO);
    let any = Point::mul_base(&Scalar::from(5_u8));
    let proof = key.prove_composite(&identity, &Scalar::from(7_u8));
    assert!(!holds(&key.public(), &identity, &identity, &proof));
    let proof = key.prove_composite(&any, &Scalar::from(7_u8));
    assert!(holds(&key.public(), &any, &any.mul(&key.secret().0), &proof));
    assert!(!holds(&key.public(), &any, &identity, &proof) && !holds(&key.public(), &identity, &any, &proof));
}
