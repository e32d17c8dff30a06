//! The listener's end.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{Incoming, ServerConfig, VarInt};
use rustls::crypto::CryptoProvider;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::timeout;

use crate::connection::Own;
use crate::door::{Door, Verdict};
use crate::error::Ends;
use crate::transport::{FIRST_STREAMS, FIRST_WINDOW, endpoint, plain, transport};
use crate::{Connection, Error, Identity, Options, Pins, tls};

/// Dialers whose first packet is kept until a handshake comes free.
const WAITING_MAX: usize = 256;
/// Bytes kept of each and of all of them, beside the first packet.
const WAITING_BYTES: u64 = 16 << 10;
const WAITING_BYTES_ALL: u64 = 2 << 20;

/// A dialer that was turned away, or gave up, within the handshake.
#[derive(Debug, thiserror::Error)]
#[error("{remote}: {error}")]
pub struct HandshakeRefusal {
    /// Where it came from.
    pub remote: SocketAddr,
    /// Why: [`Error::NotPinned`] with the identity it claimed, [`Error::NoCertificate`], [`Error::NoCommonProtocol`],
    /// [`Error::HandshakeTimeout`], …
    #[source]
    pub error: Error,
}

/// A UDP socket that takes connections from pinned peers.
///
/// Handshakes go on beside each other; a slow one holds up no other. Dropped, it takes no more connections; those that exist go on.
pub struct Listener {
    endpoint: quinn::Endpoint,
    local: SocketAddr,
    identity: Identity,
    pins: Pins,
    options: Options,
    provider: Arc<CryptoProvider>,
    config: ServerConfig,
    handshakes: JoinSet<Result<Connection, HandshakeRefusal>>,
    /// How to give each of them up.
    aborts: HashMap<Id, AbortHandle>,
    door: Door<Id>,
    /// One for each connection that came through.
    places: Arc<Semaphore>,
}

impl Listener {
    /// Listens on `address` (port 0: one of the system's choosing) as `identity`, for the peers that `pins` lets in at the time they come.
    /// Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::AddressInUse`], [`Error::AddressDenied`], [`Error::AddressUnavailable`], [`Error::Socket`], [`Error::Setup`].
    pub fn bind(address: SocketAddr, identity: &Identity, pins: Pins, options: Options) -> Result<Self, Error> {
        let provider = tls::provider()?;
        let mut config = ServerConfig::with_crypto(tls::listener(provider.clone(), identity, &pins, tls::Seen::default())?);
        config
            .transport_config(transport(&options, FIRST_STREAMS, FIRST_WINDOW)?)
            .migration(false)
            .max_incoming(WAITING_MAX)
            .incoming_buffer_size(WAITING_BYTES)
            .incoming_buffer_size_total(WAITING_BYTES_ALL);
        // Tokens that would spare a later connection the proof of its address: one thing less to keep.
        config.validation_token.sent(0);
        let endpoint = endpoint(address, Some((config.clone(), identity.resets())), &options)?;
        let local = endpoint.local_addr().map_err(|source| Error::Socket { address, source })?;
        let (handshakes, aborts) = (JoinSet::new(), HashMap::new());
        let door = Door::new(options.handshakes_max, Instant::now());
        let places = Arc::new(Semaphore::new(options.connections_max));
        Ok(Self { endpoint, local, identity: identity.clone(), pins, options, provider, config, handshakes, aborts, door, places })
    }

    /// The address listened on, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits for the next dialer to come through the handshake, or to fail in it: the caller logs that and goes on. `None` once the
    /// listener is closed, or its socket has failed. Cancel-safe. Handshakes that were begun go on between calls, new ones start only
    /// within them.
    pub async fn accept(&mut self) -> Option<Result<Connection, HandshakeRefusal>> {
        loop {
            tokio::select! {
                Some(ended) = self.handshakes.join_next_with_id(), if !self.handshakes.is_empty() => match ended {
                    Ok((id, result)) => {
                        self.over(id, result.is_ok());
                        return Some(result);
                    }
                    Err(error) => {
                        self.over(error.id(), false);
                        if !error.is_cancelled() {
                            // Not the error itself: it repeats what a panic said.
                            tracing::error!(panicked = error.is_panic(), "a handshake's task broke off");
                        }
                    }
                },
                // Also while no handshake may begin: whoever is turned away must not wait for those who hang.
                incoming = self.endpoint.accept() => if let Some(refusal) = self.admit(incoming?) {
                    return Some(Err(refusal));
                },
            }
        }
    }

    fn over(&mut self, id: Id, came_through: bool) {
        self.aborts.remove(&id);
        self.door.end(id, came_through);
    }

    /// Starts a handshake, unless there are too many. Gives what the operator should hear of.
    fn admit(&mut self, incoming: Incoming) -> Option<HandshakeRefusal> {
        let remote = plain(incoming.remote_address());
        if self.places.available_permits() == 0 {
            incoming.refuse();
            return Some(HandshakeRefusal { remote, error: Error::Full { most: self.options.connections_max } });
        }
        // Who cannot be asked for a proof any more has given it.
        let proved = incoming.remote_address_validated() || !incoming.may_retry();
        match self.door.judge(remote.ip(), proved, Instant::now()) {
            Verdict::Begin => self.begin(incoming, remote),
            Verdict::Instead(old) => {
                // Its task ends, and with it its connection.
                self.aborts.remove(&old).inspect(AbortHandle::abort);
                self.door.end(old, false);
                self.begin(incoming, remote);
            }
            Verdict::Prove => {
                if let Err(error) = incoming.retry() {
                    tracing::trace!(%remote, %error, "could not ask for a proof of address");
                }
            }
            Verdict::Refuse => {
                tracing::trace!(%remote, "turned away: too many handshakes from there");
                incoming.refuse();
            }
            Verdict::Ignore => incoming.ignore(),
        }
        None
    }

    fn begin(&mut self, incoming: Incoming, remote: SocketAddr) {
        let seen = tls::Seen::default();
        let ends = Ends { ours: self.identity.fingerprint(), pinned: None, seen: seen.clone(), address: remote };
        // TLS settings of its own, so that the identity seen is known to be this dialer's.
        let crypto = tls::listener(self.provider.clone(), &self.identity, &self.pins, seen);
        let mut config = self.config.clone();
        let (wait, stall) = (self.options.handshake_timeout, self.options.stall_timeout);
        let (places, most, streams) = (Arc::clone(&self.places), self.options.connections_max, self.options.streams_max);
        let task = self.handshakes.spawn(async move {
            let handshake = async {
                config.crypto = crypto?;
                let connecting = incoming.accept_with(Arc::new(config)).map_err(|error| ends.classify(error))?;
                match timeout(wait, connecting).await {
                    Ok(Ok(connection)) => {
                        // Others may have come through meanwhile. Dropped, it is closed.
                        let place = places.try_acquire_owned().map_err(|_| Error::Full { most })?;
                        Connection::new(connection, Own::Place { _place: place, streams }, ends, stall)
                    }
                    Ok(Err(error)) => Err(ends.classify(error)),
                    Err(_) => Err(Error::HandshakeTimeout { waited: wait }),
                }
            };
            handshake.await.map_err(|error| HandshakeRefusal { remote, error })
        });
        self.door.begin(task.id(), remote.ip(), Instant::now());
        self.aborts.insert(task.id(), task);
    }

    /// Handshakes begun and not ended.
    #[cfg(test)]
    pub(crate) fn handshakes_going_on(&self) -> usize {
        self.door.going_on()
    }

    /// Closes every connection with code 0 and takes no more; gives the transport up to `wait` to tell the peers.
    pub async fn close(self, wait: Duration) {
        self.endpoint.close(VarInt::from_u32(0), b"the listener is shutting down");
        // At the end of `wait` there is nothing left to do.
        let _ = timeout(wait, self.endpoint.wait_idle()).await;
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("local", &self.local).field("identity", &self.identity).finish_non_exhaustive()
    }
}
