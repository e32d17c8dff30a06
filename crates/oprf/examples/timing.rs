//! Do secrets show in the time that operations take? Welch's t-test of fixed against random secrets (Reparaz, Balasch, Verbauwhede:
//! "Dude, is my code constant time?", DATE 2017), on every engine.
//!
//!     cargo run --release -p oblink-oprf --example timing -- [MEASUREMENTS]
//!
//! Prints |t| of each operation, over all times and with the slowest cropped. Below 4.5 nothing shows; above 10 on a quiet machine, again and
//! again and growing with the count, something does. No test asserts it: other programs' noise is in it. It ends with a control that compares
//! secrets until they differ, which must show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use core::hint::black_box;
use std::process::Command;
use std::time::Instant;

use oblink_oprf::{Blind, Engine, KeyPair, additive, blind_slice, hazmat};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Items of an operation: two groups of eight lanes.
const ITEMS: usize = 16;
/// Only the fastest of so many hundredths are taken.
const CROPPED: [usize; 4] = [100, 95, 80, 50];

/// Times of both classes.
#[derive(Default)]
struct Times([Vec<f64>; 2]);

impl Times {
    /// Welch's t over the times not above the percentile of all.
    fn t(&self, percentile: usize) -> f64 {
        let mut all: Vec<f64> = self.0.concat();
        all.sort_unstable_by(f64::total_cmp);
        let limit = all[(all.len() * percentile / 100).max(1) - 1];
        let [(m0, v0, n0), (m1, v1, n1)] = [0, 1].map(|class| {
            let times: Vec<f64> = self.0[class].iter().copied().filter(|time| *time <= limit).collect();
            let n = times.len() as f64;
            let mean = times.iter().sum::<f64>() / n;
            (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0), n)
        });
        (m0 - m1).abs() / (v0 / n0 + v1 / n1).sqrt()
    }
}

/// A class's secrets: the first class's are always the same.
struct Secrets {
    key: KeyPair,
    /// The same without a proof, whose sums take public, variable time.
    base_key: hazmat::OprfKey,
    inputs: Vec<[u8; 32]>,
    blinds: Vec<Blind>,
}

fn secrets(class: usize, rng: &mut StdRng) -> Secrets {
    let mut fixed = StdRng::seed_from_u64(0);
    let rng = if class == 0 { &mut fixed } else { rng };
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let inputs = (0..ITEMS)
        .map(|_| {
            let mut input = [0; 32];
            rng.fill_bytes(&mut input);
            input
        })
        .collect();
    let blinds = (0..ITEMS).map(|_| Blind::random(rng)).collect();
    let key = KeyPair::derive(&seed, b"").unwrap();
    let base_key = hazmat::OprfKey::from_secret_bytes(&key.secret().to_bytes()).unwrap();
    Secrets { key, base_key, inputs, blinds }
}

fn measure(name: &str, count: usize, operation: impl Fn(&Secrets)) {
    let mut rng = StdRng::seed_from_u64(1);
    let mut times = Times::default();
    for n in 0..count + 20 {
        let class = (rng.next_u32() & 1) as usize;
        let secrets = secrets(class, &mut rng);
        let began = Instant::now();
        operation(black_box(&secrets));
        let nanoseconds = began.elapsed().as_nanos() as f64;
        // The first warm up.
        if n >= 20 {
            times.0[class].push(nanoseconds);
        }
    }
    let t: Vec<String> = CROPPED.iter().map(|percentile| format!("{:6.2}", times.t(*percentile))).collect();
    println!("{name:26} |t| of {count}: {} (fastest {CROPPED:?} hundredths)", t.join(" "));
}

/// Compares until a difference.
fn leaking(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| black_box(a) == black_box(b))
}

fn on_this_engine(count: usize) {
    let elements = |s: &Secrets| {
        let mut out = [[0; 32]; ITEMS];
        additive::blind_slice(&s.inputs, &s.blinds, &mut out).unwrap();
        black_box(out);
    };
    measure("evaluate", count, |s| {
        let mut out = [[0; 64]; ITEMS];
        s.key.evaluate_slice(&s.inputs, &mut out).unwrap();
        black_box(out);
    });
    measure("blind additively", count, elements);
    measure("blind multiplicatively", count, |s| {
        let mut out = [[0; 32]; ITEMS];
        blind_slice(&s.inputs, &s.blinds, &mut out).unwrap();
        black_box(out);
    });
    let public = || StdRng::seed_from_u64(2);
    let mut blinded = [[0; 32]; ITEMS];
    let other = secrets(1, &mut public());
    additive::blind_slice(&other.inputs, &other.blinds, &mut blinded).unwrap();
    measure("evaluate blinded elements", count, |s| {
        let mut out = [[0; 32]; ITEMS];
        s.base_key.blind_evaluate_slice(&blinded, &mut out).unwrap();
        black_box(out);
    });
    let fixed = secrets(0, &mut public()).inputs.concat().repeat(64);
    measure("control: must show", count, |s| {
        black_box(leaking(&fixed, &s.inputs.concat().repeat(64)));
    });
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--on", engine, count] => {
            engine.parse::<Engine>().unwrap().choose().unwrap();
            on_this_engine(count.parse().unwrap());
        }
        rest => {
            let count = rest.first().map_or("5000", |count| *count);
            for engine in Engine::ALL {
                if engine.is_available() {
                    println!("{engine}:");
                    // A process has one engine.
                    Command::new(std::env::current_exe().unwrap()).args(["--on", engine.name(), count]).status().unwrap();
                } else {
                    println!("skipped on {engine}: not available on this processor");
                }
            }
        }
    }
}
