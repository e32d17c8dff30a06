//! A tap on the line: between the real programs, with the keys of both, it sees every frame before TLS, can change it, and can cut the line. What it
//! sees is what the two parties see of one another, and all of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use oblink_quic::{Connection, Error, Fingerprint, FrameReceiver, FrameSender, Listener, Options, Pins, dial};
use oblink_session::wire::FrameType;
use tokio::sync::oneshot;

use crate::Party;
use crate::asking::fingerprint_bytes;
use crate::keys::Keys;

/// The longest body that is passed on: more than any frame may have, so that a wrong one reaches the one who is to refuse it.
const BODY_BYTES_MAX: u32 = 1 << 26;

/// A frame on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Tapped {
    /// The connection, from 0.
    pub line: usize,
    /// Its stream, from 0, in the order in which the verifier began them.
    pub stream: usize,
    /// From the verifier to the holder.
    pub up: bool,
    /// The frame's type.
    pub kind: u8,
    /// Its body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Tapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.up { "up" } else { "down" };
        write!(f, "line {} stream {} {way} {:#04x} of {} bytes", self.line, self.stream, self.kind, self.body.len())
    }
}

impl Tapped {
    /// Whether it is a frame of this type.
    #[must_use]
    pub fn is(&self, kind: FrameType) -> bool {
        self.kind == kind as u8
    }

    /// The bytes as they travel.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        [&(self.body.len() as u32).to_be_bytes()[..], &[self.kind], &self.body].concat()
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, as it is now.
    Pass,
    /// It is the last that was seen of this line: both ends find it gone.
    Cut,
}

/// Looks at each frame before it goes on, and may change it.
pub type Hand = Box<dyn FnMut(&mut Tapped) -> Fate + Send>;

struct Shared {
    frames: Mutex<Vec<Tapped>>,
    hand: Mutex<Hand>,
    streams: AtomicUsize,
}

/// A tap. Dropped, it cuts what is going on.
pub struct Tap {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    /// Listens in the holder's place and passes on to `address`, as the verifier.
    ///
    /// # Panics
    /// Where it cannot listen.
    #[must_use]
    pub fn between(verifier: &Party, holder: &Party, address: &str) -> Self {
        Self::with(verifier, holder, address, Box::new(|_| Fate::Pass))
    }

    /// Likewise, with a hand on every frame.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn with(verifier: &Party, holder: &Party, address: &str, hand: Hand) -> Self {
        let (asking, holding) = (Keys::of(&verifier.home), Keys::of(&holder.home));
        let pins = [&verifier.fingerprint, &holder.fingerprint].map(|printed| Fingerprint::from_bytes(fingerprint_bytes(printed)));
        let to: SocketAddr = address.parse().unwrap();
        let shared = Arc::new(Shared { frames: Mutex::default(), hand: Mutex::new(hand), streams: AtomicUsize::new(0) });
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let sharing = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async move {
                let options = Options::default();
                let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &holding.identity, Pins::only([pins[0]]), options.clone());
                let mut listener = listener.unwrap();
                tell.send(listener.local_addr()).unwrap();
                let serve = async {
                    for line in 0.. {
                        let Some(accepted) = listener.accept().await else { break };
                        let Ok(down) = accepted else { continue };
                        let Ok(up) = dial(to, &asking.identity, pins[1], &options).await else {
                            down.close(0, "the holder is gone");
                            continue;
                        };
                        tokio::spawn(bridge(down, up, line, Arc::clone(&sharing)));
                    }
                };
                tokio::select! { () = serve => {}, _ = stopped => {} }
            });
        });
        Self { address: told.recv().unwrap(), shared, stop: Some(stop), thread: Some(thread) }
    }

    /// `IP:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Everything so far, in the order in which it came.
    ///
    /// # Panics
    /// Where a hand has panicked.
    #[must_use]
    pub fn frames(&self) -> Vec<Tapped> {
        self.shared.frames.lock().unwrap().clone()
    }

    /// How many streams there were, all lines together.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.shared.streams.load(Ordering::SeqCst)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Ends a connection as the other one was ended.
fn end_like(connection: &Connection, error: &Error) {
    match error {
        Error::Closed { code, reason } => connection.close(u32::try_from(*code).unwrap_or(u32::MAX), reason),
        _ => connection.close(0, "the line is gone"),
    }
}

async fn bridge(down: Connection, up: Connection, line: usize, shared: Arc<Shared>) {
    // How many streams there may be is the holder's to say.
    down.widen();
    let (down, up) = (Arc::new(down), Arc::new(up));
    let mut stream = 0;
    loop {
        tokio::select! {
            accepted = down.accept_stream() => {
                let (Ok((to_verifier, from_verifier)), Ok((to_holder, from_holder))) = (accepted, up.open_stream().await) else { continue };
                for (mut from, mut to, is_up) in [(from_verifier, to_holder, true), (from_holder, to_verifier, false)] {
                    let (shared, ends) = (Arc::clone(&shared), [Arc::clone(&down), Arc::clone(&up)]);
                    tokio::spawn(async move {
                        if pump(&mut from, &mut to, (line, stream, is_up), &shared).await == Fate::Cut {
                            ends.iter().for_each(|end| end.close(0, "the line is cut"));
                        }
                    });
                }
                stream += 1;
                shared.streams.fetch_add(1, Ordering::SeqCst);
            }
            error = up.closed() => return end_like(&down, &error),
            error = down.closed() => return end_like(&up, &error),
        }
    }
}

/// Passes frames on to the end of the stream; a `FrameSender` that is dropped ends its stream.
async fn pump(from: &mut FrameReceiver, to: &mut FrameSender, (line, stream, up): (usize, usize, bool), shared: &Shared) -> Fate {
    while let Ok(Some((kind, body))) = from.receive_or_end(|_| Some(BODY_BYTES_MAX)).await {
        let mut frame = Tapped { line, stream, up, kind, body };
        let fate = (shared.hand.lock().unwrap())(&mut frame);
        shared.frames.lock().unwrap().push(frame.clone());
        if fate == Fate::Cut {
            return Fate::Cut;
        }
        if to.send(frame.kind, &[&frame.body]).await.is_err() {
            break;
        }
    }
    Fate::Pass
}
