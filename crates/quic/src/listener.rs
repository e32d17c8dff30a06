//! The listener's end.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{Incoming, ServerConfig, VarInt};
use rustls::crypto::CryptoProvider;
use tokio::task::{Id, JoinSet};
use tokio::time::timeout;

use crate::error::Ends;
use crate::transport::{endpoint, plain, transport};
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
    /// Whose handshakes these are.
    sources: HashMap<Id, IpAddr>,
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
            .transport_config(transport(&options, options.streams_max)?)
            .migration(false)
            .max_incoming(WAITING_MAX)
            .incoming_buffer_size(WAITING_BYTES)
            .incoming_buffer_size_total(WAITING_BYTES_ALL);
        // Tokens that would spare a later connection the proof of its address: one thing less to keep.
        config.validation_token.sent(0);
        let endpoint = endpoint(address, Some((config.clone(), identity.resets())), &options)?;
        let local = endpoint.local_addr().map_err(|source| Error::Socket { address, source })?;
        let handshakes = JoinSet::new();
        Ok(Self { endpoint, local, identity: identity.clone(), pins, options, provider, config, handshakes, sources: HashMap::new() })
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
                        self.sources.remove(&id);
                        return Some(result);
                    }
                    Err(error) => {
                        self.sources.remove(&error.id());
                        // Not the error itself: it repeats what a panic said.
                        tracing::error!(panicked = error.is_panic(), "a handshake's task broke off");
                    }
                },
                incoming = self.endpoint.accept(), if self.handshakes.len() < self.options.handshakes_max => self.admit(incoming?),
            }
        }
    }

    /// Starts a handshake, unless there are too many.
    fn admit(&mut self, incoming: Incoming) {
        let remote = plain(incoming.remote_address());
        let going_on = self.handshakes.len();
        let from_there = self.sources.values().filter(|&&source| source == remote.ip()).count();
        let crowded = from_there >= self.options.handshakes_max.div_ceil(4);
        if self.endpoint.open_connections() >= self.options.connections_max {
            tracing::warn!(%remote, "turned away: as many connections as there may be");
            return incoming.refuse();
        }
        // A sender may put any address on a packet. Under load, dialers must show that they receive at theirs (RFC 9000 §8.1.2), so that
        // nobody can take up the slots for another.
        if incoming.may_retry() && !incoming.remote_address_validated() && (crowded || going_on >= self.options.handshakes_max / 2) {
            if let Err(error) = incoming.retry() {
                tracing::debug!(%remote, %error, "could not ask for a proof of address");
            }
            return;
        }
        if crowded {
            tracing::debug!(%remote, "turned away: too many handshakes from one address");
            return incoming.refuse();
        }
        let seen = tls::Seen::default();
        let ends = Ends { ours: self.identity.fingerprint(), pinned: None, seen: seen.clone(), address: remote };
        // TLS settings of its own, so that the identity seen is known to be this dialer's.
        let crypto = tls::listener(self.provider.clone(), &self.identity, &self.pins, seen);
        let mut config = self.config.clone();
        let (wait, stall) = (self.options.handshake_timeout, self.options.stall_timeout);
        let task = self.handshakes.spawn(async move {
            let handshake = async {
                config.crypto = crypto?;
                let connecting = incoming.accept_with(Arc::new(config)).map_err(|error| ends.classify(error))?;
                match timeout(wait, connecting).await {
                    Ok(Ok(connection)) => Connection::new(connection, None, ends, stall),
                    Ok(Err(error)) => Err(ends.classify(error)),
                    Err(_) => Err(Error::HandshakeTimeout { waited: wait }),
                }
            };
            handshake.await.map_err(|error| HandshakeRefusal { remote, error })
        });
        self.sources.insert(task.id(), remote.ip());
    }

    /// Handshakes begun and not ended.
    #[cfg(test)]
    pub(crate) fn handshakes_going_on(&self) -> usize {
        self.handshakes.len()
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
