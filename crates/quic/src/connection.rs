//! A connection to a peer whose identity is proved.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::VarInt;
use rustls::pki_types::CertificateDer;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::Ends;
use crate::transport::CONNECTION_WINDOW;
use crate::{Error, Fingerprint, FrameReceiver, FrameSender, tls};

/// A connection to an authenticated, pinned peer. A clone is another handle to it; when the last handle and stream are gone, the connection
/// is closed with code 0.
///
/// At the dialer, a connection may exist that the listener is about to refuse: TLS 1.3 lets the dialer finish first. Its first use then
/// gives [`Error::NotTrusted`] or [`Error::CertificateRequired`].
#[derive(Clone)]
pub struct Connection {
    inner: quinn::Connection,
    own: Arc<Own>,
    ends: Arc<Ends>,
    peer: Fingerprint,
    stall: Duration,
}

/// What a connection has to itself, until its last handle is gone.
pub(crate) enum Own {
    /// At the dialer: the socket.
    Socket(quinn::Endpoint),
    /// At the listener: one of its places, and how many streams the dialer may get.
    Place { _place: OwnedSemaphorePermit, streams: u32 },
}

impl Connection {
    /// Reads the peer's identity off a completed handshake.
    pub(crate) fn new(inner: quinn::Connection, own: Own, ends: Ends, stall: Duration) -> Result<Self, Error> {
        let missing = || Error::Handshake { detail: "the peer's certificate is missing or cannot be read".into() };
        let chain = inner.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok()).ok_or_else(missing)?;
        let peer = chain.first().and_then(|certificate| tls::fingerprint_of(certificate).ok()).ok_or_else(missing)?;
        Ok(Self { inner, own: Arc::new(own), ends: Arc::new(ends), peer, stall })
    }

    /// The peer's identity, proved in the handshake.
    pub fn peer(&self) -> Fingerprint {
        self.peer
    }

    /// The peer's address. It does not change: migration is off.
    pub fn remote_address(&self) -> SocketAddr {
        self.ends.address
    }

    /// The round-trip time as the transport estimates it now.
    pub fn round_trip(&self) -> Duration {
        self.inner.rtt()
    }

    /// At the listener: lets the dialer have [`crate::Options::streams_max`] streams open, and send on them as much as fills the windows. Until
    /// then it has one, and a megabyte: whoever is pinned, but has not been admitted to anything, takes up no more. At the dialer, nothing.
    pub fn widen(&self) {
        if let Own::Place { streams, .. } = &*self.own {
            self.inner.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW));
            self.inner.set_max_concurrent_bi_streams(VarInt::from_u32(*streams));
        }
    }

    /// Opens a stream; at the dialer alone (SPEC TRN-3). Waits while as many as the listener allows are open. The
    /// listener learns of it with the first frame.
    ///
    /// # Errors
    /// Every way in which a connection ends.
    pub async fn open_stream(&self) -> Result<(FrameSender, FrameReceiver), Error> {
        let halves = self.inner.open_bi().await.map_err(|error| self.ends.classify(error))?;
        Ok(self.framed(halves))
    }

    /// Waits for the dialer's next stream; at the listener alone. Cancel-safe.
    ///
    /// # Errors
    /// Every way in which a connection ends; [`Error::Closed`] is the orderly one.
    pub async fn accept_stream(&self) -> Result<(FrameSender, FrameReceiver), Error> {
        let halves = self.inner.accept_bi().await.map_err(|error| self.ends.classify(error))?;
        Ok(self.framed(halves))
    }

    /// What lies beneath, to send what no [`FrameSender`] would.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &quinn::Connection {
        &self.inner
    }

    fn framed(&self, (send, receive): (quinn::SendStream, quinn::RecvStream)) -> (FrameSender, FrameReceiver) {
        (FrameSender::new(send, self.ends.clone(), self.stall), FrameReceiver::new(receive, self.ends.clone(), self.stall))
    }

    /// Closes the connection at once, for all its streams; what has not arrived is lost ([`FrameSender::finish_and_wait`] makes sure of the
    /// last frame). The peer sees [`Error::Closed`] with `code` and `reason`: printable ASCII, no personal data.
    pub fn close(&self, code: u32, reason: &str) {
        self.inner.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits for the end of the connection, and says what it was.
    pub async fn closed(&self) -> Error {
        self.ends.classify(self.inner.closed().await)
    }

    /// At the dialer, after [`Self::close`]: gives the transport up to `wait` to tell the peer. Without it, a program that ends at once
    /// leaves the peer waiting for its idle timeout. At the listener it returns at once; [`crate::Listener::close`] does this for all.
    pub async fn drained(&self, wait: Duration) {
        if let Own::Socket(endpoint) = &*self.own {
            // At the end of `wait` there is nothing left to do.
            let _ = tokio::time::timeout(wait, endpoint.wait_idle()).await;
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).field("address", &self.ends.address).finish_non_exhaustive()
    }
}
