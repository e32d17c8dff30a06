//! Limits and sockets.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig, MtuDiscoveryConfig, TransportConfig, VarInt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::Error;
use crate::identity::ResetKey;

/// RFC 9000 §15.
const QUIC_V1: u32 = 1;
/// Bytes a peer may send on one stream before they are read.
const STREAM_WINDOW: u32 = 16 << 20;
/// Bytes a peer may send on all streams of a connection before they are read. quinn has no bound of its own.
pub(crate) const CONNECTION_WINDOW: u32 = 48 << 20;
/// The same at a listener until [`crate::Connection::widen`]: enough for any first frame.
pub(crate) const FIRST_WINDOW: u32 = 1 << 20;
/// Streams that a dialer may have open until then: control's.
pub(crate) const FIRST_STREAMS: u32 = 1;
/// Bytes written but not yet acknowledged, a connection: a stream's window for the set, and eight large answers.
const SEND_WINDOW: u64 = 32 << 20;

/// Times and counts. The windows and all of TLS are fixed; these may differ by place.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long [`crate::dial`] waits for the handshake to end, and a listener for that of one dialer. 10 seconds.
    pub handshake_timeout: Duration,
    /// How long a connection may be silent before it counts as lost; the lower of the two ends' holds. 60 seconds.
    pub idle_timeout: Duration,
    /// How often an end sends a sign of life when it has nothing else to send. 5 seconds.
    pub keep_alive: Duration,
    /// The longest a peer may take over 64 KiB of a frame that it has begun, or over taking any bytes at all that are written to it. 60
    /// seconds.
    pub stall_timeout: Duration,
    /// Streams that the dialer may have open at a time, once it has more than one ([`crate::Connection::widen`]): control's, eight batches,
    /// two more. 11.
    pub streams_max: u32,
    /// Handshakes that a listener works on at a time. At half of that it makes dialers prove their address first; one address (of IPv6: one
    /// site, the first 48 bits) gets a quarter; when there are as many, one that takes long gives way to a new one. 64.
    pub handshakes_max: usize,
    /// Connections to pinned peers that a listener has at a time; more are turned away as busy. 256.
    pub connections_max: usize,
    /// Bytes of socket buffer to ask the system for, each way. It may give less. 4 MiB.
    pub socket_buffer: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            streams_max: 11,
            handshakes_max: 64,
            connections_max: 256,
            socket_buffer: 4 << 20,
        }
    }
}

/// quinn's settings for one end. `streams` is how many bidirectional streams the *other* end may open: none, at the dialer.
/// `window` is how many bytes it may send on all of them before they are read.
pub(crate) fn transport(options: &Options, streams: u32, window: u32) -> Result<Arc<TransportConfig>, Error> {
    let idle = options.idle_timeout.try_into().map_err(|_| Error::Setup { detail: "the idle timeout is out of range".into() })?;
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(window))
        .send_window(SEND_WINDOW)
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(options.keep_alive))
        .max_idle_timeout(Some(idle))
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()))
        .congestion_controller_factory(Arc::new(quinn::congestion::CubicConfig::default()))
        .enable_segmentation_offload(true);
    Ok(Arc::new(transport))
}

/// A UDP socket on `address` with larger buffers, made quinn's.
pub(crate) fn endpoint(
    address: SocketAddr,
    accepts: Option<(quinn::ServerConfig, Arc<ResetKey>)>,
    options: &Options,
) -> Result<quinn::Endpoint, Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::AddressInUse { address },
        io::ErrorKind::PermissionDenied => Error::AddressDenied { address },
        io::ErrorKind::AddrNotAvailable => Error::AddressUnavailable { address },
        _ => Error::Socket { address, source },
    };
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP)).map_err(failed)?;
    if matches!(address.ip(), IpAddr::V6(ip) if ip.is_unspecified()) {
        // Systems differ in whether `[::]` takes IPv4 too. Where it cannot be had, IPv6 alone is what was asked for.
        if let Err(error) = socket.set_only_v6(false) {
            tracing::debug!(%error, "the socket takes IPv6 alone");
        }
    }
    // Systems cap these silently; what they give is enough to work with.
    let asked = socket.set_recv_buffer_size(options.socket_buffer).and_then(|()| socket.set_send_buffer_size(options.socket_buffer));
    if let Err(error) = asked {
        tracing::debug!(%error, "the socket keeps the system's buffers");
    }
    socket.bind(&address.into()).map_err(failed)?;
    let socket = UdpSocket::from(socket);
    let mut config = EndpointConfig::default();
    // quinn would take the drafts of QUIC too.
    config.supported_versions(vec![QUIC_V1]);
    let accepts = accepts.map(|(accepts, resets)| {
        config.reset_key(resets);
        // quinn's own are recognised by one process alone, and would come again in another: with the token of the old one.
        config.cid_generator(|| Box::new(Drawn));
        accepts
    });
    quinn::Endpoint::new(config, accepts, socket, Arc::new(quinn::TokioRuntime)).map_err(failed)
}

/// Bytes of a listener's connection ids.
const CONNECTION_ID_BYTES: usize = 16;

/// Connection ids drawn by chance alone.
struct Drawn;

impl ConnectionIdGenerator for Drawn {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; CONNECTION_ID_BYTES];
        // It does not fail; if it did, quinn would ask until it gives an id that is not in use.
        if rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut bytes).is_err() {
            tracing::error!("the system gave no random bytes");
        }
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// `::ffff:192.0.2.1` is 192.0.2.1 to people and in comparisons.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
