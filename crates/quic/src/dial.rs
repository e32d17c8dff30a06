//! The dialer's end.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectError, ConnectionError};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use crate::connection::Own;
use crate::error::Ends;
use crate::transport::{CONNECTION_WINDOW, endpoint, plain, transport};
use crate::{Connection, Error, Fingerprint, Identity, Options, tls};

/// TLS wants a name even where none is sent and none is looked at.
const UNUSED_NAME: &str = "oblink";

/// How long a handshake may take before the path is asked for a reason.
const PROBE_AFTER: Duration = Duration::from_millis(400);
/// How often the path is asked again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// How long a refusal of the listener's identity is given to reach it.
const FAREWELL: Duration = Duration::from_millis(200);

/// Connects to the listener at `address`, which must have the identity `pin`, as `identity`. Each connection has a UDP socket of its own.
///
/// # Errors
/// - [`Error::NothingListens`] and [`Error::NoRoute`] when the network says so, [`Error::NoAnswer`] when all is silence for
///   [`Options::handshake_timeout`], [`Error::Busy`];
/// - [`Error::NotThePinnedPeer`]; [`Error::NoCommonProtocol`]; [`Error::Handshake`];
/// - [`Error::AddressUnavailable`] for an address that cannot be dialed, [`Error::Setup`] and [`Error::Socket`].
///
/// That the listener does not trust `identity` shows on the connection's first use: see [`Connection`].
pub async fn dial(address: SocketAddr, identity: &Identity, pin: Fingerprint, options: &Options) -> Result<Connection, Error> {
    let seen = tls::Seen::default();
    let crypto = tls::dialer(tls::provider()?, identity, pin, seen.clone())?;
    let mut config = quinn::ClientConfig::new(crypto);
    // The listener opens no streams (SPEC TRN-3).
    config.transport_config(transport(options, 0, CONNECTION_WINDOW)?);
    config.token_store(Arc::new(quinn::NoneTokenStore));
    let ends = Ends { ours: identity.fingerprint(), pinned: Some(pin), seen, address: plain(address) };
    dial_with(address, config, ends, options).await
}

pub(crate) async fn dial_with(
    address: SocketAddr,
    config: quinn::ClientConfig,
    ends: Ends,
    options: &Options,
) -> Result<Connection, Error> {
    let endpoint = endpoint(SocketAddr::new(any(address), 0), None, options)?;
    let connecting = endpoint.connect_with(config, address, UNUSED_NAME).map_err(|error| match error {
        ConnectError::InvalidRemoteAddress(address) => Error::AddressUnavailable { address },
        other => Error::Setup { detail: other.to_string() },
    })?;
    let result = tokio::select! {
        biased;
        result = timeout(options.handshake_timeout, connecting) => result,
        reason = why_silent(address) => return Err(reason),
    };
    match result {
        Ok(Ok(connection)) => Connection::new(connection, Own::Socket(endpoint), ends, options.stall_timeout),
        Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(Error::NoAnswer { address: ends.address, waited: options.handshake_timeout }),
        Ok(Err(error)) => {
            // The listener should learn why it was left: then its log says so too.
            let _ = timeout(FAREWELL, endpoint.wait_idle()).await;
            Err(ends.classify(error))
        }
    }
}

fn any(address: SocketAddr) -> IpAddr {
    if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

/// Returns only with a reason. A socket that is connected to one address hears what the network says of it (ICMP), which QUIC's own, open
/// to all, does not. One byte, which no QUIC listener answers, is enough to ask with.
async fn why_silent(address: SocketAddr) -> Error {
    sleep(PROBE_AFTER).await;
    loop {
        if let Err(source) = ask(address).await {
            match source.kind() {
                io::ErrorKind::ConnectionRefused => return Error::NothingListens { address: plain(address) },
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                    return Error::NoRoute { address: plain(address), source };
                }
                _ => tracing::debug!(error = %source, "the path to the listener could not be asked"),
            }
        }
        sleep(PROBE_EVERY).await;
    }
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddr::new(any(address), 0)).await?;
    socket.connect(address).await?;
    socket.send(&[0]).await?;
    let mut byte = [0u8; 1];
    // An answer would say nothing of use: only errors count.
    timeout(PROBE_EVERY, socket.recv(&mut byte)).await.map_or(Ok(()), |result| result.map(drop))
}
