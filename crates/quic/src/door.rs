//! Who may begin a handshake, and who must wait. Pure, so that floods can be played through without sockets.
//!
//! Anybody who can send a packet gets this far, so every answer here but [`Verdict::Begin`] costs as little as QUIC allows: a packet, or none,
//! and nothing that is kept. What is kept of handshakes and of sources is bounded.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Handshakes that one source may have fail each second, on and on; those that come through do not count.
const FAILURES_PER_SECOND: f64 = 16.0;
/// And at once.
const FAILURES_BURST: f64 = 64.0;
/// Handshakes that may fail each second in all. Each costs about a millisecond of one core, so a flood from everywhere at once leaves the
/// sessions that are running most of a machine.
const FAILURES_PER_SECOND_ALL: f64 = 128.0;
/// And at once.
const FAILURES_BURST_ALL: f64 = 256.0;
/// Sources whose failures are counted apart; all others share one count.
const SOURCES_MAX: usize = 4_096;
/// How long a handshake is left alone before another may take its place. An honest one takes a few round trips.
const GRACE: Duration = Duration::from_secs(2);

/// Whom an address stands for. Who has one IPv6 address may have all that share its first 48 bits, the most that a site is given: were those many
/// sources, one site could use up what all may fail together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4(Ipv4Addr),
    V6([u8; 6]),
    /// Whoever is one source too many.
    Others,
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, ..] = address.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }
}

/// What happens to a dialer's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict<K> {
    /// Its handshake begins.
    Begin,
    /// Its handshake begins, and this one, which has been going on for longer, is given up.
    Instead(K),
    /// It must show that it receives at its address: Retry, RFC 9000 §8.1.2. Nothing is kept.
    Prove,
    /// It is told that there is no room.
    Refuse,
    /// It is not answered: its packet will come again by itself.
    Ignore,
}

/// A count that runs full by itself.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    fn full(burst: f64, now: Instant) -> Self {
        Self { left: burst, at: now }
    }

    fn run(&mut self, rate: f64, burst: f64, now: Instant) -> f64 {
        self.left = (self.left + now.saturating_duration_since(self.at).as_secs_f64() * rate).min(burst);
        self.at = now;
        self.left
    }
}

#[derive(Debug)]
struct Going {
    source: Source,
    since: Instant,
}

/// The handshakes that go on, each under a key, and what failed of late.
#[derive(Debug)]
pub(crate) struct Door<K> {
    handshakes_max: usize,
    going: HashMap<K, Going>,
    sources: HashMap<Source, Bucket>,
    all: Bucket,
}

impl<K: Copy + Eq + Hash> Door<K> {
    pub(crate) fn new(handshakes_max: usize, now: Instant) -> Self {
        Self { handshakes_max, going: HashMap::new(), sources: HashMap::new(), all: Bucket::full(FAILURES_BURST_ALL, now) }
    }

    /// Handshakes that go on.
    #[cfg(test)]
    pub(crate) fn going_on(&self) -> usize {
        self.going.len()
    }

    /// What to do with a dialer at this address, who has shown that it receives there or not.
    pub(crate) fn judge(&mut self, address: IpAddr, proved: bool, now: Instant) -> Verdict<K> {
        let source = self.known(Source::from(address));
        let share = self.handshakes_max.div_ceil(4);
        let from_there = self.going.values().filter(|going| going.source == source).count();
        let spent = self.sources.get_mut(&source).is_some_and(|bucket| bucket.run(FAILURES_PER_SECOND, FAILURES_BURST, now) < 1.0);
        let all_spent = self.all.run(FAILURES_PER_SECOND_ALL, FAILURES_BURST_ALL, now) < 1.0;
        let crowded = from_there >= share || spent;
        // A sender may put any address on a packet. Under load, dialers must show that they receive at theirs, so that nobody can take up
        // the places, or the good name, of another.
        if !proved && (crowded || all_spent || self.going.len() >= self.handshakes_max / 2) {
            return Verdict::Prove;
        }
        if crowded {
            return Verdict::Refuse;
        }
        if all_spent {
            return Verdict::Ignore;
        }
        if self.going.len() < self.handshakes_max {
            return Verdict::Begin;
        }
        self.oldest_of_the_largest(now).map_or(Verdict::Ignore, Verdict::Instead)
    }

    /// The handshake that has gone on longest, past its grace, of the source that has the most.
    fn oldest_of_the_largest(&self, now: Instant) -> Option<K> {
        let mut counts: HashMap<Source, usize> = HashMap::new();
        for going in self.going.values() {
            *counts.entry(going.source).or_default() += 1;
        }
        let ripe = self.going.iter().filter(|(_, going)| now.saturating_duration_since(going.since) >= GRACE);
        ripe.max_by_key(|(_, going)| (counts.get(&going.source).copied(), now.saturating_duration_since(going.since))).map(|(key, _)| *key)
    }

    /// A handshake begins. Until it has come through it counts as one that fails.
    pub(crate) fn begin(&mut self, key: K, address: IpAddr, now: Instant) {
        if self.sources.len() >= SOURCES_MAX {
            // Those that are full again are as good as unknown.
            self.sources.retain(|_, bucket| bucket.run(FAILURES_PER_SECOND, FAILURES_BURST, now) < FAILURES_BURST);
        }
        let source = self.known(Source::from(address));
        self.sources.entry(source).or_insert_with(|| Bucket::full(FAILURES_BURST, now)).left -= 1.0;
        self.all.left -= 1.0;
        self.going.insert(key, Going { source, since: now });
    }

    /// A handshake is over.
    pub(crate) fn end(&mut self, key: K, came_through: bool) {
        let Some(Going { source, .. }) = self.going.remove(&key) else { return };
        if came_through {
            self.all.left = (self.all.left + 1.0).min(FAILURES_BURST_ALL);
            if let Some(bucket) = self.sources.get_mut(&source) {
                bucket.left = (bucket.left + 1.0).min(FAILURES_BURST);
            }
        }
    }

    /// This source if it is counted apart or can be, else the one that all others share.
    fn known(&self, source: Source) -> Source {
        if self.sources.len() < SOURCES_MAX || self.sources.contains_key(&source) { source } else { Source::Others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from(0x0a00_0000 + n).into()
    }

    fn second(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    /// Asks, and begins where that is the verdict.
    fn knock(door: &mut Door<u32>, key: u32, address: IpAddr, proved: bool, now: Instant) -> Verdict<u32> {
        let verdict = door.judge(address, proved, now);
        if let Verdict::Instead(old) = verdict {
            door.end(old, false);
        }
        if matches!(verdict, Verdict::Begin | Verdict::Instead(_)) {
            door.begin(key, address, now);
        }
        verdict
    }

    #[test]
    fn spoofed_packets_take_up_half_of_the_places_at_most() {
        let now = Instant::now();
        let mut door = Door::new(64, now);
        for n in 0..10_000 {
            let verdict = knock(&mut door, n, v4(n), false, now);
            assert_eq!(verdict, if n < 32 { Verdict::Begin } else { Verdict::Prove });
        }
        assert_eq!(door.going_on(), 32);
        assert_eq!(knock(&mut door, 10_000, v4(1 << 20), true, now), Verdict::Begin);
        assert!(door.sources.len() <= SOURCES_MAX + 1);
    }

    #[test]
    fn one_address_gets_a_quarter_and_locks_nobody_out() {
        let now = Instant::now();
        let mut door = Door::new(64, now);
        for n in 0..1_000 {
            let verdict = knock(&mut door, n, v4(1), true, now);
            assert_eq!(verdict, if n < 16 { Verdict::Begin } else { Verdict::Refuse });
        }
        assert_eq!(knock(&mut door, 1_000, v4(2), false, now), Verdict::Begin);
    }

    #[test]
    fn one_network_of_ipv6_is_one_source() {
        let now = Instant::now();
        let mut door = Door::new(64, now);
        for n in 0..100_u16 {
            let address: IpAddr = format!("2001:db8:0:{n:x}::1").parse().unwrap();
            knock(&mut door, u32::from(n), address, true, now);
        }
        assert_eq!(door.going_on(), 16);
        assert_eq!(knock(&mut door, 1_000, "2001:db8:1::1".parse().unwrap(), false, now), Verdict::Begin);
        assert_eq!(Source::from("::ffff:10.0.0.1".parse::<IpAddr>().unwrap()), Source::from(v4(1)));
    }

    /// Four addresses once held all places for ten seconds, and again, at six packets a second.
    #[test]
    fn repro_handshakes_that_hang_give_way() {
        let now = Instant::now();
        let mut door = Door::new(64, now);
        for n in 0..64 {
            assert_eq!(knock(&mut door, n, v4(n / 16), true, now), Verdict::Begin);
        }
        let honest = v4(99);
        assert_eq!(knock(&mut door, 100, honest, false, now), Verdict::Prove);
        assert_eq!(knock(&mut door, 100, honest, true, now), Verdict::Ignore, "none is old enough yet: its packet comes again");
        let later = now + GRACE;
        assert!(matches!(knock(&mut door, 100, honest, true, later), Verdict::Instead(old) if old < 64));
        // The next one gives way for another as well, and not the honest one.
        for n in 101..130 {
            assert!(matches!(knock(&mut door, n, v4(n), true, later), Verdict::Instead(old) if old < 64));
        }
    }

    #[test]
    fn failures_are_paced_and_what_comes_through_is_not() {
        let mut now = Instant::now();
        let mut door = Door::new(64, now);
        let mut begun = 0;
        for n in 0..10_000 {
            now += second(0.001);
            if knock(&mut door, n, v4(1), true, now) == Verdict::Begin {
                begun += 1;
                door.end(n, false);
            }
        }
        // Ten seconds: 64 and 160.
        assert!((220..=226).contains(&begun), "{begun}");
        assert_eq!(door.judge(v4(1), false, now), Verdict::Prove, "and its address is not taken for its own");
        for n in 0..10_000 {
            assert_eq!(knock(&mut door, n, v4(2), false, now), Verdict::Begin);
            door.end(n, true);
        }
    }

    #[test]
    fn failures_from_everywhere_are_paced_too() {
        let mut now = Instant::now();
        let mut door = Door::new(64, now);
        let mut begun = 0;
        for n in 0..20_000 {
            now += second(0.0005);
            match knock(&mut door, n, v4(n), true, now) {
                Verdict::Begin => {
                    begun += 1;
                    door.end(n, false);
                }
                verdict => assert!(matches!(verdict, Verdict::Ignore | Verdict::Refuse), "{verdict:?}"),
            }
        }
        assert!((256 + 1_270..=256 + 1_290).contains(&begun), "{begun}");
        assert!(door.sources.len() <= SOURCES_MAX + 1, "{}", door.sources.len());
    }
}
