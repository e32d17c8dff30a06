//! Nobody in particular, in great numbers: what a dialer costs that never proves to be anybody (SPEC TRN-2).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use oblink_tests::Party;
use oblink_tests::Program;
use oblink_tests::raw::{self, Ways};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::guests::Inn;

/// Dialers that begin a handshake and never go on: real first packets, sent on from many addresses, and no answer that reaches them.
pub(crate) struct HalfOpen {
    task: JoinHandle<()>,
    sent: Arc<AtomicU64>,
    retries: Arc<AtomicU64>,
}

impl HalfOpen {
    /// `count` of them, from `addresses` addresses, `every` so often one.
    pub(crate) async fn start(holder: &str, count: usize, addresses: u8, every: Duration) -> Self {
        let to: SocketAddr = holder.parse().unwrap();
        let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = sink.local_addr().unwrap();
        let (sent, retries) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut sockets = Vec::new();
        for n in 0..addresses {
            sockets.push(Arc::new(UdpSocket::bind((Ipv4Addr::new(127, 0, 1, n + 1), 0)).await.unwrap()));
        }
        let (counted, counting) = (Arc::clone(&sent), Arc::clone(&retries));
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for socket in &sockets {
                let (socket, counting) = (Arc::clone(socket), Arc::clone(&counting));
                tasks.spawn(async move {
                    let mut packet = [0; 2_048];
                    while let Ok((length, _)) = socket.recv_from(&mut packet).await {
                        // RFC 9000 §17.2.5: a long header of type 3.
                        if length > 0 && packet[0] & 0xf0 == 0xf0 {
                            counting.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
            tasks.spawn(async move {
                let (mut packet, mut n) = ([0; 2_048], 0);
                while let Ok((length, _)) = sink.recv_from(&mut packet).await {
                    // By its connection's identifier, so that the packets of one hello come from one address.
                    n += 1;
                    let from = packet[6..14].iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte)) % sockets.len();
                    let _ = sockets[from].send_to(&packet[..length], to).await;
                    counted.store(n, Ordering::Relaxed);
                }
            });
            tasks.spawn(async move {
                let endpoint = raw::dialer_at([127, 0, 0, 1].into());
                let config = raw::dialing(None, &Ways::default());
                let mut dialing = Vec::new();
                for _ in 0..count {
                    dialing.push(endpoint.connect_with(config.clone(), at, "x").unwrap());
                    if every > Duration::ZERO {
                        tokio::time::sleep(every).await;
                    } else {
                        tokio::task::yield_now().await;
                    }
                }
                std::future::pending::<()>().await;
            });
            while tasks.join_next().await.is_some() {}
        });
        Self { task, sent, retries }
    }

    /// Packets that went to the holder so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How often the holder asked for a proof of address.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Until so many have gone.
    pub(crate) async fn wait(&self, packets: u64) {
        let waiting = async {
            while self.sent() < packets {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(oblink_tests::LIMIT, waiting).await.expect("the packets to go out");
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Attack: 5,000 handshakes that are begun and left, from 200 addresses: the holder asks them to prove their address, which they cannot, keeps
/// nothing of them, and an honest verifier is served beside them.
#[test]
fn five_thousand_half_open_connections() {
    let inn = Inn::new();
    let before = inn.lines();
    let (ended, retries, sent) = inn.block(async {
        let flood = HalfOpen::start(&inn.address(), 5_000, 200, Duration::ZERO).await;
        flood.wait(200).await;
        let started = inn.honest_check();
        let ended = tokio::task::spawn_blocking(move || started.end()).await.unwrap();
        flood.wait(5_000).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        (ended, flood.retries(), flood.sent())
    });
    inn.is_exact(&ended);
    println!(
        "{sent} packets of 5,000 half-open connections: asked to prove their address {retries} times; memory grew by {:.1} MB",
        inn.grown_mb()
    );
    assert!(retries > 100, "{retries} of {sent}");
    assert!(inn.lines() - before < 10, "{}", inn.serving.stderr());
    inn.stands();
}

/// Attack: all of them from one address. It gets its share, and others come in without even proving theirs.
#[test]
fn a_flood_from_one_address_locks_out_no_other() {
    let inn = Inn::new();
    let ended = inn.block(async {
        let flood = HalfOpen::start(&inn.address(), 1_000, 1, Duration::ZERO).await;
        flood.wait(500).await;
        let started = inn.honest_check();
        let ended = tokio::task::spawn_blocking(move || started.end()).await.unwrap();
        assert!(flood.retries() > 0);
        ended
    });
    inn.is_exact(&ended);
    inn.stands();
}

/// Who may not come in once wrote two lines into the operator's log with every try: the disk, and whatever else was to be seen there, was at the
/// mercy of anybody who could send packets.
#[test]
fn repro_strangers_cannot_flood_the_log() {
    let inn = Inn::new();
    let before = inn.lines();
    let stranger = Party::init(Program::Verifier, &inn.agencies.at("stranger"));
    let started = inn.block(async {
        let endpoint = raw::dialer_at(Ipv4Addr::new(127, 0, 2, 1).into());
        let configs = [raw::dialing(Some(&stranger.home), &Ways::default()), raw::dialing(None, &Ways::default())];
        let mut tried = 0;
        for n in 0..150 {
            if let Ok(connection) = raw::dial(&endpoint, &inn.address(), configs[n % 2].clone()).await {
                connection.closed().await;
                tried += 1;
            }
        }
        assert!(tried >= 64, "{tried}");
        let started = inn.honest_check();
        tokio::task::spawn_blocking(move || started.end()).await.unwrap()
    });
    inn.is_exact(&started);
    let said = inn.lines() - before;
    // Ten of them with a hint each, and what the honest session says.
    assert!((10..=26).contains(&said), "{said} lines: {}", inn.serving.stderr());
    assert!(inn.agencies.refusals().is_empty(), "and none into the ledger");
    inn.stands();
}

/// Attack: datagrams of anything, long and short, of versions that there are not, and of the lengths of first packets.
#[test]
fn junk_datagrams() {
    let inn = Inn::new();
    let before = inn.lines();
    let started = inn.block(async {
        let to = inn.address();
        let flooding = tokio::spawn(async move {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 3, 1), 0)).await.unwrap();
            let mut junk: Vec<u8> = (0..1_400_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            for n in 0..20_000_u32 {
                junk[..4].copy_from_slice(&n.wrapping_mul(2_246_822_519).to_le_bytes());
                // Long headers of QUIC v1, of no version, of drafts; short headers.
                match n % 5 {
                    0 => junk[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]),
                    1 => junk[..6].copy_from_slice(&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 20]),
                    2 => junk[..6].copy_from_slice(&[0xff, 0, 0, 0, 1, 0xff]),
                    3 => junk[0] = 0x40,
                    _ => {}
                }
                let length = if n % 2 == 0 { 1_400 } else { 1 + (n as usize * 7) % 1_400 };
                let _ = socket.send_to(&junk[..length], &to).await;
                if n % 64 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        let started = inn.honest_check();
        let ended = tokio::task::spawn_blocking(move || started.end()).await.unwrap();
        flooding.await.unwrap();
        ended
    });
    inn.is_exact(&started);
    assert!(inn.lines() - before < 10, "{}", inn.serving.stderr());
    inn.stands();
}
