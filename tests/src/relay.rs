//! A bad network: a relay for UDP datagrams on loopback, between two real processes, with faults drawn from a seed.
//!
//! Like a NAT, it has a socket of its own towards the listener for every dialer. What it does to a datagram is decided by one generator, in the
//! order in which datagrams arrive; which datagrams come when is the processes' and the system's doing, so that a seed gives the same faults, and
//! not the same run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How often a thread that waits for datagrams looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(20);

/// No datagram is longer.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// What happens to datagrams, each way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// The share that is lost, 0 to 1.
    pub loss: f64,
    /// How long each takes.
    pub delay: Duration,
    /// The share that takes longer, so that others overtake it.
    pub reordered: f64,
    /// By how much, at most.
    pub late: Duration,
    /// The share that arrives twice.
    pub duplicated: f64,
}

impl Weather {
    /// 5% loss, 100 ms, reordering, 1% duplicates.
    #[must_use]
    pub fn bad() -> Self {
        Self { loss: 0.05, delay: Duration::from_millis(100), reordered: 0.2, late: Duration::from_millis(40), duplicated: 0.01 }
    }
}

/// What happened to datagrams so far, both ways together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent on.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Held back, so that others could overtake them.
    pub late: u64,
    /// Sent on twice.
    pub duplicated: u64,
    /// Lost because the link was cut.
    pub cut: u64,
    /// Come to a source address that is not the dialer's any more.
    pub stale: u64,
    /// Dialers, each with a port of its own.
    pub dialers: u64,
}

struct Datagram {
    through: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

struct State {
    weather: Weather,
    random: StdRng,
    cut: bool,
    /// For each dialer the socket towards the listener.
    upstream: HashMap<SocketAddr, Arc<UdpSocket>>,
    /// By when they are due, then by arrival.
    waiting: BinaryHeap<Reverse<(Instant, u64)>>,
    datagrams: HashMap<u64, Datagram>,
    arrived: u64,
    counts: Counts,
    over: bool,
}

struct Shared {
    front: Arc<UdpSocket>,
    listener: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A datagram has come: it is lost, or will be sent once or twice.
    fn take(&self, through: &Arc<UdpSocket>, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.state();
        if state.cut {
            state.counts.cut += 1;
            return;
        }
        let weather = state.weather;
        if state.random.random_bool(weather.loss) {
            state.counts.lost += 1;
            return;
        }
        let twice = state.random.random_bool(weather.duplicated);
        state.counts.duplicated += u64::from(twice);
        for _ in 0..=u64::from(twice) {
            let mut due = Instant::now() + weather.delay;
            if state.random.random_bool(weather.reordered) {
                due += weather.late.mul_f64(state.random.random_range(0.0..1.0));
                state.counts.late += 1;
            }
            state.arrived += 1;
            let number = state.arrived;
            state.waiting.push(Reverse((due, number)));
            state.datagrams.insert(number, Datagram { through: Arc::clone(through), to, bytes: bytes.to_vec() });
        }
        self.changed.notify_all();
    }
}

/// The relay. Dropped, it is gone, as if the link were cut.
pub struct Relay {
    shared: Arc<Shared>,
    address: String,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("address", &self.address).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Relay {
    /// Between whoever sends to [`address`](Self::address) and the listener at `IP:PORT`.
    ///
    /// # Panics
    /// Where there is no socket to be had.
    #[must_use]
    pub fn start(listener: &str, weather: Weather, seed: u64) -> Self {
        let front = Arc::new(socket());
        let address = front.local_addr().unwrap().to_string();
        let state = State {
            weather,
            random: StdRng::seed_from_u64(seed),
            cut: false,
            upstream: HashMap::new(),
            waiting: BinaryHeap::new(),
            datagrams: HashMap::new(),
            arrived: 0,
            counts: Counts::default(),
            over: false,
        };
        let shared = Arc::new(Shared { front, listener: listener.parse().unwrap(), state: Mutex::new(state), changed: Condvar::new() });
        let (up, out) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![thread::spawn(move || from_dialers(&up)), thread::spawn(move || send(&out))];
        Self { shared, address, threads }
    }

    /// What to dial.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Changes the weather, for datagrams that come from now on.
    pub fn set(&self, weather: Weather) {
        self.shared.state().weather = weather;
    }

    /// Cuts the link: what is sent is lost, and so is what is under way.
    pub fn cut(&self) {
        let mut state = self.shared.state();
        state.cut = true;
        state.counts.cut += state.datagrams.len() as u64;
        state.waiting.clear();
        state.datagrams.clear();
    }

    /// The link is there again.
    pub fn restore(&self) {
        self.shared.state().cut = false;
    }

    /// From now on what dialers send comes from another port, as when a NAT has forgotten them; what is sent to the old one is lost.
    pub fn change_source(&self) {
        let mut state = self.shared.state();
        let dialers: Vec<SocketAddr> = state.upstream.keys().copied().collect();
        for dialer in dialers {
            let socket = towards_listener(&self.shared, dialer);
            state.upstream.insert(dialer, socket);
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.state().counts
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Ok(mut state) = self.shared.state.lock() {
            state.over = true;
            state.upstream.clear();
        }
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(LOOK)).unwrap();
    socket
}

/// The next datagram; `None` after a while without one.
fn receive<'a>(socket: &UdpSocket, buffer: &'a mut [u8]) -> Option<(SocketAddr, &'a [u8])> {
    match socket.recv_from(buffer) {
        Ok((length, from)) => Some((from, &buffer[..length])),
        // A refused port shows as an error of the next call: nothing is there for whom it is, which is the network's way.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted | ErrorKind::ConnectionRefused
            ) =>
        {
            None
        }
        Err(error) => panic!("the relay cannot receive: {error}"),
    }
}

/// From all dialers to the listener, each through its own socket.
fn from_dialers(shared: &Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    while !shared.state().over {
        let Some((dialer, bytes)) = receive(&shared.front, &mut buffer) else { continue };
        let through = {
            let mut state = shared.state();
            if let Some(socket) = state.upstream.get(&dialer) {
                Arc::clone(socket)
            } else {
                let socket = towards_listener(shared, dialer);
                state.counts.dialers += 1;
                state.upstream.insert(dialer, Arc::clone(&socket));
                socket
            }
        };
        shared.take(&through, shared.listener, bytes);
    }
}

/// A socket towards the listener, and a thread that takes from it what is for this dialer.
fn towards_listener(shared: &Arc<Shared>, dialer: SocketAddr) -> Arc<UdpSocket> {
    let socket = Arc::new(socket());
    let (shared, from) = (Arc::clone(shared), Arc::clone(&socket));
    thread::spawn(move || {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while !shared.state().over {
            let Some((_, bytes)) = receive(&from, &mut buffer) else { continue };
            if shared.state().upstream.get(&dialer).is_some_and(|current| Arc::ptr_eq(current, &from)) {
                shared.take(&shared.front, dialer, bytes);
            } else {
                shared.state().counts.stale += 1;
            }
        }
    });
    socket
}

/// Sends what is due.
fn send(shared: &Shared) {
    let mut state = shared.state();
    while !state.over {
        let now = Instant::now();
        match state.waiting.peek() {
            None => state = shared.changed.wait_timeout(state, LOOK).unwrap().0,
            Some(Reverse((due, _))) if *due > now => {
                let left = *due - now;
                state = shared.changed.wait_timeout(state, left).unwrap().0;
            }
            Some(_) => {
                let Some(Reverse((_, number))) = state.waiting.pop() else { continue };
                let Some(datagram) = state.datagrams.remove(&number) else { continue };
                state.counts.sent += 1;
                drop(state);
                // One that the system will not take is lost, like others.
                let _ = datagram.through.send_to(&datagram.bytes, datagram.to);
                state = shared.state();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo at the other end, and `count` datagrams sent through the relay: how many came back, in what order.
    fn echoed(weather: Weather, count: u32, between: impl Fn(&Relay, u32)) -> (Vec<u32>, Counts) {
        let echo = socket();
        let listener = echo.local_addr().unwrap().to_string();
        let relay = Relay::start(&listener, weather, 7);
        let dialer = socket();
        let mut buffer = [0; 8];
        let mut back = Vec::new();
        let mut take = |back: &mut Vec<u32>| {
            while let Ok((length, _)) = dialer.recv_from(&mut buffer) {
                back.push(u32::from_be_bytes(buffer[..length].try_into().unwrap()));
            }
        };
        let stop = Arc::new(Mutex::new(false));
        let (stopped, echoing) = (Arc::clone(&stop), echo);
        let thread = thread::spawn(move || {
            let mut buffer = [0; 8];
            while !*stopped.lock().unwrap() {
                if let Ok((length, from)) = echoing.recv_from(&mut buffer) {
                    echoing.send_to(&buffer[..length], from).unwrap();
                }
            }
        });
        for number in 0..count {
            between(&relay, number);
            dialer.send_to(&number.to_be_bytes(), relay.address()).unwrap();
            if number % 16 == 15 {
                take(&mut back);
            }
        }
        for _ in 0..10 {
            take(&mut back);
        }
        *stop.lock().unwrap() = true;
        thread.join().unwrap();
        (back, relay.counts())
    }

    #[test]
    fn in_good_weather_everything_arrives() {
        let (mut back, counts) = echoed(Weather::default(), 64, |_, _| ());
        back.sort_unstable();
        assert_eq!(back, (0..64).collect::<Vec<_>>());
        assert_eq!((counts.sent, counts.lost, counts.duplicated, counts.dialers), (128, 0, 0, 1));
    }

    #[test]
    fn in_bad_weather_some_is_lost_some_comes_twice_and_late() {
        let weather =
            Weather { delay: Duration::from_millis(2), loss: 0.2, duplicated: 0.2, reordered: 0.5, late: Duration::from_millis(5) };
        let (back, counts) = echoed(weather, 256, |_, _| ());
        assert!(counts.lost > 0 && counts.duplicated > 0 && counts.late > 0, "{counts:?}");
        assert!(!back.is_sorted(), "nothing was overtaken");
        let mut once = back.clone();
        once.sort_unstable();
        once.dedup();
        assert!(once.len() < 256 && once.len() < back.len(), "{counts:?}");
    }

    #[test]
    fn a_link_that_is_cut_takes_all_and_a_changed_source_is_another_one() {
        let (back, counts) = echoed(Weather::default(), 48, |relay, number| match number {
            16 => relay.cut(),
            32 => {
                relay.restore();
                relay.change_source();
            }
            _ => {}
        });
        assert!(back.iter().all(|number| !(16..32).contains(number)), "{back:?}");
        assert!(back.contains(&40), "{back:?}");
        assert_eq!((counts.dialers, counts.cut >= 16), (1, true), "{counts:?}");
    }
}
