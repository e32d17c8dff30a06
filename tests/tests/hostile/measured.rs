//! What an attack costs an honest session beside it: figures, by `--ignored --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use oblink_session::wire::FrameType;
use oblink_tests::raw::{self, Ways};

use super::floods::HalfOpen;
use super::guests::{Bare, Inn, MEMORY_MB_MAX, opened};

/// Pairs of the honest session.
const PAIRS: usize = 30_000;
/// Sessions with and without each attack, in turn.
const ROUNDS: usize = 3;
/// How much longer an honest session may take.
const RATIO_MAX: f64 = 1.5;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn honest(inn: &Inn) -> f64 {
    let began = Instant::now();
    inn.is_exact(&inn.honest_check().end());
    began.elapsed().as_secs_f64()
}

fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Slow streams and unread answers of a pinned verifier.
async fn pinned(inn: &Inn) -> Vec<(Bare, Vec<(quinn::SendStream, quinn::RecvStream)>)> {
    let mut held = Vec::new();
    for _ in 0..4 {
        let bare = inn.admitted(&inn.asked(8_192), &Ways { window: 1_500, ..Ways::default() }).await;
        let mut streams = opened(&bare.connection, 10).await;
        for (to, _) in &mut streams {
            raw::write(to, &raw::frame(FrameType::Batch as u8, 100_000, &[0; 10])).await.unwrap();
        }
        held.push((bare, streams));
    }
    held
}

#[test]
#[ignore = "measures: to be run alone"]
fn an_honest_session_beside_attacks() {
    let inn = Inn::with(PAIRS, 2_000);
    let _ = honest(&inn);
    let idle = inn.grown_mb();
    println!("an honest session of {PAIRS} pairs: memory grew by {idle:.1} MB");
    let mut worst: f64 = 0.0;
    for name in ["half-open connections, 500 a second from 200 addresses", "a pinned verifier's slow streams and unread answers"] {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            without.push(honest(&inn));
            let flood = name.starts_with("half").then(|| inn.block(HalfOpen::start(&inn.address(), 5_000, 200, Duration::from_millis(2))));
            let guests = name.starts_with("a pinned").then(|| inn.block(pinned(&inn)));
            with.push(honest(&inn));
            if let Some(flood) = &flood {
                println!("  {} packets, {} answered by Retry", flood.sent(), flood.retries());
            }
            drop(flood);
            for (bare, _) in guests.into_iter().flatten() {
                bare.connection.close(0_u32.into(), b"");
            }
        }
        let (without, with) = (median(without), median(with));
        println!(
            "{name}: {without:.2} s without, {with:.2} s with, {:.2} times as long; memory grew by {:.1} MB",
            with / without,
            inn.grown_mb()
        );
        worst = worst.max(with / without);
    }
    assert!(inn.grown_mb() <= idle + MEMORY_MB_MAX);
    assert!(worst <= RATIO_MAX, "{worst}");
    inn.stands();
}

#[test]
#[ignore = "measures: to be run alone"]
fn what_dialers_cost_that_are_nobody() {
    let inn = Inn::new();
    let process = inn.serving.id();
    let (before, began) = (cpu_s(process), Instant::now());
    let (sent, retries) = inn.block(async {
        let flood = HalfOpen::start(&inn.address(), 5_000, 200, Duration::ZERO).await;
        flood.wait(10_000).await;
        (flood.sent(), flood.retries())
    });
    let cost = (cpu_s(process) - before) / sent as f64 * 1e6;
    println!("half-open: {sent} packets in {:.1} s, {retries} Retry, {cost:.0} us of CPU each", began.elapsed().as_secs_f64());
    let before = cpu_s(process);
    let done = inn.block(async {
        let endpoint = raw::dialer_at([127, 0, 4, 1].into());
        let config = raw::dialing(None, &Ways::default());
        let mut done = 0_u32;
        for _ in 0..60 {
            if let Ok(connection) = raw::dial(&endpoint, &inn.address(), config.clone()).await {
                connection.closed().await;
                done += 1;
            }
        }
        done
    });
    println!("whole handshakes without a certificate: {done}, {:.0} us of CPU each", (cpu_s(process) - before) / f64::from(done) * 1e6);
    println!("memory grew by {:.1} MB", inn.grown_mb());
    inn.stands();
}
